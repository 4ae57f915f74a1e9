/**
 * How the values of a type look in JavaScript: one description that codecs (codec-for.ts), printed
 * TypeScript types and printed codecs (printers/) are all made from, so that they cannot disagree.
 *
 * The rule: integers up to 32 bits are numbers, larger ones and pointers bigint, `char[n]` strings,
 * `unsigned char[n]` Uint8Array, enums numbers, structs plain objects, unions objects with all
 * views. Members of anonymous structs and unions count as members of the struct around them.
 *
 * Hostile BTF: nesting is limited by MAX_RESOLVE_DEPTH, the fields of one type by FIELDS_MAX, and
 * every field lies inside its struct, so whoever walks a shape does so in bounded time.
 */

import { ObjectError } from "../base/index.ts"
import type { Btf } from "./btf.ts"
import { MAX_RESOLVE_DEPTH } from "./constants.ts"
import { alignOf, flexibleArray, resolveType, sizeOf } from "./layout.ts"
import type {
  BtfArray,
  BtfDatasec,
  BtfEnum,
  BtfEnum64,
  BtfMember,
  BtfStruct,
  BtfType,
  BtfUnion,
} from "./types.ts"

/** Most fields, nested ones counted, that one type may have. */
const FIELDS_MAX = 65_536

interface Common {
  /** Bytes; 0 for bit-fields, which use their struct's, and for flexible arrays. */
  readonly size: number
  /** Whether reading and writing back keeps every bit. */
  readonly exact: boolean
  /** Fields, nested ones counted. */
  readonly weight: number
}

/** An integer or pointer of whole bytes. */
export interface IntShape extends Common {
  readonly kind: "int"
  readonly signed: boolean
}

/** A bit-field. */
export interface BitsShape extends Common {
  readonly kind: "bits"
  /** First bit, 0 to 7, from the field's offset. */
  readonly bitOffset: number
  readonly bitSize: number
  readonly signed: boolean
  /** Whether its type has more than 32 bits, so that values are bigint. */
  readonly wide: boolean
}

export interface BoolShape extends Common {
  readonly kind: "bool"
  readonly of: IntShape | BitsShape
}

export interface EnumShape extends Common {
  readonly kind: "enum"
  readonly of: IntShape | BitsShape
  readonly type: BtfEnum | BtfEnum64
}

export interface FloatShape extends Common {
  readonly kind: "float"
  readonly size: 4 | 8
}

/** `char[]`; `size` bytes, or to the end of the buffer. */
export interface TextShape extends Common {
  readonly kind: "text"
  readonly flexible: boolean
}

/** `unsigned char[]`; `size` bytes, or to the end of the buffer. */
export interface BytesShape extends Common {
  readonly kind: "bytes"
  readonly flexible: boolean
}

export interface ArrayShape extends Common {
  readonly kind: "array"
  readonly of: Shape
  readonly length: number
  readonly flexible: boolean
}

/** A struct, a union, or the variables of a section. */
export interface StructShape extends Common {
  readonly kind: "struct"
  readonly type: BtfStruct | BtfUnion | BtfDatasec
  readonly align: number
  readonly union: boolean
  /** In the order of the declaration. */
  readonly parts: readonly Part[]
  /** In the order in which they are to be written: of a union's views the best one last. */
  readonly writeOrder: readonly Part[]
  /** The member with the flexible array, if there is one. */
  readonly tail: Field | null
}

export type Shape =
  | IntShape
  | BitsShape
  | BoolShape
  | EnumShape
  | FloatShape
  | TextShape
  | BytesShape
  | ArrayShape
  | StructShape

/** A named member. */
export interface Field {
  readonly name: string
  /** Bytes from the start of the struct. */
  readonly offset: number
  readonly shape: Shape
  /** The member's declared type, for names and comments. */
  readonly type: number
}

/** A field, or an anonymous struct or union whose fields count as its parent's. */
export type Part =
  | { readonly field: Field; readonly group: null }
  | { readonly field: null; readonly group: StructShape; readonly offset: number }

interface Builder {
  readonly btf: Btf
  readonly shapes: Map<number, Shape>
  /** Types that are being looked at, to find structs that contain themselves. */
  readonly open: Set<number>
}

const builders = new WeakMap<Btf, Builder>()

/**
 * The shape of a type that has a size, or of a `datasec`. Asking again gives the same object.
 *
 * @throws ObjectError for a type without size or whose layout contradicts itself.
 */
