/**
 * Linking: an entry function and every function that it reaches, by call or by address, become one
 * program. Functions follow in the order in which a depth-first walk of the references meets them,
 * which is the order of libbpf; calls are then relative to their instruction, and function, line
 * and CO-RE information moves along.
 *
 * Invariants: each function is in a program once; the entry function is at slot 0; calls whose
 * target is not in the file keep their bytes and are listed in `unresolved`.
 */

import { ObjectError } from "../base/index.ts"
import type { BtfExt } from "../btf/index.ts"
import { decodeInstruction, encodeInstruction, INSN_SIZE } from "../isa/instruction.ts"
import type { ObjectFunction } from "./functions.ts"
import type {
  CoreRelocation,
  LineInfo,
  ProgramDefinition,
  Relocation,
  Subprogram,
} from "./model.ts"
import type { Reference, ReferenceReader } from "./references.ts"

/** Slots of all linked programs of an object together: what shared functions may multiply to. */
export const LINKED_SLOTS_MAX: number = 4 << 20

/** What linking adds to a program. */
export type LinkedProgram = Pick<
  ProgramDefinition,
  | "instructions"
  | "subprograms"
  | "relocations"
  | "coreRelocations"
  | "funcInfo"
  | "lineInfo"
  | "unresolved"
>

export class Linker {
  private readonly references: ReferenceReader
  private readonly info: SectionInfo
  private readonly littleEndian: boolean
  private slotsDone = 0

  constructor(references: ReferenceReader, ext: BtfExt | null, littleEndian: boolean) {
    this.references = references
    this.info = new SectionInfo(ext)
    this.littleEndian = littleEndian
  }

  /**
   * Links the program that begins with `entry`.
   *
   * @param extra functions that it needs beside those it refers to (exception callbacks).
   * @throws ObjectError if the programs of the object become too large together.
   */
  link(entry: ObjectFunction, extra: readonly ObjectFunction[] = []): LinkedProgram {
    const places = this.layOut(entry, extra)
    const last = places.at(-1)
    const instructions = new Uint8Array(
      last === undefined ? 0 : (last.slot + last.fn.slots) * INSN_SIZE,
    )
    const slotOf = new Map(places.map(({ fn, slot }) => [placeKey(fn), slot]))
    const relocations: Relocation[] = []
    const unresolved: { slot: number; symbol: string }[] = []
    for (const { fn, slot } of places) {
      const { start, slots, section } = fn
      instructions.set(
        section.data.subarray(start * INSN_SIZE, (start + slots) * INSN_SIZE),
        slot * INSN_SIZE,
      )
      for (const reference of this.references.of(fn)) {
        const at = slot + reference.slot
        if (reference.kind === "call") {
          const target = slotOf.get(placeKey(reference.callee)) ?? 0
          const insn = decodeInstruction(instructions, at, this.littleEndian)
          encodeInstruction(instructions, at, { ...insn, imm: target - at - 1 }, this.littleEndian)
        } else if (reference.kind === "unresolved") {
          unresolved.push({ slot: at, symbol: reference.symbol })
        } else {
          relocations.push(moved(reference, at, slotOf))
        }
      }
    }
    const subprograms: Subprogram[] = places.map(({ fn, slot }) => ({
      name: fn.name,
      slot,
      slots: fn.slots,
      global: fn.global,
    }))
    return { instructions, subprograms, relocations, unresolved, ...this.info.move(places) }
  }

  /** Where each function comes to stand: depth first, in order of the references. */
  private layOut(entry: ObjectFunction, extra: readonly ObjectFunction[]): Place[] {
    const places: Place[] = []
    const placed = new Set<string>()
    let end = 0
    const place = (fn: ObjectFunction): Iterator<Reference> => {
      places.push({ fn, slot: end })
      placed.add(placeKey(fn))
      end += fn.slots
      if (this.slotsDone + end > LINKED_SLOTS_MAX)
        throw new ObjectError(
          `programs have more than ${LINKED_SLOTS_MAX} instructions together, linked`,
          { section: entry.section.name, offset: 8 * entry.start },
        )
      return this.references.of(fn)[Symbol.iterator]()
    }
    for (const root of [entry, ...extra]) {
      if (placed.has(placeKey(root))) continue
      const open = [place(root)]
      for (;;) {
        const walk = open.at(-1)
        if (walk === undefined) break
        const next = walk.next()
        if (next.done) open.pop()
        else if ("callee" in next.value && !placed.has(placeKey(next.value.callee)))
          open.push(place(next.value.callee))
      }
    }
    this.slotsDone += end
    return places
  }
}

interface Place {
  readonly fn: ObjectFunction
  /** Slot of the function's first instruction in the linked program. */
  readonly slot: number
}

/** Two names of one function are one place. */
function placeKey(fn: ObjectFunction): string {
  return `${fn.section.index}:${fn.start}`
}

function moved(
  reference: Exclude<Reference, { kind: "call" | "unresolved" }>,
  slot: number,
  slotOf: ReadonlyMap<string, number>,
): Relocation {
  if (reference.kind === "function")
    return { kind: "function", slot, target: slotOf.get(placeKey(reference.callee)) ?? 0 }
  return { ...reference, slot }
}

type Information = Pick<LinkedProgram, "funcInfo" | "lineInfo" | "coreRelocations">

/** `.BTF.ext` by section in order of offsets, so that a function's share is found by halving. */
class SectionInfo {
  private readonly ext: BtfExt | null
  private readonly sorted = new Map<readonly unknown[], readonly { readonly offset: number }[]>()

  constructor(ext: BtfExt | null) {
    this.ext = ext
  }

  move(places: readonly Place[]): Information {
    const funcInfo: { insnOffset: number; typeId: number }[] = []
    const lineInfo: LineInfo[] = []
    const coreRelocations: CoreRelocation[] = []
    for (const { fn, slot } of places) {
      const { name } = fn.section
      const at = (offset: number): number => slot + Math.floor(offset / INSN_SIZE) - fn.start
      for (const { offset, type } of this.within(this.ext?.functions.get(name), fn))
        funcInfo.push({ insnOffset: at(offset), typeId: type })
      for (const line of this.within(this.ext?.lines.get(name), fn))
        lineInfo.push({
          insnOffset: at(line.offset),
          fileNameOffset: line.fileOffset,
          lineOffset: line.textOffset,
          lineColumn: ((line.line << 10) | line.column) >>> 0,
        })
      for (const { offset, type, access, kind } of this.within(this.ext?.relocations.get(name), fn))
        coreRelocations.push({ slot: at(offset), typeId: type, accessString: access, kind })
    }
    return { funcInfo, lineInfo, coreRelocations }
  }

  /** The records of a section that lie inside a function. */
  private within<R extends { readonly offset: number }>(
    records: readonly R[] | undefined,
    fn: ObjectFunction,
  ): readonly R[] {
    if (records === undefined) return []
    let sorted = this.sorted.get(records) as readonly R[] | undefined
    if (sorted === undefined) {
      sorted = records.toSorted((a, b) => a.offset - b.offset)
      this.sorted.set(records, sorted)
    }
    const from = firstAt(sorted, fn.start * INSN_SIZE)
    return sorted.slice(from, firstAt(sorted, (fn.start + fn.slots) * INSN_SIZE))
  }
}

/** Index of the first record at or after `offset`. */
function firstAt(sorted: readonly { readonly offset: number }[], offset: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle].offset < offset) low = middle + 1
    else high = middle
  }
  return low
}
