/**
 * Programs that look like programs: values with a known kind are combined by operations that fit
 * them, and once in a while by one that does not, or without its check. A bit more than half of
 * them are safe.
 *
 * Source: RFC 9669 for instructions; linux v6.18 include/uapi/linux/bpf.h for helpers.
 */

import { encodeProgram, type Instruction } from "../../../src/isa/index.ts"
import { BPF_PROG_TYPE } from "../../../src/spec/index.ts"
import type { Random } from "./random.ts"
import {
  FIRST_FUNCTION_TYPE,
  FUNCTIONS_MAX,
  type FuzzProgram,
  GLOBAL_FUNCTION_TYPE,
  MAP,
  MAPS,
} from "./world.ts"

/** What the generator believes a register to hold. */
type Kind =
  | { readonly is: "none" | "scalar" | "context" | "stack" | "end" }
  | { readonly is: "value"; readonly size: number; readonly constant?: boolean }
  | { readonly is: "packet"; readonly proven: number }

const NONE: Kind = { is: "none" }
const SCALAR: Kind = { is: "scalar" }

const TYPES = [
  BPF_PROG_TYPE.BPF_PROG_TYPE_XDP,
  BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE.BPF_PROG_TYPE_SOCKET_FILTER,
]
/** Operations of ALU by their four bits, without NEG and END. */
const OPERATIONS = [0, 1, 2, 3, 4, 5, 6, 7, 9, 0xa, 0xb, 0xc]
const JUMPS = [1, 2, 3, 4, 5, 6, 7, 0xa, 0xb, 0xc, 0xd]
const ATOMICS = [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1]
/** Bits of size in opcodes by bytes. */
const SIZE_BITS: Readonly<Record<number, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 }
const SIZES = [1, 2, 4, 8]
/** Bytes of stack that a frame uses. */
const STACK = 64
const DEPTH_MAX = 3
/** What of 100 operations leave out a check. */
const CARELESS = 4

const HELPER = {
  lookup: 1,
  update: 2,
  delete: 3,
  time: 5,
  random: 7,
  cpu: 8,
  tailCall: 12,
  loadBytes: 26,
  checksum: 28,
  adjustHead: 44,
  ringOutput: 130,
  ringReserve: 131,
  ringSubmit: 132,
  forEach: 164,
  loop: 181,
} as const

/** A function still to be written: where it is called from. */
interface Pending {
  readonly calls: number[]
  readonly kinds: readonly Kind[]
  readonly callback: boolean
  readonly global: boolean
  readonly depth: number
}

export function generate(random: Random): FuzzProgram {
  return new Generator(random).program()
}

class Generator {
  private readonly random: Random
  private readonly type: number
  private readonly insns: Instruction[] = []
  private readonly pending: Pending[] = []
  private readonly careless: number
  private kinds: Kind[] = []
  /** Registers that hold loop counters. */
  private reserved: number[] = []
  private written = new Set<number>()
  private current: Pending | null = null
  private budget = 0
  private functions = 1
  private globals = 0

  constructor(random: Random) {
    this.random = random
    this.type = random.pick(TYPES)
    this.careless = random.chance(60) ? 0 : CARELESS
  }

  program(): FuzzProgram {
    const info: number[] = [0, FIRST_FUNCTION_TYPE]
    this.kinds = new Array<Kind>(11).fill(NONE)
    this.kinds[1] = { is: "context" }
    this.kinds[10] = { is: "stack" }
    this.budget = 6 + this.random.below(30)
    this.prologue()
    this.body(0)
    this.epilogue()
    for (let index = 0; index < this.pending.length; index++) {
      const next = this.pending[index]
      const start = this.insns.length
      for (const at of next.calls) this.insns[at] = { ...this.insns[at], imm: start - at - 1 }
      info.push(start, next.global ? GLOBAL_FUNCTION_TYPE : FIRST_FUNCTION_TYPE + index + 1)
      this.writeFunction(next)
    }
    return {
      type: this.type,
      insns: encodeProgram(this.insns),
      funcInfo: new Uint8Array(new Uint32Array(info).buffer),
    }
  }

