/**
 * The system calls on sockets: socket, bind, listen, connect, accept, send, receive, shutdown,
 * close, names and options, with the hooks of control groups where Linux has them (linux v6.18
 * net/ipv4/af_inet.c, net/ipv6/af_inet6.c, net/socket.c).
 *
 * Nothing blocks: what would wait in Linux is over when the call returns, because the packets it
 * causes are worked on first, or answers -EAGAIN. A connect that nobody answers gives -ETIMEDOUT
 * at once, or -EINPROGRESS on a non-blocking socket, which goes on trying as time passes.
 */

import { BPF_ATTACH_TYPE as AT, BPF_SOCK_OPS, ERRNO } from "../../spec/index.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Task } from "../tasks/task.ts"
import { addressHook, type HookAddress } from "./cgroup-programs.ts"
import type { Inet } from "./inet.ts"
import { routeOutput } from "./ip-output.ts"
import type { NetNamespace } from "./namespace.ts"
import { sendThroughPsock } from "./psock.ts"
import { type Endpoint, type Received, Socket, TCP } from "./socket.ts"
import { getOption, setOption } from "./socket-options.ts"
import { release, setState, tcpDone } from "./tcp-life.ts"
import { concat, pushData, sendSegment, sendSyn, stateOf } from "./tcp-output.ts"
import { createTcpState } from "./tcp-state.ts"
import { udpOutput } from "./udp.ts"
import * as unix from "./unix.ts"
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  anyAddress,
  IPPROTO_TCP,
  IPPROTO_UDP,
  isAny,
  isMapped,
  isMulticast,
  mapped,
  SOCK_DGRAM,
  SOCK_STREAM,
  TCP_ACK,
  TCP_RST,
  unmapped,
} from "./wire.ts"

/** BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE, a bit of a bind program's verdict. */
const NO_CAP_NET_BIND_SERVICE = 1
const UDP_PAYLOAD_MAX = 65_507
const PORT_MAX = 65_535

export class SocketCalls {
  private readonly inet: Inet

  constructor(inet: Inet) {
    this.inet = inet
  }

  /** A new socket, or a negative errno. */
  create(
    task: Task,
    namespace: NetNamespace,
    family: number,
    type: number,
    protocol = 0,
  ): Socket | number {
    if (family !== AF_INET && family !== AF_INET6 && family !== AF_UNIX) return -ERRNO.EAFNOSUPPORT
    if (type !== SOCK_STREAM && type !== SOCK_DGRAM) return -ERRNO.ESOCKTNOSUPPORT
    const usual = family === AF_UNIX ? 0 : type === SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP
    if (protocol !== 0 && protocol !== usual) return -ERRNO.EPROTONOSUPPORT
    const cgroup = task.cgroupPath
    const socket = new Socket({ namespace, family, type, protocol: usual, task, cgroup })
    if (socket.isTcp) socket.tcp = createTcpState()
    if (family === AF_UNIX) return socket
    const refused = this.inet.programs.cgroup.sock(socket, AT.BPF_CGROUP_INET_SOCK_CREATE)
    if (refused === 0) return socket
    release(this.inet, socket)
    return refused
  }

  bind(socket: Socket, to: Endpoint): number {
    if (socket.family === AF_UNIX) return -ERRNO.EINVAL
    const wrong = this.checkFamily(socket, to)
    if (wrong !== 0) return wrong
    const address = this.hookAddress(socket, to)
    const hook = addressHook("bind", socket.family)
    const hooked =
      hook === undefined
        ? { retval: 0, flags: 0 }
        : this.inet.programs.cgroup.sockAddr(socket, hook, address)
    if (hooked.retval !== 0) return hooked.retval
    const local = { address: unmapped(address.address), port: address.port }
    return this.bindTo(socket, local, {
      anyPort: (hooked.flags & NO_CAP_NET_BIND_SERVICE) !== 0,
      fromProgram: false,
    })
  }

