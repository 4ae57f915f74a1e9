/**
 * Frames in bulk: what is saved comes back, what is compared follows the rules that Linux documents
 * above regsafe() and stacksafe() (linux v6.18 kernel/bpf/verifier.c).
 */

import { describe, expect, test } from "vitest"
import { createDomain, LINKED_ENTRY_SIZE } from "../../../src/verifier/domain/domain.ts"
import {
  CURRENT_BASE,
  FRAME_REGS,
  FRAME_SLOTS,
  FRAME_STACK,
  FRAME_STRIDE,
  REG_A,
  REG_B,
  REG_C,
  REG_FRAMENO,
  REG_ID,
  REG_OFF,
  REG_PRECISE,
  REG_REF_OBJ_ID,
  REG_SIZE,
  REG_TYPE,
  SAVED_BASE,
  SCRATCH_BASE,
  SLOT_SIZE,
  SLOT_TYPES,
} from "../../../src/verifier/state/layout.ts"
import {
  BPF_ADD_CONST32,
  BPF_ADD_CONST64,
  CONST_PTR_TO_MAP,
  EXACT,
  NOT_EXACT,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_CTX,
  PTR_TO_MAP_VALUE,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_STACK,
  RANGE_WITHIN,
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_IRQ_FLAG,
  STACK_ITER,
  STACK_MISC,
  STACK_SPILL,
  STACK_ZERO,
} from "../../../src/verifier/state/register-types.ts"
import { scratch } from "./support.ts"

const d = createDomain()
const frameAt = (n: number): number => CURRENT_BASE + n * FRAME_STRIDE
const regAt = (frame: number, n: number): number => frame + FRAME_REGS + n * REG_SIZE
const slotAt = (frame: number, n: number): number => frame + FRAME_STACK + n * SLOT_SIZE
const set = (r: number, field: number, value: number): void => {
  d.u32[(r + field) >> 2] = value
}
const get = (r: number, field: number): number => d.u32[(r + field) >> 2]

function emptyFrame(frame: number, slots = 0): void {
  d.u8.fill(0, frame, frame + FRAME_STRIDE)
  for (let n = 0; n < 11; n++) d.markNotInit(regAt(frame, n))
  d.growStack(frame, slots)
}

function setTypes(slot: number, ...types: number[]): void {
  for (let n = 0; n < 8; n++) d.u8[slot + SLOT_TYPES + n] = types[n % types.length]
}

/** A scalar of min to max. */
function range(
  r: number,
  min: number,
  max: number,
  options: { id?: number; precise?: boolean } = {},
): void {
  d.markUnknown(r)
  d.setBounds(r, min, min < 0 ? -1 : 0, max, max < 0 ? -1 : 0)
  set(r, REG_ID, options.id ?? 0)
  set(r, REG_PRECISE, options.precise ? 1 : 0)
}

function pointer(r: number, type: number, fields: Record<number, number> = {}): void {
  d.markKnownZero(r)
  set(r, REG_TYPE, type)
  for (const [field, value] of Object.entries(fields)) set(r, Number(field), value)
}

