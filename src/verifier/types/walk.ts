/** Loads and stores through BTF pointers. Linux: btf_struct_access, check_ptr_to_btf_access. */

import type { Btf } from "../../btf/index.ts"
import type { Verifier } from "../verifier.ts"

/**
 * Linux: check_ptr_to_btf_access. `size` bytes at `off` of what register `regno` points to; a load
 * leaves its type in register `valueReg`.
 */
export function accessBtf(
  _v: Verifier,
  _regno: number,
  _off: number,
  _size: number,
  _write: boolean,
  _valueReg: number,
): void {
  throw new Error("not yet")
}

/**
 * Linux: btf_struct_ids_match. Whether the object of type `id` holds one of `needId` at `off`;
 * `strict`: as itself and not as its first member. Types of different BTFs match by identity only.
 */
export function structIdsMatch(
  _v: Verifier,
  _btf: Btf,
  _id: number,
  _off: number,
  _needBtf: Btf,
  _needId: number,
  _strict: boolean,
): boolean {
  throw new Error("not yet")
}

/** Index of a BTF in the verifier's list; it is added when it is new. */
export function btfIndex(v: Verifier, btf: Btf): number {
  const known = v.btfs.indexOf(btf)
  return known >= 0 ? known : v.btfs.push(btf) - 1
}
