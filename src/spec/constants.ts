/**
 * Verdicts, flags and small enumerations that programs and helpers use, as Linux numbers them.
 * The headers in `include/` are generated from this file.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h, pkt_cls.h, netfilter.h.
 */

/** Verdicts of XDP programs. */
export const XDP_ACTION = {
  XDP_ABORTED: 0,
  XDP_DROP: 1,
  XDP_PASS: 2,
  XDP_TX: 3,
  XDP_REDIRECT: 4,
} as const

/** Verdicts of tc programs (sched_cls in direct-action mode, sched_act, tcx, netkit). Negative: go on with the next program or filter. */
export const TC_ACTION = {
  TC_ACT_UNSPEC: -1,
  TC_ACT_OK: 0,
  TC_ACT_RECLASSIFY: 1,
  TC_ACT_SHOT: 2,
  TC_ACT_PIPE: 3,
  TC_ACT_STOLEN: 4,
  TC_ACT_QUEUED: 5,
  TC_ACT_REPEAT: 6,
  TC_ACT_REDIRECT: 7,
  TC_ACT_TRAP: 8,
} as const

/** Verdicts of sk_skb, sk_msg, sk_reuseport and sk_lookup programs. */
export const SK_ACTION = {
  SK_DROP: 0,
  SK_PASS: 1,
} as const

/** Verdicts of netfilter programs; Linux allows only the first two. */
export const NETFILTER_VERDICT = {
  NF_DROP: 0,
  NF_ACCEPT: 1,
} as const

/** Verdicts of LWT and flow dissector programs. */
export const BPF_RET_CODE = {
  BPF_OK: 0,
  BPF_DROP: 2,
  BPF_REDIRECT: 7,
  BPF_LWT_REROUTE: 128,
  BPF_FLOW_DISSECTOR_CONTINUE: 129,
} as const

/** `flags` of bpf_skb_store_bytes(). */
export const BPF_SKB_STORE_FLAG = {
  BPF_F_RECOMPUTE_CSUM: 1,
  BPF_F_INVALIDATE_HASH: 2,
} as const

/** `flags` of bpf_l3_csum_replace() and bpf_l4_csum_replace(): the low bits are a field's size. */
export const BPF_CSUM_FLAG = {
  BPF_F_HDR_FIELD_MASK: 0xf,
  BPF_F_PSEUDO_HDR: 0x10,
  BPF_F_MARK_MANGLED_0: 0x20,
  BPF_F_MARK_ENFORCE: 0x40,
  BPF_F_IPV6: 0x80,
} as const

/** `flags` of bpf_skb_get_tunnel_key() and bpf_skb_set_tunnel_key(). */
export const BPF_TUNNEL_FLAG = {
  BPF_F_TUNINFO_IPV6: 1,
  BPF_F_ZERO_CSUM_TX: 2,
  BPF_F_DONT_FRAGMENT: 4,
  BPF_F_SEQ_NUMBER: 8,
  BPF_F_NO_TUNNEL_KEY: 0x10,
  BPF_F_TUNINFO_FLAGS: 0x10,
} as const

/** `flags` of bpf_get_stackid() and bpf_get_stack(); the low 8 bits are frames to skip. */
export const BPF_STACK_FLAG = {
  BPF_F_SKIP_FIELD_MASK: 0xff,
  BPF_F_USER_STACK: 0x100,
  BPF_F_FAST_STACK_CMP: 0x200,
  BPF_F_REUSE_STACKID: 0x400,
  BPF_F_USER_BUILD_ID: 0x800,
} as const

/** `flags` of bpf_perf_event_output(), bpf_perf_event_read() and bpf_perf_event_read_value(). */
export const BPF_EVENT_FLAG = {
  BPF_F_INDEX_MASK: 0xffffffff,
  BPF_F_CURRENT_CPU: 0xffffffff,
  BPF_F_CTXLEN_MASK: 0xfffff00000000,
} as const

/** `netns` of the socket lookups: the context's own namespace. */
export const BPF_NETNS = {
  BPF_F_CURRENT_NETNS: -1,
} as const

/** `level` of bpf_csum_level(). */
export const BPF_CSUM_LEVEL = {
  BPF_CSUM_LEVEL_QUERY: 0,
  BPF_CSUM_LEVEL_INC: 1,
  BPF_CSUM_LEVEL_DEC: 2,
  BPF_CSUM_LEVEL_RESET: 3,
} as const

