/** Programs about maps, packets, contexts and other regions. */

import { BPF_MAP_FLAG as F, BPF_MAP_TYPE as M } from "../../../../src/spec/map-types.ts"
import { BPF_ATTACH_TYPE as A, BPF_PROG_TYPE as P } from "../../../../src/spec/program-types.ts"
import type { Case, MapText } from "../oracle.ts"
import { body, type Table } from "./table.ts"

const array: MapText = { type: M.BPF_MAP_TYPE_ARRAY, value: 48, entries: 4 }
const hash: MapText = { type: M.BPF_MAP_TYPE_HASH, key: 8, value: 48, entries: 4 }
const data: MapText = { type: M.BPF_MAP_TYPE_ARRAY, value: 48, entries: 1 }
const rodata: MapText = {
  type: M.BPF_MAP_TYPE_ARRAY,
  value: 16,
  entries: 1,
  flags: F.BPF_F_RDONLY_PROG,
  data: [1, 2, 3, 0x84, 0xff, 0xff, 0xff, 0xff, 8],
  frozen: true,
}

/** Looks up element 0 of map `m`, then runs the statements with the value in R0. */
function lookup(name: string, text: string, map: MapText = array, rest: Partial<Case> = {}): Case {
  const before = `r6 = r1; *(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r1 = map[m] ll; call 1`
  return body(name, `${before}\n if r0 == 0 goto out\n ${text}\nout:`, {
    maps: { m: map },
    ...rest,
  })
}

const index = "r1 = *(u32 *)(r6 + 0);"

