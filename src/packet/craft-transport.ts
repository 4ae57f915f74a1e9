/** Crafting of what IP carries: TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792), ICMPv6 (RFC 4443). */

import { concatBytes } from "../base/index.ts"
import { internetChecksum, type PseudoHeader, transportChecksum } from "./checksum.ts"
import {
  bitField,
  type Layer,
  NO_PAYLOAD,
  type Payload,
  paddedOptions,
  payloadBytes,
  withHeader,
} from "./layer.ts"
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  TCP_FLAGS,
  type TcpFlag,
} from "./protocol.ts"

/** Bytes of a TCP header without options. */
export const TCP_HEADER_SIZE = 20
export const UDP_HEADER_SIZE = 8
const TCP_OPTIONS_MAX = 40

/** One option of a TCP header. Options are padded with zeros ("end of options") to four bytes. */
export type TcpOption =
  | { readonly kind: "end" | "nop" | "sack-permitted" }
  | { readonly kind: "mss"; readonly value: number }
  | { readonly kind: "window-scale"; readonly shift: number }
  | { readonly kind: "sack"; readonly blocks: readonly (readonly [left: number, right: number])[] }
  | { readonly kind: "timestamps"; readonly value: number; readonly echo: number }
  | { readonly kind: "raw"; readonly bytes: Uint8Array }

export interface TcpFields {
  readonly srcPort: number
  readonly dstPort: number
  readonly seq?: number
  readonly ack?: number
  /** Names, or the eight bits; `["ack"]` when not given. */
  readonly flags?: readonly TcpFlag[] | number
  /** 64,240 when not given. */
  readonly window?: number
  readonly urgentPointer?: number
  readonly options?: readonly TcpOption[]
  /** Header length in bytes, a multiple of 4, at most 60. */
  readonly headerLength?: number
  readonly checksum?: number
}

function uint32Bytes(values: readonly number[]): number[] {
  return values.flatMap((value) => {
    bitField("tcp option value", value, 32)
    return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
  })
}

function encodeTcpOption(option: TcpOption): Uint8Array {
  switch (option.kind) {
    case "end":
      return Uint8Array.of(0)
    case "nop":
      return Uint8Array.of(1)
    case "mss": {
      const value = bitField("tcp mss", option.value, 16)
      return Uint8Array.of(2, 4, value >> 8, value & 255)
    }
    case "window-scale":
      return Uint8Array.of(3, 3, bitField("tcp window scale", option.shift, 8))
    case "sack-permitted":
      return Uint8Array.of(4, 2)
    case "sack":
      return Uint8Array.of(5, 2 + 8 * option.blocks.length, ...uint32Bytes(option.blocks.flat()))
    case "timestamps":
      return Uint8Array.of(8, 10, ...uint32Bytes([option.value, option.echo]))
    case "raw":
      return option.bytes
  }
}

function flagBits(flags: readonly TcpFlag[] | number): number {
  if (typeof flags === "number") return bitField("tcp flags", flags, 8)
  return flags.reduce((bits, flag) => bits | TCP_FLAGS[flag], 0)
}

/** Writes the checksum at `offset`, unless there is neither one given nor a pseudo header. */
function fillChecksum(
  bytes: Uint8Array,
  offset: number,
  protocol: number,
  pseudo: PseudoHeader | null,
  given: number | undefined,
): void {
  const computed = pseudo === null ? 0 : transportChecksum(pseudo, protocol, bytes)
  const checksum = bitField("checksum", given ?? computed, 16)
  bytes[offset] = checksum >> 8
  bytes[offset + 1] = checksum & 255
}

/** A TCP segment. Outside IP its checksum is zero unless given. @throws RangeError at encoding. */
export function tcp(fields: TcpFields, payload: Payload = NO_PAYLOAD): Layer {
  return {
    ipProtocol: IPPROTO_TCP,
    encode: (pseudo) => {
      const raw = concatBytes((fields.options ?? []).map(encodeTcpOption))
      const options = paddedOptions("tcp options", raw, TCP_OPTIONS_MAX)
      const size = TCP_HEADER_SIZE + options.length
      const { bytes, view } = withHeader(size, payloadBytes(payload))
      view.setUint16(0, bitField("tcp source port", fields.srcPort, 16))
      view.setUint16(2, bitField("tcp destination port", fields.dstPort, 16))
      view.setUint32(4, bitField("tcp sequence number", fields.seq ?? 0, 32))
      view.setUint32(8, bitField("tcp acknowledgment number", fields.ack ?? 0, 32))
      const headerLength = fields.headerLength ?? size
      bytes[12] = bitField("tcp header length / 4", headerLength / 4, 4) << 4
      bytes[13] = flagBits(fields.flags ?? ["ack"])
      view.setUint16(14, bitField("tcp window", fields.window ?? 64_240, 16))
      view.setUint16(18, bitField("tcp urgent pointer", fields.urgentPointer ?? 0, 16))
      bytes.set(options, TCP_HEADER_SIZE)
      fillChecksum(bytes, 16, IPPROTO_TCP, pseudo, fields.checksum)
      return bytes
    },
  }
}

