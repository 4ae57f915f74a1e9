/**
 * `.BTF.ext`: what compilers say about instructions, by ELF section and byte offset: which function
 * starts there, which source line it comes from, which CO-RE relocation it needs. Reading and
 * writing of the section, and the two record arrays that PROG_LOAD takes.
 * Spec: linux Documentation/bpf/btf.rst §4, include/uapi/linux/bpf.h struct bpf_func_info,
 * bpf_line_info, bpf_core_relo.
 */

import { ByteReader, concatBytes, ObjectError } from "../base/index.ts"
import type { Btf } from "./btf.ts"
import { BTF_MAGIC, BTF_VERSION } from "./constants.ts"

/** Bytes of one record in PROG_LOAD's `func_info`. */
export const FUNC_INFO_SIZE = 8
/** Bytes of one record in PROG_LOAD's `line_info`. */
export const LINE_INFO_SIZE = 16
/** Bytes of one `struct bpf_core_relo`. */
export const CORE_RELO_SIZE = 16

/** A function that starts at an instruction. */
export interface FuncInfo {
  /** Bytes from the start of the ELF section. */
  readonly offset: number
  /** Id of its `func` type. */
  readonly type: number
}

/** The source position that an instruction (and those after it) comes from. */
export interface LineInfo {
  /** Bytes from the start of the ELF section. */
  readonly offset: number
  readonly file: string
  /** The source line's text, if the compiler kept it; else empty. */
  readonly text: string
  /** Counts from 1; 0 if unknown. */
  readonly line: number
  /** Counts from 1; 0 if unknown. */
  readonly column: number
  /** String offset of `file` in the BTF. */
  readonly fileOffset: number
  /** String offset of `text` in the BTF. */
  readonly textOffset: number
}

/** A CO-RE relocation as the compiler wrote it. */
export interface CoreRelocation {
  /** Bytes from the start of the ELF section to the instruction. */
  readonly offset: number
  /** The local type that the access starts from. */
  readonly type: number
  /** Indexes separated by colons: `0:1:2`. */
  readonly access: string
  /** BPF_CORE_FIELD_BYTE_OFFSET (0) to BPF_CORE_TYPE_MATCHES (12); not checked here. */
  readonly kind: number
}

/** The three tables, each by ELF section name, records in file order. */
export interface BtfExt {
  readonly functions: ReadonlyMap<string, readonly FuncInfo[]>
  readonly lines: ReadonlyMap<string, readonly LineInfo[]>
  readonly relocations: ReadonlyMap<string, readonly CoreRelocation[]>
}

const SECTION = ".BTF.ext"
/** Header size of the first version: without CO-RE relocations. */
const HEADER_SIZE_MIN = 24
const HEADER_SIZE = 32
/** Columns have 10 bits of `line_col`, lines the other 22. */
const COLUMN_BITS = 10
const COLUMN_MAX: number = (1 << COLUMN_BITS) - 1
const LINE_MAX: number = (1 << 22) - 1

/**
 * Reads a `.BTF.ext` section whose strings and types are in `btf`.
 *
 * @throws ObjectError for a table or record that does not fit, or a string offset out of range.
 */
export function readBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  const { littleEndian } = btf
  const reader = new ByteReader(bytes, { littleEndian, section: SECTION })
  const magic = reader.u16(0)
  if (magic !== BTF_MAGIC)
    throw new ObjectError(`magic is 0x${magic.toString(16)}, not 0xeb9f`, {
      section: SECTION,
      offset: 0,
    })
  if (reader.u8(2) !== BTF_VERSION)
    throw new ObjectError(`version is ${reader.u8(2)}, not ${BTF_VERSION}`, {
      section: SECTION,
      offset: 2,
    })
  const headerSize = reader.u32(4)
  if (headerSize < HEADER_SIZE_MIN || headerSize > bytes.length)
    throw new ObjectError(`header size ${headerSize} is not in 24 to ${bytes.length}`, {
      section: SECTION,
      offset: 4,
    })
  const table = (field: number, size: number): Table =>
    field + 8 > headerSize
      ? { start: 0, end: 0, recordSizeMin: size }
      : {
          start: headerSize + reader.u32(field),
          end: headerSize + reader.u32(field) + reader.u32(field + 4),
          recordSizeMin: size,
        }
  const strings = new Map<number, string>()
  const string = (offset: number): string => {
    let text = strings.get(offset)
    if (text === undefined) strings.set(offset, (text = btf.string(offset)))
    return text
  }
  return {
    functions: readTable(reader, btf, table(8, FUNC_INFO_SIZE), (at) => ({
      offset: reader.u32(at),
      type: reader.u32(at + 4),
    })),
    lines: readTable(reader, btf, table(16, LINE_INFO_SIZE), (at) => {
      const fileOffset = reader.u32(at + 4)
      const textOffset = reader.u32(at + 8)
      const place = reader.u32(at + 12)
      return {
        offset: reader.u32(at),
        file: string(fileOffset),
        text: string(textOffset),
        line: place >>> COLUMN_BITS,
        column: place & COLUMN_MAX,
        fileOffset,
        textOffset,
      }
    }),
    relocations: readTable(reader, btf, table(24, CORE_RELO_SIZE), (at) => ({
      offset: reader.u32(at),
      type: reader.u32(at + 4),
      access: string(reader.u32(at + 8)),
      kind: reader.u32(at + 12),
    })),
  }
}

interface Table {
  readonly start: number
  readonly end: number
  readonly recordSizeMin: number
}