export const mapValues: Table = {
  title: "values of maps",
  states: true,
  cases: [
    lookup("a load", "r1 = *(u64 *)(r0 + 40)"),
    lookup("a store", "*(u64 *)(r0 + 40) = 1"),
    lookup("a load beyond the end", "r1 = *(u64 *)(r0 + 48)"),
    lookup("a load across the end", "r1 = *(u64 *)(r0 + 44)"),
    lookup("a load before the start", "r1 = *(u8 *)(r0 - 1)"),
    lookup("a store beyond the end", "*(u8 *)(r0 + 48) = 1"),
    body(
      "a load without a check",
      "*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r1 = map[m] ll; call 1; r1 = *(u64 *)(r0 + 0)",
      { maps: { m: array } },
    ),
    lookup("a masked index", `${index} r1 &= 31; r0 += r1; r2 = *(u64 *)(r0 + 0)`),
    lookup("a masked index too large", `${index} r1 &= 63; r0 += r1; r2 = *(u64 *)(r0 + 0)`),
    lookup("an unbounded index", `${index} r0 += r1; r2 = *(u64 *)(r0 + 0)`),
    lookup("a signed index", `${index} r1 <<= 32; r1 s>>= 32; r0 += r1; r2 = *(u64 *)(r0 + 0)`),
    lookup(
      "a signed index with one bound",
      `${index} r1 <<= 32; r1 s>>= 32; if r1 s> 8 goto out; r0 += r1; r2 = *(u64 *)(r0 + 0)`,
    ),
    lookup(
      "an index bounded by a comparison",
      `${index} if r1 > 40 goto out; r0 += r1; r2 = *(u64 *)(r0 + 0)`,
    ),
    lookup(
      "an index bounded by one too many",
      `${index} if r1 > 41 goto out; r0 += r1; r2 = *(u64 *)(r0 + 0)`,
    ),
    lookup(
      "a variable and a constant offset",
      `${index} r1 &= 15; r0 += r1; r0 += 8; r2 = *(u32 *)(r0 + 20)`,
    ),
    lookup("a subtracted variable", `${index} r1 &= 15; r0 += 15; r0 -= r1; r2 = *(u8 *)(r0 + 0)`),
    lookup(
      "a subtracted variable that leaves",
      `${index} r1 &= 15; r0 += 14; r0 -= r1; r2 = *(u8 *)(r0 + 0)`,
    ),
    lookup("a scalar plus the value", `${index} r1 &= 15; r1 += r0; r2 = *(u8 *)(r1 + 0)`),
    lookup("a pointer stored into a map", "*(u64 *)(r0 + 0) = r10"),
    lookup("misaligned loads are allowed", "r1 = *(u64 *)(r0 + 3)"),
    lookup("misaligned loads with strict alignment", "r1 = *(u64 *)(r0 + 3)", array, { flags: 1 }),
    lookup(
      "strict alignment of a variable offset",
      `${index} r1 &= 7; r0 += r1; r2 = *(u32 *)(r0 + 0)`,
      array,
      { flags: 1 },
    ),
    lookup(
      "strict alignment that holds",
      `${index} r1 &= 4; r0 += r1; r2 = *(u32 *)(r0 + 0)`,
      array,
      { flags: 1 },
    ),
    lookup("an atomic", "r1 = 1; lock *(u64 *)(r0 + 8) += r1"),
    lookup("a misaligned atomic", "r1 = 1; lock *(u64 *)(r0 + 3) += r1"),
    lookup("an atomic beyond the end", "r1 = 1; lock *(u64 *)(r0 + 48) += r1"),
    lookup("an atomic fetch", "r1 = 1; r1 = atomic_fetch_add((u64 *)(r0 + 8), r1)"),
    lookup("compare and exchange", "r1 = r0; r2 = 1; r0 = 0; r0 = cmpxchg_64(r1 + 0, r0, r2)"),
    lookup("load acquire", "r1 = load_acquire((u64 *)(r0 + 8))"),
    lookup("store release", "r1 = 1; store_release((u64 *)(r0 + 8), r1)"),
    lookup("misaligned load acquire", "r1 = load_acquire((u64 *)(r0 + 3))"),
    lookup("sign extension", "r1 = *(s8 *)(r0 + 3); r2 = *(s16 *)(r0 + 4); r3 = *(s32 *)(r0 + 8)"),
    lookup("narrow loads", "r1 = *(u8 *)(r0 + 3); r2 = *(u16 *)(r0 + 4); r3 = *(u32 *)(r0 + 8)"),
    lookup("read-only to programs", "*(u64 *)(r0 + 0) = 1", {
      ...array,
      flags: F.BPF_F_RDONLY_PROG,
    }),
    lookup("read-only, an atomic", "r1 = 1; lock *(u64 *)(r0 + 0) += r1", {
      ...array,
      flags: F.BPF_F_RDONLY_PROG,
    }),
    lookup("write-only, a load", "r1 = *(u64 *)(r0 + 0)", { ...array, flags: F.BPF_F_WRONLY_PROG }),
    lookup("write-only, a store", "*(u64 *)(r0 + 0) = 1", { ...array, flags: F.BPF_F_WRONLY_PROG }),
    lookup("a frozen array of several entries", "r1 = *(u64 *)(r0 + 0)", {
      ...array,
      flags: F.BPF_F_RDONLY_PROG,
      frozen: true,
    }),
    lookup("a frozen hash", "r1 = *(u64 *)(r0 + 0)", {
      ...hash,
      flags: F.BPF_F_RDONLY_PROG,
      frozen: true,
    }),
    lookup("a frozen array found by lookup", "r1 = *(u64 *)(r0 + 0)", rodata),
    lookup("hash values", "r1 = *(u64 *)(r0 + 40); *(u8 *)(r0 + 47) = 1", hash),
    lookup("multiplied pointer", "r0 *= 2"),
    lookup("pointer in 32 bits", "w0 += 1"),
    lookup("pointer less itself", "r1 = r0; r0 -= r1"),
    lookup("pointer plus pointer", "r1 = r0; r0 += r1"),
    lookup("pointer and mask", "r0 &= 8"),
    lookup("scalar less pointer", "r1 = 5; r1 -= r0"),
    lookup("negated pointer", "r0 = -r0"),
    lookup("byte-swapped pointer", "r0 = be64 r0"),
    lookup("an offset beyond the limit", "r0 += 0x20000000"),
    lookup("an offset just within the limit", "r0 += 0x1fffffff"),
    lookup("offsets that add up beyond the limit", "r0 += 0x1fffffff; r0 += 1"),
    lookup("a variable beyond the limit", `${index} r1 += 0x1fffffff; r1 += 0x1fffffff; r0 += r1`),
    lookup("an unbounded negative variable", "r1 = *(u64 *)(r0 + 0); r0 += r1"),
    lookup("a 64-bit constant", "r1 = 0x100000000 ll; r0 += r1"),
    lookup(
      "two variables",
      `${index} r2 = r1; r1 &= 7; r2 &= 24; r0 += r1; r0 += r2; r3 = *(u64 *)(r0 + 9)`,
    ),
    lookup("or-null arithmetic", "r1 = r0"),
    body(
      "arithmetic before the check",
      "*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r1 = map[m] ll; call 1; r0 += 8",
      { maps: { m: array } },
    ),
    lookup(
      "spilled and refilled",
      `*(u64 *)(r10 - 16) = r0; ${index} r1 &= 31; r2 = *(u64 *)(r10 - 16); r2 += r1; r3 = *(u64 *)(r2 + 0)`,
    ),
  ],
}

