/**
 * Which program type an attach type is for, and whether a program may be attached with it
 * (linux v6.18 kernel/bpf/syscall.c attach_type_to_prog_type, bpf_prog_attach_check_attach_type).
 */

import { BPF_ATTACH_TYPE as A, ERRNO, BPF_PROG_TYPE as T } from "../../spec/index.ts"
import type { Program } from "../programs/program.ts"

const ROWS: readonly (readonly [program: number, attach: readonly number[]])[] = [
  [T.BPF_PROG_TYPE_CGROUP_SKB, [A.BPF_CGROUP_INET_INGRESS, A.BPF_CGROUP_INET_EGRESS]],
  [
    T.BPF_PROG_TYPE_CGROUP_SOCK,
    [
      A.BPF_CGROUP_INET_SOCK_CREATE,
      A.BPF_CGROUP_INET_SOCK_RELEASE,
      A.BPF_CGROUP_INET4_POST_BIND,
      A.BPF_CGROUP_INET6_POST_BIND,
    ],
  ],
  [
    T.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    [
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
  ],
  [T.BPF_PROG_TYPE_CGROUP_SOCKOPT, [A.BPF_CGROUP_GETSOCKOPT, A.BPF_CGROUP_SETSOCKOPT]],
  [T.BPF_PROG_TYPE_CGROUP_SYSCTL, [A.BPF_CGROUP_SYSCTL]],
  [T.BPF_PROG_TYPE_CGROUP_DEVICE, [A.BPF_CGROUP_DEVICE]],
  [T.BPF_PROG_TYPE_SOCK_OPS, [A.BPF_CGROUP_SOCK_OPS]],
  [T.BPF_PROG_TYPE_LSM, [A.BPF_LSM_CGROUP]],
  [
    T.BPF_PROG_TYPE_SK_SKB,
    [A.BPF_SK_SKB_STREAM_PARSER, A.BPF_SK_SKB_STREAM_VERDICT, A.BPF_SK_SKB_VERDICT],
  ],
  [T.BPF_PROG_TYPE_SK_MSG, [A.BPF_SK_MSG_VERDICT]],
  [T.BPF_PROG_TYPE_LIRC_MODE2, [A.BPF_LIRC_MODE2]],
  [T.BPF_PROG_TYPE_FLOW_DISSECTOR, [A.BPF_FLOW_DISSECTOR]],
  [T.BPF_PROG_TYPE_SK_LOOKUP, [A.BPF_SK_LOOKUP]],
  [T.BPF_PROG_TYPE_XDP, [A.BPF_XDP]],
  [
    T.BPF_PROG_TYPE_SCHED_CLS,
    [A.BPF_TCX_INGRESS, A.BPF_TCX_EGRESS, A.BPF_NETKIT_PRIMARY, A.BPF_NETKIT_PEER],
  ],
]

const PROGRAM_TYPES: ReadonlyMap<number, number> = new Map(
  ROWS.flatMap(([program, attach]) => attach.map((one) => [one, program] as const)),
)

/** The program type that an attach type is for, or 0. */
export function programTypeFor(attachType: number): number {
  return PROGRAM_TYPES.get(attachType) ?? 0
}

const CGROUP_PROGRAMS: readonly number[] = [
  T.BPF_PROG_TYPE_CGROUP_DEVICE,
  T.BPF_PROG_TYPE_CGROUP_SKB,
  T.BPF_PROG_TYPE_CGROUP_SOCK,
  T.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  T.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  T.BPF_PROG_TYPE_CGROUP_SYSCTL,
  T.BPF_PROG_TYPE_SOCK_OPS,
]

/** Types that are attached to cgroups, apart from LSM programs. */
export function isCgroupProgram(type: number): boolean {
  return CGROUP_PROGRAMS.includes(type)
}

/** 0, or -EINVAL when the program was loaded for something else. */
export function attachRefusal(program: Program, attachType: number): number {
  const { type, expectedAttachType } = program
  switch (type) {
    case T.BPF_PROG_TYPE_CGROUP_SOCK:
    case T.BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
    case T.BPF_PROG_TYPE_CGROUP_SOCKOPT:
    case T.BPF_PROG_TYPE_SK_LOOKUP:
      return attachType === expectedAttachType ? 0 : -ERRNO.EINVAL
    case T.BPF_PROG_TYPE_NETFILTER:
      return attachType === A.BPF_NETFILTER ? 0 : -ERRNO.EINVAL
    default:
      return programTypeFor(attachType) === type ? 0 : -ERRNO.EINVAL
  }
}
