import { describe, expect, it } from "vitest"
import { prepare, REGION_READ, REGION_WRITE } from "../../src/interpreter/index.ts"
import { encodeProgram, type Instruction } from "../../src/isa/index.ts"
import { generator } from "./random-programs.ts"
import { createWorld, exit, insn, mov } from "./support.ts"

function problemOf(program: readonly Instruction[] | Uint8Array) {
  const bytes = program instanceof Uint8Array ? program : encodeProgram(program)
  return prepare<null>({ name: "test", program: bytes, resolveCall: () => null }).problem
}

describe("prepare", () => {
  it("refuses what is not a whole number of instructions", () => {
    expect(problemOf(new Uint8Array(0))).toMatchObject({ kind: "size" })
    expect(problemOf(new Uint8Array(12))).toMatchObject({ kind: "size" })
    expect(problemOf(new Uint8Array(8 * 1_000_001))).toMatchObject({ kind: "size" })
  })

  it("refuses opcodes that do not exist, with their slot", () => {
    // RFC 9669 appendix A, and Linux's own: everything else is no instruction.
    const alu = [0, 1, 2, 3, 4, 5, 6, 7, 9, 0xa, 0xb, 0xc].flatMap((operation) =>
      [0x04, 0x0c, 0x07, 0x0f].map((low) => (operation << 4) | low),
    )
    const jumps = [1, 2, 3, 4, 5, 6, 7, 0xa, 0xb, 0xc, 0xd].flatMap((operation) =>
      [0x05, 0x0d, 0x06, 0x0e].map((low) => (operation << 4) | low),
    )
    const loads = [
      0x18, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91,
    ]
    const probes = [0x21, 0x29, 0x31, 0x39, 0x41, 0x49, 0x51]
    const stores = [0x62, 0x6a, 0x72, 0x7a, 0x63, 0x6b, 0x73, 0x7b, 0xc3, 0xdb]
    const others = [0x84, 0x87, 0x05, 0x06, 0x85, 0x8d, 0x95, 0xe5]
    const legal = new Set([...alu, ...jumps, ...loads, ...probes, ...stores, ...others])
    for (let opcode = 0; opcode < 256; opcode++) {
      const problem = problemOf([
        mov(0, 0),
        insn(opcode),
        opcode === 0x18 ? insn(0) : mov(0, 0),
        exit,
      ])
      if (opcode === 0x85) expect(problem).toMatchObject({ kind: "call", slot: 1 })
      else if (legal.has(opcode)) expect(problem, `opcode ${opcode}`).toBeNull()
      else expect(problem, `opcode ${opcode}`).toMatchObject({ kind: "opcode", slot: 1 })
    }
  })

  it("refuses variants that do not exist", () => {
    const variants: Instruction[] = [
      insn(0xd4, 0, 0, 0, 8), // le8
      insn(0xd7, 0, 0, 0, 0), // bswap0
      insn(0xdf, 0, 0, 0, 16),
      insn(0xbc, 0, 1, 32), // movsx32 of 32 bits
      insn(0xbf, 0, 1, 7),
      insn(0xb7, 0, 0, 8), // movsx of an immediate
      insn(0x37, 0, 0, 2, 1), // division with off 2
      insn(0x0f, 0, 1, 1),
      insn(0xc3, 0, 1, 0, 0x02),
      insn(0xc3, 0, 1, 0, 0x10), // atomic sub
      insn(0xcb, 0, 1, 0, 0), // 16-bit add
      insn(0xd3, 0, 1, 0, 1), // 8-bit fetch add
      insn(0xdb, 0, 1, 0, 0x120),
      insn(0xe5, 0, 1, 0),
    ]
    for (const variant of variants)
      expect(problemOf([variant, exit]), JSON.stringify(variant)).toMatchObject({ kind: "opcode" })
    for (const imm of [0x100, 0x110])
      for (const opcode of [0xc3, 0xcb, 0xd3, 0xdb])
        expect(problemOf([insn(opcode, 0, 1, 0, imm), exit])).toBeNull()
  })

  it("refuses registers above r10, and writes to r10", () => {
    expect(problemOf([insn(0xb7, 11), exit])).toMatchObject({ kind: "register", slot: 0 })
    expect(problemOf([insn(0xbf, 0, 11), exit])).toMatchObject({ kind: "register" })
    for (const write of [mov(10, 0), insn(0x07, 10), insn(0x79, 10, 1), insn(0x84, 10)])
      expect(problemOf([write, exit])?.message).toBe("r10, the frame pointer, is read-only")
    expect(problemOf([insn(0xdb, 10, 1, 0, 0x100), exit])).toMatchObject({ kind: "register" })
    expect(problemOf([insn(0xdb, 10, 1, -8), insn(0x7b, 10, 1, -8), exit])).toBeNull()
  })

  it("refuses jumps and calls that leave the program", () => {
    for (const off of [1, 100, -2, -100]) {
      expect(problemOf([insn(0x05, 0, 0, off), exit])).toMatchObject({ kind: "jump", slot: 0 })
      expect(problemOf([insn(0x06, 0, 0, 0, off), exit])).toMatchObject({ kind: "jump", slot: 0 })
      expect(problemOf([insn(0x85, 0, 1, 0, off), exit])).toMatchObject({ kind: "jump", slot: 0 })
      expect(problemOf([insn(0xe5, 0, 0, off), exit])).toMatchObject({ kind: "jump", slot: 0 })
    }
    expect(problemOf([insn(0x18, 1, 4, 0, 2), insn(0), exit])).toMatchObject({ kind: "jump" })
  })

  it("refuses jumps and calls into the middle of ld_imm64", () => {
    const wide = [insn(0x18, 1), insn(0)]
    expect(problemOf([insn(0x05, 0, 0, 1), ...wide, exit])).toMatchObject({ kind: "jump", slot: 0 })
    expect(problemOf([insn(0x85, 0, 1, 0, 1), ...wide, exit])).toMatchObject({
      kind: "jump",
      slot: 2,
    })
    expect(problemOf([insn(0x18, 1, 4, 0, 0), insn(0), exit])).toMatchObject({
      kind: "jump",
      slot: 1,
    })
    expect(problemOf([insn(0x18, 1)])).toMatchObject({ kind: "opcode" })
    expect(problemOf([insn(0x18, 1), exit])).toMatchObject({ kind: "opcode", slot: 1 })
  })

  it("refuses calls that nothing answers", () => {
    expect(problemOf([insn(0x85, 0, 0, 0, 999), exit])?.message).toBe("there is no helper 999")
    expect(problemOf([insn(0x85, 0, 2, 0, 77), exit])?.message).toBe("there is no kfunc 77")
    expect(problemOf([insn(0x85, 0, 3, 0, 1), exit])).toMatchObject({ kind: "call" })
  })

  it("survives random bytes, and the machine runs what it takes", () => {
    const seed = 97
    console.log(`seed ${seed}`)
    const random = generator(seed)
    const world = createWorld()
    const { address } = world.region(32, REGION_READ | REGION_WRITE)
    let taken = 0
    for (let round = 0; round < 6000; round++) {
      // Any opcode, registers up to r10, small displacements and immediates.
      const program = Array.from({ length: 1 + random(8) }, () =>
        insn(random(256), random(11), random(11), random(8) - 2, random(20)),
      )
      const { executable } = world.prepareWith(program, { resolveCall: () => () => {} })
      if (executable === null) continue
      taken++
      world.run(executable, { arguments: [address], budget: 500 })
    }
    expect(taken).toBeGreaterThan(100)
  })
})
