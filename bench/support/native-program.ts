/**
 * The physical limit: the same C compiled by clang -O2 for this processor, with maps of its own,
 * from the harness beside the checkout. Absent without clang or the harness.
 */

import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const harness = join(dirname(fileURLToPath(import.meta.url)), "../../../shared/bench")

/** The maps of each program, as the harness names them. */
const MAPS: Readonly<Record<string, string>> = {
  sieve: "&scratch_map",
  arrcnt: "&cnt",
  pcpucnt: "&cnt",
  fw: "&blocklist,&stats",
  flow: "&flows",
  lpm: "&routes",
  ringbuf: "&rb",
}

/** Nanoseconds of one run (median, thread CPU time), or undefined. */
export function nativeNs(name: string): number | undefined {
  const base = name.replace(/_x$/, "")
  if (base === "tail" || !existsSync(join(harness, "native.c"))) return undefined
  const folder = mkdtempSync(join(tmpdir(), "skep-bench-"))
  try {
    const binary = join(folder, name)
    const flags = [
      ...["-O2", "-w", `-I${join(harness, "programs")}`, ...(base === name ? [] : ["-DREP=64"])],
      ...[`-DPROGFILE="programs/${base}.c"`, `-DPROG="${name}"`, '-DENGINE="native"'],
      ...[`-DMAPS=${MAPS[base] ?? "0"}`, "-o", binary, "native.c"],
    ]
    if (spawnSync("clang", flags, { cwd: harness }).status !== 0) return undefined
    const { stdout, status } = spawnSync(binary, { encoding: "utf8" })
    return status === 0 ? (JSON.parse(stdout) as { median: number }).median : undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}
