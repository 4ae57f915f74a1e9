/**
 * Functions of an object: where each begins and ends, from ELF symbols, and what its instructions
 * refer to, from relocations and from calls inside a section that compilers resolve by themselves.
 */

import { ObjectError } from "../base/index.ts"
import {
  type ElfFile,
  type ElfSection,
  type ElfSymbol,
  STB_LOCAL,
  STT_FUNC,
  STT_NOTYPE,
  STV_HIDDEN,
  STV_INTERNAL,
} from "./elf.ts"

/** One function of an executable section. */
export interface ObjectFunction {
  readonly name: string
  readonly section: ElfSection
  /** Slot in the section. */
  readonly start: number
  readonly slots: number
  /** Not `static` and not hidden: the kernel verifies it by itself. */
  readonly global: boolean
  /** Its symbol is visible outside the file: in a named section, it is an entry point. */
  readonly exported: boolean
}

/** The functions of all sections, and where they are. */
export interface FunctionTable {
  readonly all: readonly ObjectFunction[]
  /** By section index, in order of their places. */
  readonly bySection: ReadonlyMap<number, readonly ObjectFunction[]>
  /** The function that begins at a slot of a section. */
  at(section: number, slot: number): ObjectFunction | undefined
}

/**
 * Finds the functions of executable sections. A symbol without size extends to the next one.
 *
 * @throws ObjectError for a function that does not lie on whole instructions inside its section,
 * or that overlaps another one (two names of the very same function are fine).
 */
export function collectFunctions(elf: ElfFile, sections: readonly ElfSection[]): FunctionTable {
  const symbols = new Map<number, ElfSymbol[]>(sections.map((s) => [s.index, []]))
  for (const symbol of elf.symbols)
    if (symbol.type === STT_FUNC || isPlainGlobal(symbol)) symbols.get(symbol.section)?.push(symbol)
  const all: ObjectFunction[] = []
  const bySection = new Map<number, ObjectFunction[]>()
  const starts = new Map<string, ObjectFunction>()
  for (const section of sections) {
    const found = functionsOf(section, symbols.get(section.index) ?? [])
    bySection.set(section.index, found)
    for (const one of found) {
      all.push(one)
      const key = `${section.index}:${one.start}`
      if (!starts.has(key)) starts.set(key, one)
    }
  }
  return { all, bySection, at: (section, slot) => starts.get(`${section}:${slot}`) }
}

/** Hand-written assembly often leaves out `.type name, @function`. */
function isPlainGlobal(symbol: ElfSymbol): boolean {
  return symbol.type === STT_NOTYPE && symbol.binding !== STB_LOCAL && symbol.name !== ""
}

function functionsOf(section: ElfSection, symbols: readonly ElfSymbol[]): ObjectFunction[] {
  const typed = symbols.filter((symbol) => symbol.type === STT_FUNC)
  const used = (typed.length > 0 ? typed : symbols).toSorted((a, b) => a.value - b.value)
  const functions: ObjectFunction[] = []
  const nextPlaces = placesAfter(used, section.size)
  used.forEach((symbol, index) => {
    const { name, value, binding, visibility } = symbol
    const size = symbol.size === 0 ? nextPlaces[index] - value : symbol.size
    const where = { section: section.name, offset: value }
    if (value % 8 !== 0 || size % 8 !== 0)
      throw new ObjectError(`function '${name}' of ${size} bytes has half instructions`, where)
    if (size === 0) throw new ObjectError(`function '${name}' is empty`, where)
    if (value + size > section.size)
      throw new ObjectError(
        `function '${name}' ends at ${value + size}, but the section has ${section.size}`,
        where,
      )
    const exported = binding !== STB_LOCAL
    const next = {
      name,
      section,
      start: value / 8,
      slots: size / 8,
      global: exported && visibility !== STV_HIDDEN && visibility !== STV_INTERNAL,
      exported,
    }
    const last = functions.at(-1)
    if (last !== undefined && next.start < last.start + last.slots && !sameRange(last, next))
      throw new ObjectError(`functions '${last.name}' and '${name}' overlap`, where)
    functions.push(next)
  })
  return functions
}

/** For each symbol, where the next one (or the section's end) is; symbols of one place share it. */
function placesAfter(sorted: readonly ElfSymbol[], end: number): number[] {
  const places = new Array<number>(sorted.length)
  let next = end
  for (let i = sorted.length - 1; i >= 0; i--) {
    if (i + 1 < sorted.length && sorted[i + 1].value > sorted[i].value) next = sorted[i + 1].value
    places[i] = next
  }
  return places
}

function sameRange(a: ObjectFunction, b: ObjectFunction): boolean {
  return a.start === b.start && a.slots === b.slots
}
