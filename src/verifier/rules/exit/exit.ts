/**
 * The exit instruction, and bpf_throw(), which ends all frames at once.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c process_bpf_exit_full.
 */

import type { Verifier } from "../../verifier.ts"
import { prepareFunctionExit } from "../calls/subprogram.ts"
import { checkResourceLeak } from "./leaks.ts"
import { checkReturnValue } from "./return-value.ts"

/**
 * Ends the innermost frame, or with `exception` the program. True when the path ends here; false
 * when exploration goes on after `v.insn`, in the caller.
 */
export function processExit(v: Verifier, exception: boolean): boolean {
  checkResourceLeak(
    v,
    exception,
    exception || v.currentFrameNumber === 0,
    exception ? "bpf_throw" : "BPF_EXIT instruction in main prog",
  )
  if (exception) return true
  if (v.currentFrameNumber > 0) {
    prepareFunctionExit(v)
    return false
  }
  checkReturnValue(v, 0)
  return true
}
