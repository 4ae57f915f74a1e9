/**
 * The five views of a scalar (bits, signed and unsigned ranges of the whole and of the lower half)
 * and what each tells the others.
 *
 * Invariant: each value that all five views had allowed is still allowed. The order of the steps
 * is Linux's, because the result (and the log) depends on it. Ranges that have become empty
 * (min > max) are left as they are: boundsInsane() tells.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c reg_bounds_sync, reg_bounds_sanity_check.
 */

import {
  REG_MASK,
  REG_S32_MAX,
  REG_S32_MIN,
  REG_SMAX,
  REG_SMIN,
  REG_U32_MAX,
  REG_U32_MIN,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
} from "../../verifier/state/layout.ts"
import {
  LOW32,
  setConstant,
  setSigned,
  setSigned32,
  setTnumOf,
  setUnsigned,
  setUnsigned32,
  U64_MAX,
  word,
} from "./register.ts"
import { fill, tnumSingle, tv } from "./tnum.ts"

const SIGN64: u64 = 1 << 63
const SIGN32: u32 = 1 << 31
/** Rounds in which the ranges tell each other; the fourth would find nothing more. */
const ROUNDS = 3

export function boundsSync(r: usize): void {
  let value = load<u64>(r, REG_VALUE)
  let mask = load<u64>(r, REG_MASK)
  let smin = load<i64>(r, REG_SMIN)
  let smax = load<i64>(r, REG_SMAX)
  let umin = load<u64>(r, REG_UMIN)
  let umax = load<u64>(r, REG_UMAX)
  let smin32 = load<i32>(r, REG_S32_MIN)
  let smax32 = load<i32>(r, REG_S32_MAX)
  let umin32 = load<u32>(r, REG_U32_MIN)
  let umax32 = load<u32>(r, REG_U32_MAX)

  // Bits → ranges.
  smin32 = max(smin32, <i32>(<u32>value | (<u32>mask & SIGN32)))
  smax32 = min(smax32, <i32>(<u32>value | (<u32>mask & ~SIGN32)))
  umin32 = max(umin32, <u32>value)
  umax32 = min(umax32, <u32>(value | mask))
  smin = max(smin, <i64>(value | (mask & SIGN64)))
  smax = min(smax, <i64>(value | (mask & ~SIGN64)))
  umin = max(umin, value)
  umax = min(umax, value | mask)
  if (mayBeSingle(value, mask, umin, umax) && tnumSingle(value, mask, umin, umax)) {
    setConstant(r, tv)
    // Nothing is left to learn.
    return
  }

  // Most scalars are one of these, which have nothing to tell: small and not negative, …
  const settled =
    (umax <= <u64>i32.MAX_VALUE &&
      <u64>smin === umin &&
      <u64>smax === umax &&
      <u64>umin32 === umin &&
      <u64>umax32 === umax &&
      smin32 === <i32>umin &&
      smax32 === <i32>umax) ||
    // … or with a lower half that may be anything, and a whole that is that or anything too.
    (umin === 0 &&
      (umin32 | ~umax32) === 0 &&
      smin32 === i32.MIN_VALUE &&
      smax32 === i32.MAX_VALUE &&
      ((umax === LOW32 && smin === 0 && smax === <i64>LOW32) ||
        (umax === U64_MAX && smin === i64.MIN_VALUE && smax === i64.MAX_VALUE)))
  for (let round = settled ? ROUNDS : 0; round < ROUNDS; round++) {
    const smin0 = smin
    const smax0 = smax
    const umin0 = umin
    const umax0 = umax
    const value0 = value
    const mask0 = mask
    const smin320 = smin32
    const smax320 = smax32
    const umin320 = umin32
    const umax320 = umax32

    // Whole → lower half: when the upper half is the same at both ends…
    if (umin >> 32 === umax >> 32) {
      umin32 = max(umin32, <u32>umin)
      umax32 = min(umax32, <u32>umax)
      if (<i32>umin <= <i32>umax) {
        smin32 = max(smin32, <i32>umin)
        smax32 = min(smax32, <i32>umax)
      }
    }
    if (smin >> 32 === smax >> 32) {
      if (<u32>smin <= <u32>smax) {
        umin32 = max(umin32, <u32>smin)
        umax32 = min(umax32, <u32>smax)
      }
      if (<i32>smin <= <i32>smax) {
        smin32 = max(smin32, <i32>smin)
        smax32 = min(smax32, <i32>smax)
      }
    }
    // … or one greater while the lower half goes from negative to positive.
    if (<u32>(umin >> 32) + 1 === <u32>(umax >> 32) && <i32>umin < 0 && <i32>umax >= 0) {
      smin32 = max(smin32, <i32>umin)
      smax32 = min(smax32, <i32>umax)
    }
    if (<u32>(smin >> 32) + 1 === <u32>(smax >> 32) && <i32>smin < 0 && <i32>smax >= 0) {
      smin32 = max(smin32, <i32>smin)
      smax32 = min(smax32, <i32>smax)
    }
    // Signed and unsigned, where neither crosses the other's border.
    if (<i32>umin32 <= <i32>umax32) {
      smin32 = max(smin32, <i32>umin32)
      smax32 = min(smax32, <i32>umax32)
    }
    if (<u32>smin32 <= <u32>smax32) {
      umin32 = max(umin32, <u32>smin32)
      umax32 = min(umax32, <u32>smax32)
    } else if (umax32 < <u32>smin32) {
      // The unsigned range has only the positive part of the signed one…
      smin32 = <i32>umin32
      umax32 = min(umax32, <u32>smax32)
    } else if (<u32>smax32 < umin32) {
      // … or only the negative part.
      smax32 = <i32>umax32
      umin32 = max(umin32, <u32>smin32)
    }

    if (<i64>umin <= <i64>umax) {
      smin = max(smin, <i64>umin)
      smax = min(smax, <i64>umax)
    }
    if (<u64>smin <= <u64>smax) {
      umin = max(umin, <u64>smin)
      umax = min(umax, <u64>smax)
    } else if (umax < <u64>smin) {
      smin = <i64>umin
      umax = min(umax, <u64>smax)
    } else if (<u64>smax < umin) {
      smax = <i64>umax
      umin = max(umin, <u64>smin)
    }

    // Lower half → whole, under the upper half of each end.
    umin = max(umin, (umin & ~LOW32) | <u64>umin32)
    umax = min(umax, (umax & ~LOW32) | <u64>umax32)
    smin = max(smin, <i64>((<u64>smin & ~LOW32) | <u64>umin32))
    smax = min(smax, <i64>((<u64>smax & ~LOW32) | <u64>umax32))
    // A sign-extended half is the whole.
    if (smin32 >= 0 && smin >= <i64>i32.MIN_VALUE && smax <= <i64>i32.MAX_VALUE) {
      smin = <i64>smin32
      smax = <i64>smax32
      umin = <u64>smin32
      umax = <u64>smax32
      const spread = fill(<u64>(smin32 ^ smax32))
      mask &= spread
      value = (value | (<u64>smin32 & ~spread)) & ~mask
    }

    // Equal input gives equal output: the rounds that are left would change nothing.
    if (
      ((smin ^ smin0) | (smax ^ smax0) | <i64>(umin ^ umin0) | <i64>(umax ^ umax0)) === 0 &&
      ((value ^ value0) | (mask ^ mask0)) === 0 &&
      ((smin32 ^ smin320) |
        (smax32 ^ smax320) |
        <i32>(umin32 ^ umin320) |
        <i32>(umax32 ^ umax320)) ===
        0
    )
      break
  }

  // Ranges → bits: the ends' common prefix is known; first of the whole, then of the lower half.
  const spread = fill(umin ^ umax)
  const mask64 = mask & spread
  const value64 = (value | (umin & ~spread)) & ~mask64
  const spread32 = <u32>fill(<u64>(umin32 ^ umax32))
  const mask32 = <u32>mask64 & spread32
  const value32 = (<u32>value64 | (umin32 & ~spread32)) & ~mask32
  value = (value64 & ~LOW32) | <u64>value32
  mask = (mask64 & ~LOW32) | <u64>mask32

  // Bits → ranges once more.
  smin32 = max(smin32, <i32>(<u32>value | (<u32>mask & SIGN32)))
  smax32 = min(smax32, <i32>(<u32>value | (<u32>mask & ~SIGN32)))
  umin32 = max(umin32, <u32>value)
  umax32 = min(umax32, <u32>(value | mask))
  smin = max(smin, <i64>(value | (mask & SIGN64)))
  smax = min(smax, <i64>(value | (mask & ~SIGN64)))
  umin = max(umin, value)
  umax = min(umax, value | mask)
  if (mayBeSingle(value, mask, umin, umax) && tnumSingle(value, mask, umin, umax)) {
    setConstant(r, tv)
    return
  }

  setTnumOf(r, value, mask)
  setSigned(r, smin, smax)
  setUnsigned(r, umin, umax)
  setSigned32(r, smin32, smax32)
  setUnsigned32(r, umin32, umax32)
}

