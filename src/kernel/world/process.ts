/**
 * A task of a scenario: it makes system calls, and the virtual kernel does for each what Linux
 * does. Results are those of the system calls: a number that is not negative, or a negative errno.
 */

import { ERRNO } from "../../spec/index.ts"
import type { Credentials, Task, TaskMapping } from "../tasks/task.ts"
import type { FieldValue } from "../types/index.ts"
import { linkAt, makeAt, renameAt, setAttributes, unlinkAt } from "./directory-calls.ts"
import {
  AT_FDCWD,
  lookup,
  openAt,
  pathFields,
  readFile,
  syncFile,
  writeFile,
} from "./file-calls.ts"
import { MAY_EXEC, permission } from "./file-system.ts"
import { type OpenFile, pathName } from "./inode.ts"
import {
  type CloneOptions,
  clone,
  execute,
  exitGroup,
  killTask,
  mapFile,
  pageFault,
  reap,
  SIGNALS,
} from "./process-calls.ts"
import { type Schedulable, TASK_INTERRUPTIBLE } from "./scheduler.ts"
import { ThreadGroup } from "./thread-group.ts"
import type { ArgumentValue, World } from "./world.ts"

const O_CREAT_WRONLY_TRUNC = 0o1101
const SEEK_END = 2

/** Where a path of a call is looked up: descriptor of a directory. */
export interface AtOptions {
  readonly dfd?: number
}

export class Process implements Schedulable {
  readonly pid: number
  readonly tgid: number
  comm: string
  credentials: Credentials
  parent: Task | null
  cgroupId: bigint
  cgroupPath: string
  readonly startTimeNs: bigint
  structAddress = 0
  cpu?: number
  state: number = TASK_INTERRUPTIBLE
  /** Wait status of the exit, as in `exit_code`; null while it lives. */
  exitCode: number | null = null
  /** Offset of the registers with which it is in a system call, 0 outside. */
  userRegisters = 0
  readonly group: ThreadGroup
  /** Signals that wait for the way out of the kernel. */
  readonly pending: number[] = []
  /** What it does about signals, by number; absent: the default. */
  readonly handlers: Map<number, "ignore" | ((signal: number) => void)> = new Map()
  readonly world: World

  constructor(world: World, fields: Task) {
    this.world = world
    this.pid = fields.pid
    this.tgid = fields.tgid
    this.comm = fields.comm
    this.credentials = fields.credentials
    this.parent = fields.parent
    this.cgroupId = fields.cgroupId
    this.cgroupPath = fields.cgroupPath
    this.startTimeNs = fields.startTimeNs
    const leader = this.tgid === this.pid ? undefined : world.tasks.find(this.tgid)
    this.group = leader instanceof Process ? leader.group : new ThreadGroup(world, this.tgid)
    this.group.threads.add(this)
  }

  mappings(): readonly TaskMapping[] {
    return this.group.mappings
  }

  get hasExited(): boolean {
    return this.exitCode !== null
  }

  /** What its task_struct has beyond the common fields. */
  structFields(): { readonly [field: string]: FieldValue | undefined } {
    return {
      __state: this.state,
      exit_code: this.exitCode ?? 0,
      on_cpu: this.cpu !== undefined && this.world.scheduler.current(this.cpu) === this ? 1 : 0,
      thread_info: { cpu: this.cpu ?? 0 },
      mm: this.group.mmAddress(),
      active_mm: this.group.mmAddress(),
      files: this.group.filesAddress(),
      fs: this.group.fsAddress(),
      signal: this.group.signalAddress(),
    }
  }

  // ---- files ----------------------------------------------------------------------------------

  /** `open(2)`: a descriptor or a negative errno. */
  open(filename: string, flags = 0, mode = 0o666): number {
    return this.syscall("open", { filename, flags, mode }, (args) =>
      openAt(this.world, this, {
        dfd: AT_FDCWD,
        filename: args.word("filename"),
        name: args.text("filename"),
        flags,
        mode,
      }),
    )
  }

  /** `openat(2)`, what C libraries use for open. */
  openat(filename: string, flags = 0, mode = 0o666, options: AtOptions = {}): number {
    const dfd = options.dfd ?? AT_FDCWD
    return this.syscall("openat", { dfd, filename, flags, mode }, (args) =>
      openAt(this.world, this, {
        dfd,
        filename: args.word("filename"),
        name: args.text("filename"),
        flags: args.int("flags"),
        mode: args.int("mode"),
      }),
    )
  }

