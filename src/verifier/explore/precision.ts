/**
 * Precision: which scalars matter exactly. When a rule depends on a scalar's value (an offset, a
 * size, the outcome of a branch), the registers and spilled registers that it was made from are
 * marked precise in all kept states on the path; states are compared by value only in what is
 * precise, and everything else may differ.
 *
 * The walk goes backwards over the path's history, one instruction at a time, with the set of
 * registers and stack slots that are wanted, by frame. What it cannot follow makes all scalars
 * precise.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c, the comment above __mark_chain_precision.
 */

import {
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_CALL,
  BPF_END,
  BPF_EXIT,
  BPF_IND,
  BPF_JA,
  BPF_JCOND,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_MOV,
  BPF_NEG,
  BPF_ST,
  BPF_STX,
  BPF_X,
} from "../../isa/index.ts"
import { instructionText } from "../log/instruction.ts"
import { CALLS_CALLBACK } from "../program/code.ts"
import { isSubprogramCall } from "../program/flow.ts"
import { subprogramStartingAt } from "../program/subprograms.ts"
import { FRAME_CALLSITE, FRAME_SUBPROGNO } from "../state/layout.ts"
import { SCALAR_VALUE } from "../state/register-types.ts"
import { isPrecise, setPrecise, typeOf } from "../state/registers.ts"
import type { HistoryEntry, State } from "../state/state.ts"
import type { Explorer } from "./explorer.ts"
import { frameOf, isSpilled, registerAt, slotAt, slotCount } from "./frames.ts"
import {
  DESTINATION_IS_STACK,
  FRAME_SHIFT,
  MAIN_FUNC,
  SLOT_SHIFT,
  SOURCE_IS_STACK,
  STACK_ACCESS,
} from "./history.ts"

/** R1 to R5. */
const ARGUMENTS = 0x3e

/** What is wanted, by frame: registers as bits, slots as two words. One walk at a time. */
class Wanted {
  frame = 0
  readonly registers = new Int32Array(8)
  readonly slots = new Int32Array(16)

  begin(frame: number): void {
    this.frame = frame
    this.registers.fill(0)
    this.slots.fill(0)
  }

  get empty(): boolean {
    for (let n = 0; n < 8; n++)
      if (this.registers[n] !== 0 || this.slots[2 * n] !== 0 || this.slots[2 * n + 1] !== 0)
        return false
    return true
  }

  has(register: number): boolean {
    return (this.registers[this.frame] & (1 << register)) !== 0
  }

  add(register: number, frame: number = this.frame): void {
    if (register !== 10) this.registers[frame] |= 1 << register
  }

  drop(register: number, frame: number = this.frame): void {
    this.registers[frame] &= ~(1 << register)
  }

  hasSlot(frame: number, spi: number): boolean {
    return (this.slots[2 * frame + (spi >> 5)] & (1 << (spi & 31))) !== 0
  }

  addSlot(frame: number, spi: number): void {
    this.slots[2 * frame + (spi >> 5)] |= 1 << (spi & 31)
  }

  dropSlot(frame: number, spi: number): void {
    this.slots[2 * frame + (spi >> 5)] &= ~(1 << (spi & 31))
  }
}

const wanted = new Wanted()

/** The walk met something that it cannot follow. */
const UNSUPPORTED = -1

/** Register `regno` of the current state matters exactly. */
export function markChainPrecision(x: Explorer, regno: number): void {
  if (!x.bpfCapable) return
  wanted.begin(x.state.frames - 1)
  wanted.add(regno)
  if (typeOf(x.domain, x.reg(regno)) !== SCALAR_VALUE) return
  walk(x, x.state)
}

/** The scalar spilled in slot `spi` of frame `n` of the current state matters exactly. */
export function markSlotPrecision(x: Explorer, n: number, spi: number): void {
  if (!x.bpfCapable) return
  wanted.begin(x.state.frames - 1)
  wanted.addSlot(n, spi)
  walk(x, x.state)
}

/**
 * What is precise in `kept` is precise in `state`, which was found equal to it. Returns whether
 * anything new was marked.
 */
