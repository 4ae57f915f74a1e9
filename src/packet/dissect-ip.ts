/** Dissection of IPv4 (RFC 791), IPv6 and its extension headers (RFC 8200), and GRE (RFC 2784). */

import { formatIpv4, formatIpv6 } from "./address.ts"
import type { Cursor, Next } from "./cursor.ts"
import {
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOPOPTS,
  IPPROTO_MH,
  IPPROTO_ROUTING,
} from "./protocol.ts"

/** Reads the IPv4 header under the cursor; its total length bounds what follows. */
export function dissectIpv4(cursor: Cursor): Next {
  const { at, bytes, view } = cursor
  if (!cursor.has("ipv4", 20)) return null
  if (bytes[at] >> 4 !== 4) {
    cursor.note("malformed", "ipv4", `version ${bytes[at] >> 4} in an ipv4 header`)
    return null
  }
  const length = (bytes[at] & 15) * 4
  if (length < 20) {
    cursor.note("malformed", "ipv4", `header length ${length} of ipv4 is less than 20`)
    return null
  }
  if (!cursor.has("ipv4", length)) return null
  const totalLength = view.getUint16(at + 2)
  const fragment = view.getUint16(at + 6)
  const fragmentOffset = (fragment & 0x1fff) * 8
  const protocol = bytes[at + 9]
  cursor.push({
    kind: "ipv4",
    offset: at,
    length,
    tos: bytes[at + 1],
    totalLength,
    id: view.getUint16(at + 4),
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffset,
    ttl: bytes[at + 8],
    protocol,
    checksum: view.getUint16(at + 10),
    src: formatIpv4(bytes, at + 12),
    dst: formatIpv4(bytes, at + 16),
    options: bytes.subarray(at + 20, at + length),
  })
  cursor.fragmented = (fragment & 0x2000) !== 0
  // Zero is what segmentation offload and BIG TCP leave: the frame's own length counts.
  if (totalLength !== 0 && totalLength < length)
    cursor.note("malformed", "ipv4", `total length ${totalLength} is less than the header's`)
  else if (totalLength !== 0) cursor.limit("ipv4", at, totalLength)
  return fragmentOffset === 0 ? { by: "ipProtocol", protocol, family: 4 } : null
}

/** Reads the IPv6 header under the cursor; its payload length bounds what follows. */
export function dissectIpv6(cursor: Cursor): Next {
  const { at, bytes, view } = cursor
  if (!cursor.has("ipv6", 40)) return null
  const first = view.getUint32(at)
  if (first >>> 28 !== 6) {
    cursor.note("malformed", "ipv6", `version ${first >>> 28} in an ipv6 header`)
    return null
  }
  const payloadLength = view.getUint16(at + 4)
  const nextHeader = bytes[at + 6]
  cursor.push({
    kind: "ipv6",
    offset: at,
    length: 40,
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xfffff,
    payloadLength,
    nextHeader,
    hopLimit: bytes[at + 7],
    src: formatIpv6(bytes, at + 8),
    dst: formatIpv6(bytes, at + 24),
  })
  // Zero is a jumbogram (RFC 2675) or BIG TCP unless nothing follows anyway.
  if (payloadLength !== 0) cursor.limit("ipv6", at + 40, payloadLength)
  return { by: "ipProtocol", protocol: nextHeader, family: 6 }
}

const IPV6_EXTENSIONS = [
  IPPROTO_HOPOPTS,
  IPPROTO_ROUTING,
  IPPROTO_FRAGMENT,
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
  IPPROTO_MH,
]

/** Whether a protocol number is an IPv6 extension header that {@link dissectIpv6Extension} reads. */
export function isIpv6Extension(protocol: number): boolean {
  return IPV6_EXTENSIONS.includes(protocol)
}

/** Reads the extension header of number `type` under the cursor. */
export function dissectIpv6Extension(cursor: Cursor, type: number): Next {
  if (type === IPPROTO_FRAGMENT) return dissectIpv6Fragment(cursor)
  const { at, bytes } = cursor
  if (!cursor.has("ipv6-extension", 8)) return null
  // An authentication header counts words of four bytes (RFC 4302 §2.2), the others of eight.
  const length = type === IPPROTO_AH ? (bytes[at + 1] + 2) * 4 : (bytes[at + 1] + 1) * 8
  if (!cursor.has("ipv6-extension", length)) return null
  const nextHeader = bytes[at]
  const data = bytes.subarray(at + 2, at + length)
  cursor.push({ kind: "ipv6-extension", offset: at, length, type, nextHeader, data })
  return { by: "ipProtocol", protocol: nextHeader, family: 6 }
}

function dissectIpv6Fragment(cursor: Cursor): Next {
  const { at, bytes, view } = cursor
  if (!cursor.has("ipv6-fragment", 8)) return null
  const nextHeader = bytes[at]
  const word = view.getUint16(at + 2)
  const fragmentOffset = word & 0xfff8
  cursor.fragmented = (word & 1) !== 0
  cursor.push({
    kind: "ipv6-fragment",
    offset: at,
    length: 8,
    nextHeader,
    fragmentOffset,
    moreFragments: (word & 1) !== 0,
    id: view.getUint32(at + 4),
  })
  return fragmentOffset === 0 ? { by: "ipProtocol", protocol: nextHeader, family: 6 } : null
}

const GRE_CHECKSUM = 0x8000
const GRE_KEY = 0x2000
const GRE_SEQUENCE = 0x1000

/** Reads a GRE header of version 0; of others (PPTP) only the header itself. */
export function dissectGre(cursor: Cursor): Next {
  const { at, view } = cursor
  if (!cursor.has("gre", 4)) return null
  const flags = view.getUint16(at)
  const checksumSize = (flags & GRE_CHECKSUM) === 0 ? 0 : 4
  const keySize = (flags & GRE_KEY) === 0 ? 0 : 4
  const length = 4 + checksumSize + keySize + ((flags & GRE_SEQUENCE) === 0 ? 0 : 4)
  if (!cursor.has("gre", length)) return null
  const type = view.getUint16(at + 2)
  const key = keySize === 0 ? null : view.getUint32(at + 4 + checksumSize)
  cursor.push({ kind: "gre", offset: at, length, flags, type, key })
  return (flags & 7) === 0 ? { by: "etherType", type } : null
}
