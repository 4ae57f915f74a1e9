/**
 * Beginning and end of TCP connections: states, TIME_WAIT, listening (linux v6.18
 * net/ipv4/tcp.c tcp_set_state, tcp_done, net/ipv4/tcp_minisocks.c tcp_time_wait).
 */

import { BPF_SOCK_OPS, BPF_SOCK_OPS_FLAG } from "../../spec/index.ts"
import type { Inet } from "./inet.ts"
import { Socket, TCP } from "./socket.ts"
import { createTcpState } from "./tcp-state.ts"

/** TCP_TIMEWAIT_LEN */
const TIME_WAIT_NS = 60_000_000_000n

/** tcp_set_state: tells sock_ops programs that asked for it. */
export function setState(inet: Inet, socket: Socket, state: number): void {
  const old = socket.state
  if (socket.tcp !== null && socket.tcp.cbFlags & BPF_SOCK_OPS_FLAG.BPF_SOCK_OPS_STATE_CB_FLAG)
    inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_STATE_CB, [old, state])
  if (state === TCP.CLOSE && old !== TCP.CLOSE) unhash(socket)
  socket.state = state
}

/** Takes a socket out of the tables; its port stays its own until it is closed. */
function unhash(socket: Socket): void {
  const { sockets } = socket.namespace
  if (socket.remotePort !== 0) sockets.removeConnected(socket)
  if (socket.state === TCP.LISTEN) socket.reuseport?.remove(socket)
  socket.unhashed = true
  if (!socket.boundPort && socket.localPort !== 0) sockets.removeBound(socket)
}

/** The connection is over. */
export function tcpDone(inet: Inet, socket: Socket): void {
  socket.tcp?.timer?.()
  socket.tcp?.ackTimer?.()
  if (socket.tcp !== null) {
    socket.tcp.timer = null
    socket.tcp.ackTimer = null
  }
  const { listener } = socket
  if (socket.isRequest) {
    listener?.requests.delete(socket)
    socket.namespace.sockets.removeConnected(socket)
    socket.state = TCP.CLOSE
    release(inet, socket)
    return
  }
  setState(inet, socket, TCP.CLOSE)
  socket.readShutdown = true
  socket.writeShutdown = true
  inet.programs.stopPsock(socket)
  if (socket.closed) release(inet, socket)
}

/** The last holder is gone. */
export function release(inet: Inet, socket: Socket): void {
  const { sockets } = socket.namespace
  sockets.removeBound(socket)
  for (const forget of [...socket.onRelease]) forget()
  socket.onRelease.clear()
  socket.filter?.put()
  socket.filter = null
  inet.memory.release(socket)
}

/** The connection ends in TIME_WAIT: a small socket answers for it for a minute. */
export function timeWait(inet: Inet, socket: Socket): void {
  const { tcp } = socket
  const rest = new Socket(socket)
  rest.local = socket.local
  rest.localPort = socket.localPort
  rest.remote = socket.remote
  rest.remotePort = socket.remotePort
  rest.options.mark = socket.options.mark
  rest.options.boundDevice = socket.options.boundDevice
  rest.cookie = socket.cookie
  rest.tcp =
    tcp === null ? null : { ...createTcpState(), ...tcp, timer: null, ackTimer: null, cbFlags: 0 }
  tcpDone(inet, socket)
  rest.state = TCP.TIME_WAIT
  rest.closed = true
  rest.namespace.sockets.addConnected(rest)
  const { clock } = inet.kernel
  clock.schedule(clock.now() + TIME_WAIT_NS, () => {
    rest.namespace.sockets.removeConnected(rest)
    inet.memory.release(rest)
  })
}
