/**
 * The virtual world as its parts share it: how a task enters a system call and leaves it, how a
 * kernel function and an LSM hook are run for a task, and what time it takes.
 */

import { ERRNO } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import {
  type EmitOptions,
  type EventFields,
  type Events,
  findSyscall,
  PT_REGS,
  SYSCALL_REGISTERS,
  type UserMemory,
} from "../events/index.ts"
import type { Tasks } from "../tasks/tasks.ts"
import { Mirror, type WriterHost } from "../types/index.ts"
import { Disk } from "./disk.ts"
import { Executables } from "./executables.ts"
import { FileSystem, ROOT_DEVICE } from "./file-system.ts"
import type { FileHost } from "./inode.ts"
import type { Process } from "./process.ts"
import { type Schedulable, Scheduler, TASK_UNINTERRUPTIBLE } from "./scheduler.ts"

/** Into the kernel and out again. */
const ENTRY_NS = 150n
const NANOSECONDS_PER_SECOND = 1_000_000_000n

/** A system call in progress: its arguments as words, and what they point to. */
export class SyscallArguments {
  readonly words: readonly bigint[]
  private readonly names: readonly string[]
  private readonly user: UserMemory

  constructor(names: readonly string[], words: readonly bigint[], user: UserMemory) {
    this.names = names
    this.words = words
    this.user = user
  }

  word(name: string): bigint {
    return this.words[this.names.indexOf(name)] ?? 0n
  }

  int(name: string): number {
    return Number(BigInt.asIntN(32, this.word(name)))
  }

  /** The string there now: a program may have written over what the caller passed. */
  text(name: string): string {
    return this.user.readString(this.word(name)) ?? ""
  }

  bytes(name: string, size: number): Uint8Array {
    return this.user.read(this.word(name), size) ?? new Uint8Array(0)
  }

  write(name: string, bytes: Uint8Array): void {
    this.user.write(this.word(name), bytes)
  }
}

/** A value of a system call's argument: bytes and strings are put into the task's memory. */
export type ArgumentValue = number | bigint | string | Uint8Array

export class World {
  readonly kernel: KernelState
  readonly events: Events
  readonly user: UserMemory
  readonly tasks: Tasks
  readonly scheduler: Scheduler
  readonly disk: Disk
  readonly executables: Executables
  /** Told about switches and page faults: software perf events. */
  counted: (event: string, task: Schedulable | Process, cpu: number) => void = () => {}
  private readonly host: WriterHost
  private tree: FileSystem | null = null

  constructor(kernel: KernelState, events: Events, user: UserMemory, tasks: Tasks) {
    this.kernel = kernel
    this.events = events
    this.user = user
    this.tasks = tasks
    const fire = (name: string, fields: EventFields, options: EmitOptions): void =>
      events.fire(name, fields, options)
    this.scheduler = new Scheduler({
      cpus: kernel.cpus,
      clock: kernel.clock,
      idleOf: (cpu) => tasks.idleOf(cpu),
      fire,
      changed: (task) => tasks.refresh(task),
      counted: (event, task, cpu) => this.counted(event, task as Process, cpu),
    })
    const world = this
    this.host = new LazyHost(kernel)
    this.disk = new Disk(
      {
        memory: kernel.memory,
        get types() {
          return kernel.types
        },
        kernelRegion: kernel.kernelRegion,
        clock: kernel.clock,
        cpus: kernel.cpus,
        random32: () => kernel.random32(),
        fire,
        call: (name, fields, options) => {
          events.functions.run(name, fields, options, () => 0)
        },
        wait(task, nanoseconds, atWake) {
          const { scheduler } = world
          scheduler.block(task as Process, TASK_UNINTERRUPTIBLE, nanoseconds, () => {
            const cpu = task.cpu ?? 0
            atWake({ task: scheduler.current(cpu), cpu })
          })
        },
      },
      ROOT_DEVICE,
    )
    this.executables = new Executables(events.firing)
  }

  /** The files; made when somebody first asks. */
  get files(): FileSystem {
    this.tree ??= new FileSystem(new LazyHost(this.kernel), () => this.kernel.random32())
    return this.tree
  }

  options(task: Process): EmitOptions {
    return { task, cpu: task.cpu }
  }

  fire(task: Process, name: string, fields: EventFields): void {
    this.events.fire(name, fields, this.options(task))
  }

