/** Map helpers, callbacks, loops, strings. */

import { udp4 } from "../testrun/packets.ts"
import type { MapSpec } from "../testrun/sides.ts"
import {
  call,
  frame,
  type HelperCase,
  program,
  quads,
  save,
  saveStack,
  string,
  words,
} from "./macros.ts"

const SOCKET = "BPF_PROG_TYPE_SOCKET_FILTER"
const input = { data: udp4, room: 0 }

const hash: MapSpec = {
  type: "BPF_MAP_TYPE_HASH",
  key: 4,
  value: 8,
  entries: 4,
  elements: [
    ["01000000", "1100000000000000"],
    ["02000000", "2200000000000000"],
  ],
}
const array: MapSpec = {
  type: "BPF_MAP_TYPE_ARRAY",
  key: 4,
  value: 8,
  entries: 3,
  elements: [
    ["00000000", "0500000000000000"],
    ["01000000", "0600000000000000"],
    ["02000000", "0700000000000000"],
  ],
}
const queue = (type: "QUEUE" | "STACK"): MapSpec => ({
  type: `BPF_MAP_TYPE_${type}`,
  key: 0,
  value: 8,
  entries: 2,
})

/** Looks a key up and leaves the value (or 0xdead) in a slot. */
const look = (map: string, key: number, slot: number): string =>
  `${words(-8, key)}
   ${frame("r2", -8)}
   r1 = map[${map}] ll
   call bpf_map_lookup_elem
   r1 = 0xdead
   if r0 == 0 goto miss${slot}
   r1 = *(u64 *)(r0 + 0)
   miss${slot}: ${save(slot, "r1")}`

const update = (
  map: string,
  key: number,
  value: number,
  flags: string | number,
  slot: number,
): string =>
  `${words(-8, key)}; ${quads(-16, value)}
   ${frame("r2", -8)}; ${frame("r3", -16)}
   r1 = map[${map}] ll
   r4 = ${flags} ${typeof flags === "string" ? "ll" : ""}
   call bpf_map_update_elem
   ${save(slot)}`

const remove = (map: string, key: number, slot: number): string =>
  `${words(-8, key)}
   ${frame("r2", -8)}
   r1 = map[${map}] ll
   call bpf_map_delete_elem
   ${save(slot)}`

const queueOp = (operation: "push" | "pop" | "peek", slot: number, value = 0, flags = 0): string =>
  `${quads(-16, value)}
   ${frame("r2", -16)}
   r1 = map[q] ll
   ${operation === "push" ? `r3 = ${flags}` : ""}
   call bpf_map_${operation}_elem
   ${save(slot)}
   r1 = *(u64 *)(r10 - 16)
   ${save(slot + 1, "r1")}`

