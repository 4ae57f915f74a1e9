/** Pointers that must not have been moved, or only by a constant. */

import type { Verifier } from "../../verifier.ts"

/** Linux: __check_ptr_off_reg. `reg`: address. "R%d must have zero offset…", "variable %s access…" */
export function checkPointerOffset(
  _v: Verifier,
  _reg: number,
  _regno: number,
  _fixedOffsetAllowed: boolean,
): void {
  throw new Error("not yet")
}

/** Linux: check_func_arg_reg_off. `release`: the argument has OBJ_RELEASE; `dynptr`: it is one. */
export function checkArgumentOffset(
  _v: Verifier,
  _reg: number,
  _regno: number,
  _argument: { readonly release?: boolean; readonly dynptr?: boolean },
): void {
  throw new Error("not yet")
}
