/**
 * Random programs that every engine must run alike: structured code (conditions, bounded loops,
 * subprograms, bpf_loop) over scalars, with a packet, a stack, an array, a hash and a per-CPU
 * array, atomics and tail calls. They are made so that Linux's verifier takes nearly all of them.
 *
 * What they compute ends up where all engines show it: r0, and the packet, to which the main
 * program writes its registers and stack at the end.
 */

import { encodeProgram, type Instruction } from "../../src/isa/index.ts"

/** Numbers below `limit`, from a seed (mulberry32). */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }

  below(limit: number): number {
    return this.next() % limit
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }
}

/** Maps that programs name, by the number in their ld_imm64. */
export const MAPS = ["array", "hash", "percpu", "programs"] as const
export type MapName = (typeof MAPS)[number]

/** Bytes of a value of the maps with values, and entries of each. */
export const VALUE_BYTES = 24
export const MAP_ENTRIES = 8
/** Bytes of the packet, and those of it that the program works on. */
export const PACKET_BYTES = 256
const WORK_BYTES = 64
/** Of the packet: where registers and stack are left. */
const RESULT_AT = 64

export interface GeneratedProgram {
  /** Map operands are BPF_PSEUDO_MAP_FD with the index of the map in {@link MAPS}. */
  readonly insns: Uint8Array
  /** Slots of those operands. */
  readonly mapSlots: readonly number[]
}

interface Scope {
  /** Registers to compute with. */
  readonly registers: readonly number[]
  /** r6 is the packet. */
  readonly hasPacket: boolean
  /** Subprograms that may be called: from this one on. */
  readonly callable: number
  loops: number
}

const STACK_BYTES = 64
const CTX = -80
const COUNTERS = -96
const KEY = -128

export function generateProgram(random: Random): GeneratedProgram {
  return new Generator(random).program()
}

class Generator {
  private readonly random: Random
  private readonly code: Instruction[] = []
  private readonly mapSlots: number[] = []
  private readonly calls: [slot: number, target: number][] = []
  private readonly subprograms: number
  private readonly hasCallback: boolean
  private budget: number

  constructor(random: Random) {
    this.random = random
    this.subprograms = random.below(4)
    this.hasCallback = random.chance(12)
    this.budget = 12 + random.below(70)
  }

  program(): GeneratedProgram {
    const starts: number[] = []
    this.main()
    const count = this.subprograms + (this.hasCallback ? 1 : 0)
    for (let index = 0; index < count; index++) {
      starts.push(this.code.length)
      this.budget = 4 + this.random.below(14)
      this.subprogram(index, index === this.subprograms)
    }
    for (const [slot, target] of this.calls)
      this.code[slot] = { ...this.code[slot], imm: starts[target] - slot - 1 }
    return { insns: encodeProgram(this.code), mapSlots: this.mapSlots }
  }

  private emit(opcode: number, dst = 0, src = 0, off = 0, imm = 0): number {
    return this.code.push({ opcode, dst, src, off, imm: imm | 0 }) - 1
  }

  private immediate(): number {
    const { random } = this
    const kind = random.below(6)
    if (kind === 0) return random.pick([0, 1, -1, 2, 7, 0x7fffffff, -0x80000000, 0xffff, 0x8000])
    if (kind < 4) return random.below(256) - 64
    return random.next() | 0
  }

  private constant(register: number): void {
    const { random } = this
    if (random.chance(40)) {
      this.emit(0x18, register, 0, 0, random.next())
      this.emit(0, 0, 0, 0, random.chance(50) ? random.next() : random.below(3) - 1)
    } else this.emit(random.chance(60) ? 0xb7 : 0xb4, register, 0, 0, this.immediate())
  }

  private mapAddress(register: number, map: MapName): void {
    this.mapSlots.push(this.emit(0x18, register, 1, 0, MAPS.indexOf(map)))
    this.emit(0)
  }

