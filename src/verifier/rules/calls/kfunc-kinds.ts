/**
 * What kind of argument a kfunc's pointer parameter is: by its type, its name's suffix, and in the
 * end by what is passed.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c get_kfunc_ptr_arg_type.
 */

import type { Btf, BtfParam, BtfType } from "../../../btf/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import {
  BASE_TYPE_MASK,
  CONST_PTR_TO_MAP,
  PTR_TO_BTF_ID,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import { typeOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { isContextPointer } from "./context-types.ts"
import { kindText } from "./function-arguments.ts"
import type { KfuncRule } from "./kfunc-table.ts"

export type KfuncArgumentKind =
  | "null"
  | "ctx"
  | "allocated"
  | "refcounted"
  | "dynptr"
  | "iter"
  | "list_head"
  | "list_node"
  | "rb_root"
  | "rb_node"
  | "string"
  | "map"
  | "workqueue"
  | "task_work"
  | "irq_flag"
  | "res_spin_lock"
  | "btf"
  | "callback"
  | "mem"
  | "mem_size"

/** The kernel's struct behind register types that are not PTR_TO_BTF_ID. */
export const STRUCT_OF_TYPE: Readonly<Record<number, string>> = {
  [PTR_TO_SOCKET]: "sock",
  [PTR_TO_SOCK_COMMON]: "sock_common",
  [PTR_TO_TCP_SOCK]: "tcp_sock",
  [CONST_PTR_TO_MAP]: "bpf_map",
}

const byStruct: Readonly<Record<string, KfuncArgumentKind>> = {
  bpf_dynptr: "dynptr",
  bpf_list_head: "list_head",
  bpf_list_node: "list_node",
  bpf_rb_root: "rb_root",
  bpf_rb_node: "rb_node",
}
const byStructLate: Readonly<Record<string, KfuncArgumentKind>> = {
  bpf_wq: "workqueue",
  bpf_task_work: "task_work",
}

export function isScalarType(type: BtfType): boolean {
  return type.kind === "int" || type.kind === "enum" || type.kind === "enum64"
}

/** A struct of numbers, arrays of them, and such structs, four levels deep at most. */
export function isScalarStruct(v: Verifier, btf: Btf, id: number, depth = 0): boolean {
  const type = btf.resolve(id)
  if (type.kind !== "struct" && type.kind !== "union") return false
  for (const member of type.members) {
    const inner = btf.resolve(member.type)
    if (inner.kind === "struct" || inner.kind === "union") {
      if (depth >= 3) {
        v.verbose("max struct nesting depth exceeded\n")
        return false
      }
      if (!isScalarStruct(v, btf, member.type, depth + 1)) return false
    } else if (inner.kind === "array") {
      if (inner.length === 0 || !isScalarType(btf.resolve(inner.type))) return false
    } else if (!isScalarType(inner)) return false
  }
  return true
}

/** The next parameter is the size of this one's memory: a number that is passed as one. */
function isSized(v: Verifier, rule: KfuncRule, index: number): boolean {
  const next: BtfParam | undefined = rule.proto.params[index + 1]
  if (next === undefined || !isScalarType(rule.btf.resolve(next.type))) return false
  if (typeOf(v.domain, v.reg(index + 2)) !== SCALAR_VALUE) return false
  return next.name.endsWith("__sz") || next.name.endsWith("__szk")
}

function bySuffix(name: string): KfuncArgumentKind | null {
  if (name.endsWith("__alloc")) return "allocated"
  return name.endsWith("__refcounted_kptr") ? "refcounted" : null
}

/** By declaration alone; null when what is passed decides. */
function declaredKind(
  v: Verifier,
  rule: KfuncRule,
  index: number,
  target: number,
): KfuncArgumentKind | null {
  const { btf, proto, name } = rule
  const param = proto.params[index]
  if (name === "bpf_cast_to_kern_ctx" || isContextPointer(v, btf, target)) return "ctx"
  const isNull = v.domain.isNull(v.reg(index + 1)) !== 0
  if (param.name.endsWith("__nullable") && isNull && !isSized(v, rule, index)) return "null"
  const suffixed = bySuffix(param.name)
  if (suffixed !== null) return suffixed
  const struct = btf.resolve(target).name
  if (struct === "bpf_dynptr") return "dynptr"
  const iterates = rule.has("iter_new") || rule.has("iter_next") || rule.has("iter_destroy")
  if (iterates ? index === 0 : param.name.endsWith("__iter")) return "iter"
  if (byStruct[struct] !== undefined) return byStruct[struct]
  if (param.name.endsWith("__str")) return "string"
  if (param.name.endsWith("__map")) return "map"
  if (byStructLate[struct] !== undefined) return byStructLate[struct]
  if (param.name.endsWith("__irq_flag")) return "irq_flag"
  return struct === "bpf_res_spin_lock" ? "res_spin_lock" : null
}

/** The kind of pointer parameter `index`, which points to type `target`. */
export function kfuncArgumentKind(
  v: Verifier,
  rule: KfuncRule,
  index: number,
  target: number,
): KfuncArgumentKind {
  const declared = declaredKind(v, rule, index, target)
  if (declared !== null) return declared
  const { btf } = rule
  const pointee = btf.resolve(target)
  const base = typeOf(v.domain, v.reg(index + 1)) & BASE_TYPE_MASK
  const isStruct = pointee.kind === "struct" || pointee.kind === "union"
  if (base === PTR_TO_BTF_ID || STRUCT_OF_TYPE[base] !== undefined) {
    if (!isStruct)
      v.reject(
        ERRNO.EINVAL,
        `kernel function ${rule.name} args#${index} pointer type ${kindText(pointee)} ${pointee.name} is not supported`,
        { rule: "kfunc-argument", argument: index, subject: rule.name },
      )
    return "btf"
  }
  if (pointee.kind === "func_proto") return "callback"
  const sized = isSized(v, rule, index)
  const plain = isScalarType(pointee) || isScalarStruct(v, btf, target)
  if (!plain && !(sized && pointee.kind === "void"))
    v.reject(
      ERRNO.EINVAL,
      `arg#${index} pointer type ${kindText(pointee)} ${pointee.name} must point to ${sized ? "void, " : ""}scalar, or struct with scalar`,
      { rule: "kfunc-argument", argument: index, subject: rule.name },
    )
  return sized ? "mem_size" : "mem"
}
