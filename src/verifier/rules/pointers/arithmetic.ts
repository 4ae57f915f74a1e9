/**
 * Which pointers may be moved, by how much, and by what: a constant goes to the fixed offset, a
 * variable to the variable part, and both must stay within ±512 MiB.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c adjust_ptr_min_max_vals, check_reg_sane_offset.
 */

import { BPF_ADD, BPF_ALU64, BPF_AND, BPF_OR, BPF_SUB, BPF_XOR } from "../../../isa/opcode.ts"
import { opcodeClass, opcodeOperation } from "../../../isa/predicates.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAX_VAR_OFF } from "../../../spec/limits.ts"
import { POINTER_VARIABLE } from "../../domain/domain.ts"
import { registerTypeName } from "../../log/type-names.ts"
import { REG_SMAX, REG_SMIN, REG_UMAX, REG_UMIN } from "../../state/layout.ts"
import {
  BASE_TYPE_MASK,
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_FUNC,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  PTR_TO_TP_BUFFER,
  PTR_UNTRUSTED,
} from "../../state/register-types.ts"
import {
  idOf,
  isConstant,
  offOf,
  setId,
  setType,
  sminNumber,
  sminOf,
  typeOf,
  varOffValueOf,
} from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { constantNumber, markScalar } from "../memory/values.ts"
import { commitSanitation, sanitisePointer } from "./sanitise.ts"

const S64_MIN = -(2 ** 63)

/** By opcode >> 4. */
const OPERATORS: readonly string[] = [
  "+=",
  "-=",
  "*=",
  "/=",
  "|=",
  "&=",
  "<<=",
  ">>=",
  "neg",
  "%=",
  "^=",
  "=",
  "s>>=",
  "endian",
]

/**
 * The current instruction adds or subtracts the scalar at `scalarReg` and the pointer at `ptrReg`
 * (addresses); the result is left at `dstReg`, which is the destination's address and may be one
 * of the two.
 */
export function adjustPointer(
  v: Verifier,
  dstReg: number,
  ptrReg: number,
  scalarReg: number,
): void {
  const d = v.domain
  const opcode = v.code.opcode[v.insn]
  const operation = opcodeOperation(opcode)
  const dst = v.code.dst[v.insn]
  if (hasImpossibleBounds(v, scalarReg)) {
    markScalar(v, dstReg)
    return
  }
  if (opcodeClass(opcode) !== BPF_ALU64) {
    if (operation === BPF_SUB && v.allowPtrLeaks) {
      markScalar(v, dstReg)
      return
    }
    v.reject(ERRNO.EACCES, `R${dst} 32-bit pointer arithmetic prohibited`, {
      rule: "pointer-arithmetic",
      register: dst,
    })
  }
  const type = typeOf(d, ptrReg)
  if (type & PTR_MAYBE_NULL)
    v.reject(
      ERRNO.EACCES,
      `R${dst} pointer arithmetic on ${registerTypeName(type)} prohibited, null-check it first`,
      { rule: "null-pointer", register: dst },
    )
  // Reads through it are probed: where it points does not matter.
  if ((type & BASE_TYPE_MASK) === PTR_TO_MEM && type & PTR_UNTRUSTED) return
  checkMovable(v, dst, type, scalarReg, operation)
  checkSaneOffset(v, scalarReg, type)
  checkSaneOffset(v, ptrReg, type)

  const isSub = operation === BPF_SUB
  if (isSub) checkSubtraction(v, dst, dstReg, scalarReg, type)
  else if (operation !== BPF_ADD) rejectOperator(v, dst, operation)
  const id = idOf(d, ptrReg)
  const sanitation = v.bypassSpecV1 ? null : sanitisePointer(v, { dstReg, ptrReg, scalarReg })
  const variable = d.pointerAlu(dstReg, ptrReg, scalarReg, isSub ? 1 : 0)
  setType(d, dstReg, type)
  const isPacket =
    (type & BASE_TYPE_MASK) === PTR_TO_PACKET || (type & BASE_TYPE_MASK) === PTR_TO_PACKET_META
  setId(d, dstReg, variable === POINTER_VARIABLE && isPacket ? v.newId() : id)
  checkSaneOffset(v, dstReg, type)
  d.boundsSync(dstReg)
  if (!v.bypassSpecV1) commitSanitation(v, dst, dstReg, sanitation)
}

