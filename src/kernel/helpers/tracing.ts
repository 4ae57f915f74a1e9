/**
 * Helpers of tracing programs: the function they are attached to, its arguments, and acting on the
 * task (linux v6.18 kernel/trace/bpf_trace.c, kernel/bpf/cgroup.c).
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import { pathText } from "./paths.ts"
import {
  answers,
  flagsArgument,
  type Helper,
  type HelperMachine,
  type HelperTable,
  writeText,
} from "./support.ts"

/** Offsets in `struct pt_regs` of x86-64, and its size. */
const PT_REGS_AX = 80
const PT_REGS_IP = 128
const PT_REGS_BYTES = 168
/** _NSIG: the largest signal. */
const SIGNAL_MAX = 64
const EMPTY = { address: 0, count: 0 }

const functionIp: Helper = (machine) => {
  const { environment, space } = machine
  const { program, kernel } = environment
  if (program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE)
    machine.setResultBig(space.view.getBigUint64(environment.context + PT_REGS_IP, true))
  else machine.setResultBig(kernel.kernelSymbol(program.attachTarget ?? "") ?? 0n)
}

/** long bpf_get_func_arg(ctx, n, value) */
function functionArgument(machine: HelperMachine): number | undefined {
  const target = machine.checkWrite(3, 8)
  if (target < 0) return undefined
  const { address, count } = machine.environment.functionArguments ?? EMPTY
  const index = machine.number(2)
  if (index >= count) return -ERRNO.EINVAL
  machine.space.u8.copyWithin(target, address + 8 * index, address + 8 * index + 8)
  return 0
}

/** long bpf_get_func_ret(ctx, value): there is one only when the function has returned. */
function functionReturn(machine: HelperMachine): number | undefined {
  const target = machine.checkWrite(2, 8)
  if (target < 0) return undefined
  const { functionArguments, program } = machine.environment
  const type = program.expectedAttachType
  const { BPF_MODIFY_RETURN, BPF_TRACE_FEXIT } = BPF_ATTACH_TYPE
  if (type !== BPF_TRACE_FEXIT && type !== BPF_MODIFY_RETURN) return -ERRNO.EOPNOTSUPP
  const { address, count } = functionArguments ?? EMPTY
  machine.space.u8.copyWithin(target, address + 8 * count, address + 8 * count + 8)
  return 0
}

/** long bpf_override_return(regs, rc): the probed function returns `rc` without having run. */
function overrideReturn(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(1, PT_REGS_AX + 8)
  if (at < 0) return undefined
  machine.space.view.setInt32(at + PT_REGS_AX, machine.low(2), true)
  machine.space.view.setInt32(at + PT_REGS_AX + 4, machine.high(2), true)
  return 0
}

/** long bpf_send_signal(sig): kernel threads and init get none. */
function sendsSignal(toThread: boolean) {
  return (machine: HelperMachine): number => {
    const { kernel, task } = machine.environment
    const signal = machine.low(1) >>> 0
    if (task.pid <= 1) return -ERRNO.EPERM
    if (signal > SIGNAL_MAX) return -ERRNO.EINVAL
    kernel.signal?.(task, signal, toThread)
    return 0
  }
}

/** int bpf_set_retval(retval): 0 or an errno, of cgroup programs. */
function setRetval(machine: HelperMachine): number {
  const value = machine.low(1)
  const { environment } = machine
  const type = environment.program.type
  const isErrno = value < 0 && value >= -4095
  if (type !== BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCKOPT && value !== 0 && !isErrno)
    return -ERRNO.EINVAL
  environment.returnValue = value
  return 0
}

/** Registers of tasks that are in no system call: zeros, one block for all. */
const idleRegisters = new WeakMap<KernelState, number>()

const taskRegisters: Helper = (machine) => {
  const { kernel } = machine.environment
  let at = idleRegisters.get(kernel)
  if (at === undefined) {
    at = kernel.memory.allocate(PT_REGS_BYTES)
    idleRegisters.set(kernel, at)
  }
  machine.setResult64(at, REGION_TAG | kernel.kernelRegion)
}

/** long bpf_d_path(path, buf, size): the path's name at the start of the buffer; its length with the zero. */
function pathName(machine: HelperMachine): number | undefined {
  const size = machine.low(3) >>> 0
  const target = machine.checkWrite(2, size)
  if (target < 0) return undefined
  if (size === 0) return 0
  const text = pathText(machine, 1)
  if (text === undefined) return -ERRNO.ENOENT
  if (text.length + 1 > size) return -ERRNO.ENAMETOOLONG
  writeText(machine.space, target, `${text}\0`)
  return text.length + 1
}

/** long bpf_find_vma(task, addr, callback, ctx, flags): virtual tasks have no mappings. */
function findVma(machine: HelperMachine): number {
  return flagsArgument(machine, 5) !== 0 ? -ERRNO.EINVAL : -ERRNO.ENOENT
}

function readBranches(machine: HelperMachine): number {
  return flagsArgument(machine, 4) & ~1 ? -ERRNO.EINVAL : -ERRNO.ENOENT
}

export const tracingHelpers: HelperTable = {
  get_func_ip: functionIp,
  get_func_arg: answers(functionArgument),
  get_func_ret: answers(functionReturn),
  get_func_arg_cnt: (machine) =>
    machine.setResult(machine.environment.functionArguments?.count ?? 0),
  get_attach_cookie: (machine) => machine.setResultBig(machine.environment.cookie),
  get_retval: (machine) => machine.setResult(machine.environment.returnValue),
  set_retval: answers(setRetval),
  override_return: answers(overrideReturn),
  send_signal: answers(sendsSignal(false)),
  send_signal_thread: answers(sendsSignal(true)),
  task_pt_regs: taskRegisters,
  d_path: answers(pathName),
  find_vma: answers(findVma),
  get_branch_snapshot: answers((machine) =>
    flagsArgument(machine, 3) !== 0 ? -ERRNO.EINVAL : -ERRNO.ENOENT,
  ),
  read_branch_records: answers(readBranches),
}
