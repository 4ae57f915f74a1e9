/**
 * What a program's return value means, by program type.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h, pkt_cls.h, netfilter.h; kernel/bpf/cgroup.c,
 * include/linux/bpf-cgroup.h; kernel/bpf/verifier.c check_return_code for the ranges.
 */

import { BPF_RET_CODE, NETFILTER_VERDICT, SK_ACTION, TC_ACTION, XDP_ACTION } from "./constants.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "./program-types.ts"

type Verdicts = Readonly<Record<string, number>>

/** 0 refuses with EPERM (or what bpf_set_retval() said), 1 lets pass. */
const cgroup: Verdicts = { deny: 0, allow: 1 }
/** Egress may ask the sender to slow down (congestion notification). */
const cgroupSkb: Verdicts = { drop: 0, pass: 1, "drop, congested": 2, "pass, congested": 3 }
/** Bit 1 lets an unprivileged process bind a privileged port. */
const cgroupBind: Verdicts = { deny: 0, allow: 1, "deny, any port": 2, "allow, any port": 3 }

const { BPF_OK, BPF_DROP, BPF_REDIRECT, BPF_LWT_REROUTE, BPF_FLOW_DISSECTOR_CONTINUE } =
  BPF_RET_CODE
const tunnel: Verdicts = { BPF_OK, BPF_DROP, BPF_REDIRECT, BPF_LWT_REROUTE }

const verdicts: Readonly<Record<number, Verdicts>> = {
  [PT.BPF_PROG_TYPE_XDP]: XDP_ACTION,
  [PT.BPF_PROG_TYPE_SCHED_CLS]: TC_ACTION,
  [PT.BPF_PROG_TYPE_SCHED_ACT]: TC_ACTION,
  [PT.BPF_PROG_TYPE_SK_SKB]: SK_ACTION,
  [PT.BPF_PROG_TYPE_SK_MSG]: SK_ACTION,
  [PT.BPF_PROG_TYPE_SK_REUSEPORT]: SK_ACTION,
  [PT.BPF_PROG_TYPE_SK_LOOKUP]: SK_ACTION,
  [PT.BPF_PROG_TYPE_LWT_IN]: tunnel,
  [PT.BPF_PROG_TYPE_LWT_OUT]: tunnel,
  [PT.BPF_PROG_TYPE_LWT_XMIT]: tunnel,
  [PT.BPF_PROG_TYPE_LWT_SEG6LOCAL]: { BPF_OK, BPF_DROP, BPF_REDIRECT },
  [PT.BPF_PROG_TYPE_FLOW_DISSECTOR]: { BPF_OK, BPF_DROP, BPF_FLOW_DISSECTOR_CONTINUE },
  [PT.BPF_PROG_TYPE_NETFILTER]: NETFILTER_VERDICT,
  [PT.BPF_PROG_TYPE_CGROUP_SKB]: cgroupSkb,
  [PT.BPF_PROG_TYPE_CGROUP_SOCK]: cgroup,
  [PT.BPF_PROG_TYPE_CGROUP_DEVICE]: cgroup,
  [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: cgroupBind,
  [PT.BPF_PROG_TYPE_CGROUP_SYSCTL]: cgroup,
  [PT.BPF_PROG_TYPE_CGROUP_SOCKOPT]: cgroup,
}

/**
 * The name of a return value, given as the unsigned or signed 32-bit number: `XDP_DROP`,
 * `TC_ACT_UNSPEC` (-1), `deny`. `undefined` where the value has no name: a socket filter's is a
 * number of bytes, a tracing program's is ignored or the target's own.
 */
export function verdictName(programType: number, value: number): string | undefined {
  const table = verdicts[programType]
  if (table === undefined) return undefined
  const signed = value | 0
  return Object.keys(table).find((name) => table[name] === signed)
}

/** All named return values of a program type; `undefined` where values have no names. */
export function verdictsOf(programType: number): Verdicts | undefined {
  return verdicts[programType]
}

/** The return values that the verifier lets a program have. Both ends are included. */
export interface ReturnRange {
  readonly min: number
  readonly max: number
}

const bool: ReturnRange = { min: 0, max: 1 }
const zero: ReturnRange = { min: 0, max: 0 }
const one: ReturnRange = { min: 1, max: 1 }
const two: ReturnRange = { min: 0, max: 3 }

function socketAddressRange(attachType: number): ReturnRange {
  switch (attachType) {
    case AT.BPF_CGROUP_UDP4_RECVMSG:
    case AT.BPF_CGROUP_UDP6_RECVMSG:
    case AT.BPF_CGROUP_UNIX_RECVMSG:
    case AT.BPF_CGROUP_INET4_GETPEERNAME:
    case AT.BPF_CGROUP_INET6_GETPEERNAME:
    case AT.BPF_CGROUP_UNIX_GETPEERNAME:
    case AT.BPF_CGROUP_INET4_GETSOCKNAME:
    case AT.BPF_CGROUP_INET6_GETSOCKNAME:
    case AT.BPF_CGROUP_UNIX_GETSOCKNAME:
      return one
    case AT.BPF_CGROUP_INET4_BIND:
    case AT.BPF_CGROUP_INET6_BIND:
      return two
    default:
      return bool
  }
}

function tracingRange(attachType: number): ReturnRange | null {
  switch (attachType) {
    case AT.BPF_TRACE_FENTRY:
    case AT.BPF_TRACE_FEXIT:
      return zero
    case AT.BPF_TRACE_ITER:
      return bool
    default:
      return null
  }
}

/**
 * What R0 may be at exit; `null` where any value will do, or where the target decides (LSM,
 * struct_ops, ext). Values are compared as 32-bit numbers.
 */
export function returnRange(programType: number, attachType = 0): ReturnRange | null {
  switch (programType) {
    case PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
      return socketAddressRange(attachType)
    case PT.BPF_PROG_TYPE_CGROUP_SKB:
      return attachType === AT.BPF_CGROUP_INET_EGRESS ? two : bool
    case PT.BPF_PROG_TYPE_CGROUP_SOCK:
    case PT.BPF_PROG_TYPE_SOCK_OPS:
    case PT.BPF_PROG_TYPE_CGROUP_DEVICE:
    case PT.BPF_PROG_TYPE_CGROUP_SYSCTL:
    case PT.BPF_PROG_TYPE_CGROUP_SOCKOPT:
    case PT.BPF_PROG_TYPE_SK_LOOKUP:
    case PT.BPF_PROG_TYPE_NETFILTER:
      return bool
    case PT.BPF_PROG_TYPE_RAW_TRACEPOINT:
      return null
    case PT.BPF_PROG_TYPE_KPROBE:
      return attachType === AT.BPF_TRACE_KPROBE_SESSION ||
        attachType === AT.BPF_TRACE_UPROBE_SESSION
        ? bool
        : null
    case PT.BPF_PROG_TYPE_TRACING:
      return tracingRange(attachType)
    default:
      return null
  }
}
