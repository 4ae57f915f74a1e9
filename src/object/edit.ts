/**
 * Changing an object before it is loaded: initial values of globals and parameters of maps. An
 * object never changes; these functions return a new one that shares what stays the same.
 */

import { viewOf } from "../base/index.ts"
import { codecFor } from "../btf/index.ts"
import { matchSection, type SectionMatch } from "../spec/index.ts"
import type { BpfObject, GlobalVariable, MapDefinition, ProgramDefinition } from "./model.ts"

/** What of a map can be changed before loading. */
export type MapChanges = Partial<
  Pick<
    MapDefinition,
    | "type"
    | "keySize"
    | "valueSize"
    | "maxEntries"
    | "flags"
    | "mapExtra"
    | "numaNode"
    | "pinning"
    | "inner"
  >
>

/** Fields of {@link MapChanges} that are u32 in MAP_CREATE. */
const U32_FIELDS = ["type", "keySize", "valueSize", "maxEntries", "flags", "numaNode"] as const
/** Fields that follow from the ELF section in the map of a data section. */
const FIXED_FOR_DATA = ["type", "keySize", "valueSize", "maxEntries", "inner"] as const

/**
 * A copy of `object` whose globals begin with other values. Values are those of the codec of the
 * variable's type (numbers, bigints, strings for `char[]`, plain objects); a variable without type
 * takes its bytes, or a number or bigint if it has 1, 2, 4 or 8 bytes.
 *
 * The `.rodata` ones become constants that the verifier sees.
 *
 * @throws RangeError for an unknown name or a value out of range, TypeError for one of a wrong type.
 * @example withGlobals(object, { limit: 100, label: "eth0" })
 */
export function withGlobals(
  object: BpfObject,
  values: Readonly<Record<string, unknown>>,
): BpfObject {
  const changed = new Map<string, Uint8Array>()
  for (const [name, value] of Object.entries(values)) {
    const variable = object.globals.find((global) => global.name === name)
    if (variable === undefined)
      throw new RangeError(
        `object '${object.name}' has no global '${name}'${listNames(object.globals)}`,
      )
    const map = object.maps.find((one) => one.name === variable.map)
    const data = changed.get(variable.map) ?? map?.data?.slice()
    if (data === undefined) throw new RangeError(`global '${name}' has no data to change`)
    writeGlobal(object, variable, data, value)
    changed.set(variable.map, data)
  }
  if (changed.size === 0) return object
  const maps = object.maps.map((map) => {
    const data = changed.get(map.name)
    return data === undefined ? map : { ...map, data }
  })
  return { ...object, maps }
}

function writeGlobal(
  object: BpfObject,
  variable: GlobalVariable,
  data: Uint8Array,
  value: unknown,
): void {
  const { name, offset, size, typeId } = variable
  if (value instanceof Uint8Array && (typeId === 0 || value.length === size)) {
    if (value.length !== size)
      throw new RangeError(`global '${name}' has ${size} bytes, not ${value.length}`)
    data.set(value, offset)
    return
  }
  try {
    if (object.btf !== null && typeId !== 0)
      codecFor(object.btf, typeId).write(viewOf(data), offset, value)
    else writeInteger(data, variable, value, object.littleEndian)
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`global '${name}': ${error.message}`)
    if (error instanceof TypeError) throw new TypeError(`global '${name}': ${error.message}`)
    throw error
  }
}

/** A variable of which only the size is known. */
function writeInteger(
  data: Uint8Array,
  { offset, size }: GlobalVariable,
  value: unknown,
  littleEndian: boolean,
): void {
  if (typeof value !== "bigint" && !Number.isInteger(value))
    throw new TypeError(`${typeof value} for a variable without type: give an integer or bytes`)
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8)
    throw new RangeError(`${size} bytes are no integer: give bytes`)
  const wide = BigInt(value as number | bigint)
  const bits = 8n * BigInt(size)
  if (wide < -(1n << (bits - 1n)) || wide >= 1n << bits)
    throw new RangeError(`${wide} does not fit into ${size} bytes`)
  for (let i = 0; i < size; i++) {
    const shift = 8n * BigInt(littleEndian ? i : size - 1 - i)
    data[offset + i] = Number(BigInt.asUintN(8, wide >> shift))
  }
}

/**
 * A copy of `object` with other parameters of maps.
 *
 * @throws RangeError for an unknown map, a value that is no u32, or a parameter that a data
 * section dictates.
 * @example withMaps(object, { flows: { maxEntries: 1 << 20 } })
 */
export function withMaps(
  object: BpfObject,
  changes: Readonly<Record<string, MapChanges>>,
): BpfObject {
  const byName = new Map(Object.entries(changes))
  for (const [name, change] of byName) {
    const map = object.maps.find((one) => one.name === name)
    if (map === undefined)
      throw new RangeError(`object '${object.name}' has no map '${name}'${listNames(object.maps)}`)
    checkChange(map, change)
  }
  const maps = object.maps.map((map) => {
    const change = byName.get(map.name)
    if (change === undefined) return map
    return {
      ...map,
      ...change,
      // Types describe the sizes that they were declared with.
      ...(change.keySize === undefined || change.keySize === map.keySize ? {} : { keyTypeId: 0 }),
      ...(change.valueSize === undefined || change.valueSize === map.valueSize
        ? {}
        : { valueTypeId: 0 }),
    }
  })
  return { ...object, maps }
}

function checkChange(map: MapDefinition, change: MapChanges): void {
  if (map.origin === "data")
    for (const field of FIXED_FOR_DATA)
      if (change[field] !== undefined && change[field] !== map[field])
        throw new RangeError(`map '${map.name}': ${field} follows from section ${map.section}`)
  for (const field of U32_FIELDS) {
    const value = change[field]
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff))
      throw new RangeError(`map '${map.name}': ${field} ${value} is not in 0 to 4294967295`)
  }
}

/** What libbpf's table says about a program's section; `null` for a section of no known name. */
export function sectionOf(program: ProgramDefinition): SectionMatch | null {
  return matchSection(program.section)
}

/** The program of a name (the C function's), or `undefined`. */
export function findProgram(object: BpfObject, name: string): ProgramDefinition | undefined {
  return object.programs.find((program) => program.name === name)
}

/** The map of a name, or `undefined`. A data section is also found by its section: `.rodata`. */
export function findMap(object: BpfObject, name: string): MapDefinition | undefined {
  return (
    object.maps.find((map) => map.name === name) ?? object.maps.find((map) => map.section === name)
  )
}

const LISTED_MAX = 8

function listNames(things: readonly { readonly name: string }[]): string {
  if (things.length === 0) return " (it has none)"
  const names = things.slice(0, LISTED_MAX).map((thing) => thing.name)
  return ` (it has ${names.join(", ")}${things.length > LISTED_MAX ? ", …" : ""})`
}
