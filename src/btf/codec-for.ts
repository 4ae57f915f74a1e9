/**
 * Codecs from BTF: any type of an object or a kernel, with exactly the layout that BTF records
 * (packed, bit-fields and unions included). Values follow DESIGN's rule: integers up to 32 bits are
 * numbers, larger ones and pointers bigint, `char[n]` strings, `unsigned char[n]` Uint8Array,
 * enums numbers (names are accepted on write), structs plain objects, unions objects with all
 * views. Members of anonymous structs and unions appear in the object around them; a flexible array
 * takes what the buffer has.
 *
 * Writing a union: give the view you mean. Of several, the views that keep every bit are written
 * last and the largest of these last of all, so a value that was read can be written back.
 *
 * Hostile BTF: nesting is limited by MAX_RESOLVE_DEPTH, the fields of one type by FIELDS_MAX, so
 * building and using a codec takes bounded time.
 */

import { ObjectError } from "../base/index.ts"
import { bitField } from "./bit-fields.ts"
import type { Btf } from "./btf.ts"
import { type Codec, checkRoom, typeMisfit } from "./codec.ts"
import {
  array,
  bytes,
  chars,
  flexible,
  flexibleBytes,
  flexibleChars,
  type PlacedField,
  setField,
  structAt,
  writeField,
  zero,
} from "./codecs.ts"
import { MAX_RESOLVE_DEPTH } from "./constants.ts"
import { alignOf, flexibleArray, resolveType, sizeOf } from "./layout.ts"
import { bool8, boolField, enumeration, float, integer } from "./scalars.ts"
import type {
  BtfArray,
  BtfDatasec,
  BtfEnum,
  BtfEnum64,
  BtfInt,
  BtfMember,
  BtfStruct,
  BtfType,
  BtfUnion,
} from "./types.ts"

/** Most fields, nested ones counted, that one codec reads. */
const FIELDS_MAX = 65_536

interface Built {
  readonly codec: Codec<unknown>
  /** Whether reading and writing back keeps every bit. */
  readonly exact: boolean
  /** Fields, nested ones counted. */
  readonly weight: number
}

/** A named field, or an anonymous struct or union whose fields count as its parent's. */
type Part =
  | (PlacedField & { readonly group?: undefined })
  | { readonly group: Group; readonly offset: number }

interface Group {
  readonly union: boolean
  /** In the order of the declaration. */
  readonly parts: readonly Part[]
  /** In the order in which they are to be written. */
  readonly writeOrder: readonly Part[]
}

interface Builder {
  readonly btf: Btf
  readonly built: Map<number, Built>
  /** Ids whose codec is being built, to find structs that contain themselves. */
  readonly open: Set<number>
}

const builders = new WeakMap<Btf, Builder>()

/**
 * The codec of a type: anything that has a size, or a `datasec` (an object with the section's
 * variables). Asking again gives the same codec.
 *
 * @throws ObjectError for a type without size or whose layout contradicts itself.
 */
export function codecFor(btf: Btf, id: number): Codec<unknown> {
  let builder = builders.get(btf)
  if (builder === undefined)
    builders.set(btf, (builder = { btf, built: new Map(), open: new Set() }))
  return build(builder, id).codec
}

function build(builder: Builder, id: number): Built {
  const { btf, built, open } = builder
  const known = built.get(id)
  if (known !== undefined) return known
  if (open.has(id) || open.size > MAX_RESOLVE_DEPTH)
    throw new ObjectError(
      `type ${id} is made of more than ${MAX_RESOLVE_DEPTH} nested types, or of itself`,
    )
  open.add(id)
  try {
    const result = buildType(builder, btf.type(id))
    if (result.weight > FIELDS_MAX)
      throw new ObjectError(`type ${id} has more than ${FIELDS_MAX} fields`)
    built.set(id, result)
    return result
  } finally {
    open.delete(id)
  }
}

