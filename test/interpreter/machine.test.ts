import { describe, expect, it } from "vitest"
import {
  BPF_MAX_LOOPS,
  type Executable,
  FUNCTION_TAG,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
} from "../../src/interpreter/index.ts"
import { createWorld, exit, insn, loadImmediate, mov, resultOf } from "./support.ts"

const READ_WRITE = REGION_READ | REGION_WRITE

describe("helpers", () => {
  it("find their arguments in r1 to r5 in every form, and leave r0", () => {
    const world = createWorld()
    const seen: unknown[] = []
    const program = world.build(
      [
        ...loadImmediate(1, 0xfffffffffffffff2n),
        ...loadImmediate(2, 0x123456789an),
        insn(0x85, 0, 0, 0, 5),
        exit,
      ],
      {
        5: (machine) => {
          seen.push(machine.low(1), machine.high(1), machine.big(1), machine.number(2))
          seen.push(machine.environment)
          machine.setResult(-14)
        },
      },
    )
    const result = world.run(program)
    expect(seen).toEqual([-14, -1, 0xfffffffffffffff2n, 0x123456789a, null])
    expect(resultOf(result)).toBe(0xfffffffffffffff2n)
    const big = world.build([insn(0x85, 0, 0, 0, 5), exit], {
      5: (machine) => machine.setResultBig(0x8000000000000001n),
    })
    expect(resultOf(world.run(big))).toBe(0x8000000000000001n)
  })

  it("check memory before they use it, and their faults name the call", () => {
    const world = createWorld()
    const place = world.region(16, REGION_READ)
    const results: number[] = []
    const checks = world.build([insn(0x85, 0, 0, 0, 5), exit], {
      5: (machine) => {
        results.push(machine.checkRead(1, 16), machine.checkRead(1, 0), machine.checkWrite(2, 0))
        results.push(machine.checkRead(1, 17))
      },
    })
    const { fault } = world.run(checks, { arguments: [place.address] })
    expect(results).toEqual([place.offset, place.offset, 0, -1])
    expect(fault).toMatchObject({ kind: "read", slot: 0, size: 17 })
    const writes = world.build([mov(0, 0), insn(0x85, 0, 0, 0, 5), exit], {
      5: (machine) => void machine.checkWrite(1, 4),
    })
    expect(world.run(writes, { arguments: [place.address] }).fault).toMatchObject({
      kind: "write",
      slot: 1,
    })
  })

  it("may be kfuncs, told apart from helpers by the call's source register", () => {
    const world = createWorld()
    const program = world.build(
      [insn(0x85, 0, 2, 0, 7), insn(0xbf, 6, 0), insn(0x85, 0, 0, 0, 7), insn(0x0f, 0, 6), exit],
      { 7: (machine) => machine.setResult(1) },
      { 7: (machine) => machine.setResult(20) },
    )
    expect(resultOf(world.run(program))).toBe(21n)
  })
})

describe("callbacks", () => {
  // main: r1 = function, call helper 5, r0 += r6; function at slot 6: r0 = r1 + r2, r6 = -1.
  const looped = [
    insn(0x18, 1, 4, 0, 5),
    insn(0),
    mov(6, 100),
    insn(0x85, 0, 0, 0, 5),
    insn(0x0f, 0, 6),
    exit,
    insn(0xbf, 0, 1),
    insn(0x0f, 0, 2),
    mov(6, -1),
    insn(0x7b, 10, 0, -8),
    exit,
  ]

  it("run in a frame of their own and leave the caller's registers alone", () => {
    const world = createWorld()
    const seen: unknown[] = []
    const program = world.build(looped, {
      5: (machine) => {
        expect(machine.high(1)).toBe(FUNCTION_TAG)
        let sum = 0
        const slot = machine.low(1)
        for (let i = 0; i < 5; i++)
          sum +=
            machine.callback(slot, [
              [i, 0],
              [10, 0],
            ]) ?? 0
        seen.push(machine.low(1))
        machine.setResult(sum)
      },
    })
    expect(resultOf(world.run(program))).toBe(160n)
    expect(seen).toEqual([6])
  })

  it("end the whole run when they fault, use up the budget, or nest too deep", () => {
    const world = createWorld()
    let calls = 0
    const endless = world.build(looped, {
      5: (machine) => {
        const slot = machine.low(1)
        while (machine.callback(slot, []) !== undefined) calls++
      },
    })
    expect(world.run(endless, { budget: 1000 }).fault).toMatchObject({ kind: "budget" })
    expect(calls).toBe(199)
    const faulty = world.build(
      [insn(0x18, 1, 4, 0, 3), insn(0), insn(0x85, 0, 0, 0, 5), exit, insn(0x79, 0, 9), exit],
      { 5: (machine) => void expect(machine.callback(machine.low(1), [])).toBeUndefined() },
    )
    expect(world.run(faulty).fault).toMatchObject({ kind: "read", slot: 4 })
    const nested = world.build([insn(0x18, 1, 4, 0, 1), insn(0), insn(0x85, 0, 0, 0, 5), exit], {
      5: (machine) => void machine.callback(2, []),
    })
    expect(world.run(nested).fault).toMatchObject({ kind: "call-depth" })
    const nowhere = world.build(looped, { 5: (machine) => void machine.callback(7, []) })
    expect(world.run(nowhere).fault).toMatchObject({ kind: "instruction", slot: 3 })
  })

  it("of timers start at any function of a program", () => {
    const world = createWorld()
    const program = world.build(looped, { 5: () => {} })
    expect(
      resultOf(
        world.run(program, {
          entry: 6,
          arguments: [
            [3, 0],
            [4, 0],
          ],
        }),
      ),
    ).toBe(7n)
    expect(world.run(program, { entry: 7 }).fault).toMatchObject({ kind: "instruction" })
  })
})

