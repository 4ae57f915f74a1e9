/** What a call does to control flow and registers, known before exploration. */

import { BPF_PSEUDO_KFUNC_CALL } from "../../../isa/index.ts"
import type { Verifier } from "../../verifier.ts"
import { callsBack, helperRule } from "./helper-table.ts"
import { kfuncAt, kfuncCallsBack, kfuncCallsLater } from "./kfunc-table.ts"

export interface CallSummary {
  /** Registers R1 to Rn that are arguments. */
  readonly parameters: number
  /** R0 is not written. */
  readonly isVoid: boolean
  /** R1-R5 survive where the compiler relied on it (bpf_fastcall). */
  readonly fastcall: boolean
  /** Runs a callback before it returns; runs one some time later. */
  readonly syncCallback: boolean
  readonly asyncCallback: boolean
  /** `bpf_iter_…_next`: states are kept here. */
  readonly iterNext: boolean
  readonly movesPacket: boolean
  readonly mightSleep: boolean
  /** bpf_throw */
  readonly throws: boolean
}

function ofHelper(v: Verifier, id: number): CallSummary | null {
  const rule = helperRule(v.input, id)
  if (rule === null || rule.refusal === "absent") return null
  const { helper, name } = rule
  return {
    parameters: helper.parameters.length,
    isVoid: helper.result.kind === "void",
    fastcall: helper.fastcall,
    syncCallback: callsBack(name),
    asyncCallback: name === "timer_set_callback",
    iterNext: false,
    movesPacket: helper.movesPacket,
    mightSleep: helper.mightSleep,
    throws: false,
  }
}

/** Of the helper or kfunc that instruction `insn` calls; null for none that the program may call. */
export function summarizeCall(v: Verifier, insn: number): CallSummary | null {
  const kind = v.code.src[insn]
  if (kind === 0) return ofHelper(v, v.code.imm[insn])
  if (kind !== BPF_PSEUDO_KFUNC_CALL) return null
  const rule = kfuncAt(v, insn)
  if (rule === null || !rule.allowed) return null
  return {
    parameters: rule.proto.params.length,
    isVoid: rule.proto.returnType === 0,
    fastcall: rule.has("fastcall"),
    syncCallback: kfuncCallsBack(rule.name),
    asyncCallback: kfuncCallsLater(rule.name),
    iterNext: rule.has("iter_next"),
    movesPacket: rule.name === "bpf_xdp_pull_data",
    mightSleep: rule.has("sleepable"),
    throws: rule.name === "bpf_throw",
  }
}
