/**
 * The current task and its control groups (linux v6.18 kernel/bpf/helpers.c,
 * kernel/trace/bpf_trace.c, kernel/bpf/cgroup.c).
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { ERRNO } from "../../spec/index.ts"
import type { ReferenceMap } from "../maps/map.ts"
import {
  answers,
  type Helper,
  type HelperMachine,
  type HelperTable,
  mapArgument,
  writeText,
} from "./support.ts"

/** Inode number of the initial pid namespace (linux include/linux/proc_ns.h), on the nsfs device. */
const PROC_PID_INIT_INO = 0xefff_fffcn

const currentTask: Helper = (machine) => {
  const { kernel, task } = machine.environment
  machine.setResult64(kernel.taskStruct(task), REGION_TAG | kernel.kernelRegion)
}

/** long bpf_get_current_comm(buf, size): always terminated, and padded with zeros to `size`. */
function currentComm(machine: HelperMachine): number | undefined {
  const size = machine.low(2) >>> 0
  const target = machine.checkWrite(1, size)
  if (target < 0) return undefined
  if (size === 0) return -ERRNO.EINVAL
  const comm = machine.environment.task.comm.slice(0, size - 1)
  machine.space.u8.fill(0, target, target + size)
  writeText(machine.space, target, comm)
  return 0
}

const ancestorCgroupId: Helper = (machine) => {
  const { kernel, task } = machine.environment
  machine.setResultBig(kernel.cgroupAncestors(task)[machine.low(1)] ?? 0n)
}

/** long bpf_current_task_under_cgroup(map, index): 1 when it is, 0 when not. */
function currentTaskUnderCgroup(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined) return undefined
  const index = machine.low(2) >>> 0
  if (index >= map.maxEntries) return -ERRNO.E2BIG
  const cgroup = (map as Partial<ReferenceMap<{ readonly id: bigint | number }>>).reference?.(index)
  if (cgroup === undefined) return -ERRNO.EAGAIN
  const { kernel, task } = machine.environment
  return kernel.cgroupAncestors(task).includes(BigInt(cgroup.id)) ? 1 : 0
}

/** long bpf_get_ns_current_pid_tgid(dev, ino, nsdata, size): pid and tgid in a pid namespace. */
function namespacePidTgid(machine: HelperMachine): number | undefined {
  const size = machine.low(4) >>> 0
  const target = machine.checkWrite(3, size)
  if (target < 0) return undefined
  const { task } = machine.environment
  const known = machine.big(2) === PROC_PID_INIT_INO
  machine.space.u8.fill(0, target, target + size)
  if (size !== 8 || !known) return -ERRNO.EINVAL
  machine.space.view.setUint32(target, task.pid, true)
  machine.space.view.setUint32(target + 4, task.tgid, true)
  return 0
}

export const taskHelpers: HelperTable = {
  get_current_pid_tgid: (machine) => {
    const { task } = machine.environment
    machine.setResult64(task.pid, task.tgid)
  },
  get_current_uid_gid: (machine) => {
    const { uid, gid } = machine.environment.task.credentials
    machine.setResult64(uid | 0, gid | 0)
  },
  get_current_comm: answers(currentComm),
  get_current_task: currentTask,
  get_current_task_btf: currentTask,
  get_current_cgroup_id: (machine) => machine.setResultBig(machine.environment.task.cgroupId),
  get_current_ancestor_cgroup_id: ancestorCgroupId,
  current_task_under_cgroup: answers(currentTaskUnderCgroup),
  get_ns_current_pid_tgid: answers(namespacePidTgid),
}