describe("saved states", () => {
  test("come back with their registers and stacks, and free space is used again", () => {
    d.reset()
    emptyFrame(frameAt(0), 2)
    emptyFrame(frameAt(1), 5)
    range(regAt(frameAt(0), 3), 4, 9)
    range(slotAt(frameAt(1), 4), 1, 2)
    setTypes(slotAt(frameAt(1), 4), STACK_SPILL)
    const wanted = d.u8.slice(CURRENT_BASE, CURRENT_BASE + 2 * FRAME_STRIDE)
    const block = d.saveFrames(2)
    expect(block).toBeGreaterThanOrEqual(SAVED_BASE)
    expect(d.blockBytes(block, 2)).toBe(d.currentBytes(2))
    expect(d.frameBytes(d.blockFrame(block, 1))).toBe(FRAME_STACK + 5 * SLOT_SIZE)
    for (const n of [0, 1]) emptyFrame(frameAt(n), 9)
    expect(d.restoreFrames(block, 2)).toBe(block + d.currentBytes(2))
    for (const n of [0, 1]) {
      const bytes = d.frameBytes(frameAt(n))
      const start = n * FRAME_STRIDE
      expect(d.u8.slice(frameAt(n), frameAt(n) + bytes)).toEqual(wanted.slice(start, start + bytes))
    }
    const used = d.bytesInUse
    d.freeFrames(block, 2)
    expect(d.bytesInUse).toBe(0)
    expect(d.saveFrames(2)).toBe(block)
    expect(d.peak).toBe(used)
  })

  test("a stack that grows again has new slots, not the old ones", () => {
    emptyFrame(frameAt(0), 3)
    setTypes(slotAt(frameAt(0), 2), STACK_MISC)
    d.i32[(frameAt(0) + FRAME_SLOTS) >> 2] = 1
    d.growStack(frameAt(0), 3)
    expect(
      [...d.u8.slice(slotAt(frameAt(0), 1), slotAt(frameAt(0), 3))].every((x) => x === 0),
    ).toBe(true)
  })

  test("memory grows when it must, and the views with it", () => {
    d.reset()
    const before = d.memory.buffer.byteLength
    const address = d.allocate(before)
    expect(d.memory.buffer.byteLength).toBeGreaterThanOrEqual(address + before)
    d.u8[address + before - 1] = 7
    expect(d.i32.buffer).toBe(d.memory.buffer)
    d.reset()
  })
})

describe("ids", () => {
  test("pair one old id with one current id, each once; zero pairs with zero", () => {
    d.idmapReset(10)
    expect(d.checkIds(0, 0)).toBe(1)
    expect(d.checkIds(0, 1)).toBe(0)
    expect(d.checkIds(1, 0)).toBe(0)
    expect(d.checkIds(1, 2)).toBe(1)
    expect(d.checkIds(1, 2)).toBe(1)
    expect(d.checkIds(1, 3)).toBe(0)
    expect(d.checkIds(2, 2)).toBe(0)
    d.idmapReset(10)
    expect(d.checkIds(2, 2)).toBe(1)
  })
})

