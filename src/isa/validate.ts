/**
 * The structural check: is this byte string a program at all? It finds what Linux refuses before
 * it looks at any value: unknown opcodes, reserved fields, registers that do not exist, jumps that
 * leave their subprogram or land inside an ld_imm64, and a program that runs off its end. Shift
 * amounts, division by a constant zero, loops and unreachable code are left to the verifier, for
 * RFC 9669 gives them a meaning.
 *
 * The passes come in Linux's order, so that the first problem is the one that Linux names
 * (linux v6.18 kernel/bpf/verifier.c: add_subprog_and_kfunc, check_subprogs,
 * resolve_pseudo_ldimm64, check_cfg, do_check; RFC 9669 §3 to §5).
 */

import type { InstructionForm, RegisterRole } from "./forms.ts"
import { formsOfOpcode, instructionForm } from "./forms.ts"
import type { Instruction } from "./instruction.ts"
import { BPF_MAXINSNS_PRIVILEGED, decodeInstruction, INSN_SIZE } from "./instruction.ts"
import * as op from "./opcode.ts"
import {
  callTarget,
  functionTarget,
  isAlu,
  isExit,
  isIndirectCall,
  isJumpClass,
  isLdImm64,
  isUnconditionalJump,
  jumpTarget,
  opcodeClass,
  opcodeMode,
  opcodeOperation,
} from "./predicates.ts"

/** The first thing that is wrong with a program. */
export interface ProgramProblem {
  /** Index of the instruction's slot. */
  readonly slot: number
  /** Linux's words, where it has any: `jump out of range from insn 1 to 7`. */
  readonly message: string
}

/** How to check. */
export interface ValidateOptions {
  /** Byte order of the program; little-endian by default. */
  readonly littleEndian?: boolean
  /** Take callx (0x8d), which Linux does not; false by default. */
  readonly callx?: boolean
  /** Also look at the fields of each instruction ({@link instructionProblem}); true by default. */
  readonly fields?: boolean
}

/** null when `program` (8 bytes a slot) is well-formed, else the first problem. */
export function validateProgram(
  program: Uint8Array,
  options: ValidateOptions = {},
): ProgramProblem | null {
  const slots = program.length / INSN_SIZE
  if (slots === 0) return { slot: 0, message: "the program is empty" }
  if (!Number.isInteger(slots)) {
    const message = `the program has ${program.length} bytes, not a multiple of ${INSN_SIZE}`
    return { slot: Math.floor(slots), message }
  }
  if (slots > BPF_MAXINSNS_PRIVILEGED) {
    const message = `the program has ${slots} instructions, more than ${BPF_MAXINSNS_PRIVILEGED}`
    return { slot: BPF_MAXINSNS_PRIVILEGED, message }
  }
  const littleEndian = options.littleEndian ?? true
  const instructions: Instruction[] = []
  for (let slot = 0; slot < slots; slot++)
    instructions.push(decodeInstruction(program, slot, littleEndian))
  return (
    checkCalls(instructions) ??
    checkSubprograms(instructions) ??
    checkWords(instructions, options) ??
    checkLandings(instructions) ??
    (options.fields === false ? null : checkFields(instructions, options))
  )
}

/** Calls and function addresses lead into the program. */
function checkCalls(instructions: readonly Instruction[]): ProgramProblem | null {
  for (let slot = 0; slot < instructions.length; slot++) {
    const target = subprogramTarget(instructions[slot], slot)
    if (target !== null && (target < 0 || target >= instructions.length))
      return { slot, message: `call to invalid destination ${target}` }
  }
  return null
}

function subprogramTarget(instruction: Instruction, slot: number): number | null {
  return callTarget(instruction, slot) ?? functionTarget(instruction, slot)
}

