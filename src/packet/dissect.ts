/**
 * Takes a frame apart into typed headers, from the link layer to TCP, UDP or ICMP, through VLAN
 * tags and tunnels. Any bytes at all can be given: what is cut or contradicts itself is noted as
 * a problem, and the headers before it are still there.
 */

import { formatIpv4, formatMac } from "./address.ts"
import { Cursor, type Next } from "./cursor.ts"
import {
  dissectGre,
  dissectIpv4,
  dissectIpv6,
  dissectIpv6Extension,
  isIpv6Extension,
} from "./dissect-ip.ts"
import { dissectIcmp, dissectTcp, dissectUdp, dissectUdpPayload } from "./dissect-transport.ts"
import type { Dissection, Header, HeaderKind } from "./header.ts"
import {
  ETH_HLEN,
  ETH_P_802_3_MIN,
  ETH_P_8021AD,
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  ETH_P_TEB,
  IPPROTO_GRE,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IPIP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  LINKTYPE_ETHERNET,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_LOOP,
  LINKTYPE_NULL,
  LINKTYPE_RAW,
} from "./protocol.ts"

/** Headers that are read of one frame; more nested ones are payload. */
export const HEADERS_MAX = 32

/** VLAN tags of 802.1Q, 802.1ad, and the two EtherTypes that switches used before 802.1ad. */
const VLAN_TYPES = [ETH_P_8021Q, ETH_P_8021AD, 0x9100, 0x9200]

/** Address families of BSD loopback headers: AF_INET, and AF_INET6 as various systems have it. */
const BSD_FAMILIES: Readonly<Record<number, number>> = {
  2: ETH_P_IP,
  10: ETH_P_IPV6,
  24: ETH_P_IPV6,
  28: ETH_P_IPV6,
  30: ETH_P_IPV6,
}

/** Dissects `frame`, whose link layer is `linkType` (a LINKTYPE_ number; Ethernet by default). */
export function dissect(frame: Uint8Array, linkType: number = LINKTYPE_ETHERNET): Dissection {
  const cursor = new Cursor(frame)
  let next = dissectLink(cursor, linkType)
  while (next !== null && cursor.headers.length < HEADERS_MAX) next = dissectNext(cursor, next)
  return {
    headers: cursor.headers,
    payloadOffset: cursor.at,
    payloadLength: Math.max(0, cursor.end - cursor.at),
    problems: cursor.problems,
  }
}

/** The first (outermost) header of this kind; `undefined` when there is none. */
export function findHeader<K extends HeaderKind>(
  dissection: Dissection,
  kind: K,
): Extract<Header, { kind: K }> | undefined {
  return dissection.headers.find(
    (header): header is Extract<Header, { kind: K }> => header.kind === kind,
  )
}

function dissectLink(cursor: Cursor, linkType: number): Next {
  switch (linkType) {
    case LINKTYPE_ETHERNET:
      return { by: "ethernet" }
    case LINKTYPE_RAW:
    case LINKTYPE_IPV4:
    case LINKTYPE_IPV6:
      return { by: "ipVersion" }
    case LINKTYPE_LINUX_SLL:
      return dissectCooked(cursor, { size: 16, typeAt: 14, packetTypeAt: 1 })
    case LINKTYPE_LINUX_SLL2:
      return dissectCooked(cursor, { size: 20, typeAt: 0, packetTypeAt: 10 })
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP:
      return dissectLoopback(cursor)
    default:
      return null
  }
}

function dissectNext(cursor: Cursor, next: NonNullable<Next>): Next {
  switch (next.by) {
    case "ethernet":
      return dissectEthernet(cursor)
    case "etherType":
      return dissectEtherType(cursor, next.type)
    case "ipProtocol":
      return dissectIpProtocol(cursor, next)
    case "ipVersion": {
      if (!cursor.has("ipv4", 1)) return null
      return cursor.bytes[cursor.at] >> 4 === 6 ? dissectIpv6(cursor) : dissectIpv4(cursor)
    }
    case "udpPort":
      return dissectUdpPayload(cursor, next.port)
  }
}

