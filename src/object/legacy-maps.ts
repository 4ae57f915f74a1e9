/**
 * Maps of a `maps` section, which libbpf 1.0 dropped but many objects still have: arrays of
 * `struct bpf_map_def { type, key_size, value_size, max_entries, map_flags }`, perhaps longer, or
 * of iproute2's `struct bpf_elf_map { type, size_key, size_value, max_elem, flags, id, pinning,
 * inner_id, inner_idx }`. All fields are u32.
 *
 * Sources: libbpf 0.8 bpf_object__init_user_maps; iproute2 include/bpf_elf.h, lib/bpf_legacy.c.
 */

import { ByteReader, ObjectError } from "../base/index.ts"
import { type Btf, resolveType } from "../btf/index.ts"
import { BPF_MAP_TYPE } from "../spec/index.ts"
import { type ElfFile, type ElfSection, STT_SECTION } from "./elf.ts"
import type { FunctionTable } from "./functions.ts"
import type { MapDefinition } from "./model.ts"
import { emptyMap, type PlacedMap, type Warnings } from "./reading.ts"

/** Bytes of the fields that every bpf_map_def has: up to `max_entries`. */
const MAP_DEF_SIZE_MIN = 16
const MAP_DEF_SIZE = 20
const ELF_MAP_SIZE = 36
/** Longer ones are other loaders' bpf_map_def, with names or paths inside. */
const ELF_MAP_SIZE_MAX = 64
/** iproute2's pinning: 0 none, 1 below the object's own directory, 2 global. */
const PIN_OBJECT_NS = 1
const PIN_GLOBAL_NS = 2
/** Initial slots of all maps together: inner maps times outer maps of one id. */
const INITIAL_SLOTS_MAX = 65_536

interface ElfMap extends PlacedMap {
  readonly id: number
  readonly innerId: number
  readonly innerIndex: number
}

/**
 * Reads all maps of the `maps` section.
 *
 * @throws ObjectError if the section cannot be divided into maps.
 */
export function readLegacyMaps(
  section: ElfSection,
  options: {
    readonly elf: ElfFile
    readonly btf: Btf | null
    readonly functions: FunctionTable
    readonly warnings: Warnings
  },
): PlacedMap[] {
  const { elf, btf, functions, warnings } = options
  const symbols = elf.symbols
    .filter((s) => s.section === section.index && s.type !== STT_SECTION && s.name !== "")
    .toSorted((a, b) => a.value - b.value)
  const where = { section: section.name }
  if (symbols.length === 0 || section.data.length % symbols.length !== 0)
    throw new ObjectError(
      `${section.data.length} bytes cannot be divided into ${symbols.length} maps`,
      where,
    )
  const size = section.data.length / symbols.length
  if (size < MAP_DEF_SIZE_MIN || size % 4 !== 0)
    throw new ObjectError(
      `a map has ${size} bytes, not a multiple of 4 from ${MAP_DEF_SIZE_MIN}`,
      where,
    )
  const names = new Set<string>()
  symbols.forEach(({ name, value }, index) => {
    if (value !== index * size)
      throw new ObjectError(`map '${name}' is at ${value}, not at ${index * size}`, where)
    if (names.has(name)) throw new ObjectError(`map '${name}' is defined twice`, where)
    names.add(name)
  })
  const reader = new ByteReader(section.data, { littleEndian: elf.littleEndian, section: "maps" })
  if (!isIproute2(size, btf, section.name))
    return symbols.map(({ name, value }) => ({
      definition: readMapDef(reader, name, value, size),
      section: section.index,
      offset: value,
      size,
    }))
  const maps = symbols.map(({ name, value }) => {
    const map = readElfMap(reader, name, value, size, warnings)
    return { ...map, section: section.index, offset: value, size }
  })
  return connect(maps, functions)
}

/** BTF tells the two layouts apart by a field's name; without it, the size does. */
function isIproute2(size: number, btf: Btf | null, section: string): boolean {
  const datasec = btf?.findByName(section, "datasec")
  if (btf && datasec !== undefined) {
    const [first] = btf.typeOf(datasec, "datasec").variables
    const variable = first === undefined ? undefined : btf.type(first.type)
    const struct = variable?.kind === "var" ? resolveType(btf, variable.type) : undefined
    if (struct?.kind === "struct") return struct.members.some((m) => m.name === "size_key")
  }
  return size >= ELF_MAP_SIZE && size <= ELF_MAP_SIZE_MAX
}

