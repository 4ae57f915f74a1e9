/**
 * What each section of an object is for, decided by name, type and flags as libbpf does. Debug
 * information, `.eh_frame`, `.llvm_addrsig` and whatever else compilers leave is of no use and
 * gets no role.
 */

import { ObjectError } from "../base/index.ts"
import {
  type ElfFile,
  type ElfSection,
  EM_BPF,
  ET_REL,
  SHF_EXECINSTR,
  SHT_NOBITS,
  SHT_PROGBITS,
} from "./elf.ts"

/** Sections of an eBPF object by role. */
export interface ObjectSections {
  /** Executable, not empty: `.text` and one per SEC("…") with functions, in file order. */
  readonly programs: readonly ElfSection[]
  /** `.data*`, `.bss*`, `.rodata*` that are not empty, in file order. */
  readonly data: readonly ElfSection[]
  readonly btfMaps: ElfSection | null
  readonly legacyMaps: ElfSection | null
  readonly license: ElfSection | null
  readonly version: ElfSection | null
  readonly btf: ElfSection | null
  readonly btfExt: ElfSection | null
  /** Sections that eBPF knows but this reader does not, by name. */
  readonly unsupported: readonly ElfSection[]
}

/** Bytes of all data sections together, those of `.bss` included. */
export const DATA_BYTES_MAX: number = 256 << 20

/**
 * Gives every section its role.
 *
 * @throws ObjectError if the file is no eBPF object, or has two sections where one is meant.
 */
export function classifySections(elf: ElfFile): ObjectSections {
  if (elf.machine !== EM_BPF && elf.machine !== 0)
    throw new ObjectError(`ELF machine is ${elf.machine}, not ${EM_BPF} (BPF)`, { offset: 18 })
  if (elf.type !== ET_REL)
    throw new ObjectError(`ELF type is ${elf.type}, not ${ET_REL} (relocatable)`, { offset: 16 })
  const programs: ElfSection[] = []
  const data: ElfSection[] = []
  const unsupported: ElfSection[] = []
  let dataBytes = 0
  for (const section of elf.sections) {
    if (section.size === 0) continue
    if (section.type === SHT_PROGBITS && (section.flags & SHF_EXECINSTR) !== 0) {
      if (section.size % 8 !== 0)
        throw new ObjectError(`${section.size} bytes are no whole number of instructions`, {
          section: section.name,
        })
      programs.push(section)
    } else if (dataKind(section) !== null) {
      dataBytes += section.size
      if (dataBytes > DATA_BYTES_MAX)
        throw new ObjectError(`data sections have more than ${DATA_BYTES_MAX} bytes together`, {
          section: section.name,
        })
      data.push(section)
    } else if (/^\??\.struct_ops|^\.addr_space\.1$|^\.jumptables$/.test(section.name)) {
      unsupported.push(section)
    }
  }
  const one = (name: string): ElfSection | null => uniqueSection(elf, name)
  return {
    programs,
    data,
    btfMaps: one(".maps"),
    legacyMaps: one("maps"),
    license: one("license"),
    version: one("version"),
    btf: one(".BTF"),
    btfExt: one(".BTF.ext"),
    unsupported,
  }
}

/** Which of the three kinds of global data a section holds, or `null`. */
export function dataKind(section: ElfSection): "data" | "bss" | "rodata" | null {
  const match = /^\.(data|bss|rodata)(\.|$)/.exec(section.name)
  if (match === null) return null
  const kind = match[1] as "data" | "bss" | "rodata"
  if (section.type === SHT_NOBITS) return kind === "bss" ? kind : null
  // `.bss.x` with explicit zeros is PROGBITS in some compilers' output.
  return section.type === SHT_PROGBITS ? kind : null
}

function uniqueSection(elf: ElfFile, name: string): ElfSection | null {
  const found = elf.sections.filter((s) => s.name === name && isContent(s.type) && s.size > 0)
  if (found.length > 1)
    throw new ObjectError(`section appears ${found.length} times`, { section: name })
  return found[0] ?? null
}

/** `.maps`, whose content is all zeros and never read, may be NOBITS. */
function isContent(type: number): boolean {
  return type === SHT_PROGBITS || type === SHT_NOBITS
}
