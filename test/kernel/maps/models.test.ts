/** Random operations, by programs and system calls in turn, against plain JavaScript models. */

import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type BpfMap,
  createMap,
  type MapHost,
  type MapOptions,
} from "../../../src/kernel/maps/index.ts"
import type { MapCreateAttr } from "../../../src/spec/index.ts"
import { arrayModel, hashModel, lpmModel, type Model } from "./models.ts"
import { fuzzFactor, seed, walk } from "./operations.ts"
import { createHost, hex, ourSide } from "./sides.ts"

interface Row {
  readonly name: string
  readonly request: MapCreateAttr
  readonly model: () => Model
  readonly key: fc.Arbitrary<Uint8Array>
}

const bytesOf = (values: readonly number[]): Uint8Array => Uint8Array.from(values)

const smallKey = (size: number): fc.Arbitrary<Uint8Array> =>
  fc.nat(20).map((first) => bytesOf([first, ...new Array<number>(size - 1).fill(first & 1)]))

const prefixKey = (dataSize: number): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.nat(dataSize * 8),
      fc.array(fc.constantFrom(0, 0x80, 0xff), { minLength: dataSize, maxLength: dataSize }),
    )
    .map(([length, data]) => bytesOf([length & 0xff, length >> 8, 0, 0, ...data]))

function create(host: MapHost, request: MapCreateAttr, options?: Partial<MapOptions>): BpfMap {
  const map = createMap(host, request, { index: 1, ...options })
  if (typeof map === "number") throw new Error(`the map was refused: ${map}`)
  return map
}

const rows: readonly Row[] = [
  {
    name: "array",
    request: { map_type: 2, key_size: 4, value_size: 5, max_entries: 7 },
    model: () => arrayModel(7, 5),
    key: fc.nat(8).map((index) => bytesOf([index, 0, 0, 0])),
  },
  ...[0, 1].map((flags) => ({
    name: flags === 0 ? "hash" : "hash without preallocation",
    request: { map_type: 1, key_size: 7, value_size: 9, max_entries: 12, map_flags: flags },
    model: () => hashModel(12),
    key: smallKey(7),
  })),
  {
    name: "LRU hash with room",
    request: { map_type: 9, key_size: 4, value_size: 4, max_entries: 500 },
    model: () => hashModel(500),
    key: smallKey(4),
  },
  ...[1, 4, 16].map((dataSize) => ({
    name: `LPM trie of ${dataSize * 8} bits`,
    request: {
      map_type: 11,
      key_size: 4 + dataSize,
      value_size: 4,
      max_entries: 12,
      map_flags: 1,
    },
    model: () => lpmModel(12, 4 + dataSize),
    key: prefixKey(dataSize),
  })),
]

describe(`maps agree with their models (seed ${seed})`, () => {
  test.each(rows)("$name", (row) => {
    const operation = fc.record({
      op: fc.constantFrom("update", "update", "lookup", "delete"),
      program: fc.boolean(),
      key: row.key,
      fill: fc.nat(255),
      flags: fc.constantFrom(0, 0, 0, 1, 2, 3),
      offset: fc.nat(7),
    })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const host = createHost()
        const map = create(host, row.request)
        const model = row.model()
        const block = host.memory.allocate(256)
        for (const { op, program, key, fill, flags, offset } of operations) {
          const at = block + offset
          const value = new Uint8Array(map.valueSize).fill(fill)
          host.memory.write(at, key)
          host.memory.write(at + 128, value)
          if (op === "update") {
            const result = program
              ? map.update(at, at + 128, flags)
              : map.updateElem(key, value, BigInt(flags))
            expect(result).toBe(model.update(key, value, flags))
          } else if (op === "delete") {
            expect(program ? map.delete(at) : map.deleteElem(key)).toBe(model.delete(key))
          } else if (program) {
            const found = map.lookup(at)
            const text = found === 0 ? undefined : hex(host.memory.read(found, map.valueSize))
            expect(text).toBe(model.lookup(key))
          } else {
            const result = map.lookupElem(key, value, 0n)
            expect(result === 0 ? hex(value) : undefined).toBe(model.lookup(key))
          }
        }
        const keys = walk(ourSide(map), 1000)
        if (model.ordered) expect(keys).toEqual(model.keys())
        else expect(keys.sort()).toEqual(model.keys().sort())
      }),
      { seed, numRuns: 40 * fuzzFactor },
    )
  })
})

