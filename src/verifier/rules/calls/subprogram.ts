/**
 * The program's own functions. A static one is explored anew for each call, as part of its
 * caller's path; a global one was, or will be, verified on its own: at a call only its arguments
 * count, and its result is any number.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_func_call, btf_check_func_arg_match,
 * prepare_func_exit, do_check_common.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_PROG_TYPE } from "../../../spec/program-types.ts"
import type { Subprogram } from "../../program/code.ts"
import { Rejection } from "../../rejection.ts"
import {
  FRAME_CALLSITE,
  FRAME_FLAGS,
  FRAME_IN_CALLBACK_FN,
  FRAME_IN_EXCEPTION_CALLBACK,
  FRAME_RET_MAX,
  FRAME_RET_MIN,
  FRAMES_MAX,
} from "../../state/layout.ts"
import {
  BPF_DYNPTR_TYPE_LOCAL,
  DEF_NOT_SUBREG,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_CTX,
  PTR_TO_MEM,
  PTR_TO_STACK,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import { setA, setB, setId, setSubregDef, setType, typeOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { invalidReturnText, returnsWithin } from "../exit/return-value.ts"
import { checkMemoryRegister } from "../memory/helper-memory.ts"
import { checkArgumentOffset } from "../pointers/offset.ts"
import { clobberCallerSaved } from "./clobber.ts"
import { checkDynptrArgument, forgetPacket, markDynptrArgument } from "./dynptr.ts"
import { type FunctionArgument, functionArguments } from "./function-arguments.ts"
import { BTF_POINTERS } from "./helper-table.ts"
import { checkRegisterType } from "./register-match.ts"

/** Functions whose BTF was found not to match what they are called with. */
const unreliable = new WeakSet<Subprogram>()

function checkArgumentMatch(v: Verifier, index: number, argument: FunctionArgument): void {
  const { domain } = v
  const regno = index + 1
  const reg = v.reg(regno)
  const type = typeOf(domain, reg)
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "function-argument", register: regno })
  switch (argument.kind) {
    case "scalar":
      if (type !== SCALAR_VALUE) refuse(`R${regno} is not a scalar`)
      break
    case "ctx":
      checkArgumentOffset(v, reg, regno, {})
      if (type !== PTR_TO_CTX) refuse(`arg#${index} expects pointer to ctx`)
      break
    case "mem":
      checkArgumentOffset(v, reg, regno, {})
      checkMemoryRegister(v, regno, argument.size)
      if (!argument.nullable && type & PTR_MAYBE_NULL)
        refuse(`arg#${index} is expected to be non-NULL`)
      break
    case "arena":
      if (type !== PTR_TO_ARENA && type !== SCALAR_VALUE)
        refuse(`R${regno} is not a pointer to arena or scalar.`)
      break
    case "dynptr":
      checkArgumentOffset(v, reg, regno, { dynptr: true })
      checkDynptrArgument(v, regno, { uninit: false, readonly: true, type: 0 })
      break
    case "btf":
      if (argument.nullable && domain.isNull(reg)) break
      checkRegisterType(
        v,
        regno,
        {
          compatible: BTF_POINTERS,
          nullable: argument.nullable,
          readonly: false,
          release: false,
          btf: argument.typeId,
        },
        null,
        null,
      )
      checkArgumentOffset(v, reg, regno, {})
      break
  }
}

/**
 * Compares the registers with the function's BTF; the errno of what does not match (the log says
 * what), or 0. What does not match once is not looked at again.
 */
function matchArguments(v: Verifier, index: number): number {
  const subprogram = v.code.subprograms[index]
  if (v.input.funcInfo.length === 0 || unreliable.has(subprogram)) return ERRNO.EINVAL
  const expected = functionArguments(v, index)
  let errno = 0
  if (typeof expected === "number") errno = expected
  else
    try {
      for (const [position, argument] of expected.entries())
        checkArgumentMatch(v, position, argument)
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem
      // Memory that cannot be accessed counts as a wrong argument.
      errno = problem.errno
      if (isMemory(expected, problem)) errno = ERRNO.EINVAL
    }
  if (errno === 0) return 0
  if (errno === ERRNO.EFAULT) v.rejectQuietly(errno, "invalid BTF of a function")
  unreliable.add(subprogram)
  return errno
}

