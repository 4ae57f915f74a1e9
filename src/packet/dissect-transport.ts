/** Dissection of TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792, RFC 4443), VXLAN and Geneve. */

import type { TcpOption } from "./craft-transport.ts"
import type { Cursor, Next } from "./cursor.ts"
import { ETH_P_TEB, GENEVE_PORT, VXLAN_PORT } from "./protocol.ts"

export function dissectTcp(cursor: Cursor): Next {
  const { at, bytes, view } = cursor
  if (!cursor.has("tcp", 20)) return null
  const length = (bytes[at + 12] >> 4) * 4
  if (length < 20) {
    cursor.note("malformed", "tcp", `header length ${length} of tcp is less than 20`)
    return null
  }
  if (!cursor.has("tcp", length)) return null
  cursor.push({
    kind: "tcp",
    offset: at,
    length,
    srcPort: view.getUint16(at),
    dstPort: view.getUint16(at + 2),
    seq: view.getUint32(at + 4),
    ack: view.getUint32(at + 8),
    flags: bytes[at + 13],
    window: view.getUint16(at + 14),
    checksum: view.getUint16(at + 16),
    urgentPointer: view.getUint16(at + 18),
    options: bytes.subarray(at + 20, at + length),
  })
  return null
}

export function dissectUdp(cursor: Cursor): Next {
  const { at, view } = cursor
  if (!cursor.has("udp", 8)) return null
  const srcPort = view.getUint16(at)
  const dstPort = view.getUint16(at + 2)
  const datagramLength = view.getUint16(at + 4)
  const checksum = view.getUint16(at + 6)
  cursor.push({ kind: "udp", offset: at, length: 8, srcPort, dstPort, datagramLength, checksum })
  // Zero is what segmentation offload leaves.
  if (datagramLength !== 0 && datagramLength < 8)
    cursor.note("malformed", "udp", `length ${datagramLength} of a udp datagram is less than 8`)
  else if (datagramLength !== 0 && !cursor.fragmented) cursor.limit("udp", at, datagramLength)
  return { by: "udpPort", port: dstPort }
}

export function dissectIcmp(cursor: Cursor, kind: "icmp" | "icmpv6"): Next {
  const { at, bytes, view } = cursor
  if (!cursor.has(kind, 8)) return null
  cursor.push({
    kind,
    offset: at,
    length: 8,
    type: bytes[at],
    code: bytes[at + 1],
    checksum: view.getUint16(at + 2),
    rest: view.getUint32(at + 4),
  })
  return null
}

/** Reads the overlay that a UDP port stands for; other ports carry payload. */
export function dissectUdpPayload(cursor: Cursor, port: number): Next {
  if (port === VXLAN_PORT) return dissectVxlan(cursor)
  if (port === GENEVE_PORT) return dissectGeneve(cursor)
  return null
}

function dissectVxlan(cursor: Cursor): Next {
  const { at, view } = cursor
  if (!cursor.has("vxlan", 8)) return null
  const vni = view.getUint32(at + 4) >>> 8
  cursor.push({ kind: "vxlan", offset: at, length: 8, vni, type: ETH_P_TEB })
  return { by: "ethernet" }
}

function dissectGeneve(cursor: Cursor): Next {
  const { at, bytes, view } = cursor
  if (!cursor.has("geneve", 8)) return null
  const length = 8 + (bytes[at] & 0x3f) * 4
  if (!cursor.has("geneve", length)) return null
  const type = view.getUint16(at + 2)
  const vni = view.getUint32(at + 4) >>> 8
  cursor.push({ kind: "geneve", offset: at, length, vni, type })
  return { by: "etherType", type }
}

/**
 * The options of a TCP header, as {@link TcpOption}s. Unknown ones are `raw`; what is left of a
 * malformed list is one `raw` option.
 */
export function parseTcpOptions(options: Uint8Array): TcpOption[] {
  const view = new DataView(options.buffer, options.byteOffset, options.length)
  const list: TcpOption[] = []
  for (let at = 0; at < options.length; ) {
    const number = options[at]
    if (number === 0 || number === 1) {
      list.push({ kind: number === 0 ? "end" : "nop" })
      at++
      if (number === 0) break
    } else {
      const length = options[at + 1] ?? 0
      if (length < 2 || at + length > options.length) {
        list.push({ kind: "raw", bytes: options.subarray(at) })
        break
      }
      list.push(parseTcpOption(view, options.subarray(at, at + length), at))
      at += length
    }
  }
  return list
}

function parseTcpOption(view: DataView, bytes: Uint8Array, at: number): TcpOption {
  const [number, length] = bytes
  if (number === 2 && length === 4) return { kind: "mss", value: view.getUint16(at + 2) }
  if (number === 3 && length === 3) return { kind: "window-scale", shift: bytes[2] }
  if (number === 4 && length === 2) return { kind: "sack-permitted" }
  if (number === 8 && length === 10)
    return { kind: "timestamps", value: view.getUint32(at + 2), echo: view.getUint32(at + 6) }
  if (number === 5 && length >= 10 && (length - 2) % 8 === 0) {
    const blocks: [number, number][] = []
    for (let i = 2; i < length; i += 8)
      blocks.push([view.getUint32(at + i), view.getUint32(at + i + 4)])
    return { kind: "sack", blocks }
  }
  return { kind: "raw", bytes }
}
