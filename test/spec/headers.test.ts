/**
 * The headers of `include/` against clang: programs of every kind compile without a warning with
 * nothing else on the include path, and layouts are those of the tables.
 */

import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { generatedHeaders } from "../../scripts/generate-headers.ts"
import { CONTEXTS } from "../../src/spec/index.ts"
import { describeWith, requirement, root } from "../support/requirements.ts"

const include = join(root, "include")
const directory = mkdtempSync(join(tmpdir(), "skep-headers-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Compiles as users do, with every warning an error; returns clang's messages. */
function compile(name: string, source: string, options: readonly string[] = []): string {
  const file = join(directory, `${name}.bpf.c`)
  writeFileSync(file, source)
  const flags = ["-target", "bpf", "-O2", "-g", "-Wall", "-Werror", "-nostdinc", "-I", include]
  const output = ["-c", file, "-o", join(directory, `${name}.o`)]
  const { stderr } = spawnSync("clang", [...flags, "-D__TARGET_ARCH_x86", ...options, ...output], {
    encoding: "utf8",
  })
  return stderr
}

describe("the generated headers", () => {
  test.each([...generatedHeaders()])("%s is what the tables say", (name, text) => {
    expect(readFileSync(join(include, name), "utf8")).toBe(text)
  })
})

const programs = join(root, "test/spec/programs")

describeWith([requirement.clang()], "programs with our headers", () => {
  test.each(readdirSync(programs))("%s compiles without a warning", (name) => {
    expect(compile(name, readFileSync(join(programs, name), "utf8"))).toBe("")
  })

  test.each(readdirSync(programs))("%s compiles for arm64", (name) => {
    const source = readFileSync(join(programs, name), "utf8")
    expect(compile(name, source, ["-U__TARGET_ARCH_x86", "-D__TARGET_ARCH_arm64"])).toBe("")
  })

  const headers = readdirSync(join(include, "linux"))
  test.each(headers)("linux/%s stands alone", (name) => {
    expect(compile("alone", `#include <linux/${name}>\n`, ["-fsyntax-only"])).toBe("")
  })

  test.each(["linux/bpf.h", "vmlinux.h"])("contexts in %s lie as the tables say", (header) => {
    const uapi = Object.values(CONTEXTS).filter(
      (layout) => layout.sizeBytes > 0 && layout.name !== "user_pt_regs",
    )
    const known = header === "vmlinux.h" ? uapi : uapi.filter((l) => l.name !== "bpf_nf_ctx")
    const asserts = known.flatMap((layout) => [
      `_Static_assert(sizeof(struct ${layout.name}) == ${layout.sizeBytes}, "${layout.name}");`,
      ...layout.fields
        .filter((field) => layout.name !== "bpf_perf_event_data" || field.offset >= 168)
        .map((field) => {
          const place = `${layout.name}, ${field.name}`
          return `_Static_assert(__builtin_offsetof(struct ${place}) == ${field.offset}, "${place}");`
        }),
    ])
    const also = header === "vmlinux.h" ? "" : "#include <linux/bpf_perf_event.h>\n"
    const source = `#define BPF_NO_PRESERVE_ACCESS_INDEX\n#include <${header}>\n${also}${asserts.join("\n")}\n`
    expect(compile("layout", source)).toBe("")
  })

  test("a probe without a machine is an error that says what to define", () => {
    const source = `#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
SEC("kprobe/f") int BPF_KPROBE(on_f, int a) { return a; }
`
    expect(compile("nomachine", source, ["-U__TARGET_ARCH_x86"])).toContain("__TARGET_ARCH_x86")
  })
})
