/**
 * Lists and trees of allocated objects: a root in a map's value or another object, under a lock of
 * the same allocation; nodes that must be of the type that the root `__contains`.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c __process_kf_arg_ptr_to_graph_root,
 * __process_kf_arg_ptr_to_graph_node, ref_convert_owning_non_owning.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { MEM_ALLOC, MEM_RCU, NON_OWN_REF, PTR_TO_BTF_ID } from "../../state/register-types.ts"
import {
  aOf,
  bOf,
  constantLow,
  idOf,
  isConstant,
  offOf,
  setA,
  setB,
  setOff,
  setType,
  typeOf,
} from "../../state/registers.ts"
import {
  type FieldKind,
  type GraphTarget,
  type RecordField,
  recordOfRegister,
} from "../../types/record.ts"
import { btfIndex, structIdsMatch } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { lockOwner } from "../locks/spin-lock.ts"
import { disown, holdsLock } from "./references.ts"

const NAMES: Readonly<Partial<Record<FieldKind, string>>> = {
  list_head: "bpf_list_head",
  list_node: "bpf_list_node",
  rb_root: "bpf_rb_root",
  rb_node: "bpf_rb_node",
}

function constantPlace(v: Verifier, regno: number, kind: FieldKind): number {
  const reg = v.reg(regno)
  if (!isConstant(v.domain, reg))
    v.reject(
      ERRNO.EINVAL,
      `R${regno} doesn't have constant offset. ${NAMES[kind]} has to be at the constant offset`,
      { rule: "graph", register: regno },
    )
  return offOf(v.domain, reg) + constantLow(v.domain, reg)
}

function notFound(v: Verifier, regno: number, kind: FieldKind, offset: number): never {
  return v.reject(ERRNO.EINVAL, `${NAMES[kind]} not found at offset=${offset >>> 0}`, {
    rule: "graph",
    register: regno,
  })
}

/** A lock of the allocation that register `reg` (address) points into is held. */
function isLocked(v: Verifier, reg: number): boolean {
  if (v.state.activeLocks === 0) return false
  const id = idOf(v.domain, reg)
  if (holdsLock(v, ["lock", "res_lock", "res_lock_irq"], id, lockOwner(v, reg))) return true
  v.verbose("held lock and object are not in the same allocation\n")
  return false
}

/** Register `regno` is the head or root of the current call. */
export function checkGraphRoot(
  v: Verifier,
  regno: number,
  kind: "list_head" | "rb_root",
): RecordField {
  const reg = v.reg(regno)
  const offset = constantPlace(v, regno, kind)
  const record = recordOfRegister(v, reg)
  const field = record?.find(offset, kind)
  if (record === null || field === undefined) return notFound(v, regno, kind, offset)
  if (!isLocked(v, reg))
    v.reject(
      ERRNO.EINVAL,
      `bpf_spin_lock at off=${record.spinLockOffset} must be held for ${NAMES[kind]}`,
      { rule: "graph-lock", register: regno },
    )
  return field
}

/** Register `regno` is a node for the list or tree `root`. */
export function checkGraphNode(
  v: Verifier,
  regno: number,
  kind: "list_node" | "rb_node",
  root: RecordField,
): void {
  const { domain } = v
  const reg = v.reg(regno)
  const offset = constantPlace(v, regno, kind)
  if (recordOfRegister(v, reg)?.find(offset, kind) === undefined) notFound(v, regno, kind, offset)
  const target = root.graph
  if (target === null) return
  const btf = v.btfs[bOf(domain, reg)]
  const id = aOf(domain, reg)
  const expected = target.btf.type(target.typeId).name
  if (!structIdsMatch(v, btf, id, 0, target.btf, target.typeId, true))
    v.reject(
      ERRNO.EINVAL,
      `operation on ${NAMES[root.kind]} expects arg#1 ${NAMES[kind]} at offset=${target.nodeOffset} ` +
        `in struct ${expected}, but arg is at offset=${offset} in struct ${btf.type(id).name}`,
      { rule: "graph-type", register: regno },
    )
  if (offset !== target.nodeOffset)
    v.reject(
      ERRNO.EINVAL,
      `arg#1 offset=${offset}, but expected ${NAMES[kind]} at offset=${target.nodeOffset} in struct ${expected}`,
      { rule: "graph-type", register: regno },
    )
}

/** Register `reg` (address) points to a node of what a root contains. */
export function markGraphNode(v: Verifier, reg: number, target: GraphTarget): void {
  const { domain } = v
  domain.markKnownZero(reg)
  setType(domain, reg, PTR_TO_BTF_ID | MEM_ALLOC)
  setA(domain, reg, target.typeId)
  setB(domain, reg, btfIndex(v, target.btf))
  setOff(domain, reg, target.nodeOffset)
}

/** The list or tree owns the object; the pointer is valid under the lock, or RCU if counted. */
export function markNonOwning(v: Verifier, reg: number): void {
  const { domain } = v
  const counted = (recordOfRegister(v, reg)?.refcountOffset ?? -1) >= 0
  setType(domain, reg, typeOf(domain, reg) | NON_OWN_REF | (counted ? MEM_RCU : 0))
}

/** An object moved into a list or tree: pointers to it own it no more. */
export function giveToGraph(v: Verifier, refObjId: number): void {
  disown(v, refObjId, (reg) => markNonOwning(v, reg))
}
