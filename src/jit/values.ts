/**
 * What registers hold, as far as it is the same on all paths: the context, a place in the stack
 * frame, a packet address, a constant. A forward data-flow over all functions of a program; the
 * height of its lattice is two, so each block is visited a few times at most.
 *
 * In programs that no verifier has accepted, only {@link STACK} and {@link CONSTANT} mean what
 * they say.
 */

import * as code from "../interpreter/code.ts"
import { END, type FunctionGraph, successors } from "./cfg.ts"

/** Nothing is known yet: the block was not reached. */
export const UNSET = 0
export const UNKNOWN = 1
/** The context of the run, plus the payload. */
export const CONTEXT = 2
/** r10 plus the payload. */
export const STACK = 3
/** A constant: the payload is its operand index, which leads to the pair of words. */
export const CONSTANT = 4
/** An address in the packet. */
export const PACKET = 5
/** A number, or an address, but not that of a context. */
export const OTHER = 6

export const REGISTERS = 11

/** Registers at the start of each block: `11 * block + n`. */
export interface BlockValues {
  readonly kind: Uint8Array
  readonly payload: Int32Array
}

export interface ValueOptions {
  /** Offsets of 32-bit fields of the context that hold packet addresses. */
  readonly contextFields: readonly number[]
}

/** The registers at one place; `step` takes them over an instruction. */
export class RegisterValues {
  readonly kind: Uint8Array = new Uint8Array(REGISTERS)
  readonly payload: Int32Array = new Int32Array(REGISTERS)
  private readonly program: code.Code<never>
  private readonly fields: readonly number[]

  constructor(program: code.Code<never>, options: ValueOptions) {
    this.program = program
    this.fields = options.contextFields
  }

  load(from: BlockValues, block: number): void {
    for (let n = 0; n < REGISTERS; n++) {
      this.kind[n] = from.kind[block * REGISTERS + n]
      this.payload[n] = from.payload[block * REGISTERS + n]
    }
  }

  set(register: number, kind: number, payload = 0): void {
    this.kind[register] = kind
    this.payload[register] = payload
  }

  /** The constant in a register, as (low, high), or null. */
  constant(register: number): readonly [low: number, high: number] | null {
    if (this.kind[register] !== CONSTANT) return null
    return constantAt(this.program, this.payload[register])
  }

  /** What the registers are after the instruction at `slot`. */
  step(slot: number): void {
    const { words } = this.program
    const at = slot * code.WORDS
    const operation = words[at + code.WORD_OP]
    const d = words[at + code.WORD_DST] >> 1
    const s = words[at + code.WORD_SRC]
    switch (operation) {
      case 0x85:
        this.afterCall(OTHER)
        return
      case code.OP_CALL_LOCAL:
      case code.OP_CALL_REGISTER:
        this.afterCall(UNKNOWN)
        return
      case 0x18:
        this.set(d, CONSTANT, s)
        return
      case 0xbf:
        if (s >= code.REGISTER_WORDS) this.set(d, CONSTANT, s)
        else this.set(d, this.kind[s >> 1], this.payload[s >> 1])
        return
      case 0x0f:
      case 0x1f:
        this.addition(d, s, operation === 0x1f)
        return
      case code.OP_ATOMIC32:
      case code.OP_ATOMIC64:
        if (s < code.REGISTER_WORDS) this.set(s >> 1, UNKNOWN)
        this.set(0, UNKNOWN)
        return
      case code.OP_STORE_RELEASE:
        return
      case code.OP_LOAD_ACQUIRE:
        this.set(d, UNKNOWN)
        return
      default:
        this.other(operation, at, d, s)
    }
  }

  private afterCall(result: number): void {
    this.set(0, result)
    for (let n = 1; n <= 5; n++) this.set(n, UNKNOWN)
  }

  private addition(d: number, s: number, subtract: boolean): void {
    const kind = this.kind[d]
    if (s >= code.REGISTER_WORDS) {
      const [low, high] = constantAt(this.program, s)
      const small = low >> 31 === high && low > -65_536 && low < 65_536
      if (kind === CONTEXT || kind === STACK) {
        if (small) this.payload[d] += subtract ? -low : low
        else this.set(d, UNKNOWN)
      } else if (kind === CONSTANT) this.set(d, OTHER)
      return
    }
    const other = this.kind[s >> 1]
    if (subtract && kind === PACKET && other === PACKET) this.set(d, OTHER)
    else if (kind === PACKET || other === PACKET) this.set(d, PACKET)
    else if (isPlain(kind) && isPlain(other)) this.set(d, OTHER)
    else this.set(d, UNKNOWN)
  }

  private other(operation: number, at: number, d: number, s: number): void {
    if (operation > 0xff) {
      this.set(d, OTHER)
      return
    }
    switch (operation & 7) {
      case 0:
        this.set(0, OTHER)
        return
      case 1:
        this.afterLoad(operation, at, d, s >> 1)
        return
      case 4:
      case 7:
        this.set(d, OTHER)
    }
  }