describe("an LRU hash", () => {
  test.each([
    { name: "common lists", flags: 0 },
    { name: "lists per CPU", flags: 2 },
  ])("never holds more than fit, and keeps what is used all the time ($name)", ({ flags }) => {
    const entries = 300
    const host = createHost()
    const request = {
      map_type: 9,
      key_size: 4,
      value_size: 4,
      max_entries: entries,
      map_flags: flags,
    }
    const map = create(host, request)
    const block = host.memory.allocate(16)
    const hot = Array.from({ length: 10 }, (_, index) => 1_000_000 + index)
    const put = (key: number): number => {
      host.memory.i32[block >> 2] = key
      host.memory.i32[(block + 8) >> 2] = key
      return map.update(block, block + 8, 0)
    }
    for (const key of hot) expect(put(key)).toBe(0)
    for (let key = 0; key < 5000; key++) {
      expect(put(key)).toBe(0)
      for (const used of hot) {
        host.memory.i32[block >> 2] = used
        expect(map.lookup(block), `key ${used} after ${key}`).not.toBe(0)
      }
      if (key % 500 === 0) expect(walk(ourSide(map), 2000).length).toBeLessThanOrEqual(entries)
    }
  })

  test("with lists per CPU its size is a multiple of the CPUs", () => {
    const request = { map_type: 9, key_size: 4, value_size: 4, max_entries: 3, map_flags: 2 }
    expect(create(createHost(), request).maxEntries).toBe(4)
  })
})

describe("a value's address", () => {
  test("keeps the old value when a hash element is updated", () => {
    const host = createHost()
    const map = create(host, { map_type: 1, key_size: 4, value_size: 4, max_entries: 2 })
    const block = host.memory.allocate(16)
    host.memory.i32[(block + 8) >> 2] = 111
    map.update(block, block + 8, 0)
    const old = map.lookup(block)
    host.memory.i32[(block + 8) >> 2] = 222
    map.update(block, block + 8, 0)
    expect(host.memory.i32[old >> 2]).toBe(111)
    expect(host.memory.i32[map.lookup(block) >> 2]).toBe(222)
  })

  test.each([
    { map_type: 1, key_size: 4, value_size: 4, max_entries: 5000, map_flags: 1 },
    { map_type: 1, key_size: 4, value_size: 4, max_entries: 50 },
    { map_type: 9, key_size: 4, value_size: 4, max_entries: 50 },
    { map_type: 11, key_size: 8, value_size: 4, max_entries: 5000, map_flags: 1 },
    { map_type: 2, key_size: 4, value_size: 4, max_entries: 50 },
  ])("lies in the map's value region (type $map_type, flags $map_flags)", (request) => {
    const host = createHost()
    const map = create(host, request)
    const block = host.memory.allocate(16)
    for (let key = 0; key < Math.min(request.max_entries, 2000); key++) {
      // For the trie: a prefix of 32 bits.
      host.memory.i32[block >> 2] = request.map_type === 11 ? 32 : key
      host.memory.i32[(block + 4) >> 2] = key
      expect(map.update(block, block + 8, 0)).toBe(0)
      const value = map.lookup(block)
      expect(value).toBeGreaterThanOrEqual(host.memory.regionStart[map.valueRegion])
      expect(value + 4).toBeLessThanOrEqual(host.memory.regionEnd[map.valueRegion])
    }
  })

  test("has the rights that the map's flags give programs", () => {
    const host = createHost()
    const rights = (flags: number): number => {
      const request = { map_type: 2, key_size: 4, value_size: 4, max_entries: 1 }
      const map = create(host, { ...request, map_flags: flags })
      return host.memory.regionFlags[map.valueRegion]
    }
    expect([rights(0), rights(0x80), rights(0x100)]).toEqual([3, 1, 2])
  })
})

