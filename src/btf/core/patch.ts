/**
 * Puts a relocation's value into its instruction (libbpf bpf_core_patch_insn): the immediate of an
 * ALU instruction, the offset of a load or store (and its width, where the field has another one in
 * the target), or the 64-bit immediate of ld_imm64. An instruction that cannot be made right is
 * poisoned: replaced by a call of helper 0xbad2310, which the verifier refuses if it is reachable.
 */

import {
  BPF_ALU,
  BPF_ALU64,
  BPF_B,
  BPF_CALL,
  BPF_DW,
  BPF_H,
  BPF_JMP,
  BPF_LD_IMM64,
  BPF_LDX,
  BPF_ST,
  BPF_STX,
  BPF_W,
  BPF_X,
  decodeInstruction,
  encodeInstruction,
  INSN_SIZE,
  type Instruction,
} from "../../isa/index.ts"
import type { BtfType } from "../types.ts"
import type { CoreValue } from "./value.ts"

/** The helper id of poisoned instructions (libbpf: "bad relo"). */
export const CORE_POISON_HELPER = 0xbad2310

/** Offsets of loads and stores are 16-bit. */
const OFFSET_MAX = 0x7fff

/** An instruction that is not what the relocation says it is; the message says why. */
export class PatchProblem extends Error {}

/** Where to patch. The program is changed in place. */
export interface PatchPlace {
  readonly program: Uint8Array
  /** Index of the instruction, in 8-byte slots. */
  readonly slot: number
  readonly littleEndian: boolean
}

const WIDTHS: Readonly<Record<number, number>> = { [BPF_B]: 1, [BPF_H]: 2, [BPF_W]: 4, [BPF_DW]: 8 }
const SIZE_BITS: Readonly<Record<number, number>> = { 1: BPF_B, 2: BPF_H, 4: BPF_W, 8: BPF_DW }

/**
 * Changes the instruction from the local value to the target's.
 *
 * @returns `null` when patched, or why the instruction was poisoned instead.
 * @throws PatchProblem if it is not a kind of instruction that can hold a value, holds another one
 * than the compiler should have put there, or the new value does not fit.
 */
export function patchInstruction(
  place: PatchPlace,
  local: CoreValue,
  target: CoreValue,
): string | null {
  const { program, slot, littleEndian } = place
  const instruction = decodeInstruction(program, slot, littleEndian)
  switch (instruction.opcode & 7) {
    case BPF_ALU:
    case BPF_ALU64: {
      if ((instruction.opcode & BPF_X) !== 0)
        throw new PatchProblem("the arithmetic instruction has no immediate operand")
      expectValue(local, BigInt.asUintN(64, BigInt(instruction.imm)))
      const imm = Number(BigInt.asIntN(32, target.value))
      encodeInstruction(program, slot, { ...instruction, imm }, littleEndian)
      return null
    }
    case BPF_LDX:
    case BPF_ST:
    case BPF_STX:
      return patchAccess(place, instruction, local, target)
    default:
      if (instruction.opcode !== BPF_LD_IMM64)
        throw new PatchProblem(`opcode 0x${instruction.opcode.toString(16)} cannot be relocated`)
      patchImm64(place, instruction, local, target)
      return null
  }
}

function expectValue(local: CoreValue, found: bigint): void {
  if (local.exact && found !== local.value)
    throw new PatchProblem(
      `the instruction holds ${BigInt.asIntN(64, found)}, not ${BigInt.asIntN(64, local.value)} as its own types say`,
    )
}

function patchAccess(
  place: PatchPlace,
  instruction: Instruction,
  local: CoreValue,
  target: CoreValue,
): string | null {
  expectValue(local, BigInt.asUintN(64, BigInt(instruction.off)))
  if (target.value > BigInt(OFFSET_MAX))
    throw new PatchProblem(`offset ${target.value} is beyond ${OFFSET_MAX}, a load's largest`)
  let { opcode } = instruction
  if (local.fieldSize !== target.fieldSize) {
    if (!mayResize(local.fieldType, target.fieldType)) {
      poisonInstruction(place)
      return (
        `the field has ${local.fieldSize} bytes in the program and ${target.fieldSize} in the target, ` +
        "and is neither a pointer nor an unsigned integer"
      )
    }
    const width = WIDTHS[opcode & BPF_DW]
    if (width !== local.fieldSize)
      throw new PatchProblem(`the access has ${width} bytes, its field ${local.fieldSize}`)
    const bits = SIZE_BITS[target.fieldSize]
    if (bits === undefined)
      throw new PatchProblem(
        `no load or store has ${target.fieldSize} bytes, as the target's field`,
      )
    opcode = (opcode & ~BPF_DW) | bits
  }
  const off = Number(target.value)
  encodeInstruction(place.program, place.slot, { ...instruction, opcode, off }, place.littleEndian)
  return null
}

/** Only what a wider load would zero-extend may change its width. */
function mayResize(local: BtfType | null, target: BtfType | null): boolean {
  if (local === null || target === null) return false
  if (local.kind === "ptr" && target.kind === "ptr") return true
  return local.kind === "int" && target.kind === "int" && !local.signed && !target.signed
}

function patchImm64(
  place: PatchPlace,
  first: Instruction,
  local: CoreValue,
  target: CoreValue,
): void {
  const { program, slot, littleEndian } = place
  if ((slot + 2) * INSN_SIZE > program.length)
    throw new PatchProblem("ld_imm64 lacks its second slot")
  const second = decodeInstruction(program, slot + 1, littleEndian)
  const { opcode, dst, src, off } = second
  if (first.src !== 0 || first.off !== 0 || opcode !== 0 || dst !== 0 || src !== 0 || off !== 0)
    throw new PatchProblem("ld_imm64 does not load a plain number")
  const found = (BigInt(second.imm >>> 0) << 32n) | BigInt(first.imm >>> 0)
  // A compiler may zero-extend what counts as signed here: keep its way.
  const zeroExtended = found !== local.value && found === BigInt.asUintN(32, local.value)
  if (!zeroExtended) expectValue(local, found)
  const value = zeroExtended ? BigInt.asUintN(32, target.value) : target.value
  const low = Number(BigInt.asIntN(32, value))
  const high = Number(BigInt.asIntN(32, value >> 32n))
  encodeInstruction(program, slot, { ...first, imm: low }, littleEndian)
  encodeInstruction(program, slot + 1, { ...second, imm: high }, littleEndian)
}

/** Replaces an instruction (both slots of ld_imm64) by a call that no verifier accepts. */
export function poisonInstruction(place: PatchPlace): void {
  const { program, slot, littleEndian } = place
  const poison = { opcode: BPF_JMP | BPF_CALL, dst: 0, src: 0, off: 0, imm: CORE_POISON_HELPER }
  const wide = program[slot * INSN_SIZE] === BPF_LD_IMM64
  encodeInstruction(program, slot, poison, littleEndian)
  if (wide && (slot + 2) * INSN_SIZE <= program.length)
    encodeInstruction(program, slot + 1, poison, littleEndian)
}
