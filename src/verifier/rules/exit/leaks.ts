/** What must be given back before a program ends. */

import type { Verifier } from "../../verifier.ts"

/**
 * Rejects when references, locks or sections are still held. `prefix` is how the message calls
 * the place: "BPF_EXIT instruction in main prog", "tail_call", "bpf_throw".
 */
export function checkResourceLeak(
  _v: Verifier,
  _exceptionExit: boolean,
  _checkLock: boolean,
  _prefix: string,
): void {
  throw new Error("not yet")
}
