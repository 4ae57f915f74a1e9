import { describe, expect, it } from "vitest"
import {
  FUNCTION_TAG,
  type HelperFunction,
  REGION_CONTEXT,
  REGION_PROBE,
  REGION_READ,
  REGION_TAG,
} from "../../src/interpreter/index.ts"
import { assemble } from "../../src/isa/index.ts"
import { createJitWorld, type JitWorld } from "./support.ts"

/** A program's fault on both engines: they must be the same but for nothing. */
function sameFault(world: JitWorld, text: string, run: Parameters<JitWorld["run"]>[1] = {}) {
  const program = world.prepare(text)
  const { fault } = world.run(program, run)
  const expected = world.interpret(program, run).fault
  expect(fault).toEqual(expected)
  return fault
}

describe("checked accesses", () => {
  const world = createJitWorld()
  const { address } = world.region(16)
  const at = { arguments: [address] }

  it("fault as the interpreter's do, word for word", () => {
    expect(sameFault(world, "r0 = *(u64 *)(r1 + 9); exit", at)).toMatchObject({ kind: "read" })
    expect(sameFault(world, "*(u64 *)(r1 - 1) = 1; exit", at)).toMatchObject({ kind: "write" })
    expect(sameFault(world, "r1 = 0; r0 = *(u8 *)(r1 + 0); exit")).toMatchObject({ slot: 1 })
    expect(sameFault(world, "r1 = -22; *(u8 *)(r1 + 0) = 1; exit")?.message).toContain("-22")
    expect(sameFault(world, "lock *(u64 *)(r1 + 4) += r1; exit", at)).toMatchObject({ size: 8 })
    expect(sameFault(world, "r0 = *(u64 *)(r1 + 8); exit", at)).toBeNull()
  })

  it("know where the stack ends", () => {
    for (const off of [-520, -513, -7, 0, 8])
      expect(
        world.run(`*(u64 *)(r10 ${off < 0 ? off : `+ ${off}`}) = 1; exit`).fault,
      ).toMatchObject({ kind: "stack", slot: 0 })
    const below = "call local f; exit; f: r1 = r10; r1 += -600; r0 = *(u64 *)(r1 + 0); exit"
    expect(world.run(below).fault).toMatchObject({ kind: "stack" })
    const caller =
      "r1 = r10; r1 += -8; call local f; r0 = *(u64 *)(r10 - 8); exit; f: *(u64 *)(r1 + 0) = 7; exit"
    expect(world.run(caller)).toMatchObject({ low: 7, fault: null })
  })

  it("clear a frame when it is entered", () => {
    const program = `
      call local dirty; call local clean; exit
      dirty: *(u64 *)(r10 - 8) = 5; *(u64 *)(r10 - 16) = 6; r0 = 0; exit
      clean: r0 = *(u64 *)(r10 - 8); r1 = *(u64 *)(r10 - 16); r0 += r1; exit`
    expect(world.run(program)).toMatchObject({ low: 0, fault: null })
  })

  it("let no call go deeper than 8 frames", () => {
    const text = "call local f; exit; f: call local f; exit"
    expect(world.run(text).fault).toMatchObject({ kind: "call-depth", slot: 2 })
  })
})

describe("helpers", () => {
  const seen: number[] = []
  const helpers: Record<number, HelperFunction<null>> = {
    1: (m) => m.setResult64(m.low(1) + m.low(2) + m.low(3) + m.low(4) + m.low(5), m.high(1)),
    2: (m) => m.fail("this helper always fails"),
    3: (m) => m.setResult(m.checkWrite(1, 8) < 0 ? -1 : 0),
    4: (m) => {
      for (let round = 0; round < m.low(1); round++) {
        const result = m.callback(m.low(2), [
          [round, 0],
          [m.low(3), m.high(3)],
        ])
        if (result === undefined) return
        seen.push(result)
      }
      m.setResult(m.low(1))
    },
    5: () => {
      throw new TypeError("a bug of the helper")
    },
  }
  const world = createJitWorld({ helpers })

  it("find their arguments and leave a result", () => {
    const text = "r1 = 0x700000001 ll; r2 = 2; r3 = 3; r4 = 4; r5 = 5; call 1; exit"
    expect(world.run(text)).toMatchObject({ low: 15, high: 7, fault: null })
  })

  it("end the run from any depth, and the machine runs again afterwards", () => {
    const text = "call local f; exit; f: call 2; r0 = 1; exit"
    expect(sameFault(world, text)).toMatchObject({ kind: "helper", slot: 2 })
    expect(world.run("r1 = 8; r1 <<= 32; call 3; exit").fault).toMatchObject({ kind: "write" })
    expect(() => world.run("call 5; exit")).toThrow("a bug of the helper")
    expect(world.run("r0 = 3; exit")).toMatchObject({ low: 3, fault: null })
  })

  it("call back into the program, which keeps its registers", () => {
    seen.length = 0
    const text = `
      r6 = 6; r1 = 3; r2 = f ll; r3 = 40
      call 4
      r0 += r6; exit
      f: r6 = 99; r0 = r1; r0 += r2; exit`
    const callback = world.prepare(text.replace("f ll", "0 ll"))
    expect(callback.length).toBeGreaterThan(0)
    // The assembler has no operand for functions: BPF_PSEUDO_FUNC is put in by hand.
    const bytes = functionOperand(world, text)
    expect(world.run(bytes)).toMatchObject({ low: 9, fault: null })
    expect(seen).toEqual([40, 41, 42])
  })

  it("cannot call back to what is no function", () => {
    const text = "r1 = 1; r2 = 1; r3 = 0; call 4; exit"
    expect(world.run(text).fault).toMatchObject({ kind: "instruction" })
  })
})

