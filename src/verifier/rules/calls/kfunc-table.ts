/**
 * Kernel functions as the program calls them: by the BTF id of their prototype. Flags and who may
 * call them are in spec/; what is special about some is found by name.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c fetch_kfunc_meta, special_kfunc_list.
 */

import type { Btf, BtfFuncProto } from "../../../btf/index.ts"
import { type Kfunc, type KfuncFlag, kfuncAllowed, kfuncByName } from "../../../spec/kfuncs.ts"
import type { VerifierInput } from "../../input.ts"
import type { Verifier } from "../../verifier.ts"

/** A kfunc that exists. */
export interface KfuncRule {
  readonly id: number
  readonly name: string
  readonly btf: Btf
  readonly proto: BtfFuncProto
  /** Null for a function that is none of the kfuncs. */
  readonly kfunc: Kfunc | null
  readonly allowed: boolean
  has(flag: KfuncFlag): boolean
}

const tables = new WeakMap<VerifierInput, Map<number, KfuncRule | null>>()

function makeRule(v: Verifier, btf: Btf, id: number): KfuncRule | null {
  if (id <= 0 || id >= btf.typeCount || btf.kindOf(id) !== "func") return null
  const func = btf.typeOf(id, "func")
  const proto = btf.type(func.type)
  if (proto.kind !== "func_proto") return null
  const kfunc = kfuncByName(func.name) ?? null
  const flags = new Set(kfunc?.flags)
  return {
    id,
    name: func.name,
    btf,
    proto,
    kfunc,
    allowed:
      kfunc !== null &&
      kfuncAllowed(kfunc, v.input.type, v.input.expectedAttachType) &&
      (v.input.implemented?.({ kfunc: func.name }) ?? true),
    has: (flag) => flags.has(flag),
  }
}

/** The kfunc that instruction `insn` calls; null when its id is none of a function. */
export function kfuncAt(v: Verifier, insn: number): KfuncRule | null {
  const { code, input } = v
  // A module's BTF would come by the instruction's offset into fd_array.
  if (code.off[insn] !== 0) return null
  let table = tables.get(input)
  if (table === undefined) {
    table = new Map()
    tables.set(input, table)
  }
  const id = code.imm[insn]
  let rule = table.get(id)
  if (rule === undefined) {
    rule = makeRule(v, input.kernelBtf(), id)
    table.set(id, rule)
  }
  return rule
}

/** Takes a callback that runs before it returns; one that runs some time later. */
export function kfuncCallsBack(name: string): boolean {
  return name === "bpf_rbtree_add_impl"
}
export function kfuncCallsLater(name: string): boolean {
  return (
    name === "bpf_wq_set_callback_impl" ||
    name === "bpf_task_work_schedule_signal_impl" ||
    name === "bpf_task_work_schedule_resume_impl"
  )
}

const underLock = new Set([
  "bpf_list_push_front_impl",
  "bpf_list_push_back_impl",
  "bpf_list_pop_front",
  "bpf_list_pop_back",
  "bpf_list_front",
  "bpf_list_back",
  "bpf_rbtree_add_impl",
  "bpf_rbtree_remove",
  "bpf_rbtree_first",
  "bpf_rbtree_root",
  "bpf_rbtree_left",
  "bpf_rbtree_right",
  "bpf_refcount_acquire_impl",
  "bpf_iter_num_new",
  "bpf_iter_num_next",
  "bpf_iter_num_destroy",
  "bpf_res_spin_lock",
  "bpf_res_spin_unlock",
  "bpf_res_spin_lock_irqsave",
  "bpf_res_spin_unlock_irqrestore",
])

/** May be called while a lock is held (kfunc_spin_allowed). */
export function kfuncAllowedUnderLock(name: string): boolean {
  return underLock.has(name)
}