  /** socketpair(2) of AF_UNIX. */
  pair(task: Task, namespace: NetNamespace, type: number): [Socket, Socket] | number {
    const one = this.create(task, namespace, AF_UNIX, type)
    const other = this.create(task, namespace, AF_UNIX, type)
    if (typeof one === "number") return one
    if (typeof other === "number") return other
    unix.pair(one, other)
    return [one, other]
  }

  /** bind(2) of AF_UNIX: to a path. */
  bindPath(socket: Socket, path: string): number {
    return socket.family === AF_UNIX ? unix.bind(socket, path) : -ERRNO.EINVAL
  }

  /** connect(2) of AF_UNIX, with the hook of control groups. */
  connectPath(socket: Socket, path: string): number {
    if (socket.family !== AF_UNIX) return -ERRNO.EINVAL
    const address: HookAddress = {
      family: AF_UNIX,
      address: new Uint8Array(0),
      port: 0,
      source: null,
    }
    const { cgroup } = this.inet.programs
    const { retval } = cgroup.sockAddr(socket, AT.BPF_CGROUP_UNIX_CONNECT, address)
    if (retval !== 0) return retval
    return unix.connect(socket, path, new Socket(socket))
  }

  /** __inet_bind. */
  private bindTo(
    socket: Socket,
    local: Endpoint,
    how: { readonly anyPort: boolean; readonly fromProgram: boolean },
  ): number {
    const { namespace, task } = socket
    if (!isAny(local.address) && !namespace.isLocal(local.address) && !socket.options.transparent)
      if (!isMulticast(local.address)) return -ERRNO.EADDRNOTAVAIL
    const privileged = Number(namespace.setting("net/ipv4/ip_unprivileged_port_start"))
    const capable = how.anyPort || task.credentials.euid === 0
    if (local.port !== 0 && local.port < privileged && !capable) return -ERRNO.EACCES
    if (socket.state !== TCP.CLOSE || socket.localPort !== 0) return -ERRNO.EINVAL
    socket.local = local.address
    socket.boundAddress = !isAny(local.address)
    const noPort = local.port === 0 && (socket.options.bindAddressNoPort || how.fromProgram)
    if (noPort) return 0
    const error = this.takePort(socket, local.address, local.port)
    if (error !== 0) {
      socket.local = anyAddress(socket.family)
      socket.boundAddress = false
      return error
    }
    socket.boundPort = local.port !== 0
    if (how.fromProgram) return 0
    const hook = addressHook("post_bind", socket.family)
    const refused = hook === undefined ? 0 : this.inet.programs.cgroup.sock(socket, hook)
    if (refused === 0) return 0
    namespace.sockets.removeBound(socket)
    socket.local = anyAddress(socket.family)
    socket.localPort = 0
    socket.boundPort = false
    socket.boundAddress = false
    return refused
  }

  /** Gives a socket a port, a free one for 0. */
  private takePort(socket: Socket, address: Uint8Array, wanted: number): number {
    const { sockets } = socket.namespace
    const port = wanted !== 0 ? wanted : sockets.freePort(socket, address)
    if (port === 0) return -ERRNO.EADDRINUSE
    const conflict = sockets.conflict(socket, address, port)
    if (conflict !== 0) return conflict
    socket.localPort = port
    sockets.addBound(socket)
    if (socket.protocol === IPPROTO_UDP) {
      socket.unhashed = false
      sockets.joinReuseport(socket)
    }
    return 0
  }

  private autobind(socket: Socket): number {
    return socket.localPort !== 0 ? 0 : this.takePort(socket, socket.local, 0)
  }

  listen(socket: Socket, backlog = 128): number {
    if (socket.family === AF_UNIX) return unix.listen(socket, backlog)
    if (socket.type !== SOCK_STREAM) return -ERRNO.EOPNOTSUPP
    if (socket.state !== TCP.CLOSE && socket.state !== TCP.LISTEN) return -ERRNO.EINVAL
    socket.backlog = Math.max(0, backlog)
    if (socket.state === TCP.LISTEN) return 0
    const error = this.autobind(socket)
    if (error !== 0) return error
    setState(this.inet, socket, TCP.LISTEN)
    const { sockets } = socket.namespace
    const conflict = sockets.conflict(socket, socket.local, socket.localPort)
    if (conflict !== 0) {
      socket.state = TCP.CLOSE
      return conflict
    }
    socket.unhashed = false
    sockets.joinReuseport(socket)
    this.inet.programs.sockOps(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_TCP_LISTEN_CB, [])
    return 0
  }

