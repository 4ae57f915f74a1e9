/**
 * Socket maps from programs, and messages on their way through them (linux v6.18
 * net/core/sock_map.c, net/core/filter.c bpf_msg_*, bpf_sk_select_reuseport).
 */

import { BPF_SOCK_OPS, ERRNO, SK_ACTION } from "../../spec/index.ts"
import { ReuseportArray, SocketMap } from "../maps/index.ts"
import type { MessageRun } from "../net/network-run.ts"
import { type Socket, TCP } from "../net/socket.ts"
import {
  answers,
  faults,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  mapArgument,
} from "./support.ts"

const { SK_DROP, SK_PASS } = SK_ACTION
const BPF_F_INGRESS = 1
/** MAX_MSG_FRAGS times a page: as much as a message can have. */
const MESSAGE_MAX = 17 * 65_536

/** The socket map of register 2 and the offset of the key in register 3. */
function mapAndKey(machine: HelperMachine): { map: SocketMap; key: number } | undefined {
  const map = mapArgument(machine, 2)
  if (map === undefined) return undefined
  if (!(map instanceof SocketMap)) return faults(machine, "the map is no socket map")
  const key = machine.checkRead(3, map.keySize)
  return key < 0 ? undefined : { map, key }
}

/** The same for maps of u32 keys that are passed by value. */
function mapAndIndex(machine: HelperMachine): Socket | null | undefined {
  const map = mapArgument(machine, 2)
  if (map === undefined) return undefined
  if (!(map instanceof SocketMap)) return faults(machine, "the map is no socket map")
  return map.socketAtIndex(machine.low(3) >>> 0) ?? null
}

/** sock_map_redirect_allowed */
function mayRedirect(socket: Socket): boolean {
  return socket.isTcp ? socket.state !== TCP.LISTEN : socket.state === TCP.ESTABLISHED
}

/** SK_PASS with a target, or SK_DROP: for packets (sk_skb) and messages (sk_msg). */
function redirects(
  find: (machine: HelperMachine) => Socket | null | undefined,
): (machine: HelperMachine) => number | undefined {
  return (machine) => {
    const flags = flagsArgument(machine, 4)
    const socket = find(machine)
    if (socket === undefined) return undefined
    if (flags & ~BPF_F_INGRESS || socket === null || !mayRedirect(socket)) return SK_DROP
    const run = machine.environment.network
    const ingress = (flags & BPF_F_INGRESS) !== 0
    if (run?.message !== undefined) {
      run.message.redirect = socket
      run.message.redirectIngress = ingress
    } else if (run?.stream !== undefined) {
      run.stream.redirect = socket
      run.stream.ingress = ingress
    } else return SK_DROP
    return SK_PASS
  }
}

function byKey(machine: HelperMachine): Socket | null | undefined {
  const found = mapAndKey(machine)
  return found === undefined ? undefined : (found.map.socket(found.key) ?? null)
}

const UPDATING: readonly number[] = [
  BPF_SOCK_OPS.BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
  BPF_SOCK_OPS.BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
  BPF_SOCK_OPS.BPF_SOCK_OPS_TCP_LISTEN_CB,
]

/** long bpf_sock_map_update(skops, map, key, flags); of a sockhash alike. */
function updateFromOps(machine: HelperMachine): number | undefined {
  const found = mapAndKey(machine)
  if (found === undefined) return undefined
  const run = machine.environment.network
  if (!run?.socket || !UPDATING.includes(run.sockOps?.op ?? 0)) return -ERRNO.EOPNOTSUPP
  return found.map.put(found.key, run.socket, flagsArgument(machine, 4), true)
}

/** long bpf_sk_select_reuseport(ctx, map, key, flags) */
function selectReuseport(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 2)
  if (map === undefined) return undefined
  if (!(map instanceof ReuseportArray) && !(map instanceof SocketMap))
    return faults(machine, "the map holds no sockets")
  const key = machine.checkRead(3, map.keySize)
  if (key < 0) return undefined
  if (flagsArgument(machine, 4) !== 0) return -ERRNO.EINVAL
  const run = machine.environment.network?.reuseport
  const socket = map.socket(key)
  if (socket === undefined || run === undefined) return -ERRNO.ENOENT
  if (socket.reuseport === null)
    return map instanceof ReuseportArray ? -ERRNO.ENOENT : -ERRNO.EINVAL
  if (socket.reuseport !== run.group) {
    const [own] = run.group.sockets
    if (socket.protocol !== run.tuple.protocol) return -ERRNO.EPROTOTYPE
    return socket.family !== (own?.family ?? 0) ? -ERRNO.EAFNOSUPPORT : -ERRNO.EBADFD
  }
  run.selected = socket
  return 0
}

