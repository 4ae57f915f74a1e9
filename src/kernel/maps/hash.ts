/**
 * BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_PERCPU_HASH, preallocated or not (linux v6.18
 * kernel/bpf/hashtab.c). Layout: hash-table.ts.
 *
 * An update of an existing element of a plain hash puts a new element in its place, as Linux does,
 * so a program that still holds the old value's address does not see the new value: there are as
 * many spare elements as CPUs, and the element replaced becomes the spare of the next update.
 * Per-CPU values and inner maps are updated in place.
 */

import { BPF_MAP_FLAG, BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { zeroBytes } from "./bytes.ts"
import { ElementPool } from "./element-pool.ts"
import { HashTable } from "./hash-table.ts"
import { type MapSetup, valueRegionFlags } from "./map-base.ts"

/** What BPF_NOEXIST and BPF_EXIST make of an element that is there or not: 0 or a negative errno. */
export function updateRefusal(exists: boolean, flags: number): number {
  const mode = flags & ~BPF_UPDATE_FLAG.BPF_F_LOCK
  if (exists) return mode === BPF_UPDATE_FLAG.BPF_NOEXIST ? -ERRNO.EEXIST : 0
  return mode === BPF_UPDATE_FLAG.BPF_EXIST ? -ERRNO.ENOENT : 0
}

export class HashMap extends HashTable {
  protected readonly pool: ElementPool
  /** Updates write into the element that is there: of maps of maps, and with BPF_F_LOCK. */
  private readonly inPlace: boolean
  private count = 0

  constructor(setup: MapSetup) {
    super(setup, { lru: false })
    this.inPlace = this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS
    this.pool = new ElementPool(this.storage, {
      elementSize: this.layout.size,
      capacity: this.maxEntries + (this.percpu ? 0 : this.host.cpus),
      preallocate: (this.flags & BPF_MAP_FLAG.BPF_F_NO_PREALLOC) === 0,
      regionFlags: valueRegionFlags(this.flags),
    })
  }

  override lookup(key: number): number {
    const aligned = this.alignedKey(key)
    const element = this.find(aligned, this.hashOf(aligned))
    return element === 0 ? 0 : this.programValue(element)
  }

  override lookupPercpu(key: number, cpu: number): number {
    if (!this.percpu || cpu >= this.host.cpus) return 0
    const aligned = this.alignedKey(key)
    const element = this.find(aligned, this.hashOf(aligned))
    return element === 0 ? 0 : element + this.valueOffset + cpu * this.copySize
  }

  override update(key: number, value: number, flags: number): number {
    const aligned = this.alignedKey(key)
    return this.percpu
      ? this.putPercpu(aligned, null, value, flags)
      : this.put(aligned, null, value, flags)
  }

  override delete(key: number): number {
    const aligned = this.alignedKey(key)
    const element = this.find(aligned, this.hashOf(aligned))
    if (element === 0) return -ERRNO.ENOENT
    this.remove(element)
    return 0
  }

  protected override sysLookup(key: number): number {
    const element = this.find(key, this.hashOf(key))
    return element === 0 ? -ERRNO.ENOENT : element + this.valueOffset
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    return this.percpu ? this.putPercpu(key, value, 0, flags) : this.put(key, value, 0, flags)
  }

  protected override sysLookupAndDelete(key: number, value: Uint8Array): number {
    const element = this.find(key, this.hashOf(key))
    if (element === 0) return -ERRNO.ENOENT
    // Linux deletes first and copies to user space last: a bad buffer loses the element.
    const error = this.copyOut(element + this.valueOffset, value)
    this.remove(element)
    return error
  }

  /** Removes all elements. */
  protected clear(): void {
    for (let bucket = 0; bucket < this.bucketCount; bucket++)
      this.eachInBucket(bucket, (key) => this.remove(key - this.keyOffset))
  }

  private remove(element: number): void {
    this.unlink(element)
    this.releaseValue(element)
    this.pool.give(element)
    this.count--
  }

  private put(key: number, source: Uint8Array | null, from: number, flags: number): number {
    const mode = flags & ~BPF_UPDATE_FLAG.BPF_F_LOCK
    if (mode >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST || this.lockRefused(flags)) return -ERRNO.EINVAL
    const hash = this.hashOf(key)
    const old = this.find(key, hash)
    const error = updateRefusal(old !== 0, flags)
    if (error !== 0) return error
    if (old !== 0 && (this.inPlace || (flags & BPF_UPDATE_FLAG.BPF_F_LOCK) !== 0)) {
      this.storeValue(old + this.valueOffset, source, from, this.valueSize)
      return 0
    }
    if (old === 0 && this.count >= this.maxEntries) return -ERRNO.E2BIG
    const element = this.pool.take()
    if (element === 0) return -ERRNO.ENOMEM
    this.clearFields(element + this.valueOffset)
    this.storeValue(element + this.valueOffset, source, from, this.valueSize)
    this.link(element, key, hash)
    if (old === 0) this.count++
    else {
      this.unlink(old)
      this.releaseValue(old)
      this.pool.give(old)
    }
    return 0
  }

  /** A program (`source` null) writes its CPU's copy, a system call all of them. */
  private putPercpu(key: number, source: Uint8Array | null, from: number, flags: number): number {
    if (flags >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    const hash = this.hashOf(key)
    let element = this.find(key, hash)
    const error = updateRefusal(element !== 0, flags)
    if (error !== 0) return error
    if (element === 0) {
      if (this.count >= this.maxEntries) return -ERRNO.E2BIG
      element = this.pool.take()
      if (element === 0) return -ERRNO.ENOMEM
      zeroBytes(this.memory, element + this.valueOffset, this.copySize * this.host.cpus)
      this.link(element, key, hash)
      this.count++
    }
    this.storePercpu(element + this.valueOffset, source, from)
    return 0
  }
}
