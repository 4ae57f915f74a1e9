/**
 * Sockets as programs find and describe them (linux v6.18 net/core/filter.c bpf_sk_lookup,
 * bpf_sk_assign, bpf_skc_to_tcp_sock…). Pointers to sockets lead to `struct bpf_sock` in the
 * kernel's region; those with a BTF type to the kernel's own structure.
 *
 * A test run's packets have a socket that exists for them alone: it is full, and not TCP's.
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"
import type { SkBuffer, XdpBuffer } from "../contexts/index.ts"
import { receivingSocket } from "../net/lookup.ts"
import type { NetNamespace } from "../net/namespace.ts"
import { Socket, TCP } from "../net/socket.ts"
import type { Tuple } from "../net/socket-table.ts"
import { AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM } from "../net/wire.ts"
import {
  answers,
  flagsArgument,
  type Helper,
  type HelperMachine,
  type HelperTable,
  isNull,
} from "./support.ts"

/** sizeof(tuple->ipv4) and of tuple->ipv6. */
const TUPLE4_BYTES = 12
const TUPLE6_BYTES = 36
/** BPF_SK_LOOKUP_F_REPLACE and BPF_SK_LOOKUP_F_NO_REUSEPORT. */
const F_REPLACE = 1
const F_NO_REUSEPORT = 2

/** The socket that register `n` points to; undefined for NULL and for a test run's own. */
export function socketArgument(machine: HelperMachine, n: number): Socket | undefined {
  return machine.environment.kernel.net.memory.socketAt(machine.low(n))
}

/** The socket that the context is about: of the hook, or of the packet. */
export function contextSocket(machine: HelperMachine): Socket | undefined {
  const { network, packet } = machine.environment
  if (network?.socket) return network.socket
  const skb = packet as SkBuffer | null
  return skb?.kind === "skb" && skb.socketOwner instanceof Socket ? skb.socketOwner : undefined
}

/** The namespace in which a program runs. */
export function namespaceOf(machine: HelperMachine): NetNamespace {
  const { network, packet, kernel } = machine.environment
  if (network !== null) return network.namespace
  const buffer = packet as SkBuffer | XdpBuffer | null
  const ifindex =
    buffer === null ? 0 : buffer.kind === "xdp" ? buffer.ingressIfindex : buffer.get("ifindex")
  return kernel.device(ifindex)?.namespace ?? kernel.net.initial
}

/** r0 = a pointer to `struct bpf_sock`, or NULL. */
export function setSocket(machine: HelperMachine, socket: Socket | null | undefined): void {
  const { kernel } = machine.environment
  const view = socket ? kernel.net.memory.view(socket) : 0
  if (view === 0) machine.setResult64(0, 0)
  else machine.setResult64(view, REGION_TAG | kernel.kernelRegion)
}

// ---- looking up -----------------------------------------------------------------------------------------

function tupleArgument(machine: HelperMachine, protocol: number): Tuple | null | undefined {
  const size = machine.low(3) >>> 0
  const at = machine.checkRead(2, size)
  if (at < 0) return undefined
  const known = size === TUPLE4_BYTES || size === TUPLE6_BYTES
  const current = machine.high(4) < 0 && machine.low(4) < 0
  const unusual = machine.low(5) !== 0 || machine.high(5) !== 0
  // No other namespace has an id here.
  if (!known || unusual || !(current || machine.low(4) === -1)) return null
  const bytes = size === TUPLE4_BYTES ? 4 : 16
  const { u8, view } = machine.space
  const { packet } = machine.environment
  const buffer = packet as SkBuffer | XdpBuffer | null
  return {
    family: bytes === 4 ? AF_INET : AF_INET6,
    protocol,
    remote: { address: u8.slice(at, at + bytes), port: view.getUint16(at + 2 * bytes) },
    local: {
      address: u8.slice(at + bytes, at + 2 * bytes),
      port: view.getUint16(at + 2 * bytes + 2),
    },
    ifindex:
      buffer === null ? 0 : buffer.kind === "xdp" ? buffer.ingressIfindex : buffer.get("ifindex"),
  }
}

/** struct bpf_sock *bpf_sk_lookup_tcp(ctx, tuple, tuple_size, netns, flags), and its like. */
function lookup(protocol: number, full: boolean): Helper {
  return (machine) => {
    const tuple = tupleArgument(machine, protocol)
    if (tuple === undefined) return
    if (tuple === null) {
      machine.setResult64(0, 0)
      return
    }
    const { net } = machine.environment.kernel
    const socket = receivingSocket(net, namespaceOf(machine), tuple, null)
    setSocket(machine, full ? fullSocket(socket) : socket)
  }
}

