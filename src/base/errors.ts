/**
 * The error classes that users see. Inner layers return errno numbers; these are thrown at the
 * edges (object reading, loading, the API), always with one-line messages that say what was
 * wrong, where, the offending value and the limit.
 */

/** An input file that is not a well-formed eBPF object (or BTF): where in it, and why. */
export class ObjectError extends Error {
  override readonly name = "ObjectError"
  /** Name of the ELF section at fault, if one is. */
  readonly section: string | null
  /** Byte offset into that section (or into the file when `section` is null). */
  readonly offset: number | null

  constructor(message: string, where: { section?: string; offset?: number; cause?: unknown } = {}) {
    const place =
      where.section === undefined
        ? where.offset === undefined
          ? ""
          : ` (at byte ${where.offset})`
        : ` (section ${where.section}${where.offset === undefined ? "" : `, byte ${where.offset}`})`
    super(message + place, { cause: where.cause })
    this.section = where.section ?? null
    this.offset = where.offset ?? null
  }
}

/** Text that an assembler or a filter expression parser refused. Lines and columns count from 1. */
export class SyntaxIssue extends Error {
  override readonly name = "SyntaxIssue"
  readonly file: string | null
  readonly line: number
  readonly column: number

  constructor(message: string, at: { file?: string; line: number; column: number }) {
    super(`${at.file ?? "input"}:${at.line}:${at.column}: ${message}`)
    this.file = at.file ?? null
    this.line = at.line
    this.column = at.column
  }
}

/** A CO-RE (or extern) relocation that no type of the target kernel satisfies. */
export class RelocationError extends Error {
  override readonly name = "RelocationError"
  readonly program: string
  /** Index of the instruction in the program, in 8-byte slots. */
  readonly instruction: number
  readonly kind: string
  /** The local spec, as C would write it: `task_struct.thread.fsbase`. */
  readonly local: string
  readonly candidates: readonly string[]

  constructor(
    message: string,
    at: {
      program: string
      instruction: number
      kind: string
      local: string
      candidates?: readonly string[]
      cause?: unknown
    },
  ) {
    super(message, { cause: at.cause })
    this.program = at.program
    this.instruction = at.instruction
    this.kind = at.kind
    this.local = at.local
    this.candidates = at.candidates ?? []
  }
}

/** A bpf(2) command that the kernel refused. `code` is the errno name, the same on both kernels. */
export class BpfError extends Error {
  override readonly name: string = "BpfError"
  /** `"EINVAL"`. */
  readonly code: string
  /** 22. */
  readonly errno: number
  /** `"MAP_CREATE"`. */
  readonly command: string

  constructor(
    message: string,
    at: { code: string; errno: number; command: string; cause?: unknown },
  ) {
    super(message, { cause: at.cause })
    this.code = at.code
    this.errno = at.errno
    this.command = at.command
  }
}

/** PROG_LOAD refused the program: one sentence, the place, and the kernel's whole log. */
export class VerifierError extends BpfError {
  override readonly name = "VerifierError"
  readonly program: string
  /** One sentence: what is wrong. */
  readonly reason: string
  readonly at: {
    readonly instruction: number
    readonly text: string
    readonly file?: string
    readonly line?: number
    readonly column?: number
    readonly source?: string
  } | null
  /** The whole log, one entry per line. */
  readonly log: readonly string[]

  constructor(
    message: string,
    at: {
      code: string
      errno: number
      program: string
      reason: string
      at?: VerifierError["at"]
      log?: readonly string[]
      cause?: unknown
    },
  ) {
    super(message, { ...at, command: "PROG_LOAD" })
    this.program = at.program
    this.reason = at.reason
    this.at = at.at ?? null
    this.log = at.log ?? []
  }
}

/** The kernel at hand lacks a feature. `since` is the Linux release that has it, if known. */
export class NotSupportedError extends BpfError {
  override readonly name = "NotSupportedError"
  readonly feature: string
  readonly since: string | null

  constructor(
    message: string,
    at: {
      feature: string
      since?: string
      code?: string
      errno?: number
      command?: string
      cause?: unknown
    },
  ) {
    super(message, {
      code: at.code ?? "EOPNOTSUPP",
      errno: at.errno ?? 95,
      command: at.command ?? "",
      cause: at.cause,
    })
    this.feature = at.feature
    this.since = at.since ?? null
  }
}
