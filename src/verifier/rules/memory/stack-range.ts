/**
 * A range of the stack that is given to a call, or read at a variable offset: all of it must have
 * been written, unless the call fills it.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_stack_range_initialized.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { SLOT_TYPES } from "../../state/layout.ts"
import {
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_MISC,
  STACK_ZERO,
} from "../../state/register-types.ts"
import { framenoOf, isConstant, smaxNumber, sminNumber, typeOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import type { MemoryMeta } from "./meta.ts"
import {
  allocatedStack,
  checkStackBounds,
  isSpilledSlot,
  scrubSlot,
  slotAddress,
} from "./stack-slots.ts"
import { constantNumber, markScalar, variableText } from "./values.ts"

/**
 * `size` bytes at `off` (with the pointer's fixed offset) from stack pointer `regno` are read, or
 * with `write` also written. With a raw `meta`, they need not be initialised: it is noted there
 * what the call will fill.
 */
export function checkStackRangeInitialised(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  zeroAllowed: boolean,
  write: boolean,
  meta: MemoryMeta | null,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  if (size === 0 && !zeroAllowed)
    v.reject(ERRNO.EACCES, "invalid zero-sized read", { rule: "zero-size", register: regno })
  checkStackBounds(v, regno, off, size, write)
  const frameno = framenoOf(d, reg)
  const fixed = isConstant(d, reg)
  let min: number
  let end: number
  if (fixed) {
    min = constantNumber(d, reg) + off
    end = min + size
  } else {
    if (!v.bypassSpecV1)
      v.reject(
        ERRNO.EACCES,
        `R${regno} variable offset stack access prohibited for !root, var_off=${variableText(d, reg)}`,
        { rule: "stack-variable", register: regno },
      )
    min = sminNumber(d, reg) + off
    end = smaxNumber(d, reg) + off + size
  }
  // Which bytes a call fills is only known with a constant offset.
  if (fixed && meta?.rawMode) {
    checkNoDynptr(v, frameno, min, end)
    meta.accessSize = size
    meta.regno = regno
    return
  }
  checkInitialised(v, regno, { frameno, min, end, size, write })
}

function checkNoDynptr(v: Verifier, frameno: number, min: number, end: number): void {
  const d = v.domain
  const frame = v.frame(frameno)
  const allocated = allocatedStack(d, frame)
  for (let i = min; i < end; i++) {
    const at = -i - 1
    if (allocated <= at) continue
    if (d.u8[slotAddress(frame, at >> 3) + SLOT_TYPES + (at & 7)] === STACK_DYNPTR)
      v.reject(ERRNO.EACCES, `potential write to dynptr at off=${i} disallowed`, {
        rule: "dynptr-overwrite",
        offset: i,
      })
  }
}

interface Range {
  readonly frameno: number
  readonly min: number
  readonly end: number
  readonly size: number
  readonly write: boolean
}

function checkInitialised(v: Verifier, regno: number, range: Range): void {
  const d = v.domain
  const { frameno, min, end, size, write } = range
  const frame = v.frame(frameno)
  for (let i = min; i < end; i++) {
    const at = -i - 1
    const spi = at >> 3
    const slot = slotAddress(frame, spi)
    const byte = slot + SLOT_TYPES + (at & 7)
    const type = d.u8[byte]
    if (type === STACK_ZERO || (type === STACK_INVALID && v.allowUninitStack)) {
      if (write) d.u8[byte] = STACK_MISC
    } else if (type !== STACK_MISC) {
      if (!isSpilledSlot(d, slot) || (typeOf(d, slot) !== SCALAR_VALUE && !v.allowPtrLeaks))
        rejectUninitialised(v, regno, min, i - min, size)
      if (write) {
        markScalar(v, slot)
        scrubSlot(d, slot)
      }
    }
    if ((at & 7) === 7 || i === min) v.noteStackRead(frameno, spi, spi)
  }
}

function rejectUninitialised(
  v: Verifier,
  regno: number,
  min: number,
  index: number,
  size: number,
): never {
  const reg = v.reg(regno)
  const where = isConstant(v.domain, reg)
    ? `off ${min}+${index}`
    : `var_off ${variableText(v.domain, reg)}+${index}`
  v.reject(ERRNO.EACCES, `invalid read from stack R${regno} ${where} size ${size}`, {
    rule: "stack-uninitialised",
    register: regno,
    offset: min + index,
    size,
  })
}
