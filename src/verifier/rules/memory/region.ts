/**
 * Bounds of a region of known size: the smallest and the largest offset that a pointer may have
 * must both be inside.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_mem_region_access.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAX_VAR_OFF } from "../../../spec/limits.ts"
import {
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
} from "../../state/register-types.ts"
import { idOf, sminNumber, typeOf, umaxNumber } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"

/**
 * That `size` bytes at `off` (with the fixed offset) from register `regno` lie in a region of
 * `regionSize` bytes, for every value of the variable part.
 */
export function checkRegion(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  regionSize: number,
  zeroAllowed: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const smin = sminNumber(d, reg)
  const min = smin + off
  if (smin < 0 && (min < 0 || min !== (min | 0))) rejectNegative(v, regno)
  if (!inside(min, size, regionSize, zeroAllowed)) {
    describe(v, regno, min, size, regionSize)
    v.reject(ERRNO.EACCES, `R${regno} min value is outside of the allowed memory range`, {
      rule: "region-bounds",
      register: regno,
      offset: min,
      size,
    })
  }
  const umax = umaxNumber(d, reg)
  if (umax >= BPF_MAX_VAR_OFF)
    v.reject(
      ERRNO.EACCES,
      `R${regno} unbounded memory access, make sure to bounds check any such access`,
      { rule: "region-unbounded", register: regno, offset: off, size },
    )
  if (!inside(umax + off, size, regionSize, zeroAllowed)) {
    describe(v, regno, umax + off, size, regionSize)
    v.reject(ERRNO.EACCES, `R${regno} max value is outside of the allowed memory range`, {
      rule: "region-bounds",
      register: regno,
      offset: umax + off,
      size,
    })
  }
}

/** Whether [off, off + size) lies in [0, regionSize). */
export function inside(
  off: number,
  size: number,
  regionSize: number,
  zeroAllowed: boolean,
): boolean {
  return off >= 0 && (size > 0 || (size === 0 && zeroAllowed)) && off + size <= regionSize
}

export function rejectNegative(v: Verifier, regno: number): never {
  v.reject(
    ERRNO.EACCES,
    `R${regno} min value is negative, either use unsigned index or do a if (index >=0) check.`,
    { rule: "region-negative", register: regno },
  )
}

/** Writes what kind of region was left, before the message that says by which bound. */
export function describe(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  regionSize: number,
): void {
  const reg = v.reg(regno)
  const where = `off=${off | 0} size=${size}`
  switch (typeOf(v.domain, reg)) {
    case PTR_TO_MAP_KEY:
      v.verbose(`invalid access to map key, key_size=${regionSize} ${where}\n`)
      break
    case PTR_TO_MAP_VALUE:
      v.verbose(`invalid access to map value, value_size=${regionSize} ${where}\n`)
      break
    case PTR_TO_PACKET:
    case PTR_TO_PACKET_META:
    case PTR_TO_PACKET_END:
      v.verbose(
        `invalid access to packet, ${where}, R${regno}(id=${idOf(v.domain, reg)},off=${off | 0},r=${regionSize})\n`,
      )
      break
    default:
      v.verbose(`invalid access to memory, mem_size=${regionSize >>> 0} ${where}\n`)
  }
}
