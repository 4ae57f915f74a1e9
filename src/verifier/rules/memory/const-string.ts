/** Strings that must be constants of a read-only map: formats, names. */

import type { Verifier } from "../../verifier.ts"

/** Linux: check_reg_const_str. Register `regno` points to a constant string, which is returned. */
export function checkConstString(_v: Verifier, _regno: number): string {
  throw new Error("not yet")
}
