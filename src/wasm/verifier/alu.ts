/**
 * Arithmetic on scalars: what dst op= src can give, for each view of the value.
 *
 * Invariant: the result contains the result of every pair of values that the operands contain.
 * What is not tracked (division, shifts by what is not a constant in range) is unknown in all 64
 * bits, also after a 32-bit operation, as in Linux. 32-bit operations compute the lower half and
 * then zero the upper.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c adjust_scalar_min_max_vals.
 */

import {
  REG_ID,
  REG_MASK,
  REG_OFF,
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
import { boundsSync, learn32FromBits, learnFromBits } from "./bounds.ts"
import {
  LOW32,
  markUnknown,
  S64_MAX,
  S64_MIN,
  setConstant,
  setKnown32,
  setSigned,
  setSigned32,
  setTnumOf,
  setUnbounded32,
  setUnbounded64,
  setUnsigned,
  setUnsigned32,
  U64_MAX,
} from "./register.ts"
import { tm, tnumAdd, tnumAnd, tnumMul, tnumOr, tnumSub, tnumXor, tv } from "./tnum.ts"

const ADD: i32 = 0x00
const SUB: i32 = 0x10
const MUL: i32 = 0x20
const OR: i32 = 0x40
const AND: i32 = 0x50
const LSH: i32 = 0x60
const RSH: i32 = 0x70
const NEG: i32 = 0x80
const XOR: i32 = 0xa0
const ARSH: i32 = 0xc0

export function alu(dst: usize, src: usize, op: i32, is64: i32, _off: i32): void {
  wasWide = load<u64>(dst, REG_UMAX) > LOW32
  switch (op) {
    case ADD:
      addRanges(dst, src)
      addRanges32(dst, src)
      combine(dst, src, op)
      break
    case SUB:
      subRanges(dst, src)
      subRanges32(dst, src)
      combine(dst, src, op)
      break
    case NEG:
      negRanges(dst)
      break
    case MUL:
      mulRanges(dst, src)
      mulRanges32(dst, src)
      combine(dst, src, op)
      break
    case AND:
    case OR:
    case XOR:
      bitwise(dst, src, op)
      // A 64-bit operation's sync does the same; a 32-bit one is cut first.
      if (!is64) learnFromBits(dst)
      break
    case LSH:
    case RSH:
    case ARSH: {
      const bits = is64 ? 64 : 32
      if (!shiftIsConstant(src, is64) || load<u64>(src, REG_UMAX) >= <u64>bits) {
        markUnknown(dst)
        return
      }
      if (is64) shift64(dst, op, <u32>load<u64>(src, REG_UMIN))
      else shift32(dst, op, load<u32>(src, REG_U32_MIN))
      break
    }
    default:
      markUnknown(dst)
      return
  }
  if (!is64) zext32(dst)
  boundsSync(dst)
}

/** var_off of dst op src, into dst. */
function combine(dst: usize, src: usize, op: i32): void {
  const av = load<u64>(dst, REG_VALUE)
  const am = load<u64>(dst, REG_MASK)
  const bv = load<u64>(src, REG_VALUE)
  const bm = load<u64>(src, REG_MASK)
  if (op === ADD) tnumAdd(av, am, bv, bm)
  else if (op === SUB) tnumSub(av, am, bv, bm)
  else if (op === MUL) tnumMul(av, am, bv, bm)
  else if (op === AND) tnumAnd(av, am, bv, bm)
  else if (op === OR) tnumOr(av, am, bv, bm)
  else tnumXor(av, am, bv, bm)
  setTnumOf(dst, tv, tm)
}

function addOverflows(a: i64, b: i64, sum: i64): bool {
  return ((a ^ sum) & (b ^ sum)) < 0
}

function subOverflows(a: i64, b: i64, difference: i64): bool {
  return ((a ^ b) & (a ^ difference)) < 0
}

/** Ends of the 64-bit ranges of a sum. When all sums wrap, or none, they stay in order. */
export function addRanges(dst: usize, src: usize): void {
  addRangesTo(dst, dst, src)
}

/** As addRanges, with a destination of its own; unsigned: any overflow makes it unknown. */
export function addRangesTo(dst: usize, a: usize, b: usize): void {
  const smin = load<i64>(a, REG_SMIN)
  const smax = load<i64>(a, REG_SMAX)
  const umin = load<u64>(a, REG_UMIN)
  const umax = load<u64>(a, REG_UMAX)
  const smin2 = load<i64>(b, REG_SMIN)
  const smax2 = load<i64>(b, REG_SMAX)
  const low = umin + load<u64>(b, REG_UMIN)
  const high = umax + load<u64>(b, REG_UMAX)
  if (addOverflows(smin, smin2, smin + smin2) || addOverflows(smax, smax2, smax + smax2))
    setSigned(dst, S64_MIN, S64_MAX)
  else setSigned(dst, smin + smin2, smax + smax2)
  if (low >= umin && high < umax) setUnsigned(dst, 0, U64_MAX)
  else setUnsigned(dst, low, high)
}

export function addRanges32(dst: usize, src: usize): void {
  const smin = <i64>load<i32>(dst, REG_S32_MIN) + <i64>load<i32>(src, REG_S32_MIN)
  const smax = <i64>load<i32>(dst, REG_S32_MAX) + <i64>load<i32>(src, REG_S32_MAX)
  const umin = <u64>load<u32>(dst, REG_U32_MIN) + <u64>load<u32>(src, REG_U32_MIN)
  const umax = <u64>load<u32>(dst, REG_U32_MAX) + <u64>load<u32>(src, REG_U32_MAX)
  if (smin !== <i64>(<i32>smin) || smax !== <i64>(<i32>smax))
    setSigned32(dst, i32.MIN_VALUE, i32.MAX_VALUE)
  else setSigned32(dst, <i32>smin, <i32>smax)
  if (umin <= LOW32 && umax > LOW32) setUnsigned32(dst, 0, u32.MAX_VALUE)
  else setUnsigned32(dst, <u32>umin, <u32>umax)
}

function subRanges(dst: usize, src: usize): void {
  const smin = load<i64>(dst, REG_SMIN)
  const smax = load<i64>(dst, REG_SMAX)
  const umin = load<u64>(dst, REG_UMIN)
  const umax = load<u64>(dst, REG_UMAX)
  const smin2 = load<i64>(src, REG_SMIN)
  const smax2 = load<i64>(src, REG_SMAX)
  const umin2 = load<u64>(src, REG_UMIN)
  const umax2 = load<u64>(src, REG_UMAX)
  if (subOverflows(smin, smax2, smin - smax2) || subOverflows(smax, smin2, smax - smin2))
    setSigned(dst, S64_MIN, S64_MAX)
  else setSigned(dst, smin - smax2, smax - smin2)
  if (umin < umax2 && umax >= umin2) setUnsigned(dst, 0, U64_MAX)
  else setUnsigned(dst, umin - umax2, umax - umin2)
}

function subRanges32(dst: usize, src: usize): void {
  const smin = <i64>load<i32>(dst, REG_S32_MIN) - <i64>load<i32>(src, REG_S32_MAX)
  const smax = <i64>load<i32>(dst, REG_S32_MAX) - <i64>load<i32>(src, REG_S32_MIN)
  const umin = <i64>load<u32>(dst, REG_U32_MIN) - <i64>load<u32>(src, REG_U32_MAX)
  const umax = <i64>load<u32>(dst, REG_U32_MAX) - <i64>load<u32>(src, REG_U32_MIN)
  if (smin !== <i64>(<i32>smin) || smax !== <i64>(<i32>smax))
    setSigned32(dst, i32.MIN_VALUE, i32.MAX_VALUE)
  else setSigned32(dst, <i32>smin, <i32>smax)
  if (umin < 0 && umax >= 0) setUnsigned32(dst, 0, u32.MAX_VALUE)
  else setUnsigned32(dst, <u32>umin, <u32>umax)
}

/** A result that is computed anew shares nothing with others. */
function forgetIdentity(r: usize): void {
  store<i32>(r, 0, REG_OFF)
  store<i32>(r, 0, REG_ID)
}

/** dst = 0 - dst. */
function negRanges(dst: usize): void {
  forgetIdentity(dst)
  const smin = load<i64>(dst, REG_SMIN)
  const smax = load<i64>(dst, REG_SMAX)
  const umin = load<u64>(dst, REG_UMIN)
  const umax = load<u64>(dst, REG_UMAX)
  if (smin === S64_MIN) setSigned(dst, S64_MIN, S64_MAX)
  else setSigned(dst, -smax, -smin)
  if (umax !== 0 && umin === 0) setUnsigned(dst, 0, U64_MAX)
  else setUnsigned(dst, 0 - umax, 0 - umin)
  const smin32 = load<i32>(dst, REG_S32_MIN)
  const smax32 = load<i32>(dst, REG_S32_MAX)
  const umin32 = load<u32>(dst, REG_U32_MIN)
  const umax32 = load<u32>(dst, REG_U32_MAX)
  if (smin32 === i32.MIN_VALUE) setSigned32(dst, i32.MIN_VALUE, i32.MAX_VALUE)
  else setSigned32(dst, -smax32, -smin32)
  if (umax32 !== 0 && umin32 === 0) setUnsigned32(dst, 0, u32.MAX_VALUE)
  else setUnsigned32(dst, 0 - umax32, 0 - umin32)
  tnumSub(0, 0, load<u64>(dst, REG_VALUE), load<u64>(dst, REG_MASK))
  setTnumOf(dst, tv, tm)
}

/** Whether a * b does not fit into 64 bits, unsigned. */
function mulOverflows(a: u64, b: u64): bool {
  if ((a | b) <= LOW32) return false
  return a !== 0 && (a * b) / a !== b
}

/** Whether a * b does not fit into 64 bits, signed. */
function signedMulOverflows(a: i64, b: i64): bool {
  if (<i64>(<i32>a) === a && <i64>(<i32>b) === b) return false
  if (a === 0 || b === 0) return false
  if (a === -1) return b === S64_MIN
  if (b === -1) return a === S64_MIN
  return (a * b) / b !== a
}

function mulRanges(dst: usize, src: usize): void {
  const smin = load<i64>(dst, REG_SMIN)
  const smax = load<i64>(dst, REG_SMAX)
  const umin = load<u64>(dst, REG_UMIN)
  const umax = load<u64>(dst, REG_UMAX)
  const smin2 = load<i64>(src, REG_SMIN)
  const smax2 = load<i64>(src, REG_SMAX)
  const umin2 = load<u64>(src, REG_UMIN)
  const umax2 = load<u64>(src, REG_UMAX)
  if (mulOverflows(umax, umax2) || mulOverflows(umin, umin2)) setUnsigned(dst, 0, U64_MAX)
  else setUnsigned(dst, umin * umin2, umax * umax2)
  if (
    signedMulOverflows(smin, smin2) ||
    signedMulOverflows(smin, smax2) ||
    signedMulOverflows(smax, smin2) ||
    signedMulOverflows(smax, smax2)
  ) {
    setSigned(dst, S64_MIN, S64_MAX)
    return
  }
  const a = smin * smin2
  const b = smin * smax2
  const c = smax * smin2
  const d = smax * smax2
  setSigned(dst, min(min(a, b), min(c, d)), max(max(a, b), max(c, d)))
}

function mulRanges32(dst: usize, src: usize): void {
  const smin = <i64>load<i32>(dst, REG_S32_MIN)
  const smax = <i64>load<i32>(dst, REG_S32_MAX)
  const smin2 = <i64>load<i32>(src, REG_S32_MIN)
  const smax2 = <i64>load<i32>(src, REG_S32_MAX)
  const umin = <u64>load<u32>(dst, REG_U32_MIN) * <u64>load<u32>(src, REG_U32_MIN)
  const umax = <u64>load<u32>(dst, REG_U32_MAX) * <u64>load<u32>(src, REG_U32_MAX)
  if (umax > LOW32 || umin > LOW32) setUnsigned32(dst, 0, u32.MAX_VALUE)
  else setUnsigned32(dst, <u32>umin, <u32>umax)
  const a = smin * smin2
  const b = smin * smax2
  const c = smax * smin2
  const d = smax * smax2
  const low = min(min(a, b), min(c, d))
  const high = max(max(a, b), max(c, d))
  if (low < <i64>i32.MIN_VALUE || high > <i64>i32.MAX_VALUE)
    setSigned32(dst, i32.MIN_VALUE, i32.MAX_VALUE)
  else setSigned32(dst, <i32>low, <i32>high)
}

/**
 * AND, OR, XOR: the ends come from the bits, and from the operands' unsigned ends where those say
 * more (the largest AND is no larger than either operand, the smallest OR no smaller).
 */
function bitwise(dst: usize, src: usize, op: i32): void {
  const umin = load<u64>(dst, REG_UMIN)
  const umax = load<u64>(dst, REG_UMAX)
  const umin32 = load<u32>(dst, REG_U32_MIN)
  const umax32 = load<u32>(dst, REG_U32_MAX)
  const sourceMask = load<u64>(src, REG_MASK)
  const sourceUmin = load<u64>(src, REG_UMIN)
  const sourceUmax = load<u64>(src, REG_UMAX)
  const sourceUmin32 = load<u32>(src, REG_U32_MIN)
  const sourceUmax32 = load<u32>(src, REG_U32_MAX)
  combine(dst, src, op)
  const value = tv
  const mask = tm

  if (<u32>sourceMask === 0 && <u32>mask === 0) setKnown32(dst, <u32>value)
  else {
    let low = <u32>value
    let high = <u32>(value | mask)
    if (op === AND) high = min(umax32, sourceUmax32)
    else if (op === OR) low = max(umin32, sourceUmin32)
    setUnsigned32(dst, low, high)
    if (<i32>low <= <i32>high) setSigned32(dst, <i32>low, <i32>high)
    else setSigned32(dst, i32.MIN_VALUE, i32.MAX_VALUE)
  }

  if (sourceMask === 0 && mask === 0) {
    forgetIdentity(dst)
    setConstant(dst, value)
    return
  }
  let low = value
  let high = value | mask
  if (op === AND) high = min(umax, sourceUmax)
  else if (op === OR) low = max(umin, sourceUmin)
  setUnsigned(dst, low, high)
  if (<i64>low <= <i64>high) setSigned(dst, <i64>low, <i64>high)
  else setSigned(dst, S64_MIN, S64_MAX)
}

function shiftIsConstant(src: usize, is64: i32): bool {
  if (
    load<i32>(src, REG_S32_MIN) !== load<i32>(src, REG_S32_MAX) ||
    load<u32>(src, REG_U32_MIN) !== load<u32>(src, REG_U32_MAX)
  )
    if (!is64) return false
  if (!is64) return load<u32>(src, REG_MASK) === 0
  return (
    load<u64>(src, REG_MASK) === 0 &&
    load<i64>(src, REG_SMIN) === load<i64>(src, REG_SMAX) &&
    load<u64>(src, REG_UMIN) === load<u64>(src, REG_UMAX)
  )
}

function shift32(dst: usize, op: i32, shift: u32): void {
  const value = load<u32>(dst, REG_VALUE)
  const mask = load<u32>(dst, REG_MASK)
  const umin = load<u32>(dst, REG_U32_MIN)
  const umax = load<u32>(dst, REG_U32_MAX)
  if (op === ARSH) {
    setTnumOf(dst, <u64>(<u32>(<i32>value >> shift)), <u64>(<u32>(<i32>mask >> shift)))
    setSigned32(dst, load<i32>(dst, REG_S32_MIN) >> shift, load<i32>(dst, REG_S32_MAX) >> shift)
    setUnsigned32(dst, 0, u32.MAX_VALUE)
  } else {
    setSigned32(dst, i32.MIN_VALUE, i32.MAX_VALUE)
    if (op === RSH) {
      setTnumOf(dst, <u64>(value >> shift), <u64>(mask >> shift))
      setUnsigned32(dst, umin >> shift, umax >> shift)
    } else {
      setTnumOf(dst, <u64>(value << shift), <u64>(mask << shift))
      leftEnds32(dst, umin, umax, shift)
    }
  }
  setUnbounded64(dst)
  learn32FromBits(dst)
}

/** Ends of the lower half after a shift to the left; nothing, when a set bit may fall out. */
function leftEnds32(dst: usize, umin: u32, umax: u32, shift: u32): void {
  if (shift > 31 || <u64>umax > (<u64>1) << (31 - shift)) setUnsigned32(dst, 0, u32.MAX_VALUE)
  else setUnsigned32(dst, umin << shift, umax << shift)
}

function shift64(dst: usize, op: i32, shift: u32): void {
  const value = load<u64>(dst, REG_VALUE)
  const mask = load<u64>(dst, REG_MASK)
  const umin = load<u64>(dst, REG_UMIN)
  const umax = load<u64>(dst, REG_UMAX)
  const n = <u64>shift
  if (op === ARSH) {
    setTnumOf(dst, <u64>(<i64>value >> n), <u64>(<i64>mask >> n))
    setSigned(dst, load<i64>(dst, REG_SMIN) >> n, load<i64>(dst, REG_SMAX) >> n)
    setUnsigned(dst, 0, U64_MAX)
    setUnbounded32(dst)
    return
  }
  if (op === RSH) {
    setTnumOf(dst, value >> n, mask >> n)
    setSigned(dst, S64_MIN, S64_MAX)
    setUnsigned(dst, umin >> n, umax >> n)
    setUnbounded32(dst)
    return
  }
  setTnumOf(dst, value << n, mask << n)
  // << 32 is half of a sign extension: the lower half's signed ends survive it.
  if (shift === 32)
    setSigned(
      dst,
      (<i64>load<i32>(dst, REG_S32_MIN)) << 32,
      (<i64>load<i32>(dst, REG_S32_MAX)) << 32,
    )
  else setSigned(dst, S64_MIN, S64_MAX)
  if (umax > (<u64>1) << (63 - n)) setUnsigned(dst, 0, U64_MAX)
  else setUnsigned(dst, umin << n, umax << n)
  const umin32 = load<u32>(dst, REG_U32_MIN)
  const umax32 = load<u32>(dst, REG_U32_MAX)
  setSigned32(dst, i32.MIN_VALUE, i32.MAX_VALUE)
  leftEnds32(dst, umin32, umax32, shift)
}

export function assign32into64(r: usize): void {
  const smin = load<i32>(r, REG_S32_MIN)
  const smax = load<i32>(r, REG_S32_MAX)
  setUnsigned(r, <u64>load<u32>(r, REG_U32_MIN), <u64>load<u32>(r, REG_U32_MAX))
  if (smin >= 0 && smax >= 0) setSigned(r, <i64>smin, <i64>smax)
  else setSigned(r, 0, <i64>LOW32)
}

export function zext32(r: usize): void {
  setTnumOf(r, load<u64>(r, REG_VALUE) & LOW32, load<u64>(r, REG_MASK) & LOW32)
  assign32into64(r)
}

const ADD_CONST64: u32 = 0x80000000
const ADD_CONST32: u32 = 0x40000000

/** Whether the destination of the last {@link alu} had more than 32 bits before. */
let wasWide: bool = false

/**
 * A scalar that shares an id and has a constant added or subtracted keeps the id, with the distance
 * in `off`, once; any other operation ends the sharing. A 32-bit operation on more than 32 bits
 * ends it too.
 */
export function linkAfterAlu(dst: usize, src: usize, op: i32, is64: i32): void {
  const id = load<u32>(dst, REG_ID)
  if (id === 0) return
  const isConstant = is64 ? load<u64>(src, REG_MASK) === 0 : load<u32>(src, REG_MASK) === 0
  if ((op !== ADD && op !== SUB) || !isConstant || dst === src) {
    store<u32>(dst, 0, REG_ID)
    return
  }
  const value = is64 ? <i64>load<u64>(src, REG_VALUE) : <i64>load<i32>(src, REG_VALUE)
  const distance = op === SUB ? -value : value
  if (
    (id & (ADD_CONST64 | ADD_CONST32)) !== 0 ||
    value !== <i64>(<i32>value) ||
    distance !== <i64>(<i32>distance) ||
    (!is64 && wasWide)
  ) {
    forgetIdentity(dst)
    return
  }
  store<u32>(dst, id | (is64 ? ADD_CONST64 : ADD_CONST32), REG_ID)
  store<i32>(dst, <i32>distance, REG_OFF)
}

/**
 * Whether `dst op src` is done for 0 and for -1 apart (and in how many bits): a value that is one
 * or the other, as an arithmetic shift leaves it, and-ed or or-ed with a constant.
 */
export function forkWidth(dst: usize, src: usize, op: i32): i32 {
  if ((op !== AND && op !== OR) || load<u64>(src, REG_MASK) !== 0) return 0
  if (load<i64>(dst, REG_SMIN) === -1 && load<i64>(dst, REG_SMAX) === 0) return 64
  if (load<i32>(dst, REG_S32_MIN) === -1 && load<i32>(dst, REG_S32_MAX) === 0) return 32
  return 0
}

/** Makes the register, or only its lower half, 0 or -1. */
export function setFork(r: usize, bits: i32, value: i32): void {
  if (bits === 64) {
    forgetIdentity(r)
    setConstant(r, <u64>(<i64>value))
    return
  }
  setTnumOf(
    r,
    (load<u64>(r, REG_VALUE) & ~LOW32) | <u64>(<u32>value),
    load<u64>(r, REG_MASK) & ~LOW32,
  )
  setKnown32(r, <u32>value)
}
