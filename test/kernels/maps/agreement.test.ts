/**
 * One random sequence of operations on three maps: ours, Linux's and a plain JavaScript model. All
 * results, errno, values and sets of keys must be equal; the order of keys too, where Linux
 * defines it. Look-ups are made twice on our side, by the system call and by the export that
 * compiled programs call.
 *
 * Hash maps have random seeds here, so the hashes that are ours alone are in use.
 */

import { expect, test } from "vitest"
import { engineCall, mapEngines } from "../../../src/kernel/maps/engines.ts"
import { type BpfMap, createMap, type MapHost } from "../../../src/kernel/maps/index.ts"
import type { MapCreateAttr } from "../../../src/spec/index.ts"
import { fuzzFactor, type Random, random, seed, walk } from "../../kernel/maps/operations.ts"
import { createHost, linuxCreate, linuxSide, ourSide, type Side } from "../../kernel/maps/sides.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { arrayModel, hashModel, lpmModel, type MapModel } from "./models.ts"

/** Of each type; SKEP_FUZZ=200 makes 100,000. */
const OPERATIONS = 500
const NO_PREALLOC = 1
const LOOKUP_HELPER = 1

interface Row {
  readonly name: string
  readonly request: MapCreateAttr
  readonly model: (percpuBytes: number) => MapModel
  readonly key: (random: Random) => Uint8Array
}

function request(numbers: readonly number[]): MapCreateAttr {
  const [map_type, key_size, value_size, max_entries, map_flags = 0] = numbers
  return { map_type, key_size, value_size, max_entries, map_flags }
}

function array(name: string, numbers: readonly number[]): Row {
  const [, , , entries] = numbers
  return {
    name,
    request: request(numbers),
    model: (bytes) => arrayModel(entries, bytes),
    key: ({ below }) => word(below(entries + 2)),
  }
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer)
}

/** Keys that differ in any word, and now and then in one bit. */
function hash(name: string, numbers: readonly number[], keys = 0): Row {
  const [, size, , entries] = numbers
  const few = keys || entries + Math.ceil(entries / 3)
  return {
    name,
    request: request(numbers),
    model: () => hashModel(entries),
    key: ({ below }) => {
      const n = below(few)
      const key = new Uint8Array(size).fill(n & 1 ? 0xff : 0)
      key[(n * 7) % size] = n
      key[size - 1] ^= n >> 3
      return key
    },
  }
}

function lpm(name: string, numbers: readonly number[], bytes: readonly number[]): Row {
  const [, size, , entries] = numbers
  return {
    name,
    request: request(numbers),
    model: () => lpmModel(entries, size),
    key({ below, pick }) {
      const key = new Uint8Array(size)
      const bits = (size - 4) * 8
      for (let at = 4; at < size; at++) key[at] = pick(bytes)
      key.set(word(below(3) === 0 ? bits : below(bits + 1)))
      return key
    },
  }
}

const rows: readonly Row[] = [
  array("array", [2, 4, 8, 9]),
  array("array of large values", [2, 4, 200, 5]),
  array("per-CPU array", [6, 4, 16, 7]),
  hash("hash, 2-byte key", [1, 2, 8, 20]),
  hash("hash, 4-byte key", [1, 4, 8, 30]),
  hash("hash, 8-byte key", [1, 8, 4, 30]),
  hash("hash, 12-byte key", [1, 12, 12, 30]),
  hash("hash, 16-byte key", [1, 16, 16, 30]),
  hash("hash, 20-byte key", [1, 20, 1, 30]),
  hash("hash, 64-byte key", [1, 64, 24, 30]),
  hash("hash, 68-byte key", [1, 68, 24, 30]),
  hash("hash of one element", [1, 4, 8, 1]),
  hash("hash without preallocation", [1, 16, 40, 200, NO_PREALLOC]),
  hash("per-CPU hash", [5, 4, 8, 20]),
  hash("per-CPU hash, 16-byte key, without preallocation", [5, 16, 24, 20, NO_PREALLOC]),
  hash("LRU hash with room", [9, 4, 8, 1000], 200),
  hash("LRU hash, 16-byte key, with room", [9, 16, 8, 1000], 200),
  hash("LRU per-CPU hash with room", [10, 8, 8, 1000], 200),
  lpm("LPM trie, 8 bits", [11, 5, 4, 300, NO_PREALLOC], [0, 1, 2, 3, 0x80, 0xfe, 0xff]),
  lpm("LPM trie, 32 bits, nested", [11, 8, 8, 150, NO_PREALLOC], [0, 0x80, 0xff]),
  lpm("LPM trie, 32 bits, spread", [11, 8, 8, 100, NO_PREALLOC], [1, 2, 3, 5, 8, 13, 21, 34]),
  lpm("LPM trie, 40 bits", [11, 9, 8, 100, NO_PREALLOC], [0, 1, 0xff]),
  lpm("LPM trie, 128 bits", [11, 20, 8, 200, NO_PREALLOC], [0, 1]),
]

