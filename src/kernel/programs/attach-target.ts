/**
 * Which kernel function, tracepoint or hook a tracing or LSM program is loaded for, and whether
 * the type of the program goes with it (linux v6.18 kernel/bpf/syscall.c
 * bpf_prog_load_check_attach, kernel/bpf/verifier.c bpf_check_attach_target).
 */

import type { Btf } from "../../btf/index.ts"
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"

const T = BPF_PROG_TYPE
const A = BPF_ATTACH_TYPE

/** Types that take an attach_btf_id. */
const BTF_TYPES: readonly number[] = [
  T.BPF_PROG_TYPE_TRACING,
  T.BPF_PROG_TYPE_LSM,
  T.BPF_PROG_TYPE_STRUCT_OPS,
  T.BPF_PROG_TYPE_EXT,
]

/** Expected attach types by program type; types not named take any. */
const EXPECTED: Readonly<Record<number, readonly number[]>> = {
  [T.BPF_PROG_TYPE_CGROUP_SOCK]: [
    A.BPF_CGROUP_INET_SOCK_CREATE,
    A.BPF_CGROUP_INET_SOCK_RELEASE,
    A.BPF_CGROUP_INET4_POST_BIND,
    A.BPF_CGROUP_INET6_POST_BIND,
  ],
  [T.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: [
    A.BPF_CGROUP_INET4_BIND,
    A.BPF_CGROUP_INET6_BIND,
    A.BPF_CGROUP_INET4_CONNECT,
    A.BPF_CGROUP_INET6_CONNECT,
    A.BPF_CGROUP_UNIX_CONNECT,
    A.BPF_CGROUP_INET4_GETPEERNAME,
    A.BPF_CGROUP_INET6_GETPEERNAME,
    A.BPF_CGROUP_UNIX_GETPEERNAME,
    A.BPF_CGROUP_INET4_GETSOCKNAME,
    A.BPF_CGROUP_INET6_GETSOCKNAME,
    A.BPF_CGROUP_UNIX_GETSOCKNAME,
    A.BPF_CGROUP_UDP4_SENDMSG,
    A.BPF_CGROUP_UDP6_SENDMSG,
    A.BPF_CGROUP_UNIX_SENDMSG,
    A.BPF_CGROUP_UDP4_RECVMSG,
    A.BPF_CGROUP_UDP6_RECVMSG,
    A.BPF_CGROUP_UNIX_RECVMSG,
  ],
  [T.BPF_PROG_TYPE_CGROUP_SKB]: [A.BPF_CGROUP_INET_INGRESS, A.BPF_CGROUP_INET_EGRESS],
  [T.BPF_PROG_TYPE_CGROUP_SOCKOPT]: [A.BPF_CGROUP_SETSOCKOPT, A.BPF_CGROUP_GETSOCKOPT],
  [T.BPF_PROG_TYPE_SK_LOOKUP]: [A.BPF_SK_LOOKUP],
  [T.BPF_PROG_TYPE_SK_REUSEPORT]: [A.BPF_SK_REUSEPORT_SELECT, A.BPF_SK_REUSEPORT_SELECT_OR_MIGRATE],
  [T.BPF_PROG_TYPE_NETFILTER]: [A.BPF_NETFILTER],
  [T.BPF_PROG_TYPE_SYSCALL]: [0],
  [T.BPF_PROG_TYPE_EXT]: [0],
}

export interface AttachTarget {
  readonly name: string
}

/**
 * Null: no target needed. A number is a negative errno. The kernel's types are only made for
 * programs that name one.
 */
export function attachTarget(
  typesOf: () => Btf,
  program: { readonly type: number; readonly expectedAttachType: number; readonly btfId: number },
): AttachTarget | null | number {
  const { type, expectedAttachType, btfId } = program
  if (btfId !== 0 && !BTF_TYPES.includes(type)) return -ERRNO.EINVAL
  const expected = EXPECTED[type]
  if (expected !== undefined && !expected.includes(expectedAttachType)) return -ERRNO.EINVAL
  if (type !== T.BPF_PROG_TYPE_TRACING && type !== T.BPF_PROG_TYPE_LSM) return null
  if (btfId === 0) return -ERRNO.EINVAL
  const types = typesOf()
  if (btfId >= types.typeCount) return -ERRNO.EINVAL
  const target = types.type(btfId)
  if (type === T.BPF_PROG_TYPE_LSM)
    return target.kind === "func" ? named(target.name, "bpf_lsm_") : -ERRNO.EINVAL
  if (expectedAttachType === A.BPF_TRACE_RAW_TP)
    return target.kind === "typedef" ? named(target.name, "btf_trace_") : -ERRNO.EINVAL
  if (expectedAttachType === A.BPF_TRACE_ITER)
    return target.kind === "func" ? named(target.name, "bpf_iter_") : -ERRNO.EINVAL
  return target.kind === "func" ? { name: target.name } : -ERRNO.EINVAL
}

function named(name: string, prefix: string): AttachTarget | number {
  return name.startsWith(prefix) ? { name: name.slice(prefix.length) } : -ERRNO.EINVAL
}
