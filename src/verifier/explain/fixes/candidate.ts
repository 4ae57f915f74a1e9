/** A repair that may help: bytecode to be verified, and the words for the same in C. */

import type { Instruction } from "../../../isa/index.ts"
import type { VerifierInput } from "../../input.ts"
import { code, type Edit, edited } from "../edit.ts"
import type { Fix } from "../explanation.ts"
import type { Facts } from "../facts.ts"

export interface Candidate {
  readonly title: string
  readonly edit: string
  readonly where: Fix["where"]
  readonly insn: number
  /** The repaired program; null when it cannot be built. */
  readonly apply: () => VerifierInput | null
}

/** A candidate made of bytecode edits. */
export function byEdits(
  f: Facts,
  words: Omit<Candidate, "apply">,
  edits: () => readonly Edit[],
): Candidate {
  return { ...words, apply: () => edited(f.input, edits()) }
}

/** Leaves the program unless the comparison `condition` holds. */
export function unless(f: Facts, condition: string): Instruction[] {
  return code(`if ${condition} goto +2\nr0 = ${f.leave.value}\nexit`)
}

/** `body` with the registers that are still needed around it kept on the stack. */
export function preserving(
  f: Facts,
  at: number,
  registers: readonly number[],
  firstSpare: number,
  body: string,
): Instruction[] {
  const kept = registers.filter((n) => f.isLive(at, n))
  const save = kept.map((n, index) => `*(u64 *)(r10 ${f.spare(firstSpare + index)}) = r${n}`)
  const restore = kept.map((n, index) => `r${n} = *(u64 *)(r10 ${f.spare(firstSpare + index)})`)
  return code([...save, body, ...restore].join("\n"))
}

/** Registers that calls do not preserve. */
export const CALLER_SAVED: readonly number[] = [0, 1, 2, 3, 4, 5]
