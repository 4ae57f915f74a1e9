/** Kernel functions: numbered iterators, dynamic pointers, strings. */

import { frame as ethernet, udp4 } from "../testrun/packets.ts"
import type { ProgramSpec, RunSpec } from "../testrun/sides.ts"
import { constant } from "./cases-maps.ts"
import { frame, type HelperCase, program, quads, save, saveStack, string } from "./macros.ts"

const TC = "BPF_PROG_TYPE_SCHED_CLS"
const XDP = "BPF_PROG_TYPE_XDP"
const SYSCALL = "BPF_PROG_TYPE_SYSCALL"

function one(
  name: string,
  type: ProgramSpec["type"],
  body: string,
  options: Partial<ProgramSpec> & { input?: RunSpec } = {},
): HelperCase {
  const { input, ...rest } = options
  const usual = type === SYSCALL ? { room: 0 } : { data: udp4 }
  const flags = type === SYSCALL ? 0x10 : 0
  return {
    name,
    program: program(type, `${body}\nr0 = 0`, { flags, ...rest }),
    input: input ?? usual,
  }
}

const iterate = (start: number, end: number): string =>
  `${quads(-16, 0, 0)}
   ${frame("r1", -8)}; r2 = ${start}; r3 = ${end}; call kfunc bpf_iter_num_new; ${save(0)}
   r7 = 0
   next: ${frame("r1", -8)}; call kfunc bpf_iter_num_next
   if r0 == 0 goto done
   r1 = *(s32 *)(r0 + 0)
   r7 = *(u64 *)(r9 + 8); r7 += r1; ${save(1, "r7")}
   r7 = *(u64 *)(r9 + 16); r7 += 1; ${save(2, "r7")}
   goto next
   done: ${frame("r1", -8)}; call kfunc bpf_iter_num_destroy`

const iterators: readonly HelperCase[] = [
  [0, 10],
  [5, 5],
  [-5, 3],
  [3, -5],
  [0, 8 * 1024 * 1024 + 1],
].map(([start, end]) => one(`bpf_iter_num from ${start} to ${end}`, SYSCALL, iterate(start, end)))

const fromPacket = (kind: "skb" | "xdp", slot = 0, flags = 0): string =>
  `r1 = r6; r2 = ${flags}; ${frame("r3", -16)}; call kfunc bpf_dynptr_from_${kind}; ${save(slot)}`
const size = (slot: number): string =>
  `${frame("r1", -16)}; call kfunc bpf_dynptr_size; ${save(slot)}`
const adjust = (slot: number, start: number, end: number): string =>
  `${frame("r1", -16)}; r2 = ${start}; r3 = ${end}; call kfunc bpf_dynptr_adjust; ${save(slot)}`
const slice = (slot: number, offset: number, length: number, rdwr = ""): string =>
  `${quads(-48, 5, 5)}; ${frame("r1", -16)}; r2 = ${offset}; ${frame("r3", -48)}; r4 = ${length}
   call kfunc bpf_dynptr_slice${rdwr}
   r1 = 77; if r0 == 0 goto no${slot}; r1 = *(u64 *)(r0 + 0); no${slot}: ${save(slot, "r1")}`
const read = (slot: number, length: number, offset: number): string =>
  `${quads(-48, -1, -1)}; ${frame("r1", -48)}; r2 = ${length}; ${frame("r3", -16)}; r4 = ${offset}; r5 = 0
   call bpf_dynptr_read; ${save(slot)}; ${saveStack(slot + 1, -48, 16)}`
const write = (slot: number, offset: number, length: number, flags = 0): string =>
  `${quads(-48, 0x1234567, 0x7654321)}; ${frame("r1", -16)}; r2 = ${offset}; ${frame("r3", -48)}; r4 = ${length}; r5 = ${flags}
   call bpf_dynptr_write; ${save(slot)}`

const dynptrs: readonly HelperCase[] = (["skb", "xdp"] as const).flatMap((kind) => {
  const type = kind === "skb" ? TC : XDP
  const big = { data: ethernet(3800), room: 8192 }
  return [
    one(
      `bpf_dynptr_from_${kind}: read, write, slice`,
      type,
      [
        fromPacket(kind),
        size(1),
        read(2, 8, 12),
        read(5, 8, 91),
        write(8, 50, 8),
        write(9, 91, 8),
        write(10, 50, 8, 1),
        slice(11, 14, 8),
        slice(12, 90, 8),
        slice(13, 91, 8),
      ].join("\n"),
    ),
    one(
      `bpf_dynptr_from_${kind} with flags`,
      type,
      [fromPacket(kind, 0, 1), size(1), read(2, 8, 12)].join("\n"),
    ),
    one(
      `bpf_dynptr_adjust of ${kind}`,
      type,
      [
        fromPacket(kind),
        adjust(1, 14, 50),
        size(2),
        read(3, 8, 0),
        read(6, 8, 29),
        slice(9, 28, 8),
        adjust(10, 30, 37),
        adjust(11, 5, 4),
        adjust(12, 6, 36),
        size(13),
        read(14, 8, 0),
      ].join("\n"),
    ),
    ...(kind === "xdp"
      ? [
          one(
            "bpf_dynptr_slice of fragments",
            type,
            [fromPacket(kind), slice(1, 3518, 8), slice(2, 3600, 8), slice(3, 100, 8)].join("\n"),
            { input: big, flags: 0x20 },
          ),
        ]
      : []),
  ]
})

