/**
 * `--map name=FILE.json`: what a map holds before anything runs. The file is a list of
 * `[key, value]` or `{ "key": …, "value": … }`, a list of plain keys (with zero as value), or an
 * object from keys to values. Queues and stacks take a list of values; program arrays an object
 * from index to program name, device maps from index to device name.
 */

import type { EmbeddedKernel } from "../../api/embedded.ts"
import {
  ArrayMap,
  type BpfObject,
  type Collection,
  DeviceMap,
  HashMap,
  isPerCpu,
  type MapHandle,
  type Program,
  ProgramArray,
  Queue,
} from "../../api/index.ts"
import { utf8Text } from "../../base/index.ts"
import type { MapDefinition } from "../../object/index.ts"
import { BPF_MAP_TYPE, mapTypeName } from "../../spec/index.ts"
import type { Context } from "../context.ts"
import { CliError } from "../errors.ts"
import { naming } from "../input.ts"
import { parseElement, parsePrefixKey } from "../values/parse.ts"

export interface MapToFill {
  readonly name: string
  /** JSON file. */
  readonly source: string
  readonly object: BpfObject
  readonly collection: Collection
  readonly embedded: EmbeddedKernel | null
}

/** @throws CliError naming the file and the entry at fault. */
export function fillMap(context: Context, request: MapToFill): void {
  const { name, source, object, collection } = request
  const definition = object.model.maps.find((map) => map.name === name)
  const map = (collection.maps as Readonly<Record<string, MapHandle>>)[name]
  if (definition === undefined || map === undefined) {
    const names = object.model.maps.filter(({ origin }) => origin !== "data").map((one) => one.name)
    throw new CliError(`there is no map '${name}' to fill from ${source}`, {
      hint: names.length === 0 ? "The object has no maps." : `The object has ${names.join(", ")}.`,
    })
  }
  const json = readJson(context, source)
  const fill = fillerOf(map, definition, request)
  entriesOf(json, map instanceof Queue).forEach(([key, value], index) => {
    naming(`${source}: entry ${index} of map '${name}'`, () => fill(key, value))
  })
}

function readJson(context: Context, source: string): unknown {
  const text = naming(source, () => utf8Text(context.read(source)))
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CliError(`${source}: not JSON: ${(error as Error).message}`)
  }
}

/** Every form as pairs. A plain key has no value; an element of a queue no key. */
function entriesOf(json: unknown, isQueue: boolean): (readonly [unknown, unknown])[] {
  if (!Array.isArray(json)) {
    if (typeof json !== "object" || json === null)
      throw new CliError("the content of a map is a JSON array or object")
    return Object.entries(json)
  }
  return json.map((entry): readonly [unknown, unknown] => {
    if (isQueue) return [undefined, entry]
    if (Array.isArray(entry) && entry.length === 2) return [entry[0], entry[1]]
    if (typeof entry === "object" && entry !== null && "key" in entry)
      return [entry.key, (entry as { value?: unknown }).value]
    return [entry, undefined]
  })
}

type Fill = (key: unknown, value: unknown) => void

function fillerOf(map: MapHandle, definition: MapDefinition, request: MapToFill): Fill {
  const { collection, embedded } = request
  const programs = collection.programs as Readonly<Record<string, Program>>
  if (map instanceof ProgramArray)
    return (key, value) => {
      const program = programs[String(value)]
      if (program === undefined) throw new RangeError(`there is no program '${value}'`)
      map.set(indexOf(key), program)
    }
  if (map instanceof DeviceMap)
    return (key, value) => {
      map.set(
        indexOf(key),
        typeof value === "number" ? value : deviceIndex(embedded, String(value)),
      )
    }
  if (map instanceof HashMap || map instanceof ArrayMap || map instanceof Queue)
    return plainFiller(map, definition, request)
  throw new CliError(
    `map '${map.spec.name}' (${mapTypeName(definition.type)}) cannot be filled from a file`,
  )
}

function indexOf(key: unknown): number {
  const index = Number(key)
  if (!Number.isInteger(index) || index < 0) throw new RangeError(`'${key}' is not an index`)
  return index
}

function deviceIndex(embedded: EmbeddedKernel | null, name: string): number {
  if (embedded === null) throw new RangeError(`give the index of device '${name}'`)
  return embedded.interface(name).index
}

function plainFiller(map: MapHandle, definition: MapDefinition, { object }: MapToFill): Fill {
  const { btf } = object
  const { keySize, valueSize, keyTypeId, valueTypeId } = definition
  const { raw } = map
  const keyBytes = (key: unknown): Uint8Array => {
    if (definition.type === BPF_MAP_TYPE.BPF_MAP_TYPE_LPM_TRIE && typeof key === "string")
      return parsePrefixKey(key, keySize, object.model.littleEndian)
    return parseElement(btf, keyTypeId, keySize, key)
  }
  const one = (value: unknown): Uint8Array =>
    value === undefined
      ? new Uint8Array(valueSize)
      : parseElement(btf, valueTypeId, valueSize, value)
  const stride = (valueSize + 7) & ~7
  const perCpu = isPerCpu(definition.type)
  const valueBytes = (value: unknown): Uint8Array => {
    if (!perCpu) return one(value)
    // One value goes to CPU 0, so that the sum is what was given.
    const all = new Uint8Array(raw.valueSize)
    const cpus = raw.valueSize / stride
    const values = Array.isArray(value) && value.length === cpus ? value : [value]
    values.forEach((each, cpu) => {
      all.set(one(each), cpu * stride)
    })
    return all
  }
  if (map instanceof Queue)
    return (_, value) => {
      const result = raw.update(undefined, valueBytes(value))
      if (result < 0) throw new RangeError("the map is full")
    }
  return (key, value) => raw.set(keyBytes(key), valueBytes(value))
}
