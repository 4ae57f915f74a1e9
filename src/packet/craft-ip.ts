/** Crafting of IPv4 (RFC 791) and IPv6 (RFC 8200) with options, extension headers, fragments. */

import { type AddressLike, ipv4Bytes, ipv6Bytes } from "./address.ts"
import { internetChecksum, type PseudoHeader } from "./checksum.ts"
import {
  bitField,
  isLayer,
  type Layer,
  NO_PAYLOAD,
  type Payload,
  paddedOptions,
  payloadBytes,
  withHeader,
} from "./layer.ts"
import {
  ETH_P_IP,
  ETH_P_IPV6,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOPOPTS,
  IPPROTO_IPIP,
  IPPROTO_IPV6,
  IPPROTO_NONE,
  IPPROTO_ROUTING,
} from "./protocol.ts"

/** Bytes of an IPv4 header without options. */
export const IPV4_HEADER_SIZE = 20
export const IPV6_HEADER_SIZE = 40
const IPV4_OPTIONS_MAX = 40

/** "Reserved for experimentation" (RFC 3692): a payload of bytes has no protocol of its own. */
const PROTOCOL_OF_BYTES = 253

export interface Ipv4Fields {
  readonly src: AddressLike
  readonly dst: AddressLike
  /** Type of service: DSCP in the upper six bits, ECN in the lower two. */
  readonly tos?: number
  readonly id?: number
  readonly dontFragment?: boolean
  readonly moreFragments?: boolean
  /** Bytes, a multiple of 8. */
  readonly fragmentOffset?: number
  /** 64 when not given. */
  readonly ttl?: number
  /** Of the payload when it is a layer, 253 (experimental) for bytes. */
  readonly protocol?: number
  /** Raw options, padded to a multiple of four bytes; at most 40. */
  readonly options?: Uint8Array
  readonly version?: number
  /** Bytes, a multiple of 4, at most 60. */
  readonly headerLength?: number
  readonly totalLength?: number
  readonly checksum?: number
}

/**
 * An IPv4 packet.
 *
 * @throws RangeError when a field is out of range or the packet is longer than 65,535 bytes and
 * `totalLength` is not given.
 */
export function ipv4(fields: Ipv4Fields, payload: Payload = NO_PAYLOAD): Layer {
  return {
    etherType: ETH_P_IP,
    ipProtocol: IPPROTO_IPIP,
    encode: () => {
      const pseudo = { src: ipv4Bytes(fields.src), dst: ipv4Bytes(fields.dst) }
      return encodeIpv4(fields, pseudo, payload)
    },
  }
}

function encodeIpv4(fields: Ipv4Fields, pseudo: PseudoHeader, payload: Payload): Uint8Array {
  const options = paddedOptions("ipv4 options", fields.options ?? NO_PAYLOAD, IPV4_OPTIONS_MAX)
  const size = IPV4_HEADER_SIZE + options.length
  const { bytes, view } = withHeader(size, payloadBytes(payload, pseudo))
  const headerLength = fields.headerLength ?? size
  const version = bitField("ipv4 version", fields.version ?? 4, 4)
  bytes[0] = (version << 4) | bitField("ipv4 header length / 4", headerLength / 4, 4)
  bytes[1] = bitField("ipv4 tos", fields.tos ?? 0, 8)
  view.setUint16(2, bitField("ipv4 total length", fields.totalLength ?? bytes.length, 16))
  view.setUint16(4, bitField("ipv4 id", fields.id ?? 0, 16))
  const units = bitField("ipv4 fragment offset / 8", (fields.fragmentOffset ?? 0) / 8, 13)
  const flags = (fields.dontFragment ? 0x4000 : 0) | (fields.moreFragments ? 0x2000 : 0)
  view.setUint16(6, flags | units)
  bytes[8] = bitField("ipv4 ttl", fields.ttl ?? 64, 8)
  const protocol = isLayer(payload) ? payload.ipProtocol : undefined
  bytes[9] = bitField("ipv4 protocol", fields.protocol ?? protocol ?? PROTOCOL_OF_BYTES, 8)
  bytes.set(pseudo.src, 12)
  bytes.set(pseudo.dst, 16)
  bytes.set(options, IPV4_HEADER_SIZE)
  const checksum = fields.checksum ?? internetChecksum(bytes.subarray(0, size))
  view.setUint16(10, bitField("ipv4 checksum", checksum, 16))
  return bytes
}

