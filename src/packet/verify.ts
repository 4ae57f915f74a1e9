/** Checks the checksums of a frame against its bytes. */

import {
  checksumSum,
  internetChecksum,
  type PseudoHeader,
  pseudoHeaderSum,
  transportChecksum,
} from "./checksum.ts"
import { dissect } from "./dissect.ts"
import type { Dissection, Header, Ipv4Header, Ipv6Header } from "./header.ts"
import {
  IPPROTO_ICMPV6,
  IPPROTO_ROUTING,
  IPPROTO_TCP,
  IPPROTO_UDP,
  LINKTYPE_ETHERNET,
} from "./protocol.ts"

/** One checksum of a frame. */
export interface ChecksumReport {
  readonly header: "ipv4" | "tcp" | "udp" | "icmp" | "icmpv6"
  /** Of the header that has it. */
  readonly offset: number
  readonly stored: number
  /** What should be stored. */
  readonly expected: number
  readonly valid: boolean
  /** The sum of the pseudo header alone: offload has left the rest to the network card. */
  readonly partial: boolean
}

/**
 * Reports every checksum that the frame holds enough of: those of IPv4 headers always, those of
 * TCP, UDP and ICMP unless the packet is a fragment, cut, or source-routed (IPv6). A UDP checksum
 * of zero over IPv4 means none, and is not reported.
 */
export function verifyChecksums(
  frame: Uint8Array,
  linkType: number = LINKTYPE_ETHERNET,
): ChecksumReport[] {
  const dissection = dissect(frame, linkType)
  const reports: ChecksumReport[] = []
  let ip: Ipv4Header | Ipv6Header | null = null
  let whole = !dissection.problems.some(({ kind }) => kind === "truncated")
  for (const header of dissection.headers) {
    if (header.kind === "ipv4" || header.kind === "ipv6") ip = header
    if (header.kind === "ipv4") {
      reports.push(reportIpv4(frame, header))
      if (header.moreFragments) whole = false
    } else if (header.kind === "ipv6-fragment") {
      whole = false
    } else if (header.kind === "ipv6-extension" && header.type === IPPROTO_ROUTING) {
      if (header.data[1] !== 0) whole = false
    } else if (ip !== null && whole) {
      const report = reportTransport(frame, dissection, ip, header)
      if (report !== null) reports.push(report)
    }
  }
  return reports
}

/** `checksum` with the two bytes at `at` of `bytes` taken as zero. */
function withoutField(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[at] = 0
  copy[at + 1] = 0
  return copy
}

function reportIpv4(frame: Uint8Array, { offset, length, checksum }: Ipv4Header): ChecksumReport {
  const header = frame.subarray(offset, offset + length)
  const expected = internetChecksum(withoutField(header, 10))
  const valid = checksumSum(header) === 0xffff
  return { header: "ipv4", offset, stored: checksum, expected, valid, partial: false }
}

function reportTransport(
  frame: Uint8Array,
  dissection: Dissection,
  ip: Ipv4Header | Ipv6Header,
  header: Header,
): ChecksumReport | null {
  const { offset } = header
  const addressSize = ip.kind === "ipv4" ? 4 : 16
  const addressesAt = ip.offset + (ip.kind === "ipv4" ? 12 : 8)
  const pseudo: PseudoHeader = {
    src: frame.subarray(addressesAt, addressesAt + addressSize),
    dst: frame.subarray(addressesAt + addressSize, addressesAt + 2 * addressSize),
  }
  const end = dissection.payloadOffset + dissection.payloadLength
  switch (header.kind) {
    case "tcp":
      return report(header, frame.subarray(offset, end), 16, pseudo, IPPROTO_TCP)
    case "udp": {
      if (header.checksum === 0 && ip.kind === "ipv4") return null
      if (header.datagramLength < 8) return null
      const segment = frame.subarray(offset, offset + header.datagramLength)
      return report(header, segment, 6, pseudo, IPPROTO_UDP)
    }
    case "icmp":
      return report(header, frame.subarray(offset, end), 2, null, 0)
    case "icmpv6":
      return report(header, frame.subarray(offset, end), 2, pseudo, IPPROTO_ICMPV6)
    default:
      return null
  }
}

function report(
  header: Extract<Header, { checksum: number }> & { kind: ChecksumReport["header"] },
  segment: Uint8Array,
  fieldAt: number,
  pseudo: PseudoHeader | null,
  protocol: number,
): ChecksumReport {
  const { kind, offset, checksum: stored } = header
  const zeroed = withoutField(segment, fieldAt)
  const initial = pseudo === null ? 0 : pseudoHeaderSum(pseudo, protocol, segment.length)
  const expected =
    pseudo === null ? internetChecksum(zeroed) : transportChecksum(pseudo, protocol, zeroed)
  const valid = checksumSum(segment, initial) === 0xffff
  const partial = !valid && pseudo !== null && stored === initial
  return { header: kind, offset, stored, expected, valid, partial }
}
