/**
 * Program types, attach types and link types, as Linux numbers them.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h.
 */

/** `enum bpf_prog_type`. */
export const BPF_PROG_TYPE = {
  BPF_PROG_TYPE_UNSPEC: 0,
  BPF_PROG_TYPE_SOCKET_FILTER: 1,
  BPF_PROG_TYPE_KPROBE: 2,
  BPF_PROG_TYPE_SCHED_CLS: 3,
  BPF_PROG_TYPE_SCHED_ACT: 4,
  BPF_PROG_TYPE_TRACEPOINT: 5,
  BPF_PROG_TYPE_XDP: 6,
  BPF_PROG_TYPE_PERF_EVENT: 7,
  BPF_PROG_TYPE_CGROUP_SKB: 8,
  BPF_PROG_TYPE_CGROUP_SOCK: 9,
  BPF_PROG_TYPE_LWT_IN: 10,
  BPF_PROG_TYPE_LWT_OUT: 11,
  BPF_PROG_TYPE_LWT_XMIT: 12,
  BPF_PROG_TYPE_SOCK_OPS: 13,
  BPF_PROG_TYPE_SK_SKB: 14,
  BPF_PROG_TYPE_CGROUP_DEVICE: 15,
  BPF_PROG_TYPE_SK_MSG: 16,
  BPF_PROG_TYPE_RAW_TRACEPOINT: 17,
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR: 18,
  BPF_PROG_TYPE_LWT_SEG6LOCAL: 19,
  BPF_PROG_TYPE_LIRC_MODE2: 20,
  BPF_PROG_TYPE_SK_REUSEPORT: 21,
  BPF_PROG_TYPE_FLOW_DISSECTOR: 22,
  BPF_PROG_TYPE_CGROUP_SYSCTL: 23,
  BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE: 24,
  BPF_PROG_TYPE_CGROUP_SOCKOPT: 25,
  BPF_PROG_TYPE_TRACING: 26,
  BPF_PROG_TYPE_STRUCT_OPS: 27,
  BPF_PROG_TYPE_EXT: 28,
  BPF_PROG_TYPE_LSM: 29,
  BPF_PROG_TYPE_SK_LOOKUP: 30,
  BPF_PROG_TYPE_SYSCALL: 31,
  BPF_PROG_TYPE_NETFILTER: 32,
} as const

/** A number of {@link BPF_PROG_TYPE}. */
export type ProgramType = (typeof BPF_PROG_TYPE)[keyof typeof BPF_PROG_TYPE]

