/**
 * Conditional jumps on scalars: whether one is decided, and what each way teaches of the operands.
 *
 * Invariant: refinement keeps every pair of values for which the jump goes that way. The relation
 * is brought to one of eq, ne, set, unset, le, lt, sle, slt by swapping operands.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c is_scalar_branch_taken, regs_refine_cond_op.
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
import { boundsInsane, boundsSync } from "./bounds.ts"
import {
  LOW32,
  setSigned,
  setSigned32,
  setTnumOf,
  setUnbounded,
  setUnsigned,
  setUnsigned32,
} from "./register.ts"
import { tm, tnumIntersect, tv } from "./tnum.ts"

const JEQ: i32 = 0x10
const JGT: i32 = 0x20
const JGE: i32 = 0x30
const JSET: i32 = 0x40
const JNE: i32 = 0x50
const JSGT: i32 = 0x60
const JSGE: i32 = 0x70
const JLT: i32 = 0xa0
const JLE: i32 = 0xb0
const JSLT: i32 = 0xc0
const JSLE: i32 = 0xd0
/** The opposite of JSET. */
const JUNSET: i32 = 0x48

function umin(r: usize, is32: i32): u64 {
  return is32 ? <u64>load<u32>(r, REG_U32_MIN) : load<u64>(r, REG_UMIN)
}

function umax(r: usize, is32: i32): u64 {
  return is32 ? <u64>load<u32>(r, REG_U32_MAX) : load<u64>(r, REG_UMAX)
}

function smin(r: usize, is32: i32): i64 {
  return is32 ? <i64>load<i32>(r, REG_S32_MIN) : load<i64>(r, REG_SMIN)
}

function smax(r: usize, is32: i32): i64 {
  return is32 ? <i64>load<i32>(r, REG_S32_MAX) : load<i64>(r, REG_SMAX)
}

export function branchTaken(r1: usize, r2: usize, op: i32, is32: i32): i32 {
  switch (op) {
    case JEQ:
      return equality(r1, r2, is32)
    case JNE: {
      const equal = equality(r1, r2, is32)
      return equal < 0 ? -1 : 1 - equal
    }
    case JSET:
      return commonBits(r1, r2, is32)
    case JGT:
      return umin(r1, is32) > umax(r2, is32) ? 1 : umax(r1, is32) <= umin(r2, is32) ? 0 : -1
    case JLE:
      return umax(r1, is32) <= umin(r2, is32) ? 1 : umin(r1, is32) > umax(r2, is32) ? 0 : -1
    case JGE:
      return umin(r1, is32) >= umax(r2, is32) ? 1 : umax(r1, is32) < umin(r2, is32) ? 0 : -1
    case JLT:
      return umax(r1, is32) < umin(r2, is32) ? 1 : umin(r1, is32) >= umax(r2, is32) ? 0 : -1
    case JSGT:
      return smin(r1, is32) > smax(r2, is32) ? 1 : smax(r1, is32) <= smin(r2, is32) ? 0 : -1
    case JSLE:
      return smax(r1, is32) <= smin(r2, is32) ? 1 : smin(r1, is32) > smax(r2, is32) ? 0 : -1
    case JSGE:
      return smin(r1, is32) >= smax(r2, is32) ? 1 : smax(r1, is32) < smin(r2, is32) ? 0 : -1
    case JSLT:
      return smax(r1, is32) < smin(r2, is32) ? 1 : smin(r1, is32) >= smax(r2, is32) ? 0 : -1
  }
  return -1
}

/** 1 equal, 0 different, -1 unknown. */
function equality(r1: usize, r2: usize, is32: i32): i32 {
  const half = is32 ? LOW32 : ~(<u64>0)
  const m1 = load<u64>(r1, REG_MASK) & half
  const m2 = load<u64>(r2, REG_MASK) & half
  const v1 = load<u64>(r1, REG_VALUE) & half
  const v2 = load<u64>(r2, REG_VALUE) & half
  if ((m1 | m2) === 0) return i32(v1 === v2)
  if (((v1 ^ v2) & ~(m1 | m2)) !== 0) return 0
  if (umin(r1, is32) > umax(r2, is32) || umax(r1, is32) < umin(r2, is32)) return 0
  if (smin(r1, is32) > smax(r2, is32) || smax(r1, is32) < smin(r2, is32)) return 0
  if (!is32) {
    if (umin(r1, 1) > umax(r2, 1) || umax(r1, 1) < umin(r2, 1)) return 0
    if (smin(r1, 1) > smax(r2, 1) || smax(r1, 1) < smin(r2, 1)) return 0
  }
  return -1
}

