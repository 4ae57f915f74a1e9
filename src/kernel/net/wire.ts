/**
 * IPv4, IPv6, TCP, UDP and ICMP headers between bytes and records, as the network stack needs
 * them: no allocation beyond the packet, checksums always right on the way out
 * (RFC 791, 8200, 9293, 768, 792, 4443).
 */

import {
  checksumValid,
  internetChecksum,
  transportChecksum,
  transportChecksumValid,
} from "../../packet/index.ts"

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const IPPROTO_ICMP = 1
export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
export const IPPROTO_ICMPV6 = 58
export const ETH_P_IP = 0x0800
export const ETH_P_ARP = 0x0806
export const ETH_P_IPV6 = 0x86dd

export const TCP_FIN = 1
export const TCP_SYN = 2
export const TCP_RST = 4
export const TCP_PSH = 8
export const TCP_ACK = 16

/** What the stack reads of an IP header. */
export interface IpHeader {
  readonly family: number
  readonly headerBytes: number
  readonly totalBytes: number
  readonly protocol: number
  readonly ttl: number
  readonly tos: number
  readonly source: Uint8Array
  readonly destination: Uint8Array
  /** A fragment that is not the whole packet. */
  readonly fragment: boolean
}

/** The header of a packet, or null when it is damaged. */
export function readIp(packet: Uint8Array): IpHeader | null {
  const version = packet[0] >> 4
  return version === 4 ? readIpv4(packet) : version === 6 ? readIpv6(packet) : null
}

function readIpv4(packet: Uint8Array): IpHeader | null {
  const headerBytes = (packet[0] & 15) * 4
  if (packet.length < 20 || headerBytes < 20 || packet.length < headerBytes) return null
  const totalBytes = (packet[2] << 8) | packet[3]
  if (totalBytes < headerBytes || totalBytes > packet.length) return null
  if (!checksumValid(packet.subarray(0, headerBytes))) return null
  return {
    family: AF_INET,
    headerBytes,
    totalBytes,
    protocol: packet[9],
    ttl: packet[8],
    tos: packet[1],
    source: packet.slice(12, 16),
    destination: packet.slice(16, 20),
    fragment: (((packet[6] << 8) | packet[7]) & 0x3fff) !== 0,
  }
}

function readIpv6(packet: Uint8Array): IpHeader | null {
  if (packet.length < 40) return null
  const totalBytes = 40 + ((packet[4] << 8) | packet[5])
  if (totalBytes > packet.length) return null
  return {
    family: AF_INET6,
    headerBytes: 40,
    totalBytes,
    protocol: packet[6],
    ttl: packet[7],
    tos: ((packet[0] << 4) | (packet[1] >> 4)) & 0xff,
    source: packet.slice(8, 24),
    destination: packet.slice(24, 40),
    fragment: packet[6] === 44,
  }
}

export interface IpFields {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly protocol: number
  readonly tos?: number
  readonly ttl?: number
  /** IPv4 identification. */
  readonly id?: number
  readonly flowLabel?: number
}

/** A packet: the header and its payload. */
export function writeIp(fields: IpFields, payload: Uint8Array): Uint8Array {
  const { source, destination, protocol, tos = 0, ttl = 64 } = fields
  if (source.length === 4) {
    const packet = new Uint8Array(20 + payload.length)
    const view = new DataView(packet.buffer)
    packet[0] = 0x45
    packet[1] = tos
    view.setUint16(2, packet.length)
    view.setUint16(4, fields.id ?? 0)
    view.setUint16(6, 0x4000)
    packet[8] = ttl
    packet[9] = protocol
    packet.set(source, 12)
    packet.set(destination, 16)
    view.setUint16(10, internetChecksum(packet.subarray(0, 20)))
    packet.set(payload, 20)
    return packet
  }
  const packet = new Uint8Array(40 + payload.length)
  const view = new DataView(packet.buffer)
  view.setUint32(0, (6 << 28) | (tos << 20) | (fields.flowLabel ?? 0))
  view.setUint16(4, payload.length)
  packet[6] = protocol
  packet[7] = ttl
  packet.set(source, 8)
  packet.set(destination, 24)
  packet.set(payload, 40)
  return packet
}

/** Lowers the TTL of a forwarded packet, checksum included; false when it has run out. */
export function decrementTtl(packet: Uint8Array): boolean {
  const at = packet[0] >> 4 === 4 ? 8 : 7
  if (packet[at] <= 1) return false
  packet[at]--
  if (at === 8) {
    packet[10] = 0
    packet[11] = 0
    const header = packet.subarray(0, (packet[0] & 15) * 4)
    const checksum = internetChecksum(header)
    packet[10] = checksum >> 8
    packet[11] = checksum & 255
  }
  return true
}

export interface TcpSegment {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgment: number
  readonly flags: number
  readonly window: number
  readonly options: Uint8Array
  readonly payload: Uint8Array
}

