/**
 * Which helper may be given which map.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_map_func_compatibility, may_update_sockmap.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { mapHelperAllowed } from "../../../spec/map-rules.ts"
import { BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import type { Verifier } from "../../verifier.ts"
import type { HelperRule } from "./helper-table.ts"

/** Program types that never see a locked socket. */
const updatesSockMaps: readonly number[] = [
  PT.BPF_PROG_TYPE_SOCKET_FILTER,
  PT.BPF_PROG_TYPE_SCHED_CLS,
  PT.BPF_PROG_TYPE_SCHED_ACT,
  PT.BPF_PROG_TYPE_XDP,
  PT.BPF_PROG_TYPE_SK_REUSEPORT,
  PT.BPF_PROG_TYPE_FLOW_DISSECTOR,
  PT.BPF_PROG_TYPE_SK_LOOKUP,
]

function mayUpdateSockMap(v: Verifier, deletes: boolean): boolean {
  const { type, expectedAttachType } = v.input
  if (type === PT.BPF_PROG_TYPE_TRACING && expectedAttachType === AT.BPF_TRACE_ITER) return true
  if (type === PT.BPF_PROG_TYPE_SOCK_OPS && deletes) return true
  return updatesSockMaps.includes(type)
}

const allowedBefore = new Map<number, boolean>()

function allows(mapType: number, rule: HelperRule): boolean {
  const key = mapType * 512 + rule.helper.id
  let allowed = allowedBefore.get(key)
  if (allowed === undefined) {
    allowed = mapHelperAllowed(mapType, rule.name)
    allowedBefore.set(key, allowed)
  }
  return allowed
}

function isSockMap(type: number): boolean {
  return type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP || type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH
}

/** "cannot pass map_type 3 into func bpf_map_lookup_elem#1" */
export function checkMapCompatibility(v: Verifier, rule: HelperRule, mapIndex: number): void {
  const { type } = v.maps[mapIndex]
  const { name } = rule
  let allowed = allows(type, rule)
  if (isSockMap(type) && (name === "map_update_elem" || name === "map_delete_elem")) {
    allowed = mayUpdateSockMap(v, name === "map_delete_elem")
    if (!allowed) v.verbose("cannot update sockmap in this context\n")
  }
  if (!allowed)
    v.reject(ERRNO.EINVAL, `cannot pass map_type ${type} into func ${rule.label}`, {
      rule: "map-helper",
      map: mapIndex,
      subject: name,
    })
}
