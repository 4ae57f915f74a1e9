/** Nodes of a longest-prefix-match trie and keys compared with them. Layout: lpm-trie.ts. */

import { LPM_INTERMEDIATE, LPM_KEY } from "./layout.ts"

/** Bytes of the prefix length before a key's data. */
export const DATA = 4

// @inline
export function prefixOf(node: u32): u32 {
  return load<u32>(node, LPM_KEY)
}

// @inline
export function isIntermediate(node: u32): bool {
  return load<u32>(node, LPM_INTERMEDIATE) !== 0
}

/** Bit `index` of a key's data, from the most significant one of the first byte. */
// @inline
export function bitAt(key: u32, index: u32): u32 {
  return (load<u8>(key + (index >> 3), DATA) >> (7 - (index & 7))) & 1
}

/** Four bytes of data, or what is left of them, without reading behind the key. */
// @inline
function dataWord(at: u32, left: u32): u32 {
  if (left >= 4) return load<u32>(at)
  let word: u32 = load<u8>(at)
  if (left > 1) word |= (<u32>load<u8>(at, 1)) << 8
  if (left > 2) word |= (<u32>load<u8>(at, 2)) << 16
  return word
}

/** Leading bits that a node and a key of `size` data bytes share, as far as both prefixes go. */
export function matchLength(node: u32, key: u32, size: u32): u32 {
  const nodePrefix = prefixOf(node)
  const keyPrefix = load<u32>(key)
  const limit = min<u32>(nodePrefix, keyPrefix)
  let at: u32 = 0
  for (let bits: u32 = 0; bits < limit; bits += 32) {
    const difference = load<u32>(node + at, LPM_KEY + DATA) ^ dataWord(key + DATA + at, size - at)
    if (difference !== 0) {
      const matched = bits + <u32>clz<u32>(bswap<u32>(difference))
      return min<u32>(matched, limit)
    }
    at += 4
  }
  return limit
}