/** `flags` of bpf_skb_adjust_room(). */
export const BPF_ADJ_ROOM_FLAG = {
  BPF_F_ADJ_ROOM_FIXED_GSO: 1,
  BPF_F_ADJ_ROOM_ENCAP_L3_IPV4: 2,
  BPF_F_ADJ_ROOM_ENCAP_L3_IPV6: 4,
  BPF_F_ADJ_ROOM_ENCAP_L4_GRE: 8,
  BPF_F_ADJ_ROOM_ENCAP_L4_UDP: 0x10,
  BPF_F_ADJ_ROOM_NO_CSUM_RESET: 0x20,
  BPF_F_ADJ_ROOM_ENCAP_L2_ETH: 0x40,
  BPF_F_ADJ_ROOM_DECAP_L3_IPV4: 0x80,
  BPF_F_ADJ_ROOM_DECAP_L3_IPV6: 0x100,
} as const

/** The inner L2 length in `flags` of bpf_skb_adjust_room(). */
export const BPF_ADJ_ROOM_ENCAP_L2 = {
  BPF_ADJ_ROOM_ENCAP_L2_MASK: 255,
  BPF_ADJ_ROOM_ENCAP_L2_SHIFT: 56,
} as const

/** `mode` of bpf_skb_adjust_room(). */
export const BPF_ADJ_ROOM_MODE = {
  BPF_ADJ_ROOM_NET: 0,
  BPF_ADJ_ROOM_MAC: 1,
} as const

/** `flags` of bpf_sysctl_get_name(). */
export const BPF_SYSCTL_FLAG = {
  BPF_F_SYSCTL_BASE_NAME: 1,
} as const

/** `flags` of the local storage helpers (socket, task, inode, cgroup). */
export const BPF_LOCAL_STORAGE_FLAG = {
  BPF_LOCAL_STORAGE_GET_F_CREATE: 1,
  BPF_SK_STORAGE_GET_F_CREATE: 1,
} as const

/** `flags` of bpf_read_branch_records(). */
export const BPF_BRANCH_FLAG = {
  BPF_F_GET_BRANCH_RECORDS_SIZE: 1,
} as const

/** `flags` of the ring buffer's submit, discard and output. */
export const BPF_RB_FLAG = {
  BPF_RB_NO_WAKEUP: 1,
  BPF_RB_FORCE_WAKEUP: 2,
} as const

/** `flags` of bpf_ringbuf_query(). */
export const BPF_RB_QUERY = {
  BPF_RB_AVAIL_DATA: 0,
  BPF_RB_RING_SIZE: 1,
  BPF_RB_CONS_POS: 2,
  BPF_RB_PROD_POS: 3,
} as const

/** Bits of a ring buffer record's length word, and its header's size. */
export const BPF_RINGBUF_HEADER = {
  BPF_RINGBUF_BUSY_BIT: 0x80000000,
  BPF_RINGBUF_DISCARD_BIT: 0x40000000,
  BPF_RINGBUF_HDR_SZ: 8,
} as const

/** `flags` of bpf_sk_assign() in sk_lookup programs. */
export const BPF_SK_LOOKUP_FLAG = {
  BPF_SK_LOOKUP_F_REPLACE: 1,
  BPF_SK_LOOKUP_F_NO_REUSEPORT: 2,
} as const

/** `flags` of bpf_bprm_opts_set(). */
export const BPF_BPRM_FLAG = {
  BPF_F_BPRM_SECUREEXEC: 1,
} as const

/** `flags` of bpf_redirect() and bpf_redirect_map(). */
export const BPF_REDIRECT_FLAG = {
  BPF_F_INGRESS: 1,
  BPF_F_BROADCAST: 8,
  BPF_F_EXCLUDE_INGRESS: 0x10,
} as const

/** `start_header` of bpf_skb_load_bytes_relative(). */
export const BPF_HDR_START = {
  BPF_HDR_START_MAC: 0,
  BPF_HDR_START_NET: 1,
} as const

/** `type` of bpf_lwt_push_encap(). */
export const BPF_LWT_ENCAP = {
  BPF_LWT_ENCAP_SEG6: 0,
  BPF_LWT_ENCAP_SEG6_INLINE: 1,
  BPF_LWT_ENCAP_IP: 2,
} as const