function buildType(builder: Builder, type: BtfType): Built {
  switch (type.kind) {
    case "typedef":
    case "const":
    case "volatile":
    case "restrict":
    case "type_tag":
    case "var":
      return build(builder, type.type)
    case "int":
      return scalar(
        type.bool
          ? type.size === 1
            ? bool8
            : boolField(intCodec(builder.btf, type))
          : intCodec(builder.btf, type),
        !type.bool,
      )
    case "ptr":
      return scalar(integer(builder.btf.pointerSize, false, builder.btf.littleEndian), true)
    case "enum":
    case "enum64":
      return scalar(enumCodec(builder.btf, type), true)
    case "float":
      return type.size === 4 || type.size === 8
        ? scalar(float(type.size, builder.btf.littleEndian), false)
        : scalar(bytes(type.size), true)
    case "array":
      return buildArray(builder, type)
    case "struct":
    case "union":
      return buildComposite(builder, type)
    case "datasec":
      return buildSection(builder, type)
    default:
      throw new ObjectError(`${type.kind} '${type.name}' (type ${type.id}) has no size`)
  }
}

function scalar(codec: Codec<number> | Codec<bigint> | Codec<unknown>, exact: boolean): Built {
  return { codec: codec as Codec<unknown>, exact, weight: 1 }
}

function intCodec(btf: Btf, type: BtfInt): Codec<number> | Codec<bigint> {
  if (![1, 2, 4, 8, 16].includes(type.size))
    throw new ObjectError(`int '${type.name}' (type ${type.id}) has ${type.size} bytes`)
  return integer(type.size, type.signed, btf.littleEndian)
}

function enumCodec(
  btf: Btf,
  type: BtfEnum | BtfEnum64,
  bits?: Codec<number> | Codec<bigint>,
): Codec<unknown> {
  if (![1, 2, 4, 8].includes(type.size))
    throw new ObjectError(`enum '${type.name}' (type ${type.id}) has ${type.size} bytes`)
  const values = new Map<string, number | bigint>()
  for (const { name, value } of type.values)
    values.set(name, type.size === 8 ? BigInt(value) : Number(value))
  const codec = bits ?? integer(type.size, type.signed, btf.littleEndian)
  return enumeration(codec, `enum ${type.name === "" ? `(type ${type.id})` : type.name}`, values)
}

/** What an array's elements become: text, bytes, or a JavaScript array. */
export function elementRule(btf: Btf, element: number): "text" | "bytes" | "array" {
  const type = resolveType(btf, element)
  if (type.kind !== "int" || type.size !== 1 || type.bool) return "array"
  if (type.name === "char") return "text"
  return type.signed ? "array" : "bytes"
}

function buildArray(builder: Builder, type: BtfArray): Built {
  const rule = elementRule(builder.btf, type.type)
  sizeOf(builder.btf, type.id)
  if (rule === "text")
    return { codec: chars(type.length) as Codec<unknown>, exact: false, weight: 1 }
  if (rule === "bytes")
    return { codec: bytes(type.length) as Codec<unknown>, exact: true, weight: 1 }
  const { codec, exact, weight } = build(builder, type.type)
  return { codec: array(codec, type.length) as Codec<unknown>, exact, weight }
}

function buildFlexible(builder: Builder, type: BtfArray): Built {
  const rule = elementRule(builder.btf, type.type)
  if (rule === "text") return { codec: flexibleChars as Codec<unknown>, exact: false, weight: 1 }
  if (rule === "bytes") return { codec: flexibleBytes as Codec<unknown>, exact: true, weight: 1 }
  const { codec, exact, weight } = build(builder, type.type)
  return { codec: flexible(codec) as Codec<unknown>, exact, weight }
}

function buildSection(builder: Builder, type: BtfDatasec): Built {
  const { btf } = builder
  const fields: PlacedField[] = []
  let size = type.size
  let weight = 1
  for (const variable of type.variables) {
    const target = btf.type(variable.type)
    if (target.kind !== "var") continue
    const built = build(builder, target.type)
    fields.push({ name: target.name, codec: built.codec, offset: variable.offset })
    size = Math.max(size, variable.offset + built.codec.size)
    weight += built.weight
  }
  return { codec: structAt(fields, size, 8) as Codec<unknown>, exact: false, weight }
}

