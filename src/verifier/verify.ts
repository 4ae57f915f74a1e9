/**
 * The verifier's entry: from a program and its surroundings to a verdict.
 *
 * Source: linux v6.18 Documentation/bpf/verifier.rst for what is checked and in which order.
 */

import { BPF_LD_IMM64, validateProgram } from "../isa/index.ts"
import { BPF_COMPLEXITY_LIMIT_INSNS, ERRNO } from "../spec/index.ts"
import { createDomain, type Domain } from "./domain/domain.ts"
import type { History } from "./explain/provenance.ts"
import { Explorer, type Statistics } from "./explore/explorer.ts"
import { exploreSubprogram } from "./explore/run.ts"
import type { VerifierInput } from "./input.ts"
import { instructionText } from "./log/instruction.ts"
import { Log } from "./log/log.ts"
import { Code, SEEN } from "./program/code.ts"
import { computeComponents } from "./program/components.ts"
import { analyseFlow, spreadEffects } from "./program/flow.ts"
import { computeLiveRegisters } from "./program/live-registers.ts"
import { resolveMaps } from "./program/resolve-maps.ts"
import { checkStackDepth } from "./program/stack-depth.ts"
import { isWellFormed, markSecondSlots } from "./program/structure.ts"
import { findSubprograms } from "./program/subprograms.ts"
import { Rejection } from "./rejection.ts"
import { checkKfuncReferences, isUnresolvedKfunc } from "./rules/calls/kfunc-call.ts"
import { summarizeCall } from "./rules/calls/summary.ts"
import { checkAttachTarget } from "./rules/context/attach-target.ts"

/** What came out of a verification. */
export interface Verdict {
  /** Null: the program may run. */
  readonly rejection: Rejection | null
  /** In the kernel's format, at the level asked for. */
  readonly log: string
  readonly statistics: Statistics
  /** Milliseconds, wall clock. */
  readonly milliseconds: number
  /** Most bytes that states took at a time. */
  readonly stateBytes: number
  /** Bytes of stack by subprogram. */
  readonly stackDepths: readonly number[]
  /** By instruction, see {@link isReached}. */
  readonly marks: Uint8Array
  /** With `provenance`: how the program came to where it was rejected (or to its last exit). */
  readonly history: History | null
}

/** Whether any path reaches an instruction; what none does is dead code. */
export function isReached(marks: Uint8Array, insn: number): boolean {
  return (marks[insn] & SEEN) !== 0
}

const LOG_LIMIT = 16 * 2 ** 20

let sharedDomain: Domain | null = null

/** Told of each instruction that is explored, before it is: for checks of what states say. */
export type Observer = (x: Explorer, insn: number) => void

/**
 * Verifies a program. Never throws for what the program is; RangeError when memory is exhausted.
 *
 * With an observer, a path ends only where a kept state covers all that the current one says, so
 * that what is observed covers every run: the verdict may be "too complex" for that.
 */
export function verify(input: VerifierInput, observe: Observer | null = null): Verdict {
  const started = performance.now()
  const domain = (sharedDomain ??= createDomain())
  domain.reset()
  const log = new Log(input.logLevel, input.logLimit ?? LOG_LIMIT)
  const code = new Code(input.insns)
  const x = new Explorer(input, code, domain, log)
  x.observe = observe
  let rejection: Rejection | null = null
  try {
    check(x)
  } catch (error) {
    if (!(error instanceof Rejection)) throw error
    rejection = error
  }
  const milliseconds = performance.now() - started
  if (input.logLevel !== 0) log.write(statisticsText(x, milliseconds))
  return {
    rejection,
    log: log.text(),
    statistics: x.statistics,
    milliseconds,
    stateBytes: domain.peak,
    stackDepths: code.subprograms.map(({ stackDepth }) => stackDepth),
    marks: code.marks,
    history: x.recorder?.history(x) ?? null,
  }
}

