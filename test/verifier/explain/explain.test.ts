import { afterAll, expect, test } from "vitest"
import { createLinuxKernel, type LinuxKernel } from "../../../src/linux/index.ts"
import { counterexampleFinder } from "../../../src/tools/verify/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { ASSEMBLY_CASES, C_CASES } from "./cases.ts"
import { explainAssembly, explainOn, type Outcome, openPrograms } from "./harness.ts"

/** Repairs that change the map or the function's signature: Linux cannot be asked by bytecode alone. */
const MAP_CHANGES = /map's value/

const outcomes: Outcome[] = []
let kernel: LinuxKernel | undefined
const linux = (): LinuxKernel => (kernel ??= createLinuxKernel())

function check(outcome: Outcome, cause: string): void {
  outcomes.push(outcome)
  const { explained, errno, repairs, repairLogs } = outcome
  expect(explained, "rejected by us").not.toBeNull()
  const { explanation } = explained!
  expect(explanation.cause).toBe(cause)
  // Linux says ENOSPC where its log ran over, of a program that is too large.
  if (cause !== "loop-unbounded") expect(errno).toBe(explanation.errno)
  else expect(errno).not.toBe(0)
  repairs.forEach((repaired, index) => {
    const { title } = explanation.fixes[index]
    if (!MAP_CHANGES.test(title)) expect(repaired, `${title}\n${repairLogs[index]}`).toBe(0)
  })
}

describeWith([requirement.linux()], "Explanations of refused programs", () => {
  for (const [file, programs] of Object.entries(C_CASES)) {
    const object = openPrograms(file)
    for (const [program, cause] of Object.entries(programs))
      test(`${file} ${program} is explained as ${cause}, and Linux takes each repair`, () => {
        const findCounterexample = counterexampleFinder(object, program)
        check(explainOn(linux(), object, program, { findCounterexample }), cause)
      })
  }
  for (const [name, given] of Object.entries(ASSEMBLY_CASES))
    test(`assembly ${name} is explained as ${given.cause}, and Linux takes each repair`, () => {
      check(explainAssembly(linux(), name, given), given.cause)
    })

  afterAll(() => {
    const explanations = outcomes.flatMap(({ explained }) => explained?.explanation ?? [])
    const share = (count: number, of: number): string =>
      `${count} of ${of} (${Math.round((100 * count) / of)} %)`
    const causes = new Set(explanations.map(({ cause }) => cause))
    const searched = explanations.filter(({ counterexample }) => counterexample !== undefined)
    console.log(
      `explanations: ${explanations.length} programs, ${causes.size} causes; a checked fix for ` +
        `${share(explanations.filter(({ fixes }) => fixes.length > 0).length, explanations.length)}, ` +
        `a counterexample for ${share(searched.filter(({ counterexample }) => counterexample).length, searched.length)} programs in C`,
    )
  })
})
