/**
 * The one place where PROG_LOAD decides whether a program may run. Until the verifier proper
 * stands here, memory safety is the interpreter's own; what is checked now is structure, and
 * that every helper and kfunc a program calls exists, is implemented, and may be called with the
 * program's licence. Nothing that is not implemented is ever silently zero.
 */

import {
  BPF_CALL,
  BPF_JMP,
  BPF_LD_IMM64,
  BPF_PSEUDO_KFUNC_CALL,
  decodeInstruction,
  INSN_SIZE,
  validateProgram,
} from "../../isa/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_PROG_FLAG,
  BPF_PROG_TYPE,
  ERRNO,
  HELPERS,
  type HelperRefusal,
  helperRefusal,
  programTypeName,
} from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import { helperImplementations, kfuncImplementations } from "../helpers/index.ts"
import type { Refusal } from "./resolve.ts"

export interface Verification {
  readonly insns: Uint8Array
  readonly type: number
  readonly expectedAttachType: number
  readonly gplCompatible: boolean
  readonly attachTarget: string | null
  /** `prog_flags`. */
  readonly flags: number
}

/** Null when the program may run. */
export function verifyProgram(kernel: KernelState, program: Verification): Refusal | null {
  const misplaced = checkSleepable(program)
  if (misplaced !== null) return misplaced
  const problem = validateProgram(program.insns)
  if (problem !== null) return { errno: ERRNO.EINVAL, message: problem.message, slot: problem.slot }
  for (let slot = 0; slot < program.insns.length / INSN_SIZE; slot++) {
    const insn = decodeInstruction(program.insns, slot)
    if (insn.opcode === BPF_LD_IMM64) slot++
    if (insn.opcode !== (BPF_JMP | BPF_CALL)) continue
    const refusal =
      insn.src === 0
        ? checkHelper(program, insn.imm, slot)
        : insn.src === BPF_PSEUDO_KFUNC_CALL
          ? checkKfunc(kernel, insn.imm, slot)
          : null
    if (refusal !== null) return refusal
  }
  return null
}

/** Attach types of tracing programs that may sleep. */
const SLEEPABLE_TRACING: readonly number[] = [
  BPF_ATTACH_TYPE.BPF_TRACE_FENTRY,
  BPF_ATTACH_TYPE.BPF_TRACE_FEXIT,
  BPF_ATTACH_TYPE.BPF_MODIFY_RETURN,
  BPF_ATTACH_TYPE.BPF_TRACE_ITER,
]

/** Source: linux v6.18 kernel/bpf/verifier.c check_attach_btf_id, can_be_sleepable. */
function checkSleepable({ type, expectedAttachType, flags }: Verification): Refusal | null {
  const sleepable = (flags & BPF_PROG_FLAG.BPF_F_SLEEPABLE) !== 0
  if (type === BPF_PROG_TYPE.BPF_PROG_TYPE_SYSCALL)
    return sleepable
      ? null
      : { errno: ERRNO.EINVAL, message: "Syscall programs can only be sleepable" }
  const able =
    type === BPF_PROG_TYPE.BPF_PROG_TYPE_TRACING
      ? SLEEPABLE_TRACING.includes(expectedAttachType)
      : type === BPF_PROG_TYPE.BPF_PROG_TYPE_LSM ||
        type === BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE ||
        type === BPF_PROG_TYPE.BPF_PROG_TYPE_STRUCT_OPS
  if (!sleepable || able) return null
  return {
    errno: ERRNO.EINVAL,
    message:
      "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable",
  }
}

/** What Linux's verifier says, before the helper's name. */
const REFUSED: Readonly<Record<HelperRefusal, string>> = {
  absent: "program of this type cannot use helper",
  not_in_probe: "helper call is not allowed in probe:",
  only_trampolines: "supported only for fentry/fexit/fmod_ret programs:",
  not_for_type: "not supported for this program type:",
}

function checkHelper(program: Verification, id: number, slot: number): Refusal | null {
  const helper = HELPERS[id]
  if (id <= 0 || helper === undefined)
    return { errno: ERRNO.EINVAL, message: `invalid func unknown#${id}`, slot }
  const name = `bpf_${helper.name}`
  const caller = {
    type: program.type,
    attachType: program.expectedAttachType,
    target: program.attachTarget ?? "",
  }
  const refusal = helperRefusal(id, caller)
  if (refusal !== null)
    return { errno: ERRNO.EINVAL, message: `${REFUSED[refusal]} ${name}#${id}`, slot }
  if (helper.gplOnly && !program.gplCompatible)
    return {
      errno: ERRNO.EINVAL,
      message: "cannot call GPL-restricted function from non-GPL compatible program",
      slot,
    }
  if (!helperImplementations.has(id))
    return {
      errno: ERRNO.EINVAL,
      message: `helper ${name}#${id} exists in Linux but not yet in the embedded kernel (${programTypeName(program.type)} program)`,
      slot,
    }
  return null
}

function checkKfunc(kernel: KernelState, id: number, slot: number): Refusal | null {
  const name = kfuncName(kernel, id)
  if (name === undefined)
    return {
      errno: ERRNO.EINVAL,
      message: `kernel function btf_id ${id} does not name a function`,
      slot,
    }
  if (!kfuncImplementations.has(name))
    return {
      errno: ERRNO.EINVAL,
      message: `kernel function ${name} is not in the embedded kernel`,
      slot,
    }
  return null
}

/** The kfunc whose BTF id in the kernel's types is `id`, or undefined. */
export function kfuncName(kernel: KernelState, id: number): string | undefined {
  if (id <= 0 || id >= kernel.types.typeCount) return undefined
  const type = kernel.types.type(id)
  return type.kind === "func" ? type.name : undefined
}
