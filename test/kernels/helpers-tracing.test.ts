/**
 * Helpers of tracing, iterator and syscall programs: small programs on this Linux and on the
 * embedded kernel leave the same results. Addresses and times are compared by what is true of them.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Btf } from "../../src/btf/index.ts"
import { BPF_ATTACH_TYPE } from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import {
  embeddedSide,
  linuxSide,
  load,
  offsetOf,
  SELF,
  type Side,
  save,
  slots,
  type TracingSpec,
  trace,
  unload,
} from "./tracing/sides.ts"

const RAW = "BPF_PROG_TYPE_RAW_TRACEPOINT"
const ITER = BPF_ATTACH_TYPE.BPF_TRACE_ITER
const NR_KILL = 62

/** Bytes of text on the stack at r10 + `at`, with a zero. */
const string = (at: number, text: string): string =>
  [...text, "\0"].map((c, i) => `*(u8 *)(r10 - ${-(at + i)}) = ${c.charCodeAt(0)}`).join("\n")
const frame = (register: string, at: number): string => `${register} = r10; ${register} += ${at}`
/** Leaves `bytes` bytes of the stack at r10 + `at` from slot `slot` on. */
const stack = (slot: number, at: number, bytes: number): string =>
  Array.from(
    { length: bytes / 8 },
    (_, i) => `r2 = *(u64 *)(r10 - ${-(at + 8 * i)}); ${save(slot + i, "r2")}`,
  ).join("\n")
const quads = (at: number, ...values: number[]): string =>
  values.map((value, i) => `*(u64 *)(r10 - ${-(at + 8 * i)}) = ${value}`).join("\n")

interface Case {
  readonly name: string
  readonly text: TracingSpec["text"]
  /** Slots that hold addresses: only whether they are there is compared. */
  readonly addresses?: readonly number[]
}

const typeId = (
  types: Btf,
  name: string,
  kind: "struct" | "typedef" | "int" | "enum" | "union" = "struct",
): number => types.findByName(name, kind) ?? 0

/** An object of `name` at r10 - 256 as text with flags, in slots 0 (result) to 24. */
const snprintfBtf =
  (
    name: string,
    kind: "struct" | "typedef" | "int" | "enum" | "union",
    fill: string,
    flags: number,
    size = 192,
  ) =>
  (types: Btf): string =>
    `${quads(-256, 0, 0, 0, 0, 0, 0, 0)}
    ${fill}
    r1 = r10; r1 += -256; *(u64 *)(r10 - 16) = r1; *(u32 *)(r10 - 8) = ${typeId(types, name, kind)}; *(u32 *)(r10 - 4) = 0
    r1 = r9; r1 += 8; r2 = ${size}; ${frame("r3", -16)}; r4 = 16; r5 = ${flags}
    call bpf_snprintf_btf; ${save(0)}`

const at = (offset: number, width: 8 | 16 | 32 | 64, value: number): string =>
  `*(u${width} *)(r10 - ${256 - offset}) = ${value}`

