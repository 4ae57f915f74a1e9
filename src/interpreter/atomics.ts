/**
 * Atomic read-modify-write (RFC 9669 §5.3). Programs of one kernel run one after another, so
 * memory is read and written plainly; on a shared memory, where other threads may be at it, the
 * operation goes through `Atomics`.
 */

import {
  BPF_ADD,
  BPF_AND,
  BPF_CMPXCHG,
  BPF_FETCH,
  BPF_OR,
  BPF_XCHG,
  BPF_XOR,
} from "../isa/index.ts"
import { alignedAccess } from "./access.ts"
import { WORD_DST, WORD_IMM, WORD_SRC } from "./code.ts"
import { REGION_READ, REGION_WRITE } from "./machine.ts"
import type { State } from "./state.ts"
import { store as storeWide } from "./wide.ts"

/** An atomic operation on 32 bits; false after a fault. */
export function atomic32<E>(state: State<E>, pc: number): boolean {
  const { registers: r, space } = state
  const { words } = state.code
  const at = alignedAccess(state, pc, words[pc + WORD_DST], 4, REGION_READ | REGION_WRITE)
  if (at < 0) return false
  const imm = words[pc + WORD_IMM]
  const s = words[pc + WORD_SRC]
  const { i32 } = space
  const old = isShared(i32)
    ? modifyShared32(i32, at >> 2, imm, r[s], r[0])
    : modify32(i32, at >> 2, imm, r[s], r[0])
  // cmpxchg leaves what was there in r0, the others in src; the upper half becomes 0.
  const target = imm === BPF_CMPXCHG ? 0 : s
  if ((imm & BPF_FETCH) !== 0) {
    r[target] = old
    r[target + 1] = 0
  }
  return true
}

function isShared(array: { readonly buffer: ArrayBufferLike }): boolean {
  return typeof SharedArrayBuffer !== "undefined" && array.buffer instanceof SharedArrayBuffer
}

function modify32(
  i32: Int32Array,
  index: number,
  imm: number,
  b: number,
  expected: number,
): number {
  const old = i32[index]
  switch (imm & ~BPF_FETCH) {
    case BPF_ADD:
      i32[index] = old + b
      break
    case BPF_OR:
      i32[index] = old | b
      break
    case BPF_AND:
      i32[index] = old & b
      break
    case BPF_XOR:
      i32[index] = old ^ b
      break
    case BPF_XCHG & ~BPF_FETCH:
      i32[index] = b
      break
    default:
      if (old === expected) i32[index] = b
  }
  return old
}

function modifyShared32(
  i32: Int32Array,
  index: number,
  imm: number,
  b: number,
  expected: number,
): number {
  switch (imm & ~BPF_FETCH) {
    case BPF_ADD:
      return Atomics.add(i32, index, b)
    case BPF_OR:
      return Atomics.or(i32, index, b)
    case BPF_AND:
      return Atomics.and(i32, index, b)
    case BPF_XOR:
      return Atomics.xor(i32, index, b)
    case BPF_XCHG & ~BPF_FETCH:
      return Atomics.exchange(i32, index, b)
    default:
      return Atomics.compareExchange(i32, index, expected, b)
  }
}

/** An atomic operation on 64 bits; false after a fault. */
export function atomic64<E>(state: State<E>, pc: number): boolean {
  const { registers: r, space } = state
  const { words } = state.code
  const at = alignedAccess(state, pc, words[pc + WORD_DST], 8, REGION_READ | REGION_WRITE)
  if (at < 0) return false
  const imm = words[pc + WORD_IMM]
  const s = words[pc + WORD_SRC]
  const target = imm === BPF_CMPXCHG ? 0 : s
  if (isShared(space.i32)) {
    const old = modifyShared64(
      new BigInt64Array(space.memory.buffer),
      at >> 3,
      imm,
      wide(r, s),
      wide(r, 0),
    )
    if ((imm & BPF_FETCH) !== 0) storeWide(r, target, old)
    return true
  }
  const { i32 } = space
  const index = at >> 2
  const low = i32[index]
  const high = i32[index + 1]
  modify64(i32, index, imm, r, s)
  if ((imm & BPF_FETCH) !== 0) {
    r[target] = low
    r[target + 1] = high
  }
  return true
}

function wide(r: Int32Array, n: number): bigint {
  return (BigInt(r[n + 1]) << 32n) | BigInt(r[n] >>> 0)
}

/** Applies the operation to the pair of words at `index`; `r[s]` is the operand, r0 the comparand. */
function modify64(i32: Int32Array, index: number, imm: number, r: Int32Array, s: number): void {
  const bLow = r[s]
  const bHigh = r[s + 1]
  switch (imm & ~BPF_FETCH) {
    case BPF_ADD: {
      const low = (i32[index] + bLow) | 0
      i32[index + 1] += bHigh + (low >>> 0 < bLow >>> 0 ? 1 : 0)
      i32[index] = low
      break
    }
    case BPF_OR:
      i32[index] |= bLow
      i32[index + 1] |= bHigh
      break
    case BPF_AND:
      i32[index] &= bLow
      i32[index + 1] &= bHigh
      break
    case BPF_XOR:
      i32[index] ^= bLow
      i32[index + 1] ^= bHigh
      break
    case BPF_CMPXCHG & ~BPF_FETCH:
      if (i32[index] !== r[0] || i32[index + 1] !== r[1]) break
      i32[index] = bLow
      i32[index + 1] = bHigh
      break
    default:
      i32[index] = bLow
      i32[index + 1] = bHigh
  }
}

function modifyShared64(
  i64: BigInt64Array,
  index: number,
  imm: number,
  b: bigint,
  expected: bigint,
): bigint {
  switch (imm & ~BPF_FETCH) {
    case BPF_ADD:
      return Atomics.add(i64, index, b)
    case BPF_OR:
      return Atomics.or(i64, index, b)
    case BPF_AND:
      return Atomics.and(i64, index, b)
    case BPF_XOR:
      return Atomics.xor(i64, index, b)
    case BPF_XCHG & ~BPF_FETCH:
      return Atomics.exchange(i64, index, b)
    default:
      return Atomics.compareExchange(i64, index, expected, b)
  }
}
