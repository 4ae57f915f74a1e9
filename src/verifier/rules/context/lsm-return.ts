/** What LSM hooks return, as a program that runs after others may see it. */

import type { Verifier } from "../../verifier.ts"
import { attachPrototype } from "../exit/attach-prototype.ts"

/** Hooks that answer yes or no; all others return 0 or an error. */
const BOOLEAN_HOOKS: readonly string[] = [
  "inode_xattr_skipcap",
  "audit_rule_known",
  "xfrm_state_pol_flow_match",
]

/** MAX_ERRNO. */
const ERRNO_MAX = 4095

/** The range of the hook's return value; null for a void hook. Linux: bpf_lsm_get_retval_range. */
export function lsmReturnRange(v: Verifier): { readonly min: number; readonly max: number } | null {
  const proto = attachPrototype(v)
  const name = v.input.target?.name.replace(/^bpf_lsm_/, "") ?? ""
  if (proto === null || proto.returnType === 0) return null
  return BOOLEAN_HOOKS.includes(name) ? { min: 0, max: 1 } : { min: -ERRNO_MAX, max: 0 }
}
