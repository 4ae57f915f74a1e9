/**
 * Where the program's functions begin and end, and what its BTF says of them.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c add_subprog, check_btf_func;
 * include/uapi/linux/bpf.h struct bpf_func_info.
 */

import { FUNC_INFO_SIZE } from "../../btf/index.ts"
import { BPF_CALL, BPF_JMP, BPF_LD_IMM64, BPF_PSEUDO_KFUNC_CALL } from "../../isa/index.ts"
import { BPF_MAX_SUBPROGS, ERRNO } from "../../spec/index.ts"
import type { VerifierInput } from "../input.ts"
import { Rejection } from "../rejection.ts"
import type { Code, Subprogram } from "./code.ts"
import { isFunctionAddress, isSubprogramCall } from "./flow.ts"

function subprogram(start: number): Subprogram {
  return {
    start,
    end: 0,
    name: "",
    typeId: 0,
    linkage: "static",
    stackDepth: 0,
    hasTailCall: false,
    tailCallReachable: false,
    hasLdAbs: false,
    isCallback: false,
    isAsyncCallback: false,
    isExceptionCallback: false,
    changesPacketData: false,
    mightSleep: false,
    mayThrow: false,
    called: false,
    keepFastcallStack: false,
    fastcallStackOffset: 0,
  }
}

/** Fills `code.subprograms`, sorted by start; names and linkage come from func_info. */
export function findSubprograms(code: Code, input: VerifierInput): void {
  const starts = new Set([0])
  for (let insn = 0; insn < code.length; insn++) {
    if (isSubprogramCall(code, insn) || isFunctionAddress(code, insn))
      starts.add(insn + 1 + code.imm[insn])
    if (code.opcode[insn] === BPF_LD_IMM64) insn++
  }
  const exceptionCallback = exceptionCallbackStart(input)
  if (exceptionCallback > 0) starts.add(exceptionCallback)
  if (starts.size > BPF_MAX_SUBPROGS)
    throw new Rejection(ERRNO.E2BIG, 0, "too many subprograms", { rule: "limits" })
  const sorted = [...starts].sort((first, second) => first - second)
  sorted.forEach((start, index) => {
    const made = subprogram(start)
    made.end = sorted[index + 1] ?? code.length
    if (start === exceptionCallback && start > 0) made.isExceptionCallback = true
    code.subprograms.push(made)
  })
  nameSubprograms(code, input)
}

function nameSubprograms(code: Code, input: VerifierInput): void {
  const { btf, funcInfo } = input
  if (btf === null || funcInfo.length === 0) return
  const view = new DataView(funcInfo.buffer, funcInfo.byteOffset, funcInfo.byteLength)
  for (let at = 0; at + FUNC_INFO_SIZE <= funcInfo.length; at += FUNC_INFO_SIZE) {
    const start = view.getUint32(at, true)
    const typeId = view.getUint32(at + 4, true)
    const found = code.subprograms.find((candidate) => candidate.start === start)
    if (found === undefined || typeId <= 0 || typeId >= btf.typeCount) continue
    const type = btf.type(typeId)
    if (type.kind !== "func") continue
    found.name = type.name
    found.typeId = typeId
    found.linkage = type.linkage
  }
}

/** The function that a declaration tag `exception_callback:NAME` on the main function names; -1: none. */
function exceptionCallbackStart({ btf, funcInfo }: VerifierInput): number {
  if (btf === null || funcInfo.length < FUNC_INFO_SIZE) return -1
  const view = new DataView(funcInfo.buffer, funcInfo.byteOffset, funcInfo.byteLength)
  const prefix = "exception_callback:"
  const tag = btf
    .declTags(view.getUint32(4, true))
    .find((name) => name.startsWith(prefix))
    ?.slice(prefix.length)
  if (tag === undefined) return -1
  for (let at = 0; at + FUNC_INFO_SIZE <= funcInfo.length; at += FUNC_INFO_SIZE) {
    const id = view.getUint32(at + 4, true)
    if (id > 0 && id < btf.typeCount && btf.type(id).name === tag) return view.getUint32(at, true)
  }
  return -1
}

/** Index of the subprogram that begins at `insn`; -1 when none does. */
export function subprogramStartingAt(code: Code, insn: number): number {
  const index = subprogramContaining(code, insn)
  return code.subprograms[index].start === insn ? index : -1
}

/** Index of the subprogram that `insn` is part of. */
export function subprogramContaining(code: Code, insn: number): number {
  const { subprograms } = code
  let low = 0
  let high = subprograms.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (subprograms[middle].start <= insn) low = middle
    else high = middle - 1
  }
  return low
}

/** `call` of a kfunc. */
export function isKfuncCallAt(code: Code, insn: number): boolean {
  return code.opcode[insn] === (BPF_JMP | BPF_CALL) && code.src[insn] === BPF_PSEUDO_KFUNC_CALL
}
