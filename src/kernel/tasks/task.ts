/**
 * A task of the virtual world: what bpf_get_current_* answer, and the `task_struct` in kernel
 * memory that tracing programs read through BTF.
 */

import type { FieldValue } from "../types/index.ts"

export interface Credentials {
  readonly uid: number
  readonly gid: number
  readonly euid: number
  readonly egid: number
}

/** A mapping of a task's memory and its `vm_area_struct`. */
export interface TaskMapping {
  readonly start: bigint
  readonly end: bigint
  kernelAddress(): bigint
}

export interface Task {
  /** Thread id (the kernel's `pid`). */
  readonly pid: number
  /** Thread group id (user space's pid). */
  readonly tgid: number
  /** At most 15 bytes; changes with exec and prctl. */
  comm: string
  credentials: Credentials
  parent: Task | null
  /** The CPU that it runs, or ran last, on. */
  cpu?: number
  /** cgroup v2 id. */
  cgroupId: bigint
  cgroupPath: string
  readonly startTimeNs: bigint
  /** Offset of the task_struct in linear memory, or 0 when nobody has asked for it yet. */
  structAddress: number
  /** Offset of the registers with which it is in a system call; 0 or absent: it is in none. */
  readonly userRegisters?: number
  /** Its mapped memory. */
  mappings?(): readonly TaskMapping[]
  /** Fields of the task_struct beyond those that every task has. */
  structFields?(): { readonly [field: string]: FieldValue | undefined }
}
