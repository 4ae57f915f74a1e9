/** Perf event arrays, ring buffers, dynamic pointers. */

import { udp4 } from "../testrun/packets.ts"
import type { MapSpec, ProgramSpec } from "../testrun/sides.ts"
import { frame, type HelperCase, program, quads, save, saveStack } from "./macros.ts"

const TC = "BPF_PROG_TYPE_SCHED_CLS"
const XDP = "BPF_PROG_TYPE_XDP"
const RAW = "BPF_PROG_TYPE_RAW_TRACEPOINT"

const ring: MapSpec = { type: "BPF_MAP_TYPE_RINGBUF", key: 0, value: 0, entries: 4096 }
const events: MapSpec = { type: "BPF_MAP_TYPE_PERF_EVENT_ARRAY", key: 4, value: 4, entries: 2 }

function one(
  name: string,
  type: ProgramSpec["type"],
  body: string,
  maps: Readonly<Record<string, MapSpec>> = {},
): HelperCase {
  const input = type === RAW ? { room: 0 } : { data: udp4 }
  return { name, program: program(type, `${body}\nr0 = 0`, { maps }), input }
}

const perf = (slot: number, flags: string, size = 8): string =>
  `${quads(-32, 1, 2)}
   r1 = r6; r2 = map[e] ll; r3 = ${flags} ll; ${frame("r4", -32)}; r5 = ${size}
   call bpf_perf_event_output; ${save(slot)}`
const PERF_FLAGS = [
  "0",
  "1",
  "2",
  "0xffffffff",
  "0x100000000",
  "0xfffff00000000",
  "0x10000000000000",
  "0x6200000000",
  "0x6300000000",
]

const perfs: readonly HelperCase[] = ([TC, XDP, RAW] as const).map((type) =>
  one(
    `perf_event_output of ${type} without a ring`,
    type,
    PERF_FLAGS.map((flags, i) => perf(i, flags)).join("\n"),
    { e: events },
  ),
)

const output = (slot: number, size: number, flags: number | string): string =>
  `r1 = map[r] ll; ${frame("r2", -256)}; r3 = ${size}; r4 = ${flags}${typeof flags === "string" ? " ll" : ""}
   call bpf_ringbuf_output; ${save(slot)}`
const reserve = (
  slot: number,
  size: number,
  flags: number,
  then: "submit" | "discard",
  how = 0,
): string =>
  `r1 = map[r] ll; r2 = ${size}; r3 = ${flags}; call bpf_ringbuf_reserve
   r7 = r0; r1 = 0; if r0 == 0 goto no${slot}
   *(u32 *)(r0 + 0) = ${slot + 1000}
   r1 = r7; r2 = ${how}; call bpf_ringbuf_${then}; r1 = 1
   no${slot}: ${save(slot, "r1")}`
const query = (slot: number, what: number): string =>
  `r1 = map[r] ll; r2 = ${what}; call bpf_ringbuf_query; ${save(slot)}`
const fill = Array.from({ length: 32 }, (_, i) => quads(-256 + 8 * i, i + 1)).join("\n")

const rings: readonly HelperCase[] = [
  one(
    "ringbuf_output",
    RAW,
    `${fill}\n${[output(0, 8, 0), output(1, 13, 1), output(2, 1, 2), output(3, 8, 4), output(4, 256, 0), output(5, 8, "0x100000000"), query(6, 0), query(7, 1), query(8, 2), query(9, 3), query(10, 4)].join("\n")}`,
    { r: ring },
  ),
  one(
    "ringbuf_output until it is full",
    RAW,
    `${fill}\n${Array.from({ length: 18 }, (_, i) => output(i, 240, 0)).join("\n")}\n${query(20, 0)}\n${output(21, 8, 0)}`,
    { r: ring },
  ),
  one(
    "ringbuf_reserve, ringbuf_submit, ringbuf_discard",
    RAW,
    [
      reserve(0, 8, 0, "submit"),
      reserve(1, 16, 0, "discard"),
      reserve(2, 4, 0, "submit", 1),
      reserve(3, 8, 1, "submit"),
      reserve(4, 4088, 0, "submit"),
      reserve(5, 4000, 0, "submit"),
      reserve(6, 100, 0, "discard", 2),
      query(7, 3),
    ].join("\n"),
    { r: ring },
  ),
]

