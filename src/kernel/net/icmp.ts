/**
 * ICMP and ICMPv6: echo, and the errors that the stack reports (RFC 792, RFC 4443; linux v6.18
 * net/ipv4/icmp.c, net/ipv6/icmp.c).
 */

import { ERRNO } from "../../spec/index.ts"
import type { Inet, Packet } from "./inet.ts"
import { sendIp } from "./ip-output.ts"
import { socketFor } from "./lookup.ts"
import { TCP } from "./socket.ts"
import {
  AF_INET,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_UDP,
  type IpHeader,
  isMulticast,
  readIp,
  writeIcmp,
} from "./wire.ts"

export type Unreachable = "port" | "host" | "protocol" | "prohibited" | "ttl" | "size"

/** Type and code of each error, for IPv4 and IPv6. */
const ERRORS: Readonly<Record<Unreachable, readonly [readonly number[], readonly number[]]>> = {
  port: [
    [3, 3],
    [1, 4],
  ],
  host: [
    [3, 1],
    [1, 3],
  ],
  protocol: [
    [3, 2],
    [4, 1],
  ],
  prohibited: [
    [3, 13],
    [1, 1],
  ],
  ttl: [
    [11, 0],
    [3, 0],
  ],
  size: [
    [3, 4],
    [2, 0],
  ],
}

/** IPv4 errors carry the header and 8 bytes more at least; both families fill a minimal packet. */
const QUOTED_MAX = 548

export function icmpInput(inet: Inet, packet: Packet, ip: IpHeader): void {
  const message = packet.bytes.subarray(ip.headerBytes, ip.totalBytes)
  if (message.length < 8) return
  const four = ip.family === AF_INET
  if (ip.protocol !== (four ? IPPROTO_ICMP : IPPROTO_ICMPV6)) return
  const [type] = message
  if (type === (four ? 8 : 128)) {
    if (isMulticast(ip.destination)) return
    const fields = {
      source: ip.destination,
      destination: ip.source,
      protocol: ip.protocol,
    }
    const reply = { type: four ? 0 : 129, code: 0 }
    const body = writeIcmp(reply, message.slice(4), fields.source, fields.destination)
    sendIp(inet, inet.control(packet.namespace), fields, body)
  } else if (type === (four ? 3 : 1)) unreachableInput(packet, message)
}

/** A port that is not there: the connected socket hears of it. */
function unreachableInput(packet: Packet, message: Uint8Array): void {
  const quoted = message.slice(8)
  const version = quoted[0] >> 4
  const headerBytes = version === 4 ? (quoted[0] & 15) * 4 : 40
  if (quoted.length < headerBytes + 8) return
  const protocol = version === 4 ? quoted[9] : quoted[6]
  if (protocol !== IPPROTO_UDP) return
  const [source, destination] =
    version === 4
      ? [quoted.slice(12, 16), quoted.slice(16, 20)]
      : [quoted.slice(8, 24), quoted.slice(24, 40)]
  const view = new DataView(quoted.buffer, headerBytes)
  const socket = socketFor(packet.namespace, {
    family: packet.family,
    protocol,
    local: { address: source, port: view.getUint16(0) },
    remote: { address: destination, port: view.getUint16(2) },
    ifindex: packet.input?.ifindex ?? 0,
  })
  if (socket?.state === TCP.ESTABLISHED) socket.error = ERRNO.ECONNREFUSED
}

/** Tells the sender of a packet that it cannot be delivered. */
export function sendUnreachable(inet: Inet, packet: Packet, why: Unreachable, mtu = 0): void {
  const ip = readIp(packet.bytes)
  if (ip === null || isMulticast(ip.destination)) return
  const four = ip.family === AF_INET
  if (ip.protocol === IPPROTO_ICMP || ip.protocol === IPPROTO_ICMPV6) return
  const [type, code] = ERRORS[why][four ? 0 : 1]
  const route = packet.namespace.lookup(ip.source)
  const source = packet.namespace.isLocal(ip.destination)
    ? ip.destination
    : route && packet.namespace.sourceFor(route, ip.source)
  if (source === undefined) return
  const quoted = packet.bytes.subarray(0, four ? QUOTED_MAX : 1232)
  const rest = new Uint8Array(4 + quoted.length)
  if (four) new DataView(rest.buffer).setUint16(2, mtu)
  else new DataView(rest.buffer).setUint32(0, mtu)
  rest.set(quoted, 4)
  const fields = {
    source,
    destination: ip.source,
    protocol: four ? IPPROTO_ICMP : IPPROTO_ICMPV6,
  }
  const body = writeIcmp({ type, code }, rest, source, ip.source)
  sendIp(inet, inet.control(packet.namespace), fields, body, packet.namespace)
}