/** Compact text of objects: the struct is the same on both kernels as far as it is shown. */
const TYPED: readonly Case[] = [
  ...[0, 1, 2, 3, 8, 9, 11].flatMap((flags): Case[] => [
    {
      name: `snprintf_btf of an int, flags ${flags}`,
      text: snprintfBtf("int", "int", at(0, 32, -4567), flags),
    },
    {
      name: `snprintf_btf of a zero, flags ${flags}`,
      text: snprintfBtf("u64", "typedef", "", flags),
    },
    {
      name: `snprintf_btf of a typedef, flags ${flags}`,
      text: snprintfBtf("pid_t", "typedef", at(0, 32, 99), flags),
    },
    {
      name: `snprintf_btf of an anonymous struct, flags ${flags}`,
      text: snprintfBtf("atomic_t", "typedef", at(0, 32, 1), flags),
    },
    {
      name: `snprintf_btf of a struct, flags ${flags}`,
      text: snprintfBtf("timespec64", "struct", `${at(0, 64, 5)}\n${at(8, 64, 7)}`, flags),
    },
    {
      name: `snprintf_btf of a struct of zeros, flags ${flags}`,
      text: snprintfBtf("timespec64", "struct", "", flags),
    },
    {
      name: `snprintf_btf of nested structs, flags ${flags}`,
      text: snprintfBtf(
        "ethhdr",
        "struct",
        `${at(0, 8, 1)}\n${at(5, 8, 0x41)}\n${at(7, 8, 9)}\n${at(12, 16, 8)}`,
        flags,
      ),
    },
    {
      name: `snprintf_btf of bit fields, flags ${flags}`,
      text: snprintfBtf(
        "iphdr",
        "struct",
        `${at(0, 8, 0x45)}\n${at(2, 16, 0x1400)}\n${at(8, 8, 64)}\n${at(12, 32, 0x0100007f)}`,
        flags,
        480,
      ),
    },
    {
      name: `snprintf_btf of raw pointers, flags ${flags | 4}`,
      text: snprintfBtf("list_head", "struct", at(0, 64, 1), flags | 4),
    },
    {
      name: `snprintf_btf of null pointers, flags ${flags}`,
      text: snprintfBtf("list_head", "struct", "", flags),
    },
  ]),
  {
    name: "snprintf_btf into a small buffer says what it would take",
    text: snprintfBtf("timespec64", "struct", at(0, 64, 5), 1, 8),
  },
  { name: "snprintf_btf with unknown flags", text: snprintfBtf("int", "int", "", 16) },
  {
    name: "snprintf_btf of no type",
    text: `${quads(-16, 0, 0)}; ${frame("r1", -16)}; *(u64 *)(r10 - 16) = r1
      r1 = r9; r2 = 16; ${frame("r3", -16)}; r4 = 16; r5 = 0; call bpf_snprintf_btf; ${save(8)}`,
  },
  {
    name: "snprintf_btf of a type that is not there",
    text: `${frame("r1", -16)}; *(u64 *)(r10 - 16) = r1; *(u32 *)(r10 - 8) = 100000000; *(u32 *)(r10 - 4) = 0
      r1 = r9; r2 = 16; ${frame("r3", -16)}; r4 = 16; r5 = 0; call bpf_snprintf_btf; ${save(8)}`,
  },
  {
    name: "snprintf_btf of an object that is not there",
    text: (
      types,
    ) => `*(u64 *)(r10 - 16) = 8; *(u32 *)(r10 - 8) = ${typeId(types, "timespec64")}; *(u32 *)(r10 - 4) = 0
      r1 = r9; r2 = 16; ${frame("r3", -16)}; r4 = 16; r5 = 0; call bpf_snprintf_btf; ${save(8)}`,
  },
  {
    name: "snprintf_btf with a pointer struct of another size",
    text: `${quads(-16, 0, 0)}; r1 = r9; r2 = 16; ${frame("r3", -16)}; r4 = 8; r5 = 0; call bpf_snprintf_btf; ${save(8)}`,
  },
]

