/**
 * Helpers and kernel functions that ask about tasks, cgroups, sockets, events and user memory: on
 * both kernels, with arguments whose answer does not depend on the machine (bad addresses, empty
 * slots, wrong flags), or with the answer reduced to what both must say.
 *
 * `kfunc NAME`, `@id(STRUCT)` and `@offset(STRUCT.MEMBER)` stand for what the running kernel's types
 * say; see helpers.test.ts.
 */

import {
  call,
  frame,
  type HelperCase,
  program,
  quads,
  save,
  string,
  words,
} from "../kernel/helpers/macros.ts"
import { udp4 } from "../kernel/testrun/packets.ts"
import type { ProgramSpec } from "../kernel/testrun/sides.ts"

const RAW = "BPF_PROG_TYPE_RAW_TRACEPOINT"
const TC = "BPF_PROG_TYPE_SCHED_CLS"
const XDP = "BPF_PROG_TYPE_XDP"
const CGROUP_SKB = "BPF_PROG_TYPE_CGROUP_SKB"
const SYSCALL = "BPF_PROG_TYPE_SYSCALL"
const BPF_F_SLEEPABLE = 0x10

function one(
  name: string,
  type: ProgramSpec["type"],
  body: string,
  options: Partial<ProgramSpec> = {},
): HelperCase {
  const packets = type !== RAW && type !== SYSCALL
  const flags = type === SYSCALL ? BPF_F_SLEEPABLE : 0
  return {
    name,
    program: program(type, `${body}\nr0 = 0`, { flags, ...options }),
    input: packets ? { data: udp4 } : { room: 0 },
  }
}

let labels = 0
/** Leaves 1 in a slot where a register is not zero: for answers that are the machine's own. */
function saveWhether(slot: number, register = "r0"): string {
  const label = `zero${labels++}`
  return `r1 = 1; if ${register} != 0 goto ${label}; r1 = 0; ${label}: ${save(slot, "r1")}`
}

/** What follows is only done with a pointer in r0 that is not NULL. */
function unlessNull(slot: number, body: string): string {
  const label = `null${labels++}`
  return `${saveWhether(slot)}\nif r0 == 0 goto ${label}\n${body}\n${label}: r0 = 0`
}

const PERF = { type: "BPF_MAP_TYPE_PERF_EVENT_ARRAY", key: 4, value: 4, entries: 4 } as const
const CGROUPS = { type: "BPF_MAP_TYPE_CGROUP_ARRAY", key: 4, value: 4, entries: 2 } as const

const memory: readonly HelperCase[] = [
  one(
    "bpf_probe_read_str of the stack, whole, cut, and from nowhere",
    RAW,
    `${string(-64, "hello")}
     r1 = r9; r1 += 64; r2 = 32; ${frame("r3", -64)}; call bpf_probe_read_str; ${save(0)}
     r1 = r9; r1 += 128; r2 = 3; ${frame("r3", -64)}; call bpf_probe_read_str; ${save(1)}
     r1 = r9; r1 += 192; r2 = 8; r3 = 0; call bpf_probe_read_str; ${save(2)}`,
  ),
  one(
    "bpf_probe_read_user_str from nowhere",
    RAW,
    `r1 = r9; r1 += 64; r2 = 8; r3 = 0; call bpf_probe_read_user_str; ${save(0)}
     r1 = r9; r1 += 64; r2 = 8; r3 = 0xffff888000000000 ll; call bpf_probe_read_user_str; ${save(1)}`,
  ),
  one(
    "bpf_copy_from_user from nowhere",
    SYSCALL,
    `${quads(-8, 7)}; ${frame("r1", -8)}; r2 = 8; r3 = 0; call bpf_copy_from_user; ${save(0)}
     r1 = *(u64 *)(r10 - 8); ${save(1, "r1")}`,
  ),
  one(
    "bpf_copy_from_user_task from nowhere, and with flags",
    SYSCALL,
    `call bpf_get_current_task_btf; r7 = r0; ${quads(-8, 7)}
     ${frame("r1", -8)}; r2 = 8; r3 = 0; r4 = r7; r5 = 0; call bpf_copy_from_user_task; ${save(0)}
     ${frame("r1", -8)}; r2 = 8; r3 = 0; r4 = r7; r5 = 1; call bpf_copy_from_user_task; ${save(1)}`,
  ),
]