export const directValues: Table = {
  title: "direct addresses of values",
  states: true,
  cases: [
    body("a load", "r1 = map[m][0]+8 ll; r2 = *(u64 *)(r1 + 0)", { maps: { m: data } }),
    body("a load at the end", "r1 = map[m][0]+40 ll; r2 = *(u64 *)(r1 + 0)", { maps: { m: data } }),
    body("a load beyond", "r1 = map[m][0]+44 ll; r2 = *(u64 *)(r1 + 0)", { maps: { m: data } }),
    body("an address beyond", "r1 = map[m][0]+48 ll", { maps: { m: data } }),
    body("before the value", "r1 = map[m][0]+8 ll; r2 = *(u64 *)(r1 - 16)", { maps: { m: data } }),
    body("of an array of several", "r1 = map[m][0]+0 ll", { maps: { m: array } }),
    body("of a hash", "r1 = map[m][0]+0 ll", { maps: { m: hash } }),
    body("a store", "r1 = map[m][0]+8 ll; *(u64 *)(r1 + 0) = 1", { maps: { m: data } }),
    body(
      "a constant",
      "r1 = map[m][0]+0 ll; r2 = *(u32 *)(r1 + 0); r3 = *(u8 *)(r1 + 8); r4 = *(u64 *)(r1 + 0)",
      { maps: { m: rodata } },
    ),
    body(
      "a signed constant",
      "r1 = map[m][0]+0 ll; r2 = *(s8 *)(r1 + 3); r3 = *(s32 *)(r1 + 0); r4 = *(s16 *)(r1 + 4)",
      { maps: { m: rodata } },
    ),
    body(
      "a constant decides a branch",
      "r1 = map[m][0]+0 ll; r2 = *(u8 *)(r1 + 1); if r2 == 2 goto l; r3 = *(u64 *)(r9 + 0)\nl:",
      { maps: { m: rodata } },
    ),
    body("a store to a constant", "r1 = map[m][0]+0 ll; *(u64 *)(r1 + 0) = 1", {
      maps: { m: rodata },
    }),
    body("a constant beyond the end", "r1 = map[m][0]+12 ll; r2 = *(u64 *)(r1 + 0)", {
      maps: { m: rodata },
    }),
    body(
      "a constant at a variable offset",
      "r3 = *(u32 *)(r1 + 0); r3 &= 7; r1 = map[m][0]+0 ll; r1 += r3; r2 = *(u8 *)(r1 + 0)",
      { maps: { m: rodata } },
    ),
    body("read-only but not frozen", "r1 = map[m][0]+0 ll; r2 = *(u32 *)(r1 + 0)", {
      maps: { m: { ...rodata, frozen: false } },
    }),
  ],
}

