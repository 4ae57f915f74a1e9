/**
 * Socket scenarios on both kernels: the embedded kernel's outcome is Linux's. Linux runs in a
 * process of its own, in its own network namespace and cgroup.
 */

import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { beforeAll, expect, test } from "vitest"
import { describeWith, requirement, root } from "../../support/requirements.ts"
import { EmbeddedWorld } from "./embedded-world.ts"
import { runScenario, scenarios } from "./scenarios.ts"

const HOOK_TIMEOUT_MS = 120_000

function onLinux(): Record<string, unknown> {
  const script = join(root, "test/kernels/sockets/linux-side.ts")
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", "tsx", script], {
    cwd: root,
    encoding: "utf8",
  })
  if (status !== 0) throw new Error(`the Linux side failed: ${stderr}`)
  return JSON.parse(stdout) as Record<string, unknown>
}

describeWith([requirement.linux(), requirement.ip()], "Sockets on both kernels", () => {
  let linux: Record<string, unknown> = {}

  // A process of its own, on machines that may be busy.
  beforeAll(() => {
    linux = onLinux()
  }, HOOK_TIMEOUT_MS)

  for (const scenario of scenarios)
    test(scenario.name, () => {
      const outcome = runScenario(new EmbeddedWorld(), scenario)
      expect(JSON.parse(JSON.stringify(outcome))).toEqual(linux[scenario.name])
    })
})