function readMapDef(reader: ByteReader, name: string, at: number, size: number): MapDefinition {
  return {
    ...emptyMap(name, "legacy"),
    type: reader.u32(at),
    keySize: reader.u32(at + 4),
    valueSize: reader.u32(at + 8),
    maxEntries: reader.u32(at + 12),
    flags: size >= MAP_DEF_SIZE ? reader.u32(at + 16) : 0,
    ...(size > MAP_DEF_SIZE ? { extra: reader.slice(at + MAP_DEF_SIZE, size - MAP_DEF_SIZE) } : {}),
  }
}

function readElfMap(
  reader: ByteReader,
  name: string,
  at: number,
  size: number,
  warnings: Warnings,
): Pick<ElfMap, "definition" | "id" | "innerId" | "innerIndex"> {
  const pinning = reader.u32(at + 24)
  if (pinning === PIN_OBJECT_NS)
    warnings.add(`map '${name}': pinning per object (1) is taken as pinning by name`)
  else if (pinning > PIN_GLOBAL_NS)
    warnings.add(`map '${name}': pinning ${pinning} of a private directory is ignored`)
  const pinned = pinning === PIN_OBJECT_NS || pinning === PIN_GLOBAL_NS
  return {
    definition: {
      ...emptyMap(name, "legacy"),
      type: reader.u32(at),
      keySize: reader.u32(at + 4),
      valueSize: reader.u32(at + 8),
      maxEntries: reader.u32(at + 12),
      flags: reader.u32(at + 16),
      pinning: pinned ? "by-name" : "none",
      ...(size > ELF_MAP_SIZE
        ? { extra: reader.slice(at + ELF_MAP_SIZE, size - ELF_MAP_SIZE) }
        : {}),
    },
    id: reader.u32(at + 20),
    innerId: reader.u32(at + 28),
    innerIndex: reader.s32(at + 32),
  }
}

/**
 * Resolves ids: an outer map names its inner map's id; a map with an index is put into the outer
 * maps of its id; a section named `id/index` (hexadecimal) holds the program for that slot.
 */
function connect(maps: readonly ElfMap[], functions: FunctionTable): PlacedMap[] {
  const byId = new Map<number, ElfMap[]>()
  for (const map of maps) {
    if (map.id === 0) continue
    const same = byId.get(map.id)
    if (same === undefined) byId.set(map.id, [map])
    else same.push(map)
  }
  const tails = tailPrograms(functions)
  let slotCount = 0
  return maps.map((map): PlacedMap => {
    const { definition, section, offset, size } = map
    const initial: MapDefinition["initial"][number][] = []
    let inner: MapDefinition | null = null
    if (isMapInMap(definition.type)) {
      const inners = byId.get(map.innerId) ?? []
      if (inners.length > 0) inner = { ...inners[0].definition, name: `${definition.name}.inner` }
      for (const one of inners)
        if (one.innerId === 0 && one.innerIndex >= 0 && one !== map)
          initial.push({ index: one.innerIndex, kind: "map", name: one.definition.name })
    } else if (definition.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY && map.id !== 0) {
      for (const { index, program } of tails.get(map.id) ?? [])
        initial.push({ index, kind: "program", name: program })
    }
    slotCount += initial.length
    if (slotCount > INITIAL_SLOTS_MAX)
      throw new ObjectError(`maps have more than ${INITIAL_SLOTS_MAX} initial slots`, {
        section: "maps",
      })
    return { definition: { ...definition, inner, initial }, section, offset, size }
  })
}

function isMapInMap(type: number): boolean {
  return (
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS ||
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS
  )
}

/** iproute2's name of a section whose program goes into a prog array: map id and slot. */
export const TAIL_SECTION: RegExp = /^([0-9a-fA-F]{1,8})\/([0-9a-fA-F]{1,8})$/

interface Tail {
  readonly index: number
  readonly program: string
}

/** Programs of such sections, by map id. */
function tailPrograms(functions: FunctionTable): Map<number, Tail[]> {
  const tails = new Map<number, Tail[]>()
  for (const fn of functions.all) {
    const match = TAIL_SECTION.exec(fn.section.name)
    if (match === null || !fn.exported) continue
    const id = Number.parseInt(match[1], 16)
    const tail = { index: Number.parseInt(match[2], 16), program: fn.name }
    const same = tails.get(id)
    if (same === undefined) tails.set(id, [tail])
    else same.push(tail)
  }
  return tails
}
