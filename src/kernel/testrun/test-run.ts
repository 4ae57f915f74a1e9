/** PROG_TEST_RUN: which program type is run in which way. */

import { ERRNO, type ProgTestRunAttr, BPF_PROG_TYPE as PT } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import type { Program } from "../programs/program.ts"
import { testRunRawTracepoint, testRunSyscall } from "./arguments.ts"
import { testRunFlowDissector } from "./flow-dissector.ts"
import { testRunNetfilter } from "./netfilter.ts"
import { testRunSkLookup } from "./sk-lookup.ts"
import { testRunSkb } from "./skb.ts"
import { testRunTracing } from "./tracing.ts"
import { testRunXdp } from "./xdp.ts"

type TestRun = (kernel: KernelState, program: Program, attr: ProgTestRunAttr) => number

const testRuns: Readonly<Record<number, TestRun>> = {
  [PT.BPF_PROG_TYPE_XDP]: testRunXdp,
  [PT.BPF_PROG_TYPE_SOCKET_FILTER]: testRunSkb,
  [PT.BPF_PROG_TYPE_SCHED_CLS]: testRunSkb,
  [PT.BPF_PROG_TYPE_SCHED_ACT]: testRunSkb,
  [PT.BPF_PROG_TYPE_CGROUP_SKB]: testRunSkb,
  [PT.BPF_PROG_TYPE_LWT_IN]: testRunSkb,
  [PT.BPF_PROG_TYPE_LWT_OUT]: testRunSkb,
  [PT.BPF_PROG_TYPE_LWT_XMIT]: testRunSkb,
  [PT.BPF_PROG_TYPE_FLOW_DISSECTOR]: testRunFlowDissector,
  [PT.BPF_PROG_TYPE_NETFILTER]: testRunNetfilter,
  [PT.BPF_PROG_TYPE_SK_LOOKUP]: testRunSkLookup,
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT]: testRunRawTracepoint,
  [PT.BPF_PROG_TYPE_TRACING]: testRunTracing,
  [PT.BPF_PROG_TYPE_SYSCALL]: testRunSyscall,
}

/**
 * Runs a program on the caller's packet and context, with the checks, the order and the errno of
 * Linux. Returns 0 or a negative errno; -ENOTSUPP (524) for types that Linux cannot test.
 * Embedded: a memory fault of the program gives -EFAULT.
 */
export function testRun(kernel: KernelState, program: Program, attr: ProgTestRunAttr): number {
  return testRuns[program.type]?.(kernel, program, attr) ?? -ERRNO.ENOTSUPP
}
