/**
 * What a kfunc leaves in R0: by its return type, and for some by what they are.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_kfunc_call (second half), check_special_kfunc.
 */

import type { BtfType } from "../../../btf/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import {
  DEF_NOT_SUBREG,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_MEM,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../../state/register-types.ts"
import {
  idOf,
  setA,
  setB,
  setId,
  setRefObjId,
  setSubregDef,
  setType,
  typeOf,
} from "../../state/registers.ts"
import { recordOf, recordOfRegister } from "../../types/record.ts"
import { btfIndex } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { mayAccessPacket } from "../memory/packet.ts"
import { dynptrTypeFlag } from "./dynptr.ts"
import { kindText, resolvedSize } from "./function-arguments.ts"
import { markGraphNode, markNonOwning } from "./graph.ts"
import { yieldsRcuPointers } from "./iterators.ts"
import { isScalarStruct, isScalarType } from "./kfunc-kinds.ts"
import type { KfuncMeta } from "./kfunc-meta.ts"
import type { KfuncRule } from "./kfunc-table.ts"

/** Bytes of the largest object that bpf_percpu_obj_new() gives. */
const PERCPU_SIZE_MAX = 512

function markPointer(v: Verifier, type: number, a: number, b: number): void {
  const r0 = v.reg(0)
  v.domain.markKnownZero(r0)
  setType(v.domain, r0, type)
  setA(v.domain, r0, a)
  setB(v.domain, r0, b)
}

/** bpf_obj_new() and bpf_percpu_obj_new(): an object of a type of the program. */
function markNewObject(v: Verifier, rule: KfuncRule, meta: KfuncMeta): void {
  const { btf } = v.input
  const percpu = rule.name === "bpf_percpu_obj_new_impl"
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "kfunc-object", subject: rule.name })
  const wide = meta.constant ?? 0n
  if (wide !== BigInt.asUintN(32, wide))
    refuse("local type ID argument must be in range [0, U32_MAX]")
  if (btf === null) {
    refuse("bpf_obj_new/bpf_percpu_obj_new requires prog BTF")
    return
  }
  const id = Number(wide)
  const type: BtfType | null = id < btf.typeCount ? btf.type(id) : null
  if (type?.kind !== "struct") {
    refuse("bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct")
    return
  }
  if (percpu) {
    if (type.size > PERCPU_SIZE_MAX)
      refuse(`bpf_percpu_obj_new type size (${type.size}) is greater than ${PERCPU_SIZE_MAX}`)
    if (!isScalarStruct(v, btf, id))
      refuse("bpf_percpu_obj_new type ID argument must be of a struct of scalars")
    if (recordOf(btf, id, v.input.kernelBtf) !== null)
      refuse("bpf_percpu_obj_new type ID argument must not contain special fields")
  }
  markPointer(v, PTR_TO_BTF_ID | MEM_ALLOC | (percpu ? MEM_PERCPU : 0), id, btfIndex(v, btf))
}

/** bpf_rdonly_cast(): any address as a struct, read with care. */
function markCast(v: Verifier, rule: KfuncRule, meta: KfuncMeta): void {
  const wide = meta.constant ?? 0n
  const id = wide < BigInt(rule.btf.typeCount) ? Number(wide) : -1
  if (id < 0) {
    const signed = BigInt.asIntN(64, wide)
    v.reject(ERRNO.EINVAL, `Unknown type ID ${signed} passed to kfunc bpf_rdonly_cast`)
  }
  const { kind } = rule.btf.type(id)
  if (kind === "struct" || kind === "union") markPointer(v, PTR_TO_BTF_ID | PTR_UNTRUSTED, id, 0)
  else if (kind === "void") markPointer(v, PTR_TO_MEM | MEM_RDONLY | PTR_UNTRUSTED, 0, 0)
  else
    v.reject(ERRNO.EINVAL, "kfunc bpf_rdonly_cast type ID argument must be of a struct or void", {
      rule: "kfunc-cast",
    })
}

function markSlice(v: Verifier, rule: KfuncRule, meta: KfuncMeta): void {
  const readonly = rule.name === "bpf_dynptr_slice"
  if (!readonly && !mayAccessPacket(v, null, true))
    v.reject(ERRNO.EINVAL, "the prog does not allow writes to packet data")
  const { id, type } = meta.dynptr ?? { id: 0, type: 0 }
  const flags = dynptrTypeFlag(type) | (readonly ? MEM_RDONLY : 0)
  markPointer(v, PTR_TO_MEM | flags, Number(BigInt.asIntN(32, meta.constant ?? 0n)), id)
}