/** `tstamp_type` of bpf_skb_set_tstamp() and of `__sk_buff`; the first two are the older names. */
export const BPF_SKB_TSTAMP = {
  BPF_SKB_TSTAMP_UNSPEC: 0,
  BPF_SKB_TSTAMP_DELIVERY_MONO: 1,
  BPF_SKB_CLOCK_REALTIME: 0,
  BPF_SKB_CLOCK_MONOTONIC: 1,
  BPF_SKB_CLOCK_TAI: 2,
} as const

/** `flags` of bpf_timer_start(). */
export const BPF_TIMER_FLAG = {
  BPF_F_TIMER_ABS: 1,
  BPF_F_TIMER_CPU_PIN: 2,
} as const

/** Callbacks a socket asks for: bpf_sock_ops_cb_flags_set(). */
export const BPF_SOCK_OPS_FLAG = {
  BPF_SOCK_OPS_RTO_CB_FLAG: 1,
  BPF_SOCK_OPS_RETRANS_CB_FLAG: 2,
  BPF_SOCK_OPS_STATE_CB_FLAG: 4,
  BPF_SOCK_OPS_RTT_CB_FLAG: 8,
  BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG: 0x10,
  BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG: 0x20,
  BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG: 0x40,
  BPF_SOCK_OPS_ALL_CB_FLAGS: 0x7f,
} as const

/** `op` of a sock_ops program: why it was called. */
export const BPF_SOCK_OPS = {
  BPF_SOCK_OPS_VOID: 0,
  BPF_SOCK_OPS_TIMEOUT_INIT: 1,
  BPF_SOCK_OPS_RWND_INIT: 2,
  BPF_SOCK_OPS_TCP_CONNECT_CB: 3,
  BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB: 4,
  BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB: 5,
  BPF_SOCK_OPS_NEEDS_ECN: 6,
  BPF_SOCK_OPS_BASE_RTT: 7,
  BPF_SOCK_OPS_RTO_CB: 8,
  BPF_SOCK_OPS_RETRANS_CB: 9,
  BPF_SOCK_OPS_STATE_CB: 10,
  BPF_SOCK_OPS_TCP_LISTEN_CB: 11,
  BPF_SOCK_OPS_RTT_CB: 12,
  BPF_SOCK_OPS_PARSE_HDR_OPT_CB: 13,
  BPF_SOCK_OPS_HDR_OPT_LEN_CB: 14,
  BPF_SOCK_OPS_WRITE_HDR_OPT_CB: 15,
  BPF_SOCK_OPS_TSTAMP_SCHED_CB: 16,
  BPF_SOCK_OPS_TSTAMP_SND_SW_CB: 17,
  BPF_SOCK_OPS_TSTAMP_SND_HW_CB: 18,
  BPF_SOCK_OPS_TSTAMP_ACK_CB: 19,
  BPF_SOCK_OPS_TSTAMP_SENDMSG_CB: 20,
} as const

/** TCP states as sock_ops programs see them. */
export const BPF_TCP_STATE = {
  BPF_TCP_ESTABLISHED: 1,
  BPF_TCP_SYN_SENT: 2,
  BPF_TCP_SYN_RECV: 3,
  BPF_TCP_FIN_WAIT1: 4,
  BPF_TCP_FIN_WAIT2: 5,
  BPF_TCP_TIME_WAIT: 6,
  BPF_TCP_CLOSE: 7,
  BPF_TCP_CLOSE_WAIT: 8,
  BPF_TCP_LAST_ACK: 9,
  BPF_TCP_LISTEN: 10,
  BPF_TCP_CLOSING: 11,
  BPF_TCP_NEW_SYN_RECV: 12,
  BPF_TCP_BOUND_INACTIVE: 13,
  BPF_TCP_MAX_STATES: 14,
} as const

/** Options of bpf_setsockopt() and bpf_getsockopt() at level SOL_TCP that only BPF has. */
export const TCP_BPF_OPTION = {
  TCP_BPF_IW: 1001,
  TCP_BPF_SNDCWND_CLAMP: 1002,
  TCP_BPF_DELACK_MAX: 1003,
  TCP_BPF_RTO_MIN: 1004,
  TCP_BPF_SYN: 1005,
  TCP_BPF_SYN_IP: 1006,
  TCP_BPF_SYN_MAC: 1007,
  TCP_BPF_SOCK_OPS_CB_FLAGS: 1008,
  SK_BPF_CB_FLAGS: 1009,
} as const

