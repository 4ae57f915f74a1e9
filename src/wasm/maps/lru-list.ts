/**
 * The replacement lists of LRU hash maps (linux v6.18 kernel/bpf/bpf_lru_list.c): an approximation
 * of least-recently-used with a reference bit and two lists, "active" and "inactive". A look-up
 * only sets the bit; elements move when somebody needs a free one.
 *
 * Every element has four words before it, here called its node:
 *
 *    0 previous node   4 next node   8 state: list kind | reference bit << 8   12 CPU
 *
 * and every list is a ring closed by a head of two words, previous and next.
 *
 *   sets ──▶ heads of active, inactive, free (8 bytes each) │ 40 active count │ 44 inactive count
 *            │ 48 hand of the inactive list                  64 bytes; one set, or one for each CPU
 *   locals ──▶ heads of a CPU's stock of free nodes, and of its pending nodes   16 bytes a CPU
 *   steal ──▶ the CPU at which a CPU last stopped looking for nodes to steal    4 bytes a CPU
 *
 * With one set of lists for all CPUs (the default), each CPU has a stock of free nodes, refilled
 * by up to 128 at a time, and a list of nodes that it handed out since ("pending"), which go to
 * the global lists with the next refill. So a map may evict elements before it is full, as in
 * Linux. With BPF_F_NO_COMMON_LRU each CPU has a share of the elements and lists of its own.
 *
 * Invariant: each node is on exactly one list, the one its state names, except a node between
 * lruTake() and its return to the caller.
 */

import { bucketOf, unlink } from "./hash-table.ts"
import {
  ELEMENT_HASH,
  FEATURE_COMMON_LRU,
  FEATURE_PERCPU,
  LRU_FREE_TARGET,
  LRU_LOCAL_BYTES,
  LRU_LOCALS,
  LRU_NODE_BYTES,
  LRU_SCAN_MAX,
  LRU_SET_BYTES,
  LRU_SETS,
  LRU_STEAL,
  MAP_CPUS,
  MAP_FEATURES,
  MAP_MAX_ENTRIES,
  MAP_STRIDE,
  MAP_VALUE_OFFSET,
  POOL_FRESH,
} from "./layout.ts"
import { lockBucket, unlockBucket } from "./threads.ts"
import { releaseValue } from "./values.ts"

/** Nodes that one CPU's own lists free at a time. */
const PERCPU_FREE_TARGET: u32 = 4

const ACTIVE: u32 = 0
const INACTIVE: u32 = 1
const FREE: u32 = 2
const LOCAL_FREE: u32 = 3
const PENDING: u32 = 4

const NEXT = 4
const STATE = 8
const CPU = 12
const KIND_MASK: u32 = 0xff
const REFERENCED: u32 = 0x100

const HEAD_BYTES: u32 = 8
const COUNT_ACTIVE = 40
const COUNT_INACTIVE = 44
const HAND = 48

// ---- rings ------------------------------------------------------------------------------------------

function clear(head: u32): void {
  store<u32>(head, head)
  store<u32>(head, head, NEXT)
}

// @inline
function insert(node: u32, head: u32): void {
  const first = load<u32>(head, NEXT)
  store<u32>(node, head)
  store<u32>(node, first, NEXT)
  store<u32>(first, node)
  store<u32>(head, node, NEXT)
}

// @inline
function remove(node: u32): void {
  const before = load<u32>(node)
  const after = load<u32>(node, NEXT)
  store<u32>(before, after, NEXT)
  store<u32>(after, before)
}

// @inline
function move(node: u32, head: u32): void {
  remove(node)
  insert(node, head)
}

// @inline
function isReferenced(node: u32): bool {
  return (load<u32>(node, STATE) & REFERENCED) !== 0
}

// @inline
function isCommon(map: u32): bool {
  return (load<u32>(map, MAP_FEATURES) & FEATURE_COMMON_LRU) !== 0
}

// @inline
function setOf(map: u32, cpu: u32): u32 {
  const sets = load<u32>(map, LRU_SETS)
  return isCommon(map) ? sets : sets + cpu * LRU_SET_BYTES
}

/** Head of a CPU's stock of free nodes. */
// @inline
function stock(map: u32, cpu: u32): u32 {
  return load<u32>(map, LRU_LOCALS) + cpu * LRU_LOCAL_BYTES
}

/** Head of the nodes that a CPU handed out since its last refill. */
// @inline
function pending(map: u32, cpu: u32): u32 {
  return stock(map, cpu) + HEAD_BYTES
}

// ---- what the hash maps use ---------------------------------------------------------------------------

/** Marks an element as used. */
// @inline
export function lruReference(element: u32): void {
  store<u8>(element - LRU_NODE_BYTES, 1, STATE + 1)
}

