/** Crafting of tunnels: GRE (RFC 2784, RFC 2890), VXLAN (RFC 7348). IP in IP needs no helper. */

import { bitField, isLayer, type Layer, type Payload, payloadBytes, withHeader } from "./layer.ts"
import { ETH_P_TEB, IPPROTO_GRE } from "./protocol.ts"

export interface GreFields {
  readonly key?: number
  readonly seq?: number
  /** Of the payload when it is a layer, 0x6558 (an Ethernet frame) for bytes. */
  readonly type?: number
}

/** A GRE header, with the key and sequence number that are given. */
export function gre(fields: GreFields, payload: Payload): Layer {
  return {
    ipProtocol: IPPROTO_GRE,
    encode: () => {
      const words = [fields.key, fields.seq].filter((word) => word !== undefined)
      const { bytes, view } = withHeader(4 + 4 * words.length, payloadBytes(payload))
      const keyBit = fields.key === undefined ? 0 : 0x2000
      const seqBit = fields.seq === undefined ? 0 : 0x1000
      view.setUint16(0, keyBit | seqBit)
      const inner = isLayer(payload) ? payload.etherType : undefined
      view.setUint16(2, bitField("gre type", fields.type ?? inner ?? ETH_P_TEB, 16))
      words.forEach((word, index) => {
        view.setUint32(4 + 4 * index, bitField("gre key or sequence number", word, 32))
      })
      return bytes
    },
  }
}

/** A VXLAN header around an Ethernet frame: the payload of a UDP datagram to port 4789. */
export function vxlan(fields: { readonly vni: number }, frame: Uint8Array): Uint8Array {
  const { bytes, view } = withHeader(8, frame)
  bytes[0] = 0x08
  view.setUint32(4, bitField("vxlan network identifier", fields.vni, 24) * 256)
  return bytes
}