  connect(socket: Socket, to: Endpoint): number {
    if (socket.family === AF_UNIX) return -ERRNO.EINVAL
    const wrong = this.checkFamily(socket, to)
    if (wrong !== 0) return wrong
    if (socket.isTcp) {
      if (socket.state === TCP.SYN_SENT) return -ERRNO.EALREADY
      if (socket.state !== TCP.CLOSE || socket.closed) return -ERRNO.EISCONN
    }
    const address = this.hookAddress(socket, to)
    const hook = addressHook("connect", socket.family)
    if (hook !== undefined) {
      const bind = (local: Endpoint): number => this.bindFromProgram(socket, local)
      const { retval } = this.inet.programs.cgroup.sockAddr(socket, hook, address, bind)
      if (retval !== 0) return retval
    }
    if (socket.isTcp && socket.state !== TCP.CLOSE) return -ERRNO.EISCONN
    const wanted = unmapped(address.address)
    const loopback = wanted.length === 4 ? Uint8Array.of(127, 0, 0, 1) : mappedLoopback()
    const remote = isAny(wanted) ? loopback : wanted
    const route = routeOutput(this.inet, socket.namespace, remote, socket.options.boundDevice)
    if (typeof route === "number") return route
    if (socket.isTcp && (isMulticast(remote) || route.type === "broadcast"))
      return -ERRNO.ENETUNREACH
    const source = isAny(socket.local) ? socket.namespace.sourceFor(route, remote) : socket.local
    if (source === undefined) return -ERRNO.EADDRNOTAVAIL
    return socket.isTcp
      ? this.connectStream(socket, source, { address: remote, port: address.port })
      : this.connectDatagram(socket, source, { address: remote, port: address.port })
  }

  private connectDatagram(socket: Socket, source: Uint8Array, remote: Endpoint): number {
    const error = this.autobind(socket)
    if (error !== 0) return error
    socket.local = source
    socket.remote = remote.address
    socket.remotePort = remote.port
    socket.state = TCP.ESTABLISHED
    return 0
  }

  private connectStream(socket: Socket, source: Uint8Array, remote: Endpoint): number {
    const { sockets } = socket.namespace
    socket.local = source
    if (socket.localPort === 0) {
      const error = this.takePort(socket, source, 0)
      if (error !== 0) return error
    }
    const local = { address: source, port: socket.localPort }
    if (sockets.isConnected(IPPROTO_TCP, local, remote)) return -ERRNO.EADDRNOTAVAIL
    socket.remote = remote.address
    socket.remotePort = remote.port
    const cbFlags = stateOf(socket).cbFlags
    socket.tcp = { ...createTcpState(), cbFlags, saveSyn: stateOf(socket).saveSyn }
    sendSyn(this.inet, socket)
    this.inet.drain()
    if (socket.state === TCP.ESTABLISHED || socket.state === TCP.CLOSE_WAIT) return 0
    if (socket.error === 0 && socket.nonblocking) return -ERRNO.EINPROGRESS
    if (socket.error === 0) {
      tcpDone(this.inet, socket)
      socket.error = ERRNO.ETIMEDOUT
    }
    // As if it had never tried.
    socket.readShutdown = false
    socket.writeShutdown = false
    socket.remotePort = 0
    return this.takeError(socket)
  }

  private takeError(socket: Socket): number {
    const { error } = socket
    socket.error = 0
    return -error
  }

  /** bpf_bind. */
  bindFromProgram(socket: Socket, local: Endpoint): number {
    return this.bindTo(
      socket,
      { address: unmapped(local.address), port: local.port },
      { anyPort: false, fromProgram: true },
    )
  }

  /** The oldest connection that waits, or a negative errno. */
  accept(socket: Socket): Socket | number {
    if (socket.state !== TCP.LISTEN) return -ERRNO.EINVAL
    return socket.acceptQueue.shift() ?? -ERRNO.EAGAIN
  }

