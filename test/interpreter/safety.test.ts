import { describe, expect, it } from "vitest"
import {
  type Fault,
  REGION_CONTEXT,
  REGION_PROBE,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
} from "../../src/interpreter/index.ts"
import type { Instruction } from "../../src/isa/index.ts"
import { createWorld, exit, insn, loadImmediate, mov, resultOf } from "./support.ts"

const READ_WRITE = REGION_READ | REGION_WRITE
const LDX = { 1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79 } as const
const STX = { 1: 0x73, 2: 0x6b, 4: 0x63, 8: 0x7b } as const
const SIZES = [1, 2, 4, 8] as const

const world = createWorld()

/** The fault of a program, after which the machine must still run programs. */
function faultOf(
  program: readonly Instruction[],
  args: readonly (readonly [number, number])[] = [],
): Fault | null {
  const { fault, low, high } = world.run(program, { arguments: args })
  if (fault !== null) expect([low, high]).toEqual([0, 0])
  expect(resultOf(world.run([mov(0, 7), exit]))).toBe(7n)
  return fault
}

describe("loads and stores", () => {
  const { address } = world.region(64, READ_WRITE)
  // Neighbours, so that a wrong bound would read something.
  world.region(64, READ_WRITE)

  for (const size of SIZES) {
    it(`of ${size} bytes are legal exactly inside of the region`, () => {
      for (const [opcodes, kind] of [
        [LDX, "read"],
        [STX, "write"],
      ] as const) {
        for (let off = -16; off <= 80; off++) {
          const load = opcodes === LDX
          const access = insn(opcodes[size], load ? 0 : 1, load ? 1 : 0, off)
          const fault = faultOf([mov(0, 0), access, exit], [address])
          if (off >= 0 && off + size <= 64) expect(fault).toBeNull()
          else {
            const wanted = BigInt.asUintN(
              64,
              (BigInt(address[1]) << 32n) + BigInt(address[0]) + BigInt(off),
            )
            expect(fault).toMatchObject({ kind, slot: 1, program: "test", size, address: wanted })
          }
        }
      }
    })
  }

  it("are checked again when the same instruction meets another address", () => {
    // Walks off the end: the region is the one accessed last, every time.
    const program = [mov(0, 0), insn(0x71, 2, 1), insn(0x07, 1, 0, 0, 1), insn(0x05, 0, 0, -3)]
    const result = world.run(program, { arguments: [address] })
    expect(result.fault).toMatchObject({ kind: "read", slot: 1, size: 1 })
    expect(result.fault?.address).toBe(
      BigInt.asUintN(64, (BigInt(address[1]) << 32n) + BigInt(address[0] + 64)),
    )
    expect(result.steps).toBe(1 + 3 * 64 + 1)
  })

  it("fault through NULL, small integers, error values and addresses of no region", () => {
    for (const value of [0n, 1n, 16n, 0x10000n, -1n, -14n, -4095n, 0x1234567890n, 1n << 63n]) {
      for (const [opcode, kind] of [
        [0x79, "read"],
        [0x7b, "write"],
      ] as const) {
        const access = opcode === 0x79 ? insn(opcode, 0, 1) : insn(opcode, 1, 0)
        const fault = faultOf([...loadImmediate(1, value), access, exit])
        expect(fault).toMatchObject({ kind, address: BigInt.asUintN(64, value), size: 8 })
      }
    }
    expect(faultOf([insn(0x61, 0, 1, 4), exit])?.message).toMatch(/at 0x4, which is no address/)
    expect(faultOf([insn(0x61, 0, 1), exit])?.message).toBe(
      "read of 4 bytes through a NULL pointer",
    )
  })

  it("fault in a region that is gone", () => {
    const gone = world.region(16, READ_WRITE)
    world.memory.destroyRegion(gone.region)
    expect(faultOf([insn(0x61, 0, 1), exit], [gone.address])?.message).toMatch(/gone or empty/)
  })

  it("may not write to what is read-only, nor read what is write-only", () => {
    const constant = world.region(16, REGION_READ)
    const device = world.region(16, REGION_WRITE)
    expect(faultOf([insn(0x79, 0, 1), exit], [constant.address])).toBeNull()
    // First a load, so that the region is the one accessed last.
    const store = [insn(0x79, 0, 1), insn(0x7b, 1, 0), exit]
    expect(faultOf(store, [constant.address])).toMatchObject({ kind: "write", slot: 1 })
    expect(faultOf([insn(0x62, 1), exit], [constant.address])?.message).toMatch(/read-only/)
    expect(faultOf([insn(0x7b, 1, 0), insn(0x79, 0, 1), exit], [device.address])).toMatchObject({
      kind: "read",
      slot: 1,
    })
  })

  it("see new bounds at once after a helper changed them", () => {
    const packet = world.region(32, READ_WRITE)
    const shrink = world.build(
      [insn(0x79, 0, 1, 24), insn(0x85, 0, 0, 0, 9), insn(0x79, 0, 1, 24), exit],
      {
        9: () => {
          world.memory.setRegion(packet.region, packet.offset, packet.offset + 8, READ_WRITE)
        },
      },
    )
    const { fault } = world.run(shrink, { arguments: [packet.address] })
    expect(fault).toMatchObject({ kind: "read", slot: 2 })
  })

  it("go on working when a helper makes the memory grow", () => {
    const { memory } = world
    const page = world.region(16, READ_WRITE)
    const program = world.build(
      [
        insn(0x7a, 1, 0, 0, 42),
        insn(0x7b, 10, 1, -8),
        insn(0x85, 0, 0, 0, 9),
        insn(0x79, 1, 10, -8),
        insn(0x79, 0, 1),
        exit,
      ],
      {
        9: () => {
          const before = memory.u8
          memory.free(memory.allocate(memory.u8.length))
          expect(memory.u8 === before).toBe(false)
        },
      },
    )
    expect(resultOf(world.run(program, { arguments: [page.address] }))).toBe(42n)
  })
})

