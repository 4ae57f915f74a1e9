/** What a program may load from and store to its context, and what it gets. */

import type { Verifier } from "../../verifier.ts"

/** What a load of the context gives; filled by {@link checkContextAccess}. */
export interface ContextValue {
  /** Register type with its flags; SCALAR_VALUE for a number. */
  type: number
  /** PTR_TO_BTF_ID: type id and BTF index; PTR_TO_MEM/BUF: size in `a`. */
  a: number
  b: number
  /** Bytes of the whole field, for narrow loads. */
  fieldSize: number
  refObjId: number
  /** A return value with a known range: LSM hooks' `ret`. */
  returnValue: boolean
}

/** Linux: check_ctx_access. Throws "invalid bpf_context access off=%d size=%d". */
export function checkContextAccess(
  _v: Verifier,
  _insn: number,
  _off: number,
  _size: number,
  _write: boolean,
  _value: ContextValue,
): void {
  throw new Error("not yet")
}
