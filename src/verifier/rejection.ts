/**
 * A rejection is data first: the rule that failed, where, and what it failed on. The kernel's log
 * line is one rendering of it; explanations are another.
 */

/** Thrown by rules; caught once, in verify(). */
export class Rejection extends Error {
  override readonly name: string = "Rejection"
  /** Positive errno. */
  readonly errno: number
  /** Instruction at fault; -1 when it is the program as a whole. */
  readonly insn: number
  /** What rules add for explanations: register, offset, size, map… */
  readonly details: RejectionDetails

  constructor(errno: number, insn: number, message: string, details: RejectionDetails = {}) {
    super(message)
    this.errno = errno
    this.insn = insn
    this.details = details
  }
}

export interface RejectionDetails {
  /** A short stable name of the rule: `packet-bounds`, `uninitialised-register`, `map-null`… */
  readonly rule?: string
  readonly register?: number
  readonly frame?: number
  readonly offset?: number
  readonly size?: number
  readonly map?: number
  readonly argument?: number
  /** Name of the helper, kfunc or type that the rule is about. */
  readonly subject?: string
}