describe("contexts and probed regions", () => {
  it("gives 32-bit fields that hold addresses their tag, and others none", () => {
    const context = world.region(16, REGION_READ | REGION_CONTEXT)
    const tag = REGION_TAG | 77
    world.memory.setContextTags(context.region, new Map([[4, tag]]))
    world.memory.view.setInt32(context.offset, 1234, true)
    world.memory.view.setInt32(context.offset + 4, 5678, true)
    const load = (off: number) =>
      world.run([insn(0x61, 0, 1, off), exit], { arguments: [context.address] })
    expect(load(0)).toMatchObject({ low: 1234, high: 0 })
    expect(load(4)).toMatchObject({ low: 5678, high: tag })
    expect(load(14).fault).toMatchObject({ kind: "read" })
  })

  it("reads 0 outside of a probed region, and through BPF_PROBE_MEM anywhere", () => {
    const object = world.region(8, REGION_READ | REGION_PROBE)
    world.memory.view.setBigInt64(object.offset, -1n, true)
    const load = (opcode: number, off: number, address: readonly [number, number]) =>
      world.run([mov(0, 5), insn(opcode, 0, 1, off), exit], { arguments: [address] })
    expect(resultOf(load(0x79, 0, object.address))).toBe(2n ** 64n - 1n)
    expect(load(0x79, 8, object.address)).toMatchObject({ fault: null, low: 0, high: 0 })
    for (const opcode of [0x21, 0x29, 0x31, 0x39, 0x41, 0x49, 0x51])
      expect(load(opcode, 0, [0, 0])).toMatchObject({ fault: null, low: 0, high: 0 })
    expect(resultOf(load(0x21, 0, object.address))).toBe(0xffffffffn)
    expect(resultOf(load(0x41, 0, object.address))).toBe(2n ** 64n - 1n)
    expect(load(0x79, 0, [0, 0]).fault).toMatchObject({ kind: "read" })
  })
})

