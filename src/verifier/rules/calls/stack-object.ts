/**
 * Objects of the kernel that lie on the program's stack: dynptrs, iterators, saved interrupt flags.
 * They start at an aligned, constant offset and fill whole slots; the first (lowest) 8 bytes are
 * in the slot with the largest index.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c stack_slot_obj_get_spi.
 */

import { STACK_INVALID } from "../../state/register-types.ts"
import { constantLow, framenoOf, isConstant, offOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"

/** {@link stackObjectSlot}: the place is no place for an object; the log says why. */
export const MISPLACED = -1
/** {@link stackObjectSlot}: below what the program has used of its stack. */
export const UNUSED_STACK = -2

/**
 * The slot of the first 8 bytes of an object of `slots` slots that register `reg` (address)
 * points to, or MISPLACED or UNUSED_STACK. `kind`: "dynptr", "iter", "irq_flag".
 */
export function stackObjectSlot(v: Verifier, reg: number, kind: string, slots: number): number {
  const { domain } = v
  if (!isConstant(domain, reg)) {
    v.verbose(`${kind} has to be at a constant offset\n`)
    return MISPLACED
  }
  const off = offOf(domain, reg) + constantLow(domain, reg)
  const spi = Math.trunc((-off - 1) / 8)
  if (off % 8 !== 0 || spi + 1 < slots) {
    v.verbose(`cannot pass in ${kind} at an offset=${off}\n`)
    return MISPLACED
  }
  if (spi - slots + 1 < 0 || spi >= v.slots(framenoOf(domain, reg))) return UNUSED_STACK
  return spi
}

/** All 8 bytes of a slot become of one type. */
export function setSlot(v: Verifier, frame: number, spi: number, type: number): void {
  for (let byte = 0; byte < 8; byte++) v.setSlotType(frame, spi, byte, type)
}

/** Whether all 8 bytes of a slot are of a type. */
export function slotIs(v: Verifier, frame: number, spi: number, type: number): boolean {
  for (let byte = 0; byte < 8; byte++) if (v.slotType(frame, spi, byte) !== type) return false
  return true
}

/** Whether a byte of a slot is of a type. */
export function slotHas(v: Verifier, frame: number, spi: number, type: number): boolean {
  for (let byte = 0; byte < 8; byte++) if (v.slotType(frame, spi, byte) === type) return true
  return false
}

/** Nothing is in the slot any more. */
export function clearSlot(v: Verifier, frame: number, spi: number): void {
  setSlot(v, frame, spi, STACK_INVALID)
  v.domain.markNotInit(v.slot(frame, spi))
}
