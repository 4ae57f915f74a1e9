/** What R0 may be when a program ends. */

import type { Verifier } from "../../verifier.ts"

/** Checks register `regno` as the program's return value. */
export function checkReturnValue(_v: Verifier, _regno: number): void {
  throw new Error("not yet")
}