  private writeFunction(next: Pending): void {
    this.current = next
    this.kinds = [NONE, ...next.kinds]
    while (this.kinds.length < 10) this.kinds.push(NONE)
    this.kinds[10] = { is: "stack" }
    this.written = new Set()
    this.reserved = []
    this.budget = 3 + this.random.below(10)
    this.prologue()
    this.body(1)
    this.epilogue()
  }

  private emit(opcode: number, dst = 0, src = 0, off = 0, imm = 0): number {
    this.insns.push({ opcode, dst, src, off, imm: imm | 0 })
    return this.insns.length - 1
  }

  private carelessly(): boolean {
    return this.careless > 0 && this.random.chance(this.careless)
  }

  /** Some registers get values, the context moves to a saved one. */
  private prologue(): void {
    const { random } = this
    for (let register = 1; register <= 5; register++) {
      if (this.kinds[register].is === "none" || !random.chance(80)) continue
      const saved = 5 + register
      if (saved > 9) continue
      this.emit(0xbf, saved, register)
      this.kinds[saved] = this.kinds[register]
    }
    for (const register of [0, 7, 8, 9])
      if (this.kinds[register].is === "none" && random.chance(75)) this.scalar(register)
  }

  /** Puts a scalar there: constant, or something that nobody knows. */
  private scalar(register: number): void {
    const { random } = this
    const context = this.find("context")
    const kind = random.below(10)
    if (kind < 3 || (kind < 7 && context === undefined))
      this.emit(random.chance(50) ? 0xb7 : 0xb4, register, 0, 0, random.immediate())
    else if (kind < 7) this.contextLoad(register, context as number)
    else if (kind < 8) {
      this.emit(0x18, register, 0, 0, random.next())
      this.emit(0, 0, 0, 0, random.chance(50) ? random.pick([0, -1]) : random.next())
    } else {
      this.call(random.pick([HELPER.time, HELPER.random, HELPER.cpu]))
      if (register !== 0) this.emit(0xbf, register, 0)
    }
    this.kinds[register] = SCALAR
  }

  private contextLoad(register: number, context: number): void {
    const xdp = this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_XDP
    const fields = xdp ? [12, 16] : [0, 4, 8, 12, 16, 48, 52, 56]
    const off = this.carelessly() ? this.random.below(80) : this.random.pick(fields)
    this.emit(0x61, register, context, off)
  }

  private find(is: Kind["is"]): number | undefined {
    const found = this.all(is)
    return found.length === 0 ? undefined : this.random.pick(found)
  }

  private all(is: Kind["is"]): number[] {
    const found: number[] = []
    for (let register = 0; register < 10; register++)
      if (this.kinds[register].is === is) found.push(register)
    return found
  }

  /** A register that may be overwritten; saved ones when it shall live long. */
  private free(saved = false): number {
    const all = saved ? [6, 7, 8, 9] : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    const usable = all.filter((register) => !this.reserved.includes(register))
    const unused = usable.filter((register) => this.kinds[register].is === "none")
    const scalars = usable.filter((register) => this.kinds[register].is === "scalar")
    if (unused.length > 0 && this.random.chance(60)) return this.random.pick(unused)
    return this.random.pick(scalars.length > 0 ? scalars : usable.length > 0 ? usable : [0])
  }

  /** A scalar to read; one is made when there is none. */
  private anyScalar(): number {
    const found = this.all("scalar")
    if (found.length > 0) return this.random.pick(found)
    const register = this.free()
    this.scalar(register)
    return register
  }

  /** A scalar to change. */
  private scalarTarget(): number {
    const found = this.all("scalar").filter((register) => !this.reserved.includes(register))
    if (found.length > 0) return this.random.pick(found)
    const register = this.free()
    this.scalar(register)
    return register
  }

  private call(helper: number): void {
    this.emit(0x85, 0, 0, 0, helper)
    for (let register = 1; register <= 5; register++) this.kinds[register] = NONE
    this.kinds[0] = SCALAR
  }

  private body(depth: number): void {
    while (this.budget > 0) this.statement(depth)
  }

