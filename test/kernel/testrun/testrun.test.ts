/**
 * PROG_TEST_RUN's rules: the same program, input and flags on the running Linux and on the embedded
 * kernel give the same errno, return value, packet and context.
 */

import { afterAll, describe, expect, test } from "vitest"
import { createEmbeddedKernel } from "../../../src/kernel/index.ts"
import { createLinuxKernel } from "../../../src/linux/index.ts"
import type { KernelInterface } from "../../../src/spec/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { arp, context, doubleTagged, frame, llc, novell, tagged, udp4, udp6 } from "./packets.ts"
import { load, type Outcome, type ProgramSpec, type RunSpec, run } from "./sides.ts"

const XDP_MD = 24
const SKB = 192

/** Reads fields of the context and packet into r0 in a way that shows each. */
const mix = (offsets: readonly (readonly [size: string, offset: number])[]): string =>
  [
    "r0 = 17",
    ...offsets.flatMap(([size, offset]) => [
      `r2 = *(${size} *)(r1 + ${offset})`,
      "r0 *= 31",
      "r0 += r2",
    ]),
  ].join("\n")

const programs: Readonly<Record<string, ProgramSpec>> = {
  pass: { type: "BPF_PROG_TYPE_XDP", text: "r0 = 2; exit" },
  xdpLengths: {
    type: "BPF_PROG_TYPE_XDP",
    text: `r2 = *(u32 *)(r1 + 0)
           r3 = *(u32 *)(r1 + 4)
           r4 = *(u32 *)(r1 + 8)
           r0 = r3; r0 -= r2
           r2 -= r4
           r2 <<= 16
           r0 += r2
           r5 = *(u32 *)(r1 + 12)
           r5 <<= 24
           r0 += r5
           r5 = *(u32 *)(r1 + 16)
           r5 <<= 28
           r0 += r5
           exit`,
  },
  xdpDevmap: { type: "BPF_PROG_TYPE_XDP", attachType: 33, text: "r0 = 2; exit" },
  xdpFrags: { type: "BPF_PROG_TYPE_XDP", flags: 0x20, text: "call bpf_xdp_get_buff_len; exit" },
  tc: { type: "BPF_PROG_TYPE_SCHED_CLS", text: "r0 = *(u32 *)(r1 + 0); exit" },
  tcAct: { type: "BPF_PROG_TYPE_SCHED_ACT", text: "r0 = *(u32 *)(r1 + 0); exit" },
  tcFields: {
    type: "BPF_PROG_TYPE_SCHED_CLS",
    text: `${mix([
      ["u32", 0],
      ["u32", 4],
      ["u32", 8],
      ["u32", 12],
      ["u32", 16],
      ["u32", 20],
      ["u32", 24],
      ["u32", 28],
      ["u32", 32],
      ["u32", 36],
      ["u32", 40],
      ["u32", 44],
      ["u32", 48],
      ["u32", 64],
      ["u32", 68],
      ["u32", 72],
      ["u64", 152],
      ["u32", 160],
      ["u32", 164],
      ["u32", 176],
      ["u8", 180],
      ["u64", 184],
      ["u16", 16],
      ["u8", 8],
    ])}; exit`,
  },
  tcWrites: {
    type: "BPF_PROG_TYPE_SCHED_CLS",
    text: `r2 = 7; *(u32 *)(r1 + 8) = r2
           r2 = 8; *(u32 *)(r1 + 32) = r2
           r2 = 9; *(u32 *)(r1 + 52) = r2
           r2 = 10; *(u64 *)(r1 + 152) = r2
           r2 = 11; *(u32 *)(r1 + 44) = r2
           r2 = 12; *(u32 *)(r1 + 12) = r2
           r2 = 13; *(u32 *)(r1 + 72) = r2
           ${mix([
             ["u32", 44],
             ["u32", 12],
             ["u32", 72],
           ])}
           exit`,
  },
  socketFilter: { type: "BPF_PROG_TYPE_SOCKET_FILTER", text: "r0 = *(u32 *)(r1 + 0); exit" },
  socketFilterFields: {
    type: "BPF_PROG_TYPE_SOCKET_FILTER",
    text: `${mix([
      ["u32", 4],
      ["u32", 8],
      ["u32", 16],
      ["u32", 20],
      ["u32", 40],
      ["u32", 68],
      ["u32", 48],
    ])}; exit`,
  },
  socketFilterLoads: {
    type: "BPF_PROG_TYPE_SOCKET_FILTER",
    text: "r6 = r1; r0 = *(u16 *)skb[2]; r7 = r0; r0 = *(u8 *)skb[0]; r0 <<= 16; r0 |= r7; exit",
  },
  cgroup: { type: "BPF_PROG_TYPE_CGROUP_SKB", text: `r0 = *(u32 *)(r1 + 0); r0 &= 1; exit` },
  cgroupFields: {
    type: "BPF_PROG_TYPE_CGROUP_SKB",
    text: `${mix([
      ["u32", 0],
      ["u32", 16],
      ["u32", 88],
      ["u32", 92],
      ["u32", 96],
      ["u32", 100],
      ["u32", 112],
      ["u32", 116],
      ["u32", 128],
      ["u32", 132],
      ["u32", 136],
    ])}; r0 &= 1; exit`,
  },
  lwt: { type: "BPF_PROG_TYPE_LWT_IN", text: "r0 = *(u32 *)(r1 + 0); exit" },
  rawTracepoint: {
    type: "BPF_PROG_TYPE_RAW_TRACEPOINT",
    text: "r0 = *(u64 *)(r1 + 0); r2 = *(u64 *)(r1 + 8); r0 += r2; exit",
  },
  rawTracepointCpu: {
    type: "BPF_PROG_TYPE_RAW_TRACEPOINT",
    text: "call bpf_get_smp_processor_id; exit",
  },
  syscall: {
    type: "BPF_PROG_TYPE_SYSCALL",
    flags: 0x10,
    text: "r2 = *(u32 *)(r1 + 0); r2 += 1; *(u32 *)(r1 + 4) = r2; r0 = r2; exit",
  },
  dissector: {
    type: "BPF_PROG_TYPE_FLOW_DISSECTOR",
    attachType: 17,
    text: `r2 = *(u64 *)(r1 + 144)
           r3 = *(u32 *)(r1 + 76); r4 = *(u32 *)(r1 + 80)
           r0 = *(u16 *)(r2 + 0); r5 = *(u16 *)(r2 + 10); r5 <<= 16; r0 += r5
           *(u16 *)(r2 + 2) = 500; *(u16 *)(r2 + 0) = 3
           *(u8 *)(r2 + 9) = 17; *(u32 *)(r2 + 16) = 77
           r5 = r3; r5 += 16; if r5 > r4 goto end
           r5 = *(u16 *)(r3 + 14); *(u16 *)(r2 + 12) = r5
           end: exit`,
  },
  lookup: {
    type: "BPF_PROG_TYPE_SK_LOOKUP",
    attachType: 36,
    text: `r0 = 1
           r2 = *(u32 *)(r1 + 8); r3 = *(u32 *)(r1 + 12); r2 += r3
           r3 = *(u32 *)(r1 + 16); r2 += r3; r3 = *(u32 *)(r1 + 20); r2 += r3
           r3 = *(u16 *)(r1 + 36); r2 += r3; r3 = *(u32 *)(r1 + 40); r2 += r3
           r3 = *(u32 *)(r1 + 56); r2 += r3
           r3 = *(u32 *)(r1 + 60); r2 += r3; r3 = *(u32 *)(r1 + 64); r2 += r3
           if r2 != 1000 goto end; r0 = 0; end: exit`,
  },
  tracepoint: { type: "BPF_PROG_TYPE_TRACEPOINT", text: "r0 = 0; exit" },
  kprobe: { type: "BPF_PROG_TYPE_KPROBE", text: "r0 = 0; exit" },
  sockOps: { type: "BPF_PROG_TYPE_SOCK_OPS", text: "r0 = 1; exit" },
}

