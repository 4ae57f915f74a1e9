/**
 * Control flow before exploration: where subprograms begin, what follows each instruction, what
 * can be reached, and at which instructions states are compared and jumps recorded.
 *
 * Invariants afterwards: every instruction is reachable (else the program is refused), no jump
 * leaves its subprogram, and each instruction that control can come to from two places, or that
 * a call comes back to, is a prune point.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_cfg, Documentation/bpf/verifier.rst.
 */

import {
  BPF_CALL,
  BPF_EXIT,
  BPF_JA,
  BPF_JCOND,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD_IMM64,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
} from "../../isa/index.ts"
import { ERRNO } from "../../spec/index.ts"
import { Rejection } from "../rejection.ts"
import {
  CALLS_CALLBACK,
  type Code,
  FORCE_CHECKPOINT,
  JUMP_POINT,
  PRUNE_POINT,
  SECOND_SLOT,
} from "./code.ts"

/** What the flow analysis must know about a call of a helper or kfunc. */
export interface CallEffects {
  readonly parameters: number
  readonly syncCallback: boolean
  readonly asyncCallback: boolean
  readonly iterNext: boolean
  readonly movesPacket: boolean
  readonly mightSleep: boolean
  readonly throws: boolean
}

export function isJump(code: Code, insn: number): boolean {
  const class_ = code.opcode[insn] & 7
  return (class_ === BPF_JMP || class_ === BPF_JMP32) && (code.marks[insn] & SECOND_SLOT) === 0
}

/** `jmp` operation, or -1 for anything else. */
export function jumpOperation(code: Code, insn: number): number {
  return isJump(code, insn) ? code.opcode[insn] & 0xf0 : -1
}

/** Target of an unconditional or conditional jump at `insn`. */
export function jumpTargetOf(code: Code, insn: number): number {
  const wide = (code.opcode[insn] & 0xff) === (BPF_JMP32 | BPF_JA)
  return insn + 1 + (wide ? code.imm[insn] : code.off[insn])
}

export function isSubprogramCall(code: Code, insn: number): boolean {
  return code.opcode[insn] === (BPF_JMP | BPF_CALL) && code.src[insn] === BPF_PSEUDO_CALL
}

export function isFunctionAddress(code: Code, insn: number): boolean {
  return code.opcode[insn] === BPF_LD_IMM64 && code.src[insn] === BPF_PSEUDO_FUNC
}

/** Whether the instruction has an edge to the next one, and to a jump target. */
export interface Edges {
  /** Next in line, or -1. */
  next: number
  /** Jump target, or -1. Calls have none here. */
  target: number
}

const edges: Edges = { next: -1, target: -1 }

/** Successors inside the subprogram. The result is reused by the next call. */
export function edgesOf(code: Code, insn: number): Edges {
  edges.target = -1
  const operation = jumpOperation(code, insn)
  if (operation === BPF_EXIT) {
    edges.next = -1
  } else if (operation === BPF_JA) {
    edges.next = jumpTargetOf(code, insn)
  } else if (operation === -1 || operation === BPF_CALL) {
    edges.next = insn + (code.opcode[insn] === BPF_LD_IMM64 ? 2 : 1)
  } else {
    edges.next = insn + 1
    edges.target = jumpTargetOf(code, insn)
  }
  return edges
}

/**
 * Marks prune and jump points, and refuses unreachable code; for unprivileged programs also
 * backward jumps.
 */
export function analyseFlow(
  code: Code,
  options: {
    readonly effects: (insn: number) => CallEffects | null
    readonly allowLoops: boolean
    readonly verbose: (text: string) => void
    /** Prints the source line of an instruction. */
    readonly line: (insn: number) => void
  },
): void {
  for (let insn = 0; insn < code.length; insn++) markInstruction(code, insn, options.effects)
  checkReachability(code, options)
}

function markInstruction(
  code: Code,
  insn: number,
  effectsOf: (insn: number) => CallEffects | null,
): void {
  const { marks } = code
  if (marks[insn] & SECOND_SLOT) return
  const operation = jumpOperation(code, insn)
  if (operation === BPF_JA) {
    marks[jumpTargetOf(code, insn)] |= PRUNE_POINT | JUMP_POINT
  } else if (operation === BPF_CALL || isFunctionAddress(code, insn)) {
    markCall(code, insn, operation === BPF_CALL ? effectsOf(insn) : null)
  } else if (operation !== -1 && operation !== BPF_EXIT) {
    marks[insn] |= PRUNE_POINT
    if (operation === BPF_JCOND) marks[insn] |= FORCE_CHECKPOINT
    marks[jumpTargetOf(code, insn)] |= PRUNE_POINT | JUMP_POINT
  }
}

