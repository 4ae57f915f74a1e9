/** Helpers on socket buffers and XDP frames. */

import {
  arp,
  context,
  doubleTagged,
  frame as ethernet,
  llc,
  tagged,
  udp4,
  udp6,
} from "../testrun/packets.ts"
import type { RunSpec } from "../testrun/sides.ts"
import { frame, type HelperCase, program, quads, save, saveStack, words } from "./macros.ts"

const TC = "BPF_PROG_TYPE_SCHED_CLS"
const XDP = "BPF_PROG_TYPE_XDP"
const SKB_BYTES = 192

/** A tc program: body, then a summary of the context in `out` from slot 40 on. */
export function tc(
  name: string,
  body: string,
  data: Uint8Array = udp4,
  more: Partial<RunSpec> = {},
): HelperCase {
  const fields = [0, 4, 16, 20, 24, 28, 40, 68]
  const summary = fields.map((offset, i) => `r1 = *(u32 *)(r6 + ${offset}); ${save(40 + i, "r1")}`)
  const sizes = `r1 = *(u32 *)(r6 + 76); r2 = *(u32 *)(r6 + 80); r2 -= r1; ${save(50, "r2")}`
  return {
    name,
    program: program(TC, `${body}\n${summary.join("\n")}\n${sizes}\nr0 = 0`),
    input: { data, contextRoom: SKB_BYTES, ...more },
  }
}

export function xdp(
  name: string,
  body: string,
  data: Uint8Array = udp4,
  more: Partial<RunSpec> = {},
  flags = 0,
): HelperCase {
  const sizes = `r1 = *(u32 *)(r6 + 0); r2 = *(u32 *)(r6 + 4); r3 = *(u32 *)(r6 + 8); r2 -= r1; r1 -= r3
    ${save(50, "r2")}; ${save(51, "r1")}`
  return {
    name,
    program: program(XDP, `${body}\n${sizes}\nr0 = 2`, { flags }),
    input: { data, ...more },
  }
}

/** A call with the context first and constants after it. */
export const onPacket = (
  slot: number,
  helper: string,
  ...args: readonly (number | string)[]
): string =>
  [
    "r1 = r6",
    ...args.map((arg, i) => `r${i + 2} = ${arg}${typeof arg === "string" ? " ll" : ""}`),
    `call bpf_${helper}`,
    save(slot),
  ].join("\n")

// ---- bytes -------------------------------------------------------------------------------------------

export const load = (slot: number, offset: number, length: number): string =>
  `${quads(-32, 5, 5)}; r1 = r6; r2 = ${offset}; ${frame("r3", -32)}; r4 = ${length}
   call bpf_skb_load_bytes; ${save(slot)}; ${saveStack(slot + 1, -32, 16)}`
export const loadRelative = (slot: number, offset: number, length: number, start: number): string =>
  `${quads(-32, 5, 5)}; r1 = r6; r2 = ${offset}; ${frame("r3", -32)}; r4 = ${length}; r5 = ${start}
   call bpf_skb_load_bytes_relative; ${save(slot)}; ${saveStack(slot + 1, -32, 16)}`
export const store = (
  slot: number,
  offset: number,
  length: number,
  flags: number | string,
): string =>
  `${quads(-32, 0x11223344, 0x55667788)}; r1 = r6; r2 = ${offset}; ${frame("r3", -32)}; r4 = ${length}
   r5 = ${flags}${typeof flags === "string" ? " ll" : ""}; call bpf_skb_store_bytes; ${save(slot)}`

