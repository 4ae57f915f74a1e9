/**
 * What all forms of PROG_TEST_RUN share: taking the caller's context in, running the program the
 * wanted number of times, and handing packet and context back with Linux's errno.
 *
 * Source: linux v6.18 net/bpf/test_run.c bpf_ctx_init, bpf_test_run, bpf_test_finish,
 * bpf_ctx_finish.
 */

import { ERRNO, type ProgTestRunAttr } from "../../spec/index.ts"
import type { KernelState, RunInput, RunOutcome } from "../environment.ts"
import type { Program } from "../programs/program.ts"

const PAGE_SIZE = 4096
const U32_MAX = 0xffff_ffff

/** Bytes of a byte string that may be absent; an empty one is a null pointer to Linux. */
export function sizeOf(bytes: Uint8Array | undefined): number {
  return bytes?.length ?? 0
}

/**
 * The caller's context, extended with zeros to `size`; null when neither `ctx_in` nor `ctx_out` is
 * given; -E2BIG when it is longer and the rest is not zero.
 */
export function takeContext(attr: ProgTestRunAttr, size: number): Uint8Array | null | number {
  if (sizeOf(attr.ctx_in) === 0 && sizeOf(attr.ctx_out) === 0) return null
  const context = new Uint8Array(size)
  const given = attr.ctx_in ?? new Uint8Array(0)
  if (given.length > PAGE_SIZE) return -ERRNO.E2BIG
  if (given.subarray(size).some((byte) => byte !== 0)) return -ERRNO.E2BIG
  context.set(given.subarray(0, size))
  return context
}

/** The end of the run: r0 of the last round, or a negative errno. */
export interface Rounds {
  readonly errno: number
  readonly retval: number
  readonly duration: number
  readonly last: RunOutcome
}

/**
 * Runs the program `repeat` times (0 means once) on the same input. A fault, which Linux's
 * verifier would have made impossible, ends the rounds with -EFAULT.
 */
export function runRounds(
  kernel: KernelState,
  program: Program,
  input: RunInput,
  repeat: number,
): Rounds {
  const rounds = Math.max(repeat, 1)
  const start = performance.now()
  let last = kernel.run(program, input)
  for (let round = 1; round < rounds && last.fault === null; round++)
    last = kernel.run(program, input)
  const duration = Math.round(((performance.now() - start) * 1e6) / rounds)
  return {
    errno: last.fault === null ? 0 : -ERRNO.EFAULT,
    retval: last.low >>> 0,
    duration: Math.min(duration, U32_MAX),
    last,
  }
}

/**
 * Hands the packet back: 0, or -ENOSPC with as much as fits when `data_out` is too small. Of a
 * packet with fragments the linear part is cut first; a room smaller than the fragments gets
 * nothing at all.
 */
export function finishData(
  attr: ProgTestRunAttr,
  data: Uint8Array,
  run: { retval: number; duration: number; fragmentBytes?: number },
): number {
  const room = sizeOf(attr.data_out)
  const fragmentBytes = run.fragmentBytes ?? 0
  const short = room !== 0 && data.length > room
  if (attr.data_out !== undefined && room !== 0) {
    const head = Math.min(room, data.length) - fragmentBytes
    if (head < 0) return -ERRNO.ENOSPC
    attr.data_out.set(data.subarray(0, head))
    attr.data_out.set(data.subarray(data.length - fragmentBytes), head)
  }
  attr.data_size_out = data.length
  attr.retval = run.retval
  attr.duration = run.duration
  return short ? -ERRNO.ENOSPC : 0
}

/** Hands the context back: 0, or -ENOSPC with as much as fits. */
export function finishContext(attr: ProgTestRunAttr, context: Uint8Array | null): number {
  const room = sizeOf(attr.ctx_out)
  if (context === null || room === 0) return 0
  attr.ctx_out?.set(context.subarray(0, room))
  attr.ctx_size_out = context.length
  return context.length > room ? -ERRNO.ENOSPC : 0
}

/** Whether `[from, to)` of the bytes is all zero. */
export function rangeIsZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}
