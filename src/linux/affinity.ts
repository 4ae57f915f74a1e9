/**
 * On which CPU the calling thread runs. A test run happens on the caller's CPU, so per-CPU values
 * have a place that can be foretold only when the thread stays where it is.
 */

import { loadNative } from "./syscall.ts"

const NUMBERS: Readonly<Record<string, { readonly set: number; readonly get: number }>> = {
  x64: { set: 203, get: 204 },
  arm64: { set: 122, get: 123 },
}

/** CPUs that a mask has room for: more than CONFIG_NR_CPUS of any distribution. */
const CPUS_MAX = 8192

/**
 * Keeps the calling thread on one CPU (sched_setaffinity(2)). Returns the function that gives it
 * back the CPUs it had, or null where that is not possible: no Linux, or a CPU that this process
 * may not use.
 */
export function pinToCpu(cpu: number): (() => void) | null {
  const numbers = NUMBERS[process.arch]
  if (process.platform !== "linux" || numbers === undefined) return null
  let native: ReturnType<typeof loadNative>["native"]
  try {
    ;({ native } = loadNative())
  } catch {
    return null
  }
  const before = new Uint8Array(CPUS_MAX / 8)
  const size = native.syscall(numbers.get, 0, before.length, native.addressOf(before))
  if (size < 0 || cpu >= 8 * size) return null
  const mask = new Uint8Array(size)
  mask[cpu >> 3] = 1 << (cpu & 7)
  if (native.syscall(numbers.set, 0, size, native.addressOf(mask)) < 0) return null
  return () => {
    native.syscall(numbers.set, 0, size, native.addressOf(before))
  }
}
