/**
 * PROG_TEST_RUN of fentry, fexit and fmod_ret programs: Linux calls its own test functions, and
 * whatever is attached to them runs (linux v6.18 net/bpf/test_run.c bpf_prog_test_run_tracing).
 */

import { BPF_ATTACH_TYPE, ERRNO, type ProgTestRunAttr } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import type { EventFields } from "../events/index.ts"
import type { Program } from "../programs/program.ts"

type Test = readonly [name: string, args: EventFields, result: number]

/** `bpf_fentry_test1` to 10: what they are called with, and the sums that they return. */
const FENTRY_TESTS: readonly Test[] = [
  ["bpf_fentry_test1", { a: 1 }, 2],
  ["bpf_fentry_test2", { a: 2, b: 3 }, 5],
  ["bpf_fentry_test3", { a: 4, b: 5, c: 6 }, 15],
  ["bpf_fentry_test4", { a: 7n, b: 8, c: 9, d: 10 }, 34],
  ["bpf_fentry_test5", { a: 11, b: 12n, c: 13, d: 14, e: 15 }, 65],
  ["bpf_fentry_test6", { a: 16, b: 17n, c: 18, d: 19, e: 20n, f: 21 }, 111],
  ["bpf_fentry_test7", { arg: 0n }, 0],
  ["bpf_fentry_test8", { arg: { a: 0n } }, 0],
  ["bpf_fentry_test9", { a: new Uint8Array(4) }, 0],
  ["bpf_fentry_test10", { a: 0n }, 0],
]
/** Results of `bpf_modify_return_test` and its sibling: 1 + 2 + 1, and a sum of seven and 1. */
const MODIFIED: readonly Test[] = [
  ["bpf_modify_return_test", { a: 1 }, 4],
  ["bpf_modify_return_test2", { a: 1, c: 3, d: 4, e: 5n, f: 6, g: 7 }, 29],
]

export function testRunTracing(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
): number {
  if ((attr.flags ?? 0) !== 0 || (attr.cpu ?? 0) !== 0 || (attr.batch_size ?? 0) !== 0)
    return -ERRNO.EINVAL
  switch (program.expectedAttachType) {
    case BPF_ATTACH_TYPE.BPF_TRACE_FENTRY:
    case BPF_ATTACH_TYPE.BPF_TRACE_FEXIT:
      // Whoever changes what they return breaks the test.
      for (const [name, args, expected] of FENTRY_TESTS)
        if (call(kernel, name, args, () => expected) !== expected) return -ERRNO.EFAULT
      attr.retval = 0
      return 0
    case BPF_ATTACH_TYPE.BPF_MODIFY_RETURN: {
      let sideEffects = 0
      let sum = 0
      for (const [name, args, expected] of MODIFIED) {
        const b = new Uint8Array([2, 0, 0, 0])
        sum += call(kernel, name, { ...args, b }, () => {
          // The function adds one to what its pointer shows: only if it runs.
          sideEffects++
          return expected
        })
      }
      attr.retval = ((sideEffects << 16) | (sum & 0xffff)) >>> 0
      return 0
    }
    default:
      return -ERRNO.EFAULT
  }
}

function call(kernel: KernelState, name: string, args: EventFields, body: () => number): number {
  return kernel.runFunction?.(name, args, body) ?? body()
}