export const mapPointers: Table = {
  title: "pointers to maps",
  states: true,
  cases: [
    body("a field", "r1 = map[m] ll; r2 = *(u32 *)(r1 + 24)", { maps: { m: array } }),
    body("the operations", "r1 = map[m] ll; r2 = *(u64 *)(r1 + 0)", { maps: { m: array } }),
    body("a field of a hash", "r1 = map[m] ll; r2 = *(u64 *)(r1 + 256)", { maps: { m: hash } }),
    body("a store", "r1 = map[m] ll; *(u64 *)(r1 + 0) = 1", { maps: { m: array } }),
    body("before it", "r1 = map[m] ll; r2 = *(u64 *)(r1 - 8)", { maps: { m: array } }),
    body("half a pointer", "r1 = map[m] ll; r2 = *(u32 *)(r1 + 0)", { maps: { m: array } }),
    body("beyond it", "r1 = map[m] ll; r2 = *(u32 *)(r1 + 12288)", { maps: { m: array } }),
    body("a hole", "r1 = map[m] ll; r2 = *(u8 *)(r1 + 22)", { maps: { m: array } }),
    body("moved", "r1 = map[m] ll; r1 += 8", { maps: { m: array } }),
    body("moved by zero", "r1 = map[m] ll; r1 += 0; r2 = *(u32 *)(r1 + 24)", {
      maps: { m: array },
    }),
    body("without GPL", "r1 = map[m] ll; r2 = *(u32 *)(r1 + 24)", {
      maps: { m: array },
      license: "MIT",
    }),
    body("a ring buffer", "r1 = map[m] ll; r2 = *(u32 *)(r1 + 24)", {
      maps: { m: { type: M.BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, entries: 4096 } },
    }),
  ],
}

const xdp = { type: P.BPF_PROG_TYPE_XDP }
const packet = "r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r6 = r1; r0 = 1;"
/** With R2 the packet and R3 its end. */
function xdpCase(name: string, text: string): Case {
  return { name, text: `${packet} ${text}\nout:\n exit`, ...xdp }
}