const bytes: readonly HelperCase[] = [
  tc(
    "skb_load_bytes",
    [
      load(0, 0, 16),
      load(3, 12, 2),
      load(6, 96, 2),
      load(9, 97, 2),
      load(12, 98, 1),
      load(15, -1, 4),
      load(18, 0x7fffffff, 4),
    ].join("\n"),
  ),
  tc(
    "skb_load_bytes_relative",
    [
      loadRelative(0, 0, 16, 0),
      loadRelative(3, 0, 16, 1),
      loadRelative(6, 68, 16, 1),
      loadRelative(9, 69, 16, 1),
      loadRelative(12, 65536, 1, 0),
      loadRelative(15, 0, 4, 2),
    ].join("\n"),
  ),
  tc(
    "skb_load_bytes_relative in VLAN",
    [loadRelative(0, 0, 16, 0), loadRelative(3, 0, 16, 1)].join("\n"),
    tagged,
  ),
  tc(
    "skb_store_bytes",
    [
      store(0, 0, 6, 0),
      store(1, 90, 8, 0),
      store(2, 91, 8, 0),
      store(3, 40, 4, 2),
      store(4, 50, 4, 1),
      store(5, 50, 4, 4),
      store(6, -1, 4, 0),
      store(7, 50, 4, "0x100000000"),
    ].join("\n"),
  ),
  tc(
    "skb_store_bytes, checksum complete and kept",
    `${store(0, 51, 3, 1)}; ${store(1, 60, 8, 1)}`,
    udp4,
    { flags: 4 },
  ),
  tc("skb_store_bytes, checksum complete and broken", store(0, 51, 3, 0), udp4, { flags: 4 }),
  tc(
    "skb_pull_data",
    [
      onPacket(0, "skb_pull_data", 0),
      onPacket(1, "skb_pull_data", 98),
      onPacket(2, "skb_pull_data", 99),
      onPacket(3, "skb_pull_data", -1),
    ].join("\n"),
  ),
]

// ---- checksums ------------------------------------------------------------------------------------------

export const l3 = (
  slot: number,
  offset: number,
  from: number | string,
  to: number | string,
  flags: number | string,
): string => onPacket(slot, "l3_csum_replace", offset, from, to, flags)
export const l4 = (
  slot: number,
  offset: number,
  from: number | string,
  to: number | string,
  flags: number | string,
): string => onPacket(slot, "l4_csum_replace", offset, from, to, flags)

const diff = (slot: number, from: readonly number[], to: readonly number[], seed: number): string =>
  `${words(-64, ...from)}
   ${words(-128, ...to)}
   ${from.length === 0 ? "r1 = 0" : frame("r1", -64)}; r2 = ${4 * from.length}
   ${to.length === 0 ? "r3 = 0" : frame("r3", -128)}; r4 = ${4 * to.length}; r5 = ${seed}
   call bpf_csum_diff; ${save(slot)}`

const checksums: readonly HelperCase[] = [
  tc("l3_csum_replace of 16 bits", l3(0, 24, 0x3500, 0x3501, 2)),
  tc("l3_csum_replace of 32 bits", l3(0, 24, 0x0100a8c0, 0x0200a8c0, 4)),
  tc("l3_csum_replace by difference", l3(0, 24, 0, 0x1234, 0)),
  tc("l3_csum_replace by difference with a from", l3(0, 24, 1, 0x1234, 0)),
  tc("l3_csum_replace of wide values", l3(0, 24, "0x123456789", "0x987654321", 4)),
  tc("l3_csum_replace of 2 wide values", l3(0, 24, "0x123456789", "0x987654321", 2)),
  tc(
    "l3_csum_replace refusals",
    [
      l3(0, 24, 0, 1, 3),
      l3(1, 24, 0, 1, 8),
      l3(2, 24, 0, 1, 0x10),
      l3(3, 25, 0, 1, 2),
      l3(4, 98, 0, 1, 2),
      l3(5, 65536, 0, 1, 2),
      l3(6, 97, 0, 1, 2),
      l3(7, 96, 0, 1, 2),
    ].join("\n"),
  ),
  tc(
    "l4_csum_replace",
    [
      l4(0, 40, 0x3500, 0x3501, 2),
      l4(1, 40, 0x0100a8c0, 0x0200a8c0, 0x14),
      l4(2, 40, 0, 0x777, 0),
    ].join("\n"),
  ),
  tc("l4_csum_replace to zero", l4(0, 40, 0xbbbb, 0x7776, 2)),
  tc(
    "l4_csum_replace marks zero",
    [l4(0, 60, 0, 5, 0x22), l4(1, 60, 0, 5, 0x62), l4(2, 14, 0xffff, 0x0045, 0x22)].join("\n"),
    ethernet(64),
  ),
  tc(
    "l4_csum_replace refusals",
    [
      l4(0, 41, 0, 1, 2),
      l4(1, 40, 0, 1, 3),
      l4(2, 40, 0, 1, 0x102),
      l4(3, 40, 1, 1, 0),
      l4(4, 97, 0, 1, 2),
      l4(5, 98, 0, 1, 2),
      l4(6, 40, 0, 1, 0x82),
    ].join("\n"),
  ),
  tc(
    "l4_csum_replace, checksum complete",
    [l4(0, 40, 0x0100a8c0, 0x0200a8c0, 0x14)].join("\n"),
    udp4,
    { flags: 4 },
  ),
  tc(
    "l4_csum_replace by difference, checksum complete",
    [l4(0, 40, 0, 0x777, 0x10)].join("\n"),
    udp4,
    { flags: 4 },
  ),
  tc(
    "csum_diff",
    [
      diff(0, [], [1, 2, 3], 0),
      diff(1, [1, 2, 3], [], 0),
      diff(2, [1, 2], [3, 4, 5], 0),
      diff(3, [1, 2], [1, 2], 0),
      diff(4, [], [-1, -1], 0),
      diff(5, [-1, -1], [], 5),
      diff(6, [], [0, 0], 0),
      diff(7, [0x12345678], [0x7fffffff], 0x12345),
      diff(8, [], [], 0x12345678),
      diff(9, [], [], -1),
      diff(10, [0], [0], 0),
      diff(11, [], [0x1000, 0x20000], -7),
    ].join("\n"),
  ),
  tc(
    "csum_update and csum_level without a checksum",
    [
      onPacket(0, "csum_update", 5),
      onPacket(1, "csum_level", 0),
      onPacket(2, "csum_level", 1),
      onPacket(3, "csum_level", 0),
      onPacket(4, "csum_level", 1),
      onPacket(5, "csum_level", 0),
      onPacket(6, "csum_level", 2),
      onPacket(7, "csum_level", 2),
      onPacket(8, "csum_level", 0),
      onPacket(9, "csum_level", 3),
      onPacket(10, "csum_level", 4),
    ].join("\n"),
  ),
  tc(
    "csum_update of a complete checksum",
    `${onPacket(0, "csum_update", 5)}; r0 -= 5; ${onPacket(1, "csum_update", -6)}`,
    udp4,
    { flags: 4 },
  ),
]