interface GroupResult {
  readonly group: Group
  readonly exact: boolean
  readonly weight: number
  readonly tail: PlacedField | undefined
}

function buildComposite(builder: Builder, type: BtfStruct | BtfUnion): Built {
  const { btf } = builder
  const { group, exact, weight, tail } = buildGroup(builder, type)
  const { size } = type
  const codec: Codec<Record<string, unknown>> = {
    size,
    align: alignOf(btf, type.id),
    read(view, offset) {
      checkRoom(view, offset, size)
      const value: Record<string, unknown> = {}
      readGroup(group, view, offset, value)
      return value
    },
    write(view, offset, value) {
      if (typeof value !== "object" || value === null) throw typeMisfit(value, "an object")
      checkRoom(view, offset, size)
      zero(view, offset, size)
      writeGroup(group, view, offset, value)
    },
    sizeFor:
      tail === undefined
        ? undefined
        : (value) => Math.max(size, tail.offset + (tail.codec.sizeFor?.(value[tail.name]) ?? 0)),
  }
  return { codec: codec as Codec<unknown>, exact, weight }
}

function buildGroup(builder: Builder, type: BtfStruct | BtfUnion): GroupResult {
  const { btf } = builder
  const parts: { part: Part; exact: boolean; size: number }[] = []
  const flexibleType = flexibleArray(btf, type)
  let weight = 1
  let coveredBits = 0
  let exact = true
  let tail: PlacedField | undefined
  type.members.forEach((member, index) => {
    if (weight > FIELDS_MAX)
      throw new ObjectError(`type ${type.id} has more than ${FIELDS_MAX} fields`)
    const target = resolveType(btf, member.type)
    if (member.name === "" && (target.kind === "struct" || target.kind === "union")) {
      const offset = byteOffset(type, member, target.size)
      const inner = openGroup(builder, target)
      parts.push({ part: { group: inner.group, offset }, exact: inner.exact, size: target.size })
      if (inner.tail !== undefined) tail = { ...inner.tail, offset: inner.tail.offset + offset }
      weight += inner.weight
      exact &&= inner.exact
      coveredBits += 8 * target.size
      return
    }
    if (member.name === "") return
    let built: Built
    let offset: number
    if (flexibleType !== undefined && index === type.members.length - 1) {
      built = buildFlexible(builder, flexibleType)
      offset = byteOffset(type, member, 0)
      tail = { name: member.name, codec: built.codec, offset }
    } else {
      ;({ built, offset } = buildMember(builder, type, member, target))
    }
    const field = { name: member.name, codec: built.codec, offset }
    // A struct member's own flexible array makes its parent flexible (a GNU extension).
    if (built.codec.sizeFor !== undefined && tail === undefined && type.kind === "struct")
      tail = field
    parts.push({ part: field, exact: built.exact, size: built.codec.size })
    weight += built.weight
    exact &&= built.exact
    coveredBits += member.bitSize > 0 ? member.bitSize : 8 * built.codec.size
  })
  const union = type.kind === "union"
  if (union) exact = parts.some((one) => one.exact && one.size === type.size)
  else exact &&= coveredBits === 8 * type.size
  const order = union
    ? [...parts].sort((a, b) => Number(a.exact) - Number(b.exact) || a.size - b.size)
    : parts
  const group = { union, parts: parts.map((p) => p.part), writeOrder: order.map((p) => p.part) }
  return { group, exact, weight, tail }
}

/** {@link buildGroup} of an anonymous member, with the cycle check of {@link build}. */
function openGroup(builder: Builder, type: BtfStruct | BtfUnion): GroupResult {
  const { open } = builder
  if (open.has(type.id) || open.size > MAX_RESOLVE_DEPTH)
    throw new ObjectError(
      `type ${type.id} is made of more than ${MAX_RESOLVE_DEPTH} nested types, or of itself`,
    )
  open.add(type.id)
  try {
    return buildGroup(builder, type)
  } finally {
    open.delete(type.id)
  }
}