const maps: readonly HelperCase[] = [
  {
    name: "map_lookup_elem of a hash",
    program: program(SOCKET, `${look("m", 1, 0)}; ${look("m", 9, 1)}; r0 = 0`, {
      maps: { m: hash },
    }),
    input,
  },
  {
    name: "map_lookup_elem of an array",
    program: program(
      SOCKET,
      `${look("m", 2, 0)}; ${look("m", 3, 1)}; ${look("m", -1, 2)}; r0 = 0`,
      { maps: { m: array } },
    ),
    input,
  },
  {
    name: "map_update_elem of a hash, all flags",
    program: program(
      SOCKET,
      [
        update("m", 1, 100, 1, 0),
        update("m", 1, 101, 2, 1),
        update("m", 3, 102, 2, 2),
        update("m", 3, 103, 1, 3),
        update("m", 4, 104, 3, 4),
        update("m", 4, 104, 4, 5),
        update("m", 4, 105, 0, 6),
        update("m", 5, 106, 0, 7),
        update("m", 5, 106, "0x100000000", 8),
        "r0 = 0",
      ].join("\n"),
      { maps: { m: hash } },
    ),
    input,
  },
  {
    name: "map_update_elem of an array, all flags",
    program: program(
      SOCKET,
      [
        update("m", 1, 100, 1, 0),
        update("m", 1, 101, 2, 1),
        update("m", 3, 102, 0, 2),
        update("m", 0, 103, 3, 3),
        update("m", 0, 104, 0, 4),
        update("m", 0, 104, 4, 5),
        "r0 = 0",
      ].join("\n"),
      { maps: { m: array } },
    ),
    input,
  },
  {
    name: "map_delete_elem",
    program: program(
      SOCKET,
      `${remove("m", 1, 0)}; ${remove("m", 1, 1)}; ${remove("a", 0, 2)}; ${remove("a", 7, 3)}; r0 = 0`,
      {
        maps: { m: hash, a: array },
      },
    ),
    input,
  },
  ...(["QUEUE", "STACK"] as const).map(
    (type): HelperCase => ({
      name: `map_push_elem, map_pop_elem, map_peek_elem of a ${type.toLowerCase()}`,
      program: program(
        SOCKET,
        [
          queueOp("peek", 0),
          queueOp("push", 2, 7),
          queueOp("push", 4, 8),
          queueOp("push", 6, 9),
          queueOp("push", 8, 10, 2),
          queueOp("push", 10, 11, 1),
          queueOp("peek", 12),
          queueOp("pop", 14),
          queueOp("pop", 16),
          queueOp("pop", 18, 77),
          "r0 = 0",
        ].join("\n"),
        { maps: { q: queue(type) } },
      ),
      input,
    }),
  ),
  {
    name: "map_lookup_percpu_elem of a CPU that does not exist",
    program: program(
      SOCKET,
      `${words(-8, 0)}; ${frame("r2", -8)}; r1 = map[m] ll; r3 = 99
       call bpf_map_lookup_percpu_elem; if r0 == 0 goto none; r0 = 1; none: ${save(0)}; r0 = 0`,
      { maps: { m: { type: "BPF_MAP_TYPE_PERCPU_ARRAY", key: 4, value: 8, entries: 1 } } },
    ),
    input,
  },
  {
    name: "a longest prefix match",
    program: program(
      SOCKET,
      `${words(-8, 32, 0x0100000a)}; ${frame("r2", -8)}; r1 = map[m] ll; call bpf_map_lookup_elem
       r1 = 0; if r0 == 0 goto none; r1 = *(u64 *)(r0 + 0); none: ${save(0, "r1")}
       ${words(-8, 32, 0x0100000b)}; ${frame("r2", -8)}; r1 = map[m] ll; call bpf_map_lookup_elem
       r1 = 0; if r0 == 0 goto nothing; r1 = *(u64 *)(r0 + 0); nothing: ${save(1, "r1")}; r0 = 0`,
      {
        maps: {
          m: {
            type: "BPF_MAP_TYPE_LPM_TRIE",
            key: 8,
            value: 8,
            entries: 8,
            flags: 1,
            elements: [
              ["080000000a000000", "0800000000000000"],
              ["200000000a000001", "2000000000000000"],
            ],
          },
        },
      },
    ),
    input,
  },
]

const each = (body: string, flags = 0): string =>
  `${quads(-16, 0)}
   r1 = map[m] ll
   r2 = subprog[visit] ll
   ${frame("r3", -16)}
   r4 = ${flags}
   call bpf_for_each_map_elem
   ${save(0)}
   ${saveStack(1, -16, 8)}
   r0 = 0
   exit
   visit:
   ${body}`

const sum = `r1 = *(u64 *)(r4 + 0)
  r3 = *(u64 *)(r3 + 0)
  r1 += r3
  r5 = *(u32 *)(r2 + 0)
  r5 <<= 32
  r1 += r5
  *(u64 *)(r4 + 0) = r1`

const loops: readonly HelperCase[] = [
  {
    name: "for_each_map_elem of an array",
    program: program(SOCKET, each(`${sum}; r0 = 0`), { maps: { m: array }, callbacks: ["visit"] }),
    input,
  },
  {
    name: "for_each_map_elem of a hash",
    program: program(SOCKET, each(`${sum}; r0 = 0`), { maps: { m: hash }, callbacks: ["visit"] }),
    input,
  },
  {
    name: "for_each_map_elem that stops",
    program: program(SOCKET, each(`${sum}; r0 = 1`), { maps: { m: array }, callbacks: ["visit"] }),
    input,
  },
  {
    name: "for_each_map_elem with flags",
    program: program(SOCKET, each("r0 = 0", 1), { maps: { m: array }, callbacks: ["visit"] }),
    input,
  },
  ...[
    { name: "ten rounds", rounds: 10, flags: 0 },
    { name: "no round", rounds: 0, flags: 0 },
    { name: "too many rounds", rounds: 8 * 1024 * 1024 + 1, flags: 0 },
    { name: "flags", rounds: 1, flags: 1 },
  ].map(
    ({ name, rounds, flags }): HelperCase => ({
      name: `loop: ${name}`,
      program: program(
        SOCKET,
        `${quads(-16, 0)}; r1 = ${rounds}; r2 = subprog[round] ll; ${frame("r3", -16)}; r4 = ${flags}
       call bpf_loop; ${save(0)}; ${saveStack(1, -16, 8)}; r0 = 0; exit
       round: r3 = *(u64 *)(r2 + 0); r3 += r1; r3 += 1; *(u64 *)(r2 + 0) = r3
       r0 = 0; if r1 != 6 goto go; r0 = 1; go:`,
        { callbacks: ["round"] },
      ),
      input,
    }),
  ),
]