/** Jumps stay inside their subprogram, and no subprogram falls through into the next. */
function checkSubprograms(instructions: readonly Instruction[]): ProgramProblem | null {
  const targets = new Set(instructions.map(subprogramTarget))
  const starts = [...targets].filter((target) => target !== null && target > 0) as number[]
  const ends = [...starts, instructions.length].sort((first, second) => first - second)
  let start = 0
  for (const end of ends) {
    for (let slot = start; slot < end; slot++) {
      const target = anyJumpTarget(instructions[slot], slot)
      if (target !== null && (target < start || target >= end))
        return { slot, message: `jump out of range from insn ${slot} to ${target}` }
    }
    const last = instructions[end - 1]
    if (!isExit(last) && !isUnconditionalJump(last))
      return { slot: end - 1, message: "last insn is not an exit or jmp" }
    start = end
  }
  return null
}

/** Linux looks at distances before opcodes, and takes every jump class but call and exit for a jump. */
function anyJumpTarget(instruction: Instruction, slot: number): number | null {
  const operation = opcodeOperation(instruction.opcode)
  if (!isJumpClass(instruction.opcode)) return null
  if (operation === op.BPF_CALL || operation === op.BPF_EXIT) return null
  // In 32 bits, as in Linux.
  return (jumpTarget(instruction, slot) ?? slot + 1 + instruction.off) | 0
}

/** Every slot is a known opcode, or the second half of an ld_imm64. */
function checkWords(
  instructions: readonly Instruction[],
  options: ValidateOptions,
): ProgramProblem | null {
  for (let slot = 0; slot < instructions.length; slot++) {
    const instruction = instructions[slot]
    const { opcode } = instruction
    if (opcodeClass(opcode) === op.BPF_LDX) {
      const mode = opcodeMode(opcode)
      if ((mode !== op.BPF_MEM && mode !== op.BPF_MEMSX) || instruction.imm !== 0)
        return { slot, message: "BPF_LDX uses reserved fields" }
    }
    if (isLdImm64(instruction)) {
      const message = wideProblem(instruction, instructions[slot + 1])
      if (message !== null) return { slot, message }
      slot++
    } else if (
      formsOfOpcode(opcode).length === 0 ||
      (isIndirectCall(instruction) && !options.callx)
    ) {
      return { slot, message: `unknown opcode ${opcode.toString(16).padStart(2, "0")}` }
    }
  }
  return null
}

function wideProblem(first: Instruction, second: Instruction | undefined): string | null {
  if (second === undefined || second.opcode !== 0 || second.dst !== 0 || second.src !== 0)
    return "invalid bpf_ld_imm64 insn"
  if (second.off !== 0) return "invalid bpf_ld_imm64 insn"
  const form = formsOfOpcode(first.opcode).find(({ src }) => src === first.src)
  const mapAlone = first.src === op.BPF_PSEUDO_MAP_FD || first.src === op.BPF_PSEUDO_MAP_IDX
  if (form === undefined || (mapAlone && second.imm !== 0)) return "unrecognized bpf_ld_imm64 insn"
  return null
}

/** No jump and no call lands on the second slot of an ld_imm64. */
function checkLandings(instructions: readonly Instruction[]): ProgramProblem | null {
  const inside = new Set<number>()
  instructions.forEach((instruction, slot) => {
    if (isLdImm64(instruction) && !inside.has(slot)) inside.add(slot + 1)
  })
  for (let slot = 0; slot < instructions.length; slot++) {
    if (inside.has(slot)) continue
    const instruction = instructions[slot]
    const target = jumpTarget(instruction, slot) ?? subprogramTarget(instruction, slot)
    if (target !== null && inside.has(target))
      return { slot, message: `jump into the middle of ldimm64 insn ${target - 1}` }
  }
  return null
}

/** Reserved fields are zero, and registers exist. */
function checkFields(
  instructions: readonly Instruction[],
  options: ValidateOptions,
): ProgramProblem | null {
  for (let slot = 0; slot < instructions.length; slot++) {
    const message = instructionProblem(instructions[slot], options)
    if (message !== null) return { slot, message }
    if (isLdImm64(instructions[slot])) slot++
  }
  return null
}

