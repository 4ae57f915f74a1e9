/**
 * Memory that a call reads or writes: arguments of helpers, kfuncs and global functions.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_helper_mem_access, check_mem_size_reg,
 * check_mem_reg.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAX_VAR_SIZ } from "../../../spec/limits.ts"
import { BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  BASE_TYPE_MASK,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
} from "../../state/register-types.ts"
import {
  aOf,
  isConstant,
  offOf,
  setType,
  sminNumber,
  typeOf,
  umaxNumber,
  umaxOf,
  uminNumber,
  uminOf,
} from "../../state/registers.ts"
import { accessBtf } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { bufferName, checkBuffer } from "./kernel-memory.ts"
import { checkMapAccess as checkMap, checkMapPermission } from "./map-value.ts"
import { checkMemoryAccess } from "./memory-access.ts"
import type { MemoryMeta } from "./meta.ts"
import { checkPacketAccess } from "./packet.ts"
import { checkRegion } from "./region.ts"
import { checkStackRangeInitialised } from "./stack-range.ts"

import { rejectSilently } from "./values.ts"

export type { MemoryMeta } from "./meta.ts"
export { checkStackRangeInitialised } from "./stack-range.ts"

/** Program types whose context is rewritten: helpers know what they get. */
const CONVERTED_CONTEXTS: ReadonlySet<number> = new Set<number>([
  PT.BPF_PROG_TYPE_SOCKET_FILTER,
  PT.BPF_PROG_TYPE_SCHED_CLS,
  PT.BPF_PROG_TYPE_SCHED_ACT,
  PT.BPF_PROG_TYPE_XDP,
  PT.BPF_PROG_TYPE_PERF_EVENT,
  PT.BPF_PROG_TYPE_CGROUP_SKB,
  PT.BPF_PROG_TYPE_CGROUP_SOCK,
  PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  PT.BPF_PROG_TYPE_CGROUP_SYSCTL,
  PT.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  PT.BPF_PROG_TYPE_LWT_IN,
  PT.BPF_PROG_TYPE_LWT_OUT,
  PT.BPF_PROG_TYPE_LWT_XMIT,
  PT.BPF_PROG_TYPE_LWT_SEG6LOCAL,
  PT.BPF_PROG_TYPE_SOCK_OPS,
  PT.BPF_PROG_TYPE_SK_SKB,
  PT.BPF_PROG_TYPE_SK_MSG,
  PT.BPF_PROG_TYPE_SK_REUSEPORT,
  PT.BPF_PROG_TYPE_SK_LOOKUP,
  PT.BPF_PROG_TYPE_FLOW_DISSECTOR,
])

/** Linux: check_helper_mem_access. `size` bytes at register `regno` are read, or written. */
export function checkHelperMemory(
  v: Verifier,
  regno: number,
  size: number,
  write: boolean,
  zeroAllowed: boolean,
  meta: MemoryMeta | null,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const type = typeOf(d, reg)
  const off = offOf(d, reg)
  switch (type & BASE_TYPE_MASK) {
    case PTR_TO_PACKET:
    case PTR_TO_PACKET_META:
      checkPacketAccess(v, regno, off, size, zeroAllowed)
      return
    case PTR_TO_MAP_KEY:
      if (write) rejectReadOnly(v, regno, type)
      {
        checkRegion(v, regno, off, size, v.maps[aOf(d, reg)].keySize, false)
        return
      }
    case PTR_TO_MAP_VALUE:
      checkMapPermission(v, regno, off, size, write)
      checkMap(v, regno, off, size, zeroAllowed, true)
      return
    case PTR_TO_MEM:
      if (write && type & MEM_RDONLY) rejectReadOnly(v, regno, type)
      {
        checkRegion(v, regno, off, size, aOf(d, reg), zeroAllowed)
        return
      }
    case PTR_TO_BUF:
      if (write && type & MEM_RDONLY) rejectReadOnly(v, regno, type)
      {
        checkBuffer(v, regno, off, size, bufferName(type))
        return
      }
    case PTR_TO_STACK:
      checkStackRangeInitialised(v, regno, off, size, zeroAllowed, write, meta)
      return
    case PTR_TO_BTF_ID:
      accessBtf(v, regno, off, size, false, -1)
      return
    case PTR_TO_CTX:
      // Where nothing is rewritten, the context is memory of the length that is accessed.
      if (CONVERTED_CONTEXTS.has(v.input.type)) break
      if (size > 0) {
        checkMemoryAccess(v, v.insn, regno, size - 1, 1, write, -1)
        return
      }
      if (zeroAllowed) return
      rejectSilently(v, ERRNO.EACCES, { rule: "zero-size", register: regno })
  }
  if (zeroAllowed && size === 0 && d.isNull(reg) !== 0) return
  v.reject(
    ERRNO.EACCES,
    `R${regno} type=${registerTypeName(type)} expected=${registerTypeName(PTR_TO_STACK)}`,
    { rule: "argument-type", register: regno },
  )
}

