/** Keeps this thread on CPU 0, so that per-CPU values of both kernels lie in the same place. */

import { addressOf, syscall } from "../support/linux.ts"

const NR_SCHED_SETAFFINITY = process.arch === "arm64" ? 122 : 203

export function pinToCpu0(): void {
  const mask = new Uint8Array(128)
  mask[0] = 1
  const result = syscall(NR_SCHED_SETAFFINITY, 0, mask.length, addressOf(mask))
  if (result < 0) throw new Error(`sched_setaffinity: errno ${-result}`)
}
