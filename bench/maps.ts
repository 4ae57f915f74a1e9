/**
 * Map operations as programs make them, in nanoseconds, by map type. Beside them the same work on
 * a JavaScript Map, with numbers as keys (the best case: no bytes to hash) and with strings made
 * from key bytes beforehand.
 */

import { type BpfMap, createMap, type RingBufferMap } from "../src/kernel/maps/index.ts"
import { createKernelMemory } from "../src/kernel/memory/index.ts"
import { createRandom } from "../src/kernel/random.ts"
import type { MapCreateAttr } from "../src/spec/index.ts"
import { type Bench, type BenchOptions, type Row, time } from "./support/bench.ts"

/** Elements in the map, and keys that are asked for in turn. */
const KEYS = 1024

interface Subject {
  readonly name: string
  readonly request: MapCreateAttr
  /** Writes key number `n` (n ≥ KEYS: one that is not in the map). */
  readonly key?: (view: DataView, at: number, n: number) => void
  readonly deletes?: boolean
}

function subject(name: string, numbers: readonly number[], rest: Partial<Subject> = {}): Subject {
  const [map_type, key_size, value_size, max_entries, map_flags = 0] = numbers
  return { name, request: { map_type, key_size, value_size, max_entries, map_flags }, ...rest }
}

const prefix32 = (view: DataView, at: number, n: number): void => {
  view.setUint32(at, 32, true)
  view.setUint32(at + 4, Math.imul(n, 0x9e3779b1), true)
}

const subjects: readonly Subject[] = [
  subject("array", [2, 4, 8, KEYS], { deletes: false }),
  subject("per-CPU array", [6, 4, 8, KEYS], { deletes: false }),
  subject("hash, 4-byte key", [1, 4, 8, 2 * KEYS]),
  subject("hash, 16-byte key", [1, 16, 8, 2 * KEYS]),
  subject("hash, no preallocation", [1, 4, 8, 2 * KEYS, 1]),
  subject("per-CPU hash", [5, 4, 8, 2 * KEYS]),
  subject("LRU hash", [9, 4, 8, 4 * KEYS]),
  subject("LPM trie, IPv4", [11, 8, 8, 2 * KEYS, 1], { key: prefix32 }),
]

function measure({ name, request, key, deletes = true }: Subject, options: BenchOptions): Row {
  const memory = createKernelMemory()
  const host = { memory, cpus: 2, currentCpu: () => 0, random32: createRandom(1) }
  const map = createMap(host, request, { index: 1 }) as BpfMap
  const stride = Math.ceil(request.key_size / 8) * 8
  const block = memory.allocate(stride * 2 * KEYS)
  const value = memory.allocate(64)
  for (let n = 0; n < 2 * KEYS; n++) {
    if (key !== undefined) key(memory.view, block + n * stride, n)
    else memory.view.setUint32(block + n * stride, n, true)
  }
  const missing = block + stride * KEYS
  for (let n = 0; n < KEYS; n++) map.update(block + n * stride, value, 0)
  let found = 0
  const perKey = (action: (offset: number) => void): number =>
    time(() => {
      for (let at = 0; at < stride * KEYS; at += stride) action(at)
    }, options).bestNs / KEYS
  const hit = perKey((at) => {
    found += map.lookup(block + at)
  })
  const miss = perKey((at) => {
    found += map.lookup(missing + at)
  })
  const update = perKey((at) => {
    map.update(block + at, value, 0)
  })
  const insertDelete = deletes
    ? perKey((at) => {
        map.update(missing + at, value, 0)
        map.delete(missing + at)
      })
    : undefined
  if (found === 0) throw new Error("the map was empty")
  return { map: name, hit, miss, update, "insert + delete": insertDelete }
}

/** Reserve and submit of 64 bytes, the consumer keeping up. */
function measureRing(options: BenchOptions): Row {
  const memory = createKernelMemory()
  const host = { memory, cpus: 2, currentCpu: () => 0, random32: createRandom(1) }
  const request = { map_type: 27, key_size: 0, value_size: 0, max_entries: 1 << 20 }
  const map = createMap(host, request, { index: 1 }) as RingBufferMap
  const view = map.view()
  const { bestNs } = time(() => {
    for (let n = 0; n < KEYS; n++) {
      const sample = map.reserve(64, 0)
      memory.i32[sample >> 2] = n
      map.submit(sample, 0)
    }
    view.setConsumerPosition(view.producerPosition())
  }, options)
  return { map: "ring buffer, 64 bytes", "insert + delete": bestNs / KEYS }
}

function measureJs<K>(name: string, keyOf: (n: number) => K, options: BenchOptions): Row {
  const map = new Map<K, bigint>()
  const keys = Array.from({ length: 2 * KEYS }, (_, n) => keyOf(n))
  for (let n = 0; n < KEYS; n++) map.set(keys[n], 1n)
  let found = 0
  const perKey = (action: (n: number) => void): number =>
    time(() => {
      for (let n = 0; n < KEYS; n++) action(n)
    }, options).bestNs / KEYS
  const hit = perKey((n) => {
    if (map.get(keys[n]) !== undefined) found++
  })
  const miss = perKey((n) => {
    if (map.get(keys[KEYS + n]) !== undefined) found++
  })
  const update = perKey((n) => {
    map.set(keys[n], 2n)
  })
  const insertDelete = perKey((n) => {
    map.set(keys[KEYS + n], 2n)
    map.delete(keys[KEYS + n])
  })
  if (found === 0) throw new Error("the map was empty")
  return { map: name, hit, miss, update, "insert + delete": insertDelete }
}

export const bench: Bench = {
  name: "maps",
  question: "How many nanoseconds does a map operation take, beside a JavaScript Map?",
  async run(options) {
    const rows = subjects.map((subject) => measure(subject, options))
    rows.push(measureRing(options))
    rows.push(measureJs("JS Map, number keys", (n) => n, options))
    rows.push(
      measureJs("JS Map, 8-character string keys", (n) => n.toString(16).padStart(8, "0"), options),
    )
    return { rows, notes: [`${KEYS} elements, asked for in order; best of 21 samples`] }
  },
}