// ---- messages --------------------------------------------------------------------------------------------

/** A helper on the message of the run; raises a fault when there is none. */
function onMessage(
  body: (machine: HelperMachine, message: MessageRun) => number,
): (machine: HelperMachine) => number | undefined {
  return (machine) => {
    const message = machine.environment.network?.message
    if (message === undefined) return faults(machine, "the run has no message")
    return body(machine, message)
  }
}

function bytesOf(machine: HelperMachine, message: MessageRun): Uint8Array {
  return machine.space.u8.slice(message.start, message.end)
}

/** long bpf_msg_pull_data(msg, start, end, flags): `data` to `data_end` are these bytes. */
function pullData(machine: HelperMachine, message: MessageRun): number {
  const [start, end] = [machine.low(2) >>> 0, machine.low(3) >>> 0]
  if (flagsArgument(machine, 4) !== 0 || end <= start) return -ERRNO.EINVAL
  const size = message.end - message.start
  if (start >= size || end > size) return -ERRNO.EINVAL
  const context = machine.environment.network?.context
  context?.setPointer("data", message.start + start, message.region)
  context?.setPointer("data_end", message.start + end, message.region)
  return 0
}

/** long bpf_msg_push_data(msg, start, len, flags): makes room for bytes, zeros here. */
function pushData(machine: HelperMachine, message: MessageRun): number {
  const [start, length] = [machine.low(2) >>> 0, machine.low(3) >>> 0]
  if (flagsArgument(machine, 4) !== 0) return -ERRNO.EINVAL
  if (length === 0) return 0
  const old = bytesOf(machine, message)
  if (start > old.length) return -ERRNO.EINVAL
  if (old.length + length > MESSAGE_MAX) return -ERRNO.ENOMEM
  const bytes = new Uint8Array(old.length + length)
  bytes.set(old.subarray(0, start))
  bytes.set(old.subarray(start), start + length)
  return message.replace(bytes) ? 0 : -ERRNO.ENOMEM
}

/** long bpf_msg_pop_data(msg, start, len, flags) */
function popData(machine: HelperMachine, message: MessageRun): number {
  const [start, length] = [machine.low(2) >>> 0, machine.low(3) >>> 0]
  if (flagsArgument(machine, 4) !== 0) return -ERRNO.EINVAL
  if (length === 0) return 0
  const old = bytesOf(machine, message)
  if (start >= old.length || start + length > old.length) return -ERRNO.EINVAL
  const bytes = new Uint8Array(old.length - length)
  bytes.set(old.subarray(0, start))
  bytes.set(old.subarray(start + length), start)
  return message.replace(bytes) ? 0 : -ERRNO.ENOMEM
}

export const socketMapHelpers: HelperTable = {
  sock_map_update: answers(updateFromOps),
  sock_hash_update: answers(updateFromOps),
  sk_redirect_map: answers(redirects(mapAndIndex)),
  sk_redirect_hash: answers(redirects(byKey)),
  msg_redirect_map: answers(redirects(mapAndIndex)),
  msg_redirect_hash: answers(redirects(byKey)),
  sk_select_reuseport: answers(selectReuseport),
  msg_apply_bytes: answers(
    onMessage((machine, message) => {
      message.applyBytes = machine.low(2) >>> 0
      return 0
    }),
  ),
  msg_cork_bytes: answers(
    onMessage((machine, message) => {
      message.corkBytes = machine.low(2) >>> 0
      return 0
    }),
  ),
  msg_pull_data: answers(onMessage(pullData)),
  msg_push_data: answers(onMessage(pushData)),
  msg_pop_data: answers(onMessage(popData)),
}
