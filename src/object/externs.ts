/**
 * Externs: symbols that the file uses but does not define. BTF says which are kernel configuration
 * (`.kconfig`, laid out here as one read-only map) and which kernel variables or functions
 * (`.ksyms`). Others stay unresolved and are the loader's business.
 *
 * Source: libbpf src/libbpf.c bpf_object__collect_externs, cmp_externs.
 */

import { ObjectError } from "../base/index.ts"
import { alignOf, type Btf, type BtfVar, sizeOf, skipModifiers } from "../btf/index.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE } from "../spec/index.ts"
import { dataMapName } from "./data.ts"
import { type ElfFile, type ElfSymbol, SHN_UNDEF, STB_LOCAL, STB_WEAK, STT_NOTYPE } from "./elf.ts"
import type { Extern, MapDefinition } from "./model.ts"
import { emptyMap } from "./reading.ts"
import { DATA_BYTES_MAX } from "./sections.ts"

type KconfigExtern = Extract<Extern, { kind: "kconfig" }>

export interface Externs {
  /** kconfig in order of offsets, then ksyms by name. */
  readonly externs: readonly Extern[]
  /** The `.kconfig` map, if there are any such externs. */
  readonly map: MapDefinition | null
}

/**
 * Finds the externs that the file uses.
 *
 * @throws ObjectError for a kconfig extern whose type cannot hold configuration.
 */
export function readExterns(elf: ElfFile, btf: Btf | null, objectName: string): Externs {
  if (btf === null) return { externs: [], map: null }
  const sections = { kconfig: entries(btf, ".kconfig"), ksyms: entries(btf, ".ksyms") }
  const kconfigs: { extern: KconfigExtern; align: number }[] = []
  const ksyms: Extern[] = []
  const seen = new Set<string>()
  for (const symbol of elf.symbols) {
    if (!isExtern(symbol) || seen.has(symbol.name)) continue
    seen.add(symbol.name)
    const weak = symbol.binding === STB_WEAK
    const kconfig = sections.kconfig.get(symbol.name)
    const ksym = sections.ksyms.get(symbol.name)
    if (kconfig !== undefined) kconfigs.push(readKconfig(btf, kconfig, symbol.name, weak))
    else if (ksym !== undefined) ksyms.push(readKsym(btf, ksym, symbol.name, weak))
  }
  ksyms.sort((a, b) => compareNames(a.name, b.name))
  const { externs, size } = layOut(kconfigs)
  return {
    externs: [...externs, ...ksyms],
    map: externs.length === 0 ? null : kconfigMap(btf, objectName, size),
  }
}

function isExtern(symbol: ElfSymbol): boolean {
  return (
    symbol.section === SHN_UNDEF &&
    symbol.binding !== STB_LOCAL &&
    symbol.type === STT_NOTYPE &&
    symbol.name !== ""
  )
}

/** Names of a section of externs, with the id of the `var` or `func`. */
function entries(btf: Btf, section: string): Map<string, number> {
  const found = new Map<string, number>()
  const id = btf.findByName(section, "datasec")
  if (id !== undefined)
    for (const { type } of btf.typeOf(id, "datasec").variables) found.set(btf.type(type).name, type)
  return found
}

function readKconfig(
  btf: Btf,
  id: number,
  name: string,
  weak: boolean,
): { extern: KconfigExtern; align: number } {
  const variable = btf.type(id)
  const fail = (problem: string): never => {
    throw new ObjectError(`extern '${name}' ${problem}`, { section: ".kconfig" })
  }
  if (variable.kind !== "var") return fail(`is ${variable.kind}, not a variable`)
  if (!holdsConfiguration(btf, variable))
    return fail(`has type ${btf.typeName(variable.type)}, not bool, char, an integer or char[]`)
  const size = sizeOf(btf, variable.type)
  return {
    extern: { kind: "kconfig", name, weak, offset: 0, size, typeId: variable.type },
    align: alignOf(btf, variable.type),
  }
}

/** bool, integers of 1 to 8 bytes, `enum libbpf_tristate`, and arrays of char. */
function holdsConfiguration(btf: Btf, variable: BtfVar): boolean {
  const type = btf.resolve(variable.type)
  switch (type.kind) {
    case "int":
      return type.size <= 8
    case "enum":
      return type.name === "libbpf_tristate" && type.size === 4
    case "array": {
      const element = btf.resolve(type.type)
      return type.length > 0 && element.kind === "int" && element.size === 1
    }
    default:
      return false
  }
}

function readKsym(btf: Btf, id: number, name: string, weak: boolean): Extern {
  const type = btf.type(id)
  const common = { kind: "ksym", name, weak } as const
  if (type.kind === "func") return { ...common, function: true, typeId: type.type }
  if (type.kind !== "var")
    throw new ObjectError(`extern '${name}' is ${type.kind}, not a variable or function`, {
      section: ".ksyms",
    })
  return { ...common, function: false, typeId: skipModifiers(btf, type.type) }
}

/** libbpf's order: larger alignments first, then smaller sizes, then names. */
function layOut(kconfigs: readonly { extern: KconfigExtern; align: number }[]): {
  externs: KconfigExtern[]
  size: number
} {
  const sorted = kconfigs.toSorted(
    (a, b) =>
      b.align - a.align ||
      a.extern.size - b.extern.size ||
      compareNames(a.extern.name, b.extern.name),
  )
  let size = 0
  const externs: KconfigExtern[] = []
  for (const { extern, align } of sorted) {
    const offset = Math.ceil(size / align) * align
    size = offset + extern.size
    if (size > DATA_BYTES_MAX)
      throw new ObjectError(`externs have more than ${DATA_BYTES_MAX} bytes together`, {
        section: ".kconfig",
      })
    externs.push({ ...extern, offset })
  }
  return { externs, size }
}

function kconfigMap(btf: Btf, objectName: string, size: number): MapDefinition {
  return {
    ...emptyMap(dataMapName(".kconfig", objectName), "data"),
    type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: size,
    maxEntries: 1,
    flags: BPF_MAP_FLAG.BPF_F_RDONLY_PROG | BPF_MAP_FLAG.BPF_F_MMAPABLE,
    valueTypeId: btf.findByName(".kconfig", "datasec") ?? 0,
    section: ".kconfig",
    data: new Uint8Array(size),
    readonly: true,
  }
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
