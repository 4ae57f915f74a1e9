/** UDP: datagrams in and out (RFC 768; linux v6.18 net/ipv4/udp.c). */

import { sendUnreachable } from "./icmp.ts"
import type { Inet, Packet } from "./inet.ts"
import { sendIp } from "./ip-output.ts"
import { receivingSocket } from "./lookup.ts"
import type { Endpoint, Socket } from "./socket.ts"
import { IPPROTO_UDP, type IpHeader, isMulticast, readUdp, writeUdp } from "./wire.ts"

/** Bytes of unread datagrams that a socket keeps, by its SO_RCVBUF: more are dropped. */
function roomFor(socket: Socket, size: number): boolean {
  const used = socket.queue.reduce((sum, { data }) => sum + data.length, 0)
  return used + size <= socket.options.receiveBuffer
}

export function udpInput(inet: Inet, packet: Packet, ip: IpHeader): void {
  const datagram = readUdp(packet.bytes, ip)
  if (datagram === null) return
  const tuple = {
    family: packet.family,
    protocol: IPPROTO_UDP,
    remote: { address: ip.source, port: datagram.sourcePort },
    local: { address: ip.destination, port: datagram.destinationPort },
    ifindex: packet.input?.ifindex ?? 0,
  }
  const assigned = packet.socket?.protocol === IPPROTO_UDP ? packet.socket : null
  const socket = assigned ?? receivingSocket(inet, packet.namespace, tuple, packet)
  if (socket === null) {
    if (!isMulticast(ip.destination)) sendUnreachable(inet, packet, "port")
    return
  }
  const kept = inet.programs.socketFilter(socket, packet, ip)
  if (kept === 0) return
  // A filter keeps so many bytes of the datagram, its header included.
  const data = datagram.payload.slice(0, Math.max(0, kept - 8))
  if (!roomFor(socket, data.length) || socket.readShutdown) return
  if (inet.programs.streamInput(socket, data)) return
  socket.queue.push({ data, from: tuple.remote })
}

/** Sends one datagram from `source`; 0 or a negative errno. */
export function udpOutput(
  inet: Inet,
  socket: Socket,
  source: Uint8Array,
  destination: Endpoint,
  payload: Uint8Array,
): number {
  const bytes = writeUdp(
    { sourcePort: socket.localPort, destinationPort: destination.port, payload },
    source,
    destination.address,
  )
  const fields = { source, destination: destination.address, protocol: IPPROTO_UDP }
  return sendIp(inet, socket, fields, bytes)
}
