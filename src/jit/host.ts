/**
 * What compiled programs of one kernel share: the area in linear memory, the table through which
 * they tail-call each other, the machine that runs at the moment, and the functions that compiled
 * code imports.
 *
 * A fault ends a run by an exception that passes through the WebAssembly frames; nothing else is
 * ever thrown into them.
 */

import type { Code } from "../interpreter/code.ts"
import {
  type AddressSpace,
  type Executable,
  FUNCTION_TAG,
  isAllowed,
  MAX_CALL_FRAMES,
  type Machine,
  REGION_CONTEXT,
  REGION_PROBE,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
  STACK_BYTES,
} from "../interpreter/index.ts"
import { MAX_BPF_STACK } from "../interpreter/prepare.ts"
import { TAIL_CALL } from "./calls.ts"
import { AREA } from "./layout.ts"
import type { JitMachine } from "./machine.ts"
import { type CompiledModule, type CompileOptions, FAULT, HOST_IMPORTS } from "./options.ts"

/** Thrown to end a run whose machine has a fault. */
export const UNWIND: Error = new Error("a fault of the program; this never leaves the engine")

/** A program that can be run. */
export interface JitProgram<E> {
  readonly code: Code<E>
  readonly options: CompileOptions
  /** Runs the main function on the frame at this address. */
  readonly run: (frame: number) => void
  /** The loop over packets ({@link batchBody}); absent for programs without any. */
  readonly batch?: BatchLoop
  readonly repeat: RepeatLoop
  /** By slot: the functions whose address is taken. */
  readonly functions: ReadonlyMap<number, (frame: number) => void>
  /** Index of `main` in the table. */
  readonly tableIndex: number
  readonly module: WebAssembly.Module
}

/** See batch.ts. */
export type BatchLoop = (
  first: number,
  count: number,
  frames: number,
  verdicts: number,
  tallies: number,
  contextLow: number,
  contextHigh: number,
  frame: number,
  fuel: number,
) => void
export type RepeatLoop = (
  count: number,
  contextLow: number,
  contextHigh: number,
  frame: number,
  fuel: number,
) => number

export interface HostPlace<E> {
  /** {@link AREA}.BYTES bytes, aligned to 8. */
  readonly area: number
  /** Region of all machines' stacks; its bounds are moved. */
  readonly stackRegion: number
  /** See InterpreterOptions. */
  readonly loadPacket?: (machine: Machine<E>, offset: number, size: number) => number | null
  /**
   * The compiled form of a program that is tail-called, or null when there is none: then
   * `interpret` runs it to its end.
   */
  readonly resolve: (executable: Executable<E>) => JitProgram<E> | null
  readonly interpret: (executable: Executable<E>, machine: JitMachine<E>) => void
  /** A program that was entered by a tail call within WebAssembly calls out for the first time. */
  readonly entered?: (executable: Executable<E>, machine: JitMachine<E>) => void
}

export class JitHost<E> {
  readonly space: AddressSpace
  readonly place: HostPlace<E>
  readonly table: WebAssembly.Table = new WebAssembly.Table({ element: "anyfunc", initial: 16 })
  /** The machine whose program runs; null outside of runs. */
  current: JitMachine<E> | null = null
  private used = 0
  private readonly freed: number[] = []

  constructor(space: AddressSpace, place: HostPlace<E>) {
    this.space = space
    this.place = place
  }

  /** Instantiates a module that was compiled from `executable`. */
  link(
    executable: Executable<E>,
    compiled: CompiledModule,
    module: WebAssembly.Module,
    options: CompileOptions,
  ): JitProgram<E> {
    const code = executable as Code<E>
    const imports: Record<string, WebAssembly.ImportValue> = {
      memory: this.space.memory,
      table: this.table,
    }
    for (const name of compiled.imports) imports[name] = this.importFor(name, code, options)
    const { exports } = new WebAssembly.Instance(module, { e: imports })
    const tableIndex = this.reserve()
    this.table.set(tableIndex, exports.main as () => void)
    return {
      code,
      options,
      run: exports.run as (frame: number) => void,
      batch: exports.batch as BatchLoop | undefined,
      repeat: exports.repeat as RepeatLoop,
      functions: new Map(
        compiled.entries.map((slot) => [slot, exports[`f${slot}`] as (frame: number) => void]),
      ),
      tableIndex,
      module,
    }
  }

