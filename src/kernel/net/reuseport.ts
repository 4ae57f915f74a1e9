/**
 * Sockets that share an address by SO_REUSEPORT, and which of them gets a packet
 * (linux v6.18 net/core/sock_reuseport.c).
 */

import type { KernelObject } from "../objects/kernel-object.ts"
import type { Socket } from "./socket.ts"

/** Sockets in a group at most (reuseport_grow: U16_MAX). */
const GROUP_MAX = 65_535

export class ReuseportGroup {
  /** In the order in which they joined; a socket that leaves is replaced by the last one. */
  readonly sockets: Socket[] = []
  /** SO_ATTACH_REUSEPORT_EBPF. */
  program: KernelObject<"program"> | null = null
  readonly id: number
  readonly bindAny: boolean

  constructor(id: number, bindAny: boolean) {
    this.id = id
    this.bindAny = bindAny
  }

  add(socket: Socket): boolean {
    if (this.sockets.length >= GROUP_MAX) return false
    this.sockets.push(socket)
    socket.reuseport = this
    return true
  }

  remove(socket: Socket): void {
    const index = this.sockets.indexOf(socket)
    if (index < 0) return
    const last = this.sockets.pop()
    if (last !== undefined && last !== socket) this.sockets[index] = last
    socket.reuseport = null
    if (this.sockets.length === 0) {
      this.program?.put()
      this.program = null
    }
  }

  /** The socket that a hash falls on (reciprocal_scale). */
  byHash(hash: number): Socket | undefined {
    const index = Math.floor(((hash >>> 0) * this.sockets.length) / 2 ** 32)
    return this.sockets[index]
  }
}