export const packets: Table = {
  title: "packets",
  states: true,
  cases: [
    xdpCase("14 proven bytes", "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u16 *)(r2 + 12)"),
    xdpCase(
      "one byte more than proven",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u16 *)(r2 + 13)",
    ),
    xdpCase("nothing proven", "r5 = *(u16 *)(r2 + 12)"),
    xdpCase("the end is no data", "r5 = *(u16 *)(r3 + 0)"),
    xdpCase("the end may not be moved", "r3 += 8"),
    xdpCase("before the packet", "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u8 *)(r2 - 1)"),
    xdpCase("a store", "r4 = r2; r4 += 14; if r4 > r3 goto out; *(u16 *)(r2 + 12) = 5"),
    xdpCase("a pointer stored", "r4 = r2; r4 += 14; if r4 > r3 goto out; *(u64 *)(r2 + 0) = r1"),
    xdpCase(
      "an atomic",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = 1; lock *(u64 *)(r2 + 0) += r5",
    ),
    xdpCase(
      "a variable offset",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u8 *)(r2 + 0); r5 &= 15; r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto out; r5 = *(u64 *)(r2 + 0)",
    ),
    xdpCase(
      "a variable offset unproven",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u8 *)(r2 + 0); r2 += r5; r5 = *(u64 *)(r2 + 0)",
    ),
    xdpCase(
      "a wide variable offset",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u32 *)(r2 + 0); r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto out; r5 = *(u64 *)(r2 + 0)",
    ),
    xdpCase(
      "a 16-bit variable offset",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u16 *)(r2 + 0); r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto out; r5 = *(u64 *)(r2 + 0)",
    ),
    xdpCase(
      "a negative variable offset",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u8 *)(r2 + 0); r5 -= 3; r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto out; r5 = *(u64 *)(r2 + 0)",
    ),
    xdpCase(
      "after a move by the helper",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r1 = r6; r2 = 0; *(u64 *)(r10 - 8) = r4; call 44; r4 = *(u64 *)(r10 - 8); r5 = *(u8 *)(r4 - 4)",
    ),
    xdpCase("end minus pointer", "r4 = r3; r4 -= r2; r5 = r4"),
    xdpCase(
      "subtracted constant",
      "r4 = r2; r4 += 14; if r4 > r3 goto out; r4 -= 8; r5 = *(u64 *)(r4 + 0)",
    ),
    xdpCase("strict alignment", "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u32 *)(r2 + 2)"),
    {
      ...xdpCase(
        "strictly misaligned",
        "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u32 *)(r2 + 4)",
      ),
      flags: 1,
    },
    {
      ...xdpCase(
        "strictly aligned",
        "r4 = r2; r4 += 14; if r4 > r3 goto out; r5 = *(u32 *)(r2 + 2)",
      ),
      flags: 1,
    },
    xdpCase(
      "meta",
      "r5 = *(u32 *)(r1 + 8); r4 = r5; r4 += 4; if r4 > r2 goto out; r3 = *(u32 *)(r5 + 0)",
    ),
    xdpCase("meta unproven", "r5 = *(u32 *)(r1 + 8); r3 = *(u32 *)(r5 + 0)"),
    xdpCase(
      "meta against the end",
      "r5 = *(u32 *)(r1 + 8); r4 = r5; r4 += 4; if r4 > r3 goto out; r3 = *(u32 *)(r5 + 0)",
    ),
    xdpCase(
      "both branches",
      "r4 = r2; r4 += 14; if r3 >= r4 goto l; exit\nl: r5 = *(u16 *)(r2 + 12)",
    ),
    xdpCase(
      "less or equal",
      "r4 = r2; r4 += 14; if r4 <= r3 goto l; exit\nl: r5 = *(u16 *)(r2 + 12)",
    ),
    xdpCase("less", "r4 = r2; r4 += 14; if r4 < r3 goto l; exit\nl: r5 = *(u16 *)(r2 + 13)"),
    xdpCase(
      "spilled",
      "*(u64 *)(r10 - 8) = r2; r4 = r2; r4 += 14; if r4 > r3 goto out; r2 = *(u64 *)(r10 - 8); r5 = *(u16 *)(r2 + 12)",
    ),
    xdpCase(
      "large constant offset",
      "r4 = r2; r4 += 65535; if r4 > r3 goto out; r2 += 32767; r5 = *(u8 *)(r2 + 32767)",
    ),
    xdpCase(
      "too large constant offset",
      "r4 = r2; r4 += 65536; if r4 > r3 goto out; r2 += 32768; r5 = *(u8 *)(r2 + 32767)",
    ),
    body("a filter has no packet pointers", "r2 = *(u32 *)(r1 + 76)", {
      type: P.BPF_PROG_TYPE_SOCKET_FILTER,
    }),
    body(
      "cgroup programs read packets",
      "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r2; r4 += 4; if r4 > r3 goto o; r5 = *(u32 *)(r2 + 0)\no:",
      { type: P.BPF_PROG_TYPE_CGROUP_SKB },
    ),
    body(
      "cgroup programs do not write packets",
      "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r2; r4 += 4; if r4 > r3 goto o; *(u32 *)(r2 + 0) = 1\no:",
      { type: P.BPF_PROG_TYPE_CGROUP_SKB },
    ),
    body(
      "tc programs write packets",
      "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r2; r4 += 4; if r4 > r3 goto o; *(u32 *)(r2 + 0) = 1\no:",
      { type: P.BPF_PROG_TYPE_SCHED_CLS },
    ),
    body(
      "option values",
      "r2 = *(u64 *)(r1 + 8); r3 = *(u64 *)(r1 + 16); r4 = r2; r4 += 4; if r4 > r3 goto o; *(u32 *)(r2 + 0) = 1\no:",
      { type: P.BPF_PROG_TYPE_CGROUP_SOCKOPT, attach: A.BPF_CGROUP_SETSOCKOPT },
    ),
  ],
}

const tc = { type: P.BPF_PROG_TYPE_SCHED_CLS }