const md = (fields: readonly (readonly [number, number])[]): Uint8Array => context(XDP_MD, fields)
const skb = (fields: readonly (readonly [number, number | bigint])[]): Uint8Array =>
  context(SKB, fields)

const cases: readonly (readonly [name: string, program: string, input: RunSpec])[] = [
  // ---- XDP ------------------------------------------------------------------------------------
  ["no data", "pass", {}],
  ["13 bytes", "pass", { data: frame(13) }],
  ["14 bytes", "pass", { data: frame(14) }],
  ["a frame that fills the linear part", "xdpLengths", { data: frame(3520) }],
  ["one byte more", "xdpLengths", { data: frame(3521), room: 8192 }],
  ["fragments", "xdpFrags", { data: frame(9000), room: 16384 }],
  ["fragments into too little room", "xdpFrags", { data: frame(9000), room: 5000 }],
  ["fragments into less than the linear part", "xdpFrags", { data: frame(9000), room: 1000 }],
  ["more fragments than there may be", "xdpFrags", { data: frame(75000), room: 80000 }],
  ["as many as there may be", "xdpFrags", { data: frame(73000), room: 80000 }],
  ["room too small", "pass", { data: udp4, room: 20 }],
  ["no room asked for", "pass", { data: udp4, room: 0 }],
  ["repeat", "xdpLengths", { data: udp4, repeat: 5 }],
  ["an unknown flag", "pass", { data: udp4, flags: 4 }],
  ["on a CPU", "pass", { data: udp4, flags: 1, cpu: 0 }],
  ["a batch without live frames", "pass", { data: udp4, batch: 2 }],
  ["a devmap program", "xdpDevmap", { data: udp4 }],
  ["context out", "pass", { data: udp4, contextRoom: 24 }],
  ["context out, too small", "pass", { data: udp4, contextRoom: 8 }],
  [
    "context in: data_end of the packet",
    "xdpLengths",
    { data: udp4, context: md([[4, udp4.length]]), contextRoom: 24 },
  ],
  ["context in: data_end 0", "xdpLengths", { data: udp4, context: md([]), contextRoom: 24 }],
  [
    "context in: data_end shorter than the packet",
    "xdpLengths",
    { data: udp4, context: md([[4, 60]]), contextRoom: 24 },
  ],
  [
    "context in: data_end of 13",
    "xdpLengths",
    { data: udp4, context: md([[4, 13]]), contextRoom: 24 },
  ],
  ["context in: data_end longer", "pass", { data: udp4, context: md([[4, udp4.length + 1]]) }],
  [
    "context in: 4 bytes of metadata",
    "xdpLengths",
    {
      data: udp4,
      context: md([
        [0, 4],
        [4, udp4.length],
      ]),
      contextRoom: 24,
    },
  ],
  [
    "context in: 32 bytes of metadata",
    "xdpLengths",
    {
      data: udp4,
      context: md([
        [0, 32],
        [4, udp4.length],
      ]),
      contextRoom: 24,
    },
  ],
  [
    "context in: odd metadata",
    "pass",
    {
      data: udp4,
      context: md([
        [0, 6],
        [4, udp4.length],
      ]),
    },
  ],
  [
    "context in: 216 bytes of metadata",
    "xdpLengths",
    {
      data: frame(400),
      context: md([
        [0, 216],
        [4, 400],
      ]),
      contextRoom: 24,
    },
  ],
  [
    "context in: 220 bytes of metadata",
    "xdpLengths",
    {
      data: frame(400),
      context: md([
        [0, 220],
        [4, 400],
      ]),
      contextRoom: 24,
    },
  ],
  [
    "context in: metadata leaves 13 bytes",
    "pass",
    {
      data: frame(45),
      context: md([
        [0, 32],
        [4, 45],
      ]),
    },
  ],
  [
    "context in: data_meta",
    "pass",
    {
      data: udp4,
      context: md([
        [4, udp4.length],
        [8, 4],
      ]),
    },
  ],
  [
    "context in: ingress interface 1",
    "xdpLengths",
    {
      data: udp4,
      context: md([
        [4, udp4.length],
        [12, 1],
      ]),
      contextRoom: 24,
    },
  ],
  [
    "context in: ingress interface unknown",
    "pass",
    {
      data: udp4,
      context: md([
        [4, udp4.length],
        [12, 99999],
      ]),
    },
  ],
  [
    "context in: queue without interface",
    "pass",
    {
      data: udp4,
      context: md([
        [4, udp4.length],
        [16, 1],
      ]),
    },
  ],
  [
    "context in: queue out of range",
    "pass",
    {
      data: udp4,
      context: md([
        [4, udp4.length],
        [12, 1],
        [16, 7],
      ]),
    },
  ],
  [
    "context in: egress interface",
    "pass",
    {
      data: udp4,
      context: md([
        [4, udp4.length],
        [20, 1],
      ]),
    },
  ],
  [
    "context in: longer, zeros",
    "pass",
    { data: udp4, context: context(40, [[4, udp4.length]]), contextRoom: 24 },
  ],
  [
    "context in: longer, not zero",
    "pass",
    {
      data: udp4,
      context: context(40, [
        [4, udp4.length],
        [32, 1],
      ]),
    },
  ],
  [
    "context in: shorter",
    "pass",
    { data: udp4, context: context(8, [[4, udp4.length]]), contextRoom: 24 },
  ],
  // ---- socket buffers ---------------------------------------------------------------------------
  ["no data", "tc", {}],
  ["13 bytes", "tc", { data: frame(13) }],
  ["14 bytes", "tc", { data: frame(14) }],
  ["14 bytes", "socketFilter", { data: frame(14) }],
  ["the longest packet", "tc", { data: frame(3712) }],
  ["longer", "tc", { data: frame(3713) }],
  ["a packet", "tc", { data: udp4 }],
  ["a packet", "tcAct", { data: udp4 }],
  ["room too small", "tc", { data: udp4, room: 20 }],
  ["IPv4 cut", "tc", { data: udp4.subarray(0, 33) }],
  ["IPv4 header only", "tc", { data: udp4.subarray(0, 34) }],
  ["IPv6 cut", "tc", { data: udp6.subarray(0, 53) }],
  ["IPv6 header only", "tc", { data: udp6.subarray(0, 54) }],
  ["an unknown flag", "tc", { data: udp4, flags: 1 }],
  ["live frames", "tc", { data: udp4, flags: 2 }],
  ["checksum complete", "tc", { data: udp4, flags: 4 }],
  ["a CPU", "tc", { data: udp4, cpu: 1 }],
  ["a batch", "tc", { data: udp4, batch: 1 }],
  ["IPv4", "tcFields", { data: udp4 }],
  ["IPv6", "tcFields", { data: udp6 }],
  ["ARP broadcast", "tcFields", { data: arp }],
  ["VLAN", "tcFields", { data: tagged }],
  ["VLAN in VLAN", "tcFields", { data: doubleTagged }],
  ["LLC", "tcFields", { data: llc }],
  ["raw 802.3", "tcFields", { data: novell }],
  ["to address 0", "tcFields", { data: new Uint8Array(64) }],
  ["written fields", "tcWrites", { data: udp4, contextRoom: SKB }],
  [
    "written fields over given ones",
    "tcWrites",
    {
      data: udp4,
      context: skb([
        [8, 99],
        [48, 1],
        [52, 2],
        [64, 3],
      ]),
      contextRoom: SKB,
    },
  ],
  [
    "given fields",
    "tcFields",
    {
      data: udp4,
      context: skb([
        [8, 99],
        [32, 5],
        [36, 1],
        [40, 1],
        [48, 1],
        [52, 2],
        [64, 3],
        [152, 77n],
        [160, 500],
        [164, 3],
        [176, 100],
        [184, 99n],
      ]),
      contextRoom: SKB,
    },
  ],
  ["context out, too small", "tc", { data: udp4, contextRoom: 100 }],
  ["context in: len", "tc", { data: udp4, context: skb([[0, 1]]) }],
  ["context in: pkt_type", "tc", { data: udp4, context: skb([[4, 1]]) }],
  ["context in: queue_mapping", "tc", { data: udp4, context: skb([[12, 1]]) }],
  ["context in: protocol", "tc", { data: udp4, context: skb([[16, 1]]) }],
  ["context in: tc_index", "tc", { data: udp4, context: skb([[44, 1]]) }],
  ["context in: hash", "tc", { data: udp4, context: skb([[68, 1]]) }],
  ["context in: family", "tc", { data: udp4, context: skb([[88, 2]]) }],
  ["context in: sk", "tc", { data: udp4, context: skb([[168, 1]]) }],
  ["context in: tstamp_type", "tc", { data: udp4, context: skb([[180, 1]]) }],
  ["context in: wire_len too short", "tc", { data: udp4, context: skb([[160, 20]]) }],
  ["context in: wire_len too long", "tc", { data: udp4, context: skb([[160, 65537]]) }],
  ["context in: gso_segs too many", "tc", { data: udp4, context: skb([[164, 65536]]) }],
  ["context in: ifindex unknown", "tc", { data: udp4, context: skb([[40, 99999]]) }],
  ["context in: ifindex 1", "tc", { data: udp4, context: skb([[40, 1]]), contextRoom: SKB }],
  ["context in: shorter", "tc", { data: udp4, context: context(12, [[8, 3]]), contextRoom: SKB }],
  ["context in: longer, zeros", "tc", { data: udp4, context: context(SKB + 8, []) }],
  ["context in: longer, not zero", "tc", { data: udp4, context: context(SKB + 8, [[SKB, 1]]) }],
  ["IPv4", "socketFilter", { data: udp4 }],
  ["IPv4", "socketFilterFields", { data: udp4 }],
  ["IPv6", "socketFilterFields", { data: udp6 }],
  ["cb given", "socketFilterFields", { data: udp4, context: skb([[48, 1]]), contextRoom: SKB }],
  ["legacy loads", "socketFilterLoads", { data: udp4 }],
  ["legacy loads beyond the end", "socketFilterLoads", { data: frame(15) }],
  ["IPv4", "cgroup", { data: udp4 }],
  ["IPv4", "cgroupFields", { data: udp4 }],
  ["IPv6", "cgroupFields", { data: udp6 }],
  ["IPv4", "lwt", { data: udp4, contextRoom: SKB }],
  // ---- arguments ----------------------------------------------------------------------------------
  [
    "two arguments",
    "rawTracepoint",
    {
      room: 0,
      context: context(16, [
        [0, 3n],
        [8, 4n],
      ]),
    },
  ],
  ["one of two arguments", "rawTracepoint", { room: 0, context: context(8, [[0, 3n]]) }],
  ["no argument", "rawTracepoint", { room: 0 }],
  ["13 arguments", "rawTracepoint", { room: 0, context: new Uint8Array(104) }],
  ["12 arguments", "rawTracepoint", { room: 0, context: new Uint8Array(96) }],
  ["with data", "rawTracepoint", { data: udp4, room: 0, context: new Uint8Array(16) }],
  ["with room for data", "rawTracepoint", { context: new Uint8Array(16) }],
  [
    "with room for context",
    "rawTracepoint",
    { room: 0, context: new Uint8Array(16), contextRoom: 16 },
  ],
  ["repeated", "rawTracepoint", { room: 0, context: new Uint8Array(16), repeat: 2 }],
  ["a batch", "rawTracepoint", { room: 0, context: new Uint8Array(16), batch: 2 }],
  ["CPU 1", "rawTracepointCpu", { room: 0, flags: 1, cpu: 1 }],
  ["CPU 0", "rawTracepointCpu", { room: 0, flags: 1, cpu: 0 }],
  ["CPU 1 without the flag", "rawTracepointCpu", { room: 0, cpu: 1 }],
  ["CPU 77", "rawTracepointCpu", { room: 0, flags: 1, cpu: 77 }],
  ["another flag", "rawTracepoint", { room: 0, flags: 4, context: new Uint8Array(16) }],
  ["context", "syscall", { room: 0, context: context(8, [[0, 41]]) }],
  ["short context", "syscall", { room: 0, context: context(4, [[0, 41]]) }],
  ["no context", "syscall", { room: 0 }],
  ["long context", "syscall", { room: 0, context: context(65535, [[0, 41]]) }],
  ["longer context", "syscall", { room: 0, context: context(65536, [[0, 41]]) }],
  ["room for context", "syscall", { room: 0, context: new Uint8Array(8), contextRoom: 8 }],
  ["repeated", "syscall", { room: 0, context: new Uint8Array(8), repeat: 2 }],
  ["flags", "syscall", { room: 0, context: new Uint8Array(8), flags: 1 }],
  // ---- flow dissector and sk_lookup ----------------------------------------------------------------
  ["IPv4", "dissector", { data: udp4 }],
  ["a short packet", "dissector", { data: frame(13) }],
  ["only Ethernet", "dissector", { data: frame(14) }],
  ["flags", "dissector", { data: udp4, context: context(56, [[48, 3]]), contextRoom: 56 }],
  ["other fields", "dissector", { data: udp4, context: context(56, [[4, 1]]) }],
  ["the last field", "dissector", { data: udp4, context: context(56, [[52, 1]]) }],
  ["a page", "dissector", { data: frame(4096) }],
  ["more than a page", "dissector", { data: frame(4097) }],
  ["room too small", "dissector", { data: udp4, room: 20 }],
  ["a CPU", "dissector", { data: udp4, cpu: 1 }],
  ...(
    [
      [
        "IPv4",
        [
          [8, 2],
          [12, 6],
          [16, 500],
          [40, 300],
          [60, 192],
        ],
      ],
      [
        "IPv4 that is dropped",
        [
          [8, 2],
          [12, 6],
          [16, 500],
          [40, 300],
          [36, 100],
          [60, 92],
        ],
      ],
      [
        "IPv6 with IPv4 addresses",
        [
          [8, 10],
          [12, 6],
          [16, 500],
          [40, 300],
          [60, 184],
        ],
      ],
      [
        "IPv6 that is dropped",
        [
          [8, 10],
          [12, 6],
          [20, 500],
          [56, 400],
          [60, 84],
        ],
      ],
      ["no family", []],
      [
        "a socket",
        [
          [0, 1],
          [8, 2],
        ],
      ],
      [
        "a port too large",
        [
          [8, 2],
          [60, 65536],
        ],
      ],
      [
        "an interface",
        [
          [8, 2],
          [64, 1],
        ],
      ],
      [
        "a wide family",
        [
          [8, 0x10002],
          [12, 0x10006],
        ],
      ],
    ] as const
  ).map(
    ([name, fields]) =>
      [name, "lookup", { room: 0, context: context(72, fields), contextRoom: 72 }] as const,
  ),
  ["no context", "lookup", { room: 0 }],
  ["data", "lookup", { data: udp4, room: 0, context: context(72, [[8, 2]]) }],
  // ---- types that cannot be run ---------------------------------------------------------------------
  ["not supported", "tracepoint", { data: udp4 }],
  ["not supported", "kprobe", { data: udp4 }],
  ["not supported", "sockOps", { data: udp4 }],
]

describeWith([requirement.linux()], "PROG_TEST_RUN on two kernels", () => {
  const linux = createLinuxKernel()
  const embedded = createEmbeddedKernel({ cpus: 2 })
  const loaded = new Map<string, readonly [number, number]>()

  const programOf = (name: string): readonly [number, number] => {
    const known = loaded.get(name)
    if (known !== undefined) return known
    const pair = [load(linux, programs[name]).fd, load(embedded, programs[name]).fd] as const
    loaded.set(name, pair)
    return pair
  }
  const both = (program: string, input: RunSpec): [Outcome, Outcome] => {
    const [onLinux, here] = programOf(program)
    return [run(linux, onLinux, input), run(embedded as KernelInterface, here, input)]
  }

  afterAll(() => {
    for (const [onLinux, here] of loaded.values()) {
      linux.close(onLinux)
      embedded.close(here)
    }
    embedded.dispose()
  })

  describe("agree", () => {
    for (const [name, program, input] of cases)
      test(`${program}: ${name}`, () => {
        const [expected, actual] = both(program, input)
        expect(actual).toEqual(expected)
      })
  })
})
