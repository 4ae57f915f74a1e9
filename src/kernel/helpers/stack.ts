/**
 * Stack traces (linux v6.18 kernel/bpf/stackmap.c). The virtual kernel has no stack of its own, so
 * traces are made up, always the same for the same place: the function that a program is attached
 * to, and the way there from the system call entry; in user space, three frames of the task.
 */

import { BPF_STACK_FLAG, ERRNO } from "../../spec/index.ts"
import { PT_REGS, SYSCALLS } from "../events/index.ts"
import { StackTraceMap } from "../maps/index.ts"
import type { Task } from "../tasks/task.ts"
import {
  answers,
  faults,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  mapArgument,
} from "./support.ts"

const {
  BPF_F_FAST_STACK_CMP,
  BPF_F_REUSE_STACKID,
  BPF_F_SKIP_FIELD_MASK,
  BPF_F_USER_BUILD_ID,
  BPF_F_USER_STACK,
} = BPF_STACK_FLAG
/** Bytes of a `struct bpf_stack_build_id`, and its status for an address without one. */
const BUILD_ID_BYTES = 32
const BPF_STACK_BUILD_ID_IP = 2
/** Callers of whatever runs in a system call, with the offsets of their calls. */
const SYSCALL_CALLERS: readonly (readonly [name: string, offset: bigint])[] = [
  ["do_syscall_64", 0xcn],
  ["entry_SYSCALL_64_after_hwframe", 0x6n],
]
const IDLE_CALLERS: readonly (readonly [name: string, offset: bigint])[] = [
  ["default_idle", 0x9n],
  ["do_idle", 0x4n],
]
const KERNEL_HALF = 0xffff_8000_0000_0000n
const KERNEL_TEXT = 0xffff_ffff_8100_0000n
const USER_TEXT = 0x5555_5555_5000n

function hashOf(text: string): bigint {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return BigInt(hash >>> 0)
}

function symbolAddress(machine: HelperMachine, name: string): bigint {
  const known = machine.environment.kernel.kernelSymbol(name)
  return known ?? KERNEL_TEXT + (hashOf(name) & 0xfffff0n)
}

/** Return addresses, innermost first. */
function kernelFrames(machine: HelperMachine): bigint[] {
  const { program, task, functionIp } = machine.environment
  if (task.pid === 0)
    return IDLE_CALLERS.map(([name, offset]) => symbolAddress(machine, name) + offset)
  const frames: bigint[] = []
  const isUser = functionIp !== null && functionIp < KERNEL_HALF
  if (functionIp !== null && !isUser) frames.push(functionIp)
  else if (program.attachTarget !== null)
    frames.push(symbolAddress(machine, program.attachTarget) + 5n)
  const syscall = task.userRegisters ? callOf(machine, task.userRegisters) : undefined
  if (syscall !== undefined) frames.push(symbolAddress(machine, `__x64_sys_${syscall}`) + 9n)
  // A probe in user space has no caller in the kernel.
  if (isUser) return frames
  return [
    ...frames,
    ...SYSCALL_CALLERS.map(([name, offset]) => symbolAddress(machine, name) + offset),
  ]
}

/** Name of the system call that a task is in. */
function callOf(machine: HelperMachine, registers: number): string | undefined {
  const number = Number(machine.space.view.getBigUint64(registers + PT_REGS.orig_ax, true))
  return SYSCALLS.find((call) => call.number === number)?.name
}

function userFrames(machine: HelperMachine, task: Task): bigint[] {
  if (task.pid === 0) return []
  const base = USER_TEXT + (hashOf(task.comm) & 0xff000n)
  const callers = [base + 0x9a1n, base + 0x453n, base + 0x1d0n]
  const { functionIp } = machine.environment
  return functionIp !== null && functionIp < KERNEL_HALF ? [functionIp, ...callers] : callers
}

function framesOf(machine: HelperMachine, task: Task, flags: number): bigint[] {
  const all = flags & BPF_F_USER_STACK ? userFrames(machine, task) : kernelFrames(machine)
  return all.slice(flags & BPF_F_SKIP_FIELD_MASK)
}

/** Frames as bytes: u64 addresses, or `struct bpf_stack_build_id` without build ids. */
function encode(frames: readonly bigint[], frameBytes: number): Uint8Array {
  const bytes = new Uint8Array(frames.length * frameBytes)
  const view = new DataView(bytes.buffer)
  frames.forEach((frame, index) => {
    const at = index * frameBytes
    if (frameBytes === BUILD_ID_BYTES) {
      view.setInt32(at, BPF_STACK_BUILD_ID_IP, true)
      view.setBigUint64(at + 24, frame, true)
    } else view.setBigUint64(at, frame, true)
  })
  return bytes
}

/** long bpf_get_stackid(ctx, map, flags) */
function stackId(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 2)
  if (map === undefined) return undefined
  if (!(map instanceof StackTraceMap)) return faults(machine, "the map holds no stack traces")
  const flags = flagsArgument(machine, 3)
  const known =
    BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID
  if (flags & ~known) return -ERRNO.EINVAL
  const frames = framesOf(machine, machine.environment.task, flags)
  return frames.length === 0 ? -ERRNO.EFAULT : map.store(encode(frames, map.frameSize), flags)
}

/** Fills the buffer in registers `n` (address) and `n + 1` (size); bytes written or an errno. */
function fillStack(
  machine: HelperMachine,
  n: number,
  task: Task | undefined,
  flags: number,
): number | undefined {
  const size = machine.low(n + 1) >>> 0
  const target = machine.checkWrite(n, size)
  if (target < 0) return undefined
  const { u8 } = machine.space
  u8.fill(0, target, target + size)
  const buildIds = (flags & BPF_F_USER_BUILD_ID) !== 0
  if (flags & ~(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_USER_BUILD_ID))
    return -ERRNO.EINVAL
  if (buildIds && !(flags & BPF_F_USER_STACK)) return -ERRNO.EINVAL
  const frameBytes = buildIds ? BUILD_ID_BYTES : 8
  if (size % frameBytes !== 0) return -ERRNO.EINVAL
  const frames = task === undefined ? [] : framesOf(machine, task, flags)
  if (frames.length === 0) return -ERRNO.EFAULT
  const bytes = encode(frames.slice(0, size / frameBytes), frameBytes)
  u8.set(bytes, target)
  return bytes.length
}

/** long bpf_get_task_stack(task, buf, size, flags) */
function taskStack(machine: HelperMachine): number | undefined {
  const { environment } = machine
  const { kernel } = environment
  const current = kernel.taskStruct(environment.task) === machine.low(1)
  const other = environment.task.parent
  const task = current ? environment.task : (other ?? undefined)
  return fillStack(machine, 2, task, flagsArgument(machine, 4))
}

export const stackHelpers: HelperTable = {
  get_stackid: answers(stackId),
  get_stack: answers((machine) =>
    fillStack(machine, 2, machine.environment.task, flagsArgument(machine, 4)),
  ),
  get_task_stack: answers(taskStack),
}
