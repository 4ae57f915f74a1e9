/**
 * kfuncs on tasks and control groups (linux v6.18 kernel/bpf/helpers.c). Tasks live as long as the
 * kernel, so references need no counting.
 */

import { REGION_TAG } from "../../../interpreter/index.ts"
import type { Task } from "../../tasks/task.ts"
import type { Helper, HelperMachine, KfuncTable } from "../support.ts"

const same: Helper = (machine) => machine.setResult64(machine.low(1), machine.high(1))
const nothing: Helper = (machine) => machine.setResult(0)

function setTask(machine: HelperMachine, task: Task | undefined): void {
  const { kernel } = machine.environment
  if (task === undefined) machine.setResult64(0, 0)
  else machine.setResult64(kernel.taskStruct(task), REGION_TAG | kernel.kernelRegion)
}

const fromPid: Helper = (machine) =>
  setTask(machine, machine.environment.kernel.taskByPid(machine.low(1)))

/** Entry or return of the function that a session program is attached to. */
const isReturn: Helper = (machine) =>
  machine.setResult(machine.environment.session?.isReturn === true ? 1 : 0)

const sessionCookie: Helper = (machine) =>
  machine.setResultBig(machine.environment.session?.cookieAddress ?? 0n)

export const taskKfuncs: KfuncTable = {
  bpf_task_acquire: same,
  bpf_task_release: nothing,
  bpf_task_from_pid: fromPid,
  bpf_task_from_vpid: fromPid,
  bpf_cgroup_acquire: same,
  bpf_cgroup_release: nothing,
  bpf_session_is_return: isReturn,
  bpf_session_cookie: sessionCookie,
}
