/**
 * Pointers that may be NULL: what a test against 0 (or against another pointer) tells of them and
 * of all that share their id.
 */

import { BPF_MAP_TYPE } from "../../spec/index.ts"
import {
  BASE_TYPE_MASK,
  CONST_PTR_TO_MAP,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  PTR_UNTRUSTED,
  SCALAR_VALUE,
} from "../state/register-types.ts"
import {
  aOf,
  baseTypeOf,
  idOf,
  refObjIdOf,
  setA,
  setB,
  setId,
  setRefObjId,
  setType,
  typeOf,
} from "../state/registers.ts"
import type { State } from "../state/state.ts"
import { recordOfMap, recordOfRegister } from "../types/record.ts"
import { isTrusted } from "../types/trust.ts"
import type { Explorer } from "./explorer.ts"
import { forEachRegisterOf, frameOf, registerAt } from "./frames.ts"

/** Types whose registers are never NULL once they are not "or null". */
const NEVER_NULL: readonly number[] = [
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TO_MAP_VALUE,
  PTR_TO_MAP_KEY,
  PTR_TO_SOCK_COMMON,
  CONST_PTR_TO_MAP,
]

/** Whether a pointer is known not to be NULL (reg_not_null). */
export function registerNotNull(x: Explorer, reg: number): boolean {
  const { domain } = x
  const type = typeOf(domain, reg)
  if (type === SCALAR_VALUE || type & PTR_MAYBE_NULL) return false
  const base = type & BASE_TYPE_MASK
  if (base === PTR_TO_MEM) return (type & PTR_UNTRUSTED) === 0
  return NEVER_NULL.includes(base) || (base === PTR_TO_BTF_ID && isTrusted(x, reg))
}

/** The register is not NULL after all: its type says so from now on. */
export function markNotNull(x: Explorer, reg: number): void {
  const { domain } = x
  if (baseTypeOf(domain, reg) !== PTR_TO_MAP_VALUE) {
    setType(domain, reg, typeOf(domain, reg) & ~PTR_MAYBE_NULL)
    return
  }
  const map = x.maps[aOf(domain, reg)]
  if (map.inner !== null) {
    setType(domain, reg, CONST_PTR_TO_MAP)
    setA(domain, reg, x.innerMapIndex(aOf(domain, reg)))
    // Timers and work queues must belong to the very map that they were set up for.
    const timed = hasTimedField(x, aOf(domain, reg))
    setB(domain, reg, timed ? idOf(domain, reg) : 0)
  } else if (map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_XSKMAP) {
    setType(domain, reg, PTR_TO_XDP_SOCK)
  } else if (
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP ||
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH
  ) {
    setType(domain, reg, PTR_TO_SOCKET)
  } else {
    setType(domain, reg, PTR_TO_MAP_VALUE)
  }
}

function hasTimedField(x: Explorer, mapIndex: number): boolean {
  const record = recordOfMap(x, mapIndex)
  return (
    record !== null && (record.has("timer") || record.has("workqueue") || record.has("task_work"))
  )
}

/**
 * Register `regno` of the innermost frame of a state was compared with 0: it and all that share
 * its id are NULL, or are not.
 */
export function markPointerOrNull(x: Explorer, state: State, regno: number, isNull: boolean): void {
  const { domain } = x
  const reg = registerAt(frameOf(domain, state, state.frames - 1), regno)
  const id = idOf(domain, reg)
  const refObjId = refObjIdOf(domain, reg)
  if (refObjId !== 0 && refObjId === id && isNull) dropReference(state, id)
  forEachRegisterOf(domain, state, (other) => {
    const type = typeOf(domain, other)
    if ((type & PTR_MAYBE_NULL) === 0 || idOf(domain, other) !== id) return
    if (isNull) {
      setType(domain, other, SCALAR_VALUE)
      setId(domain, other, 0)
      setRefObjId(domain, other, 0)
      setA(domain, other, 0)
      setB(domain, other, 0)
      return
    }
    markNotNull(x, other)
    if (!mayHoldLock(x, other)) setId(domain, other, 0)
  })
}

function dropReference(state: State, id: number): void {
  const index = state.refs.findIndex((reference) => reference.id === id && reference.kind === "ptr")
  if (index < 0) return
  const rest = state.refs.slice()
  const last = rest.pop()!
  if (index < rest.length) rest[index] = last
  state.refs = rest
}

/** Locks are told apart by the id of the pointer to what holds them. */
function mayHoldLock(x: Explorer, reg: number): boolean {
  const base = baseTypeOf(x.domain, reg)
  if (base !== PTR_TO_MAP_VALUE && base !== PTR_TO_BTF_ID) return false
  const record = recordOfRegister(x, reg)
  return record !== null && (record.has("spin_lock") || record.has("res_spin_lock"))
}
