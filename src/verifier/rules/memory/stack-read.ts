/**
 * Loads from the stack. A spilled register comes back with all that is known of it, a scalar also
 * in part; plain bytes give an unknown scalar, zeros a zero.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_stack_read; behaviour of the running kernel.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { REG_SUBREG_DEF, SLOT_TYPES } from "../../state/layout.ts"
import {
  SCALAR_VALUE,
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
import { checkStackRangeInitialised } from "./stack-range.ts"
import { checkFastcallStack, isSpilledSlot, slotAddress } from "./stack-slots.ts"
import {
  assignScalarId,
  constantNumber,
  leaksPointer,
  markScalar,
  markZero,
  variableText,
} from "./values.ts"

/** Loads into register `valueReg`; -1: only asks whether the bytes may be read as a scalar. */
export function checkStackRead(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  valueReg: number,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const frameno = framenoOf(d, reg)
  if (isConstant(d, reg)) {
    readFixed(v, frameno, off + constantNumber(d, reg), size, valueReg)
    return
  }
  if (valueReg < 0)
    v.reject(
      ERRNO.EACCES,
      `variable offset stack pointer cannot be passed into helper function; var_off=${variableText(d, reg)} off=${off} size=${size}`,
      { rule: "stack-variable", register: regno },
    )
  checkStackRangeInitialised(v, regno, off, size, false, false, null)
  const min = sminNumber(d, reg) + off
  const max = smaxNumber(d, reg) + off + size
  loadBytes(v, frameno, min, max, valueReg)
  checkFastcallStack(v, v.frame(frameno), min)
}

function readFixed(
  v: Verifier,
  frameno: number,
  off: number,
  size: number,
  valueReg: number,
): void {
  const d = v.domain
  const frame = v.frame(frameno)
  const spi = (-off - 1) >> 3
  const slot = slotAddress(frame, spi)
  v.scratchSlot(spi)
  checkFastcallStack(v, frame, off)
  v.noteStackRead(frameno, spi, spi)
  if (!isSpilledSlot(d, slot)) {
    checkBytes(v, slot, off, size, false)
    if (valueReg >= 0) loadBytes(v, frameno, off, off + size, valueReg)
    return
  }
  const spillSize = spillSizeOf(d.u8, slot + SLOT_TYPES)
  if (size !== 8 || spillSize !== 8) {
    if (typeOf(d, slot) !== SCALAR_VALUE) {
      if (v.log.level !== 0) v.printLine(v.insn)
      v.reject(ERRNO.EACCES, "invalid size of register fill", { rule: "stack-spill", size })
    }
    if (valueReg < 0) return
    if (!fillPart(v, slot, off, size, spillSize, valueReg)) return
  } else if (valueReg >= 0) {
    fill(v, slot, valueReg)
  } else if (leaksPointer(v, slot))
    v.reject(ERRNO.EACCES, `leaking pointer from stack off ${off}`, { rule: "pointer-leak" })
  v.noteStackAccess(frameno, spi)
}

/** Bytes of the register that lie in the slot. */
function spillSizeOf(u8: Uint8Array, types: number): number {
  let size = 1
  while (size < 8 && u8[types + 7 - size] === STACK_SPILL) size++
  return size
}

/** Copies the spilled register, but for what the instruction itself defines. */
function fill(v: Verifier, slot: number, valueReg: number): void {
  const d = v.domain
  const reg = v.reg(valueReg)
  const subregDef = d.i32[(reg + REG_SUBREG_DEF) >> 2]
  d.copyReg(reg, slot)
  d.i32[(reg + REG_SUBREG_DEF) >> 2] = subregDef
}

/** Part of a spilled scalar, or all of a partial spill. Whether the register came back. */
function fillPart(
  v: Verifier,
  slot: number,
  off: number,
  size: number,
  spillSize: number,
  valueReg: number,
): boolean {
  const d = v.domain
  const reg = v.reg(valueReg)
  if (size <= spillSize && (off & 7) === 0) {
    if (v.bpfCapable && size === 4 && spillSize === 4 && d.width(slot) <= 32)
      assignScalarId(v, slot)
    fill(v, slot, valueReg)
    // The size is cut to what was read by the caller.
    if (d.width(slot) > 8 * size) setId(d, reg, 0)
    return true
  }
  const { spilled, zeros } = checkBytes(v, slot, off, size, true)
  if (spilled === size && d.isNull(slot) !== 0) {
    markZero(v, reg)
    return true
  }
  if (zeros === size) markZero(v, reg)
  else markScalar(v, reg)
  return false
}

const counts = { spilled: 0, zeros: 0 }

/** That each byte may be read, and how many there are of which kind. */
function checkBytes(
  v: Verifier,
  slot: number,
  off: number,
  size: number,
  spills: boolean,
): { readonly spilled: number; readonly zeros: number } {
  const { u8 } = v.domain
  const at = -off - 1
  counts.spilled = 0
  counts.zeros = 0
  for (let i = 0; i < size; i++) {
    const type = u8[slot + SLOT_TYPES + ((at - i) & 7)]
    if (type === STACK_MISC) continue
    if (type === STACK_ZERO) counts.zeros++
    else if (type === STACK_SPILL && spills) counts.spilled++
    else if (type !== STACK_INVALID || !v.allowUninitStack)
      v.reject(ERRNO.EACCES, `invalid read from stack off ${off}+${i} size ${size}`, {
        rule: "stack-uninitialised",
        offset: off,
        size,
      })
  }
  return counts
}

/** The register is zero when all bytes in [min, max) are, and unknown otherwise. */
function loadBytes(v: Verifier, frameno: number, min: number, max: number, valueReg: number): void {
  const { u8 } = v.domain
  const frame = v.frame(frameno)
  let zeros = true
  for (let i = min; i < max && zeros; i++) {
    const spi = (-i - 1) >> 3
    v.scratchSlot(spi)
    zeros = u8[slotAddress(frame, spi) + SLOT_TYPES + ((-i - 1) & 7)] === STACK_ZERO
  }
  if (zeros) markZero(v, v.reg(valueReg))
  else markScalar(v, v.reg(valueReg))
}
