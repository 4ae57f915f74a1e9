/**
 * The index of a longest-prefix-match trie: tables that are asked with one byte of the key at a
 * time, so that a look-up costs a step for each byte instead of one for each node.
 *
 *   table of level n ──▶ 256 entries, one for each value of data byte n:
 *                          0  the element with the longest prefix of 8n+1 to 8n+8 bits, or 0
 *                          4  what is below: a table of level n+1, or the topmost trie node of
 *                             8n+8 bits or more with its lowest bit set, or 0
 *
 * The element of prefix length 0 stands in the descriptor. Below an entry there is a table only
 * where the trie is deep: when an insertion finds more than {@link DEPTH_FEW} nodes on its way, as
 * long as tables take little memory, else more than {@link DEPTH_MANY}. So sparse maps are walked
 * node by node at the end, and memory stays in proportion to the elements. When tables have grown
 * useless by deletions and the next one is refused, the index is built anew.
 *
 * Invariant, after lpmIndexChanged(): every entry says what the trie says.
 */

import { zero } from "./bytes.ts"
import { allocate } from "./host.ts"
import {
  LPM_DATA_SIZE,
  LPM_DEFAULT,
  LPM_DELETED,
  LPM_FREE_TABLES,
  LPM_INDEX,
  LPM_KEY,
  LPM_PROBE,
  LPM_ROOT,
  LPM_TABLE_BYTES,
  LPM_TABLES,
  MAP_COUNT,
  MAP_VALUE_OFFSET,
} from "./layout.ts"
import { bitAt, DATA, isIntermediate, matchLength, prefixOf } from "./lpm-node.ts"
import { mapChanged, readMap } from "./threads.ts"

/** Nodes on a path: one for each bit, and the root. */
const STEPS_MAX: u32 = 2049
const DEPTH_FEW: u32 = 2
const DEPTH_MANY: u32 = 6
/** Tables that a map may always have, and how many it gets for its elements. */
const TABLES_FEW: u32 = 2048
const TABLES_MANY: u32 = 16384
const ELEMENTS_PER_TABLE_FEW: u32 = 32
const ELEMENTS_PER_TABLE_MANY: u32 = 4

/** The value of the longest prefix of a key, or 0. */
export function lpmLookup(map: u32, key: u32): u32 {
  let value: u32
  let version: u32
  do {
    version = readMap(map)
    value = lookupIn(map, key)
  } while (mapChanged(map, version))
  return value
}

// @inline
function lookupIn(map: u32, key: u32): u32 {
  const size = load<u32>(map, LPM_DATA_SIZE)
  const table = load<u32>(map, LPM_INDEX)
  const prefix = load<u32>(key)
  if (prefix !== size << 3 || table === 0) {
    if (prefix > size << 3) return 0
    return valueIn(map, walk(load<u32>(map, LPM_ROOT), key, size, 0))
  }
  return indexed(map, table, key, size)
}

/** The same for a key of full length. */
// @inline
function indexed(map: u32, table: u32, key: u32, size: u32): u32 {
  let best = load<u32>(map, LPM_DEFAULT)
  let at = key + DATA
  const end = at + size - 1
  for (;;) {
    const entry = table + ((<u32>load<u8>(at)) << 3)
    const element = load<u32>(entry)
    best = select<u32>(element, best, element !== 0)
    const below = load<u32>(entry, 4)
    if (below === 0) break
    if (below & 1) {
      best = size === 4 ? walk4(below - 1, key, best) : walk(below - 1, key, size, best)
      break
    }
    if (at++ >= end) break
    table = below
  }
  return valueIn(map, best)
}

// @inline
function valueIn(map: u32, element: u32): u32 {
  return element === 0 ? 0 : element + load<u32>(map, MAP_VALUE_OFFSET)
}

/** The deepest element from `node` on whose prefix a key begins with, or `best`. */
function walk(node: u32, key: u32, size: u32, best: u32): u32 {
  const full = size << 3
  // With threads a reader may be led in circles by nodes that move: it will read again.
  for (let steps: u32 = 0; node !== 0 && steps <= STEPS_MAX; steps++) {
    const matched = matchLength(node, key, size)
    if (matched === full) return node
    if (matched < prefixOf(node)) break
    if (!isIntermediate(node)) best = node
    node = load<u32>(node + (bitAt(key, matched) << 2))
  }
  return best
}

/** The same for a key of 32 bits in full length. */
// @inline
function walk4(node: u32, key: u32, best: u32): u32 {
  const bits = bswap<u32>(load<u32>(key, DATA))
  let steps: u32 = 0
  do {
    const prefix = prefixOf(node)
    const difference = bswap<u32>(load<u32>(node, LPM_KEY + DATA)) ^ bits
    if (<u32>clz<u32>(difference) < prefix) break
    if (!isIntermediate(node)) best = node
    if (prefix === 32) break
    node = load<u32>(node + (((bits >> (31 - prefix)) & 1) << 2))
  } while (node !== 0 && ++steps <= 32)
  return best
}

// ---- keeping it up to date ----------------------------------------------------------------------------

