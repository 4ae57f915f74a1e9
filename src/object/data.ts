/**
 * Global variables: every `.data`, `.bss` and `.rodata` section becomes a map with one element,
 * and each variable a place in it. Names, flags and sizes are those of libbpf, so that tools find
 * what they expect (`progname.rodata`, `.data.custom`).
 */

import { type Btf, sizeOf } from "../btf/index.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE } from "../spec/index.ts"
import { type ElfFile, type ElfSection, SHT_NOBITS, STT_OBJECT } from "./elf.ts"
import type { GlobalVariable, MapDefinition } from "./model.ts"
import { emptyMap } from "./reading.ts"
import { dataKind } from "./sections.ts"

/** Bytes of a map's name without its zero (BPF_OBJ_NAME_LEN - 1). */
const NAME_LENGTH_MAX = 15
/** Bytes that libbpf reserves for a data map's suffix: ".rodata". */
const SUFFIX_LENGTH_MIN = 7

/** The map of one data section. */
export function dataMap(section: ElfSection, objectName: string, btf: Btf | null): MapDefinition {
  const readonly = dataKind(section) === "rodata"
  const datasec = btf?.findByName(section.name, "datasec") ?? 0
  return {
    ...emptyMap(dataMapName(section.name, objectName), "data"),
    type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: section.size,
    maxEntries: 1,
    flags:
      (readonly ? BPF_MAP_FLAG.BPF_F_RDONLY_PROG : 0) |
      (btf !== null && hasVisibleVariable(btf, datasec) ? BPF_MAP_FLAG.BPF_F_MMAPABLE : 0),
    valueTypeId: datasec,
    section: section.name,
    data: section.type === SHT_NOBITS ? new Uint8Array(section.size) : section.data.slice(),
    readonly,
  }
}

/**
 * `.rodata` of object `firewall` is `firewall.rodata`, cut to what the kernel takes; a section with
 * a second dot keeps its own name.
 */
export function dataMapName(section: string, objectName: string): string {
  if (section.indexOf(".", 1) >= 0) return section
  const suffix = section.slice(0, NAME_LENGTH_MAX)
  const room = NAME_LENGTH_MAX - Math.max(SUFFIX_LENGTH_MIN, suffix.length)
  return (objectName.slice(0, room) + suffix).replace(/[^A-Za-z0-9_.]/g, "_")
}

/** `dir/firewall.bpf.o` is the object `firewall`, at most 15 characters. */
export function objectNameOf(path: string): string {
  const base = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)
  return base.slice(0, NAME_LENGTH_MAX).replace(/\..*$/s, "")
}

/** Only sections with a variable that is not static are worth mapping into user space. */
export function hasVisibleVariable(btf: Btf, datasec: number): boolean {
  if (datasec === 0) return false
  return btf.typeOf(datasec, "datasec").variables.some(({ type }) => {
    const variable = btf.type(type)
    return variable.kind === "var" && variable.linkage !== "static"
  })
}

/**
 * The variables of a data section: those that BTF describes, then symbols that it does not
 * (objects without BTF, assembly), each in order of offsets.
 */
export function readGlobals(
  section: ElfSection,
  map: MapDefinition,
  elf: ElfFile,
  btf: Btf | null,
): GlobalVariable[] {
  const globals: GlobalVariable[] = []
  const described = new Set<number>()
  const common = { map: map.name, readonly: map.readonly }
  if (btf !== null && map.valueTypeId !== 0)
    for (const { type, offset, size } of btf.typeOf(map.valueTypeId, "datasec").variables) {
      const variable = btf.type(type)
      if (variable.kind !== "var") continue
      described.add(offset)
      const typeSize = size || safeSize(btf, variable.type)
      globals.push({
        ...common,
        name: variable.name,
        offset,
        size: typeSize,
        typeId: variable.type,
      })
    }
  const symbols = elf.symbols
    .filter((s) => s.section === section.index && s.type === STT_OBJECT && s.name !== "")
    .toSorted((a, b) => a.value - b.value)
  for (const { name, value, size } of symbols)
    if (!described.has(value) && value + size <= section.size)
      globals.push({ ...common, name, offset: value, size, typeId: 0 })
  return globals
}

function safeSize(btf: Btf, type: number): number {
  try {
    return sizeOf(btf, type)
  } catch {
    // A variable without a size has no value that could be read or set.
    return 0
  }
}