  /** Sends; the bytes taken, or a negative errno. */
  send(socket: Socket, data: Uint8Array, to?: Endpoint): number {
    if (socket.family === AF_UNIX) return unix.send(socket, data)
    if (socket.error !== 0) return this.takeError(socket)
    if (!socket.isTcp) return this.sendDatagram(socket, data, to)
    if (socket.state !== TCP.ESTABLISHED && socket.state !== TCP.CLOSE_WAIT) return -ERRNO.EPIPE
    if (socket.writeShutdown) return -ERRNO.EPIPE
    const { psock } = socket
    const raw = (bytes: Uint8Array): number => {
      const tcp = stateOf(socket)
      tcp.unsent = concat(tcp.unsent, bytes)
      pushData(this.inet, socket)
      return bytes.length
    }
    const result =
      psock === null || psock.programs.message === null
        ? raw(data.slice())
        : sendThroughPsock(this.inet, socket, psock, data.slice(), raw)
    this.inet.drain()
    return result
  }

  private sendDatagram(socket: Socket, data: Uint8Array, to: Endpoint | undefined): number {
    if (data.length > UDP_PAYLOAD_MAX) return -ERRNO.EMSGSIZE
    const connected = socket.state === TCP.ESTABLISHED
    if (to === undefined && !connected) return -ERRNO.EDESTADDRREQ
    if (to !== undefined) {
      const wrong = this.checkFamily(socket, to)
      if (wrong !== 0) return wrong
      if (to.port === 0) return -ERRNO.EINVAL
    }
    const bound = this.autobind(socket)
    if (bound !== 0) return bound
    let remote = to ?? { address: socket.remote, port: socket.remotePort }
    let source = socket.local
    const hook = addressHook("sendmsg", socket.family)
    if (to !== undefined && hook !== undefined) {
      const address = this.hookAddress(socket, to)
      address.source = socket.family === AF_INET6 ? mapAny(socket.local) : socket.local
      const { retval } = this.inet.programs.cgroup.sockAddr(socket, hook, address)
      if (retval !== 0) return retval
      remote = { address: unmapped(address.address), port: address.port }
      source = unmapped(address.source)
      if (remote.port === 0) return -ERRNO.EINVAL
    }
    if (isAny(remote.address))
      remote = {
        address: remote.address.length === 4 ? Uint8Array.of(127, 0, 0, 1) : mappedLoopback(),
        port: remote.port,
      }
    const route = routeOutput(
      this.inet,
      socket.namespace,
      remote.address,
      socket.options.boundDevice,
    )
    if (typeof route === "number") return route
    const chosen = isAny(source) ? socket.namespace.sourceFor(route, remote.address) : source
    if (chosen === undefined || chosen.length !== remote.address.length) return -ERRNO.ENETUNREACH
    const result = udpOutput(this.inet, socket, chosen, remote, data)
    this.inet.drain()
    return result < 0 ? result : data.length
  }

  /**
   * Receives: up to `max` bytes of a stream (none at its end), or one datagram; a negative errno
   * otherwise. The recvmsg hook only runs for callers that want to know the source.
   */
  receive(socket: Socket, max = 65_536, wantsSource = true): Received | number {
    if (socket.type === SOCK_STREAM) return this.receiveStream(socket, max)
    if (socket.error !== 0) return this.takeError(socket)
    const datagram = socket.queue.shift()
    if (datagram === undefined)
      return socket.readShutdown ? { data: new Uint8Array(0), from: null } : -ERRNO.EAGAIN
    const data = datagram.data.slice(0, max)
    if (!wantsSource || datagram.from === null) return { data, from: datagram.from }
    const hook = addressHook("recvmsg", socket.family)
    if (hook === undefined) return { data, from: datagram.from }
    const address = this.hookAddress(socket, datagram.from)
    this.inet.programs.cgroup.sockAddr(socket, hook, address)
    return { data, from: { address: address.address, port: address.port } }
  }