function isMemory(expected: readonly FunctionArgument[], problem: Rejection): boolean {
  const register = problem.details.register
  return register !== undefined && expected[register - 1]?.kind === "mem"
}

/** A callback's BTF is compared with its caller's registers too, for the log only. */
export function noteCallbackArguments(v: Verifier, index: number): void {
  matchArguments(v, index)
}

function callGlobal(v: Verifier, index: number, mismatch: number): void {
  const { state } = v
  const subprogram = v.code.subprograms[index]
  if (state.activeLocks > 0)
    v.reject(
      ERRNO.EINVAL,
      "global function calls are not allowed while holding a lock,\nuse static function instead",
      { rule: "call-under-lock" },
    )
  const restricted =
    state.activeRcuLocks > 0 ||
    state.activePreemptLocks > 0 ||
    state.activeIrqId !== 0 ||
    !state.inSleepable
  if (subprogram.mightSleep && restricted)
    v.reject(
      ERRNO.EINVAL,
      "global functions that may sleep are not allowed in non-sleepable context,\n" +
        "i.e., in a RCU/IRQ/preempt-disabled section, or in\n" +
        "a non-sleepable BPF program context",
      { rule: "sleep" },
    )
  if (mismatch !== 0)
    v.reject(mismatch, `Caller passes invalid args into func#${index} ('${subprogram.name}')`, {
      rule: "function-argument",
      subject: subprogram.name,
    })
  v.verbose(`Func#${index} ('${subprogram.name}') is global and assumed valid.\n`)
  if (subprogram.changesPacketData) forgetPacket(v)
  subprogram.called = true
  clobberCallerSaved(v)
  v.markUnknown(0)
  setSubregDef(v.domain, v.reg(0), DEF_NOT_SUBREG)
}

/** Checks the current instruction, a call of a subprogram; of a static one it opens the frame. */
export function checkSubprogramCall(v: Verifier): void {
  const { insn, code, domain, state } = v
  const target = insn + code.imm[insn] + 1
  const index = v.subprogramIndex(target)
  const mismatch = matchArguments(v, index)
  const subprogram = code.subprograms[index]
  if (subprogram.linkage === "global") {
    callGlobal(v, index, mismatch)
    return
  }
  const caller = state.frames - 1
  if (state.frames >= FRAMES_MAX)
    v.reject(ERRNO.E2BIG, `the call stack of ${state.frames + 1} frames is too deep`, {
      rule: "call-depth",
    })
  v.openFrame(insn, index)
  for (let n = 1; n <= 5; n++) domain.copyReg(v.reg(n), v.regOf(caller, n))
  for (let n = 0; n <= 5; n++) domain.markNotInit(v.regOf(caller, n))
  v.insn = subprogram.start - 1
  if (v.log.level & 3) {
    v.verbose("caller:\n")
    v.printFrame(caller)
    v.verbose("callee:\n")
    v.printFrame(caller + 1)
  }
}

function markPointer(v: Verifier, reg: number, type: number, a: number): void {
  v.domain.markKnownZero(reg)
  setType(v.domain, reg, type)
  setA(v.domain, reg, a)
  setB(v.domain, reg, 0)
}

/** Register `reg` (address) holds any value that an argument may have. */
function markArgument(v: Verifier, reg: number, argument: FunctionArgument): void {
  const { domain } = v
  switch (argument.kind) {
    case "scalar":
    case "arena":
      domain.markUnknown(reg)
      break
    case "ctx":
      markPointer(v, reg, PTR_TO_CTX, 0)
      break
    case "dynptr":
      markDynptrArgument(v, reg, BPF_DYNPTR_TYPE_LOCAL)
      break
    case "mem":
      markPointer(v, reg, PTR_TO_MEM | (argument.nullable ? PTR_MAYBE_NULL : 0), argument.size)
      if (argument.nullable) setId(domain, reg, v.newId())
      break
    case "untrusted-mem":
      markPointer(v, reg, PTR_TO_MEM | MEM_RDONLY | PTR_UNTRUSTED, 0)
      break
    case "untrusted-btf":
      markPointer(v, reg, PTR_TO_BTF_ID | PTR_UNTRUSTED, argument.typeId)
      setId(domain, reg, v.newId())
      break
    case "btf": {
      const flags = PTR_TRUSTED | (argument.nullable ? PTR_MAYBE_NULL : 0)
      markPointer(v, reg, PTR_TO_BTF_ID | flags, argument.typeId)
      setId(domain, reg, v.newId())
      break
    }
  }
}

