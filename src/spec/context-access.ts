/**
 * Which bytes of its context a program may load and store: what the kernel's `is_valid_access`
 * functions decide, as lists of field names by program type and three rules on widths.
 *
 * A field is loaded whole; a `narrow` one also in aligned parts; a `start` one also in smaller
 * parts, but only from its first byte; the arrays of `paired` also 8 bytes at a time. Stores are
 * whole, except into `cb`, which takes any width. All accesses are aligned to their size.
 *
 * Source: linux v6.18 net/core/filter.c, kernel/bpf/cgroup.c, kernel/trace/bpf_trace.c
 * (*_is_valid_access).
 */

import { CONTEXTS, type ContextField, type ContextLayout, contextOf } from "./contexts.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "./program-types.ts"

type Width = "whole" | "narrow" | "start"

/** Fields that may be accessed in parts; all others are whole. */
const widths: Readonly<Record<string, { readonly narrow: string; readonly start?: string }>> = {
  __sk_buff: {
    narrow: `len pkt_type mark queue_mapping protocol vlan_present vlan_tci vlan_proto priority
      ingress_ifindex ifindex tc_index cb hash tc_classid napi_id family remote_port local_port
      wire_len gso_segs gso_size`,
  },
  bpf_sock: {
    narrow: "src_ip4 src_ip6 dst_port dst_ip4 dst_ip6",
    start: "family type protocol src_port state rx_queue_mapping",
  },
  bpf_sock_addr: { narrow: "user_ip4 user_ip6 user_port msg_src_ip4 msg_src_ip6" },
  bpf_sock_ops: { narrow: "", start: "skb_tcp_flags" },
  sk_reuseport_md: { narrow: "len eth_protocol ip_protocol bind_inany" },
  bpf_sk_lookup: {
    narrow: `family protocol remote_ip4 remote_ip6 remote_port local_ip4 local_ip6 local_port
      ingress_ifindex`,
  },
  bpf_sysctl: { narrow: "write file_pos" },
  bpf_cgroup_dev_ctx: { narrow: "access_type" },
  bpf_perf_event_data: { narrow: "sample_period addr" },
}

const paired = "cb user_ip6 msg_src_ip6".split(" ")

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "")
}

function widthOf(layout: ContextLayout, field: ContextField): Width {
  const known = widths[layout.name]
  if (known === undefined) return "whole"
  if (words(known.narrow).includes(field.name)) return "narrow"
  return words(known.start ?? "").includes(field.name) ? "start" : "whole"
}

interface AccessRow {
  readonly types: readonly number[]
  readonly attachTypes?: readonly number[]
  readonly read: string
  readonly write: string
}

const packetCommon = `len pkt_type mark queue_mapping protocol vlan_present vlan_tci vlan_proto
  priority ingress_ifindex ifindex tc_index cb hash napi_id gso_segs sk gso_size`
const packetPointers = "data data_end"
const addresses = "family remote_ip4 local_ip4 remote_ip6 local_ip6 remote_port local_port"
const socketCommon = "family type protocol dst_port dst_ip4 dst_ip6 state rx_queue_mapping"
const addressCommon = "user_family user_port family type protocol sk"

const ip4 = [
  AT.BPF_CGROUP_INET4_BIND,
  AT.BPF_CGROUP_INET4_CONNECT,
  AT.BPF_CGROUP_INET4_GETPEERNAME,
  AT.BPF_CGROUP_INET4_GETSOCKNAME,
  AT.BPF_CGROUP_UDP4_RECVMSG,
]
const ip6 = [
  AT.BPF_CGROUP_INET6_BIND,
  AT.BPF_CGROUP_INET6_CONNECT,
  AT.BPF_CGROUP_INET6_GETPEERNAME,
  AT.BPF_CGROUP_INET6_GETSOCKNAME,
  AT.BPF_CGROUP_UDP6_RECVMSG,
]

