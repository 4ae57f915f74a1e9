/**
 * Whether an object is, or starts with, one of another type. Types are the same by identity: a
 * module's BTF continues the kernel's.
 *
 * Source: linux v6.18 kernel/bpf/btf.c btf_struct_ids_match.
 */

import type { Btf } from "../../btf/index.ts"
import type { Verifier } from "../verifier.ts"
import { step } from "./struct-walk.ts"

/** Structs inside of structs that are followed. */
const NESTING_MAX = 64

/** Index of a BTF in the verifier's list; it is added when it is new. */
export function btfIndex(v: Verifier, btf: Btf): number {
  const known = v.btfs.indexOf(btf)
  return known >= 0 ? known : v.btfs.push(btf) - 1
}

/** Linux: btf_types_are_same. */
export function sameType(btf: Btf, id: number, otherBtf: Btf, otherId: number): boolean {
  return id === otherId && (btf === otherBtf || btf.type(id) === otherBtf.type(otherId))
}

/** Whether the BTF is the kernel's or one of its modules'. */
export function isKernelBtf(v: Verifier, btf: Btf): boolean {
  return btf === v.btfs[0] || (btf.base !== null && btf.base === v.btfs[0])
}

/**
 * Whether the object of type `id` holds one of `needId` at `off`; `strict`: as itself and not as
 * its first member.
 */
export function structIdsMatch(
  v: Verifier,
  btf: Btf,
  id: number,
  off: number,
  needBtf: Btf,
  needId: number,
  strict: boolean,
): boolean {
  if (off === 0 && sameType(btf, id, needBtf, needId)) return true
  if (strict) return false
  let at = id
  let offset = off
  for (let depth = 0; depth < NESTING_MAX; depth++) {
    const next = step(btf, at, offset, 1, 0)
    if (next.kind === "error") {
      v.verbose(`${next.message}\n`)
      return false
    }
    if (next.kind !== "struct") return false
    if (sameType(btf, next.id, needBtf, needId)) return true
    at = next.id
    offset = 0
  }
  return false
}
