/**
 * Context structures: what R1 points to when a program starts. Offsets and sizes are those that
 * programs see (UAPI); the kernel rewrites each access to its own structure. Byte order is the
 * machine's unless the type says `be16` or `be32`.
 *
 * A 32-bit field with a pointer role (`data` of `__sk_buff` and `xdp_md`) loads as a full 64-bit
 * pointer: the verifier turns the 32-bit load into the pointer's type.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h, arch/x86/include/asm/ptrace.h,
 * arch/arm64/include/uapi/asm/ptrace.h.
 */

import { BPF_PROG_TYPE as PT } from "./program-types.ts"

/** The type of a field's element. `ptr` is a 64-bit pointer. */
export type ContextFieldType = "u8" | "u16" | "u32" | "u64" | "s32" | "be16" | "be32" | "ptr"

/**
 * What a loaded field points to: packet bytes, their end, their metadata area, a `bpf_sock`,
 * the flow keys, or a kernel structure of that name. `null` is a plain number.
 */
export type PointerRole =
  | "packet"
  | "packet_end"
  | "packet_meta"
  | "sock"
  | "flow_keys"
  | "nf_hook_state"
  | "sk_buff"

export interface ContextField {
  readonly name: string
  /** Bytes from the start of the structure. */
  readonly offset: number
  readonly type: ContextFieldType
  /** Elements of an array; 1 for a plain field. */
  readonly count: number
  /** Bytes of the whole field. */
  readonly sizeBytes: number
  readonly pointer: PointerRole | null
}

export interface ContextLayout {
  /** The C structure's tag: `__sk_buff`. */
  readonly name: string
  /** 0 for the argument arrays of tracing programs, whose length is the target's. */
  readonly sizeBytes: number
  readonly fields: readonly ContextField[]
}

const elementBytes: Readonly<Record<string, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  s32: 4,
  be16: 2,
  be32: 4,
  ptr: 8,
}

type FieldRow = readonly [name: string, offset: number, type: string, pointer?: PointerRole]

function layout(name: string, sizeBytes: number, rows: readonly FieldRow[]): ContextLayout {
  const fields = rows.map(([field, offset, type, pointer]): ContextField => {
    const [element, length] = type.split("[")
    const count = length === undefined ? 1 : Number.parseInt(length, 10)
    const bytes = elementBytes[element] * count
    const kind = element as ContextFieldType
    return { name: field, offset, type: kind, count, sizeBytes: bytes, pointer: pointer ?? null }
  })
  return { name, sizeBytes, fields }
}

