/** What may be called while a spin lock is held. */

import { BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL } from "../../isa/index.ts"
import { HELPERS } from "../../spec/index.ts"
import { kfuncAt } from "../rules/calls/kfunc-table.ts"
import type { Explorer } from "./explorer.ts"

/** Kfuncs on lists, trees and numbers, and those that lock. */
const ALLOWED: ReadonlySet<string> = new Set([
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

/** Whether the current call is allowed with a lock held; global functions are refused elsewhere. */
export function mayCallUnderLock(x: Explorer): boolean {
  const { code, insn } = x
  const kind = code.src[insn]
  if (kind === BPF_PSEUDO_CALL) return true
  if (kind !== BPF_PSEUDO_KFUNC_CALL) return HELPERS[code.imm[insn]]?.name === "spin_unlock"
  const kfunc = kfuncAt(x, insn)
  return kfunc !== null && ALLOWED.has(kfunc.name)
}