/** Puts all elements (from POOL_FRESH on) on the free lists. */
export function lruPopulate(map: u32): void {
  const cpus = load<u32>(map, MAP_CPUS)
  const common = isCommon(map)
  const setCount: u32 = common ? 1 : cpus
  for (let set: u32 = 0; set < setCount; set++) {
    const base = load<u32>(map, LRU_SETS) + set * LRU_SET_BYTES
    for (let kind = ACTIVE; kind <= FREE; kind++) clear(base + kind * HEAD_BYTES)
    store<u32>(base, base + INACTIVE * HEAD_BYTES, HAND)
  }
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    clear(stock(map, cpu))
    clear(pending(map, cpu))
    store<u32>(load<u32>(map, LRU_STEAL) + (cpu << 2), cpu)
  }
  const count = load<u32>(map, MAP_MAX_ENTRIES)
  const share = count / cpus
  const stride = load<u32>(map, MAP_STRIDE)
  let node = load<u32>(map, POOL_FRESH)
  for (let index: u32 = 0; index < count; index++) {
    const cpu: u32 = common ? 0 : index / share
    store<u32>(node, FREE, STATE)
    store<u32>(node, cpu, CPU)
    insert(node, setOf(map, cpu) + FREE * HEAD_BYTES)
    node += stride
  }
}

/** A free element for a CPU, by eviction if need be; 0 when there is none. */
// @inline
export function lruTake(map: u32, cpu: u32): u32 {
  const node = isCommon(map) ? takeCommon(map, cpu) : takeOwn(map, cpu)
  return node === 0 ? 0 : node + LRU_NODE_BYTES
}

/** Takes an element back that lruTake() gave. */
// @inline
export function lruGive(map: u32, element: u32): void {
  const node = element - LRU_NODE_BYTES
  const kind = load<u32>(node, STATE) & KIND_MASK
  const cpu = load<u32>(node, CPU)
  if (kind === PENDING) {
    store<u32>(node, LOCAL_FREE, STATE)
    move(node, stock(map, cpu))
  } else if (kind !== FREE && kind !== LOCAL_FREE) {
    relist(setOf(map, cpu), node, FREE)
  }
}

/** Takes a node's element out of the table; false when it is not in it. */
function evict(map: u32, node: u32): bool {
  const element = node + LRU_NODE_BYTES
  const bucket = bucketOf(map, load<u32>(element, ELEMENT_HASH))
  lockBucket(bucket)
  const there = unlink(map, element)
  unlockBucket(bucket)
  if (!there) return false
  const copies = load<u32>(map, MAP_FEATURES) & FEATURE_PERCPU ? load<u32>(map, MAP_CPUS) : 1
  releaseValue(map, element + load<u32>(map, MAP_VALUE_OFFSET), copies)
  return true
}

// ---- common lists ---------------------------------------------------------------------------------

function takeCommon(map: u32, cpu: u32): u32 {
  let node = popStock(map, cpu)
  if (node === 0) {
    restock(map, cpu)
    node = popStock(map, cpu)
    if (node === 0) node = steal(map, cpu)
    if (node === 0) return 0
  }
  store<u32>(node, PENDING, STATE)
  store<u32>(node, cpu, CPU)
  insert(node, pending(map, cpu))
  return node
}

// @inline
function popStock(map: u32, cpu: u32): u32 {
  const head = stock(map, cpu)
  const node = load<u32>(head, NEXT)
  if (node === head) return 0
  remove(node)
  return node
}

/** Fills a CPU's stock from the free list, then by shrinking the inactive list. */
function restock(map: u32, cpu: u32): void {
  const set = load<u32>(map, LRU_SETS)
  const target = load<u32>(map, LRU_FREE_TARGET)
  flushPending(map, set, cpu)
  rotate(map, set)
  const free = set + FREE * HEAD_BYTES
  const head = stock(map, cpu)
  let got: u32 = 0
  while (got < target) {
    const node = load<u32>(free, NEXT)
    if (node === free) break
    moveToFree(set, node, head, LOCAL_FREE)
    got++
  }
  if (got < target) shrink(map, set, target - got, head, LOCAL_FREE)
}

/** Moves pending nodes to the global lists, the oldest first. */
function flushPending(map: u32, set: u32, cpu: u32): void {
  const head = pending(map, cpu)
  let node = load<u32>(head)
  while (node !== head) {
    const before = load<u32>(node)
    const kind = isReferenced(node) ? ACTIVE : INACTIVE
    count(set, kind, 1)
    store<u32>(node, kind, STATE)
    move(node, set + kind * HEAD_BYTES)
    node = before
  }
}

/** Takes from other CPUs' stocks, or evicts what they have pending, round robin. */
function steal(map: u32, cpu: u32): u32 {
  const slot = load<u32>(map, LRU_STEAL) + (cpu << 2)
  const first = load<u32>(slot)
  let victim = first
  let node: u32 = 0
  do {
    node = popStock(map, victim)
    if (node === 0) node = popPending(map, victim, false)
    if (node === 0) node = popPending(map, victim, true)
    victim++
    if (victim === load<u32>(map, MAP_CPUS)) victim = 0
  } while (node === 0 && victim !== first)
  store<u32>(slot, victim)
  return node
}

