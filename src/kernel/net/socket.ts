/**
 * A socket of the virtual network: addresses, options, queues. What protocols do with it is in
 * tcp.ts and udp.ts; what system calls do is in socket-calls.ts.
 *
 * Addresses are those on the wire: 4 bytes for IPv4, also when an IPv6 socket talks to a mapped
 * address. An unbound IPv6 socket has 16 zero bytes, which stand for both families unless
 * `v6only`. Ports are in host order, 0 for none.
 */

import type { KernelObject } from "../objects/kernel-object.ts"
import type { Task } from "../tasks/task.ts"
import type { NetNamespace } from "./namespace.ts"
import type { Psock } from "./psock.ts"
import type { ReuseportGroup } from "./reuseport.ts"
import type { TcpState } from "./tcp-state.ts"
import { AF_INET6, anyAddress, IPPROTO_TCP, SOCK_STREAM } from "./wire.ts"

/** TCP states (linux v6.18 include/net/tcp_states.h); other protocols use ESTABLISHED and CLOSE. */
export const TCP = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
  NEW_SYN_RECV: 12,
} as const

/** One address and port. */
export interface Endpoint {
  readonly address: Uint8Array
  readonly port: number
}

/** A datagram (or a piece of a stream) that waits to be read, and where it came from. */
export interface Received {
  readonly data: Uint8Array
  readonly from: Endpoint | null
}

/** Options that setsockopt changes, by what Linux calls them in struct sock. */
export interface SocketOptions {
  mark: number
  priority: number
  boundDevice: number
  reuseAddress: boolean
  reusePort: boolean
  v6only: boolean
  keepalive: boolean
  receiveBuffer: number
  sendBuffer: number
  receiveLowWater: number
  maxPacingRate: number
  tos: number
  ttl: number
  tclass: number
  unicastHops: number
  autoFlowLabel: boolean
  bindAddressNoPort: boolean
  transparent: boolean
}

export interface SocketSetup {
  readonly namespace: NetNamespace
  readonly family: number
  readonly type: number
  readonly protocol: number
  readonly task: Task
  /** cgroup v2 path; the task's when the socket was made. */
  readonly cgroup: string
}

export class Socket {
  readonly namespace: NetNamespace
  readonly family: number
  readonly type: number
  readonly protocol: number
  readonly task: Task
  readonly cgroup: string
  /** Given when somebody asks for it; 0n until then. */
  cookie = 0n
  local: Uint8Array
  localPort = 0
  remote: Uint8Array
  remotePort = 0
  /** The address was given to bind(), not chosen by the kernel. */
  boundAddress = false
  boundPort = false
  state: number = TCP.CLOSE
  readonly options: SocketOptions
  /** Bytes of options that nothing here acts on, by `level/name`: they come back as they were. */
  readonly otherOptions: Map<string, Uint8Array> = new Map()
  tcp: TcpState | null = null
  /** Waiting to be read, oldest first. */
  readonly queue: Received[] = []
  /** SO_ERROR: a positive errno that the next call reports. */
  error = 0
  readShutdown = false
  writeShutdown = false
  closed = false
  /** In no table any more. */
  unhashed = true
  nonblocking = false
  /** Listening sockets: established connections that accept() takes, and half-open ones. */
  readonly acceptQueue: Socket[] = []
  readonly requests: Set<Socket> = new Set()
  backlog = 0
  /** The listening socket of a half-open connection. */
  listener: Socket | null = null
  reuseport: ReuseportGroup | null = null
  /** SO_ATTACH_BPF. */
  filter: KernelObject<"program"> | null = null
  psock: Psock | null = null
  /** AF_UNIX: the other end, and the name. */
  peer: Socket | null = null
  path = ""
  /** Offsets of `struct bpf_sock`, `struct bpf_tcp_sock` and the kernel's own structure; 0: none. */
  view = 0
  tcpView = 0
  kernelView = 0
  /** Called when the socket is gone: maps and storages forget it. */
  readonly onRelease: Set<() => void> = new Set()

  constructor(setup: SocketSetup) {
    this.namespace = setup.namespace
    this.family = setup.family
    this.type = setup.type
    this.protocol = setup.protocol
    this.task = setup.task
    this.cgroup = setup.cgroup
    this.local = anyAddress(setup.family)
    this.remote = anyAddress(setup.family)
    this.options = {
      mark: 0,
      priority: 0,
      boundDevice: 0,
      reuseAddress: false,
      reusePort: false,
      v6only: false,
      keepalive: false,
      receiveBuffer: setup.type === SOCK_STREAM ? 131_072 : 212_992,
      sendBuffer: setup.type === SOCK_STREAM ? 16_384 : 212_992,
      receiveLowWater: 1,
      maxPacingRate: 0xffffffff,
      tos: 0,
      ttl: -1,
      tclass: 0,
      unicastHops: -1,
      autoFlowLabel: true,
      bindAddressNoPort: false,
      transparent: false,
    }
  }

  get isTcp(): boolean {
    return this.protocol === IPPROTO_TCP
  }

  /** A half-open connection: no full socket yet. */
  get isRequest(): boolean {
    return this.state === TCP.NEW_SYN_RECV
  }

  get isFull(): boolean {
    return this.state !== TCP.NEW_SYN_RECV && this.state !== TCP.TIME_WAIT
  }

  /** An IPv6 socket that only speaks IPv6. */
  get isV6only(): boolean {
    return this.family === AF_INET6 && this.options.v6only
  }

  /** Whether packets of an address family may belong to it. */
  speaks(family: number): boolean {
    return family === this.family || (this.family === AF_INET6 && !this.options.v6only)
  }
}
