/**
 * What programs do to sockets: options, addresses, callbacks, TCP header options, local storage
 * of cgroups (linux v6.18 net/core/filter.c bpf_setsockopt, bpf_bind, bpf_sock_ops_load_hdr_opt…,
 * kernel/bpf/cgroup.c).
 */

import { BPF_SOCK_OPS, ERRNO } from "../../spec/index.ts"
import { CgroupStorageMap } from "../maps/index.ts"
import type { SockOpsRun } from "../net/network-run.ts"
import type { Socket } from "../net/socket.ts"
import {
  getOptionFromProgram,
  SOL_TCP,
  setOptionFromProgram,
  TCP_OPTION,
} from "../net/socket-options.ts"
import { AF_INET, AF_INET6 } from "../net/wire.ts"
import { contextSocket, socketArgument } from "./sockets.ts"
import {
  answers,
  faults,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  mapArgument,
  setAddress,
} from "./support.ts"

const ALL_CB_FLAGS = 0x7f
const TCPOPT_EOL = 0
const TCPOPT_NOP = 1
/** Experimental option kinds, which carry a magic number. */
const TCPOPT_EXP = 254
const TCPOPT_EXP2 = 253
const LOAD_SYN = 1
const TCP_HEADER_BYTES = 20

/** The socket of register 1: a context, or a pointer to a socket. */
function subject(machine: HelperMachine): Socket | undefined {
  return socketArgument(machine, 1) ?? contextSocket(machine)
}

/** Programs on timestamps of sent packets do not hold the socket's lock. */
function unlocked(run: SockOpsRun | undefined): boolean {
  return run !== undefined && run.op > BPF_SOCK_OPS.BPF_SOCK_OPS_WRITE_HDR_OPT_CB
}

/** long bpf_setsockopt(ctx, level, optname, optval, optlen) */
function setsockopt(machine: HelperMachine): number | undefined {
  const size = machine.low(5) >>> 0
  const at = machine.checkRead(4, size)
  if (at < 0) return undefined
  const { network, kernel } = machine.environment
  if (unlocked(network?.sockOps)) return -ERRNO.EOPNOTSUPP
  const socket = subject(machine)
  if (socket === undefined) return -ERRNO.EINVAL
  const value = machine.space.u8.slice(at, at + size)
  const result = setOptionFromProgram(kernel.net, socket, machine.low(2), machine.low(3), value)
  kernel.net.memory.refresh(socket)
  return result
}

/** long bpf_getsockopt(ctx, level, optname, optval, optlen); zeros when it fails. */
function getsockopt(machine: HelperMachine): number | undefined {
  const size = machine.low(5) >>> 0
  const at = machine.checkWrite(4, size)
  if (at < 0) return undefined
  const { network, kernel } = machine.environment
  const { u8 } = machine.space
  if (unlocked(network?.sockOps)) return -ERRNO.EOPNOTSUPP
  const socket = subject(machine)
  if (socket === undefined) return -ERRNO.EINVAL
  const [level, name] = [machine.low(2), machine.low(3)]
  const syn = network?.sockOps === undefined ? null : synOption(socket, level, name)
  if (syn !== null) {
    if (typeof syn === "number") return syn
    u8.set(syn.subarray(0, size), at)
    return syn.length > size ? -ERRNO.ENOSPC : syn.length
  }
  const value = getOptionFromProgram(kernel.net, socket, level, name, size)
  u8.fill(0, at, at + size)
  if (typeof value === "number") return value
  u8.set(value.subarray(0, size), at)
  return 0
}

/** TCP_BPF_SYN and its like: the peer's SYN while the connection is being set up; null: another option. */
function synOption(socket: Socket, level: number, name: number): Uint8Array | number | null {
  if (level !== SOL_TCP || name < TCP_OPTION.BPF_SYN || name > TCP_OPTION.BPF_SYN_MAC) return null
  const packet = socket.isRequest ? socket.tcp?.synPacket : socket.tcp?.savedSyn
  if (!packet || name === TCP_OPTION.BPF_SYN_MAC) return -ERRNO.ENOENT
  const header = packet[0] >> 4 === 4 ? (packet[0] & 15) * 4 : 40
  return name === TCP_OPTION.BPF_SYN ? packet.slice(header) : packet
}

