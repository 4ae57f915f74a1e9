/**
 * Processes begin, change their program, signal each other and end, with the hooks in the order of
 * Linux (linux kernel/fork.c, fs/exec.c, kernel/exit.c, kernel/signal.c).
 */

import { ERRNO, errnoName } from "../../spec/index.ts"
import type { Task } from "../tasks/task.ts"
import { Mirror } from "../types/index.ts"
import { AT_FDCWD, openFile } from "./file-calls.ts"
import { MAY_EXEC } from "./file-system.ts"
import { S_ISGID, S_ISUID } from "./inode.ts"
import type { Process } from "./process.ts"
import { TASK_DEAD } from "./scheduler.ts"
import type { World } from "./world.ts"

/** Signals by name (linux arch/x86/include/uapi/asm/signal.h), those that scenarios use. */
export const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
} as const

const CLONE_VM = 0x100
const CLONE_FS = 0x200
const CLONE_FILES = 0x400
const CLONE_SIGHAND = 0x800
const CLONE_THREAD = 0x10000
const CLONE_CHILD_CLEARTID = 0x200000
const CLONE_CHILD_SETTID = 0x1000000
const FORK_FLAGS = CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGNALS.SIGCHLD
const THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
const NSIG = 64
/** `result` of signal_generate: TRACE_SIGNAL_DELIVERED, TRACE_SIGNAL_IGNORED. */
const DELIVERED = 0
const IGNORED = 1
const SI_KERNEL = 0x80
const FORK_NS = 40_000n
const EXEC_NS = 200_000n

/** A system call whose caller wants more than a number failed. */
export class SystemCallError extends Error {
  /** Positive: 1 for EPERM. */
  readonly errno: number
  readonly code: string

  constructor(call: string, result: number) {
    const code = errnoName(result)
    super(`${call}: ${code}`)
    this.name = "SystemCallError"
    this.errno = -result
    this.code = code
  }
}

export interface CloneOptions {
  readonly comm?: string
  readonly pid?: number
  readonly thread?: boolean
}

/** kernel_clone. */
export function clone(world: World, task: Process, options: CloneOptions): Process {
  const isThread = options.thread === true
  const clone_flags = isThread ? THREAD_FLAGS : FORK_FLAGS
  let child: Process | undefined
  const result = world.syscall(task, "clone", { clone_flags }, () =>
    world.run(task, "kernel_clone", { args: { flags: clone_flags } }, () => {
      world.kernel.clock.advance(FORK_NS)
      const made = world.tasks.spawn({
        pid: options.pid,
        tgid: isThread ? task.tgid : undefined,
        comm: task.comm,
        parent: isThread ? (task.parent ?? task) : task,
        cgroup: task.cgroupPath,
      }) as Process
      made.credentials = task.credentials
      const refused = world.lsm(task, "task_alloc", { task: made, clone_flags })
      if (refused < 0) {
        world.lsm(task, "task_free", { task: made })
        forget(world, made)
        return refused
      }
      inherit(task, made, isThread)
      child = made
      world.fire(task, "task:task_newtask", {
        task: made,
        pid: made.pid,
        comm: made.comm,
        clone_flags,
        oom_score_adj: 0,
      })
      world.fire(task, "sched:sched_process_fork", { parent: task, child: made })
      world.run(task, "wake_up_new_task", { p: made }, () => {
        world.scheduler.wake(made, made.cpu ?? task.cpu ?? 0, true)
        return 0
      })
      return made.pid
    }),
  )
  if (child === undefined) throw new SystemCallError("clone", result)
  if (options.comm !== undefined) rename(world, child, options.comm)
  return child
}

function inherit(parent: Process, child: Process, isThread: boolean): void {
  if (isThread) return
  const { group } = child
  parent.group.children.add(child)
  group.cwd = parent.group.cwd
  group.root = parent.group.root
  group.umask = parent.group.umask
  group.exe = parent.group.exe
  group.argv = parent.group.argv
  for (const [fd, file] of parent.group.files) {
    file.references++
    group.files.set(fd, file)
  }
  for (const [signal, handler] of parent.handlers) child.handlers.set(signal, handler)
}

/** __set_task_comm: the tracepoint sees the old name in the task. */
function rename(world: World, task: Process, comm: string): void {
  const newcomm = comm.slice(0, 15)
  world.fire(task, "task:task_rename", {
    task,
    pid: task.pid,
    oldcomm: task.comm,
    newcomm,
    comm: newcomm,
    oom_score_adj: 0,
  })
  task.comm = newcomm
  world.tasks.refresh(task)
}

