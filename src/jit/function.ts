/**
 * Fourth pass: the instructions of one function as WebAssembly. r0 to r9 are i64 locals; r10 is
 * not kept, because its frame's address is: an i32 local, the lowest byte of the frame, so that
 * displacements from r10 become constant offsets.
 *
 * Invariants: between instructions the value stack is empty; every address that is stored or
 * passed on has its region's tag; the fuel local is written back before anything that may run
 * other code of the program, and read again after it.
 */

import { accessSize } from "../interpreter/access.ts"
import * as code from "../interpreter/code.ts"
import { MAX_BPF_STACK } from "../interpreter/prepare.ts"
import { BPF_MAX_LOOPS } from "../interpreter/state.ts"
import { emitAlu, emitCompare, emitExtendedAlu } from "./alu.ts"
import { emitAtomic } from "./atomics.ts"
import { emitCall } from "./calls.ts"
import { END } from "./cfg.ts"
import { AREA } from "./layout.ts"
import { emitAddress, emitLoad, emitLoadAcquire, emitStore, emitStoreRelease } from "./memory.ts"
import { functionBody } from "./module.ts"
import { EMPTY_TYPE, I32, I64, op } from "./opcodes.ts"
import { FAULT, HOST_IMPORTS } from "./options.ts"
import { Peepholes } from "./peepholes.ts"
import type { FunctionInfo, ProgramContext } from "./program.ts"
import { type BlockEmitter, emitStructured, type Nesting } from "./structure.ts"
import { constantAt, RegisterValues, STACK } from "./values.ts"
import { Writer } from "./writer.ts"

/** The WebAssembly function that is being written; functions that are inlined share it. */
export class Body {
  readonly writer: Writer = new Writer(1024)
  readonly nesting: Nesting = { depth: 0 }
  readonly locals: number[] = []
  private readonly parameterCount: number
  private readonly temporaries: Map<number, number> = new Map()
  /** i32: instructions left to spend, in functions with loops that count; else -1. */
  fuel = -1
  /** i32: the slot at which the fuel was used up, for what comes after the outermost block. */
  exhaustedAt = -1

  constructor(parameterCount: number) {
    this.parameterCount = parameterCount
  }

  /** A new local. */
  local(type: number): number {
    return this.parameterCount + this.locals.push(type) - 1
  }

  /** A local for the span of one instruction. */
  temporary(type: number): number {
    let local = this.temporaries.get(type)
    if (local === undefined) {
      local = this.local(type)
      this.temporaries.set(type, local)
    }
    return local
  }
}

/** Where an inlined function leaves its result, and where it goes on. */
export interface InlineReturn {
  readonly result: number
  /** Depth of the block around the body. */
  readonly depth: number
}

export class FunctionEmitter implements BlockEmitter {
  readonly program: ProgramContext
  readonly info: FunctionInfo
  readonly shared: Body
  readonly writer: Writer
  readonly values: RegisterValues
  /** Local of the frame's lowest byte. */
  readonly frame: number
  /** Locals of r0 to r9. */
  readonly registers: Int32Array
  private readonly inlineReturn: InlineReturn | null
  private readonly peepholes: Peepholes
  /** The instruction that is being written, and the first one of its block. */
  private slot = 0
  private blockStart = 0
  /** Slot of the last call of a helper in the block, or -1. */
  private lastCall = -1
  /** By slot of a store to the frame in this block: the local with what was stored. */
  private readonly kept: Map<number, number> = new Map()
  private label = -1
  private rounds = -1
  /** What is written is a chunk of a function (chunks.ts). */
  isChunk = false

  constructor(
    program: ProgramContext,
    info: FunctionInfo,
    body: Body,
    registers: Int32Array,
    frame: number,
    inlineReturn: InlineReturn | null,
  ) {
    this.program = program
    this.info = info
    this.shared = body
    this.writer = body.writer
    this.registers = registers
    this.frame = frame
    this.inlineReturn = inlineReturn
    this.values = new RegisterValues(program.code, {
      contextFields: program.options.contextFields ?? [],
    })
    this.peepholes = new Peepholes(this)
  }