export function propagatePrecision(x: Explorer, kept: State, state: State): boolean {
  if (!x.bpfCapable) return false
  const { domain } = x
  wanted.begin(state.frames - 1)
  for (let n = kept.frames - 1; n >= 0; n--) {
    const frame = frameOf(domain, kept, n)
    const names: string[] = []
    for (let index = 0; index < 10; index++) {
      const reg = registerAt(frame, index)
      if (typeOf(domain, reg) !== SCALAR_VALUE || !isPrecise(domain, reg)) continue
      wanted.add(index, n)
      if (x.loggingAll) names.push(`r${index}`)
    }
    for (let spi = 0; spi < slotCount(domain, frame); spi++) {
      const slot = slotAt(frame, spi)
      if (!isSpilled(domain, slot) || typeOf(domain, slot) !== SCALAR_VALUE) continue
      if (!isPrecise(domain, slot)) continue
      wanted.addSlot(n, spi)
      if (x.loggingAll) names.push(`fp${(-spi - 1) * 8}`)
    }
    if (names.length > 0) x.log.write(`frame ${n}: propagating ${names.join(",")}\n`)
  }
  return walk(x, state)
}

function walk(x: Explorer, start: State): boolean {
  if (wanted.empty) return false
  let changed = false
  let state = start
  let first = start.firstInsn
  let last = start.insn
  let subsequent = -1
  let skip = true
  for (;;) {
    if (x.loggingAll)
      x.log.write(
        `mark_precise: frame${wanted.frame}: last_idx ${last} first_idx ${first} subseq_idx ${subsequent} \n`,
      )
    if (last < 0) return markEntry(x, state) || changed
    let end = state.history.length
    for (let insn = last; ; ) {
      if (skip) skip = false
      else if (step(x, insn, subsequent, entryAt(state, end, insn)) === UNSUPPORTED) {
        markAllPrecise(x, start)
        return true
      }
      if (wanted.empty) return changed
      subsequent = insn
      // The instruction before, on this state's stretch of the path.
      if (insn === state.firstInsn) {
        if (end === 0) break
        if (end === 1 && state.history[0].insn === insn) break
      }
      if (end > 0 && state.history[end - 1].insn === insn) insn = state.history[--end].previous
      else insn--
      if (insn < 0) break
    }
    const parent = state.parent
    if (parent === null) break
    state = parent
    if (markState(x, state)) changed = true
    if (wanted.empty) return changed
    subsequent = first
    last = state.lastInsn
    first = state.firstInsn
  }
  if (!wanted.empty) {
    markAllPrecise(x, start)
    return true
  }
  return changed
}

function entryAt(state: State, end: number, insn: number): HistoryEntry | null {
  if (end === 0) return null
  const entry = state.history[end - 1]
  return entry.insn === insn ? entry : null
}

/** At the entry of a global function: its arguments are what they are. */
function markEntry(x: Explorer, state: State): boolean {
  const frame = frameOf(x.domain, state, 0)
  const outermost =
    state.frames === 1 &&
    x.domain.i32[(frame + FRAME_SUBPROGNO) >> 2] > 0 &&
    x.domain.i32[(frame + FRAME_CALLSITE) >> 2] === MAIN_FUNC
  if (!outermost) return false
  for (let index = 1; index <= 5; index++) {
    if (!wanted.has(index)) continue
    const reg = registerAt(frame, index)
    if (typeOf(x.domain, reg) === SCALAR_VALUE) setPrecise(x.domain, reg, true)
  }
  return true
}

/** Marks what is wanted in a kept state; what is marked already, or no scalar, is wanted no more. */
function markState(x: Explorer, state: State): boolean {
  const { domain } = x
  let changed = false
  for (let n = wanted.frame; n >= 0; n--) {
    const frame = frameOf(domain, state, n)
    for (let mask = wanted.registers[n]; mask !== 0; mask &= mask - 1) {
      const index = 31 - Math.clz32(mask & -mask)
      const reg = registerAt(frame, index)
      if (typeOf(domain, reg) !== SCALAR_VALUE || isPrecise(domain, reg)) wanted.drop(index, n)
      else {
        setPrecise(domain, reg, true)
        changed = true
      }
    }
    for (let half = 0; half < 2; half++) {
      for (let mask = wanted.slots[2 * n + half]; mask !== 0; mask &= mask - 1) {
        const spi = 31 - Math.clz32(mask & -mask) + 32 * half
        const slot = slotAt(frame, spi)
        const scalar =
          spi < slotCount(domain, frame) &&
          isSpilled(domain, slot) &&
          typeOf(domain, slot) === SCALAR_VALUE
        if (!scalar || isPrecise(domain, slot)) wanted.dropSlot(n, spi)
        else {
          setPrecise(domain, slot, true)
          changed = true
        }
      }
    }
    if (x.loggingAll) {
      x.log.write(
        `mark_precise: frame${n}: parent state regs=${registerNames(n)} stack=${slotNames(n)}: `,
      )
      x.printState(state, n, true)
    }
  }
  return changed
}