  private statements(count: number, depth: number): void {
    for (; count > 0 && this.budget > 0; count--) this.statement(depth)
  }

  private statement(depth: number): void {
    this.budget--
    const kind = this.random.below(100)
    if (kind < 24) this.arithmetic()
    else if (kind < 36) this.branch(depth)
    else if (kind < 47) this.stack()
    else if (kind < 52) this.variableStack()
    else if (kind < 64) this.mapAccess(depth)
    else if (kind < 74) this.packetAccess()
    else if (kind < 79) this.loop(depth)
    else if (kind < 85) this.localCall(depth)
    else if (kind < 88) this.callback(depth)
    else if (kind < 92) this.helperMemory()
    else if (kind < 94) this.ring()
    else if (kind < 95) this.tailCall()
    else if (kind < 97) this.contextAccess()
    else this.scalar(this.free())
  }

  private arithmetic(): void {
    const { random } = this
    const dst = this.scalarTarget()
    const wide = random.chance(60)
    const kind = random.below(16)
    if (kind === 0) {
      const bits = random.pick([16, 32, 64])
      this.emit(random.pick([0xd4, 0xdc, 0xd7]), dst, 0, 0, bits)
    } else if (kind === 1) this.emit(wide ? 0x87 : 0x84, dst)
    else if (kind === 2)
      this.emit(
        wide ? 0xbf : 0xbc,
        dst,
        this.anyScalar(),
        random.pick(wide ? [8, 16, 32] : [8, 16]),
      )
    else if (kind < 5) {
      const src = this.anyScalar()
      const to = this.free()
      this.emit(wide ? 0xbf : 0xbc, to, src)
      this.kinds[to] = SCALAR
    } else this.binary(dst, wide)
  }

  private binary(dst: number, wide: boolean): void {
    const { random } = this
    const operation = random.pick(OPERATIONS)
    const division = operation === 3 || operation === 9
    const shift = operation === 6 || operation === 7 || operation === 0xc
    const off = division && random.chance(40) ? 1 : 0
    const opcode = (operation << 4) | (wide ? 7 : 4)
    if (random.chance(45)) {
      this.emit(opcode | 8, dst, this.anyScalar(), off)
      return
    }
    let imm = random.immediate()
    if (!this.carelessly()) {
      if (shift) imm &= wide ? 63 : 31
      if (division && imm === 0) imm = 7
    }
    this.emit(opcode, dst, 0, off, imm)
  }

  private jumpOpcode(): number {
    return (this.random.pick(JUMPS) << 4) | (this.random.chance(50) ? 5 : 6)
  }

  private branch(depth: number): void {
    const { random } = this
    const dst = this.anyScalar()
    const at = random.chance(40)
      ? this.emit(this.jumpOpcode() | 8, dst, this.anyScalar())
      : this.emit(this.jumpOpcode(), dst, 0, 0, random.immediate())
    if (depth >= DEPTH_MAX) {
      this.skip(at, () => this.arithmetic())
      return
    }
    const before = this.kinds.slice()
    const stack = new Set(this.written)
    this.skip(at, () => {
      this.statements(1 + random.below(3), depth + 1)
      if (random.chance(10)) this.epilogue()
    })
    this.merge(before, stack)
  }

  /** The jump at `at` goes behind what `body` emits. */
  private skip(at: number, body: () => void): void {
    body()
    this.insns[at] = { ...this.insns[at], off: this.insns.length - at - 1 }
  }

  /** After a join only what both sides have is known. */
  private merge(other: readonly Kind[], stack: ReadonlySet<number>): void {
    this.kinds = this.kinds.map((kind, register) =>
      JSON.stringify(kind) === JSON.stringify(other[register]) ? kind : NONE,
    )
    this.written = new Set([...this.written].filter((slot) => stack.has(slot)))
  }

  private stackOffset(size: number): number {
    return -size * (1 + this.random.below(STACK / size))
  }

