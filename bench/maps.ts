/**
 * Map operations as programs make them, in nanoseconds: from WebAssembly to WebAssembly (a loop
 * that calls the engines as a compiled program does), through the map objects from JavaScript, and
 * the same loop in a program on Linux, by its own clock.
 *
 * Linux's maps lock their buckets, and an entry may be freed only after a grace period. So the
 * engines are measured twice: as they are when the memory is theirs alone, and with locks.
 */

import { mapEngines } from "../src/kernel/maps/engines.ts"
import { type BpfMap, createMap, type RingBufferMap } from "../src/kernel/maps/index.ts"
import { createKernelMemory } from "../src/kernel/memory/index.ts"
import { createRandom } from "../src/kernel/random.ts"
import type { MapCreateAttr } from "../src/spec/index.ts"
import { type Bench, type BenchOptions, geometricMean, type Row, time } from "./support/bench.ts"
import { timeOnLinux } from "./support/linux-map.ts"
import { linuxRefuses } from "./support/linux-run.ts"
import {
  compileLoop,
  type HelperCall,
  instantiateLoop,
  type KeyShape,
  keyOf,
  type MapOperation,
  PASS,
} from "./support/map-operations.ts"
import { timeTwoThreads } from "./support/two-threads.ts"

const LOOKUP: HelperCall = { helper: 1, arguments: ["map", "key"] }
const UPDATE: HelperCall = { helper: 2, arguments: ["map", "key", "value", 0] }
const DELETE: HelperCall = { helper: 3, arguments: ["map", "key"] }
const PUSH: HelperCall = { helper: 87, arguments: ["map", "value", 0] }
const POP: HelperCall = { helper: 88, arguments: ["map", "value"] }
const PEEK: HelperCall = { helper: 89, arguments: ["map", "value"] }
const BLOOM_PUSH: HelperCall = { helper: 87, arguments: ["map", "key", 0] }
const BLOOM_PEEK: HelperCall = { helper: 89, arguments: ["map", "key"] }
const RESERVE: HelperCall = { helper: 131, arguments: ["map", 64, 0] }
/** BPF_RB_NO_WAKEUP */
const SUBMIT: HelperCall = { helper: 132, arguments: ["result", 1] }

const hit: MapOperation = { name: "hit", calls: [LOOKUP], first: 0 }
const miss: MapOperation = { name: "miss", calls: [LOOKUP], first: PASS }
const update: MapOperation = { name: "update", calls: [UPDATE], first: 0 }
const insertDelete: MapOperation = {
  name: "insert + delete",
  calls: [UPDATE, DELETE],
  first: PASS,
}
const evict: MapOperation = {
  name: "insert, evicting",
  calls: [UPDATE],
  first: 2 * PASS,
  goesOn: true,
}

interface Subject {
  readonly name: string
  readonly request: MapCreateAttr
  readonly shape: KeyShape
  readonly operations: readonly MapOperation[]
  readonly filled: readonly Uint8Array[]
}

function shape(size: number, word: number, factor: number, prefixLength = 0): KeyShape {
  const bytes = new Uint8Array(size)
  if (prefixLength > 0) bytes[0] = prefixLength
  return { bytes, word, factor }
}

const SCATTER = 0x9e3779b1 | 0

function subject(
  name: string,
  numbers: readonly number[],
  keys: KeyShape,
  operations: readonly MapOperation[],
  filled: readonly Uint8Array[] = Array.from({ length: PASS }, (_, n) => keyOf(keys, n)),
): Subject {
  const [map_type, key_size, value_size, max_entries, map_flags = 0] = numbers
  const request = { map_type, key_size, value_size, max_entries, map_flags }
  return { name, request, shape: keys, operations, filled }
}

/** Random prefixes of 8 to `bits` bits whose first word is scattered like the keys asked for. */
function prefixes(count: number, dataSize: number, bits: number): Uint8Array[] {
  const random = createRandom(7)
  return Array.from({ length: count }, (_, n) => {
    const key = keyOf(shape(4 + dataSize, 4, SCATTER), n * 5)
    for (let at = 8; at < key.length; at++) key[at] = random()
    key[0] = 8 + (random() % (bits - 7))
    return key
  })
}

const all = [hit, miss, update, insertDelete]
const look = { ...hit, name: "look-up" }
const host32 = { ...shape(8, 4, SCATTER, 32) }
const host128 = { ...shape(20, 4, SCATTER, 128) }