function markCall(code: Code, insn: number, effects: CallEffects | null): void {
  const { marks } = code
  if (effects?.asyncCallback) marks[insn] |= PRUNE_POINT
  if (effects?.syncCallback)
    marks[insn] |= CALLS_CALLBACK | FORCE_CHECKPOINT | PRUNE_POINT | JUMP_POINT
  if (effects?.iterNext) marks[insn] |= PRUNE_POINT | FORCE_CHECKPOINT
  const address = isFunctionAddress(code, insn)
  const next = insn + (address ? 2 : 1)
  if (next < code.length) marks[next] |= PRUNE_POINT | JUMP_POINT
  if (address || isSubprogramCall(code, insn)) {
    marks[insn] |= PRUNE_POINT
    marks[insn + 1 + code.imm[insn]] |= PRUNE_POINT | JUMP_POINT
  }
}

const WHITE = 0
const GREY = 1
const BLACK = 2

function checkReachability(
  code: Code,
  options: {
    readonly allowLoops: boolean
    readonly verbose: (text: string) => void
    readonly line: (insn: number) => void
  },
): void {
  const colour = new Uint8Array(code.length)
  const path: number[] = [0]
  const stage: number[] = [0]
  for (const subprogram of code.subprograms)
    if (subprogram.isExceptionCallback) {
      path.unshift(subprogram.start)
      stage.unshift(0)
    }
  while (path.length > 0) {
    const top = path.length - 1
    const insn = path[top]
    colour[insn] = GREY
    const next = successor(code, insn, stage[top]++)
    if (next === DONE) {
      colour[insn] = BLACK
      path.pop()
      stage.pop()
    } else if (next === NONE) {
      // This kind of edge does not exist here.
    } else if (colour[next] === WHITE) {
      path.push(next)
      stage.push(0)
    } else if (colour[next] === GREY && !options.allowLoops) {
      options.line(insn)
      options.line(next)
      fail(options, insn, `back-edge from insn ${insn} to ${next}`)
    }
  }
  for (let insn = 0; insn < code.length; insn++)
    if (colour[insn] === WHITE && (code.marks[insn] & SECOND_SLOT) === 0)
      fail(options, insn, `unreachable insn ${insn}`)
}

const NONE = -1
const DONE = -2

/** Successor number `stage`: next in line, jump target, callee; NONE or DONE. */
function successor(code: Code, insn: number, stage: number): number {
  if (stage === 0) return edgesOf(code, insn).next
  if (stage === 1) return edgesOf(code, insn).target
  if (stage === 2 && (isSubprogramCall(code, insn) || isFunctionAddress(code, insn)))
    return insn + 1 + code.imm[insn]
  return DONE
}

function fail(
  options: { readonly verbose: (text: string) => void },
  insn: number,
  message: string,
): never {
  options.verbose(`${message}\n`)
  throw new Rejection(ERRNO.EINVAL, insn, message, { rule: "control-flow" })
}

/**
 * What a subprogram may do, through everything that it calls: moving packet data, sleeping,
 * throwing. A least fixed point, for calls may be mutual.
 */
export function spreadEffects(code: Code, effectsOf: (insn: number) => CallEffects | null): void {
  const callees: number[][] = code.subprograms.map(() => [])
  code.subprograms.forEach((subprogram, index) => {
    for (let insn = subprogram.start; insn < subprogram.end; insn++) {
      if (code.marks[insn] & SECOND_SLOT) continue
      if (isSubprogramCall(code, insn) || isFunctionAddress(code, insn)) {
        const start = insn + 1 + code.imm[insn]
        const callee = code.subprograms.findIndex((other) => other.start === start)
        if (callee >= 0) callees[index].push(callee)
      } else if (code.opcode[insn] === (BPF_JMP | BPF_CALL)) {
        const effects = effectsOf(insn)
        if (effects === null) continue
        if (effects.movesPacket) subprogram.changesPacketData = true
        if (effects.mightSleep) subprogram.mightSleep = true
        if (effects.throws) subprogram.mayThrow = true
      }
    }
  })
  for (let changed = true; changed; ) {
    changed = false
    code.subprograms.forEach((subprogram, index) => {
      for (const callee of callees[index]) {
        const other = code.subprograms[callee]
        if (other.changesPacketData && !subprogram.changesPacketData)
          changed = subprogram.changesPacketData = true
        if (other.mightSleep && !subprogram.mightSleep) changed = subprogram.mightSleep = true
        if (other.mayThrow && !subprogram.mayThrow) changed = subprogram.mayThrow = true
      }
    })
  }
}