  private main(): void {
    this.emit(0xbf, 7, 1)
    this.emit(0x7b, 10, 1, CTX)
    this.emit(0x61, 6, 7, 0)
    this.emit(0x61, 2, 7, 4)
    this.emit(0xbf, 3, 6)
    this.emit(0x07, 3, 0, 0, PACKET_BYTES)
    this.emit(0xbd, 3, 2, 2)
    this.emit(0xb7, 0, 0, 0, 1)
    this.emit(0x95)
    const scope: Scope = {
      registers: [0, 1, 2, 3, 4, 5, 7, 8, 9],
      hasPacket: true,
      callable: 0,
      loops: 0,
    }
    this.initialise(scope)
    while (this.budget > 0) this.statement(scope, 0)
    // Linux refuses functions that nobody calls.
    for (let index = 0; index < this.subprograms; index++)
      if (!this.calls.some(([, target]) => target === index)) {
        this.calls.push([this.emit(0x85, 0, 1), index])
        this.afterCall(scope)
      }
    if (this.random.chance(20)) this.tailCall()
    for (const register of [0, 1, 2, 3, 4, 5, 7, 8, 9])
      this.emit(0x7b, 6, register, RESULT_AT + 8 * register)
    for (let at = 0; at < STACK_BYTES; at += 8) {
      this.emit(0x79, 1, 10, -STACK_BYTES + at)
      this.emit(0x7b, 6, 1, RESULT_AT + 80 + at)
    }
    this.emit(0x95)
  }

  private subprogram(index: number, isCallback: boolean): void {
    const scope: Scope = {
      registers: isCallback ? [0, 1, 3, 4, 5, 7, 8, 9] : [0, 1, 2, 3, 4, 5, 7, 8, 9],
      hasPacket: false,
      callable: isCallback ? this.subprograms : index + 1,
      loops: 1,
    }
    const given = isCallback ? [1] : [1, 2, 3, 4, 5]
    this.initialise(scope, given)
    while (this.budget > 0) this.statement(scope, 0)
    if (isCallback) this.emit(0x57, 0, 0, 0, this.random.chance(80) ? 0 : 1)
    this.emit(0x95)
  }

  private initialise({ registers }: Scope, given: readonly number[] = []): void {
    for (const register of registers) if (!given.includes(register)) this.constant(register)
    for (let at = 0; at < STACK_BYTES; at += 8)
      this.emit(0x7b, 10, this.random.pick(registers), -STACK_BYTES + at)
  }

  private statement(scope: Scope, depth: number): void {
    const { random } = this
    this.budget--
    const kind = random.below(100)
    if (kind < 45) this.arithmetic(scope)
    else if (kind < 55) this.load(scope)
    else if (kind < 65) this.store(scope)
    else if (kind < 70) this.atomicOn(scope, 10, -STACK_BYTES, STACK_BYTES)
    else if (kind < 80 && depth < 3) this.condition(scope, depth)
    else if (kind < 84 && depth < 2 && scope.loops < 2) this.loop(scope, depth)
    else if (kind < 93) this.mapOperation(scope)
    else if (kind < 98) this.call(scope)
    else this.arithmetic(scope)
  }

  private arithmetic({ registers }: Scope): void {
    const { random } = this
    const dst = random.pick(registers)
    const src = random.pick(registers)
    const wide = random.chance(60)
    const kind = random.below(20)
    if (kind === 0) {
      const bits = random.pick([16, 32, 64])
      this.emit(random.pick([0xd4, 0xdc, 0xd7]), dst, 0, 0, bits)
    } else if (kind === 1) this.emit(wide ? 0x87 : 0x84, dst)
    else if (kind === 2)
      this.emit(wide ? 0xbf : 0xbc, dst, src, random.pick(wide ? [8, 16, 32] : [8, 16]))
    else if (kind === 3) this.constant(dst)
    else if (kind === 4) this.rotate(dst, registers)
    else this.binary(dst, src, wide)
  }

