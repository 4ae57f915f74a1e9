/**
 * Which program types may call which helpers: what the kernel's `*_func_proto` functions decide.
 * The lists are for a caller with all capabilities, a kernel with every option, and no lockdown.
 *
 * Source: linux v6.18 kernel/bpf/helpers.c bpf_base_func_proto, kernel/trace/bpf_trace.c,
 * net/core/filter.c, kernel/bpf/cgroup.c, kernel/bpf/bpf_lsm.c, kernel/bpf/syscall.c,
 * drivers/media/rc/bpf-lirc.c, net/ipv4/bpf_tcp_ca.c.
 */

import { HELPER_NAMES, type HelperName } from "./helper-names.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "./program-types.ts"

type Names = readonly HelperName[]

function list(text: string): Names {
  return text.trim().split(/\s+/) as unknown as Names
}

/** What every program type may call, except lirc_mode2. */
export const BASE_HELPERS: Names = list(`
  map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem
  map_lookup_percpu_elem for_each_map_elem
  ktime_get_ns ktime_get_boot_ns ktime_get_tai_ns jiffies64
  get_prandom_u32 get_smp_processor_id get_numa_node_id tail_call loop
  trace_printk trace_vprintk snprintf snprintf_btf strtol strtoul strncmp
  get_current_pid_tgid get_ns_current_pid_tgid get_current_uid_gid get_current_comm
  get_current_task get_current_task_btf task_pt_regs get_task_stack find_vma
  get_current_cgroup_id get_current_ancestor_cgroup_id get_cgroup_classid
  current_task_under_cgroup send_signal send_signal_thread
  perf_event_read perf_event_read_value get_branch_snapshot
  probe_read_user probe_read_user_str probe_read_kernel probe_read_kernel_str
  copy_from_user copy_from_user_task per_cpu_ptr this_cpu_ptr
  spin_lock spin_unlock timer_init timer_set_callback timer_start timer_cancel kptr_xchg
  ringbuf_output ringbuf_reserve ringbuf_submit ringbuf_discard ringbuf_query
  ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr user_ringbuf_drain
  dynptr_from_mem dynptr_read dynptr_write dynptr_data
  task_storage_get task_storage_delete cgrp_storage_get cgrp_storage_delete
`)

/** bpf_sk_base_func_proto(): what programs that handle sockets or packets have more. */
const socketBase = list(`
  skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
  skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock ktime_get_coarse_ns
`)

/** Tracing programs of every kind; probe_write_user only where the kernel is not locked down. */
const tracing = list(`
  probe_read probe_read_str probe_write_user perf_event_output get_stackid get_stack get_func_ip
`)

const packetFilter = list(
  "perf_event_output skb_load_bytes skb_load_bytes_relative get_socket_cookie get_socket_uid",
)
const socketLookup = list("sk_lookup_tcp sk_lookup_udp skc_lookup_tcp sk_release")
const socketStorage = list("sk_storage_get sk_storage_delete")
const syncookies = list(`
  tcp_check_syncookie tcp_gen_syncookie tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6
  tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6
`)
const lightweightTunnel = list(`
  get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup get_hash_recalc
  skb_pull_data
`)
const cgroupCommon = list("get_local_storage")
const returnValue = list("get_retval set_retval")

const trafficControl = list(`
  skb_store_bytes l3_csum_replace l4_csum_replace csum_update csum_level csum_diff
  skb_vlan_push skb_vlan_pop skb_change_proto skb_change_type skb_change_tail skb_change_head
  skb_adjust_room skb_pull_data skb_set_tstamp skb_ecn_set_ce
  skb_get_tunnel_key skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt skb_get_xfrm_state
  clone_redirect redirect redirect_neigh redirect_peer fib_lookup check_mtu get_route_realm
  get_hash_recalc set_hash_invalid set_hash
  skb_under_cgroup skb_cgroup_id skb_ancestor_cgroup_id skb_cgroup_classid
  sk_fullsock tcp_sock get_listener_sock sk_assign get_netns_cookie
`)

