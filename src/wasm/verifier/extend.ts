/**
 * Narrowing, sign extension, byte order: what a load, a cast, movsx or a swap leaves of a scalar.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c coerce_reg_to_size, coerce_reg_to_size_sx,
 * coerce_subreg_to_size_sx, scalar_byte_swap.
 */

import {
  REG_ID,
  REG_MASK,
  REG_S32_MAX,
  REG_S32_MIN,
  REG_SMAX,
  REG_SMIN,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
} from "../../verifier/state/layout.ts"
import { boundsSync } from "./bounds.ts"
import {
  LOW32,
  markUnknown,
  setConstant,
  setKnown32,
  setSigned,
  setSigned32,
  setTnumOf,
  setUnbounded,
  setUnbounded32,
  setUnsigned,
  setUnsigned32,
  U64_MAX,
} from "./register.ts"
import { fill } from "./tnum.ts"

export function coerceToSize(r: usize, size: i32): void {
  if (size >= 8) return
  const low: u64 = ((<u64>1) << (<u64>size * 8)) - 1
  const umin = load<u64>(r, REG_UMIN)
  const umax = load<u64>(r, REG_UMAX)
  const proper = (umin & ~low) === (umax & ~low)
  const min = proper ? umin & low : 0
  const max = proper ? umax & low : low
  setTnumOf(r, load<u64>(r, REG_VALUE) & low, load<u64>(r, REG_MASK) & low)
  setUnsigned(r, min, max)
  setSigned(r, <i64>min, <i64>max)
  if (size < 4) setUnbounded32(r)
  boundsSync(r)
}

function signExtend(value: i64, bits: i64): i64 {
  return (value << (64 - bits)) >> (64 - bits)
}

export function coerceSext(r: usize, size: i32): void {
  const bits = <i64>size * 8
  if (load<u64>(r, REG_MASK) === 0) {
    setConstant(r, <u64>signExtend(<i64>load<u64>(r, REG_VALUE), bits))
    return
  }
  const smin = load<i64>(r, REG_SMIN)
  const smax = load<i64>(r, REG_SMAX)
  if (smin >> bits === smax >> bits) {
    const a = signExtend(smin, bits)
    const b = signExtend(smax, bits)
    const low = min(a, b)
    const high = max(a, b)
    if (low < 0 === high < 0) {
      const spread = fill(<u64>(low ^ high))
      setSigned(r, low, high)
      setUnsigned(r, <u64>low, <u64>high)
      setSigned32(r, <i32>low, <i32>high)
      setUnsigned32(r, <u32>low, <u32>high)
      setTnumOf(r, <u64>low & ~spread, spread)
      return
    }
  }
  const low = signExtend((<i64>1) << (bits - 1), bits)
  setSigned(r, low, ~low)
  setSigned32(r, <i32>low, <i32>~low)
  setUnsigned(r, 0, U64_MAX)
  setUnsigned32(r, 0, u32.MAX_VALUE)
  setTnumOf(r, 0, U64_MAX)
}

export function coerceSubregSext(r: usize, size: i32): void {
  const bits = <i64>size * 8
  if (load<u32>(r, REG_MASK) === 0) {
    const value = signExtend(<i64>load<u64>(r, REG_VALUE), bits)
    setTnumOf(r, <u64>value, 0)
    setKnown32(r, <u32>value)
    return
  }
  const smin = load<i32>(r, REG_S32_MIN)
  const smax = load<i32>(r, REG_S32_MAX)
  if (smin >> <i32>bits === smax >> <i32>bits) {
    const a = <i32>signExtend(smin, bits)
    const b = <i32>signExtend(smax, bits)
    const low = min(a, b)
    const high = max(a, b)
    if (low < 0 === high < 0) {
      const spread = fill(<u64>(<u32>(low ^ high)))
      setSigned32(r, low, high)
      setUnsigned32(r, <u32>low, <u32>high)
      setTnumOf(r, <u64>(<u32>low) & ~spread, spread & LOW32)
      return
    }
  }
  const low = <i32>signExtend((<i64>1) << (bits - 1), bits)
  setSigned32(r, low, ~low)
  setUnsigned32(r, 0, u32.MAX_VALUE)
  setTnumOf(r, 0, LOW32)
}

export function unknownByLoad(r: usize, size: i32): void {
  markUnknown(r)
  coerceToSize(r, size)
}

/** The lower `bits` / 8 bytes in reverse; for the tnum's value and mask alike. */
function reversed(x: u64, bits: i32): u64 {
  return bswap<u64>(x) >> <u64>(64 - bits)
}

export function byteOrder(r: usize, bits: i32, swap: i32): void {
  if (swap !== 0) {
    setTnumOf(r, reversed(load<u64>(r, REG_VALUE), bits), reversed(load<u64>(r, REG_MASK), bits))
    setUnbounded(r)
  }
  if (swap !== 0 || bits < 64) store<u32>(r, 0, REG_ID)
  if (bits < 64) coerceToSize(r, bits >> 3)
  boundsSync(r)
}
