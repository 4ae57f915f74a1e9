/**
 * Accepted programs, run: in the interpreter, which checks every access, with every register held
 * against the states that the verifier explored.
 */

import type { Fault, Run, RunResult } from "../../../src/interpreter/index.ts"
import {
  BPF_CALL,
  BPF_EXIT,
  BPF_JMP,
  BPF_LD,
  BPF_PSEUDO_CALL,
  decodeProgram,
  type Instruction,
} from "../../../src/isa/index.ts"
import type { Environment } from "../../../src/kernel/environment.ts"
import { EmbeddedKernel } from "../../../src/kernel/index.ts"
import { verify } from "../../../src/verifier/index.ts"
import type { Random } from "./random.ts"
import { callKey, ExploredStates } from "./states.ts"
import {
  createWorld,
  type FuzzProgram,
  GLOBAL_FUNCTION_TYPE,
  loadAttributes,
  MAP,
  MAPS,
  verifierInput,
  type World,
} from "./world.ts"

/** What running an accepted program showed. */
export interface Soundness {
  readonly accepted: boolean
  /** Whether registers were compared: not when comparing states by all they say takes too long. */
  readonly compared: boolean
  readonly runs: number
  readonly steps: number
  /** One sentence; null when all is well. */
  readonly violation: string | null
}

const RUNS = 4
const BUDGET = 200_000
/** Programs after which the kernel is made anew: what they leave behind is bounded. */
const PROGRAMS_MAX = 400
/** Instructions processed up to which registers are compared. */
const PROCESSED_MAX = 6000

/** What the interpreter is entered by; its machines are found there too. */
interface EngineAccess {
  run(
    kernel: unknown,
    program: unknown,
    depth: number,
    run: Run<Environment>,
  ): RunResult<Environment>
  interpreterAt(depth: number): { readonly registers: Int32Array }
}

export class SoundnessCheck {
  private kernel!: EmbeddedKernel
  private world!: World
  private programs = 0
  private tracer: Tracer | null = null
  private fault: Fault | null = null

  constructor() {
    this.renew()
  }

  private renew(): void {
    this.kernel = new EmbeddedKernel({
      engine: "interpreter",
      trustPrograms: true,
      budget: BUDGET,
      cpus: 2,
    })
    this.world = createWorld(this.kernel)
    this.programs = 0
    const engines = this.kernel.runner.engines as unknown as EngineAccess
    const enter = engines.run.bind(engines)
    engines.run = (kernel, program, depth, run) => {
      const machine = engines.interpreterAt(depth)
      this.tracer?.enter(run, machine)
      const trace = this.tracer === null ? undefined : this.tracer.step
      const result = enter(kernel, program, depth, trace === undefined ? run : { ...run, trace })
      this.fault ??= result.fault
      return result
    }
  }

  /** Verifies, and runs what is accepted on random packets and maps. */
  check(program: FuzzProgram, random: Random): Soundness {
    const none = { accepted: false, compared: false, runs: 0, steps: 0, violation: null }
    if (++this.programs > PROGRAMS_MAX) this.renew()
    const { kernel } = this
    const input = verifierInput(program, { types: () => kernel.state.types, cpus: 2 })
    const verdict = verify(input)
    if (verdict.rejection !== null) return none
    const states =
      verdict.statistics.insnsProcessed < PROCESSED_MAX ? new ExploredStates(input) : null
    const compared = states !== null && states.verdict.rejection === null
    const fd = kernel.bpf("PROG_LOAD", loadAttributes(this.world, program))
    if (fd < 0) return { ...none, accepted: true }
    try {
      return this.run(fd, program, random, compared ? states : null)
    } finally {
      kernel.close(fd)
    }
  }

  private run(
    fd: number,
    program: FuzzProgram,
    random: Random,
    states: ExploredStates | null,
  ): Soundness {
    let steps = 0
    let runs = 0
    let violation: string | null = null
    for (; runs < RUNS && violation === null; runs++) {
      this.fillMaps(random)
      this.fault = null
      this.tracer = new Tracer(program, states)
      this.kernel.bpf("PROG_TEST_RUN", {
        prog_fd: fd,
        data_in: random.bytes(random.pick([14, 20, 34, 60, 100, 300])),
        repeat: 1,
      })
      const { tracer } = this
      this.tracer = null
      steps += tracer.steps
      violation = tracer.violation ?? faultText(this.fault)
    }
    return { accepted: true, compared: states !== null, runs, steps, violation }
  }

