/**
 * References that a program holds: what was acquired, locks, saved interrupt flags. The list is
 * ordered by time, for locks and interrupt flags must be given back last in, first out.
 *
 * Invariant: `state.refs` is replaced, never changed, for saved states share it.
 */

import {
  MEM_RCU,
  NON_OWN_REF,
  PTR_MAYBE_NULL,
  PTR_UNTRUSTED,
  STACK_ITER,
} from "../../state/register-types.ts"
import { idOf, refObjIdOf, setRefObjId, setType, typeOf } from "../../state/registers.ts"
import type { Reference } from "../../state/state.ts"
import type { Verifier } from "../../verifier.ts"

/** What a pointer becomes when it points to nothing valid any more (mark_reg_invalid). */
export function invalidateRegister(v: Verifier, reg: number): void {
  if (v.allowPtrLeaks) v.domain.markUnknown(reg)
  else v.domain.markNotInit(reg)
}

/** Releases a reference and all pointers to what it held; false when it is not held. */
export function releaseReference(v: Verifier, id: number): boolean {
  if (!v.releaseReference(id)) return false
  v.invalidateReference(id)
  return true
}

/** Pointers into lists and trees that are not owned are valid under the lock only. */
export function invalidateNonOwningReferences(v: Verifier): void {
  v.forEachRegister((reg) => {
    if (typeOf(v.domain, reg) & NON_OWN_REF) invalidateRegister(v, reg)
  })
}

/** Calls back with the register of each stack slot that is (part of) an iterator. */
function forEachIteratorSlot(v: Verifier, visit: (reg: number) => void): void {
  for (let frame = 0; frame <= v.currentFrameNumber; frame++)
    for (let spi = 0; spi < v.slots(frame); spi++)
      if (v.slotType(frame, spi, 7) === STACK_ITER) visit(v.slot(frame, spi))
}

/** At the end of the outermost RCU section: its pointers may only be read with care. */
export function untrustRcuPointers(v: Verifier): void {
  const untrust = (reg: number): void => {
    const type = typeOf(v.domain, reg)
    if (type & MEM_RCU) setType(v.domain, reg, (type & ~(MEM_RCU | PTR_MAYBE_NULL)) | PTR_UNTRUSTED)
  }
  v.forEachRegister(untrust)
  forEachIteratorSlot(v, untrust)
}

/** The registers that own `id` own it no more; `visit` changes each. */
export function disown(v: Verifier, id: number, visit: (reg: number) => void): void {
  v.forEachRegister((reg) => {
    if (refObjIdOf(v.domain, reg) !== id) return
    setRefObjId(v.domain, reg, 0)
    visit(reg)
  })
}

export type LockKind = "lock" | "res_lock" | "res_lock_irq"

function isLock(reference: Reference): boolean {
  return reference.kind !== "ptr" && reference.kind !== "irq"
}

/** The lock of `owner` that register `reg` (address) points to is held from here on. */
export function acquireLock(v: Verifier, kind: LockKind, reg: number, owner: number): void {
  const id = idOf(v.domain, reg)
  const { state } = v
  state.refs = [...state.refs, { kind, id, insn: v.insn, owner }]
  state.activeLocks++
  state.activeLockId = id
  state.activeLockOwner = owner
}

/** Whether this lock, of one of the kinds, is held. */
export function holdsLock(
  v: Verifier,
  kinds: readonly LockKind[],
  id: number,
  owner: number,
): boolean {
  return v.state.refs.some(
    (held) => kinds.some((kind) => kind === held.kind) && held.id === id && held.owner === owner,
  )
}

/** Gives back a lock; the one taken before it is the last taken again. False when not held. */
export function releaseLock(v: Verifier, kind: LockKind, id: number, owner: number): boolean {
  const { state } = v
  const index = state.refs.findIndex(
    (held) => held.kind === kind && held.id === id && held.owner === owner,
  )
  if (index < 0) return false
  const before = state.refs.slice(0, index)
  const previous = before.findLast(isLock)
  state.refs = [...before, ...state.refs.slice(index + 1)]
  state.activeLocks--
  state.activeLockId = previous?.id ?? 0
  state.activeLockOwner = previous?.owner ?? 0
  return true
}

/** Interrupts are off; returns the id of the saved flags. */
export function acquireIrq(v: Verifier): number {
  const id = v.newId()
  const { state } = v
  state.refs = [...state.refs, { kind: "irq", id, insn: v.insn, owner: 0 }]
  state.activeIrqId = id
  return id
}

/** Restores saved flags; false when others were saved after them. */
export function releaseIrq(v: Verifier, id: number): boolean {
  const { state } = v
  if (id !== state.activeIrqId) return false
  const index = state.refs.findIndex((held) => held.kind === "irq" && held.id === id)
  const before = state.refs.slice(0, index)
  state.activeIrqId = before.findLast((held) => held.kind === "irq")?.id ?? 0
  state.refs = [...before, ...state.refs.slice(index + 1)]
  return true
}