// ---- dynptrs ---------------------------------------------------------------------------------------

/** A dynptr at r10 - 16 over `size` bytes of the map value. */
const fromMap = (slot: number, size: number, flags = 0): string =>
  `r1 = r9; r1 += 384; r2 = ${size}; r3 = ${flags}; ${frame("r4", -16)}; call bpf_dynptr_from_mem; ${save(slot)}`
const read = (slot: number, length: number, offset: number, flags = 0): string =>
  `${quads(-48, -1, -1)}; ${frame("r1", -48)}; r2 = ${length}; ${frame("r3", -16)}; r4 = ${offset}; r5 = ${flags}
   call bpf_dynptr_read; ${save(slot)}; ${saveStack(slot + 1, -48, 16)}`
const write = (slot: number, offset: number, length: number, flags = 0): string =>
  `${quads(-48, 0x1234567, 0x7654321)}; ${frame("r1", -16)}; r2 = ${offset}; ${frame("r3", -48)}; r4 = ${length}; r5 = ${flags}
   call bpf_dynptr_write; ${save(slot)}`
const data = (slot: number, offset: number, length: number): string =>
  `${frame("r1", -16)}; r2 = ${offset}; r3 = ${length}; call bpf_dynptr_data
   r1 = 0; if r0 == 0 goto none${slot}; r1 = *(u8 *)(r0 + 0); r1 += 1; none${slot}: ${save(slot, "r1")}`

const dynptrs: readonly HelperCase[] = [
  one(
    "dynptr_from_mem, dynptr_write, dynptr_read, dynptr_data",
    RAW,
    [
      fromMap(0, 32),
      write(1, 4, 8),
      read(2, 8, 4),
      read(5, 16, 16),
      read(8, 16, 17),
      read(11, 8, 33),
      write(14, 30, 4),
      write(15, 0, 4, 1),
      read(16, 4, 0, 1),
      data(19, 4, 8),
      data(20, 25, 8),
      data(21, 24, 8),
    ].join("\n"),
  ),
  one(
    "dynptr_from_mem with flags",
    RAW,
    [fromMap(0, 32, 1), read(1, 4, 0), write(4, 0, 4), data(5, 0, 4)].join("\n"),
  ),
  one(
    "ringbuf_reserve_dynptr, ringbuf_submit_dynptr",
    RAW,
    `r1 = map[r] ll; r2 = 24; r3 = 0; ${frame("r4", -16)}; call bpf_ringbuf_reserve_dynptr; ${save(0)}
     ${write(1, 4, 8)}; ${write(2, 20, 8)}
     ${frame("r1", -16)}; r2 = 0; call bpf_ringbuf_submit_dynptr`,
    { r: ring },
  ),
  one(
    "ringbuf_reserve_dynptr of too much",
    RAW,
    `r1 = map[r] ll; r2 = 5000; r3 = 0; ${frame("r4", -16)}; call bpf_ringbuf_reserve_dynptr; ${save(0)}
     ${write(1, 4, 8)}
     ${frame("r1", -16)}; r2 = 0; call bpf_ringbuf_discard_dynptr`,
    { r: ring },
  ),
  one(
    "ringbuf_reserve_dynptr with flags",
    RAW,
    `r1 = map[r] ll; r2 = 16; r3 = 1; ${frame("r4", -16)}; call bpf_ringbuf_reserve_dynptr; ${save(0)}
     ${frame("r1", -16)}; r2 = 0; call bpf_ringbuf_discard_dynptr`,
    { r: ring },
  ),
  one(
    "ringbuf_reserve_dynptr of more than a dynptr can be",
    RAW,
    `r1 = map[r] ll; r2 = 0x1000000; r3 = 0; ${frame("r4", -16)}; call bpf_ringbuf_reserve_dynptr; ${save(0)}
     ${frame("r1", -16)}; r2 = 0; call bpf_ringbuf_discard_dynptr`,
    { r: ring },
  ),
]

export const ringCases: readonly HelperCase[] = [...perfs, ...rings, ...dynptrs]
