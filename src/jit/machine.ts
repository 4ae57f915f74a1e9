/**
 * The machine that runs compiled programs: the engine's side of a call out of WebAssembly, and the
 * counterpart of the interpreter's {@link Interpreter}. Registers are words of the engine's area;
 * compiled code writes the arguments there before it calls out, and reads r0 from there.
 */

import type { Code } from "../interpreter/code.ts"
import {
  type AddressSpace,
  BUDGET_DEFAULT,
  BUDGET_MAX,
  type Executable,
  type Fault,
  isAllowed,
  MAX_CALL_FRAMES,
  MAX_TAIL_CALL_CNT,
  type Machine,
  REGION_READ,
  REGION_WRITE,
  type Run,
  type RunResult,
  STACK_BYTES,
} from "../interpreter/index.ts"
import { MAX_BPF_STACK } from "../interpreter/prepare.ts"
import { State } from "../interpreter/state.ts"
import { store } from "../interpreter/wide.ts"
import { type JitHost, type JitProgram, UNWIND } from "./host.ts"
import { AREA } from "./layout.ts"

/** Words of r0 to r10 in the area. */
const REGISTER_WORDS = 22

export class JitMachine<E> implements Machine<E> {
  readonly space: AddressSpace
  readonly host: JitHost<E>
  readonly stackTop: number
  environment!: E
  /** Set before each call out: the program, slot and frame that calls. */
  code!: Code<E>
  slot = 0
  frame = 0
  fault: Fault | null = null
  pendingTail: Executable<E> | null = null
  private program!: JitProgram<E>
  private readonly words: number
  private view: Int32Array
  private running = false

  /** `stackAddress`: STACK_BYTES bytes, aligned to as many. */
  constructor(host: JitHost<E>, stackAddress: number) {
    if (stackAddress % STACK_BYTES !== 0)
      throw new RangeError(`a stack at ${stackAddress} is not aligned to ${STACK_BYTES} bytes`)
    this.host = host
    this.space = host.space
    this.stackTop = stackAddress + STACK_BYTES
    this.words = (host.place.area + AREA.REGISTERS) >> 2
    this.view = new Int32Array(0)
  }

  get registers(): Int32Array {
    if (this.view.buffer !== this.space.i32.buffer)
      this.view = this.space.i32.subarray(this.words, this.words + REGISTER_WORDS)
    return this.view
  }

  get tailCalls(): number {
    return this.space.i32[(this.host.place.area + AREA.TAIL_CALLS) >> 2]
  }

  /**
   * Runs a program to its end, as Interpreter.run does. `steps` counts the rounds of loops by their
   * length, and nothing else.
   *
   * @throws Error when the machine is running already; whatever a helper throws.
   */
  run(program: JitProgram<E>, run: Run<E>): RunResult<E> {
    const budget = Math.min(run.budget ?? BUDGET_DEFAULT, BUDGET_MAX)
    const { space, words } = this
    let low = 0
    let high = 0
    const left = this.within(program, run, budget, () => {
      const entry = run.entry ?? 0
      const main = entry === 0 ? program.run : program.functions.get(entry)
      if (main === undefined) this.raise("instruction", `no function starts at slot ${entry}`)
      else this.protect(main)
      if (this.fault !== null) return
      low = space.i32[words]
      high = space.i32[words + 1]
    })
    const steps = budget - Math.max(0, left)
    return { low, high, fault: this.fault, steps, executable: this.code }
  }

  /**
   * Runs a program over many packets; see batch.ts for what lies where. Every fault is told to
   * `onFault` with the index of its frame, whose verdict becomes 0.
   */
  runBatch(
    program: JitProgram<E>,
    run: Run<E>,
    batch: { readonly count: number; frames: number; verdicts: number; tallies: number },
    onFault: (index: number, fault: Fault) => void,
  ): void {
    const loop = program.batch
    const budget = Math.min(run.budget ?? BUDGET_DEFAULT, BUDGET_MAX)
    const context = run.arguments?.[0]
    if (loop === undefined || context === undefined)
      throw new Error(`program ${program.code.name} has no loop over packets`)
    const { space } = this
    const { frames, verdicts, tallies, count } = batch
    const at = (this.host.place.area + AREA.BATCH_AT) >> 2
    this.within(program, run, budget, () => {
      for (let first = 0; first < count; first = space.i32[at] + 1) {
        space.i32[at] = count
        this.protect((frame) => {
          loop(first, count, frames, verdicts, tallies, context[0], context[1], frame, budget)
          space.i32[at] = count
        })
        if (this.fault === null) return
        const index = space.i32[at]
        onFault(index, this.fault)
        space.i32[(verdicts >> 2) + index] = 0
        space.i32[tallies >> 2]++
        this.fault = null
        this.pendingTail = null
      }
    })
  }

