import { expect, it } from "vitest"
import { createLinuxKernel } from "../../../src/linux/index.ts"
import { compareVerdicts } from "../../../src/tools/verify/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { openObject, repositoryObjects, shortName } from "./objects.ts"
import { Summary } from "./summary.ts"

describeWith([requirement.linux()], "on every object of the repository", () => {
  it("our verdict is Linux's", { timeout: 120_000 }, () => {
    const kernel = createLinuxKernel()
    const summary = new Summary()
    for (const path of repositoryObjects()) {
      const object = openObject(path)
      if (typeof object === "string") continue
      for (const answer of compareVerdicts(kernel, object)) summary.add(shortName(path), answer)
    }
    const verdicts = summary.differences.filter(
      ({ is }) => is === "unsound accept" || is === "false reject",
    )
    expect(verdicts).toEqual([])
    expect(summary.figures().programs).toBeGreaterThan(100)
  })
})