describe("a register is covered", () => {
  const [old, cur] = [scratch(0), scratch(1)]
  const safe = (exact: number): number => {
    d.idmapReset(100)
    return d.regsafe(old, cur, exact)
  }

  test("when the old one was never read", () => {
    d.markNotInit(old)
    pointer(cur, PTR_TO_CTX)
    expect(safe(NOT_EXACT)).toBe(1)
    expect(safe(RANGE_WITHIN)).toBe(1)
    expect(safe(EXACT)).toBe(0)
  })

  test("as a scalar: whatever it is, unless the old one is precise or ranges count", () => {
    range(old, 0, 10)
    range(cur, 5, 20)
    expect(safe(NOT_EXACT)).toBe(1)
    expect(safe(RANGE_WITHIN)).toBe(0)
    range(old, 0, 10, { precise: true })
    expect(safe(NOT_EXACT)).toBe(0)
    range(cur, 5, 9)
    expect(safe(NOT_EXACT)).toBe(1)
    expect(safe(EXACT)).toBe(0)
    range(cur, 0, 10)
    expect(safe(EXACT)).toBe(1)
  })

  test("as a linked scalar: by the same link, and at the same distance", () => {
    const pairs: [oldId: number, curId: number, exact: number][] = [
      [0, 5, 1],
      [0, BPF_ADD_CONST64 + 5, 1],
      [5, 0, 1],
      [5, BPF_ADD_CONST64 + 5, 0],
      [BPF_ADD_CONST64 + 5, 5, 0],
      [BPF_ADD_CONST64 + 5, BPF_ADD_CONST32 + 5, 0],
      [BPF_ADD_CONST64 + 5, BPF_ADD_CONST64 + 6, 1],
    ]
    for (const [oldId, curId, expected] of pairs) {
      range(old, 0, 10, { id: oldId, precise: true })
      range(cur, 0, 10, { id: curId })
      expect(safe(NOT_EXACT), `${oldId} ${curId}`).toBe(expected)
    }
    set(cur, REG_OFF, 4)
    expect(safe(NOT_EXACT)).toBe(0)
  })

  test("two linked old scalars need two that are linked now", () => {
    range(old, 0, 10, { id: 7, precise: true })
    range(cur, 0, 10, { id: 0 })
    d.idmapReset(100)
    expect(d.regsafe(old, cur, NOT_EXACT)).toBe(1)
    expect(d.regsafe(old, cur, NOT_EXACT)).toBe(0)
  })

  test("one made by adding a constant belongs to the base it was made from", () => {
    range(old, 0, 10, { id: 7, precise: true })
    range(cur, 0, 10, { id: 8 })
    d.idmapReset(100)
    expect(d.regsafe(old, cur, NOT_EXACT)).toBe(1)
    set(old, REG_ID, BPF_ADD_CONST64 + 7)
    set(cur, REG_ID, BPF_ADD_CONST64 + 9)
    expect(d.regsafe(old, cur, NOT_EXACT)).toBe(0)
  })

  test("as a packet pointer: with no less range, at the same offset", () => {
    pointer(old, PTR_TO_PACKET, { [REG_A]: 14, [REG_OFF]: 2 })
    pointer(cur, PTR_TO_PACKET, { [REG_A]: 20, [REG_OFF]: 2 })
    expect(safe(NOT_EXACT)).toBe(1)
    set(cur, REG_A, 13)
    expect(safe(NOT_EXACT)).toBe(0)
    pointer(cur, PTR_TO_PACKET, { [REG_A]: 20, [REG_OFF]: 4 })
    expect(safe(NOT_EXACT)).toBe(0)
    // -1: it is known to be beyond the end.
    pointer(cur, PTR_TO_PACKET, { [REG_A]: 0xffffffff, [REG_OFF]: 2 })
    expect(safe(NOT_EXACT)).toBe(0)
  })

  test("as a map value: of the same map, within the range", () => {
    pointer(old, PTR_TO_MAP_VALUE, { [REG_A]: 1 })
    pointer(cur, PTR_TO_MAP_VALUE, { [REG_A]: 1 })
    expect(safe(NOT_EXACT)).toBe(1)
    set(cur, REG_A, 2)
    expect(safe(NOT_EXACT)).toBe(0)
    pointer(cur, PTR_TO_MAP_VALUE, { [REG_A]: 1 })
    d.setUnbounded(cur)
    expect(safe(NOT_EXACT)).toBe(0)
  })

  test("as a stack pointer: into the same frame; other pointers: when nothing differs", () => {
    pointer(old, PTR_TO_STACK, { [REG_FRAMENO]: 1 })
    pointer(cur, PTR_TO_STACK, { [REG_FRAMENO]: 1 })
    expect(safe(NOT_EXACT)).toBe(1)
    set(cur, REG_FRAMENO, 0)
    expect(safe(NOT_EXACT)).toBe(0)
    pointer(old, PTR_TO_BTF_ID, { [REG_A]: 9, [REG_REF_OBJ_ID]: 3 })
    pointer(cur, PTR_TO_BTF_ID, { [REG_A]: 9, [REG_REF_OBJ_ID]: 4 })
    expect(safe(NOT_EXACT)).toBe(1)
    set(cur, REG_REF_OBJ_ID, 0)
    expect(safe(NOT_EXACT)).toBe(0)
    pointer(old, PTR_TO_ARENA)
    pointer(cur, PTR_TO_ARENA, { [REG_OFF]: 8 })
    expect(safe(NOT_EXACT)).toBe(1)
  })
})