  /** The same for a function that is written in place. */
  inlined(
    callee: FunctionInfo,
    registers: Int32Array,
    frame: number,
    inlineReturn: InlineReturn,
  ): FunctionEmitter {
    const { program, shared } = this
    return new FunctionEmitter(program, callee, shared, registers, frame, inlineReturn)
  }

  /** Writes the prologue and all blocks. */
  emit(): void {
    const { writer, info } = this
    this.emitPrologue()
    if (info.structure.graph.kind.includes(END.mayGoto)) {
      this.rounds = this.shared.local(I32)
      writer.i32(BPF_MAX_LOOPS)
      writer.set(this.rounds)
    }
    emitStructured(writer, info.structure, this, this.shared.nesting)
  }

  /** What a function does at its start: clears its frame, fetches what is in the area. */
  emitPrologue(): void {
    const { writer, program, info } = this
    if (program.options.checked) this.clearFrame()
    if (info.slot !== 0 || this.inlineReturn !== null) return
    // What a main function reads beside r1, which only programs without a verifier do.
    for (let register = 2; register <= 5; register++) {
      if ((info.live & (1 << register)) === 0) continue
      writer.i32(0)
      writer.memory(op.i64_load, program.options.area + AREA.REGISTERS + 8 * register)
      this.set(register)
    }
  }

  /** Writes the blocks of a chunk (chunks.ts) with everything around them. */
  emitAsChunk(locals: { readonly rounds: number; readonly entry: number }): void {
    this.rounds = locals.rounds
    this.label = locals.entry
    this.isChunk = true
    this.emitCounted(() =>
      emitStructured(this.writer, this.info.structure, this, this.shared.nesting),
    )
  }

  /** Surrounds `body` with what loops need that count. */
  emitCounted(body: () => void): void {
    const { program, shared, writer } = this
    const counts = program.options.fuel !== false && needsFuel(program, this.info)
    if (counts) {
      shared.fuel = shared.local(I32)
      shared.exhaustedAt = shared.local(I32)
      this.reloadFuel()
      writer.open(op.block, EMPTY_TYPE)
      shared.nesting.depth++
    }
    body()
    writer.byte(op.unreachable)
    writer.byte(op.end)
    if (!counts) return
    writer.get(shared.exhaustedAt)
    writer.call(program.host(HOST_IMPORTS.exhausted))
    writer.byte(op.unreachable)
    writer.byte(op.end)
  }

  leaveChunk(where: number): void {
    const { writer } = this
    this.spillFuel()
    for (const local of this.registers) writer.get(local)
    writer.get(this.rounds)
    writer.i32(where)
    writer.byte(op.return)
  }

  private clearFrame(): void {
    const { writer, program, info } = this
    writer.get(this.frame)
    writer.call(program.host(HOST_IMPORTS.enter))
    const bytes = program.code.words[info.slot * code.WORDS + code.WORD_FRAME]
    if (bytes <= 0) return
    writer.get(this.frame)
    writer.i32(MAX_BPF_STACK - bytes)
    writer.byte(op.i32_add)
    writer.i32(0)
    writer.i32(bytes)
    writer.byte(op.bulk)
    writer.u32(11)
    writer.byte(0)
  }

  // ---- operands ---------------------------------------------------------------------------------

  local(type: number): number {
    return this.shared.local(type)
  }

  temporary(type: number): number {
    return this.shared.temporary(type)
  }

  /** Leaves the register as an i64. */
  get(register: number): void {
    const { writer } = this
    if (register < 10) {
      writer.get(this.registers[register])
      return
    }
    writer.get(this.frame)
    writer.i32(MAX_BPF_STACK)
    writer.byte(op.i32_add)
    writer.byte(op.i64_extend_i32_u)
    writer.i64(0, this.program.options.stackTag)
    writer.byte(op.i64_or)
  }

