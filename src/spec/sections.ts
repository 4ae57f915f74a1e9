/**
 * Section names: what libbpf's SEC("…") says about a program's type, attach type and target.
 *
 * A name ending in `+` stands for the name alone or followed by `/` and a target; any other name
 * is exact. The first row that matches decides, so longer names stand before their prefixes.
 * Rows of kernels newer than 6.18 are kept, with their attach type's number: Linux 6.18 refuses
 * them, and so must we, by EINVAL rather than by not knowing the name.
 *
 * Source: libbpf 1.8 src/libbpf.c section_defs, sec_def_matches.
 */

import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "./program-types.ts"

/** Attach types that came after Linux 6.18 but have section names already. */
export const LATER_ATTACH_TYPE = {
  BPF_TRACE_FSESSION: 58,
  BPF_TRACE_FENTRY_MULTI: 59,
  BPF_TRACE_FEXIT_MULTI: 60,
  BPF_TRACE_FSESSION_MULTI: 61,
} as const

/** How libbpf attaches a program of the section by itself; `null`: the user must say where. */
export type AutoAttach =
  | "kprobe"
  | "uprobe"
  | "kprobe_multi"
  | "kprobe_session"
  | "uprobe_multi"
  | "ksyscall"
  | "usdt"
  | "tp"
  | "raw_tp"
  | "trace"
  | "tracing_multi"
  | "lsm"
  | "iter"

/** One row of libbpf's table. */
export interface SectionRow {
  /** With the `+` of names that take a target. */
  readonly name: string
  /** A number of BPF_PROG_TYPE. */
  readonly type: number
  /** `expected_attach_type`; 0 where the section does not say one. */
  readonly attachType: number
  /** Kernels without expected_attach_type for this type also load it: leave it out then. */
  readonly attachTypeOptional: boolean
  /** libbpf lists it among the attachable types (a PROG_ATTACH by attach type alone). */
  readonly attachable: boolean
  /** The target is a BTF id: `attach_btf_id`, and `attach_btf_obj_fd` or `attach_prog_fd`. */
  readonly needsAttachBtf: boolean
  /** Load with BPF_F_SLEEPABLE. */
  readonly sleepable: boolean
  /** Load with BPF_F_XDP_HAS_FRAGS. */
  readonly frags: boolean
  /** Uses libbpf's USDT convention: attach type uprobe_multi where the kernel has it. */
  readonly usdt: boolean
  readonly autoAttach: AutoAttach | null
}

/** What {@link matchSection} found. */
export interface SectionMatch extends SectionRow {
  /** The text after the name and its `/`: function, category/name, path:function; or `null`. */
  readonly target: string | null
  /** False for `SEC("?…")`: loaded only when asked for by name. */
  readonly autoload: boolean
  /** The name was followed by `/…` or `_…` although it takes no target; libbpf 1.0 refuses this. */
  readonly loose: boolean
}

function row(
  name: string,
  type: number,
  attachType: number,
  flags: string,
  autoAttach: AutoAttach | null = null,
): SectionRow {
  const has = (flag: string): boolean => flags.split(" ").includes(flag)
  return {
    name,
    type,
    attachType,
    attachTypeOptional: has("optional"),
    attachable: has("attachable"),
    needsAttachBtf: has("btf"),
    sleepable: has("sleepable"),
    frags: has("frags"),
    usdt: has("usdt"),
    autoAttach,
  }
}

const LATER = LATER_ATTACH_TYPE

