/** BPF_ATOMIC: read-modify-write, exchange, load-acquire, store-release. */

import type { Verifier } from "../../verifier.ts"

/** The current instruction is BPF_STX | BPF_ATOMIC. */
export function checkAtomic(_v: Verifier): void {
  throw new Error("not yet")
}
