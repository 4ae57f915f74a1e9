/**
 * The sockets of a namespace by address and port: conflicts of bind(), and which socket a packet
 * is for (linux v6.18 net/ipv4/inet_hashtables.c, inet_connection_sock.c, udp.c).
 */

import { ERRNO } from "../../spec/index.ts"
import { ReuseportGroup } from "./reuseport.ts"
import { type Endpoint, type Socket, TCP } from "./socket.ts"
import { AF_INET, AF_INET6, addressKey, IPPROTO_UDP, isAny, sameBytes } from "./wire.ts"

/** Whom a packet is from and for, as the receiver sees it. */
export interface Tuple {
  readonly family: number
  readonly protocol: number
  readonly remote: Endpoint
  readonly local: Endpoint
  /** Index of the device it came in on. */
  readonly ifindex: number
}

/** Chooses among the sockets of a group; null: the packet is refused. */
export type ReuseportChoice = (group: ReuseportGroup, socket: Socket) => Socket | null | undefined

const EPHEMERAL_MIN = 32_768
const EPHEMERAL_MAX = 60_999

export class SocketTable {
  /** All bound sockets by protocol and port. */
  private readonly bound = new Map<string, Socket[]>()
  /** Connected TCP sockets (requests and TIME_WAIT included) by both ends. */
  private readonly connected = new Map<string, Socket>()
  private nextPort = EPHEMERAL_MIN
  private nextGroup = 1

  /** Whether a socket may have an address and port: 0, or -EADDRINUSE. */
  conflict(socket: Socket, address: Uint8Array, port: number): number {
    const { options } = socket
    for (const other of this.bound.get(`${socket.protocol}/${port}`) ?? []) {
      if (other === socket || !overlaps(socket, address, other)) continue
      const devices = [options.boundDevice, other.options.boundDevice]
      if (devices[0] !== 0 && devices[1] !== 0 && devices[0] !== devices[1]) continue
      const reuse =
        options.reuseAddress &&
        other.options.reuseAddress &&
        (socket.protocol === IPPROTO_UDP || other.state !== TCP.LISTEN)
      const sharePort =
        options.reusePort &&
        other.options.reusePort &&
        socket.task.credentials.uid === other.task.credentials.uid
      if (!reuse && !sharePort) return -ERRNO.EADDRINUSE
    }
    return 0
  }

  /** A free port of the ephemeral range for an address, or 0. */
  freePort(socket: Socket, address: Uint8Array): number {
    for (let tries = EPHEMERAL_MIN; tries <= EPHEMERAL_MAX; tries++) {
      const port = this.nextPort
      this.nextPort = port >= EPHEMERAL_MAX ? EPHEMERAL_MIN : port + 1
      const taken = (this.bound.get(`${socket.protocol}/${port}`) ?? []).some((other) =>
        overlaps(socket, address, other),
      )
      if (!taken) return port
    }
    return 0
  }

  /** Puts a socket under its port. */
  addBound(socket: Socket): void {
    const key = `${socket.protocol}/${socket.localPort}`
    const all = this.bound.get(key) ?? []
    this.bound.set(key, all)
    if (!all.includes(socket)) all.push(socket)
  }

  removeBound(socket: Socket): void {
    const key = `${socket.protocol}/${socket.localPort}`
    const all = this.bound.get(key)?.filter((one) => one !== socket) ?? []
    if (all.length === 0) this.bound.delete(key)
    else this.bound.set(key, all)
    socket.reuseport?.remove(socket)
  }

  /** Joins (or makes) the reuseport group of a socket that receives: listening, or bound UDP. */
  joinReuseport(socket: Socket): void {
    if (!socket.options.reusePort) return
    if (socket.reuseport?.sockets.includes(socket)) return
    const same = (this.bound.get(`${socket.protocol}/${socket.localPort}`) ?? []).find(
      (other) =>
        other !== socket &&
        other.reuseport !== null &&
        other.family === socket.family &&
        other.options.boundDevice === socket.options.boundDevice &&
        sameBytes(other.local, socket.local),
    )
    const group = same?.reuseport ?? socket.reuseport ?? this.newGroup(socket)
    group.add(socket)
  }

  newGroup(socket: Socket): ReuseportGroup {
    return new ReuseportGroup(this.nextGroup++, isAny(socket.local))
  }

