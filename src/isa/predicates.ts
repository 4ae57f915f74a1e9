/**
 * Questions that every layer asks of an instruction: its class, what it accesses, where it jumps.
 * Nothing here checks that the instruction is legal: `forms.ts` and `validate.ts` do
 * (RFC 9669 §3 to §5; linux v6.18 include/linux/filter.h).
 */

import type { Instruction } from "./instruction.ts"
import { decodeInstruction, INSN_SIZE } from "./instruction.ts"
import {
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_CMPXCHG,
  BPF_DW,
  BPF_EXIT,
  BPF_FETCH,
  BPF_H,
  BPF_IND,
  BPF_JA,
  BPF_JCOND,
  BPF_JMP,
  BPF_JMP32,
  BPF_K,
  BPF_LD,
  BPF_LD_IMM64,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_ST,
  BPF_STORE_REL,
  BPF_STX,
  BPF_W,
  BPF_X,
  BPF_XCHG,
} from "./opcode.ts"

/** BPF_CLASS: the low three bits, `BPF_LD` to `BPF_ALU64`. */
export function opcodeClass(opcode: number): number {
  return opcode & 0x07
}

/** BPF_SIZE of a load or store: `BPF_W`, `BPF_H`, `BPF_B` or `BPF_DW`. */
export function opcodeSize(opcode: number): number {
  return opcode & 0x18
}

/** BPF_MODE of a load or store: `BPF_IMM` to `BPF_ATOMIC`. */
export function opcodeMode(opcode: number): number {
  return opcode & 0xe0
}

/** BPF_OP of an ALU or jump opcode: the high four bits. */
export function opcodeOperation(opcode: number): number {
  return opcode & 0xf0
}

/** BPF_SRC of an ALU or jump opcode: `BPF_K` or `BPF_X`. */
export function opcodeSource(opcode: number): number {
  return opcode & 0x08
}

/** Bytes that a load or store moves: 1, 2, 4 or 8. */
export function accessBytes(opcode: number): 1 | 2 | 4 | 8 {
  switch (opcodeSize(opcode)) {
    case BPF_W:
      return 4
    case BPF_H:
      return 2
    case BPF_DW:
      return 8
    default:
      return 1
  }
}

/** Class ALU or ALU64. */
export function isAlu(opcode: number): boolean {
  const instructionClass = opcodeClass(opcode)
  return instructionClass === BPF_ALU || instructionClass === BPF_ALU64
}

/** Class JMP or JMP32: jumps, calls and exit. */
export function isJumpClass(opcode: number): boolean {
  const instructionClass = opcodeClass(opcode)
  return instructionClass === BPF_JMP || instructionClass === BPF_JMP32
}

/** Class LDX, ST or STX: an access to memory through a register (atomics are among STX). */
export function isMemoryAccess(opcode: number): boolean {
  const instructionClass = opcodeClass(opcode)
  return instructionClass === BPF_LDX || instructionClass === BPF_ST || instructionClass === BPF_STX
}

/** ld_imm64, the only instruction of two slots. */
export function isLdImm64(instruction: Instruction): boolean {
  return instruction.opcode === BPF_LD_IMM64
}

/** Slots that the instruction takes: 2 for ld_imm64, otherwise 1. */
export function slotCount(instruction: Instruction): 1 | 2 {
  return instruction.opcode === BPF_LD_IMM64 ? 2 : 1
}

/**
 * The 64-bit immediate of the ld_imm64 at `slot`, unsigned: the `imm` of its second slot is the
 * upper half. A missing second slot reads as zero.
 */
export function ldImm64Value(program: Uint8Array, slot: number, littleEndian = true): bigint {
  const low = BigInt(decodeInstruction(program, slot, littleEndian).imm >>> 0)
  if ((slot + 2) * INSN_SIZE > program.length) return low
  const high = BigInt(decodeInstruction(program, slot + 1, littleEndian).imm >>> 0)
  return (high << 32n) | low
}

/** A read-modify-write, exchange, load-acquire or store-release (RFC 9669 §5.3). */
export function isAtomic(instruction: Instruction): boolean {
  const { opcode } = instruction
  return opcodeClass(opcode) === BPF_STX && opcodeMode(opcode) === BPF_ATOMIC
}

/** An atomic that brings the old value back: in `src`, or in r0 for BPF_CMPXCHG. */
export function isAtomicFetch(instruction: Instruction): boolean {
  if (!isAtomic(instruction)) return false
  const { imm } = instruction
  if (imm === BPF_LOAD_ACQ || imm === BPF_STORE_REL) return false
  return imm === BPF_XCHG || imm === BPF_CMPXCHG || (imm & BPF_FETCH) !== 0
}

