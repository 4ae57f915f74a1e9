/**
 * BPF_MAP_TYPE_BLOOM_FILTER: a set that may answer "yes" for what was never added (linux v6.18
 * kernel/bpf/bloom_filter.c).
 *
 *   data ──▶ bits, u32 words, least significant bit first
 *
 * The hash functions are one with seeds one apart. With BPF_F_ZERO_SEED the false positives are
 * Linux's.
 */

import { jhash } from "./bytes.ts"
import { EINVAL, ENOENT } from "./errno.ts"
import { BLOOM_HASHES, MAP_DATA, MAP_MASK, MAP_SEED, MAP_VALUE_SIZE } from "./layout.ts"
import { setBits } from "./threads.ts"

export function bloomPush(map: u32, value: u32, flags: u32): i32 {
  if (flags !== 0) return -EINVAL
  const size = load<u32>(map, MAP_VALUE_SIZE)
  const seed = load<u32>(map, MAP_SEED)
  const hashes = load<u32>(map, BLOOM_HASHES)
  for (let index: u32 = 0; index < hashes; index++) {
    const bit = jhash(value, size, seed + index) & load<u32>(map, MAP_MASK)
    const word = load<u32>(map, MAP_DATA) + ((bit >> 5) << 2)
    setBits(word, 1 << (bit & 31))
  }
  return 0
}

export function bloomPeek(map: u32, value: u32): i32 {
  const size = load<u32>(map, MAP_VALUE_SIZE)
  const seed = load<u32>(map, MAP_SEED)
  const hashes = load<u32>(map, BLOOM_HASHES)
  for (let index: u32 = 0; index < hashes; index++) {
    const bit = jhash(value, size, seed + index) & load<u32>(map, MAP_MASK)
    const word = load<u32>(load<u32>(map, MAP_DATA) + ((bit >> 5) << 2))
    if (((word >> (bit & 31)) & 1) === 0) return -ENOENT
  }
  return 0
}
