/**
 * The engines of a kernel, and which of them runs a program: the interpreter, or the compiler to
 * WebAssembly. `auto` interprets first and compiles in the background what runs often; programs
 * that no verifier has accepted stay interpreted then, because compiled code with checks is no
 * faster.
 *
 * Where the host forbids compilation, everything is interpreted, and `notice` says so once.
 */

import {
  createInterpreter,
  type Executable,
  type Fault,
  type Interpreter,
  type Machine,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
  type Run,
  type RunResult,
  STACK_BYTES,
} from "../../interpreter/index.ts"
import {
  AREA,
  type CompileOptions,
  compileProgram,
  dumpProgram,
  JitHost,
  JitMachine,
  type JitProgram,
  type PacketFields,
} from "../../jit/index.ts"
import { BPF_PROG_TYPE, HELPERS } from "../../spec/index.ts"
import { SKB, XDP_MD } from "../contexts/index.ts"
import type { Environment, KernelState } from "../environment.ts"
import { mapEngines } from "../maps/engines.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import { inlineHelpers, TAIL_TARGETS } from "./jit-helpers.ts"
import type { Program } from "./program.ts"

export type EngineName = "interpreter" | "jit" | "auto"

export interface EngineOptions {
  readonly memory: KernelMemory
  /** "auto" by default. */
  readonly engine?: EngineName
  /**
   * Compiled code makes no memory checks, even in programs that no verifier has accepted: for
   * programs that you trust.
   */
  readonly trusted?: boolean
  /** Instructions that one run may take; without it, verified programs are not counted. */
  readonly budget?: number
  /** Overrides what the compiler is told: for tests of the compiler. */
  readonly compile?: Partial<CompileOptions>
  /** Told in one sentence why a program, or everything, is interpreted though it was to be compiled. */
  readonly notice?: (text: string) => void
  /** LD_ABS and LD_IND. */
  readonly loadPacket: (
    machine: Machine<Environment>,
    offset: number,
    size: number,
  ) => number | null
}

/** The engine that the environment variable SKEP_ENGINE names: for running tests on each. */
export function engineOfProcess(): EngineName | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  const name = process?.env?.SKEP_ENGINE
  return name === "interpreter" || name === "jit" || name === "auto" ? name : undefined
}

/** Runs, and instructions, after which `auto` compiles a program. */
const HOT_RUNS = 50
const HOT_STEPS = 20_000
/** Slots up to which a program is compiled at once; larger ones in the background. */
const SYNCHRONOUS_SLOTS_MAX = 512

/** What is known of a program's compiled form. */
interface Tier {
  readonly program: Program
  runs: number
  steps: number
  compiled: JitProgram<Environment> | null
  state: "cold" | "compiling" | "ready" | "refused"
}

export class Engines {
  private readonly options: EngineOptions
  private readonly interpreters: Interpreter<Environment>[] = []
  private readonly machines: JitMachine<Environment>[] = []
  private readonly tiers: WeakMap<Executable<Environment>, Tier> = new WeakMap()
  private host: JitHost<Environment> | null = null
  private kernel: KernelState | null = null
  private forbidden = false
  /** See InlineWorld. */
  private tailTargets = 0
  /** Compiled programs, and how many of them there may be before the dead ones are looked for. */
  private live: Tier[] = []
  private sweepAt = 64

  constructor(options: EngineOptions) {
    this.options = options
  }

  /** Runs a program on the machine of a nesting level. */
  run(
    kernel: KernelState,
    program: Program,
    depth: number,
    run: Run<Environment>,
  ): RunResult<Environment> {
    this.kernel = kernel
    const { engine = "auto" } = this.options
    if (engine === "interpreter" || this.forbidden)
      return this.interpreterAt(depth).run(program.executable, run)
    const tier = this.tierOf(program)
    if (tier.state === "cold" && (engine === "jit" || isHot(tier, this.mayBeUnchecked(program))))
      this.compile(tier, engine === "jit" || program.executable.length <= SYNCHRONOUS_SLOTS_MAX)
    const { compiled } = tier
    if (compiled !== null) return this.onCpu(run, () => this.machineAt(depth).run(compiled, run))
    const result = this.interpreterAt(depth).run(program.executable, run)
    tier.runs++
    tier.steps += result.steps
    return result
  }

  /** Compiles a program now; null when it stays interpreted. */
  compiled(kernel: KernelState, program: Program): JitProgram<Environment> | null {
    this.kernel = kernel
    if (this.options.engine === "interpreter") return null
    const tier = this.tierOf(program)
    if (tier.state !== "ready" && tier.state !== "refused") this.compile(tier, true)
    return tier.compiled
  }

  /**
   * Runs a program `count` times on the same input without leaving WebAssembly in between; the low
   * half of the last r0, or null when it is not compiled or ended with a fault.
   */
  repeat(
    kernel: KernelState,
    program: Program,
    depth: number,
    run: Run<Environment>,
    count: number,
  ): number | null {
    const compiled = this.compiled(kernel, program)
    if (compiled === null) return null
    return this.onCpu(run, () => this.machineAt(depth).runRepeated(compiled, run, count))
  }

