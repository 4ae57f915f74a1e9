/**
 * ELF64 as object files use it: section headers, symbols, REL relocations; either byte order.
 *
 * The bytes may come from anyone. Every offset, count and size is checked before use; sections
 * that share bytes of the file are refused, so that work and memory stay linear in its length;
 * names are bounded. Whatever is wrong is an {@link ObjectError} with the place.
 *
 * Spec: System V gABI, chapter 4; machine EM_BPF of linux include/uapi/linux/elf-em.h.
 */

import { ByteReader, ObjectError, utf8Text } from "../base/index.ts"

/** `e_machine` of eBPF objects; old compilers wrote 0. */
export const EM_BPF = 247
/** `e_type` of relocatable files. */
export const ET_REL = 1

/** Section types that eBPF objects have. */
export const SHT_PROGBITS = 1
export const SHT_SYMTAB = 2
export const SHT_STRTAB = 3
export const SHT_RELA = 4
export const SHT_NOBITS = 8
export const SHT_REL = 9

/** Section flags. */
export const SHF_WRITE = 1
export const SHF_ALLOC = 2
export const SHF_EXECINSTR = 4

/** Section indexes of symbols that are in no section. */
export const SHN_UNDEF = 0
export const SHN_LORESERVE = 0xff00

/** Symbol bindings. */
export const STB_LOCAL = 0
export const STB_GLOBAL = 1
export const STB_WEAK = 2

/** Symbol types. */
export const STT_NOTYPE = 0
export const STT_OBJECT = 1
export const STT_FUNC = 2
export const STT_SECTION = 3

/** Symbol visibilities that keep a global symbol inside its object. */
export const STV_INTERNAL = 1
export const STV_HIDDEN = 2

/** Relocation types (linux Documentation/bpf/llvm_reloc.rst). */
export const R_BPF_64_64 = 1
export const R_BPF_64_ABS64 = 2
export const R_BPF_64_ABS32 = 3
export const R_BPF_64_NODYLD32 = 4
export const R_BPF_64_32 = 10

const HEADER_SIZE = 64
const SECTION_HEADER_SIZE = 64
const SYMBOL_SIZE = 24
const REL_SIZE = 16
/** Longest section or symbol name read, in bytes. */
const NAME_LENGTH_MAX = 4096
/** Bytes of all names together. */
const NAME_BYTES_MAX: number = 16 << 20

export interface ElfSection {
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: number
  /** Bytes, in the file or (NOBITS) in memory only. */
  readonly size: number
  readonly link: number
  readonly info: number
  readonly entrySize: number
  /** A window into the file; empty for NOBITS. */
  readonly data: Uint8Array
}

export interface ElfSymbol {
  readonly index: number
  /** Empty for section symbols. */
  readonly name: string
  /** Bytes from the start of the section. */
  readonly value: number
  readonly size: number
  readonly binding: number
  readonly type: number
  readonly visibility: number
  /** Section index, or one of the reserved ones (SHN_UNDEF, ABS, COMMON). */
  readonly section: number
}

export interface ElfRelocation {
  /** Bytes from the start of the section that is patched. */
  readonly offset: number
  readonly symbol: ElfSymbol
  readonly type: number
}

export interface ElfFile {
  readonly littleEndian: boolean
  readonly type: number
  readonly machine: number
  /** By index; the first one is the null section. */
  readonly sections: readonly ElfSection[]
  readonly symbols: readonly ElfSymbol[]
  /**
   * By index of the section that is patched, in file order; only of sections that are loaded
   * (SHF_ALLOC), which spares the many relocations of debug information.
   */
  readonly relocations: ReadonlyMap<number, readonly ElfRelocation[]>
}

/**
 * Reads an ELF64 file.
 *
 * @throws ObjectError for anything that is not well-formed ELF64.
 */
export function readElf(file: Uint8Array): ElfFile {
  // A Node Buffer's `slice` does not copy; a plain view's does.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength)
  const header = readHeader(bytes)
  const { littleEndian } = header
  const sections = readSections(bytes, header)
  refuseOverlaps(sections)
  const symbols = readSymbols(
    sections.map((s) => s.section),
    littleEndian,
  )
  return {
    littleEndian,
    type: header.type,
    machine: header.machine,
    sections: sections.map((s) => s.section),
    symbols,
    relocations: readRelocations(
      sections.map((s) => s.section),
      symbols,
      littleEndian,
    ),
  }
}