describe("tail calls", () => {
  it("go on in the other program with the context, and report it", () => {
    const world = createWorld()
    const place = world.region(8, READ_WRITE)
    world.memory.view.setInt32(place.offset, 42, true)
    const target = world.build([insn(0x61, 0, 1), exit])
    const program = world.build([mov(6, 1), insn(0x85, 0, 0, 0, 12), mov(0, 1), exit], {
      12: (machine) => machine.tailCall(target),
    })
    const result = world.run(program, { arguments: [place.address] })
    expect(resultOf(result)).toBe(42n)
    expect(result.executable).toBe(target)
    expect(result.steps).toBe(4)
  })

  it("happen 33 times in a run, and then fall through", () => {
    const world = createWorld()
    const programs: Executable<null>[] = []
    const self = world.build([insn(0x85, 0, 0, 0, 12), mov(0, 5), exit], {
      12: (machine) => machine.tailCall(programs[0]),
    })
    programs.push(self)
    const result = world.run(self)
    expect(resultOf(result)).toBe(5n)
    expect(world.machine.tailCalls).toBe(33)
    expect(result.steps).toBe(33 + 3)
    expect(world.run(self).steps).toBe(36)
  })

  it("from a subprogram return to its caller, as on Linux", () => {
    const world = createWorld()
    const target = world.build([mov(6, -1), mov(0, 40), exit])
    const program = world.build(
      [mov(6, 2), insn(0x85, 0, 1, 0, 2), insn(0x0f, 0, 6), exit, insn(0x85, 0, 0, 0, 12), exit],
      { 12: (machine) => machine.tailCall(target) },
    )
    const result = world.run(program)
    expect(resultOf(result)).toBe(42n)
    expect(result.executable).toBe(program)
  })
})

describe("other machines", () => {
  it("run programs from within a helper, but a busy machine does not", () => {
    const world = createWorld()
    const other = createWorld()
    const inner = other.build([mov(0, 4), exit])
    const program = world.build([mov(6, 1), insn(0x85, 0, 0, 0, 5), insn(0x0f, 0, 6), exit], {
      5: (machine) => machine.setResult(other.machine.run(inner, { environment: null }).low),
    })
    expect(resultOf(world.run(program))).toBe(5n)
    const busy = world.build([insn(0x85, 0, 0, 0, 5), exit], {
      5: () => void world.machine.run(inner, { environment: null }),
    })
    expect(() => world.run(busy)).toThrow(/machine is running/)
  })
})

describe("programs with many constants", () => {
  it("call and tail-call each other, from callbacks too, and keep their own", () => {
    const world = createWorld()
    const sum = (count: number, first: number) => {
      const adds = Array.from({ length: count }, (_, index) => insn(0x07, 0, 0, 0, first + index))
      return [mov(0, 0), ...adds, exit]
    }
    const total = (count: number, first: number) => count * first + (count * (count - 1)) / 2
    const large = world.build(sum(5000, 1000))
    const subprogram = [insn(0x85, 0, 0, 0, 12), exit]
    const own = [insn(0x07, 6, 0, 0, 111), insn(0x07, 6, 0, 0, 222), insn(0x0f, 0, 6), exit]
    const caller = world.build(
      [mov(6, 0), insn(0x85, 0, 1, 0, own.length), ...own, ...subprogram],
      {
        12: (machine) => machine.tailCall(large),
      },
    )
    expect(resultOf(world.run(caller))).toBe(BigInt(total(5000, 1000) + 333))
    const other = createWorld()
    const huge = other.build(sum(3000, 7))
    const start = [insn(0x18, 1, 4, 0, own.length + 2), insn(0), insn(0x85, 0, 0, 0, 5)]
    const callback = other.build([...start, ...own, ...subprogram], {
      5: (machine) => machine.setResult(machine.callback(machine.low(1), []) ?? -1),
      12: (machine) => machine.tailCall(huge),
    })
    expect(resultOf(other.run(callback))).toBe(BigInt(total(3000, 7) + 333))
  })
})

