/** Programs that two verifiers must agree on. */

import type { Case } from "../oracle.ts"

export interface Table {
  readonly title: string
  /** Every line of the log must be equal, not only the verdict. */
  readonly states?: boolean
  readonly cases: readonly Case[]
}

/** A program of these statements that returns 0. */
export function body(name: string, text: string, rest: Partial<Case> = {}): Case {
  return { name, text: `${text}\n r0 = 0\n exit`, ...rest }
}

/** Lines that Linux writes and we do not: analysis before, stack liveness during. */
const OTHERS: readonly RegExp[] = [
  /^func#/,
  /^Live regs before insn/,
  /^\s+\d+: [.\d]{10} /,
  /^\(\d+\) frame \d/,
  /^\(\d+\) live stack/,
  /^mark_precise: /,
  /^verification time/,
  /^stack depth/,
  /^processed \d+ insns/,
]

/** What a log says of the states and the reasons. */
export function essence(log: string): string[] {
  return log
    .trimEnd()
    .split("\n")
    .filter((line) => !OTHERS.some((other) => other.test(line)))
    .map((line) => line.replace(/^(\d+: \(18\) r\d = )0x[0-9a-f]+ +/, "$1"))
}