function rejectReadOnly(v: Verifier, regno: number, type: number): never {
  v.reject(ERRNO.EACCES, `R${regno} cannot write into ${registerTypeName(type)}`, {
    rule: "read-only",
    register: regno,
  })
}

/** Linux: check_mem_size_reg. Register `sizeRegno` is the size of the memory at `regno`. */
export function checkMemorySizePair(
  v: Verifier,
  regno: number,
  sizeRegno: number,
  write: boolean,
  zeroAllowed: boolean,
  meta: MemoryMeta | null,
): void {
  const d = v.domain
  const size = v.reg(sizeRegno)
  if (meta !== null) meta.maxSize = umaxOf(d, size)
  const details = { register: sizeRegno, argument: regno }
  if (sminNumber(d, size) < 0)
    v.reject(
      ERRNO.EACCES,
      `R${sizeRegno} min value is negative, either use unsigned or 'var &= const'`,
      { rule: "size-negative", ...details },
    )
  if (uminNumber(d, size) === 0 && !zeroAllowed)
    v.reject(
      ERRNO.EACCES,
      `R${sizeRegno} invalid zero-sized read: u64=[${uminOf(d, size)},${umaxOf(d, size)}]`,
      { rule: "zero-size", ...details },
    )
  if (umaxNumber(d, size) >= BPF_MAX_VAR_SIZ)
    v.reject(
      ERRNO.EACCES,
      `R${sizeRegno} unbounded memory access, use 'var &= const' or 'if (var < const)'`,
      { rule: "size-unbounded", ...details },
    )
  // A call that may fill only a part leaves the rest as it was: that must be initialised.
  const exact = isConstant(d, size) ? meta : null
  checkHelperMemory(v, regno, umaxNumber(d, size), write, zeroAllowed, exact)
  v.markPrecise(sizeRegno)
}

/** Runs `body` with register `regno` taken for not NULL. */
function assumingNotNull(v: Verifier, regno: number, body: () => void): void {
  const reg = v.reg(regno)
  const type = typeOf(v.domain, reg)
  if ((type & PTR_MAYBE_NULL) === 0) {
    body()
    return
  }
  setType(v.domain, reg, type & ~PTR_MAYBE_NULL)
  body()
  setType(v.domain, reg, type)
}

/** Linux: check_mem_reg. `size` bytes at `regno` may be read and written; NULL if it may be. */
export function checkMemoryRegister(v: Verifier, regno: number, size: number): void {
  if (v.domain.isNull(v.reg(regno)) !== 0) return
  assumingNotNull(v, regno, () => {
    checkHelperMemory(v, regno, size, false, true, null)
    checkHelperMemory(v, regno, size, true, true, null)
  })
}

/** Linux: check_kfunc_mem_size_reg. Both read and write, zero allowed. */
export function checkKfuncMemorySizePair(v: Verifier, regno: number, sizeRegno: number): void {
  assumingNotNull(v, regno, () => {
    checkMemorySizePair(v, regno, sizeRegno, false, true, null)
    checkMemorySizePair(v, regno, sizeRegno, true, true, null)
  })
}

/** Linux: check_map_access for a pointer into a map's value; `helper`: not by a load or store. */
export function checkMapAccess(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  zeroAllowed: boolean,
  helper: boolean,
): void {
  checkMap(v, regno, off, size, zeroAllowed, helper)
}
