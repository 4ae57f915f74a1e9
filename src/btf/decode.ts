/**
 * One type record → one {@link BtfType}. The index (header.ts) has proved that the record lies
 * inside the type section; here names, referenced ids and enumerated fields are checked, so that a
 * decoded type holds only values that mean something. Spec: linux Documentation/bpf/btf.rst §2.2.
 */

import { ObjectError } from "../base/index.ts"
import {
  BTF_INT_BOOL,
  BTF_INT_CHAR,
  BTF_INT_SIGNED,
  BTF_KIND_ARRAY,
  BTF_KIND_CONST,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_FWD,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
} from "./constants.ts"
import type { BtfKind, BtfMember, BtfParam, BtfSectionVariable, BtfType } from "./types.ts"

/** The kind's name by its number in the file; index 0 is void. */
export const KIND_NAMES: readonly BtfKind[] = [
  "void",
  "int",
  "ptr",
  "array",
  "struct",
  "union",
  "enum",
  "fwd",
  "typedef",
  "volatile",
  "const",
  "restrict",
  "func",
  "func_proto",
  "var",
  "datasec",
  "float",
  "decl_tag",
  "type_tag",
  "enum64",
]

/** What the decoder needs of the BTF around a record. */
export interface RecordContext {
  readonly view: DataView
  readonly littleEndian: boolean
  readonly typeCount: number
  readonly section: string
  /** The string at `offset` in the (joint) string section; throws ObjectError. */
  string(offset: number): string
}

const LINKAGES = ["static", "global", "extern"] as const

/**
 * Decodes the record at byte `at`, whose id is `id`.
 *
 * @throws ObjectError for a string offset or type id out of range, or a size or linkage that no
 * type of the kind can have.
 */
export function decodeType(context: RecordContext, id: number, at: number): BtfType {
  const { view, littleEndian } = context
  const u32 = (offset: number) => view.getUint32(offset, littleEndian)
  const name = context.string(u32(at))
  const info = u32(at + 4)
  const vlen = info & 0xffff
  const kindFlag = info >>> 31 === 1
  const kind = (info >>> 24) & 0x1f
  const size = u32(at + 8)
  const reference = (offset: number) => typeId(context, offset)
  switch (kind) {
    case BTF_KIND_INT: {
      const word = u32(at + 12)
      const encoding = (word >>> 24) & 0xf
      const bits = word & 0xff
      const bitOffset = (word >>> 16) & 0xff
      if (bits + bitOffset > 8 * size)
        fail(context, at, `int '${name}' has ${bits} bits from bit ${bitOffset} in ${size} bytes`)
      return {
        kind: "int",
        id,
        name,
        size,
        bits,
        bitOffset,
        signed: (encoding & BTF_INT_SIGNED) !== 0,
        char: (encoding & BTF_INT_CHAR) !== 0,
        bool: (encoding & BTF_INT_BOOL) !== 0,
      }
    }
    case BTF_KIND_PTR:
      return { kind: "ptr", id, name, type: reference(at + 8) }
    case BTF_KIND_ARRAY:
      return {
        kind: "array",
        id,
        name,
        type: reference(at + 12),
        indexType: reference(at + 16),
        length: u32(at + 20),
      }
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return {
        kind: kind === BTF_KIND_STRUCT ? "struct" : "union",
        id,
        name,
        size,
        members: decodeMembers(context, at + 12, vlen, kindFlag),
        kindFlag,
      }
    case BTF_KIND_ENUM:
      return {
        kind: "enum",
        id,
        name,
        size,
        signed: kindFlag,
        values: enumerators(context, at + 12, vlen, kindFlag),
      }
    case BTF_KIND_ENUM64:
      return {
        kind: "enum64",
        id,
        name,
        size,
        signed: kindFlag,
        values: enumerators64(context, at + 12, vlen, kindFlag),
      }
    case BTF_KIND_FWD:
      return { kind: "fwd", id, name, of: kindFlag ? "union" : "struct" }
    case BTF_KIND_TYPEDEF:
      return { kind: "typedef", id, name, type: reference(at + 8) }
    case BTF_KIND_CONST:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_RESTRICT: {
      const qualifier = KIND_NAMES[kind] as "const" | "volatile" | "restrict"
      return { kind: qualifier, id, name, type: reference(at + 8) }
    }
    case BTF_KIND_TYPE_TAG:
      return { kind: "type_tag", id, name, type: reference(at + 8), attribute: kindFlag }
    case BTF_KIND_FUNC:
      return {
        kind: "func",
        id,
        name,
        type: reference(at + 8),
        linkage: linkage(context, at, vlen),
      }
    case BTF_KIND_FUNC_PROTO:
      return {
        kind: "func_proto",
        id,
        name,
        returnType: reference(at + 8),
        ...parameters(context, at + 12, vlen),
      }
    case BTF_KIND_VAR:
      return {
        kind: "var",
        id,
        name,
        type: reference(at + 8),
        linkage: linkage(context, at, u32(at + 12)),
      }
    case BTF_KIND_DATASEC:
      return { kind: "datasec", id, name, size, variables: decodeSection(context, at + 12, vlen) }
    case BTF_KIND_FLOAT:
      return { kind: "float", id, name, size }
    case BTF_KIND_DECL_TAG:
      return {
        kind: "decl_tag",
        id,
        name,
        type: reference(at + 8),
        componentIndex: view.getInt32(at + 12, littleEndian),
        attribute: kindFlag,
      }
    default:
      return fail(context, at, `BTF kind ${kind} is unknown`)
  }
}