  /** Leaves the low half of the register as an i32. */
  getLow(register: number): void {
    const { writer } = this
    if (register < 10) {
      writer.get(this.registers[register])
      writer.byte(op.i32_wrap_i64)
    } else {
      writer.get(this.frame)
      writer.i32(MAX_BPF_STACK)
      writer.byte(op.i32_add)
    }
  }

  /** Leaves the high half of the register as an i32. */
  getHigh(register: number): void {
    const { writer } = this
    if (register === 10) {
      writer.i32(this.program.options.stackTag)
      return
    }
    writer.get(this.registers[register])
    writer.i64(32)
    writer.byte(op.i64_shr_u)
    writer.byte(op.i32_wrap_i64)
  }

  set(register: number): void {
    this.writer.set(this.registers[register])
  }

  constantOf(operand: number): readonly [low: number, high: number] {
    return constantAt(this.program.code, operand)
  }

  /** Leaves an operand (a register, or a constant) with 64 or 32 bits. */
  operand(operand: number, wide: boolean): void {
    if (operand < code.REGISTER_WORDS) {
      if (wide) this.get(operand >> 1)
      else this.getLow(operand >> 1)
      return
    }
    const [low, high] = this.constantOf(operand)
    if (wide) this.writer.i64(low, high)
    else this.writer.i32(low)
  }

  /** The place in this frame that register + displacement is, from its lowest byte, or -1. */
  stackPlace(register: number, displacement: number, size: number): number {
    if (this.values.kind[register] !== STACK) return -1
    const place = MAX_BPF_STACK + this.values.payload[register] + displacement
    return place >= 0 && place + size <= MAX_BPF_STACK ? place : -1
  }

  /** Leaves four bytes of what a register points to, as an i32. */
  loadWord(register: number, displacement: number): void {
    const { writer } = this
    const offset = emitAddress(this, register, displacement, 4)
    writer.memory(op.i32_load, offset)
  }

  /** Four bytes of what a register points to, when they are always the same. */
  constantWord(register: number, displacement: number): number | null {
    const fact = this.program.facts?.calls?.get(this.slot)?.key
    if (fact !== undefined && displacement === 0) return fact
    const place = this.stackPlace(register, displacement, 4)
    const store = place < 0 ? null : this.storeBefore(place, 4)
    if (store === null) return null
    const source = this.program.code.words[store * code.WORDS + code.WORD_SRC]
    return source < code.REGISTER_WORDS ? null : this.constantOf(source)[0]
  }

  /**
   * The same word as {@link loadWord}, zero-extended to an i64; taken from what was stored there,
   * when this block has done so: a load has to wait for the stores.
   */
  loadWordWide(register: number, displacement: number): void {
    const { writer } = this
    const place = this.stackPlace(register, displacement, 4)
    if (place >= 0 && this.forwardWord(place)) return
    writer.memory(op.i64_load32_u, emitAddress(this, register, displacement, 4))
  }

  /** Leaves the word at a place of the frame as it was stored: whole, in halves, or with its neighbour. */
  private forwardWord(place: number): boolean {
    const { writer } = this
    const whole = this.storeBefore(place, 4)
    if (whole !== null) {
      this.stored(whole)
      writer.byte(op.i32_wrap_i64)
      writer.byte(op.i64_extend_i32_u)
      return true
    }
    for (const shift of [0, 32]) {
      const wide = this.storeBefore(place - shift / 8, 8)
      if (wide === null) continue
      this.stored(wide)
      writer.i64(shift)
      writer.byte(op.i64_shr_u)
      writer.byte(op.i32_wrap_i64)
      writer.byte(op.i64_extend_i32_u)
      return true
    }
    const low = this.storeBefore(place, 2)
    const high = low === null ? null : this.storeBefore(place + 2, 2)
    if (low === null || high === null) return false
    this.stored(low)
    writer.i64(0xffff)
    writer.byte(op.i64_and)
    this.stored(high)
    writer.byte(op.i32_wrap_i64)
    writer.i32(16)
    writer.byte(op.i32_shl)
    writer.byte(op.i64_extend_i32_u)
    writer.byte(op.i64_or)
    return true
  }

