/** LDX, ST and STX: operands, and that all paths use one kind of pointer. */

import type { Verifier } from "../../verifier.ts"

/** The current instruction is BPF_LDX, BPF_ST or BPF_STX in mode BPF_MEM or BPF_MEMSX. */
export function checkLoadStore(_v: Verifier): void {
  throw new Error("not yet")
}

/**
 * Notes the type of pointer that instruction `insn` goes through. "same insn cannot be used with
 * different pointers" where another path had another kind that is rewritten differently.
 */
export function savePointerType(_v: Verifier, _insn: number, _type: number, _mix = false): void {
  throw new Error("not yet")
}
