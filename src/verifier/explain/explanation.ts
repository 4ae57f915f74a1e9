/** What an explanation is: data that renderers turn into text, JSON, SARIF or annotations. */

/** A place in the program, and in its source when there is line information. */
export interface Place {
  readonly insn: number
  readonly file?: string
  /** Counted from 1. */
  readonly line?: number
  readonly column?: number
  readonly text?: string
  /** The instruction in the kernel's notation. */
  readonly instruction?: string
}

/** Something that happened before and led there. */
export interface Note {
  readonly place: Place
  readonly text: string
}

/** A repair that was made on the bytecode and that the verifier accepts. */
export interface Fix {
  readonly title: string
  /** What to do in the source, in C; empty when there is nothing to write. */
  readonly edit: string
  readonly where: "before" | "after" | "replace" | "declaration" | "program"
  readonly place: Place
}

/** Inputs for which the program really does what the rule forbids. */
export interface Counterexample {
  /** One sentence: "with a packet of 14 bytes, …". */
  readonly text: string
  readonly input: string
  /** What happens, in the interpreter's words. */
  readonly outcome: string
  /** Whether the rule is broken there (a fault), or the place is only reached. */
  readonly kind: "fault" | "reached" | "return" | "endless"
}

export type Category =
  | "null pointer"
  | "bounds"
  | "memory"
  | "initialisation"
  | "pointer"
  | "reference"
  | "lock"
  | "complexity"
  | "stack"
  | "context"
  | "call"
  | "control flow"
  | "return value"
  | "permission"
  | "encoding"
  | "other"

export interface Explanation {
  /** Stable: `E2104`. */
  readonly code: string
  /** Short name of the cause: `packet-bounds-missing`. */
  readonly cause: string
  readonly category: Category
  readonly program: string
  /** One sentence in plain words. */
  readonly title: string
  readonly place: Place
  /** What the failing place is, short: goes under the carets. */
  readonly label: string
  readonly notes: readonly Note[]
  /** The kernel's message and errno (positive). */
  readonly message: string
  readonly errno: number
  /** Why the rule exists and what usually helps. */
  readonly help: string
  readonly fixes: readonly Fix[]
  /** Candidates that were tried, whether or not they load. */
  readonly fixesTried: number
  /** Null: looked for and not found, undefined: not looked for. */
  readonly counterexample?: Counterexample | null
  /** Why there is none, or what it cannot show. */
  readonly counterexampleNote?: string
  readonly appliesTo: string
}
