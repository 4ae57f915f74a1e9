/**
 * Strings that must be constants of a read-only map: formats, names.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_reg_const_str.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import { PTR_TO_MAP_VALUE } from "../../state/register-types.ts"
import { aOf, isConstant, offOf, typeOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { checkMapAccess } from "./map-value.ts"
import { constantNumber, rejectSilently } from "./values.ts"

/**
 * Linux: check_reg_const_str. Register `regno` points to a constant string, which is returned
 * (without its zero; bytes as Latin-1, so that lengths are the kernel's).
 */
export function checkConstString(v: Verifier, regno: number): string {
  const d = v.domain
  const reg = v.reg(regno)
  const details = { rule: "constant-string", register: regno }
  if (typeOf(d, reg) !== PTR_TO_MAP_VALUE) rejectSilently(v, ERRNO.EINVAL, details)
  const map = v.maps[aOf(d, reg)]
  if ((map.flags & BPF_MAP_FLAG.BPF_F_RDONLY_PROG) === 0 || !map.frozen)
    v.reject(ERRNO.EACCES, `R${regno} does not point to a readonly map'`, details)
  if (!isConstant(d, reg)) v.reject(ERRNO.EACCES, `R${regno} is not a constant address'`, details)
  if (map.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY)
    v.reject(ERRNO.EACCES, "no direct value access support for this map type", details)
  checkMapAccess(v, regno, offOf(d, reg), map.valueSize - offOf(d, reg), false, true)
  const offset = offOf(d, reg) + constantNumber(d, reg)
  const bytes = map.maxEntries === 1 ? map.readConstant?.(offset, map.valueSize - offset) : null
  if (bytes === null || bytes === undefined)
    v.reject(ERRNO.ENOTSUPP, "direct value access on string failed", details)
  const end = bytes.indexOf(0)
  if (end < 0) v.reject(ERRNO.EINVAL, "string is not zero-terminated", details)
  let text = ""
  for (let i = 0; i < end; i++) text += String.fromCharCode(bytes[i])
  return text
}
