/**
 * Would Linux's BTF_LOAD take this BTF? All checks of linux v6.18 kernel/bpf/btf.c, in its order:
 * header and sections, then each type by itself, then the types as a graph (validate-graph.ts).
 * Reading (btf.ts) is laxer: it accepts whatever compilers write, such as `extern` linkage and
 * sections without size, which loaders fix up before they load.
 */

import { ObjectError } from "../base/index.ts"
import { type Btf, readBtf } from "./btf.ts"
import { BTF_HEADER_SIZE, BTF_MAX_NAME_OFFSET, BTF_MAX_SIZE, BTF_VERSION } from "./constants.ts"
import { isIdentifier, isSectionName } from "./identifiers.ts"
import type { BtfStruct, BtfType, BtfUnion } from "./types.ts"
import { graphProblem } from "./validate-graph.ts"

/**
 * Checks BTF as an unprivileged kernel interface must.
 *
 * @returns `null` if it is good, else what is wrong, as the kernel's BTF log says it:
 * `[3] STRUCT s: Invalid member bits_offset`. BTF_LOAD answers EINVAL to nearly all of it.
 */
export function validateBtf(
  bytes: Uint8Array,
  options: { readonly base?: Btf } = {},
): string | null {
  const frame = frameProblem(bytes, options.base !== undefined)
  if (frame !== null) return frame
  try {
    const btf = readBtf(bytes, { base: options.base })
    if (options.base === undefined && btf.typeCount === btf.firstId) return "No type found"
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const types: BtfType[] = []
    for (let id = btf.firstId; id < btf.typeCount; id++) {
      const problem =
        recordProblem(view, btf, id) ?? nameProblem(view, btf, id) ?? typeProblem(btf, btf.type(id))
      if (problem !== null)
        return `[${id}] ${btf.kindOf(id).toUpperCase()} ${nameOf(btf, id)}: ${problem}`
      types.push(btf.type(id))
    }
    return graphProblem(btf, types)
  } catch (error) {
    if (error instanceof ObjectError) return error.message
    throw error
  }
}

function nameOf(btf: Btf, id: number): string {
  try {
    return btf.type(id).name || "(anon)"
  } catch {
    return "(invalid-name-offset)"
  }
}

/** Header and sections: types first, then strings, and nothing else (btf_parse_hdr). */
function frameProblem(bytes: Uint8Array, split: boolean): string | null {
  if (bytes.length > BTF_MAX_SIZE) return `BTF has ${bytes.length} bytes, more than ${BTF_MAX_SIZE}`
  if (bytes.length < BTF_HEADER_SIZE) return "btf_header not found"
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint16(0, true) !== 0xeb9f) return "Invalid magic"
  if (bytes[2] !== BTF_VERSION) return "Unsupported version"
  if (bytes[3] !== 0) return "Unsupported flags"
  const headerSize = view.getUint32(4, true)
  if (headerSize < BTF_HEADER_SIZE || headerSize > bytes.length) return "btf_header not found"
  for (let i = BTF_HEADER_SIZE; i < headerSize; i++)
    if (bytes[i] !== 0) return "Unsupported btf_header"
  if (headerSize === bytes.length && !split) return "No data"
  const [typesStart, typesSize, stringsStart, stringsSize] = [8, 12, 16, 20].map((at) =>
    view.getUint32(at, true),
  )
  const total = bytes.length - headerSize
  const sections = [
    { start: typesStart, size: typesSize },
    { start: stringsStart, size: stringsSize },
  ].sort((a, b) => a.start - b.start)
  let end = 0
  for (const { start, size } of sections) {
    if (start > total) return "Invalid section offset"
    if (start > end) return "Unsupported section found"
    if (start < end) return "Section overlap found"
    if (size > total - end) return "Total section length too long"
    end += size
  }
  if (end !== total) return "Unsupported section found"
  if (stringsStart + stringsSize !== total) return "String section is not at the end"
  if (stringsSize > BTF_MAX_NAME_OFFSET + 1) return "Invalid string section"
  if (stringsSize > 0 && bytes[bytes.length - 1] !== 0) return "Invalid string section"
  if (!split && (stringsSize === 0 || bytes[headerSize + stringsStart] !== 0))
    return "Invalid string section"
  return typesStart % 4 === 0 ? null : "Unaligned type_off"
}

/** Bits of `info` that mean something: vlen, kind, kind_flag (BTF_INFO_MASK). */
const INFO_MASK = 0x9f00ffff
const HAS_FLAG = new Set(["struct", "union", "enum", "enum64", "fwd", "type_tag", "decl_tag"])
const HAS_COUNT = new Set(["struct", "union", "enum", "enum64", "func", "func_proto", "datasec"])