  addConnected(socket: Socket): void {
    this.connected.set(connectionKey(socket.protocol, endOf(socket), remoteEndOf(socket)), socket)
    socket.unhashed = false
  }

  removeConnected(socket: Socket): void {
    const key = connectionKey(socket.protocol, endOf(socket), remoteEndOf(socket))
    if (this.connected.get(key) === socket) this.connected.delete(key)
    socket.unhashed = true
  }

  isConnected(protocol: number, local: Endpoint, remote: Endpoint): boolean {
    return this.connected.has(connectionKey(protocol, local, remote))
  }

  established(tuple: Tuple): Socket | undefined {
    return this.connected.get(connectionKey(tuple.protocol, tuple.local, tuple.remote))
  }

  /** The listening socket for an address: exact ones before those bound to any. */
  listener(tuple: Tuple, choose: ReuseportChoice): Socket | null | undefined {
    const { local, family, ifindex } = tuple
    let best: Socket | undefined
    let bestScore = 0
    for (const socket of this.bound.get(`${tuple.protocol}/${local.port}`) ?? []) {
      if (socket.state !== TCP.LISTEN || !socket.speaks(family)) continue
      const exact = sameBytes(socket.local, local.address)
      if (!exact && !isAny(socket.local)) continue
      const { boundDevice } = socket.options
      if (boundDevice !== 0 && boundDevice !== ifindex) continue
      const score = (exact ? 16 : 1) + (boundDevice ? 4 : 0) + (socket.family === family ? 2 : 0)
      if (score > bestScore) {
        best = socket
        bestScore = score
      }
    }
    if (best?.reuseport && best.reuseport.sockets.length > 0)
      return chosen(choose(best.reuseport, best), best)
    return best
  }

  /**
   * The UDP socket for a datagram among those with the address itself (`exact`) or with any.
   */
  datagram(tuple: Tuple, exact: boolean, choose: ReuseportChoice): Socket | null | undefined {
    const { local, remote, family, ifindex } = tuple
    let best: Socket | undefined
    let bestScore = -1
    for (const socket of this.bound.get(`${tuple.protocol}/${local.port}`) ?? []) {
      if (!socket.speaks(family)) continue
      const matches = exact ? sameBytes(socket.local, local.address) : isAny(socket.local)
      if (!matches) continue
      let score = socket.family === family ? 2 : 1
      if (!isAny(socket.remote)) {
        if (!sameBytes(socket.remote, remote.address)) continue
        score += 4
      }
      if (socket.remotePort !== 0) {
        if (socket.remotePort !== remote.port) continue
        score += 4
      }
      const { boundDevice } = socket.options
      if (boundDevice !== 0) {
        if (boundDevice !== ifindex) continue
        score += 4
      }
      if (score > bestScore) {
        best = socket
        bestScore = score
      }
    }
    if (best?.reuseport && best.state !== TCP.ESTABLISHED)
      return chosen(choose(best.reuseport, best), best)
    return best
  }

  /** Every socket, in no particular order: for iterators and teardown. */
  all(): Socket[] {
    const sockets = new Set<Socket>(this.connected.values())
    for (const list of this.bound.values()) for (const socket of list) sockets.add(socket)
    return [...sockets]
  }
}

function chosen(choice: Socket | null | undefined, best: Socket): Socket | null {
  return choice === undefined ? best : choice
}

function endOf(socket: Socket): Endpoint {
  return { address: socket.local, port: socket.localPort }
}

function remoteEndOf(socket: Socket): Endpoint {
  return { address: socket.remote, port: socket.remotePort }
}

function connectionKey(protocol: number, local: Endpoint, remote: Endpoint): string {
  return `${protocol}/${addressKey(local.address)}/${local.port}/${addressKey(remote.address)}/${remote.port}`
}

/** Whether packets for one of the addresses could be for the other socket too. */
function overlaps(socket: Socket, address: Uint8Array, other: Socket): boolean {
  const otherAny = isAny(other.local)
  if (address.length === other.local.length)
    return isAny(address) || otherAny || sameBytes(address, other.local)
  // One of them is IPv6: they meet when it stands for IPv4 as well.
  const six = address.length === 16 ? { any: isAny(address), only: socket.isV6only } : null
  if (six !== null)
    return socket.family === AF_INET6 && six.any && !six.only && other.family !== AF_INET6
      ? true
      : six.any && !six.only
  return otherAny && !other.isV6only && other.family === AF_INET6 && socket.family >= AF_INET
}