/** `enum bpf_attach_type`. */
export const BPF_ATTACH_TYPE = {
  BPF_CGROUP_INET_INGRESS: 0,
  BPF_CGROUP_INET_EGRESS: 1,
  BPF_CGROUP_INET_SOCK_CREATE: 2,
  BPF_CGROUP_SOCK_OPS: 3,
  BPF_SK_SKB_STREAM_PARSER: 4,
  BPF_SK_SKB_STREAM_VERDICT: 5,
  BPF_CGROUP_DEVICE: 6,
  BPF_SK_MSG_VERDICT: 7,
  BPF_CGROUP_INET4_BIND: 8,
  BPF_CGROUP_INET6_BIND: 9,
  BPF_CGROUP_INET4_CONNECT: 10,
  BPF_CGROUP_INET6_CONNECT: 11,
  BPF_CGROUP_INET4_POST_BIND: 12,
  BPF_CGROUP_INET6_POST_BIND: 13,
  BPF_CGROUP_UDP4_SENDMSG: 14,
  BPF_CGROUP_UDP6_SENDMSG: 15,
  BPF_LIRC_MODE2: 16,
  BPF_FLOW_DISSECTOR: 17,
  BPF_CGROUP_SYSCTL: 18,
  BPF_CGROUP_UDP4_RECVMSG: 19,
  BPF_CGROUP_UDP6_RECVMSG: 20,
  BPF_CGROUP_GETSOCKOPT: 21,
  BPF_CGROUP_SETSOCKOPT: 22,
  BPF_TRACE_RAW_TP: 23,
  BPF_TRACE_FENTRY: 24,
  BPF_TRACE_FEXIT: 25,
  BPF_MODIFY_RETURN: 26,
  BPF_LSM_MAC: 27,
  BPF_TRACE_ITER: 28,
  BPF_CGROUP_INET4_GETPEERNAME: 29,
  BPF_CGROUP_INET6_GETPEERNAME: 30,
  BPF_CGROUP_INET4_GETSOCKNAME: 31,
  BPF_CGROUP_INET6_GETSOCKNAME: 32,
  BPF_XDP_DEVMAP: 33,
  BPF_CGROUP_INET_SOCK_RELEASE: 34,
  BPF_XDP_CPUMAP: 35,
  BPF_SK_LOOKUP: 36,
  BPF_XDP: 37,
  BPF_SK_SKB_VERDICT: 38,
  BPF_SK_REUSEPORT_SELECT: 39,
  BPF_SK_REUSEPORT_SELECT_OR_MIGRATE: 40,
  BPF_PERF_EVENT: 41,
  BPF_TRACE_KPROBE_MULTI: 42,
  BPF_LSM_CGROUP: 43,
  BPF_STRUCT_OPS: 44,
  BPF_NETFILTER: 45,
  BPF_TCX_INGRESS: 46,
  BPF_TCX_EGRESS: 47,
  BPF_TRACE_UPROBE_MULTI: 48,
  BPF_CGROUP_UNIX_CONNECT: 49,
  BPF_CGROUP_UNIX_SENDMSG: 50,
  BPF_CGROUP_UNIX_RECVMSG: 51,
  BPF_CGROUP_UNIX_GETPEERNAME: 52,
  BPF_CGROUP_UNIX_GETSOCKNAME: 53,
  BPF_NETKIT_PRIMARY: 54,
  BPF_NETKIT_PEER: 55,
  BPF_TRACE_KPROBE_SESSION: 56,
  BPF_TRACE_UPROBE_SESSION: 57,
} as const

/** A number of {@link BPF_ATTACH_TYPE}. */
export type AttachType = (typeof BPF_ATTACH_TYPE)[keyof typeof BPF_ATTACH_TYPE]

/** `enum bpf_link_type`. */
export const BPF_LINK_TYPE = {
  BPF_LINK_TYPE_UNSPEC: 0,
  BPF_LINK_TYPE_RAW_TRACEPOINT: 1,
  BPF_LINK_TYPE_TRACING: 2,
  BPF_LINK_TYPE_CGROUP: 3,
  BPF_LINK_TYPE_ITER: 4,
  BPF_LINK_TYPE_NETNS: 5,
  BPF_LINK_TYPE_XDP: 6,
  BPF_LINK_TYPE_PERF_EVENT: 7,
  BPF_LINK_TYPE_KPROBE_MULTI: 8,
  BPF_LINK_TYPE_STRUCT_OPS: 9,
  BPF_LINK_TYPE_NETFILTER: 10,
  BPF_LINK_TYPE_TCX: 11,
  BPF_LINK_TYPE_UPROBE_MULTI: 12,
  BPF_LINK_TYPE_NETKIT: 13,
  BPF_LINK_TYPE_SOCKMAP: 14,
} as const

/** A number of {@link BPF_LINK_TYPE}. */
export type LinkType = (typeof BPF_LINK_TYPE)[keyof typeof BPF_LINK_TYPE]

/** Bits of `prog_flags` in PROG_LOAD. */
export const BPF_PROG_FLAG = {
  BPF_F_STRICT_ALIGNMENT: 0x1,
  BPF_F_ANY_ALIGNMENT: 0x2,
  BPF_F_TEST_RND_HI32: 0x4,
  BPF_F_TEST_STATE_FREQ: 0x8,
  BPF_F_SLEEPABLE: 0x10,
  BPF_F_XDP_HAS_FRAGS: 0x20,
  BPF_F_XDP_DEV_BOUND_ONLY: 0x40,
  BPF_F_TEST_REG_INVARIANTS: 0x80,
  BPF_F_TOKEN_FD: 0x10000,
} as const

