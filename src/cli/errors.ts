/**
 * Errors as people see them: one line that names the file, the place and what is wrong, and lines
 * below it that say what to do. Exit codes: 1 for an input or program that was refused, 2 for a
 * command line that makes no sense.
 */

import {
  BpfError,
  ObjectError,
  RelocationError,
  SyntaxIssue,
  VerifierError,
} from "../base/index.ts"

/** Something that the user can put right. */
export class CliError extends Error {
  override readonly name = "CliError"
  readonly exitCode: 1 | 2
  /** What to do about it. */
  readonly hint: string | null

  constructor(message: string, options: { hint?: string; exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.exitCode = options.exitCode ?? 1
    this.hint = options.hint ?? null
  }
}

/** A {@link CliError} for a command line that makes no sense: exit code 2. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, { exitCode: 2, hint })
}

/** Last lines of the verifier's log that are worth showing. */
const LOG_LINES_SHOWN = 12

/** An error in words. */
export interface Explanation {
  readonly message: string
  /** More lines: log, hint. */
  readonly details: readonly string[]
  readonly exitCode: number
}

/**
 * Says what an error means to the user. `file` is the input at fault where the error does not
 * name it itself.
 */
export function explainError(error: unknown, file?: string): Explanation {
  const at = file === undefined ? "" : `${file}: `
  if (error instanceof CliError)
    return {
      message: error.message,
      details: error.hint === null ? [] : [error.hint],
      exitCode: error.exitCode,
    }
  if (error instanceof VerifierError) return explainVerifier(error, at)
  if (error instanceof RelocationError) {
    const { candidates, program, instruction, local } = error
    return refused(`${at}program '${program}', instruction ${instruction}: ${error.message}`, [
      `The program was compiled for ${local}, which the kernel's types do not have like this.`,
      ...(candidates.length === 0 ? [] : [`Candidates: ${candidates.join(", ")}`]),
    ])
  }
  if (error instanceof SyntaxIssue) return refused(error.message)
  if (error instanceof BpfError || error instanceof ObjectError) return refused(at + error.message)
  if (error instanceof RangeError || error instanceof TypeError) {
    if (isUserError(error)) return refused(at + error.message)
  }
  if (error instanceof Error) {
    const system = explainSystemError(error as NodeJS.ErrnoException, file)
    if (system !== null) return system
    return {
      message: `internal error: ${error.message}`,
      details: ["This is a bug of skep. SKEP_DEBUG=1 shows where it happened."],
      exitCode: 1,
    }
  }
  return { message: String(error), details: [], exitCode: 1 }
}

function refused(message: string, details: readonly string[] = []): Explanation {
  return { message, details, exitCode: 1 }
}

/** Errors that V8 itself throws speak of JavaScript, and are ours. */
function isUserError(error: RangeError | TypeError): boolean {
  return !/is not a function|of (undefined|null)|not iterable|call stack|not a constructor|Cannot (read|set)/.test(
    error.message,
  )
}

function explainVerifier(error: VerifierError, at: string): Explanation {
  const details: string[] = []
  const place = error.at
  if (place !== null) {
    details.push(`at instruction ${place.instruction}: ${place.text}`)
    if (place.file !== undefined) {
      const column = place.column === undefined ? "" : `:${place.column}`
      details.push(`  ${place.file}:${place.line}${column}: ${place.source?.trim() ?? ""}`)
    }
  }
  const log = error.log.filter((line) => line.trim() !== "")
  if (log.length > 0) {
    const shown = log.slice(-LOG_LINES_SHOWN)
    if (shown.length < log.length) details.push(`  … ${log.length - shown.length} lines`)
    details.push(...shown.map((line) => `  ${line}`))
  }
  return refused(at + error.message, details)
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "this is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
}

/** Errors of Node's file functions; null for others. */
function explainSystemError(error: NodeJS.ErrnoException, file?: string): Explanation | null {
  const text = error.code === undefined ? undefined : SYSTEM_ERRORS[error.code]
  if (text === undefined || error.syscall === undefined) return null
  return refused(`${error.path ?? file ?? error.syscall}: ${text}`)
}
