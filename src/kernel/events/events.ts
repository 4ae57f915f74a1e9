/**
 * Firing events: a name and fields go in, every program attached to that tracepoint (as
 * tracepoint, raw tracepoint or tp_btf), function (kprobe, fentry) or LSM hook runs on a context
 * laid out as Linux lays it out. Objects made for an event live as long as the event.
 */

import type { BtfFuncProto, BtfParam } from "../../btf/index.ts"
import { REGION_READ, REGION_WRITE } from "../../interpreter/index.ts"
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from "../../spec/index.ts"
import type { KernelState, RunOutcome } from "../environment.ts"
import { type Hooks, hookKey } from "../hooks/hooks.ts"
import type { Attachment } from "../hooks/link.ts"
import type { Task } from "../tasks/task.ts"
import { type FieldValue, kernelAddress, ObjectWriter } from "../types/index.ts"
import { findTracepoint, findTracepointByName, type TracepointDefinition } from "./catalog.ts"
import { createPathObject, pathStruct } from "./file-objects.ts"
import { findSyscall, type Syscall } from "./syscalls.ts"
import type { UserMemory } from "./user-memory.ts"

/** What an event can be given: values by field (or parameter) name, tasks as they are. */
export type EventFields = { readonly [name: string]: FieldValue | Task | undefined }

export interface EmitOptions {
  readonly task?: Task
  readonly cpu?: number
}

/** Programs that ran, and what the last of them returned. */
export interface Emitted {
  readonly programs: number
  readonly outcomes: readonly RunOutcome[]
}

/** sizeof(struct pt_regs) on x86-64 and the offsets of the argument registers in it. */
const PT_REGS = {
  size: 168,
  di: 112,
  si: 104,
  dx: 96,
  r10: 56,
  r8: 72,
  r9: 64,
  cx: 88,
  ax: 80,
  orig_ax: 120,
  ip: 128,
} as const
const FUNCTION_REGISTERS = [PT_REGS.di, PT_REGS.si, PT_REGS.dx, PT_REGS.cx, PT_REGS.r8, PT_REGS.r9]
const SYSCALL_REGISTERS = [PT_REGS.di, PT_REGS.si, PT_REGS.dx, PT_REGS.r10, PT_REGS.r8, PT_REGS.r9]

export class Events {
  private readonly kernel: KernelState
  private readonly hooks: Hooks
  private readonly user: UserMemory
  /** Context regions by nesting level. */
  private readonly regions: number[] = []
  private depth = 0

  constructor(kernel: KernelState, hooks: Hooks, user: UserMemory) {
    this.kernel = kernel
    this.hooks = hooks
    this.user = user
  }