  /** Leaves what the store at a slot has written: a constant, or the local that keeps it. */
  private stored(slot: number): void {
    const source = this.program.code.words[slot * code.WORDS + code.WORD_SRC]
    if (source >= code.REGISTER_WORDS) this.operand(source, true)
    else this.writer.get(this.kept.get(slot) as number)
  }

  /**
   * Slot of the store of this block before the current instruction that wrote exactly `size` bytes
   * at a place of the frame, if they are still there and were kept; else null.
   */
  private storeBefore(place: number, size: number): number | null {
    const { words } = this.program.code
    for (let slot = this.slot - 1; slot >= this.blockStart; slot--) {
      const at = slot * code.WORDS
      const operation = words[at + code.WORD_OP]
      if (operation === 0x85 || operation > code.OP_SMOD64) return null
      if (operation > 0xff || (operation & 7) !== 3) continue
      // Only stores through r10 itself are understood; any other may go anywhere.
      if (words[at + code.WORD_DST] !== 20) return null
      const bytes = accessSize(words[at + code.WORD_WIRE])
      const start = MAX_BPF_STACK + words[at + code.WORD_OFF]
      if (start >= place + size || start + bytes <= place) continue
      const isConstant = words[at + code.WORD_SRC] >= code.REGISTER_WORDS
      return start === place && bytes === size && (isConstant || this.kept.has(slot)) ? slot : null
    }
    return null
  }

  /** Before a value is stored to the frame: keeps it, if a helper is called later in this block. */
  keepStored(slot: number): void {
    if (slot >= this.lastCall) return
    const local = this.local(I64)
    this.kept.set(slot, local)
    this.writer.tee(local)
  }

  // ---- words of the area --------------------------------------------------------------------------

  /** Writes the fuel back, before a call. */
  spillFuel(): void {
    if (this.shared.fuel < 0) return
    this.writer.i32(0)
    this.writer.get(this.shared.fuel)
    this.writer.memory(op.i32_store, this.program.options.area + AREA.FUEL)
  }

  reloadFuel(): void {
    if (this.shared.fuel < 0) return
    this.writer.i32(0)
    this.writer.memory(op.i32_load, this.program.options.area + AREA.FUEL)
    this.writer.set(this.shared.fuel)
  }

  /** Writes r1 up to r`count` to the area. */
  storeArguments(count: number): void {
    for (let register = 1; register <= count; register++) {
      this.writer.i32(0)
      this.get(register)
      this.writer.memory(op.i64_store, this.program.options.area + AREA.REGISTERS + 8 * register)
    }
  }

  /** r0 = what was called has left in the area. */
  loadResult(): void {
    this.writer.i32(0)
    this.writer.memory(op.i64_load, this.program.options.area + AREA.REGISTERS)
    this.set(0)
  }

  // ---- blocks ---------------------------------------------------------------------------------------

  loop(block: number): void {
    if (this.shared.fuel < 0) return
    this.spend(this.loopCost(block), this.info.structure.graph.start[block])
  }

  /**
   * Takes fuel; when there is none left, leaves the outermost block, behind which the fault is
   * raised: a call in the loop would keep the host from unrolling it.
   */
  spend(cost: number, slot: number): void {
    const { writer, shared } = this
    writer.get(shared.fuel)
    writer.i32(cost)
    writer.byte(op.i32_sub)
    writer.set(shared.fuel)
    writer.i32(slot)
    writer.set(shared.exhaustedAt)
    writer.get(shared.fuel)
    writer.i32(0)
    writer.byte(op.i32_lt_s)
    writer.branch(op.br_if, shared.nesting.depth - 1)
  }

