/**
 * Firing events: a name and fields go in, every program attached to that tracepoint (as
 * tracepoint, raw tracepoint or tp_btf), function (kprobe, fentry) or LSM hook runs on a context
 * laid out as Linux lays it out. Objects made for an event live as long as the event.
 */

import type { KernelState, RunOutcome } from "../environment.ts"
import { type Hooks, hookKey } from "../hooks/hooks.ts"
import type { FieldValue, ObjectWriter } from "../types/index.ts"
import { findTracepoint, findTracepointByName, type TracepointDefinition } from "./catalog.ts"
import {
  type EmitOptions,
  type Emitted,
  type EventFields,
  Firing,
  isReference,
  isTask,
} from "./firing.ts"
import { Functions } from "./functions.ts"
import { PT_REGS, SYSCALL_REGISTERS } from "./registers.ts"
import { findSyscall, type Syscall } from "./syscalls.ts"
import type { UserMemory } from "./user-memory.ts"

export class Events {
  readonly functions: Functions
  readonly firing: Firing
  private readonly kernel: KernelState
  private readonly user: UserMemory

  constructor(kernel: KernelState, hooks: Hooks, user: UserMemory) {
    this.kernel = kernel
    this.user = user
    this.firing = new Firing(kernel, hooks, user)
    this.functions = new Functions(this.firing)
  }

  /**
   * Fires a tracepoint: `group:name`, `group/name`, or a bare name.
   *
   * @throws RangeError for a name that is no tracepoint, TypeError for a field it does not have.
   */
  emit(name: string, fields: EventFields, options: EmitOptions = {}): Emitted {
    const definition = resolveName(name)
    return this.firing.scoped((writer) => {
      const syscall = syscallOf(definition)
      const full =
        syscall === null
          ? derived(definition, fields)
          : this.syscallFields(definition, syscall, fields, writer)
      const outcomes: RunOutcome[] = []
      this.fireTracepoint(definition, full, writer, options, outcomes)
      if (syscall !== null) {
        const raw = findTracepoint("raw_syscalls", definition.record)
        if (raw !== undefined) this.fireTracepoint(raw, full, writer, options, outcomes)
      }
      const rawName = syscall === null ? definition.name : definition.record
      this.fireRaw(rawName, full, writer, options, outcomes)
      return { programs: outcomes.length, outcomes }
    })
  }

  /**
   * A kernel function is called: kprobe and fentry programs run; with `returns`, kretprobe and
   * fexit programs run too.
   */
  call(
    name: string,
    fields: EventFields,
    options: EmitOptions & { readonly returns?: number | bigint } = {},
  ): Emitted & { readonly returned: bigint } {
    const { returns } = options
    const body = returns === undefined ? undefined : (): number | bigint => returns
    const { outcomes, returned } = this.functions.call(name, fields, options, body)
    return { programs: outcomes.length, outcomes, returned: BigInt.asIntN(64, returned) }
  }

  /** See {@link Functions.lsm}. */
  lsm(hook: string, fields: EventFields, options: EmitOptions = {}): number {
    return this.functions.lsm(hook, fields, options)
  }

  /** A tracepoint as the virtual kernel itself fires it: free while no program watches. */
  fire(name: string, fields: EventFields, options: EmitOptions): void {
    this.firing.observer?.(name, fields, options)
    const definition = resolveName(name)
    if (this.isWatched(definition, definition.name)) this.emit(name, fields, options)
  }

  /** Whether any program would see the entry or the return of a system call. */
  watchesSyscall(name: string): boolean {
    const { firing } = this
    return (
      firing.isHooked(hookKey.rawTracepoint("sys_enter")) ||
      firing.isHooked(hookKey.rawTracepoint("sys_exit")) ||
      firing.isHooked(hookKey.tracepoint("raw_syscalls", "sys_enter")) ||
      firing.isHooked(hookKey.tracepoint("raw_syscalls", "sys_exit")) ||
      firing.isHooked(hookKey.tracepoint("syscalls", `sys_enter_${name}`)) ||
      firing.isHooked(hookKey.tracepoint("syscalls", `sys_exit_${name}`))
    )
  }

  /**
   * Entry (`ret` absent) or return of a system call, whose registers lie in kernel memory at
   * `regs` already: the same ones for both, and for the functions in between.
   */
  fireSyscall(
    syscall: Syscall,
    state: { readonly regs: number; readonly args: readonly bigint[]; readonly ret?: bigint },
    options: EmitOptions,
  ): void {
    const record = state.ret === undefined ? "sys_enter" : "sys_exit"
    this.firing.scoped((writer) => {
      const fields: EventFields = {
        id: syscall.number,
        regs: writer.address(state.regs),
        ...(state.ret === undefined ? { args: [...state.args] } : { ret: state.ret }),
      }
      const outcomes: RunOutcome[] = []
      for (const [group, name] of [
        ["syscalls", `${record}_${syscall.name}`],
        ["raw_syscalls", record],
      ]) {
        const definition = findTracepoint(group, name)
        if (definition !== undefined)
          this.fireTracepoint(definition, fields, writer, options, outcomes)
      }
      this.fireRaw(record, fields, writer, options, outcomes)
    })
  }

  /** Whether any program would see a tracepoint. */
  private isWatched(definition: TracepointDefinition, rawName: string): boolean {
    return (
      this.firing.isHooked(hookKey.tracepoint(definition.group, definition.name)) ||
      this.firing.isHooked(hookKey.rawTracepoint(rawName))
    )
  }

