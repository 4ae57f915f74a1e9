/**
 * What some tests need from the machine beyond Node: compilers, tools, a Linux that lets us load
 * programs, the captures beside the checkout. A missing one skips its tests with a printed reason;
 * when SKEP_REQUIRE names it (CI does), the tests fail instead.
 */

import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { trialLoad } from "./linux.ts"

/** The root of the checkout. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), "../..")
/** Where captures, vectors and guides lie when they are there: beside the checkout. */
export const shared: string = join(root, "../shared")

export interface Requirement {
  readonly name: string
  readonly available: boolean
  /** Why it is missing; empty when it is there. */
  readonly reason: string
}

function tool(name: string, command: string, args: readonly string[]): Requirement {
  const { error, status } = spawnSync(command, args, { stdio: "ignore" })
  const available = error === undefined && status === 0
  return { name, available, reason: available ? "" : `${command} is not installed` }
}

function lazily(probe: () => Requirement): () => Requirement {
  let result: Requirement | undefined
  return () => (result ??= probe())
}

/** Each probe runs once, when first asked. */
export const requirement: Readonly<Record<string, () => Requirement>> = {
  clang: lazily(() => tool("clang", "clang", ["--version"])),
  llvmObjdump: lazily(() => tool("llvm-objdump", "llvm-objdump", ["--version"])),
  bpftool: lazily(() => tool("bpftool", "bpftool", ["version"])),
  tcpdump: lazily(() => tool("tcpdump", "tcpdump", ["--version"])),
  ip: lazily(() => tool("ip", "ip", ["-V"])),
  linux: lazily(() => {
    const errno = trialLoad()
    return {
      name: "linux",
      available: errno === 0,
      reason: `bpf(2) refuses a trial load: ${errno}`,
    }
  }),
  shared: lazily(() => ({
    name: "shared",
    available: existsSync(join(shared, "pcap")),
    reason: "the shared captures and vectors do not lie beside the checkout",
  })),
}

/** Like `describe`, but skipped with a printed reason (or failed, see above) when something is missing. */
export function describeWith(needs: readonly Requirement[], name: string, body: () => void): void {
  const missing = needs.filter((need) => !need.available)
  if (missing.length === 0) {
    describe(name, body)
    return
  }
  const required = (process.env.SKEP_REQUIRE ?? "").split(",")
  const reason = missing.map((need) => need.reason).join("; ")
  if (missing.some((need) => required.includes(need.name))) {
    test(`${name} (required here)`, () => {
      expect.fail(reason)
    })
    return
  }
  console.warn(`skipped: ${name}: ${reason}`)
  // The body is not entered: it may read what is not there.
  describe.skip(name, () => {
    test(`needs what is missing here: ${reason}`, () => {})
  })
}
