/**
 * BPF_MAP_TYPE_LPM_TRIE: longest prefix match on keys of up to 2,048 bits (linux v6.18
 * kernel/bpf/lpm_trie.c). A key is a u32 prefix length followed by the data, most significant bit
 * first.
 *
 *   node ──▶  0  child for a next bit of 0 (in a free node: next free one)
 *             4  child for a next bit of 1
 *             8  1 for an intermediate node, which only joins two children, else 0
 *            12  reserved
 *            16  prefix length ┐ the key, in the order of the system call;
 *            20  data          ┘ padded to 8
 *   value offset  value, padded to 8
 *
 * Invariants: a child's prefix is longer than its parent's and begins with it; an intermediate
 * node has two children. So there are fewer intermediate nodes than elements. The trie is what is
 * updated and walked; full-length look-ups go through the index (lpm-index.ts), which is brought
 * up to date after each change.
 */

import { copy } from "./bytes.ts"
import { BPF_EXIST, BPF_NOEXIST, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC } from "./errno.ts"
import {
  LPM_DATA_SIZE,
  LPM_DELETED,
  LPM_INTERMEDIATE,
  LPM_KEY,
  LPM_ROOT,
  MAP_COUNT,
  MAP_KEY_SIZE,
  MAP_MAX_ENTRIES,
  MAP_VALUE_OFFSET,
  MAP_VALUE_SIZE,
} from "./layout.ts"
import { lpmIndexChanged } from "./lpm-index.ts"
import { bitAt, isIntermediate, matchLength, prefixOf } from "./lpm-node.ts"
import { lockMap, unlockMap } from "./threads.ts"
import { clearFields, giveElement, releaseValue, storeValue, takeElement } from "./values.ts"

function prefixMax(map: u32): u32 {
  return load<u32>(map, LPM_DATA_SIZE) << 3
}

/** A node with a copy of a key and no children, or 0. */
function newNode(map: u32, key: u32, intermediate: u32): u32 {
  const node = takeElement(map)
  if (node === 0) return 0
  store<u64>(node, 0)
  store<u32>(node, intermediate, LPM_INTERMEDIATE)
  copy(node + LPM_KEY, key, load<u32>(map, MAP_KEY_SIZE))
  return node
}

export function lpmUpdate(map: u32, key: u32, from: u32, flags: u32): i32 {
  const prefix = load<u32>(key)
  if (flags > BPF_EXIST || prefix > prefixMax(map)) return -EINVAL
  lockMap(map)
  const result = updateIn(map, key, from, flags, prefix)
  unlockMap(map)
  return result
}

// @inline
function updateIn(map: u32, key: u32, from: u32, flags: u32, prefix: u32): i32 {
  const size = load<u32>(map, LPM_DATA_SIZE)
  let slot = map + LPM_ROOT
  let node = load<u32>(slot)
  let matched: u32 = 0
  while (node !== 0) {
    matched = matchLength(node, key, size)
    if (prefixOf(node) !== matched || matched === prefix) break
    slot = node + (bitAt(key, matched) << 2)
    node = load<u32>(slot)
  }
  const equal = node !== 0 && prefixOf(node) === matched
  const exists = equal && !isIntermediate(node)
  if (exists) {
    if (flags === BPF_NOEXIST) return -EEXIST
  } else {
    if (flags === BPF_EXIST) return -ENOENT
    if (load<u32>(map, MAP_COUNT) === load<u32>(map, MAP_MAX_ENTRIES)) return -ENOSPC
  }
  const fresh = newNode(map, key, 0)
  if (fresh === 0) return -ENOMEM
  const value = fresh + load<u32>(map, MAP_VALUE_OFFSET)
  clearFields(map, value)
  storeValue(map, value, from, load<u32>(map, MAP_VALUE_SIZE))
  if (node === 0) store<u32>(slot, fresh)
  else if (equal) replace(map, node, fresh, slot)
  else if (!join(map, node, fresh, slot, matched)) return -ENOMEM
  if (!exists) store<u32>(map, load<u32>(map, MAP_COUNT) + 1, MAP_COUNT)
  lpmIndexChanged(map, fresh + LPM_KEY)
  return 0
}

function replace(map: u32, node: u32, fresh: u32, slot: u32): void {
  store<u64>(fresh, load<u64>(node))
  store<u32>(slot, fresh)
  if (!isIntermediate(node)) releaseValue(map, node + load<u32>(map, MAP_VALUE_OFFSET), 1)
  giveElement(map, node)
}