const tasks: readonly HelperCase[] = [
  one(
    "bpf_get_current_task_btf and bpf_task_pt_regs are somewhere",
    RAW,
    `call bpf_get_current_task_btf; ${saveWhether(0)}
     call bpf_get_current_task_btf; r1 = r0; call bpf_task_pt_regs; ${saveWhether(1)}`,
  ),
  one(
    "bpf_get_stack and bpf_get_task_stack with flags that are none",
    RAW,
    `r1 = r6; r2 = r9; r2 += 64; r3 = 64; r4 = ${1 << 20}; call bpf_get_stack; ${save(0)}
     call bpf_get_current_task_btf; r1 = r0; r2 = r9; r2 += 64; r3 = 64; r4 = ${1 << 20}
     call bpf_get_task_stack; ${save(1)}`,
  ),
  one(
    "bpf_get_ns_current_pid_tgid of a namespace that is none, and of another size",
    RAW,
    `r1 = 0; r2 = 0; r3 = r9; r3 += 64; r4 = 8; call bpf_get_ns_current_pid_tgid; ${save(0)}
     r1 = 0; r2 = 0; r3 = r9; r3 += 64; r4 = 16; call bpf_get_ns_current_pid_tgid; ${save(1)}`,
  ),
  one(
    "bpf_find_vma at an address that is in none, and with flags",
    RAW,
    `call bpf_get_current_task_btf; r7 = r0
     r1 = r7; r2 = 0; r3 = subprog[visit] ll; ${frame("r4", -8)}; r5 = 0; call bpf_find_vma; ${save(0)}
     r1 = r7; r2 = 0; r3 = subprog[visit] ll; ${frame("r4", -8)}; r5 = 1; call bpf_find_vma; ${save(1)}
     r0 = 0; exit
     visit: r0 = 0`,
    { callbacks: ["visit"] },
  ),
  one(
    "bpf_get_branch_snapshot, and with flags",
    RAW,
    `r1 = r9; r1 += 64; r2 = 48; r3 = 1; call bpf_get_branch_snapshot; ${save(0)}`,
  ),
  one("bpf_ktime_get_tai_ns runs", RAW, `call bpf_ktime_get_tai_ns; ${saveWhether(0)}`),
  one(
    "bpf_get_attach_cookie of a test run",
    RAW,
    `r1 = r6; call bpf_get_attach_cookie; ${save(0)}`,
  ),
]

const cgroups: readonly HelperCase[] = [
  one(
    "bpf_get_current_cgroup_id and bpf_get_current_ancestor_cgroup_id: the root is 1",
    RAW,
    `call bpf_get_current_cgroup_id; ${saveWhether(0)}
     r1 = 0; call bpf_get_current_ancestor_cgroup_id; ${save(1)}
     r1 = 500; call bpf_get_current_ancestor_cgroup_id; ${save(2)}
     r1 = -1; call bpf_get_current_ancestor_cgroup_id; ${save(3)}`,
  ),
  one(
    "bpf_current_task_under_cgroup of an empty slot, and beyond the last",
    RAW,
    `r1 = map[g] ll; r2 = 0; call bpf_current_task_under_cgroup; ${save(0)}
     r1 = map[g] ll; r2 = 2; call bpf_current_task_under_cgroup; ${save(1)}`,
    { maps: { g: CGROUPS } },
  ),
  one(
    "bpf_skb_under_cgroup of an empty slot, and beyond the last",
    TC,
    `r1 = r6; r2 = map[g] ll; r3 = 0; call bpf_skb_under_cgroup; ${save(0)}
     r1 = r6; r2 = map[g] ll; r3 = 2; call bpf_skb_under_cgroup; ${save(1)}`,
    { maps: { g: CGROUPS } },
  ),
  one(
    "bpf_skb_cgroup_id, bpf_skb_ancestor_cgroup_id, bpf_skb_cgroup_classid of a test run's socket",
    TC,
    `r1 = r6; call bpf_skb_cgroup_id; ${saveWhether(0)}
     r1 = r6; r2 = 0; call bpf_skb_ancestor_cgroup_id; ${save(1)}
     r1 = r6; r2 = 500; call bpf_skb_ancestor_cgroup_id; ${save(2)}
     r1 = r6; call bpf_skb_cgroup_classid; ${save(3)}`,
  ),
  one(
    "bpf_cgroup_acquire and bpf_cgroup_release of the current task's cgroup",
    TC,
    `call bpf_get_current_task_btf; r1 = *(u64 *)(r0 + @offset(task_struct.cgroups))
     if r1 == 0 goto none; r1 = *(u64 *)(r1 + @offset(css_set.dfl_cgrp)); if r1 == 0 goto none
     call kfunc bpf_cgroup_acquire
     ${unlessNull(0, "r1 = r0; call kfunc bpf_cgroup_release")}
     none: r0 = 0`,
  ),
]

