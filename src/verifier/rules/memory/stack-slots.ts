/**
 * Stack slots: eight bytes each, with a type a byte and the register that was spilled there.
 * A stack byte at `off` (-512 to -1) is byte `(-off - 1) % 8` of slot `(-off - 1) / 8`.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAX_VAR_OFF, MAX_BPF_STACK } from "../../../spec/limits.ts"
import type { Domain } from "../../domain/domain.ts"
import { FASTCALL_PATTERN } from "../../program/code.ts"
import {
  FRAME_SLOTS,
  FRAME_STACK,
  FRAME_SUBPROGNO,
  SLOT_SIZE,
  SLOT_TYPES,
} from "../../state/layout.ts"
import {
  NOT_INIT,
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_IRQ_FLAG,
  STACK_ITER,
  STACK_MISC,
  STACK_SPILL,
  STACK_ZERO,
} from "../../state/register-types.ts"
import {
  framenoOf,
  isConstant,
  setType,
  smaxNumber,
  sminNumber,
  typeOf,
} from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { constantNumber, variableText } from "./values.ts"

/** Offset that no stack access has: spills around fast calls cannot be left out any more. */
const NO_FASTCALL = -32768

/** Address of slot `spi` of the frame at `frame`. */
export function slotAddress(frame: number, spi: number): number {
  return frame + FRAME_STACK + spi * SLOT_SIZE
}

/** Bytes of stack that the frame at `frame` has. */
export function allocatedStack(d: Domain, frame: number): number {
  return d.i32[(frame + FRAME_SLOTS) >> 2] * 8
}

/** Whether a register is spilled in the slot, wholly or in part. */
export function isSpilledSlot(d: Domain, slot: number): boolean {
  return d.u8[slot + SLOT_TYPES + 7] === STACK_SPILL
}

export function isSpilledScalar(d: Domain, slot: number): boolean {
  return d.u8[slot + SLOT_TYPES + 7] === STACK_SPILL && typeOf(d, slot) === SCALAR_VALUE
}

/** Spilled registers, dynptrs, iterators, interrupt flags: what a plain store destroys whole. */
function isSpecialSlot(d: Domain, slot: number): boolean {
  const kind = d.u8[slot + SLOT_TYPES + 7]
  return (
    kind === STACK_SPILL || kind === STACK_DYNPTR || kind === STACK_ITER || kind === STACK_IRQ_FLAG
  )
}

/** All bytes of the slot that hold something are plain data from here on. */
export function scrubSlot(d: Domain, slot: number): void {
  for (let i = slot + SLOT_TYPES; i < slot + SLOT_TYPES + 8; i++)
    if (d.u8[i] !== STACK_INVALID) d.u8[i] = STACK_MISC
}

/** The slot holds no register any more. */
export function forgetSpill(d: Domain, slot: number): void {
  setType(d, slot, NOT_INIT)
}

/** As {@link forgetSpill}, before some of the bytes are written. */
export function destroySpill(d: Domain, slot: number): void {
  forgetSpill(d, slot)
  if (isSpecialSlot(d, slot)) scrubSlot(d, slot)
}

/** The register at `reg` is in the slot's lower `size` bytes from here on. */
export function spill(d: Domain, slot: number, reg: number, size: number): void {
  d.copyReg(slot, reg)
  const types = slot + SLOT_TYPES
  for (let i = 8 - size; i < 8; i++) d.u8[types + i] = STACK_SPILL
  for (let i = 0; i < 8 - size; i++) {
    const type = d.u8[types + i]
    if (type !== STACK_ZERO && type !== STACK_INVALID) d.u8[types + i] = STACK_MISC
  }
}

/**
 * That [off, off + size) from stack pointer `regno` lies in its frame's stack, whatever the
 * variable part; makes room for it. `off` includes the pointer's fixed offset.
 * Linux: check_stack_access_within_bounds.
 */
export function checkStackBounds(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const frameno = framenoOf(d, reg)
  const extra = write ? " write to" : " read from"
  const fixed = isConstant(d, reg)
  let min: number
  let max: number
  if (fixed) {
    min = constantNumber(d, reg) + off
    max = min + size
  } else {
    if (smaxNumber(d, reg) >= BPF_MAX_VAR_OFF || sminNumber(d, reg) <= -BPF_MAX_VAR_OFF)
      v.reject(ERRNO.EACCES, `invalid unbounded variable-offset${extra} stack R${regno}`, {
        rule: "stack-bounds",
        register: regno,
      })
    min = sminNumber(d, reg) + off
    max = smaxNumber(d, reg) + off + size
  }
  const allocated = allocatedStack(d, v.frame(frameno))
  const lowest = write || v.allowUninitStack ? -MAX_BPF_STACK : -allocated
  let errno = 0
  if (min < lowest || min > -1) errno = ERRNO.EACCES
  else if (max > 0) errno = ERRNO.EINVAL
  else if (size < 0) errno = ERRNO.EFAULT
  if (errno !== 0) {
    const what = fixed
      ? `invalid${extra} stack R${regno} off=${min} size=${size}`
      : `invalid variable-offset${extra} stack R${regno} var_off=${variableText(d, reg)} off=${off} size=${size}`
    v.reject(errno, what, { rule: "stack-bounds", register: regno, offset: min, size })
  }
  if (-min > allocated) v.growStack(frameno, -min)
}

/**
 * An access below the spills around fast calls, by something else than these: they stay.
 * Linux: check_fastcall_stack_contract.
 */
export function checkFastcallStack(v: Verifier, frame: number, off: number): void {
  const subprogram = v.code.subprograms[v.domain.i32[(frame + FRAME_SUBPROGNO) >> 2]]
  if (subprogram === undefined || subprogram.fastcallStackOffset <= off) return
  if (v.code.marks[v.insn] & FASTCALL_PATTERN) return
  subprogram.fastcallStackOffset = NO_FASTCALL
  for (let insn = subprogram.start; insn < subprogram.end; insn++)
    v.code.marks[insn] &= ~FASTCALL_PATTERN
}
