import { describe, expect, it } from "vitest"
import type { Instruction } from "../../src/isa/index.ts"
import { runModel } from "./model.ts"
import {
  generator,
  interesting,
  type Random,
  randomBody,
  SCRATCH_BYTES,
} from "./random-programs.ts"
import { createWorld, exit, insn, loadImmediate } from "./support.ts"

const rounds = Number(process.env.SKEP_FUZZ ?? 1)

/** Initial values, a random body, exit, and the subprogram behind it. */
function randomProgram(random: Random, length: number): Instruction[] {
  const shape = { length, jumps: length >> 3, calls: random(3) }
  const { body, subprogram, calls } = randomBody(random, shape)
  const program: Instruction[] = []
  for (let register = 0; register < 10; register++)
    program.push(...loadImmediate(register, interesting(random)))
  for (let off = -SCRATCH_BYTES; off < 0; off += 8) program.push(insn(0x7b, 10, random(10), off))
  const start = program.length
  program.push(...body, exit)
  for (const at of calls)
    program[start + at] = insn(0x85, 0, 1, 0, program.length - (start + at) - 1)
  program.push(...subprogram)
  return program
}

const hex = (value: bigint) => `0x${value.toString(16).padStart(16, "0")}`

describe("the interpreter and a BigInt model", () => {
  it("agree on every register and byte after random programs", () => {
    const seed = Number(process.env.SKEP_SEED ?? 20_250_101)
    console.log(`seed ${seed}`)
    const random = generator(seed)
    const world = createWorld()
    let instructions = 0
    for (let round = 0; round < 600 * rounds; round++) {
      const program = randomProgram(random, 8 + random(120))
      const expected = new Array<bigint>(11).fill(0n)
      const scratch = runModel(program, expected)
      const { fault, steps } = world.run(program)
      expect(fault).toBeNull()
      instructions += steps
      const where = `seed ${seed}, round ${round}`
      for (let register = 0; register < 10; register++)
        if (world.machine.big(register) !== expected[register])
          expect.fail(
            `${where}: r${register} is ${hex(world.machine.big(register))}, the model has ${hex(expected[register])}`,
          )
      const top = world.machine.low(10)
      expect(world.memory.read(top - SCRATCH_BYTES, SCRATCH_BYTES), where).toEqual(
        scratch.slice(-SCRATCH_BYTES),
      )
    }
    console.log(`${instructions} instructions`)
  })

  it("agree on every operation for every pair of edge values", () => {
    const world = createWorld()
    const random = generator(7)
    const values = Array.from({ length: 30 }, () => interesting(random))
    const operations: Instruction[] = []
    for (const kind of [4, 7]) {
      for (const operation of [0, 1, 2, 3, 4, 5, 6, 7, 9, 0xa, 0xb, 0xc])
        operations.push(insn((operation << 4) | 8 | kind, 1, 2))
      for (const operation of [3, 9]) operations.push(insn((operation << 4) | 8 | kind, 1, 2, 1))
    }
    const body = (operation: Instruction, a: bigint, b: bigint) => [
      ...loadImmediate(1, a),
      ...loadImmediate(2, b),
      operation,
      exit,
    ]
    for (const operation of operations) {
      for (const a of values) {
        for (const b of values) {
          const expected = new Array<bigint>(11).fill(0n)
          runModel(body(operation, a, b), expected)
          world.run(body(operation, a, b))
          if (world.machine.big(1) !== expected[1])
            expect.fail(
              `opcode ${operation.opcode} off ${operation.off} of ${hex(a)} and ${hex(b)} gives ${hex(world.machine.big(1))}, not ${hex(expected[1])}`,
            )
        }
      }
    }
  })
})
