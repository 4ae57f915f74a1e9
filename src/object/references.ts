/**
 * What the instructions of a function refer to: maps, data, externs and other functions. Found
 * once per function; linking then moves the result into each program that needs the function.
 *
 * Compilers encode the place inside a section in the immediate: a call of symbol S with immediate
 * i means slot `S.value / 8 + i + 1` of S's section (i is -1 for a named function), a ld_imm64
 * means byte `S.value + i`. Source: linux Documentation/bpf/llvm_reloc.rst.
 */

import { ObjectError } from "../base/index.ts"
import { decodeInstruction, type Instruction } from "../isa/instruction.ts"
import { BPF_CALL, BPF_JMP, BPF_LD_IMM64, BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC } from "../isa/opcode.ts"
import { type ElfFile, type ElfRelocation, SHN_UNDEF, STT_SECTION } from "./elf.ts"
import type { FunctionTable, ObjectFunction } from "./functions.ts"

/** One instruction that refers to something; `slot` counts from the function's first one. */
export type Reference =
  | { readonly kind: "call"; readonly slot: number; readonly callee: ObjectFunction }
  | { readonly kind: "function"; readonly slot: number; readonly callee: ObjectFunction }
  | { readonly kind: "map"; readonly slot: number; readonly map: string }
  | {
      readonly kind: "map-value"
      readonly slot: number
      readonly map: string
      readonly offset: number
    }
  | { readonly kind: "extern"; readonly slot: number; readonly extern: string }
  | { readonly kind: "unresolved"; readonly slot: number; readonly symbol: string }

/** What the earlier steps know about the places that instructions refer to. */
export interface Places {
  readonly functions: FunctionTable
  readonly externs: ReadonlySet<string>
  /** The map defined at a byte of a `.maps` or `maps` section. */
  mapAt(section: number, offset: number): string | undefined
  /** The map that a data section became. */
  dataMap(section: number): string | undefined
}

const CALL = BPF_JMP | BPF_CALL

/** Finds the references of functions, each function's once. */
export class ReferenceReader {
  private readonly elf: ElfFile
  private readonly places: Places
  private readonly known = new Map<ObjectFunction, readonly Reference[]>()
  /** Relocations by section, then by slot. */
  private readonly relocations = new Map<number, ReadonlyMap<number, ElfRelocation>>()

  constructor(elf: ElfFile, places: Places) {
    this.elf = elf
    this.places = places
  }

  /**
   * The references of one function, in order of slots.
   *
   * @throws ObjectError for a relocation of an instruction that is neither a call nor a ld_imm64.
   */
  of(fn: ObjectFunction): readonly Reference[] {
    // Functions of one place are one: a thousand aliases cost no more than one.
    const first = this.places.functions.at(fn.section.index, fn.start) ?? fn
    let references = this.known.get(first)
    if (references === undefined) this.known.set(first, (references = this.read(first)))
    return references
  }

  private read(fn: ObjectFunction): Reference[] {
    const { section, start, slots } = fn
    const relocations = this.relocationsOf(section.index)
    const references: Reference[] = []
    for (let slot = 0; slot < slots; slot++) {
      const insn = decodeInstruction(section.data, start + slot, this.elf.littleEndian)
      const relocation = relocations.get(start + slot)
      const wide = insn.opcode === BPF_LD_IMM64
      if (relocation !== undefined) {
        if (wide && slot + 1 >= slots) this.fail(fn, slot, "ld_imm64 has no second slot")
        references.push(this.relocated(fn, slot, insn, relocation))
      } else if (insn.opcode === CALL && insn.src === BPF_PSEUDO_CALL) {
        references.push(this.local(fn, slot, "call", insn.imm))
      } else if (wide && insn.src === BPF_PSEUDO_FUNC) {
        references.push(this.local(fn, slot, "function", insn.imm))
      }
      if (wide) slot++
    }
    return references
  }

  /** A call (or address) of a function in the same section, relative to the instruction. */
  private local(
    fn: ObjectFunction,
    slot: number,
    kind: "call" | "function",
    imm: number,
  ): Reference {
    const target = fn.start + slot + imm + 1
    const callee = this.places.functions.at(fn.section.index, target)
    if (callee !== undefined) return { kind, slot, callee }
    return { kind: "unresolved", slot, symbol: placeName(fn.section.name, 8 * target) }
  }

  private relocated(
    fn: ObjectFunction,
    slot: number,
    insn: Instruction,
    { symbol }: ElfRelocation,
  ): Reference {
    const call = insn.opcode === CALL
    if (!call && insn.opcode !== BPF_LD_IMM64)
      this.fail(fn, slot, `opcode 0x${insn.opcode.toString(16)} cannot be relocated`)
    if (call && insn.src !== BPF_PSEUDO_CALL)
      this.fail(fn, slot, `relocated call has source register ${insn.src}, not ${BPF_PSEUDO_CALL}`)
    if (symbol.section === SHN_UNDEF) {
      if (this.places.externs.has(symbol.name)) return { kind: "extern", slot, extern: symbol.name }
      return { kind: "unresolved", slot, symbol: symbol.name }
    }
    const offset = symbol.value + (call ? 8 * (insn.imm + 1) : insn.imm)
    const callee =
      offset % 8 === 0 ? this.places.functions.at(symbol.section, offset / 8) : undefined
    if (callee !== undefined) return { kind: call ? "call" : "function", slot, callee }
    if (!call) {
      const map = this.places.mapAt(symbol.section, offset)
      if (map !== undefined) return { kind: "map", slot, map }
      const dataMap = this.places.dataMap(symbol.section)
      // The verifier decides about offsets outside of the value; here they must be representable.
      if (dataMap !== undefined)
        return { kind: "map-value", slot, map: dataMap, offset: offset >>> 0 }
    }
    const section = this.elf.sections[symbol.section]?.name ?? `section ${symbol.section}`
    const name = symbol.type === STT_SECTION || symbol.name === "" ? null : symbol.name
    return { kind: "unresolved", slot, symbol: name ?? placeName(section, offset) }
  }

  private relocationsOf(section: number): ReadonlyMap<number, ElfRelocation> {
    const known = this.relocations.get(section)
    if (known !== undefined) return known
    const { name } = this.elf.sections[section]
    const bySlot = new Map<number, ElfRelocation>()
    for (const relocation of this.elf.relocations.get(section) ?? []) {
      const { offset } = relocation
      if (offset % 8 !== 0)
        throw new ObjectError("relocation inside an instruction", { section: name, offset })
      if (bySlot.has(offset / 8))
        throw new ObjectError("two relocations of one instruction", { section: name, offset })
      bySlot.set(offset / 8, relocation)
    }
    this.relocations.set(section, bySlot)
    return bySlot
  }

  private fail(fn: ObjectFunction, slot: number, message: string): never {
    throw new ObjectError(`${message} (function '${fn.name}')`, {
      section: fn.section.name,
      offset: 8 * (fn.start + slot),
    })
  }
}

function placeName(section: string, offset: number): string {
  return offset < 0
    ? `${section}-0x${(-offset).toString(16)}`
    : `${section}+0x${offset.toString(16)}`
}
