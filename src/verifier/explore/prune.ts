/**
 * Pruning: at a prune point the current state is compared with those kept there before. If one
 * covers it, the path ends; otherwise the state may be kept in its turn.
 *
 * Which states are kept and which are thrown away again is a heuristic; ours is Linux's, so that
 * programs near the limit of complexity get Linux's answer.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c is_state_visited and its comments.
 */

import { BPF_COMPLEXITY_LIMIT_STATES, ERRNO } from "../../spec/index.ts"
import { CALLS_CALLBACK, FORCE_CHECKPOINT, JUMP_POINT } from "../program/code.ts"
import { jumpOperation } from "../program/flow.ts"
import { isKfuncCallAt } from "../program/subprograms.ts"
import { summarizeCall } from "../rules/calls/summary.ts"
import {
  FRAME_ASYNC_ENTRY_CNT,
  FRAME_CALLSITE,
  FRAME_FLAGS,
  FRAME_IN_ASYNC_CALLBACK,
  REG_C,
  REG_FRAMENO,
  REG_OFF,
} from "../state/layout.ts"
import { BPF_ITER_STATE_ACTIVE, EXACT, NOT_EXACT, RANGE_WITHIN } from "../state/register-types.ts"
import { constantLow } from "../state/registers.ts"
import type { State } from "../state/state.ts"
import { iteratorDepthsDiffer, mayBeLooping, statesEqual } from "./equal.ts"
import { clearSlot, type Explorer } from "./explorer.ts"
import { frameOf, registerAt, slotAt, slotCount } from "./frames.ts"
import { insnOfFrame } from "./loops.ts"
import { propagatePrecision } from "./precision.ts"
import { chainKey } from "./stack-liveness.ts"

/** A kept state, in the list of its bucket. */
export interface ExploredState {
  readonly state: State
  hits: number
  misses: number
  next: ExploredState | null
  /** Out of the list, but still the parent of something. */
  removed: boolean
}

/** Longer histories are cut by keeping a state. */
const HISTORY_MAX = 40
/** BPF_JCOND */
const MAY_GOTO = 0xe0

/** True: the path ends here, for what comes is known to be safe. */
export function isVisited(x: Explorer, insn: number): boolean {
  const { state, code } = x
  const force =
    x.testStateFrequency ||
    (code.marks[insn] & FORCE_CHECKPOINT) !== 0 ||
    state.history.length > HISTORY_MAX
  let add = force
  const jumps = x.jumpsProcessed - x.previousJumpsProcessed
  const insns = x.statistics.insnsProcessed - x.previousInsnsProcessed
  if (jumps >= 2 && insns >= 8) add = true

  const bucket = bucketOf(x, insn)
  cleanKept(x, bucket, insn)
  let count = 0
  let previous: ExploredState | null = null
  for (let kept = x.explored[bucket]; kept !== null; kept = kept.next) {
    count++
    if (kept.state.insn !== insn) {
      previous = kept
      continue
    }
    if (kept.state.branches > 0) {
      const outcome = compareUnfinished(x, kept, insn)
      if (outcome === HIT) return hit(x, kept, insn, true)
      if (!force && jumps < 20 && insns < 100) add = false
    } else {
      const loop = x.loops.isIncomplete(kept.state)
      const ranges = loop || x.observe !== null
      if (statesEqual(x, kept.state, state, ranges ? RANGE_WITHIN : NOT_EXACT))
        return hit(x, kept, insn, loop)
    }
    if (add) kept.misses++
    const patience = code.marks[insn] & FORCE_CHECKPOINT && kept.state.branches > 0 ? 64 : 3
    if (kept.misses > kept.hits * patience + patience) {
      if (previous === null) x.explored[bucket] = kept.next
      else previous.next = kept.next
      kept.removed = true
      x.exploredCount--
      x.freeListCount++
      releaseIfDone(x, kept)
    } else {
      previous = kept
    }
  }
  if (x.statistics.maxStatesPerInsn < count) x.statistics.maxStatesPerInsn = count
  if (!x.bpfCapable && count > BPF_COMPLEXITY_LIMIT_STATES) return false
  if (add) keep(x, insn, bucket)
  return false
}

const MISS = 0
const HIT = 1

/** Against a state whose continuations are not all explored: we may be in a loop. */
function compareUnfinished(x: Explorer, kept: ExploredState, insn: number): number {
  const { state, code, domain } = x
  const old = kept.state
  const oldFrame = frameOf(domain, old, old.frames - 1)
  const frame = x.currentFrame()
  const async =
    (domain.i32[(oldFrame + FRAME_FLAGS) >> 2] & FRAME_IN_ASYNC_CALLBACK) !== 0 &&
    domain.i32[(oldFrame + FRAME_ASYNC_ENTRY_CNT) >> 2] !==
      domain.i32[(frame + FRAME_ASYNC_ENTRY_CNT) >> 2]
  if (async) return MISS
  if (isIteratorNext(x, insn))
    return statesEqual(x, old, state, RANGE_WITHIN) && iteratorActive(x) ? HIT : MISS
  if (
    jumpOperation(code, insn) === MAY_GOTO &&
    old.mayGotoDepth !== state.mayGotoDepth &&
    statesEqual(x, old, state, RANGE_WITHIN)
  )
    return HIT
  if (code.marks[insn] & CALLS_CALLBACK)
    return statesEqual(x, old, state, RANGE_WITHIN) ? HIT : MISS
  if (
    mayBeLooping(x, old, state) &&
    statesEqual(x, old, state, EXACT) &&
    !iteratorDepthsDiffer(x, old, state) &&
    old.mayGotoDepth === state.mayGotoDepth &&
    old.callbackUnrollDepth === state.callbackUnrollDepth
  )
    rejectLoop(x, old, insn)
  return MISS
}

