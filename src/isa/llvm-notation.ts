/**
 * One instruction in the notation of `llvm-objdump -d` and of clang's inline assembly:
 * `r1 = *(u32 *)(r2 + 4)`. Instructions that LLVM does not know, or prints without one of their
 * fields, are printed so that `assemble` gets them back (`lossless`), in the same spirit
 * (LLVM 14 to 22, lib/Target/BPF/BPFInstrInfo.td and MCTargetDesc/BPFInstPrinter.cpp).
 */

import { instructionForm } from "./forms.ts"
import type { Instruction } from "./instruction.ts"
import type { NotationNames } from "./kernel-notation.ts"
import {
  accessType,
  aluSymbol,
  atomicName,
  comparisonSymbol,
  signExtension,
} from "./kernel-notation.ts"
import * as op from "./opcode.ts"
import { accessBytes, isAlu, opcodeClass, opcodeMode, opcodeOperation } from "./predicates.ts"

export interface LlvmNotationOptions extends NotationNames {
  readonly lossless: boolean
  /** Numbers in hexadecimal, as LLVM prints them from 16 on. */
  readonly hexadecimal: boolean
  /** 32-bit memory operands as `w1`, as `-mattr=+alu32` prints them, and LLVM 20 by itself. */
  readonly alu32: boolean
}

/** The text of one instruction, `<unknown>` when it is not legal; `next` as in `kernelNotation`. */
export function llvmNotation(
  instruction: Instruction,
  next: Instruction | undefined,
  options: LlvmNotationOptions,
): string {
  if (instructionForm(instruction) === undefined) return "<unknown>"
  const { opcode, dst, src, imm } = instruction
  if (isAlu(opcode)) return alu(instruction, options)
  switch (opcodeClass(opcode)) {
    case op.BPF_LD:
      return load(instruction, next, options)
    case op.BPF_LDX: {
      const wide = opcodeMode(opcode) === op.BPF_MEMSX
      const register = wide ? "r" : dataRegister(opcode, options)
      return `${register}${dst} = ${memory(instruction, src, options)}`
    }
    case op.BPF_ST:
      return `${memory(instruction, dst, options)} = ${number(imm, options)}`
    case op.BPF_STX:
      if (opcodeMode(opcode) === op.BPF_ATOMIC) return atomic(instruction, options)
      return `${memory(instruction, dst, options)} = ${dataRegister(opcode, options)}${src}`
    default:
      return jump(instruction, options)
  }
}