function registerNames(frame: number): string {
  const names: string[] = []
  for (let index = 0; index < 11; index++)
    if (wanted.registers[frame] & (1 << index)) names.push(`r${index}`)
  return names.join(",")
}

function slotNames(frame: number): string {
  const names: string[] = []
  for (let spi = 0; spi < 64; spi++) if (wanted.hasSlot(frame, spi)) names.push(`-${(spi + 1) * 8}`)
  return names.join(",")
}

/** Undoes one instruction: what is wanted after it becomes what is wanted before it. */
function step(x: Explorer, insn: number, subsequent: number, entry: HistoryEntry | null): number {
  const { code } = x
  const opcode = code.opcode[insn]
  if (opcode === 0) return 0
  if (x.loggingAll) {
    const { frame } = wanted
    x.log.write(
      `mark_precise: frame${frame}: regs=${registerNames(frame)} stack=${slotNames(frame)} before ${insn}: ${instructionText(x, insn)}\n`,
    )
  }
  followLinks(entry)
  const outcome = undo(x, insn, subsequent, entry)
  if (outcome === 0) followLinks(entry)
  return outcome === UNSUPPORTED ? UNSUPPORTED : 0
}

/** The instruction was undone completely: links are not looked at again. */
const DONE = 1

/** Registers that were linked at this instruction are wanted together. */
function followLinks(entry: HistoryEntry | null): void {
  const linked = entry?.linked
  if (linked === null || linked === undefined) return
  const any = linked.some((place) =>
    isSlotPlace(place)
      ? wanted.hasSlot(frameOfPlace(place), indexOfPlace(place))
      : (wanted.registers[frameOfPlace(place)] & (1 << indexOfPlace(place))) !== 0,
  )
  if (!any) return
  for (const place of linked)
    if (isSlotPlace(place)) wanted.addSlot(frameOfPlace(place), indexOfPlace(place))
    else wanted.add(indexOfPlace(place), frameOfPlace(place))
}

/** A place as domain.collectLinked writes it: frame | index << 8 | isSpilled << 16. */
const frameOfPlace = (place: number): number => place & 0xff
const indexOfPlace = (place: number): number => (place >> 8) & 0xff
const isSlotPlace = (place: number): boolean => (place & 0x10000) !== 0

function undo(x: Explorer, insn: number, subsequent: number, entry: HistoryEntry | null): number {
  const { code } = x
  const opcode = code.opcode[insn]
  const dst = code.dst[insn]
  const src = code.src[insn]
  switch (opcode & 7) {
    case BPF_ALU:
    case BPF_ALU64:
      return undoAlu(opcode, dst, src)
    case BPF_LDX:
      return undoLoad(dst, entry)
    case BPF_STX:
      if ((opcode & 0xe0) === 0xc0 && code.imm[insn] === BPF_LOAD_ACQ) return undoLoad(dst, entry)
      return undoStore(dst, src, entry)
    case BPF_ST:
      return undoStore(dst, -1, entry)
    case BPF_LD:
      if (!wanted.has(dst)) return DONE
      wanted.drop(dst)
      return (opcode & 0xe0) === BPF_ABS || (opcode & 0xe0) === BPF_IND ? UNSUPPORTED : 0
    default:
      return undoJump(x, insn, subsequent, entry)
  }
}

function undoAlu(opcode: number, dst: number, src: number): number {
  if (!wanted.has(dst)) return DONE
  const operation = opcode & 0xf0
  if (operation === BPF_END || operation === BPF_NEG) return DONE
  const fromRegister = (opcode & 0x08) === BPF_X
  if (operation === BPF_MOV) wanted.drop(dst)
  if (fromRegister) wanted.add(src)
  return 0
}

function undoLoad(dst: number, entry: HistoryEntry | null): number {
  if (!wanted.has(dst)) return DONE
  wanted.drop(dst)
  if (entry === null || (entry.flags & STACK_ACCESS) === 0) return DONE
  wanted.addSlot((entry.flags >> FRAME_SHIFT) & 0xff, (entry.flags >> SLOT_SHIFT) & 0xff)
  return 0
}

function undoStore(dst: number, src: number, entry: HistoryEntry | null): number {
  // A wanted scalar as the address: the pointer was subtracted from another.
  if (wanted.has(dst)) return UNSUPPORTED
  if (entry === null || (entry.flags & STACK_ACCESS) === 0) return DONE
  const frame = (entry.flags >> FRAME_SHIFT) & 0xff
  const spi = (entry.flags >> SLOT_SHIFT) & 0xff
  if (!wanted.hasSlot(frame, spi)) return DONE
  wanted.dropSlot(frame, spi)
  if (src >= 0) wanted.add(src)
  return 0
}

