/**
 * Sizes and alignments of types in memory, by the rules of the C compilers that write BTF. BTF
 * records sizes of structs and offsets of members, but not alignments: those follow from the
 * members, and a struct whose members do not lie on their alignment is packed.
 *
 * BTF may be hostile: chains are followed at most MAX_RESOLVE_DEPTH types deep, and alignments are
 * remembered, so every question is answered in time linear in the types it touches.
 */

import { ObjectError } from "../base/index.ts"
import { MAX_RESOLVE_DEPTH } from "./constants.ts"
import type { BtfArray, BtfMember, BtfStruct, BtfType, BtfUnion, TypeSource } from "./types.ts"

/** Largest object whose size is computed: what an offset in BTF can address, in bytes. */
const SIZE_MAX = 0xffffffff

/** Whether a type only renames or qualifies another one. */
export function isModifier(
  type: BtfType,
): type is Extract<BtfType, { kind: "typedef" | "const" | "volatile" | "restrict" | "type_tag" }> {
  switch (type.kind) {
    case "typedef":
    case "const":
    case "volatile":
    case "restrict":
    case "type_tag":
      return true
    default:
      return false
  }
}

/**
 * Follows typedefs, qualifiers and type tags to the type that they stand for.
 *
 * @returns the first id that is none of these.
 * @throws ObjectError for a chain longer than MAX_RESOLVE_DEPTH (which includes cycles).
 */
export function skipModifiers(source: TypeSource, id: number): number {
  let at = id
  for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
    const type = source.type(at)
    if (!isModifier(type)) return at
    at = type.type
  }
  throw tooDeep(source, id)
}

/** The type behind typedefs, qualifiers and type tags. */
export function resolveType(source: TypeSource, id: number): BtfType {
  return source.type(skipModifiers(source, id))
}

/**
 * `sizeof` of a type in bytes; variables are as large as their type.
 *
 * @throws ObjectError for a type without size (void, a function, a forward declaration), a cycle,
 * or an array larger than 4 GiB.
 */
export function sizeOf(source: TypeSource, id: number): number {
  let count = 1
  let at = id
  for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
    const type = source.type(at)
    let size: number
    switch (type.kind) {
      case "int":
      case "float":
      case "enum":
      case "enum64":
      case "struct":
      case "union":
      case "datasec":
        size = type.size
        break
      case "ptr":
        size = source.pointerSize
        break
      case "array":
        count *= type.length
        at = type.type
        if (count > SIZE_MAX)
          throw new ObjectError(`array type ${id} has more than ${SIZE_MAX} elements`)
        continue
      case "typedef":
      case "const":
      case "volatile":
      case "restrict":
      case "type_tag":
      case "var":
        at = type.type
        continue
      default:
        throw new ObjectError(`${describe(type)} has no size`)
    }
    if (count * size > SIZE_MAX)
      throw new ObjectError(`array type ${id} has ${count * size} bytes, more than ${SIZE_MAX}`)
    return count * size
  }
  throw tooDeep(source, id)
}

/** Alignments found so far; 0 while a struct is being looked at. */
const alignments = new WeakMap<TypeSource, Map<number, number>>()

/**
 * `alignof` of a type in bytes, deduced from its members where it is a struct or union; 1 if it
 * must be packed. An `__attribute__((aligned))` leaves no trace in BTF and is not seen.
 *
 * @throws ObjectError as {@link sizeOf}, or for a struct that contains itself.
 */
export function alignOf(source: TypeSource, id: number): number {
  let memory = alignments.get(source)
  if (memory === undefined) alignments.set(source, (memory = new Map()))
  return align(source, id, memory, 0)
}

function align(source: TypeSource, id: number, memory: Map<number, number>, depth: number): number {
  const type = source.type(elementType(source, id))
  switch (type.kind) {
    case "int":
    case "float":
    case "enum":
    case "enum64":
      return scalarAlign(type.size)
    case "ptr":
      return source.pointerSize
    case "struct":
    case "union": {
      const known = memory.get(type.id)
      if (known === 0 || depth > MAX_RESOLVE_DEPTH) throw tooDeep(source, type.id)
      if (known !== undefined) return known
      memory.set(type.id, 0)
      try {
        const result = compositeAlign(source, type, (member) =>
          align(source, member.type, memory, depth + 1),
        )
        memory.set(type.id, result)
        return result
      } finally {
        if (memory.get(type.id) === 0) memory.delete(type.id)
      }
    }
    default:
      throw new ObjectError(`${describe(type)} has no alignment`)
  }
}

/** 12-byte floats and the like are aligned as their largest power of two. */
function scalarAlign(size: number): number {
  return Math.min(16, Math.max(1, size & -size))
}

/** Follows modifiers, arrays and variables to the type of one element. */
function elementType(source: TypeSource, id: number): number {
  let at = id
  for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
    const type = source.type(at)
    if (type.kind !== "array" && type.kind !== "var" && !isModifier(type)) return at
    at = type.type
  }
  throw tooDeep(source, id)
}

function compositeAlign(
  source: TypeSource,
  type: BtfStruct | BtfUnion,
  alignMember: (member: BtfMember) => number,
): number {
  let largest = 1
  for (const member of type.members) {
    // A bit-field aligns its struct as its type does, wherever its bits lie.
    const one = alignMember(member)
    if (member.bitSize === 0 && member.bitOffset % (8 * one) !== 0) return 1
    // An unnamed zero-width or padding bit-field is not in BTF, so every member here counts.
    if (member.bitSize > 0 && crossesUnit(source, member, one)) return 1
    if (one > largest) largest = one
  }
  return type.size % largest === 0 ? largest : 1
}

/** Whether a bit-field straddles two aligned units of its type, as only packed structs have it. */
function crossesUnit(source: TypeSource, member: BtfMember, alignment: number): boolean {
  const unit = 8 * Math.max(alignment, sizeOf(source, member.type))
  const first = Math.floor(member.bitOffset / unit)
  return Math.floor((member.bitOffset + member.bitSize - 1) / unit) !== first
}

/** The array type of a struct's last member, if that is a flexible array (`T name[]`). */
export function flexibleArray(
  source: TypeSource,
  type: BtfStruct | BtfUnion,
): BtfArray | undefined {
  const last = type.members.at(-1)
  if (last === undefined || type.kind === "union") return undefined
  const array = resolveType(source, last.type)
  return array.kind === "array" && array.length === 0 ? array : undefined
}

function describe(type: BtfType): string {
  return type.name === "" ? `${type.kind} (type ${type.id})` : `${type.kind} '${type.name}'`
}

function tooDeep(source: TypeSource, id: number): ObjectError {
  const type = source.type(id)
  return new ObjectError(
    `${describe(type)} is made of more than ${MAX_RESOLVE_DEPTH} nested types, or of itself`,
  )
}
