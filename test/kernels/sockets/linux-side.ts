/**
 * Runs all scenarios on the running Linux in a process of its own, whose namespace and cgroup end
 * with it, and prints what they gave as JSON: `{ name: outcome }`. A name as argument: only that one.
 */

import { LinuxWorld } from "./linux-world.ts"
import { runScenario, scenarios } from "./scenarios.ts"

/** A scenario that fails says why, and the others go on. */
function outcomeOf(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    const { log } = error as { log?: readonly string[] }
    return `${error}\n${log?.slice(-6).join("\n") ?? ""}`
  }
}

const world = new LinuxWorld()
const outcomes: Record<string, unknown> = {}
const [only] = process.argv.slice(2)
try {
  for (const scenario of scenarios)
    if (only === undefined || scenario.name === only)
      outcomes[scenario.name] = outcomeOf(() => runScenario(world, scenario))
} finally {
  world.dispose()
}
process.stdout.write(JSON.stringify(outcomes))
