/**
 * bpf_spin_lock and bpf_res_spin_lock: which lock a register points to, and taking and giving it
 * back in order. A lock belongs to a map's value or an allocated object: the pointer's id and the
 * map (or BTF) tell locks apart.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c process_spin_lock.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { PTR_TO_MAP_VALUE } from "../../state/register-types.ts"
import {
  aOf,
  bOf,
  constantLow,
  idOf,
  isConstant,
  offOf,
  typeOf,
  varOffValueOf,
} from "../../state/registers.ts"
import { recordOfRegister } from "../../types/record.ts"
import type { Verifier } from "../../verifier.ts"
import {
  acquireLock,
  holdsLock,
  invalidateNonOwningReferences,
  type LockKind,
  releaseLock,
} from "../calls/references.ts"

export interface LockCall {
  /** Takes the lock; otherwise gives it back. */
  readonly take: boolean
  /** bpf_res_spin_lock, and with interrupts off. */
  readonly resilient: boolean
  readonly irq: boolean
}

/** What the lock at register `reg` (address) belongs to: a map's index, or -1 - a BTF's index. */
export function lockOwner(v: Verifier, reg: number): number {
  const { domain } = v
  return typeOf(domain, reg) === PTR_TO_MAP_VALUE ? aOf(domain, reg) : -1 - bOf(domain, reg)
}

function checkPlace(v: Verifier, regno: number, resilient: boolean): void {
  const { domain } = v
  const reg = v.reg(regno)
  const kind = resilient ? "bpf_res_spin" : "bpf_spin"
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "lock-place", register: regno })
  if (!isConstant(domain, reg))
    refuse(`R${regno} doesn't have constant offset. ${kind}_lock has to be at the constant offset`)
  const map = typeOf(domain, reg) === PTR_TO_MAP_VALUE ? v.maps[aOf(domain, reg)] : null
  if (map !== null && map.btf === null)
    refuse(`map '${map.name}' has to have BTF in order to use ${kind}_lock`)
  const record = recordOfRegister(v, reg)
  const offset = (resilient ? record?.resSpinLockOffset : record?.spinLockOffset) ?? -1
  if (offset < 0)
    refuse(`${map ? "map" : "local"} '${map ? map.name : "kptr"}' has no valid ${kind}_lock`)
  if (constantLow(domain, reg) + offOf(domain, reg) !== offset) {
    const at = varOffValueOf(domain, reg) + BigInt(offOf(domain, reg))
    refuse(`off ${at} doesn't point to 'struct ${kind}_lock' that is at ${offset}`)
  }
}

function take(v: Verifier, reg: number, kind: LockKind): void {
  const owner = lockOwner(v, reg)
  const deadlock =
    kind !== "lock" && holdsLock(v, ["res_lock", "res_lock_irq"], idOf(v.domain, reg), owner)
  if (deadlock)
    v.reject(ERRNO.EINVAL, "Acquiring the same lock again, AA deadlock detected", {
      rule: "lock-twice",
    })
  acquireLock(v, kind, reg, owner)
}

function give(v: Verifier, reg: number, kind: LockKind, name: string): void {
  const { state } = v
  const id = idOf(v.domain, reg)
  const owner = lockOwner(v, reg)
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, `${name}_unlock ${text}`, { rule: "unlock" })
  if (state.activeLocks === 0) refuse("without taking a lock")
  if (!holdsLock(v, [kind], id, owner)) refuse("of different lock")
  if (id !== state.activeLockId || owner !== state.activeLockOwner) refuse("cannot be out of order")
  releaseLock(v, kind, id, owner)
  invalidateNonOwningReferences(v)
}

/** Register `regno` is the lock of the current call. */
export function checkSpinLock(v: Verifier, regno: number, call: LockCall): void {
  checkPlace(v, regno, call.resilient)
  const kind = !call.resilient ? "lock" : call.irq ? "res_lock_irq" : "res_lock"
  const reg = v.reg(regno)
  if (call.take) take(v, reg, kind)
  else give(v, reg, kind, call.resilient ? "bpf_res_spin" : "bpf_spin")
}
