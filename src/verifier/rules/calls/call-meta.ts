/** What the arguments of one helper call tell each other and the result. */

import type { RecordField } from "../../types/record.ts"
import type { MemoryMeta } from "../memory/helper-memory.ts"

export interface CallMeta {
  readonly memory: MemoryMeta
  /** The map that was passed, by index, or -1; and which inner map. */
  mapIndex: number
  mapUid: number
  /** The constant that the key is known to be; -1 for none. */
  constantKey: number
  /** Register whose reference is given up; 0 for none. */
  releaseRegno: number
  refObjId: number
  /** Of memory that is returned. */
  memorySize: number
  /** Callback; -1 for none. */
  subprogram: number
  /** Type of a per-CPU variable that is returned. */
  returnBtf: number
  returnTypeId: number
  kptr: RecordField | null
  dynptrId: number
}

export function createMeta(): CallMeta {
  return {
    memory: { rawMode: false, packetAccess: false, accessSize: 0, regno: 0, maxSize: 0n },
    mapIndex: -1,
    mapUid: 0,
    constantKey: -1,
    releaseRegno: 0,
    refObjId: 0,
    memorySize: 0,
    subprogram: -1,
    returnBtf: 0,
    returnTypeId: 0,
    kptr: null,
    dynptrId: 0,
  }
}

/** As {@link createMeta}: one object serves all calls, for a check never calls another. */
export function resetMeta(meta: CallMeta, packetAccess: boolean): void {
  const { memory } = meta
  memory.rawMode = false
  memory.packetAccess = packetAccess
  memory.accessSize = 0
  memory.regno = 0
  memory.maxSize = 0n
  meta.mapIndex = -1
  meta.mapUid = 0
  meta.constantKey = -1
  meta.releaseRegno = 0
  meta.refObjId = 0
  meta.memorySize = 0
  meta.subprogram = -1
  meta.returnBtf = 0
  meta.returnTypeId = 0
  meta.kptr = null
  meta.dynptrId = 0
}