// ---- size and headers --------------------------------------------------------------------------------------

export const swapped = (etherType: number): number => ((etherType & 0xff) << 8) | (etherType >> 8)

export const room = (
  slot: number,
  difference: number,
  mode: number,
  flags: number | string,
): string => onPacket(slot, "skb_adjust_room", difference, mode, flags)

const sizes: readonly HelperCase[] = [
  ...[0, 13, 14, 50, 98, 99, 200, 3000, 16064, 16065].map((length) =>
    tc(`skb_change_tail to ${length}`, onPacket(0, "skb_change_tail", length, 0), udp4, {
      room: 20000,
    }),
  ),
  tc("skb_change_tail with flags", onPacket(0, "skb_change_tail", 98, 1)),
  ...[0, 1, 14, 100, 15966, 15967, -1].map((length) =>
    tc(`skb_change_head by ${length}`, onPacket(0, "skb_change_head", length, 0), udp4, {
      room: 20000,
    }),
  ),
  tc("skb_change_head with flags", onPacket(0, "skb_change_head", 14, 1)),
  tc(
    "skb_change_head twice, then relative loads",
    `${onPacket(0, "skb_change_head", 14, 0)}; ${onPacket(1, "skb_change_head", 100, 0)}; ${loadRelative(2, 0, 16, 0)}; ${loadRelative(5, 0, 16, 1)}`,
  ),
  tc("skb_change_proto to IPv6", onPacket(0, "skb_change_proto", swapped(0x86dd), 0)),
  tc(
    "skb_change_proto to IPv6 and back",
    `${onPacket(0, "skb_change_proto", swapped(0x86dd), 0)}; ${onPacket(1, "skb_change_proto", swapped(0x0800), 0)}`,
  ),
  tc("skb_change_proto to IPv4", onPacket(0, "skb_change_proto", swapped(0x0800), 0), udp6),
  tc(
    "skb_change_proto refusals",
    [
      onPacket(0, "skb_change_proto", swapped(0x0800), 0),
      onPacket(1, "skb_change_proto", swapped(0x86dd), 1),
      onPacket(2, "skb_change_proto", 5, 0),
    ].join("\n"),
  ),
  tc("skb_change_proto of ARP", onPacket(0, "skb_change_proto", swapped(0x0800), 0), arp),
  tc(
    "skb_change_type",
    [
      onPacket(0, "skb_change_type", 2),
      onPacket(1, "skb_change_type", 4),
      onPacket(2, "skb_change_type", 3),
    ].join("\n"),
  ),
  ...[20, 8, 1, 4095, 4096, -1, -8, -63, -64, -65, -4096].flatMap((difference) =>
    [0, 1].map((mode) =>
      tc(`skb_adjust_room by ${difference} in mode ${mode}`, room(0, difference, mode, 0), udp4, {
        room: 8192,
      }),
    ),
  ),
  tc("skb_adjust_room in mode 2", room(0, 8, 2, 0)),
  tc("skb_adjust_room of IPv6", room(0, 40, 1, 0), udp6),
  tc("skb_adjust_room of IPv6, less", room(0, -40, 0, 0), udp6),
  tc("skb_adjust_room of ARP", room(0, 8, 1, 0), arp),
  ...[
    "0x2",
    "0x4",
    "0x6",
    "0xa",
    "0x12",
    "0x1a",
    "0x2c",
    "0x0e00000000000022",
    "0x0d00000000000022",
    "0x0e00000000000062",
    "0x1500000000000002",
    "0x1400000000000002",
    "0x1",
    "0x40",
    "0x80",
    "0x100",
    "0x200",
    "0x20",
    "0x8",
    "0x100000000",
  ].flatMap((flags) => [
    tc(
      `skb_adjust_room by 20 with flags ${flags}`,
      `${room(0, 20, 1, flags)}; ${loadRelative(1, 0, 8, 1)}`,
    ),
    tc(
      `skb_adjust_room by -20 with flags ${flags}`,
      `${room(0, -20, 1, flags)}; ${loadRelative(1, 0, 8, 1)}`,
    ),
  ]),
  tc(
    "skb_adjust_room twice with encapsulation",
    `${room(0, 20, 1, 2)}; ${room(1, 20, 1, 2)}; ${onPacket(2, "skb_change_tail", 60, 0)}`,
  ),
  tc("skb_adjust_room of a super-packet", room(0, 20, 1, 0), udp4, {
    context: context(SKB_BYTES, [
      [164, 2],
      [176, 50],
    ]),
  }),
]