  creat(pathname: string, mode = 0o666): number {
    return this.syscall("creat", { pathname, mode }, (args) =>
      openAt(this.world, this, {
        dfd: AT_FDCWD,
        filename: args.word("pathname"),
        name: args.text("pathname"),
        flags: O_CREAT_WRONLY_TRUNC,
        mode,
      }),
    )
  }

  /** `read(2)`: the bytes, or a negative errno. */
  read(fd: number, count: number): Uint8Array | number {
    let data: Uint8Array = new Uint8Array(0)
    const buf = new Uint8Array(Math.min(count, BUFFER_BYTES_MAX))
    const result = this.syscall("read", { fd, buf, count }, (args) => {
      const file = this.group.files.get(args.int("fd"))
      if (file === undefined) return -ERRNO.EBADF
      const read = readFile(this.world, this, file, { buf: args.word("buf"), count })
      data = read.data
      args.write("buf", data.subarray(0, BUFFER_BYTES_MAX))
      return read.result
    })
    return result < 0 ? result : data
  }

  pread(fd: number, count: number, position: number): Uint8Array | number {
    let data: Uint8Array = new Uint8Array(0)
    const buf = new Uint8Array(Math.min(count, BUFFER_BYTES_MAX))
    const result = this.syscall("pread64", { fd, buf, count, pos: position }, (args) => {
      const file = this.group.files.get(args.int("fd"))
      if (file === undefined) return -ERRNO.EBADF
      const read = readFile(this.world, this, file, { buf: args.word("buf"), count, position })
      data = read.data
      args.write("buf", data.subarray(0, BUFFER_BYTES_MAX))
      return read.result
    })
    return result < 0 ? result : data
  }

  /** `write(2)`: bytes written, or a negative errno. */
  write(fd: number, content: string | Uint8Array): number {
    const buf = typeof content === "string" ? new TextEncoder().encode(content) : content
    const shown = buf.subarray(0, BUFFER_BYTES_MAX)
    return this.syscall("write", { fd, buf: shown, count: buf.length }, (args) => {
      const file = this.group.files.get(args.int("fd"))
      if (file === undefined) return -ERRNO.EBADF
      // What a program has changed in the buffer is what is written.
      const bytes = buf.length > shown.length ? buf : args.bytes("buf", buf.length)
      return writeFile(this.world, this, file, { buf: args.word("buf"), bytes })
    })
  }

  close(fd: number): number {
    return this.syscall("close", { fd }, (args) => this.closeFile(args.int("fd")))
  }

  private closeFile(fd: number): number {
    const file = this.group.files.get(fd)
    if (file === undefined) return -ERRNO.EBADF
    this.group.remove(fd)
    return this.world.run(this, "filp_close", { filp: file }, () => {
      this.putFile(file)
      return 0
    })
  }

  /** Gives up a reference to an open file; the last one frees it. */
  putFile(file: OpenFile): void {
    if (file.references === 1) this.world.lsm(this, "file_free_security", { file })
    file.put()
  }

  lseek(fd: number, offset: number, whence = 0): number {
    return this.syscall("lseek", { fd, offset, whence }, () => {
      const file = this.group.files.get(fd)
      if (file === undefined) return -ERRNO.EBADF
      const base = whence === 0 ? 0 : whence === SEEK_END ? file.inode.size : file.position
      if (base + offset < 0) return -ERRNO.EINVAL
      file.position = base + offset
      file.moved()
      return file.position
    })
  }

  fsync(fd: number): number {
    return this.syscall("fsync", { fd }, () => {
      const file = this.group.files.get(fd)
      return file === undefined ? -ERRNO.EBADF : syncFile(this.world, this, file)
    })
  }

  dup(fildes: number): number {
    return this.syscall("dup", { fildes }, () => {
      const file = this.group.files.get(fildes)
      if (file === undefined) return -ERRNO.EBADF
      file.references++
      return this.group.install(file)
    })
  }

  ftruncate(fd: number, length: number): number {
    return this.syscall("ftruncate", { fd, length }, () => {
      const file = this.group.files.get(fd)
      if (file === undefined) return -ERRNO.EBADF
      if (!file.writable || length < 0) return -ERRNO.EINVAL
      const refused = this.world.lsm(this, "path_truncate", { path: file.pathReference() })
      if (refused < 0) return refused
      file.inode.resize(length)
      file.inode.change("modified")
      return 0
    })
  }