function popPending(map: u32, cpu: u32, evenReferenced: bool): u32 {
  const head = pending(map, cpu)
  for (let node = load<u32>(head); node !== head; node = load<u32>(node)) {
    if ((evenReferenced || !isReferenced(node)) && evict(map, node)) {
      remove(node)
      return node
    }
  }
  return 0
}

// ---- lists of one CPU ---------------------------------------------------------------------------------

function takeOwn(map: u32, cpu: u32): u32 {
  const set = setOf(map, cpu)
  rotate(map, set)
  const free = set + FREE * HEAD_BYTES
  if (load<u32>(free, NEXT) === free) shrink(map, set, PERCPU_FREE_TARGET, free, FREE)
  const node = load<u32>(free, NEXT)
  if (node === free) return 0
  relist(set, node, INACTIVE)
  return node
}

// ---- active, inactive, free -----------------------------------------------------------------------------

/** Keeps the active list no longer than the inactive one, and the inactive list's hand moving. */
function rotate(map: u32, set: u32): void {
  const scanMax = load<u32>(map, LRU_SCAN_MAX)
  if (load<u32>(set, COUNT_INACTIVE) < load<u32>(set, COUNT_ACTIVE)) rotateActive(set, scanMax)
  rotateInactive(set, scanMax)
}

/** Referenced nodes at the active list's end go to its front, others to the inactive list. */
function rotateActive(set: u32, scanMax: u32): void {
  const head = set + ACTIVE * HEAD_BYTES
  const first = load<u32>(head, NEXT)
  let node = load<u32>(head)
  for (let scanned: u32 = 1; node !== head; scanned++) {
    const before = load<u32>(node)
    relist(set, node, isReferenced(node) ? ACTIVE : INACTIVE)
    if (scanned === scanMax || node === first) break
    node = before
  }
}

/** Moves referenced nodes up, starting where the last pass stopped. */
function rotateInactive(set: u32, scanMax: u32): void {
  const head = set + INACTIVE * HEAD_BYTES
  if (load<u32>(head, NEXT) === head) return
  let node = load<u32>(set, HAND)
  let last = load<u32>(node, NEXT)
  if (last === head) last = load<u32>(last, NEXT)
  let before = head
  let scanned: u32 = 0
  while (scanned < scanMax) {
    if (node === head) {
      node = load<u32>(node)
      continue
    }
    before = load<u32>(node)
    if (isReferenced(node)) relist(set, node, ACTIVE)
    if (node === last) break
    node = before
    scanned++
  }
  store<u32>(set, before, HAND)
}

/** Evicts up to `target` nodes to a free list; when all are in use, one regardless of its bit. */
function shrink(map: u32, set: u32, target: u32, free: u32, kind: u32): void {
  if (shrinkInactive(map, set, target, free, kind) > 0) return
  const inactive = set + INACTIVE * HEAD_BYTES
  const head = load<u32>(inactive, NEXT) !== inactive ? inactive : set + ACTIVE * HEAD_BYTES
  for (let node = load<u32>(head); node !== head; node = load<u32>(node)) {
    if (evict(map, node)) {
      moveToFree(set, node, free, kind)
      return
    }
  }
}

function shrinkInactive(map: u32, set: u32, target: u32, free: u32, kind: u32): u32 {
  const head = set + INACTIVE * HEAD_BYTES
  const scanMax = load<u32>(map, LRU_SCAN_MAX)
  let evicted: u32 = 0
  let node = load<u32>(head)
  for (let scanned: u32 = 1; node !== head; scanned++) {
    const before = load<u32>(node)
    if (isReferenced(node)) relist(set, node, ACTIVE)
    else if (evict(map, node)) {
      moveToFree(set, node, free, kind)
      if (++evicted === target) break
    }
    if (scanned === scanMax) break
    node = before
  }
  return evicted
}

/** Moves a node to the front of one of a set's lists and clears its reference bit. */
function relist(set: u32, node: u32, kind: u32): void {
  const from = load<u32>(node, STATE) & KIND_MASK
  if (from !== kind) {
    count(set, from, -1)
    count(set, kind, 1)
  }
  store<u32>(node, kind, STATE)
  passHand(set, node)
  move(node, set + kind * HEAD_BYTES)
}

function moveToFree(set: u32, node: u32, free: u32, kind: u32): void {
  const state = load<u32>(node, STATE)
  passHand(set, node)
  count(set, state & KIND_MASK, -1)
  store<u32>(node, kind | (state & REFERENCED), STATE)
  move(node, free)
}

/** The inactive list's hand must not point at a node that leaves. */
function passHand(set: u32, node: u32): void {
  if (load<u32>(set, HAND) === node) store<u32>(set, load<u32>(node), HAND)
}

function count(set: u32, kind: u32, by: i32): void {
  if (kind === ACTIVE) store<u32>(set, load<u32>(set, COUNT_ACTIVE) + by, COUNT_ACTIVE)
  else if (kind === INACTIVE) store<u32>(set, load<u32>(set, COUNT_INACTIVE) + by, COUNT_INACTIVE)
}