/** What tracing_prog_func_proto() adds for programs with typed arguments. */
const typedTracing = list(`
  skb_output xdp_output xdp_get_buff_len sock_from_file get_socket_cookie d_path
  sk_storage_get sk_storage_delete
  skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
  skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock
`)

const lirc = list(`
  rc_repeat rc_keydown rc_pointer_rel
  map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem
  ktime_get_ns ktime_get_boot_ns tail_call get_prandom_u32 trace_printk
`)

const rawTracepoint = [...tracing, ...list("get_attach_cookie")]

/** What each program type may call beyond {@link BASE_HELPERS}, whatever its attach type. */
const own: Readonly<Record<number, Names>> = {
  [PT.BPF_PROG_TYPE_SOCKET_FILTER]: [...packetFilter, ...socketBase, ...list("get_netns_cookie")],
  [PT.BPF_PROG_TYPE_KPROBE]: [...rawTracepoint, ...list("override_return")],
  [PT.BPF_PROG_TYPE_TRACEPOINT]: rawTracepoint,
  [PT.BPF_PROG_TYPE_PERF_EVENT]: [
    ...rawTracepoint,
    ...list("perf_prog_read_value read_branch_records"),
  ],
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT]: rawTracepoint,
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE]: rawTracepoint,
  [PT.BPF_PROG_TYPE_TRACING]: [...tracing, ...typedTracing],
  [PT.BPF_PROG_TYPE_LSM]: [
    ...tracing,
    ...typedTracing,
    ...list("inode_storage_get inode_storage_delete bprm_opts_set ima_inode_hash ima_file_hash"),
    ...list("get_attach_cookie get_func_arg get_func_ret get_func_arg_cnt"),
  ],
  [PT.BPF_PROG_TYPE_SYSCALL]: [
    ...tracing,
    ...typedTracing,
    ...list("sys_bpf sys_close btf_find_by_name_kind kallsyms_lookup_name"),
  ],
  [PT.BPF_PROG_TYPE_SCHED_CLS]: [
    ...packetFilter,
    ...trafficControl,
    ...socketLookup,
    ...socketStorage,
    ...syncookies,
    ...socketBase,
  ],
  [PT.BPF_PROG_TYPE_XDP]: [
    ...list("redirect redirect_map perf_event_output csum_diff fib_lookup check_mtu"),
    ...list("xdp_adjust_head xdp_adjust_meta xdp_adjust_tail"),
    ...list("xdp_get_buff_len xdp_load_bytes xdp_store_bytes"),
    ...socketLookup,
    ...syncookies,
    ...socketBase,
  ],
  [PT.BPF_PROG_TYPE_CGROUP_SKB]: [
    ...packetFilter,
    ...socketLookup,
    ...socketStorage,
    ...socketBase,
    ...cgroupCommon,
    ...list("skb_cgroup_id skb_ancestor_cgroup_id sk_cgroup_id sk_ancestor_cgroup_id"),
    ...list("sk_fullsock tcp_sock get_listener_sock skb_ecn_set_ce get_netns_cookie"),
  ],
  [PT.BPF_PROG_TYPE_CGROUP_SOCK]: [
    ...cgroupCommon,
    ...returnValue,
    ...list("perf_event_output get_socket_cookie get_netns_cookie sk_storage_get"),
    ...list("ktime_get_coarse_ns"),
  ],
  [PT.BPF_PROG_TYPE_LWT_IN]: [...lightweightTunnel, ...socketBase, ...list("lwt_push_encap")],
  [PT.BPF_PROG_TYPE_LWT_OUT]: [...lightweightTunnel, ...socketBase],
  [PT.BPF_PROG_TYPE_LWT_XMIT]: [
    ...lightweightTunnel,
    ...socketBase,
    ...list("skb_store_bytes l3_csum_replace l4_csum_replace csum_update csum_level"),
    ...list("skb_get_tunnel_key skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt"),
    ...list("redirect clone_redirect skb_change_tail skb_change_head set_hash_invalid"),
    ...list("lwt_push_encap"),
  ],
  [PT.BPF_PROG_TYPE_LWT_SEG6LOCAL]: [
    ...lightweightTunnel,
    ...socketBase,
    ...list("lwt_seg6_store_bytes lwt_seg6_action lwt_seg6_adjust_srh"),
  ],
  [PT.BPF_PROG_TYPE_SOCK_OPS]: [
    ...socketBase,
    ...socketStorage,
    ...cgroupCommon,
    ...list("setsockopt getsockopt sock_ops_cb_flags_set sock_map_update sock_hash_update"),
    ...list("get_socket_cookie get_netns_cookie perf_event_output tcp_sock"),
    ...list("load_hdr_opt store_hdr_opt reserve_hdr_opt"),
  ],
  [PT.BPF_PROG_TYPE_SK_SKB]: [
    ...socketBase,
    ...socketLookup,
    ...list("skb_store_bytes skb_load_bytes skb_pull_data skb_change_tail skb_change_head"),
    ...list("skb_adjust_room get_socket_cookie get_socket_uid sk_redirect_map sk_redirect_hash"),
    ...list("perf_event_output"),
  ],
  [PT.BPF_PROG_TYPE_CGROUP_DEVICE]: [...cgroupCommon, ...returnValue, ...list("perf_event_output")],
  [PT.BPF_PROG_TYPE_SK_MSG]: [
    ...socketBase,
    ...socketStorage,
    ...list("msg_redirect_map msg_redirect_hash msg_apply_bytes msg_cork_bytes msg_pull_data"),
    ...list("msg_push_data msg_pop_data perf_event_output get_netns_cookie"),
  ],
  [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: [
    ...socketBase,
    ...socketLookup,
    ...socketStorage,
    ...cgroupCommon,
    ...list("get_socket_cookie get_netns_cookie perf_event_output setsockopt getsockopt"),
  ],
  [PT.BPF_PROG_TYPE_SK_REUSEPORT]: list(`
    sk_select_reuseport skb_load_bytes skb_load_bytes_relative get_socket_cookie
    ktime_get_coarse_ns
  `),
  [PT.BPF_PROG_TYPE_FLOW_DISSECTOR]: [...socketBase, ...list("skb_load_bytes")],
  [PT.BPF_PROG_TYPE_CGROUP_SYSCTL]: [
    ...cgroupCommon,
    ...returnValue,
    ...list("sysctl_get_name sysctl_get_current_value sysctl_get_new_value"),
    ...list("sysctl_set_new_value ktime_get_coarse_ns perf_event_output"),
  ],
  [PT.BPF_PROG_TYPE_CGROUP_SOCKOPT]: [
    ...cgroupCommon,
    ...returnValue,
    ...socketStorage,
    ...list("get_netns_cookie tcp_sock perf_event_output"),
  ],
  [PT.BPF_PROG_TYPE_SK_LOOKUP]: [...socketBase, ...list("perf_event_output sk_assign sk_release")],
  [PT.BPF_PROG_TYPE_NETFILTER]: [],
  [PT.BPF_PROG_TYPE_STRUCT_OPS]: [],
}