/**
 * What is wrong with the fields of one instruction, in Linux's words, or null: registers that do
 * not exist, R10 written, reserved fields used. Linux looks at instructions that it reaches.
 */
export function instructionProblem(
  given: Instruction,
  options: ValidateOptions = {},
): string | null {
  // Linux does not look at the offset of an exit.
  const instruction = isExit(given) ? { ...given, off: 0 } : given
  const callx = options.callx === true && isIndirectCall(instruction)
  const known = instructionForm(instruction) !== undefined
  return known && (!isIndirectCall(instruction) || callx) ? null : fieldProblem(instruction)
}

/** What Linux says about an instruction whose opcode is known but that no row of the table fits. */
function fieldProblem(instruction: Instruction): string {
  const { opcode } = instruction
  const registers = formsOfOpcode(opcode)
    .map((form) => registerProblem(form, instruction))
    .find((problem) => problem !== null)
  return registers ?? reservedProblem(instruction)
}

/**
 * The first register that is wrong, when `instruction` would be `form` with other registers. Linux
 * looks at the registers that are read before the one that is written.
 */
function registerProblem(form: InstructionForm, instruction: Instruction): string | null {
  const dst = form.dst === "none" ? instruction.dst : 0
  const src = typeof form.src === "number" || form.src === "none" ? instruction.src : 0
  if (instructionForm({ ...instruction, dst, src }) !== form) return null
  const roles: [RegisterRole | number, number][] = [
    [form.src, instruction.src],
    [form.dst, instruction.dst],
  ]
  for (const [role, register] of roles)
    if (typeof role === "string" && role !== "none" && register >= op.MAX_BPF_REG)
      return `R${register} is invalid`
  for (const [role, register] of roles)
    if ((role === "write" || role === "update") && register === op.BPF_REG_FP)
      return "frame pointer is read only"
  return null
}

function reservedProblem(instruction: Instruction): string {
  const { opcode, imm } = instruction
  const operation = opcodeOperation(opcode)
  if (isAlu(opcode)) {
    if (operation === op.BPF_END) return "BPF_END uses reserved fields"
    if (operation === op.BPF_NEG) return "BPF_NEG uses reserved fields"
    if (operation !== op.BPF_MOV) return "BPF_ALU uses reserved fields"
    const casts =
      opcode === (op.BPF_ALU64 | op.BPF_MOV | op.BPF_X) &&
      instruction.off === op.BPF_ADDR_SPACE_CAST
    return casts
      ? "addr_space_cast insn can only convert between address space 1 and 0"
      : "BPF_MOV uses reserved fields"
  }
  switch (opcodeClass(opcode)) {
    case op.BPF_LD:
      return opcode === op.BPF_LD_IMM64
        ? "BPF_LD_IMM64 uses reserved fields"
        : "BPF_LD_[ABS|IND] uses reserved fields"
    case op.BPF_LDX:
      return "BPF_LDX uses reserved fields"
    case op.BPF_ST:
      return "BPF_ST uses reserved fields"
    case op.BPF_STX:
      if (opcodeMode(opcode) === op.BPF_MEM) return "BPF_STX uses reserved fields"
      return atomicProblem(instruction)
  }
  switch (operation) {
    case op.BPF_CALL:
      return "BPF_CALL uses reserved fields"
    case op.BPF_EXIT:
      return "BPF_EXIT uses reserved fields"
    case op.BPF_JA:
      return "BPF_JA uses reserved fields"
    case op.BPF_JCOND:
      return `invalid may_goto imm ${imm}`
    default:
      return "BPF_JMP/JMP32 uses reserved fields"
  }
}

function atomicProblem({ imm }: Instruction): string {
  const known = formsOfOpcode(op.BPF_STX | op.BPF_ATOMIC | op.BPF_DW).some(
    (form) => form.imm === imm,
  )
  if (known) return "invalid atomic operand size"
  return `BPF_ATOMIC uses invalid atomic opcode ${(imm >>> 0).toString(16).padStart(2, "0")}`
}
