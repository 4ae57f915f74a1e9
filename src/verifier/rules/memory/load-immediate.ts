/** ld_imm64: constants, maps, map values, kernel variables, functions. */

import type { Verifier } from "../../verifier.ts"

/** The current instruction is BPF_LD | BPF_IMM | BPF_DW; its second slot is skipped (v.insn += 1). */
export function checkLoadImmediate(_v: Verifier): void {
  throw new Error("not yet")
}