describe("the stack", () => {
  it("has 512 bytes a frame, and faults below and above", () => {
    expect(faultOf([insn(0x7a, 10, 0, -512, 1), insn(0x79, 0, 10, -512), exit])).toBeNull()
    for (const off of [-520, -513, -7, 0, 8])
      expect(faultOf([insn(0x7a, 10, 0, off), exit])).toMatchObject({ kind: "stack", slot: 0 })
    expect(faultOf([insn(0x7a, 10, 0, -520), exit])?.message).toMatch(/at fp-520/)
  })

  it("lets a callee use its caller's frame but not the other way round", () => {
    const callee = [
      insn(0x7a, 1, 0, 0, 9),
      insn(0xbf, 0, 10),
      insn(0x07, 0, 0, 0, -8),
      insn(0x7a, 0),
      exit,
    ]
    const program = [insn(0xbf, 1, 10), insn(0x07, 1, 0, 0, -8), insn(0x85, 0, 1, 0, 3)]
    const caller = [insn(0x79, 2, 10, -8), insn(0x79, 0, 0), exit]
    expect(faultOf([...program, ...caller, ...callee])).toMatchObject({ kind: "stack", slot: 4 })
  })

  it("reads as zeros at the start of each frame, whatever ran before", () => {
    world.run([insn(0x7a, 10, 0, -8, -1), insn(0x7a, 10, 0, -512, -1), exit])
    for (const off of [-8, -512])
      expect(resultOf(world.run([insn(0x79, 0, 10, off), exit]))).toBe(0n)
    const through = [insn(0xbf, 1, 10), insn(0x79, 0, 1, -512), exit]
    expect(resultOf(world.run(through))).toBe(0n)
    // Two calls of a function that adds its own (fresh) slot and leaves something there.
    const twice = [mov(0, 0), insn(0x85, 0, 1, 0, 2), insn(0x85, 0, 1, 0, 1), exit]
    const adder = [insn(0x79, 2, 10, -16), insn(0x0f, 0, 2), insn(0x7a, 10, 0, -16, 5), exit]
    expect(resultOf(world.run([...twice, ...adder]))).toBe(0n)
  })
})

describe("calls", () => {
  /** r1 counts down through recursive calls. */
  const recursive = (depth: number) => [
    mov(1, depth),
    insn(0x85, 0, 1, 0, 1),
    exit,
    insn(0x07, 0, 0, 0, 1),
    insn(0x07, 1, 0, 0, -1),
    insn(0x15, 1, 0, 1, 0),
    insn(0x85, 0, 1, 0, -4),
    exit,
  ]

  it("go 8 frames deep and no further", () => {
    expect(resultOf(world.run(recursive(7)))).toBe(7n)
    expect(faultOf(recursive(8))).toMatchObject({ kind: "call-depth", slot: 6 })
    expect(faultOf(recursive(1_000_000))).toMatchObject({ kind: "call-depth" })
  })

  it("keep r6 to r9 and r10 of the caller", () => {
    const saved = [6, 7, 8, 9].map((register) => mov(register, register))
    const clobber = [6, 7, 8, 9].map((register) => mov(register, -1))
    const sum = [6, 7, 8, 9].map((register) => insn(0x0f, 0, register))
    const program = [
      ...saved,
      insn(0x7a, 10, 0, -8, 100),
      insn(0x85, 0, 1, 0, 7),
      mov(0, 0),
      ...sum,
    ]
    program.push(insn(0x79, 1, 10, -8), exit, ...clobber, insn(0x7a, 10, 0, -8, 1), exit)
    expect(resultOf(world.run(program))).toBe(30n)
    expect(world.machine.low(1)).toBe(100)
  })

  it("through a register reach functions and nothing else", () => {
    const program = (address: Instruction[]) => [...address, insn(0x8d, 2), exit, mov(0, 3), exit]
    const pseudo = [insn(0x18, 2, 4, 0, 3), insn(0)]
    expect(resultOf(world.run(program(pseudo)))).toBe(3n)
    for (const value of [0n, 12n, 1n << 32n, 0xffff400000000000n + 3n])
      expect(faultOf(program(loadImmediate(2, value)))).toMatchObject({
        kind: "instruction",
        slot: 2,
      })
  })
})