function rejectLoop(x: Explorer, old: State, insn: number): never {
  const message = `infinite loop detected at insn ${insn}`
  if (x.input.logLevel !== 0) {
    x.printLine(insn)
    x.log.write(`${message}\ncur state:`)
    x.printState(x.state, x.state.frames - 1, true)
    x.log.write("old state:")
    x.printState(old, x.state.frames - 1, true)
  }
  x.rejectQuietly(ERRNO.EINVAL, message, { rule: "infinite-loop" })
}

function isIteratorNext(x: Explorer, insn: number): boolean {
  return isKfuncCallAt(x.code, insn) && (summarizeCall(x, insn)?.iterNext ?? false)
}

/** The iterator that R1 points to has not ended. */
function iteratorActive(x: Explorer): boolean {
  const { domain } = x
  const r1 = x.reg(1)
  const offset = domain.i32[(r1 + REG_OFF) >> 2] + constantLow(domain, r1)
  const slot = x.slot(domain.i32[(r1 + REG_FRAMENO) >> 2], (-offset - 1) >> 3)
  return (domain.i32[(slot + REG_C) >> 2] & 3) === BPF_ITER_STATE_ACTIVE
}

/** The path ends: what the kept state needs precisely, this path's states need too. */
function hit(x: Explorer, kept: ExploredState, insn: number, loop: boolean): true {
  kept.hits++
  const { state } = x
  if (x.code.marks[insn] & JUMP_POINT) x.pushHistory(0, null)
  propagatePrecision(x, kept.state, state)
  if (loop) {
    const edge = x.copyCurrent()
    edge.history = state.history.slice()
    edge.insn = insn
    x.loops.addBackEdge(kept.state, edge)
  }
  return true
}

function keep(x: Explorer, insn: number, bucket: number): void {
  const { state, statistics } = x
  statistics.totalStates++
  x.exploredCount++
  const held = x.exploredCount + x.freeListCount
  if (statistics.peakStates < held) statistics.peakStates = held
  x.previousJumpsProcessed = x.jumpsProcessed
  x.previousInsnsProcessed = statistics.insnsProcessed
  if (x.bpfCapable) x.forgetPrecision()
  const kept = x.copyCurrent()
  kept.insn = insn
  // The path so far belongs to the kept state; the current one begins a new stretch.
  kept.history = state.history
  state.history = []
  x.historyEntry = null
  x.loops.enter(kept)
  state.parent = kept
  state.firstInsn = insn
  state.dfsDepth = kept.dfsDepth + 1
  const explored = {
    state: kept,
    hits: 0,
    misses: 0,
    next: x.explored[bucket],
    removed: false,
  }
  x.explored[bucket] = explored
  x.keptBy.set(kept, explored)
}

/** Kept states are found by their instruction and innermost call site. */
function bucketOf(x: Explorer, insn: number): number {
  const callsite = x.domain.i32[(x.currentFrame() + FRAME_CALLSITE) >> 2]
  return ((insn ^ callsite) >>> 0) % x.code.length
}

/** A path ended: counts go down towards the root; what is done may be given back. */
export function finishPath(x: Explorer): void {
  let state: State | null = x.state
  while (state !== null) {
    if (--state.branches > 0) break
    x.loops.exit(state)
    const { parent } = state as State
    const kept = x.keptBy.get(state)
    if (kept !== undefined) releaseIfDone(x, kept)
    state = parent
  }
}

function releaseIfDone(x: Explorer, kept: ExploredState): void {
  if (!kept.removed || kept.state.branches > 0) return
  if (kept.state.block === 0 || x.loops.isIncomplete(kept.state)) return
  x.freeState(kept.state)
  x.keptBy.delete(kept.state)
  x.freeListCount--
}

/** Forgets what is dead in the done states of a bucket that belong to this place. */
function cleanKept(x: Explorer, bucket: number, insn: number): void {
  for (let kept = x.explored[bucket]; kept !== null; kept = kept.next) {
    const { state } = kept
    if (state.branches > 0 || state.cleaned || state.insn !== insn) continue
    if (x.sameCallsites(state, x.state)) clean(x, state)
  }
}

function clean(x: Explorer, state: State): void {
  const { domain, code } = x
  state.cleaned = true
  const callsites: number[] = []
  for (let n = 0; n < state.frames; n++) {
    const frame = frameOf(domain, state, n)
    const insn = insnOfFrame(x, state, n)
    const live = code.live[insn]
    for (let index = 0; index < 10; index++)
      if ((live & (1 << index)) === 0) domain.markNotInit(registerAt(frame, index))
    const start = code.subprograms[x.subprogramIndex(insn)].start
    const [low, high] = x.liveness.liveAt(chainKey(callsites, start), insn)
    const slots = slotCount(domain, frame)
    for (let spi = 0; spi < slots; spi++) {
      const alive = ((spi < 32 ? low >>> spi : high >>> (spi - 32)) & 1) !== 0
      if (!alive) clearSlot(domain, slotAt(frame, spi))
    }
    callsites.push(insn)
  }
}
