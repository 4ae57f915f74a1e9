/**
 * The state of one machine: registers, call frames, the program that runs, and the regions that
 * were accessed last. The dispatch loop keeps copies of some fields in local variables; the fields
 * are right whenever code outside of the loop runs.
 *
 * The stack lies in the caller's memory, `frames` times 512 bytes, and grows down. Its region
 * always spans the frames in use, so an access below the current frame is a fault, and so is one
 * through a pointer into a frame that has returned. A frame is cleared when it is entered, as far
 * as its function can see it ({@link Code}, WORD_FRAME), so runs are deterministic.
 */

import { type Code, REGISTER_WORDS, WORD_FRAME, WORDS, WORDS_SHIFT } from "./code.ts"
import {
  type AddressSpace,
  type Fault,
  REGION_CONTEXT,
  REGION_PROBE,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
} from "./machine.ts"
import { MAX_BPF_STACK } from "./prepare.ts"

/** Frames that a run can have, the entry's included (linux v6.18 MAX_CALL_FRAMES). */
export const MAX_CALL_FRAMES = 8
/** Tail calls that a run can make (linux v6.18 MAX_TAIL_CALL_CNT). */
export const MAX_TAIL_CALL_CNT = 33
/** Bytes that a machine needs as its stack. */
export const STACK_BYTES: number = MAX_CALL_FRAMES * MAX_BPF_STACK
/**
 * Times that the may_goto instructions of a frame go on before they jump (linux v6.18
 * BPF_MAX_LOOPS, the bound of architectures without a timed may_goto: a count is the same on
 * every machine, 250 ms are not).
 */
export const BPF_MAX_LOOPS: number = 8 * 1024 * 1024

// Words of `State.hits`; the loop has them as literals.
const HIT_READ_TAG = 0
const HIT_READ_SIZE = 2
const HIT_WRITE_TAG = 3
const HIT_WRITE_SIZE = 5

/** r10, as an index of its low half. */
const FP = 20
/** Words of r6 to r9 (12 to 19 of the registers), which a caller gets back. */
const SAVED_WORDS = 8

/** Where a machine's stack lies: {@link STACK_BYTES} bytes, aligned to 8, and their own region. */
export interface StackPlace {
  readonly stackAddress: number
  /** The machine moves its bounds; the flags are read and write. */
  readonly stackRegion: number
}

export class State<E> {
  readonly space: AddressSpace
  /** r0 to r10, and behind them the constants of the running program. Replaced to have room for more. */
  registers: Int32Array = new Int32Array(REGISTER_WORDS + 256)
  /** The running program; tail calls, and returns from functions that made them, change it. */
  code!: Code<E>
  /** Instructions that may still be executed before {@link State.refill} is asked. */
  left = 0
  /** Instructions that may be executed after those; 0 unless a run is traced. */
  reserve = 0
  /** Called before each instruction of a traced run. */
  trace: ((code: Code<E>, slot: number) => void) | null = null
  fault: Fault | null = null
  /** Set by a helper: the program that the current frame becomes. */
  pendingTail: Code<E> | null = null
  tailCalls = 0
  /** Index of the current frame, and of the frame whose exit ends the current dispatch. */
  depth = 0
  bottom = 0
  /** Slot of the instruction that called out, for faults. */
  slot = 0

  /**
   * The regions of the last load and of the last store, whose accesses may be repeated without a
   * new check: tag, start and size of each. A size of 0 means none; contexts never are here.
   */
  readonly hits: Int32Array = new Int32Array(6)

  /** By frame: rounds left of may_goto. */
  readonly loops: Int32Array = new Int32Array(MAX_CALL_FRAMES)
  private readonly saved: Int32Array = new Int32Array(MAX_CALL_FRAMES * SAVED_WORDS)
  private readonly returns: Int32Array = new Int32Array(MAX_CALL_FRAMES)
  private readonly callers: Code<E>[] = []
  private readonly stackTop: number
  readonly stackTag: number
  private readonly stackRegion: number

  constructor(space: AddressSpace, place: StackPlace) {
    this.space = space
    this.stackRegion = place.stackRegion
    this.stackTag = REGION_TAG | place.stackRegion
    this.stackTop = place.stackAddress + STACK_BYTES
  }