  /** Instructions of one round, about: the distance that the longest edge back spans. */
  private loopCost(header: number): number {
    const { graph, dominators } = this.info.structure
    const { first, list } = dominators.predecessors
    let cost = 1
    for (let at = first[header]; at < first[header + 1]; at++)
      if (list[at] >= header) cost = Math.max(cost, graph.end[list[at]] + 1 - graph.start[header])
    return cost
  }

  body(block: number): void {
    const { graph } = this.info.structure
    this.values.load(this.info.values, block)
    this.blockStart = graph.start[block]
    this.kept.clear()
    this.lastCall = this.findLastCall(graph.start[block], graph.end[block])
    this.peepholes.startBlock(graph.start[block], graph.end[block])
    const { words } = this.program.code
    for (let slot = graph.start[block]; slot < graph.end[block]; slot++) {
      const operation = words[slot * code.WORDS + code.WORD_OP]
      this.slot = slot
      if (!this.peepholes.take(slot)) this.instruction(slot)
      this.values.step(slot)
      if (operation === 0x18) slot++
    }
  }

  private findLastCall(start: number, end: number): number {
    if (this.program.options.inline == null) return -1
    const { words } = this.program.code
    for (let slot = end - 1; slot >= start; slot--)
      if (words[slot * code.WORDS + code.WORD_OP] === 0x85) return slot
    return -1
  }

  condition(block: number): void {
    const { graph } = this.info.structure
    const { words } = this.program.code
    const at = graph.end[block] * code.WORDS
    if (graph.kind[block] === END.mayGoto) {
      this.mayGoto()
      return
    }
    emitCompare(
      this,
      words[at + code.WORD_OP],
      words[at + code.WORD_DST] >> 1,
      words[at + code.WORD_SRC],
    )
  }

  /** Taken when no rounds are left; else one fewer is. */
  private mayGoto(): void {
    const { writer, rounds } = this
    writer.get(rounds)
    writer.byte(op.i32_eqz)
    writer.get(rounds)
    writer.get(rounds)
    writer.byte(op.i32_eqz)
    writer.byte(op.i32_eqz)
    writer.byte(op.i32_sub)
    writer.set(rounds)
  }

  exit(_block: number): void {
    this.leave()
  }

  /** Returns r0. */
  leave(): void {
    const { writer, inlineReturn } = this
    if (this.isChunk) {
      this.leaveChunk(-1)
      return
    }
    if (inlineReturn === null) {
      this.spillFuel()
      this.get(0)
      writer.byte(op.return)
      return
    }
    this.get(0)
    writer.set(inlineReturn.result)
    writer.branch(op.br, this.shared.nesting.depth - 1 - inlineReturn.depth)
  }

  invalid(block: number): void {
    this.fault(this.info.structure.graph.end[block], FAULT.end)
  }

  fault(slot: number, kind: number): void {
    this.writer.i32(slot)
    this.writer.i32(kind)
    this.writer.call(this.program.host(HOST_IMPORTS.fault))
    this.writer.byte(op.unreachable)
  }

  labelLocal(): number {
    if (this.label < 0) this.label = this.local(I32)
    return this.label
  }

  // ---- instructions -----------------------------------------------------------------------------------