const rows: readonly AccessRow[] = [
  { types: [PT.BPF_PROG_TYPE_SOCKET_FILTER], read: packetCommon, write: "cb" },
  {
    types: [PT.BPF_PROG_TYPE_SCHED_CLS, PT.BPF_PROG_TYPE_SCHED_ACT],
    read: `${packetCommon} ${packetPointers} data_meta tc_classid tstamp tstamp_type hwtstamp
      wire_len`,
    write: "mark queue_mapping priority tc_index cb tc_classid tstamp",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SKB],
    read: `${packetCommon} ${packetPointers} ${addresses} tstamp hwtstamp`,
    write: "mark priority cb tstamp",
  },
  {
    types: [
      PT.BPF_PROG_TYPE_LWT_IN,
      PT.BPF_PROG_TYPE_LWT_OUT,
      PT.BPF_PROG_TYPE_LWT_XMIT,
      PT.BPF_PROG_TYPE_LWT_SEG6LOCAL,
    ],
    read: `${packetCommon} ${packetPointers}`,
    write: "mark priority cb",
  },
  {
    types: [PT.BPF_PROG_TYPE_SK_SKB],
    read: `${packetCommon.replace("mark", "")} ${packetPointers} ${addresses}`,
    write: "priority tc_index",
  },
  {
    types: [PT.BPF_PROG_TYPE_FLOW_DISSECTOR],
    read: `${packetPointers} flow_keys`,
    write: "",
  },
  {
    types: [PT.BPF_PROG_TYPE_XDP],
    read: "data data_end data_meta ingress_ifindex rx_queue_index",
    write: "",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCK],
    attachTypes: [AT.BPF_CGROUP_INET_SOCK_CREATE, AT.BPF_CGROUP_INET_SOCK_RELEASE],
    read: `${socketCommon} bound_dev_if mark priority`,
    write: "bound_dev_if mark priority",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCK],
    attachTypes: [AT.BPF_CGROUP_INET4_POST_BIND],
    read: `${socketCommon} src_ip4 src_port`,
    write: "",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCK],
    attachTypes: [AT.BPF_CGROUP_INET6_POST_BIND],
    read: `${socketCommon} src_ip6 src_port`,
    write: "",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
    attachTypes: ip4,
    read: `${addressCommon} user_ip4`,
    write: "user_ip4 user_port",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
    attachTypes: ip6,
    read: `${addressCommon} user_ip6`,
    write: "user_ip6 user_port",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
    attachTypes: [AT.BPF_CGROUP_UDP4_SENDMSG],
    read: `${addressCommon} user_ip4 msg_src_ip4`,
    write: "user_ip4 user_port msg_src_ip4",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
    attachTypes: [AT.BPF_CGROUP_UDP6_SENDMSG],
    read: `${addressCommon} user_ip6 msg_src_ip6`,
    write: "user_ip6 user_port msg_src_ip6",
  },
  { types: [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR], read: addressCommon, write: "user_port" },
  { types: [PT.BPF_PROG_TYPE_SOCK_OPS], read: "*", write: "reply sk_txhash" },
  { types: [PT.BPF_PROG_TYPE_SK_MSG], read: "*", write: "" },
  { types: [PT.BPF_PROG_TYPE_SK_REUSEPORT], read: "*", write: "" },
  { types: [PT.BPF_PROG_TYPE_SK_LOOKUP], read: "*", write: "" },
  { types: [PT.BPF_PROG_TYPE_CGROUP_DEVICE], read: "*", write: "" },
  { types: [PT.BPF_PROG_TYPE_CGROUP_SYSCTL], read: "*", write: "file_pos" },
  { types: [PT.BPF_PROG_TYPE_NETFILTER], read: "*", write: "" },
  { types: [PT.BPF_PROG_TYPE_PERF_EVENT], read: "*", write: "" },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCKOPT],
    attachTypes: [AT.BPF_CGROUP_GETSOCKOPT],
    read: "*",
    write: "optlen retval",
  },
  {
    types: [PT.BPF_PROG_TYPE_CGROUP_SOCKOPT],
    read: "sk optval optval_end level optname optlen",
    write: "level optname optlen",
  },
]

const allFields = (layout: ContextLayout): string[] => layout.fields.map(({ name }) => name)

/** The fields that a program may load and those it may store. */
export interface FieldAccess {
  readonly layout: ContextLayout
  readonly readable: readonly string[]
  readonly writable: readonly string[]
}