/** 1 when they have a bit in common, 0 when not; one of them must be a constant. */
function commonBits(r1: usize, r2: usize, is32: i32): i32 {
  const half = is32 ? LOW32 : ~(<u64>0)
  let other = r1
  let known = r2
  if ((load<u64>(known, REG_MASK) & half) !== 0) {
    other = r2
    known = r1
    if ((load<u64>(known, REG_MASK) & half) !== 0) return -1
  }
  const bits = load<u64>(known, REG_VALUE) & half
  const value = load<u64>(other, REG_VALUE)
  if ((value & bits) !== 0) return 1
  if (((value | load<u64>(other, REG_MASK)) & bits) === 0) return 0
  return -1
}

export function branchRefine(t1: usize, t2: usize, f1: usize, f2: usize, op: i32, is32: i32): i32 {
  refine(f1, f2, opposite(op), is32)
  boundsSync(f1)
  boundsSync(f2)
  refine(t1, t2, op, is32)
  boundsSync(t1)
  boundsSync(t2)
  return (
    i32(boundsInsane(t1) !== 0) |
    (i32(boundsInsane(t2) !== 0) << 1) |
    (i32(boundsInsane(f1) !== 0) << 2) |
    (i32(boundsInsane(f2) !== 0) << 3)
  )
}

function opposite(op: i32): i32 {
  switch (op) {
    case JEQ:
      return JNE
    case JNE:
      return JEQ
    case JSET:
      return JUNSET
    case JGT:
      return JLE
    case JLE:
      return JGT
    case JGE:
      return JLT
    case JLT:
      return JGE
    case JSGT:
      return JSLE
    case JSLE:
      return JSGT
    case JSGE:
      return JSLT
  }
  return JSGE
}

/** Both operands, knowing that the relation holds. */
function refine(r1: usize, r2: usize, op: i32, is32: i32): void {
  switch (op) {
    case JEQ:
      if (is32) equal32(r1, r2)
      else equal64(r1, r2)
      return
    case JNE:
    case JSET:
    case JUNSET: {
      const half = is32 ? LOW32 : ~(<u64>0)
      let other = r1
      let known = r2
      if ((load<u64>(known, REG_MASK) & half) !== 0) {
        other = r2
        known = r1
        if ((load<u64>(known, REG_MASK) & half) !== 0) return
      }
      const value = load<u64>(known, REG_VALUE) & half
      if (op === JNE) unequal(other, value, is32)
      else if (op === JSET) {
        if (popcnt(value) === 1) setBits(other, value, half)
      } else {
        // On a branch that is dead in truth, ranges and bits would contradict each other.
        setUnbounded(other)
        clearBits(other, value)
      }
      return
    }
    case JGT:
      less(r2, r1, 1, is32)
      return
    case JGE:
      less(r2, r1, 0, is32)
      return
    case JLT:
      less(r1, r2, 1, is32)
      return
    case JLE:
      less(r1, r2, 0, is32)
      return
    case JSGT:
      lessSigned(r2, r1, 1, is32)
      return
    case JSGE:
      lessSigned(r2, r1, 0, is32)
      return
    case JSLT:
      lessSigned(r1, r2, 1, is32)
      return
    case JSLE:
      lessSigned(r1, r2, 0, is32)
      return
  }
}

function equal64(r1: usize, r2: usize): void {
  const low = max(load<u64>(r1, REG_UMIN), load<u64>(r2, REG_UMIN))
  const high = min(load<u64>(r1, REG_UMAX), load<u64>(r2, REG_UMAX))
  const slow = max(load<i64>(r1, REG_SMIN), load<i64>(r2, REG_SMIN))
  const shigh = min(load<i64>(r1, REG_SMAX), load<i64>(r2, REG_SMAX))
  tnumIntersect(
    load<u64>(r1, REG_VALUE),
    load<u64>(r1, REG_MASK),
    load<u64>(r2, REG_VALUE),
    load<u64>(r2, REG_MASK),
  )
  setUnsigned(r1, low, high)
  setUnsigned(r2, low, high)
  setSigned(r1, slow, shigh)
  setSigned(r2, slow, shigh)
  setTnumOf(r1, tv, tm)
  setTnumOf(r2, tv, tm)
}