/** False when both ends of the range, which are two, are numbers of the tnum. */
function mayBeSingle(value: u64, mask: u64, umin: u64, umax: u64): bool {
  return (((umin ^ value) | (umax ^ value)) & ~mask) !== 0 || umin >= umax
}

/** Narrows the lower half's ranges to what the bits allow. */
export function learn32FromBits(r: usize): void {
  const value = load<u32>(r, REG_VALUE)
  const mask = load<u32>(r, REG_MASK)
  setSigned32(
    r,
    max(load<i32>(r, REG_S32_MIN), <i32>(value | (mask & SIGN32))),
    min(load<i32>(r, REG_S32_MAX), <i32>(value | (mask & ~SIGN32))),
  )
  setUnsigned32(
    r,
    max(load<u32>(r, REG_U32_MIN), value),
    min(load<u32>(r, REG_U32_MAX), value | mask),
  )
}

/** Narrows all ranges to what the bits allow. */
export function learnFromBits(r: usize): void {
  learn32FromBits(r)
  const value = load<u64>(r, REG_VALUE)
  const mask = load<u64>(r, REG_MASK)
  const umin = max(load<u64>(r, REG_UMIN), value)
  const umax = min(load<u64>(r, REG_UMAX), value | mask)
  if (tnumSingle(value, mask, umin, umax)) {
    setConstant(r, tv)
    return
  }
  setUnsigned(r, umin, umax)
  setSigned(
    r,
    max(load<i64>(r, REG_SMIN), <i64>(value | (mask & SIGN64))),
    min(load<i64>(r, REG_SMAX), <i64>(value | (mask & ~SIGN64))),
  )
}

