/**
 * One access of memory through a register: bounds and permissions by the kind of pointer, and what
 * the loaded register becomes.
 */

import type { Verifier } from "../../verifier.ts"

export interface MemoryAccessOptions {
  /** Misaligned accesses are refused even where the machine could. */
  readonly strictAlignment?: boolean
  /** The load extends the sign (BPF_MEMSX). */
  readonly signExtend?: boolean
}

/**
 * Linux: check_mem_access. The current instruction `insn` accesses `size` bytes (1, 2, 4 or 8) at
 * `off` from register `regno`; a store takes register `valueReg` (-1: an immediate or nothing),
 * a load leaves its type and bounds in it.
 */
export function checkMemoryAccess(
  _v: Verifier,
  _insn: number,
  _regno: number,
  _off: number,
  _size: number,
  _write: boolean,
  _valueReg: number,
  _options?: MemoryAccessOptions,
): void {
  throw new Error("not yet")
}