  /** (x << n) | (x >> (64 - n)), as compilers write it. */
  private rotate(dst: number, registers: readonly number[]): void {
    const { random } = this
    const other = random.pick(registers.filter((register) => register !== dst))
    const wide = random.chance(70)
    const bits = wide ? 64 : 32
    const count = 1 + random.below(bits - 1)
    this.emit(wide ? 0xbf : 0xbc, other, dst)
    this.emit(wide ? 0x67 : 0x64, other, 0, 0, count)
    this.emit(wide ? 0x77 : 0x74, dst, 0, 0, bits - count)
    this.emit((random.chance(50) ? 0x40 : 0xa0) | (wide ? 0x0f : 0x0c), dst, other)
  }

  private binary(dst: number, src: number, wide: boolean): void {
    const { random } = this
    const operation = random.pick([0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 11, 12]) << 4
    const isDivision = operation === 0x30 || operation === 0x90
    const off = isDivision && random.chance(40) ? 1 : 0
    const base = operation | (wide ? 7 : 4)
    if (random.chance(50)) {
      this.emit(base | 8, dst, src, off)
      return
    }
    const isShift = operation === 0x60 || operation === 0x70 || operation === 0xc0
    let imm = isShift ? random.below(wide ? 64 : 32) : this.immediate()
    if (isDivision && imm === 0) imm = 3
    this.emit(base, dst, 0, off, imm)
  }

  /** A place for an access of `size` bytes: base register and displacement. */
  private place({ hasPacket }: Scope, size: number): [base: number, off: number] {
    const { random } = this
    if (hasPacket && random.chance(50)) return [6, random.below(WORK_BYTES - size + 1)]
    return [10, -STACK_BYTES + random.below(STACK_BYTES / size) * size]
  }

  private size(): { size: number; bits: number } {
    return this.random.pick([
      { size: 1, bits: 0x10 },
      { size: 2, bits: 0x08 },
      { size: 4, bits: 0x00 },
      { size: 8, bits: 0x18 },
    ])
  }

  private load(scope: Scope): void {
    const { random } = this
    const { size, bits } = this.size()
    const [base, off] = this.place(scope, size)
    const signed = size < 8 && random.chance(30)
    this.emit((signed ? 0x81 : 0x61) | bits, random.pick(scope.registers), base, off)
  }

  private store(scope: Scope): void {
    const { random } = this
    const { size, bits } = this.size()
    const [base, off] = this.place(scope, size)
    if (random.chance(30)) this.emit(0x62 | bits, base, 0, off, this.immediate())
    else this.emit(0x63 | bits, base, random.pick(scope.registers), off)
  }

  private atomicOn({ registers }: Scope, base: number, from: number, bytes: number): void {
    const { random } = this
    const wide = random.chance(60)
    const size = wide ? 8 : 4
    const off = from + random.below(bytes / size) * size
    const imm = random.pick([0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1])
    const src = random.pick(registers.filter((register) => register !== base))
    // cmpxchg brings the old value to r0, which must not be the base then.
    if (base === 0 && imm === 0xf1) return
    this.emit(wide ? 0xdb : 0xc3, base, src, off, imm)
  }

  private condition(scope: Scope, depth: number): void {
    const { random } = this
    const operation = random.pick([1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13]) << 4
    const dst = random.pick(scope.registers)
    const base = operation | (random.chance(60) ? 5 : 6)
    const jump = random.chance(50)
      ? this.emit(base | 8, dst, random.pick(scope.registers))
      : this.emit(base, dst, 0, 0, this.immediate())
    const count = 1 + random.below(4)
    for (let index = 0; index < count; index++) this.statement(scope, depth + 1)
    if (random.chance(50)) {
      const over = random.chance(80) ? this.emit(0x05) : this.emit(0x06)
      this.patch(jump)
      for (let index = 0; index < count; index++) this.statement(scope, depth + 1)
      this.patch(over)
    } else this.patch(jump)
  }

  /** The jump at `slot` goes to what comes next. */
  private patch(slot: number): void {
    const jump = this.code[slot]
    const distance = this.code.length - slot - 1
    this.code[slot] = jump.opcode === 0x06 ? { ...jump, imm: distance } : { ...jump, off: distance }
  }

