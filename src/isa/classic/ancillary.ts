/**
 * What classic programs can ask about a packet beside its bytes: the SKF_AD_ loads
 * (linux v6.18 net/core/filter.c convert_bpf_extensions, bpf_skb_get_nlattr).
 */

import { viewOf } from "../../base/index.ts"
import {
  SKF_AD_CPU,
  SKF_AD_HATYPE,
  SKF_AD_IFINDEX,
  SKF_AD_MARK,
  SKF_AD_NLATTR,
  SKF_AD_NLATTR_NEST,
  SKF_AD_PAY_OFFSET,
  SKF_AD_PKTTYPE,
  SKF_AD_PROTOCOL,
  SKF_AD_QUEUE,
  SKF_AD_RANDOM,
  SKF_AD_RXHASH,
  SKF_AD_VLAN_TAG,
  SKF_AD_VLAN_TAG_PRESENT,
  SKF_AD_VLAN_TPID,
} from "./instruction.ts"

/** What Linux keeps in a struct sk_buff. Numbers are unsigned, in host order; 0 by default. */
export interface ClassicMetadata {
  /** The packet's length on the wire: `ld #pktlen`; the frame's own by default. */
  readonly length?: number
  /** Where SKF_NET_OFF loads begin; 14 (after an Ethernet header) by default. */
  readonly networkOffset?: number
  /** EtherType; by default what the 13th and 14th byte of the frame say. */
  readonly protocol?: number
  /** PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4. */
  readonly packetType?: number
  /** `null`: the packet has no device; a program that asks for it ends with A as it is. */
  readonly ifindex?: number | null
  readonly mark?: number
  /** Transmit queue, 0 to 65,535. */
  readonly queue?: number
  /** ARPHRD_ type of the device. */
  readonly hardwareType?: number
  readonly rxHash?: number
  readonly cpu?: number
  /** The tag that the network card has taken off, without its TPID; `undefined` is no tag. */
  readonly vlanTag?: number
  readonly vlanTpid?: number
  /** Where the payload begins, as the flow dissector says. */
  readonly payloadOffset?: number
  /** 32 random bits; Math.random by default. */
  readonly random?: () => number
  /** Byte order of netlink attributes; little-endian by default. */
  readonly littleEndian?: boolean
}

/** The value of the SKF_AD_ load `number` with the accumulator `a` and the index register `x`. */
export function ancillaryValue(
  number: number,
  frame: Uint8Array,
  a: number,
  x: number,
  metadata: ClassicMetadata,
): number {
  switch (number) {
    case SKF_AD_PROTOCOL:
      return metadata.protocol ?? (frame.length >= 14 ? (frame[12] << 8) | frame[13] : 0)
    case SKF_AD_PKTTYPE:
      return metadata.packetType ?? 0
    case SKF_AD_IFINDEX:
      return metadata.ifindex ?? 0
    case SKF_AD_MARK:
      return metadata.mark ?? 0
    case SKF_AD_QUEUE:
      return metadata.queue ?? 0
    case SKF_AD_HATYPE:
      return metadata.hardwareType ?? 0
    case SKF_AD_RXHASH:
      return metadata.rxHash ?? 0
    case SKF_AD_CPU:
      return metadata.cpu ?? 0
    case SKF_AD_VLAN_TAG:
      return metadata.vlanTag ?? 0
    case SKF_AD_VLAN_TAG_PRESENT:
      return metadata.vlanTag === undefined ? 0 : 1
    case SKF_AD_VLAN_TPID:
      return metadata.vlanTpid ?? 0
    case SKF_AD_PAY_OFFSET:
      return metadata.payloadOffset ?? 0
    case SKF_AD_RANDOM:
      return (metadata.random?.() ?? Math.random() * 2 ** 32) >>> 0
    case SKF_AD_NLATTR:
      return findAttribute(viewOf(frame), a, frame.length, x, metadata.littleEndian ?? true)
    case SKF_AD_NLATTR_NEST:
      return findNestedAttribute(viewOf(frame), a, x, metadata.littleEndian ?? true)
    default:
      return 0
  }
}

const NLA_HEADER_SIZE = 4
/** The two bits above say "nested" and "network byte order". */
const NLA_TYPE_MASK = 0x3fff

/** Offset of the attribute of type `type` in a chain that begins at `start`; 0 when there is none. */
function findAttribute(
  frame: DataView,
  start: number,
  end: number,
  type: number,
  littleEndian: boolean,
): number {
  if (frame.byteLength < NLA_HEADER_SIZE || start > frame.byteLength - NLA_HEADER_SIZE) return 0
  let at = start
  while (at + NLA_HEADER_SIZE <= end) {
    const length = frame.getUint16(at, littleEndian)
    if (length < NLA_HEADER_SIZE || at + length > end) return 0
    if ((frame.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) === type) return at
    at += (length + 3) & ~3
  }
  return 0
}

/** The same among the attributes inside the one at `start`. */
function findNestedAttribute(
  frame: DataView,
  start: number,
  type: number,
  littleEndian: boolean,
): number {
  if (frame.byteLength < NLA_HEADER_SIZE || start > frame.byteLength - NLA_HEADER_SIZE) return 0
  const length = frame.getUint16(start, littleEndian)
  if (length > frame.byteLength - start || length < NLA_HEADER_SIZE) return 0
  const inside = start + NLA_HEADER_SIZE
  if (inside > frame.byteLength - NLA_HEADER_SIZE) return 0
  return findAttribute(frame, inside, start + length, type, littleEndian)
}
