/**
 * The loop: one instruction after another, one path after another, until all have ended.
 *
 * Source: RFC 9669 for what instructions are; linux v6.18 for the log and the order of checks.
 */

import {
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_EXIT,
  BPF_IND,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_ST,
  BPF_STX,
  instructionProblem,
} from "../../isa/index.ts"
import { BPF_COMPLEXITY_LIMIT_INSNS, ERRNO } from "../../spec/index.ts"
import { instructionText } from "../log/instruction.ts"
import { JUMP_POINT, PRUNE_POINT, SEEN } from "../program/code.ts"
import { fieldsAreRight } from "../program/structure.ts"
import { checkHelperCall } from "../rules/calls/helper-call.ts"
import { checkKfuncCall } from "../rules/calls/kfunc-call.ts"
import {
  checkSubprogramCall,
  prepareFunctionExit,
  prepareSubprogramEntry,
} from "../rules/calls/subprogram.ts"
import { summarizeCall } from "../rules/calls/summary.ts"
import { checkResourceLeak } from "../rules/exit/leaks.ts"
import { checkReturnValue } from "../rules/exit/return-value.ts"
import {
  checkAtomic,
  checkLegacyLoad,
  checkLoadImmediate,
  checkLoadStore,
} from "../rules/memory/access.ts"
import { State } from "../state/state.ts"
import { arithmetic } from "./alu.ts"
import { conditionalJump } from "./branch.ts"
import type { Explorer } from "./explorer.ts"
import { MAIN_FUNC } from "./history.ts"
import { finishPath, isVisited } from "./prune.ts"

/** Explores subprogram `subprog` (0: the program itself) from its entry. */
export function exploreSubprogram(x: Explorer, subprog: number): void {
  x.state = new State()
  x.state.frames = 0
  x.state.branches = 1
  x.state.inSleepable = x.isSleepable
  x.openFrame(MAIN_FUNC, subprog)
  x.insn = x.code.subprograms[subprog].start
  x.previousInsn = -1
  x.state.firstInsn = x.insn
  x.state.lastInsn = -1
  x.explored = new Array(x.code.length).fill(null)
  prepareSubprogramEntry(x, subprog)
  explore(x)
  forgetStates(x)
}

function forgetStates(x: Explorer): void {
  for (const first of x.explored)
    for (let kept = first; kept !== null; kept = kept.next) x.freeState(kept.state)
  x.explored = []
  x.keptBy.clear()
  x.exploredCount = 0
  x.freeListCount = 0
}

/** What a step of the loop leads to. */
const GO_ON = 0
const PATH_ENDS = 1

function explore(x: Explorer): void {
  let printState = false
  let previous = x.previousInsn
  x.recorder?.pathBegins(x)
  for (;;) {
    x.historyEntry = null
    const { insn, state } = x
    x.previousInsn = previous
    state.lastInsn = previous
    state.insn = insn
    if (insn >= x.code.length)
      x.reject(ERRNO.EFAULT, `invalid insn idx ${insn} insn_cnt ${x.code.length}`)
    if (++x.statistics.insnsProcessed > BPF_COMPLEXITY_LIMIT_INSNS)
      x.reject(
        ERRNO.E2BIG,
        `BPF program is too large. Processed ${x.statistics.insnsProcessed} insn`,
        { rule: "complexity" },
      )
    let outcome = GO_ON
    if (x.code.marks[insn] & PRUNE_POINT && isVisited(x, insn)) {
      if (x.logging) printSafe(x, previous, printState)
      outcome = PATH_ENDS
    } else {
      if (x.code.marks[insn] & JUMP_POINT) x.pushHistory(0, null)
      if (x.logging) printInstruction(x, previous, printState)
      printState = false
      if ((x.code.marks[insn] & SEEN) === 0) firstVisit(x, insn)
      previous = insn
      const frames = x.state.frames
      if (x.observe !== null) x.observe(x, insn)
      x.recorder?.instructionBegins(x)
      outcome = stepInstruction(x)
      x.recorder?.instructionEnds(x, insn)
      if (x.state.frames < frames) printState = true
      if (outcome === GO_ON) x.insn++
    }
    if (outcome === GO_ON) continue
    x.scratchEverything()
    finishPath(x)
    if (!nextPath(x)) return
    x.recorder?.pathBegins(x)
    previous = x.previousInsn
    printState = true
  }
}

/** Fields are looked at when an instruction is first reached: dead code may be anything. */
function firstVisit(x: Explorer, insn: number): void {
  x.code.marks[insn] |= SEEN
  if (fieldsAreRight(x.code, insn)) return
  const problem = instructionProblem(x.code.instruction(insn))
  // Whether r10 is written is looked at after what is read.
  if (problem !== null && problem !== "frame pointer is read only")
    x.reject(ERRNO.EINVAL, problem, { rule: "encoding" })
}

