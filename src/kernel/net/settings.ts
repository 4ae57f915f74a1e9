/**
 * /proc/sys/net of a namespace, with the sysctl programs of control groups (linux v6.18
 * fs/proc/proc_sysctl.c proc_sys_call_handler, kernel/bpf/cgroup.c __cgroup_bpf_run_filter_sysctl).
 */

import { ERRNO } from "../../spec/index.ts"
import type { Task } from "../tasks/task.ts"
import type { Inet } from "./inet.ts"
import type { NetNamespace } from "./namespace.ts"
import type { SysctlRun } from "./network-run.ts"

/** The text of a setting with its line end, or a negative errno. */
export function readSetting(
  inet: Inet,
  task: Task,
  namespace: NetNamespace,
  path: string,
): string | number {
  const current = namespace.settings.get(path)
  if (current === undefined) return -ERRNO.ENOENT
  const run: SysctlRun = {
    name: path,
    write: false,
    current: `${current}\n`,
    value: "",
    updated: false,
  }
  const { retval } = inet.programs.cgroup.sysctl(task, namespace, run, 0)
  return retval === 0 ? `${current}\n` : retval
}

/** Writes a setting: the bytes taken, or a negative errno. */
export function writeSetting(
  inet: Inet,
  task: Task,
  namespace: NetNamespace,
  path: string,
  text: string,
): number {
  const current = namespace.settings.get(path)
  if (current === undefined) return -ERRNO.ENOENT
  const run: SysctlRun = {
    name: path,
    write: true,
    current: `${current}\n`,
    value: text,
    updated: false,
  }
  const { retval } = inet.programs.cgroup.sysctl(task, namespace, run, 0)
  if (retval !== 0) return retval
  const numeric = /^[\d\s]+$/.test(current)
  const value = run.value.trim()
  if (numeric && !/^-?\d+(\s+-?\d+)*$/.test(value)) return -ERRNO.EINVAL
  namespace.settings.set(path, value.split(/\s+/).join("\t"))
  return run.updated ? run.value.length : text.length
}