interface Header {
  readonly littleEndian: boolean
  readonly type: number
  readonly machine: number
  readonly tableOffset: number
  readonly count: number
  readonly namesIndex: number
}

function readHeader(bytes: Uint8Array): Header {
  const fail = (message: string, offset: number): never => {
    throw new ObjectError(message, { offset })
  }
  if (bytes.length < HEADER_SIZE) fail(`ELF header has ${bytes.length} of ${HEADER_SIZE} bytes`, 0)
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46)
    fail("not an ELF file: it does not begin with 7f 45 4c 46", 0)
  if (bytes[4] !== 2) fail(`ELF class is ${bytes[4]}, not 2 (64 bit)`, 4)
  if (bytes[5] !== 1 && bytes[5] !== 2) fail(`ELF byte order is ${bytes[5]}, not 1 or 2`, 5)
  const littleEndian = bytes[5] === 1
  const reader = new ByteReader(bytes, { littleEndian, section: "ELF header" })
  const tableOffset = reader.size64(40)
  const entrySize = reader.u16(58)
  const count = reader.u16(60)
  const namesIndex = reader.u16(62)
  if (count === 0) {
    // Either no sections at all or more than 65,279, whose count is in section 0: neither is an
    // eBPF object.
    fail(`no section headers (e_shnum is 0)`, 60)
  }
  if (entrySize !== SECTION_HEADER_SIZE)
    fail(`section headers have ${entrySize} bytes, not ${SECTION_HEADER_SIZE}`, 58)
  if (tableOffset + count * SECTION_HEADER_SIZE > bytes.length)
    fail(`${count} section headers at ${tableOffset} do not fit into ${bytes.length} bytes`, 40)
  if (namesIndex >= count) fail(`section ${namesIndex} of names is not below ${count}`, 62)
  return {
    littleEndian,
    type: reader.u16(16),
    machine: reader.u16(18),
    tableOffset,
    count,
    namesIndex,
  }
}

interface PlacedSection {
  readonly section: ElfSection
  /** Bytes from the start of the file. */
  readonly offset: number
}

function readSections(bytes: Uint8Array, header: Header): PlacedSection[] {
  const { littleEndian, tableOffset, count, namesIndex } = header
  const reader = new ByteReader(bytes, { littleEndian, section: "section headers" })
  const window = (index: number): { offset: number; size: number; data: Uint8Array } => {
    const at = tableOffset + index * SECTION_HEADER_SIZE
    const offset = reader.size64(at + 24)
    const size = reader.size64(at + 32)
    const type = reader.u32(at + 4)
    if (type === SHT_NOBITS || type === 0) return { offset, size, data: bytes.subarray(0, 0) }
    if (offset + size > bytes.length)
      throw new ObjectError(
        `section ${index} has ${size} bytes at ${offset}, but the file has ${bytes.length}`,
        { offset: at },
      )
    return { offset, size, data: bytes.subarray(offset, offset + size) }
  }
  const names = new Names(window(namesIndex).data, "section names")
  const sections: PlacedSection[] = []
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * SECTION_HEADER_SIZE
    const { offset, size, data } = window(index)
    sections.push({
      offset,
      section: {
        index,
        name: names.at(reader.u32(at)),
        type: reader.u32(at + 4),
        flags: Number(reader.u64(at + 8) & 0xffff_ffffn),
        size,
        link: reader.u32(at + 40),
        info: reader.u32(at + 44),
        entrySize: reader.size64(at + 56),
        data,
      },
    })
  }
  return sections
}

/** Two sections with bytes in common would let a small file stand for a large amount of work. */
function refuseOverlaps(sections: readonly PlacedSection[]): void {
  const placed = sections.filter(({ section }) => section.data.length > 0)
  placed.sort((a, b) => a.offset - b.offset)
  for (let i = 1; i < placed.length; i++) {
    const before = placed[i - 1]
    const end = before.offset + before.section.data.length
    if (placed[i].offset < end)
      throw new ObjectError(
        `sections ${before.section.index} ${before.section.name} and ${placed[i].section.index} ` +
          `${placed[i].section.name} overlap`,
        { offset: placed[i].offset },
      )
  }
}

