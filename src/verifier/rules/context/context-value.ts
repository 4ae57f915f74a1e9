/** What a load of the context gives. */

import { SCALAR_VALUE } from "../../state/register-types.ts"

export interface ContextValue {
  /** Register type with its flags; SCALAR_VALUE for a number. */
  readonly type: number
  /** PTR_TO_BTF_ID: type id and BTF index; PTR_TO_MEM, PTR_TO_BUF: size in `a`. */
  readonly a: number
  readonly b: number
  /** A reference that the program got with the argument; 0 for none. */
  readonly refObjId: number
  /** Of a number, its signed bounds (a hook's return value); none when min > max. */
  readonly min: number
  readonly max: number
}

export const SCALAR: ContextValue = { type: SCALAR_VALUE, a: 0, b: 0, refObjId: 0, min: 0, max: -1 }

export function pointerValue(type: number): ContextValue {
  return { ...SCALAR, type }
}
