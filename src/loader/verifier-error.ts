/**
 * A verifier log as text, and what a reader of it looks for first: the last complaint, the
 * instruction that it is about, and the source line of that.
 *
 * The log's format is not stable between kernels, so nothing here is needed for loading; the whole
 * log is always kept beside what was found in it.
 */

import { RelocationError, utf8Text, VerifierError } from "../base/index.ts"
import { CORE_POISON_HELPER } from "../btf/core/index.ts"
import type { Btf } from "../btf/index.ts"
import type { ProgramDefinition } from "../object/index.ts"
import { errnoName, errnoText } from "../spec/index.ts"
import type { Poisoned } from "./fill.ts"

/** The text of a log buffer that the kernel filled, as lines. */
export function logLines(buffer: Uint8Array): string[] {
  const end = buffer.indexOf(0)
  const text = utf8Text(end < 0 ? buffer : buffer.subarray(0, end))
  return text === "" ? [] : text.replace(/\n$/, "").split("\n")
}

const INSTRUCTION = /^\s*(\d+): \([0-9a-f]{2}\) (.*?)(?:\s*; R\d+.*)?$/
/** Lines that say nothing about the reason: statistics, states, source, precision tracking. */
const NOISE =
  /^(processed \d+ insns|verification time|stack depth|mark_precise|from \d+ to \d+|\d+: R\d|\d+: \([0-9a-f]{2}\)|; |max_states|peak_states|Func#\d+|Validating|(cur|old) state:|insns processed|BPF program is too large. Proc|$)/

/** The last instruction that the log shows. */
function lastInstruction(lines: readonly string[]): { instruction: number; text: string } | null {
  for (let i = lines.length - 1; i >= 0; i--) {
    const match = INSTRUCTION.exec(lines[i])
    if (match !== null) return { instruction: Number(match[1]), text: match[2].trim() }
  }
  return null
}

/** What the error needs of a rejected load. */
export interface Rejection {
  readonly program: ProgramDefinition
  readonly btf: Btf | null
  readonly poisoned: readonly Poisoned[]
  /** The negative errno. */
  readonly result: number
  readonly log: readonly string[]
}

/**
 * The error for a program that the verifier refused. If it stumbled over an instruction that CO-RE
 * could not relocate, that is the error, and the verifier's its cause.
 */
export function verifierError(rejection: Rejection): VerifierError | RelocationError {
  const { program, poisoned, result, log } = rejection
  const code = errnoName(result)
  const reason = log.findLast((line) => !NOISE.test(line))?.trim() ?? errnoText(result)
  const place = lastInstruction(log)
  const source = place === null ? null : sourceOf(rejection, place.instruction)
  const line =
    source === null ? "" : `, ${source.file.slice(source.file.lastIndexOf("/") + 1)}:${source.line}`
  const at = place === null ? "" : ` at instruction ${place.instruction}${line}`
  const error = new VerifierError(
    `program '${program.name}' is refused by the verifier (${code})${at}: ${reason}`,
    {
      code,
      errno: -result,
      program: program.name,
      reason,
      at: place === null ? null : { ...place, ...source },
      log,
    },
  )
  const culprit =
    place === null || !log.some((text) => text.includes(`#${CORE_POISON_HELPER}`))
      ? undefined
      : poisoned.find(({ slot }) => slot === place.instruction || slot + 1 === place.instruction)
  if (culprit === undefined) return error
  return new RelocationError(
    `program '${program.name}', instruction ${culprit.slot}${line}: ${culprit.kind}: ` +
      `${culprit.reason} (${guardOf(culprit.kind)})`,
    {
      program: program.name,
      instruction: culprit.slot,
      kind: culprit.kind,
      local: culprit.local,
      candidates: culprit.candidates,
      cause: error,
    },
  )
}

/** What keeps the verifier from reaching an access that this kernel cannot satisfy. */
function guardOf(kind: string): string {
  if (kind.startsWith("ENUMVAL")) return "guard it with bpf_core_enum_value_exists"
  return `guard it with bpf_core_${kind.startsWith("TYPE") ? "type" : "field"}_exists`
}

function sourceOf(
  { program, btf }: Rejection,
  instruction: number,
): { file: string; line: number; column: number; source: string } | null {
  const info = program.lineInfo.findLast((one) => one.insnOffset <= instruction)
  if (info === undefined || btf === null) return null
  return {
    file: btf.string(info.fileNameOffset),
    line: info.lineColumn >>> 10,
    column: info.lineColumn & 0x3ff,
    source: btf.string(info.lineOffset).trim(),
  }
}