/** `flags` of bpf_load_hdr_opt(), and `args[0]` of the header option callbacks. */
export const BPF_HDR_OPT = {
  BPF_LOAD_HDR_OPT_TCP_SYN: 1,
  BPF_WRITE_HDR_TCP_CURRENT_MSS: 1,
  BPF_WRITE_HDR_TCP_SYNACK_COOKIE: 2,
} as const

/** `flags` of bpf_fib_lookup(). */
export const BPF_FIB_LOOKUP_FLAG = {
  BPF_FIB_LOOKUP_DIRECT: 1,
  BPF_FIB_LOOKUP_OUTPUT: 2,
  BPF_FIB_LOOKUP_SKIP_NEIGH: 4,
  BPF_FIB_LOOKUP_TBID: 8,
  BPF_FIB_LOOKUP_SRC: 0x10,
  BPF_FIB_LOOKUP_MARK: 0x20,
} as const

/** Results of bpf_fib_lookup(). */
export const BPF_FIB_LOOKUP_RESULT = {
  BPF_FIB_LKUP_RET_SUCCESS: 0,
  BPF_FIB_LKUP_RET_BLACKHOLE: 1,
  BPF_FIB_LKUP_RET_UNREACHABLE: 2,
  BPF_FIB_LKUP_RET_PROHIBIT: 3,
  BPF_FIB_LKUP_RET_NOT_FWDED: 4,
  BPF_FIB_LKUP_RET_FWD_DISABLED: 5,
  BPF_FIB_LKUP_RET_UNSUPP_LWT: 6,
  BPF_FIB_LKUP_RET_NO_NEIGH: 7,
  BPF_FIB_LKUP_RET_FRAG_NEEDED: 8,
  BPF_FIB_LKUP_RET_NO_SRC_ADDR: 9,
} as const

/** `flags` of bpf_check_mtu(). */
export const BPF_MTU_CHECK_FLAG = {
  BPF_MTU_CHK_SEGS: 1,
} as const

/** Results of bpf_check_mtu(). */
export const BPF_MTU_CHECK_RESULT = {
  BPF_MTU_CHK_RET_SUCCESS: 0,
  BPF_MTU_CHK_RET_FRAG_NEEDED: 1,
  BPF_MTU_CHK_RET_SEGS_TOOBIG: 2,
} as const

/** What TASK_FD_QUERY finds an fd to be. */
export const BPF_TASK_FD_TYPE = {
  BPF_FD_TYPE_RAW_TRACEPOINT: 0,
  BPF_FD_TYPE_TRACEPOINT: 1,
  BPF_FD_TYPE_KPROBE: 2,
  BPF_FD_TYPE_KRETPROBE: 3,
  BPF_FD_TYPE_UPROBE: 4,
  BPF_FD_TYPE_URETPROBE: 5,
} as const

/** `flags` of `struct bpf_flow_keys`. */
export const BPF_FLOW_DISSECTOR_FLAG = {
  BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG: 1,
  BPF_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL: 2,
  BPF_FLOW_DISSECTOR_F_STOP_AT_ENCAP: 4,
} as const

/** `flags` of bpf_snprintf_btf() and bpf_seq_printf_btf(). */
export const BTF_PRINT_FLAG = {
  BTF_F_COMPACT: 1,
  BTF_F_NONAME: 2,
  BTF_F_PTR_RAW: 4,
  BTF_F_ZERO: 8,
} as const

/** `status` of `struct bpf_stack_build_id`. */
export const BPF_STACK_BUILD_ID_STATUS = {
  BPF_STACK_BUILD_ID_EMPTY: 0,
  BPF_STACK_BUILD_ID_VALID: 1,
  BPF_STACK_BUILD_ID_IP: 2,
} as const

/** `order` of a cgroup iterator. */
export const BPF_CGROUP_ITER_ORDER = {
  BPF_CGROUP_ITER_ORDER_UNSPEC: 0,
  BPF_CGROUP_ITER_SELF_ONLY: 1,
  BPF_CGROUP_ITER_DESCENDANTS_PRE: 2,
  BPF_CGROUP_ITER_DESCENDANTS_POST: 3,
  BPF_CGROUP_ITER_ANCESTORS_UP: 4,
} as const

