/**
 * Two threads on one map in shared memory. Each checks what it alone has put there against a model
 * while the other one is at work in the same buckets, lists and locks; at the end nothing may be
 * lost, counted twice or leaked. SKEP_FUZZ=1000 makes 10^8 operations.
 */

import { Worker } from "node:worker_threads"
import { afterAll, describe, expect, test } from "vitest"
import { sharedEnginesModule } from "../../../src/kernel/maps/engines.ts"
import { createMap, type RingBufferMap } from "../../../src/kernel/maps/index.ts"
import { createKernelMemory } from "../../../src/kernel/memory/index.ts"
import { createRandom } from "../../../src/kernel/random.ts"
import { CPU_WORD, CPU_WORD_BYTES } from "../../../src/wasm/maps/layout.ts"
import { fuzzFactor, seed, walk } from "./operations.ts"
import { ourSide } from "./sides.ts"

const CPUS = 2
/** Of both threads together, for each map type. */
const OPERATIONS = 100_000 * fuzzFactor
const COMMON_KEYS = 8

const memory = createKernelMemory({ shared: true, initialBytes: 2 ** 24 })
const host = { memory, cpus: CPUS, currentCpu: () => 0, random32: createRandom(seed) }
const before = memory.allocatedBytes

interface Result {
  readonly added?: number
  readonly live?: number
  readonly sum?: number
  readonly count?: number
  readonly sent?: number
}

function create(numbers: readonly number[]) {
  const [map_type, key_size, value_size, max_entries, map_flags = 0] = numbers
  const request = { map_type, key_size, value_size, max_entries, map_flags }
  const map = createMap(host, request, { index: 1 })
  if (typeof map === "number") throw new Error(`the map was refused: ${map}`)
  return map
}

/** Runs both threads; `meanwhile` is called now and then until they are done. */
async function runBoth(
  map: { address: number; type: number; keySize: number },
  meanwhile?: () => void,
): Promise<Result[]> {
  const timer = meanwhile === undefined ? undefined : setInterval(meanwhile, 1)
  const barrier = memory.allocate(16)
  const scratches = [barrier]
  const workers: Worker[] = []
  const threads = Array.from({ length: CPUS }, (_, cpu) => {
    const scratch = memory.allocate(256)
    scratches.push(scratch)
    return new Promise<Result>((resolve, reject) => {
      const worker = new Worker(new URL("./soak-worker.mjs", import.meta.url), {
        workerData: {
          module: sharedEnginesModule(),
          memory: memory.memory,
          map: map.address,
          type: map.type,
          keySize: map.keySize,
          // The main thread is CPU 0 too, but does nothing meanwhile.
          cpu,
          cpuWord: CPU_WORD + CPU_WORD_BYTES * (cpu + 1),
          operations: OPERATIONS / CPUS,
          seed,
          scratch,
          barrier,
        },
      })
      workers.push(worker)
      worker.once("error", reject)
      worker.once("message", ({ result, error }: { result?: Result; error?: string }) => {
        if (result === undefined) reject(new Error(error))
        else resolve(result)
      })
    })
  })
  try {
    return await Promise.all(threads)
  } finally {
    clearInterval(timer)
    await Promise.all(workers.map((worker) => worker.terminate()))
    for (const scratch of scratches) memory.free(scratch)
  }
}

const total = (results: readonly Result[], field: keyof Result): number =>
  results.reduce((sum, result) => sum + (result[field] ?? 0), 0)

function commonKey(n: number, size: number): Uint8Array {
  const words = new Uint32Array(size / 4).fill(n)
  words[0] = (0x7f000000 | n) >>> 0
  return new Uint8Array(words.buffer)
}

