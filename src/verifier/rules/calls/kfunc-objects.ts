/**
 * Arguments of kfuncs that are objects of the program: allocated objects, lists and trees, dynptrs,
 * iterators, workqueues, saved interrupt flags, resilient locks.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_kfunc_args.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import {
  BASE_TYPE_MASK,
  BPF_DYNPTR_TYPE_SKB,
  BPF_DYNPTR_TYPE_SKB_META,
  BPF_DYNPTR_TYPE_XDP,
  CONST_PTR_TO_DYNPTR,
  MEM_ALLOC,
  MEM_PERCPU,
  NON_OWN_REF,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_VALUE,
  PTR_TO_STACK,
} from "../../state/register-types.ts"
import { aOf, bOf, idOf, refObjIdOf, typeOf } from "../../state/registers.ts"
import { recordOfRegister } from "../../types/record.ts"
import type { Verifier } from "../../verifier.ts"
import { checkSpinLock } from "../locks/spin-lock.ts"
import { inTreeCallback } from "./callbacks.ts"
import { checkDynptrArgument, dynptrObject } from "./dynptr.ts"
import { checkGraphNode, checkGraphRoot } from "./graph.ts"
import { checkIrqFlag, LOCK_FLAGS, NATIVE_FLAGS } from "./irq-flags.ts"
import { checkIteratorArgument, iteratorType } from "./iterators.ts"
import { type KfuncArgument, refuse } from "./kfunc-argument.ts"
import { checkMapField } from "./map-fields.ts"

const ALLOCATED = PTR_TO_BTF_ID | MEM_ALLOC

export function checkAllocated(argument: KfuncArgument): void {
  const { v, rule, meta, index, reg } = argument
  const { domain } = v
  const type = typeOf(domain, reg)
  if (type === ALLOCATED) {
    if (rule.name !== "bpf_obj_drop_impl")
      refuse(argument, `arg#${index} expected for bpf_obj_drop_impl()`)
  } else if (type === (ALLOCATED | MEM_PERCPU)) {
    if (rule.name !== "bpf_percpu_obj_drop_impl")
      refuse(argument, `arg#${index} expected for bpf_percpu_obj_drop_impl()`)
  } else refuse(argument, `arg#${index} expected pointer to allocated object`)
  if (refObjIdOf(domain, reg) === 0) refuse(argument, "allocated object must be referenced")
  meta.objectBtf = bOf(domain, reg)
  meta.objectId = aOf(domain, reg)
}

const packetDynptrs: Readonly<Record<string, number>> = {
  bpf_dynptr_from_skb: BPF_DYNPTR_TYPE_SKB,
  bpf_dynptr_from_xdp: BPF_DYNPTR_TYPE_XDP,
  bpf_dynptr_from_skb_meta: BPF_DYNPTR_TYPE_SKB_META,
}

export function checkDynptr({ v, rule, meta, index, regno, reg }: KfuncArgument): void {
  const { domain } = v
  const uninit = rule.proto.params[index].name.endsWith("__uninit")
  let type = packetDynptrs[rule.name] ?? 0
  let cloneRefObjId = 0
  if (rule.name === "bpf_dynptr_clone" && uninit && meta.dynptr !== null) {
    type = meta.dynptr.type
    cloneRefObjId = meta.dynptr.refObjId
  }
  const readonly = typeOf(domain, reg) === CONST_PTR_TO_DYNPTR
  checkDynptrArgument(v, regno, { uninit, readonly, type, cloneRefObjId })
  if (uninit) return
  const object = dynptrObject(v, reg)
  meta.dynptr = {
    id: idOf(domain, object),
    type: aOf(domain, object),
    refObjId: refObjIdOf(domain, object),
  }
}

/** Iterators over tasks of a css take a lock that most programs might hold. */
function mayIterateCssTasks(v: Verifier): boolean {
  const { type, expectedAttachType } = v.input
  if (type === PT.BPF_PROG_TYPE_LSM) return true
  if (type === PT.BPF_PROG_TYPE_TRACING && expectedAttachType === AT.BPF_TRACE_ITER) return true
  return v.state.inSleepable
}

