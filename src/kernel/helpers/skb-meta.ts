/**
 * What lies beside a socket buffer's bytes: flow hash, tunnel information, control group, socket
 * (linux v6.18 net/core/filter.c, net/core/flow_dissector.c).
 */

import { BPF_TUNNEL_FLAG, ERRNO } from "../../spec/index.ts"
import type { SkBuffer, TunnelState } from "../contexts/index.ts"
import type { ReferenceMap } from "../maps/map.ts"
import { onSkb, skbOf } from "./packet.ts"
import { contextSocket, namespaceOf, socketCgroups } from "./sockets.ts"
import {
  flagsArgument,
  type Helper,
  type HelperMachine,
  type HelperTable,
  mapArgument,
} from "./support.ts"

const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd
/** Sizes of `struct bpf_tunnel_key` through the ages; the last is today's. */
const TUNNEL_KEY_SIZES: readonly number[] = [8, 22, 24, 28, 44]
const TUNNEL_KEY_BYTES = 44
/** The size that knew IPv4 only. */
const TUNNEL_KEY_IPV4_BYTES = 8
const IP_TUNNEL_OPTS_MAX = 255
/** TUNNEL_ bits as the wire of the UAPI has them. */
const TUNNEL_CSUM = 0x01
const TUNNEL_KEY = 0x04
const TUNNEL_SEQ = 0x08
const TUNNEL_DONT_FRAGMENT = 0x0100
const TUNNEL_NOCACHE = 0x2000

// ---- flow hash ---------------------------------------------------------------------------------------

/** u32 bpf_get_hash_recalc(skb): the hash there is, or one of the flow, the same in both directions. */
const hashRecalc: Helper = (machine) => {
  const skb = skbOf(machine)
  if (skb === undefined) return
  if (skb.get("hash") === 0) skb.set("hash", flowHash(machine, skb))
  machine.setResult64(skb.get("hash") | 0, 0)
}

/** Of what a flow dissector program has found: protocol, ports, addresses. */
function hashOfKeys(keys: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of keys.subarray(9)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0 || 1
}

/** Linux keys its flow hash at boot, so programs can count on its being stable and no more. */
function flowHash(machine: HelperMachine, skb: SkBuffer): number {
  const { programs } = machine.environment.kernel.net
  const keys = programs.dissect(namespaceOf(machine), skb.frame())
  if (keys !== null) return hashOfKeys(keys)
  const { u8 } = machine.space
  const at = skb.networkHeader
  const ipv6 = skb.protocol === ETH_P_IPV6
  if (!ipv6 && skb.protocol !== ETH_P_IP) return Math.imul(skb.protocol, 0x9e3779b1) >>> 0 || 1
  const header = ipv6 ? 40 : (u8[at] & 15) * 4
  if (at + Math.max(header, 20) > skb.dataEnd) return 1
  const width = ipv6 ? 16 : 4
  const addresses = at + (ipv6 ? 8 : 12)
  const protocol = u8[at + (ipv6 ? 6 : 9)]
  const ported = protocol === 6 || protocol === 17 || protocol === 132
  const ports = ported && at + header + 4 <= skb.dataEnd ? at + header : -1
  const ends = [0, 1].map((end) => {
    const bytes = [...u8.subarray(addresses + end * width, addresses + (end + 1) * width)]
    if (ports >= 0) bytes.push(u8[ports + end * 2], u8[ports + end * 2 + 1])
    return String.fromCharCode(...bytes)
  })
  let hash = 0x811c9dc5 ^ protocol
  for (const end of ends.sort())
    for (let i = 0; i < end.length; i++) hash = Math.imul(hash ^ end.charCodeAt(i), 0x01000193)
  return hash >>> 0 || 1
}

// ---- tunnels -------------------------------------------------------------------------------------------