/** Helpers that only some attach types of a program type may call. */
interface AttachRule {
  readonly type: number
  readonly attachTypes: readonly number[]
  readonly names: Names
}

const socketAddressVerdicts = [
  AT.BPF_CGROUP_INET4_BIND,
  AT.BPF_CGROUP_INET6_BIND,
  AT.BPF_CGROUP_INET4_CONNECT,
  AT.BPF_CGROUP_INET6_CONNECT,
  AT.BPF_CGROUP_UNIX_CONNECT,
  AT.BPF_CGROUP_UDP4_SENDMSG,
  AT.BPF_CGROUP_UDP6_SENDMSG,
  AT.BPF_CGROUP_UNIX_SENDMSG,
]
const trampolines = [AT.BPF_TRACE_FENTRY, AT.BPF_TRACE_FEXIT, AT.BPF_MODIFY_RETURN]

const attachRules: readonly AttachRule[] = [
  {
    type: PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    attachTypes: [AT.BPF_CGROUP_INET4_CONNECT, AT.BPF_CGROUP_INET6_CONNECT],
    names: list("bind"),
  },
  {
    type: PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    attachTypes: socketAddressVerdicts,
    names: returnValue,
  },
  {
    type: PT.BPF_PROG_TYPE_CGROUP_SOCKOPT,
    attachTypes: [AT.BPF_CGROUP_SETSOCKOPT],
    names: list("setsockopt getsockopt"),
  },
  {
    type: PT.BPF_PROG_TYPE_TRACING,
    attachTypes: trampolines,
    names: list("get_func_arg get_func_ret get_func_arg_cnt"),
  },
  {
    type: PT.BPF_PROG_TYPE_TRACING,
    attachTypes: [AT.BPF_TRACE_RAW_TP, ...trampolines],
    names: list("get_attach_cookie"),
  },
  {
    type: PT.BPF_PROG_TYPE_TRACING,
    attachTypes: [AT.BPF_TRACE_ITER],
    names: list("seq_printf seq_write seq_printf_btf"),
  },
  {
    type: PT.BPF_PROG_TYPE_LSM,
    attachTypes: [AT.BPF_LSM_CGROUP],
    names: [...cgroupCommon, ...returnValue],
  },
]