function buildMember(
  builder: Builder,
  parent: BtfStruct | BtfUnion,
  member: BtfMember,
  target: BtfType,
): { built: Built; offset: number } {
  const oldStyle =
    member.bitSize === 0 &&
    target.kind === "int" &&
    (target.bits < 8 * target.size || member.bitOffset % 8 !== 0)
  if (member.bitSize === 0 && !oldStyle) {
    const built = build(builder, member.type)
    return { built, offset: byteOffset(parent, member, built.codec.size) }
  }
  const bitSize = oldStyle ? target.bits : member.bitSize
  const bitOffset = member.bitOffset + (oldStyle ? target.bitOffset : 0)
  const built = buildBitField(builder.btf, target, bitSize, bitOffset % 8, member.name)
  if (bitOffset + bitSize > 8 * parent.size)
    throw misplaced(parent, member, `its bits end at ${bitOffset + bitSize}`)
  return { built, offset: Math.floor(bitOffset / 8) }
}

function buildBitField(
  btf: Btf,
  target: BtfType,
  bitSize: number,
  bitOffset: number,
  name: string,
): Built {
  if (target.kind !== "int" && target.kind !== "enum" && target.kind !== "enum64")
    throw new ObjectError(`bit-field '${name}' has type ${target.kind} '${target.name}'`)
  if (bitSize < 1 || bitSize > Math.min(64, 8 * target.size))
    throw new ObjectError(
      `bit-field '${name}' has ${bitSize} bits, its type ${8 * target.size} (and at most 64)`,
    )
  const bits = bitField({
    bitOffset,
    bitSize,
    signed: target.signed,
    wide: target.size > 4,
    littleEndian: btf.littleEndian,
  })
  if (target.kind !== "int") return scalar(enumCodec(btf, target, bits), true)
  return target.bool ? scalar(boolField(bits), bitSize === 1) : scalar(bits, true)
}

/** The byte offset of a member that is no bit-field and takes `size` bytes. */
function byteOffset(parent: BtfStruct | BtfUnion, member: BtfMember, size: number): number {
  if (member.bitOffset % 8 !== 0)
    throw misplaced(parent, member, `it starts at bit ${member.bitOffset}`)
  const offset = member.bitOffset / 8
  if (offset + size > parent.size) throw misplaced(parent, member, `it ends at ${offset + size}`)
  return offset
}

function misplaced(parent: BtfStruct | BtfUnion, member: BtfMember, problem: string): ObjectError {
  const name = parent.name === "" ? `(type ${parent.id})` : `'${parent.name}'`
  return new ObjectError(
    `member '${member.name}' of ${parent.kind} ${name}, ${parent.size} bytes: ${problem}`,
  )
}

function readGroup(
  group: Group,
  view: DataView,
  offset: number,
  value: Record<string, unknown>,
): void {
  for (const part of group.parts) {
    const at = offset + part.offset
    if (part.group !== undefined) readGroup(part.group, view, at, value)
    else setField(value, part.name, part.codec.read(view, at))
  }
}

function writeGroup(
  group: Group,
  view: DataView,
  offset: number,
  value: Record<string, unknown>,
): void {
  for (const part of group.writeOrder) {
    if (part.group !== undefined) {
      if (!group.union || mentions(part.group, value))
        writeGroup(part.group, view, offset + part.offset, value)
    } else if (!group.union || value[part.name] !== undefined) {
      writeField(part, view, offset, value)
    }
  }
}

/** Whether a value gives any field of a group. */
function mentions(group: Group, value: Record<string, unknown>): boolean {
  return group.parts.some((part) =>
    part.group !== undefined ? mentions(part.group, value) : value[part.name] !== undefined,
  )
}