  private fireTracepoint(
    definition: TracepointDefinition,
    fields: EventFields,
    writer: ObjectWriter,
    options: EmitOptions,
    outcomes: RunOutcome[],
  ): void {
    const key = hookKey.tracepoint(definition.group, definition.name)
    if (!this.firing.isHooked(key)) return
    const { types } = this.kernel
    const id = types.findByName(`trace_event_raw_${definition.record}`, "struct")
    if (id === undefined)
      throw new RangeError(`the kernel's types do not describe ${definition.name}`)
    const task = options.task ?? this.kernel.idleTask
    const plain = this.recordFields(definition, id, fields)
    const record = writer.createRecord(id, { ...plain, ent: { pid: task.pid } })
    this.firing.runAll(key, record.offset, record.size, options, outcomes)
  }

  /** The fields without tasks and without those that only the raw tracepoint is given. */
  private recordFields(
    definition: TracepointDefinition,
    recordId: number,
    fields: EventFields,
  ): { [name: string]: FieldValue | undefined } {
    const rawName = syscallOf(definition) === null ? definition.name : definition.record
    const proto = this.firing.prototypeOf(`btf_trace_${rawName}`, "typedef")
    const onlyRaw = new Set(proto?.params.map((param) => param.name))
    const record = this.kernel.types.resolve(recordId)
    if (record.kind === "struct")
      for (const { name } of record.members) onlyRaw.delete(name.replace(/^__data_loc_/, ""))
    const kept: { [name: string]: FieldValue | undefined } = {}
    for (const [name, value] of Object.entries(fields))
      if (!isTask(value) && !isReference(value) && !onlyRaw.has(name)) kept[name] = value
    return kept
  }

  private fireRaw(
    name: string,
    fields: EventFields,
    writer: ObjectWriter,
    options: EmitOptions,
    outcomes: RunOutcome[],
  ): void {
    const key = hookKey.rawTracepoint(name)
    if (!this.firing.isHooked(key)) return
    const proto = this.firing.prototypeOf(`btf_trace_${name}`, "typedef")
    const args = this.firing.encodeArguments(proto?.params.slice(1) ?? [], fields, writer, name)
    const context = this.firing.argumentArray(args, writer)
    this.firing.runAll(
      key,
      context,
      8 * Math.max(args.length, 1),
      { ...options, count: args.length },
      outcomes,
    )
  }

  private registers(args: readonly bigint[], writer: ObjectWriter): number {
    const regs = writer.allocate(PT_REGS.size)
    args.slice(0, SYSCALL_REGISTERS.length).forEach((arg, index) => {
      this.kernel.memory.view.setBigUint64(regs + SYSCALL_REGISTERS[index], arg, true)
    })
    return regs
  }

  /** Fields of sys_enter and sys_exit from a system call's own argument names. */
  private syscallFields(
    definition: TracepointDefinition,
    syscall: Syscall,
    fields: EventFields,
    writer: ObjectWriter,
  ): EventFields {
    const args = syscall.args.map((arg): bigint => {
      const value = fields[arg.name]
      if (value === undefined) return 0n
      if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
        return BigInt.asUintN(64, BigInt(value))
      if (typeof value === "string") return this.user.placeString(value)
      if (value instanceof Uint8Array) return this.user.place(value)
      throw new TypeError(`${definition.name}: '${arg.name}' takes a number, a string or bytes`)
    })
    const names = new Set([...syscall.args.map((arg) => arg.name), "ret", "args"])
    for (const name of Object.keys(fields))
      if (!names.has(name))
        throw new TypeError(
          `${definition.name}: no argument '${name}' (there are ${[...names].join(", ")})`,
        )
    const given = Array.isArray(fields["args"]) ? (fields["args"] as FieldValue[]) : args
    const regs = this.registers(args, writer)
    const { view } = this.kernel.memory
    view.setBigUint64(regs + PT_REGS.orig_ax, BigInt(syscall.number), true)
    const ret = (fields["ret"] ?? 0) as number | bigint
    view.setBigInt64(regs + PT_REGS.ax, BigInt(ret), true)
    return {
      id: syscall.number,
      regs: writer.address(regs),
      ...(definition.record === "sys_enter" ? { args: given } : { ret }),
    }
  }
}

function resolveName(name: string): TracepointDefinition {
  const parts = name.replace(/^(tracepoint|tp|raw_tp|tp_btf)[:/]/, "").split(/[:/]/)
  const found =
    parts.length === 2 ? findTracepoint(parts[0], parts[1]) : findTracepointByName(parts[0])
  if (found === undefined) throw new RangeError(`there is no tracepoint '${name}'`)
  return found
}

function syscallOf(definition: TracepointDefinition): Syscall | null {
  if (definition.group !== "syscalls") return null
  return findSyscall(definition.name.replace(/^sys_(enter|exit)_/, "")) ?? null
}

/** Record fields that follow from the tasks an event is about, where they are not given. */
function derived(definition: TracepointDefinition, fields: EventFields): EventFields {
  const more: { [name: string]: FieldValue } = {}
  const from = (task: unknown, comm: string, pid: string, prio?: string): void => {
    if (!isTask(task)) return
    more[comm] = task.comm
    more[pid] = task.pid
    if (prio !== undefined) more[prio] = 120
  }
  if (definition.name === "sched_switch") {
    from(fields["prev"], "prev_comm", "prev_pid", "prev_prio")
    from(fields["next"], "next_comm", "next_pid", "next_prio")
  } else if (definition.name === "sched_process_fork") {
    from(fields["parent"], "parent_comm", "parent_pid")
    from(fields["child"], "child_comm", "child_pid")
  } else if (definition.name === "sched_process_exec") {
    if (isTask(fields["p"])) more["pid"] = fields["p"].pid
  } else if (fields["p"] !== undefined) from(fields["p"], "comm", "pid", "prio")
  else from(fields["task"], "comm", "pid")
  return { ...more, ...fields }
}
