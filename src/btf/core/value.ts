/**
 * The number that a relocation puts into its instruction, computed from a spec: once from the
 * program's own types (what the compiler has put there) and once from the target's.
 */

import { resolveType, sizeOf } from "../layout.ts"
import type { BtfType } from "../types.ts"
import {
  BPF_CORE_ENUMVAL_EXISTS,
  BPF_CORE_FIELD_BYTE_OFFSET,
  BPF_CORE_FIELD_BYTE_SIZE,
  BPF_CORE_FIELD_EXISTS,
  BPF_CORE_FIELD_LSHIFT_U64,
  BPF_CORE_FIELD_RSHIFT_U64,
  BPF_CORE_FIELD_SIGNED,
  BPF_CORE_TYPE_ID_TARGET,
  BPF_CORE_TYPE_SIZE,
  coreKindName,
  coreSubject,
} from "./kinds.ts"
import { type CoreSpec, isComposite, isEnum, SpecProblem } from "./spec.ts"

/** A relocation's value on one side. */
export interface CoreValue {
  /** 64 bits, unsigned. */
  readonly value: bigint
  /** Whether the compiler must have put exactly this value there. */
  readonly exact: boolean
  /** For FIELD_BYTE_OFFSET: the bytes of the field (of one element of an array); else 0. */
  readonly fieldSize: number
  /** The field's type, if `fieldSize` is not 0. */
  readonly fieldType: BtfType | null
}

/**
 * @returns `"absent"` if the spec is `null` and nothing can stand for it: the instruction must not
 * be reached.
 * @throws SpecProblem for a question that the field cannot answer.
 */
export function coreValue(spec: CoreSpec | null, kind: number): CoreValue | "absent" {
  switch (coreSubject(kind)) {
    case "field":
      if (kind === BPF_CORE_FIELD_EXISTS) return plain(spec === null ? 0 : 1)
      return spec === null ? "absent" : fieldValue(spec)
    case "type":
      return spec === null ? plain(0) : typeValue(spec)
    case "enumerator":
      if (kind === BPF_CORE_ENUMVAL_EXISTS) return plain(spec === null ? 0 : 1)
      return spec === null ? "absent" : enumeratorValue(spec)
    default:
      throw new SpecProblem(`relocation kind ${kind} is unknown`)
  }
}

function plain(value: number | bigint, exact = true): CoreValue {
  return { value: BigInt.asUintN(64, BigInt(value)), exact, fieldSize: 0, fieldType: null }
}

function typeValue(spec: CoreSpec): CoreValue {
  // Ids change when objects are linked, so the one in the instruction may be stale.
  if (spec.kind === BPF_CORE_TYPE_ID_TARGET) return plain(spec.root, false)
  return plain(spec.kind === BPF_CORE_TYPE_SIZE ? sizeOf(spec.btf, spec.root) : 1)
}

function enumeratorValue(spec: CoreSpec): CoreValue {
  const { type: id, index } = spec.accesses[0]
  const type = spec.btf.type(id)
  if (!isEnum(type)) throw new SpecProblem(`type ${id} is no enum`)
  const { value } = type.values[index]
  // 32-bit enumerators are sign-extended, whatever their enum says: compilers before clang 15 did
  // not record signs.
  return plain(typeof value === "bigint" ? value : value | 0)
}

function fieldValue(spec: CoreSpec): CoreValue {
  const { btf, kind, bitOffset } = spec
  const last = spec.accesses[spec.accesses.length - 1]
  if (last.name === null) {
    if (kind === BPF_CORE_FIELD_BYTE_OFFSET)
      return offsetValue(spec, Math.floor(bitOffset / 8), last.type)
    if (kind === BPF_CORE_FIELD_BYTE_SIZE) return plain(sizeOf(btf, last.type))
    throw new SpecProblem(`${coreKindName(kind)} does not apply to an array element`)
  }
  const parent = btf.type(last.type)
  if (!isComposite(parent)) throw new SpecProblem(`type ${last.type} has no members`)
  const member = parent.members[last.index]
  const type = resolveType(btf, member.type)
  const isBitField = member.bitSize > 0
  const size = sizeOf(btf, type.id)
  const unit = isBitField
    ? bitFieldUnit(bitOffset, member.bitSize, size)
    : { offset: Math.floor(bitOffset / 8), size }
  const bits = isBitField ? member.bitSize : 8 * size
  switch (kind) {
    case BPF_CORE_FIELD_BYTE_OFFSET:
      return isBitField ? plain(unit.offset, false) : offsetValue(spec, unit.offset, type.id)
    case BPF_CORE_FIELD_BYTE_SIZE:
      return plain(unit.size, !isBitField)
    case BPF_CORE_FIELD_SIGNED:
      return plain((type.kind === "int" || isEnum(type)) && type.signed ? 1 : 0)
    case BPF_CORE_FIELD_LSHIFT_U64: {
      const before = bitOffset - 8 * unit.offset
      const shift = btf.littleEndian ? 64 - before - bits : 8 * (8 - unit.size) + before
      return plain(shift, !isBitField)
    }
    case BPF_CORE_FIELD_RSHIFT_U64:
      return plain(64 - bits)
    default:
      throw new SpecProblem(`relocation kind ${kind} is unknown`)
  }
}

/** The smallest aligned load of 1 to 8 bytes that holds a bit-field, not below its type's size. */
function bitFieldUnit(
  bitOffset: number,
  bitSize: number,
  typeSize: number,
): { offset: number; size: number } {
  for (let size = Math.max(1, typeSize); size <= 8; size *= 2) {
    const offset = Math.floor(bitOffset / 8 / size) * size
    if (bitOffset + bitSize - 8 * offset <= 8 * size) return { offset, size }
  }
  throw new SpecProblem("the bit-field cannot be read with one load of up to 8 bytes")
}

/** An offset, together with what a load or store there reads: one element, if it is an array. */
function offsetValue(spec: CoreSpec, offset: number, type: number): CoreValue {
  const { btf } = spec
  const fieldType = btf.type(type)
  let element = resolveType(btf, type)
  while (element.kind === "array") element = resolveType(btf, element.type)
  const fieldSize = sizeOf(btf, element.id)
  return { value: BigInt(offset), exact: true, fieldSize, fieldType }
}