  /** Runs a compiled program over frames that lie in linear memory; see programs/batch.ts. */
  batch(
    kernel: KernelState,
    program: Program,
    depth: number,
    run: Run<Environment>,
    batch: {
      readonly place: { count: number; frames: number; verdicts: number; tallies: number }
      readonly onFault: (index: number, fault: Fault) => void
    },
  ): void {
    const compiled = this.compiled(kernel, program)
    if (compiled === null) throw new Error(`program ${program.name} is not compiled`)
    this.onCpu(run, () => this.machineAt(depth).runBatch(compiled, run, batch.place, batch.onFault))
  }

  /** Runs `body` with the run's CPU where map engines and compiled code look for it. */
  private onCpu<R>(run: Run<Environment>, body: () => R): R {
    const { memory } = this.options
    const word = this.cpuWord() >> 2
    const outer = memory.i32[word]
    memory.i32[word] = run.environment.cpu
    try {
      return body()
    } finally {
      memory.i32[word] = outer
    }
  }

  /** How the compiler sees a program, and what it makes of it, as text. */
  dump(kernel: KernelState, program: Program): string {
    this.kernel = kernel
    return dumpProgram(program.executable, this.compileOptions(program))
  }

  private mayBeUnchecked(program: Program): boolean {
    return this.options.trusted === true || program.facts != null
  }

  private tierOf(program: Program): Tier {
    let tier = this.tiers.get(program.executable)
    if (tier === undefined) {
      tier = { program, runs: 0, steps: 0, compiled: null, state: "cold" }
      this.tiers.set(program.executable, tier)
    }
    return tier
  }

  private cpuWord(): number {
    return mapEngines(this.options.memory).cpuWord
  }

  private compile(tier: Tier, now: boolean): void {
    const { program } = tier
    tier.state = "compiling"
    try {
      const options = this.compileOptions(program)
      const compiled = compileProgram(program.executable, options)
      const finish = (module: WebAssembly.Module): void => {
        tier.compiled = this.hostOf().link(program.executable, compiled, module, options)
        tier.state = "ready"
        this.linked(tier, tier.compiled)
      }
      const source = compiled.bytes as BufferSource
      if (now) finish(new WebAssembly.Module(source))
      else WebAssembly.compile(source).then(finish, (error: unknown) => this.refuse(tier, error))
    } catch (error) {
      this.refuse(tier, error)
    }
  }

  /** Makes a program known to tail calls, and takes those out that are gone by now. */
  private linked(tier: Tier, compiled: JitProgram<Environment>): void {
    const { i32 } = this.options.memory
    const { id } = tier.program
    if (id < TAIL_TARGETS) i32[(this.tailTargets >> 2) + id] = compiled.tableIndex + 1
    this.live.push(tier)
    if (this.live.length < this.sweepAt) return
    const kernel = this.kernel as KernelState
    this.live = this.live.filter(({ program, compiled: old }) => {
      if (kernel.programById(program.id) === program || program.id === id) return true
      if (program.id < TAIL_TARGETS) i32[(this.tailTargets >> 2) + program.id] = 0
      if (old !== null) this.hostOf().unlink(old)
      return false
    })
    this.sweepAt = 2 * this.live.length + 64
  }

  private refuse(tier: Tier, error: unknown): void {
    tier.state = "refused"
    const reason = error instanceof Error ? error.message : String(error)
    if (!this.forbidden && !canCompile()) {
      this.forbidden = true
      this.options.notice?.(`programs are interpreted: WebAssembly cannot be compiled (${reason})`)
      return
    }
    this.options.notice?.(`program ${tier.program.name} is interpreted: ${reason}`)
  }

  private compileOptions(program: Program): CompileOptions {
    const kernel = this.kernel as KernelState
    const checked = !this.mayBeUnchecked(program)
    const { area, stackRegion } = this.hostOf().place
    return {
      area,
      stackTag: REGION_TAG | stackRegion,
      checked,
      fuel: checked || this.options.budget !== undefined,
      contextFields: contextFields(program.type),
      packetFields: packetFields(program.type),
      probeTag: REGION_TAG | kernel.kernelRegion,
      probes: PROBING.includes(program.type),
      argumentCount,
      facts: program.facts ?? null,
      inline: checked
        ? null
        : inlineHelpers(
            {
              engines: mapEngines(this.options.memory),
              descriptorRegion: kernel.descriptorRegion,
              mapAt: (address) => kernel.mapAt(address),
              view: () => this.options.memory.view,
              tailTargets: this.tailTargets,
            },
            program.maps,
          ),
      ...this.options.compile,
    }
  }

  private hostOf(): JitHost<Environment> {
    if (this.host !== null) return this.host
    const { memory, loadPacket } = this.options
    const area = memory.allocate(AREA.BYTES)
    this.tailTargets = memory.allocate(TAIL_TARGETS * 4)
    if (area === 0 || this.tailTargets === 0)
      throw new RangeError("kernel memory is exhausted: no place for the compiler")
    this.host = new JitHost<Environment>(memory, {
      area,
      stackRegion: memory.createRegion(0, 0, REGION_READ | REGION_WRITE),
      loadPacket,
      resolve: (executable) => this.resolve(executable),
      interpret: (executable, machine) => this.interpret(executable, machine),
      entered: (executable, machine) => {
        const tier = this.tiers.get(executable)
        if (tier !== undefined) machine.environment.program = tier.program
      },
    })
    return this.host
  }

