/**
 * Loops of the control flow: strongly connected components, by Tarjan's algorithm without
 * recursion. An instruction in no loop has component 0; one that calls a callback is in a loop of
 * its own, for it is visited again and again.
 *
 * Calls are followed by the instruction after them, not by the callee.
 */

import { CALLS_CALLBACK, type Code, SECOND_SLOT } from "./code.ts"
import { edgesOf } from "./flow.ts"

const UNSEEN = 0

/** Fills `code.scc` with numbers from 1. */
export function computeComponents(code: Code): void {
  const { length, scc, marks } = code
  const order = new Int32Array(length)
  const low = new Int32Array(length)
  const onStack = new Uint8Array(length)
  const stack: number[] = []
  const path: number[] = []
  const stage: number[] = []
  let clock = 0
  let component = 0

  const open = (insn: number): void => {
    order[insn] = low[insn] = ++clock
    onStack[insn] = 1
    stack.push(insn)
    path.push(insn)
    stage.push(0)
  }
  const close = (insn: number): void => {
    if (low[insn] !== order[insn]) return
    const alone = stack[stack.length - 1] === insn
    const edges = edgesOf(code, insn)
    const loops = edges.next === insn || edges.target === insn
    const number = !alone || loops || marks[insn] & CALLS_CALLBACK ? ++component : 0
    for (let member = -1; member !== insn; ) {
      member = stack.pop()!
      onStack[member] = 0
      scc[member] = number
    }
  }

  for (let root = 0; root < length; root++) {
    if (order[root] !== UNSEEN || marks[root] & SECOND_SLOT) continue
    open(root)
    while (path.length > 0) {
      const top = path.length - 1
      const insn = path[top]
      const edges = edgesOf(code, insn)
      const which = stage[top]++
      const to = which === 0 ? edges.next : which === 1 ? edges.target : -1
      if (which < 2) {
        if (to < 0 || to >= length) continue
        if (order[to] === UNSEEN) open(to)
        else if (onStack[to]) low[insn] = Math.min(low[insn], order[to])
        continue
      }
      close(insn)
      path.pop()
      stage.pop()
      if (path.length > 0) {
        const parent = path[path.length - 1]
        low[parent] = Math.min(low[parent], low[insn])
      }
    }
  }
}
