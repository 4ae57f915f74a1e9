/**
 * What is in a map, as text that is equal for equal contents: entries of hashes sorted, records of
 * rings in order, fields that may differ left out.
 */

import {
  ArrayMap,
  HashMap,
  isPerCpu,
  type MapHandle,
  PerfEventArray,
  Queue,
  RingBuffer,
} from "../../api/index.ts"
import { formatHex } from "../../base/index.ts"

export interface MapTextOptions {
  /** Fields of keys, values and records to leave out. */
  readonly ignore?: readonly string[]
  /** `exact`: each CPU's value in its place; `sum`: only what they add up to. */
  readonly perCpu?: "exact" | "sum"
}

/** The text; null for maps whose elements are other things (programs, maps, devices, sockets). */
export function mapText(map: MapHandle, options: MapTextOptions = {}): string | null {
  const { ignore = [], perCpu = "exact" } = options
  const text = (value: unknown): string => JSON.stringify(plain(value, ignore))
  const summed = perCpu === "sum" && isPerCpu(map.spec.type)
  const one = (value: unknown): unknown =>
    summed && Array.isArray(value) ? value.reduce(sum) : value
  if (map instanceof HashMap)
    return [...(map as HashMap<unknown, unknown>).entries()]
      .map(([key, value]) => `${text(key)}: ${text(one(value))}`)
      .sort()
      .join("\n")
  if (map instanceof ArrayMap)
    return [...(map as ArrayMap<unknown>).entries()]
      .map(([index, value]) => `${index}: ${text(one(value))}`)
      .join("\n")
  if (map instanceof RingBuffer) return [...map.drain()].map(text).join("\n")
  if (map instanceof PerfEventArray)
    return map
      .drain()
      .map(({ cpu, lost, event }) => `${perCpu === "exact" ? cpu : "*"} ${lost} ${text(event)}`)
      .join("\n")
  if (map instanceof Queue) {
    const values: string[] = []
    for (let value = map.pop(); value !== undefined; value = map.pop()) values.push(text(value))
    return values.join("\n")
  }
  return null
}

function plain(value: unknown, ignore: readonly string[]): unknown {
  if (typeof value === "bigint") return `${value}n`
  if (value instanceof Uint8Array) return formatHex(value)
  if (Array.isArray(value)) return value.map((element) => plain(element, ignore))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !ignore.includes(name))
      .map(([name, field]) => [name, plain(field, ignore)]),
  )
}

function sum(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b
  if (typeof a === "bigint" && typeof b === "bigint") return a + b
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    // Bytes without type: one 64-bit counter after another.
    const total = a.slice()
    const [into, from] = [new DataView(total.buffer), new DataView(b.buffer, b.byteOffset)]
    for (let at = 0; at + 8 <= total.length; at += 8)
      into.setBigUint64(at, into.getBigUint64(at, true) + from.getBigUint64(at, true), true)
    return total
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.map((one, index) => sum(one, b[index]))
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    const other = b as Readonly<Record<string, unknown>>
    return Object.fromEntries(Object.entries(a).map(([name, one]) => [name, sum(one, other[name])]))
  }
  return a
}
