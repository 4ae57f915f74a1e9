/** Programs about kernel structs, reached through BTF. */

import { BPF_MAP_TYPE as M } from "../../../../src/spec/map-types.ts"
import { BPF_ATTACH_TYPE as A, BPF_PROG_TYPE as P } from "../../../../src/spec/program-types.ts"
import type { Case } from "../oracle.ts"
import { body, type Table } from "./table.ts"

const tracepoint = { type: P.BPF_PROG_TYPE_RAW_TRACEPOINT }

/** With the current task (bpf_get_current_task_btf) in R0; TASK(f) is the offset of a field. */
function task(name: string, text: string, rest: Partial<Case> = {}): Case {
  return body(name, `r6 = r1; call 158; ${text}`, { ...tracepoint, ...rest })
}

export const tasks: Table = {
  title: "walks from the current task",
  states: true,
  cases: [
    task("a number", "r1 = *(u32 *)(r0 + OFF(task_struct.pid))"),
    task("a narrow number", "r1 = *(u8 *)(r0 + OFF(task_struct.pid))"),
    task("half of two numbers", "r1 = *(u64 *)(r0 + OFF(task_struct.pid))"),
    task("a pointer", "r1 = *(u64 *)(r0 + OFF(task_struct.mm))"),
    task("half a pointer", "r1 = *(u32 *)(r0 + OFF(task_struct.mm))"),
    task(
      "the parent under RCU",
      "r1 = *(u64 *)(r0 + OFF(task_struct.real_parent)); r2 = *(u32 *)(r1 + OFF(task_struct.pid))",
    ),
    task(
      "the parent's parent",
      "r1 = *(u64 *)(r0 + OFF(task_struct.real_parent)); r1 = *(u64 *)(r1 + OFF(task_struct.real_parent)); r2 = *(u32 *)(r1 + OFF(task_struct.pid))",
    ),
    task(
      "the group leader",
      "r1 = *(u64 *)(r0 + OFF(task_struct.group_leader)); r2 = *(u32 *)(r1 + OFF(task_struct.pid))",
    ),
    task(
      "the cgroups",
      "r1 = *(u64 *)(r0 + OFF(task_struct.cgroups)); r2 = *(u64 *)(r1 + OFF(css_set.dfl_cgrp)); r3 = *(u64 *)(r2 + OFF(cgroup.kn))",
    ),
    task(
      "the memory and its file",
      "r1 = *(u64 *)(r0 + OFF(task_struct.mm)); r2 = *(u64 *)(r1 + OFF(mm_struct.exe_file)); r3 = *(u64 *)(r2 + OFF(file.f_inode))",
    ),
    task(
      "a name's bytes",
      "r1 = *(u8 *)(r0 + OFF(task_struct.comm)); r2 = *(u64 *)(r0 + OFF(task_struct.comm))",
    ),
    task("an element of an array", "r1 = *(u32 *)(r0 + OFF(task_struct.comm) + 8)"),
    task("beyond the struct", "r1 = *(u64 *)(r0 + 32000)"),
    task("before the struct", "r1 = *(u64 *)(r0 - 8)"),
    task("a store", "*(u32 *)(r0 + OFF(task_struct.pid)) = 1"),
    task("an atomic", "r1 = 1; lock *(u32 *)(r0 + OFF(task_struct.pid)) += r1"),
    task("moved", "r0 += 8; r1 = *(u64 *)(r0 + OFF(task_struct.mm) - 8)"),
    task(
      "moved by a variable",
      "r1 = *(u32 *)(r0 + OFF(task_struct.pid)); r1 &= 8; r0 += r1; r2 = *(u32 *)(r0 + 8)",
    ),
    task("moved before", "r0 -= 8; r1 = *(u32 *)(r0 + 0)"),
    task(
      "a function pointer",
      "r1 = *(u64 *)(r0 + OFF(task_struct.sighand)); r2 = *(u64 *)(r1 + 0)",
    ),
    task(
      "a pointer to a number",
      "r1 = *(u64 *)(r0 + OFF(task_struct.set_child_tid)); r2 = *(u32 *)(r1 + 0)",
    ),
    task(
      "a pointer to nothing known",
      "r1 = *(u64 *)(r0 + OFF(task_struct.stack)); r2 = *(u64 *)(r1 + 0)",
    ),
    task(
      "the stack moved",
      "r1 = *(u64 *)(r0 + OFF(task_struct.stack)); r1 += 8; r2 = *(u64 *)(r1 + 0)",
    ),
    task("the stack written", "r1 = *(u64 *)(r0 + OFF(task_struct.stack)); *(u64 *)(r1 + 0) = 1"),
    task(
      "a signed load",
      "r1 = *(s32 *)(r0 + OFF(task_struct.pid)); r2 = *(s8 *)(r0 + OFF(task_struct.pid))",
    ),
    task("not GPL", "r1 = *(u32 *)(r0 + OFF(task_struct.pid))", { license: "MIT" }),
    task("in a nested struct", "r1 = *(u64 *)(r0 + OFF(task_struct.se.vruntime))"),
    task("a list's next", "r1 = *(u64 *)(r0 + OFF(task_struct.tasks)); r2 = *(u64 *)(r1 + 0)"),
    task(
      "the memory itself may be NULL",
      "r1 = *(u64 *)(r0 + OFF(task_struct.mm)); if r1 == 0 goto +1; r2 = *(u64 *)(r1 + OFF(mm_struct.exe_file))",
    ),
    task(
      "a spilled task",
      "*(u64 *)(r10 - 8) = r0; r1 = *(u64 *)(r10 - 8); r2 = *(u32 *)(r1 + OFF(task_struct.pid))",
    ),
    task(
      "kernel memory of two kinds by one load",
      "r7 = *(u64 *)(r0 + OFF(task_struct.mm)); r1 = *(u32 *)(r0 + OFF(task_struct.pid)); if r1 == 0 goto +1; r7 = r0; r2 = *(u32 *)(r7 + 0)",
    ),
    task(
      "a per-CPU counter",
      "r1 = *(u64 *)(r0 + OFF(task_struct.mm)); r2 = *(u64 *)(r1 + OFF(mm_struct.pcpu_cid)); r3 = *(u32 *)(r2 + 0)",
    ),
    task("user memory", "r1 = *(u64 *)(r0 + OFF(task_struct.robust_list)); r2 = *(u64 *)(r1 + 0)"),
    task(
      "bits of a bit-field",
      "r1 = *(u32 *)(r0 + OFF(task_struct.sched_reset_on_fork)); r2 = *(u8 *)(r0 + OFF(task_struct.sched_reset_on_fork))",
    ),
    task(
      "a union",
      "r1 = *(u64 *)(r0 + OFF(task_struct.mm)); r2 = *(u32 *)(r1 + OFF(mm_struct.mm_count)); r3 = *(u64 *)(r1 + OFF(mm_struct.pgd))",
    ),
    task(
      "a page's mapping below unions",
      "r1 = *(u64 *)(r0 + OFF(task_struct.stack_vm_area)); r2 = *(u64 *)(r1 + 32); r3 = *(u64 *)(r2 + 0); r4 = *(u64 *)(r3 + 24)",
    ),
    task(
      "the flexible array at the end",
      "r1 = *(u64 *)(r0 + OFF(task_struct.mm)); r2 = *(u64 *)(r1 + OFF(mm_struct.cpu_bitmap)); r3 = *(u64 *)(r1 + OFF(mm_struct.cpu_bitmap) + 4000)",
    ),
  ],
}

