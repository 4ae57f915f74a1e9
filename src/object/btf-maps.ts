/**
 * Maps declared by BTF: `struct { __uint(type, …); __type(key, …); … } name SEC(".maps")`. The
 * struct's members carry everything in their types: `__uint(x, n)` is a pointer to an array of n
 * elements, `__ulong(x, n)` an enum with one value, `__type(x, T)` a pointer to T, `__array(x, T)`
 * a flexible array of T. Initial slots (`.values = { [3] = &inner }`) are relocations.
 *
 * Source: libbpf src/libbpf.c parse_btf_map_def, bpf_object__collect_map_relos (the format is what
 * bpf_helpers.h's macros produce).
 */

import { ObjectError } from "../base/index.ts"
import {
  type Btf,
  type BtfMember,
  type BtfStruct,
  type BtfUnion,
  resolveType,
  sizeOf,
} from "../btf/index.ts"
import { BPF_MAP_TYPE } from "../spec/index.ts"
import type { ElfFile, ElfSection } from "./elf.ts"
import type { FunctionTable } from "./functions.ts"
import type { MapDefinition } from "./model.ts"
import { emptyMap, type PlacedMap, type Warnings } from "./reading.ts"

/** A map as its members are read one after the other. */
type Draft = { -readonly [Field in keyof MapDefinition]: MapDefinition[Field] } & {
  hasKeySize: boolean
  hasValueSize: boolean
  /** Byte offset of the `values` member, or -1. */
  valuesOffset: number
}

interface Context {
  readonly btf: Btf
  readonly strict: boolean
  readonly warnings: Warnings
  /** Members read so far, of all maps: many maps may share one large struct. */
  readonly count: { members: number }
}

/** Members of all map definitions together. */
const MEMBERS_MAX = 1_000_000
const LIBBPF_PIN_BY_NAME = 1

/**
 * Reads all maps of the `.maps` section.
 *
 * @throws ObjectError for a definition that contradicts itself, with the map's name.
 */
export function readBtfMaps(
  section: ElfSection,
  options: {
    readonly elf: ElfFile
    readonly btf: Btf | null
    readonly functions: FunctionTable
    readonly strict: boolean
    readonly warnings: Warnings
  },
): PlacedMap[] {
  const { btf, elf, functions, strict, warnings } = options
  const where = { section: section.name }
  if (btf === null)
    throw new ObjectError("the object has no BTF to describe its maps: compile with -g", where)
  const datasec = btf.findByName(section.name, "datasec")
  if (datasec === undefined)
    throw new ObjectError("BTF does not describe this section: compile with -g", where)
  const drafts: { draft: Draft; offset: number; size: number }[] = []
  const names = new Set<string>()
  const context: Context = { btf, strict, warnings, count: { members: 0 } }
  for (const { type, offset, size } of btf.typeOf(datasec, "datasec").variables) {
    const variable = btf.typeOf(type, "var")
    const { name } = variable
    if (names.has(name)) throw new ObjectError(`map '${name}' is defined twice`, where)
    names.add(name)
    if (strict && variable.linkage !== "global")
      throw new ObjectError(`map '${name}' is ${variable.linkage}: strict mode wants it global`, {
        section: section.name,
        offset,
      })
    drafts.push({ draft: readDraft(context, name, variable.type), offset, size })
  }
  const initial = readInitialSlots(section, elf, functions, drafts)
  return drafts.map(({ draft, offset, size }, index) => ({
    definition: finish(draft, initial[index]),
    section: section.index,
    offset,
    size,
  }))
}

function fail(map: string, problem: string): never {
  throw new ObjectError(`map '${map}': ${problem}`, { section: ".maps" })
}

function readDraft(context: Context, name: string, type: number): Draft {
  const { btf } = context
  const struct = resolveType(btf, type)
  if (struct.kind !== "struct") fail(name, `is ${struct.kind}, not a struct`)
  const draft = newDraft(name)
  readMembers(context, draft, struct, false)
  return draft
}

function newDraft(name: string): Draft {
  return { ...emptyMap(name, "btf"), hasKeySize: false, hasValueSize: false, valuesOffset: -1 }
}

