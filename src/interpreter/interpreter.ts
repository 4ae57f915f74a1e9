/**
 * The interpreter: runs prepared programs over an {@link AddressSpace}. It is the reference for
 * what programs mean, and it is safe by itself: every access is checked against its region, calls
 * are at most 8 frames deep, tail calls at most 33, and a budget ends what would not end. A
 * program that breaks a rule gives a {@link Fault}; nothing is thrown.
 *
 * Registers that were never written read as 0.
 */

import { Code, REGISTER_WORDS, WORDS } from "./code.ts"
import { dispatch } from "./dispatch.ts"
import {
  type AddressSpace,
  type Executable,
  type Fault,
  type Machine,
  REGION_READ,
  REGION_WRITE,
} from "./machine.ts"
import { MAX_TAIL_CALL_CNT, type StackPlace, State } from "./state.ts"
import type { StepHost } from "./step.ts"
import { store } from "./wide.ts"

/**
 * Instructions that a run may take when nothing else is said: about five seconds. Linux has no
 * such limit, but its programs cannot hold up a page or an event loop.
 */
export const BUDGET_DEFAULT = 1_000_000_000
/** The largest budget: it is counted in 32 bits. */
export const BUDGET_MAX: number = 2 ** 31 - 1

export interface InterpreterOptions<E> extends StackPlace {
  /**
   * Loads `size` bytes (1, 2 or 4) at `offset` of the packet for LD_ABS and LD_IND; negative
   * offsets are those of `SKF_AD_OFF` and its like. Returns them as a big-endian number, or null
   * when they are not there. Without it, they never are.
   */
  readonly loadPacket?: (machine: Machine<E>, offset: number, size: number) => number | null
}

/** What to run a program with. */
export interface Run<E> {
  readonly environment: E
  /** r1 to r5, as (low, high) pairs: usually the context alone. Missing ones are 0. */
  readonly arguments?: readonly (readonly [low: number, high: number])[]
  /** Slot of the function to run (timer callbacks); 0, the main function, by default. */
  readonly entry?: number
  /** Instructions that the run may execute; {@link BUDGET_DEFAULT} by default. */
  readonly budget?: number
  /** Called before each instruction; the machine's registers are what it will see. */
  readonly trace?: (program: Executable<E>, slot: number) => void
}

export interface RunResult<E> {
  /** r0 at the end; both halves 0 after a fault. */
  readonly low: number
  readonly high: number
  readonly fault: Fault | null
  /** Instructions executed, over all programs of the run. */
  readonly steps: number
  /** The program that ended the run: another one than at the start after tail calls. */
  readonly executable: Executable<E>
}

export interface Interpreter<E> extends Machine<E> {
  /**
   * Runs a program to its end. A helper may run other programs on other machines meanwhile, but
   * not on this one.
   *
   * @throws Error when the machine is running already; whatever a helper throws.
   */
  run(executable: Executable<E>, run: Run<E>): RunResult<E>
}

/** A machine: one is needed for each virtual CPU and each level of nested runs. */
export function createInterpreter<E>(
  space: AddressSpace,
  options: InterpreterOptions<E>,
): Interpreter<E> {
  return new Engine(space, options)
}

class Engine<E> implements Interpreter<E>, StepHost<E> {
  readonly space: AddressSpace
  readonly loadPacket: StepHost<E>["loadPacket"]
  environment!: E
  private readonly state: State<E>
  private running = false

  constructor(space: AddressSpace, options: InterpreterOptions<E>) {
    this.space = space
    this.state = new State(space, options)
    this.loadPacket = options.loadPacket ?? null
  }

  get registers(): Int32Array {
    return this.state.registers
  }

  get machine(): Machine<E> {
    return this
  }

  get tailCalls(): number {
    return this.state.tailCalls
  }

  run(executable: Executable<E>, run: Run<E>): RunResult<E> {
    if (this.running) throw new Error("this machine is running: a nested run needs its own")
    if (!(executable instanceof Code)) throw new Error("the program was not made by prepare()")
    const { state } = this
    const budget = Math.min(run.budget ?? BUDGET_DEFAULT, BUDGET_MAX)
    this.running = true
    this.environment = run.environment
    state.reset(executable, budget, run.trace ?? null)
    const entry = run.entry ?? 0
    try {
      this.setArguments(run.arguments ?? [])
      if (state.isFunction(entry)) {
        state.openFrame(entry * WORDS)
        dispatch(state, entry * WORDS, this)
      } else {
        state.raise("instruction", `no function starts at slot ${entry}`)
      }
    } finally {
      this.running = false
    }
    const { fault } = state
    return {
      low: fault === null ? this.registers[0] : 0,
      high: fault === null ? this.registers[1] : 0,
      fault,
      steps: budget - state.left - state.reserve,
      executable: state.code,
    }
  }

  callback(
    slot: number,
    args: readonly (readonly [low: number, high: number])[],
  ): number | undefined {
    const { state } = this
    if (state.fault !== null) return undefined
    if (!state.isFunction(slot)) {
      state.raise("instruction", `callback to slot ${slot}, where no function starts`)
      return undefined
    }
    const kept = state.registers.slice(0, REGISTER_WORDS)
    const { bottom, slot: caller } = state
    if (!state.enter(slot * WORDS, 0)) return undefined
    state.bottom = state.depth
    this.setArguments(args)
    dispatch(state, slot * WORDS, this)
    if (state.fault !== null) return undefined
    const result = state.registers[0]
    state.leave()
    state.bottom = bottom
    state.slot = caller
    state.registers.set(kept)
    return result
  }

  tailCall(program: Executable<E>): void {
    const { state } = this
    if (state.tailCalls >= MAX_TAIL_CALL_CNT || state.fault !== null) return
    state.tailCalls++
    state.pendingTail = program as Code<E>
  }

  low(n: number): number {
    return this.registers[2 * n]
  }

  high(n: number): number {
    return this.registers[2 * n + 1]
  }

  big(n: number): bigint {
    return (BigInt(this.registers[2 * n + 1] >>> 0) << 32n) | BigInt(this.registers[2 * n] >>> 0)
  }

  number(n: number): number {
    return (this.registers[2 * n + 1] >>> 0) * 2 ** 32 + (this.registers[2 * n] >>> 0)
  }

  setResult(value: number): void {
    this.registers[0] = value
    this.registers[1] = value >> 31
  }

  setResult64(low: number, high: number): void {
    this.registers[0] = low
    this.registers[1] = high
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

  fail(message: string): void {
    this.state.raise("helper", message)
  }

  private check(n: number, size: number, way: number): number {
    const low = this.registers[2 * n]
    const high = this.registers[2 * n + 1]
    if (this.state.allowed(low, high, size, way)) return size === 0 ? Math.max(low, 0) : low
    this.state.raiseAccess(low, high, size, way)
    return -1
  }

  /** r1 to r5; the other registers keep what they have. */
  private setArguments(args: readonly (readonly [low: number, high: number])[]): void {
    for (let index = 0; index < 5; index++) {
      const argument = args[index]
      this.registers[2 * index + 2] = argument === undefined ? 0 : argument[0]
      this.registers[2 * index + 3] = argument === undefined ? 0 : argument[1]
    }
  }
}