/** long bpf_skb_set_tunnel_key(skb, key, size, flags) */
function setTunnelKey(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const size = machine.low(3) >>> 0
  const source = machine.checkRead(2, size)
  if (source < 0) return undefined
  const flags = flagsArgument(machine, 4)
  if (flags & ~0x1f || !TUNNEL_KEY_SIZES.includes(size)) return -ERRNO.EINVAL
  const key = new Uint8Array(TUNNEL_KEY_BYTES)
  key.set(machine.space.u8.subarray(source, source + size))
  const view = new DataView(key.buffer)
  const ipv6 = (flags & BPF_TUNNEL_FLAG.BPF_F_TUNINFO_IPV6) !== 0
  const label = view.getUint32(24, true)
  if ((!ipv6 && label !== 0) || view.getUint16(22, true) !== 0) return -ERRNO.EINVAL
  const bit = (flag: number, value: number): number => (flags & flag ? value : 0)
  skb.tunnel = {
    id: view.getUint32(0, true),
    tos: key[20],
    ttl: key[21],
    label: label & 0xfffff,
    ipv6,
    destination: key.slice(4, 20),
    source: key.slice(28, 44),
    flags:
      TUNNEL_NOCACHE |
      bit(BPF_TUNNEL_FLAG.BPF_F_DONT_FRAGMENT, TUNNEL_DONT_FRAGMENT) |
      (TUNNEL_CSUM ^ bit(BPF_TUNNEL_FLAG.BPF_F_ZERO_CSUM_TX, TUNNEL_CSUM)) |
      bit(BPF_TUNNEL_FLAG.BPF_F_SEQ_NUMBER, TUNNEL_SEQ) |
      (TUNNEL_KEY ^ bit(BPF_TUNNEL_FLAG.BPF_F_NO_TUNNEL_KEY, TUNNEL_KEY)),
    options: new Uint8Array(0),
  }
  return 0
}

/** long bpf_skb_get_tunnel_key(skb, key, size, flags) */
function getTunnelKey(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const size = machine.low(3) >>> 0
  const target = machine.checkWrite(2, size)
  if (target < 0) return undefined
  const flags = flagsArgument(machine, 4)
  const { u8 } = machine.space
  const error = tunnelRefusal(skb.tunnel, size, flags)
  u8.fill(0, target, target + size)
  if (error < 0 || skb.tunnel === null) return error
  u8.set(encodeTunnelKey(skb.tunnel, flags).subarray(0, size), target)
  return 0
}

function tunnelRefusal(tunnel: TunnelState | null, size: number, flags: number): number {
  const { BPF_F_TUNINFO_FLAGS, BPF_F_TUNINFO_IPV6 } = BPF_TUNNEL_FLAG
  if (tunnel === null || flags & ~(BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS)) return -ERRNO.EINVAL
  if (tunnel.ipv6 !== ((flags & BPF_F_TUNINFO_IPV6) !== 0)) return -ERRNO.EPROTO
  if (!TUNNEL_KEY_SIZES.includes(size)) return -ERRNO.EINVAL
  return size === TUNNEL_KEY_IPV4_BYTES && tunnel.ipv6 ? -ERRNO.EINVAL : 0
}

/** `struct bpf_tunnel_key` from the receiver's side: remote is the packet's source. */
function encodeTunnelKey(tunnel: TunnelState, flags: number): Uint8Array {
  const key = new Uint8Array(TUNNEL_KEY_BYTES)
  const view = new DataView(key.buffer)
  view.setUint32(0, tunnel.id, true)
  key.set(tunnel.ipv6 ? tunnel.source : tunnel.source.subarray(0, 4), 4)
  key[20] = tunnel.tos
  key[21] = tunnel.ttl
  if (flags & BPF_TUNNEL_FLAG.BPF_F_TUNINFO_FLAGS) view.setUint16(22, tunnel.flags)
  if (tunnel.ipv6) view.setUint32(24, tunnel.label, true)
  key.set(tunnel.ipv6 ? tunnel.destination : tunnel.destination.subarray(0, 4), 28)
  return key
}

/** long bpf_skb_set_tunnel_opt(skb, opt, size) */
function setTunnelOptions(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const size = machine.low(3) >>> 0
  const source = machine.checkRead(2, size)
  if (source < 0) return undefined
  if (skb.tunnel === null || size % 4 !== 0) return -ERRNO.EINVAL
  if (size > IP_TUNNEL_OPTS_MAX) return -ERRNO.ENOMEM
  skb.tunnel.options = machine.space.u8.slice(source, source + size)
  return 0
}