/** In a system call of the test's own thread. */
const CALLS: readonly Case[] = [
  {
    name: "get_current_pid_tgid, uid_gid and comm",
    text: `call bpf_get_current_pid_tgid; ${save(0)}; call bpf_get_current_uid_gid; ${save(1)}
      ${frame("r1", -16)}; r2 = 16; call bpf_get_current_comm; ${save(2)}; ${stack(3, -16, 16)}
      ${quads(-16, -1, -1)}; ${frame("r1", -16)}; r2 = 4; call bpf_get_current_comm; ${save(5)}; ${stack(6, -16, 16)}`,
  },
  {
    name: "get_current_task and its fields by probe_read_kernel",
    addresses: [0, 1],
    text: (types) => `call bpf_get_current_task; ${save(0)}; r7 = r0
      call bpf_get_current_task_btf; ${save(1)}; if r0 != r7 goto skip; r8 = 1; ${save(2, "r8")}
      ${frame("r1", -8)}; r2 = 4; r3 = r7; r3 += ${offsetOf(types, "task_struct", "pid")}; *(u64 *)(r10 - 8) = 0; call bpf_probe_read_kernel; ${save(3)}; ${stack(4, -8, 8)}
      ${frame("r1", -16)}; r2 = 16; r3 = r7; r3 += ${offsetOf(types, "task_struct", "comm")}; *(u64 *)(r10 - 16) = 0; call bpf_probe_read_kernel_str; ${save(5)}; ${stack(6, -16, 8)}
      ${frame("r1", -8)}; r2 = 8; r3 = 8; call bpf_probe_read_kernel; ${save(8)}; ${stack(9, -8, 8)}
      ${frame("r1", -8)}; r2 = 8; r3 = 0; call bpf_probe_read_kernel_str; ${save(10)}`,
  },
  {
    name: "get_ns_current_pid_tgid of an unknown namespace",
    text: `r1 = 1; r2 = 2; ${frame("r3", -8)}; r4 = 8; *(u64 *)(r10 - 8) = -1; call bpf_get_ns_current_pid_tgid; ${save(0)}; ${stack(1, -8, 8)}
      r1 = 1; r2 = 2; ${frame("r3", -8)}; r4 = 4; call bpf_get_ns_current_pid_tgid; ${save(2)}`,
  },
  {
    name: "send_signal of signals that are none",
    text: `r1 = 100; call bpf_send_signal; ${save(0)}; r1 = 65; call bpf_send_signal_thread; ${save(1)}`,
  },
  {
    name: "get_stack and its errors",
    addresses: [9, 10],
    text: `r1 = r6; ${frame("r2", -64)}; r3 = 16; r4 = 0; call bpf_get_stack; ${save(0)}; ${stack(9, -64, 16)}
      r1 = r6; ${frame("r2", -64)}; r3 = 12; r4 = 0; call bpf_get_stack; ${save(1)}
      r1 = r6; ${frame("r2", -64)}; r3 = 16; r4 = 0x1000; call bpf_get_stack; ${save(2)}
      r1 = r6; ${frame("r2", -64)}; r3 = 16; r4 = 0x800; call bpf_get_stack; ${save(3)}
      r1 = r6; ${frame("r2", -64)}; r3 = 16; r4 = 255; call bpf_get_stack; ${save(4)}
      r1 = r6; ${frame("r2", -64)}; r3 = 8; r4 = 0x100; call bpf_get_stack; ${save(5)}
      call bpf_get_current_task_btf; r1 = r0; ${frame("r2", -64)}; r3 = 8; r4 = 0; call bpf_get_task_stack; ${save(6)}
      call bpf_get_current_task_btf; r1 = r0; ${frame("r2", -64)}; r3 = 8; r4 = 0x1000; call bpf_get_task_stack; ${save(7)}`,
  },
  {
    name: "task_pt_regs has the registers of the call",
    addresses: [0],
    text: (
      types,
    ) => `call bpf_get_current_task_btf; r1 = r0; call bpf_task_pt_regs; ${save(0)}; r7 = r0
      ${frame("r1", -8)}; r2 = 8; r3 = r7; r3 += ${offsetOf(types, "pt_regs", "orig_ax")}; call bpf_probe_read_kernel; ${save(1)}; ${stack(2, -8, 8)}
      ${frame("r1", -8)}; r2 = 8; r3 = r7; r3 += ${offsetOf(types, "pt_regs", "si")}; call bpf_probe_read_kernel; ${stack(3, -8, 8)}`,
  },
  {
    name: "probe_read_user of what is not there",
    text: `${frame("r1", -8)}; r2 = 8; r3 = 16; call bpf_probe_read_user; ${save(0)}; ${stack(1, -8, 8)}
      ${frame("r1", -8)}; r2 = 8; r3 = 0; call bpf_probe_read_user_str; ${save(2)}
      call bpf_get_current_task; r3 = r0; ${frame("r1", -8)}; r2 = 8; call bpf_probe_read_user; ${save(3)}
      call bpf_get_current_task; r3 = r0; ${frame("r1", -8)}; r2 = 8; call bpf_probe_read_user_str; ${save(4)}`,
  },
  {
    name: "get_branch_snapshot and perf_event_read of nothing",
    text: `${frame("r1", -24)}; r2 = 24; r3 = 1; call bpf_get_branch_snapshot; ${save(0)}
      ${frame("r1", -24)}; r2 = 24; r3 = 0; call bpf_get_branch_snapshot; ${save(1)}`,
  },
  {
    name: "current_ancestor_cgroup_id too deep",
    text: `r1 = 200; call bpf_get_current_ancestor_cgroup_id; ${save(0)}; r1 = -1; call bpf_get_current_ancestor_cgroup_id; ${save(1)}`,
  },
  {
    name: "jiffies and clocks go forward",
    addresses: [0, 1, 2, 3],
    text: `call bpf_ktime_get_ns; ${save(0)}; call bpf_ktime_get_boot_ns; ${save(1)}; call bpf_jiffies64; ${save(2)}; call bpf_ktime_get_tai_ns; ${save(3)}`,
  },
  {
    name: "trace_vprintk and snprintf with bad formats",
    text: `${string(-32, "%d %z")}; ${frame("r1", -32)}; r2 = 6; r3 = 0; r4 = 0; call bpf_trace_vprintk; ${save(0)}
      ${string(-32, "%d %d")}; ${quads(-64, 1, 2)}; ${frame("r1", -32)}; r2 = 6; ${frame("r3", -64)}; r4 = 16; call bpf_trace_vprintk; ${save(1)}
      ${frame("r1", -32)}; r2 = 6; ${frame("r3", -64)}; r4 = 8; call bpf_trace_vprintk; ${save(2)}
      ${frame("r1", -32)}; r2 = 5; ${frame("r3", -64)}; r4 = 16; call bpf_trace_vprintk; ${save(3)}`,
  },
]

