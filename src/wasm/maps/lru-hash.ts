/**
 * BPF_MAP_TYPE_LRU_HASH and BPF_MAP_TYPE_LRU_PERCPU_HASH: hash maps that make room by dropping an
 * element that was not used lately (linux v6.18 kernel/bpf/hashtab.c). Layout: hash-table.ts;
 * replacement: lru-list.ts.
 *
 * Only look-ups and updates by programs count as use; system calls that walk the map do not. As in
 * Linux an update takes its node before it looks for the key, so updating an existing key of a full
 * map may drop another element, and so does an update that is then refused.
 */

import { copy, zero } from "./bytes.ts"
import { BPF_EXIST, EINVAL, ENOENT, ENOMEM } from "./errno.ts"
import { refusal } from "./hash.ts"
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
import { cpuWord } from "./host.ts"
import {
  ELEMENT_HASH,
  ELEMENT_KEY,
  FEATURE_PERCPU,
  MAP_CPU_STRIDE,
  MAP_CPUS,
  MAP_FEATURES,
  MAP_KEY_SIZE,
  MAP_VALUE_OFFSET,
  MAP_VALUE_SIZE,
} from "./layout.ts"
import { lruGive, lruReference, lruTake } from "./lru-list.ts"
import { lockBucket, lockMap, unlockBucket, unlockMap } from "./threads.ts"
import {
  clearFields,
  cpuOffset,
  releaseValue,
  storeAllCopies,
  storeOwnCopy,
  storeValue,
} from "./values.ts"

/** A program's look-up: the value under a key, or 0. */
export function lruLookup(map: u32, key: u32): u32 {
  const element = hashFind(map, key)
  if (element === 0) return 0
  lruReference(element)
  return element + load<u32>(map, MAP_VALUE_OFFSET)
}

/** The same for a multiply-shift table of 4-byte keys. */
export function lruLookup4(map: u32, key: u32): u32 {
  const element = find4(map, key)
  if (element === 0) return 0
  lruReference(element)
  return element + ELEMENT_KEY + 8
}

/** The same for 8-byte keys. */
export function lruLookup8(map: u32, key: u32): u32 {
  const element = find8(map, key)
  if (element === 0) return 0
  lruReference(element)
  return element + ELEMENT_KEY + 8
}

/** The same for 16-byte keys. */
export function lruLookup16(map: u32, key: u32): u32 {
  const element = find16(map, key)
  if (element === 0) return 0
  lruReference(element)
  return element + ELEMENT_KEY + 16
}

/** This CPU's copy, or 0. */
export function lruPercpuLookup(map: u32, key: u32): u32 {
  const value = lruLookup(map, key)
  return value === 0 ? 0 : value + cpuOffset(map)
}

/** A given CPU's copy, or 0. */
export function lruPercpuLookupCpu(map: u32, key: u32, cpu: u32): u32 {
  if (cpu >= load<u32>(map, MAP_CPUS)) return 0
  const value = lruLookup(map, key)
  return value === 0 ? 0 : value + cpu * load<u32>(map, MAP_CPU_STRIDE)
}

/** Update of a plain value. */
export function lruUpdate(map: u32, key: u32, from: u32, flags: u32): i32 {
  if (flags > BPF_EXIST) return -EINVAL
  lockMap(map)
  const result = updateIn(map, key, from, flags)
  unlockMap(map)
  return result
}

// @inline
function updateIn(map: u32, key: u32, from: u32, flags: u32): i32 {
  const element = lruTake(map, load<u32>(cpuWord))
  if (element === 0) return -ENOMEM
  const hash = hashOf(map, key)
  const old = findHashed(map, key, hash)
  const error = refusal(old !== 0, flags)
  if (error !== 0) {
    lruGive(map, element)
    return error
  }
  const value = element + load<u32>(map, MAP_VALUE_OFFSET)
  const bucket = bucketOf(map, hash)
  copy(element + ELEMENT_KEY, key, load<u32>(map, MAP_KEY_SIZE))
  clearFields(map, value)
  storeValue(map, value, from, load<u32>(map, MAP_VALUE_SIZE))
  lockBucket(bucket)
  link(map, element, hash)
  if (old !== 0) unlinkBehind(map, old, element)
  unlockBucket(bucket)
  if (old !== 0) {
    lruReference(element)
    releaseValue(map, old + load<u32>(map, MAP_VALUE_OFFSET), 1)
    lruGive(map, old)
  }
  return 0
}

/** A program's update of its CPU's copy; the other copies of a new element are zero. */
export function lruPercpuUpdate(map: u32, key: u32, from: u32, flags: u32): i32 {
  return percpuUpdate(map, key, from, flags, false)
}

/** A system call's update of all copies (`from`: one copy after another). */
export function lruPercpuUpdateAll(map: u32, key: u32, from: u32, flags: u32): i32 {
  return percpuUpdate(map, key, from, flags, true)
}

function percpuUpdate(map: u32, key: u32, from: u32, flags: u32, all: bool): i32 {
  if (flags > BPF_EXIST) return -EINVAL
  lockMap(map)
  const result = percpuUpdateIn(map, key, from, flags, all)
  unlockMap(map)
  return result
}

// @inline
function percpuUpdateIn(map: u32, key: u32, from: u32, flags: u32, all: bool): i32 {
  let spare: u32 = 0
  if (flags !== BPF_EXIST) {
    spare = lruTake(map, load<u32>(cpuWord))
    if (spare === 0) return -ENOMEM
  }
  const hash = hashOf(map, key)
  const valueOffset = load<u32>(map, MAP_VALUE_OFFSET)
  let element = findHashed(map, key, hash)
  const error = refusal(element !== 0, flags)
  if (error === 0) {
    if (element !== 0) lruReference(element)
    else {
      element = spare
      spare = 0
      copy(element + ELEMENT_KEY, key, load<u32>(map, MAP_KEY_SIZE))
      zero(element + valueOffset, load<u32>(map, MAP_CPU_STRIDE) * load<u32>(map, MAP_CPUS))
      const bucket = bucketOf(map, hash)
      lockBucket(bucket)
      link(map, element, hash)
      unlockBucket(bucket)
    }
    if (all) storeAllCopies(map, element + valueOffset, from)
    else storeOwnCopy(map, element + valueOffset, from)
  }
  if (spare !== 0) lruGive(map, spare)
  return error
}

/** Deletes the element under a key. */
export function lruDelete(map: u32, key: u32): i32 {
  lockMap(map)
  const element = findHashed(map, key, hashOf(map, key))
  if (element !== 0) drop(map, element)
  unlockMap(map)
  return element === 0 ? -ENOENT : 0
}

/** Deletes an element, if it is in the table. */
export function lruRemove(map: u32, element: u32): void {
  lockMap(map)
  drop(map, element)
  unlockMap(map)
}

function drop(map: u32, element: u32): void {
  const bucket = bucketOf(map, load<u32>(element, ELEMENT_HASH))
  lockBucket(bucket)
  const there = unlink(map, element)
  unlockBucket(bucket)
  if (!there) return
  const copies = load<u32>(map, MAP_FEATURES) & FEATURE_PERCPU ? load<u32>(map, MAP_CPUS) : 1
  releaseValue(map, element + load<u32>(map, MAP_VALUE_OFFSET), copies)
  lruGive(map, element)
}