function readMembers(
  context: Context,
  draft: Draft,
  struct: BtfStruct | BtfUnion,
  isInner: boolean,
): void {
  context.count.members += struct.members.length
  if (context.count.members > MEMBERS_MAX)
    fail(draft.name, `all definitions have more than ${MEMBERS_MAX} members`)
  struct.members.forEach((member, index) => {
    if (draft.valuesOffset >= 0 && index > 0)
      fail(draft.name, `member '${member.name}' stands after 'values', which must be the last one`)
    readMember(context, draft, member, isInner)
  })
}

function readMember(context: Context, draft: Draft, member: BtfMember, isInner: boolean): void {
  const number = (): number => Number(memberNumber(context.btf, draft.name, member, 32))
  switch (member.name) {
    case "type":
      draft.type = number()
      break
    case "max_entries":
      draft.maxEntries = number()
      break
    case "map_flags":
      draft.flags = number()
      break
    case "numa_node":
      draft.numaNode = number()
      break
    case "map_extra":
      draft.mapExtra = memberNumber(context.btf, draft.name, member, 64)
      break
    case "key_size":
      setKeySize(draft, number())
      break
    case "value_size":
      setValueSize(draft, number())
      break
    case "key":
      draft.keyTypeId = pointee(context.btf, draft.name, member)
      setKeySize(draft, typeSize(context.btf, draft.name, member, draft.keyTypeId))
      break
    case "value":
      draft.valueTypeId = pointee(context.btf, draft.name, member)
      setValueSize(draft, typeSize(context.btf, draft.name, member, draft.valueTypeId))
      break
    case "values":
      readValues(context, draft, member, isInner)
      break
    case "pinning": {
      if (isInner) fail(draft.name, "an inner map cannot be pinned")
      const pinning = number()
      if (pinning > LIBBPF_PIN_BY_NAME)
        fail(draft.name, `pinning ${pinning} is not 0 (none) or 1 (by name)`)
      draft.pinning = pinning === LIBBPF_PIN_BY_NAME ? "by-name" : "none"
      break
    }
    default:
      if (context.strict) fail(draft.name, `member '${member.name}' is unknown`)
      context.warnings.add(`map '${draft.name}': member '${member.name}' is unknown and ignored`)
  }
}

/** `__uint` and `__ulong`: unsigned, of 32 or 64 bits. */
function memberNumber(btf: Btf, map: string, member: BtfMember, bits: 32 | 64): bigint {
  const type = resolveType(btf, member.type)
  if (type.kind === "ptr") {
    const array = resolveType(btf, type.type)
    if (array.kind === "array") return BigInt(array.length)
  }
  if ((type.kind === "enum" || type.kind === "enum64") && type.values.length === 1)
    return BigInt.asUintN(bits, BigInt(type.values[0].value))
  return fail(map, `member '${member.name}' is ${type.kind}, not a number by __uint or __ulong`)
}

function pointee(btf: Btf, map: string, member: BtfMember): number {
  const type = resolveType(btf, member.type)
  if (type.kind !== "ptr") fail(map, `member '${member.name}' is ${type.kind}, not by __type`)
  return type.type
}

function typeSize(btf: Btf, map: string, member: BtfMember, type: number): number {
  try {
    return sizeOf(btf, type)
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw new ObjectError(`map '${map}': member '${member.name}': ${problem}`, {
      section: ".maps",
      cause,
    })
  }
}

function setKeySize(draft: Draft, size: number): void {
  if (draft.hasKeySize && draft.keySize !== size)
    fail(draft.name, `key has ${draft.keySize} bytes and also ${size}`)
  draft.keySize = size
  draft.hasKeySize = true
}

function setValueSize(draft: Draft, size: number): void {
  if (draft.hasValueSize && draft.valueSize !== size)
    fail(draft.name, `value has ${draft.valueSize} bytes and also ${size}`)
  draft.valueSize = size
  draft.hasValueSize = true
}