function check(x: Explorer): void {
  const { code, log } = x
  if (!hasStructure(x)) {
    const problem = validateProgram(code.bytes, { fields: false })
    if (problem !== null) {
      x.insn = problem.slot
      x.reject(ERRNO.EINVAL, problem.message, { rule: "encoding" })
    }
  }
  checkKfuncReferences(x)
  if (x.loggingAll)
    code.subprograms.forEach(({ start }, index) => {
      log.write(`func#${index} @${start}\n`)
    })
  resolveMaps(x)
  const effects = (insn: number) => summarizeCall(x, insn)
  analyseFlow(code, {
    effects,
    allowLoops: x.bpfCapable,
    verbose: (text) => x.verbose(text),
    line: (insn) => x.printLine(insn),
  })
  checkAttachTarget(x)
  spreadEffects(code, effects)
  computeComponents(code)
  computeLiveRegisters(code, effects)
  if (x.loggingAll) printLiveRegisters(x)
  exploreAll(x)
  checkStackDepth(x)
  rejectUnresolvedCalls(x)
}

/** A call that the loader could not resolve is allowed where it is never reached. */
function rejectUnresolvedCalls(x: Explorer): void {
  for (let insn = 0; insn < x.code.length; insn++)
    if (isReached(x.code.marks, insn) && isUnresolvedKfunc(x, insn))
      x.reject(ERRNO.EINVAL, "invalid kernel function call not eliminated in verifier pass", {
        rule: "kfunc-reference",
      })
}

/** Subprograms are found, and everything is in its place. */
function hasStructure({ code, input }: Explorer): boolean {
  markSecondSlots(code)
  findSubprograms(code, input)
  return isWellFormed(code)
}

function printLiveRegisters(x: Explorer): void {
  const { code, log } = x
  log.write("Live regs before insn:\n")
  for (let insn = 0; insn < code.length; insn++) {
    let registers = ""
    for (let index = 0; index < 10; index++)
      registers += code.live[insn] & (1 << index) ? index : "."
    const loop = code.scc[insn] === 0 ? "    " : `${`${code.scc[insn]}`.padStart(3)} `
    log.write(`${loop}${`${insn}`.padStart(3)}: ${registers} ${instructionText(x, insn)}\n`)
    if (code.opcode[insn] === BPF_LD_IMM64) insn++
  }
}

function exploreAll(x: Explorer): void {
  const { code, log } = x
  exploreMain(x)
  // Global functions are checked on their own, once something that is checked calls them.
  for (let changed = true; changed; ) {
    changed = false
    code.subprograms.forEach((subprogram, index) => {
      if (index === 0 || subprogram.linkage !== "global" || x.verified.has(index)) return
      if (!subprogram.called && !subprogram.isExceptionCallback) return
      changed = true
      x.verified.add(index)
      if (x.logging) log.write(`Validating ${subprogram.name}() func#${index}...\n`)
      exploreSubprogram(x, index)
      if (!x.loggingAll) log.reset(0)
      if (x.logging)
        log.write(
          `Func#${index} ('${subprogram.name}') is safe for any args that match its prototype\n`,
        )
    })
  }
}

function exploreMain(x: Explorer): void {
  exploreSubprogram(x, 0)
  if (!x.loggingAll) x.log.reset(0)
}

function statisticsText(x: Explorer, milliseconds: number): string {
  const { insnsProcessed, maxStatesPerInsn, totalStates, peakStates } = x.statistics
  let text = ""
  if (x.input.logLevel & 4) {
    const depths = x.code.subprograms.map(({ stackDepth }) => stackDepth)
    text += `verification time ${Math.round(milliseconds * 1000)} usec\nstack depth ${depths.join("+")}\n`
  }
  return `${text}processed ${insnsProcessed} insns (limit ${BPF_COMPLEXITY_LIMIT_INSNS}) max_states_per_insn ${maxStatesPerInsn} total_states ${totalStates} peak_states ${peakStates} mark_read 0\n`
}