/** sk_to_full_sk: a half-open connection stands for its listening socket; TIME_WAIT for none. */
function fullSocket(socket: Socket | null | undefined): Socket | null {
  if (!socket) return null
  if (socket.isRequest) return socket.listener
  return socket.isFull ? socket : null
}

// ---- conversions -----------------------------------------------------------------------------------------

/** A test run's socket is what it is. */
function isTestSocket(machine: HelperMachine): boolean {
  const skb = machine.environment.packet as SkBuffer | null
  return skb?.kind === "skb" && skb.socket === machine.low(1)
}

const fullsock: Helper = (machine) => {
  const socket = socketArgument(machine, 1)
  if (socket === undefined) {
    const same = isTestSocket(machine)
    machine.setResult64(same ? machine.low(1) : 0, same ? machine.high(1) : 0)
  } else setSocket(machine, socket.isFull ? socket : null)
}

const tcpSock: Helper = (machine) => {
  const socket = socketArgument(machine, 1)
  const { kernel } = machine.environment
  const view = socket?.isFull && socket.isTcp ? kernel.net.memory.tcpView(socket) : 0
  if (view === 0) machine.setResult64(0, 0)
  else machine.setResult64(view, REGION_TAG | kernel.kernelRegion)
}

const listenerSock: Helper = (machine) => {
  const socket = socketArgument(machine, 1)
  const full = socket?.isRequest ? socket.listener : socket
  setSocket(machine, full?.state === TCP.LISTEN ? full : null)
}

/** struct X *bpf_skc_to_X(sk): the kernel's structure when the socket is such a one. */
function converts(fits: (socket: Socket) => boolean): Helper {
  return (machine) => {
    const socket = socketArgument(machine, 1)
    const { kernel } = machine.environment
    const view = socket !== undefined && fits(socket) ? kernel.net.memory.kernelView(socket) : 0
    if (view === 0) machine.setResult64(0, 0)
    else machine.setResult64(view, REGION_TAG | kernel.kernelRegion)
  }
}

// ---- giving packets to sockets --------------------------------------------------------------------------

/** long bpf_sk_assign(ctx, sk, flags): sk_lookup programs, and tc programs at ingress. */
function assign(machine: HelperMachine): number {
  return machine.environment.program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_SK_LOOKUP
    ? assignLookup(machine)
    : assignPacket(machine)
}

function assignLookup(machine: HelperMachine): number {
  const flags = flagsArgument(machine, 3)
  if (flags & ~(F_REPLACE | F_NO_REUSEPORT)) return -ERRNO.EINVAL
  const lookup = machine.environment.network?.lookup
  const socket = isNull(machine, 2) ? null : socketArgument(machine, 2)
  if (socket === undefined) return -ERRNO.ESOCKTNOSUPPORT
  if (lookup === undefined) return socket === null ? 0 : -ERRNO.EOPNOTSUPP
  if (socket !== null) {
    const refused = lookupRefusal(socket, lookup.tuple)
    if (refused !== 0) return refused
  }
  if (lookup.selected !== null && !(flags & F_REPLACE)) return -ERRNO.EEXIST
  lookup.selected = socket
  lookup.noReuseport = (flags & F_NO_REUSEPORT) !== 0
  const { kernel, network } = machine.environment
  const view = socket === null ? 0 : kernel.net.memory.view(socket)
  network?.context?.setPointer("sk", view, kernel.kernelRegion)
  return 0
}

/** Only sockets that wait for anybody can be chosen. */
function lookupRefusal(socket: Socket, tuple: Tuple): number {
  const connected = socket.isTcp ? socket.state !== TCP.LISTEN : socket.state === TCP.ESTABLISHED
  if (connected) return -ERRNO.ESOCKTNOSUPPORT
  if (socket.protocol !== tuple.protocol) return -ERRNO.EPROTOTYPE
  const other = socket.family !== tuple.family && (socket.family === AF_INET || socket.isV6only)
  return other ? -ERRNO.EAFNOSUPPORT : 0
}

