/** The function that a program is attached to, as far as its types matter. */

import type { BtfFuncProto } from "../../../btf/index.ts"
import { BPF_PROG_TYPE } from "../../../spec/program-types.ts"
import type { Verifier } from "../../verifier.ts"

/**
 * The prototype of the LSM hook or kernel function, or of the struct_ops member; null for a
 * program without such a target.
 */
export function attachPrototype(v: Verifier): BtfFuncProto | null {
  const { target, type, expectedAttachType } = v.input
  if (target === null) return null
  const { btf } = target
  let resolved = btf.resolve(target.btfId)
  if (type === BPF_PROG_TYPE.BPF_PROG_TYPE_STRUCT_OPS && resolved.kind === "struct") {
    const member = resolved.members[expectedAttachType]
    if (member === undefined) return null
    resolved = btf.resolve(member.type)
  }
  if (resolved.kind === "ptr" || resolved.kind === "func") resolved = btf.resolve(resolved.type)
  return resolved.kind === "func_proto" ? resolved : null
}
