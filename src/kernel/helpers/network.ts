/**
 * Questions to the network stack: routes, MTU, sockets (linux v6.18 net/core/filter.c). The virtual
 * world has devices, but no routes and no sockets besides those of packets.
 */

import { ERRNO } from "../../spec/index.ts"
import type { SkBuffer, XdpBuffer } from "../contexts/index.ts"
import type { NetworkDevice } from "../net/device.ts"
import {
  answers,
  flagsArgument,
  type Helper,
  type HelperMachine,
  type HelperTable,
} from "./support.ts"

const AF_INET = 2
const AF_INET6 = 10
/** sizeof(struct bpf_fib_lookup) and the offset of its ifindex. */
const FIB_LOOKUP_BYTES = 64
const FIB_IFINDEX = 8
/** All flags of bpf_fib_lookup: DIRECT, OUTPUT, SKIP_NEIGH, TBID, SRC, MARK. */
const FIB_FLAGS = 0x3f
const BPF_FIB_LKUP_RET_NOT_FWDED = 4
const BPF_MTU_CHK_SEGS = 1
const BPF_MTU_CHK_RET_SUCCESS = 0
const BPF_MTU_CHK_RET_FRAG_NEEDED = 1
const ETH_HLEN = 14
/** BPF_SK_LOOKUP_F_REPLACE and BPF_SK_LOOKUP_F_NO_REUSEPORT. */
const SK_LOOKUP_FLAGS = 3

/** int bpf_fib_lookup(ctx, params, plen, flags): there is no route, so nothing is forwarded. */
function fibLookup(machine: HelperMachine): number | undefined {
  const length = machine.low(3)
  const params = machine.checkWrite(2, Math.max(length, 0))
  if (params < 0) return undefined
  if (length < FIB_LOOKUP_BYTES || machine.low(4) & ~FIB_FLAGS) return -ERRNO.EINVAL
  const { space, environment } = machine
  const family = space.u8[params]
  if (family !== AF_INET && family !== AF_INET6) return -ERRNO.EAFNOSUPPORT
  const ifindex = space.view.getUint32(params + FIB_IFINDEX, true)
  if (environment.kernel.device(ifindex) === undefined) return -ERRNO.ENODEV
  return BPF_FIB_LKUP_RET_NOT_FWDED
}

/** long bpf_check_mtu(ctx, ifindex, mtu_len, len_diff, flags) */
function checkMtu(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(3, 4)
  if (at < 0) return undefined
  const { environment, space } = machine
  const packet = environment.packet as SkBuffer | XdpBuffer | null
  if (packet === null) return -ERRNO.EINVAL
  const wanted = space.view.getUint32(at, true)
  const difference = machine.low(4)
  const flags = flagsArgument(machine, 5)
  if (packet.kind === "xdp" ? flags !== 0 : flags & ~BPF_MTU_CHK_SEGS) return -ERRNO.EINVAL
  if (flags !== 0 && (difference !== 0 || wanted !== 0)) return -ERRNO.EINVAL
  const device = deviceOf(machine, packet, machine.low(2) >>> 0)
  if (device === undefined) return -ERRNO.ENODEV
  const linear = packet.dataEnd - packet.data
  const length = (wanted !== 0 ? wanted + ETH_HLEN : linear) + difference
  const gso = packet.kind === "skb" && packet.get("gso_size") !== 0
  if (gso && length > device.mtu + ETH_HLEN && flags !== 0 && packet.transportHeader < 0)
    return -ERRNO.EINVAL
  space.view.setUint32(at, device.mtu, true)
  return length <= device.mtu + ETH_HLEN || gso
    ? BPF_MTU_CHK_RET_SUCCESS
    : BPF_MTU_CHK_RET_FRAG_NEEDED
}

/** The device that an index names; 0 is the packet's own. */
function deviceOf(
  machine: HelperMachine,
  packet: SkBuffer | XdpBuffer,
  ifindex: number,
): NetworkDevice | undefined {
  const { kernel } = machine.environment
  if (ifindex !== 0) return kernel.device(ifindex)
  const own = packet.kind === "xdp" ? packet.ingressIfindex : packet.get("ifindex")
  return kernel.device(own)
}

/** struct bpf_sock *bpf_sk_lookup_tcp(ctx, tuple, tuple_size, netns, flags): nobody listens. */
const socketLookup: Helper = (machine) => {
  if (machine.checkRead(2, machine.low(3) >>> 0) >= 0) machine.setResult64(0, 0)
}

/** Sockets of packets are full sockets and not TCP's. */
const sameSocket: Helper = (machine) => machine.setResult64(machine.low(1), machine.high(1))
const noSocket: Helper = (machine) => machine.setResult64(0, 0)

/** long bpf_sk_assign(ctx, sk, flags): no socket can be had here but the packet's own. */
function assignSocket(machine: HelperMachine): number {
  const { packet } = machine.environment
  if (packet !== null) return flagsArgument(machine, 3) !== 0 ? -ERRNO.EINVAL : -ERRNO.EOPNOTSUPP
  return flagsArgument(machine, 3) & ~SK_LOOKUP_FLAGS ? -ERRNO.EINVAL : 0
}

export const networkHelpers: HelperTable = {
  fib_lookup: answers(fibLookup),
  check_mtu: answers(checkMtu),
  sk_lookup_tcp: socketLookup,
  sk_lookup_udp: socketLookup,
  skc_lookup_tcp: socketLookup,
  sk_release: (machine) => machine.setResult(0),
  sk_fullsock: sameSocket,
  tcp_sock: noSocket,
  get_listener_sock: noSocket,
  skc_to_tcp_sock: noSocket,
  skc_to_tcp6_sock: noSocket,
  skc_to_udp6_sock: noSocket,
  skc_to_unix_sock: noSocket,
  skc_to_tcp_timewait_sock: noSocket,
  skc_to_tcp_request_sock: noSocket,
  skc_to_mptcp_sock: noSocket,
  sock_from_file: noSocket,
  sk_assign: answers(assignSocket),
}
