/**
 * What is different when several threads use one memory: here nothing is, because this memory has
 * one thread. threads-shared.ts has the same functions with locks and atomic accesses, and takes
 * the place of this file in the other build.
 *
 * A "guard" is a word that is odd while somebody writes what it guards: a lock for writers, and for
 * readers the way to see that they must read again.
 */

import { MAP_COUNT, MAP_MAX_ENTRIES, POOL_FREE } from "./layout.ts"

/** Logarithm of the bytes of a bucket: the head of its chain (and its guard, with threads). */
export const BUCKET_SHIFT: u32 = 2

// @inline
export function lockBucket(_bucket: u32): void {}

// @inline
export function unlockBucket(_bucket: u32): void {}

/** For readers of a bucket's chain: what readAgain() wants to know. */
// @inline
export function readBucket(_bucket: u32): u32 {
  return 0
}

/** Whether the chain has changed since. */
// @inline
export function bucketChanged(_bucket: u32, _version: u32): bool {
  return false
}

// @inline
export function lockMap(_map: u32): void {}

// @inline
export function unlockMap(_map: u32): void {}

// @inline
export function readMap(_map: u32): u32 {
  return 0
}

// @inline
export function mapChanged(_map: u32, _version: u32): bool {
  return false
}

/** Counts one more element; false, and does not, when the map is full. */
// @inline
export function countUp(map: u32): bool {
  const count = load<u32>(map, MAP_COUNT)
  if (count >= load<u32>(map, MAP_MAX_ENTRIES)) return false
  store<u32>(map, count + 1, MAP_COUNT)
  return true
}

// @inline
export function countDown(map: u32): void {
  store<u32>(map, load<u32>(map, MAP_COUNT) - 1, MAP_COUNT)
}

/** A free element off the list, or 0. */
// @inline
export function popFree(map: u32): u32 {
  const element = load<u32>(map, POOL_FREE)
  if (element !== 0) store<u32>(map, load<u32>(element), POOL_FREE)
  return element
}

// @inline
export function pushFree(map: u32, element: u32): void {
  store<u32>(element, load<u32>(map, POOL_FREE))
  store<u32>(map, element, POOL_FREE)
}

/** Free elements of other CPUs: there are none apart from ours. */
// @inline
export function stealFree(_map: u32): u32 {
  return 0
}

// @inline
export function lockPool(_map: u32): void {}

// @inline
export function unlockPool(_map: u32): void {}

/** A word that other threads read, or have written. */
// @inline
export function loadShared(at: u32): u32 {
  return load<u32>(at)
}

// @inline
export function storeShared(at: u32, value: u32): void {
  store<u32>(at, value)
}

// @inline
export function loadWide(at: u32): u64 {
  return load<u64>(at)
}

// @inline
export function storeWide(at: u32, value: u64): void {
  store<u64>(at, value)
}

/** Sets bits of a word. */
// @inline
export function setBits(at: u32, bits: u32): void {
  store<u32>(at, load<u32>(at) | bits)
}
