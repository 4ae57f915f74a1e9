/**
 * From a rejected program to its explanation: the program is verified once more with provenance,
 * the cause is recognised, the notes come from what was recorded, and candidate repairs are
 * verified one by one. Only those that load are shown.
 */

import type { VerifierInput } from "../input.ts"
import type { Rejection } from "../rejection.ts"
import { verify } from "../verify.ts"
import { CALL_CAUSES } from "./causes/calls.ts"
import type { Cause } from "./causes/cause.ts"
import { MEMORY_CAUSES } from "./causes/memory.ts"
import { PROGRAM_CAUSES } from "./causes/program.ts"
import type { Counterexample, Explanation, Fix } from "./explanation.ts"
import { Facts } from "./facts.ts"
import { notesFor } from "./notes.ts"
import type { History } from "./provenance.ts"

/** Runs the rejected program on inputs that are to break it; null when none was found. */
export type FindCounterexample = (
  input: VerifierInput,
  rejection: Rejection,
  history: History,
) => Counterexample | null

export interface ExplainOptions {
  /** Candidates that are verified at most, and fixes that are kept. */
  readonly candidatesMax?: number
  readonly fixesMax?: number
  readonly findCounterexample?: FindCounterexample
}

/** An explanation, and the repaired programs of its fixes in their order. */
export interface Explained {
  readonly explanation: Explanation
  readonly repaired: readonly VerifierInput[]
}

const UNKNOWN: Cause = {
  code: "E9000",
  name: "other",
  category: "other",
  pattern: /^/,
  title: (f) => f.message || "the verifier refused the program",
  help: "There is no explanation for this rule yet.",
}

export const CAUSES: readonly Cause[] = [...MEMORY_CAUSES, ...CALL_CAUSES, ...PROGRAM_CAUSES]

/** Explains why a program is rejected; null when it is not. */
export function explain(input: VerifierInput, options: ExplainOptions = {}): Explained | null {
  const recorded = verify({ ...input, logLevel: 0, provenance: true })
  const { rejection, history } = recorded
  if (rejection === null || history === null) return null
  const f = new Facts(input, rejection, history)
  const cause = CAUSES.find(
    ({ pattern, when }) => pattern.test(f.message) && (when === undefined || when(f)),
  )
  const known = cause ?? UNKNOWN
  const match = known.pattern.exec(f.message)!
  const { fixes, repaired, tried } = checkedFixes(f, known, options)
  const counterexample = options.findCounterexample?.(input, rejection, history)
  const explanation: Explanation = {
    code: known.code,
    cause: known.name,
    category: known.category,
    program: input.name,
    title: known.title(f, match),
    place: f.place(f.insn),
    label: known.label?.(f, match) ?? "",
    notes: [...notesFor(f), ...(known.notes?.(f, match) ?? [])],
    message: f.message,
    errno: rejection.errno,
    help: known.help,
    fixes,
    fixesTried: tried,
    ...(counterexample === undefined
      ? {}
      : {
          counterexample,
          ...(counterexample === null
            ? {
                counterexampleNote:
                  "no input was found that breaks the rule: the verifier may only be unable to prove it",
              }
            : {}),
        }),
    appliesTo: "Linux 6.18 (the rules that this verifier follows)",
  }
  return { explanation, repaired }
}

interface Checked {
  readonly fixes: Fix[]
  readonly repaired: VerifierInput[]
  readonly tried: number
}

function checkedFixes(f: Facts, cause: Cause, options: ExplainOptions): Checked {
  const { candidatesMax = 32, fixesMax = 2 } = options
  const fixes: Fix[] = []
  const repaired: VerifierInput[] = []
  let tried = 0
  let candidates: ReturnType<NonNullable<Cause["fixes"]>> = []
  try {
    candidates = cause.fixes?.(f) ?? []
  } catch {
    // A repair that cannot even be written down is none.
  }
  for (const candidate of candidates.slice(0, candidatesMax)) {
    if (fixes.length >= fixesMax) break
    if (fixes.some(({ title }) => title === candidate.title)) continue
    tried++
    const program = built(candidate.apply)
    if (program === null) continue
    if (verify({ ...program, logLevel: 0, provenance: false }).rejection !== null) continue
    const { title, edit, where, insn } = candidate
    fixes.push({ title, edit, where, place: f.place(insn) })
    repaired.push(program)
  }
  return { fixes, repaired, tried }
}

function built(apply: () => VerifierInput | null): VerifierInput | null {
  try {
    return apply()
  } catch {
    return null
  }
}
