/**
 * Translates classic programs to eBPF socket filters, as Linux does inside (linux v6.18
 * net/core/filter.c bpf_convert_filter), except that data about the packet is read from the
 * context, struct __sk_buff, so that the result passes the verifier.
 *
 * - A is r0, X is r7, the context is r6 (as LD_ABS and LD_IND demand), M[] is the stack.
 * - All arithmetic is 32 bits, so the upper halves of r0 and r7 are always zero.
 * - Instructions that no path reaches are left out: the verifier refuses them.
 * - Data about the packet that struct __sk_buff does not have (hatype, nla, nlan, poff) cannot
 *   be translated.
 */

import { encodeProgram, type Instruction } from "../instruction.ts"
import {
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_B,
  BPF_CALL,
  BPF_DIV,
  BPF_END,
  BPF_EXIT,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MISC,
  BPF_MOD,
  BPF_MOV,
  BPF_MSH,
  BPF_NEG,
  BPF_REG_FP,
  BPF_RET,
  BPF_ST,
  BPF_STX,
  BPF_TO_BE,
  BPF_W,
  BPF_X,
  BPF_XOR,
} from "../opcode.ts"
import { checkClassic, isConditionalJump } from "./check.ts"
import { disassembleClassicInstruction } from "./disassemble.ts"
import {
  ancillaryOf,
  BPF_A,
  BPF_MEMWORDS,
  BPF_TAX,
  type ClassicInstruction,
  type ClassicProgram,
  SKF_AD_ALU_XOR_X,
  SKF_AD_CPU,
  SKF_AD_IFINDEX,
  SKF_AD_MARK,
  SKF_AD_PKTTYPE,
  SKF_AD_PROTOCOL,
  SKF_AD_QUEUE,
  SKF_AD_RANDOM,
  SKF_AD_RXHASH,
  SKF_AD_VLAN_TAG,
  SKF_AD_VLAN_TAG_PRESENT,
  SKF_AD_VLAN_TPID,
} from "./instruction.ts"

const A = 0
const CONTEXT = 6
const X = 7
const TEMPORARY = 8

/** Offset of `len` in struct __sk_buff. */
const SKB_LEN = 0

/** Offsets in struct __sk_buff (linux v6.18 include/uapi/linux/bpf.h) of what SKF_AD_ loads read. */
const CONTEXT_FIELDS: Readonly<Record<number, number>> = {
  [SKF_AD_PKTTYPE]: 4,
  [SKF_AD_MARK]: 8,
  [SKF_AD_QUEUE]: 12,
  [SKF_AD_PROTOCOL]: 16,
  [SKF_AD_VLAN_TAG_PRESENT]: 20,
  [SKF_AD_VLAN_TAG]: 24,
  [SKF_AD_VLAN_TPID]: 28,
  [SKF_AD_IFINDEX]: 40,
  [SKF_AD_RXHASH]: 68,
}

/** Fields that the context has in network order and classic programs see in host order. */
const NETWORK_ORDER = [SKF_AD_PROTOCOL, SKF_AD_VLAN_TPID]

/** Helper ids (include/uapi/linux/bpf.h): bpf_get_prandom_u32, bpf_get_smp_processor_id. */
const HELPERS: Readonly<Record<number, number>> = { [SKF_AD_RANDOM]: 7, [SKF_AD_CPU]: 8 }

/** An eBPF instruction; a jump to a classic instruction has its index as `target`. */
type Draft = Instruction & { readonly target?: number }

function draft(opcode: number, dst = 0, src = 0, off = 0, imm = 0, target?: number): Draft {
  return { opcode, dst, src, off, imm: imm | 0, target }
}

const moveImmediate = (dst: number, k: number): Draft =>
  draft(BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, k)
const move = (dst: number, src: number): Draft => draft(BPF_ALU | BPF_MOV | BPF_X, dst, src)
const jumpTo = (target: number): Draft => draft(BPF_JMP | BPF_JA, 0, 0, 0, 0, target)
const exit: Draft = draft(BPF_JMP | BPF_EXIT)
const contextField = (dst: number, offset: number): Draft =>
  draft(BPF_LDX | BPF_MEM | BPF_W, dst, CONTEXT, offset)

/**
 * The eBPF program, 8 bytes a slot, for BPF_PROG_TYPE_SOCKET_FILTER (or SCHED_CLS, SCHED_ACT).
 *
 * @throws RangeError when {@link checkClassic} refuses the program, or it loads a datum that
 * struct __sk_buff does not have.
 */
export function translateClassic(program: ClassicProgram, littleEndian = true): Uint8Array {
  checkClassic(program)
  const reachable = findReachable(program)
  const drafts: Draft[] = [
    draft(BPF_ALU64 | BPF_MOV | BPF_X, CONTEXT, 1),
    moveImmediate(A, 0),
    moveImmediate(X, 0),
  ]
  // Slot at which each classic instruction begins. A program of 4096 instructions has at most
  // 3 + 4096 * 6 slots, so every jump fits in 16 bits.
  const slots = new Array<number>(program.length).fill(-1)
  program.forEach((insn, index) => {
    if (!reachable[index]) return
    slots[index] = drafts.length
    drafts.push(...translateInstruction(insn, index))
  })
  const instructions = drafts.map(({ target, ...insn }, slot) =>
    target === undefined ? insn : { ...insn, off: slots[target] - slot - 1 },
  )
  return encodeProgram(instructions, littleEndian)
}