// ---- VLAN -------------------------------------------------------------------------------------------------------

export const push = (slot: number, protocol: number, tci: number): string =>
  onPacket(slot, "skb_vlan_push", swapped(protocol), tci)
export const pop = (slot: number): string => onPacket(slot, "skb_vlan_pop")

const vlans: readonly HelperCase[] = [
  tc("skb_vlan_push", push(0, 0x8100, 0x123)),
  tc("skb_vlan_push of 802.1ad", push(0, 0x88a8, 0x123)),
  tc("skb_vlan_push of another protocol", push(0, 0x1234, 0x123)),
  tc(
    "skb_vlan_push twice",
    `${push(0, 0x8100, 0x123)}; ${push(1, 0x88a8, 0x456)}; ${loadRelative(2, 0, 8, 1)}; ${loadRelative(5, 0, 16, 0)}`,
  ),
  tc(
    "skb_vlan_push and skb_vlan_pop",
    `${push(0, 0x8100, 0x123)}; ${push(1, 0x88a8, 0x456)}; ${pop(2)}; ${loadRelative(3, 0, 16, 1)}`,
  ),
  tc(
    "skb_vlan_push and skb_vlan_pop twice",
    `${push(0, 0x8100, 0x123)}; ${push(1, 0x88a8, 0x456)}; ${pop(2)}; ${pop(3)}; ${pop(4)}`,
  ),
  tc("skb_vlan_pop of a packet without a tag", pop(0)),
  tc("skb_vlan_pop", `${pop(0)}; ${loadRelative(1, 0, 16, 1)}`, tagged),
  tc("skb_vlan_pop of two tags", `${pop(0)}; ${loadRelative(1, 0, 16, 1)}`, doubleTagged),
  tc("skb_vlan_pop of two tags, twice", `${pop(0)}; ${pop(1)}`, doubleTagged),
  tc("skb_vlan_pop of a short packet", pop(0), tagged.subarray(0, 17)),
  tc("skb_vlan_push of a tagged packet", push(0, 0x8100, 0x123), tagged),
  tc(
    "skb_vlan_push of LLC",
    `${push(0, 0x8100, 0x123)}; ${push(1, 0x8100, 0x124)}; ${pop(2)}; ${pop(3)}`,
    llc,
  ),
]