  ioctl(fd: number, cmd: number, arg = 0): number {
    return this.syscall("ioctl", { fd, cmd, arg }, () => {
      const file = this.group.files.get(fd)
      if (file === undefined) return -ERRNO.EBADF
      return this.world.lsm(this, "file_ioctl", { file, cmd, arg }) || -ERRNO.ENOTTY
    })
  }

  /** `newfstatat(2)`: size, mode, owner, or a negative errno. */
  stat(filename: string): { size: number; mode: number; uid: number; ino: number } | number {
    let found: { size: number; mode: number; uid: number; ino: number } | null = null
    const result = this.syscall("newfstatat", { dfd: AT_FDCWD, filename, flag: 0 }, (args) =>
      this.world.run(
        this,
        "vfs_fstatat",
        { dfd: AT_FDCWD, filename: args.word("filename") },
        () => {
          const where = lookup(this.world, this, AT_FDCWD, args.text("filename"), true)
          if (typeof where === "number") return where
          const inode = where.path?.dentry.inode
          if (where.path === undefined || !inode) return -ERRNO.ENOENT
          const refused = this.world.lsm(this, "inode_getattr", { path: pathFields(where.path) })
          if (refused < 0) return refused
          found = { size: inode.size, mode: inode.mode, uid: inode.uid, ino: inode.number }
          return 0
        },
      ),
    )
    return found ?? result
  }

  access(filename: string, mode: number): number {
    return this.syscall("access", { filename, mode }, (args) => {
      const found = lookup(this.world, this, AT_FDCWD, args.text("filename"), true)
      if (typeof found === "number") return found
      const inode = found.path?.dentry.inode
      if (!inode) return -ERRNO.ENOENT
      return (
        permission(inode, mode, this.credentials) ||
        this.world.lsm(this, "inode_permission", { inode, mask: mode })
      )
    })
  }

  unlink(pathname: string): number {
    return this.syscall("unlink", { pathname }, (args) =>
      unlinkAt(this.world, this, { dfd: AT_FDCWD, name: args.text("pathname"), flags: 0 }),
    )
  }

  unlinkat(pathname: string, flag = 0, options: AtOptions = {}): number {
    const dfd = options.dfd ?? AT_FDCWD
    return this.syscall("unlinkat", { dfd, pathname, flag }, (args) =>
      unlinkAt(this.world, this, { dfd, name: args.text("pathname"), flags: flag }),
    )
  }

  mkdir(pathname: string, mode = 0o777): number {
    return this.syscall("mkdir", { pathname, mode }, (args) =>
      makeAt(this.world, this, { dfd: AT_FDCWD, name: args.text("pathname"), mode }),
    )
  }

  rmdir(pathname: string): number {
    return this.syscall("rmdir", { pathname }, (args) => {
      const AT_REMOVEDIR = 0x200
      return unlinkAt(this.world, this, {
        dfd: AT_FDCWD,
        name: args.text("pathname"),
        flags: AT_REMOVEDIR,
      })
    })
  }

  symlink(target: string, name: string): number {
    return this.syscall("symlink", { oldname: target, newname: name }, (args) =>
      makeAt(this.world, this, {
        dfd: AT_FDCWD,
        name: args.text("newname"),
        mode: 0o777,
        target: args.text("oldname"),
      }),
    )
  }

  link(from: string, to: string): number {
    return this.syscall("link", { oldname: from, newname: to }, (args) =>
      linkAt(this.world, this, {
        olddfd: AT_FDCWD,
        from: args.text("oldname"),
        newdfd: AT_FDCWD,
        to: args.text("newname"),
      }),
    )
  }

  rename(from: string, to: string): number {
    return this.syscall("rename", { oldname: from, newname: to }, (args) =>
      renameAt(this.world, this, {
        olddfd: AT_FDCWD,
        from: args.text("oldname"),
        newdfd: AT_FDCWD,
        to: args.text("newname"),
        flags: 0,
      }),
    )
  }

  chmod(filename: string, mode: number): number {
    return this.syscall("chmod", { filename, mode }, (args) =>
      setAttributes(this.world, this, { dfd: AT_FDCWD, name: args.text("filename") }, { mode }),
    )
  }

  chown(filename: string, user: number, group = -1): number {
    return this.syscall("chown", { filename, user, group }, (args) => {
      const call = { dfd: AT_FDCWD, name: args.text("filename") }
      return setAttributes(this.world, this, call, { uid: user, gid: group })
    })
  }

