/**
 * The batch commands (linux v6.18 kernel/bpf/syscall.c generic_map_*_batch, kernel/bpf/hashtab.c
 * __htab_map_lookup_and_delete_batch).
 *
 * Arrays and tries go on after the last key (`out_batch` holds it); hash maps go on at a bucket
 * (`out_batch` holds its number) and hand out whole buckets, so a batch smaller than the fullest
 * bucket can end in -ENOSPC. The end of the map is -ENOENT, with what was found before it in
 * `count`. A missing or short buffer is -EFAULT, which leaves `count` at 0.
 */

import { BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO, type MapBatchAttr } from "../../spec/index.ts"
import { HashTable } from "./hash-table.ts"
import type { BpfMap } from "./map.ts"

const T = BPF_MAP_TYPE
const HASHES: readonly number[] = [
  T.BPF_MAP_TYPE_HASH,
  T.BPF_MAP_TYPE_PERCPU_HASH,
  T.BPF_MAP_TYPE_LRU_HASH,
  T.BPF_MAP_TYPE_LRU_PERCPU_HASH,
]
const ARRAYS: readonly number[] = [
  T.BPF_MAP_TYPE_ARRAY,
  T.BPF_MAP_TYPE_PERCPU_ARRAY,
  T.BPF_MAP_TYPE_ARRAY_OF_MAPS,
]
/** Map types with each command; other types answer -ENOTSUPP. */
const DELETABLE: readonly number[] = [
  ...HASHES,
  T.BPF_MAP_TYPE_LPM_TRIE,
  T.BPF_MAP_TYPE_HASH_OF_MAPS,
]
const BATCHED: readonly number[] = [...DELETABLE, ...ARRAYS]
const HAND_OUT: readonly number[] = [...HASHES, T.BPF_MAP_TYPE_HASH_OF_MAPS]

/** One element into or out of a map; the system call layer's own for maps of references. */
export type UpdateElement = (key: Uint8Array, value: Uint8Array, flags: bigint) => number
export type DeleteElement = (key: Uint8Array) => number

/** BPF_F_LOCK is the only element flag, and only for values with a lock. */
function flagsRefused(map: BpfMap, attr: MapBatchAttr): boolean {
  const flags = attr.elem_flags ?? 0n
  if (flags === 0n) return false
  const locked = (map as { fields?: readonly { kind: string }[] }).fields?.some(
    (field) => field.kind === "spin_lock",
  )
  return flags !== BigInt(BPF_UPDATE_FLAG.BPF_F_LOCK) || locked !== true
}

/** MAP_LOOKUP_BATCH */
export function lookupBatch(map: BpfMap, attr: MapBatchAttr): number {
  if (!BATCHED.includes(map.type)) return -ERRNO.ENOTSUPP
  if (map instanceof HashTable) return bucketBatch(map, attr)
  if (flagsRefused(map, attr)) return -ERRNO.EINVAL
  return keyBatch(map, attr)
}

/** MAP_LOOKUP_AND_DELETE_BATCH */
export function lookupAndDeleteBatch(
  map: BpfMap,
  attr: MapBatchAttr,
  remove: DeleteElement = (key) => map.deleteElem(key),
): number {
  if (map.frozen) return -ERRNO.EPERM
  if (!HAND_OUT.includes(map.type) || !(map instanceof HashTable)) return -ERRNO.ENOTSUPP
  return bucketBatch(map, attr, remove)
}

/** MAP_UPDATE_BATCH */
export function updateBatch(
  map: BpfMap,
  attr: MapBatchAttr,
  update: UpdateElement = (key, value, flags) => map.updateElem(key, value, flags),
): number {
  if (map.frozen) return -ERRNO.EPERM
  if (!BATCHED.includes(map.type)) return -ERRNO.ENOTSUPP
  if (flagsRefused(map, attr)) return -ERRNO.EINVAL
  return eachElement(attr, (index) => {
    const key = slice(attr.keys, index, map.keySize)
    const value = slice(attr.values, index, map.syscallValueSize)
    if (key === undefined || value === undefined) return -ERRNO.EFAULT
    return update(key, value, attr.elem_flags ?? 0n)
  })
}

/** MAP_DELETE_BATCH */
export function deleteBatch(
  map: BpfMap,
  attr: MapBatchAttr,
  remove: DeleteElement = (key) => map.deleteElem(key),
): number {
  if (map.frozen) return -ERRNO.EPERM
  if (!DELETABLE.includes(map.type)) return -ERRNO.ENOTSUPP
  if (flagsRefused(map, attr)) return -ERRNO.EINVAL
  return eachElement(attr, (index) => {
    const key = slice(attr.keys, index, map.keySize)
    return key === undefined ? -ERRNO.EFAULT : remove(key)
  })
}

