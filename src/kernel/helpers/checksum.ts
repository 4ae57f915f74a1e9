/**
 * Internet checksums as the kernel keeps them: 16- and 32-bit one's complement sums of words in
 * the machine's own (little-endian) byte order, so that program and kernel can mix them
 * (linux v6.18 include/net/checksum.h, lib/checksum.c).
 *
 * A 32-bit sum is unfolded; 0 and 0xffffffff both stand for zero, and which of the two a function
 * gives is part of what programs can see.
 */

/** a + b with end-around carry. */
export function csumAdd(a: number, b: number): number {
  const sum = (a >>> 0) + (b >>> 0)
  return sum > 0xffff_ffff ? (sum - 0xffff_ffff) >>> 0 : sum
}

/** a - b. */
export function csumSub(a: number, b: number): number {
  return csumAdd(a, ~b)
}

/** Folds 32 bits to 16 and complements: the checksum to store. */
export function csumFold(sum: number): number {
  return ~csumFrom32To16(sum) & 0xffff
}

/** Folds 32 bits to 16. */
export function csumFrom32To16(sum: number): number {
  let folded = ((sum >>> 0) & 0xffff) + (sum >>> 16)
  folded = (folded & 0xffff) + (folded >>> 16)
  return folded & 0xffff
}

/**
 * The sum of `length` bytes, added to `seed`: of 32-bit words, as csum_partial of 64-bit machines
 * leaves it; bytes after the last word are the low ones of another.
 */
export function csumPartial(u8: Uint8Array, start: number, length: number, seed: number): number {
  let sum = seed >>> 0
  const end = start + length
  let at = start
  for (; at + 4 <= end; at += 4)
    sum += (u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24)) >>> 0
  for (let shift = 0; at < end; at++, shift += 8) sum += u8[at] << shift
  // Exact up to 2^21 words.
  while (sum > 0xffff_ffff) sum = (sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000)
  return sum
}

function shifted(sum: number, offset: number): number {
  return offset & 1 ? ((sum >>> 8) | (sum << 24)) >>> 0 : sum
}

/** Adds the sum of a block that begins at byte `offset` of what `sum` covers. */
export function csumBlockAdd(sum: number, block: number, offset: number): number {
  return csumAdd(sum, shifted(block, offset))
}

/** Takes the sum of a block out again. */
export function csumBlockSub(sum: number, block: number, offset: number): number {
  return csumBlockAdd(sum, ~block, offset)
}

/** The stored 16-bit checksum after a 32-bit word under it has changed (csum_replace4). */
export function csumReplace4(checksum: number, from: number, to: number): number {
  return csumFold(csumAdd(csumSub(~checksum, from), to))
}

/** The same for a 16-bit word (csum_replace2). */
export function csumReplace2(checksum: number, from: number, to: number): number {
  return ~csum16Add(csum16Add(~checksum & 0xffff, ~from & 0xffff), to & 0xffff) & 0xffff
}

/** The same for a difference that bpf_csum_diff gave (csum_replace_by_diff). */
export function csumReplaceByDiff(checksum: number, diff: number): number {
  return csumFold(csumAdd(diff, ~checksum))
}

function csum16Add(a: number, b: number): number {
  const sum = a + b
  return (sum & 0xffff) + (sum >>> 16)
}