const number = (
  helper: "strtol" | "strtoul",
  text: string,
  base: number | string,
  size?: number,
): HelperCase => ({
  name: `${helper} of '${text.replace(/\s/g, "·")}' in base ${base}${size === undefined ? "" : `, ${size} bytes`}`,
  program: program(
    SOCKET,
    `${quads(-16, 99)}; ${string(-100, text)}
     ${frame("r1", -100)}; r2 = ${size ?? text.length + 1}; r3 = ${base} ${typeof base === "string" ? "ll" : ""}
     ${frame("r4", -16)}; call bpf_${helper}; ${save(0)}; ${saveStack(1, -16, 8)}; r0 = 0`,
  ),
  input,
})

const strings: readonly HelperCase[] = [
  ...(["strtol", "strtoul"] as const).flatMap((helper) => [
    number(helper, "123", 10),
    number(helper, "-123", 10),
    number(helper, "+123", 10),
    number(helper, "  42x", 10),
    number(helper, "\t\n7", 0),
    number(helper, "0x1f", 0),
    number(helper, "0x1f", 16),
    number(helper, "1F", 16),
    number(helper, "0x", 16),
    number(helper, "0xg", 0),
    number(helper, "017", 0),
    number(helper, "08", 0),
    number(helper, "017", 8),
    number(helper, "12", 2),
    number(helper, "12", "0x10000000a"),
    number(helper, "12", 32),
    number(helper, "", 10),
    number(helper, "-", 10),
    number(helper, "abc", 10),
    number(helper, "18446744073709551615", 10),
    number(helper, "18446744073709551616", 10),
    number(helper, "9223372036854775807", 10),
    number(helper, "9223372036854775808", 10),
    number(helper, "-9223372036854775808", 10),
    number(helper, "-9223372036854775809", 10),
    number(helper, "123456", 10, 3),
    number(helper, "00000000000000000000000000000000000000000000000000000000000000000000012", 10),
  ]),
  ...[
    ["abc", "abc", 4],
    ["abc", "abd", 4],
    ["abd", "abc", 4],
    ["abc", "abcd", 4],
    ["abcd", "abc", 5],
    ["abcx", "abcy", 3],
  ].map(
    ([one, other, size]): HelperCase => ({
      name: `strncmp of ${one} and ${other}, ${size} bytes`,
      program: program(
        SOCKET,
        `${string(-32, String(one))}; ${frame("r1", -32)}; r2 = ${size}; r3 = map[text][0]
       call bpf_strncmp; ${save(0)}; r0 = 0`,
        { maps: { text: constant(String(other)) } },
      ),
      input,
    }),
  ),
]

/** A frozen, read-only map whose value is a C string. */
export function constant(text: string): MapSpec {
  const bytes = [...text, "\0"].map((character) =>
    character.charCodeAt(0).toString(16).padStart(2, "0"),
  )
  const size = 256
  return {
    type: "BPF_MAP_TYPE_ARRAY",
    key: 4,
    value: size,
    entries: 1,
    flags: 0x80,
    frozen: true,
    elements: [["00000000", bytes.join("").padEnd(2 * size, "0")]],
  }
}

const SK_STORAGE: MapSpec = {
  type: "BPF_MAP_TYPE_SK_STORAGE",
  key: 4,
  value: 8,
  entries: 0,
  flags: 1,
  btf: "u64",
}
const LOCKED: MapSpec = {
  type: "BPF_MAP_TYPE_ARRAY",
  key: 4,
  value: 16,
  entries: 1,
  btf: "bpf_spin_lock",
}
const TIMED: MapSpec = {
  type: "BPF_MAP_TYPE_ARRAY",
  key: 4,
  value: 24,
  entries: 1,
  btf: "bpf_timer",
}

