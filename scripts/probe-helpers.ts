/**
 * Prints which helpers the running kernel gives to each program type, as the difference from the
 * tables of `src/spec`: `+name` is a helper that Linux has and the table does not, `-name` the
 * other way round. Needs root. Run: npx tsx scripts/probe-helpers.ts
 */

import { HELPER_NAMES, helperRefusal } from "../src/spec/index.ts"
import { callVerdict, helperIds, loads, scenarios } from "../test/spec/helper-probe.ts"

for (const scenario of scenarios()) {
  if (!loads(scenario)) {
    console.log(`${scenario.name}: this kernel loads no such program`)
    continue
  }
  let count = 0
  const differences: string[] = []
  for (const id of helperIds) {
    const there = callVerdict(scenario, id) !== "absent"
    if (there) count++
    if (there !== (helperRefusal(id, scenario) !== "absent"))
      differences.push(`${there ? "+" : "-"}${HELPER_NAMES[id]}`)
  }
  console.log(`${scenario.name}: ${count} helpers ${differences.join(" ")}`)
}