describe("a stack is covered", () => {
  const [old, cur] = [frameAt(0), frameAt(1)]
  const safe = (exact: number): number => {
    d.idmapReset(100)
    return d.stacksafe(old, cur, exact)
  }
  const bytes = (oldTypes: number[], curTypes: number[]): void => {
    emptyFrame(old, 1)
    emptyFrame(cur, 1)
    setTypes(slotAt(old, 0), ...oldTypes)
    setTypes(slotAt(cur, 0), ...curTypes)
  }

  test("byte by byte: unread, misc and zero", () => {
    bytes([STACK_INVALID], [STACK_ZERO])
    expect(safe(NOT_EXACT)).toBe(1)
    expect(safe(EXACT)).toBe(0)
    // A privileged program may read anything where it may read misc.
    bytes([STACK_MISC], [STACK_INVALID])
    expect(safe(NOT_EXACT)).toBe(1)
    d.configure(0)
    expect(safe(NOT_EXACT)).toBe(0)
    bytes([STACK_MISC], [STACK_ZERO])
    expect(safe(NOT_EXACT)).toBe(1)
    d.configure(1)
    bytes([STACK_ZERO], [STACK_MISC])
    expect(safe(NOT_EXACT)).toBe(0)
    bytes([STACK_ZERO], [STACK_ZERO])
    expect(safe(NOT_EXACT)).toBe(1)
    expect(safe(EXACT)).toBe(1)
  })

  test("when the current one is shorter, only where the old one has nothing", () => {
    emptyFrame(old, 2)
    emptyFrame(cur, 1)
    expect(safe(NOT_EXACT)).toBe(1)
    expect(safe(EXACT)).toBe(0)
    setTypes(slotAt(old, 1), STACK_ZERO)
    expect(safe(NOT_EXACT)).toBe(0)
  })

  test("by spilled registers, where misc is an unknown scalar", () => {
    bytes([STACK_SPILL], [STACK_SPILL])
    pointer(slotAt(old, 0), PTR_TO_CTX)
    pointer(slotAt(cur, 0), PTR_TO_CTX)
    expect(safe(NOT_EXACT)).toBe(1)
    pointer(slotAt(cur, 0), CONST_PTR_TO_MAP)
    expect(safe(NOT_EXACT)).toBe(0)
    bytes([STACK_SPILL], [STACK_MISC])
    range(slotAt(old, 0), 0, 10, { precise: true })
    expect(safe(NOT_EXACT)).toBe(0)
    d.markUnknown(slotAt(old, 0))
    set(slotAt(old, 0), REG_PRECISE, 1)
    expect(safe(NOT_EXACT)).toBe(1)
    expect(safe(RANGE_WITHIN)).toBe(1)
    pointer(slotAt(old, 0), PTR_TO_CTX)
    expect(safe(NOT_EXACT)).toBe(0)
  })

  test("by dynptrs, iterators and saved interrupt flags", () => {
    for (const [type, field] of [
      [STACK_DYNPTR, REG_A],
      [STACK_DYNPTR, REG_B],
      [STACK_ITER, REG_A],
      [STACK_ITER, REG_C],
      [STACK_IRQ_FLAG, REG_A],
    ] as const) {
      bytes([type], [type])
      expect(safe(NOT_EXACT)).toBe(1)
      set(slotAt(cur, 0), field, 1)
      expect(safe(NOT_EXACT), `${type} ${field}`).toBe(0)
      set(slotAt(old, 0), field, 1)
      set(slotAt(cur, 0), REG_REF_OBJ_ID, 4)
      expect(safe(NOT_EXACT)).toBe(0)
      set(slotAt(old, 0), REG_REF_OBJ_ID, 3)
      expect(safe(NOT_EXACT)).toBe(1)
    }
    // How often an iterator was advanced does not matter.
    bytes([STACK_ITER], [STACK_ITER])
    set(slotAt(cur, 0), REG_C, 5 << 2)
    expect(safe(NOT_EXACT)).toBe(1)
  })
})

