/** BPF_LD_ABS and BPF_LD_IND: classic BPF's packet loads. */

import type { Verifier } from "../../verifier.ts"

/** The current instruction is BPF_LD | BPF_ABS or BPF_LD | BPF_IND. */
export function checkLegacyLoad(_v: Verifier): void {
  throw new Error("not yet")
}