  /** Runs a program `count` times on the same input; r0 of the last run, or null after a fault. */
  runRepeated(program: JitProgram<E>, run: Run<E>, count: number): number | null {
    const budget = Math.min(run.budget ?? BUDGET_DEFAULT, BUDGET_MAX)
    const [low, high] = run.arguments?.[0] ?? [0, 0]
    let result = 0
    this.within(program, run, budget, () => {
      this.protect((frame) => {
        result = program.repeat(count, low, high, frame, budget)
      })
    })
    return this.fault === null ? result : null
  }

  /** Sets up a run, and puts things back after it; returns the fuel that was left. */
  private within(program: JitProgram<E>, run: Run<E>, budget: number, body: () => void): number {
    if (this.running) throw new Error("this machine is running: a nested run needs its own")
    const { host, space } = this
    const { area, stackRegion } = host.place
    const outer = host.current
    const kept = outer === null ? null : space.i32.slice(area >> 2, (area + AREA.BYTES) >> 2)
    const start = space.regionStart[stackRegion]
    const end = space.regionEnd[stackRegion]
    this.start(program, run, budget)
    try {
      body()
      return space.i32[(area + AREA.FUEL) >> 2]
    } finally {
      this.running = false
      host.current = outer
      if (kept !== null) space.i32.set(kept, area >> 2)
      space.regionStart[stackRegion] = start
      space.regionEnd[stackRegion] = end
    }
  }

  private start(program: JitProgram<E>, run: Run<E>, budget: number): void {
    const { host, space, words } = this
    const { area, stackRegion } = host.place
    this.running = true
    this.environment = run.environment
    this.fault = null
    this.pendingTail = null
    host.space.i32[(host.place.area + AREA.TAIL_CALLS) >> 2] = 0
    this.slot = run.entry ?? 0
    host.current = this
    const { i32 } = space
    const args = run.arguments
    const first = args?.[0]
    i32[words + 2] = first === undefined ? 0 : first[0]
    i32[words + 3] = first === undefined ? 0 : first[1]
    for (let index = 1; index < 5; index++) {
      const argument = args?.[index]
      i32[words + 2 + 2 * index] = argument === undefined ? 0 : argument[0]
      i32[words + 3 + 2 * index] = argument === undefined ? 0 : argument[1]
    }
    i32[(area + AREA.FUEL) >> 2] = budget
    i32[(area + AREA.CONTEXT_HIGH) >> 2] = first === undefined ? 0 : first[1]
    space.regionStart[stackRegion] = this.stackTop - STACK_BYTES
    space.regionEnd[stackRegion] = this.stackTop
    space.regionFlags[stackRegion] = REGION_READ | REGION_WRITE
    this.enterProgram(program)
  }

  /** The program that runs from here on: its context fields get their tags. */
  enterProgram(program: JitProgram<E>): void {
    this.program = program
    this.code = program.code
    const fields = program.options.contextFields
    if (fields === undefined || fields.length === 0) return
    const { i32 } = this.space
    const { area } = this.host.place
    const region = i32[(area + AREA.CONTEXT_HIGH) >> 2] & 0x7fff
    for (let index = 0; index < fields.length; index++)
      i32[((area + AREA.TAGS) >> 2) + 2 * index + 1] = this.space.contextTag(region, fields[index])
  }

  /** Runs compiled code; its faults are in `fault` afterwards. */
  private protect(body: (frame: number) => void, frame = this.stackTop - MAX_BPF_STACK): void {
    try {
      body(frame)
    } catch (error) {
      if (error === UNWIND) return
      if (!(error instanceof WebAssembly.RuntimeError)) throw error
      this.raise("read", `an access outside of kernel memory (${error.message})`)
    }
  }