/** Bounds that contradict each other come from a branch that is never taken. */
function hasImpossibleBounds(v: Verifier, reg: number): boolean {
  const d = v.domain
  if (isConstant(d, reg)) {
    const { i32 } = d
    const low = i32[(reg + REG_SMIN) >> 2]
    const high = i32[(reg + REG_SMIN + 4) >> 2]
    // All four bounds of a constant are it.
    return (
      low !== i32[(reg + REG_SMAX) >> 2] ||
      high !== i32[(reg + REG_SMAX + 4) >> 2] ||
      i32[(reg + REG_UMIN) >> 2] !== i32[(reg + REG_UMAX) >> 2] ||
      i32[(reg + REG_UMIN + 4) >> 2] !== i32[(reg + REG_UMAX + 4) >> 2]
    )
  }
  return (
    isAbove(d.i32, d.u32, (reg + REG_SMIN) >> 2, (reg + REG_SMAX) >> 2) ||
    isAbove(d.u32, d.u32, (reg + REG_UMIN) >> 2, (reg + REG_UMAX) >> 2)
  )
}

/** Whether the 64-bit number at one place is greater than that at another; `top` has the sign. */
function isAbove(
  top: Int32Array | Uint32Array,
  low: Uint32Array,
  left: number,
  right: number,
): boolean {
  const difference = top[left + 1] - top[right + 1]
  return difference === 0 ? low[left] > low[right] : difference > 0
}

function checkMovable(
  v: Verifier,
  dst: number,
  type: number,
  scalarReg: number,
  operation: number,
): void {
  const d = v.domain
  const base = type & BASE_TYPE_MASK
  switch (base) {
    case PTR_TO_CTX:
    case PTR_TO_MAP_VALUE:
    case PTR_TO_MAP_KEY:
    case PTR_TO_STACK:
    case PTR_TO_PACKET_META:
    case PTR_TO_PACKET:
    case PTR_TO_TP_BUFFER:
    case PTR_TO_BTF_ID:
    case PTR_TO_MEM:
    case PTR_TO_BUF:
    case PTR_TO_FUNC:
    case CONST_PTR_TO_DYNPTR:
      return
    case PTR_TO_FLOW_KEYS:
      if (isConstant(d, scalarReg)) return
      break
    case CONST_PTR_TO_MAP:
      // Adding zero is what compilers write for nothing.
      if (operation === BPF_ADD && isConstant(d, scalarReg) && sminNumber(d, scalarReg) === 0)
        return
  }
  v.reject(ERRNO.EACCES, `R${dst} pointer arithmetic on ${registerTypeName(type)} prohibited`, {
    rule: "pointer-arithmetic",
    register: dst,
  })
}

function checkSubtraction(
  v: Verifier,
  dst: number,
  dstReg: number,
  scalarReg: number,
  type: number,
): void {
  const details = { rule: "pointer-arithmetic", register: dst }
  if (dstReg === scalarReg)
    v.reject(ERRNO.EACCES, `R${dst} tried to subtract pointer from scalar`, details)
  if (type === PTR_TO_STACK)
    v.reject(ERRNO.EACCES, `R${dst} subtraction from stack pointer prohibited`, details)
}

function rejectOperator(v: Verifier, dst: number, operation: number): never {
  const operator = OPERATORS[operation >> 4]
  const bitwise = operation === BPF_AND || operation === BPF_OR || operation === BPF_XOR
  v.reject(
    ERRNO.EACCES,
    bitwise
      ? `R${dst} bitwise operator ${operator} on pointer prohibited`
      : `R${dst} pointer arithmetic with ${operator} operator prohibited`,
    { rule: "pointer-arithmetic", register: dst },
  )
}

/** That neither the constant nor the variable part of an offset is beyond any object's size. */
function checkSaneOffset(v: Verifier, reg: number, type: number): void {
  const d = v.domain
  const off = offOf(d, reg)
  const smin = sminNumber(d, reg)
  // A scalar's `off` is its distance from those that it is linked to.
  const constant = isConstant(d, reg) ? constantNumber(d, reg) : 0
  if (
    smin < BPF_MAX_VAR_OFF &&
    smin > -BPF_MAX_VAR_OFF &&
    constant < BPF_MAX_VAR_OFF &&
    constant > -BPF_MAX_VAR_OFF &&
    off < BPF_MAX_VAR_OFF &&
    off > -BPF_MAX_VAR_OFF
  )
    return
  const name = registerTypeName(type)
  const details = { rule: "pointer-offset" }
  if (constant >= BPF_MAX_VAR_OFF || constant <= -BPF_MAX_VAR_OFF)
    v.reject(
      ERRNO.EINVAL,
      `math between ${name} pointer and ${BigInt.asIntN(64, varOffValueOf(d, reg))} is not allowed`,
      details,
    )
  if (off >= BPF_MAX_VAR_OFF || off <= -BPF_MAX_VAR_OFF)
    v.reject(ERRNO.EINVAL, `${name} pointer offset ${off} is not allowed`, details)
  if (smin === S64_MIN)
    v.reject(
      ERRNO.EINVAL,
      `math between ${name} pointer and register with unbounded min value is not allowed`,
      details,
    )
  v.reject(ERRNO.EINVAL, `value ${sminOf(d, reg)} makes ${name} pointer be out of bounds`, details)
}