/** One table: a record size, then for each ELF section its name, a count, and the records. */
function readTable<T>(
  reader: ByteReader,
  btf: Btf,
  table: Table,
  readRecord: (at: number) => T,
): Map<string, T[]> {
  const result = new Map<string, T[]>()
  const { start, end, recordSizeMin } = table
  if (start === end) return result
  const fail = (message: string, offset: number): never => {
    throw new ObjectError(message, { section: SECTION, offset })
  }
  if (end > reader.length) fail(`table ends at ${end}, after ${reader.length} bytes`, start)
  const recordSize = reader.u32(start)
  if (recordSize < recordSizeMin || recordSize % 4 !== 0)
    fail(`record size ${recordSize} is not a multiple of 4 from ${recordSizeMin}`, start)
  let at = start + 4
  while (at < end) {
    if (at + 8 > end) fail("table ends inside a section's header", at)
    const name = btf.string(reader.u32(at))
    const count = reader.u32(at + 4)
    if (count === 0) fail(`section '${name}' has no records`, at)
    at += 8
    if (count * recordSize > end - at)
      fail(`${count} records of ${recordSize} bytes do not fit into ${end - at}`, at - 4)
    let records = result.get(name)
    if (records === undefined) result.set(name, (records = []))
    for (let i = 0; i < count; i++, at += recordSize) records.push(readRecord(at))
  }
  return result
}

/** A function start in PROG_LOAD's terms. */
export interface FuncInfoRecord {
  /** Index of the instruction slot. */
  readonly slot: number
  readonly type: number
}

/** A source position in PROG_LOAD's terms: strings by offset into the BTF given at load. */
export interface LineInfoRecord {
  /** Index of the instruction slot. */
  readonly slot: number
  readonly fileOffset: number
  readonly textOffset: number
  readonly line: number
  readonly column: number
}

/** `struct bpf_func_info[]`: 8 bytes a record, `insn_off` in slots. */
export function encodeFuncInfo(
  records: readonly FuncInfoRecord[],
  littleEndian = true,
): Uint8Array {
  const words: number[] = []
  for (const { slot, type } of records) words.push(slot, type)
  return encodeWords(words, littleEndian)
}

/**
 * `struct bpf_line_info[]`: 16 bytes a record, `insn_off` in slots. Lines above 4,194,303 and
 * columns above 1,023 are cut to those.
 */
export function encodeLineInfo(
  records: readonly LineInfoRecord[],
  littleEndian = true,
): Uint8Array {
  const words: number[] = []
  for (const { slot, fileOffset, textOffset, line, column } of records)
    words.push(slot, fileOffset, textOffset, lineColumn(line, column))
  return encodeWords(words, littleEndian)
}

/** What {@link writeBtfExt} writes; strings are offsets into the BTF beside it. */
export interface BtfExtTables {
  readonly functions: readonly (FuncInfo & { readonly section: number })[]
  readonly lines: readonly (Omit<LineInfo, "file" | "text"> & { readonly section: number })[]
  readonly relocations: readonly {
    readonly section: number
    readonly offset: number
    readonly type: number
    readonly accessOffset: number
    readonly kind: number
  }[]
}

/**
 * Writes a `.BTF.ext` section. `section` in each record is the string offset of the ELF section's
 * name; records of one section must follow each other, in order of their offsets.
 */
export function writeBtfExt(tables: BtfExtTables, littleEndian = true): Uint8Array {
  const functions = encodeTable(tables.functions, FUNC_INFO_SIZE, (r) => [r.offset, r.type])
  const lines = encodeTable(tables.lines, LINE_INFO_SIZE, (r) => [
    r.offset,
    r.fileOffset,
    r.textOffset,
    lineColumn(r.line, r.column),
  ])
  const relocations = encodeTable(tables.relocations, CORE_RELO_SIZE, (r) => [
    r.offset,
    r.type,
    r.accessOffset,
    r.kind,
  ])
  const lengths = [functions, lines, relocations].map((words) => 4 * words.length)
  const header = new Uint8Array(8)
  const view = new DataView(header.buffer)
  view.setUint16(0, BTF_MAGIC, littleEndian)
  header[2] = BTF_VERSION
  view.setUint32(4, HEADER_SIZE, littleEndian)
  const places = [0, lengths[0], lengths[0], lengths[1], lengths[0] + lengths[1], lengths[2]]
  return concatBytes([
    header,
    encodeWords([...places, ...functions, ...lines, ...relocations], littleEndian),
  ])
}

function lineColumn(line: number, column: number): number {
  return ((Math.min(line, LINE_MAX) << COLUMN_BITS) | Math.min(column, COLUMN_MAX)) >>> 0
}

/** A whole table as 32-bit words; no words for no records. */
function encodeTable<R extends { readonly section: number }>(
  records: readonly R[],
  recordSize: number,
  encode: (record: R) => number[],
): number[] {
  if (records.length === 0) return []
  const words = [recordSize]
  let countAt = -1
  let section = -1
  for (const record of records) {
    if (record.section !== section) {
      section = record.section
      countAt = words.length + 1
      words.push(section, 0)
    }
    words[countAt]++
    words.push(...encode(record))
  }
  return words
}

function encodeWords(words: readonly number[], littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(4 * words.length)
  const view = new DataView(bytes.buffer)
  words.forEach((word, index) => {
    view.setUint32(4 * index, word, littleEndian)
  })
  return bytes
}
