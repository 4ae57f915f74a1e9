/**
 * Buckets and chains that all hash maps share (linux v6.18 kernel/bpf/hashtab.c).
 *
 *   data ──▶ bucket 0 │ bucket 1 │ …       each: u32, the newest element of the chain, or 0; and
 *                                          with threads a u32 guard (threads-shared.ts)
 *
 *   element ──▶ -16  LRU only: previous, next, state, CPU (lru-list.ts)
 *                 0  next in the chain (in a free element: next free one)
 *                 4  hash
 *                 8  key, padded to 8
 *   value offset ▶  value, padded to 8; for per-CPU maps one copy after another
 *
 * Two hashes. A zero-seeded map has Linux's, so that it is walked in the order in which Linux
 * walks it. Where the order is nobody's business, keys of up to 16 whole words are hashed by
 * multiply-shift with coefficients drawn from the seed: the upper half of the 64-bit sum of
 * factor × word, which is strongly universal (Dietzfelbinger, "Universal hashing and k-wise
 * independent random variables via integer arithmetic without primes", 1996).
 */

import { jhash, same } from "./bytes.ts"
import {
  ELEMENT_HASH,
  ELEMENT_KEY,
  HASH_ADDEND,
  HASH_FACTOR_0,
  HASH_FACTOR_1,
  HASH_FACTOR_2,
  HASH_FACTOR_3,
  HASH_WORDS_MAX,
  MAP_DATA,
  MAP_KEY_SIZE,
  MAP_KEY_WORDS,
  MAP_MASK,
  MAP_SEED,
} from "./layout.ts"
import { BUCKET_SHIFT, bucketChanged, readBucket } from "./threads.ts"

/** A 64-bit constant: literals of that size are no numbers in JavaScript's eyes. */
export function wide(high: u64, low: u64): u64 {
  return (high << 32) | low
}

/** Draws the coefficients of a map from its seed (splitmix64). */
export function hashSeed(map: u32): void {
  let state: u64 = <u64>load<u32>(map, MAP_SEED) * wide(0x9e3779b9, 0x7f4a7c15)
  const end: u32 = HASH_FACTOR_0 + 8 * HASH_WORDS_MAX
  for (let at: u32 = HASH_ADDEND; at < end; at += 8) {
    state += wide(0x9e3779b9, 0x7f4a7c15)
    let mixed = state
    mixed = (mixed ^ (mixed >> 30)) * wide(0xbf58476d, 0x1ce4e5b9)
    mixed = (mixed ^ (mixed >> 27)) * wide(0x94d049bb, 0x133111eb)
    store<u64>(map + at, mixed ^ (mixed >> 31))
  }
}

// @inline
function hash4(map: u32, word: u32): u32 {
  return <u32>((load<u64>(map, HASH_FACTOR_0) * word + load<u64>(map, HASH_ADDEND)) >> 32)
}

// @inline
function hash8(map: u32, first: u64, second: u64): u32 {
  const sum =
    load<u64>(map, HASH_FACTOR_0) * first +
    load<u64>(map, HASH_FACTOR_1) * second +
    load<u64>(map, HASH_ADDEND)
  return <u32>(sum >> 32)
}

// @inline
function hash16(map: u32, first: u64, second: u64, third: u64, fourth: u64): u32 {
  const sum =
    load<u64>(map, HASH_FACTOR_0) * first +
    load<u64>(map, HASH_FACTOR_1) * second +
    (load<u64>(map, HASH_FACTOR_2) * third + load<u64>(map, HASH_FACTOR_3) * fourth) +
    load<u64>(map, HASH_ADDEND)
  return <u32>(sum >> 32)
}

/** Sum of factor × word: its upper half is the hash. */
// @inline
export function sumWords(map: u32, key: u32, words: u32): u64 {
  let sum = load<u64>(map, HASH_ADDEND)
  let factor = map
  while (words >= 2) {
    sum +=
      load<u64>(factor, HASH_FACTOR_0) * load<u32>(key) +
      load<u64>(factor, HASH_FACTOR_1) * load<u32>(key, 4)
    factor += 16
    key += 8
    words -= 2
  }
  if (words !== 0) sum += load<u64>(factor, HASH_FACTOR_0) * load<u32>(key)
  return sum
}

function hashWords(map: u32, key: u32, words: u32): u32 {
  return <u32>(sumWords(map, key, words) >> 32)
}

/** The hash of a key. */
export function hashOf(map: u32, key: u32): u32 {
  const words = load<u32>(map, MAP_KEY_WORDS)
  if (words === 1) return hash4(map, load<u32>(key))
  if (words !== 0) return hashWords(map, key, words)
  return jhash(key, load<u32>(map, MAP_KEY_SIZE), load<u32>(map, MAP_SEED))
}

/** Address of the bucket that a hash belongs to. */
// @inline
export function bucketOf(map: u32, hash: u32): u32 {
  return load<u32>(map, MAP_DATA) + ((hash & load<u32>(map, MAP_MASK)) << BUCKET_SHIFT)
}

