/** Scalars of the model and registers of the domain, each made from the other. */

import type { Domain } from "../../../src/verifier/domain/domain.ts"
import {
  REG_MASK,
  REG_S32_MAX,
  REG_S32_MIN,
  REG_SIZE,
  REG_SMAX,
  REG_SMIN,
  REG_U32_MAX,
  REG_U32_MIN,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
  SCRATCH_BASE,
} from "../../../src/verifier/state/layout.ts"
import type { Model, Scalar } from "./model.ts"

/** A register to play with. */
export function scratch(n: number): number {
  return SCRATCH_BASE + n * REG_SIZE
}

/** Makes a register an unlinked scalar with these views. */
export function setScalar(d: Domain, r: number, { bits, whole, half }: Scalar): void {
  d.markUnknown(r)
  d.u64[(r + REG_VALUE) >> 3] = bits.value
  d.u64[(r + REG_MASK) >> 3] = bits.mask
  d.i64[(r + REG_SMIN) >> 3] = whole.smin
  d.i64[(r + REG_SMAX) >> 3] = whole.smax
  d.u64[(r + REG_UMIN) >> 3] = whole.umin
  d.u64[(r + REG_UMAX) >> 3] = whole.umax
  d.i32[(r + REG_S32_MIN) >> 2] = Number(half.smin)
  d.i32[(r + REG_S32_MAX) >> 2] = Number(half.smax)
  d.u32[(r + REG_U32_MIN) >> 2] = Number(half.umin)
  d.u32[(r + REG_U32_MAX) >> 2] = Number(half.umax)
}

export function getScalar(d: Domain, r: number): Scalar {
  return {
    bits: { value: d.u64[(r + REG_VALUE) >> 3], mask: d.u64[(r + REG_MASK) >> 3] },
    whole: {
      smin: d.i64[(r + REG_SMIN) >> 3],
      smax: d.i64[(r + REG_SMAX) >> 3],
      umin: d.u64[(r + REG_UMIN) >> 3],
      umax: d.u64[(r + REG_UMAX) >> 3],
    },
    half: {
      smin: BigInt(d.i32[(r + REG_S32_MIN) >> 2]),
      smax: BigInt(d.i32[(r + REG_S32_MAX) >> 2]),
      umin: BigInt(d.u32[(r + REG_U32_MIN) >> 2]),
      umax: BigInt(d.u32[(r + REG_U32_MAX) >> 2]),
    },
  }
}

/** Numbers of `width` bits that are near the edges as often as not. */
export function randomNumber(random: () => number, width: number): bigint {
  const wide = (BigInt(random()) << 32n) | BigInt(random())
  const at = BigInt(random() % 64)
  const near = BigInt((random() % 5) - 2)
  switch (random() % 4) {
    case 0:
      return BigInt.asUintN(width, wide)
    case 1:
      return BigInt.asUintN(width, wide >> at)
    case 2:
      return BigInt.asUintN(width, (1n << at) + near)
    default:
      return BigInt.asUintN(width, near - (1n << at))
  }
}

/** A scalar of random facts, all true of `value`; not synced. */
export function scalarAround(model: Model, random: () => number, value: bigint): Scalar {
  const pick = (limit: bigint): bigint => randomNumber(random, model.width) % (limit + 1n)
  const scalar = model.unknown()
  const facts = random()
  if (facts & 1) scalar.bits = model.bits(value, pick(model.all))
  for (const [bit, view, width] of [
    [2, scalar.whole, model],
    [4, scalar.half, model.half],
  ] as const) {
    const any = width.anyView()
    if (facts & bit) {
      const at = width.u(value)
      view.umin = at - pick(at)
      view.umax = at + pick(any.umax - at)
    }
    if (facts & (bit << 4)) {
      const at = width.s(value)
      view.smin = at - pick(at - any.smin)
      view.smax = at + pick(any.smax - at)
    }
  }
  return scalar
}
