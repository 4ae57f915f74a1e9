/**
 * How much stack a chain of calls takes: at most 512 bytes over all frames, 256 before a tail call
 * in a callee, eight frames. Programs that may run in any context have their larger frames on a
 * private stack of their own, each within 512 bytes.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_max_stack_depth; arch/x86/net/bpf_jit_comp.c
 * (private stacks).
 */

import { BPF_CALL, BPF_JMP, BPF_LD_IMM64, BPF_PSEUDO_KFUNC_CALL } from "../../isa/index.ts"
import {
  ERRNO,
  MAX_BPF_STACK,
  MAX_CALL_FRAMES,
  BPF_PROG_TYPE as PT,
  TAIL_CALL_CALLER_STACK,
} from "../../spec/index.ts"
import type { Explorer } from "../explore/explorer.ts"
import { summarizeCall } from "../rules/calls/summary.ts"
import type { Subprogram } from "./code.ts"
import { isFunctionAddress, isSubprogramCall } from "./flow.ts"
import { subprogramStartingAt } from "./subprograms.ts"

/** Frames of this size and more go to the private stack. */
const PRIVATE_MIN = 64

/** Tracing programs, which may interrupt each other, have private stacks. */
const PRIVATE_TYPES: readonly number[] = [
  PT.BPF_PROG_TYPE_KPROBE,
  PT.BPF_PROG_TYPE_TRACEPOINT,
  PT.BPF_PROG_TYPE_PERF_EVENT,
  PT.BPF_PROG_TYPE_RAW_TRACEPOINT,
]

interface Frame {
  readonly subprog: number
  insn: number
  readonly depthBefore: number
  readonly returnTo: number
}

/** Bytes that a frame takes with the JIT. */
export function roundDepth(bytes: number): number {
  return (bytes + 15) & ~15
}

/** Checks the program, and every asynchronous callback, which starts on an empty stack. */
export function checkStackDepth(x: Explorer): void {
  const { subprograms } = x.code
  const privately = hasPrivateStack(x)
  checkFrom(x, 0, privately)
  for (let subprog = 1; subprog < subprograms.length; subprog++)
    if (subprograms[subprog].isAsyncCallback || subprograms[subprog].isExceptionCallback)
      checkFrom(x, subprog, privately)
}

function hasPrivateStack(x: Explorer): boolean {
  const { type } = x.input
  if (x.code.subprograms.some(({ hasTailCall }) => hasTailCall)) return false
  return (
    PRIVATE_TYPES.includes(type) ||
    type === PT.BPF_PROG_TYPE_TRACING ||
    type === PT.BPF_PROG_TYPE_LSM
  )
}

function checkFrom(x: Explorer, entry: number, privately: boolean): void {
  const { code } = x
  const { subprograms } = code
  const path: Frame[] = []
  let depth = 0
  let tailCallReachable = false
  let subprog = entry
  let insn = subprograms[subprog].start

  const enter = (): void => {
    const own = roundDepth(subprograms[subprog].stackDepth)
    if (subprograms[subprog].hasTailCall && path.length > 0 && depth >= TAIL_CALL_CALLER_STACK)
      reject(
        x,
        `tail_calls are not allowed when call stack of previous frames is ${depth} bytes. Too large`,
      )
    const isPrivate = privately && own >= PRIVATE_MIN
    if (isPrivate) {
      if (own > MAX_BPF_STACK) reject(x, `stack size of subprog ${subprog} is ${own}. Too large`)
    } else {
      depth += own
      if (depth > MAX_BPF_STACK)
        reject(x, `combined stack size of ${path.length + 1} calls is ${depth}. Too large`)
    }
  }

  let before = depth
  enter()
  for (;;) {
    const { end } = subprograms[subprog]
    let called = -1
    for (; insn < end; insn++) {
      if (isThrow(x, insn)) {
        const chain = [...path.map((frame) => frame.subprog), subprog]
        if (chain.some((index) => isCalledBack(subprograms[index])))
          reject(
            x,
            `bpf_throw kfunc (insn ${insn}) cannot be called from callback subprog ${subprog}`,
            ERRNO.EINVAL,
          )
      }
      if (isSubprogramCall(code, insn)) {
        called = subprogramStartingAt(code, insn + 1 + code.imm[insn])
        if (subprograms[called].isExceptionCallback)
          reject(x, `insn ${insn} cannot call exception cb directly`, ERRNO.EINVAL)
      } else if (isFunctionAddress(code, insn)) {
        const target = subprogramStartingAt(code, insn + 1 + code.imm[insn])
        // Asynchronous callbacks start afresh.
        if (!subprograms[target].isAsyncCallback) called = target
      }
      if (called >= 0) break
      if (code.opcode[insn] === BPF_LD_IMM64) insn++
    }
    if (called < 0) {
      const frame = path.pop()
      if (frame === undefined) return
      depth = before
      before = frame.depthBefore
      subprog = frame.subprog
      insn = frame.returnTo
      continue
    }
    path.push({ subprog, insn, depthBefore: before, returnTo: insn + 1 })
    if (path.some((frame) => frame.subprog === called))
      reject(
        x,
        `recursive call from ${subprogramName(x, subprog)}() to ${subprogramName(x, called)}()`,
        ERRNO.EINVAL,
      )
    if (path.length + 1 > MAX_CALL_FRAMES)
      reject(x, `the call stack of ${path.length + 1} frames is too deep !`, ERRNO.E2BIG)
    if (subprograms[called].hasTailCall) tailCallReachable = true
    if (tailCallReachable)
      for (const frame of path) subprograms[frame.subprog].tailCallReachable = true
    before = depth
    subprog = called
    insn = subprograms[called].start
    enter()
  }
}

function isCalledBack(subprogram: Subprogram): boolean {
  return subprogram.isCallback || subprogram.isExceptionCallback
}

/** Exceptions do not pass the frames of the kernel that call a callback. */
function isThrow(x: Explorer, insn: number): boolean {
  const { code } = x
  if (code.opcode[insn] !== (BPF_JMP | BPF_CALL)) return false
  return code.src[insn] === BPF_PSEUDO_KFUNC_CALL && summarizeCall(x, insn)?.throws === true
}

function subprogramName(x: Explorer, index: number): string {
  return x.code.subprograms[index].name
}

function reject(x: Explorer, message: string, errno: number = ERRNO.EACCES): never {
  x.reject(errno, message, { rule: "stack-depth" })
}
