/**
 * Copying, comparing and hashing of bytes in linear memory. Short runs go word by word, because a
 * call into the runtime costs more than the copy.
 *
 * The hash is Bob Jenkins's lookup3 (public domain) in the form that Linux uses as jhash and
 * jhash2, so that a map with BPF_F_ZERO_SEED has the buckets, and therefore the order, that it has
 * there (linux v6.18 include/linux/jhash.h).
 */

import type { AddressSpace } from "../../interpreter/machine.ts"

/** Longest run that is copied word by word. */
const WORDWISE_BYTES_MAX = 128

/** The next multiple of 8. */
export function roundUp8(size: number): number {
  return Math.ceil(size / 8) * 8
}

/** The next power of two (1 for 0 and 1). */
export function roundUpPowerOfTwo(count: number): number {
  return count <= 1 ? 1 : 2 ** (32 - Math.clz32(count - 1))
}

/** Copies `size` bytes inside linear memory; the runs do not overlap. */
export function copyBytes(memory: AddressSpace, to: number, from: number, size: number): void {
  if (size > WORDWISE_BYTES_MAX || ((to | from) & 3) !== 0) {
    memory.u8.copyWithin(to, from, from + size)
    return
  }
  const { i32, u8 } = memory
  const words = size >> 2
  const target = to >> 2
  const source = from >> 2
  for (let word = 0; word < words; word++) i32[target + word] = i32[source + word]
  for (let byte = words << 2; byte < size; byte++) u8[to + byte] = u8[from + byte]
}

/** Writes `size` bytes of `source`, from `from` on, to the offset `to`. */
export function copyIn(
  memory: AddressSpace,
  to: number,
  source: Uint8Array,
  from: number,
  size: number,
): void {
  if (size > 32) {
    memory.u8.set(source.subarray(from, from + size), to)
    return
  }
  const { u8 } = memory
  for (let byte = 0; byte < size; byte++) u8[to + byte] = source[from + byte]
}

/** Whether `size` bytes at two offsets, both multiples of 4, are the same. */
export function sameBytes(memory: AddressSpace, a: number, b: number, size: number): boolean {
  const { i32, u8 } = memory
  const words = size >> 2
  const left = a >> 2
  const right = b >> 2
  for (let word = 0; word < words; word++) if (i32[left + word] !== i32[right + word]) return false
  for (let byte = words << 2; byte < size; byte++) if (u8[a + byte] !== u8[b + byte]) return false
  return true
}

/** Fills with zeros. */
export function zeroBytes(memory: AddressSpace, at: number, size: number): void {
  memory.u8.fill(0, at, at + size)
}

const JHASH_INITVAL = 0xdeadbeef | 0

/**
 * jhash2 when `size` is a multiple of 4, else jhash: an int. `at` is a multiple of 4.
 */
export function jhash(memory: AddressSpace, at: number, size: number, seed: number): number {
  const { i32 } = memory
  let a = (JHASH_INITVAL + size + seed) | 0
  let b = a
  let c = a
  let word = at >> 2
  // Whole blocks of three words, except that the last block is left for the final mix.
  let left = size
  while (left > 12) {
    a = (a + i32[word]) | 0
    b = (b + i32[word + 1]) | 0
    c = (c + i32[word + 2]) | 0
    word += 3
    left -= 12
    a = (a - c) ^ ((c << 4) | (c >>> 28))
    c = (c + b) | 0
    b = (b - a) ^ ((a << 6) | (a >>> 26))
    a = (a + c) | 0
    c = (c - b) ^ ((b << 8) | (b >>> 24))
    b = (b + a) | 0
    a = (a - c) ^ ((c << 16) | (c >>> 16))
    c = (c + b) | 0
    b = (b - a) ^ ((a << 19) | (a >>> 13))
    a = (a + c) | 0
    c = (c - b) ^ ((b << 4) | (b >>> 28))
    b = (b + a) | 0
  }
  if (left === 0) return c
  // The block is 4-aligned; bytes behind the key's end are masked away.
  a = (a + tailWord(memory, word, left)) | 0
  if (left > 4) b = (b + tailWord(memory, word + 1, left - 4)) | 0
  if (left > 8) c = (c + tailWord(memory, word + 2, left - 8)) | 0
  c = ((c ^ b) - ((b << 14) | (b >>> 18))) | 0
  a = ((a ^ c) - ((c << 11) | (c >>> 21))) | 0
  b = ((b ^ a) - ((a << 25) | (a >>> 7))) | 0
  c = ((c ^ b) - ((b << 16) | (b >>> 16))) | 0
  a = ((a ^ c) - ((c << 4) | (c >>> 28))) | 0
  b = ((b ^ a) - ((a << 14) | (a >>> 18))) | 0
  c = ((c ^ b) - ((b << 24) | (b >>> 8))) | 0
  return c
}

function tailWord(memory: AddressSpace, word: number, left: number): number {
  if (left >= 4) return memory.i32[word]
  const { u8 } = memory
  const at = word << 2
  let value = u8[at]
  if (left > 1) value |= u8[at + 1] << 8
  if (left > 2) value |= u8[at + 2] << 16
  return value
}
