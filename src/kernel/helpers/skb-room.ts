/**
 * Helpers that change the size and the headers of socket buffers (linux v6.18 net/core/filter.c,
 * net/core/skbuff.c skb_vlan_push, skb_vlan_pop).
 */

import { BPF_ADJ_ROOM_FLAG, BPF_ADJ_ROOM_MODE, ERRNO } from "../../spec/index.ts"
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, ETH_HLEN, type SkBuffer } from "../contexts/index.ts"
import { csumBlockSub, csumPartial } from "./checksum.ts"
import { onSkb } from "./packet.ts"
import { resetChecksumUnnecessary } from "./skb-bytes.ts"
import type { HelperMachine, HelperTable } from "./support.ts"

/** SKB_MAX_ALLOC: four pages less the shared info. */
const LENGTH_MAX = 16_384 - 320
/** Largest step of bpf_skb_adjust_room. */
const ROOM_STEP_MAX = 0xfff
const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd
const ETH_P_8021Q = 0x8100
const ETH_P_8021AD = 0x88a8
const ETH_P_802_3 = 0x0001
const ETH_P_802_2 = 0x0004
const IPV4_HEADER_BYTES = 20
const IPV6_HEADER_BYTES = 40
const VLAN_HLEN = 4
const ENCAP_L2_SHIFT = 56

type Room = typeof BPF_ADJ_ROOM_FLAG
const F: Room = BPF_ADJ_ROOM_FLAG
const ENCAP_L3: number = F.BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | F.BPF_F_ADJ_ROOM_ENCAP_L3_IPV6
const DECAP_L3: number = F.BPF_F_ADJ_ROOM_DECAP_L3_IPV4 | F.BPF_F_ADJ_ROOM_DECAP_L3_IPV6
const SHRINK_FLAGS: number = F.BPF_F_ADJ_ROOM_FIXED_GSO | DECAP_L3 | F.BPF_F_ADJ_ROOM_NO_CSUM_RESET
const ALL_FLAGS: number =
  SHRINK_FLAGS |
  ENCAP_L3 |
  F.BPF_F_ADJ_ROOM_ENCAP_L4_GRE |
  F.BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
  F.BPF_F_ADJ_ROOM_ENCAP_L2_ETH

function clearHash(skb: SkBuffer): void {
  skb.set("hash", 0)
  skb.l4Hash = false
}

function isVlan(etherType: number): boolean {
  return etherType === ETH_P_8021Q || etherType === ETH_P_8021AD
}

/** Opens `length` zero bytes at `offset` by moving what is before them. False: no memory. */
function genericPush(
  machine: HelperMachine,
  skb: SkBuffer,
  offset: number,
  length: number,
): boolean {
  if (!skb.reserve(length, 0)) return false
  const { u8 } = machine.space
  const data = skb.data - length
  u8.copyWithin(data, skb.data, skb.data + offset)
  u8.fill(0, data + offset, data + offset + length)
  skb.data = data
  skb.dataMeta = data
  return true
}

/** Takes `length` bytes at `offset` out. False: they are not there. */
function genericPop(
  machine: HelperMachine,
  skb: SkBuffer,
  offset: number,
  length: number,
): boolean {
  if (offset + length > skb.length) return false
  const { u8 } = machine.space
  const old = skb.data
  if (skb.ipSummed === CHECKSUM_COMPLETE)
    skb.csum = csumBlockSub(skb.csum, csumPartial(u8, old + offset, length, 0), 0)
  u8.copyWithin(old + length, old, old + offset)
  skb.data = old + length
  skb.dataMeta = skb.data
  return true
}

/** bpf_skb_net_hdr_push and _pop: the same, with the header offsets taken along. */
function moveHeaders(skb: SkBuffer, distance: number): void {
  const same = skb.transportHeader === skb.networkHeader
  skb.macHeader += distance
  skb.networkHeader += distance
  if (same) skb.transportHeader = skb.networkHeader
}

function netPush(machine: HelperMachine, skb: SkBuffer, offset: number, length: number): number {
  if (!genericPush(machine, skb, offset, length)) return -ERRNO.ENOMEM
  moveHeaders(skb, -length)
  return 0
}