/** long bpf_bind(ctx, addr, addr_len): where a connection comes from. */
function bind(machine: HelperMachine): number | undefined {
  const size = machine.low(3) >>> 0
  const at = machine.checkRead(2, size)
  if (at < 0) return undefined
  const { u8, view } = machine.space
  const run = machine.environment.network
  if (run?.bind === undefined || size < 2) return -ERRNO.EINVAL
  const family = view.getUint16(at, true)
  const bytes = family === AF_INET ? 4 : 16
  if (family !== AF_INET && family !== AF_INET6) return -ERRNO.EAFNOSUPPORT
  if (size < (family === AF_INET ? 16 : 24)) return -ERRNO.EINVAL
  const from = family === AF_INET ? at + 4 : at + 8
  return run.bind({ address: u8.slice(from, from + bytes), port: view.getUint16(at + 2) })
}

/** long bpf_sock_ops_cb_flags_set(ctx, argval): the flags that there are not. */
function cbFlagsSet(machine: HelperMachine): number {
  const run = machine.environment.network
  const tcp = run?.socket?.tcp
  if (unlocked(run?.sockOps)) return -ERRNO.EOPNOTSUPP
  if (!tcp || !run?.socket?.isFull) return -ERRNO.EINVAL
  const flags = machine.low(2)
  tcp.cbFlags = flags & ALL_CB_FLAGS
  run.context?.set("bpf_sock_ops_cb_flags", tcp.cbFlags)
  return flags & ~ALL_CB_FLAGS
}

// ---- TCP header options ----------------------------------------------------------------------------------

/**
 * Where an option is in `options`, by kind and (for experimental ones) magic number: an index, or
 * -ENOMSG when it is not there, -EFAULT when what is there is damaged.
 */
function findOption(options: Uint8Array, kind: number, magic: Uint8Array): number {
  for (let at = 0; at < options.length; ) {
    const found = options[at]
    if (found === TCPOPT_EOL) return -ERRNO.ENOMSG
    if (found === TCPOPT_NOP) {
      at++
      continue
    }
    const size = options[at + 1] ?? 0
    if (at + 1 >= options.length || size < 2 || at + size > options.length) return -ERRNO.EFAULT
    if (found === kind) {
      if (magic.length === 0) return at
      if (size - 2 < magic.length) return -ERRNO.ENOMSG
      if (magic.every((byte, index) => options[at + 2 + index] === byte)) return at
    }
    at += size
  }
  return -ERRNO.ENOMSG
}

function isExperimental(kind: number): boolean {
  return kind === TCPOPT_EXP || kind === TCPOPT_EXP2
}

/** long bpf_load_hdr_opt(skops, searchby_res, len, flags): the option's length. */
function loadHeaderOption(machine: HelperMachine): number | undefined {
  const length = machine.low(3) >>> 0
  const at = machine.checkWrite(2, length)
  if (at < 0) return undefined
  const run = machine.environment.network
  const ops = run?.sockOps
  const flags = flagsArgument(machine, 4)
  if (ops === undefined) return -ERRNO.EINVAL
  if (unlocked(ops)) return -ERRNO.EOPNOTSUPP
  if (flags & ~LOAD_SYN || length < 2) return -ERRNO.EINVAL
  const { u8 } = machine.space
  const [kind, size] = [u8[at], u8[at + 1]]
  if (size > length || kind === TCPOPT_NOP || kind === TCPOPT_EOL) return -ERRNO.EINVAL
  if (isExperimental(kind) ? size !== 4 && size !== 6 : size !== 0) return -ERRNO.EINVAL
  const magic = isExperimental(kind) ? u8.slice(at + 2, at + size) : new Uint8Array(0)
  let header: Uint8Array
  if (flags & LOAD_SYN) {
    const syn = run?.socket ? synOption(run.socket, SOL_TCP, TCP_OPTION.BPF_SYN) : -ERRNO.ENOENT
    if (typeof syn === "number" || syn === null) return syn ?? -ERRNO.ENOENT
    header = syn
  } else {
    if (ops.header === null || ops.op === BPF_SOCK_OPS.BPF_SOCK_OPS_HDR_OPT_LEN_CB)
      return -ERRNO.EPERM
    header = ops.header
  }
  const written = Uint8Array.from([...header.subarray(TCP_HEADER_BYTES), ...ops.written])
  const found = findOption(written, kind, magic)
  if (found < 0) return found
  const whole = written[found + 1]
  u8.set(written.subarray(found, found + Math.min(whole, length)), at)
  return whole > length ? -ERRNO.ENOSPC : whole
}