  /** Starts a run: no frames, no fault, registers cleared. */
  reset(code: Code<E>, budget: number, trace: State<E>["trace"]): void {
    this.setCode(code)
    // A traced run is given one instruction at a time, so the loop knows nothing of tracing.
    this.trace = trace
    this.left = trace === null ? budget : 0
    this.reserve = budget - this.left
    this.fault = null
    this.pendingTail = null
    this.tailCalls = 0
    this.depth = 0
    this.bottom = 0
    this.slot = 0
    this.registers.fill(0, 0, REGISTER_WORDS)
    this.forgetRegions()
  }

  /** Makes `code` the running program. */
  setCode(code: Code<E>): void {
    if (this.code === code) return
    this.code = code
    const { constants } = code
    if (REGISTER_WORDS + constants.length > this.registers.length) {
      const registers = new Int32Array(REGISTER_WORDS + 2 * constants.length)
      registers.set(this.registers.subarray(0, REGISTER_WORDS))
      this.registers = registers
    }
    this.registers.set(constants, REGISTER_WORDS)
  }

  /**
   * Asked when `left` is used up, before the instruction at word `pc`: false when it may not be
   * executed, because the budget is at its end (a fault).
   */
  refill(pc: number): boolean {
    this.left = 0
    this.at(pc)
    if (this.reserve === 0) {
      this.raise("budget", "the run used up its budget of instructions")
      return false
    }
    this.reserve--
    this.left = 1
    this.trace?.(this.code, this.slot)
    return true
  }

  /** Forgets the regions of the last accesses: bounds may have changed. */
  forgetRegions(): void {
    this.hits[HIT_READ_SIZE] = 0
    this.hits[HIT_WRITE_SIZE] = 0
  }

  /** Sets up the frame at `depth` for the function that starts at word `pc` of `code`. */
  openFrame(pc: number): void {
    const top = this.stackTop - this.depth * MAX_BPF_STACK
    this.registers[FP] = top
    this.registers[FP + 1] = this.stackTag
    this.loops[this.depth] = BPF_MAX_LOOPS
    this.boundStack()
    const bytes = this.code.words[pc + WORD_FRAME]
    if (bytes > 0) this.space.u8.fill(0, top - bytes, top)
  }

  /** Enters the function at word `target`; false after a fault. */
  enter(target: number, returnTo: number): boolean {
    const { depth, registers, saved } = this
    if (depth + 1 >= MAX_CALL_FRAMES) {
      this.raise("call-depth", `the call would be frame ${depth + 2} of ${MAX_CALL_FRAMES}`)
      return false
    }
    const at = depth * SAVED_WORDS
    saved[at] = registers[12]
    saved[at + 1] = registers[13]
    saved[at + 2] = registers[14]
    saved[at + 3] = registers[15]
    saved[at + 4] = registers[16]
    saved[at + 5] = registers[17]
    saved[at + 6] = registers[18]
    saved[at + 7] = registers[19]
    this.returns[depth] = returnTo
    this.callers[depth] = this.code
    this.depth = depth + 1
    this.openFrame(target)
    return true
  }

  /** Leaves the current function; returns the word at which its caller goes on. */
  leave(): number {
    const depth = this.depth - 1
    const { registers, saved } = this
    const at = depth * SAVED_WORDS
    registers[12] = saved[at]
    registers[13] = saved[at + 1]
    registers[14] = saved[at + 2]
    registers[15] = saved[at + 3]
    registers[16] = saved[at + 4]
    registers[17] = saved[at + 5]
    registers[18] = saved[at + 6]
    registers[19] = saved[at + 7]
    registers[FP] = this.stackTop - depth * MAX_BPF_STACK
    this.depth = depth
    this.setCode(this.callers[depth])
    this.boundStack()
    return this.returns[depth]
  }

  /** Makes the stack's region span the frames in use. */
  boundStack(): void {
    const { space, stackTop } = this
    space.regionStart[this.stackRegion] = stackTop - (this.depth + 1) * MAX_BPF_STACK
    space.regionEnd[this.stackRegion] = stackTop
    space.regionFlags[this.stackRegion] = REGION_READ | REGION_WRITE
    const { hits, stackTag } = this
    if (hits[HIT_READ_TAG] === stackTag) hits[HIT_READ_SIZE] = 0
    if (hits[HIT_WRITE_TAG] === stackTag) hits[HIT_WRITE_SIZE] = 0
  }