function netPop(machine: HelperMachine, skb: SkBuffer, offset: number, length: number): number {
  if (!genericPop(machine, skb, offset, length)) return -ERRNO.ENOMEM
  moveHeaders(skb, length)
  return 0
}

// ---- protocol and type ---------------------------------------------------------------------------

/** long bpf_skb_change_proto(skb, proto, flags): IPv4 to IPv6 or back; the headers' bytes are left to the program. */
function changeProto(machine: HelperMachine, skb: SkBuffer): number {
  if (machine.low(3) !== 0 || machine.high(3) !== 0) return -ERRNO.EINVAL
  const wire = machine.low(2) & 0xffff
  const to = ((wire & 0xff) << 8) | (wire >>> 8)
  const offset = skb.networkHeader - skb.macHeader
  const difference = IPV6_HEADER_BYTES - IPV4_HEADER_BYTES
  const from = skb.protocol
  if (!(from === ETH_P_IP && to === ETH_P_IPV6) && !(from === ETH_P_IPV6 && to === ETH_P_IP))
    return -ERRNO.ENOTSUPP
  const result =
    to === ETH_P_IPV6
      ? netPush(machine, skb, offset, difference)
      : netPop(machine, skb, offset, difference)
  if (result === 0) {
    skb.protocol = to
    clearHash(skb)
  }
  skb.syncContext()
  return result
}

function changeType(machine: HelperMachine, skb: SkBuffer): number {
  const type = machine.low(2) >>> 0
  if (skb.get("pkt_type") > 3 || type > 3) return -ERRNO.EINVAL
  skb.set("pkt_type", type)
  return 0
}

// ---- ends ------------------------------------------------------------------------------------------

/** long bpf_skb_change_tail(skb, len, flags) */
function changeTail(machine: HelperMachine, skb: SkBuffer): number {
  const length = machine.low(2) >>> 0
  const network = Math.max(0, skb.networkHeader - skb.data)
  const transport = skb.transportHeader < 0 ? 0 : skb.transportHeader - skb.data
  const lengthMin = transport > 0 ? transport : network
  if (machine.low(3) !== 0 || machine.high(3) !== 0) return -ERRNO.EINVAL
  if (length > LENGTH_MAX || length < lengthMin) return -ERRNO.EINVAL
  if (skb.encapsulation) return -ERRNO.ENOTSUPP
  const added = length - skb.length
  if (added > 0) {
    if (!skb.reserve(0, added)) return -ERRNO.ENOMEM
    machine.space.u8.fill(0, skb.dataEnd, skb.dataEnd + added)
    if (skb.ipSummed === CHECKSUM_COMPLETE) skb.ipSummed = CHECKSUM_NONE
  } else if (added < 0 && skb.ipSummed === CHECKSUM_COMPLETE) {
    const gone = csumPartial(machine.space.u8, skb.data + length, -added, 0)
    skb.csum = csumBlockSub(skb.csum, gone, length)
  }
  skb.dataEnd += added
  resetGso(skb)
  skb.syncContext()
  return 0
}

/** long bpf_skb_change_head(skb, len, flags): new zero bytes at the front are the link-layer header. */
function changeHead(machine: HelperMachine, skb: SkBuffer): number {
  const room = machine.low(2) >>> 0
  if (machine.low(3) !== 0 || machine.high(3) !== 0) return -ERRNO.EINVAL
  const length = skb.length + room
  if ((!isGso(skb) && length > LENGTH_MAX) || length > 0xffff_ffff) return -ERRNO.EINVAL
  if (!genericPush(machine, skb, 0, room)) return -ERRNO.ENOMEM
  skb.macHeader = skb.data
  skb.syncContext()
  return 0
}

function isGso(skb: SkBuffer): boolean {
  return skb.get("gso_size") !== 0
}

function resetGso(skb: SkBuffer): void {
  if (!isGso(skb)) return
  skb.set("gso_size", 0)
  skb.set("gso_segs", 0)
  skb.gsoType = 0
}

// ---- room in the middle ------------------------------------------------------------------------------

