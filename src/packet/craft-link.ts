/** Crafting of link layers: Ethernet (IEEE 802.3), VLAN tags (802.1Q, 802.1ad) and ARP (RFC 826). */

import { type AddressLike, ipv4Bytes, macBytes } from "./address.ts"
import { bitField, isLayer, type Layer, type Payload, payloadBytes, withHeader } from "./layer.ts"
import { ETH_HLEN, ETH_P_8021Q, ETH_P_ARP, ETH_P_IP } from "./protocol.ts"

/** Addresses that a frame has when none are given: locally administered, unicast. */
export const DEFAULT_SRC_MAC = "02:00:00:00:00:01"
export const DEFAULT_DST_MAC = "02:00:00:00:00:02"

export interface EthernetFields {
  readonly src?: AddressLike
  readonly dst?: AddressLike
  /** Of the payload when it is a layer, 0x0800 otherwise. */
  readonly type?: number
  /** Zero bytes are appended up to this size of the whole frame: 60 is Ethernet's minimum. */
  readonly padTo?: number
}

function typeOf(payload: Payload): number {
  return (isLayer(payload) ? payload.etherType : undefined) ?? ETH_P_IP
}

/**
 * A whole Ethernet frame, without frame check sequence.
 *
 * ```ts
 * const frame = ethernet(
 *   { src: "02:00:00:00:00:01", dst: "02:00:00:00:00:02" },
 *   ipv4(
 *     { src: "10.0.0.1", dst: "10.0.0.2", ttl: 64 },
 *     tcp({ srcPort: 1234, dstPort: 80, flags: ["syn"] }, "GET / HTTP/1.1\r\n\r\n"),
 *   ),
 * )
 * ```
 *
 * @throws RangeError when an address or a field of any layer is out of range.
 */
export function ethernet(fields: EthernetFields, payload: Payload): Uint8Array {
  const inner = payloadBytes(payload)
  const padding = Math.max(0, (fields.padTo ?? 0) - ETH_HLEN - inner.length)
  const { bytes, view } = withHeader(ETH_HLEN, new Uint8Array(inner.length + padding))
  bytes.set(macBytes(fields.dst ?? DEFAULT_DST_MAC), 0)
  bytes.set(macBytes(fields.src ?? DEFAULT_SRC_MAC), 6)
  view.setUint16(12, bitField("ethernet type", fields.type ?? typeOf(payload), 16))
  bytes.set(inner, ETH_HLEN)
  return bytes
}

export interface VlanFields {
  /** VLAN identifier, 0 to 4095. */
  readonly id: number
  /** Priority code point, 0 to 7. */
  readonly priority?: number
  /** Drop eligible indicator. */
  readonly dropEligible?: boolean
  /** EtherType of the tag itself: 0x8100 (802.1Q) when not given, 0x88a8 for an outer 802.1ad. */
  readonly tpid?: number
  /** Of the payload when it is a layer, 0x0800 otherwise. */
  readonly type?: number
}

/** A VLAN tag. Two of them inside each other make QinQ. */
export function vlan(fields: VlanFields, payload: Payload): Layer {
  return {
    etherType: fields.tpid ?? ETH_P_8021Q,
    encode: () => {
      const { bytes, view } = withHeader(4, payloadBytes(payload))
      const priority = bitField("vlan priority", fields.priority ?? 0, 3)
      const dropEligible = fields.dropEligible ? 1 : 0
      const id = bitField("vlan id", fields.id, 12)
      view.setUint16(0, (priority << 13) | (dropEligible << 12) | id)
      view.setUint16(2, bitField("vlan type", fields.type ?? typeOf(payload), 16))
      return bytes
    },
  }
}

export const ARP_REQUEST = 1
export const ARP_REPLY = 2

export interface ArpFields {
  /** `"request"` when not given. */
  readonly operation?: "request" | "reply" | number
  readonly senderMac?: AddressLike
  readonly senderIp: AddressLike
  /** Zero when not given. */
  readonly targetMac?: AddressLike
  readonly targetIp: AddressLike
  /** Length fields, overridable to make malformed packets. */
  readonly hardwareLength?: number
  readonly protocolLength?: number
}

/** An ARP packet for IPv4 over Ethernet: 28 bytes. */
export function arp(fields: ArpFields): Layer {
  return {
    etherType: ETH_P_ARP,
    encode: () => {
      const { operation = "request" } = fields
      const code = { request: ARP_REQUEST, reply: ARP_REPLY }
      const { bytes, view } = withHeader(28, new Uint8Array(0))
      view.setUint16(0, 1)
      view.setUint16(2, ETH_P_IP)
      bytes[4] = bitField("arp hardware length", fields.hardwareLength ?? 6, 8)
      bytes[5] = bitField("arp protocol length", fields.protocolLength ?? 4, 8)
      const number = typeof operation === "number" ? operation : code[operation]
      view.setUint16(6, bitField("arp operation", number, 16))
      bytes.set(macBytes(fields.senderMac ?? DEFAULT_SRC_MAC), 8)
      bytes.set(ipv4Bytes(fields.senderIp), 14)
      bytes.set(macBytes(fields.targetMac ?? new Uint8Array(6)), 18)
      bytes.set(ipv4Bytes(fields.targetIp), 24)
      return bytes
    },
  }
}