function fail(context: RecordContext, offset: number, message: string): never {
  throw new ObjectError(message, { section: context.section, offset })
}

function typeId(context: RecordContext, offset: number): number {
  const id = context.view.getUint32(offset, context.littleEndian)
  if (id >= context.typeCount)
    fail(context, offset, `type id ${id} is not below the number of types, ${context.typeCount}`)
  return id
}

function linkage(
  context: RecordContext,
  at: number,
  value: number,
): "static" | "global" | "extern" {
  if (value >= LINKAGES.length) fail(context, at, `linkage ${value} is not 0, 1 or 2`)
  return LINKAGES[value]
}

function decodeMembers(
  context: RecordContext,
  start: number,
  count: number,
  kindFlag: boolean,
): BtfMember[] {
  const { view, littleEndian } = context
  const members: BtfMember[] = []
  for (let i = 0, at = start; i < count; i++, at += 12) {
    const place = view.getUint32(at + 8, littleEndian)
    members.push({
      name: context.string(view.getUint32(at, littleEndian)),
      type: typeId(context, at + 4),
      bitOffset: kindFlag ? place & 0xffffff : place,
      bitSize: kindFlag ? place >>> 24 : 0,
    })
  }
  return members
}

function enumerators(
  context: RecordContext,
  start: number,
  count: number,
  signed: boolean,
): { name: string; value: number }[] {
  const { view, littleEndian } = context
  const values: { name: string; value: number }[] = []
  for (let i = 0, at = start; i < count; i++, at += 8)
    values.push({
      name: context.string(view.getUint32(at, littleEndian)),
      value: signed ? view.getInt32(at + 4, littleEndian) : view.getUint32(at + 4, littleEndian),
    })
  return values
}

function enumerators64(
  context: RecordContext,
  start: number,
  count: number,
  signed: boolean,
): { name: string; value: bigint }[] {
  const { view, littleEndian } = context
  const values: { name: string; value: bigint }[] = []
  for (let i = 0, at = start; i < count; i++, at += 12) {
    const low = BigInt(view.getUint32(at + 4, littleEndian))
    const high = BigInt(view.getUint32(at + 8, littleEndian))
    const value = (high << 32n) | low
    values.push({
      name: context.string(view.getUint32(at, littleEndian)),
      value: signed ? BigInt.asIntN(64, value) : value,
    })
  }
  return values
}

function parameters(
  context: RecordContext,
  start: number,
  count: number,
): { params: BtfParam[]; variadic: boolean } {
  const params: BtfParam[] = []
  for (let i = 0, at = start; i < count; i++, at += 8)
    params.push({
      name: context.string(context.view.getUint32(at, context.littleEndian)),
      type: typeId(context, at + 4),
    })
  const last = params.at(-1)
  const variadic = last !== undefined && last.type === 0 && last.name === ""
  if (variadic) params.pop()
  return { params, variadic }
}

function decodeSection(context: RecordContext, start: number, count: number): BtfSectionVariable[] {
  const { view, littleEndian } = context
  const variables: BtfSectionVariable[] = []
  for (let i = 0, at = start; i < count; i++, at += 12)
    variables.push({
      type: typeId(context, at),
      offset: view.getUint32(at + 4, littleEndian),
      size: view.getUint32(at + 8, littleEndian),
    })
  return variables
}
