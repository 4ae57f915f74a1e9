/**
 * The internet checksum (RFC 1071), its incremental update (RFC 1624 eqn. 3) and the pseudo
 * headers of TCP and UDP (RFC 9293 §3.1, RFC 8200 §8.1). Sums are 16-bit one's complement
 * numbers of big-endian words, always folded; checksums are their complement, as stored.
 */

import { equalBytes } from "../base/index.ts"
import { IPPROTO_UDP } from "./protocol.ts"

function fold(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000)
  return folded
}

/**
 * One's complement sum of the 16-bit words of `bytes`, added to `initial`. An odd last byte is
 * the upper half of a word. Parts can be chained if all but the last have an even length.
 */
export function checksumSum(bytes: Uint8Array, initial = 0): number {
  // Exact in a double: 2^21 words of 65,535 stay far below 2^53.
  let sum = initial
  const even = bytes.length & ~1
  for (let i = 0; i < even; i += 2) sum += (bytes[i] << 8) | bytes[i + 1]
  if (even < bytes.length) sum += bytes[even] << 8
  return fold(sum)
}

/** The checksum to store over `bytes`, whose checksum field must be zero. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  return ~checksumSum(bytes, initial) & 0xffff
}

/** The checksum after one 16-bit word under it has changed from `before` to `after`. */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff
}

/**
 * The checksum after the bytes `before`, which begin at an even offset of what it covers, have
 * become `after`. The lengths may differ only if the change is at the end, and are even but for
 * the last byte of all.
 */
export function updateChecksumBytes(
  checksum: number,
  before: Uint8Array,
  after: Uint8Array,
): number {
  if (equalBytes(before, after)) return checksum
  const removed = ~checksumSum(before) & 0xffff
  return ~fold((~checksum & 0xffff) + removed + checksumSum(after)) & 0xffff
}

/** What TCP, UDP and ICMPv6 sum besides themselves: the addresses are both 4 or both 16 bytes. */
export interface PseudoHeader {
  readonly src: Uint8Array
  readonly dst: Uint8Array
}

/** Sum of the pseudo header for a segment of `length` bytes of `protocol`. */
export function pseudoHeaderSum(pseudo: PseudoHeader, protocol: number, length: number): number {
  const addresses = checksumSum(pseudo.dst, checksumSum(pseudo.src))
  // The IPv6 pseudo header has a 32-bit length; for IPv4 the upper half is always zero.
  return fold(addresses + protocol + Math.floor(length / 0x10000) + (length & 0xffff))
}

/**
 * The checksum to store in a TCP, UDP or ICMPv6 segment whose checksum field is zero. For UDP a
 * result of zero is stored as 0xffff, since zero means "none" (RFC 768).
 */
export function transportChecksum(
  pseudo: PseudoHeader,
  protocol: number,
  segment: Uint8Array,
): number {
  const sum = pseudoHeaderSum(pseudo, protocol, segment.length)
  const checksum = internetChecksum(segment, sum)
  return checksum === 0 && protocol === IPPROTO_UDP ? 0xffff : checksum
}

/** Whether bytes that contain their checksum (an IPv4 header, an ICMP message) sum to -0. */
export function checksumValid(bytes: Uint8Array, initial = 0): boolean {
  return checksumSum(bytes, initial) === 0xffff
}

/** Whether a whole TCP, UDP or ICMPv6 segment is right under its pseudo header. */
export function transportChecksumValid(
  pseudo: PseudoHeader,
  protocol: number,
  segment: Uint8Array,
): boolean {
  return checksumValid(segment, pseudoHeaderSum(pseudo, protocol, segment.length))
}