/** What decoding does not keep: bits that must be zero. */
function recordProblem(view: DataView, btf: Btf, id: number): string | null {
  const at = btf.recordOffset(id)
  const info = view.getUint32(at + 4, true)
  if ((info & ~INFO_MASK) >>> 0 !== 0) return `Invalid btf_info:${info.toString(16)}`
  const kind = btf.kindOf(id)
  const size = view.getUint32(at + 8, true)
  if (info >>> 31 !== 0 && !HAS_FLAG.has(kind)) return "Invalid btf_info kind_flag"
  if ((info & 0xffff) !== 0 && !HAS_COUNT.has(kind)) return "vlen != 0"
  if (kind === "array" && size !== 0) return "size != 0"
  if (kind === "fwd" && size !== 0) return "type != 0"
  if (kind === "func" && (info & 0xffff) > 1) return "Invalid func linkage"
  if (kind === "int") {
    const word = view.getUint32(at + 12, true)
    if (word >>> 28 !== 0) return `Invalid int_data:${word.toString(16)}`
    if (![0, 1, 2, 4].includes(word >>> 24)) return "Unsupported encoding"
  }
  return null
}

/** Kinds by what their names must be; int and float may be called anything. */
const NAMELESS = new Set(["ptr", "const", "volatile", "restrict", "array", "func_proto"])
const NAMED = new Set(["typedef", "fwd", "func", "var"])
const MAYBE_NAMED = new Set(["struct", "union", "enum", "enum64"])

/** The names of a type and of its members or enumerators, by their offsets: 0 is no name. */
function nameProblem(view: DataView, btf: Btf, id: number): string | null {
  const at = btf.recordOffset(id)
  const kind = btf.kindOf(id)
  const count = view.getUint16(at + 4, true)
  const offset = view.getUint32(at, true)
  const good = (nameOffset: number, optional: boolean) =>
    nameOffset === 0 ? optional : isIdentifier(btf.stringBytes(nameOffset))
  if (NAMELESS.has(kind) && offset !== 0) return "Invalid name"
  if (NAMED.has(kind) && !good(offset, false)) return "Invalid name"
  if (MAYBE_NAMED.has(kind)) {
    if (!good(offset, true)) return "Invalid name"
    const enumerators = kind === "enum" || kind === "enum64"
    const stride = kind === "enum" ? 8 : 12
    for (let i = 0, part = at + 12; i < count; i++, part += stride)
      if (!good(view.getUint32(part, true), !enumerators)) return "Invalid name"
  }
  if (kind === "type_tag" || kind === "decl_tag")
    return btf.stringBytes(offset).length === 0 ? "Invalid value" : null
  if (kind === "datasec" && !isSectionName(btf.stringBytes(offset))) return "Invalid name"
  return null
}

/** What each kind requires of itself (the `check_meta` of its kind). */
function typeProblem(btf: Btf, type: BtfType): string | null {
  switch (type.kind) {
    case "void":
      return "Invalid kind:0"
    case "int":
      return type.bits + type.bitOffset > 128 ? "nr_bits exceeds 128" : null
    case "array":
      if (type.type === 0) return "Invalid elem"
      return type.indexType === 0 ? "Invalid index" : null
    case "struct":
    case "union":
      return membersProblem(type)
    case "enum":
    case "enum64": {
      const { size } = type
      return size > 8 || size === 0 || (size & (size - 1)) !== 0 ? "Unexpected size" : null
    }
    case "var":
      if (type.type === 0) return "Invalid type_id"
      return type.linkage === "extern" ? "Linkage not supported" : null
    case "datasec":
      return sectionProblem(btf, type)
    case "float":
      return [2, 4, 8, 12, 16].includes(type.size) ? null : "Invalid type_size"
    case "decl_tag":
      return type.componentIndex < -1 ? "Invalid component_idx" : null
    default:
      return null
  }
}

function membersProblem(type: BtfStruct | BtfUnion): string | null {
  let last = 0
  for (const { type: id, bitOffset } of type.members) {
    if (id === 0) return "Invalid type_id"
    if (type.kind === "union" && bitOffset !== 0) return "Invalid member bits_offset"
    if (bitOffset < last) return "Invalid member bits_offset"
    if (Math.ceil(bitOffset / 8) > type.size) return "Member bits_offset exceeds its struct size"
    last = bitOffset
  }
  return null
}

function sectionProblem(btf: Btf, type: Extract<BtfType, { kind: "datasec" }>): string | null {
  if (type.size === 0) return "size == 0"
  let end = 0
  for (const { type: id, offset, size } of type.variables) {
    if (id === 0 || id >= btf.typeCount) return "Invalid type_id"
    if (offset < end || offset >= type.size) return "Invalid offset"
    if (size === 0 || size > type.size) return "Invalid size"
    end = offset + size
    if (end > type.size) return "Invalid offset+size"
  }
  return null
}