/** Brings the index up to date after the element of a key came, went or was replaced. */
export function lpmIndexChanged(map: u32, key: u32): void {
  let table = load<u32>(map, LPM_INDEX)
  if (table === 0) return
  const root = load<u32>(map, LPM_ROOT)
  if (root === 0) {
    resetIndex(map, table)
    return
  }
  const prefix = load<u32>(key)
  if (prefix === 0) {
    const there = prefixOf(root) === 0 && !isIntermediate(root)
    store<u32>(map, there ? root : 0, LPM_DEFAULT)
    return
  }
  const probe = load<u32>(map, LPM_PROBE)
  for (let level: u32 = 0; ; level++) {
    const byte: u32 = load<u8>(key + level, DATA)
    const bits: u32 = 8 * (level + 1)
    if (prefix <= bits) {
      const count: u32 = 1 << (bits - prefix)
      const first = byte & ~(count - 1)
      for (let slot = first; slot < first + count; slot++) resolve(map, table, level, slot, root)
      return
    }
    const entry = table + (byte << 3)
    let below = load<u32>(entry, 4)
    if (below === 0 || below & 1) {
      resolve(map, table, level, byte, root)
      below = load<u32>(entry, 4)
      if (below === 0) return
      if (!deepEnough(map, below - 1, key)) {
        if (isStale(map)) rebuild(map)
        return
      }
      below = addTable(map, entry, level)
      if (below === 0) return
    }
    store<u8>(probe + level, byte, DATA)
    table = below
  }
}

/**
 * Finds out what an entry says. The probe holds the key's bytes before this level; `start` is a
 * trie node at or above the entry's prefix.
 */
function resolve(map: u32, table: u32, level: u32, slot: u32, start: u32): void {
  const probe = load<u32>(map, LPM_PROBE)
  const size = load<u32>(map, LPM_DATA_SIZE)
  const bits: u32 = 8 * (level + 1)
  store<u32>(probe, bits)
  store<u8>(probe + level, slot, DATA)
  const entry = table + (slot << 3)
  let element: u32 = 0
  let below: u32 = 0
  let node = start
  while (node !== 0) {
    const prefix = prefixOf(node)
    const matched = matchLength(node, probe, size)
    if (prefix > bits) {
      if (matched === bits) below = node | 1
      break
    }
    if (matched < prefix) break
    if (prefix > bits - 8 && !isIntermediate(node)) element = node
    if (prefix === bits) {
      if (load<u64>(node) !== 0) below = node | 1
      break
    }
    node = load<u32>(node + (bitAt(probe, prefix) << 2))
  }
  store<u32>(entry, element)
  const old = load<u32>(entry, 4)
  if (old === 0 || old & 1) store<u32>(entry, below, 4)
}

/** Whether the way from a node to a key's element is long enough for a table. */
function deepEnough(map: u32, node: u32, key: u32): bool {
  const size = load<u32>(map, LPM_DATA_SIZE)
  const prefix = load<u32>(key)
  let depth: u32 = 0
  while (node !== 0 && depth <= DEPTH_MANY) {
    depth++
    const matched = matchLength(node, key, size)
    if (matched < prefixOf(node) || matched === prefix) break
    node = load<u32>(node + (bitAt(key, matched) << 2))
  }
  if (depth <= DEPTH_FEW) return false
  const tables = load<u32>(map, LPM_TABLES)
  const count = load<u32>(map, MAP_COUNT)
  if (tables < TABLES_FEW + count / ELEMENTS_PER_TABLE_FEW) return true
  return depth > DEPTH_MANY && tables < TABLES_MANY + count / ELEMENTS_PER_TABLE_MANY
}

/** Whether elements that are gone may be why there are too many tables. */
function isStale(map: u32): bool {
  const tables = load<u32>(map, LPM_TABLES)
  return tables >= TABLES_FEW && load<u32>(map, LPM_DELETED) > 4 * tables
}

/** A table below an entry that has a trie node there; 0 when there is no memory. */
function addTable(map: u32, entry: u32, level: u32): u32 {
  let table = load<u32>(map, LPM_FREE_TABLES)
  if (table !== 0) {
    store<u32>(map, load<u32>(table), LPM_FREE_TABLES)
    zero(table, LPM_TABLE_BYTES)
  } else {
    table = allocate(map, LPM_TABLE_BYTES)
    if (table === 0) return 0
  }
  store<u32>(map, load<u32>(map, LPM_TABLES) + 1, LPM_TABLES)
  const probe = load<u32>(map, LPM_PROBE)
  const start = load<u32>(entry, 4) - 1
  // The trie node begins with the entry's prefix: its bytes are the probe's.
  for (let byte: u32 = 0; byte <= level; byte++)
    store<u8>(probe + byte, load<u8>(start + byte, LPM_KEY + DATA), DATA)
  for (let slot: u32 = 0; slot < 256; slot++) resolve(map, table, level + 1, slot, start)
  store<u32>(entry, table, 4)
  return table
}

/** Starts again with one table. */
function rebuild(map: u32): void {
  const table = load<u32>(map, LPM_INDEX)
  const root = load<u32>(map, LPM_ROOT)
  const first = load<u32>(map, LPM_DEFAULT)
  resetIndex(map, table)
  store<u32>(map, first, LPM_DEFAULT)
  for (let slot: u32 = 0; slot < 256; slot++) resolve(map, table, 0, slot, root)
}

/** The map is empty: all tables but the first become free. */
function resetIndex(map: u32, table: u32): void {
  freeTablesBelow(map, table)
  zero(table, LPM_TABLE_BYTES)
  store<u32>(map, 0, LPM_DEFAULT)
  store<u32>(map, 0, LPM_TABLES)
  store<u32>(map, 0, LPM_DELETED)
}

function freeTablesBelow(map: u32, table: u32): void {
  for (let entry = table; entry < table + LPM_TABLE_BYTES; entry += 8) {
    const below = load<u32>(entry, 4)
    if (below === 0 || below & 1) continue
    freeTablesBelow(map, below)
    store<u32>(below, load<u32>(map, LPM_FREE_TABLES))
    store<u32>(map, below, LPM_FREE_TABLES)
  }
}