describe("programs that do not end well", () => {
  it("stop when their budget is used up", () => {
    const endless = [insn(0x05, 0, 0, -1)]
    const result = world.run(endless, { budget: 1000 })
    expect(result).toMatchObject({ steps: 1000, low: 0, fault: { kind: "budget", slot: 0 } })
    expect(world.run([mov(0, 1), exit], { budget: 2 }).fault).toBeNull()
    expect(world.run([mov(0, 1), exit], { budget: 1 }).fault).toMatchObject({
      kind: "budget",
      slot: 1,
    })
    const calls = [insn(0x85, 0, 1, 0, 1), insn(0x05, 0, 0, -2), exit]
    expect(world.run(calls, { budget: 1001 })).toMatchObject({
      steps: 1001,
      fault: { kind: "budget" },
    })
  })

  it("fault when they run past their end", () => {
    expect(faultOf([mov(0, 1)])).toMatchObject({ kind: "instruction", slot: 1 })
  })

  it("end with the reason that a helper gave", () => {
    const program = world.build([mov(0, 1), insn(0x85, 0, 0, 0, 5), mov(0, 2), exit], {
      5: (machine) => machine.fail("no such thing"),
    })
    expect(world.run(program).fault).toEqual({
      kind: "helper",
      message: "no such thing",
      slot: 1,
      program: "test",
    })
    expect(resultOf(world.run([mov(0, 7), exit]))).toBe(7n)
  })

  it("leave the machine usable when a helper throws", () => {
    const program = world.build([insn(0x85, 0, 0, 0, 5), exit], {
      5: () => {
        throw new TypeError("a bug")
      },
    })
    expect(() => world.run(program)).toThrow(TypeError)
    expect(resultOf(world.run([mov(0, 7), exit]))).toBe(7n)
  })
})

describe("atomics", () => {
  const { address, offset } = world.region(16, READ_WRITE)
  const constant = world.region(16, REGION_READ)

  it("must be aligned to their size", () => {
    for (const off of [1, 2, 3, 4]) {
      const fault = faultOf([insn(0xdb, 1, 0, off), exit], [address])
      expect(fault).toMatchObject({ kind: "write", size: 8 })
      expect(fault?.message).toMatch(/not aligned/)
    }
    expect(faultOf([insn(0xc3, 1, 0, 2), exit], [address])).toMatchObject({
      kind: "write",
      size: 4,
    })
    expect(faultOf([insn(0xc3, 1, 0, 4), exit], [address])).toBeNull()
    expect(faultOf([insn(0xdb, 0, 1, 4, 0x100), exit], [address])).toMatchObject({ kind: "read" })
    expect(faultOf([insn(0xcb, 0, 1, 1, 0x100), exit], [address])).toMatchObject({ kind: "read" })
    expect(faultOf([insn(0xd3, 0, 1, 1, 0x100), exit], [address])).toBeNull()
    expect(faultOf([insn(0xcb, 1, 0, 3, 0x110), exit], [address])).toMatchObject({ kind: "write" })
  })

  it("need memory that may be read and written, inside of its bounds", () => {
    expect(faultOf([insn(0xdb, 1, 0), exit], [constant.address])).toMatchObject({ kind: "write" })
    expect(faultOf([insn(0xdb, 1, 0, 16), exit], [address])).toMatchObject({
      kind: "write",
      size: 8,
    })
    expect(faultOf([insn(0xdb, 0, 1, 0, 0x100), exit], [constant.address])).toBeNull()
    expect(faultOf([insn(0xdb, 1, 0, 0, 0x110), exit], [constant.address])).toMatchObject({
      kind: "write",
    })
  })

  it("give the same results on shared memory", () => {
    const shared = createWorld({ shared: true })
    const place = shared.region(16, READ_WRITE)
    for (const imm of [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1]) {
      for (const opcode of [0xc3, 0xdb]) {
        const program = [
          ...loadImmediate(0, 0x1122334455667788n),
          ...loadImmediate(2, 0xfedcba9876543210n),
          insn(opcode, 1, 2, 8, imm),
          exit,
        ]
        const outcomes = [
          { in: world, at: offset, address },
          { in: shared, at: place.offset, address: place.address },
        ].map((side) => {
          side.in.memory.view.setBigUint64(side.at + 8, 0x1122334455667788n, true)
          const { fault } = side.in.run(program, { arguments: [side.address] })
          const memory = side.in.memory.view.getBigUint64(side.at + 8, true)
          return [fault, side.in.machine.big(0), side.in.machine.big(2), memory]
        })
        expect(outcomes[1]).toEqual(outcomes[0])
      }
    }
  })
})