const tuple = words(-16, 0x016433c6, 0x026433c6, 0x02000100)
const lookup = (slot: number, helper: string, size: number, netns: number, flags: number): string =>
  `r1 = r6; ${frame("r2", -16)}; r3 = ${size}; r4 = ${netns}; r5 = ${flags}; call bpf_${helper}
   ${unlessNull(slot, "r1 = r0; call bpf_sk_release")}`

/** The full socket of the packet in r7, which a test run gives. */
const withSocket = (body: string): string =>
  `r1 = *(u64 *)(r6 + 168); if r1 == 0 goto none; call bpf_sk_fullsock; if r0 == 0 goto none
   r7 = r0
   ${body}
   none: r0 = 0`

const sockets: readonly HelperCase[] = [
  ...["sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp"].map((helper) =>
    one(
      `bpf_${helper} where nobody listens, with sizes, namespaces and flags that are none`,
      TC,
      `${tuple}
       ${lookup(0, helper, 12, -1, 0)}
       ${lookup(1, helper, 13, -1, 0)}
       ${lookup(2, helper, 12, 12345, 0)}
       ${lookup(3, helper, 12, -1, 1)}`,
    ),
  ),
  one(
    "bpf_get_socket_cookie, bpf_get_socket_uid and bpf_get_netns_cookie of a test run's socket",
    TC,
    `r1 = r6; call bpf_get_socket_cookie; ${saveWhether(0)}
     r1 = r6; call bpf_get_socket_uid; ${save(1)}
     r1 = 0; call bpf_get_netns_cookie; ${saveWhether(2)}`,
  ),
  one(
    "bpf_sk_cgroup_id, bpf_sk_ancestor_cgroup_id, bpf_get_listener_sock of a test run's socket",
    CGROUP_SKB,
    withSocket(
      `r1 = r7; call bpf_sk_cgroup_id; ${saveWhether(0)}
       r1 = r7; r2 = 0; call bpf_sk_ancestor_cgroup_id; ${save(1)}
       r1 = r7; r2 = 500; call bpf_sk_ancestor_cgroup_id; ${save(2)}
       r1 = r7; call bpf_get_listener_sock; ${saveWhether(3)}
       r1 = *(u32 *)(r7 + 4); ${save(4, "r1")}`,
    ),
  ),
  one(
    "bpf_sk_assign and bpf_skc_to_*: a test run's socket is of no family",
    TC,
    withSocket(
      `${[
        "skc_to_tcp_sock",
        "skc_to_tcp6_sock",
        "skc_to_tcp_timewait_sock",
        "skc_to_tcp_request_sock",
        "skc_to_udp6_sock",
        "skc_to_unix_sock",
        "skc_to_mptcp_sock",
      ]
        .map((helper, slot) => `${call(helper, "r7")}; ${saveWhether(slot)}`)
        .join("\n")}
       r1 = r6; r2 = r7; r3 = 0; call bpf_sk_assign; ${save(8)}
       r1 = r6; r2 = r7; r3 = 1; call bpf_sk_assign; ${save(9)}`,
    ),
  ),
]