  /** A program is gone: its place in the table may be used again. */
  unlink(program: JitProgram<E>): void {
    this.table.set(program.tableIndex, null)
    this.freed.push(program.tableIndex)
  }

  private reserve(): number {
    const free = this.freed.pop()
    if (free !== undefined) return free
    if (this.used === this.table.length) this.table.grow(this.table.length)
    return this.used++
  }

  private importFor(name: string, code: Code<E>, options: CompileOptions): WebAssembly.ImportValue {
    const own = options.inline?.imports?.[name]
    if (own !== undefined) return own as WebAssembly.ImportValue
    if (/^h\d+$/.test(name)) return this.helperImport(code, Number(name.slice(1)))
    const make = {
      [HOST_IMPORTS.check]: () => this.checkImport(code),
      [HOST_IMPORTS.enter]: () => this.enterImport(),
      [HOST_IMPORTS.exhausted]: () => (slot: number) =>
        this.stop(code, slot, "budget", "the run used up its budget of instructions"),
      [HOST_IMPORTS.fault]: () => this.faultImport(code),
      [HOST_IMPORTS.tail]: () => this.tailImport(code),
      [HOST_IMPORTS.callx]: () => this.callRegisterImport(code),
      [HOST_IMPORTS.packet]: () => this.packetImport(code),
      [HOST_IMPORTS.tag]: () => this.tagImport(),
      [HOST_IMPORTS.probe]: () => (low: number, high: number, size: number) =>
        isAllowed(this.space, low, high, size, REGION_READ) ? 1 : 0,
    }[name]
    if (make === undefined) throw new Error(`the compiled program wants an import ${name}`)
    return make()
  }

  private running(): JitMachine<E> {
    if (this.current === null) throw new Error("compiled code runs outside of a machine")
    return this.current
  }

  private stop(
    code: Code<E>,
    slot: number,
    kind: "budget" | "instruction" | "call-depth",
    message: string,
  ): never {
    const machine = this.running()
    machine.code = code
    machine.slot = slot
    machine.raise(kind, message)
    throw UNWIND
  }

  private helperImport(code: Code<E>, index: number): (slot: number, frame: number) => void {
    const helper = code.helpers[index]
    return (slot, frame) => {
      const machine = this.current as JitMachine<E>
      machine.slot = slot
      machine.frame = frame
      if (machine.code !== code) {
        machine.code = code
        this.place.entered?.(code, machine)
      }
      helper(machine)
      if (machine.fault !== null) throw UNWIND
      if (machine.pendingTail !== null) throw new Error(`slot ${slot} may not make a tail call`)
    }
  }

  private checkImport(code: Code<E>) {
    const { space } = this
    const scratch = this.place.area + AREA.SCRATCH
    return (low: number, high: number, off: number, access: number, slot: number): number => {
      const size = access & 0xff
      const way = (access >> 8) & 0xff
      const at = (low + off) | 0
      const carried = (high + (off >> 31) + (at >>> 0 < off >>> 0 ? 1 : 0)) | 0
      const region = carried & 0x7fff
      if (!isAllowed(space, at, carried, size, way)) {
        const isTagged = (carried & REGION_TAG) === REGION_TAG
        const probed = isTagged && ((space.regionFlags[region] ?? 0) & REGION_PROBE) !== 0
        if (way === REGION_READ && (access >> 16 === 2 || (probed && access >> 16 === 0))) return 1
        const machine = this.running()
        machine.code = code
        machine.slot = slot
        machine.raiseAccess(at, carried, size, way === REGION_READ ? REGION_READ : REGION_WRITE)
        throw UNWIND
      }
      if (access >> 16 === 1 && (at & (size - 1)) !== 0)
        this.misaligned(code, slot, { at, high: carried, size, way })
      const isContext = (space.regionFlags[region] & REGION_CONTEXT) !== 0
      space.i32[(scratch >> 2) + 1] =
        isContext && size === 4 ? space.contextTag(region, at - space.regionStart[region]) : 0
      return 0
    }
  }

