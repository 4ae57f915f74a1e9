/**
 * Saved interrupt flags: one slot of the stack, restored in the opposite order of saving, by the
 * kfuncs of the same family that saved them.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c process_irq_flag.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { PTR_TO_STACK, STACK_IRQ_FLAG } from "../../state/register-types.ts"
import { aOf, framenoOf, refObjIdOf, setA, setRefObjId, setType } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { checkMemoryAccess } from "../memory/memory-access.ts"
import { acquireIrq, releaseIrq } from "./references.ts"
import {
  clearSlot,
  setSlot,
  slotHas,
  slotIs,
  stackObjectSlot,
  UNUSED_STACK,
} from "./stack-object.ts"

/** Who saved the flags: bpf_local_irq_save(), or a lock. */
export const NATIVE_FLAGS = 0
export const LOCK_FLAGS = 1

function save(v: Verifier, regno: number, family: number): void {
  const { domain } = v
  const reg = v.reg(regno)
  const frame = framenoOf(domain, reg)
  const before = stackObjectSlot(v, reg, "irq_flag", 1)
  const taken = before >= 0 && slotHas(v, frame, before, STACK_IRQ_FLAG)
  if (taken || (before < 0 && before !== UNUSED_STACK))
    v.reject(ERRNO.EINVAL, `expected uninitialized irq flag as arg#${regno - 1}`, {
      rule: "irq-flag",
      register: regno,
    })
  checkMemoryAccess(v, v.insn, regno, 0, 8, true, -1)
  const spi = stackObjectSlot(v, reg, "irq_flag", 1)
  const slot = v.slot(frame, spi)
  const id = acquireIrq(v)
  v.noteStackWrite(frame, spi, spi)
  domain.markKnownZero(slot)
  setType(domain, slot, PTR_TO_STACK)
  setRefObjId(domain, slot, id)
  setA(domain, slot, family)
  setSlot(v, frame, spi, STACK_IRQ_FLAG)
  v.scratchSlot(spi)
}

function restore(v: Verifier, regno: number, family: number): void {
  const { domain, state } = v
  const reg = v.reg(regno)
  const frame = framenoOf(domain, reg)
  const spi = stackObjectSlot(v, reg, "irq_flag", 1)
  const saved =
    spi >= 0 &&
    refObjIdOf(domain, v.slot(frame, spi)) !== 0 &&
    slotIs(v, frame, spi, STACK_IRQ_FLAG)
  if (!saved)
    v.reject(ERRNO.EINVAL, `expected an initialized irq flag as arg#${regno - 1}`, {
      rule: "irq-flag",
      register: regno,
    })
  v.noteStackRead(frame, spi, spi)
  v.scratchSlot(spi)
  const slot = v.slot(frame, spi)
  const name = (which: number): string => (which === NATIVE_FLAGS ? "native" : "lock")
  if (aOf(domain, slot) !== family)
    v.reject(
      ERRNO.EINVAL,
      `irq flag acquired by ${name(aOf(domain, slot))} kfuncs cannot be restored with ${name(family)} kfuncs`,
      { rule: "irq-flag", register: regno },
    )
  const expected = state.activeIrqId
  if (!releaseIrq(v, refObjIdOf(domain, slot))) {
    const insn = state.refs.find(({ id }) => id === expected)?.insn ?? 0
    v.reject(
      ERRNO.EACCES,
      `cannot restore irq state out of order, expected id=${expected} acquired at insn_idx=${insn}`,
      { rule: "irq-order", register: regno },
    )
  }
  clearSlot(v, frame, spi)
  v.noteStackWrite(frame, spi, spi)
  v.scratchSlot(spi)
}

/** Register `regno` points to where the current kfunc saves, or finds, the flags. */
export function checkIrqFlag(v: Verifier, regno: number, saves: boolean, family: number): void {
  if (saves) save(v, regno, family)
  else restore(v, regno, family)
}
