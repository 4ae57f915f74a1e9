/** What the arguments of one kfunc call tell each other and the result. */

import type { RecordField } from "../../types/record.ts"
import type { IteratorPlace } from "./iterators.ts"

export interface KfuncMeta {
  refObjId: number
  /** Register whose reference is given up; 0 for none. */
  releaseRegno: number
  mapIndex: number
  mapUid: number
  /** The `__k` or `__szk` argument. */
  constant: bigint | null
  /** Memory that is returned. */
  resultSize: number
  resultReadonly: boolean
  subprogram: number
  /** Type of the object that is passed: BTF index and id. */
  objectBtf: number
  objectId: number
  /** bpf_refcount_acquire() of an object that is owned gives no NULL. */
  owned: boolean
  contextId: number
  dynptr: { readonly id: number; readonly type: number; readonly refObjId: number } | null
  iterator: IteratorPlace | null
  root: RecordField | null
}

export function createKfuncMeta(): KfuncMeta {
  return {
    refObjId: 0,
    releaseRegno: 0,
    mapIndex: -1,
    mapUid: 0,
    constant: null,
    resultSize: 0,
    resultReadonly: false,
    subprogram: -1,
    objectBtf: 0,
    objectId: 0,
    owned: false,
    contextId: 0,
    dynptr: null,
    iterator: null,
    root: null,
  }
}