describe("kernel-owned fields of a value", () => {
  const fields = [{ kind: "spin_lock", offset: 4, size: 4 }]
  const request = (map_type: number): MapCreateAttr => ({
    map_type,
    key_size: 4,
    value_size: 12,
    max_entries: 4,
  })

  test.each([1, 2, 9])("are not written, and read as zeros (type %d)", (type) => {
    const host = createHost()
    const map = create(host, request(type), { fields })
    const key = new Uint8Array(4)
    expect(map.updateElem(key, new Uint8Array(12).fill(9), 0n)).toBe(0)
    const block = host.memory.allocate(8)
    const value = map.lookup(block)
    expect(hex(host.memory.read(value, 12))).toBe("090909090000000009090909")
    host.memory.i32[(value + 4) >> 2] = 1
    const out = new Uint8Array(12)
    expect(map.lookupElem(key, out, 0n)).toBe(0)
    expect(hex(out)).toBe("090909090000000009090909")
  })

  test.each([1, 2])("a spin lock allows BPF_F_LOCK, which updates in place (type %d)", (type) => {
    const host = createHost()
    const map = create(host, request(type), { fields })
    const key = new Uint8Array(4)
    expect(map.updateElem(key, new Uint8Array(12).fill(1), 0n)).toBe(0)
    const block = host.memory.allocate(8)
    const value = map.lookup(block)
    expect(map.updateElem(key, new Uint8Array(12).fill(2), 4n)).toBe(0)
    expect(map.lookup(block)).toBe(value)
    const out = new Uint8Array(12)
    expect(map.lookupElem(key, out, 4n)).toBe(0)
    expect(hex(out)).toBe("020202020000000002020202")
  })

  test("are released with their element", () => {
    const host = createHost()
    const released: number[] = []
    const release = (value: number): number => released.push(value)
    const map = create(host, request(1), { fields, release })
    const key = new Uint8Array(4)
    map.updateElem(key, new Uint8Array(12), 0n)
    const block = host.memory.allocate(8)
    const first = map.lookup(block)
    map.updateElem(key, new Uint8Array(12), 0n)
    const second = map.lookup(block)
    map.deleteElem(key)
    map.updateElem(key, new Uint8Array(12), 0n)
    const third = map.lookup(block)
    map.destroy()
    expect(released).toEqual([first, second, third])
  })
})

describe("forEach", () => {
  test.each([
    { map_type: 2, key_size: 4, value_size: 4, max_entries: 5 },
    { map_type: 6, key_size: 4, value_size: 4, max_entries: 5 },
    { map_type: 1, key_size: 4, value_size: 4, max_entries: 5 },
    { map_type: 5, key_size: 4, value_size: 4, max_entries: 5 },
    { map_type: 9, key_size: 4, value_size: 4, max_entries: 500 },
  ])("visits each element once and stops when told (type $map_type)", (request) => {
    const host = createHost({ cpu: () => 1 })
    const map = create(host, request)
    const block = host.memory.allocate(16)
    for (let key = 0; key < 5; key++) {
      host.memory.i32[block >> 2] = key
      host.memory.i32[(block + 8) >> 2] = 100 + key
      expect(map.update(block, block + 8, 0)).toBe(0)
    }
    const seen: number[][] = []
    const visit = (key: number, value: number): number => {
      seen.push([host.memory.i32[key >> 2], host.memory.i32[value >> 2]])
      return 0
    }
    expect(map.forEach(visit)).toBe(5)
    expect(seen.sort((a, b) => a[0] - b[0])).toEqual([0, 1, 2, 3, 4].map((key) => [key, 100 + key]))
    let calls = 0
    const stopAtThird = (): number => (++calls === 3 ? 1 : 0)
    expect(map.forEach(stopAtThird)).toBe(3)
  })

  test("a callback may delete the element that it sees", () => {
    const host = createHost()
    const map = create(host, { map_type: 1, key_size: 4, value_size: 4, max_entries: 100 })
    for (let key = 0; key < 100; key++)
      map.updateElem(Uint8Array.of(key, 0, 0, 0), new Uint8Array(4), 0n)
    const remove = (key: number): number => map.delete(key)
    expect(map.forEach(remove)).toBe(100)
    expect(walk(ourSide(map), 10)).toEqual([])
  })
})

describe("a bloom filter with a seed of its own", () => {
  test.each([
    { valueSize: 4, hashes: 0n },
    { valueSize: 8, hashes: 3n },
    { valueSize: 13, hashes: 5n },
    { valueSize: 64, hashes: 1n },
  ])("$valueSize bytes: forgets nothing and seldom invents", ({ valueSize, hashes }) => {
    const entries = 2000
    const map = create(createHost(), {
      map_type: 30,
      key_size: 0,
      value_size: valueSize,
      max_entries: entries,
      map_extra: hashes,
    })
    const value = (n: number): Uint8Array => {
      const bytes = new Uint8Array(valueSize).fill(n >> 4)
      new DataView(bytes.buffer).setUint32(valueSize - 4, n, true)
      return bytes
    }
    for (let n = 0; n < entries; n++) expect(map.updateElem(undefined, value(n), 0n)).toBe(0)
    for (let n = 0; n < entries; n++) expect(map.lookupElem(undefined, value(n), 0n)).toBe(0)
    let invented = 0
    const asked = 10_000
    for (let n = entries; n < entries + asked; n++)
      if (map.lookupElem(undefined, value(n), 0n) === 0) invented++
    // As many bits as there are, half of them set at most: 2^-hashes, and some luck.
    expect(invented / asked).toBeLessThan(1.3 * 2 ** -Number(hashes || 5n))
  })
})
