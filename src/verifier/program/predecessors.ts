/** The control flow backwards, in two arrays. */

import { type Code, SECOND_SLOT } from "./code.ts"
import { edgesOf } from "./flow.ts"

/** Instructions before instruction `i`: `insns[first[i]]` to `insns[first[i + 1] - 1]`. */
export interface Predecessors {
  readonly first: Int32Array
  readonly insns: Int32Array
}

export function findPredecessors(code: Code): Predecessors {
  const { length } = code
  const first = new Int32Array(length + 2)
  const each = (visit: (from: number, to: number) => void): void => {
    for (let insn = 0; insn < length; insn++) {
      if (code.marks[insn] & SECOND_SLOT) continue
      const { next, target } = edgesOf(code, insn)
      if (next >= 0 && next < length) visit(insn, next)
      if (target >= 0) visit(insn, target)
    }
  }
  each((_from, to) => {
    first[to + 1]++
  })
  for (let insn = 0; insn <= length; insn++) first[insn + 1] += first[insn]
  const insns = new Int32Array(first[length])
  const filled = first.slice()
  each((from, to) => {
    insns[filled[to]++] = from
  })
  return { first, insns }
}