  /** Ends the run, unless it has a fault already. */
  raise(
    kind: Fault["kind"],
    message: string,
    access?: { readonly address: bigint; readonly size: number },
  ): void {
    if (this.fault !== null) return
    const place = { slot: this.slot, program: this.code.name }
    this.fault =
      access === undefined ? { kind, message, ...place } : { kind, message, ...place, ...access }
  }

  /**
   * Whether `size` bytes at (`low`, `high`) may be accessed in the given way (REGION_READ or
   * REGION_WRITE). Does not raise.
   */
  allowed(low: number, high: number, size: number, way: number): boolean {
    return isAllowed(this.space, low, high, size, way)
  }

  /** Raises the fault of an access that is not allowed. */
  raiseAccess(low: number, high: number, size: number, way: number): void {
    const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
    const kind = high === this.stackTag ? "stack" : way === REGION_WRITE ? "write" : "read"
    const message = `${way === REGION_WRITE ? "write" : "read"} of ${size} bytes ${this.explain(low, high, size, way)}`
    this.raise(kind, message, { address, size })
  }

  private explain(low: number, high: number, size: number, way: number): string {
    const { space } = this
    const region = high & 0x7fff
    if (high === 0 && low === 0) return "through a NULL pointer"
    if ((high & REGION_TAG) !== REGION_TAG || region >= space.regionStart.length) {
      const value = (BigInt(high) << 32n) | BigInt(low >>> 0)
      return `at ${value < 0n && value >= -4095n ? value : `0x${BigInt.asUintN(64, value).toString(16)}`}, which is no address`
    }
    const start = space.regionStart[region]
    const end = space.regionEnd[region]
    const offset = (low >>> 0) - start
    if (high === this.stackTag)
      return `at fp${(low | 0) - this.registers[FP]}, outside of the stack in use`
    if (end === start) return "in a region that is gone or empty"
    if (offset < 0) return `${-offset} bytes before the start of a region of ${end - start} bytes`
    if (offset + size > end - start)
      return `at offset ${offset} of a region of ${end - start} bytes`
    return way === REGION_WRITE
      ? "to memory that is read-only here"
      : "of memory that is not readable"
  }

  /** Words of the decoded instruction at fault: keeps `slot` for later faults. */
  at(pc: number): void {
    this.slot = pc >> WORDS_SHIFT
  }

  /** Whether a function starts at `slot` of the running program. */
  isFunction(slot: number): boolean {
    return slot >= 0 && slot < this.code.length && this.code.words[slot * WORDS + WORD_FRAME] >= 0
  }

  /** Remembers a region that was just accessed, so that the loop can repeat the access. */
  remember(high: number, way: number): void {
    const { hits, space } = this
    const region = high & 0x7fff
    const first = way === REGION_WRITE ? HIT_WRITE_TAG : HIT_READ_TAG
    if (way !== REGION_WRITE && (space.regionFlags[region] & REGION_CONTEXT) !== 0) return
    hits[first] = high
    hits[first + 1] = space.regionStart[region]
    hits[first + 2] = space.regionEnd[region] - space.regionStart[region]
  }

  /** Whether loads outside of the region of `high` give 0. */
  isProbed(high: number): boolean {
    if ((high & REGION_TAG) !== REGION_TAG) return false
    const flags = this.space.regionFlags[high & 0x7fff]
    return flags !== undefined && (flags & REGION_PROBE) !== 0
  }
}

/**
 * Whether `[low, low + size)` lies in the region that `high` names, and the region allows `way`
 * (REGION_READ, REGION_WRITE or both). A size of 0 is always allowed.
 */
export function isAllowed(
  space: AddressSpace,
  low: number,
  high: number,
  size: number,
  way: number,
): boolean {
  if (size === 0) return true
  const region = high & 0x7fff
  if ((high & REGION_TAG) !== REGION_TAG || region >= space.regionStart.length) return false
  const start = space.regionStart[region]
  const offset = (low >>> 0) - start
  if (offset < 0 || !(size > 0) || offset + size > space.regionEnd[region] - start) return false
  return (space.regionFlags[region] & way) === way
}
