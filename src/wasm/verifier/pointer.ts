/**
 * Pointer arithmetic: where a pointer may point after a scalar is added or subtracted. Which
 * pointers may be moved at all is the rules' business.
 *
 * A constant that fits goes into `off`; everything else into var_off and the bounds, and the range
 * proven of a packet is forgotten unless the pointer surely moves back.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c adjust_ptr_min_max_vals.
 */

import {
  REG_A,
  REG_B,
  REG_C,
  REG_ID,
  REG_MASK,
  REG_OFF,
  REG_SMAX,
  REG_SMIN,
  REG_TYPE,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
} from "../../verifier/state/layout.ts"
import {
  BASE_TYPE_MASK,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
} from "../../verifier/state/register-types.ts"
import {
  S64_MAX,
  S64_MIN,
  setSigned,
  setTnumOf,
  setUnbounded32,
  setUnsigned,
  U64_MAX,
} from "./register.ts"
import { tm, tnumAdd, tnumSub, tv } from "./tnum.ts"

export function pointerAlu(dst: usize, ptr: usize, scalar: usize, isSub: i32): i32 {
  const type = load<i32>(ptr, REG_TYPE)
  const off = load<i32>(ptr, REG_OFF)
  const id = load<i32>(ptr, REG_ID)
  const b = load<i32>(ptr, REG_B)
  const c = load<i32>(ptr, REG_C)
  let a = load<i32>(ptr, REG_A)
  const value = load<u64>(ptr, REG_VALUE)
  const mask = load<u64>(ptr, REG_MASK)
  const smin = load<i64>(ptr, REG_SMIN)
  const smax = load<i64>(ptr, REG_SMAX)
  const umin = load<u64>(ptr, REG_UMIN)
  const umax = load<u64>(ptr, REG_UMAX)
  const value2 = load<u64>(scalar, REG_VALUE)
  const mask2 = load<u64>(scalar, REG_MASK)
  const smin2 = load<i64>(scalar, REG_SMIN)
  const smax2 = load<i64>(scalar, REG_SMAX)
  const umin2 = load<u64>(scalar, REG_UMIN)
  const umax2 = load<u64>(scalar, REG_UMAX)

  let flags = 0
  const moved = isSub ? <i64>off - smin2 : <i64>off + smin2
  setUnbounded32(dst)
  if (mask2 === 0 && moved === <i64>(<i32>moved)) {
    setTnumOf(dst, value, mask)
    setSigned(dst, smin, smax)
    setUnsigned(dst, umin, umax)
    store<i32>(dst, <i32>moved, REG_OFF)
  } else {
    flags = 1
    if (isSub) {
      const low = smin - smax2
      const high = smax - smin2
      if (((smin ^ smax2) & (smin ^ low)) < 0 || ((smax ^ smin2) & (smax ^ high)) < 0)
        setSigned(dst, S64_MIN, S64_MAX)
      else setSigned(dst, low, high)
      if (umin < umax2) setUnsigned(dst, 0, U64_MAX)
      else setUnsigned(dst, umin - umax2, umax - umin2)
      tnumSub(value, mask, value2, mask2)
    } else {
      const low = smin + smin2
      const high = smax + smax2
      if (((smin ^ low) & (smin2 ^ low)) < 0 || ((smax ^ high) & (smax2 ^ high)) < 0)
        setSigned(dst, S64_MIN, S64_MAX)
      else setSigned(dst, low, high)
      if (umin + umin2 < umin || umax + umax2 < umax) setUnsigned(dst, 0, U64_MAX)
      else setUnsigned(dst, umin + umin2, umax + umax2)
      tnumAdd(value, mask, value2, mask2)
    }
    setTnumOf(dst, tv, tm)
    store<i32>(dst, off, REG_OFF)
    const base = type & BASE_TYPE_MASK
    if ((base === PTR_TO_PACKET || base === PTR_TO_PACKET_META) && (!isSub || smin2 < 0)) a = 0
  }
  store<i32>(dst, type, REG_TYPE)
  store<i32>(dst, id, REG_ID)
  store<i32>(dst, a, REG_A)
  store<i32>(dst, b, REG_B)
  store<i32>(dst, c, REG_C)
  return flags
}

export function minOffset(r: usize): f64 {
  return <f64>load<i64>(r, REG_SMIN) + <f64>load<i32>(r, REG_OFF)
}

export function maxOffset(r: usize): f64 {
  return <f64>load<u64>(r, REG_UMAX) + <f64>load<i32>(r, REG_OFF)
}

export function alignedTo(r: usize, extra: i32, size: i32): i32 {
  tnumAdd(
    load<u64>(r, REG_VALUE),
    load<u64>(r, REG_MASK),
    <u64>(<i64>load<i32>(r, REG_OFF) + <i64>extra),
    0,
  )
  return i32(((tv | tm) & <u64>(size - 1)) === 0)
}