function dissectEtherType(cursor: Cursor, type: number): Next {
  if (VLAN_TYPES.includes(type)) return dissectVlan(cursor, type)
  switch (type) {
    case ETH_P_IP:
      return dissectIpv4(cursor)
    case ETH_P_IPV6:
      return dissectIpv6(cursor)
    case ETH_P_ARP:
      return dissectArp(cursor)
    case ETH_P_TEB:
      return dissectEthernet(cursor)
    default:
      return null
  }
}

function dissectIpProtocol(
  cursor: Cursor,
  { protocol, family }: { protocol: number; family: 4 | 6 },
): Next {
  switch (protocol) {
    case IPPROTO_TCP:
      return dissectTcp(cursor)
    case IPPROTO_UDP:
      return dissectUdp(cursor)
    case IPPROTO_ICMP:
      return dissectIcmp(cursor, "icmp")
    case IPPROTO_ICMPV6:
      return dissectIcmp(cursor, "icmpv6")
    case IPPROTO_IPIP:
      return dissectIpv4(cursor)
    case IPPROTO_IPV6:
      return dissectIpv6(cursor)
    case IPPROTO_GRE:
      return dissectGre(cursor)
    default:
      return family === 6 && isIpv6Extension(protocol)
        ? dissectIpv6Extension(cursor, protocol)
        : null
  }
}

function dissectEthernet(cursor: Cursor): Next {
  const { at, bytes } = cursor
  if (!cursor.has("ethernet", ETH_HLEN)) return null
  const type = cursor.view.getUint16(at + 12)
  const [dst, src] = [formatMac(bytes, at), formatMac(bytes, at + 6)]
  cursor.push({ kind: "ethernet", offset: at, length: ETH_HLEN, dst, src, type })
  return type >= ETH_P_802_3_MIN ? { by: "etherType", type } : null
}

function dissectCooked(
  cursor: Cursor,
  layout: { size: number; typeAt: number; packetTypeAt: number },
): Next {
  if (!cursor.has("cooked", layout.size)) return null
  const type = cursor.view.getUint16(layout.typeAt)
  const packetType = cursor.bytes[layout.packetTypeAt]
  cursor.push({ kind: "cooked", offset: 0, length: layout.size, type, packetType })
  return { by: "etherType", type }
}

function dissectLoopback(cursor: Cursor): Next {
  if (!cursor.has("cooked", 4)) return null
  // The family is a small number, so the byte order of the machine shows.
  const little = cursor.view.getUint32(0, true)
  const family = little > 0xffff ? cursor.view.getUint32(0) : little
  const type = BSD_FAMILIES[family] ?? 0
  cursor.push({ kind: "cooked", offset: 0, length: 4, type, packetType: null })
  return { by: "etherType", type }
}

function dissectVlan(cursor: Cursor, tpid: number): Next {
  const { at, view } = cursor
  if (!cursor.has("vlan", 4)) return null
  const tag = view.getUint16(at)
  const type = view.getUint16(at + 2)
  cursor.push({
    kind: "vlan",
    offset: at,
    length: 4,
    tpid,
    id: tag & 0xfff,
    priority: tag >> 13,
    dropEligible: (tag & 0x1000) !== 0,
    type,
  })
  return type >= ETH_P_802_3_MIN ? { by: "etherType", type } : null
}

function dissectArp(cursor: Cursor): Next {
  const { at, bytes, view } = cursor
  if (!cursor.has("arp", 8)) return null
  const [hardwareLength, protocolLength] = [bytes[at + 4], bytes[at + 5]]
  const length = 8 + 2 * (hardwareLength + protocolLength)
  if (!cursor.has("arp", length)) return null
  const hardwareType = view.getUint16(at)
  const protocolType = view.getUint16(at + 2)
  const usual = hardwareLength === 6 && protocolLength === 4 && protocolType === ETH_P_IP
  if (hardwareType === 1 && protocolType === ETH_P_IP && !usual)
    cursor.note("malformed", "arp", `address lengths ${hardwareLength} and ${protocolLength}`)
  cursor.push({
    kind: "arp",
    offset: at,
    length,
    hardwareType,
    protocolType,
    operation: view.getUint16(at + 6),
    senderMac: usual ? formatMac(bytes, at + 8) : null,
    senderIp: usual ? formatIpv4(bytes, at + 14) : null,
    targetMac: usual ? formatMac(bytes, at + 18) : null,
    targetIp: usual ? formatIpv4(bytes, at + 24) : null,
  })
  return null
}