  instruction(slot: number): void {
    const { words } = this.program.code
    const at = slot * code.WORDS
    const operation = words[at + code.WORD_OP]
    const d = words[at + code.WORD_DST] >> 1
    const s = words[at + code.WORD_SRC]
    switch (operation) {
      case 0x18:
        this.operand(s, true)
        this.set(d)
        return
      case 0x85:
      case code.OP_CALL_LOCAL:
      case code.OP_CALL_REGISTER:
        emitCall(this, slot)
        return
      case code.OP_ATOMIC32:
      case code.OP_ATOMIC64:
        emitAtomic(this, slot)
        return
      case code.OP_LOAD_ACQUIRE:
        emitLoadAcquire(this, slot)
        return
      case code.OP_STORE_RELEASE:
        emitStoreRelease(this, slot)
        return
      case code.OP_CAST_ADDRESS:
        this.castAddress(d, s >> 1)
        return
    }
    if (operation > 0xff) {
      if (!emitExtendedAlu(this, operation, d, s))
        throw new Error(`operation 0x${operation.toString(16)} in slot ${slot}`)
      return
    }
    switch (operation & 7) {
      case 0:
        this.loadPacket(slot)
        return
      case 1:
        emitLoad(this, slot)
        return
      case 4:
      case 7:
        emitAlu(this, operation, d, s)
        return
      default:
        emitStore(this, slot)
    }
  }

  /** Restores the arena's tag, which 32-bit arithmetic has dropped; NULL stays NULL. */
  private castAddress(d: number, s: number): void {
    const { writer } = this
    this.getLow(s)
    writer.byte(op.i64_extend_i32_u)
    writer.i64(0, this.program.code.arenaTag)
    writer.i64(0)
    this.getLow(s)
    writer.byte(op.select)
    writer.byte(op.i64_or)
    this.set(d)
  }

  /** LD_ABS and LD_IND: outside of the packet, the function returns 0. */
  private loadPacket(slot: number): void {
    const { writer, program } = this
    const { words } = program.code
    const at = slot * code.WORDS
    const operation = words[at + code.WORD_OP]
    const size = (operation & 0x18) === 0 ? 4 : (operation & 0x18) === 8 ? 2 : 1
    this.spillFuel()
    if ((operation & 0xe0) === 0x40) this.operand(words[at + code.WORD_SRC], false)
    else writer.i32(0)
    writer.i32(words[at + code.WORD_IMM])
    writer.byte(op.i32_add)
    writer.i32(size)
    writer.i32(slot)
    writer.get(this.frame)
    writer.call(program.host(HOST_IMPORTS.packet))
    writer.open(op.if, EMPTY_TYPE)
    this.shared.nesting.depth++
    writer.i64(0)
    this.set(0)
    this.leave()
    writer.byte(op.end)
    this.shared.nesting.depth--
    this.reloadFuel()
    this.loadResult()
  }
}

/** The body of a function of its own: locals and instructions. */
export function emitFunction(program: ProgramContext, info: FunctionInfo): Uint8Array {
  const { parameters } = info
  const body = new Body(parameters.length + 1)
  const registers = new Int32Array(10)
  for (let register = 0; register < 10; register++) {
    const parameter = parameters.indexOf(register)
    registers[register] = parameter >= 0 ? parameter : body.local(I64)
  }
  const emitter = new FunctionEmitter(program, info, body, registers, parameters.length, null)
  emitter.emitCounted(() => emitter.emit())
  return functionBody(body.locals, body.writer.finished())
}

/** Whether the function has loops, its own or those of functions and helpers inlined into it. */
export function needsFuel(program: ProgramContext, info: FunctionInfo): boolean {
  if (info.structure.isLoop.includes(1)) return true
  const { words } = program.code
  const { graph } = info.structure
  for (let block = 0; block < graph.count; block++)
    for (let slot = graph.start[block]; slot < graph.end[block]; slot++) {
      const at = slot * code.WORDS
      const operation = words[at + code.WORD_OP]
      if (operation === 0x85 && program.options.inline?.loops?.(words[at + code.WORD_IMM]))
        return true
      if (operation !== code.OP_CALL_LOCAL) continue
      const callee = program.functionAt(words[at + code.WORD_OFF] >> code.WORDS_SHIFT)
      // Inlined functions do not call each other in circles.
      if (callee.inlined && needsFuel(program, callee)) return true
    }
  return false
}