/** `flags` of the open-coded task iterator. */
export const BPF_TASK_ITER = {
  BPF_TASK_ITER_ALL_PROCS: 0,
  BPF_TASK_ITER_ALL_THREADS: 1,
  BPF_TASK_ITER_PROC_THREADS: 2,
} as const

/** Streams of a program. */
export const BPF_STREAM = {
  BPF_STDOUT: 1,
  BPF_STDERR: 2,
} as const

/** `flags` of kprobe_multi and uprobe_multi links. */
export const BPF_MULTI_PROBE_FLAG = {
  BPF_F_KPROBE_MULTI_RETURN: 1,
  BPF_F_UPROBE_MULTI_RETURN: 1,
} as const

/** `type` of ENABLE_STATS. */
export const BPF_STATS = {
  BPF_STATS_RUN_TIME: 0,
} as const

/** A group of constants: its C enum tag (`null` for an anonymous one) and its values. */
export interface ConstantGroup {
  readonly tag: string | null
  readonly values: Readonly<Record<string, number>>
}

/** All groups, in the order of the generated headers. */
export const CONSTANT_GROUPS: readonly ConstantGroup[] = [
  { tag: "xdp_action", values: XDP_ACTION },
  { tag: "sk_action", values: SK_ACTION },
  { tag: "bpf_ret_code", values: BPF_RET_CODE },
  { tag: null, values: BPF_SKB_STORE_FLAG },
  { tag: null, values: BPF_CSUM_FLAG },
  { tag: null, values: BPF_TUNNEL_FLAG },
  { tag: null, values: BPF_STACK_FLAG },
  { tag: null, values: BPF_EVENT_FLAG },
  { tag: null, values: BPF_NETNS },
  { tag: null, values: BPF_CSUM_LEVEL },
  { tag: null, values: BPF_ADJ_ROOM_FLAG },
  { tag: null, values: BPF_ADJ_ROOM_ENCAP_L2 },
  { tag: "bpf_adj_room_mode", values: BPF_ADJ_ROOM_MODE },
  { tag: null, values: BPF_SYSCTL_FLAG },
  { tag: null, values: BPF_LOCAL_STORAGE_FLAG },
  { tag: null, values: BPF_BRANCH_FLAG },
  { tag: null, values: BPF_RB_FLAG },
  { tag: null, values: BPF_RB_QUERY },
  { tag: null, values: BPF_RINGBUF_HEADER },
  { tag: null, values: BPF_SK_LOOKUP_FLAG },
  { tag: null, values: BPF_BPRM_FLAG },
  { tag: null, values: BPF_REDIRECT_FLAG },
  { tag: "bpf_hdr_start_off", values: BPF_HDR_START },
  { tag: "bpf_lwt_encap_mode", values: BPF_LWT_ENCAP },
  { tag: null, values: BPF_SKB_TSTAMP },
  { tag: null, values: BPF_TIMER_FLAG },
  { tag: null, values: BPF_SOCK_OPS_FLAG },
  { tag: null, values: BPF_SOCK_OPS },
  { tag: null, values: BPF_TCP_STATE },
  { tag: null, values: TCP_BPF_OPTION },
  { tag: null, values: BPF_HDR_OPT },
  { tag: null, values: BPF_FIB_LOOKUP_FLAG },
  { tag: null, values: BPF_FIB_LOOKUP_RESULT },
  { tag: "bpf_check_mtu_flags", values: BPF_MTU_CHECK_FLAG },
  { tag: "bpf_check_mtu_ret", values: BPF_MTU_CHECK_RESULT },
  { tag: "bpf_task_fd_type", values: BPF_TASK_FD_TYPE },
  { tag: null, values: BPF_FLOW_DISSECTOR_FLAG },
  { tag: null, values: BTF_PRINT_FLAG },
  { tag: "bpf_stack_build_id_status", values: BPF_STACK_BUILD_ID_STATUS },
  { tag: "bpf_cgroup_iter_order", values: BPF_CGROUP_ITER_ORDER },
  { tag: null, values: BPF_TASK_ITER },
  { tag: "bpf_stream_id", values: BPF_STREAM },
  { tag: null, values: BPF_MULTI_PROBE_FLAG },
  { tag: "bpf_stats_type", values: BPF_STATS },
]
