/**
 * Maps as plain JavaScript: what each type means, without a layout, a hash or a limit on memory.
 * Only valid arguments reach a model; the errno of careless ones is compared with Linux elsewhere.
 */

import { hex } from "./sides.ts"

const E2BIG = -7
const ENOENT = -2
const EEXIST = -17
const EINVAL = -22
const ENOSPC = -28

/** Results are 0 or an errno, or a value in hex. */
export interface Model {
  update(key: Uint8Array, value: Uint8Array, flags: number): number
  lookup(key: Uint8Array): string | undefined
  delete(key: Uint8Array): number
  /** All keys in hex; `ordered` says whether the order is part of the model. */
  keys(): string[]
  readonly ordered: boolean
}

export function arrayModel(entries: number, valueSize: number): Model {
  const values = Array.from({ length: entries }, () => hex(new Uint8Array(valueSize)))
  const indexOf = (key: Uint8Array): number => new DataView(key.buffer).getUint32(0, true)
  return {
    ordered: true,
    update(key, value, flags) {
      const index = indexOf(key)
      if (flags > 2) return EINVAL
      if (index >= entries) return E2BIG
      if (flags === 1) return EEXIST
      values[index] = hex(value)
      return 0
    },
    lookup: (key) => values[indexOf(key)],
    delete: () => EINVAL,
    keys: () => values.map((_, index) => hex(new Uint8Array(Uint32Array.of(index).buffer))),
  }
}

export function hashModel(entries: number): Model {
  const values = new Map<string, string>()
  return {
    ordered: false,
    update(key, value, flags) {
      const exists = values.has(hex(key))
      if (flags > 2) return EINVAL
      if (exists && flags === 1) return EEXIST
      if (!exists && flags === 2) return ENOENT
      if (!exists && values.size >= entries) return E2BIG
      values.set(hex(key), hex(value))
      return 0
    },
    lookup: (key) => values.get(hex(key)),
    delete: (key) => (values.delete(hex(key)) ? 0 : ENOENT),
    keys: () => [...values.keys()],
  }
}

/** Longest prefix match by trying every entry. */
export function lpmModel(entries: number, keySize: number): Model {
  interface Entry {
    readonly bits: string
    readonly key: string
    value: string
  }
  const all = new Map<string, Entry>()
  const dataBits = (key: Uint8Array): string =>
    [...key.subarray(4)].map((byte) => byte.toString(2).padStart(8, "0")).join("")
  const lengthOf = (key: Uint8Array): number => new DataView(key.buffer).getUint32(0, true)
  const prefixOf = (key: Uint8Array): string => dataBits(key).slice(0, lengthOf(key))
  return {
    ordered: true,
    update(key, value, flags) {
      if (flags > 2 || lengthOf(key) > (keySize - 4) * 8) return EINVAL
      const bits = prefixOf(key)
      const old = all.get(bits)
      if (old !== undefined && flags === 1) return EEXIST
      if (old === undefined && flags === 2) return ENOENT
      if (old === undefined && all.size >= entries) return ENOSPC
      all.set(bits, { bits, key: hex(key), value: hex(value) })
      return 0
    },
    lookup(key) {
      const bits = prefixOf(key)
      for (let length = bits.length; length >= 0; length--) {
        const found = all.get(bits.slice(0, length))
        if (found !== undefined) return found.value
      }
      return undefined
    },
    delete: (key) => (all.delete(prefixOf(key)) ? 0 : ENOENT),
    // Postorder of the binary tree: what begins with a prefix comes before it, 0 before 1.
    keys: () =>
      [...all.values()]
        .sort((a, b) => {
          if (a.bits.startsWith(b.bits)) return -1
          if (b.bits.startsWith(a.bits)) return 1
          return a.bits < b.bits ? -1 : 1
        })
        .map(({ key }) => key),
  }
}