function readSymbols(sections: readonly ElfSection[], littleEndian: boolean): ElfSymbol[] {
  const tables = sections.filter((section) => section.type === SHT_SYMTAB)
  if (tables.length === 0) return []
  if (tables.length > 1)
    throw new ObjectError(`${tables.length} symbol tables, more than 1`, {
      section: tables[1].name,
    })
  const [table] = tables
  const where = { section: table.name }
  if (table.entrySize !== SYMBOL_SIZE || table.size % SYMBOL_SIZE !== 0)
    throw new ObjectError(
      `symbol table of ${table.size} bytes has entries of ${table.entrySize}, not ${SYMBOL_SIZE}`,
      where,
    )
  const strings = sections[table.link]
  if (strings === undefined || strings.type !== SHT_STRTAB)
    throw new ObjectError(`sh_link ${table.link} is not a string table`, where)
  const names = new Names(strings.data, strings.name)
  const reader = new ByteReader(table.data, { littleEndian, section: table.name })
  const symbols: ElfSymbol[] = []
  for (let at = 0; at < table.size; at += SYMBOL_SIZE) {
    const info = reader.u8(at + 4)
    const section = reader.u16(at + 6)
    if (section >= sections.length && section < SHN_LORESERVE)
      throw new ObjectError(`symbol's section ${section} is not below ${sections.length}`, {
        section: table.name,
        offset: at + 6,
      })
    symbols.push({
      index: at / SYMBOL_SIZE,
      name: names.at(reader.u32(at)),
      value: reader.size64(at + 8),
      size: reader.size64(at + 16),
      binding: info >> 4,
      type: info & 15,
      visibility: reader.u8(at + 5) & 3,
      section,
    })
  }
  return symbols
}

function readRelocations(
  sections: readonly ElfSection[],
  symbols: readonly ElfSymbol[],
  littleEndian: boolean,
): Map<number, ElfRelocation[]> {
  const relocations = new Map<number, ElfRelocation[]>()
  for (const table of sections) {
    if (table.type !== SHT_REL) continue
    const where = { section: table.name }
    const target = sections[table.info]
    if (table.info === 0 || target === undefined)
      throw new ObjectError(`sh_info ${table.info} is not a section`, where)
    if (table.entrySize !== REL_SIZE || table.size % REL_SIZE !== 0)
      throw new ObjectError(
        `relocation table of ${table.size} bytes has entries of ${table.entrySize}, not ${REL_SIZE}`,
        where,
      )
    if ((target.flags & SHF_ALLOC) === 0) continue
    const reader = new ByteReader(table.data, { littleEndian, section: table.name })
    let list = relocations.get(table.info)
    if (list === undefined) relocations.set(table.info, (list = []))
    for (let at = 0; at < table.size; at += REL_SIZE) {
      const offset = reader.size64(at)
      const info = reader.u64(at + 8)
      const symbol = symbols[Number(info >> 32n)]
      if (offset >= target.size)
        throw new ObjectError(`relocation at ${offset}, but ${target.name} has ${target.size}`, {
          section: table.name,
          offset: at,
        })
      if (symbol === undefined)
        throw new ObjectError(`symbol ${info >> 32n} is not below ${symbols.length}`, {
          section: table.name,
          offset: at + 8,
        })
      list.push({ offset, symbol, type: Number(info & 0xffff_ffffn) })
    }
  }
  return relocations
}

/** Names of a string table, each offset decoded once, all of them together bounded. */
class Names {
  private readonly bytes: Uint8Array
  private readonly section: string
  private readonly known = new Map<number, string>()
  private total = 0

  constructor(bytes: Uint8Array, section: string) {
    this.bytes = bytes
    this.section = section
  }

  at(offset: number): string {
    if (offset === 0) return ""
    const known = this.known.get(offset)
    if (known !== undefined) return known
    const fail = (message: string): never => {
      throw new ObjectError(message, { section: this.section, offset })
    }
    if (offset >= this.bytes.length) fail(`name offset ${offset} is not below ${this.bytes.length}`)
    const limit = Math.min(this.bytes.length, offset + NAME_LENGTH_MAX)
    let end = offset
    while (end < limit && this.bytes[end] !== 0) end++
    if (end === limit) fail(`name is longer than ${NAME_LENGTH_MAX} bytes or has no end`)
    this.total += end - offset
    if (this.total > NAME_BYTES_MAX) fail(`all names have more than ${NAME_BYTES_MAX} bytes`)
    const name = utf8Text(this.bytes.subarray(offset, end))
    this.known.set(offset, name)
    return name
  }
}