/**
 * The fragments of one IPv4 packet: layers of at most `mtuBytes` each, in order.
 *
 * @throws RangeError when `mtuBytes` leaves no room for eight bytes of data a fragment.
 */
export function ipv4Fragments(fields: Ipv4Fields, payload: Payload, mtuBytes: number): Layer[] {
  const options = paddedOptions("ipv4 options", fields.options ?? NO_PAYLOAD, IPV4_OPTIONS_MAX)
  const room = (mtuBytes - IPV4_HEADER_SIZE - options.length) & ~7
  if (room < 8) throw new RangeError(`an MTU of ${mtuBytes} bytes leaves no room for data`)
  const pseudo = { src: ipv4Bytes(fields.src), dst: ipv4Bytes(fields.dst) }
  const data = payloadBytes(payload, pseudo)
  const protocol = fields.protocol ?? (isLayer(payload) ? payload.ipProtocol : undefined)
  const fragments: Layer[] = []
  for (let at = 0; at === 0 || at < data.length; at += room)
    fragments.push(
      ipv4(
        { ...fields, protocol, fragmentOffset: at, moreFragments: at + room < data.length },
        data.subarray(at, at + room),
      ),
    )
  return fragments
}

export interface Ipv6Fields {
  readonly src: AddressLike
  readonly dst: AddressLike
  readonly trafficClass?: number
  /** 20 bits. */
  readonly flowLabel?: number
  /** Of the payload when it is a layer, 253 (experimental) for bytes, 59 for none. */
  readonly nextHeader?: number
  /** 64 when not given. */
  readonly hopLimit?: number
  readonly version?: number
  /** Bytes after the 40 of this header. */
  readonly payloadLength?: number
}

/** The protocol number by which IPv6 announces `payload`. */
function nextHeaderOf(payload: Payload): number {
  if (isLayer(payload)) return payload.ipProtocol ?? PROTOCOL_OF_BYTES
  return payload.length === 0 ? IPPROTO_NONE : PROTOCOL_OF_BYTES
}

/**
 * An IPv6 packet. Extension headers are layers around the payload.
 *
 * @throws RangeError when a field is out of range or the payload is longer than 65,535 bytes and
 * `payloadLength` is not given.
 */
export function ipv6(fields: Ipv6Fields, payload: Payload = NO_PAYLOAD): Layer {
  return {
    etherType: ETH_P_IPV6,
    ipProtocol: IPPROTO_IPV6,
    encode: () => {
      const pseudo = { src: ipv6Bytes(fields.src), dst: ipv6Bytes(fields.dst) }
      const inner = payloadBytes(payload, pseudo)
      const { bytes, view } = withHeader(IPV6_HEADER_SIZE, inner)
      const version = bitField("ipv6 version", fields.version ?? 6, 4)
      const trafficClass = bitField("ipv6 traffic class", fields.trafficClass ?? 0, 8)
      const flowLabel = bitField("ipv6 flow label", fields.flowLabel ?? 0, 20)
      view.setUint32(0, ((version << 28) | (trafficClass << 20) | flowLabel) >>> 0)
      const length = fields.payloadLength ?? inner.length
      view.setUint16(4, bitField("ipv6 payload length", length, 16))
      bytes[6] = bitField("ipv6 next header", fields.nextHeader ?? nextHeaderOf(payload), 8)
      bytes[7] = bitField("ipv6 hop limit", fields.hopLimit ?? 64, 8)
      bytes.set(pseudo.src, 8)
      bytes.set(pseudo.dst, 24)
      return bytes
    },
  }
}