/** Helpers that depend on the target of the program: its BTF name without prefix. */
interface TargetRule {
  readonly type: number
  readonly names: Names
  readonly allows: (attachType: number, target: string) => boolean
}

const socketHooks =
  /^(sock_graft|inet_csk_clone|inet_conn_established|socket_post_create|socket_socketpair)$/

const targetRules: readonly TargetRule[] = [
  {
    // Only where the socket is locked, or not yet shared.
    type: PT.BPF_PROG_TYPE_LSM,
    names: list("setsockopt getsockopt"),
    allows: (attachType, target) => attachType === AT.BPF_LSM_CGROUP && socketHooks.test(target),
  },
  {
    type: PT.BPF_PROG_TYPE_TRACING,
    names: list("setsockopt getsockopt"),
    allows: (attachType, target) => attachType === AT.BPF_TRACE_ITER && target === "tcp",
  },
  {
    // The target of a struct_ops program is `struct.member`.
    type: PT.BPF_PROG_TYPE_STRUCT_OPS,
    names: list("tcp_send_ack sk_storage_get sk_storage_delete ktime_get_coarse_ns"),
    allows: (_attachType, target) => target.startsWith("tcp_congestion_ops."),
  },
  {
    // In release() a socket option could set the same algorithm again.
    type: PT.BPF_PROG_TYPE_STRUCT_OPS,
    names: list("setsockopt getsockopt"),
    allows: (_attachType, target) =>
      target.startsWith("tcp_congestion_ops.") && target !== "tcp_congestion_ops.release",
  },
]

const base = new Set<HelperName>(BASE_HELPERS)
const sets = new Map<number, ReadonlySet<HelperName>>()
for (const [type, names] of Object.entries(own)) sets.set(Number(type), new Set(names))
sets.set(PT.BPF_PROG_TYPE_SCHED_ACT, sets.get(PT.BPF_PROG_TYPE_SCHED_CLS)!)

/** What a program is, as far as helpers depend on it. */
export interface HelperCaller {
  readonly type: number
  /** `expected_attach_type`. */
  readonly attachType?: number
  /** Hook (`file_open`), iterator (`tcp`) or `struct.member` (`tcp_congestion_ops.init`). */
  readonly target?: string
}

/**
 * Why a program may not call a helper. `absent`: "program of this type cannot use helper";
 * `not_in_probe`: "helper call is not allowed in probe"; `only_trampolines`: "supported only for
 * fentry/fexit/fmod_ret programs"; `not_for_type`: "not supported for program type".
 */
