/**
 * bpf_fib_lookup over the virtual routing table, and bpf_check_mtu (linux v6.18
 * net/core/filter.c bpf_ipv4_fib_lookup, bpf_ipv6_fib_lookup, bpf_skb_check_mtu).
 *
 * `struct bpf_fib_lookup`, 64 bytes: family, protocol, ports; tot_len or (out) mtu_result at 6;
 * ifindex at 8; tos, flowinfo or (out) the route's metric at 12; source at 16, destination at 32;
 * VLAN or (in) table at 48; mark or (out) the two MAC addresses at 52.
 */

import {
  ERRNO,
  BPF_FIB_LOOKUP_FLAG as FLAG,
  BPF_FIB_LOOKUP_RESULT as RESULT,
} from "../../spec/index.ts"
import type { SkBuffer, XdpBuffer } from "../contexts/index.ts"
import type { NetworkDevice } from "../net/device.ts"
import { type NetNamespace, type Route, TABLE_MAIN } from "../net/namespace.ts"
import { AF_INET, AF_INET6 } from "../net/wire.ts"
import { answers, flagsArgument, type HelperMachine, type HelperTable } from "./support.ts"

const PARAMS_BYTES = 64
const TOT_LEN = 6
const IFINDEX = 8
const METRIC = 12
const SOURCE = 16
const DESTINATION = 32
const VLAN = 48
const SMAC = 52
const DMAC = 58
const KNOWN_FLAGS: number = Object.values(FLAG).reduce<number>((all, flag) => all | flag, 0)
const ETH_HLEN = 14
const VLAN_HLEN = 4
const BPF_MTU_CHK_SEGS = 1
const BPF_MTU_CHK_RET_SUCCESS = 0
const BPF_MTU_CHK_RET_FRAG_NEEDED = 1

/** int bpf_fib_lookup(ctx, params, plen, flags) */
function fibLookup(machine: HelperMachine): number | undefined {
  const length = machine.low(3)
  const at = machine.checkWrite(2, Math.max(length, 0))
  if (at < 0) return undefined
  const flags = flagsArgument(machine, 4)
  if (length < PARAMS_BYTES || flags & ~KNOWN_FLAGS) return -ERRNO.EINVAL
  const { view, u8 } = machine.space
  const { kernel } = machine.environment
  const family = u8[at]
  if (family !== AF_INET && family !== AF_INET6) return -ERRNO.EAFNOSUPPORT
  const totalBytes = view.getUint16(at + TOT_LEN, true)
  const input = kernel.device(view.getUint32(at + IFINDEX, true))
  if (input === undefined) return -ERRNO.ENODEV
  const result = lookup(machine, { at, family, flags, input, totalBytes })
  if (result !== RESULT.BPF_FIB_LKUP_RET_SUCCESS || totalBytes !== 0) return result
  return forwardable(machine, at)
}

interface Question {
  readonly at: number
  readonly family: number
  readonly flags: number
  readonly input: NetworkDevice
  readonly totalBytes: number
}

