/**
 * Helpers of cgroup sysctl programs, and the return value of cgroup hooks (linux v6.18
 * kernel/bpf/cgroup.c).
 */

import { BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"
import type { SysctlRun } from "../net/network-run.ts"
import {
  answers,
  faults,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  writeText,
} from "./support.ts"

const BPF_F_SYSCTL_BASE_NAME = 1
const PAGE_SIZE = 4096
const MAX_ERRNO = 4095

/** Copies a text: its length, or -E2BIG when the buffer is full before its end. */
function copyText(machine: HelperMachine, at: number, size: number, text: string): number {
  if (size === 0) return -ERRNO.E2BIG
  const kept = text.slice(0, size - 1)
  machine.space.u8.fill(0, at, at + size)
  writeText(machine.space, at, kept)
  return kept.length === text.length ? text.length : -ERRNO.E2BIG
}

function onSetting(
  body: (machine: HelperMachine, setting: SysctlRun, at: number, size: number) => number,
  access: "read" | "write",
): (machine: HelperMachine) => number | undefined {
  return (machine) => {
    const size = machine.low(3) >>> 0
    const at = access === "read" ? machine.checkRead(2, size) : machine.checkWrite(2, size)
    if (at < 0) return undefined
    const setting = machine.environment.network?.sysctl
    if (setting === undefined) return faults(machine, "the run has no setting")
    return body(machine, setting, at, size)
  }
}

/** long bpf_sysctl_get_name(ctx, buf, buf_len, flags) */
function getName(machine: HelperMachine, setting: SysctlRun, at: number, size: number): number {
  const base = flagsArgument(machine, 4) & BPF_F_SYSCTL_BASE_NAME
  const name = base ? setting.name.slice(setting.name.lastIndexOf("/") + 1) : setting.name
  return copyText(machine, at, size, name)
}

/** long bpf_sysctl_get_current_value(ctx, buf, buf_len) */
function currentValue(
  machine: HelperMachine,
  setting: SysctlRun,
  at: number,
  size: number,
): number {
  if (setting.current !== "") return copyText(machine, at, size, setting.current)
  machine.space.u8.fill(0, at, at + size)
  return -ERRNO.EINVAL
}

/** long bpf_sysctl_get_new_value(ctx, buf, buf_len) */
function newValue(machine: HelperMachine, setting: SysctlRun, at: number, size: number): number {
  if (setting.write) return copyText(machine, at, size, setting.value)
  machine.space.u8.fill(0, at, at + size)
  return -ERRNO.EINVAL
}

/** long bpf_sysctl_set_new_value(ctx, buf, buf_len) */
function setNewValue(machine: HelperMachine, setting: SysctlRun, at: number, size: number): number {
  if (!setting.write || size === 0) return -ERRNO.EINVAL
  if (size > PAGE_SIZE - 1) return -ERRNO.E2BIG
  setting.value = String.fromCharCode(...machine.space.u8.subarray(at, at + size))
  setting.updated = true
  return 0
}

/** int bpf_get_retval(void) */
function getRetval(machine: HelperMachine): number {
  const { network, returnValue } = machine.environment
  return network?.retvalInContext ? (network.context?.get("retval") ?? 0) | 0 : returnValue
}

/** int bpf_set_retval(retval): 0 or an errno, of cgroup programs; anything of getsockopt's. */
function setRetval(machine: HelperMachine): number {
  const value = machine.low(1)
  const { environment } = machine
  const isErrno = value < 0 && value >= -MAX_ERRNO
  const free = environment.program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCKOPT
  if (!free && value !== 0 && !isErrno) return -ERRNO.EINVAL
  environment.returnValue = value
  if (environment.network?.retvalInContext) environment.network.context?.set("retval", value)
  return 0
}

export const sysctlHelpers: HelperTable = {
  sysctl_get_name: answers(onSetting(getName, "write")),
  sysctl_get_current_value: answers(onSetting(currentValue, "write")),
  sysctl_get_new_value: answers(onSetting(newValue, "write")),
  sysctl_set_new_value: answers(onSetting(setNewValue, "read")),
  get_retval: answers(getRetval),
  set_retval: answers(setRetval),
}