/** Stops at the first error; `count` becomes the number of elements done. */
function eachElement(attr: MapBatchAttr, action: (index: number) => number): number {
  const wanted = attr.count >>> 0
  if (wanted === 0) return 0
  for (let index = 0; index < wanted; index++) {
    const error = action(index)
    if (error !== 0) {
      attr.count = index
      return error
    }
  }
  return 0
}

function slice(bytes: Uint8Array | undefined, index: number, size: number): Uint8Array | undefined {
  if (bytes === undefined || (index + 1) * size > bytes.length) return undefined
  return bytes.subarray(index * size, (index + 1) * size)
}

/** generic_map_lookup_batch */
function keyBatch(map: BpfMap, attr: MapBatchAttr): number {
  const wanted = attr.count >>> 0
  if (wanted === 0) return 0
  attr.count = 0
  let previous: Uint8Array | undefined
  if (attr.in_batch !== undefined) {
    if (attr.in_batch.length < map.keySize) return -ERRNO.EFAULT
    previous = attr.in_batch.slice(0, map.keySize)
  }
  const next = new Uint8Array(map.keySize)
  const value = new Uint8Array(map.syscallValueSize)
  let done = 0
  let error = 0
  while (done < wanted) {
    error = map.getNextKey(previous, next)
    if (error !== 0) break
    const found = map.lookupElem(next, value, 0n)
    previous = next.slice()
    if (found === -ERRNO.ENOENT) continue
    if (found !== 0) return found
    const intoKey = slice(attr.keys, done, map.keySize)
    const intoValue = slice(attr.values, done, map.syscallValueSize)
    intoKey?.set(next)
    if (intoKey === undefined || intoValue === undefined) return -ERRNO.EFAULT
    intoValue.set(value)
    done++
  }
  attr.count = done
  if (done === 0) return error
  if (attr.out_batch === undefined || attr.out_batch.length < map.keySize) return -ERRNO.EFAULT
  attr.out_batch.set(previous as Uint8Array)
  return error
}

/** __htab_map_lookup_and_delete_batch */
function bucketBatch(map: HashTable, attr: MapBatchAttr, remove?: DeleteElement): number {
  if (flagsRefused(map, attr) || (attr.flags ?? 0n) !== 0n) return -ERRNO.EINVAL
  const wanted = attr.count >>> 0
  if (wanted === 0) return 0
  attr.count = 0
  let bucket = 0
  if (attr.in_batch !== undefined) {
    if (attr.in_batch.length < 4) return -ERRNO.EFAULT
    bucket = new DataView(attr.in_batch.buffer, attr.in_batch.byteOffset).getUint32(0, true)
  }
  if (bucket >= map.bucketCount) return -ERRNO.ENOENT
  let done = 0
  let error = 0
  while (error === 0) {
    const length = map.bucketLength(bucket)
    if (length > wanted - done) {
      if (done === 0) error = -ERRNO.ENOSPC
      break
    }
    if (length > 0 && !copyBucket(map, attr, bucket, { done, remove })) return -ERRNO.EFAULT
    done += length
    if (++bucket >= map.bucketCount) error = -ERRNO.ENOENT
  }
  if (attr.out_batch === undefined || attr.out_batch.length < 4) return -ERRNO.EFAULT
  new DataView(attr.out_batch.buffer, attr.out_batch.byteOffset).setUint32(0, bucket, true)
  attr.count = done
  return error
}

/** Copies a bucket out behind `done` elements, and removes it if asked; false for a short buffer. */
function copyBucket(
  map: HashTable,
  attr: MapBatchAttr,
  bucket: number,
  options: { done: number; remove: DeleteElement | undefined },
): boolean {
  const { done, remove } = options
  const keys: Uint8Array[] = []
  const values: Uint8Array[] = []
  map.eachInBucket(bucket, (key, value) => {
    const bytes = new Uint8Array(map.syscallValueSize)
    map.copyValueOut(value, bytes)
    keys.push(map.keyBytes(key))
    values.push(bytes)
  })
  // As in Linux the elements are gone even if copying them to user space fails.
  if (remove !== undefined) for (const key of keys) remove(key)
  return place(attr.keys, done, keys) && place(attr.values, done, values)
}

/** Writes `parts` of one size from position `done` on; false (and nothing) if they do not fit. */
function place(into: Uint8Array | undefined, done: number, parts: readonly Uint8Array[]): boolean {
  const size = parts[0].length
  if (into === undefined || (done + parts.length) * size > into.length) return false
  for (const [index, part] of parts.entries()) into.set(part, (done + index) * size)
  return true
}