/** long bpf_skb_adjust_room(skb, len_diff, mode, flags) */
function adjustRoom(machine: HelperMachine, skb: SkBuffer): number {
  const difference = machine.low(2)
  const bytes = Math.abs(difference)
  const shrink = difference < 0
  // The top byte is the length of an inner link-layer header.
  const innerMac = machine.high(4) >>> (ENCAP_L2_SHIFT - 32)
  if ((machine.high(4) & 0x00ff_ffff) !== 0) return -ERRNO.EINVAL
  const flags = machine.low(4)
  if (flags & ~ALL_FLAGS) return -ERRNO.EINVAL
  if (bytes > ROOM_STEP_MAX) return -ERRNO.EFAULT
  const base = baseLength(skb)
  if (base < 0) return -ERRNO.ENOTSUPP
  let offset = skb.networkHeader - skb.macHeader
  if (machine.low(3) === BPF_ADJ_ROOM_MODE.BPF_ADJ_ROOM_NET) offset += base
  else if (machine.low(3) !== BPF_ADJ_ROOM_MODE.BPF_ADJ_ROOM_MAC) return -ERRNO.ENOTSUPP
  let lengthMin = base
  if (flags & DECAP_L3) {
    if (!shrink || (flags & DECAP_L3) === DECAP_L3) return -ERRNO.EINVAL
    lengthMin = flags & F.BPF_F_ADJ_ROOM_DECAP_L3_IPV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES
  }
  // A packet that was cut before its network header has, in 32 bits, a very long payload.
  const network = (skb.dataEnd - skb.networkHeader) >>> 0
  if (shrink && (bytes >= network || network - bytes < lengthMin)) return -ERRNO.ENOTSUPP
  if (!shrink && skb.length + bytes > LENGTH_MAX && !isGso(skb)) return -ERRNO.ENOTSUPP
  const result = shrink
    ? shrinkRoom(machine, skb, { offset, bytes, flags })
    : growRoom(machine, skb, { offset, bytes, flags, innerMac })
  if (result === 0 && !(flags & F.BPF_F_ADJ_ROOM_NO_CSUM_RESET)) resetChecksumUnnecessary(skb)
  skb.syncContext()
  return result
}

/** bpf_skb_net_base_len; -1 for what is no IP packet. */
function baseLength(skb: SkBuffer): number {
  if (skb.protocol === ETH_P_IP) return IPV4_HEADER_BYTES
  return skb.protocol === ETH_P_IPV6 ? IPV6_HEADER_BYTES : -1
}

interface Growth {
  readonly offset: number
  readonly bytes: number
  readonly flags: number
}

/** bpf_skb_net_grow */
function growRoom(
  machine: HelperMachine,
  skb: SkBuffer,
  { offset, bytes, flags, innerMac }: Growth & { innerMac: number },
): number {
  const has = (flag: number): boolean => (flags & flag) !== 0
  const encap = has(ENCAP_L3)
  // Super-packets made by test runs have no type, and only TCP's may grow.
  if (isGso(skb)) return -ERRNO.ENOTSUPP
  if (encap) {
    if ((flags & ENCAP_L3) === ENCAP_L3) return -ERRNO.EINVAL
    if (has(F.BPF_F_ADJ_ROOM_ENCAP_L4_GRE) && has(F.BPF_F_ADJ_ROOM_ENCAP_L4_UDP))
      return -ERRNO.EINVAL
    if (has(F.BPF_F_ADJ_ROOM_ENCAP_L2_ETH) && innerMac < ETH_HLEN) return -ERRNO.EINVAL
    if (skb.encapsulation) return -ERRNO.EALREADY
    if (innerMac > bytes) return -ERRNO.EINVAL
  }
  const macLength = skb.networkHeader - skb.macHeader
  const result = netPush(machine, skb, offset, bytes)
  if (result !== 0 || !encap) return result
  skb.encapsulation = true
  skb.networkHeader = skb.data + macLength
  const ipv6 = has(F.BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)
  if (has(F.BPF_F_ADJ_ROOM_ENCAP_L4_GRE) || has(F.BPF_F_ADJ_ROOM_ENCAP_L4_UDP)) {
    const header = ipv6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES
    skb.transportHeader = skb.data + macLength + header
  }
  skb.protocol = ipv6 ? ETH_P_IPV6 : ETH_P_IP
  return 0
}