export interface UdpFields {
  readonly srcPort: number
  readonly dstPort: number
  /** Bytes of header and payload. */
  readonly length?: number
  /** 0 means "none" and is allowed over IPv4. */
  readonly checksum?: number
}

/** A UDP datagram. Outside IP its checksum is zero unless given. @throws RangeError at encoding. */
export function udp(fields: UdpFields, payload: Payload = NO_PAYLOAD): Layer {
  return {
    ipProtocol: IPPROTO_UDP,
    encode: (pseudo) => {
      const { bytes, view } = withHeader(UDP_HEADER_SIZE, payloadBytes(payload))
      view.setUint16(0, bitField("udp source port", fields.srcPort, 16))
      view.setUint16(2, bitField("udp destination port", fields.dstPort, 16))
      view.setUint16(4, bitField("udp length", fields.length ?? bytes.length, 16))
      fillChecksum(bytes, 6, IPPROTO_UDP, pseudo, fields.checksum)
      return bytes
    },
  }
}

/** ICMP types by name (RFC 792). */
export const ICMP_TYPES = {
  "echo-reply": 0,
  unreachable: 3,
  redirect: 5,
  "echo-request": 8,
  "time-exceeded": 11,
  "parameter-problem": 12,
} as const

/** ICMPv6 types by name (RFC 4443, RFC 4861, RFC 2710). */
export const ICMPV6_TYPES = {
  unreachable: 1,
  "packet-too-big": 2,
  "time-exceeded": 3,
  "parameter-problem": 4,
  "echo-request": 128,
  "echo-reply": 129,
  "listener-query": 130,
  "listener-report": 131,
  "router-solicitation": 133,
  "router-advertisement": 134,
  "neighbor-solicitation": 135,
  "neighbor-advertisement": 136,
} as const

interface IcmpCommon {
  readonly code?: number
  /** Identifier and sequence number: the two halves of `rest`, as echo messages have them. */
  readonly id?: number
  readonly seq?: number
  /** The second 32-bit word, where it is not an identifier and a sequence number. */
  readonly rest?: number
  readonly checksum?: number
}

export interface IcmpFields extends IcmpCommon {
  readonly type: keyof typeof ICMP_TYPES | number
}

export interface Icmpv6Fields extends IcmpCommon {
  readonly type: keyof typeof ICMPV6_TYPES | number
}

function icmpMessage(type: number, fields: IcmpCommon, payload: Payload): Uint8Array {
  const { bytes, view } = withHeader(8, payloadBytes(payload))
  bytes[0] = bitField("icmp type", type, 8)
  bytes[1] = bitField("icmp code", fields.code ?? 0, 8)
  view.setUint16(4, bitField("icmp identifier", fields.id ?? 0, 16))
  view.setUint16(6, bitField("icmp sequence number", fields.seq ?? 0, 16))
  if (fields.rest !== undefined) view.setUint32(4, bitField("icmp rest", fields.rest, 32))
  return bytes
}

/** An ICMP message: eight bytes and the payload. @throws RangeError at encoding. */
export function icmp(fields: IcmpFields, payload: Payload = NO_PAYLOAD): Layer {
  return {
    ipProtocol: IPPROTO_ICMP,
    encode: () => {
      const type = typeof fields.type === "number" ? fields.type : ICMP_TYPES[fields.type]
      const bytes = icmpMessage(type, fields, payload)
      const checksum = bitField("checksum", fields.checksum ?? internetChecksum(bytes), 16)
      bytes.set([checksum >> 8, checksum & 255], 2)
      return bytes
    },
  }
}

/**
 * An ICMPv6 message: eight bytes and the payload (the target address and options of neighbour
 * discovery are payload). Outside IP its checksum is zero unless given. @throws RangeError at
 * encoding.
 */
export function icmpv6(fields: Icmpv6Fields, payload: Payload = NO_PAYLOAD): Layer {
  return {
    ipProtocol: IPPROTO_ICMPV6,
    encode: (pseudo) => {
      const type = typeof fields.type === "number" ? fields.type : ICMPV6_TYPES[fields.type]
      const bytes = icmpMessage(type, fields, payload)
      fillChecksum(bytes, 2, IPPROTO_ICMPV6, pseudo, fields.checksum)
      return bytes
    },
  }
}
