/**
 * TCP segments on their way in (RFC 9293 §3.10; linux v6.18 net/ipv4/tcp_ipv4.c tcp_v4_rcv,
 * tcp_input.c). Segments that come out of order are dropped: the peer sends them again.
 */

import { BPF_SOCK_OPS, ERRNO } from "../../spec/index.ts"
import type { Inet, Packet } from "./inet.ts"
import { receivingSocket } from "./lookup.ts"
import { Socket, TCP } from "./socket.ts"
import { setState, tcpDone, timeWait } from "./tcp-life.ts"
import {
  acknowledge,
  armTimer,
  delayAck,
  disarmTimer,
  initializeMss,
  initializeWindow,
  pushData,
  sendAck,
  sendReset,
  sendSegment,
  stateOf,
  takeWindow,
} from "./tcp-output.ts"
import { before, createTcpState, type TcpState } from "./tcp-state.ts"
import {
  IPPROTO_TCP,
  type IpHeader,
  readTcp,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
  type TcpSegment,
} from "./wire.ts"

const WINDOW_SCALE = 7

/** One segment with what belongs to it. */
interface Arrival {
  readonly inet: Inet
  readonly packet: Packet
  readonly ip: IpHeader
  readonly segment: TcpSegment
}

export function tcpInput(inet: Inet, packet: Packet, ip: IpHeader): void {
  const segment = readTcp(packet.bytes, ip)
  if (segment === null) return
  const { namespace } = packet
  const tuple = {
    family: packet.family,
    protocol: IPPROTO_TCP,
    remote: { address: ip.source, port: segment.sourcePort },
    local: { address: ip.destination, port: segment.destinationPort },
    ifindex: packet.input?.ifindex ?? 0,
  }
  const assigned = packet.socket?.isTcp && packet.socket.state !== TCP.CLOSE ? packet.socket : null
  const socket = assigned ?? receivingSocket(inet, namespace, tuple, packet)
  const arrival = { inet, packet, ip, segment }
  if (socket === null) {
    sendReset(inet, segment, ip, namespace)
    return
  }
  if (socket.state === TCP.TIME_WAIT) {
    timeWaitInput(arrival, socket)
    return
  }
  const full = socket.isRequest ? socket.listener : socket
  if (full === null || inet.programs.socketFilter(full, packet, ip) === 0) return
  if (socket.tcp !== null) socket.tcp.segsIn++
  if (socket.isRequest) requestInput(arrival, socket)
  else if (socket.state === TCP.LISTEN) listenInput(arrival, socket)
  else if (socket.state === TCP.SYN_SENT) synSentInput(arrival, socket)
  else connectionInput(arrival, socket)
}

function timeWaitInput({ inet, segment, ip, packet }: Arrival, socket: Socket): void {
  if (segment.flags & TCP_RST) return
  const tcp = stateOf(socket)
  if (segment.flags & TCP_SYN && before(tcp.rcvNxt, segment.sequence)) {
    // A new connection may take the place of the old one.
    socket.namespace.sockets.removeConnected(socket)
    tcpInput(inet, packet, ip)
    return
  }
  if (segment.flags & TCP_FIN || segment.payload.length > 0) sendAck(inet, socket)
}

/** What the options of a segment say. */
function readOptions(tcp: TcpState, segment: TcpSegment): { scale: number } {
  const { options } = segment
  const view = new DataView(options.buffer, options.byteOffset, options.length)
  let scale = 0
  for (let at = 0; at < options.length; ) {
    const kind = options[at]
    if (kind === 0) break
    if (kind === 1) {
      at++
      continue
    }
    const size = options[at + 1] ?? 0
    if (size < 2 || at + size > options.length) break
    const syn = (segment.flags & TCP_SYN) !== 0
    if (kind === 2 && size === 4 && syn) tcp.peerMss = view.getUint16(at + 2)
    if (kind === 3 && size === 3 && syn) scale = Math.min(options[at + 2], 14)
    if (kind === 8 && size === 10) {
      if (syn) tcp.timestamps = true
      tcp.peerTimestamp = view.getUint32(at + 2)
    }
    at += size
  }
  return { scale }
}