export interface OptionsHeaderFields {
  /** Options as type, length, data; padded with PadN to a multiple of eight bytes. */
  readonly options?: Uint8Array
  readonly nextHeader?: number
  /** Eight-byte units after the first eight bytes. */
  readonly headerLength?: number
}

function optionsHeader(ipProtocol: number, fields: OptionsHeaderFields, payload: Payload): Layer {
  return {
    ipProtocol,
    encode: (pseudo) => {
      const options = fields.options ?? NO_PAYLOAD
      const size = (2 + options.length + 7) & ~7
      const { bytes } = withHeader(size, payloadBytes(payload, pseudo))
      bytes[0] = bitField("next header", fields.nextHeader ?? nextHeaderOf(payload), 8)
      bytes[1] = bitField("header extension length", fields.headerLength ?? size / 8 - 1, 8)
      bytes.set(options, 2)
      const padding = size - 2 - options.length
      // One byte is Pad1 (zero); more are PadN: type 1, length, zeros (RFC 8200 §4.2).
      if (padding > 1) bytes.set([1, padding - 2], 2 + options.length)
      return bytes
    },
  }
}

/** A hop-by-hop options header (RFC 8200 §4.3). */
export function hopByHop(fields: OptionsHeaderFields, payload: Payload = NO_PAYLOAD): Layer {
  return optionsHeader(IPPROTO_HOPOPTS, fields, payload)
}

/** A destination options header (RFC 8200 §4.6). */
export function destinationOptions(
  fields: OptionsHeaderFields,
  payload: Payload = NO_PAYLOAD,
): Layer {
  return optionsHeader(IPPROTO_DSTOPTS, fields, payload)
}

export interface RoutingFields {
  /** Routing type: 4 is segment routing (RFC 8754). */
  readonly type: number
  readonly segmentsLeft?: number
  /** What follows the four fixed bytes; padded with zeros. */
  readonly data?: Uint8Array
  readonly nextHeader?: number
  /** Eight-byte units after the first eight bytes. */
  readonly headerLength?: number
}

/** A routing header (RFC 8200 §4.4). */
export function routing(fields: RoutingFields, payload: Payload = NO_PAYLOAD): Layer {
  return {
    ipProtocol: IPPROTO_ROUTING,
    encode: (pseudo) => {
      const data = fields.data ?? NO_PAYLOAD
      const size = Math.max(8, (4 + data.length + 7) & ~7)
      const { bytes } = withHeader(size, payloadBytes(payload, pseudo))
      bytes[0] = bitField("next header", fields.nextHeader ?? nextHeaderOf(payload), 8)
      bytes[1] = bitField("header extension length", fields.headerLength ?? size / 8 - 1, 8)
      bytes[2] = bitField("routing type", fields.type, 8)
      bytes[3] = bitField("segments left", fields.segmentsLeft ?? 0, 8)
      bytes.set(data, 4)
      return bytes
    },
  }
}

export interface Ipv6FragmentFields {
  readonly id: number
  /** Bytes, a multiple of 8. */
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
  readonly nextHeader?: number
}

/** An IPv6 fragment header (RFC 8200 §4.5). The payload is the fragment's part of the packet. */
export function ipv6Fragment(fields: Ipv6FragmentFields, payload: Payload): Layer {
  return {
    ipProtocol: IPPROTO_FRAGMENT,
    encode: (pseudo) => {
      const { bytes, view } = withHeader(8, payloadBytes(payload, pseudo))
      bytes[0] = bitField("next header", fields.nextHeader ?? nextHeaderOf(payload), 8)
      const units = bitField("ipv6 fragment offset / 8", (fields.fragmentOffset ?? 0) / 8, 13)
      view.setUint16(2, (units << 3) | (fields.moreFragments ? 1 : 0))
      view.setUint32(4, bitField("ipv6 fragment id", fields.id, 32))
      return bytes
    },
  }
}