/** The element with a 4-byte key in a multiply-shift table, or 0. */
export function find4(map: u32, key: u32): u32 {
  const word = load<u32>(key)
  const bucket = bucketOf(map, hash4(map, word))
  let element: u32
  let version: u32
  do {
    version = readBucket(bucket)
    element = load<u32>(bucket)
    while (element !== 0 && load<u32>(element, ELEMENT_KEY) !== word) element = load<u32>(element)
  } while (bucketChanged(bucket, version))
  return element
}

// Keys are read by words of four bytes, as programs mostly write them: a wider load has to wait
// until the stores before it have reached memory.

/** The element with an 8-byte key in a multiply-shift table, or 0. */
export function find8(map: u32, key: u32): u32 {
  const first: u64 = load<u32>(key)
  const second: u64 = load<u32>(key, 4)
  const word = first | (second << 32)
  const bucket = bucketOf(map, hash8(map, first, second))
  let element: u32
  let version: u32
  do {
    version = readBucket(bucket)
    element = load<u32>(bucket)
    while (element !== 0 && load<u64>(element, ELEMENT_KEY) !== word) element = load<u32>(element)
  } while (bucketChanged(bucket, version))
  return element
}

/** The element with a 16-byte key in a multiply-shift table, or 0. */
export function find16(map: u32, key: u32): u32 {
  const first: u64 = load<u32>(key)
  const second: u64 = load<u32>(key, 4)
  const third: u64 = load<u32>(key, 8)
  const fourth: u64 = load<u32>(key, 12)
  const low = first | (second << 32)
  const high = third | (fourth << 32)
  const bucket = bucketOf(map, hash16(map, first, second, third, fourth))
  let element: u32
  let version: u32
  do {
    version = readBucket(bucket)
    element = load<u32>(bucket)
    while (
      element !== 0 &&
      (load<u64>(element, ELEMENT_KEY) !== low || load<u64>(element, ELEMENT_KEY + 8) !== high)
    )
      element = load<u32>(element)
  } while (bucketChanged(bucket, version))
  return element
}

/** The element with a key of any size whose hash is known, or 0; its bucket does not change. */
export function findHashed(map: u32, key: u32, hash: u32): u32 {
  const size = load<u32>(map, MAP_KEY_SIZE)
  let element = load<u32>(bucketOf(map, hash))
  while (element !== 0) {
    if (load<u32>(element, ELEMENT_HASH) === hash && same(element + ELEMENT_KEY, key, size))
      return element
    element = load<u32>(element)
  }
  return 0
}

/** The element with a key, or 0. */
export function hashFind(map: u32, key: u32): u32 {
  const words = load<u32>(map, MAP_KEY_WORDS)
  if (words === 1) return find4(map, key)
  if (words === 2) return find8(map, key)
  if (words === 4) return find16(map, key)
  const hash = hashOf(map, key)
  const bucket = bucketOf(map, hash)
  let element: u32
  let version: u32
  do {
    version = readBucket(bucket)
    element = findHashed(map, key, hash)
  } while (bucketChanged(bucket, version))
  return element
}

/** Puts an element, whose key is written, at the head of its chain. */
// @inline
export function link(map: u32, element: u32, hash: u32): void {
  const bucket = bucketOf(map, hash)
  store<u32>(element, hash, ELEMENT_HASH)
  store<u32>(element, load<u32>(bucket))
  store<u32>(bucket, element)
}

/** Takes an element out of its chain; false when it is in none. */
export function unlink(map: u32, element: u32): bool {
  let slot = bucketOf(map, load<u32>(element, ELEMENT_HASH))
  let at = load<u32>(slot)
  while (at !== 0) {
    if (at === element) {
      store<u32>(slot, load<u32>(element))
      return true
    }
    slot = at
    at = load<u32>(slot)
  }
  return false
}

/** Takes an element out of the chain at whose head `first` was put before it. */
// @inline
export function unlinkBehind(map: u32, element: u32, first: u32): void {
  if (load<u32>(first) === element) store<u32>(first, load<u32>(element))
  else unlink(map, element)
}

/** The newest element of the first bucket from `bucket` on that has one, or 0. */
export function hashFirst(map: u32, bucket: u32): u32 {
  const data = load<u32>(map, MAP_DATA)
  const end = data + ((load<u32>(map, MAP_MASK) + 1) << BUCKET_SHIFT)
  for (let at = data + (bucket << BUCKET_SHIFT); at < end; at += 1 << BUCKET_SHIFT) {
    const element = load<u32>(at)
    if (element !== 0) return element
  }
  return 0
}

/** The element after another one in the order of iteration, or 0. */
export function hashAfter(map: u32, element: u32): u32 {
  const next = load<u32>(element)
  if (next !== 0) return next
  return hashFirst(map, (load<u32>(element, ELEMENT_HASH) & load<u32>(map, MAP_MASK)) + 1)
}

/** Offset of the key after `key`, of the first key when there is no such key (or 0), or 0. */
export function hashNextKey(map: u32, key: u32): u32 {
  const element = key === 0 ? 0 : hashFind(map, key)
  const next = element === 0 ? hashFirst(map, 0) : hashAfter(map, element)
  return next === 0 ? 0 : next + ELEMENT_KEY
}
