/** Whole processes: what the command line costs beside a Node that does nothing. Needs `npm run build`. */

import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Bench } from "./support/bench.ts"

const MAIN = join("dist", "cli", "main.js")
const ROUNDS = 40
const FRAME = `ffffffffffff0200000000010800${"45000014000000004000000000000000".padEnd(40, "0")}`

const SUBJECTS: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["node -e 0", ["-e", "0"]],
  ["skep --version", [MAIN, "--version"]],
  ["skep run, one packet", [MAIN, "run", "examples/firewall/firewall.bpf.o", "--packet", FRAME]],
]

function milliseconds(args: readonly string[]): number {
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`node ${args.join(" ")} failed: ${stderr}`)
  return performance.now() - start
}

export const bench: Bench = {
  name: "startup",
  question: "How long does a command take to start, beside a bare Node?",
  async run({ effort }) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`)
    const times = SUBJECTS.map((): number[] => [])
    // In turns, so that a busy moment of the machine hits all of them.
    for (let round = 0; round < Math.max(5, ROUNDS * effort); round++)
      for (const [index, [, args]] of SUBJECTS.entries()) times[index].push(milliseconds(args))
    const sorted = times.map((one) => [...one].sort((a, b) => a - b))
    const [bare] = sorted
    const rows = SUBJECTS.map(([name], index) => ({
      command: name,
      "best ms": sorted[index][0],
      "median ms": sorted[index][sorted[index].length >> 1],
      "best, × node": sorted[index][0] / bare[0],
      "best, ms more": sorted[index][0] - bare[0],
    }))
    return { rows }
  },
}
