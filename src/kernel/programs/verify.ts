/**
 * The one place where PROG_LOAD decides whether a program may run: the verifier's verdict, and
 * then that every helper and kfunc that can be reached is implemented here. Nothing that is not
 * implemented is ever silently zero.
 */

import {
  BPF_CALL,
  BPF_JA,
  BPF_JMP,
  BPF_LD_IMM64,
  BPF_PSEUDO_KFUNC_CALL,
  decodeInstruction,
  encodeInstruction,
  INSN_SIZE,
  validateProgram,
} from "../../isa/index.ts"
import { ERRNO, HELPERS, programTypeName } from "../../spec/index.ts"
import { isReached, type VerifierInput, verify } from "../../verifier/index.ts"
import type { KernelState } from "../environment.ts"
import { helperImplementations, kfuncImplementations } from "../helpers/index.ts"
import type { Refusal } from "./resolve.ts"

/** What verification found. */
export interface Verification {
  /** Null when the program may run. */
  readonly refusal: Refusal | null
  /** The log that was asked for, whole. */
  readonly log: string
  /** Whether an instruction can be reached at all; dead ones are never run nor looked at. */
  readonly reached: (slot: number) => boolean
  /** Instructions processed: `verified_insns` of the program's info. */
  readonly processed: number
}

/** `trusted`: no verdict is asked for, only that the program is well-formed and can be run. */
export function verifyProgram(
  kernel: KernelState,
  input: VerifierInput,
  options: { readonly trusted: boolean },
): Verification {
  if (options.trusted) return trust(kernel, input)
  const verdict = verify(input)
  const { rejection, log, marks } = verdict
  const reached = (slot: number) => isReached(marks, slot)
  const refusal =
    rejection === null
      ? checkCalls(kernel, input, reached)
      : { errno: rejection.errno, message: rejection.message, slot: rejection.insn }
  return { refusal, log, reached, processed: verdict.statistics.insnsProcessed }
}

function trust(kernel: KernelState, input: VerifierInput): Verification {
  const problem = validateProgram(input.insns)
  const reached = () => true
  const refusal =
    problem === null
      ? checkCalls(kernel, input, reached)
      : { errno: ERRNO.EINVAL, message: problem.message, slot: problem.slot }
  return { refusal, log: "", reached, processed: 0 }
}

function checkCalls(
  kernel: KernelState,
  input: VerifierInput,
  reached: (slot: number) => boolean,
): Refusal | null {
  for (let slot = 0; slot < input.insns.length / INSN_SIZE; slot++) {
    const insn = decodeInstruction(input.insns, slot)
    if (insn.opcode === BPF_LD_IMM64) slot++
    if (insn.opcode !== (BPF_JMP | BPF_CALL) || !reached(slot)) continue
    const message =
      insn.src === 0
        ? missingHelper(input, insn.imm)
        : insn.src === BPF_PSEUDO_KFUNC_CALL
          ? missingKfunc(kernel, insn.imm)
          : null
    if (message !== null) return { errno: ERRNO.EINVAL, message, slot }
  }
  return null
}

function missingHelper(input: VerifierInput, id: number): string | null {
  const helper = HELPERS[id]
  if (id <= 0 || helper === undefined) return `invalid func unknown#${id}`
  if (helperImplementations.has(id)) return null
  return `helper bpf_${helper.name}#${id} exists in Linux but not yet in the embedded kernel (${programTypeName(input.type)} program)`
}

function missingKfunc(kernel: KernelState, id: number): string | null {
  const name = kfuncName(kernel, id)
  if (name === undefined) return `kernel function btf_id ${id} does not name a function`
  return kfuncImplementations.has(name)
    ? null
    : `kernel function ${name} is not in the embedded kernel`
}

/** The kfunc whose BTF id in the kernel's types is `id`, or undefined. */
export function kfuncName(kernel: KernelState, id: number): string | undefined {
  if (id <= 0 || id >= kernel.types.typeCount) return undefined
  const type = kernel.types.type(id)
  return type.kind === "func" ? type.name : undefined
}

/** Instructions that are never reached become jumps to themselves, as Linux makes them. */
export function withoutDeadCode(
  program: Uint8Array,
  reached: (slot: number) => boolean,
): Uint8Array {
  const alive = program.slice()
  for (let slot = 0; slot < program.length / INSN_SIZE; slot++) {
    const wide = decodeInstruction(program, slot).opcode === BPF_LD_IMM64
    if (!reached(slot))
      for (let part = 0; part < (wide ? 2 : 1); part++)
        encodeInstruction(alive, slot + part, {
          opcode: BPF_JMP | BPF_JA,
          dst: 0,
          src: 0,
          off: -1,
          imm: 0,
        })
    if (wide) slot++
  }
  return alive
}