/** The segment in a packet; null when it is damaged. */
export function readTcp(packet: Uint8Array, ip: IpHeader): TcpSegment | null {
  const segment = packet.subarray(ip.headerBytes, ip.totalBytes)
  if (segment.length < 20) return null
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length)
  const headerBytes = (segment[12] >> 4) * 4
  if (headerBytes < 20 || headerBytes > segment.length) return null
  const pseudo = { src: ip.source, dst: ip.destination }
  if (!transportChecksumValid(pseudo, IPPROTO_TCP, segment)) return null
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgment: view.getUint32(8),
    flags: segment[13],
    window: view.getUint16(14),
    options: segment.slice(20, headerBytes),
    payload: segment.slice(headerBytes),
  }
}

/** A segment with its checksum; options are padded to a multiple of 4 by the caller. */
export function writeTcp(
  fields: TcpSegment,
  source: Uint8Array,
  destination: Uint8Array,
): Uint8Array {
  const headerBytes = 20 + fields.options.length
  const segment = new Uint8Array(headerBytes + fields.payload.length)
  const view = new DataView(segment.buffer)
  view.setUint16(0, fields.sourcePort)
  view.setUint16(2, fields.destinationPort)
  view.setUint32(4, fields.sequence)
  view.setUint32(8, fields.acknowledgment)
  segment[12] = (headerBytes / 4) << 4
  segment[13] = fields.flags
  view.setUint16(14, fields.window)
  segment.set(fields.options, 20)
  segment.set(fields.payload, headerBytes)
  view.setUint16(16, transportChecksum({ src: source, dst: destination }, IPPROTO_TCP, segment))
  return segment
}

export interface UdpDatagram {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly payload: Uint8Array
}

export function readUdp(packet: Uint8Array, ip: IpHeader): UdpDatagram | null {
  const datagram = packet.subarray(ip.headerBytes, ip.totalBytes)
  if (datagram.length < 8) return null
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length)
  const length = view.getUint16(4)
  if (length < 8 || length > datagram.length) return null
  const pseudo = { src: ip.source, dst: ip.destination }
  if (view.getUint16(6) !== 0) {
    if (!transportChecksumValid(pseudo, IPPROTO_UDP, datagram.subarray(0, length))) return null
  } else if (ip.family === AF_INET6) return null
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    payload: datagram.slice(8, length),
  }
}

export function writeUdp(
  fields: UdpDatagram,
  source: Uint8Array,
  destination: Uint8Array,
): Uint8Array {
  const datagram = new Uint8Array(8 + fields.payload.length)
  const view = new DataView(datagram.buffer)
  view.setUint16(0, fields.sourcePort)
  view.setUint16(2, fields.destinationPort)
  view.setUint16(4, datagram.length)
  datagram.set(fields.payload, 8)
  view.setUint16(6, transportChecksum({ src: source, dst: destination }, IPPROTO_UDP, datagram))
  return datagram
}

/** An ICMP or ICMPv6 message with its checksum. `rest` begins with the second word. */
export function writeIcmp(
  kind: { readonly type: number; readonly code: number },
  rest: Uint8Array,
  source: Uint8Array,
  destination: Uint8Array,
): Uint8Array {
  const message = new Uint8Array(4 + rest.length)
  message[0] = kind.type
  message[1] = kind.code
  message.set(rest, 4)
  const checksum =
    source.length === 4
      ? internetChecksum(message)
      : transportChecksum({ src: source, dst: destination }, IPPROTO_ICMPV6, message)
  message[2] = checksum >> 8
  message[3] = checksum & 255
  return message
}

/** Text that is the same for equal addresses: a key of maps. */
export function addressKey(address: Uint8Array): string {
  return address.join(".")
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

/** 0.0.0.0 or ::. */
export function isAny(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0)
}

export function anyAddress(family: number): Uint8Array {
  return new Uint8Array(family === AF_INET ? 4 : 16)
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: Uint8Array): boolean {
  return address.length === 4
    ? address[0] === 127
    : address[15] === 1 && address.subarray(0, 15).every((byte) => byte === 0)
}

/** Class D, or ff00::/8. */
export function isMulticast(address: Uint8Array): boolean {
  return address.length === 4 ? address[0] >> 4 === 14 : address[0] === 0xff
}

/** ::ffff:a.b.c.d */
export function isMapped(address: Uint8Array): boolean {
  return (
    address.length === 16 &&
    address[10] === 0xff &&
    address[11] === 0xff &&
    address.subarray(0, 10).every((byte) => byte === 0)
  )
}

/** The IPv4 address inside a mapped one; others as they are. */
export function unmapped(address: Uint8Array): Uint8Array {
  return isMapped(address) ? address.slice(12) : address
}

/** An address of an IPv6 socket: IPv4 ones become mapped. */
export function mapped(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address
  const result = new Uint8Array(16)
  result[10] = 0xff
  result[11] = 0xff
  result.set(address, 12)
  return result
}
