/**
 * PROG_TEST_RUN of programs without packets: raw tracepoints, whose context is the array of
 * arguments given in `ctx_in`, and syscall programs, whose context is the caller's bytes, written
 * back into `ctx_in` (linux v6.18 net/bpf/test_run.c bpf_prog_test_run_raw_tp,
 * bpf_prog_test_run_syscall, bpf_prog_test_run_tracing).
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { BPF_TEST_RUN_FLAG, ERRNO, type ProgTestRunAttr } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import type { Program } from "../programs/program.ts"
import { contextBytes } from "./context-size.ts"
import { runRounds, sizeOf } from "./frame.ts"

/** MAX_BPF_FUNC_ARGS arguments of 8 bytes. */
const ARGUMENT_BYTES_MAX = 12 * 8
const U16_MAX = 0xffff

export function testRunRawTracepoint(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
): number {
  if (hasPacket(attr) || sizeOf(attr.ctx_out) !== 0 || (attr.batch_size ?? 0) !== 0)
    return -ERRNO.EINVAL
  const size = sizeOf(attr.ctx_in)
  if (size < contextBytes(program.insns) || size > ARGUMENT_BYTES_MAX) return -ERRNO.EINVAL
  const cpu = attr.cpu ?? 0
  const onCpu = ((attr.flags ?? 0) & BPF_TEST_RUN_FLAG.BPF_F_TEST_RUN_ON_CPU) !== 0
  if (!onCpu && cpu !== 0) return -ERRNO.EINVAL
  if (onCpu && cpu >= kernel.cpus) return -ERRNO.ENXIO
  return runOnBytes(kernel, program, attr, { cpu, writeBack: false })
}

export function testRunSyscall(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
): number {
  if (hasPacket(attr) || sizeOf(attr.ctx_out) !== 0) return -ERRNO.EINVAL
  if ((attr.flags ?? 0) !== 0 || (attr.batch_size ?? 0) !== 0) return -ERRNO.EINVAL
  const size = sizeOf(attr.ctx_in)
  if (size < contextBytes(program.insns) || size > U16_MAX) return -ERRNO.EINVAL
  return runOnBytes(kernel, program, attr, { cpu: 0, writeBack: true })
}

function hasPacket(attr: ProgTestRunAttr): boolean {
  return (
    sizeOf(attr.data_in) !== 0 ||
    sizeOf(attr.data_out) !== 0 ||
    (attr.duration ?? 0) !== 0 ||
    (attr.repeat ?? 0) !== 0
  )
}

function runOnBytes(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
  options: { cpu: number; writeBack: boolean },
): number {
  const { memory } = kernel
  const bytes = attr.ctx_in ?? new Uint8Array(0)
  const context = memory.allocate(Math.max(bytes.length, 8))
  if (context === 0) return -ERRNO.ENOMEM
  memory.write(context, bytes)
  const end = context + bytes.length
  const region = memory.createRegion(context, end, REGION_READ | REGION_WRITE)
  try {
    const input = { context, contextRegion: region, packet: null, cpu: options.cpu }
    const rounds = runRounds(kernel, program, input, 1)
    if (rounds.errno < 0) return rounds.errno
    attr.retval = rounds.retval
    if (options.writeBack) attr.ctx_in?.set(memory.u8.subarray(context, end))
    return 0
  } finally {
    memory.destroyRegion(region)
    memory.free(context)
  }
}