/** libbpf's table, in its order. */
export const SECTIONS: readonly SectionRow[] = [
  row("socket", PT.BPF_PROG_TYPE_SOCKET_FILTER, 0, ""),
  row(
    "sk_reuseport/migrate",
    PT.BPF_PROG_TYPE_SK_REUSEPORT,
    AT.BPF_SK_REUSEPORT_SELECT_OR_MIGRATE,
    "attachable",
  ),
  row("sk_reuseport", PT.BPF_PROG_TYPE_SK_REUSEPORT, AT.BPF_SK_REUSEPORT_SELECT, "attachable"),
  row("kprobe+", PT.BPF_PROG_TYPE_KPROBE, 0, "", "kprobe"),
  row("uprobe+", PT.BPF_PROG_TYPE_KPROBE, 0, "", "uprobe"),
  row("uprobe.s+", PT.BPF_PROG_TYPE_KPROBE, 0, "sleepable", "uprobe"),
  row("kretprobe+", PT.BPF_PROG_TYPE_KPROBE, 0, "", "kprobe"),
  row("uretprobe+", PT.BPF_PROG_TYPE_KPROBE, 0, "", "uprobe"),
  row("uretprobe.s+", PT.BPF_PROG_TYPE_KPROBE, 0, "sleepable", "uprobe"),
  row("kprobe.multi+", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_KPROBE_MULTI, "", "kprobe_multi"),
  row("kretprobe.multi+", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_KPROBE_MULTI, "", "kprobe_multi"),
  row(
    "kprobe.session+",
    PT.BPF_PROG_TYPE_KPROBE,
    AT.BPF_TRACE_KPROBE_SESSION,
    "",
    "kprobe_session",
  ),
  row("uprobe.multi+", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_UPROBE_MULTI, "", "uprobe_multi"),
  row("uretprobe.multi+", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_UPROBE_MULTI, "", "uprobe_multi"),
  row("uprobe.session+", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_UPROBE_SESSION, "", "uprobe_multi"),
  row(
    "uprobe.multi.s+",
    PT.BPF_PROG_TYPE_KPROBE,
    AT.BPF_TRACE_UPROBE_MULTI,
    "sleepable",
    "uprobe_multi",
  ),
  row(
    "uretprobe.multi.s+",
    PT.BPF_PROG_TYPE_KPROBE,
    AT.BPF_TRACE_UPROBE_MULTI,
    "sleepable",
    "uprobe_multi",
  ),
  row(
    "uprobe.session.s+",
    PT.BPF_PROG_TYPE_KPROBE,
    AT.BPF_TRACE_UPROBE_SESSION,
    "sleepable",
    "uprobe_multi",
  ),
  row("ksyscall+", PT.BPF_PROG_TYPE_KPROBE, 0, "", "ksyscall"),
  row("kretsyscall+", PT.BPF_PROG_TYPE_KPROBE, 0, "", "ksyscall"),
  row("usdt+", PT.BPF_PROG_TYPE_KPROBE, 0, "usdt", "usdt"),
  row("usdt.s+", PT.BPF_PROG_TYPE_KPROBE, 0, "sleepable usdt", "usdt"),
  row("tc/ingress", PT.BPF_PROG_TYPE_SCHED_CLS, AT.BPF_TCX_INGRESS, ""),
  row("tc/egress", PT.BPF_PROG_TYPE_SCHED_CLS, AT.BPF_TCX_EGRESS, ""),
  row("tcx/ingress", PT.BPF_PROG_TYPE_SCHED_CLS, AT.BPF_TCX_INGRESS, ""),
  row("tcx/egress", PT.BPF_PROG_TYPE_SCHED_CLS, AT.BPF_TCX_EGRESS, ""),
  row("tc", PT.BPF_PROG_TYPE_SCHED_CLS, 0, ""),
  row("classifier", PT.BPF_PROG_TYPE_SCHED_CLS, 0, ""),
  row("action", PT.BPF_PROG_TYPE_SCHED_ACT, 0, ""),
  row("netkit/primary", PT.BPF_PROG_TYPE_SCHED_CLS, AT.BPF_NETKIT_PRIMARY, ""),
  row("netkit/peer", PT.BPF_PROG_TYPE_SCHED_CLS, AT.BPF_NETKIT_PEER, ""),
  row("tracepoint+", PT.BPF_PROG_TYPE_TRACEPOINT, 0, "", "tp"),
  row("tp+", PT.BPF_PROG_TYPE_TRACEPOINT, 0, "", "tp"),
  row("tracepoint.s+", PT.BPF_PROG_TYPE_TRACEPOINT, 0, "sleepable", "tp"),
  row("tp.s+", PT.BPF_PROG_TYPE_TRACEPOINT, 0, "sleepable", "tp"),
  row("raw_tracepoint+", PT.BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "", "raw_tp"),
  row("raw_tp+", PT.BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "", "raw_tp"),
  row("raw_tracepoint.s+", PT.BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "sleepable", "raw_tp"),
  row("raw_tp.s+", PT.BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "sleepable", "raw_tp"),
  row("raw_tracepoint.w+", PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, "", "raw_tp"),
  row("raw_tp.w+", PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, "", "raw_tp"),
  row("tp_btf+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_RAW_TP, "btf", "trace"),
  row("tp_btf.s+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_RAW_TP, "btf sleepable", "trace"),
  row("fentry+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_FENTRY, "btf", "trace"),
  row("fmod_ret+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_MODIFY_RETURN, "btf", "trace"),
  row("fexit+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_FEXIT, "btf", "trace"),
  row("fentry.s+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_FENTRY, "btf sleepable", "trace"),
  row("fmod_ret.s+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_MODIFY_RETURN, "btf sleepable", "trace"),
  row("fexit.s+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_FEXIT, "btf sleepable", "trace"),
  row("fsession+", PT.BPF_PROG_TYPE_TRACING, LATER.BPF_TRACE_FSESSION, "btf", "trace"),
  row("fsession.s+", PT.BPF_PROG_TYPE_TRACING, LATER.BPF_TRACE_FSESSION, "btf sleepable", "trace"),
  row(
    "fsession.multi+",
    PT.BPF_PROG_TYPE_TRACING,
    LATER.BPF_TRACE_FSESSION_MULTI,
    "",
    "tracing_multi",
  ),
  row(
    "fsession.multi.s+",
    PT.BPF_PROG_TYPE_TRACING,
    LATER.BPF_TRACE_FSESSION_MULTI,
    "sleepable",
    "tracing_multi",
  ),
  row("fentry.multi+", PT.BPF_PROG_TYPE_TRACING, LATER.BPF_TRACE_FENTRY_MULTI, "", "tracing_multi"),
  row("fexit.multi+", PT.BPF_PROG_TYPE_TRACING, LATER.BPF_TRACE_FEXIT_MULTI, "", "tracing_multi"),
  row(
    "fentry.multi.s+",
    PT.BPF_PROG_TYPE_TRACING,
    LATER.BPF_TRACE_FENTRY_MULTI,
    "sleepable",
    "tracing_multi",
  ),
  row(
    "fexit.multi.s+",
    PT.BPF_PROG_TYPE_TRACING,
    LATER.BPF_TRACE_FEXIT_MULTI,
    "sleepable",
    "tracing_multi",
  ),
  row("freplace+", PT.BPF_PROG_TYPE_EXT, 0, "btf", "trace"),
  row("lsm+", PT.BPF_PROG_TYPE_LSM, AT.BPF_LSM_MAC, "btf", "lsm"),
  row("lsm.s+", PT.BPF_PROG_TYPE_LSM, AT.BPF_LSM_MAC, "btf sleepable", "lsm"),
  row("lsm_cgroup+", PT.BPF_PROG_TYPE_LSM, AT.BPF_LSM_CGROUP, "btf"),
  row("iter+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_ITER, "btf", "iter"),
  row("iter.s+", PT.BPF_PROG_TYPE_TRACING, AT.BPF_TRACE_ITER, "btf sleepable", "iter"),
  row("syscall", PT.BPF_PROG_TYPE_SYSCALL, 0, "sleepable"),
  row("xdp.frags/devmap", PT.BPF_PROG_TYPE_XDP, AT.BPF_XDP_DEVMAP, "frags"),
  row("xdp/devmap", PT.BPF_PROG_TYPE_XDP, AT.BPF_XDP_DEVMAP, "attachable"),
  row("xdp.frags/cpumap", PT.BPF_PROG_TYPE_XDP, AT.BPF_XDP_CPUMAP, "frags"),
  row("xdp/cpumap", PT.BPF_PROG_TYPE_XDP, AT.BPF_XDP_CPUMAP, "attachable"),
  row("xdp.frags", PT.BPF_PROG_TYPE_XDP, AT.BPF_XDP, "frags"),
  row("xdp", PT.BPF_PROG_TYPE_XDP, AT.BPF_XDP, "attachable optional"),
  row("perf_event", PT.BPF_PROG_TYPE_PERF_EVENT, 0, ""),
  row("lwt_in", PT.BPF_PROG_TYPE_LWT_IN, 0, ""),
  row("lwt_out", PT.BPF_PROG_TYPE_LWT_OUT, 0, ""),
  row("lwt_xmit", PT.BPF_PROG_TYPE_LWT_XMIT, 0, ""),
  row("lwt_seg6local", PT.BPF_PROG_TYPE_LWT_SEG6LOCAL, 0, ""),
  row("sockops", PT.BPF_PROG_TYPE_SOCK_OPS, AT.BPF_CGROUP_SOCK_OPS, "attachable optional"),
  row(
    "sk_skb/stream_parser",
    PT.BPF_PROG_TYPE_SK_SKB,
    AT.BPF_SK_SKB_STREAM_PARSER,
    "attachable optional",
  ),
  row(
    "sk_skb/stream_verdict",
    PT.BPF_PROG_TYPE_SK_SKB,
    AT.BPF_SK_SKB_STREAM_VERDICT,
    "attachable optional",
  ),
  row("sk_skb/verdict", PT.BPF_PROG_TYPE_SK_SKB, AT.BPF_SK_SKB_VERDICT, "attachable optional"),
  row("sk_skb", PT.BPF_PROG_TYPE_SK_SKB, 0, ""),
  row("sk_msg", PT.BPF_PROG_TYPE_SK_MSG, AT.BPF_SK_MSG_VERDICT, "attachable optional"),
  row("lirc_mode2", PT.BPF_PROG_TYPE_LIRC_MODE2, AT.BPF_LIRC_MODE2, "attachable optional"),
  row(
    "flow_dissector",
    PT.BPF_PROG_TYPE_FLOW_DISSECTOR,
    AT.BPF_FLOW_DISSECTOR,
    "attachable optional",
  ),
  row(
    "cgroup_skb/ingress",
    PT.BPF_PROG_TYPE_CGROUP_SKB,
    AT.BPF_CGROUP_INET_INGRESS,
    "attachable optional",
  ),
  row(
    "cgroup_skb/egress",
    PT.BPF_PROG_TYPE_CGROUP_SKB,
    AT.BPF_CGROUP_INET_EGRESS,
    "attachable optional",
  ),
  row("cgroup/skb", PT.BPF_PROG_TYPE_CGROUP_SKB, 0, ""),
  row(
    "cgroup/sock_create",
    PT.BPF_PROG_TYPE_CGROUP_SOCK,
    AT.BPF_CGROUP_INET_SOCK_CREATE,
    "attachable",
  ),
  row(
    "cgroup/sock_release",
    PT.BPF_PROG_TYPE_CGROUP_SOCK,
    AT.BPF_CGROUP_INET_SOCK_RELEASE,
    "attachable",
  ),
  row(
    "cgroup/sock",
    PT.BPF_PROG_TYPE_CGROUP_SOCK,
    AT.BPF_CGROUP_INET_SOCK_CREATE,
    "attachable optional",
  ),
  row(
    "cgroup/post_bind4",
    PT.BPF_PROG_TYPE_CGROUP_SOCK,
    AT.BPF_CGROUP_INET4_POST_BIND,
    "attachable",
  ),
  row(
    "cgroup/post_bind6",
    PT.BPF_PROG_TYPE_CGROUP_SOCK,
    AT.BPF_CGROUP_INET6_POST_BIND,
    "attachable",
  ),
  row("cgroup/bind4", PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, AT.BPF_CGROUP_INET4_BIND, "attachable"),
  row("cgroup/bind6", PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, AT.BPF_CGROUP_INET6_BIND, "attachable"),
  row(
    "cgroup/connect4",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_INET4_CONNECT,
    "attachable",
  ),
  row(
    "cgroup/connect6",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_INET6_CONNECT,
    "attachable",
  ),
  row(
    "cgroup/connect_unix",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UNIX_CONNECT,
    "attachable",
  ),
  row(
    "cgroup/sendmsg4",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UDP4_SENDMSG,
    "attachable",
  ),
  row(
    "cgroup/sendmsg6",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UDP6_SENDMSG,
    "attachable",
  ),
  row(
    "cgroup/sendmsg_unix",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UNIX_SENDMSG,
    "attachable",
  ),
  row(
    "cgroup/recvmsg4",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UDP4_RECVMSG,
    "attachable",
  ),
  row(
    "cgroup/recvmsg6",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UDP6_RECVMSG,
    "attachable",
  ),
  row(
    "cgroup/recvmsg_unix",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UNIX_RECVMSG,
    "attachable",
  ),
  row(
    "cgroup/getpeername4",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_INET4_GETPEERNAME,
    "attachable",
  ),
  row(
    "cgroup/getpeername6",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_INET6_GETPEERNAME,
    "attachable",
  ),
  row(
    "cgroup/getpeername_unix",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UNIX_GETPEERNAME,
    "attachable",
  ),
  row(
    "cgroup/getsockname4",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_INET4_GETSOCKNAME,
    "attachable",
  ),
  row(
    "cgroup/getsockname6",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_INET6_GETSOCKNAME,
    "attachable",
  ),
  row(
    "cgroup/getsockname_unix",
    PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    AT.BPF_CGROUP_UNIX_GETSOCKNAME,
    "attachable",
  ),
  row("cgroup/sysctl", PT.BPF_PROG_TYPE_CGROUP_SYSCTL, AT.BPF_CGROUP_SYSCTL, "attachable"),
  row("cgroup/getsockopt", PT.BPF_PROG_TYPE_CGROUP_SOCKOPT, AT.BPF_CGROUP_GETSOCKOPT, "attachable"),
  row("cgroup/setsockopt", PT.BPF_PROG_TYPE_CGROUP_SOCKOPT, AT.BPF_CGROUP_SETSOCKOPT, "attachable"),
  row("cgroup/dev", PT.BPF_PROG_TYPE_CGROUP_DEVICE, AT.BPF_CGROUP_DEVICE, "attachable optional"),
  row("struct_ops+", PT.BPF_PROG_TYPE_STRUCT_OPS, 0, ""),
  row("struct_ops.s+", PT.BPF_PROG_TYPE_STRUCT_OPS, 0, "sleepable"),
  row("sk_lookup", PT.BPF_PROG_TYPE_SK_LOOKUP, AT.BPF_SK_LOOKUP, "attachable"),
  row("netfilter", PT.BPF_PROG_TYPE_NETFILTER, AT.BPF_NETFILTER, ""),
]

function split(row: SectionRow, name: string): { target: string | null } | null {
  if (!row.name.endsWith("+")) return row.name === name ? { target: null } : null
  const stem = row.name.slice(0, -1)
  if (name === stem) return { target: null }
  if (!name.startsWith(`${stem}/`)) return null
  return { target: name.slice(stem.length + 1) || null }
}

/** The longest exact name that `name` extends by `/…` or, as in many old objects, by `_…`. */
function looseRow(name: string): SectionRow | undefined {
  let best: SectionRow | undefined
  for (const row of SECTIONS) {
    const extended = name.startsWith(row.name) && /^[/_]/.test(name.slice(row.name.length))
    if (extended && row.name.length > (best?.name.length ?? 0)) best = row
  }
  return best
}

/**
 * What a program's section name says; `null` when no row of libbpf's table fits.
 *
 * `SEC("socket/x")` and `SEC("xdp_sock")`, which libbpf took until 1.0, are read as `socket` and
 * `xdp` and marked `loose`; with `strict` they give `null` too.
 *
 * @example matchSection("fentry.s/vfs_read") // type TRACING, target "vfs_read", sleepable
 */
export function matchSection(
  section: string,
  options: { readonly strict?: boolean } = {},
): SectionMatch | null {
  const autoload = !section.startsWith("?")
  const name = autoload ? section : section.slice(1)
  for (const row of SECTIONS) {
    const found = split(row, name)
    if (found !== null) return { ...row, target: found.target, autoload, loose: false }
  }
  const row = options.strict === true ? undefined : looseRow(name)
  if (row === undefined) return null
  return { ...row, target: name.slice(row.name.length + 1) || null, autoload, loose: true }
}