export function shapeOf(btf: Btf, id: number): Shape {
  let builder = builders.get(btf)
  if (builder === undefined)
    builders.set(btf, (builder = { btf, shapes: new Map(), open: new Set() }))
  return build(builder, id)
}

function build(builder: Builder, id: number): Shape {
  const { btf, shapes, open } = builder
  const known = shapes.get(id)
  if (known !== undefined) return known
  if (open.has(id) || open.size > MAX_RESOLVE_DEPTH)
    throw new ObjectError(
      `type ${id} is made of more than ${MAX_RESOLVE_DEPTH} nested types, or of itself`,
    )
  open.add(id)
  try {
    const shape = buildType(builder, btf.type(id))
    checkWeight(id, shape.weight)
    shapes.set(id, shape)
    return shape
  } finally {
    open.delete(id)
  }
}

function checkWeight(id: number, weight: number): void {
  if (weight > FIELDS_MAX) throw new ObjectError(`type ${id} has more than ${FIELDS_MAX} fields`)
}

function buildType(builder: Builder, type: BtfType): Shape {
  switch (type.kind) {
    case "typedef":
    case "const":
    case "volatile":
    case "restrict":
    case "type_tag":
    case "var":
      return build(builder, type.type)
    case "int": {
      if (![1, 2, 4, 8, 16].includes(type.size))
        throw new ObjectError(`int '${type.name}' (type ${type.id}) has ${type.size} bytes`)
      const int = intShape(type.size, type.signed)
      return type.bool ? boolShape(int) : int
    }
    case "ptr":
      return intShape(builder.btf.pointerSize, false)
    case "enum":
    case "enum64":
      if (![1, 2, 4, 8].includes(type.size))
        throw new ObjectError(`enum '${type.name}' (type ${type.id}) has ${type.size} bytes`)
      return enumShape(type, intShape(type.size, type.signed))
    case "float":
      return type.size === 4 || type.size === 8
        ? { kind: "float", size: type.size, exact: false, weight: 1 }
        : { kind: "bytes", size: type.size, exact: true, weight: 1, flexible: false }
    case "array":
      return arrayShape(builder, type, false)
    case "struct":
    case "union":
      return compositeShape(builder, type)
    case "datasec":
      return sectionShape(builder, type)
    default:
      throw new ObjectError(`${type.kind} '${type.name}' (type ${type.id}) has no size`)
  }
}

function intShape(size: number, signed: boolean): IntShape {
  return { kind: "int", size, signed, exact: true, weight: 1 }
}

function boolShape(of: IntShape | BitsShape): BoolShape {
  const exact = of.kind === "bits" && of.bitSize === 1
  return { kind: "bool", size: of.size, exact, weight: 1, of }
}

function enumShape(type: BtfEnum | BtfEnum64, of: IntShape | BitsShape): EnumShape {
  return { kind: "enum", size: of.size, exact: true, weight: 1, of, type }
}

function arrayShape(builder: Builder, type: BtfArray, flexible: boolean): Shape {
  const { btf } = builder
  const size = flexible ? 0 : sizeOf(btf, type.id)
  const element = resolveType(btf, type.type)
  if (element.kind === "int" && element.size === 1 && !element.bool) {
    if (element.name === "char") return { kind: "text", size, exact: false, weight: 1, flexible }
    if (!element.signed) return { kind: "bytes", size, exact: true, weight: 1, flexible }
  }
  const of = build(builder, type.type)
  const { exact, weight } = of
  return { kind: "array", size, exact, weight, of, length: type.length, flexible }
}

function sectionShape(builder: Builder, type: BtfDatasec): StructShape {
  const { btf } = builder
  const parts: Part[] = []
  let { size } = type
  let weight = 1
  for (const { type: id, offset } of type.variables) {
    const variable = btf.type(id)
    if (variable.kind !== "var") continue
    const shape = build(builder, variable.type)
    parts.push({ field: { name: variable.name, offset, shape, type: variable.type }, group: null })
    size = Math.max(size, offset + shape.size)
    checkWeight(type.id, (weight += shape.weight))
  }
  const common = { type, size, align: 8, union: false, exact: false, weight }
  return { kind: "struct", ...common, parts, writeOrder: parts, tail: null }
}

