/**
 * Programs as text, in the two notations that people of this field read: the kernel's (verifier
 * log, bpftool) and LLVM's (llvm-objdump). With `lossless`, which is the default, `assemble` turns
 * the text of any legal program back into the same bytes.
 */

import type { Instruction } from "./instruction.ts"
import { decodeInstruction, INSN_SIZE } from "./instruction.ts"
import type { NotationNames } from "./kernel-notation.ts"
import { kernelNotation } from "./kernel-notation.ts"
import { llvmNotation } from "./llvm-notation.ts"
import { callTarget, functionTarget, jumpTarget, slotCount } from "./predicates.ts"

/** How to print. All names are optional: the numbers are printed where there is none. */
export interface DisassembleOptions extends NotationNames {
  /** Byte order of the program; little-endian by default. */
  readonly littleEndian?: boolean
  /**
   * `kernel` (default): `(61) r1 = *(u32 *)(r2 +4)`. `llvm`: `r1 = *(u32 *)(r2 + 4)`.
   */
  readonly style?: "kernel" | "llvm"
  /**
   * true (default): print what the tool leaves out, so that the text assembles back: pseudo
   * sources of ld_imm64 as `map[id:5]`, `map[id:5][0]+8`, `subprog[+3]`, `btf[id:7]`, kfuncs of
   * modules as `name#7@1`, and in LLVM's style local calls as `call pc+2`. false: the verifier
   * log's or llvm-objdump's text to the letter.
   */
  readonly lossless?: boolean
  /** `llvm` only: numbers as LLVM 14 has them (default) or as LLVM 16 and later. */
  readonly numbers?: "decimal" | "hexadecimal"
  /**
   * `llvm` only: 32-bit loads and stores on `w` registers, as with `-mattr=+alu32` and from LLVM
   * 20 on; false by default.
   */
  readonly alu32?: boolean
  /** `llvm` only: names by slot; jumps get the suffix ` <name>` or ` <name+0x18>` (bytes). */
  readonly symbols?: ReadonlyMap<number, string>
}

/** One instruction of a disassembled program. */
export interface DisassembledLine {
  /** Index of its first slot. */
  readonly slot: number
  /** Slots that it takes: 2 for ld_imm64. */
  readonly slots: 1 | 2
  readonly instruction: Instruction
  readonly text: string
  /** Where it jumps, which subprogram it calls or whose address it loads; null for others. */
  readonly target: number | null
}

/** The text of the instruction at `slot`, without its number. */
export function disassembleInstruction(
  program: Uint8Array,
  slot: number,
  options: DisassembleOptions = {},
): string {
  return textAt(program, slot, options, sortedSlots(options.symbols))
}

function textAt(
  program: Uint8Array,
  slot: number,
  options: DisassembleOptions,
  symbolSlots: readonly number[],
): string {
  const littleEndian = options.littleEndian ?? true
  const instruction = decodeInstruction(program, slot, littleEndian)
  const hasNext = (slot + 2) * INSN_SIZE <= program.length
  const next =
    slotCount(instruction) === 2 && hasNext
      ? decodeInstruction(program, slot + 1, littleEndian)
      : undefined
  const lossless = options.lossless ?? true
  if (options.style !== "llvm") return kernelNotation(instruction, next, { ...options, lossless })
  const hexadecimal = options.numbers === "hexadecimal"
  const alu32 = options.alu32 ?? false
  const text = llvmNotation(instruction, next, { ...options, lossless, hexadecimal, alu32 })
  const target = text === "<unknown>" ? null : jumpTarget(instruction, slot)
  if (target === null || target < 0 || target > program.length / INSN_SIZE) return text
  return text + symbolSuffix(target, options.symbols, symbolSlots)
}

/**
 * All instructions of `program`, 8 bytes a slot. Bytes after the last whole slot are ignored, and
 * an ld_imm64 without its second slot is printed as if that were zero: see `validateProgram`.
 */
export function disassemble(
  program: Uint8Array,
  options: DisassembleOptions = {},
): DisassembledLine[] {
  const littleEndian = options.littleEndian ?? true
  const slots = Math.floor(program.length / INSN_SIZE)
  const symbolSlots = sortedSlots(options.symbols)
  const lines: DisassembledLine[] = []
  for (let slot = 0; slot < slots; ) {
    const instruction = decodeInstruction(program, slot, littleEndian)
    const taken = slotCount(instruction)
    lines.push({
      slot,
      slots: taken,
      instruction,
      text: textAt(program, slot, options, symbolSlots),
      target:
        jumpTarget(instruction, slot) ??
        callTarget(instruction, slot) ??
        functionTarget(instruction, slot),
    })
    slot += taken
  }
  return lines
}

/**
 * The program as one text with a line an instruction: `   0: (b7) r0 = 0` as bpftool has it, or
 * `       0:\tr0 = 0` as `llvm-objdump -d --no-show-raw-insn` has it.
 */
export function printProgram(program: Uint8Array, options: DisassembleOptions = {}): string {
  const line =
    options.style === "llvm"
      ? ({ slot, text }: DisassembledLine) => `${`${slot}`.padStart(8)}:\t${text}\n`
      : ({ slot, text }: DisassembledLine) => `${`${slot}`.padStart(4)}: ${text}\n`
  return disassemble(program, options).map(line).join("")
}

function sortedSlots(symbols: ReadonlyMap<number, string> | undefined): number[] {
  return [...(symbols?.keys() ?? [])].sort((first, second) => first - second)
}

/** llvm-objdump names a target by the nearest symbol at or before it. */
function symbolSuffix(
  target: number,
  symbols: ReadonlyMap<number, string> | undefined,
  symbolSlots: readonly number[],
): string {
  let low = 0
  let high = symbolSlots.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (symbolSlots[middle] <= target) low = middle + 1
    else high = middle
  }
  if (low === 0) return ""
  const nearest = symbolSlots[low - 1]
  const distance = (target - nearest) * INSN_SIZE
  return ` <${symbols?.get(nearest)}${distance === 0 ? "" : `+0x${distance.toString(16)}`}>`
}