describe(`two threads on one map (seed ${seed})`, () => {
  afterAll(() => {
    expect(memory.allocatedBytes).toBe(before)
  })

  test.each([
    { name: "hash", numbers: [1, 4, 8, 700] },
    { name: "hash of 16-byte keys", numbers: [1, 16, 8, 700] },
    { name: "hash of 20-byte keys", numbers: [1, 20, 8, 700, 1] },
    { name: "hash of few buckets", numbers: [1, 8, 8, 700] },
  ])("$name: own keys are exact and counters lose nothing", async ({ numbers }) => {
    const map = create(numbers)
    for (let n = 0; n < COMMON_KEYS; n++)
      map.updateElem(commonKey(n, map.keySize), new Uint8Array(8), 0n)
    const results = await runBoth(map)
    let counted = 0
    const value = new Uint8Array(8)
    for (let n = 0; n < COMMON_KEYS; n++) {
      expect(map.lookupElem(commonKey(n, map.keySize), value, 0n)).toBe(0)
      counted += new DataView(value.buffer).getUint32(0, true)
    }
    expect(counted).toBe(total(results, "added"))
    const keys = walk(ourSide(map), 10_000)
    expect(keys.length).toBe(total(results, "live") + COMMON_KEYS)
    expect(new Set(keys).size).toBe(keys.length)
    // Every element is still to be had: the map can be filled to the brim.
    for (let n = 0; keys.length + n < map.maxEntries; n++) {
      const key = new Uint8Array(map.keySize).fill(0x33)
      new DataView(key.buffer).setUint16(0, n, true)
      expect(map.updateElem(key, value, 0n)).toBe(0)
    }
    expect(map.updateElem(new Uint8Array(map.keySize).fill(0x44), value, 0n)).toBe(-7)
    map.destroy()
  })

  test("an LRU hash holds whole elements, no more than fit, and all of them again", async () => {
    const map = create([9, 4, 8, 500])
    await runBoth(map)
    const keys = walk(ourSide(map), 10_000)
    expect(keys.length).toBeLessThanOrEqual(500)
    const value = new Uint8Array(8)
    for (const text of keys) {
      const key = Uint8Array.from(Buffer.from(text, "hex"))
      expect(map.lookupElem(key, value, 0n)).toBe(0)
      const n = new DataView(key.buffer).getUint32(0, true) & 0xffffff
      const view = new DataView(value.buffer)
      expect([view.getInt32(0, true), view.getInt32(4, true)]).toEqual([n, ~n])
      expect(map.deleteElem(key)).toBe(0)
    }
    for (let n = 0; n < 5000; n++) {
      const key = new Uint8Array(Uint32Array.of(n).buffer)
      expect(map.updateElem(key, value, 0n)).toBe(0)
    }
    // Each CPU may hold a stock of free nodes.
    expect(walk(ourSide(map), 10_000).length).toBeGreaterThan(500 - 2 * 128 - 1)
    map.destroy()
  })

  test("an LPM trie answers each thread as if it were alone", async () => {
    const map = create([11, 8, 8, 2000, 1])
    const results = await runBoth(map)
    expect(walk(ourSide(map), 10_000).length).toBe(total(results, "live"))
    map.destroy()
  })

  test.each([
    { name: "queue", type: 22 },
    { name: "stack", type: 23 },
  ])("a $name loses nothing and gives nothing twice", async ({ type }) => {
    const map = create([type, 0, 8, 50])
    const results = await runBoth(map)
    let sum = total(results, "sum")
    let count = total(results, "count")
    const value = new Uint8Array(8)
    while (map.lookupAndDeleteElem(undefined, value, 0n) === 0) {
      sum -= new DataView(value.buffer).getInt32(0, true)
      count--
    }
    expect({ sum, count }).toEqual({ sum: 0, count: 0 })
    map.destroy()
  })

  test("a ring buffer delivers every record once, in the order of each thread", async () => {
    const map = create([27, 0, 0, 65_536]) as unknown as RingBufferMap
    const ring = map.view()
    const next = [0, 0]
    const drain = (): void => {
      const words = memory.i32
      for (let at = ring.consumerPosition(); at < ring.producerPosition(); ) {
        const record = map.view().data().byteOffset + (at & (ring.size - 1))
        const header = Atomics.load(words, record >> 2)
        if (header < 0) break
        if ((header & 0x40000000) === 0) {
          const cpu = words[(record + 8) >> 2]
          expect(words[(record + 12) >> 2]).toBe(next[cpu]++)
        }
        at += ((header & 0x3fffffff) + 15) & ~7
        ring.setConsumerPosition(at)
      }
    }
    const results = await runBoth(map, drain)
    drain()
    expect(next).toEqual(results.map(({ sent }) => sent))
    map.destroy()
  })

  test.each([
    { name: "array", numbers: [2, 4, 8, COMMON_KEYS], percpu: false },
    { name: "per-CPU array", numbers: [6, 4, 8, COMMON_KEYS], percpu: true },
    { name: "per-CPU hash", numbers: [5, 4, 8, COMMON_KEYS], percpu: true },
  ])("counts in a $name add up", async ({ numbers, percpu }) => {
    const map = create(numbers)
    const keys = Array.from({ length: COMMON_KEYS }, (_, n) =>
      numbers[0] === 5 ? commonKey(n, 4) : new Uint8Array(Uint32Array.of(n).buffer),
    )
    for (const key of keys) map.updateElem(key, new Uint8Array(map.syscallValueSize), 0n)
    const results = await runBoth(map)
    const sums = [0, 0]
    for (const key of keys) {
      const value = new Uint8Array(map.syscallValueSize)
      map.lookupElem(key, value, 0n)
      for (let cpu = 0; cpu < value.length / 8; cpu++)
        sums[cpu] += new DataView(value.buffer).getUint32(cpu * 8, true)
    }
    if (percpu) expect(sums).toEqual(results.map(({ added }) => added))
    else expect(sums[0]).toBe(total(results, "added"))
    map.destroy()
  })

  test("a bloom filter forgets nothing", async () => {
    const map = create([30, 0, 4, 1000])
    await runBoth(map)
    for (let cpu = 0; cpu < CPUS; cpu++)
      for (let n = 0; n < 500; n++) {
        const value = new Uint8Array(Uint32Array.of((cpu << 24) | n).buffer)
        expect(map.lookupElem(undefined, value, 0n)).toBe(0)
      }
    map.destroy()
  })
})
