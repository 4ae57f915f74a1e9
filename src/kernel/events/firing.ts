/**
 * What every hook needs to fire: arguments become 64-bit words (objects are written into kernel
 * memory by their types), words become a context, and the programs of a site run on it. Objects
 * made for an event live as long as the event.
 */

import type { BtfFuncProto, BtfParam } from "../../btf/index.ts"
import { REGION_READ, REGION_WRITE } from "../../interpreter/index.ts"
import { BPF_PROG_TYPE } from "../../spec/index.ts"
import type { KernelState, RunOutcome } from "../environment.ts"
import type { Hooks } from "../hooks/hooks.ts"
import type { Attachment } from "../hooks/link.ts"
import type { Task } from "../tasks/task.ts"
import { type FieldValue, kernelAddress, ObjectWriter } from "../types/index.ts"
import { createPathObject, pathStruct } from "./file-objects.ts"
import type { UserMemory } from "./user-memory.ts"

/** An object of the virtual world that lies in kernel memory, written there when it is first asked for. */
export interface KernelReference {
  /** Its address as programs see it. */
  kernelAddress(): bigint
  /** What a recording keeps of it: a path. */
  describe?(): string | number
}

/** What an event can be given: values by field (or parameter) name, tasks and objects as they are. */
export type EventFields = {
  readonly [name: string]: FieldValue | Task | KernelReference | undefined
}

export interface EmitOptions {
  readonly task?: Task
  readonly cpu?: number
}

/** Programs that ran, and what each of them returned. */
export interface Emitted {
  readonly programs: number
  readonly outcomes: readonly RunOutcome[]
}

/** How one program is run: the event's task and CPU, and saved function arguments. */
export interface FireOptions extends EmitOptions {
  /** Words in the context that are arguments. */
  readonly count?: number
  /** The function that is traced (bpf_get_func_ip), where the program does not say. */
  readonly functionIp?: bigint
  /** What the perf event has counted. */
  readonly perf?: { readonly counter: bigint; readonly enabled: bigint; readonly running: bigint }
  /** State of a session program between entry and return. */
  readonly session?: { readonly isReturn: boolean; readonly cookieOffset: number }
}

export class Firing {
  readonly kernel: KernelState
  readonly hooks: Hooks
  readonly user: UserMemory
  /** Context regions by nesting level. */
  private readonly regions: number[] = []
  /** Regions of the 8 bytes that a session program keeps from entry to return. */
  private readonly sessionRegions: number[] = []
  private depth = 0
  /** Told of every event before programs see it, and of every result: recordings. */
  observer: ((name: string, fields: EventFields, options: EmitOptions) => void) | null = null

  constructor(kernel: KernelState, hooks: Hooks, user: UserMemory) {
    this.kernel = kernel
    this.hooks = hooks
    this.user = user
  }

  /** Gives `body` a writer, and takes back what it and the event put into memory. */
  scoped<T>(body: (writer: ObjectWriter) => T): T {
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

  /** Whether anything is attached at a hook. */
  isHooked(key: string): boolean {
    return (this.hooks.find(key)?.attachments.length ?? 0) > 0
  }

  attachmentsAt(key: string): readonly Attachment[] {
    const attachments = this.hooks.find(key)?.attachments ?? []
    return attachments.length === 0 ? attachments : [...attachments]
  }

  runAll(
    key: string,
    context: number,
    size: number,
    options: FireOptions,
    outcomes: RunOutcome[],
  ): void {
    for (const attachment of this.attachmentsAt(key))
      if (attachment.applies?.(options.task ?? this.kernel.idleTask) ?? true)
        outcomes.push(this.runOne(attachment, context, size, options))
  }

  runOne(attachment: Attachment, context: number, size: number, options: FireOptions): RunOutcome {
    const { memory } = this.kernel
    const program = attachment.program.value
    this.regions[this.depth] ??= memory.createRegion(0, 0, 0)
    const region = this.regions[this.depth]
    const writable = program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE
    memory.setRegion(region, context, context + size, REGION_READ | (writable ? REGION_WRITE : 0))
    const { session } = options
    return this.kernel.run(program, {
      context,
      contextRegion: region,
      cpu: options.cpu ?? options.task?.cpu,
      task: options.task,
      cookie: attachment.cookie,
      functionIp: options.functionIp,
      session: session && {
        isReturn: session.isReturn,
        cookieAddress: this.sessionAddress(session.cookieOffset),
      },
      perf: options.perf,
      functionArguments:
        options.count === undefined ? undefined : { address: context, count: options.count },
    })
  }

  private sessionAddress(offset: number): bigint {
    const { memory } = this.kernel
    this.sessionRegions[this.depth] ??= memory.createRegion(0, 0, 0)
    const region = this.sessionRegions[this.depth]
    memory.setRegion(region, offset, offset + 8, REGION_READ | REGION_WRITE)
    return kernelAddress(region, offset)
  }

  /** The prototype of a kernel function, or of a tracepoint by its `btf_trace_` typedef. */
  prototypeOf(name: string, kind: "func" | "typedef"): BtfFuncProto | undefined {
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

  /** Words for the parameters in their order; what is not given is 0. */
  encodeArguments(
    params: readonly BtfParam[] | undefined,
    fields: EventFields,
    writer: ObjectWriter,
    event: string,
  ): bigint[] {
    // A function that these types do not describe takes what it is given, in that order.
    if (params === undefined)
      return Object.values(fields).map((value) => this.encodeUntyped(value, writer))
    return params.map((param) => {
      const value = fields[param.name]
      return value === undefined ? 0n : this.encodeArgument(param, value, writer, event)
    })
  }

  private encodeUntyped(value: EventFields[string], writer: ObjectWriter): bigint {
    if (isTask(value)) return kernelAddress(this.kernel.kernelRegion, this.kernel.taskStruct(value))
    if (isReference(value)) return value.kernelAddress()
    if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
      return BigInt.asUintN(64, BigInt(value))
    return typeof value === "string" ? writer.address(writer.createString(value)) : 0n
  }

  private encodeArgument(
    param: BtfParam,
    value: FieldValue | Task | KernelReference,
    writer: ObjectWriter,
    event: string,
  ): bigint {
    const { types } = this.kernel
    if (isTask(value)) return kernelAddress(this.kernel.kernelRegion, this.kernel.taskStruct(value))
    if (isReference(value)) return value.kernelAddress()
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

  /** The words in memory, 8 bytes each; returns their offset. */
  argumentArray(args: readonly bigint[], writer: ObjectWriter): number {
    const offset = writer.allocate(8 * Math.max(args.length, 1))
    args.forEach((arg, index) => {
      this.kernel.memory.view.setBigUint64(offset + 8 * index, arg, true)
    })
    return offset
  }
}

export function isTask(value: unknown): value is Task {
  return typeof value === "object" && value !== null && "structAddress" in value
}

export function isReference(value: unknown): value is KernelReference {
  return typeof value === "object" && value !== null && "kernelAddress" in value
}

function integerBits(size: number): number {
  return size >= 8 ? 64 : 8 * size
}