function undoJump(
  x: Explorer,
  insn: number,
  subsequent: number,
  entry: HistoryEntry | null,
): number {
  const { code } = x
  const opcode = code.opcode[insn]
  const operation = opcode & 0xf0
  if (operation === BPF_JA || operation === BPF_JCOND) return 0
  if ((opcode & 7) === BPF_JMP && operation === BPF_CALL) return undoCall(x, insn, subsequent)
  if ((opcode & 7) === BPF_JMP && operation === BPF_EXIT) return undoExit(x, subsequent)
  if ((opcode & 7) !== BPF_JMP && (opcode & 7) !== BPF_JMP32) return 0
  if ((opcode & 0x08) !== BPF_X) return 0
  const dst = code.dst[insn]
  const src = code.src[insn]
  if (!wanted.has(dst) && !wanted.has(src)) return DONE
  const flags = entry?.flags ?? 0
  if ((flags & SOURCE_IS_STACK) === 0) wanted.add(src)
  if ((flags & DESTINATION_IS_STACK) === 0) wanted.add(dst)
  return 0
}

function undoCall(x: Explorer, insn: number, subsequent: number): number {
  const { code } = x
  if (isSubprogramCall(code, insn)) {
    const callee = code.subprograms[subprogramStartingAt(code, insn + 1 + code.imm[insn])]
    if (callee.linkage === "global") {
      wanted.drop(0)
      return wanted.registers[wanted.frame] & ARGUMENTS ? UNSUPPORTED : DONE
    }
    return leaveCallee(true)
  }
  if (code.marks[insn] & CALLS_CALLBACK && insn !== subsequent - 1) return leaveCallee(false)
  wanted.drop(0)
  return wanted.registers[wanted.frame] & ARGUMENTS ? UNSUPPORTED : 0
}

/** Back over a call into a frame: its arguments are the caller's, if it was a plain call. */
function leaveCallee(pass: boolean): number {
  const { frame } = wanted
  if (frame === 0) return UNSUPPORTED
  if (wanted.registers[frame] & ~ARGUMENTS) return UNSUPPORTED
  if (wanted.slots[2 * frame] !== 0 || wanted.slots[2 * frame + 1] !== 0) return UNSUPPORTED
  for (let index = 1; index <= 5; index++) {
    if (!wanted.has(index)) continue
    wanted.drop(index)
    if (pass) wanted.add(index, frame - 1)
  }
  wanted.frame--
  return DONE
}

/** Back over an exit into the frame that it left. */
function undoExit(x: Explorer, subsequent: number): number {
  const { code } = x
  if (subsequent >= 0 && code.marks[subsequent] & CALLS_CALLBACK)
    for (let index = 1; index <= 5; index++) wanted.drop(index)
  if (wanted.registers[wanted.frame] & ARGUMENTS) return UNSUPPORTED
  const passes = subsequent > 0 && isSubprogramCall(code, subsequent - 1) && wanted.has(0)
  wanted.drop(0)
  if (wanted.frame >= 7) return UNSUPPORTED
  wanted.frame++
  if (passes) wanted.add(0)
  return DONE
}

/** Everything matters: all scalars of all kept states on the path. */
function markAllPrecise(x: Explorer, start: State): void {
  const { domain } = x
  if (x.loggingAll)
    x.log.write(
      `mark_precise: frame${start.frames - 1}: falling back to forcing all scalars precise\n`,
    )
  for (let state = start.parent; state !== null; state = state.parent) {
    for (let n = 0; n < state.frames; n++) {
      const frame = frameOf(domain, state, n)
      for (let index = 0; index < 10; index++) {
        const reg = registerAt(frame, index)
        if (typeOf(domain, reg) !== SCALAR_VALUE || isPrecise(domain, reg)) continue
        setPrecise(domain, reg, true)
        if (x.loggingAll) x.log.write(`force_precise: frame${n}: forcing r${index} to be precise\n`)
      }
      for (let spi = 0; spi < slotCount(domain, frame); spi++) {
        const slot = slotAt(frame, spi)
        if (!isSpilled(domain, slot) || typeOf(domain, slot) !== SCALAR_VALUE) continue
        if (isPrecise(domain, slot)) continue
        setPrecise(domain, slot, true)
        if (x.loggingAll)
          x.log.write(`force_precise: frame${n}: forcing fp${(-spi - 1) * 8} to be precise\n`)
      }
    }
  }
}