describe("traced runs", () => {
  it("report each instruction before it runs, in callbacks and tail calls too", () => {
    const world = createWorld()
    const target = world.build([mov(0, 3), exit])
    const program = world.build(
      [
        insn(0x18, 1, 4, 0, 4),
        insn(0),
        insn(0x85, 0, 0, 0, 5),
        insn(0x85, 0, 0, 0, 12),
        exit,
        mov(0, 1),
        exit,
      ],
      {
        5: (machine) => void machine.callback(machine.low(1), []),
        12: (machine) => machine.tailCall(target),
      },
    )
    const seen: string[] = []
    const trace = (running: Executable<null>, slot: number) => {
      seen.push(`${running === target ? "target" : "main"} ${slot} r0=${world.machine.low(0)}`)
    }
    const traced = world.run(program, { trace })
    expect(seen).toEqual([
      "main 0 r0=0",
      "main 2 r0=0",
      "main 5 r0=0",
      "main 6 r0=1",
      "main 3 r0=0",
      "target 0 r0=0",
      "target 1 r0=3",
    ])
    const { steps, low } = world.run(program)
    expect(traced).toMatchObject({ steps, low, fault: null })
    expect(world.run(program, { trace, budget: 3 })).toMatchObject({
      steps: 3,
      fault: { kind: "budget" },
    })
  })
})

describe("may_goto", () => {
  it("goes on 8 Mi times in a frame and then jumps", () => {
    const world = createWorld()
    // Both instructions each time, then the jump out and the exit; the second call has it all again.
    const loop = [insn(0xe5, 0, 0, 1), insn(0x05, 0, 0, -2), exit]
    const twice = [insn(0x85, 0, 1, 0, 2), insn(0x85, 0, 1, 0, 1), exit, ...loop]
    const budget = 4 * BPF_MAX_LOOPS + 7
    expect(world.run(twice, { budget })).toMatchObject({ steps: budget, fault: null })
    expect(BPF_MAX_LOOPS).toBe(8 * 1024 * 1024)
  })
})

describe("LD_ABS and LD_IND", () => {
  const packet = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
  const view = new DataView(packet.buffer)
  const world = createWorld({
    loadPacket: (_machine, offset, size) => {
      if (offset < 0 || offset + size > packet.length) return null
      return size === 1
        ? view.getUint8(offset)
        : size === 2
          ? view.getUint16(offset)
          : view.getUint32(offset)
    },
  })

  it("load big-endian numbers into r0", () => {
    const load = (opcode: number, imm: number) =>
      resultOf(world.run([...loadImmediate(0, -1n), mov(2, 2), insn(opcode, 0, 2, 0, imm), exit]))
    expect([0x20, 0x28, 0x30].map((opcode) => load(opcode, 1))).toEqual([0x02030405n, 0x0203n, 2n])
    expect([0x40, 0x48, 0x50].map((opcode) => load(opcode, 1))).toEqual([0x04050607n, 0x0405n, 4n])
  })

  it("make the function return 0 outside of the packet", () => {
    const result = world.run([mov(0, 9), insn(0x20, 0, 0, 0, 5), mov(0, 1), exit])
    expect(result).toMatchObject({ low: 0, high: 0, fault: null, steps: 2 })
    const inSubprogram = [
      insn(0x85, 0, 1, 0, 2),
      insn(0x07, 0, 0, 0, 3),
      exit,
      insn(0x20, 0, 0, 0, 9),
      mov(0, 8),
      exit,
    ]
    expect(resultOf(world.run(inSubprogram))).toBe(3n)
    expect(resultOf(createWorld().run([mov(0, 9), insn(0x30), exit]))).toBe(0n)
  })
})

describe("addr_space_cast", () => {
  it("restores the arena's tag and keeps NULL", () => {
    const world = createWorld()
    const tag = REGION_TAG | 9
    const cast = (value: bigint, imm: number) =>
      world.run([...loadImmediate(1, value), insn(0xbf, 0, 1, 1, imm), exit])
    expect(cast(0n, 1)).toMatchObject({ low: 0, high: 0 })
    // A program without an arena has no tag to restore.
    expect(cast(0x1234_0000_5678n, 1)).toMatchObject({ low: 0x5678, high: 0 })
    const { executable } = world.prepareWith(
      [insn(0x18, 1, 0, 0, 0x5678), insn(0), insn(0xbf, 0, 1, 1, 1 << 16), exit],
      { arenaTag: tag },
    )
    expect(world.run(executable as Executable<null>)).toMatchObject({ low: 0x5678, high: tag })
  })
})
