/**
 * Completes an object's BTF with what only the linker knows: compilers leave the sizes of sections
 * and the offsets of global variables in them as 0, since they are in the ELF file. Variables come
 * to stand in order of their offsets, as the kernel demands. Functions that are hidden in ELF
 * become static, so that the kernel verifies them at each call, as libbpf has it.
 *
 * Ids and string offsets stay as they are. Spec: linux Documentation/bpf/btf.rst §2.2.15.
 */

import { ObjectError } from "../base/index.ts"
import { indexTypes, readFrame } from "../btf/header.ts"
import { BTF_FUNC_STATIC, type Btf, readBtf } from "../btf/index.ts"
import { type ElfFile, type ElfSection, STB_LOCAL, STV_HIDDEN, STV_INTERNAL } from "./elf.ts"

/** Sections of externs: they are not in the ELF file; the loader lays them out. */
const EXTERN_SECTIONS: ReadonlySet<string> = new Set([".ksyms", ".kconfig"])

/**
 * Reads a `.BTF` section and completes a copy of it.
 *
 * @throws ObjectError for malformed BTF, or a variable that lies outside its ELF section.
 */
export function readObjectBtf(section: ElfSection, elf: ElfFile): Btf {
  const original = readBtf(section.data)
  const bytes = section.data.slice()
  const view = new DataView(bytes.buffer)
  const { littleEndian } = original
  if (littleEndian !== elf.littleEndian)
    throw new ObjectError("BTF and ELF file differ in byte order", { section: ".BTF", offset: 0 })
  const records = indexTypes(bytes, readFrame(bytes, ".BTF", false), ".BTF")
  const sections = new Map(elf.sections.map((s) => [s.name, s]))
  const globals = new Map<string, (typeof elf.symbols)[number]>()
  for (const symbol of elf.symbols)
    if (symbol.binding !== STB_LOCAL && symbol.name !== "") globals.set(symbol.name, symbol)
  for (let id = original.firstId; id < original.typeCount; id++) {
    const kind = original.kindOf(id)
    const at = records[id - original.firstId]
    if (kind === "func") {
      const { name, linkage } = original.typeOf(id, "func")
      const symbol = globals.get(name)
      if (linkage === "global" && symbol !== undefined && isHidden(symbol.visibility)) {
        const info = view.getUint32(at + 4, littleEndian)
        view.setUint32(at + 4, (info & ~0xffff) | BTF_FUNC_STATIC, littleEndian)
      }
    } else if (kind === "datasec") {
      const { name } = original.typeOf(id, "datasec")
      const target = sections.get(name)
      if (target === undefined || EXTERN_SECTIONS.has(name)) continue
      view.setUint32(at + 8, target.size, littleEndian)
      const variables = placeVariables(original, id, target, (variable) => globals.get(variable))
      variables.forEach(({ type, offset, size }, index) => {
        view.setUint32(at + 12 + 12 * index, type, littleEndian)
        view.setUint32(at + 16 + 12 * index, offset, littleEndian)
        view.setUint32(at + 20 + 12 * index, size, littleEndian)
      })
    }
  }
  return readBtf(bytes)
}

interface PlacedVariable {
  readonly type: number
  readonly offset: number
  readonly size: number
}

/** The variables of a section with their true offsets, ascending. */
function placeVariables(
  btf: Btf,
  datasec: number,
  section: ElfSection,
  symbolOf: (name: string) => { readonly section: number; readonly value: number } | undefined,
): PlacedVariable[] {
  const placed: PlacedVariable[] = []
  for (const entry of btf.typeOf(datasec, "datasec").variables) {
    const type = btf.type(entry.type)
    const { size } = entry
    let { offset } = entry
    if (type.kind === "var" && type.linkage === "global") {
      const symbol = symbolOf(type.name)
      if (symbol !== undefined && symbol.section === section.index) offset = symbol.value
    }
    if (offset + size > section.size)
      throw new ObjectError(
        `variable '${type.name}' ends at ${offset + size}, but the section has ${section.size}`,
        { section: section.name, offset },
      )
    placed.push({ type: entry.type, offset, size })
  }
  return placed.sort((a, b) => a.offset - b.offset)
}

function isHidden(visibility: number): boolean {
  return visibility === STV_HIDDEN || visibility === STV_INTERNAL
}
