/** Calls of the program's own functions. */

import type { Verifier } from "../../verifier.ts"

/** Checks the current instruction, a call of a subprogram; of a static one it opens the frame. */
export function checkSubprogramCall(_v: Verifier): void {
  throw new Error("not yet")
}

/** Gives the registers what subprogram `subprog` (0: the program) is entered with. */
export function prepareSubprogramEntry(_v: Verifier, _subprog: number): void {
  throw new Error("not yet")
}

/** Leaves the innermost frame: R0 goes to the caller, `v.insn` to the call. */
export function prepareFunctionExit(_v: Verifier): void {
  throw new Error("not yet")
}
