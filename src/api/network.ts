/**
 * The network of the embedded kernel, for tests and scenarios: namespaces with addresses, routes
 * and neighbours, and sockets that talk through them while the attached programs look on.
 */

import {
  type EmbeddedKernel as Engine,
  type NetNamespace,
  type RouteOptions,
  readSetting,
  type Socket,
  type Task,
  writeSetting,
} from "../kernel/index.ts"
import { formatIp, parseIp, parseMac } from "../packet/index.ts"
import { check } from "./failure.ts"
import type { Program } from "./program.ts"

export type { RouteOptions }

/** `127.0.0.1:80`, `[::1]:80`. */
export type Address = string

const FAMILIES = { inet: 2, inet6: 10 } as const
const TYPES = { stream: 1, datagram: 2 } as const
const STATES: readonly string[] = [
  "",
  "established",
  "syn-sent",
  "syn-recv",
  "fin-wait-1",
  "fin-wait-2",
  "time-wait",
  "close",
  "close-wait",
  "last-ack",
  "listen",
  "closing",
  "new-syn-recv",
]

export interface SocketOptions {
  /** "stream" (TCP) by default, or "datagram" (UDP). */
  readonly type?: keyof typeof TYPES
  /** "inet" by default. */
  readonly family?: keyof typeof FAMILIES
  /** Whose socket it is: its cgroup's programs run. The init task by default. */
  readonly task?: Task
  /** Name of the namespace; the initial one by default. */
  readonly namespace?: string
}

/** Routes to programs: `ip route add … encap bpf`. */
export interface RoutePrograms {
  readonly in?: Program
  readonly out?: Program
  readonly xmit?: Program
}