export function checkIterator(argument: KfuncArgument): void {
  const { v, rule, meta, index, regno, reg } = argument
  if (rule.name === "bpf_iter_css_task_new" && !mayIterateCssTasks(v))
    refuse(argument, "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs")
  if (typeOf(v.domain, reg) !== PTR_TO_STACK)
    refuse(argument, `arg#${index} expected pointer to an iterator on stack`)
  const type = iteratorType(rule.btf, rule.proto.params[index].type)
  if (type === null) {
    refuse(argument, `expected valid iter pointer as arg #${index}`)
    return
  }
  const place = checkIteratorArgument(v, regno, {
    ...type,
    btfIndex: 0,
    kfunc: rule.name,
    creates: rule.has("iter_new"),
    destroys: rule.has("iter_destroy"),
    rcuProtected: rule.has("rcu_protected"),
  })
  if (place === null) return
  meta.iterator = place
  meta.refObjId = place.refObjId
}

export function checkRoot(argument: KfuncArgument, kind: "list_head" | "rb_root"): void {
  const { v, meta, index, regno, reg } = argument
  const type = typeOf(v.domain, reg)
  if (type !== PTR_TO_MAP_VALUE && type !== ALLOCATED)
    refuse(argument, `arg#${index} expected pointer to map value or allocated object`)
  if (type === ALLOCATED && refObjIdOf(v.domain, reg) === 0)
    refuse(argument, "allocated object must be referenced")
  meta.root = checkGraphRoot(v, regno, kind)
}

export function checkNode(argument: KfuncArgument, kind: "list_node" | "rb_node"): void {
  const { v, rule, meta, index, regno, reg } = argument
  const type = typeOf(v.domain, reg)
  const owned = refObjIdOf(v.domain, reg) !== 0
  if (kind === "list_node" || rule.name === "bpf_rbtree_add_impl") {
    if (type !== ALLOCATED) refuse(argument, `arg#${index} expected pointer to allocated object`)
    if (!owned) refuse(argument, "allocated object must be referenced")
  } else {
    if (!(type & NON_OWN_REF) && !owned)
      refuse(argument, `${rule.name} can only take non-owning or refcounted bpf_rb_node pointer`)
    if (inTreeCallback(v)) refuse(argument, `${rule.name} not allowed in rbtree cb`)
  }
  if (meta.root === null) return
  checkGraphNode(v, regno, kind, meta.root)
  meta.objectBtf = bOf(v.domain, reg)
  meta.objectId = aOf(v.domain, reg)
}

export function checkRefcounted(argument: KfuncArgument): void {
  const { v, meta, index, reg } = argument
  const type = typeOf(v.domain, reg)
  if ((type & BASE_TYPE_MASK) !== PTR_TO_BTF_ID || !(type & MEM_ALLOC))
    refuse(argument, `arg#${index} is neither owning or non-owning ref`)
  if (!(type & NON_OWN_REF)) meta.owned = true
  const record = recordOfRegister(v, reg)
  if (record === null) refuse(argument, "verifier bug: Couldn't find btf_record", ERRNO.EFAULT)
  if ((record?.refcountOffset ?? -1) < 0)
    refuse(argument, `arg#${index} doesn't point to a type with bpf_refcount field`)
  meta.objectBtf = bOf(v.domain, reg)
  meta.objectId = aOf(v.domain, reg)
}

export function checkField(argument: KfuncArgument, name: "bpf_wq" | "bpf_task_work"): void {
  const { v, meta, index, regno, reg } = argument
  if (typeOf(v.domain, reg) !== PTR_TO_MAP_VALUE)
    refuse(argument, `arg#${index} doesn't point to a map value`)
  checkMapField(v, regno, name)
  meta.mapIndex = aOf(v.domain, reg)
  meta.mapUid = bOf(v.domain, reg)
}

export function checkFlag(argument: KfuncArgument): void {
  const { v, rule, index, regno, reg } = argument
  if (typeOf(v.domain, reg) !== PTR_TO_STACK)
    refuse(argument, `arg#${index} doesn't point to an irq flag on stack`)
  const family = rule.name.startsWith("bpf_res_") ? LOCK_FLAGS : NATIVE_FLAGS
  const saves = rule.name === "bpf_local_irq_save" || rule.name === "bpf_res_spin_lock_irqsave"
  checkIrqFlag(v, regno, saves, family)
}

export function checkResilientLock(argument: KfuncArgument): void {
  const { v, rule, index, regno, reg } = argument
  const type = typeOf(v.domain, reg)
  if (type !== PTR_TO_MAP_VALUE && type !== ALLOCATED)
    refuse(argument, `arg#${index} doesn't point to map value or allocated object`)
  checkSpinLock(v, regno, {
    take: rule.name.startsWith("bpf_res_spin_lock"),
    resilient: true,
    irq: rule.name.includes("irq"),
  })
}
