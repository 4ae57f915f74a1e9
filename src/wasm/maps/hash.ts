/**
 * BPF_MAP_TYPE_HASH, _PERCPU_HASH and _HASH_OF_MAPS (linux v6.18 kernel/bpf/hashtab.c). Layout:
 * hash-table.ts.
 *
 * An update of an existing element of a plain hash puts a new element in its place, as Linux does,
 * so a program that still holds the old value's address does not see the new value. Per-CPU values
 * and inner maps are updated in place.
 */

import { copy, zero } from "./bytes.ts"
import {
  BPF_EXIST,
  BPF_F_LOCK,
  BPF_NOEXIST,
  E2BIG,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOMEM,
} from "./errno.ts"
import {
  bucketOf,
  find4,
  find8,
  find16,
  findHashed,
  hashFind,
  hashOf,
  link,
  unlink,
  unlinkBehind,
} from "./hash-table.ts"
import {
  ELEMENT_HASH,
  ELEMENT_KEY,
  FEATURE_IN_PLACE,
  FEATURE_LOCKED,
  FEATURE_PERCPU,
  MAP_CPU_STRIDE,
  MAP_CPUS,
  MAP_FEATURES,
  MAP_KEY_SIZE,
  MAP_VALUE_OFFSET,
  MAP_VALUE_SIZE,
} from "./layout.ts"
import { countDown, countUp, lockBucket, unlockBucket } from "./threads.ts"
import {
  clearFields,
  cpuOffset,
  giveElement,
  releaseValue,
  storeAllCopies,
  storeOwnCopy,
  storeValue,
  takeElement,
} from "./values.ts"

/** The value under a key, or 0. */
export function hashLookup(map: u32, key: u32): u32 {
  const element = hashFind(map, key)
  return element === 0 ? 0 : element + load<u32>(map, MAP_VALUE_OFFSET)
}

/** The same for a multiply-shift table of 4-byte keys. */
export function hashLookup4(map: u32, key: u32): u32 {
  const element = find4(map, key)
  return element === 0 ? 0 : element + ELEMENT_KEY + 8
}

/** The same for 8-byte keys. */
export function hashLookup8(map: u32, key: u32): u32 {
  const element = find8(map, key)
  return element === 0 ? 0 : element + ELEMENT_KEY + 8
}

/** The same for 16-byte keys. */
export function hashLookup16(map: u32, key: u32): u32 {
  const element = find16(map, key)
  return element === 0 ? 0 : element + ELEMENT_KEY + 16
}

/** This CPU's copy of the value under a key, or 0. */
export function percpuHashLookup(map: u32, key: u32): u32 {
  const value = hashLookup(map, key)
  return value === 0 ? 0 : value + cpuOffset(map)
}

/** A given CPU's copy, or 0. */
export function percpuHashLookupCpu(map: u32, key: u32, cpu: u32): u32 {
  if (cpu >= load<u32>(map, MAP_CPUS)) return 0
  const value = hashLookup(map, key)
  return value === 0 ? 0 : value + cpu * load<u32>(map, MAP_CPU_STRIDE)
}

/** The descriptor of the inner map under a key, or 0. */
export function hashOfMapsLookup(map: u32, key: u32): u32 {
  const value = hashLookup(map, key)
  return value === 0 ? 0 : load<u32>(value)
}

/** What BPF_NOEXIST and BPF_EXIST make of an element that is there or not: 0 or an errno. */
// @inline
export function refusal(exists: bool, flags: u32): i32 {
  const mode = flags & ~BPF_F_LOCK
  if (exists) return mode === BPF_NOEXIST ? -EEXIST : 0
  return mode === BPF_EXIST ? -ENOENT : 0
}

/** Update of a plain value. */
export function hashUpdate(map: u32, key: u32, from: u32, flags: u32): i32 {
  if ((flags & ~BPF_F_LOCK) > BPF_EXIST) return -EINVAL
  if (flags & BPF_F_LOCK && !(load<u32>(map, MAP_FEATURES) & FEATURE_LOCKED)) return -EINVAL
  const hash = hashOf(map, key)
  const bucket = bucketOf(map, hash)
  lockBucket(bucket)
  const result = updateIn(map, key, from, flags, hash)
  unlockBucket(bucket)
  return result
}