/** Which instructions some path reaches. Jumps go forward, so one pass finds them all. */
function findReachable(program: ClassicProgram): boolean[] {
  const reachable = new Array<boolean>(program.length).fill(false)
  reachable[0] = true
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    if (!reachable[index]) continue
    if (code === (BPF_JMP | BPF_JA)) {
      reachable[index + 1 + k] = true
    } else if (isConditionalJump(code)) {
      reachable[index + 1 + jt] = true
      reachable[index + 1 + jf] = true
    } else if ((code & 7) !== BPF_RET) {
      reachable[index + 1] = true
    }
  }
  return reachable
}

function translateInstruction(insn: ClassicInstruction, index: number): Draft[] {
  const { code, k } = insn
  switch (code & 7) {
    case BPF_LD:
      return translateLoad(insn, index)
    case BPF_LDX:
      return translateLoadX(insn)
    case BPF_ST:
      return [draft(BPF_STX | BPF_MEM | BPF_W, BPF_REG_FP, A, scratchOffset(k))]
    case BPF_STX:
      return [draft(BPF_STX | BPF_MEM | BPF_W, BPF_REG_FP, X, scratchOffset(k))]
    case BPF_ALU:
      return translateAlu(code, k)
    case BPF_JMP:
      return translateJump(insn, index)
    case BPF_RET:
      return code === (BPF_RET | BPF_A) ? [exit] : [moveImmediate(A, k), exit]
    default:
      return [code === (BPF_MISC | BPF_TAX) ? move(X, A) : move(A, X)]
  }
}

/** Offset of a scratch word from the frame pointer. */
function scratchOffset(word: number): number {
  return 4 * (word - BPF_MEMWORDS)
}

function translateLoad(insn: ClassicInstruction, index: number): Draft[] {
  const { code, k } = insn
  const ancillary = ancillaryOf(insn)
  if (ancillary !== undefined) return translateAncillary(insn, index, ancillary)
  switch (code & 0xe0) {
    case BPF_IND:
      return [draft(code, 0, X, 0, k)]
    case BPF_LEN:
      return [contextField(A, SKB_LEN)]
    case BPF_MEM:
      return [draft(BPF_LDX | BPF_MEM | BPF_W, A, BPF_REG_FP, scratchOffset(k))]
    case BPF_IMM:
      return [moveImmediate(A, k)]
    default:
      return [draft(code, 0, 0, 0, k)]
  }
}

function translateLoadX({ code, k }: ClassicInstruction): Draft[] {
  switch (code & 0xe0) {
    case BPF_LEN:
      return [contextField(X, SKB_LEN)]
    case BPF_MEM:
      return [draft(BPF_LDX | BPF_MEM | BPF_W, X, BPF_REG_FP, scratchOffset(k))]
    case BPF_MSH:
      // LD_ABS clobbers r1 to r5 and r0 only.
      return [
        move(TEMPORARY, A),
        draft(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, k),
        draft(BPF_ALU | BPF_AND | BPF_K, A, 0, 0, 15),
        draft(BPF_ALU | BPF_LSH | BPF_K, A, 0, 0, 2),
        move(X, A),
        move(A, TEMPORARY),
      ]
    default:
      return [moveImmediate(X, k)]
  }
}

function translateAncillary(insn: ClassicInstruction, index: number, number: number): Draft[] {
  if (number === SKF_AD_ALU_XOR_X) return [draft(BPF_ALU | BPF_XOR | BPF_X, A, X)]
  const helper = HELPERS[number]
  if (helper !== undefined) return [draft(BPF_JMP | BPF_CALL, 0, 0, 0, helper)]
  const offset = CONTEXT_FIELDS[number]
  if (offset === undefined) {
    const text = disassembleClassicInstruction(insn, index)
    throw new RangeError(
      `classic instruction ${index} '${text}': struct __sk_buff has no field for it`,
    )
  }
  const load = contextField(A, offset)
  if (!NETWORK_ORDER.includes(number)) return [load]
  return [load, draft(BPF_ALU | BPF_END | BPF_TO_BE, A, 0, 0, 16)]
}

function translateAlu(code: number, k: number): Draft[] {
  const operation = code & 0xf0
  if (operation === BPF_NEG) return [draft(BPF_ALU | BPF_NEG, A)]
  if ((code & BPF_X) === 0) return [draft(code, A, 0, 0, k)]
  const compute = draft(code, A, X)
  if (operation === BPF_DIV || operation === BPF_MOD)
    return [draft(BPF_JMP32 | BPF_JNE | BPF_K, X, 0, 2, 0), moveImmediate(A, 0), exit, compute]
  // Shifts by a register count modulo 32 in both machines.
  return [compute]
}

/** Conditions whose opposite eBPF has. */
const OPPOSITES: Readonly<Record<number, number>> = {
  [BPF_JEQ]: BPF_JNE,
  [BPF_JGT]: BPF_JLE,
  [BPF_JGE]: BPF_JLT,
}

function translateJump({ code, jt, jf, k }: ClassicInstruction, index: number): Draft[] {
  const next = index + 1
  if (code === (BPF_JMP | BPF_JA)) return [jumpTo(next + k)]
  const condition = code & 0xf0
  const operand = code & BPF_X
  const branch = (operation: number, target: number): Draft => {
    const opcode = BPF_JMP32 | operation | operand
    return operand === 0 ? draft(opcode, A, 0, 0, k, target) : draft(opcode, A, X, 0, 0, target)
  }
  if (jt === jf) return [jumpTo(next + jt)]
  if (jf === 0) return [branch(condition, next + jt)]
  const opposite = OPPOSITES[condition]
  if (jt === 0 && opposite !== undefined) return [branch(opposite, next + jf)]
  return [branch(condition, next + jt), jumpTo(next + jf)]
}
