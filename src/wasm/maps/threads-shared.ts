/**
 * Locks and atomic accesses for a memory that several threads share; see threads.ts, whose place
 * this file takes in the other build.
 *
 *   bucket ──▶ 0 newest element of the chain   4 guard
 *   free lists ──▶ for each CPU, 64 bytes apart:  0 first free element   4 guard
 *
 * Look-ups take no lock: they read the guard, follow the chain and read the guard again. Elements
 * are recycled at once, so a reader may be led astray meanwhile, but never out of the map's memory
 * and never for long: chains and lists have no cycles.
 *
 * Order of locks: map, bucket, pool, free list.
 */

import { cpuWord, mayWait } from "./host.ts"
import {
  MAP_COUNT,
  MAP_CPUS,
  MAP_GUARD,
  MAP_MAX_ENTRIES,
  POOL_FREE_LISTS,
  POOL_GUARD,
} from "./layout.ts"

export const BUCKET_SHIFT: u32 = 3

const GUARD: u32 = 4
const LIST_BYTES: u32 = 64
/** Looks at a lock before the thread goes to sleep, and how long it sleeps at most. */
const SPINS: u32 = 200
const SLEEP_NS: i64 = 200_000

// @inline
function lock(guard: u32): void {
  const version = atomic.load<u32>(guard) & ~1
  if (atomic.cmpxchg<u32>(guard, version, version + 1) !== version) lockSlowly(guard)
}

function lockSlowly(guard: u32): void {
  let spins: u32 = 0
  for (;;) {
    const version = atomic.load<u32>(guard)
    if (version & 1) {
      // The holder may not be running at all: let it.
      if (++spins % SPINS === 0 && mayWait !== 0) atomic.wait<i32>(guard, version, SLEEP_NS)
    } else if (atomic.cmpxchg<u32>(guard, version, version + 1) === version) return
  }
}

// @inline
function unlock(guard: u32): void {
  atomic.store<u32>(guard, load<u32>(guard) + 1)
}

// @inline
function read(guard: u32): u32 {
  const version = atomic.load<u32>(guard)
  return version & 1 ? readSlowly(guard) : version
}

function readSlowly(guard: u32): u32 {
  let spins: u32 = 0
  let version = atomic.load<u32>(guard)
  while (version & 1) {
    if (++spins % SPINS === 0 && mayWait !== 0) atomic.wait<i32>(guard, version, SLEEP_NS)
    version = atomic.load<u32>(guard)
  }
  return version
}

// @inline
export function lockBucket(bucket: u32): void {
  lock(bucket + GUARD)
}

// @inline
export function unlockBucket(bucket: u32): void {
  unlock(bucket + GUARD)
}

/** For readers of a bucket's chain: what bucketChanged() wants to know. */
// @inline
export function readBucket(bucket: u32): u32 {
  return read(bucket + GUARD)
}

/** Whether the chain has changed since. */
// @inline
export function bucketChanged(bucket: u32, version: u32): bool {
  return atomic.load<u32>(bucket + GUARD) !== version
}

// @inline
export function lockMap(map: u32): void {
  lock(map + MAP_GUARD)
}

// @inline
export function unlockMap(map: u32): void {
  unlock(map + MAP_GUARD)
}

// @inline
export function readMap(map: u32): u32 {
  return read(map + MAP_GUARD)
}

// @inline
export function mapChanged(map: u32, version: u32): bool {
  return atomic.load<u32>(map + MAP_GUARD) !== version
}

/** Counts one more element; false, and does not, when the map is full. */
// @inline
export function countUp(map: u32): bool {
  if (atomic.add<u32>(map + MAP_COUNT, 1) < load<u32>(map, MAP_MAX_ENTRIES)) return true
  atomic.sub<u32>(map + MAP_COUNT, 1)
  return false
}

// @inline
export function countDown(map: u32): void {
  atomic.sub<u32>(map + MAP_COUNT, 1)
}

// @inline
function freeList(map: u32, cpu: u32): u32 {
  return load<u32>(map, POOL_FREE_LISTS) + cpu * LIST_BYTES
}

function popFrom(list: u32): u32 {
  if (atomic.load<u32>(list) === 0) return 0
  lock(list + GUARD)
  const element = load<u32>(list)
  if (element !== 0) store<u32>(list, load<u32>(element))
  unlock(list + GUARD)
  return element
}

/** A free element off this CPU's list, or 0. */
// @inline
export function popFree(map: u32): u32 {
  return popFrom(freeList(map, load<u32>(cpuWord)))
}

export function pushFree(map: u32, element: u32): void {
  const list = freeList(map, load<u32>(cpuWord))
  lock(list + GUARD)
  store<u32>(element, load<u32>(list))
  store<u32>(list, element)
  unlock(list + GUARD)
}

/** A free element off another CPU's list, or 0. */
export function stealFree(map: u32): u32 {
  const cpus = load<u32>(map, MAP_CPUS)
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    const element = popFrom(freeList(map, cpu))
    if (element !== 0) return element
  }
  return 0
}

// @inline
export function lockPool(map: u32): void {
  lock(map + POOL_GUARD)
}

// @inline
export function unlockPool(map: u32): void {
  unlock(map + POOL_GUARD)
}

/** A word that other threads read, or have written. */
// @inline
export function loadShared(at: u32): u32 {
  return atomic.load<u32>(at)
}

// @inline
export function storeShared(at: u32, value: u32): void {
  atomic.store<u32>(at, value)
}

// @inline
export function loadWide(at: u32): u64 {
  return atomic.load<u64>(at)
}

// @inline
export function storeWide(at: u32, value: u64): void {
  atomic.store<u64>(at, value)
}

/** Sets bits of a word. */
// @inline
export function setBits(at: u32, bits: u32): void {
  atomic.or<u32>(at, bits)
}
