/**
 * BPF_MAP_TYPE_BLOOM_FILTER: a set that may answer "yes" for what was never added (linux v6.18
 * kernel/bpf/bloom_filter.c).
 *
 *   data ──▶ bits, u32 words, least significant bit first
 *
 * With BPF_F_ZERO_SEED the hash functions are Linux's, one with seeds one apart, and so are the
 * false positives. Else, for values of whole words, two hashes make all of them: the first plus
 * multiples of the second (Kirsch and Mitzenmacher, "Less hashing, same performance", 2006).
 */

import { jhash } from "./bytes.ts"
import { EINVAL, ENOENT } from "./errno.ts"
import { sumWords, wide } from "./hash-table.ts"
import {
  BLOOM_HASHES,
  MAP_DATA,
  MAP_KEY_WORDS,
  MAP_MASK,
  MAP_SEED,
  MAP_VALUE_SIZE,
} from "./layout.ts"
import { setBits } from "./threads.ts"

export function bloomPush(map: u32, value: u32, flags: u32): i32 {
  if (flags !== 0) return -EINVAL
  const mask = load<u32>(map, MAP_MASK)
  const bits = load<u32>(map, MAP_DATA)
  const hashes = load<u32>(map, BLOOM_HASHES)
  const words = load<u32>(map, MAP_KEY_WORDS)
  if (words !== 0) {
    const sum = sumWords(map, value, words)
    const step = secondHash(sum)
    let hash = <u32>(sum >> 32)
    for (let index: u32 = 0; index < hashes; index++) {
      setBit(bits, hash & mask)
      hash += step
    }
    return 0
  }
  const size = load<u32>(map, MAP_VALUE_SIZE)
  const seed = load<u32>(map, MAP_SEED)
  for (let index: u32 = 0; index < hashes; index++)
    setBit(bits, jhash(value, size, seed + index) & mask)
  return 0
}

export function bloomPeek(map: u32, value: u32): i32 {
  const mask = load<u32>(map, MAP_MASK)
  const bits = load<u32>(map, MAP_DATA)
  const hashes = load<u32>(map, BLOOM_HASHES)
  const words = load<u32>(map, MAP_KEY_WORDS)
  if (words !== 0) {
    const sum = sumWords(map, value, words)
    const step = secondHash(sum)
    let hash = <u32>(sum >> 32)
    for (let index: u32 = 0; index < hashes; index++) {
      if (!hasBit(bits, hash & mask)) return -ENOENT
      hash += step
    }
    return 0
  }
  const size = load<u32>(map, MAP_VALUE_SIZE)
  const seed = load<u32>(map, MAP_SEED)
  for (let index: u32 = 0; index < hashes; index++)
    if (!hasBit(bits, jhash(value, size, seed + index) & mask)) return -ENOENT
  return 0
}

/** Another hash from the same sum; odd, so that its multiples differ. */
// @inline
function secondHash(sum: u64): u32 {
  return <u32>((sum * wide(0x9e3779b9, 0x7f4a7c15)) >> 32) | 1
}

// @inline
function setBit(bits: u32, bit: u32): void {
  setBits(bits + ((bit >> 5) << 2), 1 << (bit & 31))
}

// @inline
function hasBit(bits: u32, bit: u32): bool {
  return ((load<u32>(bits + ((bit >> 5) << 2)) >> (bit & 31)) & 1) !== 0
}