const traced = { type: P.BPF_PROG_TYPE_TRACING, attach: A.BPF_TRACE_RAW_TP }
const iterator = { type: P.BPF_PROG_TYPE_TRACING, attach: A.BPF_TRACE_ITER }

export const arguments_: Table = {
  title: "arguments of targets",
  states: true,
  cases: [
    body(
      "a tracepoint's numbers and pointers",
      "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r1 + 8); r4 = *(u64 *)(r1 + 16)",
      { ...traced, target: "btf_trace_sched_switch" },
    ),
    body(
      "a tracepoint's pointer is trusted",
      "r3 = *(u64 *)(r1 + 8); r4 = *(u64 *)(r3 + OFF(task_struct.mm)); r5 = *(u64 *)(r3 + OFF(task_struct.group_leader))",
      { ...traced, target: "btf_trace_sched_switch" },
    ),
    body("beyond the arguments", "r3 = *(u64 *)(r1 + 64)", {
      ...traced,
      target: "btf_trace_sched_switch",
    }),
    body("one beyond the arguments", "r3 = *(u64 *)(r1 + 32)", {
      ...traced,
      target: "btf_trace_sched_switch",
    }),
    body("half a pointer", "r3 = *(u32 *)(r1 + 8)", {
      ...traced,
      target: "btf_trace_sched_switch",
    }),
    body("half a number", "r3 = *(u32 *)(r1 + 0)", { ...traced, target: "btf_trace_sched_switch" }),
    body("not at a multiple", "r3 = *(u32 *)(r1 + 4)", {
      ...traced,
      target: "btf_trace_sched_switch",
    }),
    body("a store", "*(u64 *)(r1 + 0) = 1", { ...traced, target: "btf_trace_sched_switch" }),
    body("arguments that may be NULL", "r2 = *(u64 *)(r1 + 8); r3 = *(u64 *)(r2 + 0)", {
      ...traced,
      target: "btf_trace_sched_pi_setprio",
    }),
    body(
      "a skb",
      "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r2 + OFF(sk_buff.sk)); r4 = *(u64 *)(r2 + OFF(sk_buff.dev)); r5 = *(u32 *)(r2 + OFF(sk_buff.len))",
      { ...traced, target: "btf_trace_kfree_skb" },
    ),
    body("a skb's socket may be NULL", "r2 = *(u64 *)(r1 + 24); r3 = *(u64 *)(r2 + 0)", {
      ...traced,
      target: "btf_trace_kfree_skb",
    }),
    body(
      "the task iterator",
      "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r1 + 8); r4 = *(u64 *)(r2 + 0)",
      { ...iterator, target: "bpf_iter_task" },
    ),
    body(
      "the map iterator",
      "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r1 + 8); if r3 == 0 goto +1; r4 = *(u32 *)(r3 + OFF(bpf_map.id))",
      { ...iterator, target: "bpf_iter_bpf_map" },
    ),
    ...[
      "task_file",
      "task_vma",
      "cgroup",
      "bpf_prog",
      "bpf_link",
      "tcp",
      "udp",
      "unix",
      "netlink",
      "ipv6_route",
      "ksym",
      "kmem_cache",
      "dmabuf",
    ].map((name) =>
      body(`the ${name} iterator`, "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r1 + 8)", {
        ...iterator,
        target: `bpf_iter_${name}`,
      }),
    ),
    ...["task_file", "task_vma", "udp"].map((name) =>
      body(`more of the ${name} iterator`, "r2 = *(u64 *)(r1 + 16); r3 = *(u64 *)(r1 + 24)", {
        ...iterator,
        target: `bpf_iter_${name}`,
      }),
    ),
    ...["unix", "tcp"].map((name) =>
      body(`numbers of the ${name} iterator`, "r2 = *(u32 *)(r1 + 16)", {
        ...iterator,
        target: `bpf_iter_${name}`,
      }),
    ),
    body(
      "netfilter",
      "r2 = *(u64 *)(r1 + 0); r3 = *(u64 *)(r1 + 8); r4 = *(u8 *)(r2 + 0); r5 = *(u32 *)(r3 + OFF(sk_buff.len))",
      { type: P.BPF_PROG_TYPE_NETFILTER, attach: A.BPF_NETFILTER },
    ),
  ],
}

