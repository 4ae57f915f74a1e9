/** Which pointers may be moved, by how much, and by what. */

import type { Verifier } from "../../verifier.ts"

/**
 * Linux: adjust_ptr_min_max_vals. The current instruction adds or subtracts the scalar at
 * `scalarReg` and the pointer at `ptrReg` (addresses); the result is left at `dstReg`.
 */
export function adjustPointer(
  _v: Verifier,
  _dstReg: number,
  _ptrReg: number,
  _scalarReg: number,
): void {
  throw new Error("not yet")
}
