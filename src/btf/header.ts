/**
 * The frame of BTF bytes: header, type section, string section, and an index of where each type
 * starts. The index is the only pass over all types that reading needs (126,000 kernel types in a
 * few ms); it looks at nothing but kinds and counts, and proves that every type lies wholly inside
 * the type section. Spec: linux Documentation/bpf/btf.rst §2.
 */

import { ByteReader, ObjectError } from "../base/index.ts"
import {
  BTF_HEADER_SIZE,
  BTF_KIND_ARRAY,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_KIND_MAX,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  BTF_KIND_VAR,
  BTF_MAGIC,
  BTF_MAX_TYPE,
  BTF_VERSION,
} from "./constants.ts"

/** Where the two sections lie, in bytes from the start of the BTF. */
export interface BtfFrame {
  readonly littleEndian: boolean
  readonly typesStart: number
  readonly typesEnd: number
  readonly stringsStart: number
  readonly stringsEnd: number
}

/** Words of a record without its elements, and words of one element, by kind. */
const FIXED_WORDS = new Uint8Array(32).fill(3)
const ELEMENT_WORDS = new Uint8Array(32)
FIXED_WORDS[BTF_KIND_INT] = 4
FIXED_WORDS[BTF_KIND_ARRAY] = 6
FIXED_WORDS[BTF_KIND_VAR] = 4
FIXED_WORDS[BTF_KIND_DECL_TAG] = 4
ELEMENT_WORDS[BTF_KIND_STRUCT] = 3
ELEMENT_WORDS[BTF_KIND_UNION] = 3
ELEMENT_WORDS[BTF_KIND_ENUM] = 2
ELEMENT_WORDS[BTF_KIND_FUNC_PROTO] = 2
ELEMENT_WORDS[BTF_KIND_DATASEC] = 3
ELEMENT_WORDS[BTF_KIND_ENUM64] = 3

/**
 * Reads the header and checks that both sections lie inside `bytes`.
 *
 * @param split whether the BTF stands on a base: only then may its string section be empty.
 * @throws ObjectError naming the field that is wrong.
 */
export function readFrame(bytes: Uint8Array, section: string, split: boolean): BtfFrame {
  const fail = (message: string, offset: number): never => {
    throw new ObjectError(message, { section, offset })
  }
  if (bytes.length < BTF_HEADER_SIZE)
    fail(`BTF header has ${bytes.length} of ${BTF_HEADER_SIZE} bytes`, 0)
  const littleEndian = (bytes[0] | (bytes[1] << 8)) === BTF_MAGIC
  const reader = new ByteReader(bytes, { littleEndian, section })
  const magic = reader.u16(0)
  if (magic !== BTF_MAGIC) fail(`BTF magic is 0x${magic.toString(16)}, not 0xeb9f`, 0)
  if (bytes[2] !== BTF_VERSION) fail(`BTF version is ${bytes[2]}, not ${BTF_VERSION}`, 2)
  const headerSize = reader.u32(4)
  if (headerSize < BTF_HEADER_SIZE || headerSize > bytes.length)
    fail(`BTF header size ${headerSize} is not in ${BTF_HEADER_SIZE} to ${bytes.length}`, 4)
  const typesStart = headerSize + reader.u32(8)
  const typesEnd = typesStart + reader.u32(12)
  const stringsStart = headerSize + reader.u32(16)
  const stringsEnd = stringsStart + reader.u32(20)
  if (typesStart % 4 !== 0) fail(`type section starts at ${typesStart}, not a multiple of 4`, 8)
  if (typesEnd > bytes.length)
    fail(`type section ends at ${typesEnd}, after the last of ${bytes.length} bytes`, 8)
  if (stringsEnd > bytes.length)
    fail(`string section ends at ${stringsEnd}, after the last of ${bytes.length} bytes`, 16)
  if (stringsStart === stringsEnd) {
    if (!split) fail("string section is empty", 20)
  } else if (bytes[stringsEnd - 1] !== 0) {
    fail("string section does not end with a zero byte", stringsEnd - 1)
  } else if (!split && bytes[stringsStart] !== 0) {
    fail("string section does not begin with the empty string", stringsStart)
  }
  return { littleEndian, typesStart, typesEnd, stringsStart, stringsEnd }
}

/**
 * The byte offset of each type, in order of ids; element 0 belongs to the first id of this BTF.
 *
 * @throws ObjectError at the first type of unknown kind or that does not fit the section.
 */
export function indexTypes(bytes: Uint8Array, frame: BtfFrame, section: string): Uint32Array {
  const { typesStart, typesEnd } = frame
  const fail = (message: string, offset: number): never => {
    throw new ObjectError(message, { section, offset })
  }
  if ((typesEnd - typesStart) % 4 !== 0) fail("type section ends inside a type", typesEnd)
  const words = typeWords(bytes, frame)
  const end = words.length
  let offsets = new Uint32Array(Math.min(1 << 17, 16 + (end >>> 2)))
  let count = 0
  let at = 0
  while (at < end) {
    const offset = typesStart + 4 * at
    if (at + 3 > end) fail("type section ends inside a type", offset)
    const info = words[at + 1]
    const kind = (info >>> 24) & 0x1f
    if (kind === 0 || kind > BTF_KIND_MAX)
      fail(`BTF kind ${kind} is unknown (1 to ${BTF_KIND_MAX})`, offset)
    if (count === offsets.length) {
      const longer = new Uint32Array(2 * count)
      longer.set(offsets)
      offsets = longer
    }
    offsets[count++] = offset
    at += FIXED_WORDS[kind] + ELEMENT_WORDS[kind] * (info & 0xffff)
  }
  if (at > end)
    fail(
      `type ends at ${typesStart + 4 * at}, after the type section's end at ${typesEnd}`,
      offsets[count - 1],
    )
  if (count > BTF_MAX_TYPE) fail(`${count} types, more than ${BTF_MAX_TYPE}`, typesStart)
  return offsets.subarray(0, count)
}

const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** The type section as 32-bit words of this machine: a view if that is possible, else a copy. */
function typeWords(bytes: Uint8Array, frame: BtfFrame): Uint32Array {
  const { littleEndian, typesStart, typesEnd } = frame
  const start = bytes.byteOffset + typesStart
  const count = (typesEnd - typesStart) / 4
  if (littleEndian === hostIsLittleEndian && start % 4 === 0)
    return new Uint32Array(bytes.buffer, start, count)
  const view = new DataView(bytes.buffer, start, typesEnd - typesStart)
  const words = new Uint32Array(count)
  for (let i = 0; i < count; i++) words[i] = view.getUint32(4 * i, littleEndian)
  return words
}