const subjects: readonly Subject[] = [
  subject("array", [2, 4, 8, PASS], shape(4, 0, 1), [hit, miss, update]),
  subject("per-CPU array", [6, 4, 8, PASS], shape(4, 0, 1), [hit, miss, update]),
  subject("hash, 4-byte key", [1, 4, 8, 2 * PASS], shape(4, 0, SCATTER), all),
  subject("hash, 8-byte key", [1, 8, 8, 2 * PASS], shape(8, 0, SCATTER), all),
  subject("hash, 16-byte key", [1, 16, 16, 2 * PASS], shape(16, 4, SCATTER), all),
  subject("hash, 40-byte key", [1, 40, 16, 2 * PASS], shape(40, 4, SCATTER), all),
  subject("hash, no preallocation", [1, 4, 8, 2 * PASS, 1], shape(4, 0, SCATTER), all),
  subject("per-CPU hash", [5, 4, 8, 2 * PASS], shape(4, 0, SCATTER), all),
  subject("LRU hash", [9, 4, 8, 4 * PASS], shape(4, 0, SCATTER), [...all, evict]),
  subject("LRU hash, lists per CPU", [9, 4, 8, 4 * PASS, 2], shape(4, 0, SCATTER), [hit, evict]),
  subject("LPM, IPv4, 1,024 hosts", [11, 8, 8, 2 * PASS, 1], host32, all),
  ...[1, 10, 1000, 100_000].map((count) =>
    subject(
      `LPM, IPv4, ${count} prefixes`,
      [11, 8, 8, count, 1],
      host32,
      [look],
      prefixes(count, 4, 32),
    ),
  ),
  subject(
    "LPM, IPv6, 10,000 prefixes",
    [11, 20, 8, 10_000, 1],
    host128,
    [look],
    prefixes(10_000, 16, 64),
  ),
  subject(
    "queue",
    [22, 0, 8, 64],
    shape(0, 0, 0),
    [{ name: "push + pop", calls: [PUSH, POP], first: 0 }],
    [],
  ),
  subject(
    "stack",
    [23, 0, 8, 64],
    shape(0, 0, 0),
    [{ name: "push + peek + pop", calls: [PUSH, PEEK, POP], first: 0 }],
    [],
  ),
  subject(
    "bloom filter, 4 bytes",
    [30, 0, 4, 2 * PASS],
    shape(4, 0, SCATTER),
    [
      { name: "push", calls: [BLOOM_PUSH], first: 0 },
      { name: "peek, miss", calls: [BLOOM_PEEK], first: 64 * PASS },
    ],
    [],
  ),
  subject(
    "ring buffer, 64 bytes",
    [27, 0, 0, 1 << 18],
    shape(0, 0, 0),
    [{ name: "reserve + submit", calls: [RESERVE, SUBMIT], first: 0 }],
    [],
  ),
]

async function measure(subject: Subject, options: BenchOptions, onLinux: boolean): Promise<Row[]> {
  const rows: Row[] = []
  const ring = subject.request.map_type === 27
  for (const operation of subject.operations) {
    const { wasmNs, jsNs } = measureOurs(subject, operation, options)
    const { sharedNs, twoNs } = await measureShared(subject, operation, options)
    const linuxNs = onLinux
      ? timeOnLinux({ ...subject, passesMax: ring ? 3 : undefined }, operation)
      : undefined
    rows.push({
      map: subject.name,
      operation: operation.name,
      wasm: wasmNs,
      shared: sharedNs,
      "2 threads": twoNs,
      js: jsNs,
      linux: linuxNs,
      "wasm / linux": linuxNs === undefined ? undefined : wasmNs / linuxNs,
      "shared / linux": linuxNs === undefined ? undefined : sharedNs / linuxNs,
    })
  }
  return rows
}

/** A map of its own for each operation, filled alike, in a memory of its own. */
function prepare({ request, shape: keys, filled }: Subject, shared: boolean) {
  const memory = createKernelMemory({ shared })
  const host = { memory, cpus: 2, currentCpu: () => 0, random32: createRandom(1) }
  const map = createMap(host, request, { index: 1 })
  if (typeof map === "number") throw new Error(`our map was refused: ${map}`)
  const place = () => {
    const places = { key: memory.allocate(64), value: memory.allocate(64) }
    memory.write(places.key, keys.bytes)
    return places
  }
  const value = new Uint8Array(map.syscallValueSize)
  for (const key of filled) map.updateElem(key, value, 0n)
  return { memory, map, place }
}

