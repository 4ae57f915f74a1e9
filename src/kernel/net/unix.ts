/** AF_UNIX sockets: pairs, and listening ones with a path (linux v6.18 net/unix/af_unix.c). */

import { ERRNO } from "../../spec/index.ts"
import { type Socket, TCP } from "./socket.ts"

/** Two connected sockets: socketpair(2). */
export function pair(a: Socket, b: Socket): void {
  a.peer = b
  b.peer = a
  a.state = TCP.ESTABLISHED
  b.state = TCP.ESTABLISHED
  a.unhashed = false
  b.unhashed = false
}

export function listen(socket: Socket, backlog: number): number {
  if (socket.path === "") return -ERRNO.EINVAL
  socket.state = TCP.LISTEN
  socket.backlog = backlog
  return 0
}

/** Bytes taken, or a negative errno. */
export function send(socket: Socket, data: Uint8Array): number {
  const { peer } = socket
  if (peer === null) return -ERRNO.ENOTCONN
  if (socket.writeShutdown || peer.closed || peer.readShutdown) return -ERRNO.EPIPE
  peer.queue.push({ data: data.slice(), from: null })
  return data.length
}

export function shutdown(socket: Socket): number {
  socket.writeShutdown = true
  if (socket.peer !== null) socket.peer.readShutdown = true
  return 0
}

export function close(socket: Socket): void {
  socket.closed = true
  socket.state = TCP.CLOSE
  if (socket.peer === null) return
  socket.peer.readShutdown = true
  socket.peer.peer = null
  socket.peer = null
}
