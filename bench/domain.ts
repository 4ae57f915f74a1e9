/**
 * The verifier's scalar domain: what a transfer, a refinement, a copy of a state and a comparison
 * cost in WebAssembly on linear memory, and in plain objects of bigints (the tests' model).
 */

import { createDomain } from "../src/verifier/domain/domain.ts"
import {
  CURRENT_BASE,
  FRAME_REGS,
  FRAME_STACK,
  FRAME_STRIDE,
  REG_SIZE,
  SCRATCH_BASE,
  SLOT_SIZE,
  SLOT_TYPES,
} from "../src/verifier/state/layout.ts"
import { RANGE_WITHIN, STACK_SPILL } from "../src/verifier/state/register-types.ts"
import { ALU, JUMP, Model, type Scalar, type View } from "../test/verifier/domain/model.ts"
import { type Bench, type BenchOptions, type Row, time } from "./support/bench.ts"

/** Operations of one timed call. */
const BATCH = 1000
const SPILLS = 8

function row(
  what: string,
  ours: () => void,
  plain: (() => void) | undefined,
  options: BenchOptions,
): Row {
  const batch = (action: () => void) => (): void => {
    for (let i = 0; i < BATCH; i++) action()
  }
  const best = time(batch(ours), options).bestNs / BATCH
  const bigint = plain === undefined ? null : time(batch(plain), options).bestNs / BATCH
  return { what, "wasm ns": best, "bigint ns": bigint }
}

function transfers(options: BenchOptions): Row[] {
  const d = createDomain()
  const model = new Model(64)
  const [a, b, c, t1, t2, f1, f2] = [0, 1, 2, 3, 4, 5, 6].map((n) => SCRATCH_BASE + n * REG_SIZE)
  d.unknownByLoad(a, 1)
  d.unknownByLoad(b, 2)
  d.markKnown(c, 8, 0)
  const known = model.constant(8n)
  const byte = model.alu(model.unknown(), model.constant(255n), ALU.and, true)
  const half = model.alu(model.unknown(), model.constant(65535n), ALU.and, true)
  const operations: readonly [string, number, number, Scalar, number][] = [
    ["add, 64-bit", ALU.add, b, half, 1],
    ["add, 32-bit", ALU.add, b, half, 0],
    ["and a constant", ALU.and, c, known, 1],
    ["shift left by a constant", ALU.lsh, c, known, 1],
    ["multiply", ALU.mul, b, half, 1],
  ]
  const rows = operations.map(([what, op, src, plain, is64]) =>
    row(
      what,
      () => {
        d.copyReg(t1, a)
        d.alu(t1, src, op, is64, 0)
      },
      () => model.alu(byte, plain, op, is64 === 1),
      options,
    ),
  )
  const refine = (): void => {
    for (const [to, from] of [
      [t1, a],
      [t2, c],
      [f1, a],
      [f2, c],
    ])
      d.copyReg(to, from)
    d.branchRefine(t1, t2, f1, f2, JUMP.gt, 0)
  }
  return [...rows, row("both sides of a jump", refine, undefined, options)]
}

interface PlainRegister {
  type: number
  id: number
  scalar: Scalar
}

function copyPlain(register: PlainRegister): PlainRegister {
  const { bits, whole, half } = register.scalar
  return { ...register, scalar: { bits: { ...bits }, whole: { ...whole }, half: { ...half } } }
}

const KEYS = ["smin", "smax", "umin", "umax"] as const

function coversPlain(old: PlainRegister, cur: PlainRegister): boolean {
  const within = (a: View, b: View): boolean =>
    KEYS.every((key) => (key.endsWith("min") ? a[key] <= b[key] : a[key] >= b[key]))
  return (
    old.type === cur.type &&
    within(old.scalar.whole, cur.scalar.whole) &&
    within(old.scalar.half, cur.scalar.half) &&
    (cur.scalar.bits.mask & ~old.scalar.bits.mask) === 0n &&
    old.scalar.bits.value === (cur.scalar.bits.value & ~old.scalar.bits.mask)
  )
}

function states(options: BenchOptions): Row[] {
  const d = createDomain()
  const model = new Model(64)
  const plain: PlainRegister[] = []
  for (const frame of [CURRENT_BASE, CURRENT_BASE + FRAME_STRIDE]) {
    d.growStack(frame, SPILLS)
    for (let n = 0; n < 11; n++) d.unknownByLoad(frame + FRAME_REGS + n * REG_SIZE, 4)
    for (let n = 0; n < SPILLS; n++) {
      const slot = frame + FRAME_STACK + n * SLOT_SIZE
      d.unknownByLoad(slot, 4)
      d.u8.fill(STACK_SPILL, slot + SLOT_TYPES, slot + SLOT_SIZE)
    }
  }
  for (let n = 0; n < 11 + SPILLS; n++)
    plain.push({ type: 1, id: 0, scalar: model.sync(model.unknown()) })
  const copy = plain.map(copyPlain)
  return [
    row(
      "save a frame (11 registers, 8 spills) and free it",
      () => d.freeFrames(d.saveFrames(1), 1),
      () => void plain.map(copyPlain),
      options,
    ),
    row(
      "compare two such frames",
      () => {
        d.idmapReset(0)
        if (!d.frameEqual(CURRENT_BASE, CURRENT_BASE + FRAME_STRIDE, 0x7ff, RANGE_WITHIN))
          throw new Error("the frames are equal")
      },
      () => {
        if (!plain.every((register, n) => coversPlain(register, copy[n])))
          throw new Error("the registers are equal")
      },
      options,
    ),
  ]
}

export const bench: Bench = {
  name: "domain",
  question: "What do the verifier's operations on registers and states cost?",
  async run(options) {
    const notes = ["bigint: the model of the tests, which is written to be read"]
    return { rows: [...transfers(options), ...states(options)], notes }
  },
}
