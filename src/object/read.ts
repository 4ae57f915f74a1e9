/**
 * From the bytes of an object file to a {@link BpfObject}, in named steps: classify sections, find
 * functions, complete the types, read maps, data and externs, link programs. Each step is a file
 * of this folder; this one is the order between them.
 */

import { ByteReader, cString, ObjectError } from "../base/index.ts"
import { type Btf, type BtfExt, readBtfExt } from "../btf/index.ts"
import { readObjectBtf } from "./btf-fixup.ts"
import { readBtfMaps } from "./btf-maps.ts"
import { dataMap, objectNameOf, readGlobals } from "./data.ts"
import { type ElfFile, readElf } from "./elf.ts"
import { type Externs, readExterns } from "./externs.ts"
import { collectFunctions, type FunctionTable } from "./functions.ts"
import { readLegacyMaps } from "./legacy-maps.ts"
import { Linker } from "./link.ts"
import type { BpfObject, GlobalVariable, MapDefinition } from "./model.ts"
import { readPrograms } from "./programs.ts"
import { type PlacedMap, type ReadObjectOptions, Warnings } from "./reading.ts"
import { type Places, ReferenceReader } from "./references.ts"
import { classifySections, type ObjectSections } from "./sections.ts"

/**
 * Reads an eBPF object file, of either byte order and of any compiler.
 *
 * With `strict`, what libbpf 1.x refuses is refused: `maps` sections, unknown members of map
 * definitions, static maps, static functions in named sections, section names with a meaningless
 * `/…` (they get no type), and calls of functions that are not in the file.
 *
 * @throws ObjectError naming the section and the byte at fault.
 */
export function readObject(bytes: Uint8Array, options: ReadObjectOptions = {}): BpfObject {
  const { name = "object", strict = false } = options
  const warnings = new Warnings()
  const elf = readElf(bytes)
  const sections = classifySections(elf)
  for (const section of sections.unsupported)
    warnings.add(`section '${section.name}' is not supported and ignored`)
  const functions = collectFunctions(elf, sections.programs)
  const { btf, ext } = readTypes(sections, elf)
  const maps = readMaps(sections, { elf, btf, functions, strict, warnings })
  const data = readData(sections, elf, btf, name)
  const externs = readExterns(elf, btf, objectNameOf(name))
  const references = new ReferenceReader(elf, placesOf(maps, data, externs, functions))
  const linker = new Linker(references, ext, elf.littleEndian)
  const programs = readPrograms(functions, linker, { btf, strict, warnings })
  return {
    name,
    littleEndian: elf.littleEndian,
    license: sections.license === null ? "" : cString(sections.license.data),
    kernelVersion: readVersion(sections, elf),
    btf,
    programs,
    maps: [
      ...maps.map((map) => map.definition),
      ...data.map((one) => one.map),
      ...(externs.map === null ? [] : [externs.map]),
    ],
    globals: data.flatMap((one) => one.globals),
    externs: externs.externs,
    warnings: warnings.list,
  }
}

function readVersion({ version }: ObjectSections, elf: ElfFile): number {
  if (version === null) return 0
  const { littleEndian } = elf
  return new ByteReader(version.data, { littleEndian, section: "version" }).u32(0)
}

function readTypes(
  sections: ObjectSections,
  elf: ElfFile,
): { btf: Btf | null; ext: BtfExt | null } {
  if (sections.btf === null) return { btf: null, ext: null }
  const btf = readObjectBtf(sections.btf, elf)
  const ext = sections.btfExt === null ? null : readBtfExt(sections.btfExt.data, btf)
  for (const [kind, table] of [
    ["function", ext?.functions],
    ["relocation", ext?.relocations],
  ] as const)
    for (const [section, records] of table ?? [])
      for (const { offset, type } of records)
        if (type >= btf.typeCount)
          throw new ObjectError(
            `${kind} at ${offset} has type ${type}, not below ${btf.typeCount}`,
            {
              section,
              offset,
            },
          )
  return { btf, ext }
}

function readMaps(
  sections: ObjectSections,
  options: {
    readonly elf: ElfFile
    readonly btf: Btf | null
    readonly functions: FunctionTable
    readonly strict: boolean
    readonly warnings: Warnings
  },
): PlacedMap[] {
  const { btfMaps, legacyMaps } = sections
  if (legacyMaps !== null && options.strict)
    throw new ObjectError("strict mode wants maps in .maps, as libbpf 1.0 does", {
      section: legacyMaps.name,
    })
  const maps = [
    ...(legacyMaps === null ? [] : readLegacyMaps(legacyMaps, options)),
    ...(btfMaps === null ? [] : readBtfMaps(btfMaps, options)),
  ]
  const names = new Set(maps.map(({ definition }) => definition.name))
  if (names.size !== maps.length)
    throw new ObjectError("maps and .maps define a map of the same name", { section: "maps" })
  return maps
}

interface DataSection {
  readonly section: number
  readonly map: MapDefinition
  readonly globals: readonly GlobalVariable[]
}

function readData(
  sections: ObjectSections,
  elf: ElfFile,
  btf: Btf | null,
  name: string,
): DataSection[] {
  const objectName = objectNameOf(name)
  const used = new Set<string>()
  return sections.data.map((section) => {
    const map = dataMap(section, objectName, btf)
    if (used.has(map.name))
      throw new ObjectError(`two sections become the map '${map.name}'`, { section: section.name })
    used.add(map.name)
    return { section: section.index, map, globals: readGlobals(section, map, elf, btf) }
  })
}

function placesOf(
  maps: readonly PlacedMap[],
  data: readonly DataSection[],
  { externs }: Externs,
  functions: FunctionTable,
): Places {
  const mapNames = new Map(maps.map((m) => [`${m.section}:${m.offset}`, m.definition.name]))
  const dataNames = new Map(data.map((one) => [one.section, one.map.name]))
  return {
    functions,
    externs: new Set(externs.map((extern) => extern.name)),
    mapAt: (section, offset) => mapNames.get(`${section}:${offset}`),
    dataMap: (section) => dataNames.get(section),
  }
}