/** Makes passes, with key numbers that go on if need be and a consumer that keeps up. */
function passes(map: BpfMap, { first, goesOn }: MapOperation) {
  const view = map.type === 27 ? (map as RingBufferMap).view() : undefined
  let number = first
  return (action: (start: number) => void) => (): void => {
    action(number)
    if (goesOn) number = (number + PASS) | 0
    view?.setConsumerPosition(view.producerPosition())
  }
}

function measureOurs(
  subject: Subject,
  operation: MapOperation,
  options: BenchOptions,
): { wasmNs: number; jsNs: number } {
  const { memory, map, place } = prepare(subject, false)
  const places = place()
  const { shape: keys } = subject
  const { calls } = operation
  const loop = compileLoop(map, keys, places, calls, false)
  const run = instantiateLoop(loop, mapEngines(memory), memory.memory)
  const pass = passes(map, operation)
  const wasmNs = time(pass(run), options).bestNs / PASS
  const action = fromJs(map, places)
  const jsNs = time(
    pass((start) => {
      for (let n = start; n < start + PASS; n++) {
        memory.i32[(places.key + keys.word) >> 2] = Math.imul(n, keys.factor)
        for (const { helper } of calls) action(helper)
      }
    }),
    options,
  ).bestNs
  map.destroy()
  return { wasmNs, jsNs: jsNs / PASS }
}

/** The engines with locks: one thread, and two on the same map and keys. */
async function measureShared(
  subject: Subject,
  operation: MapOperation,
  options: BenchOptions,
): Promise<{ sharedNs: number; twoNs: number | undefined }> {
  const { memory, map, place } = prepare(subject, true)
  const loops = [place(), place()].map((places) =>
    compileLoop(map, subject.shape, places, operation.calls, true),
  )
  const run = instantiateLoop(loops[0], mapEngines(memory), memory.memory)
  const pass = passes(map, operation)
  const { bestNs } = time(pass(run), options)
  const alone = operation.goesOn || map.type === 27
  const barrier = memory.allocate(16)
  const count = Math.max(10, Math.ceil((5e7 * options.effort) / bestNs))
  const twoNs = alone
    ? undefined
    : await timeTwoThreads(loops, memory.memory, { first: operation.first, passes: count, barrier })
  return { sharedNs: bestNs / PASS, twoNs: twoNs === undefined ? undefined : twoNs / PASS }
}

/** A helper by its number, by way of the map object. */
function fromJs(map: BpfMap, { key, value }: { key: number; value: number }) {
  const ring = map as RingBufferMap
  const bloom = map.type === 30
  let sample = 0
  return (helper: number): void => {
    if (helper === 1) map.lookup(key)
    else if (helper === 2) map.update(key, value, 0)
    else if (helper === 3) map.delete(key)
    else if (helper === 87) map.push(bloom ? key : value, 0)
    else if (helper === 88) map.pop(value)
    else if (helper === 89) map.peek(bloom ? key : value)
    else if (helper === 131) sample = ring.reserve(64, 0)
    else ring.submit(sample, 1)
  }
}

export const bench: Bench = {
  name: "maps",
  question: "How many nanoseconds does a map operation take in a program, beside Linux's maps?",
  async run(options) {
    const refusal = linuxRefuses()
    const rows: Row[] = []
    for (const subject of subjects) rows.push(...(await measure(subject, options, refusal === 0)))
    const notes = [
      `passes of ${PASS} operations, the loop (1-2 ns) included on all sides; best of 21 samples, Linux of 7`,
      "wasm: engines that have the memory to themselves; shared: those with locks, as Linux's",
      "2 threads: nanoseconds of an operation in each of two threads, on the same keys",
    ]
    for (const column of ["wasm / linux", "shared / linux"]) {
      const ratios = rows.flatMap((row) => {
        const ratio = row[column]
        return typeof ratio === "number" ? [ratio] : []
      })
      if (ratios.length > 0)
        notes.push(`geometric mean of ${column}: ${geometricMean(ratios).toFixed(2)}`)
    }
    if (refusal !== 0) notes.push(`no Linux column: errno ${refusal}`)
    return { rows, notes }
  },
}
