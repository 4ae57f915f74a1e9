/**
 * Patterns of several instructions that become something better than their parts. Each block is
 * searched before it is written:
 *
 * - `(x << n) | (x >> (64 - n))`, also with ^ or +, and the same of 32 bits, is a rotation: eBPF has
 *   no instruction for it. The shifts stay where they are (the host drops what nobody uses), and
 *   the value before the first of them is kept.
 * - A load of 16 bits whose only use is to swap its bytes becomes two loads of a byte.
 *
 * Invariant: what a register holds after each instruction is what it held without the pattern,
 * except between a load and its swap, where nobody looks.
 */

import { accessSize } from "../interpreter/access.ts"
import * as code from "../interpreter/code.ts"
import type { FunctionEmitter } from "./function.ts"
import { emitAddress } from "./memory.ts"
import { I64, op } from "./opcodes.ts"

/** A shift by a constant: what was shifted, which way, by how much. */
interface Shift {
  readonly slot: number
  readonly left: boolean
  readonly wide: boolean
  readonly value: number
  readonly count: number
}

interface Rotation {
  /** Slot of the shift before which the value is kept. */
  readonly from: number
  /** To the left. */
  readonly count: number
  readonly wide: boolean
}

export class Peepholes {
  private readonly emitter: FunctionEmitter
  private readonly words: Int32Array
  private readonly rotations: Map<number, Rotation> = new Map()
  /** By slot of a shift: the local that keeps what it shifts; -1 until it is written. */
  private readonly kept: Map<number, number> = new Map()
  /** Slots of loads that read their bytes in reverse, and of the swaps that are done then. */
  private readonly reversed: Set<number> = new Set()
  private readonly done: Set<number> = new Set()

  constructor(emitter: FunctionEmitter) {
    this.emitter = emitter
    this.words = emitter.program.code.words
  }

  startBlock(start: number, end: number): void {
    this.rotations.clear()
    this.kept.clear()
    this.reversed.clear()
    this.done.clear()
    this.findRotations(start, end)
    if (!this.emitter.program.options.checked) this.findSwaps(start, end)
  }

  /** Writes the instruction at `slot` if a pattern covers it; false: it is still to be written. */
  take(slot: number): boolean {
    if (this.done.has(slot)) return true
    if (this.reversed.has(slot)) {
      this.loadReversed(slot)
      return true
    }
    const { emitter, words } = this
    const register = words[slot * code.WORDS + code.WORD_DST] >> 1
    if (this.kept.has(slot)) {
      const local = emitter.local(I64)
      this.kept.set(slot, local)
      emitter.get(register)
      emitter.writer.set(local)
      return false
    }
    const rotation = this.rotations.get(slot)
    if (rotation === undefined) return false
    this.rotate(register, rotation)
    return true
  }

  private rotate(register: number, { from, count, wide }: Rotation): void {
    const { writer } = this.emitter
    writer.get(this.kept.get(from) as number)
    if (wide) {
      writer.i64(count)
      writer.byte(op.i64_rotl)
    } else {
      writer.byte(op.i32_wrap_i64)
      writer.i32(count)
      writer.byte(op.i32_rotl)
      writer.byte(op.i64_extend_i32_u)
    }
    this.emitter.set(register)
  }

