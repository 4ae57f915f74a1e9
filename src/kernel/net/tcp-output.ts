/**
 * TCP segments on their way out: options, acknowledgments, data, retransmission (RFC 9293;
 * linux v6.18 net/ipv4/tcp_output.c). There is no congestion control: what fits into the peer's
 * window is sent.
 */

import { BPF_SOCK_OPS, BPF_SOCK_OPS_FLAG, ERRNO } from "../../spec/index.ts"
import type { Inet } from "./inet.ts"
import { routeMtu, sendIp } from "./ip-output.ts"
import { type Socket, TCP } from "./socket.ts"
import { setState, tcpDone } from "./tcp-life.ts"
import { before, type TcpState } from "./tcp-state.ts"
import {
  AF_INET,
  IPPROTO_TCP,
  type IpHeader,
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  type TcpSegment,
  writeTcp,
} from "./wire.ts"

/** The largest window of a SYN, and the scale of the others. */
const WINDOW_MAX = 65_535
const WINDOW_SCALE = 7
/** TCP_DELACK_MIN */
const DELAYED_ACK_NS = 40_000_000n
const TCP_MSS_DEFAULT = 536
const OPTIONS_MAX = 40
/** TCP_RTO_MAX */
const RTO_MAX_MS = 120_000
const EMPTY = new Uint8Array(0)

/** The connection's state; a socket of another protocol has none. */
export function stateOf(socket: Socket): TcpState {
  if (socket.tcp === null) throw new Error("a socket without TCP state was taken for a TCP socket")
  return socket.tcp
}

/** What a SYN says about us, in Linux's order. */
function synOptions(inet: Inet, tcp: TcpState): Uint8Array {
  const options = new Uint8Array(20)
  const view = new DataView(options.buffer)
  options.set([2, 4, tcp.advertisedMss >> 8, tcp.advertisedMss & 255, 4, 2, 8, 10])
  view.setUint32(8, inet.milliseconds())
  view.setUint32(12, tcp.peerTimestamp)
  options.set([1, 3, 3, WINDOW_SCALE], 16)
  return options
}

function timestampOption(inet: Inet, tcp: TcpState): Uint8Array {
  if (!tcp.timestamps) return EMPTY
  const options = new Uint8Array(12)
  const view = new DataView(options.buffer)
  options.set([1, 1, 8, 10])
  view.setUint32(4, inet.milliseconds())
  view.setUint32(8, tcp.peerTimestamp)
  return options
}

/** The segment sizes that a route allows. */
export function initializeMss(socket: Socket): void {
  const tcp = stateOf(socket)
  const route = socket.namespace.lookup(socket.remote)
  const mtu = route === undefined ? 1500 : routeMtu(socket.namespace, route)
  const header = socket.remote.length === 4 ? 40 : 60
  tcp.advertisedMss = Math.min(mtu, 65_535) - header
  const mss = Math.min(tcp.advertisedMss, tcp.peerMss) - (tcp.timestamps ? 12 : 0)
  // tcp_bound_to_half_wnd
  const half = tcp.maxWindow > TCP_MSS_DEFAULT ? tcp.maxWindow >> 1 : tcp.maxWindow
  tcp.mss = half === 0 ? mss : Math.min(mss, Math.max(half, 48))
}

/** The window that the first segment offers: whole segments (tcp_select_initial_window). */
export function initializeWindow(socket: Socket): void {
  const tcp = stateOf(socket)
  const answering = socket.isRequest && tcp.timestamps
  const segment = Math.max(1, tcp.advertisedMss - (answering ? 12 : 0))
  tcp.rcvWindow = Math.max(1, Math.floor(WINDOW_MAX / segment)) * segment
}

/** Takes the window of a segment. */
export function takeWindow(socket: Socket, window: number): void {
  const tcp = stateOf(socket)
  tcp.sndWindow = window
  if (window <= tcp.maxWindow) return
  tcp.maxWindow = window
  initializeMss(socket)
}

/** Acknowledges later, unless something is sent before. */
export function delayAck(inet: Inet, socket: Socket): void {
  const tcp = stateOf(socket)
  if (tcp.ackTimer !== null) return
  const { clock } = inet.kernel
  tcp.ackTimer = clock.schedule(clock.now() + DELAYED_ACK_NS, () => {
    tcp.ackTimer = null
    if (socket.state !== TCP.CLOSE) sendAck(inet, socket)
    inet.drain()
  })
}

export interface Outgoing {
  readonly flags: number
  readonly sequence: number
  readonly payload?: Uint8Array
}

