/**
 * A task of the virtual world: what bpf_get_current_* answer, and the `task_struct` in kernel
 * memory that tracing programs read through BTF.
 */

export interface Credentials {
  readonly uid: number
  readonly gid: number
  readonly euid: number
  readonly egid: number
}

export interface Task {
  /** Thread id (the kernel's `pid`). */
  readonly pid: number
  /** Thread group id (user space's pid). */
  readonly tgid: number
  /** At most 15 bytes. */
  readonly comm: string
  readonly credentials: Credentials
  readonly parent: Task | null
  /** cgroup v2 id. */
  readonly cgroupId: bigint
  readonly cgroupPath: string
  readonly startTimeNs: bigint
  /** Offset of the task_struct in linear memory, or 0 when nobody has asked for it yet. */
  structAddress: number
}
