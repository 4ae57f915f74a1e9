/**
 * The running kernel as the oracle of the domain and of the register notation: random programs are
 * loaded with log level 2, and every register that Linux prints must be what our domain prints.
 * SKEP_FUZZ multiplies the number of programs (100 makes 30,000), SKEP_SEED sets the first seed.
 */

import { release } from "node:os"
import { expect, test } from "vitest"
import { createDomain } from "../../../src/verifier/domain/domain.ts"
import { close, progLoad } from "../../support/linux.ts"
import { describeWith, type Requirement, requirement } from "../../support/requirements.ts"
import { encode, generator, randomProgram, type Shape } from "./programs.ts"
import { Replay } from "./replay.ts"

const scale = Number(process.env.SKEP_FUZZ ?? 1)
const firstSeed = Number(process.env.SKEP_SEED ?? Date.now() % 1_000_000)
const SOCKET_FILTER = 1

const shapes: readonly (Shape & { readonly name: string })[] = [
  { name: "straight-line arithmetic", length: 30, jumps: 0 },
  { name: "arithmetic with a few jumps", length: 30, jumps: 4 },
  { name: "many jumps", length: 24, jumps: 8 },
]

/** Earlier and later kernels deduce less or more. */
const linux618: Requirement = {
  name: "linux-6.18",
  available: /^6\.18\.(4[4-9]|[5-9]\d)/.test(release()),
  reason: `the domain is that of Linux 6.18.44, this is ${release()}`,
}

describeWith(
  [requirement.linux(), linux618],
  "registers after each instruction, as Linux has them",
  () => {
    test.each(shapes)("in random programs of $name", (shape) => {
      const replay = new Replay(createDomain())
      for (let seed = firstSeed; seed < firstSeed + 100 * scale; seed++) {
        const program = randomProgram(generator(seed), shape)
        const { fd, log } = progLoad(SOCKET_FILTER, encode(program), { logLevel: 2 })
        close(fd)
        const difference = replay.run(program, log)
        expect(difference, `seed ${seed}, length ${shape.length}, jumps ${shape.jumps}`).toBe(
          undefined,
        )
      }
      console.log(`seeds from ${firstSeed}: ${replay.compared} registers compared`)
      expect(replay.compared).toBeGreaterThan(1000)
    })
  },
)
