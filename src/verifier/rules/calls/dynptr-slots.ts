/**
 * Dynptrs as what they are on the stack: two slots, the upper one (nearer to the frame pointer)
 * first. Stores to either destroy both.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c destroy_if_dynptr_stack_slot.
 */

import { ERRNO } from "../../../spec/errno.ts"
import {
  BPF_DYNPTR_TYPE_RINGBUF,
  PTR_MAYBE_NULL,
  PTR_TO_MEM,
  STACK_DYNPTR,
} from "../../state/register-types.ts"
import { aOf, bOf, idOf, typeOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { invalidateRegister } from "./references.ts"
import { clearSlot } from "./stack-object.ts"

/** Linux: invalidate_dynptr. `spi` is the first slot. */
export function clearDynptr(v: Verifier, frame: number, spi: number): void {
  clearSlot(v, frame, spi)
  clearSlot(v, frame, spi - 1)
  v.noteStackWrite(frame, spi - 1, spi)
}

/**
 * A store to stack slot `spi` of frame `n`: a dynptr that has a part there is gone, with the
 * slices made of it; one that owns a reference may not be overwritten.
 */
export function destroyDynptrAtSlot(v: Verifier, frame: number, spi: number): void {
  const { domain } = v
  if (v.slotType(frame, spi, 0) !== STACK_DYNPTR) return
  const first = bOf(domain, v.slot(frame, spi)) === 0 ? spi + 1 : spi
  const object = v.slot(frame, first)
  if (aOf(domain, object) === BPF_DYNPTR_TYPE_RINGBUF)
    v.reject(ERRNO.EINVAL, "cannot overwrite referenced dynptr", { rule: "dynptr-overwritten" })
  v.scratchSlot(first)
  v.scratchSlot(first - 1)
  const id = idOf(domain, object)
  v.forEachRegister((reg) => {
    if ((typeOf(domain, reg) & ~PTR_MAYBE_NULL) !== PTR_TO_MEM || bOf(domain, reg) !== id) return
    invalidateRegister(v, reg)
  })
  clearDynptr(v, frame, first)
}