const local: readonly HelperCase[] = [
  one(
    "bpf_dynptr_clone, bpf_dynptr_is_null, bpf_dynptr_is_rdonly",
    TC,
    `${fromPacket("skb")}; ${adjust(1, 14, 50)}
     ${frame("r1", -16)}; ${frame("r2", -72)}; call kfunc bpf_dynptr_clone; ${save(2)}
     ${frame("r1", -72)}; call kfunc bpf_dynptr_size; ${save(3)}
     ${frame("r1", -72)}; call kfunc bpf_dynptr_is_null; r0 &= 255; ${save(4)}
     ${frame("r1", -72)}; call kfunc bpf_dynptr_is_rdonly; r0 &= 255; ${save(5)}`,
  ),
  one(
    "bpf_dynptr_copy and bpf_dynptr_memset",
    TC,
    `${fromPacket("skb")}
     r1 = r9; r1 += 384; r2 = 64; r3 = 0; ${frame("r4", -72)}; call bpf_dynptr_from_mem; ${save(1)}
     ${frame("r1", -72)}; r2 = 8; ${frame("r3", -16)}; r4 = 12; r5 = 20; call kfunc bpf_dynptr_copy; ${save(2)}
     ${frame("r1", -72)}; r2 = 60; ${frame("r3", -16)}; r4 = 12; r5 = 20; call kfunc bpf_dynptr_copy; ${save(3)}
     ${frame("r1", -72)}; r2 = 40; r3 = 4; r4 = 170; call kfunc bpf_dynptr_memset; ${save(4)}
     ${frame("r1", -72)}; r2 = 40; r3 = 40; r4 = 170; call kfunc bpf_dynptr_memset; ${save(5)}
     ${frame("r1", -16)}; r2 = 60; r3 = 4; r4 = 187; call kfunc bpf_dynptr_memset; ${save(6)}`,
  ),
]

// ---- strings ---------------------------------------------------------------------------------------

const text = (at: number, value: string): string => `${string(at, value)}`

const pair = (name: string, first: string, second: string, count?: number): HelperCase =>
  one(
    `bpf_${name} of '${first}' and '${second}'${count === undefined ? "" : `, ${count}`}`,
    SYSCALL,
    `${text(-64, first)}; ${text(-128, second)}
     ${frame("r1", -64)}; ${frame("r2", -128)}; ${count === undefined ? "" : `r3 = ${count}`}
     call kfunc bpf_${name}; r0 <<= 32; r0 s>>= 32; ${save(0)}`,
  )
const single = (name: string, value: string, ...more: readonly number[]): HelperCase =>
  one(
    `bpf_${name} of '${value}'${more.map((one) => `, ${one}`).join("")}`,
    SYSCALL,
    `${text(-64, value)}; ${frame("r1", -64)}
     ${more.map((one, i) => `r${i + 2} = ${one}`).join("; ") || "r2 = 0"}
     call kfunc bpf_${name}; r0 <<= 32; r0 s>>= 32; ${save(0)}`,
  )
const nowhere = (name: string, address: string): HelperCase =>
  one(
    `bpf_${name} at ${address}`,
    SYSCALL,
    `${text(-64, "abc")}; r1 = ${address} ll
     ${name === "strnlen" || name === "strchr" ? "r2 = 5" : frame("r2", -64)}; r3 = 5
     call kfunc bpf_${name}; r0 <<= 32; r0 s>>= 32; ${save(0)}`,
  )

const strings: readonly HelperCase[] = [
  ...["strcmp", "strcasecmp"].flatMap((name) => [
    pair(name, "abc", "abc"),
    pair(name, "abc", "ABC"),
    pair(name, "abc", "abd"),
    pair(name, "abd", "abc"),
    pair(name, "abc", "abcd"),
    pair(name, "", ""),
  ]),
  ...["strstr"].flatMap((name) => [
    pair(name, "hello world", "world"),
    pair(name, "hello world", "xyz"),
    pair(name, "hello", ""),
    pair(name, "", "a"),
    pair(name, "aab", "ab"),
  ]),
  pair("strnstr", "hello world", "world", 11),
  pair("strnstr", "hello world", "world", 10),
  pair("strnstr", "hello", "", 0),
  pair("strnstr", "hello", "h", 0),
  pair("strnstr", "hello", "hello", 50),
  pair("strspn", "aabbcc", "ab"),
  pair("strspn", "aabbcc", ""),
  pair("strspn", "aabb", "ab"),
  pair("strcspn", "aabbcc", "cd"),
  pair("strcspn", "aabb", "xy"),
  pair("strcspn", "aabb", ""),
  single("strlen", "hello"),
  single("strlen", ""),
  single("strnlen", "hello", 3),
  single("strnlen", "hello", 10),
  single("strnlen", "hello", 0),
  single("strchr", "hello", 108),
  single("strchr", "hello", 120),
  single("strchr", "hello", 0),
  single("strchrnul", "hello", 108),
  single("strchrnul", "hello", 120),
  single("strnchr", "hello", 3, 108),
  single("strnchr", "hello", 2, 108),
  single("strnchr", "hello", 6, 0),
  single("strrchr", "hello", 108),
  single("strrchr", "hello", 120),
  single("strrchr", "hello", 0),
  ...["strcmp", "strlen", "strnlen", "strstr", "strspn", "strchr"].flatMap((name) =>
    ["0", "4097", "0x7f0000000000", "0xffffffffffffffff"].map((address) => nowhere(name, address)),
  ),
]

export const kfuncCases: readonly HelperCase[] = [
  ...iterators,
  ...dynptrs,
  ...local,
  ...strings,
  one(
    "bpf_strcmp of a constant",
    SYSCALL,
    `${text(-64, "abc")}; ${frame("r1", -64)}; r2 = map[fmt][0]; call kfunc bpf_strcmp; ${save(0)}`,
    {
      maps: { fmt: constant("abc") },
    },
  ),
]