function compositeShape(builder: Builder, type: BtfStruct | BtfUnion): StructShape {
  const { btf } = builder
  const union = type.kind === "union"
  const parts: Part[] = []
  const flexible = flexibleArray(btf, type)
  let weight = 1
  let coveredBits = 0
  let exact = true
  let tail: Field | null = null
  for (const [index, member] of type.members.entries()) {
    const target = resolveType(btf, member.type)
    const isLast = index === type.members.length - 1
    let part: Part
    if (member.name !== "") {
      const field = fieldOf(builder, type, member, isLast ? flexible : undefined)
      if (!union && hasTail(field.shape)) tail = field
      part = { field, group: null }
    } else if (target.kind === "struct" || target.kind === "union") {
      const offset = byteOffset(type, member, target.size)
      const group = groupOf(builder, target)
      if (group.tail !== null) tail = { ...group.tail, offset: group.tail.offset + offset }
      part = { field: null, group, offset }
    } else {
      // An unnamed bit-field is padding.
      continue
    }
    const shape = partShape(part)
    parts.push(part)
    checkWeight(type.id, (weight += shape.weight))
    exact &&= shape.exact
    coveredBits += member.bitSize > 0 ? member.bitSize : 8 * shape.size
  }
  if (union)
    exact = parts.some((part) => partShape(part).exact && partShape(part).size === type.size)
  else exact &&= coveredBits === 8 * type.size
  return {
    kind: "struct",
    type,
    size: type.size,
    align: alignOf(btf, type.id),
    union,
    exact,
    weight,
    parts,
    writeOrder: union ? [...parts].sort(byFidelity) : parts,
    tail,
  }
}

/** The shape of a part, named or not. */
export function partShape(part: Part): Shape {
  return part.group ?? part.field.shape
}

/** Views that lose bits come first, then small ones: what is written last stays. */
function byFidelity(a: Part, b: Part): number {
  const [x, y] = [partShape(a), partShape(b)]
  return Number(x.exact) - Number(y.exact) || x.size - y.size
}

/** Whether a shape ends in a flexible array. */
function hasTail(shape: Shape): boolean {
  if (shape.kind === "struct") return shape.tail !== null
  return (
    (shape.kind === "array" || shape.kind === "text" || shape.kind === "bytes") && shape.flexible
  )
}

function groupOf(builder: Builder, type: BtfStruct | BtfUnion): StructShape {
  const shape = build(builder, type.id)
  if (shape.kind !== "struct") throw new ObjectError(`type ${type.id} is no struct`)
  return shape
}

function fieldOf(
  builder: Builder,
  parent: BtfStruct | BtfUnion,
  member: BtfMember,
  flexible: BtfArray | undefined,
): Field {
  const { name, type } = member
  if (flexible !== undefined) {
    const shape = arrayShape(builder, flexible, true)
    return { name, offset: byteOffset(parent, member, 0), shape, type }
  }
  const target = resolveType(builder.btf, type)
  // Before bit-fields were marked in structs, the integer type itself said which bits it is.
  const oldStyle =
    member.bitSize === 0 &&
    target.kind === "int" &&
    (target.bits < 8 * target.size || member.bitOffset % 8 !== 0)
  if (member.bitSize === 0 && !oldStyle) {
    const shape = build(builder, type)
    return { name, offset: byteOffset(parent, member, shape.size), shape, type }
  }
  const bitSize = oldStyle ? target.bits : member.bitSize
  const bitOffset = member.bitOffset + (oldStyle ? target.bitOffset : 0)
  if (bitOffset + bitSize > 8 * parent.size)
    throw misplaced(parent, member, `its bits end at ${bitOffset + bitSize}`)
  const shape = bitFieldShape(target, bitSize, bitOffset % 8, name)
  return { name, offset: Math.floor(bitOffset / 8), shape, type }
}

function bitFieldShape(target: BtfType, bitSize: number, bitOffset: number, name: string): Shape {
  if (target.kind !== "int" && target.kind !== "enum" && target.kind !== "enum64")
    throw new ObjectError(`bit-field '${name}' has type ${target.kind} '${target.name}'`)
  if (bitSize < 1 || bitSize > Math.min(64, 8 * target.size))
    throw new ObjectError(
      `bit-field '${name}' has ${bitSize} bits, its type ${8 * target.size} (and at most 64)`,
    )
  const { signed } = target
  const wide = target.size > 4
  const common = { size: 0, exact: true, weight: 1 }
  const bits: BitsShape = { kind: "bits", ...common, bitOffset, bitSize, signed, wide }
  if (target.kind !== "int") return enumShape(target, bits)
  return target.bool ? boolShape(bits) : bits
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
