/**
 * Stores to the stack. A register stored whole at an aligned place is kept (spilled) with all that
 * is known of it, a scalar also in part; anything else leaves plain bytes, or zeros.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_stack_write; behaviour of the running kernel.
 */

import { BPF_MEM, BPF_ST } from "../../../isa/opcode.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { SLOT_TYPES } from "../../state/layout.ts"
import {
  BASE_TYPE_MASK,
  CONST_PTR_TO_DYNPTR,
  PTR_TO_STACK,
  PTR_TO_TP_BUFFER,
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_MISC,
  STACK_SPILL,
  STACK_ZERO,
} from "../../state/register-types.ts"
import {
  framenoOf,
  isConstant,
  setId,
  smaxNumber,
  sminNumber,
  typeOf,
} from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { destroyDynptrAtSlot } from "../calls/dynptr-slots.ts"
import {
  checkFastcallStack,
  destroySpill,
  isSpilledScalar,
  isSpilledSlot,
  slotAddress,
  spill,
} from "./stack-slots.ts"
import { assignScalarId, constantNumber } from "./values.ts"

/** Scratch register for the immediate of BPF_ST. */
const IMMEDIATE = 0

/** Kinds of pointer that a slot can keep. */
function isSpillable(type: number): boolean {
  const base = type & BASE_TYPE_MASK
  return base > SCALAR_VALUE && base !== PTR_TO_TP_BUFFER && base !== CONST_PTR_TO_DYNPTR
}

function isStoreOfImmediate(v: Verifier): boolean {
  return (v.code.opcode[v.insn] & 0xe7) === (BPF_ST | BPF_MEM)
}

/** Stores register `valueReg`, or without one (-1) an immediate or something unknown. */
export function checkStackWrite(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  valueReg: number,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const frameno = framenoOf(d, reg)
  if (isConstant(d, reg)) writeFixed(v, frameno, off + constantNumber(d, reg), size, valueReg)
  else
    writeVariable(v, frameno, sminNumber(d, reg) + off, smaxNumber(d, reg) + off + size, valueReg)
}

function writeFixed(
  v: Verifier,
  frameno: number,
  off: number,
  size: number,
  valueReg: number,
): void {
  const d = v.domain
  const frame = v.frame(frameno)
  const at = -off - 1
  const spi = at >> 3
  const slot = slotAddress(frame, spi)
  if (!v.allowPtrLeaks && size !== 8 && isSpilledSlot(d, slot) && !isSpilledScalar(d, slot))
    v.reject(ERRNO.EACCES, "attempt to corrupt spilled pointer on stack", { rule: "stack-spill" })
  if (d.u8[slot + SLOT_TYPES] === STACK_DYNPTR) destroyDynptrAtSlot(v, frameno, spi)

  const aligned = (off & 7) === 0
  if (aligned && size === 8) v.noteStackWrite(frameno, spi, spi)
  checkFastcallStack(v, frame, off)
  v.scratchSlot(spi)

  const value = valueReg < 0 ? -1 : v.reg(valueReg)
  if (value >= 0 && aligned && v.bpfCapable && typeOf(d, value) === SCALAR_VALUE) {
    const fits = d.width(value) <= 8 * size
    if (fits) assignScalarId(v, value)
    spill(d, slot, value, size)
    if (!fits) setId(d, slot, 0)
  } else if (value < 0 && aligned && v.bpfCapable && isStoreOfImmediate(v)) {
    const constant = v.scratch(IMMEDIATE)
    const imm = v.code.imm[v.insn]
    d.markKnown(constant, imm, imm >> 31)
    spill(d, slot, constant, size)
  } else if (value >= 0 && isSpillable(typeOf(d, value))) {
    spillPointer(v, frameno, slot, value, size)
  } else {
    writeBytes(v, slot, at, size, valueReg)
    return
  }
  v.noteStackAccess(frameno, spi)
}

function spillPointer(
  v: Verifier,
  frameno: number,
  slot: number,
  value: number,
  size: number,
): void {
  if (size !== 8) {
    if (v.log.level !== 0) v.printLine(v.insn)
    v.reject(ERRNO.EACCES, "invalid size of register spill", { rule: "stack-spill", size })
  }
  if (frameno !== v.currentFrameNumber && typeOf(v.domain, value) === PTR_TO_STACK)
    v.reject(ERRNO.EINVAL, "cannot spill pointers to stack into stack frame of the caller", {
      rule: "stack-spill",
    })
  spill(v.domain, slot, value, size)
}

/** Plain bytes, or zeros: `at` is the distance of the first byte from the frame pointer, less 1. */
function writeBytes(v: Verifier, slot: number, at: number, size: number, valueReg: number): void {
  const d = v.domain
  destroySpill(d, slot)
  let type = STACK_MISC
  if (writesZero(v, valueReg)) {
    // Zeros are not a spill that could be tracked back: what they came from must be exact.
    if (valueReg >= 0) v.markPrecise(valueReg)
    type = STACK_ZERO
  }
  for (let i = 0; i < size; i++) d.u8[slot + SLOT_TYPES + ((at - i) & 7)] = type
}

function writesZero(v: Verifier, valueReg: number): boolean {
  if (valueReg >= 0) return v.domain.isNull(v.reg(valueReg)) !== 0
  return isStoreOfImmediate(v) && v.code.imm[v.insn] === 0
}

/** A store somewhere in [min, max): each byte may have been written or not. */
function writeVariable(
  v: Verifier,
  frameno: number,
  min: number,
  max: number,
  valueReg: number,
): void {
  const d = v.domain
  const frame = v.frame(frameno)
  const zero = writesZero(v, valueReg)
  for (let i = min; i < max; i++) {
    const spi = (-i - 1) >> 3
    if (d.u8[slotAddress(frame, spi) + SLOT_TYPES] === STACK_DYNPTR)
      destroyDynptrAtSlot(v, frameno, spi)
  }
  checkFastcallStack(v, frame, min)
  let zeroUsed = false
  for (let i = min; i < max; i++) {
    const spi = (-i - 1) >> 3
    const slot = slotAddress(frame, spi)
    const byte = slot + SLOT_TYPES + ((-i - 1) & 7)
    const type = d.u8[byte]
    v.scratchSlot(spi)
    if (!v.allowPtrLeaks && type !== STACK_MISC && type !== STACK_ZERO)
      v.reject(
        ERRNO.EINVAL,
        `spilled ptr in range of var-offset stack write; insn ${v.insn}, ptr off: ${i}`,
        { rule: "stack-spill", offset: i },
      )
    if (zero && type === STACK_SPILL && isSpilledScalar(d, slot) && d.isNull(slot) !== 0) {
      zeroUsed = true
      continue
    }
    destroySpill(d, slot)
    if (type === STACK_INVALID && !v.allowUninitStack)
      v.reject(
        ERRNO.EINVAL,
        `uninit stack in range of var-offset write prohibited for !root; insn ${v.insn}, off: ${i}`,
        { rule: "stack-uninitialised", offset: i },
      )
    if (zero && d.u8[byte] === STACK_ZERO) zeroUsed = true
    else d.u8[byte] = STACK_MISC
  }
  if (zeroUsed && valueReg >= 0) v.markPrecise(valueReg)
}
