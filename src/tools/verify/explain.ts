/**
 * Explanations for the programs of an object, as `skep verify --explain` prints them, and where
 * the verifier's time went by source line.
 */

import type { BpfObject } from "../../object/index.ts"
import type { KernelInterface } from "../../spec/index.ts"
import { type Explanation, explain } from "../../verifier/explain/index.ts"
import { type VerifierInput, verify } from "../../verifier/index.ts"
import { SourceLines } from "../../verifier/log/source-lines.ts"
import { counterexampleFinder } from "./counterexample.ts"
import { type Verified, type VerifyObjectOptions, verifyObject } from "./verify-object.ts"

export interface ExplainedProgram extends Verified {
  /** Null when the program is accepted. */
  readonly explanation: Explanation | null
}

export interface ExplainObjectOptions extends VerifyObjectOptions {
  /** Look for inputs that break rejected programs; true by default. */
  readonly counterexamples?: boolean
}

/** Verifies the programs of an object and explains those that are rejected. */
export function explainObject(
  kernel: KernelInterface,
  object: BpfObject,
  options: ExplainObjectOptions = {},
): ExplainedProgram[] {
  return withInputs(kernel, object, options).map(({ verified, input }) => {
    if (verified.verdict.rejection === null) return { ...verified, explanation: null }
    const findCounterexample =
      options.counterexamples === false ? undefined : counterexampleFinder(object, verified.program)
    const explained = explain(input, { findCounterexample })
    const explanation = explained && { ...explained.explanation, program: verified.program }
    return { ...verified, explanation }
  })
}

/** Instructions that were processed for a source line (or for an instruction, without lines). */
export interface ProfiledLine {
  readonly file: string
  readonly line: number
  readonly text: string
  readonly processed: number
}

export interface ProfiledProgram extends Verified {
  /** The most processed first. */
  readonly lines: readonly ProfiledLine[]
}

/** Where the verification of each program spent its instructions. */
export function profileObject(
  kernel: KernelInterface,
  object: BpfObject,
  options: VerifyObjectOptions = {},
): ProfiledProgram[] {
  return withInputs(kernel, object, options).map(({ verified, input }) => ({
    ...verified,
    lines: profileOf(input),
  }))
}

function profileOf(input: VerifierInput): ProfiledLine[] {
  const { history } = verify({ ...input, logLevel: 0, provenance: true })
  if (history === null) return []
  const source = new SourceLines(input.lineInfo, input.btf)
  const lines = new Map<string, { file: string; line: number; text: string; processed: number }>()
  history.visits.forEach((processed, insn) => {
    if (processed === 0) return
    const index = source.indexAt(insn)
    const at = index < 0 ? { file: "", line: insn, text: "" } : source.at(index)
    const key = `${at.file}:${at.line}`
    const known = lines.get(key)
    if (known !== undefined) known.processed += processed
    else lines.set(key, { file: at.file, line: at.line, text: at.text.trim(), processed })
  })
  return [...lines.values()].sort((a, b) => b.processed - a.processed)
}

function withInputs(
  kernel: KernelInterface,
  object: BpfObject,
  options: VerifyObjectOptions,
): { verified: Verified; input: VerifierInput }[] {
  const names = options.programs ?? object.programs.map(({ name }) => name)
  return names.flatMap((name) => {
    let input: VerifierInput | null = null
    const [verified] = verifyObject(kernel, object, {
      ...options,
      programs: [name],
      adjust: (given) => (input = options.adjust?.(given) ?? given),
    })
    return verified === undefined || input === null ? [] : [{ verified, input }]
  })
}
