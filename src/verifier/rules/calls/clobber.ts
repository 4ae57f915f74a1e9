/** What a call leaves of the registers. */

import { DST_OP_NO_MARK, type Verifier } from "../../verifier.ts"

/** R0 to R5 are gone: the call may have used them. */
export function clobberCallerSaved(v: Verifier): void {
  for (let n = 0; n <= 5; n++) {
    v.domain.markNotInit(v.reg(n))
    v.checkRegister(n, DST_OP_NO_MARK)
  }
}