  /** The compiled form of what is tail-called: programs of one kernel, so the map's program. */
  private resolve(executable: Executable<Environment>): JitProgram<Environment> | null {
    const known = this.tiers.get(executable)
    if (known !== undefined)
      return known.compiled ?? this.compiled(this.kernel as KernelState, known.program)
    const program = this.host?.current?.environment.program
    if (program === undefined || program.executable !== executable) return null
    return this.compiled(this.kernel as KernelState, program)
  }

  private interpret(executable: Executable<Environment>, machine: JitMachine<Environment>): void {
    const depth = this.machines.indexOf(machine)
    const result = this.interpreterAt(depth).run(executable, {
      environment: machine.environment,
      arguments: [[machine.low(1), machine.high(1)]],
    })
    machine.fault = result.fault
    machine.setResult64(result.low, result.high)
  }

  private machineAt(depth: number): JitMachine<Environment> {
    let machine = this.machines[depth]
    if (machine === undefined) {
      const stack = this.options.memory.allocate(STACK_BYTES, STACK_BYTES)
      if (stack === 0) throw new RangeError("kernel memory is exhausted: no stack")
      machine = new JitMachine(this.hostOf(), stack)
      this.machines[depth] = machine
    }
    return machine
  }

  private interpreterAt(depth: number): Interpreter<Environment> {
    const ready = this.interpreters[depth]
    if (ready !== undefined) return ready
    const { memory, loadPacket } = this.options
    const stackAddress = memory.allocate(STACK_BYTES, 16)
    if (stackAddress === 0) throw new RangeError("kernel memory is exhausted: no stack")
    const stackRegion = memory.createRegion(
      stackAddress,
      stackAddress + STACK_BYTES,
      REGION_READ | REGION_WRITE,
    )
    const place = { stackAddress, stackRegion, loadPacket }
    const machine = createInterpreter<Environment>(memory, place)
    this.interpreters[depth] = machine
    return machine
  }
}

/** Registers that a helper reads: all five when it is variadic. */
function argumentCount(kind: "helper" | "kfunc", imm: number): number {
  const helper = kind === "helper" ? HELPERS[imm] : undefined
  return helper === undefined || helper.prototype.includes("...") ? 5 : helper.parameters.length
}

function isHot(tier: Tier, unchecked: boolean): boolean {
  return unchecked && (tier.runs >= HOT_RUNS || tier.steps >= HOT_STEPS)
}

const EMPTY_MODULE: Uint8Array = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/** Whether the host lets us compile anything at all. */
function canCompile(): boolean {
  try {
    new WebAssembly.Module(EMPTY_MODULE as BufferSource)
    return true
  } catch {
    return false
  }
}

const T = BPF_PROG_TYPE
const SKB_TYPES: readonly number[] = [
  T.BPF_PROG_TYPE_SOCKET_FILTER,
  T.BPF_PROG_TYPE_SCHED_CLS,
  T.BPF_PROG_TYPE_SCHED_ACT,
  T.BPF_PROG_TYPE_CGROUP_SKB,
  T.BPF_PROG_TYPE_LWT_IN,
  T.BPF_PROG_TYPE_LWT_OUT,
  T.BPF_PROG_TYPE_LWT_XMIT,
  T.BPF_PROG_TYPE_LWT_SEG6LOCAL,
  T.BPF_PROG_TYPE_FLOW_DISSECTOR,
  T.BPF_PROG_TYPE_SK_SKB,
]
/** Types whose programs read kernel objects through pointers that may be wrong. */
const PROBING: readonly number[] = [
  T.BPF_PROG_TYPE_TRACING,
  T.BPF_PROG_TYPE_LSM,
  T.BPF_PROG_TYPE_RAW_TRACEPOINT,
  T.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
  T.BPF_PROG_TYPE_STRUCT_OPS,
  T.BPF_PROG_TYPE_EXT,
]

/** Offsets of the 32-bit context fields that hold packet addresses. */
function contextFields(type: number): readonly number[] {
  if (type === T.BPF_PROG_TYPE_XDP) return [XDP_MD.data, XDP_MD.data_end, XDP_MD.data_meta]
  return SKB_TYPES.includes(type) ? [SKB.data, SKB.data_end, SKB.data_meta] : []
}

/** Where the loop over packets puts each frame. */
function packetFields(type: number): PacketFields | null {
  if (type !== T.BPF_PROG_TYPE_XDP) return null
  const { data, data_end: dataEnd, data_meta: dataMeta } = XDP_MD
  return { data, dataEnd, dataMeta, length: -1 }
}

/** SKEP_VERIFIER=0 in the environment switches verification off: for running tests without it. */
export function verifiesByDefault(): boolean {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  return process?.env?.SKEP_VERIFIER !== "0"
}