/** long bpf_skb_get_tunnel_opt(skb, opt, size): bytes of the options. */
function getTunnelOptions(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const size = machine.low(3) >>> 0
  const target = machine.checkWrite(2, size)
  if (target < 0) return undefined
  const { u8 } = machine.space
  u8.fill(0, target, target + size)
  const options = skb.tunnel?.options
  if (options === undefined || options.length === 0) return -ERRNO.ENOENT
  if (size < options.length) return -ERRNO.ENOMEM
  u8.set(options, target)
  return options.length
}

// ---- socket and control group --------------------------------------------------------------------------

/** long bpf_skb_under_cgroup(skb, map, index): 1 when the packet's socket is below the cgroup. */
function underCgroup(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const map = mapArgument(machine, 2)
  if (map === undefined) return undefined
  if (!skb.hasSocket) return -ERRNO.ENOENT
  const index = machine.low(3) >>> 0
  if (index >= map.maxEntries) return -ERRNO.E2BIG
  const cgroup = (map as Partial<ReferenceMap<{ readonly id: bigint | number }>>).reference?.(index)
  if (cgroup === undefined) return -ERRNO.EAGAIN
  const all = socketCgroups(machine, contextSocket(machine))
  return all.includes(BigInt(cgroup.id)) ? 1 : 0
}

// ---- marks ---------------------------------------------------------------------------------------------

/** long bpf_skb_set_tstamp(skb, tstamp, tstamp_type) */
function setTimestamp(machine: HelperMachine, skb: SkBuffer): number {
  if (skb.protocol !== ETH_P_IP && skb.protocol !== ETH_P_IPV6) return -ERRNO.EOPNOTSUPP
  const type = machine.low(3) >>> 0
  const time = machine.big(2)
  if (type > 2 || (type !== 0 && time === 0n)) return -ERRNO.EINVAL
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, time, true)
  skb.setBytes("tstamp", bytes)
  skb.setBytes("tstamp_type", Uint8Array.of(type))
  return 0
}

/** long bpf_skb_ecn_set_ce(skb): marks congestion on ECN-capable packets; 1 when it is marked. */
function setCongestion(machine: HelperMachine, skb: SkBuffer): number {
  const { u8, view } = machine.space
  const at = skb.networkHeader
  const ipv4 = skb.protocol === ETH_P_IP
  if (!ipv4 && skb.protocol !== ETH_P_IPV6) return 0
  if (at + (ipv4 ? 20 : 40) > skb.dataEnd) return 0
  if (!ipv4) {
    if ((u8[at + 1] & 0x30) === 0) return 0
    u8[at + 1] |= 0x30
    return 1
  }
  const ecn = u8[at + 1] & 3
  if (ecn === 0) return 0
  if (ecn === 3) return 1
  // ECT(0) becomes CE by adding 1, ECT(1) by adding 2: the checksum loses as much.
  const added = 3 - ecn
  u8[at + 1] |= 3
  const checksum = view.getUint16(at + 10) - added
  view.setUint16(at + 10, checksum < 0 ? checksum + 0xffff : checksum)
  return 1
}

export const skbMetaHelpers: HelperTable = {
  get_hash_recalc: hashRecalc,
  set_hash_invalid: onSkb((_, skb) => {
    skb.set("hash", 0)
    skb.l4Hash = false
    return 0
  }),
  set_hash: onSkb((machine, skb) => {
    skb.set("hash", machine.low(2))
    skb.l4Hash = true
    return 0
  }),
  skb_set_tunnel_key: onSkb(setTunnelKey),
  skb_get_tunnel_key: onSkb(getTunnelKey),
  skb_set_tunnel_opt: onSkb(setTunnelOptions),
  skb_get_tunnel_opt: onSkb(getTunnelOptions),
  skb_under_cgroup: onSkb(underCgroup),
  // cgroup v1 class identifiers and routing realms: nothing sets them.
  get_cgroup_classid: (machine) => machine.setResult(0),
  skb_cgroup_classid: (machine) => machine.setResult(0),
  get_route_realm: (machine) => machine.setResult(0),
  skb_set_tstamp: onSkb(setTimestamp),
  skb_ecn_set_ce: onSkb(setCongestion),
}
