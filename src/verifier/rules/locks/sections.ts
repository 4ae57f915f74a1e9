/** Sections in which a program may not sleep, and those that keep RCU pointers valid. */

import type { Verifier } from "../../verifier.ts"

/** RCU pointers are valid: in an explicit RCU section, or in a program that never sleeps. */
export function inRcuSection(v: Verifier): boolean {
  return v.state.activeRcuLocks > 0 || !v.state.inSleepable
}

/** Sleeping calls are allowed here. */
export function maySleep(v: Verifier): boolean {
  return v.state.inSleepable && !inUninterruptedSection(v)
}

/** RCU, preemption-disabled, IRQ-disabled section, or a lock is held. */
export function inUninterruptedSection(v: Verifier): boolean {
  const { state } = v
  return (
    state.activeRcuLocks > 0 ||
    state.activePreemptLocks > 0 ||
    state.activeIrqId !== 0 ||
    state.activeLocks > 0
  )
}