export const targets: Table = {
  title: "what programs may be for",
  cases: [
    body("a sleepable XDP program", "r0 = 2", { type: P.BPF_PROG_TYPE_XDP, flags: 16 }),
    body("a system call that may not sleep", "", { type: P.BPF_PROG_TYPE_SYSCALL }),
    body("a sleepable tracepoint", "", { ...traced, target: "btf_trace_sched_switch", flags: 16 }),
    body("a sleepable iterator", "", { ...iterator, target: "bpf_iter_task", flags: 16 }),
    body("an iterator over a tracepoint", "", { ...iterator, target: "btf_trace_sched_switch" }),
    body("a tracepoint that is a function", "", { ...traced, target: "vfs_read" }),
    body("a tracepoint that is another typedef", "", { ...traced, target: "pid_t" }),
  ],
}

export const symbols: Table = {
  title: "variables and functions of the kernel",
  states: true,
  cases: [
    body("a function", "r1 = btf[id:BTF(vfs_read)] ll; r2 = r1", tracepoint),
    body(
      "the bytes of a function",
      "r1 = btf[id:BTF(vfs_read)] ll; r2 = *(u64 *)(r1 + 0)",
      tracepoint,
    ),
    body("void", "r1 = btf[id:0] ll", tracepoint),
    body("no such id", "r1 = btf[id:99999999] ll", tracepoint),
    body("not a variable", "r1 = btf[id:BTF(task_struct)] ll", tracepoint),
    body("in dead code", "r0 = 0; exit; r1 = btf[id:99999999] ll", tracepoint),
    body("unknown in a branch", "if r1 != 0 goto +2; r1 = btf[id:99999999] ll", tracepoint),
  ],
}

