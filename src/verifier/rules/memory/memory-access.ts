/**
 * One access of memory through a register: bounds and permissions by the kind of pointer, and what
 * the loaded register becomes.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_mem_access.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  BASE_TYPE_MASK,
  CONST_PTR_TO_MAP,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  PTR_TO_TP_BUFFER,
  PTR_TO_XDP_SOCK,
  PTR_UNTRUSTED,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import { aOf, offOf, typeOf } from "../../state/registers.ts"
import { accessBtf } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { accessContext } from "../context/load-context.ts"
import { checkAlignment } from "./alignment.ts"
import {
  accessFlowKeys,
  accessMapPointer,
  accessSocket,
  bufferName,
  checkBuffer,
} from "./kernel-memory.ts"
import { accessMapValue } from "./map-value.ts"
import { checkPacketAccess, mayAccessPacket } from "./packet.ts"
import { checkRegion } from "./region.ts"
import { checkStackRead } from "./stack-read.ts"
import { checkStackBounds } from "./stack-slots.ts"
import { checkStackWrite } from "./stack-write.ts"
import { leaksPointer, loadUnknown } from "./values.ts"

export interface MemoryAccessOptions {
  /** Misaligned accesses are refused even where the machine could. */
  readonly strictAlignment?: boolean
  /** The load extends the sign (BPF_MEMSX). */
  readonly signExtend?: boolean
}

/**
 * Linux: check_mem_access. The current instruction `insn` accesses `size` bytes (1, 2, 4 or 8) at
 * `off` from register `regno`; a store takes register `valueReg` (-1: an immediate or nothing),
 * a load leaves its type and bounds in it.
 */
export function checkMemoryAccess(
  v: Verifier,
  insn: number,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  options?: MemoryAccessOptions,
): void {
  access(
    v,
    insn,
    regno,
    off,
    size,
    write,
    valueReg,
    options?.strictAlignment === true,
    options?.signExtend === true,
  )
}

/** As {@link checkMemoryAccess}, without an object for the options. */
export function access(
  v: Verifier,
  insn: number,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  strict: boolean,
  signExtend: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const type = typeOf(d, reg)
  checkAlignment(v, regno, off, size, strict)
  const at = off + offOf(d, reg)
  switch (type) {
    case PTR_TO_STACK:
      checkStackBounds(v, regno, at, size, write)
      if (write) {
        checkStackWrite(v, regno, at, size, valueReg)
        return
      }
      checkStackRead(v, regno, at, size, valueReg)
      cut(v, size, valueReg, signExtend)
      return
    case PTR_TO_MAP_VALUE:
      accessMapValue(v, regno, at, size, write, valueReg, signExtend)
      return
    case PTR_TO_CTX:
      accessContext(v, insn, regno, at, size, write, valueReg, signExtend)
      return
    case PTR_TO_PACKET:
    case PTR_TO_PACKET_META:
      accessPacket(v, regno, at, size, write, valueReg, signExtend)
      return
    case PTR_TO_MAP_KEY:
      accessMapKey(v, regno, at, size, write, valueReg, signExtend)
      return
    case PTR_TO_FLOW_KEYS:
      accessFlowKeys(v, at, size, write, valueReg, signExtend)
      return
    case PTR_TO_SOCKET:
    case PTR_TO_SOCK_COMMON:
    case PTR_TO_TCP_SOCK:
    case PTR_TO_XDP_SOCK:
      accessSocket(v, regno, at, size, write, valueReg, signExtend)
      return
    case PTR_TO_TP_BUFFER:
      checkBuffer(v, regno, at, size, "tracepoint")
      if (!write && valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
      return
    case CONST_PTR_TO_MAP:
      accessMapPointer(v, regno, at, size, write, valueReg)
      write ? undefined : cut(v, size, valueReg, signExtend)
      return
    case PTR_TO_ARENA:
      if (!write && valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
      return
  }
  switch (type & BASE_TYPE_MASK) {
    case PTR_TO_MEM:
      accessMemory(v, regno, at, size, write, valueReg, signExtend)
      return
    case PTR_TO_BTF_ID:
      if (type & PTR_MAYBE_NULL) break
      accessBtf(v, regno, at, size, write, valueReg)
      write ? undefined : cut(v, size, valueReg, signExtend)
      return
    case PTR_TO_BUF:
      if (type & PTR_MAYBE_NULL) break
      if (write && type & MEM_RDONLY) rejectReadOnly(v, regno, type)
      checkBuffer(v, regno, at, size, bufferName(type))
      if (!write && valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
      return
  }
  rejectPointer(v, regno, type)
}

function rejectPointer(v: Verifier, regno: number, type: number): never {
  v.reject(ERRNO.EACCES, `R${regno} invalid mem access '${registerTypeName(type)}'`, {
    rule: type & PTR_MAYBE_NULL ? "null-pointer" : "not-a-pointer",
    register: regno,
  })
}

function rejectReadOnly(v: Verifier, regno: number, type: number): never {
  v.reject(ERRNO.EACCES, `R${regno} cannot write into ${registerTypeName(type)}`, {
    rule: "read-only",
    register: regno,
  })
}

/** A load of less than 8 bytes keeps that much of a scalar. */
function cut(v: Verifier, size: number, valueReg: number, signExtend: boolean): void {
  if (size === 8 || valueReg < 0) return
  const reg = v.reg(valueReg)
  if (typeOf(v.domain, reg) !== SCALAR_VALUE) return
  if (signExtend) v.domain.coerceSext(reg, size)
  else v.domain.coerceToSize(reg, size)
}

function accessMapKey(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  signExtend: boolean,
): void {
  if (write)
    v.reject(ERRNO.EACCES, `write to change key R${regno} not allowed`, {
      rule: "read-only",
      register: regno,
    })
  const { keySize } = v.maps[aOf(v.domain, v.reg(regno))]
  checkRegion(v, regno, off, size, keySize, false)
  if (valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
}

/** PTR_TO_MEM: ring buffer records, dynptr slices, arguments of global functions… */
function accessMemory(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  signExtend: boolean,
): void {
  const type = typeOf(v.domain, v.reg(regno))
  if (type & PTR_MAYBE_NULL) rejectPointer(v, regno, type)
  if (write && type & MEM_RDONLY) rejectReadOnly(v, regno, type)
  if (write && valueReg >= 0 && leaksPointer(v, v.reg(valueReg)))
    v.reject(ERRNO.EACCES, `R${valueReg} leaks addr into mem`, { rule: "pointer-leak" })
  // What is read with care (by probing) has no bounds.
  if ((type & (MEM_RDONLY | PTR_UNTRUSTED)) !== (MEM_RDONLY | PTR_UNTRUSTED))
    checkRegion(v, regno, off, size, aOf(v.domain, v.reg(regno)), false)
  if (!write && valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
}

function accessPacket(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  signExtend: boolean,
): void {
  if (write) {
    if (!mayAccessPacket(v, null, true))
      v.reject(ERRNO.EACCES, "cannot write into packet", { rule: "read-only", register: regno })
    if (valueReg >= 0 && leaksPointer(v, v.reg(valueReg)))
      v.reject(ERRNO.EACCES, `R${valueReg} leaks addr into packet`, { rule: "pointer-leak" })
  }
  checkPacketAccess(v, regno, off, size, false)
  if (!write && valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
}