/** do_execveat_common, bprm_execve, begin_new_exec. */
export function execute(
  world: World,
  task: Process,
  filename: string,
  argv: readonly string[],
): number {
  return world.syscall(
    task,
    "execve",
    { filename, argv: new Uint8Array(8 * (argv.length + 1)) },
    (args) => {
      const name = args.text("filename")
      const opened = openFile(world, task, {
        dfd: AT_FDCWD,
        name,
        flags: 0,
        mode: 0,
        mask: MAY_EXEC,
      })
      if (typeof opened === "number") return opened
      if (!opened.inode.isRegular) {
        opened.put()
        return -ERRNO.EACCES
      }
      const bprm = new Mirror(world.writer(), "linux_binprm", () => ({
        file: opened.kernelAddress(),
        executable: opened.kernelAddress(),
        cred: world.tasks.credentialsOf(task),
        argc: argv.length,
        envc: 0,
        filename: name,
        interp: name,
      }))
      const described = { kernelAddress: () => bprm.kernelAddress(), describe: () => name }
      const refused =
        world.lsm(task, "bprm_creds_for_exec", { bprm: described }) ||
        world.run(
          task,
          "bprm_execve",
          { bprm: described },
          () =>
            world.lsm(task, "bprm_check_security", { bprm: described }) ||
            (isExecutable(opened.inode.content()) ? 0 : -ERRNO.ENOEXEC),
        )
      if (refused === 0)
        becomeProgram(world, task, { name, argv, path: opened.path, bprm: described })
      bprm.release()
      opened.put()
      return refused
    },
  )
}

function isExecutable(content: Uint8Array): boolean {
  const elf =
    content[0] === 0x7f && content[1] === 0x45 && content[2] === 0x4c && content[3] === 0x46
  return elf || (content[0] === 0x23 && content[1] === 0x21)
}

/** The point of no return, and what is seen of the new program. */
function becomeProgram(
  world: World,
  task: Process,
  program: {
    name: string
    argv: readonly string[]
    path: NonNullable<Process["group"]["exe"]>
    bprm: { kernelAddress(): bigint }
  },
): void {
  const { path, bprm } = program
  world.kernel.clock.advance(EXEC_NS)
  const inode = path.dentry.inode
  rename(world, task, path.dentry.name)
  world.lsm(task, "bprm_committing_creds", { bprm })
  if (inode !== null) {
    const { mode, uid, gid } = inode
    const { credentials } = task
    task.credentials = {
      ...credentials,
      euid: mode & S_ISUID ? uid : credentials.euid,
      egid: mode & S_ISGID ? gid : credentials.egid,
    }
  }
  world.lsm(task, "bprm_committed_creds", { bprm })
  task.group.exe = path
  task.group.argv = program.argv
  for (const [signal, handler] of task.handlers)
    if (typeof handler === "function") task.handlers.delete(signal)
  world.tasks.refresh(task)
  world.fire(task, "sched:sched_process_exec", {
    p: task,
    old_pid: task.pid,
    pid: task.pid,
    filename: program.name,
    bprm,
  })
}

/** do_group_exit: by exit_group, or because of a signal. */
export function exitGroup(
  world: World,
  task: Process,
  how: { exit_group: boolean; status: number; code: number },
): void {
  const end = (): number => {
    for (const thread of [...task.group.threads])
      if (thread !== task) exitTask(world, thread, how.status)
    exitTask(world, task, how.status)
    return 0
  }
  if (how.exit_group) world.syscall(task, "exit_group", { error_code: how.code }, end)
  else end()
}

/** do_exit. */
function exitTask(world: World, task: Process, status: number): void {
  if (task.hasExited) return
  const { group } = task
  world.run(task, "do_exit", { code: status }, () => {
    const groupDead = group.threads.size === 1
    task.exitCode = status
    world.tasks.refresh(task)
    world.fire(task, "sched:sched_process_exit", { p: task, group_dead: groupDead })
    if (groupDead) {
      for (const [fd, file] of [...group.files]) {
        group.remove(fd)
        task.putFile(file)
      }
      orphan(world, task)
      const parent = isProcess(task.parent) ? task.parent : null
      if (parent !== null && !parent.hasExited)
        sendSignal(world, task, parent, SIGNALS.SIGCHLD, SI_KERNEL)
    }
    world.scheduler.leave(task, TASK_DEAD)
    group.threads.delete(task)
    const waitsForParent =
      groupDead && isProcess(task.parent) && task.parent.group.children.has(task)
    if (!waitsForParent) forget(world, task)
    return 0
  })
}

/** Children of the dead go to init. */
function orphan(world: World, task: Process): void {
  for (const child of task.group.children) {
    child.parent = world.tasks.init
    world.tasks.refresh(child)
    if (child.hasExited) forget(world, child)
    else if (isProcess(world.tasks.init)) world.tasks.init.group.children.add(child)
  }
  task.group.children.clear()
}

/** release_task: the pid is free, the objects go. */
function forget(world: World, task: Process): void {
  world.fire(task, "sched:sched_process_free", { p: task })
  world.tasks.exit(task)
  task.group.threads.delete(task)
  if (task.group.threads.size === 0) task.group.release()
}