  private stack(): void {
    const { random } = this
    const size = random.pick(SIZES)
    let off = this.stackOffset(size)
    if (this.carelessly()) off = random.pick([0, 8, -512, -516, -520, off + 1])
    const kind = random.below(10)
    if (kind < 4) {
      const pointer = random.chance(20) ? this.pointer() : undefined
      const src = pointer ?? this.anyScalar()
      const bytes = pointer === undefined ? size : 8
      this.emit(0x63 | SIZE_BITS[bytes], 10, src, bytes === size ? off : off & ~7)
      this.written.add(off & ~7)
    } else if (kind < 5) {
      this.emit(0x62 | SIZE_BITS[size], 10, 0, off, random.immediate())
      this.written.add(off & ~7)
    } else if (kind < 9) {
      const slots = [...this.written]
      if (slots.length > 0 && !this.carelessly()) off = random.pick(slots) + (8 - size)
      const dst = this.free()
      this.emit((size < 8 && random.chance(25) ? 0x81 : 0x61) | SIZE_BITS[size], dst, 10, off)
      this.kinds[dst] = SCALAR
    } else this.atomic(10, off & ~7)
  }

  private pointer(): number | undefined {
    return this.find("value") ?? this.find("packet") ?? this.find("context")
  }

  private atomic(base: number, off: number): void {
    const { random } = this
    const size = random.pick([4, 8])
    const src = this.anyScalar()
    this.emit(0xc3 | SIZE_BITS[size], base, src, off, random.pick(ATOMICS))
    if (base === 10) this.written.add(off)
    this.kinds[0] = this.kinds[0].is === "none" ? NONE : SCALAR
    if (!this.reserved.includes(src)) this.kinds[src] = SCALAR
  }

  /** Limits a scalar to [0, limit]: by a mask, or by a comparison that leaves out the rest. */
  private clamp(register: number, limit: number, size: number, body: () => void): void {
    const { random } = this
    if (this.carelessly()) {
      body()
      return
    }
    const align = this.carelessly() ? -1 : -size
    if (random.chance(60) || size > 1) {
      const mask = (2 ** Math.floor(Math.log2(limit + 1)) - 1) & align
      this.emit(random.chance(50) ? 0x57 : 0x54, register, 0, 0, mask)
      body()
      return
    }
    const wide = random.chance(70) ? 5 : 6
    if (wide === 6) this.emit(0xbc, register, register)
    const signed = random.chance(30)
    const low = signed ? this.emit(0xc0 | wide, register, 0, 0, 0) : -1
    const high = this.emit((signed ? 0x60 : 0x20) | wide, register, 0, 0, limit)
    body()
    for (const at of [low, high])
      if (at >= 0) this.insns[at] = { ...this.insns[at], off: this.insns.length - at - 1 }
  }

  /** Two registers that are not reserved and not each other. */
  private twoFree(): [number, number] {
    const usable = [2, 3, 4, 5, 7, 8, 9].filter((register) => !this.reserved.includes(register))
    const first = this.random.pick(usable)
    return [first, this.random.pick(usable.filter((register) => register !== first))]
  }

  private variableStack(): void {
    const { random } = this
    for (let off = -STACK; off < 0; off += 8)
      if (!this.written.has(off) && random.chance(90)) {
        this.emit(0x7a, 10, 0, off, random.pick([0, 0, 1]))
        this.written.add(off)
      }
    const [index, pointer] = this.twoFree()
    this.emit(0xbf, index, this.anyScalar())
    this.kinds[index] = SCALAR
    const before = this.kinds.slice()
    const size = random.pick(SIZES)
    this.clamp(index, 31, size, () => {
      this.emit(0xbf, pointer, 10)
      this.emit(0x07, pointer, 0, 0, -random.pick([64, 48, 40]))
      this.emit(0x0f, pointer, index)
      if (random.chance(50)) this.emit(0x61 | SIZE_BITS[size], index, pointer, 0)
      else this.emit(0x63 | SIZE_BITS[size], pointer, this.anyScalar(), 0)
    })
    this.kinds = before
    this.kinds[index] = SCALAR
    this.kinds[pointer] = NONE
  }

  private map(register: number, index: number): void {
    this.emit(0x18, register, 5, 0, index)
    this.emit(0)
    this.kinds[register] = NONE
  }