  private misaligned(
    code: Code<E>,
    slot: number,
    access: { readonly at: number; readonly high: number; size: number; way: number },
  ): never {
    const { at, high, size, way } = access
    const machine = this.running()
    machine.code = code
    machine.slot = slot
    machine.raise(
      way === REGION_READ ? "read" : "write",
      `atomic access of ${size} bytes at 0x${(at >>> 0).toString(16)}, which is not aligned to them`,
      { address: (BigInt(high >>> 0) << 32n) | BigInt(at >>> 0), size },
    )
    throw UNWIND
  }

  private enterImport(): (frame: number) => void {
    const { space, place } = this
    return (frame) => {
      const machine = this.running()
      machine.frame = frame
      space.regionStart[place.stackRegion] = frame
      space.regionEnd[place.stackRegion] = machine.stackTop
    }
  }

  private faultImport(code: Code<E>): (slot: number, kind: number) => never {
    return (slot, kind) => {
      if (kind === FAULT.end)
        this.stop(code, slot, "instruction", "ran past the end of the program")
      const most = MAX_CALL_FRAMES
      return this.stop(code, slot, "call-depth", `the call would be frame ${most + 1} of ${most}`)
    }
  }

  private tailImport(code: Code<E>): (slot: number, frame: number) => number {
    const helper = code.resolveCall("helper", TAIL_CALL, 0)
    const { space, place } = this
    return (slot, frame) => {
      const machine = this.running()
      machine.slot = slot
      machine.frame = frame
      machine.code = code
      if (helper === null) throw new Error("there is no bpf_tail_call")
      helper(machine)
      if (machine.fault !== null) throw UNWIND
      const next = machine.pendingTail
      if (next === null) return -1
      machine.pendingTail = null
      const program = place.resolve(next)
      if (program !== null) {
        machine.enterProgram(program)
        space.regionStart[place.stackRegion] = machine.stackTop - STACK_BYTES
        space.regionEnd[place.stackRegion] = machine.stackTop
        return program.tableIndex
      }
      place.interpret(next, machine)
      if (machine.fault !== null) throw UNWIND
      return -2
    }
  }

  private callRegisterImport(code: Code<E>) {
    return (low: number, high: number, slot: number, frame: number): void => {
      const machine = this.running()
      machine.slot = slot
      machine.frame = frame
      machine.code = code
      const helper = high === 0 ? code.resolveCall("helper", low, 0) : null
      const target = high === FUNCTION_TAG ? machine.functionAt(low) : undefined
      if (helper !== null) helper(machine)
      else if (target !== undefined) machine.enter(target)
      else {
        const value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
        const message = `call of 0x${value.toString(16)}, which is no function`
        this.stop(code, slot, "instruction", message)
      }
      if (machine.fault !== null) throw UNWIND
    }
  }

  private packetImport(code: Code<E>) {
    const { loadPacket } = this.place
    return (offset: number, size: number, slot: number, frame: number): number => {
      const machine = this.running()
      machine.slot = slot
      machine.frame = frame
      machine.code = code
      const value = loadPacket === undefined ? null : loadPacket(machine, offset, size)
      if (machine.fault !== null) throw UNWIND
      machine.setResult64(value ?? 0, 0)
      return value === null ? 1 : 0
    }
  }

  private tagImport(): (address: number) => number {
    const { space, place } = this
    return (address) => {
      const region = space.i32[(place.area + AREA.CONTEXT_HIGH) >> 2] & 0x7fff
      return space.contextTag(region, address - space.regionStart[region])
    }
  }
}

/** Bytes of stack above a frame's lowest byte that belong to it. */
export const FRAME_BYTES: number = MAX_BPF_STACK