/**
 * The fields of a program's context that it may touch; `null` where the context has no fields of
 * its own (kprobes may load any register, tracepoints any byte of the record).
 */
export function fieldAccess(programType: number, attachType = 0): FieldAccess | null {
  const layout = contextOf(programType)
  const row = rows.find(
    ({ types, attachTypes }) =>
      types.includes(programType) && (attachTypes?.includes(attachType) ?? true),
  )
  if (layout === null || row === undefined) return null
  const readable = row.read === "*" ? allFields(layout) : words(row.read)
  return { layout, readable, writable: words(row.write) }
}

/** One load or store of a context. */
export interface ContextAccess {
  readonly offset: number
  /** 1, 2, 4 or 8. */
  readonly sizeBytes: number
  readonly write: boolean
}

/** PERF_MAX_TRACE_SIZE: the longest record of a tracepoint. */
const TRACE_RECORD_MAX = 8192
/** Twelve arguments of eight bytes. */
const RAW_ARGUMENTS_BYTES = 96
/** U16_MAX: the longest context of a syscall program. */
const SYSCALL_CONTEXT_MAX = 0xffff

/**
 * Whether a program may make this access to its context, at a constant offset. For tracing, LSM,
 * struct_ops and ext programs, whose context is their target's arguments, it is always false.
 */
export function contextAccessAllowed(
  programType: number,
  attachType: number,
  access: ContextAccess,
): boolean {
  const { offset, sizeBytes, write } = access
  if (offset < 0 || offset % sizeBytes !== 0) return false
  switch (programType) {
    case PT.BPF_PROG_TYPE_KPROBE:
      return !write && offset + sizeBytes <= CONTEXTS.pt_regs.sizeBytes
    case PT.BPF_PROG_TYPE_TRACEPOINT:
      // The first eight bytes are the kernel's.
      return !write && offset >= 8 && offset < TRACE_RECORD_MAX
    case PT.BPF_PROG_TYPE_RAW_TRACEPOINT:
      return !write && offset < RAW_ARGUMENTS_BYTES
    case PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
      // The first argument is a buffer that may be written, and is loaded whole.
      return !write && offset < RAW_ARGUMENTS_BYTES && (offset > 0 || sizeBytes === 8)
    case PT.BPF_PROG_TYPE_SYSCALL:
      return offset + sizeBytes <= SYSCALL_CONTEXT_MAX
    case PT.BPF_PROG_TYPE_LIRC_MODE2:
      return !write && offset === 0 && sizeBytes === 4
    default:
      return fieldAccessAllowed(programType, attachType, access)
  }
}

function fieldAccessAllowed(
  programType: number,
  attachType: number,
  access: ContextAccess,
): boolean {
  const rules = fieldAccess(programType, attachType)
  if (rules === null) return false
  const { layout, readable, writable } = rules
  const names = access.write ? writable : readable
  return layout.fields.some((field) => names.includes(field.name) && fits(layout, field, access))
}

function fits(layout: ContextLayout, field: ContextField, access: ContextAccess): boolean {
  const { offset, sizeBytes, write } = access
  const element = field.sizeBytes / field.count
  const inside = offset - field.offset
  if (inside < 0 || offset + sizeBytes > field.offset + field.sizeBytes)
    return extendsPort(layout, field, access)
  if (sizeBytes > element) return sizeBytes === 8 && paired.includes(field.name)
  if (sizeBytes === element) return inside % element === 0
  if (write) return field.name === "cb"
  if (field.name === "eth_protocol" && sizeBytes === 1) return false
  const width = widthOf(layout, field)
  return width === "narrow" || (width === "start" && inside === 0)
}

/** Ports that were 32 bits wide once may still be loaded so: the upper half is zero. */
function extendsPort(
  layout: ContextLayout,
  field: ContextField,
  { offset, sizeBytes }: ContextAccess,
): boolean {
  if (layout.name === "bpf_sock" && field.name === "dst_port")
    return offset === field.offset && sizeBytes === 4
  if (layout.name !== "bpf_sk_lookup" || field.name !== "remote_port") return false
  return offset >= field.offset && offset + sizeBytes <= field.offset + 4
}