// @inline
function updateIn(map: u32, key: u32, from: u32, flags: u32, hash: u32): i32 {
  const old = findHashed(map, key, hash)
  const error = refusal(old !== 0, flags)
  if (error !== 0) return error
  const valueOffset = load<u32>(map, MAP_VALUE_OFFSET)
  const valueSize = load<u32>(map, MAP_VALUE_SIZE)
  if (old !== 0 && (load<u32>(map, MAP_FEATURES) & FEATURE_IN_PLACE || flags & BPF_F_LOCK)) {
    storeValue(map, old + valueOffset, from, valueSize)
    return 0
  }
  if (old === 0 && !countUp(map)) return -E2BIG
  const element = takeElement(map)
  if (element === 0) {
    if (old === 0) countDown(map)
    return -ENOMEM
  }
  copy(element + ELEMENT_KEY, key, load<u32>(map, MAP_KEY_SIZE))
  clearFields(map, element + valueOffset)
  storeValue(map, element + valueOffset, from, valueSize)
  link(map, element, hash)
  if (old !== 0) {
    unlinkBehind(map, old, element)
    releaseValue(map, old + valueOffset, 1)
    giveElement(map, old)
  }
  return 0
}

/** A program's update of its CPU's copy; the other copies of a new element are zero. */
export function percpuHashUpdate(map: u32, key: u32, from: u32, flags: u32): i32 {
  return percpuUpdate(map, key, from, flags, false)
}

/** A system call's update of all copies (`from`: one copy after another). */
export function percpuHashUpdateAll(map: u32, key: u32, from: u32, flags: u32): i32 {
  return percpuUpdate(map, key, from, flags, true)
}

function percpuUpdate(map: u32, key: u32, from: u32, flags: u32, all: bool): i32 {
  if (flags > BPF_EXIST) return -EINVAL
  const hash = hashOf(map, key)
  const bucket = bucketOf(map, hash)
  lockBucket(bucket)
  const value = percpuPlace(map, key, flags, hash)
  if (value > 0) {
    if (all) storeAllCopies(map, value, from)
    else storeOwnCopy(map, value, from)
  }
  unlockBucket(bucket)
  return min<i32>(value, 0)
}

/** Offset of the value under a key, made if need be, or an errno. */
// @inline
function percpuPlace(map: u32, key: u32, flags: u32, hash: u32): i32 {
  let element = findHashed(map, key, hash)
  const error = refusal(element !== 0, flags)
  if (error !== 0) return error
  const valueOffset = load<u32>(map, MAP_VALUE_OFFSET)
  if (element === 0) {
    if (!countUp(map)) return -E2BIG
    element = takeElement(map)
    if (element === 0) {
      countDown(map)
      return -ENOMEM
    }
    copy(element + ELEMENT_KEY, key, load<u32>(map, MAP_KEY_SIZE))
    zero(element + valueOffset, load<u32>(map, MAP_CPU_STRIDE) * load<u32>(map, MAP_CPUS))
    link(map, element, hash)
  }
  return element + valueOffset
}

/** Deletes the element under a key. */
export function hashDelete(map: u32, key: u32): i32 {
  const hash = hashOf(map, key)
  const bucket = bucketOf(map, hash)
  lockBucket(bucket)
  const element = findHashed(map, key, hash)
  if (element !== 0) unlink(map, element)
  unlockBucket(bucket)
  if (element === 0) return -ENOENT
  drop(map, element)
  return 0
}

/** Deletes an element, if it is in the table. */
export function hashRemove(map: u32, element: u32): void {
  const bucket = bucketOf(map, load<u32>(element, ELEMENT_HASH))
  lockBucket(bucket)
  const there = unlink(map, element)
  unlockBucket(bucket)
  if (there) drop(map, element)
}

// @inline
function drop(map: u32, element: u32): void {
  const copies = load<u32>(map, MAP_FEATURES) & FEATURE_PERCPU ? load<u32>(map, MAP_CPUS) : 1
  releaseValue(map, element + load<u32>(map, MAP_VALUE_OFFSET), copies)
  giveElement(map, element)
  countDown(map)
}
