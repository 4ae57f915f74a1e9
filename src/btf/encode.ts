/**
 * One type → its record: the inverse of decode.ts. Spec: linux Documentation/bpf/btf.rst §2.2.
 */

import { BTF_INT_BOOL, BTF_INT_CHAR, BTF_INT_SIGNED, BTF_MAX_VLEN } from "./constants.ts"
import { KIND_NAMES } from "./decode.ts"
import type { BtfType } from "./types.ts"

type WithoutId<T> = T extends BtfType ? Omit<T, "id"> : never

/** A type that has no id yet. */
export type BtfTypeInput = WithoutId<Exclude<BtfType, { kind: "void" }>>

const LINKAGES = { static: 0, global: 1, extern: 2 } as const

/**
 * The record as 32-bit words.
 *
 * @param stringOffset gives a text's offset in the string section.
 * @throws RangeError for more elements than BTF_MAX_VLEN, or a bit-field too far into its struct.
 */
export function encodeType(type: BtfTypeInput, stringOffset: (text: string) => number): number[] {
  const kind = KIND_NAMES.indexOf(type.kind)
  const record = (vlen: number, flag: boolean, sizeOrType: number, rest: number[] = []) => {
    if (vlen > BTF_MAX_VLEN)
      throw new RangeError(
        `${type.kind} '${type.name}' has ${vlen} elements, more than ${BTF_MAX_VLEN}`,
      )
    const info = ((flag ? 0x80000000 : 0) | (kind << 24) | vlen) >>> 0
    return [stringOffset(type.name), info, sizeOrType, ...rest]
  }
  switch (type.kind) {
    case "int": {
      const encoding =
        (type.signed ? BTF_INT_SIGNED : 0) |
        (type.char ? BTF_INT_CHAR : 0) |
        (type.bool ? BTF_INT_BOOL : 0)
      return record(0, false, type.size, [(encoding << 24) | (type.bitOffset << 16) | type.bits])
    }
    case "ptr":
    case "typedef":
    case "const":
    case "volatile":
    case "restrict":
      return record(0, false, type.type)
    case "type_tag":
      return record(0, type.attribute, type.type)
    case "array":
      return record(0, false, 0, [type.type, type.indexType, type.length])
    case "struct":
    case "union":
      return record(
        type.members.length,
        hasBitFields(type),
        type.size,
        encodeMembers(type, stringOffset),
      )
    case "enum":
    case "enum64":
      return record(type.values.length, type.signed, type.size, encodeValues(type, stringOffset))
    case "fwd":
      return record(0, type.of === "union", 0)
    case "func":
      return record(LINKAGES[type.linkage], false, type.type)
    case "func_proto": {
      const params = type.params.flatMap((param) => [stringOffset(param.name), param.type])
      if (type.variadic) params.push(0, 0)
      return record(params.length / 2, false, type.returnType, params)
    }
    case "var":
      return record(0, false, type.type, [LINKAGES[type.linkage]])
    case "datasec":
      return record(
        type.variables.length,
        false,
        type.size,
        type.variables.flatMap((variable) => [variable.type, variable.offset, variable.size]),
      )
    case "float":
      return record(0, false, type.size)
    case "decl_tag":
      return record(0, type.attribute, type.type, [type.componentIndex])
  }
}

type Composite = Extract<BtfTypeInput, { kind: "struct" | "union" }>

function hasBitFields(type: Composite): boolean {
  return type.kindFlag || type.members.some((member) => member.bitSize > 0)
}

function encodeMembers(type: Composite, stringOffset: (text: string) => number): number[] {
  const flag = hasBitFields(type)
  const words: number[] = []
  for (const { name, type: id, bitOffset, bitSize } of type.members) {
    if (bitOffset >= (flag ? 1 << 24 : 2 ** 32))
      throw new RangeError(
        `member '${name}' of ${type.kind} '${type.name}' is at bit ${bitOffset}, beyond what BTF can say`,
      )
    words.push(stringOffset(name), id, flag ? ((bitSize << 24) | bitOffset) >>> 0 : bitOffset)
  }
  return words
}

function encodeValues(
  type: Extract<BtfTypeInput, { kind: "enum" | "enum64" }>,
  stringOffset: (text: string) => number,
): number[] {
  if (type.kind === "enum")
    return type.values.flatMap(({ name, value }) => [stringOffset(name), value >>> 0])
  return type.values.flatMap(({ name, value }) => [
    stringOffset(name),
    Number(BigInt.asUintN(32, value)),
    Number(BigInt.asUintN(32, value >> 32n)),
  ])
}
