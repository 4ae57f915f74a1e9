/** What a cause of rejection is: how it is recognised, what is said of it, what may repair it. */

import type { Category, Note } from "../explanation.ts"
import type { Facts } from "../facts.ts"
import type { Candidate } from "../fixes/candidate.ts"

export interface Cause {
  /** Stable code; the hundreds follow the category. */
  readonly code: string
  readonly name: string
  readonly category: Category
  /** The kernel's message. */
  readonly pattern: RegExp
  /** Tells causes apart that have the same message. */
  readonly when?: (f: Facts) => boolean
  readonly title: (f: Facts, match: RegExpExecArray) => string
  /** What goes under the carets. */
  readonly label?: (f: Facts, match: RegExpExecArray) => string
  readonly help: string
  readonly notes?: (f: Facts, match: RegExpExecArray) => readonly Note[]
  readonly fixes?: (f: Facts) => readonly Candidate[]
}