export const contexts: Table = {
  title: "contexts and what is in them",
  states: true,
  cases: [
    body("moved by a constant", "r1 += 8; r2 = *(u32 *)(r1 + 0)"),
    body("moved back", "r1 += 8; r1 += -8; r2 = *(u32 *)(r1 + 0)"),
    body("moved by a variable", "r2 = *(u32 *)(r1 + 0); r2 &= 4; r1 += r2; r3 = *(u32 *)(r1 + 0)"),
    body("moved before", "r1 += -8; r2 = *(u32 *)(r1 + 8)"),
    body("a pointer stored", "*(u64 *)(r1 + 48) = r10"),
    body("an atomic", "r2 = 1; lock *(u32 *)(r1 + 48) += r2"),
    body("an atomic load", "r2 = load_acquire((u32 *)(r1 + 48))"),
    body("narrow", "r2 = *(u8 *)(r1 + 1); r3 = *(u16 *)(r1 + 2)"),
    body("narrow and signed", "r2 = *(s8 *)(r1 + 1); r3 = *(s16 *)(r1 + 2); r4 = *(s32 *)(r1 + 0)"),
    body("narrow where it may not be", "r2 = *(u16 *)(r1 + 152)", tc),
    body("a store to a readable field", "*(u32 *)(r1 + 0) = 1", tc),
    body("a socket may be NULL", "r2 = *(u64 *)(r1 + 168); r3 = *(u32 *)(r2 + 4)", tc),
    body(
      "a common socket",
      "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; r3 = *(u32 *)(r2 + 4); r4 = *(u16 *)(r2 + 48); r5 = *(u8 *)(r2 + 4)\no:",
      tc,
    ),
    body(
      "not in a common socket",
      "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; r3 = *(u32 *)(r2 + 8)\no:",
      tc,
    ),
    body(
      "a socket's port and padding",
      "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; r3 = *(u32 *)(r2 + 48); r3 = *(u16 *)(r2 + 50)\no:",
      tc,
    ),
    body(
      "a store to a socket",
      "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; *(u32 *)(r2 + 4) = 1\no:",
      tc,
    ),
    body(
      "beyond a socket",
      "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; r3 = *(u32 *)(r2 + 80)\no:",
      tc,
    ),
    body("a moved socket", "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; r2 += 4\no:", tc),
    body(
      "a full socket",
      "r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 95; if r0 == 0 goto o; r1 = *(u32 *)(r0 + 8)\no:",
      tc,
    ),
    body(
      "a TCP socket",
      "r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 96; if r0 == 0 goto o; r1 = *(u32 *)(r0 + 8); r2 = *(u64 *)(r0 + 80); r3 = *(u32 *)(r0 + 108)\no:",
      tc,
    ),
    body(
      "half of a wide field of a TCP socket",
      "r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 96; if r0 == 0 goto o; r1 = *(u32 *)(r0 + 80)\no:",
      tc,
    ),
    body(
      "an atomic on a socket",
      "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; r3 = 1; lock *(u32 *)(r2 + 4) += r3\no:",
      tc,
    ),
    body("signed packet pointers", "r2 = *(s32 *)(r1 + 76)", tc),
    body("half a packet pointer", "r2 = *(u16 *)(r1 + 76)", tc),
    body("flow keys", "r2 = *(u64 *)(r1 + 144); r3 = *(u32 *)(r2 + 16); *(u16 *)(r2 + 0) = 3", {
      type: P.BPF_PROG_TYPE_FLOW_DISSECTOR,
    }),
    body("beyond the flow keys", "r2 = *(u64 *)(r1 + 144); r3 = *(u32 *)(r2 + 56)", {
      type: P.BPF_PROG_TYPE_FLOW_DISSECTOR,
    }),
    body("before the flow keys", "r2 = *(u64 *)(r1 + 144); r3 = *(u32 *)(r2 - 4)", {
      type: P.BPF_PROG_TYPE_FLOW_DISSECTOR,
    }),
    body("moved flow keys", "r2 = *(u64 *)(r1 + 144); r2 += 4; r3 = *(u32 *)(r2 + 16)", {
      type: P.BPF_PROG_TYPE_FLOW_DISSECTOR,
    }),
    body(
      "flow keys moved by a variable",
      "r2 = *(u64 *)(r1 + 144); r3 = *(u16 *)(r2 + 0); r2 += r3",
      { type: P.BPF_PROG_TYPE_FLOW_DISSECTOR },
    ),
    body("an atomic on flow keys", "r2 = *(u64 *)(r1 + 144); r3 = 1; lock *(u32 *)(r2 + 0) += r3", {
      type: P.BPF_PROG_TYPE_FLOW_DISSECTOR,
    }),
    body(
      "a writable tracepoint's buffer",
      "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r2 + 8); *(u64 *)(r2 + 0) = 1",
      { type: P.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE },
    ),
    body("before the buffer", "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r2 - 8)", {
      type: P.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
    }),
    body(
      "a variable offset in the buffer",
      "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r2 + 8); r3 &= 7; r2 += r3; r4 = *(u8 *)(r2 + 0)",
      { type: P.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE },
    ),
    body(
      "the buffer spilled",
      "r2 = *(u64 *)(r1 + 0); *(u64 *)(r10 - 8) = r2; r3 = *(u64 *)(r10 - 8)",
      { type: P.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE },
    ),
    body("a number is no pointer", "r2 = 5; r3 = *(u64 *)(r2 + 0)"),
    body("an unknown number is no pointer", "r2 = *(u32 *)(r1 + 0); r3 = *(u64 *)(r2 + 0)"),
    body("nothing in the register", "r3 = *(u64 *)(r2 + 0)"),
    body(
      "one instruction, two kinds",
      "r2 = *(u32 *)(r1 + 0); r3 = r10; r3 += -8; *(u64 *)(r10 - 8) = 0; if r2 == 0 goto l; r3 = r1\nl: r4 = *(u32 *)(r3 + 0)",
    ),
    body(
      "one instruction, two alike",
      "r2 = *(u32 *)(r1 + 0); r3 = r10; r3 += -8; *(u64 *)(r10 - 8) = 0; if r2 == 0 goto l; r3 = r10; r3 += -16; *(u64 *)(r3 + 0) = 0\nl: r4 = *(u32 *)(r3 + 0)",
    ),
    body(
      "a kprobe's registers",
      "r2 = *(u64 *)(r1 + 112); r3 = *(u32 *)(r1 + 112); r4 = *(u8 *)(r1 + 113)",
      { type: P.BPF_PROG_TYPE_KPROBE },
    ),
    body("beyond a kprobe's registers", "r2 = *(u64 *)(r1 + 168)", {
      type: P.BPF_PROG_TYPE_KPROBE,
    }),
    body("a store to a kprobe's registers", "*(u64 *)(r1 + 112) = 1", {
      type: P.BPF_PROG_TYPE_KPROBE,
    }),
    body("a system call's context", "r2 = *(u64 *)(r1 + 112); *(u8 *)(r1 + 3) = 1", {
      type: P.BPF_PROG_TYPE_SYSCALL,
      flags: 16,
    }),
    body("a misaligned system call's context", "r2 = *(u64 *)(r1 + 113)", {
      type: P.BPF_PROG_TYPE_SYSCALL,
      flags: 16,
    }),
    body("reserved fields of LD_ABS", "r6 = r1; r0 = *(u32 *)skb[12]"),
    body("LD_ABS with another R6", "r6 = r10; r0 = *(u32 *)skb[12]"),
    body("LD_ABS without R6", "r0 = *(u32 *)skb[12]"),
    body("LD_ABS in XDP", "r6 = r1; r0 = *(u32 *)skb[12]", xdp),
    body("LD_IND", "r6 = r1; r7 = 3; r0 = *(u16 *)skb[r7 + 12]; r1 = r0"),
    body("registers after LD_ABS", "r6 = r1; r0 = *(u8 *)skb[12]; r2 = r1"),
    body("LD_IND by nothing", "r6 = r1; r0 = *(u16 *)skb[r7 + 12]"),
  ],
}