// ---- beside the bytes -----------------------------------------------------------------------------------------------

export const key = (slot: number, helper: string, size: number, flags: number | string): string =>
  `r1 = r6; ${frame("r2", -64)}; r3 = ${size}; r4 = ${flags}${typeof flags === "string" ? " ll" : ""}
   call bpf_${helper}; ${save(slot)}`
export const keyBytes = (ext = 0, label = 0): string =>
  [
    words(-64, 77, 0x0a000001, 1, 2, 3),
    `*(u8 *)(r10 - 44) = 8; *(u8 *)(r10 - 43) = 64; *(u16 *)(r10 - 42) = ${ext}`,
    words(-40, label, 0x0a000002, 4, 5, 6),
    words(-20, 0),
  ].join("\n")

const beside: readonly HelperCase[] = [
  tc(
    "skb_set_tunnel_key and skb_get_tunnel_key",
    `${keyBytes()}; ${key(0, "skb_set_tunnel_key", 44, 0)}; ${quads(-64, 0, 0, 0, 0, 0, 0)}; ${key(1, "skb_get_tunnel_key", 44, 0)}; ${saveStack(2, -64, 48)}`,
  ),
  tc(
    "skb_set_tunnel_key and skb_get_tunnel_key of IPv6",
    `${keyBytes(0, 0x12345)}; ${key(0, "skb_set_tunnel_key", 44, 1)}; ${key(1, "skb_get_tunnel_key", 44, 1)}; ${saveStack(2, -64, 48)}`,
  ),
  tc(
    "skb_get_tunnel_key with flags",
    `${keyBytes()}; ${key(0, "skb_set_tunnel_key", 44, 0xe)}; ${key(1, "skb_get_tunnel_key", 44, 0x10)}; ${saveStack(2, -64, 48)}`,
  ),
  ...[0x0, 0x2, 0x4, 0x8, 0x10].map((flags) =>
    tc(
      `skb_get_tunnel_key of flags ${flags}`,
      `${keyBytes()}; ${key(0, "skb_set_tunnel_key", 44, flags)}; ${key(1, "skb_get_tunnel_key", 44, 0x10)}; ${saveStack(2, -64, 48)}`,
    ),
  ),
  tc(
    "skb_get_tunnel_key without a tunnel",
    `${keyBytes()}; ${key(1, "skb_get_tunnel_key", 44, 0)}; ${saveStack(2, -64, 48)}`,
  ),
  tc(
    "skb_get_tunnel_key of the other family",
    `${keyBytes()}; ${key(0, "skb_set_tunnel_key", 44, 0)}; ${key(1, "skb_get_tunnel_key", 44, 1)}; ${saveStack(2, -64, 48)}`,
  ),
  ...[8, 12, 16, 20, 22, 24, 28, 40].flatMap((size) => [
    tc(
      `tunnel keys of ${size} bytes`,
      `${keyBytes()}; ${key(0, "skb_set_tunnel_key", size, 0)}; ${quads(-64, 1, 1, 1, 1, 1, 1)}; ${key(1, "skb_get_tunnel_key", size, 0)}; ${saveStack(2, -64, 48)}`,
    ),
    tc(
      `tunnel keys of ${size} bytes, IPv6`,
      `${keyBytes()}; ${key(0, "skb_set_tunnel_key", size, 1)}; ${quads(-64, 1, 1, 1, 1, 1, 1)}; ${key(1, "skb_get_tunnel_key", size, 1)}; ${saveStack(2, -64, 48)}`,
    ),
  ]),
  tc(
    "skb_set_tunnel_key refusals",
    `${keyBytes(1)}; ${key(0, "skb_set_tunnel_key", 44, 0)}; ${keyBytes(0, 5)}; ${key(1, "skb_set_tunnel_key", 44, 0)}; ${keyBytes()}; ${key(2, "skb_set_tunnel_key", 44, 0x20)}; ${key(3, "skb_set_tunnel_key", 44, "0x100000000")}`,
  ),
  tc(
    "tunnel options",
    `${keyBytes()}; ${quads(-80, 1, 2)}; r1 = r6; ${frame("r2", -80)}; r3 = 16; call bpf_skb_set_tunnel_opt; ${save(0)}
    ${key(1, "skb_set_tunnel_key", 44, 0)}; r1 = r6; ${frame("r2", -80)}; r3 = 8; call bpf_skb_get_tunnel_opt; ${save(2)}
    ${quads(-80, 7, 8)}; r1 = r6; ${frame("r2", -80)}; r3 = 12; call bpf_skb_set_tunnel_opt; ${save(3)}
    r1 = r6; ${frame("r2", -80)}; r3 = 6; call bpf_skb_set_tunnel_opt; ${save(4)}
    ${quads(-80, 9, 9)}; r1 = r6; ${frame("r2", -80)}; r3 = 16; call bpf_skb_get_tunnel_opt; ${save(5)}; ${saveStack(6, -80, 16)}
    r1 = r6; ${frame("r2", -80)}; r3 = 8; call bpf_skb_get_tunnel_opt; ${save(8)}`,
  ),
  tc(
    "set_hash, get_hash_recalc, set_hash_invalid",
    `${onPacket(0, "set_hash", 0x1234)}; ${onPacket(1, "get_hash_recalc")}; r1 = r6; call bpf_set_hash_invalid; r0 = *(u32 *)(r6 + 68); ${save(2)}; ${onPacket(3, "set_hash", 5)}`,
  ),
  tc(
    "get_route_realm, get_cgroup_classid",
    `${onPacket(0, "get_route_realm")}; ${onPacket(1, "get_cgroup_classid")}`,
  ),
  tc(
    "skb_set_tstamp",
    [
      onPacket(0, "skb_set_tstamp", 5, 0),
      onPacket(1, "skb_set_tstamp", 0, 1),
      onPacket(2, "skb_set_tstamp", 7, 1),
      onPacket(3, "skb_set_tstamp", 7, 3),
      "r0 = *(u8 *)(r6 + 180)",
      save(4),
      onPacket(5, "skb_set_tstamp", 9, 2),
      "r0 = *(u8 *)(r6 + 180)",
      save(6),
    ].join("\n"),
  ),
  tc("skb_set_tstamp of ARP", onPacket(0, "skb_set_tstamp", 5, 0), arp),
  ...[0, 1, 2, 3].map((ecn) => {
    const packet = udp4.slice()
    packet[15] = ecn
    return tc(
      `skb_ecn_set_ce of ECN ${ecn}`,
      `r1 = r6; call bpf_skb_ecn_set_ce; ${save(0)}`,
      packet,
    )
  }),
  tc(
    "clone_redirect refusals",
    [
      onPacket(0, "clone_redirect", 999999, 0),
      onPacket(1, "clone_redirect", 1, 2),
      onPacket(2, "clone_redirect", 1, "0x100000000"),
    ].join("\n"),
  ),
  tc("clone_redirect of a super-packet", onPacket(0, "clone_redirect", 1, 0), udp4, {
    context: context(SKB_BYTES, [
      [164, 2],
      [176, 50],
    ]),
  }),
  {
    name: "redirect, redirect_peer, redirect_neigh: verdicts",
    program: program(
      TC,
      `r1 = 1; r2 = 0; call bpf_redirect; ${save(0)}; r1 = 1; r2 = 1; call bpf_redirect; ${save(1)}
       r1 = 1; r2 = 2; call bpf_redirect; ${save(2)}; r1 = 1; r2 = 0; call bpf_redirect_peer; ${save(3)}
       r1 = 1; r2 = 1; call bpf_redirect_peer; ${save(4)}
       r1 = 1; r2 = 0; r3 = 0; r4 = 0; call bpf_redirect_neigh; ${save(5)}
       r1 = 1; r2 = 0; r3 = 0; r4 = 1; call bpf_redirect_neigh; ${save(6)}
       ${quads(-32, 0, 0, 0)}; r1 = 1; ${frame("r2", -32)}; r3 = 8; r4 = 0; call bpf_redirect_neigh; ${save(7)}
       r1 = 1; ${frame("r2", -32)}; r3 = 20; r4 = 0; call bpf_redirect_neigh; ${save(8)}; r0 = 0`,
    ),
    input: { data: udp4 },
  },
  tc(
    "sockets: the packet's own",
    `r1 = *(u64 *)(r6 + 168); r0 = 77; if r1 == 0 goto none; r0 = *(u32 *)(r1 + 4); none: ${save(0)}`,
  ),
  tc(
    "sk_fullsock and tcp_sock of the packet's socket",
    `r1 = *(u64 *)(r6 + 168); r0 = 77; if r1 == 0 goto none; call bpf_sk_fullsock; r1 = r0; r0 = 78; if r1 == 0 goto none
    r7 = *(u32 *)(r1 + 24); ${save(1, "r7")}; call bpf_tcp_sock; r1 = r0; r0 = 1; if r1 == 0 goto none; r0 = 2; none: ${save(0)}`,
  ),
]

