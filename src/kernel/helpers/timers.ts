/**
 * Timers in map values (linux v6.18 kernel/bpf/helpers.c bpf_timer_*), on the virtual clock. A
 * `struct bpf_timer` is 16 opaque bytes; what the kernel knows of it is kept beside.
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { ERRNO } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import type { BpfMap } from "../maps/map.ts"
import type { Program } from "../programs/program.ts"
import {
  answers,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  mapArgument,
} from "./support.ts"

const TIMER_BYTES = 16
const CLOCK_REALTIME = 0
const CLOCKS: readonly number[] = [CLOCK_REALTIME, 1, 7]
const MAX_CLOCKS = 16
const BPF_F_TIMER_ABS = 1
const BPF_F_TIMER_CPU_PIN = 2

interface Timer {
  readonly map: BpfMap
  readonly clock: number
  callback: { program: Program; slot: number } | null
  /** Takes it off the clock; null while it does not run. */
  cancel: (() => void) | null
  /** While its callback runs. */
  firing: boolean
}

const timers = new WeakMap<KernelState, Map<number, Timer>>()

function timersOf(kernel: KernelState): Map<number, Timer> {
  let all = timers.get(kernel)
  if (all === undefined) {
    all = new Map()
    timers.set(kernel, all)
  }
  return all
}

/** Cancels the timers in `[start, start + size)`: what happens when a map value is freed. */
export function releaseTimers(kernel: KernelState, start: number, size: number): void {
  const all = timers.get(kernel)
  if (all === undefined) return
  for (const [at, timer] of all)
    if (at >= start && at < start + size) {
      timer.cancel?.()
      all.delete(at)
    }
}

/** long bpf_timer_init(timer, map, flags): the flags name the clock. */
function init(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(1, TIMER_BYTES)
  const map = at < 0 ? undefined : mapArgument(machine, 2)
  if (map === undefined) return undefined
  const flags = flagsArgument(machine, 3)
  const clock = flags & (MAX_CLOCKS - 1)
  if (flags >>> 0 >= MAX_CLOCKS || !CLOCKS.includes(clock)) return -ERRNO.EINVAL
  const all = timersOf(machine.environment.kernel)
  if (all.has(at)) return -ERRNO.EBUSY
  all.set(at, { map, clock, callback: null, cancel: null, firing: false })
  return 0
}

function timerArgument(machine: HelperMachine): Timer | null | undefined {
  const at = machine.checkWrite(1, TIMER_BYTES)
  if (at < 0) return undefined
  return timersOf(machine.environment.kernel).get(at) ?? null
}

/** long bpf_timer_set_callback(timer, callback) */
function setCallback(machine: HelperMachine): number | undefined {
  const timer = timerArgument(machine)
  if (timer === undefined) return undefined
  if (timer === null) return -ERRNO.EINVAL
  timer.callback = { program: machine.environment.program, slot: machine.low(2) }
  return 0
}

/** long bpf_timer_start(timer, nsecs, flags) */
function start(machine: HelperMachine): number | undefined {
  const timer = timerArgument(machine)
  if (timer === undefined) return undefined
  const flags = flagsArgument(machine, 3)
  if (flags & ~(BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN)) return -ERRNO.EINVAL
  if (timer === null || timer.callback === null) return -ERRNO.EINVAL
  const { kernel } = machine.environment
  const nanoseconds = machine.big(2)
  const now = kernel.clock.now()
  let due = now + nanoseconds
  if (flags & BPF_F_TIMER_ABS)
    due = timer.clock === CLOCK_REALTIME ? nanoseconds - (kernel.clock.wall() - now) : nanoseconds
  timer.cancel?.()
  const at = machine.low(1)
  timer.cancel = kernel.clock.schedule(due, () => fire(kernel, at, timer))
  return 0
}

/** long bpf_timer_cancel(timer): 1 when it was running. */
function cancel(machine: HelperMachine): number | undefined {
  const timer = timerArgument(machine)
  if (timer === undefined) return undefined
  if (timer === null) return -ERRNO.EINVAL
  if (timer.firing) return -ERRNO.EDEADLK
  const wasActive = timer.cancel !== null
  timer.cancel?.()
  timer.cancel = null
  timer.callback = null
  return wasActive ? 1 : 0
}

/** Runs the callback with (map, key, value). */
function fire(kernel: KernelState, at: number, timer: Timer): void {
  timer.cancel = null
  const { callback, map } = timer
  if (callback === null) return
  let element: { key: number; value: number } | undefined
  const visit = (key: number, value: number): number => {
    if (at < value || at >= value + map.valueSize) return 0
    element = { key, value }
    return 1
  }
  map.forEach(visit)
  if (element === undefined) return
  timer.firing = true
  kernel.callFunction(callback.program, callback.slot, [
    [map.address, REGION_TAG | kernel.descriptorRegion],
    [element.key, REGION_TAG | kernel.kernelRegion],
    [element.value, REGION_TAG | map.valueRegion],
  ])
  timer.firing = false
}

export const timerHelpers: HelperTable = {
  timer_init: answers(init),
  timer_set_callback: answers(setCallback),
  timer_start: answers(start),
  timer_cancel: answers(cancel),
}