  /** The compiled function at a slot of the running program, if its address is taken anywhere. */
  functionAt(slot: number): ((frame: number) => void) | undefined {
    return this.code === this.program.code
      ? this.program.functions.get(slot)
      : this.host.place.resolve(this.code)?.functions.get(slot)
  }

  /** Calls a compiled function below the current frame; r1 to r5 are in the area. */
  enter(target: (frame: number) => void): void {
    const { frame, slot, code } = this
    if ((frame & (STACK_BYTES - 1)) === 0) {
      const most = MAX_CALL_FRAMES
      this.raise("call-depth", `the call would be frame ${most + 1} of ${most}`)
      return
    }
    this.protect(target, frame - MAX_BPF_STACK)
    this.frame = frame
    this.slot = slot
    this.code = code
    if (this.fault !== null || !this.program.options.checked) return
    this.space.regionStart[this.host.place.stackRegion] = frame
  }

  callback(
    slot: number,
    args: readonly (readonly [low: number, high: number])[],
  ): number | undefined {
    if (this.fault !== null) return undefined
    const target = this.functionAt(slot)
    const { space, words } = this
    const fuel = (this.host.place.area + AREA.FUEL) >> 2
    if (target === undefined) {
      this.raise("instruction", `callback to slot ${slot}, where no function starts`)
      return undefined
    }
    if (--space.i32[fuel] < 0) {
      this.raise("budget", "the run used up its budget of instructions")
      return undefined
    }
    const kept = space.i32.slice(words, words + REGISTER_WORDS)
    for (let index = 0; index < 5; index++) {
      space.i32[words + 2 + 2 * index] = args[index]?.[0] ?? 0
      space.i32[words + 3 + 2 * index] = args[index]?.[1] ?? 0
    }
    this.enter(target)
    if (this.fault !== null) return undefined
    const result = space.i32[words]
    space.i32.set(kept, words)
    return result
  }

  tailCall(program: Executable<E>): void {
    if (this.tailCalls >= MAX_TAIL_CALL_CNT || this.fault !== null) return
    this.space.i32[(this.host.place.area + AREA.TAIL_CALLS) >> 2]++
    this.pendingTail = program
  }

  low(n: number): number {
    return this.space.i32[this.words + 2 * n]
  }

  high(n: number): number {
    return this.space.i32[this.words + 2 * n + 1]
  }

  big(n: number): bigint {
    return (BigInt(this.high(n) >>> 0) << 32n) | BigInt(this.low(n) >>> 0)
  }

  number(n: number): number {
    return (this.high(n) >>> 0) * 2 ** 32 + (this.low(n) >>> 0)
  }

  setResult(value: number): void {
    this.setResult64(value, value >> 31)
  }

  setResult64(low: number, high: number): void {
    const { i32 } = this.space
    i32[this.words] = low
    i32[this.words + 1] = high
  }

  setResultBig(value: bigint): void {
    store(this.registers, 0, value)
  }

  checkRead(n: number, size: number): number {
    return this.check(n, size, REGION_READ)
  }

  checkWrite(n: number, size: number): number {
    return this.check(n, size, REGION_WRITE)
  }

  private check(n: number, size: number, way: number): number {
    const low = this.low(n)
    const high = this.high(n)
    if (isAllowed(this.space, low, high, size, way)) return size === 0 ? Math.max(low, 0) : low
    this.raiseAccess(low, high, size, way)
    return -1
  }

  fail(message: string): void {
    this.raise("helper", message)
  }

  /** Ends the run, unless it has a fault already. */
  raise(
    kind: Fault["kind"],
    message: string,
    access?: { readonly address: bigint; readonly size: number },
  ): void {
    if (this.fault !== null) return
    const place = { slot: this.slot, program: this.code.name }
    this.fault = { kind, message, ...place, ...access }
  }

  /** The fault of an access that is not allowed, in the interpreter's words. */
  raiseAccess(low: number, high: number, size: number, way: number): void {
    if (this.fault !== null) return
    const { stackRegion } = this.host.place
    const stackAddress = this.stackTop - STACK_BYTES
    const state = new State<E>(this.space, { stackAddress, stackRegion })
    state.code = this.code
    state.slot = this.slot
    state.registers[20] = this.frame + MAX_BPF_STACK
    state.raiseAccess(low, high, size, way)
    this.fault = state.fault
  }
}