  private afterLoad(operation: number, at: number, d: number, base: number): void {
    const offset = this.payload[base] + this.program.words[at + code.WORD_OFF]
    if ((operation & 0x18) === 0x18) this.set(d, this.kind[base] === PACKET ? OTHER : UNKNOWN)
    else if (operation !== 0x61 || this.fields.length === 0) this.set(d, OTHER)
    else if (this.kind[base] === CONTEXT) this.set(d, this.fields.includes(offset) ? PACKET : OTHER)
    // What nobody knows may be the context, and what is loaded from there a packet address.
    else this.set(d, this.kind[base] === UNKNOWN ? UNKNOWN : OTHER)
  }
}

function isPlain(kind: number): boolean {
  return kind === OTHER || kind === CONSTANT
}

/** The pair of words behind an operand index. */
export function constantAt(
  program: code.Code<never>,
  operand: number,
): readonly [low: number, high: number] {
  const index = operand - code.REGISTER_WORDS
  return [program.constants[index], program.constants[index + 1]]
}

/** Solves the data-flow for all functions. */
export function findValues(
  program: code.Code<never>,
  graphs: readonly FunctionGraph[],
  bySlot: ReadonlyMap<number, number>,
  addressTaken: ReadonlySet<number>,
  options: ValueOptions,
): BlockValues[] {
  return new Solver(program, graphs, bySlot, options).solve(addressTaken)
}

class Solver {
  private readonly program: code.Code<never>
  private readonly graphs: readonly FunctionGraph[]
  private readonly bySlot: ReadonlyMap<number, number>
  private readonly values: BlockValues[]
  private readonly registers: RegisterValues
  private readonly queued: Uint8Array[]
  private readonly work: number[] = []

  constructor(
    program: code.Code<never>,
    graphs: readonly FunctionGraph[],
    bySlot: ReadonlyMap<number, number>,
    options: ValueOptions,
  ) {
    this.program = program
    this.graphs = graphs
    this.bySlot = bySlot
    this.registers = new RegisterValues(program, options)
    this.values = graphs.map(({ count }) => ({
      kind: new Uint8Array(count * REGISTERS),
      payload: new Int32Array(count * REGISTERS),
    }))
    this.queued = graphs.map(({ count }) => new Uint8Array(count))
  }

  solve(addressTaken: ReadonlySet<number>): BlockValues[] {
    this.enter(0, (register) => (register === 1 ? CONTEXT : OTHER))
    for (const slot of addressTaken) {
      const index = this.bySlot.get(slot)
      if (index !== undefined) this.enter(index, () => UNKNOWN)
    }
    while (this.work.length > 0) {
      const block = this.work.pop() as number
      const index = this.work.pop() as number
      this.queued[index][block] = 0
      this.visit(index, block)
    }
    return this.values
  }

  /** Joins the start of a function with what `kindOf` says. */
  private enter(index: number, kindOf: (register: number) => number): void {
    for (let n = 0; n < REGISTERS; n++) this.registers.set(n, n === 10 ? STACK : kindOf(n))
    this.join(index, 0)
  }

  private visit(index: number, block: number): void {
    const graph = this.graphs[index]
    const { words } = this.program
    this.registers.load(this.values[index], block)
    for (let slot = graph.start[block]; slot < graph.end[block]; slot++) {
      const operation = words[slot * code.WORDS + code.WORD_OP]
      if (operation === code.OP_CALL_LOCAL) this.callee(slot)
      this.registers.step(slot)
      if (operation === 0x18) slot++
    }
    if (graph.kind[block] === END.exit) return
    successors(graph, block, (successor) => this.join(index, successor))
  }

  /** Joins the start of a called function with the arguments. */
  private callee(slot: number): void {
    const target = this.program.words[slot * code.WORDS + code.WORD_OFF] >> code.WORDS_SHIFT
    const index = this.bySlot.get(target)
    if (index === undefined) return
    const kept = { kind: this.registers.kind.slice(), payload: this.registers.payload.slice() }
    for (let n = 0; n < REGISTERS; n++) {
      if (n === 10) this.registers.set(n, STACK)
      else if (n === 0 || n > 5 || this.registers.kind[n] === STACK) this.registers.set(n, UNKNOWN)
    }
    this.join(index, 0)
    this.registers.load(kept, 0)
  }

  private join(index: number, block: number): void {
    const { kind, payload } = this.values[index]
    const { registers } = this
    let changed = false
    for (let n = 0; n < REGISTERS; n++) {
      const at = block * REGISTERS + n
      const own = kind[at]
      const coming = registers.kind[n]
      if (own === UNKNOWN || (own === coming && payload[at] === registers.payload[n])) continue
      if (own === UNSET) {
        kind[at] = coming
        payload[at] = registers.payload[n]
      } else {
        kind[at] = isPlain(own) && isPlain(coming) ? OTHER : UNKNOWN
        payload[at] = 0
        if (own === kind[at]) continue
      }
      changed = true
    }
    if (!changed || this.queued[index][block] === 1) return
    this.queued[index][block] = 1
    this.work.push(index, block)
  }
}
