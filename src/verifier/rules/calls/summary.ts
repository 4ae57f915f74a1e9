/** What a call does to control flow and registers, known before exploration. */

import type { Verifier } from "../../verifier.ts"

export interface CallSummary {
  /** Registers R1 to Rn that are arguments. */
  readonly parameters: number
  /** R0 is not written. */
  readonly isVoid: boolean
  /** R1-R5 survive where the compiler relied on it (bpf_fastcall). */
  readonly fastcall: boolean
  /** Runs a callback before it returns; runs one some time later. */
  readonly syncCallback: boolean
  readonly asyncCallback: boolean
  /** `bpf_iter_…_next`: states are kept here. */
  readonly iterNext: boolean
  readonly movesPacket: boolean
  readonly mightSleep: boolean
  /** bpf_throw */
  readonly throws: boolean
}

/** Of the helper or kfunc that instruction `insn` calls; null for none that there is. */
export function summarizeCall(_v: Verifier, _insn: number): CallSummary | null {
  throw new Error("not yet")
}