/** The classic packet loads BPF_ABS and BPF_IND (RFC 9669 §5.5). */
export function isLegacyPacketLoad(instruction: Instruction): boolean {
  const { opcode } = instruction
  const mode = opcodeMode(opcode)
  return opcodeClass(opcode) === BPF_LD && (mode === BPF_ABS || mode === BPF_IND)
}

/** `exit`. */
export function isExit(instruction: Instruction): boolean {
  return instruction.opcode === (BPF_JMP | BPF_EXIT)
}

/** Any call by immediate: helper, local or kfunc. Not callx. */
export function isCall(instruction: Instruction): boolean {
  return instruction.opcode === (BPF_JMP | BPF_CALL)
}

/** A call of helper number `imm`. */
export function isHelperCall(instruction: Instruction): boolean {
  return isCall(instruction) && instruction.src === 0
}

/** A call of a subprogram; `callTarget` says which. */
export function isLocalCall(instruction: Instruction): boolean {
  return isCall(instruction) && instruction.src === BPF_PSEUDO_CALL
}

/** A call of a kernel function: `imm` is its BTF id, `off` its module's index in fd_array. */
export function isKfuncCall(instruction: Instruction): boolean {
  return isCall(instruction) && instruction.src === BPF_PSEUDO_KFUNC_CALL
}

/** callx (0x8d): a call through the register `dst`. No Linux takes it; clang and uBPF do. */
export function isIndirectCall(instruction: Instruction): boolean {
  return instruction.opcode === (BPF_JMP | BPF_CALL | BPF_X)
}

/** A jump that is always taken: `goto` (offset in `off`) or `gotol` (offset in `imm`). */
export function isUnconditionalJump(instruction: Instruction): boolean {
  const { opcode } = instruction
  return opcode === (BPF_JMP | BPF_JA) || opcode === (BPF_JMP32 | BPF_JA)
}

/** may_goto: falls through, until the kernel's budget of iterations is used up. */
export function isMayGoto(instruction: Instruction): boolean {
  return instruction.opcode === (BPF_JMP | BPF_JCOND | BPF_K)
}

/** A jump with two successors: a comparison, or may_goto. */
export function isConditionalJump(instruction: Instruction): boolean {
  const { opcode } = instruction
  if (!isJumpClass(opcode)) return false
  const operation = opcodeOperation(opcode)
  if (operation === BPF_JCOND) return isMayGoto(instruction)
  return (
    operation !== BPF_JA &&
    operation !== BPF_CALL &&
    operation !== BPF_EXIT &&
    operation < BPF_JCOND
  )
}

/**
 * The slot where the jump at `slot` goes when it is taken (offsets count slots from the next
 * instruction); null for everything that is not a jump. Calls are not jumps: see `callTarget`.
 */
export function jumpTarget(instruction: Instruction, slot: number): number | null {
  if (instruction.opcode === (BPF_JMP32 | BPF_JA)) return slot + 1 + instruction.imm
  if (isUnconditionalJump(instruction) || isConditionalJump(instruction))
    return slot + 1 + instruction.off
  return null
}

/** The first slot of the subprogram that the local call at `slot` calls; null for others. */
export function callTarget(instruction: Instruction, slot: number): number | null {
  return isLocalCall(instruction) ? slot + 1 + instruction.imm : null
}

/** The first slot of the subprogram whose address the ld_imm64 at `slot` loads; null for others. */
export function functionTarget(instruction: Instruction, slot: number): number | null {
  const loads = isLdImm64(instruction) && instruction.src === BPF_PSEUDO_FUNC
  return loads ? slot + 1 + instruction.imm : null
}

/**
 * The first slots of all subprograms, ascending: slot 0, and every target of a local call or
 * function address. Targets outside the program are left out.
 */
export function subprogramStarts(program: Uint8Array, littleEndian = true): number[] {
  const slots = Math.floor(program.length / INSN_SIZE)
  const starts = new Set<number>(slots === 0 ? [] : [0])
  for (let slot = 0; slot < slots; slot++) {
    const instruction = decodeInstruction(program, slot, littleEndian)
    const target = callTarget(instruction, slot) ?? functionTarget(instruction, slot)
    if (target !== null && target >= 0 && target < slots) starts.add(target)
    if (isLdImm64(instruction)) slot++
  }
  return [...starts].sort((first, second) => first - second)
}
