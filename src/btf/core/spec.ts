/**
 * What a relocation is about, spelled out: the access string `0:1:2:3` says which member of which
 * member a field is, by index; a spec keeps the steps that mean something on another kernel, i.e.
 * named fields and array indexes, and leaves out anonymous structs on the way.
 * Spec: linux v6.18 include/uapi/linux/bpf.h struct bpf_core_relo.
 */

import type { Btf } from "../btf.ts"
import type { CoreRelocation } from "../ext.ts"
import { resolveType, sizeOf } from "../layout.ts"
import type { BtfArray, BtfType } from "../types.ts"
import { coreKindWord, coreSubject } from "./kinds.ts"

/** Most numbers in an access string (libbpf BPF_CORE_SPEC_MAX_LEN). */
export const CORE_SPEC_MAX_LEN = 64

/** One step: into a named member, to an array element, or (enumerators) to a value. */
export interface CoreAccess {
  /** The struct that has the member, the element's type, or the enum; modifiers skipped. */
  readonly type: number
  /** Member, element or enumerator. */
  readonly index: number
  /** `null` for an array element. */
  readonly name: string | null
}

/** A field, type or enumerator of one BTF. */
export interface CoreSpec {
  readonly btf: Btf
  /** The type that the access starts from, with its modifiers. */
  readonly root: number
  readonly kind: number
  /** Empty for type-based relocations. */
  readonly accesses: CoreAccess[]
  /** Every index on the way, anonymous members included. */
  readonly raw: number[]
  /** Bits from the start of the root to the field. */
  bitOffset: number
}

/** A local spec that cannot be read; the message says why. */
export class SpecProblem extends Error {}

/** Whether two types may be candidates for each other: the same kind, or two enums. */
export function sameKind(a: BtfType, b: BtfType): boolean {
  return a.kind === b.kind || (isEnum(a) && isEnum(b))
}

/** An enum of either width. */
export function isEnum(type: BtfType): type is Extract<BtfType, { kind: "enum" | "enum64" }> {
  return type.kind === "enum" || type.kind === "enum64"
}

/** A struct or union. */
export function isComposite(type: BtfType): type is Extract<BtfType, { kind: "struct" | "union" }> {
  return type.kind === "struct" || type.kind === "union"
}

/** Whether an array may be indexed beyond its length: it is the last member of its struct. */
export function isFlexible(btf: Btf, via: CoreAccess | undefined, array: BtfArray): boolean {
  if (via === undefined || via.name === null || array.length > 0) return false
  const parent = btf.type(via.type)
  return isComposite(parent) && via.index === parent.members.length - 1
}

/**
 * Reads a relocation against the program's own types.
 *
 * @throws SpecProblem for an access string that does not fit the type.
 */
export function parseSpec(btf: Btf, relocation: CoreRelocation): CoreSpec {
  const { type: root, kind, access } = relocation
  const subject = coreSubject(kind)
  if (subject === undefined) throw new SpecProblem(`relocation kind ${kind} is unknown`)
  if (root >= btf.typeCount)
    throw new SpecProblem(`type id ${root} is not below the number of types, ${btf.typeCount}`)
  const spec: CoreSpec = { btf, root, kind, accesses: [], raw: [], bitOffset: 0 }
  if (subject === "type") {
    if (access !== "0") throw new SpecProblem(`access string of a type is '${access}', not '0'`)
    return spec
  }
  if (!/^\d+(:\d+)*$/.test(access))
    throw new SpecProblem(`access string '${access}' is not numbers separated by colons`)
  const indexes = access.split(":").map(Number)
  if (indexes.length > CORE_SPEC_MAX_LEN)
    throw new SpecProblem(`access string has ${indexes.length} numbers, more than 64`)
  spec.raw.push(...indexes)
  const id = btf.skipModifiers(root)
  if (subject === "enumerator") {
    const type = btf.type(id)
    const name = isEnum(type) && indexes.length === 1 ? type.values[indexes[0]]?.name : undefined
    if (name === undefined) throw new SpecProblem(`'${access}' is no enumerator of type ${root}`)
    spec.accesses.push({ type: id, index: indexes[0], name })
    return spec
  }
  spec.accesses.push({ type: id, index: indexes[0], name: null })
  spec.bitOffset = 8 * indexes[0] * sizeOf(btf, id)
  walk(spec, id, indexes.slice(1))
  return spec
}

/** Follows member and element indexes from a type. */
function walk(spec: CoreSpec, start: number, indexes: readonly number[]): void {
  const { btf, accesses } = spec
  let id = start
  for (const index of indexes) {
    const type = resolveType(btf, id)
    if (isComposite(type)) {
      const member = type.members[index]
      if (member === undefined)
        throw new SpecProblem(`${type.kind} '${type.name}' has no member ${index}`)
      spec.bitOffset += member.bitOffset
      if (member.name !== "") accesses.push({ type: type.id, index, name: member.name })
      id = member.type
    } else if (type.kind === "array") {
      if (index >= type.length && !isFlexible(btf, accesses.at(-1), type))
        throw new SpecProblem(`index ${index} is beyond an array of ${type.length}`)
      id = btf.skipModifiers(type.type)
      accesses.push({ type: id, index, name: null })
      spec.bitOffset += 8 * index * sizeOf(btf, id)
    } else {
      throw new SpecProblem(`index ${index} leads into ${type.kind} '${type.name}'`)
    }
  }
}

/** As C would write it: `task_struct.thread.fsbase`, `color::RED`. */
export function specName(spec: CoreSpec): string {
  const root = spec.btf.type(spec.root).name || "(anonymous)"
  return root + steps(spec)
}

function steps(spec: CoreSpec): string {
  if (coreSubject(spec.kind) === "enumerator") return `::${spec.accesses[0]?.name ?? "?"}`
  return spec.accesses
    .map(({ name, index }, i) => {
      if (name !== null) return `.${name}`
      return i > 0 || index > 0 ? `[${index}]` : ""
    })
    .join("")
}

/**
 * As libbpf's log has it:
 * `<byte_off> [7] struct task_struct.pid (0:3 @ offset 1200)`, `<enumval_value> [2] enum e::A = 1`.
 */
export function formatSpec(spec: CoreSpec): string {
  const type = spec.btf.type(spec.root)
  const head = `<${coreKindWord(spec.kind)}> [${spec.root}] ${type.kind} ${type.name || "<anon>"}`
  const subject = coreSubject(spec.kind)
  if (subject === "type") return head
  if (subject === "enumerator") {
    const target = resolveType(spec.btf, spec.root)
    const value = isEnum(target) ? target.values[spec.raw[0]]?.value : undefined
    return `${head}${steps(spec)} = ${value ?? "?"}`
  }
  const bytes = Math.floor(spec.bitOffset / 8)
  const bits = spec.bitOffset % 8
  const place = bits === 0 ? `${bytes}` : `${bytes}.${bits}`
  return `${head}${steps(spec)} (${spec.raw.join(":")} @ offset ${place})`
}
