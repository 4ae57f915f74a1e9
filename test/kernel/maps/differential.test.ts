/**
 * The same random operations on our maps and on Linux's, every result, errno and written byte
 * compared. Hash maps and bloom filters are zero-seeded, so that even their order (and their false
 * positives) must agree.
 */

import { expect, test } from "vitest"
import type { MapCreateAttr } from "../../../src/spec/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import {
  apply,
  describeOperation,
  fuzzFactor,
  type Operation,
  type Random,
  random,
  randomOperation,
  type Shape,
  seed,
  walk,
} from "./operations.ts"
import { agree, createBoth, createHost } from "./sides.ts"

const ZERO_SEED = 0x40
const NO_PREALLOC = 1
const NO_COMMON_LRU = 2

const OPERATIONS = 800
/** Steps at which the map is frozen (the second time in vain). */
const FREEZES: readonly number[] = [720, 760]

interface Row {
  readonly name: string
  readonly request: MapCreateAttr
  readonly key?: (random: Random) => Uint8Array
}

function request(
  map_type: number,
  key_size: number,
  value_size: number,
  max_entries: number,
  map_flags = 0,
  map_extra = 0n,
): MapCreateAttr {
  return { map_type, key_size, value_size, max_entries, map_flags, map_extra }
}

/** Keys out of a few more than fit. */
const few =
  (size: number, entries: number) =>
  (random: Random): Uint8Array => {
    const key = new Uint8Array(size).fill(random.below(2) * 7)
    key[0] = random.below(Math.min(250, entries + Math.ceil(entries / 4) + 2))
    return key
  }

const index =
  (entries: number) =>
  (random: Random): Uint8Array => {
    const key = new Uint8Array(4)
    const at = random.below(20) === 0 ? random.pick([entries, 0xffffffff]) : random.below(entries)
    new DataView(key.buffer).setUint32(0, at, true)
    return key
  }

/** Prefixes that nest: bytes out of three, any length, one too long now and then. */
const prefix =
  (size: number) =>
  (random: Random): Uint8Array => {
    const key = new Uint8Array(size)
    for (let at = 4; at < size; at++) key[at] = random.pick([0, 0x80, 0xc0, 0xff])
    const bits = (size - 4) * 8
    new DataView(key.buffer).setUint32(
      0,
      random.below(40) === 0 ? bits + 1 : random.below(bits + 1),
      true,
    )
    return key
  }