/** sk_storage_get with flags; leaves 1, or 0 for NULL, and adds 5 to the value. */
const stored = (slot: number, flags: number, initial: number | null): string =>
  `${initial === null ? "" : quads(-16, initial)}
   r1 = map[s] ll; r2 = r8; ${initial === null ? "r3 = 0" : frame("r3", -16)}; r4 = ${flags}
   call bpf_sk_storage_get; r1 = 0; if r0 == 0 goto null${slot}
   r1 = *(u64 *)(r0 + 0); r1 += 5; *(u64 *)(r0 + 0) = r1; null${slot}: ${save(slot, "r1")}`
const unstored = (slot: number): string =>
  `r1 = map[s] ll; r2 = r8; call bpf_sk_storage_delete; ${save(slot)}`

/** R7: the value at index 0 of a map. */
const value = (map: string): string =>
  `${words(-8, 0)}; ${frame("r2", -8)}; r1 = map[${map}] ll; call bpf_map_lookup_elem
   if r0 == 0 goto out; r7 = r0`
const timer = (slot: number, call: string, ...args: readonly string[]): string =>
  `r1 = r7; ${args.map((arg, i) => `r${i + 2} = ${arg}`).join("; ")}
   call bpf_timer_${call}; ${save(slot)}`

const owned: readonly HelperCase[] = [
  {
    name: "sk_storage_get and sk_storage_delete",
    program: program(
      "BPF_PROG_TYPE_SCHED_CLS",
      `r1 = *(u64 *)(r6 + 168); if r1 == 0 goto out; call bpf_sk_fullsock; if r0 == 0 goto out; r8 = r0
       ${[unstored(0), stored(1, 0, null), stored(2, 1, null), stored(3, 0, null), stored(4, 1, 100), unstored(5), stored(6, 1, 100), stored(7, 2, 100), unstored(8), unstored(9)].join("\n")}
       out: r0 = 0`,
      { maps: { s: SK_STORAGE } },
    ),
    input: { data: udp4 },
  },
  {
    name: "spin_lock and spin_unlock",
    program: program(
      "BPF_PROG_TYPE_SCHED_CLS",
      `${value("m")}
       r1 = r7; call bpf_spin_lock; r1 = *(u64 *)(r7 + 8); r1 += 3; *(u64 *)(r7 + 8) = r1
       r1 = r7; call bpf_spin_unlock
       r1 = r7; call bpf_spin_lock; r1 = *(u64 *)(r7 + 8); r1 += 3; *(u64 *)(r7 + 8) = r1
       r1 = r7; call bpf_spin_unlock; out: r0 = 0`,
      { maps: { m: LOCKED } },
    ),
    input: { data: udp4 },
  },
  {
    name: "timers: what the calls return",
    program: program(
      "BPF_PROG_TYPE_SCHED_CLS",
      `${value("t")}
       ${[
         timer(0, "set_callback", "subprog[expire] ll"),
         timer(1, "start", "1000000000", "0"),
         timer(2, "cancel"),
         timer(3, "init", "map[t] ll", "2"),
         timer(4, "init", "map[t] ll", "17"),
         timer(5, "init", "map[t] ll", "1"),
         timer(6, "init", "map[t] ll", "1"),
         timer(7, "start", "1000000000", "0"),
         timer(8, "set_callback", "subprog[expire] ll"),
         timer(9, "start", "1000000000", "4"),
         timer(10, "start", "1000000000", "0"),
         timer(11, "start", "1000000000", "2"),
         timer(12, "cancel"),
         timer(13, "cancel"),
         timer(14, "start", "1000000000", "0"),
       ].join("\n")}
       out: r0 = 0; exit
       expire: r0 = 0`,
      { maps: { t: TIMED }, callbacks: ["expire"] },
    ),
    input: { data: udp4 },
  },
]

export const mapCases: readonly HelperCase[] = [
  ...maps,
  ...loops,
  ...strings,
  ...owned,
  {
    name: "get_smp_processor_id and get_numa_node_id",
    program: program(SOCKET, `${call("get_numa_node_id")}; ${save(0)}; r0 = 0`),
    input,
  },
]