  /** A key on the stack, its address in r2. */
  private key(size: number): void {
    const { random } = this
    const off = random.pick([-8, -16])
    if (size === 8 || random.chance(30)) this.emit(0x7a, 10, 0, off, random.below(5))
    else if (random.chance(50)) this.emit(0x62, 10, 0, off, random.below(5))
    else this.emit(0x63, 10, this.anyScalar(), off)
    this.written.add(off)
    this.emit(0xbf, 2, 10)
    this.emit(0x07, 2, 0, 0, off)
    this.kinds[2] = { is: "stack" }
  }

  private mapAccess(depth: number): void {
    const { random } = this
    const known = this.find("value")
    if (known !== undefined && random.chance(60)) {
      this.valueAccess(known)
      return
    }
    if (random.chance(12)) {
      this.directValue()
      return
    }
    const map = random.pick([MAP.array, MAP.array, MAP.hash, MAP.constants, MAP.perCpu, MAP.lru])
    this.key(MAPS[map].key_size)
    this.map(1, map)
    this.call(HELPER.lookup)
    const saved = random.chance(70) ? this.free(true) : 0
    if (saved !== 0) this.emit(0xbf, saved, 0)
    const value = this.valueOf(map)
    this.kinds[0] = NONE
    this.kinds[saved] = value
    const checked = random.chance(50) ? 0 : saved
    if (this.carelessly()) {
      this.valueAccess(saved)
      return
    }
    if (random.chance(60)) {
      // Leaves at once when there is none.
      const at = this.emit(this.carelessly() ? 0x56 : 0x55, checked, 0, 0, 0)
      this.skip(at, () => {
        this.emit(0xb7, 0, 0, 0, 0)
        this.emit(0x95)
      })
      return
    }
    const before = this.kinds.map((kind, register) => (register === saved ? NONE : kind))
    const stack = new Set(this.written)
    const at = this.emit(0x15, checked, 0, 0, 0)
    this.skip(at, () => {
      this.valueAccess(saved)
      this.statements(random.below(3), depth + 1)
    })
    this.merge(before, stack)
  }

  private valueOf(map: number, off = 0): Kind {
    return { is: "value", size: MAPS[map].value_size - off, constant: map === MAP.constants }
  }

  private directValue(): void {
    const register = this.free(true)
    const map = this.random.pick([MAP.single, MAP.constants])
    const off = this.random.pick([0, 4, 8])
    this.emit(0x18, register, 6, 0, map)
    this.emit(0, 0, 0, 0, off)
    this.kinds[register] = this.valueOf(map, off)
  }

  private valueAccess(register: number): void {
    const { random } = this
    const kind = this.kinds[register]
    const limit = kind.is === "value" ? kind.size : 16
    const size = random.pick(SIZES)
    const room = Math.max(0, limit - size)
    if (random.chance(45)) {
      let off = random.below(room / size + 1) * size
      if (this.carelessly()) off += random.pick([limit, -1, -8, 1])
      this.access(register, off, size)
      return
    }
    const [index, pointer] = this.twoFree()
    if (pointer === register || index === register) return
    this.emit(0xbf, index, this.anyScalar())
    this.kinds[index] = SCALAR
    const before = this.kinds.slice()
    this.clamp(index, room, size, () => {
      this.emit(0xbf, pointer, register)
      this.emit(random.chance(90) ? 0x0f : 0x1f, pointer, index)
      this.kinds[pointer] = kind
      this.access(pointer, 0, size)
    })
    this.kinds = before
    this.kinds[pointer] = NONE
  }

  private access(base: number, off: number, size: number): void {
    const { random } = this
    const target = this.kinds[base]
    const constant = target.is === "value" && target.constant === true && !this.carelessly()
    const kind = constant ? 0 : random.below(target.is === "packet" ? 8 : 10)
    if (kind < 4) {
      const dst = this.free()
      this.emit((size < 8 && random.chance(20) ? 0x81 : 0x61) | SIZE_BITS[size], dst, base, off)
      this.kinds[dst] = SCALAR
    } else if (kind < 7) this.emit(0x63 | SIZE_BITS[size], base, this.anyScalar(), off)
    else if (kind < 8) this.emit(0x62 | SIZE_BITS[size], base, 0, off, random.immediate())
    else if (size >= 4) {
      const src = this.anyScalar()
      this.emit(0xc3 | SIZE_BITS[size], base, src, off, random.pick(ATOMICS))
    }
  }

