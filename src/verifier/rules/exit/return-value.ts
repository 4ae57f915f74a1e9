/**
 * What R0 may be when a program, a callback or a global function ends.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_return_code, kernel/bpf/bpf_lsm.c
 * bpf_lsm_get_retval_range.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import { type ReturnRange, returnRange } from "../../../spec/verdicts.ts"
import type { Domain } from "../../domain/domain.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  FRAME_FLAGS,
  FRAME_IN_ASYNC_CALLBACK,
  FRAME_IN_EXCEPTION_CALLBACK,
  FRAME_RET_MAX,
  FRAME_RET_MIN,
  FRAME_SUBPROGNO,
  REG_S32_MAX,
  REG_S32_MIN,
} from "../../state/layout.ts"
import { SCALAR_VALUE } from "../../state/register-types.ts"
import {
  aOf,
  bOf,
  refObjIdOf,
  smaxNumber,
  smaxOf,
  sminNumber,
  sminOf,
  typeOf,
} from "../../state/registers.ts"
import { SRC_OP, type Verifier } from "../../verifier.ts"
import { checkPointerOffset } from "../pointers/offset.ts"
import { attachPrototype } from "./attach-prototype.ts"

const S64_MIN = -(2n ** 63n)
const S64_MAX = 2n ** 63n - 1n

/** LSM hooks that answer yes or no; all others return 0 or an error. */
const BOOLEAN_HOOKS: readonly string[] = [
  "inode_xattr_skipcap",
  "audit_rule_known",
  "xfrm_state_pol_flow_match",
]
const bool: ReturnRange = { min: 0, max: 1 }
const zero: ReturnRange = { min: 0, max: 0 }
const one: ReturnRange = { min: 1, max: 1 }
const zeroOrErrno: ReturnRange = { min: -4095, max: 0 }

/** Whether a scalar lies in a range: as a 64-bit number, or by its lower half. */
export function returnsWithin(d: Domain, reg: number, range: ReturnRange, half: boolean): boolean {
  if (half)
    return (
      range.min <= d.i32[(reg + REG_S32_MIN) >> 2] && d.i32[(reg + REG_S32_MAX) >> 2] <= range.max
    )
  return range.min <= sminNumber(d, reg) && smaxNumber(d, reg) <= range.max
}

/** "At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]". */
export function invalidReturnText(
  d: Domain,
  reg: number,
  range: ReturnRange,
  context: string,
  name: string,
): string {
  const smin = sminOf(d, reg)
  const smax = smaxOf(d, reg)
  let text = `${context} the register ${name} has`
  if (smin > S64_MIN) text += ` smin=${smin}`
  if (smax < S64_MAX) text += ` smax=${smax}`
  if (smin === S64_MIN && smax === S64_MAX) text += " unknown scalar value"
  return `${text} should have been in [${range.min}, ${range.max}]`
}

interface Expectation {
  readonly range: ReturnRange
  /** Only the lower half counts. */
  readonly half: boolean
}

function returnsVoid(v: Verifier): boolean {
  return attachPrototype(v)?.returnType === 0
}

function lsmExpectation(v: Verifier): Expectation | null {
  const { target, expectedAttachType } = v.input
  if (expectedAttachType === AT.BPF_LSM_CGROUP)
    return { range: returnsVoid(v) ? one : bool, half: false }
  if (target === null) return null
  const boolean = BOOLEAN_HOOKS.includes(target.name.replace(/^bpf_lsm_/, ""))
  return { range: boolean ? bool : zeroOrErrno, half: true }
}

/** What the program's type and attach type demand; null for anything. */
function expectationOf(v: Verifier): Expectation | null {
  const { type, expectedAttachType, target } = v.input
  switch (type) {
    case PT.BPF_PROG_TYPE_LSM:
      return lsmExpectation(v)
    case PT.BPF_PROG_TYPE_RAW_TRACEPOINT:
      return target === null ? null : { range: zero, half: false }
    case PT.BPF_PROG_TYPE_STRUCT_OPS: {
      // Pointers are returned as references, or not at all.
      const proto = attachPrototype(v)
      const pointer = proto !== null && target?.btf.resolve(proto.returnType).kind === "ptr"
      return pointer ? { range: zero, half: false } : null
    }
    default: {
      const range = returnRange(type, expectedAttachType)
      return range === null ? null : { range, half: false }
    }
  }
}