function equal32(r1: usize, r2: usize): void {
  const low = max(load<u32>(r1, REG_U32_MIN), load<u32>(r2, REG_U32_MIN))
  const high = min(load<u32>(r1, REG_U32_MAX), load<u32>(r2, REG_U32_MAX))
  const slow = max(load<i32>(r1, REG_S32_MIN), load<i32>(r2, REG_S32_MIN))
  const shigh = min(load<i32>(r1, REG_S32_MAX), load<i32>(r2, REG_S32_MAX))
  const v1 = load<u64>(r1, REG_VALUE)
  const m1 = load<u64>(r1, REG_MASK)
  const v2 = load<u64>(r2, REG_VALUE)
  const m2 = load<u64>(r2, REG_MASK)
  tnumIntersect(v1 & LOW32, m1 & LOW32, v2 & LOW32, m2 & LOW32)
  setUnsigned32(r1, low, high)
  setUnsigned32(r2, low, high)
  setSigned32(r1, slow, shigh)
  setSigned32(r2, slow, shigh)
  setTnumOf(r1, (v1 & ~LOW32) | tv, (m1 & ~LOW32) | tm)
  setTnumOf(r2, (v2 & ~LOW32) | tv, (m2 & ~LOW32) | tm)
}

/** A value that equals an end of a range moves that end. */
function unequal(r: usize, value: u64, is32: i32): void {
  if (is32) {
    const v = <u32>value
    let low = load<u32>(r, REG_U32_MIN)
    let high = load<u32>(r, REG_U32_MAX)
    let slow = load<i32>(r, REG_S32_MIN)
    let shigh = load<i32>(r, REG_S32_MAX)
    if (low === v) low++
    if (high === v) high--
    if (slow === <i32>v) slow++
    if (shigh === <i32>v) shigh--
    setUnsigned32(r, low, high)
    setSigned32(r, slow, shigh)
    return
  }
  let low = load<u64>(r, REG_UMIN)
  let high = load<u64>(r, REG_UMAX)
  let slow = load<i64>(r, REG_SMIN)
  let shigh = load<i64>(r, REG_SMAX)
  if (low === value) low++
  if (high === value) high--
  if (slow === <i64>value) slow++
  if (shigh === <i64>value) shigh--
  setUnsigned(r, low, high)
  setSigned(r, slow, shigh)
}

function setBits(r: usize, bits: u64, _half: u64): void {
  setTnumOf(r, load<u64>(r, REG_VALUE) | bits, load<u64>(r, REG_MASK) & ~bits)
}

function clearBits(r: usize, bits: u64): void {
  setTnumOf(r, load<u64>(r, REG_VALUE) & ~bits, load<u64>(r, REG_MASK) & ~bits)
}

/** a + gap <= b, unsigned. */
function less(a: usize, b: usize, gap: u64, is32: i32): void {
  if (is32) {
    const high = min(load<u32>(a, REG_U32_MAX), load<u32>(b, REG_U32_MAX) - <u32>gap)
    const low = max(load<u32>(a, REG_U32_MIN) + <u32>gap, load<u32>(b, REG_U32_MIN))
    store<u32>(a, high, REG_U32_MAX)
    store<u32>(b, low, REG_U32_MIN)
    return
  }
  const high = min(load<u64>(a, REG_UMAX), load<u64>(b, REG_UMAX) - gap)
  const low = max(load<u64>(a, REG_UMIN) + gap, load<u64>(b, REG_UMIN))
  store<u64>(a, high, REG_UMAX)
  store<u64>(b, low, REG_UMIN)
}

/** a + gap <= b, signed. */
function lessSigned(a: usize, b: usize, gap: i64, is32: i32): void {
  if (is32) {
    const high = min(load<i32>(a, REG_S32_MAX), load<i32>(b, REG_S32_MAX) - <i32>gap)
    const low = max(load<i32>(a, REG_S32_MIN) + <i32>gap, load<i32>(b, REG_S32_MIN))
    store<i32>(a, high, REG_S32_MAX)
    store<i32>(b, low, REG_S32_MIN)
    return
  }
  const high = min(load<i64>(a, REG_SMAX), load<i64>(b, REG_SMAX) - gap)
  const low = max(load<i64>(a, REG_SMIN) + gap, load<i64>(b, REG_SMIN))
  store<i64>(a, high, REG_SMAX)
  store<i64>(b, low, REG_SMIN)
}