  /** A kernel function is run for a task; programs may see it, and take its place. */
  run(task: Process, name: string, fields: EventFields, body: () => number | bigint): number {
    return this.events.functions.run(name, fields, this.options(task), body)
  }

  /** An LSM hook is asked about what a task is doing: 0 or a negative errno. */
  lsm(task: Process, hook: string, fields: EventFields): number {
    const { functions, firing } = this.events
    const options = this.options(task)
    firing.observer?.(`lsm:${hook}`, fields, options)
    return functions.watchesLsm(hook, task) ? functions.lsm(hook, fields, options) : 0
  }

  /** `struct filename` for a name that a system call was given. */
  fileName(name: string): Mirror {
    return new Mirror(this.writer(), "filename", () => ({ name, refcnt: { counter: 1 } }))
  }

  /** For objects in kernel memory; types are only made when one is written. */
  writer(): WriterHost {
    return this.host
  }

  /**
   * A task makes a system call: entry tracepoints, the function behind it, return tracepoints with
   * the result, and the signals that wait for the way back. Returns the result as Linux does.
   *
   * @throws RangeError for a name that is not in the table, TypeError when the task has exited.
   */
  syscall(
    task: Process,
    name: string,
    args: Readonly<Record<string, ArgumentValue | undefined>>,
    body: (args: SyscallArguments) => number | bigint,
  ): number {
    const syscall = findSyscall(name)
    if (syscall === undefined) throw new RangeError(`there is no system call '${name}'`)
    if (task.hasExited) throw new TypeError(`task ${task.pid} (${task.comm}) has exited`)
    this.scheduler.become(task)
    this.kernel.clock.advance(ENTRY_NS)
    const result = this.events.firing.scoped((writer) => {
      const words = syscall.args.map((arg) => this.place(args[arg.name]))
      const names = syscall.args.map((arg) => arg.name)
      const watched = this.events.watchesSyscall(name)
      const regs = writer.allocate(PT_REGS.size)
      this.fillRegisters(regs, syscall.number, words)
      task.userRegisters = regs
      this.events.firing.observer?.(`syscalls:sys_enter_${name}`, args, this.options(task))
      if (watched) this.events.fireSyscall(syscall, { regs, args: words }, this.options(task))
      const run = (): number | bigint => body(new SyscallArguments(names, words, this.user))
      const ret = this.run(task, `__x64_sys_${name}`, { regs: writer.address(regs) }, run)
      this.kernel.clock.advance(ENTRY_NS)
      const { view } = this.kernel.memory
      view.setBigInt64(regs + PT_REGS.ax, BigInt(ret), true)
      this.events.firing.observer?.(`syscalls:sys_exit_${name}`, { ret }, this.options(task))
      // A task that has exited never comes back from the call.
      if (watched && !task.hasExited) {
        const state = { regs, args: words, ret: BigInt(ret) }
        this.events.fireSyscall(syscall, state, this.options(task))
      }
      task.userRegisters = 0
      return ret
    })
    task.deliverSignals()
    return result
  }

  private place(value: ArgumentValue | undefined): bigint {
    if (value === undefined) return 0n
    if (typeof value === "string") return this.user.placeString(value)
    if (value instanceof Uint8Array) return this.user.place(value)
    return BigInt.asUintN(64, BigInt(value))
  }

  private fillRegisters(regs: number, number: number, words: readonly bigint[]): void {
    const { view } = this.kernel.memory
    words.slice(0, SYSCALL_REGISTERS.length).forEach((word, index) => {
      view.setBigUint64(regs + SYSCALL_REGISTERS[index], word, true)
    })
    view.setBigUint64(regs + PT_REGS.orig_ax, BigInt(number), true)
    view.setBigInt64(regs + PT_REGS.ax, BigInt(-ERRNO.ENOSYS), true)
  }
}

/** The kernel's memory and types as object writers see them; types are made at the first use. */
class LazyHost implements FileHost {
  private readonly kernel: KernelState

  constructor(kernel: KernelState) {
    this.kernel = kernel
  }

  get memory(): KernelState["memory"] {
    return this.kernel.memory
  }

  get types(): KernelState["types"] {
    return this.kernel.types
  }

  get kernelRegion(): number {
    return this.kernel.kernelRegion
  }

  wallSeconds(): bigint {
    return this.kernel.clock.wall() / NANOSECONDS_PER_SECOND
  }
}