function enterFunction(v: Verifier, index: number): void {
  const { domain } = v
  const subprogram = v.code.subprograms[index]
  if (index === 0) v.verbose(`Validating ${subprogram.name}() func#0...\n`)
  const found = functionArguments(v, index)
  if (typeof found === "number") {
    v.rejectQuietly(found, "invalid BTF of a function")
    return
  }
  if (subprogram.isExceptionCallback) {
    domain.i32[(v.currentFrame() + FRAME_FLAGS) >> 2] |= FRAME_IN_EXCEPTION_CALLBACK
    if (found.length !== 1 || found[0].kind !== "scalar")
      v.reject(ERRNO.EINVAL, "exception cb only supports single integer argument")
  }
  for (const [position, argument] of found.entries()) markArgument(v, v.reg(position + 1), argument)
}

/** Gives the registers what subprogram `subprog` (0: the program) is entered with. */
export function prepareSubprogramEntry(v: Verifier, subprog: number): void {
  if (subprog !== 0 || v.input.type === BPF_PROG_TYPE.BPF_PROG_TYPE_EXT) {
    enterFunction(v, subprog)
    return
  }
  // What the BTF of the program itself says is only worth a line in the log.
  if (v.input.funcInfo.length > 0) functionArguments(v, 0)
  markPointer(v, v.reg(1), PTR_TO_CTX, 0)
}

function checkCallbackReturn(v: Verifier, callee: number): void {
  const { domain } = v
  const r0 = v.reg(0)
  if (typeOf(domain, r0) !== SCALAR_VALUE)
    v.reject(ERRNO.EACCES, "R0 not a scalar value", { rule: "callback-return", register: 0 })
  v.markPrecise(0)
  const range = {
    min: domain.i32[(callee + FRAME_RET_MIN) >> 2],
    max: domain.i32[(callee + FRAME_RET_MAX) >> 2],
  }
  if (!returnsWithin(domain, r0, range, false))
    v.reject(ERRNO.EINVAL, invalidReturnText(domain, r0, range, "At callback return", "R0"), {
      rule: "callback-return",
      register: 0,
    })
}

/**
 * Leaves the innermost frame: R0 goes to the caller, and `v.insn` to the call; after a callback to
 * the instruction before, so that the call is checked again and may run the callback once more.
 */
export function prepareFunctionExit(v: Verifier): void {
  const { domain, state } = v
  const callee = v.currentFrame()
  const frame = state.frames - 1
  if (typeOf(domain, v.reg(0)) === PTR_TO_STACK)
    v.reject(ERRNO.EINVAL, "cannot return stack pointer to the caller", {
      rule: "return-stack",
      register: 0,
    })
  const inCallback = (domain.i32[(callee + FRAME_FLAGS) >> 2] & FRAME_IN_CALLBACK_FN) !== 0
  if (inCallback) checkCallbackReturn(v, callee)
  else domain.copyReg(v.regOf(frame - 1, 0), v.reg(0))
  const callsite = domain.i32[(callee + FRAME_CALLSITE) >> 2]
  const next = inCallback ? callsite : callsite + 1
  if (v.log.level & 3) {
    v.verbose("returning from callee:\n")
    v.printFrame(frame)
    v.verbose(`to caller at ${next}:\n`)
    v.printFrame(frame - 1)
  }
  v.closeFrame()
  v.insn = next - 1
  const previous = inCallback ? v.findPreviousEntry(next, state) : null
  if (previous !== null) v.widenImprecise(previous, state)
}
