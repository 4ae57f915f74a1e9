/**
 * Codecs from BTF: any type of an object or a kernel, with exactly the layout that BTF records
 * (packed, bit-fields and unions included). What values look like is said in shapes.ts; enums also
 * take names on write, a flexible array takes what the buffer has.
 *
 * Writing a union: give the view you mean. Of several, the views that keep every bit are written
 * last and the largest of these last of all, so a value that was read can be written back.
 */

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
  writeField,
  zero,
} from "./codecs.ts"
import { bool8, boolField, enumeration, float, integer } from "./scalars.ts"
import {
  type ArrayShape,
  type BitsShape,
  type BoolShape,
  type EnumShape,
  type IntShape,
  type Part,
  type Shape,
  type StructShape,
  shapeOf,
} from "./shapes.ts"

/** Codecs made so far; a shape belongs to one BTF and so has one byte order. */
const codecs = new WeakMap<Shape, Codec<unknown>>()

/**
 * The codec of a type: anything that has a size, or a `datasec` (an object with the section's
 * variables). Asking again gives the same codec.
 *
 * @throws ObjectError for a type without size or whose layout contradicts itself.
 */
export function codecFor(btf: Btf, id: number): Codec<unknown> {
  return codecOf(shapeOf(btf, id), btf.littleEndian)
}

function codecOf(shape: Shape, littleEndian: boolean): Codec<unknown> {
  let codec = codecs.get(shape)
  if (codec === undefined) codecs.set(shape, (codec = makeCodec(shape, littleEndian)))
  return codec
}

function makeCodec(shape: Shape, littleEndian: boolean): Codec<unknown> {
  switch (shape.kind) {
    case "int":
    case "bits":
      return integerCodec(shape, littleEndian) as Codec<unknown>
    case "bool":
      return boolCodec(shape, littleEndian) as Codec<unknown>
    case "enum":
      return enumCodec(shape, littleEndian)
    case "float":
      return float(shape.size, littleEndian) as Codec<unknown>
    case "text":
      return (shape.flexible ? flexibleChars : chars(shape.size)) as Codec<unknown>
    case "bytes":
      return (shape.flexible ? flexibleBytes : bytes(shape.size)) as Codec<unknown>
    case "array":
      return arrayCodec(shape, littleEndian) as Codec<unknown>
    case "struct":
      return structCodec(shape, littleEndian) as Codec<unknown>
  }
}

function integerCodec(
  shape: IntShape | BitsShape,
  littleEndian: boolean,
): Codec<number> | Codec<bigint> {
  if (shape.kind === "int") return integer(shape.size, shape.signed, littleEndian)
  const { bitOffset, bitSize, signed, wide } = shape
  return bitField({ bitOffset, bitSize, signed, wide, littleEndian })
}

function boolCodec({ of }: BoolShape, littleEndian: boolean): Codec<boolean> {
  return of.kind === "int" && of.size === 1 ? bool8 : boolField(integerCodec(of, littleEndian))
}

function enumCodec({ of, type }: EnumShape, littleEndian: boolean): Codec<unknown> {
  const values = new Map<string, number | bigint>()
  for (const { name, value } of type.values)
    values.set(name, type.size === 8 ? BigInt(value) : Number(value))
  const typeName = `enum ${type.name === "" ? `(type ${type.id})` : type.name}`
  return enumeration(integerCodec(of, littleEndian), typeName, values)
}

function arrayCodec(shape: ArrayShape, littleEndian: boolean): Codec<unknown[]> {
  const of = codecOf(shape.of, littleEndian)
  return shape.flexible ? flexible(of) : array(of, shape.length)
}

/** A {@link Part} with its codecs. */
type CodedPart =
  | (PlacedField & { readonly group: null })
  | { readonly group: Group; readonly offset: number }

interface Group {
  readonly union: boolean
  readonly readOrder: readonly CodedPart[]
  readonly writeOrder: readonly CodedPart[]
}

function structCodec(shape: StructShape, littleEndian: boolean): Codec<Record<string, unknown>> {
  const group = groupOf(shape, littleEndian)
  const { size, align, tail } = shape
  const codec: Codec<Record<string, unknown>> = {
    size,
    align,
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
  }
  if (tail === null) return codec
  const last = codecOf(tail.shape, littleEndian)
  const sizeFor = (value: Record<string, unknown>) =>
    Math.max(size, tail.offset + (last.sizeFor?.(value[tail.name]) ?? 0))
  return { ...codec, sizeFor }
}

function groupOf(shape: StructShape, littleEndian: boolean): Group {
  const coded = new Map<Part, CodedPart>()
  for (const part of shape.parts)
    coded.set(
      part,
      part.group !== null
        ? { group: groupOf(part.group, littleEndian), offset: part.offset }
        : {
            group: null,
            name: part.field.name,
            offset: part.field.offset,
            codec: codecOf(part.field.shape, littleEndian),
          },
    )
  return {
    union: shape.union,
    readOrder: shape.parts.map((part) => coded.get(part)!),
    writeOrder: shape.writeOrder.map((part) => coded.get(part)!),
  }
}

function readGroup(
  group: Group,
  view: DataView,
  offset: number,
  value: Record<string, unknown>,
): void {
  for (const part of group.readOrder) {
    const at = offset + part.offset
    if (part.group !== null) readGroup(part.group, view, at, value)
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
    if (part.group !== null) {
      if (!group.union || mentions(part.group, value))
        writeGroup(part.group, view, offset + part.offset, value)
    } else if (!group.union || value[part.name] !== undefined) {
      writeField(part, view, offset, value)
    }
  }
}

/** Whether a value gives any field of a group. */
function mentions(group: Group, value: Record<string, unknown>): boolean {
  return group.readOrder.some((part) =>
    part.group !== null ? mentions(part.group, value) : value[part.name] !== undefined,
  )
}