  private receiveStream(socket: Socket, max: number): Received | number {
    if (socket.family !== AF_UNIX && (socket.state === TCP.LISTEN || socket.remotePort === 0))
      return -ERRNO.ENOTCONN
    const parts: Uint8Array[] = []
    let size = 0
    while (size < max && socket.queue.length > 0) {
      const { data } = socket.queue[0]
      const taken = data.subarray(0, max - size)
      parts.push(taken)
      size += taken.length
      if (taken.length === data.length) socket.queue.shift()
      else socket.queue[0] = { data: data.slice(taken.length), from: null }
    }
    if (size > 0)
      return { data: parts.reduce<Uint8Array>(concat, new Uint8Array(0)).slice(), from: null }
    if (socket.error !== 0) return this.takeError(socket)
    return socket.readShutdown ? { data: new Uint8Array(0), from: null } : -ERRNO.EAGAIN
  }

  /** SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2. */
  shutdown(socket: Socket, how: number): number {
    if (how < 0 || how > 2) return -ERRNO.EINVAL
    if (socket.state === TCP.CLOSE) return -ERRNO.ENOTCONN
    if (how !== 1) socket.readShutdown = true
    if (how === 0) return 0
    if (socket.family === AF_UNIX) return unix.shutdown(socket)
    if (socket.isTcp) {
      if (socket.state === TCP.LISTEN) {
        this.stopListening(socket)
        return 0
      }
      this.sendFin(socket)
      this.inet.drain()
    }
    socket.writeShutdown = true
    return 0
  }

  /** The end of our stream. */
  private sendFin(socket: Socket): void {
    if (socket.writeShutdown) return
    socket.writeShutdown = true
    if (socket.state === TCP.ESTABLISHED) setState(this.inet, socket, TCP.FIN_WAIT1)
    else if (socket.state === TCP.CLOSE_WAIT) setState(this.inet, socket, TCP.LAST_ACK)
    else return
    stateOf(socket).finQueued = true
    pushData(this.inet, socket)
  }

  private stopListening(socket: Socket): void {
    for (const child of socket.acceptQueue.splice(0)) this.abort(child)
    for (const request of [...socket.requests]) tcpDone(this.inet, request)
    setState(this.inet, socket, TCP.CLOSE)
  }

  /** Ends a connection with a reset. */
  private abort(socket: Socket): void {
    socket.closed = true
    if (socket.state !== TCP.CLOSE && socket.state !== TCP.SYN_SENT)
      sendSegment(this.inet, socket, {
        flags: TCP_RST | TCP_ACK,
        sequence: stateOf(socket).sndNxt,
      })
    tcpDone(this.inet, socket)
  }

  /** The last descriptor is gone. */
  close(socket: Socket): void {
    if (socket.closed) return
    if (socket.family === AF_UNIX) {
      unix.close(socket)
      release(this.inet, socket)
      return
    }
    this.inet.programs.cgroup.sock(socket, AT.BPF_CGROUP_INET_SOCK_RELEASE)
    if (!socket.isTcp) {
      socket.closed = true
      this.inet.programs.stopPsock(socket)
      socket.state = TCP.CLOSE
      socket.unhashed = true
      release(this.inet, socket)
      return
    }
    this.closeStream(socket)
    this.inet.drain()
  }

  private closeStream(socket: Socket): void {
    // A socket map lets go of a socket that is closed.
    this.inet.programs.stopPsock(socket)
    switch (socket.state) {
      case TCP.LISTEN:
        this.stopListening(socket)
        socket.closed = true
        release(this.inet, socket)
        return
      case TCP.CLOSE:
        socket.closed = true
        release(this.inet, socket)
        return
      case TCP.SYN_SENT:
        socket.closed = true
        tcpDone(this.inet, socket)
        return
      default:
    }
    if (socket.queue.length > 0) {
      // Unread data is lost: the peer is told.
      socket.queue.length = 0
      this.abort(socket)
      return
    }
    socket.closed = true
    this.sendFin(socket)
    this.inet.drain()
    if (socket.state === TCP.FIN_WAIT2) this.orphan(socket)
  }