/** `__array(values, …)`: pointers to the inner map's definition, or to functions. */
function readValues(context: Context, draft: Draft, member: BtfMember, isInner: boolean): void {
  const { btf } = context
  const { name } = draft
  const mapInMap = isMapInMap(draft.type)
  const progArray = draft.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY
  if (!mapInMap && !progArray)
    fail(name, `has 'values' but type ${draft.type} is neither prog array nor map of maps`)
  if (isInner) fail(name, "maps in maps in maps do not exist")
  setValueSize(draft, 4)
  if (member.bitOffset % 64 !== 0) fail(name, "'values' is not on a multiple of 8 bytes")
  draft.valuesOffset = member.bitOffset / 8
  const array = resolveType(btf, member.type)
  if (array.kind !== "array") fail(name, `'values' is ${array.kind}, not by __array`)
  const pointer = resolveType(btf, array.type)
  if (pointer.kind !== "ptr") fail(name, `elements of 'values' are ${pointer.kind}, not pointers`)
  const target = resolveType(btf, pointer.type)
  if (progArray) {
    if (target.kind !== "func_proto")
      fail(name, `elements of 'values' point to ${target.kind}, not to functions`)
    return
  }
  if (target.kind !== "struct")
    fail(name, `elements of 'values' point to ${target.kind}, not to a map definition`)
  const inner = newDraft(`${name}.inner`)
  readMembers(context, inner, target, true)
  draft.inner = finish(inner, [])
}

function isMapInMap(type: number): boolean {
  return (
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS ||
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS
  )
}

/** The finished map: sizes that the type dictates are filled in, or kept out. */
function finish(draft: Draft, initial: MapDefinition["initial"]): MapDefinition {
  const { hasKeySize, hasValueSize, valuesOffset, ...map } = draft
  if (map.type === 0) fail(map.name, "has no type")
  switch (map.type) {
    case BPF_MAP_TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY:
      // A value type says what the records are; the elements are file descriptors all the same.
      return { ...map, initial, keySize: map.keySize || 4, valueSize: 4 }
    case BPF_MAP_TYPE.BPF_MAP_TYPE_RINGBUF:
    case BPF_MAP_TYPE.BPF_MAP_TYPE_USER_RINGBUF:
      return { ...map, initial, keySize: 0, valueSize: 0 }
    case BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY:
    case BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS:
      return { ...map, initial, keySize: map.keySize || 4, valueSize: map.valueSize || 4 }
    default:
      return { ...map, initial }
  }
}

/** For each map, the slots that relocations of the `.maps` section fill. */
function readInitialSlots(
  section: ElfSection,
  elf: ElfFile,
  functions: FunctionTable,
  maps: readonly { draft: Draft; offset: number; size: number }[],
): MapDefinition["initial"][] {
  const slots = maps.map((): MapDefinition["initial"][number][] => [])
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength)
  const starts = new Map(maps.map(({ draft, offset }) => [offset, draft.name]))
  for (const { offset, symbol } of elf.relocations.get(section.index) ?? []) {
    const where = { section: section.name, offset }
    const index = findMap(maps, offset)
    const owner = maps[index]
    if (owner === undefined) throw new ObjectError("relocation outside of any map", where)
    const { draft } = owner
    const at = offset - owner.offset - draft.valuesOffset
    if (draft.valuesOffset < 0 || at < 0 || at % 8 !== 0 || offset + 8 > section.data.length)
      throw new ObjectError(`map '${draft.name}': relocation outside of 'values'`, where)
    const target = symbol.value + Number(view.getBigInt64(offset, elf.littleEndian))
    if (isMapInMap(draft.type)) {
      const name = symbol.section === section.index ? starts.get(target) : undefined
      if (name === undefined)
        throw new ObjectError(`map '${draft.name}': slot ${at / 8} is no map of this file`, where)
      slots[index].push({ index: at / 8, kind: "map", name })
    } else {
      const fn = functions.at(symbol.section, target / 8)
      if (fn === undefined)
        throw new ObjectError(`map '${draft.name}': slot ${at / 8} is no function`, where)
      slots[index].push({ index: at / 8, kind: "program", name: fn.name })
    }
  }
  return slots
}

/** Index of the map whose bytes include `offset`, by halving: maps are in order of offsets. */
function findMap(maps: readonly { offset: number; size: number }[], offset: number): number {
  let low = 0
  let high = maps.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (maps[middle].offset <= offset) low = middle
    else high = middle - 1
  }
  const map = maps[low]
  return map !== undefined && offset >= map.offset && offset < map.offset + map.size ? low : -1
}
