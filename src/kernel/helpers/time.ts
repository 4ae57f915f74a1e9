/**
 * Clocks (linux v6.18 kernel/bpf/helpers.c). All of them show the kernel's virtual time, which
 * stands still while a program runs.
 */

import type { HelperTable } from "./support.ts"

/** CONFIG_HZ. */
const HZ = 250n
const NANOSECONDS = 1_000_000_000n
/** Jiffies start five minutes before they wrap around in 32 bits (INITIAL_JIFFIES). */
const INITIAL_JIFFIES = BigInt.asUintN(32, -300n * HZ)
/** A tick of the coarse clocks. */
const TICK_NS = NANOSECONDS / HZ
/** TAI is ahead of UTC by the leap seconds, once the kernel has been told of them; it starts at 0. */
const TAI_OFFSET_NS = 0n

export const timeHelpers: HelperTable = {
  ktime_get_ns: (machine) => machine.setResultBig(machine.environment.kernel.clock.now()),
  ktime_get_boot_ns: (machine) => machine.setResultBig(machine.environment.kernel.clock.now()),
  ktime_get_coarse_ns: (machine) => {
    const now = machine.environment.kernel.clock.now()
    machine.setResultBig(now - (now % TICK_NS))
  },
  ktime_get_tai_ns: (machine) =>
    machine.setResultBig(machine.environment.kernel.clock.wall() + TAI_OFFSET_NS),
  jiffies64: (machine) => {
    const ticks = (machine.environment.kernel.clock.now() * HZ) / NANOSECONDS
    machine.setResultBig(INITIAL_JIFFIES + ticks)
  },
}