function assignPacket(machine: HelperMachine): number {
  const skb = machine.environment.packet as SkBuffer | null
  if (flagsArgument(machine, 3) !== 0 || isNull(machine, 2)) return -ERRNO.EINVAL
  if (skb?.kind !== "skb" || skb.get("ingress_ifindex") === 0) return -ERRNO.EOPNOTSUPP
  const socket = socketArgument(machine, 2)
  if (socket === undefined) return -ERRNO.EOPNOTSUPP
  if (socket.namespace !== namespaceOf(machine)) return -ERRNO.ENETUNREACH
  if (socket.unhashed) return -ERRNO.EOPNOTSUPP
  skb.assigned = socket
  return 0
}

// ---- who it is ---------------------------------------------------------------------------------------------

/** Sockets are numbered in the order in which somebody asks; those of test runs by where they lie. */
const cookie: Helper = (machine) => {
  const { kernel, packet } = machine.environment
  const argument = socketArgument(machine, 1)
  const context = contextSocket(machine)
  const socket = argument ?? context
  const skb = packet as SkBuffer | null
  if (socket !== undefined) machine.setResultBig(kernel.net.cookieOf(socket))
  else if (skb?.kind === "skb") machine.setResult64(skb.hasSocket ? skb.socket : 0, 0)
  else machine.setResult64(0, 0)
}

const netnsCookie: Helper = (machine) => machine.setResultBig(namespaceOf(machine).cookie)

const OVERFLOW_UID = 65_534

const socketUid: Helper = (machine) => {
  const socket = contextSocket(machine)
  const skb = machine.environment.packet as SkBuffer | null
  if (socket !== undefined) machine.setResult64(socket.task.credentials.uid | 0, 0)
  else machine.setResult(skb?.kind === "skb" && skb.hasSocket ? 0 : OVERFLOW_UID)
}

/** Ids of the cgroups of a socket, root first; a test run's socket is the current task's. */
export function socketCgroups(
  machine: HelperMachine,
  socket: Socket | undefined,
): readonly bigint[] {
  const { kernel, task } = machine.environment
  return socket === undefined ? kernel.cgroupAncestors(task) : kernel.cgroupIds(socket.cgroup)
}

function cgroupId(ofArgument: boolean, level: "own" | "ancestor"): Helper {
  return (machine) => {
    const skb = machine.environment.packet as SkBuffer | null
    const socket = ofArgument ? socketArgument(machine, 1) : contextSocket(machine)
    if (!ofArgument && socket === undefined && !skb?.hasSocket) {
      machine.setResult(0)
      return
    }
    const all = socketCgroups(machine, socket)
    machine.setResultBig(all[level === "own" ? all.length - 1 : machine.low(2)] ?? 0n)
  }
}

export const socketHelpers: HelperTable = {
  sk_lookup_tcp: lookup(IPPROTO_TCP, true),
  sk_lookup_udp: lookup(IPPROTO_UDP, true),
  skc_lookup_tcp: lookup(IPPROTO_TCP, false),
  sk_release: (machine) => machine.setResult(0),
  sk_fullsock: fullsock,
  tcp_sock: tcpSock,
  get_listener_sock: listenerSock,
  skc_to_tcp_sock: converts((socket) => socket.isFull && socket.isTcp),
  skc_to_tcp6_sock: converts(
    (socket) => socket.isFull && socket.isTcp && socket.family === AF_INET6,
  ),
  skc_to_udp6_sock: converts(
    (socket) =>
      socket.protocol === IPPROTO_UDP && socket.type === SOCK_DGRAM && socket.family === AF_INET6,
  ),
  skc_to_tcp_timewait_sock: converts((socket) => socket.isTcp && socket.state === TCP.TIME_WAIT),
  skc_to_tcp_request_sock: converts((socket) => socket.isTcp && socket.isRequest),
  skc_to_unix_sock: converts((socket) => socket.family === AF_UNIX),
  skc_to_mptcp_sock: converts(() => false),
  sock_from_file: (machine) => machine.setResult64(0, 0),
  sk_assign: answers(assign),
  get_socket_cookie: cookie,
  get_netns_cookie: netnsCookie,
  get_socket_uid: socketUid,
  skb_cgroup_id: cgroupId(false, "own"),
  skb_ancestor_cgroup_id: cgroupId(false, "ancestor"),
  sk_cgroup_id: cgroupId(true, "own"),
  sk_ancestor_cgroup_id: cgroupId(true, "ancestor"),
}
