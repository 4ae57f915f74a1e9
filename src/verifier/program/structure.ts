/**
 * A quick look at the structure of a program: true when it is surely well-formed. When it is not
 * sure, `validateProgram` says what is wrong, in Linux's words; so this must never be true for a
 * program that validateProgram refuses, and may be false for a good one.
 */

import {
  BPF_CALL,
  BPF_EXIT,
  BPF_IMM,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD_IMM64,
  BPF_LDX,
  BPF_MEM,
  BPF_MEMSX,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_IDX,
  formsOfOpcode,
} from "../../isa/index.ts"
import { type Code, SECOND_SLOT } from "./code.ts"
import { isFunctionAddress, isSubprogramCall, jumpTargetOf } from "./flow.ts"

/** 1 for opcodes that some instruction has. */
const KNOWN: Uint8Array = Uint8Array.from({ length: 256 }, (_, opcode) =>
  formsOfOpcode(opcode).length > 0 && opcode !== (BPF_JMP | BPF_CALL | 8) ? 1 : 0,
)
const HIGHEST_PSEUDO = 6

/** Marks the second slots of ld_imm64. */
export function markSecondSlots({ length, opcode, marks }: Code): void {
  for (let insn = 0; insn + 1 < length; insn++)
    if (opcode[insn] === BPF_LD_IMM64) marks[++insn] |= SECOND_SLOT
}

/** Needs the subprograms. */
export function isWellFormed(code: Code): boolean {
  return wordsAreKnown(code) && jumpsStayInside(code)
}

function wordsAreKnown(code: Code): boolean {
  const { length, opcode, src, off, imm, dst } = code
  for (let insn = 0; insn < length; insn++) {
    const op = opcode[insn]
    if (KNOWN[op] === 0) return false
    const mode = op & 0xe0
    if ((op & 7) === BPF_LDX && ((mode !== BPF_MEM && mode !== BPF_MEMSX) || imm[insn] !== 0))
      return false
    if (op !== BPF_LD_IMM64) {
      if ((op & 7) === 0 && mode === BPF_IMM) return false
      continue
    }
    const second = insn + 1
    if (second >= length || opcode[second] !== 0 || dst[second] !== 0 || src[second] !== 0)
      return false
    if (off[second] !== 0 || src[insn] > HIGHEST_PSEUDO) return false
    const alone = src[insn] === BPF_PSEUDO_MAP_FD || src[insn] === BPF_PSEUDO_MAP_IDX
    if (alone && imm[second] !== 0) return false
    insn++
  }
  return true
}

function jumpsStayInside(code: Code): boolean {
  const { opcode, marks, subprograms, length } = code
  for (const { start, end } of subprograms) {
    if (start < 0 || start >= length || (marks[start] & SECOND_SLOT) !== 0) return false
    const last = opcode[end - 1]
    const ends =
      last === (BPF_JMP | BPF_EXIT) || last === (BPF_JMP | BPF_JA) || last === (BPF_JMP32 | BPF_JA)
    if (!ends || (marks[end - 1] & SECOND_SLOT) !== 0) return false
    for (let insn = start; insn < end; insn++) {
      if (marks[insn] & SECOND_SLOT) continue
      const class_ = opcode[insn] & 7
      if (class_ !== BPF_JMP && class_ !== BPF_JMP32) {
        if (isFunctionAddress(code, insn) && !isStart(code, insn)) return false
        continue
      }
      const operation = opcode[insn] & 0xf0
      if (operation === BPF_EXIT) continue
      if (operation === BPF_CALL) {
        if (isSubprogramCall(code, insn) && !isStart(code, insn)) return false
        continue
      }
      const target = jumpTargetOf(code, insn)
      if (target < start || target >= end || marks[target] & SECOND_SLOT) return false
    }
  }
  return true
}

function isStart(code: Code, insn: number): boolean {
  const target = insn + 1 + code.imm[insn]
  return target >= 0 && target < code.length
}

/** True when the fields of an instruction are surely right; instructionProblem knows what is wrong. */
export function fieldsAreRight(code: Code, insn: number): boolean {
  const op = code.opcode[insn]
  const dst = code.dst[insn]
  const src = code.src[insn]
  if (dst > 9 || src > 10) return false
  const fromRegister = (op & 8) !== 0
  switch (op & 7) {
    case 4:
    case 7: {
      const operation = op & 0xf0
      // Division, negation, byte order and moves have rules of their own.
      if (operation === 0x30 || operation === 0x90 || operation === 0x80 || operation === 0xd0)
        return false
      if (code.off[insn] !== 0) return false
      return fromRegister ? code.imm[insn] === 0 : src === 0
    }
    case BPF_LDX:
      return code.imm[insn] === 0
    case BPF_JMP:
    case BPF_JMP32: {
      const operation = op & 0xf0
      if (operation === BPF_CALL || operation === BPF_EXIT || operation === BPF_JA) return false
      if (operation === 0xe0) return false
      return fromRegister ? code.imm[insn] === 0 : src === 0
    }
    default:
      return false
  }
}
