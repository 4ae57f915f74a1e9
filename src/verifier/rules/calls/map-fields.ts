/**
 * Arguments that point to a special field of a map's value: timer, workqueue, task work, kptr.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_map_field_pointer, process_kptr_func,
 * map_kptr_match_type.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { PTR_TO_MAP_VALUE } from "../../state/register-types.ts"
import {
  aOf,
  constantLow,
  isConstant,
  offOf,
  typeOf,
  varOffValueOf,
} from "../../state/registers.ts"
import { type RecordField, recordOfMap, recordOfRegister } from "../../types/record.ts"
import type { Verifier } from "../../verifier.ts"

export type MapFieldName = "bpf_timer" | "bpf_wq" | "bpf_task_work"

function offsetOf(v: Verifier, mapIndex: number, name: MapFieldName): number {
  const record = recordOfMap(v, mapIndex)
  if (record === null) return -1
  if (name === "bpf_timer") return record.timerOffset
  return name === "bpf_wq" ? record.workqueueOffset : record.taskWorkOffset
}

/** Register `regno` points to the field of this name in a map's value. */
export function checkMapField(v: Verifier, regno: number, name: MapFieldName): void {
  const { domain } = v
  const reg = v.reg(regno)
  const map = v.maps[aOf(domain, reg)]
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "map-field", register: regno, subject: name })
  const offset = offsetOf(v, aOf(domain, reg), name)
  if (!isConstant(domain, reg))
    refuse(`R${regno} doesn't have constant offset. ${name} has to be at the constant offset`)
  if (map.btf === null) refuse(`map '${map.name}' has to have BTF in order to use ${name}`)
  if (offset < 0) refuse(`map '${map.name}' has no valid ${name}`)
  if (constantLow(domain, reg) + offOf(domain, reg) === offset) return
  const at = varOffValueOf(domain, reg) + BigInt(offOf(domain, reg))
  refuse(`off ${at} doesn't point to 'struct ${name}' that is at ${offset}`)
}

/** Register `regno` points to a kptr that a reference may be put into. */
export function checkKptrDestination(v: Verifier, regno: number): RecordField {
  const { domain } = v
  const reg = v.reg(regno)
  if (typeOf(domain, reg) === PTR_TO_MAP_VALUE) {
    const map = v.maps[aOf(domain, reg)]
    if (map.btf === null)
      v.reject(ERRNO.EINVAL, `map '${map.name}' has to have BTF in order to use bpf_kptr_xchg`, {
        rule: "map-field",
        register: regno,
      })
  }
  if (!isConstant(domain, reg))
    v.reject(
      ERRNO.EINVAL,
      `R${regno} doesn't have constant offset. kptr has to be at the constant offset`,
      { rule: "map-field", register: regno },
    )
  const record = recordOfRegister(v, reg)
  const kinds = ["kptr_unref", "kptr_ref", "kptr_percpu"] as const
  if (record === null || !kinds.some((kind) => record.has(kind)))
    return v.reject(ERRNO.EINVAL, `R${regno} has no valid kptr`, { register: regno })
  const offset = offOf(domain, reg) + constantLow(domain, reg)
  const field = record.find(offset, ...kinds)
  if (field === undefined)
    return v.reject(ERRNO.EACCES, `off=${offset} doesn't point to kptr`, { register: regno })
  if (field.kind === "kptr_unref")
    v.reject(ERRNO.EACCES, `off=${offset} kptr isn't referenced kptr`, { register: regno })
  return field
}