/** Puts a new node above `node`, or beside it under an intermediate one of `matched` bits. */
function join(map: u32, node: u32, fresh: u32, slot: u32, matched: u32): bool {
  if (matched === prefixOf(fresh)) {
    store<u32>(fresh + (bitAt(node + LPM_KEY, matched) << 2), node)
    store<u32>(slot, fresh)
    return true
  }
  const joint = newNode(map, node + LPM_KEY, 1)
  if (joint === 0) {
    giveElement(map, fresh)
    return false
  }
  store<u32>(joint, matched, LPM_KEY)
  const side = bitAt(fresh + LPM_KEY, matched)
  store<u32>(joint + (side << 2), fresh)
  store<u32>(joint + ((1 - side) << 2), node)
  store<u32>(slot, joint)
  return true
}

export function lpmDelete(map: u32, key: u32): i32 {
  const prefix = load<u32>(key)
  if (prefix > prefixMax(map)) return -EINVAL
  lockMap(map)
  const result = deleteIn(map, key, prefix)
  unlockMap(map)
  return result
}

// @inline
function deleteIn(map: u32, key: u32, prefix: u32): i32 {
  const size = load<u32>(map, LPM_DATA_SIZE)
  let slot = map + LPM_ROOT
  let parentSlot = slot
  let parent: u32 = 0
  let node = load<u32>(slot)
  let matched: u32 = 0
  while (node !== 0) {
    matched = matchLength(node, key, size)
    if (prefixOf(node) !== matched || matched === prefix) break
    parent = node
    parentSlot = slot
    slot = node + (bitAt(key, matched) << 2)
    node = load<u32>(slot)
  }
  if (node === 0 || prefixOf(node) !== prefix || matched !== prefix || isIntermediate(node))
    return -ENOENT
  store<u32>(map, load<u32>(map, MAP_COUNT) - 1, MAP_COUNT)
  releaseValue(map, node + load<u32>(map, MAP_VALUE_OFFSET), 1)
  detach(map, node, slot, parent, parentSlot)
  store<u32>(map, load<u32>(map, LPM_DELETED) + 1, LPM_DELETED)
  lpmIndexChanged(map, key)
  return 0
}

/** Takes an element's node out of the tree, or makes it an intermediate one. */
function detach(map: u32, node: u32, slot: u32, parent: u32, parentSlot: u32): void {
  const left = load<u32>(node)
  const right = load<u32>(node, 4)
  if (left !== 0 && right !== 0) {
    store<u32>(node, 1, LPM_INTERMEDIATE)
    return
  }
  if (parent !== 0 && isIntermediate(parent) && left === 0 && right === 0) {
    // The intermediate parent has no purpose any more: its other child takes its place.
    const first = load<u32>(parent)
    store<u32>(parentSlot, first === node ? load<u32>(parent, 4) : first)
    giveElement(map, parent)
  } else {
    store<u32>(slot, left !== 0 ? left : right)
  }
  giveElement(map, node)
}

/**
 * Offset of the key after `key` in postorder (more specific prefixes before less specific ones),
 * of the first key when there is no such key (or 0), or 0.
 */
export function lpmNextKey(map: u32, key: u32): u32 {
  const root = load<u32>(map, LPM_ROOT)
  if (root === 0) return 0
  if (key === 0 || load<u32>(key) > prefixMax(map)) return leftmost(root) + LPM_KEY
  const size = load<u32>(map, LPM_DATA_SIZE)
  // On the way down, the nearest ancestor that has something after the subtree we are in.
  let next: u32 = 0
  let node = root
  let matched: u32 = 0
  while (node !== 0) {
    matched = matchLength(node, key, size)
    if (prefixOf(node) !== matched || matched === load<u32>(key)) break
    const side = bitAt(key, matched)
    const sibling = load<u32>(node, 4)
    if (side === 0 && sibling !== 0) next = sibling | 1
    else if (!isIntermediate(node)) next = node
    node = load<u32>(node + (side << 2))
  }
  if (node === 0 || prefixOf(node) !== matched || isIntermediate(node))
    return leftmost(root) + LPM_KEY
  if (next === 0) return 0
  return (next & 1 ? leftmost(next - 1) : next) + LPM_KEY
}

/** The first element of a subtree in postorder. */
function leftmost(root: u32): u32 {
  let node = root
  let next = root
  while (next !== 0) {
    node = next
    const left = load<u32>(node)
    next = left !== 0 ? left : load<u32>(node, 4)
  }
  return node
}

/** Tells the host of all values: the map goes. */
export function lpmReleaseAll(map: u32): void {
  releaseTree(map, load<u32>(map, LPM_ROOT))
}

function releaseTree(map: u32, node: u32): void {
  if (node === 0) return
  releaseTree(map, load<u32>(node))
  releaseTree(map, load<u32>(node, 4))
  if (!isIntermediate(node)) releaseValue(map, node + load<u32>(map, MAP_VALUE_OFFSET), 1)
}
