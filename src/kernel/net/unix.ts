/** AF_UNIX sockets: pairs, and listening ones with a path (linux v6.18 net/unix/af_unix.c). */

import { ERRNO } from "../../spec/index.ts"
import { type Socket, TCP } from "./socket.ts"

/** sizeof(sun_path) less its terminating zero. */
const PATH_MAX = 107

/** Two connected sockets: socketpair(2). */
export function pair(a: Socket, b: Socket): void {
  a.peer = b
  b.peer = a
  a.state = TCP.ESTABLISHED
  b.state = TCP.ESTABLISHED
  a.unhashed = false
  b.unhashed = false
}

/** Takes a path; 0 or a negative errno. */
export function bind(socket: Socket, path: string): number {
  if (path === "" || path.length > PATH_MAX || socket.path !== "") return -ERRNO.EINVAL
  const { unixPaths } = socket.namespace
  if (unixPaths.has(path)) return -ERRNO.EADDRINUSE
  unixPaths.set(path, socket)
  socket.path = path
  return 0
}

/** Connects a stream to the socket at a path: `child` becomes its other end. */
export function connect(socket: Socket, path: string, child: Socket): number {
  if (socket.state === TCP.ESTABLISHED) return -ERRNO.EISCONN
  const server = socket.namespace.unixPaths.get(path)
  if (server === undefined) return -ERRNO.ENOENT
  if (server.state !== TCP.LISTEN) return -ERRNO.ECONNREFUSED
  if (server.type !== socket.type) return -ERRNO.EPROTOTYPE
  if (server.acceptQueue.length > server.backlog) return -ERRNO.EAGAIN
  pair(socket, child)
  server.acceptQueue.push(child)
  return 0
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
  if (socket.path !== "") socket.namespace.unixPaths.delete(socket.path)
  if (socket.peer === null) return
  socket.peer.readShutdown = true
  socket.peer.peer = null
  socket.peer = null
}