/** bpf_skb_net_shrink */
function shrinkRoom(
  machine: HelperMachine,
  skb: SkBuffer,
  { offset, bytes, flags }: Growth,
): number {
  if (flags & ~SHRINK_FLAGS) return -ERRNO.EINVAL
  if (isGso(skb)) return -ERRNO.ENOTSUPP
  const result = netPop(machine, skb, offset, bytes)
  if (result !== 0) return result
  if (flags & F.BPF_F_ADJ_ROOM_DECAP_L3_IPV6) skb.protocol = ETH_P_IPV6
  else if (flags & F.BPF_F_ADJ_ROOM_DECAP_L3_IPV4) skb.protocol = ETH_P_IP
  return 0
}

// ---- VLAN tags -----------------------------------------------------------------------------------------

/**
 * long bpf_skb_vlan_push(skb, vlan_proto, vlan_tci): the new tag lies beside the packet; one that
 * lay there moves into it.
 */
function vlanPush(machine: HelperMachine, skb: SkBuffer): number {
  const wire = machine.low(2) & 0xffff
  const wanted = ((wire & 0xff) << 8) | (wire >>> 8)
  const protocol = isVlan(wanted) ? wanted : ETH_P_8021Q
  if (skb.vlan !== null) {
    if (skb.data !== skb.macHeader) return -ERRNO.EINVAL
    if (!genericPush(machine, skb, 12, VLAN_HLEN)) return -ERRNO.ENOMEM
    const { view } = machine.space
    view.setUint16(skb.data + 12, skb.vlan.protocol)
    view.setUint16(skb.data + 14, skb.vlan.tci)
    skb.macHeader = skb.data
    skb.protocol = skb.vlan.protocol
    skb.networkHeader -= VLAN_HLEN
  }
  skb.vlan = { protocol, tci: machine.low(3) & 0xffff }
  skb.syncContext()
  return 0
}

/** long bpf_skb_vlan_pop(skb): takes the outer tag away; the next one moves beside the packet. */
function vlanPop(machine: HelperMachine, skb: SkBuffer): number {
  let result = 0
  if (skb.vlan !== null) skb.vlan = null
  else if (isVlan(skb.protocol)) result = Math.min(popTag(machine, skb), 0)
  else return 0
  if (result === 0 && isVlan(skb.protocol)) {
    const { protocol } = skb
    const tci = popTag(machine, skb)
    if (tci < 0) result = tci
    else skb.vlan = { protocol, tci }
  }
  skb.syncContext()
  return result
}

/** __skb_vlan_pop: the tag in the packet goes; returns its control information or an errno. */
function popTag(machine: HelperMachine, skb: SkBuffer): number {
  if (skb.data !== skb.macHeader) return -ERRNO.EINVAL
  if (skb.length < ETH_HLEN + VLAN_HLEN) return -ERRNO.ENOMEM
  const { u8, view } = machine.space
  const tci = view.getUint16(skb.data + ETH_HLEN)
  const inner = view.getUint16(skb.data + ETH_HLEN + 2)
  if (inner >= 0x600) skb.protocol = inner
  else {
    const payload = skb.data + ETH_HLEN + VLAN_HLEN
    skb.protocol = u8[payload] === 0xff && u8[payload + 1] === 0xff ? ETH_P_802_3 : ETH_P_802_2
  }
  genericPop(machine, skb, 12, VLAN_HLEN)
  skb.macHeader = skb.data
  if (skb.networkHeader - skb.data < ETH_HLEN) skb.networkHeader = skb.data + ETH_HLEN
  return tci
}

export const skbRoomHelpers: HelperTable = {
  skb_change_proto: onSkb(changeProto),
  skb_change_type: onSkb(changeType),
  skb_change_tail: onSkb(changeTail),
  skb_change_head: onSkb(changeHead),
  skb_adjust_room: onSkb(adjustRoom),
  skb_vlan_push: onSkb(vlanPush),
  skb_vlan_pop: onSkb(vlanPop),
}