  private loop(scope: Scope, depth: number): void {
    const { random } = this
    const counter = COUNTERS - 8 * scope.loops
    const scratch = random.pick(scope.registers)
    this.emit(0x7a, 10, 0, counter, 1 + random.below(6))
    const top = this.code.length
    scope.loops++
    const count = 1 + random.below(4)
    for (let index = 0; index < count; index++) this.statement(scope, depth + 1)
    scope.loops--
    this.emit(0x79, scratch, 10, counter)
    this.emit(0x07, scratch, 0, 0, -1)
    this.emit(0x7b, 10, scratch, counter)
    const jump = this.emit(0x55, scratch, 0, 0, 0)
    this.code[jump] = { ...this.code[jump], off: top - jump - 1 }
  }

  /** After a call only r0 and r6 to r9 are there. */
  private afterCall({ registers }: Scope): void {
    for (const register of [1, 2, 3, 4, 5])
      if (registers.includes(register)) this.constant(register)
  }

  private mapOperation(scope: Scope): void {
    const { random } = this
    const map = random.pick(["array", "array", "hash", "hash", "percpu"] as const)
    const constantKey = random.chance(50)
    if (constantKey) this.emit(0x62, 10, 0, KEY, random.below(MAP_ENTRIES + 2))
    else {
      const key = random.pick(scope.registers)
      this.emit(0x57, key, 0, 0, 15)
      this.emit(0x63, 10, key, KEY)
    }
    const isLookup = map === "percpu" || random.chance(60)
    if (!isLookup && random.chance(60)) {
      this.mapAddress(1, map)
      this.keyArgument()
      this.emit(0xbf, 3, 10)
      this.emit(0x07, 3, 0, 0, -STACK_BYTES)
      this.emit(0xb7, 4, 0, 0, random.pick([0, 0, 0, 1, 2]))
      this.emit(0x85, 0, 0, 0, 2)
    } else {
      this.mapAddress(1, map)
      this.keyArgument()
      this.emit(0x85, 0, 0, 0, isLookup || map === "array" ? 1 : 3)
      if (isLookup || map === "array") this.useValue(scope)
    }
    this.afterCall(scope)
  }

  private keyArgument(): void {
    this.emit(0xbf, 2, 10)
    this.emit(0x07, 2, 0, 0, KEY)
  }

  /** r0 is a value or NULL; afterwards a number. */
  private useValue(scope: Scope): void {
    const { random } = this
    const others = [7, 8, 9].filter((register) => scope.registers.includes(register))
    const inner: Scope = { ...scope, registers: others }
    const jump = this.emit(0x15, 0)
    const count = 1 + random.below(3)
    for (let index = 0; index < count; index++) {
      const { size, bits } = this.size()
      const off = random.below(VALUE_BYTES / size) * size
      const kind = random.below(3)
      if (kind === 0) this.emit(0x61 | bits, random.pick(others), 0, off)
      else if (kind === 1) this.emit(0x63 | bits, 0, random.pick(others), off)
      else this.atomicOn(inner, 0, 0, VALUE_BYTES)
    }
    this.patch(jump)
    this.constant(0)
  }

  private call(scope: Scope): void {
    const { random } = this
    if (this.hasCallback && scope.hasPacket && random.chance(40)) {
      this.emit(0xb7, 1, 0, 0, random.below(6))
      this.calls.push([this.emit(0x18, 2, 4), this.subprograms])
      this.emit(0)
      this.emit(0xb7, 3)
      this.emit(0xb7, 4)
      this.emit(0x85, 0, 0, 0, 181)
      this.afterCall(scope)
      return
    }
    if (scope.callable >= this.subprograms) return
    const target = scope.callable + random.below(this.subprograms - scope.callable)
    // r1 to r5 are numbers at this place.
    this.calls.push([this.emit(0x85, 0, 1), target])
    this.afterCall(scope)
  }

  private tailCall(): void {
    this.emit(0x79, 1, 10, CTX)
    this.mapAddress(2, "programs")
    this.emit(0xb7, 3, 0, 0, this.random.below(3))
    this.emit(0x85, 0, 0, 0, 12)
    this.emit(0xb7, 0, 0, 0, 5)
    this.afterCall({ registers: [1, 2, 3, 4, 5], hasPacket: true, callable: 0, loops: 0 })
  }
}