/** A SYN for a listening socket: a half-open connection, and our SYN. */
function listenInput(arrival: Arrival, listener: Socket): void {
  const { inet, packet, ip, segment } = arrival
  if (segment.flags & TCP_RST) return
  if (segment.flags & TCP_ACK) {
    sendReset(inet, segment, ip, packet.namespace)
    return
  }
  if (!(segment.flags & TCP_SYN) || segment.flags & TCP_FIN) return
  if (listener.acceptQueue.length > listener.backlog) return
  const request = new Socket({ ...listener, namespace: listener.namespace, task: listener.task })
  Object.assign(request.options, listener.options)
  for (const [name, value] of listener.otherOptions) request.otherOptions.set(name, value)
  request.local = ip.destination
  request.localPort = segment.destinationPort
  request.remote = ip.source
  request.remotePort = segment.sourcePort
  request.listener = listener
  request.state = TCP.NEW_SYN_RECV
  const tcp = createTcpState()
  request.tcp = tcp
  const parent = stateOf(listener)
  tcp.cbFlags = parent.cbFlags
  tcp.saveSyn = parent.saveSyn
  tcp.synPacket = packet.bytes.slice(0, ip.headerBytes + 20 + segment.options.length)
  tcp.irs = segment.sequence
  tcp.rcvNxt = (segment.sequence + 1) >>> 0
  readOptions(tcp, segment)
  tcp.iss = inet.sequence()
  tcp.sndUna = tcp.iss
  tcp.sndNxt = (tcp.iss + 1) >>> 0
  tcp.segsIn = 1
  initializeMss(request)
  initializeWindow(request)
  inet.programs.sockOps(request, BPF_SOCK_OPS.BPF_SOCK_OPS_TIMEOUT_INIT, [])
  inet.programs.sockOps(request, BPF_SOCK_OPS.BPF_SOCK_OPS_RWND_INIT, [])
  listener.requests.add(request)
  listener.namespace.sockets.addConnected(request)
  armTimer(inet, request)
  sendSegment(inet, request, { flags: TCP_SYN | TCP_ACK, sequence: tcp.iss })
}

/** The third segment of the handshake: the connection becomes a full socket. */
function requestInput(arrival: Arrival, request: Socket): void {
  const { inet, packet, ip, segment } = arrival
  const tcp = stateOf(request)
  const { listener } = request
  if (listener === null) return
  if (segment.flags & TCP_RST) {
    if (segment.sequence === tcp.rcvNxt) tcpDone(inet, request)
    return
  }
  if (segment.flags & TCP_SYN) {
    sendSegment(inet, request, { flags: TCP_SYN | TCP_ACK, sequence: tcp.iss })
    return
  }
  if (!(segment.flags & TCP_ACK)) return
  if (segment.acknowledgment !== tcp.sndNxt) {
    sendReset(inet, segment, ip, packet.namespace)
    return
  }
  disarmTimer(request)
  listener.requests.delete(request)
  readOptions(tcp, segment)
  request.state = TCP.SYN_RECV
  if (tcp.saveSyn !== 0) tcp.savedSyn = tcp.synPacket
  takeWindow(request, segment.window << WINDOW_SCALE)
  tcp.sndUna = segment.acknowledgment
  inet.programs.inheritStorage(listener, request)
  const info = { segment, ip, packet }
  inet.programs.sockOps(request, BPF_SOCK_OPS.BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, [], info)
  tcp.synPacket = null
  setState(inet, request, TCP.ESTABLISHED)
  listener.acceptQueue.push(request)
  connectionInput(arrival, request)
}

