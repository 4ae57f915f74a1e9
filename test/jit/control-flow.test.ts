import { describe, expect, it } from "vitest"
import { encodeProgram, type Instruction } from "../../src/isa/index.ts"
import { compileProgram } from "../../src/jit/index.ts"
import { Random } from "../differential/generate.ts"
import { createJitWorld } from "./support.ts"

const RUNS = 60 * Number(process.env.SKEP_FUZZ ?? 1)
const SEED = Number(process.env.SKEP_FUZZ_SEED ?? Date.now() % 1_000_000)

function insn(opcode: number, dst = 0, src = 0, off = 0, imm = 0): Instruction {
  return { opcode, dst, src, off, imm }
}

/**
 * Blocks that jump anywhere: back, forward, into the middle of loops. r1 counts down to the exit, r0
 * takes in which blocks were visited in which order.
 */
function jumpingProgram(random: Random): Uint8Array {
  const blocks = 3 + random.below(14)
  const size = 6
  const start = 2
  const end = start + blocks * size
  const code = [insn(0xb7, 1, 0, 0, 40 + random.below(60)), insn(0xb7, 0, 0, 0, 1)]
  for (let block = 0; block < blocks; block++) {
    const at = start + block * size
    const to = (from: number): number => start + random.below(blocks) * size - from - 1
    code.push(insn(0x07, 1, 0, 0, -1))
    code.push(insn(0x15, 1, 0, end - at - 2))
    code.push(insn(0x27, 0, 0, 0, 31))
    code.push(insn(0x07, 0, 0, 0, block + 1))
    code.push(insn(random.pick([0x45, 0x25, 0x65, 0x46]), 0, 0, to(at + 4), random.below(1 << 20)))
    code.push(random.chance(70) ? insn(0x05, 0, 0, to(at + 5)) : insn(0x17, 0, 0, 0, 3))
  }
  code.push(insn(0x95))
  return encodeProgram(code)
}

describe("control flow", () => {
  it("of any shape, reducible or not, is that of the interpreter", () => {
    console.log(`seed ${SEED}`)
    let irreducible = 0
    for (const chunkSlots of [undefined, 20]) {
      const world = createJitWorld({ compile: { checked: false, chunkSlots } })
      for (let index = 0; index < RUNS; index++) {
        const program = world.prepare(jumpingProgram(new Random(SEED + index)))
        const { low, high, fault } = world.interpret(program)
        let compiled: ReturnType<typeof world.run>
        try {
          compiled = world.run(program)
        } catch (error) {
          // A function with dispatch blocks is not cut; the kernel interprets it then.
          if (chunkSlots !== undefined && /dispatch blocks/.test(String(error))) continue
          throw error
        }
        expect(compiled, `seed ${SEED + index}`).toMatchObject({ low, high, fault })
        const options = { area: 65536, stackTag: 0, checked: false }
        if (compileProgram(program, options).dispatches > 0) irreducible++
      }
    }
    expect(irreducible).toBeGreaterThan(0)
  })

  it("needs a dispatch only where a loop has several entries", () => {
    const world = createJitWorld()
    const options = { area: 65536, stackTag: 0, checked: false }
    const dispatches = (text: string): number =>
      compileProgram(world.prepare(text), options).dispatches
    expect(dispatches("r0 = 5; again: r0 += -1; if r0 != 0 goto again; exit")).toBe(0)
    expect(
      dispatches(`
        r0 = 5; if r1 == 0 goto second
        first: r0 += -1; if r0 == 0 goto out
        second: r0 += -1; if r0 != 0 goto first
        out: exit`),
    ).toBe(1)
  })

  it("goes on 8 Mi times at may_goto, and then jumps", () => {
    const world = createJitWorld({ compile: { checked: false, fuel: false } })
    const program = encodeProgram([
      insn(0xb7, 0),
      insn(0xe5, 0, 0, 2),
      insn(0x07, 0, 0, 0, 1),
      insn(0x05, 0, 0, -3),
      insn(0x95),
    ])
    expect(world.run(program)).toMatchObject({ low: 8 * 1024 * 1024, high: 0, fault: null })
  })

  it("that never ends uses up the budget", () => {
    for (const checked of [false, true]) {
      const world = createJitWorld({ compile: { checked } })
      const program = world.prepare("r0 = 0; again: r0 += 1; goto again; exit")
      expect(world.run(program, { budget: 1000 }).fault).toMatchObject({
        kind: "budget",
        message: world.interpret(program, { budget: 1000 }).fault?.message,
      })
    }
  })
})

describe("a program of a million instructions", () => {
  it("compiles, and computes what the interpreter does", () => {
    const length = 999_990
    const code: Instruction[] = [insn(0xb7, 0, 0, 0, 1)]
    while (code.length < length - 1) {
      const slot = code.length
      const jump = [7, 30_000, 0][(slot >> 4) % 3]
      const isJump = slot % 16 === 5 && jump > 0
      const off = Math.min(jump, length - 2 - slot)
      code.push(isJump ? insn(0x15, 0, 0, off, slot) : insn([0x07, 0xa7][slot % 2], 0, 0, 0, slot))
    }
    code.push(insn(0x95))
    const world = createJitWorld({ compile: { checked: false, fuel: false } })
    const program = world.prepare(encodeProgram(code))
    const { low, high, fault } = world.interpret(program)
    expect(world.run(program)).toMatchObject({ low, high, fault })
  }, 120_000)
})
