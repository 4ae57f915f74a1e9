/**
 * Runs classic programs on frames with Linux's semantics: a load outside the packet and a
 * division by X = 0 end the program with 0; shifts by X count modulo 32; all arithmetic is
 * unsigned and wraps at 32 bits (linux v6.18 net/core/filter.c bpf_convert_filter).
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
import { ancillaryValue, type ClassicMetadata } from "./ancillary.ts"
import { disassembleClassicInstruction } from "./disassemble.ts"
import {
  ancillaryOf,
  BPF_A,
  BPF_MEMWORDS,
  BPF_TAX,
  BPF_TXA,
  type ClassicInstruction,
  type ClassicProgram,
  SKF_AD_ALU_XOR_X,
  SKF_AD_HATYPE,
  SKF_AD_IFINDEX,
  SKF_LL_OFF,
  SKF_NET_OFF,
} from "./instruction.ts"

/**
 * Scratch memory of the program that runs. Programs that checkClassic accepts read no word that
 * they have not written, so what the one before has left does not matter.
 */
const scratch = new Uint32Array(BPF_MEMWORDS)

/** Where the network header of an Ethernet frame begins. */
const ETH_HLEN = 14

/**
 * Runs a program that {@link checkClassic} accepts on the bytes of a frame, and returns what it
 * returns: 0 to drop the packet, else how many bytes of it to keep.
 *
 * @throws RangeError for a program that checkClassic refuses, when it comes to that instruction.
 */
export function interpretClassic(
  program: ClassicProgram,
  frame: Uint8Array,
  metadata: ClassicMetadata = {},
): number {
  const { networkOffset = ETH_HLEN, length = frame.length } = metadata
  let a = 0
  let x = 0
  for (let pc = 0; pc < program.length; pc++) {
    const insn = program[pc]
    const { code, k } = insn
    switch (code) {
      case BPF_LD | BPF_W | BPF_ABS:
      case BPF_LD | BPF_H | BPF_ABS:
      case BPF_LD | BPF_B | BPF_ABS: {
        const ancillary = ancillaryOf(insn)
        if (ancillary === SKF_AD_ALU_XOR_X) {
          a = (a ^ x) >>> 0
        } else if (ancillary !== undefined) {
          // Linux ends the program with A as it is when the packet has no device.
          const ofDevice = ancillary === SKF_AD_IFINDEX || ancillary === SKF_AD_HATYPE
          if (ofDevice && metadata.ifindex === null) return a
          a = ancillaryValue(ancillary, frame, a, x, metadata)
        } else {
          const value = load(frame, k | 0, code & 0x18, networkOffset)
          if (value < 0) return 0
          a = value
        }
        break
      }
      case BPF_LD | BPF_W | BPF_IND:
      case BPF_LD | BPF_H | BPF_IND:
      case BPF_LD | BPF_B | BPF_IND: {
        const value = load(frame, (x + k) | 0, code & 0x18, networkOffset)
        if (value < 0) return 0
        a = value
        break
      }
      case BPF_LDX | BPF_B | BPF_MSH: {
        const value = load(frame, k | 0, BPF_B, networkOffset)
        if (value < 0) return 0
        x = (value & 15) * 4
        break
      }
      case BPF_LD | BPF_W | BPF_LEN:
        a = length
        break
      case BPF_LDX | BPF_W | BPF_LEN:
        x = length
        break
      case BPF_LD | BPF_IMM:
        a = k
        break
      case BPF_LDX | BPF_IMM:
        x = k
        break
      case BPF_LD | BPF_MEM:
        a = scratch[k]
        break
      case BPF_LDX | BPF_MEM:
        x = scratch[k]
        break
      case BPF_ST:
        scratch[k] = a
        break
      case BPF_STX:
        scratch[k] = x
        break
      case BPF_MISC | BPF_TAX:
        x = a
        break
      case BPF_MISC | BPF_TXA:
        a = x
        break
      case BPF_RET | BPF_K:
        return k
      case BPF_RET | BPF_A:
        return a
      case BPF_JMP | BPF_JA:
        pc += k
        break
      default: {
        const operand = (code & BPF_X) === 0 ? k : x
        if ((code & 7) === BPF_JMP) {
          pc += holds(insn, pc, a, operand) ? insn.jt : insn.jf
        } else {
          const operation = code & ~BPF_X
          const divides = operation === (BPF_ALU | BPF_DIV) || operation === (BPF_ALU | BPF_MOD)
          if (divides && operand === 0) return 0
          a = compute(insn, pc, a, operand)
        }
      }
    }
  }
  throw new RangeError(`classic program: no return within its ${program.length} instructions`)
}

/** The value at a signed offset in network order; -1 when it lies outside the frame. */
function load(frame: Uint8Array, offset: number, size: number, networkOffset: number): number {
  let at = offset
  if (offset < 0) {
    if (offset >= SKF_NET_OFF) at = networkOffset + offset - SKF_NET_OFF
    else if (offset >= SKF_LL_OFF) at = offset - SKF_LL_OFF
    else return -1
  }
  const bytes = size === BPF_W ? 4 : size === BPF_H ? 2 : 1
  if (at < 0 || at + bytes > frame.length) return -1
  if (bytes === 1) return frame[at]
  const half = (frame[at] << 8) | frame[at + 1]
  return bytes === 2 ? half : half * 0x10000 + ((frame[at + 2] << 8) | frame[at + 3])
}

function illegal(insn: ClassicInstruction, pc: number): RangeError {
  return new RangeError(
    `classic instruction ${disassembleClassicInstruction(insn, pc)} is not legal`,
  )
}

function holds(insn: ClassicInstruction, pc: number, a: number, operand: number): boolean {
  switch (insn.code & ~BPF_X) {
    case BPF_JMP | BPF_JEQ | BPF_K:
      return a === operand
    case BPF_JMP | BPF_JGT | BPF_K:
      return a > operand
    case BPF_JMP | BPF_JGE | BPF_K:
      return a >= operand
    case BPF_JMP | BPF_JSET | BPF_K:
      return (a & operand) !== 0
    default:
      throw illegal(insn, pc)
  }
}

/** The new accumulator, unsigned. A divisor of zero has been seen to. */
function compute(insn: ClassicInstruction, pc: number, a: number, operand: number): number {
  switch (insn.code & ~BPF_X) {
    case BPF_ALU | BPF_ADD:
      return (a + operand) >>> 0
    case BPF_ALU | BPF_SUB:
      return (a - operand) >>> 0
    case BPF_ALU | BPF_MUL:
      return Math.imul(a, operand) >>> 0
    case BPF_ALU | BPF_DIV:
      return Math.floor(a / operand)
    case BPF_ALU | BPF_MOD:
      return a % operand
    case BPF_ALU | BPF_AND:
      return (a & operand) >>> 0
    case BPF_ALU | BPF_OR:
      return (a | operand) >>> 0
    case BPF_ALU | BPF_XOR:
      return (a ^ operand) >>> 0
    case BPF_ALU | BPF_LSH:
      return (a << (operand & 31)) >>> 0
    case BPF_ALU | BPF_RSH:
      return a >>> (operand & 31)
    case BPF_ALU | BPF_NEG:
      return -a >>> 0
    default:
      throw illegal(insn, pc)
  }
}