function lookup(machine: HelperMachine, question: Question): number {
  const { at, family, flags, input, totalBytes } = question
  const { view, u8 } = machine.space
  const { namespace } = input
  const bytes = family === AF_INET ? 4 : 16
  const setting = family === AF_INET ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding"
  const hasAddress = input.addresses.some(({ address }) => address.length === bytes)
  if (namespace.setting(setting) !== "1" || (family === AF_INET && !hasAddress))
    return RESULT.BPF_FIB_LKUP_RET_FWD_DISABLED
  const destination = u8.slice(at + DESTINATION, at + DESTINATION + bytes)
  let table: number | undefined
  if (flags & FLAG.BPF_FIB_LOOKUP_DIRECT) {
    table = flags & FLAG.BPF_FIB_LOOKUP_TBID ? view.getUint32(at + VLAN, true) : TABLE_MAIN
    if (flags & FLAG.BPF_FIB_LOOKUP_TBID) view.setUint32(at + VLAN, 0, true)
  }
  const device = flags & FLAG.BPF_FIB_LOOKUP_OUTPUT ? input : undefined
  const route = namespace.lookup(destination, { ...(device && { device }), table })
  const kind = refusal(route)
  if (kind !== 0 || route === undefined || route.device === null) return kind
  // Of IPv4 routes only a locked MTU would count (ip_mtu_from_fib_result).
  const mtu = (family === AF_INET6 && route.mtu) || route.device.mtu
  if (totalBytes > mtu) {
    view.setUint16(at + TOT_LEN, mtu, true)
    return RESULT.BPF_FIB_LKUP_RET_FRAG_NEEDED
  }
  if (route.lwt !== null) return RESULT.BPF_FIB_LKUP_RET_UNSUPP_LWT
  fill(machine, question, namespace, route)
  if (!(flags & FLAG.BPF_FIB_LOOKUP_SKIP_NEIGH)) {
    const next = route.via ?? destination
    const mac = namespace.neighbour(route.device, next)
    if (mac === undefined) return RESULT.BPF_FIB_LKUP_RET_NO_NEIGH
    u8.set(mac, at + DMAC)
    u8.set(route.device.mac, at + SMAC)
  }
  view.setUint32(at + VLAN, 0, true)
  if (totalBytes !== 0) view.setUint16(at + TOT_LEN, mtu, true)
  return RESULT.BPF_FIB_LKUP_RET_SUCCESS
}

/** What a route other than to another host means. */
function refusal(route: Route | undefined): number {
  switch (route?.type) {
    case "unicast":
      return 0
    case "blackhole":
      return RESULT.BPF_FIB_LKUP_RET_BLACKHOLE
    case "unreachable":
      return RESULT.BPF_FIB_LKUP_RET_UNREACHABLE
    case "prohibit":
      return RESULT.BPF_FIB_LKUP_RET_PROHIBIT
    default:
      return RESULT.BPF_FIB_LKUP_RET_NOT_FWDED
  }
}

/** The fields that come back with any usable route. */
function fill(
  machine: HelperMachine,
  { at, flags, family }: Question,
  namespace: NetNamespace,
  route: Route,
): void {
  const { view, u8 } = machine.space
  view.setUint32(at + METRIC, route.metric || (family === AF_INET6 ? 1024 : 0), true)
  view.setUint32(at + IFINDEX, route.device?.ifindex ?? 0, true)
  const destination = u8.slice(at + DESTINATION, at + DESTINATION + (family === AF_INET ? 4 : 16))
  if (flags & FLAG.BPF_FIB_LOOKUP_SRC) {
    const source = namespace.sourceFor(route, destination)
    if (source !== undefined) u8.set(source, at + SOURCE)
  }
  if (route.via !== null) u8.set(route.via, at + DESTINATION)
}

/** Without a length to compare, the packet itself has to fit (is_skb_forwardable). */
function forwardable(machine: HelperMachine, at: number): number {
  const { view } = machine.space
  const { kernel, packet } = machine.environment
  const skb = packet as SkBuffer | null
  const device = kernel.device(view.getUint32(at + IFINDEX, true))
  if (skb?.kind !== "skb" || device === undefined) return RESULT.BPF_FIB_LKUP_RET_SUCCESS
  view.setUint16(at + TOT_LEN, device.mtu, true)
  const gso = skb.get("gso_size") !== 0
  return skb.length <= device.mtu + ETH_HLEN + VLAN_HLEN || gso
    ? RESULT.BPF_FIB_LKUP_RET_SUCCESS
    : RESULT.BPF_FIB_LKUP_RET_FRAG_NEEDED
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

export const fibHelpers: HelperTable = {
  fib_lookup: answers(fibLookup),
  check_mtu: answers(checkMtu),
}