  /**
   * Fires a tracepoint: `group:name`, `group/name`, or a bare name.
   *
   * @throws RangeError for a name that is no tracepoint, TypeError for a field it does not have.
   */
  emit(name: string, fields: EventFields, options: EmitOptions = {}): Emitted {
    const definition = resolveName(name)
    return this.scoped((writer) => {
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
  ): Emitted {
    const proto = this.prototypeOf(name, "func")
    return this.scoped((writer) => {
      const args = this.encodeArguments(proto?.params ?? [], fields, writer, name)
      const outcomes: RunOutcome[] = []
      const entry = this.registers(args, FUNCTION_REGISTERS, writer)
      this.runAll(hookKey.tracepoint("kprobe", name), entry, PT_REGS.size, options, outcomes)
      const saved = this.argumentArray(args, writer)
      const fentry = hookKey.trampoline(name, BPF_ATTACH_TYPE.BPF_TRACE_FENTRY)
      this.runAll(fentry, saved, 8 * args.length, { ...options, count: args.length }, outcomes)
      if (options.returns !== undefined) {
        const value = BigInt.asUintN(64, BigInt(options.returns))
        this.kernel.memory.view.setBigUint64(entry + PT_REGS.ax, value, true)
        this.runAll(hookKey.tracepoint("kretprobe", name), entry, PT_REGS.size, options, outcomes)
        const exit = this.argumentArray([...args, value], writer)
        const fexit = hookKey.trampoline(name, BPF_ATTACH_TYPE.BPF_TRACE_FEXIT)
        this.runAll(
          fexit,
          exit,
          8 * (args.length + 1),
          { ...options, count: args.length },
          outcomes,
        )
      }
      return { programs: outcomes.length, outcomes }
    })
  }

  /**
   * An LSM hook is asked: programs run in order until one says no. Returns 0 or the first
   * non-zero verdict, a negative errno.
   */
  lsm(hook: string, fields: EventFields, options: EmitOptions = {}): number {
    const proto = this.prototypeOf(`bpf_lsm_${hook}`, "func")
    if (proto === undefined) throw new RangeError(`there is no LSM hook '${hook}'`)
    return this.scoped((writer) => {
      const args = this.encodeArguments(proto.params, fields, writer, hook)
      const context = this.argumentArray([...args, 0n], writer)
      for (const attachment of [...(this.hooks.find(hookKey.lsm(hook))?.attachments ?? [])]) {
        const outcome = this.runOne(attachment, context, 8 * (args.length + 1), {
          ...options,
          count: args.length,
        })
        // A program that faulted has no verdict: Linux could not have loaded it.
        if (outcome.fault === null && outcome.low !== 0) return outcome.low
      }
      return 0
    })
  }

  private scoped<T>(body: (writer: ObjectWriter) => T): T {
    const writer = new ObjectWriter(this.kernel)
    const mark = this.user.mark()
    this.depth++
    try {
      return body(writer)
    } finally {
      this.depth--
      this.user.release(mark)
      writer.release()
    }
  }

  private fireTracepoint(
    definition: TracepointDefinition,
    fields: EventFields,
    writer: ObjectWriter,
    options: EmitOptions,
    outcomes: RunOutcome[],
  ): void {
    const key = hookKey.tracepoint(definition.group, definition.name)
    if ((this.hooks.find(key)?.attachments.length ?? 0) === 0) return
    const { types } = this.kernel
    const id = types.findByName(`trace_event_raw_${definition.record}`, "struct")
    if (id === undefined)
      throw new RangeError(`the kernel's types do not describe ${definition.name}`)
    const task = options.task ?? this.kernel.idleTask
    const plain = this.recordFields(definition, id, fields)
    const record = writer.createRecord(id, { ...plain, ent: { pid: task.pid } })
    this.runAll(key, record.offset, record.size, options, outcomes)
  }

  /** The fields without tasks and without those that only the raw tracepoint is given. */
  private recordFields(
    definition: TracepointDefinition,
    recordId: number,
    fields: EventFields,
  ): { [name: string]: FieldValue | undefined } {
    const rawName = syscallOf(definition) === null ? definition.name : definition.record
    const proto = this.prototypeOf(`btf_trace_${rawName}`, "typedef")
    const onlyRaw = new Set(proto?.params.map((param) => param.name))
    const record = this.kernel.types.resolve(recordId)
    if (record.kind === "struct")
      for (const { name } of record.members) onlyRaw.delete(name.replace(/^__data_loc_/, ""))
    const kept: { [name: string]: FieldValue | undefined } = {}
    for (const [name, value] of Object.entries(fields))
      if (!isTask(value) && !onlyRaw.has(name)) kept[name] = value
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
    if ((this.hooks.find(key)?.attachments.length ?? 0) === 0) return
    const proto = this.prototypeOf(`btf_trace_${name}`, "typedef")
    const args = this.encodeArguments(proto?.params.slice(1) ?? [], fields, writer, name)
    const context = this.argumentArray(args, writer)
    this.runAll(
      key,
      context,
      8 * Math.max(args.length, 1),
      { ...options, count: args.length },
      outcomes,
    )
  }

  private runAll(
    key: string,
    context: number,
    size: number,
    options: EmitOptions & { readonly count?: number },
    outcomes: RunOutcome[],
  ): void {
    for (const attachment of [...(this.hooks.find(key)?.attachments ?? [])])
      outcomes.push(this.runOne(attachment, context, size, options))
  }

  private runOne(
    attachment: Attachment,
    context: number,
    size: number,
    options: EmitOptions & { readonly count?: number },
  ): RunOutcome {
    const { memory } = this.kernel
    const program = attachment.program.value
    this.regions[this.depth] ??= memory.createRegion(0, 0, 0)
    const region = this.regions[this.depth]
    const writable = program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE
    memory.setRegion(region, context, context + size, REGION_READ | (writable ? REGION_WRITE : 0))
    return this.kernel.run(program, {
      context,
      contextRegion: region,
      cpu: options.cpu,
      task: options.task,
      cookie: attachment.cookie,
      functionArguments:
        options.count === undefined ? undefined : { address: context, count: options.count },
    })
  }

  private prototypeOf(name: string, kind: "func" | "typedef"): BtfFuncProto | undefined {
    const { types } = this.kernel
    const id = types.findByName(name, kind)
    if (id === undefined) return undefined
    const type = types.type(id)
    if (type.kind === "func") {
      const proto = types.type(type.type)
      return proto.kind === "func_proto" ? proto : undefined
    }
    if (type.kind !== "typedef") return undefined
    const pointer = types.resolve(type.type)
    const proto = pointer.kind === "ptr" ? types.resolve(pointer.type) : pointer
    return proto.kind === "func_proto" ? proto : undefined
  }

  private encodeArguments(
    params: readonly BtfParam[],
    fields: EventFields,
    writer: ObjectWriter,
    event: string,
  ): bigint[] {
    return params.map((param) => {
      const value = fields[param.name]
      return value === undefined ? 0n : this.encodeArgument(param, value, writer, event)
    })
  }

  private encodeArgument(
    param: BtfParam,
    value: FieldValue | Task,
    writer: ObjectWriter,
    event: string,
  ): bigint {
    const { types } = this.kernel
    if (isTask(value)) return kernelAddress(this.kernel.kernelRegion, this.kernel.taskStruct(value))
    if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
      return BigInt.asUintN(integerBits(types.sizeOf(param.type)), BigInt(value))
    if (typeof value === "string") {
      const struct = pathStruct(types, param.type)
      return struct === undefined
        ? writer.address(writer.createString(value))
        : createPathObject(types, writer, struct, value)
    }
    const pointer = types.resolve(param.type)
    if (pointer.kind !== "ptr")
      throw new TypeError(`${event}: argument '${param.name}' is an integer`)
    if (value instanceof Uint8Array) {
      const offset = writer.allocate(value.length)
      this.kernel.memory.write(offset, value)
      return writer.address(offset)
    }
    return writer.address(writer.create(pointer.type, value as FieldValue))
  }

  private argumentArray(args: readonly bigint[], writer: ObjectWriter): number {
    const offset = writer.allocate(8 * Math.max(args.length, 1))
    args.forEach((arg, index) => {
      this.kernel.memory.view.setBigUint64(offset + 8 * index, arg, true)
    })
    return offset
  }

  private registers(
    args: readonly bigint[],
    places: readonly number[],
    writer: ObjectWriter,
  ): number {
    const regs = writer.allocate(PT_REGS.size)
    args.slice(0, places.length).forEach((arg, index) => {
      this.kernel.memory.view.setBigUint64(regs + places[index], arg, true)
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
    const regs = this.registers(args, SYSCALL_REGISTERS, writer)
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

function isTask(value: unknown): value is Task {
  return typeof value === "object" && value !== null && "structAddress" in value
}

function integerBits(size: number): number {
  return size >= 8 ? 64 : 8 * size
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
  } else from(fields["p"] ?? fields["task"], "comm", "pid", "prio")
  return { ...more, ...fields }
}