const SYSCALL: readonly Case[] = [
  {
    name: "sys_bpf of commands that programs may not make",
    text: `${quads(-16, 0, 0)}; r1 = 10; ${frame("r2", -16)}; r3 = 16; call bpf_sys_bpf; ${save(0)}
      r1 = 1; ${frame("r2", -16)}; r3 = 16; call bpf_sys_bpf; ${save(1)}; r1 = 9999; ${frame("r2", -16)}; r3 = 16; call bpf_sys_bpf; ${save(2)}`,
  },
  {
    name: "sys_bpf makes a map, freezes and closes it",
    text: `${quads(-80, 0, 0, 0, 0, 0, 0, 0, 0, 0)}
      *(u32 *)(r10 - 80) = 2; *(u32 *)(r10 - 76) = 4; *(u32 *)(r10 - 72) = 8; *(u32 *)(r10 - 68) = 1
      r1 = 0; ${frame("r2", -80)}; r3 = 72; call bpf_sys_bpf; r7 = r0; if r0 s< 0 goto bad; r8 = 1; ${save(0, "r8")}
      ${quads(-80, 0)}; *(u32 *)(r10 - 80) = r7; r1 = 22; ${frame("r2", -80)}; r3 = 4; call bpf_sys_bpf; ${save(1)}
      r1 = r7; call bpf_sys_close; ${save(2)}; r1 = r7; call bpf_sys_close; ${save(3)}
      bad: r1 = 0; ${frame("r2", -80)}; *(u32 *)(r10 - 80) = 999; r3 = 72; call bpf_sys_bpf; ${save(4)}`,
  },
  {
    name: "btf_find_by_name_kind finds, and refuses what it does not know",
    addresses: [0, 1],
    text: `${string(-32, "task_struct")}; ${frame("r1", -32)}; r2 = 12; r3 = 4; r4 = 0; call bpf_btf_find_by_name_kind; ${save(0)}
      ${string(-32, "vfs_read")}; ${frame("r1", -32)}; r2 = 9; r3 = 12; r4 = 0; call bpf_btf_find_by_name_kind; ${save(1)}
      ${frame("r1", -32)}; r2 = 9; r3 = 4; r4 = 0; call bpf_btf_find_by_name_kind; ${save(2)}
      ${frame("r1", -32)}; r2 = 9; r3 = 12; r4 = 1; call bpf_btf_find_by_name_kind; ${save(3)}
      ${frame("r1", -32)}; r2 = 1; r3 = 12; r4 = 0; call bpf_btf_find_by_name_kind; ${save(4)}
      ${frame("r1", -32)}; r2 = 8; r3 = 12; r4 = 0; call bpf_btf_find_by_name_kind; ${save(5)}`,
  },
]