/** Every context structure, by its C tag; and `bpf_sock` and `bpf_flow_keys`, reached from one. */
export const CONTEXTS: Readonly<Record<string, ContextLayout>> = {
  __sk_buff: layout("__sk_buff", 192, [
    ["len", 0, "u32"],
    ["pkt_type", 4, "u32"],
    ["mark", 8, "u32"],
    ["queue_mapping", 12, "u32"],
    ["protocol", 16, "u32"],
    ["vlan_present", 20, "u32"],
    ["vlan_tci", 24, "u32"],
    ["vlan_proto", 28, "u32"],
    ["priority", 32, "u32"],
    ["ingress_ifindex", 36, "u32"],
    ["ifindex", 40, "u32"],
    ["tc_index", 44, "u32"],
    ["cb", 48, "u32[5]"],
    ["hash", 68, "u32"],
    ["tc_classid", 72, "u32"],
    ["data", 76, "u32", "packet"],
    ["data_end", 80, "u32", "packet_end"],
    ["napi_id", 84, "u32"],
    ["family", 88, "u32"],
    ["remote_ip4", 92, "u32"],
    ["local_ip4", 96, "u32"],
    ["remote_ip6", 100, "u32[4]"],
    ["local_ip6", 116, "u32[4]"],
    ["remote_port", 132, "u32"],
    ["local_port", 136, "u32"],
    ["data_meta", 140, "u32", "packet_meta"],
    ["flow_keys", 144, "ptr", "flow_keys"],
    ["tstamp", 152, "u64"],
    ["wire_len", 160, "u32"],
    ["gso_segs", 164, "u32"],
    ["sk", 168, "ptr", "sock"],
    ["gso_size", 176, "u32"],
    ["tstamp_type", 180, "u8"],
    ["hwtstamp", 184, "u64"],
  ]),
  xdp_md: layout("xdp_md", 24, [
    ["data", 0, "u32", "packet"],
    ["data_end", 4, "u32", "packet_end"],
    ["data_meta", 8, "u32", "packet_meta"],
    ["ingress_ifindex", 12, "u32"],
    ["rx_queue_index", 16, "u32"],
    ["egress_ifindex", 20, "u32"],
  ]),
  bpf_sock: layout("bpf_sock", 80, [
    ["bound_dev_if", 0, "u32"],
    ["family", 4, "u32"],
    ["type", 8, "u32"],
    ["protocol", 12, "u32"],
    ["mark", 16, "u32"],
    ["priority", 20, "u32"],
    ["src_ip4", 24, "u32"],
    ["src_ip6", 28, "u32[4]"],
    ["src_port", 44, "u32"],
    ["dst_port", 48, "be16"],
    ["dst_ip4", 52, "u32"],
    ["dst_ip6", 56, "u32[4]"],
    ["state", 72, "u32"],
    ["rx_queue_mapping", 76, "s32"],
  ]),
  bpf_sock_addr: layout("bpf_sock_addr", 72, [
    ["user_family", 0, "u32"],
    ["user_ip4", 4, "u32"],
    ["user_ip6", 8, "u32[4]"],
    ["user_port", 24, "u32"],
    ["family", 28, "u32"],
    ["type", 32, "u32"],
    ["protocol", 36, "u32"],
    ["msg_src_ip4", 40, "u32"],
    ["msg_src_ip6", 44, "u32[4]"],
    ["sk", 64, "ptr", "sock"],
  ]),
  bpf_sock_ops: layout("bpf_sock_ops", 224, [
    ["op", 0, "u32"],
    ["args", 4, "u32[4]"],
    ["reply", 4, "u32"],
    ["replylong", 4, "u32[4]"],
    ["family", 20, "u32"],
    ["remote_ip4", 24, "u32"],
    ["local_ip4", 28, "u32"],
    ["remote_ip6", 32, "u32[4]"],
    ["local_ip6", 48, "u32[4]"],
    ["remote_port", 64, "u32"],
    ["local_port", 68, "u32"],
    ["is_fullsock", 72, "u32"],
    ["snd_cwnd", 76, "u32"],
    ["srtt_us", 80, "u32"],
    ["bpf_sock_ops_cb_flags", 84, "u32"],
    ["state", 88, "u32"],
    ["rtt_min", 92, "u32"],
    ["snd_ssthresh", 96, "u32"],
    ["rcv_nxt", 100, "u32"],
    ["snd_nxt", 104, "u32"],
    ["snd_una", 108, "u32"],
    ["mss_cache", 112, "u32"],
    ["ecn_flags", 116, "u32"],
    ["rate_delivered", 120, "u32"],
    ["rate_interval_us", 124, "u32"],
    ["packets_out", 128, "u32"],
    ["retrans_out", 132, "u32"],
    ["total_retrans", 136, "u32"],
    ["segs_in", 140, "u32"],
    ["data_segs_in", 144, "u32"],
    ["segs_out", 148, "u32"],
    ["data_segs_out", 152, "u32"],
    ["lost_out", 156, "u32"],
    ["sacked_out", 160, "u32"],
    ["sk_txhash", 164, "u32"],
    ["bytes_received", 168, "u64"],
    ["bytes_acked", 176, "u64"],
    ["sk", 184, "ptr", "sock"],
    ["skb_data", 192, "ptr", "packet"],
    ["skb_data_end", 200, "ptr", "packet_end"],
    ["skb_len", 208, "u32"],
    ["skb_tcp_flags", 212, "u32"],
    ["skb_hwtstamp", 216, "u64"],
  ]),
  sk_msg_md: layout("sk_msg_md", 80, [
    ["data", 0, "ptr", "packet"],
    ["data_end", 8, "ptr", "packet_end"],
    ["family", 16, "u32"],
    ["remote_ip4", 20, "u32"],
    ["local_ip4", 24, "u32"],
    ["remote_ip6", 28, "u32[4]"],
    ["local_ip6", 44, "u32[4]"],
    ["remote_port", 60, "u32"],
    ["local_port", 64, "u32"],
    ["size", 68, "u32"],
    ["sk", 72, "ptr", "sock"],
  ]),
  sk_reuseport_md: layout("sk_reuseport_md", 56, [
    ["data", 0, "ptr", "packet"],
    ["data_end", 8, "ptr", "packet_end"],
    ["len", 16, "u32"],
    ["eth_protocol", 20, "u32"],
    ["ip_protocol", 24, "u32"],
    ["bind_inany", 28, "u32"],
    ["hash", 32, "u32"],
    ["sk", 40, "ptr", "sock"],
    ["migrating_sk", 48, "ptr", "sock"],
  ]),
  bpf_sk_lookup: layout("bpf_sk_lookup", 72, [
    ["sk", 0, "ptr", "sock"],
    ["cookie", 0, "u64"],
    ["family", 8, "u32"],
    ["protocol", 12, "u32"],
    ["remote_ip4", 16, "u32"],
    ["remote_ip6", 20, "u32[4]"],
    ["remote_port", 36, "be16"],
    ["local_ip4", 40, "u32"],
    ["local_ip6", 44, "u32[4]"],
    ["local_port", 60, "u32"],
    ["ingress_ifindex", 64, "u32"],
  ]),
  bpf_sysctl: layout("bpf_sysctl", 8, [
    ["write", 0, "u32"],
    ["file_pos", 4, "u32"],
  ]),
  bpf_sockopt: layout("bpf_sockopt", 40, [
    ["sk", 0, "ptr", "sock"],
    ["optval", 8, "ptr", "packet"],
    ["optval_end", 16, "ptr", "packet_end"],
    ["level", 24, "s32"],
    ["optname", 28, "s32"],
    ["optlen", 32, "s32"],
    ["retval", 36, "s32"],
  ]),
  bpf_cgroup_dev_ctx: layout("bpf_cgroup_dev_ctx", 12, [
    ["access_type", 0, "u32"],
    ["major", 4, "u32"],
    ["minor", 8, "u32"],
  ]),
  bpf_nf_ctx: layout("bpf_nf_ctx", 16, [
    ["state", 0, "ptr", "nf_hook_state"],
    ["skb", 8, "ptr", "sk_buff"],
  ]),
  bpf_flow_keys: layout("bpf_flow_keys", 56, [
    ["nhoff", 0, "u16"],
    ["thoff", 2, "u16"],
    ["addr_proto", 4, "u16"],
    ["is_frag", 6, "u8"],
    ["is_first_frag", 7, "u8"],
    ["is_encap", 8, "u8"],
    ["ip_proto", 9, "u8"],
    ["n_proto", 10, "be16"],
    ["sport", 12, "be16"],
    ["dport", 14, "be16"],
    ["ipv4_src", 16, "be32"],
    ["ipv4_dst", 20, "be32"],
    ["ipv6_src", 16, "u32[4]"],
    ["ipv6_dst", 32, "u32[4]"],
    ["flags", 48, "u32"],
    ["flow_label", 52, "be32"],
  ]),
  pt_regs: layout("pt_regs", 168, [
    ["r15", 0, "u64"],
    ["r14", 8, "u64"],
    ["r13", 16, "u64"],
    ["r12", 24, "u64"],
    ["bp", 32, "u64"],
    ["bx", 40, "u64"],
    ["r11", 48, "u64"],
    ["r10", 56, "u64"],
    ["r9", 64, "u64"],
    ["r8", 72, "u64"],
    ["ax", 80, "u64"],
    ["cx", 88, "u64"],
    ["dx", 96, "u64"],
    ["si", 104, "u64"],
    ["di", 112, "u64"],
    ["orig_ax", 120, "u64"],
    ["ip", 128, "u64"],
    ["cs", 136, "u64"],
    ["flags", 144, "u64"],
    ["sp", 152, "u64"],
    ["ss", 160, "u64"],
  ]),
  user_pt_regs: layout("user_pt_regs", 272, [
    ["x0", 0, "u64"],
    ["x1", 8, "u64"],
    ["x2", 16, "u64"],
    ["x3", 24, "u64"],
    ["x4", 32, "u64"],
    ["x5", 40, "u64"],
    ["x6", 48, "u64"],
    ["x7", 56, "u64"],
    ["x8", 64, "u64"],
    ["x9", 72, "u64"],
    ["x10", 80, "u64"],
    ["x11", 88, "u64"],
    ["x12", 96, "u64"],
    ["x13", 104, "u64"],
    ["x14", 112, "u64"],
    ["x15", 120, "u64"],
    ["x16", 128, "u64"],
    ["x17", 136, "u64"],
    ["x18", 144, "u64"],
    ["x19", 152, "u64"],
    ["x20", 160, "u64"],
    ["x21", 168, "u64"],
    ["x22", 176, "u64"],
    ["x23", 184, "u64"],
    ["x24", 192, "u64"],
    ["x25", 200, "u64"],
    ["x26", 208, "u64"],
    ["x27", 216, "u64"],
    ["x28", 224, "u64"],
    ["x29", 232, "u64"],
    ["x30", 240, "u64"],
    ["sp", 248, "u64"],
    ["pc", 256, "u64"],
    ["pstate", 264, "u64"],
  ]),
  bpf_perf_event_data: layout("bpf_perf_event_data", 184, [
    ["r15", 0, "u64"],
    ["r14", 8, "u64"],
    ["r13", 16, "u64"],
    ["r12", 24, "u64"],
    ["bp", 32, "u64"],
    ["bx", 40, "u64"],
    ["r11", 48, "u64"],
    ["r10", 56, "u64"],
    ["r9", 64, "u64"],
    ["r8", 72, "u64"],
    ["ax", 80, "u64"],
    ["cx", 88, "u64"],
    ["dx", 96, "u64"],
    ["si", 104, "u64"],
    ["di", 112, "u64"],
    ["orig_ax", 120, "u64"],
    ["ip", 128, "u64"],
    ["cs", 136, "u64"],
    ["flags", 144, "u64"],
    ["sp", 152, "u64"],
    ["ss", 160, "u64"],
    ["sample_period", 168, "u64"],
    ["addr", 176, "u64"],
  ]),
  /** Raw tracepoint arguments: 64 bits each, as many as the tracepoint has. */
  bpf_raw_tracepoint_args: layout("bpf_raw_tracepoint_args", 0, [["args", 0, "u64"]]),
}

