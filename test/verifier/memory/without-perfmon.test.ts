/**
 * Programs of loaders without CAP_PERFMON: no pointer may leak, stack must be initialised, and
 * what the processor may guess is checked as well.
 */

import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { expect, test } from "vitest"
import { describeWith, requirement, root } from "../../support/requirements.ts"

const script = join(root, "test/verifier/memory/without-perfmon.ts")

/** Known to differ: the branch that constants decide against is not explored as speculation. */
const KNOWN: readonly string[] = ["a constant decides a branch"]

const setpriv = {
  name: "setpriv",
  available: spawnSync("setpriv", ["--version"]).status === 0,
  reason: "setpriv is not installed",
}

describeWith([requirement.linux(), setpriv], "without CAP_PERFMON", () => {
  test("verdicts, messages and states are Linux's", { timeout: 60_000 }, () => {
    const run = spawnSync(
      "setpriv",
      ["--bounding-set=-perfmon,-sys_admin", process.execPath, "--import", "tsx", script],
      { encoding: "utf8", cwd: root },
    )
    expect(run.status, run.stderr).toBe(0)
    const { count, differences } = JSON.parse(run.stdout)
    expect(count).toBeGreaterThan(200)
    expect(differences.filter(({ name }: { name: string }) => !KNOWN.includes(name))).toEqual([])
  })
})
