/**
 * Whether a state is covered by one that was explored: everything that the kept one allows, this
 * one does not exceed, so exploring on would find nothing new.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c, the comment above states_equal; the comparison of
 * single registers and slots is the domain's.
 */

import { FRAME_CALLSITE, REG_C, REG_FRAMENO, REG_SIZE, SLOT_TYPES } from "../state/layout.ts"
import { BPF_ITER_STATE_ACTIVE, STACK_ITER } from "../state/register-types.ts"
import { refObjIdOf } from "../state/registers.ts"
import type { State } from "../state/state.ts"
import type { Explorer } from "./explorer.ts"
import { frameOf, registerAt, slotAt, slotCount } from "./frames.ts"
import { insnOfFrame } from "./loops.ts"

/** `exact`: NOT_EXACT, EXACT or RANGE_WITHIN (register-types.ts). */
export function statesEqual(x: Explorer, kept: State, state: State, exact: number): boolean {
  const { domain } = x
  if (kept.frames !== state.frames) return false
  if (kept.speculative && !state.speculative) return false
  if (kept.inSleepable !== state.inSleepable) return false
  domain.idmapReset(x.lastId)
  if (!conditionsEqual(x, kept, state)) return false
  for (let n = 0; n < kept.frames; n++) {
    const keptFrame = frameOf(domain, kept, n)
    const frame = frameOf(domain, state, n)
    const at = FRAME_CALLSITE
    if (domain.i32[(keptFrame + at) >> 2] !== domain.i32[(frame + at) >> 2]) return false
    const live = x.code.live[insnOfFrame(x, kept, n)]
    if (domain.frameEqual(keptFrame, frame, live, exact) === 0) return false
  }
  return true
}

/** References, locks and sections. */
function conditionsEqual(x: Explorer, kept: State, state: State): boolean {
  const { domain } = x
  if (kept.refs.length !== state.refs.length) return false
  if (kept.activeLocks !== state.activeLocks) return false
  if (kept.activePreemptLocks !== state.activePreemptLocks) return false
  if (kept.activeRcuLocks !== state.activeRcuLocks) return false
  if (domain.checkIds(kept.activeIrqId, state.activeIrqId) === 0) return false
  if (domain.checkIds(kept.activeLockId, state.activeLockId) === 0) return false
  if (kept.activeLockOwner !== state.activeLockOwner) return false
  return kept.refs.every((reference, index) => {
    const other = state.refs[index]
    return (
      reference.kind === other.kind &&
      domain.checkIds(reference.id, other.id) !== 0 &&
      (reference.kind === "ptr" || reference.kind === "irq" || reference.owner === other.owner)
    )
  })
}

/** A cheap test before the exact one: the innermost registers are the same, byte for byte. */
export function mayBeLooping(x: Explorer, kept: State, state: State): boolean {
  const { domain } = x
  if (kept.frames !== state.frames) return false
  const words = REG_FRAMENO >> 2
  const first = frameOf(domain, kept, kept.frames - 1)
  const second = frameOf(domain, state, state.frames - 1)
  const { i32 } = domain
  for (let index = 0; index <= 10; index++) {
    const left = registerAt(first, index) >> 2
    const right = left + ((second - first) >> 2)
    for (let word = 0; word < words; word++)
      if (i32[left + word] !== i32[right + word]) return false
  }
  return true
}

/** An active iterator has made another number of turns. */
export function iteratorDepthsDiffer(x: Explorer, kept: State, state: State): boolean {
  const { domain } = x
  for (let n = 0; n < kept.frames; n++) {
    const keptFrame = frameOf(domain, kept, n)
    const frame = frameOf(domain, state, n)
    const slots = Math.min(slotCount(domain, keptFrame), slotCount(domain, frame))
    for (let spi = 0; spi < slots; spi++) {
      const slot = slotAt(keptFrame, spi)
      if (domain.u8[slot + SLOT_TYPES] !== STACK_ITER || refObjIdOf(domain, slot) === 0) continue
      const before = domain.i32[(slot + REG_C) >> 2]
      if ((before & 3) !== BPF_ITER_STATE_ACTIVE) continue
      if (before >>> 2 !== domain.i32[(slotAt(frame, spi) + REG_C) >> 2] >>> 2) return true
    }
  }
  return false
}

/** Bytes between two registers of a frame: for code that walks them. */
export const REGISTER_STEP: number = REG_SIZE