/** `r2 = f ll` as the address of the function at label f. */
function functionOperand(world: JitWorld, text: string): Uint8Array {
  const bytes = assembleWith(text)
  expect(world.prepare(bytes).length).toBe(bytes.length / 8)
  return bytes
}

function assembleWith(text: string): Uint8Array {
  const { bytes } = assemble(text.replace("f ll", "0 ll"))
  const slots = bytes.length / 8
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  for (let slot = 0; slot < slots; slot++)
    if (bytes[slot * 8] === 0x18) {
      bytes[slot * 8 + 1] |= 4 << 4
      view.setInt32(slot * 8 + 4, slots - 4 - slot - 1, true)
      break
    }
  return bytes
}

describe("tail calls", () => {
  it("go on in the other program in the same frame, 33 times at most", () => {
    let target: ReturnType<JitWorld["prepare"]>
    const helpers: Record<number, HelperFunction<null>> = {
      12: (m) => {
        m.setResult(-1)
        m.tailCall(target)
      },
    }
    const jit = createJitWorld({ helpers })
    target = jit.prepare("r0 = 7; exit")
    expect(jit.run("call 12; r0 = 1; exit")).toMatchObject({ low: 7, fault: null })
    const { address, offset } = jit.region(8)
    target = jit.prepare(
      "r6 = r1; r2 = *(u32 *)(r1 + 0); r2 += 1; *(u32 *)(r1 + 0) = r2; call 12; exit",
    )
    expect(jit.run(target, { arguments: [address] })).toMatchObject({
      low: -1,
      high: -1,
      fault: null,
    })
    expect(jit.memory.view.getUint32(offset, true)).toBe(34)
  })
})

describe("contexts", () => {
  const FIELD = 4

  it("give 32-bit loads of packet fields their tag, however the pointer came", () => {
    for (const checked of [false, true]) {
      const world = createJitWorld({ compile: { checked, contextFields: [FIELD] } })
      const { address, region, offset } = world.region(16, REGION_READ | REGION_CONTEXT)
      world.memory.setContextTags(region, new Map([[FIELD, REGION_TAG | 77]]))
      world.memory.view.setUint32(offset + FIELD, 1234, true)
      world.memory.view.setUint32(offset + 8, 99, true)
      const programs = [
        `r0 = *(u32 *)(r1 + ${FIELD}); exit`,
        `r1 += -4; r0 = *(u32 *)(r1 + ${FIELD + 4}); exit`,
        `*(u64 *)(r10 - 8) = r1; r2 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r2 + ${FIELD}); exit`,
        `call local f; exit; f: r0 = *(u32 *)(r1 + ${FIELD}); exit`,
      ]
      for (const text of programs)
        expect(world.run(text, { arguments: [address] }), text).toMatchObject({
          low: 1234,
          high: REGION_TAG | 77,
          fault: null,
        })
      const plain = { low: 99, high: 0, fault: null }
      expect(world.run("r0 = *(u32 *)(r1 + 8); exit", { arguments: [address] })).toMatchObject(
        plain,
      )
    }
  })
})

describe("loads that may fault", () => {
  it("give 0 outside of a probed region", () => {
    const world = createJitWorld({ compile: { checked: false, probes: true } })
    const { address, offset } = world.region(8, REGION_READ | REGION_PROBE)
    world.memory.view.setBigInt64(offset, -1n, true)
    const load = (off: number, at: readonly [number, number]) =>
      world.run(`r0 = *(u64 *)(r2 + ${off}); exit`, { arguments: [[0, 0], at] })
    expect(load(0, address)).toMatchObject({ low: -1, high: -1, fault: null })
    expect(load(8, address)).toMatchObject({ low: 0, high: 0, fault: null })
    expect(load(0, [0, 0])).toMatchObject({ low: 0, high: 0, fault: null })
    expect(load(0, [0x7fff0000, REGION_TAG | 1])).toMatchObject({ low: 0, fault: null })
  })
})

describe("callx", () => {
  it("calls functions whose address is in a register, and nothing else", () => {
    const world = createJitWorld()
    const bytes = assembleWith("r2 = f ll; call r2; exit; f: r0 = 3; exit; exit; exit")
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    view.setInt32(4, 3, true)
    expect(world.run(bytes)).toMatchObject({ low: 3, fault: null })
    const high = FUNCTION_TAG >>> 0
    const text = `r2 = 0x${high.toString(16)}00000001 ll; call r2; exit`
    expect(world.run(text).fault).toMatchObject({ kind: "instruction", slot: 2 })
  })
})