/** Builds and sends one segment; 0 or a negative errno. */
export function sendSegment(inet: Inet, socket: Socket, what: Outgoing): number {
  const tcp = stateOf(socket)
  const syn = (what.flags & TCP_SYN) !== 0
  const standard = syn ? synOptions(inet, tcp) : timestampOption(inet, tcp)
  const reset = (what.flags & TCP_RST) !== 0
  const options = reset
    ? standard
    : inet.programs.headerOptions(socket, {
        standard,
        room: OPTIONS_MAX - standard.length,
        flags: what.flags,
        sequence: what.sequence,
      })
  const payload = what.payload ?? EMPTY
  const segment: TcpSegment = {
    sourcePort: socket.localPort,
    destinationPort: socket.remotePort,
    sequence: what.sequence >>> 0,
    acknowledgment: what.flags & TCP_ACK ? tcp.rcvNxt >>> 0 : 0,
    flags: what.flags,
    window: syn ? tcp.rcvWindow : (tcp.rcvWindow + (1 << WINDOW_SCALE) - 1) >> WINDOW_SCALE,
    options,
    payload,
  }
  tcp.segsOut++
  tcp.ackTimer?.()
  tcp.ackTimer = null
  if (payload.length > 0) {
    tcp.dataSegsOut++
    tcp.bytesSent += BigInt(payload.length)
  }
  const bytes = writeTcp(segment, socket.local, socket.remote)
  const fields = { source: socket.local, destination: socket.remote, protocol: IPPROTO_TCP }
  const sender = socket.isRequest ? (socket.listener ?? socket) : socket
  return sendIp(inet, sender, fields, bytes, socket.namespace)
}

export function sendAck(inet: Inet, socket: Socket): void {
  const tcp = stateOf(socket)
  sendSegment(inet, socket, { flags: TCP_ACK, sequence: tcp.sndNxt })
}

/** Sends what the peer's window allows, and the FIN behind it. */
export function pushData(inet: Inet, socket: Socket): void {
  const tcp = stateOf(socket)
  while (tcp.unsent.length > 0) {
    const room = tcp.sndWindow - ((tcp.sndNxt - tcp.sndUna) | 0)
    const size = Math.min(tcp.unsent.length, tcp.mss, room)
    if (size <= 0) break
    const payload = tcp.unsent.slice(0, size)
    tcp.unsent = tcp.unsent.slice(size)
    tcp.unacked = concat(tcp.unacked, payload)
    const sequence = tcp.sndNxt
    tcp.sndNxt = (tcp.sndNxt + size) >>> 0
    tcp.sentAt = inet.kernel.clock.now()
    armTimer(inet, socket)
    const push = tcp.unsent.length === 0 ? TCP_PSH : 0
    sendSegment(inet, socket, { flags: TCP_ACK | push, sequence, payload })
    if (socket.tcp !== tcp || socket.state === TCP.CLOSE) return
  }
  if (!tcp.finQueued || tcp.finSent || tcp.unsent.length > 0) return
  tcp.finSent = true
  const sequence = tcp.sndNxt
  tcp.sndNxt = (tcp.sndNxt + 1) >>> 0
  armTimer(inet, socket)
  sendSegment(inet, socket, { flags: TCP_ACK | TCP_FIN, sequence })
}

/** An answer to a segment that belongs to no connection. */
export function sendReset(
  inet: Inet,
  segment: TcpSegment,
  ip: IpHeader,
  namespace: Socket["namespace"],
): void {
  if (segment.flags & TCP_RST) return
  const acked = (segment.flags & TCP_ACK) !== 0
  const size =
    segment.payload.length + (segment.flags & TCP_SYN ? 1 : 0) + (segment.flags & TCP_FIN ? 1 : 0)
  const reset: TcpSegment = {
    sourcePort: segment.destinationPort,
    destinationPort: segment.sourcePort,
    sequence: acked ? segment.acknowledgment : 0,
    acknowledgment: acked ? 0 : (segment.sequence + size) >>> 0,
    flags: acked ? TCP_RST : TCP_RST | TCP_ACK,
    window: 0,
    options: EMPTY,
    payload: EMPTY,
  }
  const fields = { source: ip.destination, destination: ip.source, protocol: IPPROTO_TCP }
  const bytes = writeTcp(reset, fields.source, fields.destination)
  sendIp(inet, inet.control(namespace), fields, bytes, namespace)
}

/** Starts (or goes on with) the retransmission timer. */
export function armTimer(inet: Inet, socket: Socket): void {
  const tcp = stateOf(socket)
  if (tcp.timer !== null) return
  const delay = Math.min(tcp.rtoMs * 2 ** tcp.retransmits, RTO_MAX_MS)
  const { clock } = inet.kernel
  tcp.timer = clock.schedule(clock.now() + BigInt(delay) * 1_000_000n, () => {
    tcp.timer = null
    retransmit(inet, socket)
    inet.drain()
  })
}

export function disarmTimer(socket: Socket): void {
  socket.tcp?.timer?.()
  if (socket.tcp !== null) socket.tcp.timer = null
}