/** long bpf_store_hdr_opt(skops, from, len, flags) */
function storeHeaderOption(machine: HelperMachine): number | undefined {
  const length = machine.low(3) >>> 0
  const at = machine.checkRead(2, length)
  if (at < 0) return undefined
  const ops = machine.environment.network?.sockOps
  if (ops?.op !== BPF_SOCK_OPS.BPF_SOCK_OPS_WRITE_HDR_OPT_CB) return -ERRNO.EPERM
  if (length < 2 || flagsArgument(machine, 4) !== 0) return -ERRNO.EINVAL
  const { u8 } = machine.space
  const option = u8.slice(at, at + length)
  const [kind, size] = option
  if (size > length || size < 2 || kind === TCPOPT_NOP || kind === TCPOPT_EOL) return -ERRNO.EINVAL
  if (size > ops.room) return -ERRNO.ENOSPC
  if (isExperimental(kind) && size < 4) return -ERRNO.EINVAL
  const magic = isExperimental(kind) ? option.slice(2, Math.min(size, 6)) : new Uint8Array(0)
  const header = ops.header ?? new Uint8Array(TCP_HEADER_BYTES)
  const present = Uint8Array.from([...header.subarray(TCP_HEADER_BYTES), ...ops.written])
  const found = findOption(present, kind, magic)
  if (found >= 0) return -ERRNO.EEXIST
  if (found !== -ERRNO.ENOMSG) return found
  ops.written.push(...option.subarray(0, size))
  ops.room -= size
  return 0
}

/** long bpf_reserve_hdr_opt(skops, len, flags) */
function reserveHeaderOption(machine: HelperMachine): number {
  const ops = machine.environment.network?.sockOps
  if (ops?.op !== BPF_SOCK_OPS.BPF_SOCK_OPS_HDR_OPT_LEN_CB) return -ERRNO.EPERM
  const length = machine.low(2) >>> 0
  if (flagsArgument(machine, 3) !== 0 || length < 2) return -ERRNO.EINVAL
  if (length > ops.room) return -ERRNO.ENOSPC
  ops.room -= length
  ops.reserved += length
  return 0
}

// ---- local storage of cgroups --------------------------------------------------------------------------

/** void *bpf_get_local_storage(map, flags): of the cgroup that the running program is attached to. */
function localStorage(machine: HelperMachine): undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined) return undefined
  if (!(map instanceof CgroupStorageMap)) return faults(machine, "the map is no cgroup storage")
  const { network, kernel } = machine.environment
  const entry = network?.cgroup
  const key =
    entry === undefined
      ? { cgroupId: 0n, attachType: 0 }
      : {
          cgroupId: kernel.cgroupIds(entry.path).at(-1) ?? 0n,
          attachType: entry.attachType,
        }
  // A test run has storage of its own.
  if (entry === undefined) map.create(key)
  setAddress(machine, map.forAttachment(key), map.valueRegion)
  return undefined
}

export const socketControlHelpers: HelperTable = {
  setsockopt: answers(setsockopt),
  getsockopt: answers(getsockopt),
  bind: answers(bind),
  sock_ops_cb_flags_set: answers(cbFlagsSet),
  load_hdr_opt: answers(loadHeaderOption),
  store_hdr_opt: answers(storeHeaderOption),
  reserve_hdr_opt: answers(reserveHeaderOption),
  get_local_storage: answers(localStorage),
}
