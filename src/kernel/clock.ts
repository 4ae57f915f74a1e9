/**
 * Virtual time: it stands still until it is moved, and timers fire in order when it is. Two
 * kernels that were driven alike therefore agree to the nanosecond.
 */

import type { VirtualClock } from "./environment.ts"

/** 2026-01-01T00:00:00Z: where wall-clock time stands at the virtual boot. */
const WALL_AT_BOOT_NS = 1_767_225_600_000_000_000n

interface Timer {
  readonly at: bigint
  readonly order: number
  readonly action: () => void
}

/** A clock that shows `startNs` nanoseconds since boot; `show` is told whenever that changes. */
export function createClock(startNs: bigint, show: (now: bigint) => void = () => {}): VirtualClock {
  let now = startNs
  show(now)
  let order = 0
  const timers = new Set<Timer>()

  function earliest(limit: bigint): Timer | undefined {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.at > limit) continue
      if (
        first === undefined ||
        timer.at < first.at ||
        (timer.at === first.at && timer.order < first.order)
      )
        first = timer
    }
    return first
  }

  function moveTo(time: bigint): void {
    if (time <= now) return
    now = time
    show(now)
  }

  return {
    now: () => now,
    wall: () => WALL_AT_BOOT_NS + now,
    advance(nanoseconds) {
      if (nanoseconds < 0n) throw new RangeError(`time cannot go back by ${-nanoseconds} ns`)
      const end = now + nanoseconds
      for (let timer = earliest(end); timer !== undefined; timer = earliest(end)) {
        timers.delete(timer)
        moveTo(timer.at)
        timer.action()
      }
      moveTo(end)
    },
    schedule(at, action) {
      const timer = { at, order: order++, action }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
  }
}