  /** Numbers values: equal numbers are equal values; `low` of a number is that of its low half. */
  private findRotations(start: number, end: number): void {
    const { words } = this
    const value = new Int32Array(11)
    const low = new Map<number, number>()
    const shifts = new Map<number, Shift>()
    let used = 0
    for (let register = 0; register < 11; register++) value[register] = ++used
    for (let slot = start; slot < end; slot++) {
      const at = slot * code.WORDS
      const operation = words[at + code.WORD_OP]
      const d = words[at + code.WORD_DST] >> 1
      const s = words[at + code.WORD_SRC]
      if (operation === 0x18) slot++
      if (operation === 0x85 || operation === code.OP_CALL_LOCAL || operation > code.OP_SMOD64) {
        for (let register = 0; register < 10; register++) value[register] = ++used
        continue
      }
      if ((operation & 7) === 0 && operation !== 0x18) {
        value[0] = ++used
        continue
      }
      if (operation < 0x100 && (operation & 7) === 3) continue
      const copies = s < code.REGISTER_WORDS && (operation === 0xbf || operation === 0xbc)
      if (copies && operation === 0xbf) {
        value[d] = value[s >> 1]
        continue
      }
      const before = value[d]
      value[d] = ++used
      if (copies) low.set(used, low.get(value[s >> 1]) ?? value[s >> 1])
      else if (isShift(operation) && s >= code.REGISTER_WORDS)
        shifts.set(used, this.shift(slot, operation, s, low.get(before) ?? before, before))
      else if (isJoin(operation) && s < code.REGISTER_WORDS)
        this.join(slot, operation, shifts.get(before), shifts.get(value[s >> 1]))
    }
  }

  private shift(
    slot: number,
    operation: number,
    operand: number,
    low: number,
    whole: number,
  ): Shift {
    const wide = (operation & 7) === 7
    const [count] = this.emitter.constantOf(operand)
    const left = (operation & 0xf0) === 0x60
    return { slot, left, wide, value: wide ? whole : low, count }
  }

  private join(slot: number, operation: number, a: Shift | undefined, b: Shift | undefined): void {
    if (a === undefined || b === undefined) return
    const wide = (operation & 7) === 7
    if (a.value !== b.value || a.left === b.left || a.wide !== wide || b.wide !== wide) return
    if (a.count <= 0 || b.count <= 0 || a.count + b.count !== (wide ? 64 : 32)) return
    const first = a.slot < b.slot ? a : b
    this.kept.set(first.slot, -1)
    this.rotations.set(slot, { from: first.slot, count: a.left ? a.count : b.count, wide })
  }

  private findSwaps(start: number, end: number): void {
    const { words } = this
    /** By register: the slot of the 16-bit load that it holds and nobody has read. */
    const loaded = new Int32Array(11).fill(-1)
    for (let slot = start; slot < end; slot++) {
      const at = slot * code.WORDS
      const operation = words[at + code.WORD_OP]
      const d = words[at + code.WORD_DST] >> 1
      const s = words[at + code.WORD_SRC]
      if (operation === code.OP_SWAP16 && loaded[d] >= 0) {
        this.reversed.add(loaded[d])
        this.done.add(slot)
      }
      if (operation >= 0x100 || operation === 0x85) loaded.fill(-1)
      if (s < code.REGISTER_WORDS) loaded[s >> 1] = -1
      loaded[d] = -1
      if (operation === 0x69 && this.isPlain(slot)) loaded[d] = slot
      if (operation === 0x18) slot++
    }
  }

  /** Whether a load needs no care beyond its address. */
  private isPlain(slot: number): boolean {
    const { options, facts } = this.emitter.program
    const access = facts?.access?.get(slot)
    if (access !== undefined) return access !== "probe"
    return options.probes !== true
  }

  private loadReversed(slot: number): void {
    const { emitter, words } = this
    const { writer } = emitter
    const at = slot * code.WORDS
    const base = words[at + code.WORD_SRC] >> 1
    const off = words[at + code.WORD_OFF]
    const size = accessSize(words[at + code.WORD_WIRE])
    const first = emitAddress(emitter, base, off, size)
    writer.memory(op.i64_load8_u, first)
    writer.i64(8)
    writer.byte(op.i64_shl)
    const second = emitAddress(emitter, base, off, size)
    writer.memory(op.i64_load8_u, second + 1)
    writer.byte(op.i64_or)
    emitter.set(words[at + code.WORD_DST] >> 1)
  }
}

function isShift(operation: number): boolean {
  return operation === 0x6f || operation === 0x7f || operation === 0x6c || operation === 0x7c
}

/** or, xor, add: what puts the halves of a rotation together. */
function isJoin(operation: number): boolean {
  const kind = operation & 0xf0
  const isAlu = (operation & 7) === 7 || (operation & 7) === 4
  return isAlu && (kind === 0x40 || kind === 0xa0 || kind === 0x00)
}
