/**
 * Changes to a program's bytecode: instructions put in, taken out or replaced, with every jump,
 * call, line and function record moved along. Candidate repairs are built from these.
 *
 * Invariant: positions are those of the program that is given; edits of one call do not overlap.
 */

import { FUNC_INFO_SIZE, LINE_INFO_SIZE } from "../../btf/index.ts"
import {
  assemble,
  BPF_CALL,
  BPF_EXIT,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD_IMM64,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  decodeProgram,
  encodeProgram,
  INSN_SIZE,
  type Instruction,
} from "../../isa/index.ts"
import type { VerifierInput } from "../input.ts"

/** One change at a place. */
export interface Edit {
  /** Instruction before which `code` goes. */
  readonly at: number
  /** Slots to take out from there; 0 by default. */
  readonly remove?: number
  readonly code?: readonly Instruction[]
  /**
   * Who runs `code`: everything that comes to `at` (the default); only what falls through to it;
   * or only the jump at this instruction.
   */
  readonly enter?: "all" | "fall" | number
  /** Instructions of `code` (by index) that jump to instructions of the original program. */
  readonly exits?: readonly { readonly index: number; readonly target: number }[]
}

/** Assembles the instructions of an edit: `r0 = 0; exit`. */
export function code(text: string): Instruction[] {
  return decodeProgram(assemble(text).bytes)
}

interface Placed extends Edit {
  readonly start: number
  readonly body: readonly Instruction[]
}

/** The program with the edits made; null when a jump does not reach any more. */
export function edited(input: VerifierInput, edits: readonly Edit[]): VerifierInput | null {
  const old = decodeProgram(input.insns)
  const placed: Placed[] = []
  const moved = new Int32Array(old.length + 1)
  const result: Instruction[] = []
  const origin: number[] = []
  const sorted = [...edits].sort((a, b) => a.at - b.at)
  for (let at = 0, next = 0; at <= old.length; ) {
    let skip = 0
    for (; next < sorted.length && sorted[next].at === at; next++) {
      const edit = sorted[next]
      const inserted = edit.code ?? []
      const body =
        typeof edit.enter === "number" && fallsInto(old, at)
          ? [
              { opcode: BPF_JMP | BPF_JA, dst: 0, src: 0, off: inserted.length, imm: 0 },
              ...inserted,
            ]
          : inserted
      placed.push({ ...edit, start: result.length, body })
      for (const instruction of body) {
        result.push(instruction)
        origin.push(-1)
      }
      skip += edit.remove ?? 0
    }
    moved[at] = result.length
    if (at === old.length) break
    if (skip > 0) {
      for (let gone = 0; gone < skip; gone++) moved[at + gone] = result.length
      at += skip
      continue
    }
    result.push(old[at])
    origin.push(at)
    at++
  }
  const entry = (target: number, from: number): number => {
    for (const { at, enter, start, body, code: inserted } of placed) {
      if (at !== target || enter === "fall") continue
      if (enter === undefined || enter === "all") return start
      if (enter === from) return start + body.length - (inserted ?? []).length
    }
    return moved[target]
  }
  const program = relink(result, origin, entry)
  if (program === null) return null
  for (const { start, body, code: inserted = [], exits = [] } of placed)
    for (const { index, target } of exits) {
      const slot = start + body.length - inserted.length + index
      program[slot] = { ...program[slot], off: moved[target] - slot - 1 }
    }
  return {
    ...input,
    insns: encodeProgram(program),
    funcInfo: shifted(input.funcInfo, FUNC_INFO_SIZE, (slot) => firstAt(placed, moved, slot)),
    lineInfo: shifted(input.lineInfo, LINE_INFO_SIZE, (slot) => firstAt(placed, moved, slot)),
  }
}

/** Whether control can come to `at` from the instruction before it. */
function fallsInto(program: readonly Instruction[], at: number): boolean {
  if (at === 0) return true
  const { opcode } = program[at - 1]
  return opcode !== (BPF_JMP | BPF_EXIT) && opcode !== (BPF_JMP | BPF_JA)
}

function relink(
  program: readonly Instruction[],
  origin: readonly number[],
  entry: (target: number, from: number) => number,
): Instruction[] | null {
  const linked: Instruction[] = []
  let wide = false
  for (let slot = 0; slot < program.length; slot++) {
    const instruction: Instruction = program[slot]
    const from = origin[slot]
    linked.push(instruction)
    const second: boolean = wide
    wide = !second && instruction.opcode === BPF_LD_IMM64
    if (from < 0 || second) continue
    const { opcode, src, off, imm } = instruction
    const family = opcode & 7
    if (opcode === BPF_LD_IMM64 && src === BPF_PSEUDO_FUNC) {
      linked[slot] = { ...instruction, imm: entry(from + 1 + imm, from) - slot - 1 }
    } else if (family === BPF_JMP || family === BPF_JMP32) {
      const operation = opcode & 0xf0
      if (operation === BPF_EXIT) continue
      const call = operation === BPF_CALL
      if (call && src !== BPF_PSEUDO_CALL) continue
      const byImm = call || opcode === (BPF_JMP32 | BPF_JA)
      const distance = entry(from + 1 + (byImm ? imm : off), from) - slot - 1
      if (!byImm && (distance > 32767 || distance < -32768)) return null
      linked[slot] = byImm ? { ...instruction, imm: distance } : { ...instruction, off: distance }
    }
  }
  return linked
}

function firstAt(placed: readonly Placed[], moved: Int32Array, slot: number): number {
  for (const { at, start } of placed) if (at === slot) return start
  return moved[Math.min(slot, moved.length - 1)]
}

/** Records whose first word is a slot, with the slots moved; of two at one slot, the later stays. */
function shifted(records: Uint8Array, size: number, move: (slot: number) => number): Uint8Array {
  const out = records.slice()
  const view = new DataView(out.buffer)
  const keep: number[] = []
  for (let at = 0; at + size <= out.length; at += size) {
    const slot = move(view.getUint32(at, true))
    view.setUint32(at, slot, true)
    const last = keep.at(-1)
    if (last !== undefined && view.getUint32(last, true) === slot) keep.pop()
    keep.push(at)
  }
  const result = new Uint8Array(keep.length * size)
  keep.forEach((at, index) => {
    result.set(out.subarray(at, at + size), index * size)
  })
  return result
}

/** Slots of a program. */
export function slotCountOf(input: VerifierInput): number {
  return input.insns.length / INSN_SIZE
}