const contextNames: Readonly<Record<number, string>> = {
  [PT.BPF_PROG_TYPE_SOCKET_FILTER]: "__sk_buff",
  [PT.BPF_PROG_TYPE_KPROBE]: "pt_regs",
  [PT.BPF_PROG_TYPE_SCHED_CLS]: "__sk_buff",
  [PT.BPF_PROG_TYPE_SCHED_ACT]: "__sk_buff",
  [PT.BPF_PROG_TYPE_XDP]: "xdp_md",
  [PT.BPF_PROG_TYPE_PERF_EVENT]: "bpf_perf_event_data",
  [PT.BPF_PROG_TYPE_CGROUP_SKB]: "__sk_buff",
  [PT.BPF_PROG_TYPE_CGROUP_SOCK]: "bpf_sock",
  [PT.BPF_PROG_TYPE_LWT_IN]: "__sk_buff",
  [PT.BPF_PROG_TYPE_LWT_OUT]: "__sk_buff",
  [PT.BPF_PROG_TYPE_LWT_XMIT]: "__sk_buff",
  [PT.BPF_PROG_TYPE_SOCK_OPS]: "bpf_sock_ops",
  [PT.BPF_PROG_TYPE_SK_SKB]: "__sk_buff",
  [PT.BPF_PROG_TYPE_CGROUP_DEVICE]: "bpf_cgroup_dev_ctx",
  [PT.BPF_PROG_TYPE_SK_MSG]: "sk_msg_md",
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT]: "bpf_raw_tracepoint_args",
  [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: "bpf_sock_addr",
  [PT.BPF_PROG_TYPE_LWT_SEG6LOCAL]: "__sk_buff",
  [PT.BPF_PROG_TYPE_SK_REUSEPORT]: "sk_reuseport_md",
  [PT.BPF_PROG_TYPE_FLOW_DISSECTOR]: "__sk_buff",
  [PT.BPF_PROG_TYPE_CGROUP_SYSCTL]: "bpf_sysctl",
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE]: "bpf_raw_tracepoint_args",
  [PT.BPF_PROG_TYPE_CGROUP_SOCKOPT]: "bpf_sockopt",
  [PT.BPF_PROG_TYPE_SK_LOOKUP]: "bpf_sk_lookup",
  [PT.BPF_PROG_TYPE_NETFILTER]: "bpf_nf_ctx",
}

/**
 * The context of a program type; `null` where the target decides it: tracepoint (the event's
 * record), tracing, LSM, struct_ops (arguments), ext (the replaced program's), syscall (caller's
 * bytes), lirc_mode2 (one u32 sample).
 */
export function contextOf(programType: number): ContextLayout | null {
  const name = contextNames[programType]
  return name === undefined ? null : CONTEXTS[name]
}

/** The first field that holds the byte at `offset`; `undefined` in padding or outside. */
export function fieldAt(layout: ContextLayout, offset: number): ContextField | undefined {
  return layout.fields.find(
    (field) => offset >= field.offset && offset < field.offset + field.sizeBytes,
  )
}
