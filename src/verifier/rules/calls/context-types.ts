/**
 * The struct by which programs of each type know their context, and the kernel's own for
 * bpf_cast_to_kern_ctx().
 *
 * Source: linux v6.18 include/linux/bpf_types.h, kernel/bpf/btf.c btf_is_prog_ctx_type,
 * btf_validate_prog_ctx_type.
 */

import type { Btf, BtfType } from "../../../btf/index.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import type { Verifier } from "../../verifier.ts"

/** `program's kernel's` by program type; without entry the context has no type of its own. */
const contexts: Readonly<Record<number, string>> = {
  [PT.BPF_PROG_TYPE_SOCKET_FILTER]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_SCHED_CLS]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_SCHED_ACT]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_XDP]: "xdp_md xdp_buff",
  [PT.BPF_PROG_TYPE_CGROUP_SKB]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_CGROUP_SOCK]: "bpf_sock sock",
  [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: "bpf_sock_addr bpf_sock_addr_kern",
  [PT.BPF_PROG_TYPE_LWT_IN]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_LWT_OUT]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_LWT_XMIT]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_LWT_SEG6LOCAL]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_SOCK_OPS]: "bpf_sock_ops bpf_sock_ops_kern",
  [PT.BPF_PROG_TYPE_SK_SKB]: "__sk_buff sk_buff",
  [PT.BPF_PROG_TYPE_SK_MSG]: "sk_msg_md sk_msg",
  [PT.BPF_PROG_TYPE_FLOW_DISSECTOR]: "__sk_buff bpf_flow_dissector",
  [PT.BPF_PROG_TYPE_KPROBE]: "pt_regs pt_regs",
  [PT.BPF_PROG_TYPE_PERF_EVENT]: "bpf_perf_event_data bpf_perf_event_data_kern",
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT]: "bpf_raw_tracepoint_args -",
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE]: "bpf_raw_tracepoint_args -",
  [PT.BPF_PROG_TYPE_CGROUP_DEVICE]: "bpf_cgroup_dev_ctx bpf_cgroup_dev_ctx",
  [PT.BPF_PROG_TYPE_CGROUP_SYSCTL]: "bpf_sysctl bpf_sysctl_kern",
  [PT.BPF_PROG_TYPE_CGROUP_SOCKOPT]: "bpf_sockopt bpf_sockopt_kern",
  [PT.BPF_PROG_TYPE_SK_REUSEPORT]: "sk_reuseport_md sk_reuseport_kern",
  [PT.BPF_PROG_TYPE_SK_LOOKUP]: "bpf_sk_lookup bpf_sk_lookup_kern",
  [PT.BPF_PROG_TYPE_NETFILTER]: "bpf_nf_ctx bpf_nf_ctx",
}

function nameOf(type: number, index: number): string {
  const name = contexts[type]?.split(" ")[index] ?? ""
  return name === "-" ? "" : name
}

/** Name of the kernel's struct behind the context, or empty. */
export function kernelContextName(programType: number): string {
  return nameOf(programType, 1)
}

/** A program's struct that stands for one of the kernel's: `__sk_buff`, `xdp_md`. */
export function isProjection(program: string, kernel: string): boolean {
  return (
    (program === "__sk_buff" && kernel === "sk_buff") ||
    (program === "xdp_md" && kernel === "xdp_buff")
  )
}

/** The name of a typedef among the names that a type goes by, or empty. */
function hasTypedef(btf: Btf, id: number, name: string): boolean {
  let type = btf.type(id)
  for (let depth = 0; depth < 32; depth++) {
    if (type.kind === "typedef") return type.name === name
    if (!("type" in type) || type.kind === "ptr" || type.kind === "array") return false
    type = btf.type(type.type)
  }
  return false
}

function isStruct(type: BtfType): boolean {
  return type.kind === "struct" || type.kind === "union"
}

/** Whether a pointer to type `target` is one to the context of the program's type. */
export function isContextPointer(v: Verifier, btf: Btf, target: number): boolean {
  const { type } = v.input
  if (type === PT.BPF_PROG_TYPE_KPROBE && hasTypedef(btf, target, "bpf_user_pt_regs_t")) return true
  const pointee = btf.resolve(target)
  if (!isStruct(pointee)) return false
  const name = nameOf(type, 0)
  if (name === "") return false
  return pointee.name === name || isProjection(name, pointee.name)
}

function isU64(type: BtfType): boolean {
  return type.kind === "int" && type.size === 8
}

/** A type that `arg:ctx` allows beside the struct of the program's type. */
function isSpecialContext(v: Verifier, btf: Btf, target: number): boolean {
  const pointee = btf.resolve(target)
  switch (v.input.type) {
    case PT.BPF_PROG_TYPE_KPROBE:
      return hasTypedef(btf, target, "bpf_user_pt_regs_t") || pointee.name === "pt_regs"
    case PT.BPF_PROG_TYPE_PERF_EVENT:
      return hasTypedef(btf, target, "bpf_user_pt_regs_t") || pointee.name === "pt_regs"
    case PT.BPF_PROG_TYPE_RAW_TRACEPOINT:
    case PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
      return isU64(pointee)
    case PT.BPF_PROG_TYPE_TRACING: {
      const raw = v.input.expectedAttachType === AT.BPF_TRACE_RAW_TP
      if (v.input.expectedAttachType === AT.BPF_TRACE_ITER)
        return isStruct(pointee) && pointee.name.startsWith("bpf_iter__")
      return isU64(pointee) || (raw && pointee.name === "bpf_raw_tracepoint_args")
    }
    case PT.BPF_PROG_TYPE_LSM:
    case PT.BPF_PROG_TYPE_STRUCT_OPS:
      return isU64(pointee)
    case PT.BPF_PROG_TYPE_TRACEPOINT:
    case PT.BPF_PROG_TYPE_SYSCALL:
    case PT.BPF_PROG_TYPE_EXT:
      return true
    default:
      return false
  }
}

/** What is wrong with a pointer to `target` that is tagged `arg:ctx`; empty for nothing. */
export function validContextType(v: Verifier, btf: Btf, target: number, index: number): string {
  const pointee = btf.resolve(target)
  if (pointee.kind === "void" || isSpecialContext(v, btf, target)) return ""
  if (pointee.name === "") return `arg#${index} type doesn't have a name`
  const name = nameOf(v.input.type, 0)
  if (name === "") return `arg#${index} should be void pointer`
  return isStruct(pointee) && pointee.name === name
    ? ""
    : `arg#${index} should be \`struct ${name} *\``
}
