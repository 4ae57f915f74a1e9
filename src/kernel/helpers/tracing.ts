/**
 * Helpers of tracing programs: the function they are attached to, its arguments, and acting on the
 * task (linux v6.18 kernel/trace/bpf_trace.c, kernel/bpf/cgroup.c).
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { BPF_ATTACH_TYPE, ERRNO } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import { pathText } from "./paths.ts"
import {
  answers,
  faults,
  flagsArgument,
  type Helper,
  type HelperMachine,
  type HelperTable,
  isNull,
  refuses,
  writeText,
} from "./support.ts"

/** Offsets in `struct pt_regs` of x86-64, and its size. */
const PT_REGS_AX = 80
const PT_REGS_IP = 128
const PT_REGS_BYTES = 168
/** Address of just_return_func. */
const JUST_RETURN = 0xffff_ffff_8000_0000n
/** _NSIG: the largest signal. */
const SIGNAL_MAX = 64
const EMPTY = { address: 0, count: 0 }

/** The entry of the function that is probed or traced, also when it returns. */
const functionIp: Helper = (machine) => {
  const { program, kernel, functionIp } = machine.environment
  machine.setResultBig(functionIp ?? kernel.kernelSymbol(program.attachTarget ?? "") ?? 0n)
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
  const { environment, space } = machine
  if (machine.low(1) !== environment.context) return faults(machine, "argument 1 is no context")
  space.view.setInt32(environment.context + PT_REGS_AX, machine.low(2), true)
  space.view.setInt32(environment.context + PT_REGS_AX + 4, machine.high(2), true)
  // The probe returns to a function that does nothing but return: that is how it is noticed.
  space.view.setBigUint64(environment.context + PT_REGS_IP, JUST_RETURN, true)
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

/** Registers of tasks that are in no system call: zeros, one block for all. */
const idleRegisters = new WeakMap<KernelState, number>()

const taskRegisters: Helper = (machine) => {
  const { kernel, task } = machine.environment
  const isCurrent = kernel.taskStruct(task) === machine.low(1)
  let at = isCurrent ? (task.userRegisters ?? 0) : 0
  if (at === 0) {
    at = idleRegisters.get(kernel) ?? kernel.memory.allocate(PT_REGS_BYTES)
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

/** long bpf_find_vma(task, addr, callback, ctx, flags): calls back with the mapping of an address. */
function findVma(machine: HelperMachine): number | undefined {
  if (flagsArgument(machine, 5) !== 0) return -ERRNO.EINVAL
  if (isNull(machine, 1)) return -ERRNO.ENOENT
  const { kernel, task } = machine.environment
  const current = kernel.taskStruct(task) === machine.low(1)
  const address = machine.big(2)
  const found = current
    ? task.mappings?.().find((one) => address >= one.start && address < one.end)
    : undefined
  if (found === undefined) return -ERRNO.ENOENT
  const vma = found.kernelAddress()
  const halves = (word: bigint): readonly [number, number] => [
    Number(BigInt.asIntN(32, word)),
    Number(BigInt.asIntN(32, word >> 32n)),
  ]
  const given = [1, 4].map((n) => [machine.low(n), machine.high(n)] as const)
  const result = machine.callback(machine.low(3), [given[0], halves(vma), given[1]])
  return result === undefined ? undefined : 0
}

/** int bpf_bprm_opts_set(bprm, flags): BPF_F_BPRM_SECUREEXEC. */
function setProgramOptions(machine: HelperMachine): number | undefined {
  const flags = flagsArgument(machine, 2)
  if (flags & ~1) return -ERRNO.EINVAL
  const { types } = machine.environment.kernel
  const id = types.findByName("linux_binprm", "struct")
  const struct = id === undefined ? undefined : types.resolve(id)
  const members = struct?.kind === "struct" ? struct.members : []
  const bit = members.find((member) => member.name === "secureexec")?.bitOffset
  if (bit === undefined) return faults(machine, "struct linux_binprm has no member secureexec")
  const at = machine.low(1) + (bit >> 3)
  const mask = 1 << (bit & 7)
  const { u8 } = machine.space
  u8[at] = flags === 0 ? u8[at] & ~mask : u8[at] | mask
  return 0
}

/** long bpf_perf_prog_read_value(ctx, buf, size): `struct bpf_perf_event_value`. */
function readEventValue(machine: HelperMachine): number | undefined {
  const size = machine.low(3) >>> 0
  const target = machine.checkWrite(2, size)
  if (target < 0) return undefined
  const { u8, view } = machine.space
  u8.fill(0, target, target + size)
  if (size !== EVENT_VALUE_BYTES) return -ERRNO.EINVAL
  const { perf } = machine.environment
  if (!perf) return 0
  view.setBigUint64(target, perf.counter, true)
  view.setBigUint64(target + 8, perf.enabled, true)
  view.setBigUint64(target + 16, perf.running, true)
  return 0
}

/** sizeof(struct bpf_perf_event_value). */
const EVENT_VALUE_BYTES = 24

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
  override_return: answers(overrideReturn),
  send_signal: answers(sendsSignal(false)),
  send_signal_thread: answers(sendsSignal(true)),
  task_pt_regs: taskRegisters,
  d_path: answers(pathName),
  find_vma: answers(findVma),
  bprm_opts_set: answers(setProgramOptions),
  perf_prog_read_value: answers(readEventValue),
  // A Linux without CONFIG_IMA says so.
  ima_inode_hash: refuses("EOPNOTSUPP"),
  ima_file_hash: refuses("EOPNOTSUPP"),
  get_branch_snapshot: answers((machine) =>
    flagsArgument(machine, 3) !== 0 ? -ERRNO.EINVAL : -ERRNO.ENOENT,
  ),
  read_branch_records: answers(readBranches),
}