/** Bits of `attach_flags` in PROG_ATTACH and of `flags` in LINK_CREATE for multi-program hooks. */
export const BPF_ATTACH_FLAG = {
  BPF_F_ALLOW_OVERRIDE: 0x1,
  BPF_F_ALLOW_MULTI: 0x2,
  BPF_F_REPLACE: 0x4,
  BPF_F_BEFORE: 0x8,
  BPF_F_AFTER: 0x10,
  BPF_F_ID: 0x20,
  BPF_F_PREORDER: 0x40,
  BPF_F_LINK: 0x2000,
} as const

/** Bits of `flags` in PROG_TEST_RUN. */
export const BPF_TEST_RUN_FLAG = {
  BPF_F_TEST_RUN_ON_CPU: 0x1,
  BPF_F_TEST_XDP_LIVE_FRAMES: 0x2,
  BPF_F_TEST_SKB_CHECKSUM_COMPLETE: 0x4,
} as const

/** First kernel version with each program type. */
export const PROGRAM_TYPE_SINCE: Readonly<Record<number, string>> = {
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SOCKET_FILTER]: "3.19",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE]: "4.1",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS]: "4.1",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_ACT]: "4.1",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_TRACEPOINT]: "4.7",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_XDP]: "4.8",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_PERF_EVENT]: "4.9",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SKB]: "4.10",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCK]: "4.10",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_LWT_IN]: "4.10",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_LWT_OUT]: "4.10",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_LWT_XMIT]: "4.10",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SOCK_OPS]: "4.13",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_SKB]: "4.14",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_DEVICE]: "4.15",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_MSG]: "4.17",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT]: "4.17",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: "4.17",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_LWT_SEG6LOCAL]: "4.18",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_LIRC_MODE2]: "4.18",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_REUSEPORT]: "4.19",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_FLOW_DISSECTOR]: "4.20",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SYSCTL]: "5.2",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE]: "5.2",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCKOPT]: "5.3",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_TRACING]: "5.5",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_STRUCT_OPS]: "5.6",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_EXT]: "5.6",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_LSM]: "5.7",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_LOOKUP]: "5.9",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SYSCALL]: "5.14",
  [BPF_PROG_TYPE.BPF_PROG_TYPE_NETFILTER]: "6.4",
}

function lowerNames(table: Readonly<Record<string, number>>, prefix: string): Map<number, string> {
  const names = new Map<number, string>()
  for (const [name, value] of Object.entries(table))
    names.set(value, name.slice(prefix.length).toLowerCase())
  return names
}

const programTypeNames = lowerNames(BPF_PROG_TYPE, "BPF_PROG_TYPE_")
const attachTypeNames = lowerNames(BPF_ATTACH_TYPE, "BPF_")
const linkTypeNames = lowerNames(BPF_LINK_TYPE, "BPF_LINK_TYPE_")

function typeByName(names: ReadonlyMap<number, string>, name: string): number | undefined {
  for (const [type, known] of names) if (known === name) return type
  return undefined
}

/** bpftool's name of a program type: `programTypeName(6)` is "xdp"; an unknown one gives its digits. */
export function programTypeName(type: number): string {
  return programTypeNames.get(type) ?? String(type)
}

/** The inverse of {@link programTypeName}; `undefined` for a name of no type. */
export function programTypeByName(name: string): number | undefined {
  return typeByName(programTypeNames, name)
}

/** libbpf's name of an attach type: `attachTypeName(37)` is "xdp", 24 is "trace_fentry". */
export function attachTypeName(type: number): string {
  return attachTypeNames.get(type) ?? String(type)
}

/** The inverse of {@link attachTypeName}; `undefined` for a name of no type. */
export function attachTypeByName(name: string): number | undefined {
  return typeByName(attachTypeNames, name)
}

/** libbpf's name of a link type: `linkTypeName(6)` is "xdp". */
export function linkTypeName(type: number): string {
  return linkTypeNames.get(type) ?? String(type)
}
