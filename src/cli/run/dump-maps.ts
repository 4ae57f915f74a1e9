/** What maps and globals hold at the end of a run, decoded by BTF. */

import { ArrayMap, HashMap, isPerCpu, type MapHandle, MapOfMaps, Queue } from "../../api/index.ts"
import { type Btf, codecFor, decodeValue } from "../../btf/index.ts"
import type { MapDefinition } from "../../object/index.ts"
import { formatIp } from "../../packet/index.ts"
import { BPF_MAP_TYPE, mapTypeName } from "../../spec/index.ts"
import { naming } from "../input.ts"
import { isAddressName } from "../values/naming.ts"
import { type Presented, present } from "../values/present.ts"
import type { Session } from "./session.ts"

export interface MapEntry {
  readonly key: Presented
  /** Per-CPU values: the sum, or the first CPU's where nothing can be added up. */
  readonly value: Presented
  readonly perCpu?: readonly Presented[]
}

export interface MapReport {
  readonly name: string
  readonly type: string
  readonly maxEntries: number
  /** C types; null without BTF. */
  readonly keyType: string | null
  readonly valueType: string | null
  /** Entries of a hash; elements that are not zero of an array. */
  readonly count: number
  readonly entries: readonly MapEntry[]
}

export interface GlobalReport {
  readonly name: string
  readonly type: string | null
  readonly value: Presented
  readonly readonly: boolean
  /** Whether the program has changed it. */
  readonly changed: boolean
}

/** All maps that have something to show; rings and data sections are told elsewhere. */
export function dumpMaps(session: Session): MapReport[] {
  const { object, collection, options } = session
  const maps = collection.maps as Readonly<Record<string, MapHandle>>
  const reports: MapReport[] = []
  for (const definition of object.model.maps) {
    const handle = maps[definition.name]
    if (handle === undefined || definition.origin === "data") continue
    const entries = naming(`map '${definition.name}'`, () =>
      readEntries(session, definition, handle, options.perCpu),
    )
    if (entries === null) continue
    reports.push({
      name: definition.name,
      type: mapTypeName(definition.type),
      maxEntries: definition.maxEntries,
      keyType: typeName(object.btf, definition.keyTypeId),
      valueType: typeName(object.btf, definition.valueTypeId),
      count: entries.length,
      entries,
    })
  }
  return reports
}

function typeName(btf: Btf | null, typeId: number): string | null {
  return btf === null || typeId === 0 ? null : btf.typeName(typeId)
}

/** Null for maps whose content is not data. */
function readEntries(
  session: Session,
  definition: MapDefinition,
  handle: MapHandle,
  showPerCpu: boolean,
): MapEntry[] | null {
  const { btf } = session.object
  const { name, keyTypeId, valueTypeId, type } = definition
  const shownValue = (value: unknown): Pick<MapEntry, "value" | "perCpu"> => {
    const one = (each: unknown): Presented => presentElement(btf, valueTypeId, each, "")
    if (!isPerCpu(type) || !Array.isArray(value)) return { value: one(value) }
    const perCpu = showPerCpu ? { perCpu: value.map(one) } : {}
    return { value: one(value.map(numeric).reduce(sum)), ...perCpu }
  }
  if (handle instanceof HashMap) {
    const isTrie = type === BPF_MAP_TYPE.BPF_MAP_TYPE_LPM_TRIE
    const keys = isTrie ? [...handle.raw.entries()].map(([key]) => prefixText(key)) : []
    return [...(handle as HashMap<unknown, unknown>).entries()].map(([key, value], index) => ({
      key: keys[index] ?? presentElement(btf, keyTypeId, key, name),
      ...shownValue(value),
    }))
  }
  if (handle instanceof ArrayMap) {
    const entries: MapEntry[] = []
    for (const [index, value] of (handle as ArrayMap<unknown>).entries())
      if (!isZero(value))
        entries.push({ key: arrayKey(btf, keyTypeId, index), ...shownValue(value) })
    return entries
  }
  if (handle instanceof Queue) {
    const entries: MapEntry[] = []
    for (let value = handle.pop(); value !== undefined; value = handle.pop())
      entries.push({ key: entries.length, ...shownValue(value) })
    return entries
  }
  if (handle instanceof MapOfMaps) return innerMaps(session, definition, handle)
  return null
}

/** Values without type: integers where they have the size of one. */
function presentElement(btf: Btf | null, typeId: number, value: unknown, name: string): Presented {
  if (value instanceof Uint8Array && (btf === null || typeId === 0)) return untyped(value, name)
  return present(btf, typeId, value, name)
}