/** Kfuncs whose result their prototype does not tell; false for all others. */
function markSpecial(v: Verifier, rule: KfuncRule, meta: KfuncMeta, struct: string): boolean {
  switch (rule.name) {
    case "bpf_obj_new_impl":
    case "bpf_percpu_obj_new_impl":
      markNewObject(v, rule, meta)
      return true
    case "bpf_refcount_acquire_impl":
      markPointer(v, PTR_TO_BTF_ID | MEM_ALLOC, meta.objectId, meta.objectBtf)
      return true
    case "bpf_cast_to_kern_ctx":
      markPointer(v, PTR_TO_BTF_ID | PTR_TRUSTED, meta.contextId, 0)
      return true
    case "bpf_rdonly_cast":
      markCast(v, rule, meta)
      return true
    case "bpf_dynptr_slice":
    case "bpf_dynptr_slice_rdwr":
      markSlice(v, rule, meta)
      return true
  }
  const graph = meta.root?.graph
  if (graph && (struct === "bpf_list_node" || struct === "bpf_rb_node")) {
    markGraphNode(v, v.reg(0), graph)
    return true
  }
  return false
}

function markStruct(v: Verifier, rule: KfuncRule, meta: KfuncMeta, typeId: number): void {
  let type = PTR_TO_BTF_ID
  if (rule.name === "bpf_get_kmem_cache") type |= PTR_UNTRUSTED
  else if (rule.has("rcu_protected")) type |= MEM_RCU
  if (rule.has("iter_next") && meta.iterator !== null)
    type |= yieldsRcuPointers(v, meta.iterator) ? MEM_RCU : PTR_TRUSTED
  markPointer(v, type, typeId, 0)
}

function markMemory(v: Verifier, rule: KfuncRule, meta: KfuncMeta, target: number): void {
  const pointee = rule.btf.resolve(target)
  if (meta.resultSize === 0) {
    meta.resultSize = resolvedSize(rule.btf, target) ?? 0
    meta.resultReadonly = true
  }
  if (meta.resultSize === 0)
    v.reject(
      ERRNO.EINVAL,
      `kernel function ${rule.name} returns pointer type ${kindText(pointee)} ${pointee.name} is not supported`,
    )
  markPointer(v, PTR_TO_MEM | (meta.resultReadonly ? MEM_RDONLY : 0), meta.resultSize, 0)
  if (meta.refObjId !== 0) setRefObjId(v.domain, v.reg(0), meta.refObjId)
}

function markReturnedPointer(v: Verifier, rule: KfuncRule, meta: KfuncMeta, target: number): void {
  const { domain } = v
  const r0 = v.reg(0)
  const typeId = rule.btf.skipModifiers(target)
  const pointee = rule.btf.type(typeId)
  if (!markSpecial(v, rule, meta, pointee.name)) {
    if (pointee.kind === "void") domain.markUnknown(r0)
    else if (pointee.kind === "struct") markStruct(v, rule, meta, typeId)
    else markMemory(v, rule, meta, target)
  }
  const sure = rule.name === "bpf_refcount_acquire_impl" && meta.owned
  const nullable = rule.has("ret_null") && !sure
  if (nullable) {
    setType(domain, r0, typeOf(domain, r0) | PTR_MAYBE_NULL)
    setId(domain, r0, v.newId())
  }
  setSubregDef(domain, r0, DEF_NOT_SUBREG)
  if (rule.has("acquire")) {
    const id = v.acquireReference(v.insn)
    if (nullable) setId(domain, r0, id)
    setRefObjId(domain, r0, id)
  } else if (pointee.name === "bpf_list_node" || pointee.name === "bpf_rb_node") {
    markNonOwning(v, r0)
  }
  const record = recordOfRegister(v, r0)
  const locked = record !== null && (record.spinLockOffset >= 0 || record.resSpinLockOffset >= 0)
  if (locked && idOf(domain, r0) === 0) setId(domain, r0, v.newId())
}

/** Gives R0, which the call has clobbered, the result. */
export function markKfuncResult(v: Verifier, rule: KfuncRule, meta: KfuncMeta): void {
  const type = rule.btf.resolve(rule.proto.returnType)
  if (isScalarType(type)) {
    const takesLock = rule.name.startsWith("bpf_res_spin_lock")
    if (takesLock) v.domain.markKnownZero(v.reg(0))
    else v.domain.markUnknown(v.reg(0))
    const size = "size" in type ? type.size : 8
    setSubregDef(v.domain, v.reg(0), size === 8 ? DEF_NOT_SUBREG : v.insn + 1)
  } else if (type.kind === "ptr") markReturnedPointer(v, rule, meta, type.type)
}