function retransmit(inet: Inet, socket: Socket): void {
  const tcp = stateOf(socket)
  if (socket.state === TCP.CLOSE) return
  if (tcp.sndUna === tcp.sndNxt && tcp.unsent.length === 0) return
  tcp.retransmits++
  const syn = socket.state === TCP.SYN_SENT || socket.isRequest
  const limit = Number(socket.namespace.setting(`net/ipv4/tcp_${syn ? "syn_retries" : "retries2"}`))
  if (tcp.cbFlags & BPF_SOCK_OPS_FLAG.BPF_SOCK_OPS_RTO_CB_FLAG)
    inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_RTO_CB, [
      tcp.retransmits,
      tcp.rtoMs * 2 ** tcp.retransmits,
      tcp.retransmits > limit ? 1 : 0,
    ])
  if (tcp.retransmits > limit) {
    socket.error = ERRNO.ETIMEDOUT
    tcpDone(inet, socket)
    return
  }
  tcp.totalRetrans++
  if (socket.state === TCP.SYN_SENT) {
    sendSegment(inet, socket, { flags: TCP_SYN, sequence: tcp.iss })
  } else if (socket.isRequest) {
    sendSegment(inet, socket, { flags: TCP_SYN | TCP_ACK, sequence: tcp.iss })
  } else if (tcp.unacked.length > 0) {
    const payload = tcp.unacked.slice(0, tcp.mss)
    if (tcp.cbFlags & BPF_SOCK_OPS_FLAG.BPF_SOCK_OPS_RETRANS_CB_FLAG)
      inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_RETRANS_CB, [tcp.sndUna, 1, 0])
    sendSegment(inet, socket, { flags: TCP_ACK | TCP_PSH, sequence: tcp.sndUna, payload })
  } else if (tcp.finSent) {
    sendSegment(inet, socket, { flags: TCP_ACK | TCP_FIN, sequence: tcp.sndUna })
  } else if (tcp.unsent.length > 0) pushData(inet, socket)
  if (socket.tcp?.timer === null && (socket.state as number) !== TCP.CLOSE) armTimer(inet, socket)
}

/** Starts a connection: the SYN; 0 or a negative errno. The addresses are set. */
export function sendSyn(inet: Inet, socket: Socket): number {
  const tcp = stateOf(socket)
  tcp.iss = inet.sequence()
  tcp.sndUna = tcp.iss
  tcp.sndNxt = tcp.iss
  tcp.timestamps = true
  initializeMss(socket)
  initializeWindow(socket)
  setState(inet, socket, TCP.SYN_SENT)
  socket.namespace.sockets.addConnected(socket)
  inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_TCP_CONNECT_CB, [])
  const rto = inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_TIMEOUT_INIT, [])
  if (rto > 0) tcp.rtoMs = rto
  inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_RWND_INIT, [])
  inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_NEEDS_ECN, [])
  tcp.sndNxt = (tcp.iss + 1) >>> 0
  tcp.sentAt = inet.kernel.clock.now()
  armTimer(inet, socket)
  return sendSegment(inet, socket, { flags: TCP_SYN, sequence: tcp.iss })
}

/** Takes an acknowledgment: what it covers is forgotten. Returns whether our FIN is covered. */
export function acknowledge(inet: Inet, socket: Socket, acknowledgment: number): boolean {
  const tcp = stateOf(socket)
  if (before(tcp.sndUna, acknowledgment) && !before(tcp.sndNxt, acknowledgment)) {
    const covered = (acknowledgment - tcp.sndUna) | 0
    const bytes = Math.min(covered, tcp.unacked.length)
    tcp.unacked = tcp.unacked.slice(bytes)
    tcp.bytesAcked += BigInt(bytes)
    if (bytes > 0) tcp.delivered += Math.ceil(bytes / tcp.mss)
    tcp.sndUna = acknowledgment
    if (tcp.retransmits === 0) measure(inet, socket)
    tcp.retransmits = 0
    disarmTimer(socket)
    if (tcp.sndUna !== tcp.sndNxt) armTimer(inet, socket)
  }
  return tcp.finSent && tcp.sndUna === tcp.sndNxt
}

/** tcp_rtt_estimator, in whole microseconds of the virtual clock, at least 1. */
function measure(inet: Inet, socket: Socket): void {
  const tcp = stateOf(socket)
  const elapsed = Number((inet.kernel.clock.now() - tcp.sentAt) / 1000n)
  const rtt = Math.max(1, Math.min(elapsed, 2 ** 30))
  tcp.srttUs = tcp.srttUs === 0 ? rtt * 8 : tcp.srttUs + (rtt - (tcp.srttUs >> 3))
  tcp.rttMinUs = Math.min(tcp.rttMinUs, rtt)
  if (tcp.cbFlags & BPF_SOCK_OPS_FLAG.BPF_SOCK_OPS_RTT_CB_FLAG)
    inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_RTT_CB, [rtt, tcp.srttUs])
}

/** The IP header size of a connection. */
export function ipHeaderBytes(socket: Socket): number {
  return socket.remote.length === 4 && socket.family >= AF_INET ? 20 : 40
}

export function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