export type HelperRefusal = "absent" | "not_in_probe" | "only_trampolines" | "not_for_type"

/** Functions whose argument's path may be asked for. Source: bpf_trace.c btf_allowlist_d_path. */
const pathFunctions = list(`
  security_file_permission security_inode_getattr security_file_open security_path_truncate
  vfs_truncate vfs_fallocate dentry_open vfs_getattr filp_close
`) as readonly string[]

function isPresent(name: HelperName, caller: Required<HelperCaller>): boolean {
  const { type, attachType, target } = caller
  if (type === PT.BPF_PROG_TYPE_LIRC_MODE2) return lirc.includes(name)
  // A device program need not name its hook; without, Linux takes it for one of ingress.
  if (type === PT.BPF_PROG_TYPE_CGROUP_DEVICE && attachType === AT.BPF_CGROUP_INET_INGRESS)
    if (returnValue.includes(name)) return false
  const own = sets.get(type)
  if (own === undefined) return false
  if (base.has(name) || own.has(name)) return true
  const byAttachType = attachRules.some(
    (rule) =>
      rule.type === type && rule.attachTypes.includes(attachType) && rule.names.includes(name),
  )
  if (byAttachType) return true
  return targetRules.some(
    (rule) => rule.type === type && rule.names.includes(name) && rule.allows(attachType, target),
  )
}

/** The `allowed` callback of a helper's bpf_func_proto. */
function allowedInPlace(name: HelperName, caller: Required<HelperCaller>): boolean {
  const { type, attachType, target } = caller
  const iterates = type === PT.BPF_PROG_TYPE_TRACING && attachType === AT.BPF_TRACE_ITER
  if (name === "d_path")
    return iterates || (type === PT.BPF_PROG_TYPE_LSM ? true : pathFunctions.includes(target))
  if ((name === "sk_storage_get" || name === "sk_storage_delete") && usesTracingStorage(type))
    return (
      iterates ||
      attachType === AT.BPF_TRACE_RAW_TP ||
      attachType === AT.BPF_TRACE_FENTRY ||
      attachType === AT.BPF_TRACE_FEXIT
    )
  return true
}

function usesTracingStorage(type: number): boolean {
  return type === PT.BPF_PROG_TYPE_TRACING || type === PT.BPF_PROG_TYPE_SYSCALL
}

/** Source: kernel/bpf/verifier.c check_get_func_ip. */
function refuseFunctionAddress(caller: Required<HelperCaller>): HelperRefusal | null {
  if (caller.type === PT.BPF_PROG_TYPE_KPROBE) return null
  if (caller.type !== PT.BPF_PROG_TYPE_TRACING) return "not_for_type"
  return trampolines.some((known) => known === caller.attachType) ? null : "only_trampolines"
}

/**
 * Why a program may not call a helper; `null` if it may. An ext program is to be asked for as the
 * program it replaces. That `d_path` and the `ima_` helpers need a sleepable LSM hook is not
 * looked at here.
 */
export function helperRefusal(id: number, caller: HelperCaller): HelperRefusal | null {
  const name = id > 0 ? HELPER_NAMES[id] : undefined
  const full = { attachType: 0, target: "", ...caller }
  if (name === undefined || !isPresent(name, full)) return "absent"
  if (!allowedInPlace(name, full)) return "not_in_probe"
  return name === "get_func_ip" ? refuseFunctionAddress(full) : null
}

/** Whether a program may call a helper: {@link helperRefusal} is `null`. */
export function helperAllowed(id: number, caller: HelperCaller): boolean {
  return helperRefusal(id, caller) === null
}

/** The ids of all helpers that a program may call, ascending. */
export function allowedHelpers(caller: HelperCaller): readonly number[] {
  return HELPER_NAMES.flatMap((_name, id) => (helperAllowed(id, caller) ? [id] : []))
}