export const buffers: Table = {
  title: "memory of helpers",
  states: true,
  cases: [
    body(
      "a ring buffer record",
      "r1 = map[m] ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto +5; *(u64 *)(r0 + 8) = 1; r2 = *(u32 *)(r0 + 12); r1 = r0; r2 = 0; call 132",
      { maps: { m: { type: M.BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, entries: 4096 } } },
    ),
    body(
      "beyond a ring buffer record",
      "r1 = map[m] ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto +5; *(u64 *)(r0 + 12) = 1; r2 = *(u32 *)(r0 + 12); r1 = r0; r2 = 0; call 132",
      { maps: { m: { type: M.BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, entries: 4096 } } },
    ),
    body(
      "an unchecked ring buffer record",
      "r1 = map[m] ll; r2 = 16; r3 = 0; call 131; *(u64 *)(r0 + 8) = 1",
      { maps: { m: { type: M.BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, entries: 4096 } } },
    ),
    body(
      "a variable offset in a record",
      "r6 = *(u32 *)(r1 + 0); r6 &= 15; r1 = map[m] ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto +5; r2 = r0; r2 += r6; *(u8 *)(r2 + 0) = 1; r1 = r0; r2 = 0; call 132; ",
      { maps: { m: { type: M.BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, entries: 4096 } } },
    ),
    body(
      "the kernel's memory read by a helper",
      "r6 = r1; call 158; r3 = r0; r1 = r10; r1 += -8; r2 = 8; call 113; r1 = *(u64 *)(r10 - 8)",
      tracepoint,
    ),
    body(
      "a helper reads nothing",
      "r6 = r1; r1 = r10; r1 += -8; r2 = 0; r3 = 0; call 113",
      tracepoint,
    ),
    body(
      "a helper reads too much stack",
      "r6 = r1; r1 = r10; r1 += -8; r2 = 16; r3 = 0; call 113",
      tracepoint,
    ),
    body(
      "a helper with a size from the context",
      "r2 = *(u64 *)(r1 + 0); r1 = r10; r1 += -64; r3 = 0; call 113",
      tracepoint,
    ),
    body(
      "a helper with a masked size",
      "r2 = *(u64 *)(r1 + 0); r2 &= 63; r1 = r10; r1 += -64; r3 = 0; call 113",
      tracepoint,
    ),
    body(
      "a helper with a masked size that is never 0",
      "r2 = *(u64 *)(r1 + 0); r2 &= 31; r2 += 1; r1 = r10; r1 += -64; r3 = 0; call 113; r4 = *(u64 *)(r10 - 64)",
      tracepoint,
    ),
    body(
      "a helper with a negative size",
      "r2 = *(u64 *)(r1 + 0); r2 s>>= 60; r1 = r10; r1 += -64; r3 = 0; call 113",
      tracepoint,
    ),
    body("a helper's memory is a number", "r1 = 5; r2 = 8; r3 = 0; call 113", tracepoint),
    body("a helper's memory is the context", "r2 = 8; r3 = 0; call 113", tracepoint),
    body(
      "printed from the stack",
      "*(u64 *)(r10 - 8) = 0; r1 = r10; r1 += -8; r2 = 8; call 6",
      tracepoint,
    ),
    body("printed uninitialised", "r1 = r10; r1 += -8; r2 = 8; call 6", tracepoint),
    body(
      "printed from a spilled pointer",
      "*(u64 *)(r10 - 8) = r1; r1 = r10; r1 += -8; r2 = 8; call 6",
      tracepoint,
    ),
    body(
      "printed from a variable place",
      "r2 = *(u64 *)(r1 + 0); r2 &= 8; r2 -= 16; r1 = r10; r1 += r2; r2 = 8; call 6",
      tracepoint,
    ),
  ],
}