describeWith(
  [requirement.linux()],
  `ours, Linux's and the model's maps agree (seed ${seed})`,
  () => {
    test.each(rows)("$name", (row) => compare(row))
  },
)

/** What a compiled program finds under a key: the value in hex, or undefined. */
function programLookup(host: MapHost, map: BpfMap): (key: Uint8Array) => string | undefined {
  const call = engineCall(LOOKUP_HELPER, map)
  if (call === undefined) throw new Error("no engine answers the look-up")
  const lookup = mapEngines(host.memory).exports[call.name] as (map: number, key: number) => number
  const block = host.memory.allocate(128)
  return (key) => {
    host.memory.write(block + 1, key)
    const value = lookup(map.address, block + 1)
    if (value === 0) return undefined
    return Buffer.from(host.memory.read(value, map.valueSize)).toString("hex")
  }
}

function compare(row: Row): void {
  const source = random(seed)
  const host = createHost({ seed })
  const map = createMap(host, row.request, { index: 1 })
  if (typeof map === "number") throw new Error(`our map was refused: ${map}`)
  const linux = linuxSide(linuxCreate(row.request), map)
  const ours = ourSide(map)
  const model = row.model(map.syscallValueSize)
  const program = programLookup(host, map)
  try {
    for (let step = 0; step < OPERATIONS * fuzzFactor; step++) {
      const at = `seed ${seed}, step ${step}`
      const key = row.key(source)
      const kind = source.below(20)
      if (kind < 8) {
        const value = source.bytes(map.syscallValueSize)
        const flags = source.pick([0, 0, 0, 1, 2])
        const expected = model.update(key, value, flags)
        expect(ours.update(key, value, BigInt(flags)).result, at).toBe(expected)
        expect(linux.update(key, value, BigInt(flags)).result, at).toBe(expected)
      } else if (kind < 13) {
        const expected = model.lookup(key)
        const found = program(key)
        if (found !== expected?.slice(0, found?.length)) expect(found, at).toBe(expected)
        for (const side of [ours, linux]) checkLookup(side, key, expected, at)
      } else if (kind < 17) {
        const expected = model.delete(key)
        expect(ours.delete(key).result, at).toBe(expected)
        expect(linux.delete(key).result, at).toBe(expected)
      } else if (kind < 19) {
        const expected = model.lookupAndDelete(key)
        for (const side of [ours, linux]) {
          const { result, value } = side.lookupAndDelete(key, 0n)
          expect(result, at).toBe(expected.result)
          if (expected.value !== undefined) expect(value, at).toBe(expected.value)
        }
      } else if (source.below(5) === 0) checkKeys({ ours, linux, model }, at)
    }
    checkKeys({ ours, linux, model }, `seed ${seed}, at the end`)
  } finally {
    linux.close()
    map.destroy()
  }
  expect(host.memory.allocatedBytes).toBe(128)
}

function checkLookup(side: Side, key: Uint8Array, expected: string | undefined, at: string): void {
  const { result, value } = side.lookup(key, 0n)
  if ((result === 0 ? value : undefined) !== expected)
    expect({ result, value }, at).toEqual({ result: 0, value: expected })
}

function checkKeys(sides: { ours: Side; linux: Side; model: MapModel }, at: string): void {
  const expected = sides.model.keys()
  for (const side of [sides.ours, sides.linux]) {
    const keys = walk(side, 10_000)
    if (!sides.model.ordered) keys.sort()
    expect(keys, at).toEqual(sides.model.ordered ? expected : [...expected].sort())
  }
}