function synSentInput(arrival: Arrival, socket: Socket): void {
  const { inet, packet, ip, segment } = arrival
  const tcp = stateOf(socket)
  const acked = (segment.flags & TCP_ACK) !== 0
  if (acked && segment.acknowledgment !== tcp.sndNxt) {
    sendReset(inet, segment, ip, packet.namespace)
    return
  }
  if (segment.flags & TCP_RST) {
    if (!acked) return
    socket.error = ERRNO.ECONNREFUSED
    tcpDone(inet, socket)
    return
  }
  if (!(segment.flags & TCP_SYN) || !acked) return
  tcp.irs = segment.sequence
  tcp.rcvNxt = (segment.sequence + 1) >>> 0
  tcp.timestamps = false
  readOptions(tcp, segment)
  initializeMss(socket)
  takeWindow(socket, segment.window)
  acknowledge(inet, socket, segment.acknowledgment)
  setState(inet, socket, TCP.ESTABLISHED)
  const info = { segment, ip, packet }
  inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, [], info)
  sendAck(inet, socket)
}

/** Segments of a connection that stands, or is being closed. */
function connectionInput(arrival: Arrival, socket: Socket): void {
  const { inet, segment, ip, packet } = arrival
  const tcp = stateOf(socket)
  if (segment.flags & TCP_RST) {
    if (segment.sequence !== tcp.rcvNxt) return
    socket.error = socket.state === TCP.CLOSE_WAIT ? ERRNO.EPIPE : ERRNO.ECONNRESET
    tcpDone(inet, socket)
    return
  }
  readOptions(tcp, segment)
  inet.programs.parseHeader(socket, { segment, ip, packet })
  if (segment.flags & TCP_SYN) {
    sendAck(inet, socket)
    return
  }
  if (!(segment.flags & TCP_ACK)) return
  takeWindow(socket, segment.window << WINDOW_SCALE)
  const finAcked = acknowledge(inet, socket, segment.acknowledgment)
  if (finAcked && afterOurFin(inet, socket)) return
  const size = segment.payload.length + (segment.flags & TCP_FIN ? 1 : 0)
  if (size === 0) {
    if (tcp.unsent.length > 0) pushData(inet, socket)
    return
  }
  if (segment.sequence !== tcp.rcvNxt) {
    sendAck(inet, socket)
    return
  }
  if (segment.payload.length > 0 && !takePayload(arrival, socket)) return
  if (segment.flags & TCP_FIN) finInput(inet, socket)
  else {
    sendAck(inet, socket)
    if (tcp.unsent.length > 0) pushData(inet, socket)
  }
}

/** Our FIN has arrived. Returns whether the socket is gone by that. */
function afterOurFin(inet: Inet, socket: Socket): boolean {
  switch (socket.state) {
    case TCP.FIN_WAIT1:
      setState(inet, socket, TCP.FIN_WAIT2)
      return false
    case TCP.CLOSING:
      timeWait(inet, socket)
      return true
    case TCP.LAST_ACK:
      tcpDone(inet, socket)
      return true
    default:
      return false
  }
}

/** Data in order: into the queue, or to the programs of a socket map. False: the connection is gone. */
function takePayload({ inet, segment, ip, packet }: Arrival, socket: Socket): boolean {
  const tcp = stateOf(socket)
  const { payload } = segment
  if (socket.closed) {
    // Nobody will read it.
    sendReset(inet, segment, ip, packet.namespace)
    tcpDone(inet, socket)
    return false
  }
  tcp.rcvNxt = (tcp.rcvNxt + payload.length) >>> 0
  tcp.bytesReceived += BigInt(payload.length)
  tcp.dataSegsIn++
  if (!inet.programs.streamInput(socket, payload)) socket.queue.push({ data: payload, from: null })
  return true
}

function finInput(inet: Inet, socket: Socket): void {
  const tcp = stateOf(socket)
  tcp.rcvNxt = (tcp.rcvNxt + 1) >>> 0
  tcp.finReceived = true
  socket.readShutdown = true
  switch (socket.state) {
    case TCP.ESTABLISHED:
      setState(inet, socket, TCP.CLOSE_WAIT)
      delayAck(inet, socket)
      break
    case TCP.FIN_WAIT1:
      sendAck(inet, socket)
      setState(inet, socket, TCP.CLOSING)
      break
    case TCP.FIN_WAIT2:
      sendAck(inet, socket)
      timeWait(inet, socket)
      break
    default:
      sendAck(inet, socket)
  }
}
