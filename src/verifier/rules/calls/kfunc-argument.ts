/** One pointer argument of a kfunc, as its checks pass it on. */

import { ERRNO } from "../../../spec/errno.ts"
import type { Verifier } from "../../verifier.ts"
import type { KfuncMeta } from "./kfunc-meta.ts"
import type { KfuncRule } from "./kfunc-table.ts"

export interface KfuncArgument {
  readonly v: Verifier
  readonly rule: KfuncRule
  readonly meta: KfuncMeta
  readonly index: number
  readonly regno: number
  readonly reg: number
  /** The type that the parameter points to. */
  readonly target: number
}

/** Rejects for what is wrong with the argument. */
export function refuse(
  { v, rule, index }: KfuncArgument,
  text: string,
  errno: number = ERRNO.EINVAL,
): never {
  return v.reject(errno, text, { rule: "kfunc-argument", argument: index, subject: rule.name })
}