  private fillMaps(random: Random): void {
    for (const map of [MAP.array, MAP.hash, MAP.lru]) {
      const { key_size: keySize, value_size: valueSize } = MAPS[map]
      const key = new Uint8Array(keySize)
      key[0] = random.below(4)
      const value = random.bytes(valueSize)
      this.kernel.bpf("MAP_UPDATE_ELEM", { map_fd: this.world.fds[map], key, value, flags: 0n })
    }
  }
}

/** Faults that say nothing of the verifier: endless programs are legal in callbacks. */
function faultText(fault: Fault | null): string | null {
  if (fault === null || fault.kind === "budget") return null
  if (fault.kind === "helper" && /not (yet )?(in|implemented)/.test(fault.message)) return null
  return `fault (${fault.kind}) at ${fault.slot}: ${fault.message}`
}

interface Frame {
  readonly callsite: number
  readonly callback: boolean
  readonly global: boolean
  readonly pointer: bigint
}

/** Follows one run: which frames there are, and whether registers are within a state. */
class Tracer {
  steps = 0
  violation: string | null = null
  private readonly insns: readonly Instruction[]
  private readonly globals: ReadonlySet<number>
  private readonly states: ExploredStates | null
  private machine: { readonly registers: Int32Array } | null = null
  private environment: Environment | null = null
  private program: unknown = null
  private frames: Frame[] = []
  private previous = -1
  private lost = false

  constructor(program: FuzzProgram, states: ExploredStates | null) {
    this.insns = decodeProgram(program.insns)
    this.states = states
    const info = new Uint32Array(program.funcInfo.buffer)
    const globals = new Set<number>()
    for (let at = 0; at < info.length; at += 2)
      if (info[at + 1] === GLOBAL_FUNCTION_TYPE) globals.add(info[at])
    this.globals = globals
  }

  enter(run: Run<Environment>, machine: { readonly registers: Int32Array }): void {
    this.machine = machine
    this.environment = run.environment
    this.program = null
    this.frames = []
    this.previous = -1
  }

  readonly step = (program: unknown, slot: number): void => {
    this.steps++
    if (this.lost || this.violation !== null || this.states === null) return
    this.program ??= program
    // After a tail call another program runs.
    if (program !== this.program) {
      this.lost = true
      return
    }
    this.follow(slot)
    this.previous = slot
    const { machine, environment } = this
    if (machine === null || environment === null) return
    const own = this.frames.findLastIndex(({ global }) => global)
    const visible = this.frames.slice(Math.max(0, own))
    this.violation = this.states.outside(
      slot,
      {
        key: callKey(
          slot,
          visible.slice(1).map(({ callsite }) => callsite),
        ),
        frames: visible.map(({ pointer }) => pointer),
        context: BigInt(environment.context),
        data: BigInt(environment.packet?.data ?? 0),
        dataEnd: BigInt(environment.packet?.dataEnd ?? 0),
      },
      machine.registers,
    )
  }

  /** From the instruction before to `slot`: frames that were left and entered. */
  private follow(slot: number): void {
    if (this.previous < 0) {
      this.push(-1, slot, false)
      return
    }
    const { opcode, src } = this.insns[this.previous]
    if (opcode === (BPF_JMP | BPF_EXIT)) {
      const left = this.frames.pop()
      if (left?.callback === true && slot !== left.callsite + 1)
        this.push(left.callsite, slot, true)
      return
    }
    // A load beyond the packet's end leaves the function, too.
    if ((opcode & 7) === BPF_LD && (opcode & 0xe0) !== 0 && slot !== this.previous + 1)
      this.frames.pop()
    if (opcode !== (BPF_JMP | BPF_CALL)) return
    if (src === BPF_PSEUDO_CALL) this.push(this.previous, slot, false)
    else if (slot !== this.previous + 1) this.push(this.previous, slot, true)
  }

  private push(callsite: number, slot: number, callback: boolean): void {
    const low = this.machine?.registers[20] ?? 0
    this.frames.push({
      callsite,
      callback,
      global: callsite >= 0 && this.globals.has(slot),
      pointer: BigInt(low >>> 0),
    })
  }
}