  chdir(filename: string): number {
    return this.syscall("chdir", { filename }, (args) => {
      const found = lookup(this.world, this, AT_FDCWD, args.text("filename"), true)
      if (typeof found === "number") return found
      const inode = found.path?.dentry.inode
      if (found.path === undefined || !inode) return -ERRNO.ENOENT
      if (!inode.isDirectory) return -ERRNO.ENOTDIR
      const denied = permission(inode, MAY_EXEC, this.credentials)
      if (denied < 0) return denied
      this.group.cwd = found.path
      return 0
    })
  }

  /** Mounts a new, empty file system on a directory. */
  mount(type: string, directory: string, flags = 0): number {
    const fields = { dev_name: type, dir_name: directory, type, flags }
    return this.syscall("mount", fields, (args) => {
      const name = args.text("dir_name")
      const found = lookup(this.world, this, AT_FDCWD, name, true)
      if (typeof found === "number") return found
      if (found.path === undefined) return -ERRNO.ENOENT
      const path = pathFields(found.path)
      const refused = this.world.lsm(this, "sb_mount", { dev_name: type, path, type, flags })
      if (refused < 0) return refused
      if (this.credentials.euid !== 0) return -ERRNO.EPERM
      return this.world.files.mount(type, found.path, { readOnly: (flags & 1) !== 0 })
    })
  }

  /** The names in a directory, or a negative errno. */
  readdir(fd: number): string[] | number {
    let names: string[] = []
    const result = this.syscall("getdents64", { fd, count: 32768 }, () => {
      const file = this.group.files.get(fd)
      if (file === undefined) return -ERRNO.EBADF
      return this.world.run(this, "iterate_dir", { file }, () => {
        if (!file.inode.isDirectory) return -ERRNO.ENOTDIR
        const refused = this.world.lsm(this, "file_permission", { file, mask: 4 })
        if (refused < 0) return refused
        names = [...file.path.dentry.children.keys()]
        return names.reduce((sum, name) => sum + ((name.length + 27) & ~7), 48)
      })
    })
    return result < 0 ? result : names
  }

  /** The path that a descriptor stands for; undefined for a closed one. */
  pathOf(fd: number): string | undefined {
    const file = this.group.files.get(fd)
    return file === undefined ? undefined : pathName(file.path)
  }

  // ---- processes ------------------------------------------------------------------------------

  /**
   * A child process that goes on from here, as `fork` of a C library (`clone`).
   *
   * @throws SystemCallError when an LSM program or the kernel refuses it.
   */
  fork(options: CloneOptions = {}): Process {
    return clone(this.world, this, options)
  }

  /** Another thread of this process. */
  thread(options: CloneOptions = {}): Process {
    return clone(this.world, this, { ...options, thread: true })
  }

  /** `execve(2)`: 0, or a negative errno and the old program goes on. */
  exec(filename: string, argv: readonly string[] = [filename]): number {
    return execute(this.world, this, filename, argv)
  }

  /** Ends the process with all its threads. */
  exit(code = 0): void {
    exitGroup(this.world, this, { exit_group: true, status: (code & 0xff) << 8, code })
  }

  /** Waits for a child that has exited: its pid, or -ECHILD when there is none. */
  wait(pid = -1): number {
    return this.syscall("wait4", { upid: pid, options: 0 }, () => reap(this.world, this, pid))
  }

  /** `kill(2)`. */
  kill(target: number | Task, signal: number = SIGNALS.SIGTERM): number {
    const pid = typeof target === "number" ? target : target.pid
    return this.syscall("kill", { pid, sig: signal }, () => killTask(this.world, this, pid, signal))
  }

  /** Signals that have been sent act when the task returns to user space. */
  deliverSignals(): void {
    while (!this.hasExited) {
      const signal = this.pending.shift()
      if (signal === undefined) return
      const handler = this.handlers.get(signal)
      const isFatal = handler === undefined && !SIGNALS_IGNORED.includes(signal)
      this.world.fire(this, "signal:signal_deliver", {
        sig: signal,
        errno: 0,
        code: 0,
        sa_handler:
          typeof handler === "function" ? 0x5555_5555_6000n : handler === "ignore" ? 1n : 0n,
        sa_flags: 0,
      })
      if (typeof handler === "function") handler(signal)
      else if (isFatal)
        exitGroup(this.world, this, { exit_group: false, status: signal, code: signal })
    }
  }