  private packetAccess(): void {
    const { random } = this
    const context = this.find("context")
    if (context === undefined) return
    if (this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_SOCKET_FILTER || random.chance(8)) {
      this.legacyLoad(context)
      return
    }
    const [data, end] = this.twoFree()
    if (data === context || end === context) return
    const xdp = this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_XDP
    this.emit(0x61, data, context, xdp ? 0 : 76)
    this.emit(0x61, end, context, xdp ? 4 : 80)
    this.kinds[data] = { is: "packet", proven: 0 }
    this.kinds[end] = { is: "end" }
    const variable = random.chance(40)
    if (variable) this.packetOffset(data, end, context)
    const size = random.pick([14, 20, 34, 4, 8])
    const kept = this.kinds.slice()
    const probe = random.pick([1, 3, 4, 5].filter((one) => one !== data && one !== end))
    if (probe === context || this.reserved.includes(probe)) return
    this.emit(0xbf, probe, data)
    this.emit(0x07, probe, 0, 0, size)
    this.kinds[probe] = NONE
    if (this.carelessly()) this.access(data, 0, random.pick(SIZES))
    const [opcode, swap] = random.pick([
      [0x2d, false],
      [0xad, true],
      [0x3d, false],
      [0xbd, true],
    ] as const)
    const strict = opcode === 0x3d || opcode === 0xbd ? 1 : 0
    const at = swap ? this.emit(opcode, end, probe) : this.emit(opcode, probe, end)
    this.skip(at, () => {
      const bytes = random.pick(SIZES)
      const room = size - strict - bytes + (this.carelessly() ? 3 : 0)
      if (room >= 0) this.access(data, random.below(room + 1), bytes)
    })
    this.kinds = kept.map((kind, register) =>
      register === probe || register === data || register === end ? NONE : kind,
    )
  }

  private packetOffset(data: number, end: number, context: number): void {
    const [index] = this.twoFree()
    if (index === data || index === end || index === context) return
    this.emit(0xbf, index, this.anyScalar())
    this.emit(0x57, index, 0, 0, this.carelessly() ? 0x1ffff : this.random.pick([7, 60, 255]))
    this.emit(0x0f, data, index)
    this.kinds[index] = SCALAR
  }

  private legacyLoad(context: number): void {
    const { random } = this
    if (this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_XDP && !this.carelessly()) return
    if (this.reserved.includes(6)) return
    if (context !== 6) this.emit(0xbf, 6, context)
    this.kinds[6] = { is: "context" }
    const size = random.pick([0x00, 0x08, 0x10])
    if (random.chance(70)) this.emit(0x20 | size, 0, 0, 0, random.below(40))
    else this.emit(0x40 | size, 0, this.anyScalar(), 0, random.below(16))
    for (let register = 1; register <= 5; register++) this.kinds[register] = NONE
    this.kinds[0] = SCALAR
  }

  private loop(depth: number): void {
    const { random } = this
    const usable = [6, 7, 8, 9].filter((register) => !this.reserved.includes(register))
    if (depth >= 2 || usable.length < 3) return
    const counter = random.pick(usable)
    const turns = 2 + random.below(6)
    const down = random.chance(40)
    this.emit(0xb7, counter, 0, 0, down ? turns : 0)
    this.kinds[counter] = SCALAR
    this.reserved.push(counter)
    const start = this.insns.length
    const before = this.kinds.slice()
    const stack = new Set(this.written)
    // What is only known in the first turn must not be used in it.
    this.kinds = this.kinds.map((kind) =>
      kind.is === "value" || kind.is === "packet" ? NONE : kind,
    )
    for (let register = 0; register < 6; register++) this.kinds[register] = NONE
    this.statements(1 + random.below(3), depth + 1)
    this.emit(0x07, counter, 0, 0, down ? -1 : 1)
    const back = start - this.insns.length - 1
    if (down) this.emit(random.chance(50) ? 0x55 : 0x65, counter, 0, back, 0)
    else this.emit(random.pick([0xa5, 0xa6, 0xc5]), counter, 0, back, turns)
    this.reserved.pop()
    this.merge(before, stack)
  }

