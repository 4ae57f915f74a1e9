/**
 * The frame crafting helpers compose layers: each takes its header fields and what it carries.
 * A layer is encoded from the outside in, because TCP, UDP and ICMPv6 need the addresses of the
 * IP header around them for their checksums. Every length, checksum and "next protocol" field is
 * computed unless it is given, so that malformed frames can be made too.
 */

import { utf8Bytes, viewOf } from "../base/index.ts"
import type { PseudoHeader } from "./checksum.ts"

/** A header and what it carries, not yet bytes. */
export interface Layer {
  /** How Ethernet announces this layer, if it can. */
  readonly etherType?: number
  /** How IP announces this layer, if it can. */
  readonly ipProtocol?: number
  /** Bytes of this layer and all inside it; `pseudo` is null outside IP. */
  encode(pseudo: PseudoHeader | null): Uint8Array
}

/** What a layer carries: another layer, bytes, or text as UTF-8. */
export type Payload = Layer | Uint8Array | string

/** Nothing. */
export const NO_PAYLOAD: Uint8Array = new Uint8Array(0)

/** Whether a payload is a layer (and so has a type that the header around it can name). */
export function isLayer(payload: Payload): payload is Layer {
  return typeof payload === "object" && !(payload instanceof Uint8Array)
}

/** The bytes of a payload inside an IP header with these addresses (null: inside none). */
export function payloadBytes(payload: Payload, pseudo: PseudoHeader | null = null): Uint8Array {
  if (typeof payload === "string") return utf8Bytes(payload)
  return isLayer(payload) ? payload.encode(pseudo) : payload
}

/** The bytes of a packet that begins with `layer`: for link types without a link header. */
export function encodeLayer(layer: Layer): Uint8Array {
  return layer.encode(null)
}

/** New bytes: a header of `headerSize` zero bytes, then `payload`. */
export function withHeader(
  headerSize: number,
  payload: Uint8Array,
): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(headerSize + payload.length)
  bytes.set(payload, headerSize)
  return { bytes, view: viewOf(bytes) }
}

/** Checks a header field. @throws RangeError when it is no integer of `bits` bits. */
export function bitField(name: string, value: number, bits: number): number {
  const max = 2 ** bits - 1
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new RangeError(`${name} ${value} is not an integer from 0 to ${max}`)
  return value
}

/** `options` padded with zero bytes to a multiple of four. @throws RangeError above `sizeMax`. */
export function paddedOptions(name: string, options: Uint8Array, sizeMax: number): Uint8Array {
  const size = (options.length + 3) & ~3
  if (size > sizeMax) throw new RangeError(`${name} of ${size} bytes, the limit is ${sizeMax}`)
  const padded = new Uint8Array(size)
  padded.set(options)
  return padded
}