  setuid(uid: number): number {
    return this.syscall("setuid", { uid }, () => {
      const old = this.credentials
      const next: Credentials = old.euid === 0 ? { ...old, uid, euid: uid } : { ...old, euid: uid }
      const refused = this.world.lsm(this, "task_fix_setuid", { flags: 1 })
      if (refused < 0) return refused
      if (old.euid !== 0 && uid !== old.uid && uid !== old.euid) return -ERRNO.EPERM
      this.credentials = next
      this.world.tasks.refresh(this)
      return 0
    })
  }

  getpid(): number {
    return this.syscall("getpid", {}, () => this.tgid)
  }

  getppid(): number {
    return this.syscall("getppid", {}, () => this.parent?.tgid ?? 0)
  }

  /** Computes for that long: nothing but time passes. */
  run(nanoseconds: bigint): void {
    this.world.scheduler.become(this)
    this.world.kernel.clock.advance(nanoseconds)
  }

  /** `clock_nanosleep(2)`. */
  sleep(nanoseconds: bigint): number {
    return this.syscall("clock_nanosleep", { which_clock: 1, flags: 0 }, () =>
      this.world.run(this, "hrtimer_nanosleep", { rqtp: nanoseconds, mode: 1, clockid: 1 }, () =>
        this.world.run(this, "do_nanosleep", {}, () => {
          this.world.scheduler.block(this, TASK_INTERRUPTIBLE, nanoseconds)
          return 0
        }),
      ),
    )
  }

  /** Touches memory that is not there yet: a page fault. */
  fault(address = 0x7fff_0000_0000n, isWrite = false): void {
    pageFault(this.world, this, address, isWrite)
  }

  /** Maps a file: its address, or a negative errno. */
  mmap(fd: number, length: number, prot = 1, flags = 2): bigint | number {
    return mapFile(this.world, this, { fd, length, prot, flags })
  }

  /**
   * Calls a function of the program that the task executes (or of a library): uprobes fire. Gives
   * what the function returned.
   *
   * @throws RangeError for a symbol that the file does not have.
   */
  call(
    symbol: string,
    args: readonly ArgumentValue[] = [],
    options: {
      readonly path?: string
      readonly returns?: number | bigint | (() => number | bigint)
    } = {},
  ): bigint {
    const path = options.path ?? this.group.exePath()
    const offset = this.world.executables.symbol(path, symbol)
    if (offset === undefined) throw new RangeError(`${path} has no function '${symbol}'`)
    const { returns = 0 } = options
    const body = (): number | bigint => (typeof returns === "function" ? returns() : returns)
    return this.passUserCode(path, offset, args, body)
  }

  /** A USDT probe of the program (or of a library) is passed. */
  usdt(provider: string, name: string, args: readonly ArgumentValue[] = [], path?: string): void {
    const file = path ?? this.group.exePath()
    const offset = this.world.executables.usdt(file, provider, name)
    if (offset === undefined) throw new RangeError(`${file} has no probe '${provider}:${name}'`)
    this.passUserCode(file, offset, args)
  }

  private passUserCode(
    path: string,
    offset: bigint,
    args: readonly ArgumentValue[],
    body?: () => number | bigint,
  ): bigint {
    const { world } = this
    world.scheduler.become(this)
    return world.events.firing.scoped(() => {
      const words = args.map((arg) =>
        typeof arg === "string"
          ? world.user.placeString(arg)
          : arg instanceof Uint8Array
            ? world.user.place(arg)
            : BigInt.asUintN(64, BigInt(arg)),
      )
      const { returned } = world.executables.call(path, offset, words, world.options(this), body)
      return returned
    })
  }

  /** Any system call of the table, with a result that is given: tracepoints fire. */
  syscall(
    name: string,
    args: Readonly<Record<string, ArgumentValue | undefined>> = {},
    body: Parameters<World["syscall"]>[3] = () => 0,
  ): number {
    return this.world.syscall(this, name, args, body)
  }

  /** Name of the process in recordings. */
  describe(): number {
    return this.pid
  }

  /** Kernel object of one of its open files. */
  fileOf(fd: number): OpenFile | undefined {
    return this.group.files.get(fd)
  }
}

/** What of a buffer lies in the task's memory, where programs can see it. */
const BUFFER_BYTES_MAX = 1 << 16
/** Signals that do nothing by default: SIGCHLD, SIGCONT, SIGURG, SIGWINCH. */
const SIGNALS_IGNORED: readonly number[] = [17, 18, 23, 28]