/** `5`, `-5`, `0x5`, `-0x5`. */
function number(value: number | bigint, { hexadecimal }: LlvmNotationOptions): string {
  if (!hexadecimal) return `${value}`
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`
}

/** `+2`, `-2`, `+0x2`. */
function distance(value: number, options: LlvmNotationOptions): string {
  return value < 0 ? number(value, options) : `+${number(value, options)}`
}

function dataRegister(opcode: number, { alu32 }: LlvmNotationOptions): string {
  return alu32 && accessBytes(opcode) !== 8 ? "w" : "r"
}

/** `r2 + 4`, `r2 - 4`. */
function address(base: number, off: number, options: LlvmNotationOptions): string {
  return `r${base} ${off < 0 ? "-" : "+"} ${number(Math.abs(off), options)}`
}

function pointer(instruction: Instruction, base: number, options: LlvmNotationOptions): string {
  return `(${accessType(instruction.opcode)} *)(${address(base, instruction.off, options)})`
}

function memory(instruction: Instruction, base: number, options: LlvmNotationOptions): string {
  return `*${pointer(instruction, base, options)}`
}

function alu(instruction: Instruction, options: LlvmNotationOptions): string {
  const { opcode, dst, src, off, imm } = instruction
  const wide = opcodeClass(opcode) === op.BPF_ALU64
  const register = wide ? "r" : "w"
  const fromRegister = (opcode & op.BPF_X) !== 0
  const operation = opcodeOperation(opcode)
  if (operation === op.BPF_END)
    return `r${dst} = ${wide ? "bswap" : fromRegister ? "be" : "le"}${imm} r${dst}`
  if (operation === op.BPF_NEG) return `${register}${dst} = -${register}${dst}`
  if (operation === op.BPF_MOV && wide && off === op.BPF_ADDR_SPACE_CAST) {
    const [to, from] = [number(imm >>> 16, options), number(imm & 0xffff, options)]
    return `r${dst} = addr_space_cast(r${src}, ${to}, ${from})`
  }
  const operand = fromRegister
    ? `${signExtension(instruction)}${register}${src}`
    : number(imm, options)
  return `${register}${dst} ${aluSymbol(instruction)} ${operand}`
}

function atomic(instruction: Instruction, options: LlvmNotationOptions): string {
  const { opcode, dst, src, off, imm } = instruction
  const wide = accessBytes(opcode) === 8
  const register = wide ? "r" : "w"
  const at = address(dst, off, options)
  const typed = pointer(instruction, dst, options)
  switch (imm) {
    case op.BPF_CMPXCHG:
      return `${register}0 = cmpxchg${wide ? "_64" : "32_32"}(${at}, ${register}0, ${register}${src})`
    case op.BPF_XCHG:
      return `${register}${src} = xchg${wide ? "_64" : "32_32"}(${at}, ${register}${src})`
    case op.BPF_LOAD_ACQ:
      return `${register}${dst} = load_acquire(${pointer(instruction, src, options)})`
    case op.BPF_STORE_REL:
      return `store_release(${typed}, ${register}${src})`
  }
  const name = atomicName(instruction)
  if ((imm & op.BPF_FETCH) !== 0)
    return `${register}${src} = atomic_fetch_${name}(${typed}, ${register}${src})`
  // LLVM has an `xadd` of 32 bits with 64-bit registers for targets without alu32.
  const data = imm === op.BPF_ADD ? dataRegister(opcode, options) : register
  return `lock *${typed} ${aluSymbol({ ...instruction, opcode: imm, off: 0 })} ${data}${src}`
}

function load(
  instruction: Instruction,
  next: Instruction | undefined,
  options: LlvmNotationOptions,
): string {
  const { opcode, dst, src, imm } = instruction
  const type = accessType(opcode)
  if (opcodeMode(opcode) === op.BPF_ABS) return `r0 = *(${type} *)skb[${number(imm, options)}]`
  if (opcodeMode(opcode) === op.BPF_IND) {
    const displacement = options.lossless && imm !== 0 ? ` + ${number(imm, options)}` : ""
    return `r0 = *(${type} *)skb[r${src}${displacement}]`
  }
  const value = (BigInt((next?.imm ?? 0) >>> 0) << 32n) | BigInt(imm >>> 0)
  const named = options.wideImmediate?.(instruction, value)
  if (named !== undefined) return `r${dst} = ${named} ll`
  if (src === 0) return `r${dst} = ${wideNumber(value, options)} ll`
  const shown = options.lossless ? value : BigInt(imm >>> 0)
  return `ld_pseudo\tr${dst}, ${number(src, options)}, ${wideNumber(shown, options)}`
}

function wideNumber(value: bigint, options: LlvmNotationOptions): string {
  return number(BigInt.asIntN(64, value), options)
}

function jump(instruction: Instruction, options: LlvmNotationOptions): string {
  const { opcode, dst, src, off, imm } = instruction
  switch (opcode) {
    case op.BPF_JMP | op.BPF_JA:
      return `goto ${distance(off, options)}`
    case op.BPF_JMP32 | op.BPF_JA:
      return `gotol ${distance(imm, options)}`
    case op.BPF_JMP | op.BPF_JCOND:
      return `may_goto ${distance(off, options)}`
    case op.BPF_JMP | op.BPF_CALL:
      return call(instruction, options)
    case op.BPF_JMP | op.BPF_CALL | op.BPF_X:
      return `callx r${dst}`
    case op.BPF_JMP | op.BPF_EXIT:
      return "exit"
  }
  const register = opcodeClass(opcode) === op.BPF_JMP32 ? "w" : "r"
  const operand = (opcode & op.BPF_X) !== 0 ? `${register}${src}` : number(imm, options)
  const condition = `${register}${dst} ${comparisonSymbol(instruction)} ${operand}`
  return `if ${condition} goto ${distance(off, options)}`
}

function call(instruction: Instruction, options: LlvmNotationOptions): string {
  const { src, off, imm } = instruction
  if (options.lossless) {
    // LLVM prints all three kinds of call alike.
    if (src === op.BPF_PSEUDO_CALL) return `call pc${distance(imm, options)}`
    if (src === op.BPF_PSEUDO_KFUNC_CALL)
      return `call ${options.kfuncName?.(imm, off) ?? "kernel-function"}#${imm}${off === 0 ? "" : `@${off}`}`
  }
  return `call ${number(imm, options)}`
}