/** Takes the last branch that was put off; false when there is none. */
function nextPath(x: Explorer): boolean {
  const branch = x.branches.pop()
  if (branch === undefined) return false
  const { state } = branch
  x.domain.restoreFrames(state.block, state.frames)
  x.freeState(state)
  x.state = state
  x.insn = branch.insn
  x.previousInsn = branch.previous
  x.liveness.pathChanged()
  if (!x.loggingAll) x.log.reset(branch.logPosition)
  return true
}

function printSafe(x: Explorer, previous: number, printState: boolean): void {
  const { insn } = x
  const speculative = x.state.speculative ? " (speculative execution)" : ""
  if (printState) x.log.write(`\nfrom ${previous} to ${insn}${speculative}: safe\n`)
  else x.log.write(`${insn}: safe\n`)
}

function printInstruction(x: Explorer, previous: number, printState: boolean): void {
  const { insn, log, state } = x
  if (x.loggingAll && printState) {
    const speculative = state.speculative ? " (speculative execution)" : ""
    log.write(`\nfrom ${previous} to ${insn}${speculative}:`)
    x.printState(state, state.frames - 1, true)
  }
  if (x.anythingScratched) x.printChanges()
  x.printLine(insn)
  const start = log.position
  log.write(`${insn}: `)
  log.write(`${instructionText(x, insn)}\n`)
  x.lineLength = log.position - start
  x.linePosition = log.position
}

function stepInstruction(x: Explorer): number {
  const { code, insn } = x
  const opcode = code.opcode[insn]
  switch (opcode & 7) {
    case BPF_ALU:
    case BPF_ALU64:
      x.liveness.visit(x, insn)
      arithmetic(x)
      return GO_ON
    case BPF_LDX:
      checkLoadStore(x)
      x.liveness.commit(x, insn, false)
      return GO_ON
    case BPF_ST:
      checkLoadStore(x)
      x.liveness.commit(x, insn, true)
      return GO_ON
    case BPF_STX:
      if ((opcode & 0xe0) === BPF_ATOMIC) checkAtomic(x)
      else checkLoadStore(x)
      x.liveness.commit(x, insn, true)
      return GO_ON
    case BPF_LD:
      x.liveness.visit(x, insn)
      if ((opcode & 0xe0) === BPF_ABS || (opcode & 0xe0) === BPF_IND) {
        checkLegacyLoad(x)
        return GO_ON
      }
      checkLoadImmediate(x)
      return GO_ON
    default:
      return jump(x)
  }
}

function jump(x: Explorer): number {
  const { code, insn } = x
  const opcode = code.opcode[insn]
  const operation = opcode & 0xf0
  x.jumpsProcessed++
  const calls = (opcode & 7) === BPF_JMP && operation === BPF_CALL
  if (!calls || code.src[insn] === BPF_PSEUDO_CALL) x.liveness.visit(x, insn)
  if (calls) return call(x)
  if ((opcode & 7) === BPF_JMP && operation === BPF_EXIT) return exit(x, false)
  if (operation === BPF_JA) {
    x.insn += (opcode & 7) === BPF_JMP32 ? code.imm[insn] : code.off[insn]
    return GO_ON
  }
  conditionalJump(x)
  return GO_ON
}

function call(x: Explorer): number {
  const { code, insn } = x
  const frames = x.state.frames
  const kind = code.src[insn]
  x.checkCallUnderLock()
  if (kind === BPF_PSEUDO_CALL) checkSubprogramCall(x)
  else if (kind === BPF_PSEUDO_KFUNC_CALL) {
    checkKfuncCall(x)
    if (summarizeCall(x, insn)?.throws) return exit(x, true)
  } else checkHelperCall(x)
  x.scratchRegister(0)
  if (kind === BPF_PSEUDO_CALL) x.liveness.abandon()
  else if (x.state.frames === frames) x.liveness.commit(x, insn, true)
  else x.liveness.abandon()
  return GO_ON
}

function exit(x: Explorer, exception: boolean): number {
  const innermost = x.state.frames - 1
  checkResourceLeak(
    x,
    exception,
    exception || innermost === 0,
    exception ? "bpf_throw" : "BPF_EXIT instruction in main prog",
  )
  if (exception) return PATH_ENDS
  if (innermost > 0) {
    prepareFunctionExit(x)
    return GO_ON
  }
  checkReturnValue(x, 0)
  return PATH_ENDS
}