const rows: readonly Row[] = [
  { name: "array of u64", request: request(2, 4, 8, 7), key: index(7) },
  { name: "array of 13-byte values", request: request(2, 4, 13, 5), key: index(5) },
  { name: "array with one element", request: request(2, 4, 1, 1), key: index(1) },
  { name: "mmapable array", request: request(2, 4, 20, 9, 0x400), key: index(9) },
  { name: "read-only-for-programs array", request: request(2, 4, 4, 3, 0x80), key: index(3) },
  { name: "per-CPU array", request: request(6, 4, 8, 6), key: index(6) },
  { name: "per-CPU array of 5-byte values", request: request(6, 4, 5, 6), key: index(6) },
  { name: "hash u32 → u64", request: request(1, 4, 8, 16, ZERO_SEED), key: few(4, 16) },
  { name: "hash of one element", request: request(1, 4, 4, 1, ZERO_SEED), key: few(4, 1) },
  { name: "hash, 1-byte key", request: request(1, 1, 3, 10, ZERO_SEED), key: few(1, 10) },
  { name: "hash, 6-byte key", request: request(1, 6, 5, 33, ZERO_SEED), key: few(6, 33) },
  { name: "hash, 12-byte key", request: request(1, 12, 16, 8, ZERO_SEED), key: few(12, 8) },
  { name: "hash, 13-byte key", request: request(1, 13, 16, 20, ZERO_SEED), key: few(13, 20) },
  { name: "hash, 40-byte key", request: request(1, 40, 100, 20, ZERO_SEED), key: few(40, 20) },
  { name: "hash, 47-byte key", request: request(1, 47, 1, 50, ZERO_SEED), key: few(47, 50) },
  {
    name: "hash without preallocation",
    request: request(1, 8, 24, 17, ZERO_SEED | NO_PREALLOC),
    key: few(8, 17),
  },
  { name: "per-CPU hash", request: request(5, 4, 8, 9, ZERO_SEED), key: few(4, 9) },
  {
    name: "per-CPU hash of 3-byte values without preallocation",
    request: request(5, 5, 3, 12, ZERO_SEED | NO_PREALLOC),
    key: few(5, 12),
  },
  { name: "LRU hash with room", request: request(9, 4, 8, 1000, ZERO_SEED), key: few(4, 200) },
  {
    name: "LRU per-CPU hash with room",
    request: request(10, 4, 8, 1000, ZERO_SEED),
    key: few(4, 200),
  },
  {
    name: "LRU hash with lists per CPU and room",
    request: request(9, 4, 8, 1001, ZERO_SEED | NO_COMMON_LRU),
    key: few(4, 200),
  },
  { name: "LPM trie, 32 bits", request: request(11, 8, 4, 20, NO_PREALLOC), key: prefix(8) },
  { name: "LPM trie, 8 bits", request: request(11, 5, 1, 40, NO_PREALLOC), key: prefix(5) },
  { name: "LPM trie, 24 bits", request: request(11, 7, 9, 60, NO_PREALLOC), key: prefix(7) },
  { name: "LPM trie, 128 bits", request: request(11, 20, 8, 100, NO_PREALLOC), key: prefix(20) },
  { name: "queue", request: request(22, 0, 8, 5) },
  { name: "queue of one 3-byte value", request: request(22, 0, 3, 1) },
  { name: "stack", request: request(23, 0, 8, 5) },
  { name: "bloom filter", request: request(30, 0, 1, 30, ZERO_SEED) },
  { name: "bloom filter, 3 hashes", request: request(30, 0, 2, 50, ZERO_SEED, 3n) },
  { name: "ring buffer", request: request(27, 0, 0, 4096) },
  { name: "arena", request: request(33, 0, 0, 4, 0x400) },
  { name: "user ring buffer", request: request(31, 0, 0, 8192) },
  { name: "stack traces, none stored", request: request(7, 4, 80, 10), key: index(16) },
  { name: "cpumap", request: request(16, 4, 4, 4), key: index(4) },
  { name: "devmap", request: request(14, 4, 4, 4), key: index(4) },
  { name: "devmap with programs", request: request(14, 4, 8, 4), key: index(4) },
  { name: "devmap hash", request: request(25, 4, 4, 4), key: few(4, 5) },
  { name: "xskmap, no sockets", request: request(17, 4, 4, 4), key: index(4) },
  { name: "cgroup array, no cgroups", request: request(8, 4, 4, 4), key: index(4) },
  { name: "perf event array, no events", request: request(4, 4, 4, 4), key: index(4) },
  { name: "prog array, no programs", request: request(3, 4, 4, 4), key: index(4) },
]

const linux = requirement.linux()

describeWith([linux], `random operations agree with Linux (seed ${seed})`, () => {
  test.each(rows)("$name", (row) => {
    for (let round = 0; round < fuzzFactor; round++) compare(row, seed + round)
  })
})

function compare(row: Row, roundSeed: number): void {
  const host = createHost({ seed: roundSeed })
  const { ours, linux: theirs, map } = createBoth(host, row.request)
  const source = random(roundSeed)
  const shape: Shape = {
    keySize: map.keySize,
    syscallValueSize: map.syscallValueSize,
    maxEntries: Math.min(map.maxEntries, 100),
    key: row.key ?? (() => new Uint8Array(map.keySize)),
  }
  try {
    for (let step = 0; step < OPERATIONS; step++) {
      const operation: Operation = FREEZES.includes(step)
        ? { op: "freeze" }
        : tame(row, randomOperation(shape, source))
      const message = (): string =>
        `seed ${roundSeed}, step ${step}: ${describeOperation(operation)}`
      const expected = apply(theirs, operation)
      agree(apply(ours, operation), expected, message)
      if (step % 50 === 0) expect(walk(ours, 1000), message()).toEqual(walk(theirs, 1000))
    }
  } finally {
    ours.close()
    theirs.close()
  }
}

/** Values that mean the same on both kernels: only file descriptors that are none, no devices. */
function tame(row: Row, operation: Operation): Operation {
  const type = row.request.map_type
  if (operation.op !== "update" || operation.value === undefined) return operation
  const words = new DataView(operation.value.buffer)
  if (type === 16) words.setUint32(0, words.getUint32(0, true) % 20_000, true)
  if (type === 14 || type === 25) {
    // Interface 1 is the loopback device everywhere; without a resolver we have every other one.
    words.setUint32(0, words.getUint8(0) % 4 === 0 ? 0 : 1, true)
    if (operation.value.length > 4) words.setInt32(4, -words.getUint8(4) % 2, true)
  }
  if ([3, 4, 8, 17].includes(type)) words.setInt32(0, -1, true)
  return operation
}