// ---- fib and mtu ----------------------------------------------------------------------------------------------------------

export const mtu = (
  slot: number,
  ifindex: number,
  length: number,
  difference: number,
  flags: number,
): string =>
  `${words(-8, length)}; r1 = r6; r2 = ${ifindex}; ${frame("r3", -8)}; r4 = ${difference}; r5 = ${flags}
   call bpf_check_mtu; ${save(slot)}; r1 = *(u32 *)(r10 - 8); ${save(slot + 1, "r1")}`
const fib = (slot: number, family: number, ifindex: number, size: number, flags: number): string =>
  `${quads(-64, family, ifindex, 0, 0, 0, 0, 0, 0)}; r1 = r6; ${frame("r2", -64)}; r3 = ${size}; r4 = ${flags}
   call bpf_fib_lookup; ${save(slot)}`

const questions: readonly HelperCase[] = [
  tc(
    "check_mtu",
    [
      mtu(0, 0, 0, 0, 0),
      mtu(2, 1, 0, 0, 0),
      mtu(4, 99999, 0, 0, 0),
      mtu(6, 0, 0, 70000, 0),
      mtu(8, 0, 65536, 0, 0),
      mtu(10, 0, 65537, 0, 0),
      mtu(12, 0, 0, 0, 1),
      mtu(14, 0, 5, 0, 1),
      mtu(16, 0, 0, 5, 1),
      mtu(18, 0, 0, 0, 2),
    ].join("\n"),
  ),
  xdp(
    "check_mtu of XDP",
    [
      mtu(0, 0, 0, 0, 0),
      mtu(2, 1, 0, 0, 0),
      mtu(4, 99999, 0, 0, 0),
      mtu(6, 0, 0, 70000, 0),
      mtu(8, 0, 65536, 0, 0),
      mtu(10, 0, 65537, 0, 0),
      mtu(12, 0, 0, 0, 1),
    ].join("\n"),
  ),
  tc(
    "fib_lookup refusals",
    [fib(0, 2, 0, 63, 0), fib(1, 2, 0, 64, 64), fib(2, 7, 0, 64, 0), fib(3, 2, 0, 64, 0)].join(
      "\n",
    ),
  ),
]