const events: readonly HelperCase[] = [
  one(
    "bpf_perf_event_read and bpf_perf_event_read_value of an empty slot, and beyond the last",
    RAW,
    `r1 = map[p] ll; r2 = 0; call bpf_perf_event_read; ${save(0)}
     r1 = map[p] ll; r2 = 9; call bpf_perf_event_read; ${save(1)}
     r1 = map[p] ll; r2 = 0; r3 = r9; r3 += 64; r4 = 24; call bpf_perf_event_read_value; ${save(2)}
     r1 = map[p] ll; r2 = 0; r3 = r9; r3 += 64; r4 = 16; call bpf_perf_event_read_value; ${save(3)}`,
    { maps: { p: PERF } },
  ),
  one(
    "bpf_timer_cancel of a timer that runs, and of one that does not",
    TC,
    `${words(-8, 0)}; ${frame("r2", -8)}; r1 = map[t] ll; call bpf_map_lookup_elem
     if r0 == 0 goto end; r7 = r0
     r1 = r7; r2 = map[t] ll; r3 = 1; call bpf_timer_init; ${save(0)}
     r1 = r7; call bpf_timer_cancel; ${save(1)}
     r1 = r7; r2 = subprog[expire] ll; call bpf_timer_set_callback; ${save(2)}
     r1 = r7; r2 = 1000000000000 ll; r3 = 0; call bpf_timer_start; ${save(3)}
     r1 = r7; call bpf_timer_cancel; ${save(4)}
     r1 = r7; call bpf_timer_cancel; ${save(5)}
     end: r0 = 0; exit
     expire: r0 = 0`,
    {
      maps: { t: { type: "BPF_MAP_TYPE_ARRAY", key: 4, value: 24, entries: 1, btf: "bpf_timer" } },
      callbacks: ["expire"],
    },
  ),
  one(
    "bpf_user_ringbuf_drain of an empty ring, and with flags",
    RAW,
    `r1 = map[u] ll; r2 = subprog[take] ll; r3 = r10; r4 = 0; call bpf_user_ringbuf_drain; ${save(0)}
     r1 = map[u] ll; r2 = subprog[take] ll; r3 = r10; r4 = 1; call bpf_user_ringbuf_drain; ${save(1)}
     r1 = map[u] ll; r2 = subprog[take] ll; r3 = r10; r4 = 4; call bpf_user_ringbuf_drain; ${save(2)}
     r0 = 0; exit
     take: r0 = 0`,
    {
      maps: { u: { type: "BPF_MAP_TYPE_USER_RINGBUF", key: 0, value: 0, entries: 4096 } },
      callbacks: ["take"],
    },
  ),
]

const names: readonly HelperCase[] = [
  one(
    "bpf_btf_find_by_name_kind of types that are there, are not, and with flags",
    SYSCALL,
    `${string(-32, "task_struct")}
     ${frame("r1", -32)}; r2 = 12; r3 = 4; r4 = 0; call bpf_btf_find_by_name_kind; ${save(0)}
     ${frame("r1", -32)}; r2 = 12; r3 = 1; r4 = 0; call bpf_btf_find_by_name_kind; ${save(1)}
     ${frame("r1", -32)}; r2 = 12; r3 = 4; r4 = 1; call bpf_btf_find_by_name_kind; ${save(2)}
     ${frame("r1", -32)}; r2 = 5; r3 = 4; r4 = 0; call bpf_btf_find_by_name_kind; ${save(3)}`,
  ),
  one(
    "bpf_kallsyms_lookup_name of symbols that are not there, and with flags",
    SYSCALL,
    `${string(-32, "no_such_symbol")}
     ${frame("r1", -32)}; r2 = 15; r3 = 0; r4 = r9; r4 += 64; call bpf_kallsyms_lookup_name; ${save(0)}
     ${frame("r1", -32)}; r2 = 15; r3 = 1; r4 = r9; r4 += 64; call bpf_kallsyms_lookup_name; ${save(1)}
     ${frame("r1", -32)}; r2 = 5; r3 = 0; r4 = r9; r4 += 64; call bpf_kallsyms_lookup_name; ${save(2)}`,
  ),
]