describeWith([requirement.linux()], "helpers of tracing on two kernels", () => {
  let linux: Side
  let embedded: Side
  beforeAll(() => {
    linux = linuxSide()
    embedded = embeddedSide()
  })
  afterAll(() => {
    linux.close()
    embedded.close()
  })

  const shown = (values: readonly bigint[], addresses: readonly number[] = []): unknown =>
    values.map((value, slot) => (addresses.includes(slot) ? value !== 0n : value))

  describe("by a raw tracepoint in a system call", () => {
    test.each([...TYPED, ...CALLS].map((one) => [one.name, one] as const))(
      "%s",
      (_, { text, addresses }) => {
        const inKill = (types: Btf): string => `r7 = *(u64 *)(r6 + 8); if r7 != ${NR_KILL} goto skip
        ${typeof text === "string" ? text : text(types)}`
        const run = (side: Side): unknown =>
          shown(
            trace(
              side,
              { type: RAW, text: inKill },
              { rawTracepoint: "sys_enter" },
              (actor) => actor.kill(0x7ffffff0, 0),
              62,
            ).slots,
            addresses,
          )
        expect(run(embedded)).toEqual(run(linux))
      },
    )
  })

  describe("by a syscall program", () => {
    test.each(SYSCALL.map((one) => [one.name, one] as const))("%s", (_, { text, addresses }) => {
      const run = (side: Side): unknown => {
        const program = load(side, {
          type: "BPF_PROG_TYPE_SYSCALL",
          flags: 16,
          text,
          ownThread: false,
        })
        try {
          const attr = { prog_fd: program.fd, ctx_in: new Uint8Array(8), retval: 0 }
          expect(side.kernel.bpf("PROG_TEST_RUN", attr)).toBe(0)
          return shown(slots(side, program, 32), addresses)
        } finally {
          unload(side, program)
        }
      }
      expect(run(embedded)).toEqual(run(linux))
    })
  })

  describe("by an iterator", () => {
    const iterate = (side: Side, text: (types: Btf) => string): unknown => {
      const program = load(side, {
        type: "BPF_PROG_TYPE_TRACING",
        attachType: ITER,
        btf: ["bpf_iter_task", "func"],
        ownThread: false,
        text: (types) => `r7 = *(u64 *)(r6 + 8); if r7 == 0 goto skip
          r8 = *(u64 *)(r6 + 0); r8 = *(u64 *)(r8 + ${offsetOf(types, "bpf_iter_meta", "seq")})
          ${text(types)}`,
      })
      const info = new Uint8Array(Uint32Array.of(SELF.tid).buffer)
      const link = side.attach(program, { iterator: info })
      try {
        return [side.readAll(link), slots(side, program, 16)]
      } finally {
        side.kernel.close(link)
        unload(side, program)
      }
    }
    const formats: readonly (readonly [string, readonly number[]])[] = [
      ["plain\n", []],
      ["%d %u %x %lx %lld\n", [-1, 2, 255, -1, -5]],
      ["%5d|%-5d|%05d|%+d\n", [1, 2, 3, 4]],
      ["%c%c%%\n", [65, 66]],
      ["%z\n", [1]],
      ["%d %d\n", [1]],
    ]
    test.each(formats)("seq_printf of %j", (format, args) => {
      const text = (): string => `${string(-256, format)}
        ${quads(-64, ...(args.length === 0 ? [0] : args))}
        r1 = r8; ${frame("r2", -256)}; r3 = ${format.length + 1}; ${args.length === 0 ? "r4 = 0" : frame("r4", -64)}; r5 = ${8 * args.length}
        call bpf_seq_printf; ${save(0)}`
      expect(iterate(embedded, text)).toEqual(iterate(linux, text))
    })

    test("seq_write takes zeros and bytes as they are", () => {
      const text =
        (): string => `${quads(-16, 0x41420043, -1)}; r1 = r8; ${frame("r2", -16)}; r3 = 12; call bpf_seq_write; ${save(0)}
        r1 = r8; ${frame("r2", -16)}; r3 = 0; call bpf_seq_write; ${save(1)}`
      expect(iterate(embedded, text)).toEqual(iterate(linux, text))
    })

    test.each([0, 1, 3, 9, 16])("seq_printf_btf with flags %i", (flags) => {
      const text = (
        types: Btf,
      ): string => `${quads(-64, 5, 7)}; ${frame("r1", -64)}; *(u64 *)(r10 - 16) = r1
        *(u32 *)(r10 - 8) = ${typeId(types, "timespec64")}; *(u32 *)(r10 - 4) = 0
        r1 = r8; ${frame("r2", -16)}; r3 = 16; r4 = ${flags}; call bpf_seq_printf_btf; ${save(0)}`
      expect(iterate(embedded, text)).toEqual(iterate(linux, text))
    })
  })
})
