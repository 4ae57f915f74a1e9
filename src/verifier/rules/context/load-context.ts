/**
 * Loads and stores of the context, and what a load leaves in a register.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_mem_access (PTR_TO_CTX), check_ctx_access.
 */

import { ERRNO } from "../../../spec/errno.ts"
import {
  BASE_TYPE_MASK,
  DEF_NOT_SUBREG,
  PTR_TO_BTF_ID,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import { setPrecise, setRefObjId, setSubregDef } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { leaksPointer, loadPointer, loadUnknown } from "../memory/values.ts"
import { checkPointerOffset } from "../pointers/offset.ts"
import { type ContextValue, contextValue } from "./context-access.ts"

/** `off` includes the pointer's fixed offset (which must be 0). */
export function accessContext(
  v: Verifier,
  _insn: number,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  signExtend: boolean,
): void {
  if (write && valueReg >= 0 && leaksPointer(v, v.reg(valueReg)))
    v.reject(ERRNO.EACCES, `R${valueReg} leaks addr into ctx`, { rule: "pointer-leak" })
  checkPointerOffset(v, v.reg(regno), regno, false)
  const value = contextValue(v, off, size, write, signExtend)
  if (write || valueReg < 0) return
  if (value.type === SCALAR_VALUE) loadScalar(v, valueReg, size, signExtend, value)
  else loadFromContext(v, valueReg, value)
}

function loadScalar(
  v: Verifier,
  valueReg: number,
  size: number,
  signExtend: boolean,
  { min, max }: ContextValue,
): void {
  if (min > max) {
    loadUnknown(v, valueReg, size, signExtend)
    return
  }
  const d = v.domain
  const reg = v.reg(valueReg)
  d.markUnknown(reg)
  if (!v.bpfCapable) setPrecise(d, reg, true)
  d.setBounds(reg, min, min >> 31, max, max >> 31)
  if (size < 8) {
    if (signExtend) d.coerceSext(reg, size)
    else d.coerceToSize(reg, size)
  }
}

function loadFromContext(v: Verifier, valueReg: number, value: ContextValue): void {
  const isBtf = (value.type & BASE_TYPE_MASK) === PTR_TO_BTF_ID
  loadPointer(v, valueReg, value.type, value.a, value.b)
  const reg = v.reg(valueReg)
  // The load may be rewritten to a wider one: a pointer is never half a register.
  setSubregDef(v.domain, reg, DEF_NOT_SUBREG)
  if (isBtf && value.refObjId !== 0) setRefObjId(v.domain, reg, value.refObjId)
}
