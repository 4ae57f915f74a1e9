/**
 * Fields of a register, and the states that are set as a whole.
 *
 * Layout: src/verifier/state/layout.ts. `subreg_def` and the provenance node belong to the
 * explorer: nothing but a copy changes them.
 */

import {
  REG_A,
  REG_B,
  REG_C,
  REG_FRAMENO,
  REG_ID,
  REG_MASK,
  REG_OFF,
  REG_PRECISE,
  REG_REF_OBJ_ID,
  REG_S32_MAX,
  REG_S32_MIN,
  REG_SIZE,
  REG_SMAX,
  REG_SMIN,
  REG_TYPE,
  REG_U32_MAX,
  REG_U32_MIN,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
} from "../../verifier/state/layout.ts"
import { NOT_INIT, SCALAR_VALUE } from "../../verifier/state/register-types.ts"

export const U64_MAX: u64 = ~(<u64>0)
export const S64_MIN: i64 = i64.MIN_VALUE
export const S64_MAX: i64 = i64.MAX_VALUE
export const LOW32: u64 = 0xffffffff

export function word(lo: u32, hi: u32): u64 {
  return ((<u64>hi) << 32) | <u64>lo
}

export function setTnumOf(r: usize, value: u64, mask: u64): void {
  store<u64>(r, value, REG_VALUE)
  store<u64>(r, mask, REG_MASK)
}

export function setSigned(r: usize, min: i64, max: i64): void {
  store<i64>(r, min, REG_SMIN)
  store<i64>(r, max, REG_SMAX)
}

export function setUnsigned(r: usize, min: u64, max: u64): void {
  store<u64>(r, min, REG_UMIN)
  store<u64>(r, max, REG_UMAX)
}

export function setSigned32(r: usize, min: i32, max: i32): void {
  store<i32>(r, min, REG_S32_MIN)
  store<i32>(r, max, REG_S32_MAX)
}

export function setUnsigned32(r: usize, min: u32, max: u32): void {
  store<u32>(r, min, REG_U32_MIN)
  store<u32>(r, max, REG_U32_MAX)
}

export function setUnbounded64(r: usize): void {
  setSigned(r, S64_MIN, S64_MAX)
  setUnsigned(r, 0, U64_MAX)
}

export function setUnbounded32(r: usize): void {
  setSigned32(r, i32.MIN_VALUE, i32.MAX_VALUE)
  setUnsigned32(r, 0, u32.MAX_VALUE)
}

export function setUnbounded(r: usize): void {
  setUnbounded64(r)
  setUnbounded32(r)
}

export function setKnown32(r: usize, value: u32): void {
  setSigned32(r, <i32>value, <i32>value)
  setUnsigned32(r, value, value)
}

export function setConstant(r: usize, value: u64): void {
  setTnumOf(r, value, 0)
  setSigned(r, <i64>value, <i64>value)
  setUnsigned(r, value, value)
  setKnown32(r, <u32>value)
}

function clearIdentity(r: usize, type: i32): void {
  store<i32>(r, type, REG_TYPE)
  store<i32>(r, 0, REG_OFF)
  store<i32>(r, 0, REG_ID)
  store<i32>(r, 0, REG_REF_OBJ_ID)
  store<i32>(r, 0, REG_A)
  store<i32>(r, 0, REG_B)
  store<i32>(r, 0, REG_FRAMENO)
  store<i32>(r, 0, REG_PRECISE)
  store<i32>(r, 0, REG_C)
}

export function markUnknown(r: usize): void {
  clearIdentity(r, SCALAR_VALUE)
  setTnumOf(r, 0, U64_MAX)
  setUnbounded(r)
}

export function markNotInit(r: usize): void {
  markUnknown(r)
  store<i32>(r, NOT_INIT, REG_TYPE)
}

export function markConstant(r: usize, value: u64): void {
  clearIdentity(r, SCALAR_VALUE)
  setConstant(r, value)
}

export function markKnown(r: usize, lo: u32, hi: u32): void {
  markConstant(r, word(lo, hi))
}

export function markKnownZero(r: usize): void {
  markConstant(r, 0)
}

export function setKnown(r: usize, lo: u32, hi: u32): void {
  setConstant(r, word(lo, hi))
}

export function copyReg(dst: usize, src: usize): void {
  if (dst !== src) memory.copy(dst, src, REG_SIZE)
}

export function constant(r: usize): bool {
  return load<u64>(r, REG_MASK) === 0
}

export function constant32(r: usize): bool {
  return load<u32>(r, REG_MASK) === 0
}

export function isConst(r: usize): i32 {
  return i32(constant(r))
}

export function isConst32(r: usize): i32 {
  return i32(constant32(r))
}

export function isNull(r: usize): i32 {
  return i32(
    load<i32>(r, REG_TYPE) === SCALAR_VALUE &&
      load<u64>(r, REG_VALUE) === 0 &&
      load<u64>(r, REG_MASK) === 0,
  )
}

export function isUnknown(r: usize): i32 {
  return i32(
    load<i32>(r, REG_TYPE) === SCALAR_VALUE &&
      load<u64>(r, REG_MASK) === U64_MAX &&
      load<i64>(r, REG_SMIN) === S64_MIN &&
      load<i64>(r, REG_SMAX) === S64_MAX &&
      load<u64>(r, REG_UMIN) === 0 &&
      load<u64>(r, REG_UMAX) === U64_MAX &&
      load<i32>(r, REG_S32_MIN) === i32.MIN_VALUE &&
      load<i32>(r, REG_S32_MAX) === i32.MAX_VALUE &&
      load<u32>(r, REG_U32_MIN) === 0 &&
      load<u32>(r, REG_U32_MAX) === u32.MAX_VALUE,
  )
}

/** Bits that the value may need (fls64 of umax). */
export function width(r: usize): i32 {
  return 64 - <i32>clz(load<u64>(r, REG_UMAX))
}
