import { describe, expect, it } from "vitest"
import { printProgram } from "../../../src/isa/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { LinuxOracle } from "./agree.ts"
import { programOf } from "./campaign.ts"
import { Random } from "./random.ts"
import { SoundnessCheck } from "./sound.ts"

/** More with SKEP_FUZZ; `npm run fuzz:verifier` for long runs. */
const PROGRAMS = 60 * Number(process.env.SKEP_FUZZ ?? 1)
const FIRST_SEED = 1

describe(`generated programs, seeds ${FIRST_SEED} to ${FIRST_SEED + PROGRAMS - 1}`, () => {
  it("run within the states that the verifier explored, and never fault", {
    timeout: 120_000,
  }, () => {
    const soundness = new SoundnessCheck()
    let compared = 0
    for (let seed = FIRST_SEED; seed < FIRST_SEED + PROGRAMS; seed++) {
      const program = programOf(seed)
      const found = soundness.check(program, new Random(seed))
      if (found.compared) compared++
      if (found.violation !== null)
        expect.fail(`seed ${seed}: ${found.violation}\n${printProgram(program.insns)}`)
    }
    expect(compared).toBeGreaterThan(PROGRAMS / 4)
  })
})

describeWith([requirement.linux()], "generated programs, asked of Linux too", () => {
  it("get the same verdict, errno and message", { timeout: 120_000 }, () => {
    const oracle = new LinuxOracle()
    try {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + 2 * PROGRAMS; seed++) {
        const program = programOf(seed)
        const { errno, messages, agree, sameMessage } = oracle.ask(program)
        if (!agree || !sameMessage)
          expect.fail(
            `seed ${seed}: ${errno.join(", Linux ")} «${messages.join("», Linux «")}»\n${printProgram(program.insns)}`,
          )
      }
    } finally {
      oracle.close()
    }
  })
})
