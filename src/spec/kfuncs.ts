/**
 * Kernel functions that programs may call by BTF: their flags and the program types that may.
 *
 * A kfunc is called by its BTF id in the kernel (or a module); there is no number to rely on, and
 * a kernel may lack any of them.
 *
 * Source: linux v6.18, see `kfunc-table.ts`; kernel/bpf/btf.c bpf_prog_type_to_kfunc_hook.
 */

import {
  cgroupKfuncs,
  commonKfuncs,
  conntrackKfuncs,
  cpumaskKfuncs,
  cryptoKfuncs,
  genericKfuncs,
  iterKfuncs,
  lsmKfuncs,
  sessionKfuncs,
  skbKfuncs,
  skbMetaKfuncs,
  structOpsKfuncs,
  syscallKfuncs,
  tcKfuncs,
  tracingKfuncs,
  xdpKfuncs,
} from "./kfunc-table.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "./program-types.ts"

/** KF_… flags, lower case. `trusted_args` wants pointers known to be valid, `rcu` also RCU ones. */
export type KfuncFlag =
  | "acquire"
  | "release"
  | "ret_null"
  | "trusted_args"
  | "sleepable"
  | "destructive"
  | "rcu"
  | "iter_new"
  | "iter_next"
  | "iter_destroy"
  | "rcu_protected"
  | "fastcall"
  | "arena_ret"
  | "arena_arg1"
  | "arena_arg2"

export interface Kfunc {
  readonly name: string
  readonly flags: readonly KfuncFlag[]
  /** `struct task_struct *(struct task_struct *p)` */
  readonly prototype: string
  /** Program types that may call it; `null` for all. */
  readonly programTypes: readonly number[] | null
  /** Attach types of those that may; `null` for all. */
  readonly attachTypes: readonly number[] | null
}

const tracing = [
  PT.BPF_PROG_TYPE_TRACING,
  PT.BPF_PROG_TYPE_TRACEPOINT,
  PT.BPF_PROG_TYPE_PERF_EVENT,
  PT.BPF_PROG_TYPE_LSM,
]
const cgroup = [
  PT.BPF_PROG_TYPE_CGROUP_SKB,
  PT.BPF_PROG_TYPE_CGROUP_SOCK,
  PT.BPF_PROG_TYPE_CGROUP_DEVICE,
  PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  PT.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  PT.BPF_PROG_TYPE_CGROUP_SYSCTL,
  PT.BPF_PROG_TYPE_SOCK_OPS,
]
const lwt = [
  PT.BPF_PROG_TYPE_LWT_IN,
  PT.BPF_PROG_TYPE_LWT_OUT,
  PT.BPF_PROG_TYPE_LWT_XMIT,
  PT.BPF_PROG_TYPE_LWT_SEG6LOCAL,
]
const tc = [PT.BPF_PROG_TYPE_SCHED_CLS]
const tcBoth = [PT.BPF_PROG_TYPE_SCHED_CLS, PT.BPF_PROG_TYPE_SCHED_ACT]
const xdp = [PT.BPF_PROG_TYPE_XDP]
const structOps = [PT.BPF_PROG_TYPE_STRUCT_OPS]
const syscall = [PT.BPF_PROG_TYPE_SYSCALL]
const skb = [
  ...tracing,
  ...cgroup,
  ...lwt,
  ...tcBoth,
  PT.BPF_PROG_TYPE_SOCKET_FILTER,
  PT.BPF_PROG_TYPE_SK_SKB,
  PT.BPF_PROG_TYPE_NETFILTER,
]
const sessions = [AT.BPF_TRACE_KPROBE_SESSION, AT.BPF_TRACE_UPROBE_SESSION]

function group(
  text: string,
  programTypes: readonly number[] | null,
  attachTypes: readonly number[] | null = null,
): Kfunc[] {
  return text
    .split(";")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map((entry) => {
      const [head, ...rest] = entry.split("\n").map((line) => line.trim())
      const [name, flags] = head.split(":")
      return {
        name,
        flags: flags.split(" ").filter((flag) => flag !== "") as KfuncFlag[],
        prototype: rest.join(" "),
        programTypes,
        attachTypes,
      }
    })
}

/** Every kfunc of the table. */
export const KFUNCS: readonly Kfunc[] = [
  ...group(commonKfuncs, null),
  ...group(genericKfuncs, [...tracing, ...cgroup, ...tc, ...xdp, ...structOps, ...syscall]),
  ...group(cpumaskKfuncs, [...tracing, ...structOps, ...syscall]),
  ...group(tracingKfuncs, tracing),
  ...group(iterKfuncs, [PT.BPF_PROG_TYPE_TRACING], [AT.BPF_TRACE_ITER]),
  ...group(sessionKfuncs, [PT.BPF_PROG_TYPE_KPROBE], sessions),
  ...group(lsmKfuncs, [PT.BPF_PROG_TYPE_LSM]),
  ...group(syscallKfuncs, syscall),
  ...group(cryptoKfuncs, [...tcBoth, ...xdp]),
  ...group(skbKfuncs, skb),
  ...group(skbMetaKfuncs, tcBoth),
  ...group(tcKfuncs, tc),
  ...group(conntrackKfuncs, [...tc, ...xdp]),
  ...group(xdpKfuncs, xdp),
  ...group(cgroupKfuncs, cgroup),
  ...group(structOpsKfuncs, structOps),
]

const byName = new Map(KFUNCS.map((kfunc) => [kfunc.name, kfunc]))

/** A kfunc by name; `undefined` for one that the table does not have. */
export function kfuncByName(name: string): Kfunc | undefined {
  return byName.get(name)
}

/** Whether programs of a type may call a kfunc ("calling kernel function NAME is not allowed"). */
export function kfuncAllowed(kfunc: Kfunc, programType: number, attachType = 0): boolean {
  if (kfunc.programTypes !== null && !kfunc.programTypes.includes(programType)) return false
  return kfunc.attachTypes === null || kfunc.attachTypes.includes(attachType)
}
