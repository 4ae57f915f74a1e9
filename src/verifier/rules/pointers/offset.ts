/**
 * Pointers that must not have been moved, or only by a constant.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c __check_ptr_off_reg, check_func_arg_reg_off.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  MEM_ALLOC,
  MEM_RCU,
  MEM_RDONLY,
  MEM_RINGBUF,
  NON_OWN_REF,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  PTR_TRUSTED,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import { offOf, typeOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { hasNoVariablePart, variableText } from "../memory/values.ts"

/** Linux: __check_ptr_off_reg. `reg`: address of the register that messages call `regno`. */
export function checkPointerOffset(
  v: Verifier,
  reg: number,
  regno: number,
  fixedOffsetAllowed: boolean,
): void {
  const d = v.domain
  const off = offOf(d, reg)
  if (off === 0 && hasNoVariablePart(d, reg)) return
  const name = registerTypeName(typeOf(d, reg))
  const details = { rule: "modified-pointer", register: regno, offset: off }
  if (off < 0)
    v.reject(ERRNO.EACCES, `negative offset ${name} ptr R${regno} off=${off} disallowed`, details)
  if (!fixedOffsetAllowed && off !== 0)
    v.reject(
      ERRNO.EACCES,
      `dereference of modified ${name} ptr R${regno} off=${off} disallowed`,
      details,
    )
  if (!hasNoVariablePart(d, reg))
    v.reject(
      ERRNO.EACCES,
      `variable ${name} access var_off=${variableText(d, reg)} disallowed`,
      details,
    )
}

/** Arguments that may be moved by constants and variables. */
const FREE: ReadonlySet<number> = new Set([
  PTR_TO_STACK,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_MEM | MEM_RDONLY,
  PTR_TO_MEM | MEM_RINGBUF,
  PTR_TO_BUF,
  PTR_TO_BUF | MEM_RDONLY,
  PTR_TO_ARENA,
  SCALAR_VALUE,
])

/** Arguments that may be moved by constants: to a struct inside of a struct. */
const FIXED: ReadonlySet<number> = new Set([
  PTR_TO_BTF_ID,
  PTR_TO_BTF_ID | MEM_ALLOC,
  PTR_TO_BTF_ID | PTR_TRUSTED,
  PTR_TO_BTF_ID | MEM_RCU,
  PTR_TO_BTF_ID | MEM_ALLOC | NON_OWN_REF,
  PTR_TO_BTF_ID | MEM_ALLOC | NON_OWN_REF | MEM_RCU,
])

/** Linux: check_func_arg_reg_off. `release`: the argument has OBJ_RELEASE; `dynptr`: it is one. */
export function checkArgumentOffset(
  v: Verifier,
  reg: number,
  regno: number,
  argument: { readonly release?: boolean; readonly dynptr?: boolean },
): void {
  const type = typeOf(v.domain, reg)
  if (argument.release) {
    // A dynptr lies somewhere on the stack; what is released is what it points to.
    if (argument.dynptr && type === PTR_TO_STACK) return
    if (offOf(v.domain, reg) !== 0)
      v.reject(
        ERRNO.EINVAL,
        `R${regno} must have zero offset when passed to release func or trusted arg to kfunc`,
        { rule: "modified-pointer", register: regno },
      )
    checkPointerOffset(v, reg, regno, false)
    return
  }
  if (!FREE.has(type)) checkPointerOffset(v, reg, regno, FIXED.has(type))
}