// ---- XDP ---------------------------------------------------------------------------------------------------------------------

export const adjust = (slot: number, what: string, delta: number): string =>
  onPacket(slot, `xdp_adjust_${what}`, delta)
export const copy = (
  slot: number,
  what: "load" | "store",
  offset: number,
  length: number,
): string =>
  `${quads(-32, 0x11223344, 0x55667788)}; r1 = r6; r2 = ${offset}; ${frame("r3", -32)}; r4 = ${length}
   call bpf_xdp_${what}_bytes; ${save(slot)}; ${saveStack(slot + 1, -32, 16)}`

const xdps: readonly HelperCase[] = [
  ...[-14, -216, -217, 14, 84, 85, 98, 0].map((delta) =>
    xdp(`xdp_adjust_head by ${delta}`, adjust(0, "head", delta)),
  ),
  ...[-84, -85, -98, 10, 3422, 3423, 0].map((delta) =>
    xdp(`xdp_adjust_tail by ${delta}`, adjust(0, "tail", delta)),
  ),
  ...[-4, -6, -32, -216, -220, -252, 4, 0].map((delta) =>
    xdp(`xdp_adjust_meta by ${delta}`, adjust(0, "meta", delta)),
  ),
  xdp(
    "xdp_adjust_meta and xdp_adjust_head",
    `${adjust(0, "meta", -8)}; ${adjust(1, "head", -20)}; ${adjust(2, "meta", 4)}; ${adjust(3, "head", 40)}`,
  ),
  xdp("xdp_adjust_head moves given metadata", adjust(0, "head", -20), udp4, {
    context: context(24, [
      [0, 8],
      [4, udp4.length],
    ]),
    contextRoom: 24,
  }),
  xdp("xdp_adjust_head over given metadata", adjust(0, "head", 40), udp4, {
    context: context(24, [
      [0, 8],
      [4, udp4.length],
    ]),
    contextRoom: 24,
  }),
  xdp(
    "xdp_adjust_head as far as metadata lets it",
    `${adjust(0, "head", -208)}; ${adjust(1, "head", -1)}`,
    udp4,
    {
      context: context(24, [
        [0, 8],
        [4, udp4.length],
      ]),
      contextRoom: 24,
    },
  ),
  xdp(
    "xdp_adjust_meta gives up metadata",
    `${adjust(0, "meta", 8)}; ${adjust(1, "meta", 4)}`,
    udp4,
    {
      context: context(24, [
        [0, 8],
        [4, udp4.length],
      ]),
      contextRoom: 24,
    },
  ),
  xdp(
    "xdp_load_bytes",
    [
      copy(0, "load", 0, 16),
      copy(3, "load", 82, 16),
      copy(6, "load", 83, 16),
      copy(9, "load", 65536, 4),
      copy(12, "load", -1, 4),
    ].join("\n"),
  ),
  xdp(
    "xdp_store_bytes",
    [
      copy(0, "store", 0, 16),
      copy(3, "store", 82, 16),
      copy(6, "store", 83, 16),
      copy(9, "store", 65536, 4),
    ].join("\n"),
  ),
  xdp(
    "xdp_load_bytes across fragments",
    [
      copy(0, "load", 3512, 16),
      copy(3, "load", 7610, 16),
      copy(6, "load", 8990, 10),
      copy(9, "load", 8990, 11),
    ].join("\n"),
    ethernet(9000),
    { room: 20000 },
    0x20,
  ),
  xdp(
    "xdp_store_bytes across fragments",
    [
      copy(0, "store", 3512, 16),
      copy(3, "store", 7610, 16),
      copy(6, "store", 8990, 10),
      copy(9, "store", 8990, 11),
    ].join("\n"),
    ethernet(9000),
    { room: 20000 },
    0x20,
  ),
  ...[-1, -1384, -1385, -5480, -5481, -8986, -8987, 10, 2712, 2713].map((delta) =>
    xdp(
      `xdp_adjust_tail of fragments by ${delta}`,
      `${adjust(0, "tail", delta)}; ${onPacket(1, "xdp_get_buff_len")}`,
      ethernet(9000),
      { room: 20000 },
      0x20,
    ),
  ),
  xdp("xdp_get_buff_len", onPacket(0, "xdp_get_buff_len")),
  {
    name: "redirect of XDP: verdicts",
    program: program(
      XDP,
      `r1 = 1; r2 = 0; call bpf_redirect; ${save(0)}; r1 = 1; r2 = 1; call bpf_redirect; ${save(1)}; r0 = 2`,
    ),
    input: { data: udp4 },
  },
  {
    name: "redirect_map: verdicts",
    program: program(
      XDP,
      `${[0, 1, 2, 3, 4, 8, 16, 24, 32]
        .flatMap((flags, i) =>
          [0, 5].map(
            (index, j) =>
              `r1 = map[dev] ll; r2 = ${index}; r3 = ${flags}; call bpf_redirect_map; ${save(2 * i + j)}`,
          ),
        )
        .join("\n")}\nr0 = 2`,
      {
        maps: {
          dev: {
            type: "BPF_MAP_TYPE_DEVMAP",
            key: 4,
            value: 4,
            entries: 2,
            elements: [["00000000", "01000000"]],
          },
        },
      },
    ),
    input: { data: udp4 },
  },
]

export const packetCases: readonly HelperCase[] = [
  ...bytes,
  ...checksums,
  ...sizes,
  ...vlans,
  ...beside,
  ...questions,
  ...xdps,
]