const tunnels: readonly HelperCase[] = [
  ...(["LWT_IN", "LWT_XMIT"] as const).map((type) =>
    one(
      `bpf_lwt_push_encap in ${type}: kinds that are none, and a header that is none`,
      `BPF_PROG_TYPE_${type}`,
      `${quads(-32, 0, 0, 0, 0)}
       r1 = r6; r2 = 9; ${frame("r3", -32)}; r4 = 20; call bpf_lwt_push_encap; ${save(0)}
       r1 = r6; r2 = 2; ${frame("r3", -32)}; r4 = 20; call bpf_lwt_push_encap; ${save(1)}`,
    ),
  ),
]

const systemCalls: readonly HelperCase[] = [
  one(
    "bpf_sys_close of descriptors that are not open",
    SYSCALL,
    `r1 = 9999; call bpf_sys_close; ${save(0)}; r1 = -1; call bpf_sys_close; ${save(1)}`,
  ),
  one(
    "bpf_sys_bpf: commands that it has, with attributes that are none, and commands that it has not",
    SYSCALL,
    [0, 1, 3, 5, 7, 13, 22, 999]
      .map(
        (command, slot) =>
          `${quads(-48, 9999, 0, 0, 0)}; r1 = ${command}; ${frame("r2", -48)}; r3 = 32
           call bpf_sys_bpf; ${save(slot)}`,
      )
      .join("\n"),
  ),
]

const cookies: readonly HelperCase[] = [
  one(
    "bpf_tcp_raw_check_syncookie_ipv4 and _ipv6 of a cookie that nobody made",
    XDP,
    `${quads(-64, 0, 0, 0, 0, 0, 0, 0, 0)}; ${words(-24, 0, 0, 0, 0, 0)}
     ${frame("r1", -64)}; ${frame("r2", -24)}; call bpf_tcp_raw_check_syncookie_ipv4; ${save(0)}
     ${frame("r1", -64)}; ${frame("r2", -24)}; call bpf_tcp_raw_check_syncookie_ipv6; ${save(1)}`,
  ),
  one(
    "bpf_tcp_raw_gen_syncookie_ipv4 and _ipv6: a header that is too short, and their own cookie",
    XDP,
    `${quads(-64, 0, 0, 0, 0, 0, 0, 0, 0)}; ${words(-24, 0, 0, 0, 0x50, 0)}
     ${frame("r1", -64)}; ${frame("r2", -24)}; r3 = 20; call bpf_tcp_raw_gen_syncookie_ipv4; r0 s>>= 63; ${save(0)}
     ${frame("r1", -64)}; ${frame("r2", -24)}; r3 = 19; call bpf_tcp_raw_gen_syncookie_ipv4; ${save(1)}
     ${frame("r1", -64)}; ${frame("r2", -24)}; r3 = 20; call bpf_tcp_raw_gen_syncookie_ipv6; r0 s>>= 63; ${save(2)}
     ${frame("r1", -64)}; ${frame("r2", -24)}; r3 = 19; call bpf_tcp_raw_gen_syncookie_ipv6; ${save(3)}`,
  ),
]