/** A struct_ops program gives a reference of the type that the operator returns to the kernel. */
function returnsReference(v: Verifier, reg: number): boolean {
  const { domain, input } = v
  if (input.type !== PT.BPF_PROG_TYPE_STRUCT_OPS || refObjIdOf(domain, reg) === 0) return false
  const proto = attachPrototype(v)
  if (proto === null || input.target === null) return false
  const returned = input.target.btf.resolve(proto.returnType)
  if (returned.kind !== "ptr") return false
  return (
    v.btfs[bOf(domain, reg)] === input.target.btf &&
    aOf(domain, reg) === input.target.btf.skipModifiers(returned.type)
  )
}

function isVoidHook(v: Verifier): boolean {
  const { type, expectedAttachType } = v.input
  if (type === PT.BPF_PROG_TYPE_LSM)
    return expectedAttachType !== AT.BPF_LSM_CGROUP && returnsVoid(v)
  return type === PT.BPF_PROG_TYPE_STRUCT_OPS && returnsVoid(v)
}

function enforce(
  v: Verifier,
  regno: number,
  { range, half }: Expectation,
  context: string,
  name: string,
): void {
  const { domain } = v
  const reg = v.reg(regno)
  if (typeOf(domain, reg) !== SCALAR_VALUE)
    v.reject(
      ERRNO.EINVAL,
      `${context} the register R${regno} is not a known value (${registerTypeName(typeOf(domain, reg))})`,
      { rule: "return-value", register: regno },
    )
  v.markPrecise(regno)
  if (returnsWithin(domain, reg, range, half)) return
  let text = invalidReturnText(domain, reg, range, context, name)
  if (v.input.expectedAttachType === AT.BPF_LSM_CGROUP && range === one)
    text += "\nNote, BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!"
  v.reject(ERRNO.EINVAL, text, { rule: "return-range", register: regno })
}

/**
 * Checks register `regno` (R0, or R1 of bpf_throw()) as what the outermost frame returns; `name`
 * is how the message calls it.
 */
export function checkReturnValue(v: Verifier, regno: number, name = `R${regno}`): void {
  const { domain } = v
  const reg = v.reg(regno)
  const frame = v.frame(0)
  const flags = domain.i32[(frame + FRAME_FLAGS) >> 2]
  const inExceptionCallback = (flags & FRAME_IN_EXCEPTION_CALLBACK) !== 0
  const isSubprogram = domain.i32[(frame + FRAME_SUBPROGNO) >> 2] !== 0
  const asProgram = !isSubprogram || inExceptionCallback
  if (asProgram && isVoidHook(v)) return
  if (asProgram && !inExceptionCallback && returnsReference(v, reg)) {
    checkPointerOffset(v, reg, regno, false)
    return
  }

  v.checkRegister(regno, SRC_OP)
  if (!v.allowPtrLeaks && typeOf(domain, reg) !== SCALAR_VALUE)
    v.reject(ERRNO.EACCES, `R${regno} leaks addr as return value`, { register: regno })
  if (flags & FRAME_IN_ASYNC_CALLBACK) {
    const min = domain.i32[(frame + FRAME_RET_MIN) >> 2]
    const max = domain.i32[(frame + FRAME_RET_MAX) >> 2]
    enforce(v, regno, { range: { min, max }, half: false }, "At async callback return", name)
    return
  }
  if (!asProgram) {
    if (typeOf(domain, reg) === SCALAR_VALUE) return
    v.reject(
      ERRNO.EINVAL,
      `At subprogram exit the register R${regno} is not a scalar value (${registerTypeName(typeOf(domain, reg))})`,
      { rule: "return-value", register: regno },
    )
  }
  const expected = expectationOf(v)
  if (expected !== null) enforce(v, regno, expected, "At program exit", name)
}