  private argument(register: number): Kind {
    const choice = this.random.below(4)
    const context = this.find("context")
    const value = this.find("value")
    if (choice === 0 && context !== undefined && context > 5) {
      this.emit(0xbf, register, context)
      return { is: "context" }
    }
    if (choice === 1 && value !== undefined && value > 5) {
      this.emit(0xbf, register, value)
      return this.kinds[value]
    }
    const scalars = this.all("scalar").filter((one) => one > 5 || one === 0)
    if (scalars.length > 0) this.emit(0xbf, register, this.random.pick(scalars))
    else this.emit(0xb7, register, 0, 0, this.random.immediate())
    return SCALAR
  }

  private localCall(depth: number): void {
    const { random } = this
    const own = this.current?.depth ?? 0
    if (own >= 3 || depth > 2) return
    const known = this.pending.filter((one) => !one.callback && one.depth > own)
    const again = known.length > 0 && random.chance(40) ? random.pick(known) : null
    const global = again === null && this.globals === 0 && random.chance(25)
    if (again === null && this.functions >= FUNCTIONS_MAX - 1) return
    const kinds = [1, 2].map((register) => {
      if (!global && again?.global !== true) return this.argument(register)
      this.emit(0xb7, register, 0, 0, random.immediate())
      return SCALAR
    })
    const at = this.emit(0x85, 0, 1)
    for (let register = 1; register <= 5; register++) this.kinds[register] = NONE
    this.kinds[0] = SCALAR
    if (again !== null) {
      again.calls.push(at)
      return
    }
    this.functions++
    if (global) this.globals++
    this.pending.push({
      calls: [at],
      kinds,
      callback: false,
      global,
      depth: own + 1,
    })
  }

  private callback(depth: number): void {
    const { random } = this
    const own = this.current?.depth ?? 0
    if (own >= 2 || depth > 2 || this.functions >= FUNCTIONS_MAX - 1) return
    const each = random.chance(35)
    this.functions++
    if (each) this.map(1, random.pick([MAP.array, MAP.hash]))
    else {
      this.emit(0xb7, 1, 0, 0, random.below(6))
      if (random.chance(20)) this.emit(0xbf, 1, this.savedScalar())
    }
    const at = this.emit(0x18, 2, 4)
    this.emit(0)
    const pointer = random.chance(60)
    if (pointer) {
      this.emit(0x7a, 10, 0, -24, random.below(9))
      this.written.add(-24)
      this.emit(0xbf, 3, 10)
      this.emit(0x07, 3, 0, 0, -24)
    } else this.emit(0xb7, 3, 0, 0, 0)
    this.emit(0xb7, 4, 0, 0, 0)
    this.call(each ? HELPER.forEach : HELPER.loop)
    const shared: Kind = pointer ? { is: "value", size: 8 } : SCALAR
    const kinds: Kind[] = each ? [NONE, NONE, { is: "value", size: 16 }, shared] : [SCALAR, shared]
    this.pending.push({
      calls: [at],
      kinds,
      callback: true,
      global: false,
      depth: own + 1,
    })
  }

  private savedScalar(): number {
    const found = this.all("scalar").filter((register) => register >= 6)
    if (found.length > 0) return this.random.pick(found)
    const register = this.free(true)
    this.scalar(register)
    return register
  }