function untyped(bytes: Uint8Array, name: string): Presented {
  if (isAddressName(name) && (bytes.length === 4 || bytes.length === 16)) return formatIp(bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (bytes.length) {
    case 1:
      return bytes[0]
    case 2:
      return view.getUint16(0, true)
    case 4:
      return view.getUint32(0, true)
    case 8:
      return view.getBigUint64(0, true)
    default:
      return present(null, 0, bytes, "bytes")
  }
}

/** Indexes are numbers, or the enumerators of the key's type. */
function arrayKey(btf: Btf | null, typeId: number, index: number): Presented {
  if (btf === null || typeId === 0) return index
  const kind = btf.resolve(typeId).kind
  return kind === "enum" || kind === "enum64" ? present(btf, typeId, index, "") : index
}

/** `10.0.0.0/8`; undefined when the key is not a prefix length and an address. */
function prefixText(key: Uint8Array): string | undefined {
  if (key.length !== 8 && key.length !== 20) return undefined
  const length = new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true)
  return `${formatIp(key.subarray(4))}/${length}`
}

function innerMaps(
  session: Session,
  definition: MapDefinition,
  handle: MapOfMaps<MapHandle>,
): MapEntry[] {
  const template = definition.inner
  const entries: MapEntry[] = []
  for (const [key, value] of handle.raw.entries()) {
    const id = new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true)
    const shown = presentElement(
      session.object.btf,
      definition.keyTypeId,
      untyped(key, definition.name),
      definition.name,
    )
    if (id === 0 || template === null || handle.spec.inner === null) continue
    const inner = session.kernel.openMap({ id }, handle.spec.inner)
    try {
      const content =
        readEntries(session, { ...template, name: definition.name }, inner, false) ?? []
      entries.push({
        key: shown,
        value: { "map id": id, entries: content.map(({ key: k, value: v }) => [k, v]) },
      })
    } finally {
      inner.close()
    }
  }
  return entries
}

/** Whether every number in a decoded value is 0 and every text empty. */
export function isZero(value: unknown): boolean {
  if (typeof value === "number") return value === 0
  if (typeof value === "bigint") return value === 0n
  if (typeof value === "string") return value === ""
  if (typeof value === "boolean") return !value
  if (value instanceof Uint8Array) return value.every((byte) => byte === 0)
  if (Array.isArray(value)) return value.every(isZero)
  if (typeof value === "object" && value !== null) return Object.values(value).every(isZero)
  return value === null || value === undefined
}

/** Untyped per-CPU values of 8, 4, 2 or 1 bytes can be added up too. */
function numeric(value: unknown): unknown {
  return value instanceof Uint8Array ? untyped(value, "") : value
}

/** Adds decoded values field by field; what is no number is the first one's that is not empty. */
function sum(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b
  if (typeof a === "bigint" && typeof b === "bigint") return a + b
  if (Array.isArray(a) && Array.isArray(b)) return a.map((one, index) => sum(one, b[index]))
  if (a instanceof Uint8Array || b instanceof Uint8Array) return isZero(a) ? b : a
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    const other = b as Readonly<Record<string, unknown>>
    return Object.fromEntries(Object.entries(a).map(([name, one]) => [name, sum(one, other[name])]))
  }
  return isZero(a) ? b : a
}

/** Globals with their values; constants only when they are not what the object says. */
export function dumpGlobals(session: Session): GlobalReport[] {
  const { object, collection } = session
  const live = collection.globals as Readonly<Record<string, unknown>>
  return object.model.globals
    .filter(({ name }) => name in live)
    .map((variable) => {
      const { name, typeId, offset, size } = variable
      const value = live[name]
      const initial = object.model.maps
        .find((map) => map.name === variable.map)
        ?.data?.subarray(offset, offset + size)
      return {
        name,
        type: typeName(object.btf, typeId),
        value: presentElement(object.btf, typeId, value, name),
        readonly: variable.readonly,
        changed: !variable.readonly && !sameGlobal(session, typeId, initial, value),
      }
    })
}

function sameGlobal(
  { object }: Session,
  typeId: number,
  initial: Uint8Array | undefined,
  value: unknown,
): boolean {
  if (initial === undefined) return isZero(value)
  const before = presentInitial(object.btf, typeId, initial)
  const text = (one: unknown): string =>
    JSON.stringify(one, (_, part) => (typeof part === "bigint" ? `${part}n` : part))
  return text(before) === text(presentElement(object.btf, typeId, value, ""))
}

function presentInitial(btf: Btf | null, typeId: number, bytes: Uint8Array): Presented {
  if (btf === null || typeId === 0) return untyped(bytes, "")
  return present(btf, typeId, decodeValue(codecFor(btf, typeId), bytes), "")
}