  /** A closed socket that waits for the other side's end waits a minute at most. */
  private orphan(socket: Socket): void {
    const { clock } = this.inet.kernel
    clock.schedule(clock.now() + 60_000_000_000n, () => {
      if (socket.state === TCP.FIN_WAIT2) tcpDone(this.inet, socket)
    })
  }

  // ---- names and options ---------------------------------------------------------------------------

  /** Our address, or the peer's; a negative errno. */
  name(socket: Socket, peer: boolean): Endpoint | number {
    if (peer && (socket.remotePort === 0 || socket.state === TCP.CLOSE)) return -ERRNO.ENOTCONN
    const endpoint = peer
      ? { address: socket.remote, port: socket.remotePort }
      : { address: socket.local, port: socket.localPort }
    const hook = addressHook(peer ? "getpeername" : "getsockname", socket.family)
    const address = this.hookAddress(socket, endpoint)
    if (hook !== undefined && socket.family !== AF_UNIX)
      this.inet.programs.cgroup.sockAddr(socket, hook, address)
    return { address: address.address, port: address.port }
  }

  setsockopt(socket: Socket, level: number, name: number, value: Uint8Array): number {
    const asked = this.inet.programs.cgroup.setSockopt(socket, { level, name, value })
    if (typeof asked === "number") return asked
    if (asked === "done") return 0
    const result = setOption(this.inet, socket, asked.level, asked.name, asked.value)
    this.inet.memory.refresh(socket)
    return result
  }

  /** The value, cut at `room` bytes, or a negative errno. */
  getsockopt(socket: Socket, level: number, name: number, room: number): Uint8Array | number {
    const found = getOption(this.inet, socket, level, name)
    const retval = typeof found === "number" ? found : 0
    const value = typeof found === "number" ? new Uint8Array(0) : found.slice(0, room)
    const answer = this.inet.programs.cgroup.getSockopt(socket, {
      level,
      name,
      value,
      room,
      retval,
    })
    return answer.retval < 0 ? answer.retval : answer.value
  }

  /** SO_ATTACH_BPF; 0 or a negative errno. */
  attachFilter(socket: Socket, program: KernelObject<"program">): number {
    program.get()
    socket.filter?.put()
    socket.filter = program
    return 0
  }

  /** SO_ATTACH_REUSEPORT_EBPF: for the whole group. */
  attachReuseport(socket: Socket, program: KernelObject<"program">): number {
    if (!socket.options.reusePort) return -ERRNO.EINVAL
    if (socket.reuseport === null) {
      // Before it is bound, a socket is a group of its own.
      if (!socket.unhashed) return -ERRNO.EINVAL
      socket.namespace.sockets.newGroup(socket).add(socket)
    }
    const group = socket.reuseport
    if (group === null) return -ERRNO.EINVAL
    program.get()
    group.program?.put()
    group.program = program
    return 0
  }

  // ---- helpers ----------------------------------------------------------------------------------------

  private checkFamily(socket: Socket, to: Endpoint): number {
    if (to.port < 0 || to.port > PORT_MAX) return -ERRNO.EINVAL
    if (socket.family === AF_INET) return to.address.length === 4 ? 0 : -ERRNO.EAFNOSUPPORT
    if (to.address.length === 4) return -ERRNO.EINVAL
    return isMapped(to.address) && socket.options.v6only ? -ERRNO.ENETUNREACH : 0
  }

  /** An address as hooks see it: IPv6 sockets have IPv6 addresses, mapped if need be. */
  private hookAddress(socket: Socket, endpoint: Endpoint): HookAddress {
    const six = socket.family === AF_INET6
    return {
      family: socket.family,
      address: six ? mapped(endpoint.address).slice() : endpoint.address.slice(),
      port: endpoint.port,
      source: null,
    }
  }
}

function mappedLoopback(): Uint8Array {
  const address = new Uint8Array(16)
  address[15] = 1
  return address
}

function mapAny(address: Uint8Array): Uint8Array {
  return address.length === 4 && isAny(address) ? new Uint8Array(16) : mapped(address)
}