function parseAddress(text: Address): { address: Uint8Array; port: number } {
  const colon = text.lastIndexOf(":")
  const port = Number(text.slice(colon + 1))
  if (colon < 0 || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new RangeError(`'${text}' is no address and port, such as 127.0.0.1:80 or [::1]:80`)
  return { address: parseIp(text.slice(0, colon).replace(/^\[|\]$/g, "")), port }
}

function formatAddress(endpoint: { address: Uint8Array; port: number }): Address {
  const host = formatIp(endpoint.address)
  return endpoint.address.length === 4 ? `${host}:${endpoint.port}` : `[${host}]:${endpoint.port}`
}

/**
 * A socket of the virtual network. Nothing blocks: see each method.
 *
 * Every method throws BpfError with Linux's errno and the system call's name.
 */
export class VirtualSocket {
  /** Its descriptor in the embedded kernel, for socket maps. */
  readonly fd: number
  private readonly engine: Engine
  private readonly socket: Socket

  constructor(engine: Engine, fd: number) {
    this.engine = engine
    this.fd = fd
    const socket = engine.descriptors.at(fd)
    if (typeof socket === "number") throw new RangeError(`descriptor ${fd} is no socket`)
    this.socket = socket
  }

  bind(address: Address): this {
    check(this.engine.sockets.bind(this.socket, parseAddress(address)), "bind", address)
    return this
  }

  listen(backlog = 128): this {
    check(this.engine.sockets.listen(this.socket, backlog), "listen", "socket")
    return this
  }

  /** The handshake is over when it returns; ETIMEDOUT when nobody answers. */
  connect(address: Address): this {
    check(this.engine.sockets.connect(this.socket, parseAddress(address)), "connect", address)
    return this
  }

  /** The oldest connection that waits; undefined when there is none. */
  accept(): VirtualSocket | undefined {
    const accepted = this.engine.sockets.accept(this.socket)
    if (accepted === -11) return undefined
    if (typeof accepted === "number") check(accepted, "accept", "socket")
    return new VirtualSocket(this.engine, this.engine.descriptors.open(accepted as Socket))
  }

  /** Bytes taken. Text is sent as UTF-8. `to`: for datagrams. */
  send(data: Uint8Array | string, to?: Address): number {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
    const target = to === undefined ? undefined : parseAddress(to)
    return check(this.engine.sockets.send(this.socket, bytes, target), "send", "socket")
  }

  /** What is there: bytes of a stream (none at its end), or one datagram; undefined for nothing. */
  receive(max = 65_536): { data: Uint8Array; from: Address | null } | undefined {
    const got = this.engine.sockets.receive(this.socket, max)
    if (got === -11) return undefined
    if (typeof got === "number") {
      check(got, "recv", "socket")
      return undefined
    }
    return { data: got.data, from: got.from === null ? null : formatAddress(got.from) }
  }

  /** The same as UTF-8 text. */
  receiveText(): string | undefined {
    const got = this.receive()
    return got === undefined ? undefined : new TextDecoder().decode(got.data)
  }

  /** No more is sent: the peer reads the end. */
  end(): void {
    check(this.engine.sockets.shutdown(this.socket, 1), "shutdown", "socket")
  }

  close(): void {
    this.engine.close(this.fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** As getsockname(2) answers. */
  get localAddress(): Address {
    return this.name(false)
  }

  /** As getpeername(2) answers. */
  get remoteAddress(): Address {
    return this.name(true)
  }

  private name(peer: boolean): Address {
    const name = this.engine.sockets.name(this.socket, peer)
    if (typeof name !== "number") return formatAddress(name)
    throw new RangeError(String(check(name, peer ? "getpeername" : "getsockname", "socket")))
  }

  /** The state as `ss` calls it: `established`, `listen`, `close`… */
  get state(): string {
    return STATES[this.socket.state] ?? String(this.socket.state)
  }

  setOption(level: number, name: number, value: number | Uint8Array): void {
    const bytes =
      typeof value === "number" ? new Uint8Array(Int32Array.of(value).buffer) : value.slice()
    check(this.engine.sockets.setsockopt(this.socket, level, name, bytes), "setsockopt", "socket")
  }

  getOption(level: number, name: number, size = 4): Uint8Array {
    const value = this.engine.sockets.getsockopt(this.socket, level, name, size)
    if (typeof value === "number") check(value, "getsockopt", "socket")
    return value as Uint8Array
  }

  /** SO_ATTACH_BPF: a socket filter. */
  attachFilter(program: Program): void {
    const { engine, socket } = this
    check(engine.sockets.attachFilter(socket, objectOf(engine, program)), "setsockopt", "filter")
  }

  /** SO_ATTACH_REUSEPORT_EBPF: chooses among the sockets of the same address. */
  attachReuseport(program: Program): void {
    const { engine, socket } = this
    const result = engine.sockets.attachReuseport(socket, objectOf(engine, program))
    check(result, "setsockopt", "reuseport program")
  }
}

function objectOf(engine: Engine, program: Program) {
  const object = engine.tables.fds.get(program.fd, "program")
  if (typeof object === "number") throw new RangeError(`program '${program.name}' is closed`)
  return object
}

/** A network namespace. */
export class NetworkNamespace {
  private readonly engine: Engine
  private readonly namespace: NetNamespace

  constructor(engine: Engine, namespace: NetNamespace) {
    this.engine = engine
    this.namespace = namespace
  }

  /** "" for the initial one. */
  get name(): string {
    return this.namespace.name
  }

  private device(name: string) {
    const device = this.namespace.device(name)
    if (device !== undefined) return device
    throw new RangeError(`namespace '${this.name}' has no device ${name}`)
  }

  /** Gives a device an address: `10.0.0.1/24`; the routes that follow from it are made. */
  addAddress(device: string, address: string): this {
    this.namespace.addAddress(this.device(device), address)
    return this
  }

  addRoute(options: RouteOptions, programs: RoutePrograms = {}): this {
    const reference = (program: Program | undefined) =>
      program === undefined ? null : objectOf(this.engine, program).get()
    const lwt = {
      in: reference(programs.in),
      out: reference(programs.out),
      xmit: reference(programs.xmit),
    }
    const has = lwt.in !== null || lwt.out !== null || lwt.xmit !== null
    this.namespace.addRoute(options, has ? lwt : null)
    return this
  }

  addNeighbour(device: string, address: string, mac: string): this {
    this.namespace.addNeighbour(this.device(device), parseIp(address), parseMac(mac))
    return this
  }

  /** Takes a device of another namespace; its addresses and routes are gone. */
  take(device: { readonly index: number }): this {
    const { network } = this.engine
    const found = network.devices.get(device.index)
    if (found === undefined) throw new RangeError(`there is no device ${device.index}`)
    network.move(found, this.namespace)
    return this
  }

  /** A file below /proc/sys: `net/ipv4/ip_forward`. Sysctl programs of the task's cgroup run. */
  readSetting(path: string, task: Task = this.engine.tasks.idle): string {
    const text = readSetting(this.engine.network.inet, task, this.namespace, path)
    if (typeof text === "number") check(text, "read", path)
    return String(text).trimEnd()
  }

  writeSetting(path: string, text: string, task: Task = this.engine.tasks.idle): this {
    const { inet } = this.engine.network
    check(writeSetting(inet, task, this.namespace, path, text), "write", path)
    return this
  }
}

/** `kernel.net`: namespaces and sockets. */
export class Network {
  private readonly engine: Engine

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** A namespace by name, made if there is none; the initial one without a name. */
  namespace(name = ""): NetworkNamespace {
    const { inet } = this.engine.network
    return new NetworkNamespace(
      this.engine,
      inet.namespaces.get(name) ?? inet.createNamespace(name),
    )
  }

  /**
   * A new socket.
   *
   * @throws BpfError when a program of the task's cgroup refuses it; RangeError for a namespace
   * that does not exist.
   * @example
   * const server = kernel.net.socket().bind("127.0.0.1:80").listen()
   * const client = kernel.net.socket().connect("127.0.0.1:80")
   * client.send("hello")
   * server.accept()?.receiveText()
   */
  socket(options: SocketOptions = {}): VirtualSocket {
    const { engine } = this
    const { type = "stream", family = "inet", namespace = "" } = options
    const found = engine.network.inet.namespaces.get(namespace)
    if (found === undefined) throw new RangeError(`there is no namespace '${namespace}'`)
    const task = options.task ?? engine.tasks.find(1) ?? engine.tasks.idle
    const fd = engine.descriptors.create(task, found, FAMILIES[family], TYPES[type])
    return new VirtualSocket(engine, check(fd, "socket", `${family} ${type}`))
  }

  /** Two netkit devices: programs are attached to them by the primary one's name. */
  netkitPair(primary: string, peer: string): void {
    this.engine.network.addPair(
      { name: primary, kind: "netkit", primary: true },
      { name: peer, kind: "netkit" },
    )
  }

  /** Whether a task may open a device node; what device programs of its cgroup say. */
  mayOpenDevice(
    task: Task,
    device: { readonly type: "block" | "char"; readonly major: number; readonly minor: number },
    access: "read" | "write" | "mknod" = "read",
  ): boolean {
    const { programs, initial } = this.engine.network.inet
    const bit = access === "mknod" ? 1 : access === "read" ? 2 : 4
    return programs.cgroup.device(task, initial, { ...device, access: bit }) === 0
  }
}
