/**
 * `struct bpf_dynptr` in a program's memory: 16 bytes that programs hand around but may not look
 * into (linux v6.18 include/linux/bpf.h struct bpf_dynptr_kern).
 *
 * ```text
 *  0 address of the data (skb, xdp: of the context)    8 size; bits 28-30 type, bit 31 read-only
 * 12 offset into the data
 * ```
 */

import type { AddressSpace } from "../../interpreter/index.ts"
import { ERRNO } from "../../spec/index.ts"

/** sizeof(struct bpf_dynptr). */
export const DYNPTR_BYTES = 16
/** Largest size of what a dynptr stands for. */
export const DYNPTR_MAX_SIZE: number = (1 << 24) - 1

/** enum bpf_dynptr_type. */
export const LOCAL_DYNPTR = 1
export const DYNPTR_RINGBUF = 2
export const DYNPTR_SKB = 3
export const DYNPTR_XDP = 4

const SIZE_MASK = 0x00ff_ffff
const TYPE_SHIFT = 28
const READ_ONLY: number = 0x8000_0000 | 0

export interface Dynptr {
  readonly low: number
  readonly high: number
  readonly type: number
  readonly readOnly: boolean
  readonly size: number
  readonly offset: number
}

/** The dynptr at `at`, or null when it stands for nothing. */
export function readDynptr(space: AddressSpace, at: number): Dynptr | null {
  const { view } = space
  const low = view.getInt32(at, true)
  const high = view.getInt32(at + 4, true)
  if (low === 0 && high === 0) return null
  const word = view.getInt32(at + 8, true)
  return {
    low,
    high,
    type: (word >>> TYPE_SHIFT) & 7,
    readOnly: (word & READ_ONLY) !== 0,
    size: word & SIZE_MASK,
    offset: view.getUint32(at + 12, true),
  }
}

export function writeDynptr(space: AddressSpace, at: number, dynptr: Dynptr): void {
  const { view } = space
  view.setInt32(at, dynptr.low, true)
  view.setInt32(at + 4, dynptr.high, true)
  const flags = (dynptr.type << TYPE_SHIFT) | (dynptr.readOnly ? READ_ONLY : 0)
  view.setInt32(at + 8, flags | dynptr.size, true)
  view.setUint32(at + 12, dynptr.offset, true)
}

export function setNullDynptr(space: AddressSpace, at: number): void {
  space.u8.fill(0, at, at + DYNPTR_BYTES)
}

/** bpf_dynptr_check_size: 0 or -E2BIG. */
export function checkDynptrSize(size: number): number {
  return size > DYNPTR_MAX_SIZE ? -ERRNO.E2BIG : 0
}

/** bpf_dynptr_check_off_len: 0 or -E2BIG. */
export function checkRange(dynptr: Dynptr, offset: number, length: number): number {
  return length > dynptr.size || offset > dynptr.size - length ? -ERRNO.E2BIG : 0
}
