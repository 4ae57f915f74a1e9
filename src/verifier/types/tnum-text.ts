/** The variable part of a pointer's offset, in words. */

import type { Domain } from "../domain/domain.ts"
import { constantHigh, constantLow, isConstant, maskOf, varOffValueOf } from "../state/registers.ts"

/** Largest number that the kernel writes in decimal digits. */
const UNSIGNED_DECIMAL_MAX = 0xffffn

/** `0`, `0x12345`, `(0x0; 0xff)`: a tnum in messages. Linux: tnum_strn. */
export function tnumText(value: bigint, mask: bigint): string {
  if (mask !== 0n) return `(0x${value.toString(16)}; 0x${mask.toString(16)})`
  return value <= UNSIGNED_DECIMAL_MAX ? String(value) : `0x${value.toString(16)}`
}

/** {@link tnumText} of a register's variable offset. */
export function variablePart(d: Domain, reg: number): string {
  return tnumText(varOffValueOf(d, reg), maskOf(d, reg))
}

/** Whether var_off is anything but the constant 0. */
export function hasVariablePart(d: Domain, reg: number): boolean {
  return !isConstant(d, reg) || constantLow(d, reg) !== 0 || constantHigh(d, reg) !== 0
}