const kfuncs: readonly HelperCase[] = [
  one(
    "bpf_preempt_disable and bpf_preempt_enable, nested",
    SYSCALL,
    `call kfunc bpf_preempt_disable; call kfunc bpf_preempt_disable
     call kfunc bpf_preempt_enable; call kfunc bpf_preempt_enable; r1 = 5; ${save(0, "r1")}`,
  ),
  one(
    "bpf_task_acquire and bpf_task_release of the current task",
    SYSCALL,
    `call bpf_get_current_task_btf; r1 = r0; call kfunc bpf_task_acquire
     ${unlessNull(0, "r1 = r0; call kfunc bpf_task_release")}`,
  ),
  one(
    "bpf_task_from_pid and bpf_task_from_vpid of pids that nobody has",
    SYSCALL,
    `r1 = 0x7ffffff0; call kfunc bpf_task_from_pid
     ${unlessNull(0, "r1 = r0; call kfunc bpf_task_release")}
     r1 = 0x7ffffff0; call kfunc bpf_task_from_vpid
     ${unlessNull(1, "r1 = r0; call kfunc bpf_task_release")}`,
  ),
  one(
    "bpf_rdonly_cast of a task that is a mere number: its pid is the current one",
    TC,
    `call bpf_get_current_task; r1 = r0; r2 = @id(task_struct); call kfunc bpf_rdonly_cast
     r7 = *(u32 *)(r0 + @offset(task_struct.pid)); call bpf_get_current_pid_tgid
     r0 <<= 32; r0 >>= 32; r7 -= r0; ${save(0, "r7")}; r1 = 1; ${save(1, "r1")}`,
  ),
  ...(["skb", "xdp"] as const).map((kind) =>
    one(
      `bpf_dynptr_slice_rdwr of a ${kind}: what is written there is in the packet`,
      kind === "skb" ? TC : XDP,
      `r1 = r6; r2 = 0; ${frame("r3", -16)}; call kfunc bpf_dynptr_from_${kind}; ${save(0)}
       ${frame("r1", -16)}; r2 = 14; ${frame("r3", -48)}; r4 = 8; call kfunc bpf_dynptr_slice_rdwr
       ${unlessNull(1, "*(u64 *)(r0 + 0) = 0x55aa55")}`,
    ),
  ),
]

export const helperCases: Readonly<Record<string, readonly HelperCase[]>> = {
  ...{ memory, tasks, cgroups, sockets, events, names, cookies, tunnels },
  "system calls": systemCalls,
  "kernel functions": kfuncs,
}

/**
 * What the running Linux refuses to load (lockdown, devices without hints), with what its source
 * says: the slots from 0 on.
 */
export const expectedCases: readonly (readonly [HelperCase, slots: readonly bigint[]])[] = [
  [
    // bpf_probe_write_user: copy_to_user_nofault of an address that is not mapped; kernel threads
    // have no user memory at all.
    one(
      "bpf_probe_write_user by a kernel thread",
      RAW,
      `${quads(-8, 1)}; r1 = 0; ${frame("r2", -8)}; r3 = 8; call bpf_probe_write_user; ${save(0)}`,
    ),
    [-1n],
  ],
  [
    // bpf_send_signal_common: "Similar to bpf_probe_write_user, task needs to be in a sound condition".
    one(
      "bpf_send_signal and bpf_send_signal_thread in a kernel thread",
      RAW,
      `r1 = 9; call bpf_send_signal; ${save(0)}; r1 = 9; call bpf_send_signal_thread; ${save(1)}`,
    ),
    [-1n, -1n],
  ],
  [
    // net/core/xdp.c: a driver without the hint, -EOPNOTSUPP.
    one(
      "bpf_xdp_metadata_rx_timestamp, _rx_hash, _rx_vlan_tag of a device without hints",
      XDP,
      `${quads(-16, 0, 0)}
       r1 = r6; ${frame("r2", -8)}; call kfunc bpf_xdp_metadata_rx_timestamp; ${save(0)}
       r1 = r6; ${frame("r2", -8)}; ${frame("r3", -16)}; call kfunc bpf_xdp_metadata_rx_hash; ${save(1)}
       r1 = r6; ${frame("r2", -8)}; ${frame("r3", -16)}; call kfunc bpf_xdp_metadata_rx_vlan_tag; ${save(2)}`,
    ),
    [-95n, -95n, -95n].map((errno) => BigInt.asUintN(32, errno)),
  ],
]