describe("all registers of a state", () => {
  const [outer, inner] = [frameAt(0), frameAt(1)]

  test("are R0 to R10 and spilled ones, frame by frame", () => {
    emptyFrame(outer, 3)
    emptyFrame(inner, 1)
    setTypes(slotAt(outer, 1), STACK_SPILL)
    // Half a slot is spilled: the lower addresses are the later bytes.
    for (const n of [4, 5, 6, 7]) d.u8[slotAt(inner, 0) + SLOT_TYPES + n] = STACK_SPILL
    const out = SCRATCH_BASE
    const count = d.collectRegs(2, out)
    const list = [...d.u32.slice(out >> 2, (out >> 2) + count)]
    const registers = (frame: number): number[] =>
      Array.from({ length: 11 }, (_, n) => regAt(frame, n))
    expect(list).toEqual([
      ...registers(outer),
      slotAt(outer, 1),
      ...registers(inner),
      slotAt(inner, 0),
    ])
  })

  test("lose their packet pointers, and nothing else", () => {
    emptyFrame(outer, 1)
    pointer(regAt(outer, 1), PTR_TO_PACKET)
    pointer(regAt(outer, 2), PTR_TO_PACKET_END)
    pointer(regAt(outer, 3), PTR_TO_CTX)
    pointer(slotAt(outer, 0), PTR_TO_PACKET)
    setTypes(slotAt(outer, 0), STACK_SPILL)
    d.clearAllPacketPointers(1)
    expect([1, 2, 3].map((n) => get(regAt(outer, n), REG_TYPE))).toEqual([
      SCALAR_VALUE,
      SCALAR_VALUE,
      PTR_TO_CTX,
    ])
    expect(get(slotAt(outer, 0), REG_TYPE)).toBe(SCALAR_VALUE)
  })

  test("that are linked learn from each other, at their distance; the seventh loses its id", () => {
    emptyFrame(outer, 0)
    for (let n = 0; n < 8; n++) range(regAt(outer, n), 0, 1000, { id: 3 })
    set(regAt(outer, 1), REG_ID, BPF_ADD_CONST64 + 3)
    set(regAt(outer, 1), REG_OFF, 5)
    const [list, live] = [scratch(8), scratch(9)]
    d.u32[live >> 2] = 0x7ff & ~(1 << 2)
    expect(d.collectLinked(1, 3, list, 0, live)).toBe(6)
    expect(d.u32[(list + LINKED_ENTRY_SIZE) >> 2]).toBe(regAt(outer, 1))
    expect(get(regAt(outer, 7), REG_ID)).toBe(0)
    // Dead: neither collected nor changed.
    expect(get(regAt(outer, 2), REG_ID)).toBe(3)
    range(regAt(outer, 0), 10, 20, { id: 3 })
    d.syncLinked(list, 6, regAt(outer, 0))
    expect(
      [1, 2, 3].map((n) => [d.minOffset(regAt(outer, n)), d.maxOffset(regAt(outer, n))]),
    ).toEqual([
      [15 + 5, 25 + 5],
      [0, 1000],
      [10, 20],
    ])
    expect(get(regAt(outer, 1), REG_ID)).toBe(BPF_ADD_CONST64 + 3)
  })

  test("widen where a loop changed them, but for precise ones", () => {
    emptyFrame(outer, 1)
    emptyFrame(inner, 1)
    for (const [frame, max] of [
      [outer, 1],
      [inner, 2],
    ] as const) {
      range(regAt(frame, 1), 0, max)
      range(regAt(frame, 2), 0, max, { precise: true })
      range(regAt(frame, 3), 0, 7)
      range(slotAt(frame, 0), 0, max)
      setTypes(slotAt(frame, 0), STACK_SPILL)
    }
    d.idmapReset(0)
    d.widenImprecise(outer, inner)
    expect([1, 2, 3].map((n) => d.isUnknown(regAt(inner, n)))).toEqual([1, 0, 0])
    expect(d.isUnknown(slotAt(inner, 0))).toBe(1)
  })
})

describe("pointers", () => {
  const [r, scalar] = [scratch(0), scratch(1)]

  test("keep constants in the fixed offset, and know their alignment", () => {
    pointer(r, PTR_TO_MAP_VALUE)
    d.markKnown(scalar, 12, 0)
    expect(d.pointerAlu(r, r, scalar, 0)).toBe(0)
    expect(get(r, REG_OFF)).toBe(12)
    expect([d.alignedTo(r, 0, 4), d.alignedTo(r, 0, 8), d.alignedTo(r, -4, 8)]).toEqual([1, 0, 1])
    d.markUnknown(scalar)
    d.setBounds(scalar, 0, 0, 7, 0)
    expect(d.pointerAlu(r, r, scalar, 0)).toBe(1)
    d.boundsSync(r)
    expect([d.minOffset(r), d.maxOffset(r), d.alignedTo(r, 0, 2)]).toEqual([12, 19, 0])
  })

  test("forget the range proven of a packet when they move by a variable, unless surely back", () => {
    d.markUnknown(scalar)
    d.setBounds(scalar, 0, 0, 7, 0)
    for (const [isSub, range] of [
      [0, 0],
      [1, 14],
    ] as const) {
      pointer(r, PTR_TO_PACKET, { [REG_A]: 14 })
      d.pointerAlu(r, r, scalar, isSub)
      expect(get(r, REG_A)).toBe(range)
    }
  })
})