  private helperMemory(): void {
    const { random } = this
    const context = this.find("context")
    const size = random.pick([1, 4, 8, 16])
    const off = -random.pick([16, 24, 32])
    const variable = random.chance(30)
    if (random.chance(50) && context !== undefined && context > 5) {
      const length = variable ? this.savedScalar() : -1
      if (length >= 0 && !this.reserved.includes(length)) {
        this.emit(0x57, length, 0, 0, this.carelessly() ? 63 : 15)
        if (random.chance(70)) this.emit(0x07, length, 0, 0, 1)
      }
      this.emit(0xbf, 1, context)
      this.emit(0xb7, 2, 0, 0, random.below(20))
      this.emit(0xbf, 3, 10)
      this.emit(0x07, 3, 0, 0, off)
      if (length >= 0) this.emit(0xbf, 4, length)
      else this.emit(0xb7, 4, 0, 0, size)
      this.call(this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_XDP ? 189 : HELPER.loadBytes)
      return
    }
    if (random.chance(30) && this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS) {
      this.initialise(off, 16)
      this.emit(0xbf, 1, 10)
      this.emit(0x07, 1, 0, 0, off)
      this.emit(0xb7, 2, 0, 0, 8)
      this.emit(0xbf, 3, 1)
      this.emit(0xb7, 4, 0, 0, 8)
      this.emit(0xb7, 5, 0, 0, random.immediate())
      this.call(HELPER.checksum)
      return
    }
    const map = random.pick([MAP.array, MAP.hash, MAP.lru])
    if (random.chance(20)) {
      this.key(MAPS[map].key_size)
      this.map(1, map)
      this.call(HELPER.delete)
      return
    }
    this.initialise(-64, MAPS[map].value_size)
    this.key(MAPS[map].key_size)
    this.map(1, map)
    this.emit(0xbf, 3, 10)
    this.emit(0x07, 3, 0, 0, -64)
    this.emit(0xb7, 4, 0, 0, 0)
    this.call(HELPER.update)
  }

  private initialise(off: number, bytes: number): void {
    for (let at = off; at < Math.min(0, off + bytes); at += 8)
      if (!this.written.has(at) && !this.carelessly()) {
        this.emit(0x7a, 10, 0, at, this.random.below(3))
        this.written.add(at)
      }
  }

  private ring(): void {
    const { random } = this
    this.map(1, MAP.ring)
    this.emit(0xb7, 2, 0, 0, 16)
    this.emit(0xb7, 3, 0, 0, 0)
    this.call(HELPER.ringReserve)
    const at = this.emit(0x15, 0, 0, 0, 0)
    const before = this.kinds.slice()
    this.skip(at, () => {
      this.kinds[0] = NONE
      const src = this.find("scalar")
      if (src !== undefined)
        this.emit(0x7b, 0, src, random.pick([0, 8, this.carelessly() ? 16 : 0]))
      else this.emit(0x7a, 0, 0, 0, 1)
      this.emit(0xbf, 1, 0)
      this.emit(0xb7, 2, 0, 0, 0)
      if (!this.carelessly()) this.emit(0x85, 0, 0, 0, HELPER.ringSubmit)
    })
    this.kinds = before
    this.kinds[0] = NONE
  }

  private tailCall(): void {
    const context = this.find("context")
    if (context === undefined || context < 6) return
    this.emit(0xbf, 1, context)
    this.map(2, MAP.programs)
    this.emit(0xb7, 3, 0, 0, this.random.below(5))
    this.call(HELPER.tailCall)
  }

  private contextAccess(): void {
    const context = this.find("context")
    if (context === undefined) return
    const xdp = this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_XDP
    if (xdp && !this.carelessly()) {
      const dst = this.free()
      this.contextLoad(dst, context)
      this.kinds[dst] = SCALAR
      return
    }
    const filter = this.type === BPF_PROG_TYPE.BPF_PROG_TYPE_SOCKET_FILTER
    const fields = filter && !this.carelessly() ? [48, 52, 56] : [8, 48, 52, 56]
    this.emit(0x63, context, this.anyScalar(), this.random.pick(fields))
  }

  private epilogue(): void {
    const { random } = this
    if (this.current?.callback === true) this.emit(0xb7, 0, 0, 0, random.below(2))
    else if (random.chance(60)) this.emit(0xb7, 0, 0, 0, random.below(5))
    else this.emit(0xbf, 0, this.anyScalar())
    this.emit(0x95)
  }
}
