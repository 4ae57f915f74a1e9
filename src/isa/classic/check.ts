/**
 * Whether Linux takes a classic program (linux v6.18 net/core/filter.c bpf_check_classic and
 * check_load_and_stores). Five rules:
 *
 * 1. It has 1 to 4096 instructions, each with a legal code.
 * 2. Jumps stay inside; they only go forward by their encoding.
 * 3. Constants: no division by zero, shifts below 32, scratch words below 16, packet offsets
 *    from SKF_AD_OFF on are known ancillary loads.
 * 4. The last instruction returns.
 * 5. Scratch words are written before they are read, on every path.
 */

import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_B,
  BPF_DIV,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MISC,
  BPF_MOD,
  BPF_MSH,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_W,
  BPF_X,
  BPF_XOR,
} from "../opcode.ts"
import { disassembleClassicInstruction } from "./disassemble.ts"
import {
  ancillaryOf,
  BPF_A,
  BPF_MAXINSNS,
  BPF_MEMWORDS,
  BPF_TAX,
  BPF_TXA,
  type ClassicInstruction,
  type ClassicProgram,
  SKF_AD_OFF,
} from "./instruction.ts"

const ALU_OPERATIONS = [
  BPF_ADD,
  BPF_SUB,
  BPF_MUL,
  BPF_DIV,
  BPF_MOD,
  BPF_AND,
  BPF_OR,
  BPF_XOR,
  BPF_LSH,
  BPF_RSH,
]
const CONDITIONS = [BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET]
const SIZES = [BPF_W, BPF_H, BPF_B]

const CONDITIONAL_JUMPS: ReadonlySet<number> = new Set(
  CONDITIONS.flatMap((condition) => [BPF_JMP | condition | BPF_K, BPF_JMP | condition | BPF_X]),
)

const PACKET_LOADS: ReadonlySet<number> = new Set(SIZES.map((size) => BPF_LD | BPF_ABS | size))

/** Every code that a classic program may contain. */
export const CLASSIC_CODES: ReadonlySet<number> = new Set([
  ...ALU_OPERATIONS.flatMap((operation) => [
    BPF_ALU | operation | BPF_K,
    BPF_ALU | operation | BPF_X,
  ]),
  BPF_ALU | BPF_NEG,
  ...PACKET_LOADS,
  ...SIZES.map((size) => BPF_LD | BPF_IND | size),
  BPF_LD | BPF_W | BPF_LEN,
  BPF_LD | BPF_IMM,
  BPF_LD | BPF_MEM,
  BPF_LDX | BPF_W | BPF_LEN,
  BPF_LDX | BPF_B | BPF_MSH,
  BPF_LDX | BPF_IMM,
  BPF_LDX | BPF_MEM,
  BPF_ST,
  BPF_STX,
  BPF_MISC | BPF_TAX,
  BPF_MISC | BPF_TXA,
  BPF_RET | BPF_K,
  BPF_RET | BPF_A,
  BPF_JMP | BPF_JA,
  ...CONDITIONAL_JUMPS,
])

/** Why Linux refuses a program, and where. */
export interface ClassicFault {
  /** Index of the instruction; the length of the program when it is the program's. */
  readonly instruction: number
  /** One clause: `jump to 12, the program has 10 instructions`. */
  readonly reason: string
}

/** Whether `code` is a jump with a condition, which has two ways out. */
export function isConditionalJump(code: number): boolean {
  return CONDITIONAL_JUMPS.has(code)
}

/** The first rule that a program breaks; `null` when Linux takes it. */
export function findClassicFault(program: ClassicProgram): ClassicFault | null {
  const count = program.length
  if (count < 1 || count > BPF_MAXINSNS)
    return {
      instruction: count,
      reason: `${count} instructions, there must be 1 to ${BPF_MAXINSNS}`,
    }
  for (const [instruction, insn] of program.entries()) {
    const reason = faultOf(insn, instruction, count)
    if (reason !== null) return { instruction, reason }
  }
  const last = program[count - 1].code
  if (last !== (BPF_RET | BPF_K) && last !== (BPF_RET | BPF_A))
    return { instruction: count - 1, reason: "the last instruction does not return" }
  return findUnwrittenLoad(program)
}

/**
 * Checks a program as Linux does.
 *
 * @throws RangeError with the instruction at fault, its text and the reason.
 */
export function checkClassic(program: ClassicProgram): void {
  const fault = findClassicFault(program)
  if (fault === null) return
  const insn = program[fault.instruction]
  const place = insn === undefined ? "program" : `instruction ${fault.instruction}`
  const text =
    insn === undefined ? "" : ` '${disassembleClassicInstruction(insn, fault.instruction)}'`
  throw new RangeError(`classic ${place}${text}: ${fault.reason}`)
}

function faultOf(insn: ClassicInstruction, index: number, count: number): string | null {
  const { code, jt, jf, k } = insn
  if (!CLASSIC_CODES.has(code)) return `code 0x${code.toString(16)} is not legal`
  const range = (target: number): string =>
    `jump to ${target}, the program has ${count} instructions`
  if (CONDITIONAL_JUMPS.has(code)) {
    const target = index + 1 + Math.max(jt, jf)
    return target >= count ? range(target) : null
  }
  if (PACKET_LOADS.has(code))
    return k >= SKF_AD_OFF >>> 0 && ancillaryOf(insn) === undefined
      ? `offset ${k | 0} is no ancillary datum`
      : null
  switch (code) {
    case BPF_ALU | BPF_DIV | BPF_K:
    case BPF_ALU | BPF_MOD | BPF_K:
      return k === 0 ? "division by a constant zero" : null
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return k >= 32 ? `shift by ${k}, the limit is 31` : null
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
      return k >= BPF_MEMWORDS ? `scratch word ${k}, the limit is ${BPF_MEMWORDS - 1}` : null
    case BPF_JMP | BPF_JA:
      return index + 1 + k >= count ? range(index + 1 + k) : null
    default:
      return null
  }
}

/** Sets of scratch words are bit masks; a place reached by several paths has their intersection. */
function findUnwrittenLoad(program: ClassicProgram): ClassicFault | null {
  const writtenAt = new Uint16Array(program.length).fill(0xffff)
  let written = 0
  for (const [instruction, { code, jt, jf, k }] of program.entries()) {
    written &= writtenAt[instruction]
    if (code === BPF_ST || code === BPF_STX) {
      written |= 1 << k
    } else if (code === (BPF_LD | BPF_MEM) || code === (BPF_LDX | BPF_MEM)) {
      if ((written & (1 << k)) === 0)
        return { instruction, reason: `scratch word ${k} is read before it is written` }
    } else if (code === (BPF_JMP | BPF_JA)) {
      writtenAt[instruction + 1 + k] &= written
      written = 0xffff
    } else if (CONDITIONAL_JUMPS.has(code)) {
      writtenAt[instruction + 1 + jt] &= written
      writtenAt[instruction + 1 + jf] &= written
      written = 0xffff
    }
    // After a return, Linux goes on with the words written before it, and so do we.
  }
  return null
}
