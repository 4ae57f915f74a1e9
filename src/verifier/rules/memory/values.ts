/**
 * What rules on memory share: registers as results of loads, and the words for their bounds.
 */

import type { Domain } from "../../domain/domain.ts"
import { Rejection, type RejectionDetails } from "../../rejection.ts"
import { PTR_MAYBE_NULL, SCALAR_VALUE } from "../../state/register-types.ts"
import {
  constantHigh,
  constantLow,
  idOf,
  isConstant,
  offOf,
  setA,
  setB,
  setId,
  setOff,
  setPrecise,
  setType,
  typeOf,
} from "../../state/registers.ts"
import { hasVariablePart } from "../../types/tnum-text.ts"
import type { Verifier } from "../../verifier.ts"

export { tnumText, variablePart as variableText } from "../../types/tnum-text.ts"

/** Bits of an id that say that the scalar is at a distance from the others with the id. */
const ADD_CONST = 0xc0000000

/** Whether an unprivileged program would give away an address by this register (address). */
export function leaksPointer(v: Verifier, reg: number): boolean {
  return !v.allowPtrLeaks && typeOf(v.domain, reg) !== SCALAR_VALUE
}

/** Rejects as the kernel does where it says nothing: the log gets no line. */
export function rejectSilently(v: Verifier, errno: number, details: RejectionDetails): never {
  throw new Rejection(errno, v.insn, "", details)
}

/** What was read may be anything of `size` bytes. */
export function loadUnknown(v: Verifier, regno: number, size: number, signExtend: boolean): void {
  const d = v.domain
  const reg = v.reg(regno)
  if (signExtend && size < 8) {
    d.markUnknown(reg)
    d.coerceSext(reg, size)
  } else d.unknownByLoad(reg, size)
  if (!v.bpfCapable) setPrecise(d, reg, true)
}

/** The register at `reg` (address) is an unknown scalar, precise where every scalar is. */
export function markScalar(v: Verifier, reg: number): void {
  v.domain.markUnknown(reg)
  if (!v.bpfCapable) setPrecise(v.domain, reg, true)
}

/** The register at `reg` is the scalar zero, as read from zeroed memory. */
export function markZero(v: Verifier, reg: number): void {
  v.domain.markKnownZero(reg)
  setPrecise(v.domain, reg, !v.bpfCapable)
}

/** The register `regno` is a pointer without offset; one that may be NULL gets an id. */
export function loadPointer(v: Verifier, regno: number, type: number, a: number, b: number): void {
  const d = v.domain
  const reg = v.reg(regno)
  d.markKnownZero(reg)
  setType(d, reg, type)
  setA(d, reg, a)
  setB(d, reg, b)
  if (type & PTR_MAYBE_NULL) setId(d, reg, v.newId())
}

/**
 * A scalar about to be copied gets an id, so that what is learnt of one copy holds for the others;
 * one that has a distance to its id loses it first.
 */
export function assignScalarId(v: Verifier, reg: number): void {
  const d = v.domain
  if (typeOf(d, reg) !== SCALAR_VALUE) return
  if (idOf(d, reg) & ADD_CONST) {
    setId(d, reg, 0)
    setOff(d, reg, 0)
  }
  if (idOf(d, reg) === 0 && !isConstant(d, reg)) setId(d, reg, v.newId())
}

/** The constant in var_off as a number, exact within 53 bits. */
export function constantNumber(d: Domain, reg: number): number {
  return constantHigh(d, reg) * 2 ** 32 + (constantLow(d, reg) >>> 0)
}

/** Whether a pointer has a constant offset only (var_off is 0). */
export function hasNoVariablePart(d: Domain, reg: number): boolean {
  return !hasVariablePart(d, reg)
}

/** The whole constant offset of a pointer, when var_off is a constant. */
export function constantOffset(d: Domain, reg: number, extra: number): number {
  return offOf(d, reg) + extra + constantNumber(d, reg)
}
