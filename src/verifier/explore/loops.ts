/**
 * Loops under exploration. When a path comes back to a state of the same loop that is still being
 * explored and is covered by it, the path ends there (a back edge), but what the kept state will
 * turn out to need precisely is not known yet. The back edges of a loop are therefore kept until
 * the loop's first state is done, and precision is carried over them until nothing changes.
 *
 * A loop is a component of the control flow in a chain of calls; while it has back edges, kept
 * states inside it may only be compared by range (RANGE_WITHIN).
 *
 * Source: linux v6.18 include/linux/bpf_verifier.h struct bpf_scc_visit, bpf_scc_backedge.
 */

import { FRAME_CALLSITE } from "../state/layout.ts"
import type { State } from "../state/state.ts"
import type { Explorer } from "./explorer.ts"
import { frameOf } from "./frames.ts"
import { propagatePrecision } from "./precision.ts"

interface BackEdge {
  readonly state: State
  readonly equal: State
}

interface Visit {
  entry: State | null
  backEdges: BackEdge[]
}

/** Rounds of propagation after which everything is made precise instead. */
const ROUNDS_MAX = 64

export class LoopVisits {
  private readonly x: Explorer
  private readonly visits = new Map<string, Visit>()

  constructor(x: Explorer) {
    this.x = x
  }

  /** A state was kept: if it is the first of its loop, the visit begins with it. */
  enter(state: State): void {
    const key = this.keyOf(state)
    if (key === null) return
    const visit = this.visits.get(key)
    if (visit === undefined) this.visits.set(key, { entry: state, backEdges: [] })
    else if (visit.entry === null) visit.entry = state
  }

  /** A kept state is done: if its loop began with it, precision goes over the back edges. */
  exit(state: State): void {
    const key = this.keyOf(state)
    const visit = key === null ? undefined : this.visits.get(key)
    if (visit === undefined || visit.entry !== state) return
    let changed = visit.backEdges.length > 0
    for (let round = 0; changed && round < ROUNDS_MAX; round++) {
      changed = false
      for (const { state: from, equal } of visit.backEdges)
        if (propagatePrecision(this.x, equal, from)) changed = true
    }
    for (const { state: from } of visit.backEdges) this.x.freeState(from)
    visit.entry = null
    visit.backEdges = []
  }

  addBackEdge(equal: State, state: State): void {
    const key = this.keyOf(equal)
    const visit = key === null ? undefined : this.visits.get(key)
    visit?.backEdges.push({ state, equal })
  }

  /** What the state needs precisely is not complete yet. */
  isIncomplete(state: State): boolean {
    const key = this.keyOf(state)
    return key !== null && (this.visits.get(key)?.backEdges.length ?? 0) > 0
  }

  /** The outermost loop that the state is in, with the calls that lead there; null: in none. */
  private keyOf(state: State): string | null {
    const { scc } = this.x.code
    let key = ""
    for (let n = 0; n < state.frames; n++) {
      const insn = insnOfFrame(this.x, state, n)
      if (scc[insn] !== 0) return `${key}:${scc[insn]}`
      key = `${key}${insn},`
    }
    return null
  }
}

/** The instruction that frame `n` of a state is at: the state's own, or the call it waits in. */
export function insnOfFrame(x: Explorer, state: State, n: number): number {
  if (n === state.frames - 1) return state.insn
  return x.domain.i32[(frameOf(x.domain, state, n + 1) + FRAME_CALLSITE) >> 2]
}
