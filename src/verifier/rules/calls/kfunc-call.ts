/** Calls of kfuncs. */

import type { Verifier } from "../../verifier.ts"

/** Checks the current instruction, a call of a kernel function, and gives R0 its result. */
export function checkKfuncCall(_v: Verifier): void {
  throw new Error("not yet")
}