/** do_wait for a child that is a zombie already. */
export function reap(world: World, task: Process, pid: number): number {
  const children = [...task.group.children].filter((child) => pid < 0 || child.pid === pid)
  if (children.length === 0) return -ERRNO.ECHILD
  const zombie = children.find((child) => child.hasExited)
  // Nobody else runs while the caller would wait: that is a deadlock, said as WNOHANG says it.
  if (zombie === undefined) return 0
  world.fire(task, "sched:sched_process_wait", {
    pid: Math.max(pid, 0),
    comm: task.comm,
    prio: 120,
  })
  task.group.children.delete(zombie)
  const { pid: reaped } = zombie
  forget(world, zombie)
  return reaped
}

/** kill_something_info for one process. */
export function killTask(world: World, task: Process, pid: number, signal: number): number {
  if (signal < 0 || signal > NSIG) return -ERRNO.EINVAL
  const target = world.tasks.find(pid)
  if (!isProcess(target)) return -ERRNO.ESRCH
  const { euid, uid } = task.credentials
  const owner = target.credentials.uid
  if (euid !== 0 && euid !== owner && uid !== owner) return -ERRNO.EPERM
  const refused = world.lsm(task, "task_kill", { p: target, sig: signal })
  if (refused < 0) return refused
  if (signal !== 0) sendSignal(world, task, target, signal, 0)
  return 0
}

/** __send_signal_locked; the target acts on it when it runs next, at once if it waits. */
export function sendSignal(
  world: World,
  task: Process,
  target: Process,
  signal: number,
  code: number,
  toThread = false,
): void {
  const handler = target.handlers.get(signal)
  const ignored =
    handler === "ignore" || (handler === undefined && [17, 18, 23, 28].includes(signal))
  world.fire(task, "signal:signal_generate", {
    sig: signal,
    errno: 0,
    code,
    task: target,
    comm: target.comm,
    pid: target.pid,
    group: toThread ? 0 : 1,
    result: ignored ? IGNORED : DELIVERED,
  })
  if (ignored) return
  target.pending.push(signal)
  // A task in a system call sees it on the way out; any other is woken for it.
  if (target.userRegisters === 0 && target !== task) target.deliverSignals()
}

/** handle_mm_fault by way of the exception. */
export function pageFault(world: World, task: Process, address: bigint, isWrite: boolean): void {
  const error_code = isWrite ? 6 : 4
  const fields = { address, ip: 0x5555_5555_5000n, error_code }
  world.scheduler.become(task)
  world.fire(task, "exceptions:page_fault_user", fields)
  world.run(task, "handle_mm_fault", { address, flags: error_code }, () => 0)
  world.counted("fault", task, task.cpu ?? 0)
}

/** vm_mmap_pgoff of a file. */
export function mapFile(
  world: World,
  task: Process,
  call: { fd: number; length: number; prot: number; flags: number },
): bigint | number {
  const { fd, length, prot, flags } = call
  let address = 0n
  const result = world.syscall(
    task,
    "mmap",
    { addr: 0, len: length, prot, flags, fd, off: 0 },
    () => {
      const file = fd < 0 ? null : task.group.files.get(fd)
      if (file === undefined) return -ERRNO.EBADF
      if (length <= 0) return -ERRNO.EINVAL
      const refused = world.lsm(task, "mmap_file", {
        file: file ?? 0,
        reqprot: prot,
        prot,
        flags,
      })
      if (refused < 0) return refused
      if (file !== null && !file.readable) return -ERRNO.EACCES
      const { group } = task
      const start = group.nextMapping
      const end = start + BigInt((length + 4095) & ~4095)
      group.nextMapping = end + 4096n
      const vm_flags = BigInt(prot & 7)
      const mirror = new Mirror(world.writer(), "vm_area_struct", () => ({
        vm_start: start,
        vm_end: end,
        vm_flags,
        vm_mm: group.mmAddress(),
        vm_file: file?.kernelAddress(),
      }))
      group.mappings.push({
        start,
        end,
        flags: vm_flags,
        pageOffset: 0n,
        file,
        mirror,
        kernelAddress: () => mirror.kernelAddress(),
      })
      address = start
      return start
    },
  )
  return result < 0 ? result : address
}

/** A signal that a program sends (bpf_send_signal): from the task to itself. */
export function sendOwnSignal(world: World, task: Task, signal: number, toThread: boolean): void {
  if (isProcess(task) && !task.hasExited) sendSignal(world, task, task, signal, SI_KERNEL, toThread)
}

/** Whether a task makes system calls of its own; the idle ones do not. */
function isProcess(task: Task | null | undefined): task is Process {
  return typeof task === "object" && task !== null && "group" in task
}
