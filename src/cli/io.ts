/**
 * What a command may touch of the world around it: where it prints, where it reads. Tests give
 * their own; `process-io.ts` is the real one.
 */

/** A stream that a command prints to. */
export interface Output {
  write(text: string): void
  readonly isTty: boolean
  /** Characters a line; 0 when not known. */
  readonly columns: number
}

export interface Io {
  /** Results. */
  readonly stdout: Output
  /** Progress, warnings and errors. */
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory that relative file names start from. */
  readonly cwd: string
  /** Everything on standard input. */
  readStdin(): Uint8Array
}

/** Whether colours may be printed: a terminal, unless NO_COLOR; FORCE_COLOR insists. */
export function wantsColor(io: Io, output: Output): boolean {
  if ((io.env["NO_COLOR"] ?? "") !== "") return false
  const forced = io.env["FORCE_COLOR"] ?? ""
  if (forced !== "") return forced !== "0"
  return output.isTty && io.env["TERM"] !== "dumb"
}
