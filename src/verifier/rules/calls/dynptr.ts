/** Dynptrs on the stack. */

import type { Verifier } from "../../verifier.ts"

/**
 * A store to stack slot `spi` of frame `n`: a dynptr that has a part there is gone, with the
 * slices made of it; one that owns a reference may not be overwritten.
 */
export function destroyDynptrAtSlot(_v: Verifier, _frame: number, _spi: number): void {
  throw new Error("not yet")
}
