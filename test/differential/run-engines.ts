/** `npm run fuzz:engines`; see engines.ts. */

import { fuzzEngines } from "./engines.ts"

function number(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? otherwise : Number(process.argv[at + 1])
}

const runs = number("runs", 2000)
const seed = number("seed", Date.now() % 1_000_000)
const result = fuzzEngines({ runs, seed, linux: number("linux", runs) })
for (const { seed: one, what } of result.differences)
  console.log(`seed ${one}:\n  ${what.join("\n  ")}`)
console.log(
  `seeds ${seed} to ${seed + runs - 1}: ${result.programs} programs, ${result.onLinux} also on Linux` +
    ` (${result.refusedByLinux} refused there), ${result.differences.length} differences`,
)
process.exitCode = result.differences.length === 0 ? 0 : 1