export function boundsInsane(r: usize): i32 {
  const umin = load<u64>(r, REG_UMIN)
  const umax = load<u64>(r, REG_UMAX)
  const smin = load<i64>(r, REG_SMIN)
  const smax = load<i64>(r, REG_SMAX)
  const umin32 = load<u32>(r, REG_U32_MIN)
  const umax32 = load<u32>(r, REG_U32_MAX)
  const smin32 = load<i32>(r, REG_S32_MIN)
  const smax32 = load<i32>(r, REG_S32_MAX)
  if (umin > umax || smin > smax || umin32 > umax32 || smin32 > smax32) return 1
  const mask = load<u64>(r, REG_MASK)
  if (<u32>mask !== 0) return 0
  const value = load<u64>(r, REG_VALUE)
  if (mask === 0) {
    if (umin !== value || umax !== value || <u64>smin !== value || <u64>smax !== value) return 2
  }
  const low = <u32>value
  if (umin32 !== low || umax32 !== low || <u32>smin32 !== low || <u32>smax32 !== low) return 3
  return 0
}

export function boundsSane(r: usize): i32 {
  return i32(boundsInsane(r) === 0)
}

export function setBounds(r: usize, minLo: u32, minHi: u32, maxLo: u32, maxHi: u32): void {
  setSigned(r, <i64>word(minLo, minHi), <i64>word(maxLo, maxHi))
  boundsSync(r)
}
