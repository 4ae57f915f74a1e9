/**
 * The running kernel as the oracle of the domain and of the register notation: random programs are
 * loaded with log level 2, and every register that Linux prints must be what our domain prints.
 * SKEP_FUZZ multiplies the number of programs (100 makes 23,000), SKEP_SEED sets the first seed.
 */

import { release } from "node:os"
import { expect, test } from "vitest"
import { createDomain } from "../../../src/verifier/domain/domain.ts"
import { CURRENT_BASE, FRAME_REGS, REG_SIZE, REG_TYPE } from "../../../src/verifier/state/layout.ts"
import {
  PTR_TO_MAP_VALUE,
  PTR_TO_PACKET,
  PTR_TO_STACK,
} from "../../../src/verifier/state/register-types.ts"
import { attr, bpf, close, progLoad } from "../../support/linux.ts"
import { describeWith, type Requirement, requirement } from "../../support/requirements.ts"
import {
  encode,
  generator,
  POINTER_PROGRAM_TYPE,
  POINTER_PROLOGUE,
  pointerProgram,
  randomProgram,
  type Shape,
} from "./programs.ts"
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
      for (let seed = firstSeed; seed < firstSeed + 50 * scale; seed++) {
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

    test("in random programs that move packet, map value and stack pointers", () => {
      const domain = createDomain()
      // MAP_CREATE of an array: 4-byte keys, 64-byte values, one entry.
      const map = bpf(
        0,
        attr([
          [0, 4, 2],
          [4, 4, 4],
          [8, 4, 64],
          [12, 4, 1],
        ]),
      )
      const replay = new Replay(domain, [{ name: "", keySize: 4, valueSize: 64 }])
      const register = (n: number): number => CURRENT_BASE + FRAME_REGS + n * REG_SIZE
      const pointer = (n: number, type: number): void => {
        domain.markKnownZero(register(n))
        domain.i32[(register(n) + REG_TYPE) >> 2] = type
      }
      const start = (): void => {
        for (let n = 0; n < 11; n++) domain.markNotInit(register(n))
        domain.markKnownZero(register(0))
        pointer(6, PTR_TO_PACKET)
        pointer(9, PTR_TO_MAP_VALUE)
        pointer(10, PTR_TO_STACK)
      }
      for (let seed = firstSeed; seed < firstSeed + 80 * scale; seed++) {
        const program = pointerProgram(generator(seed), map, 6)
        const { fd, log } = progLoad(POINTER_PROGRAM_TYPE, encode(program), { logLevel: 2 })
        close(fd)
        const difference = replay.run(program, log, POINTER_PROLOGUE, start)
        expect(difference, `seed ${seed}`).toBe(undefined)
      }
      close(map)
      console.log(`seeds from ${firstSeed}: ${replay.compared} registers compared`)
      expect(replay.compared).toBeGreaterThan(1000)
    })
  },
)
