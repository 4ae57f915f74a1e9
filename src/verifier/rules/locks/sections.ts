/**
 * Sections of a program: where RCU pointers are valid, and where it may not sleep.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c in_rcu_cs, in_sleepable.
 */

import type { Verifier } from "../../verifier.ts"

/** RCU pointers are valid: in an RCU section, under a lock, or in a program that never sleeps. */
export function inRcuSection(v: Verifier): boolean {
  const { state } = v
  return state.activeRcuLocks > 0 || state.activeLocks > 0 || !state.inSleepable
}

/** RCU, preemption-disabled or IRQ-disabled section, or a lock is held. */
export function inUninterruptedSection(v: Verifier): boolean {
  const { state } = v
  return (
    state.activeRcuLocks > 0 ||
    state.activePreemptLocks > 0 ||
    state.activeIrqId !== 0 ||
    state.activeLocks > 0
  )
}

/** Sleeping calls are allowed here. */
export function maySleep(v: Verifier): boolean {
  return v.state.inSleepable && !inUninterruptedSection(v)
}
