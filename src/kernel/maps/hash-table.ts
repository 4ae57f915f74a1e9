/**
 * What all hash maps have in common on this side of the engines: memory, the walk over all
 * elements, and the buckets that the batch commands hand out. Layout of buckets, chains and
 * elements: src/wasm/maps/hash-table.ts.
 *
 * There are as many buckets as `max_entries` rounded up to a power of two. New elements go to the
 * head of their chain, so a map with BPF_F_ZERO_SEED, whose hash is Linux's, is walked in the order
 * in which Linux walks it.
 */

import { BPF_MAP_FLAG, ERRNO } from "../../spec/index.ts"
import {
  ELEMENT_KEY,
  LRU_NODE_BYTES,
  MAP_DATA,
  MAP_KEY_OFFSET,
  MAP_KEY_WORDS,
  MAP_MASK,
  MAP_SEED,
  MAP_STRIDE,
  MAP_VALUE_OFFSET,
} from "../../wasm/maps/layout.ts"
import { roundUp8, roundUpPowerOfTwo } from "./bytes.ts"
import type { ElementPool } from "./element-pool.ts"
import { multiplyShift } from "./engines.ts"
import { MapBase, type MapSetup } from "./map-base.ts"

export abstract class HashTable extends MapBase {
  readonly bucketCount: number
  /** Bytes of an element, with what an LRU map keeps before it. */
  protected readonly elementSize: number
  protected readonly valueOffset: number
  private readonly buckets: number
  private readonly bucketBytes: number
  private readonly seed: number
  protected abstract readonly pool: ElementPool

  constructor(setup: MapSetup, options: { lru: boolean }) {
    super(setup)
    const valueBytes = this.percpu ? this.copySize * this.host.cpus : this.copySize
    this.valueOffset = ELEMENT_KEY + roundUp8(this.keySize)
    this.elementSize = this.valueOffset + valueBytes + (options.lru ? LRU_NODE_BYTES : 0)
    this.bucketCount = roundUpPowerOfTwo(this.maxEntries)
    // With threads a bucket has a guard beside its chain.
    this.bucketBytes = this.engines.shared ? 8 : 4
    this.buckets = this.storage.take(this.bucketCount * this.bucketBytes)
    this.seed = this.flags & BPF_MAP_FLAG.BPF_F_ZERO_SEED ? 0 : this.host.random32() | 0
    this.takeValueScratch()
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.buckets)
    this.describe(MAP_STRIDE, this.elementSize)
    this.describe(MAP_MASK, this.bucketCount - 1)
    this.describe(MAP_SEED, this.seed)
    this.describe(MAP_KEY_OFFSET, ELEMENT_KEY)
    this.describe(MAP_VALUE_OFFSET, this.valueOffset)
    const words = multiplyShift(this.keySize, this.flags) ? this.keySize / 4 : 0
    this.describe(MAP_KEY_WORDS, words)
    if (words !== 0) this.engine.hashSeed(this.address)
    this.pool.initialize()
  }

  get valueRegion(): number {
    return this.pool.region
  }

  override refill(): boolean {
    return this.pool.grow()
  }

  protected override sysLookup(key: number): number {
    const element = this.engine.hashFind(this.address, key)
    return element === 0 ? -ERRNO.ENOENT : element + this.valueOffset
  }

  protected override sysLookupAndDelete(key: number, value: Uint8Array): number {
    const element = this.engine.hashFind(this.address, key)
    if (element === 0) return -ERRNO.ENOENT
    // Linux deletes first and copies to user space last: a bad buffer loses the element.
    const error = this.copyOut(element + this.valueOffset, value)
    this.remove(element)
    return error
  }

  /** Deletes an element. */
  protected abstract remove(element: number): void

  protected override nextKey(key: number): number {
    return this.engine.hashNextKey(this.address, key) || -ERRNO.ENOENT
  }

  override forEach(callback: (key: number, value: number) => number): number {
    let visited = 0
    let element = this.engine.hashFirst(this.address, 0)
    while (element !== 0) {
      // The callback may delete the element: know the next one before.
      const next = this.engine.hashAfter(this.address, element)
      visited++
      if (callback(element + ELEMENT_KEY, this.programValue(element)) !== 0) break
      element = next
    }
    return visited
  }

  /** Offset of the value that a program on this CPU sees. */
  private programValue(element: number): number {
    const value = element + this.valueOffset
    return this.percpu ? value + this.host.currentCpu() * this.copySize : value
  }

  /** Calls back for each element of one bucket with the offsets of its key and value. */
  eachInBucket(bucket: number, visit: (key: number, value: number) => void): void {
    let element = this.chainOf(bucket)
    while (element !== 0) {
      const next = this.memory.i32[element >> 2]
      visit(element + ELEMENT_KEY, element + this.valueOffset)
      element = next
    }
  }

  /** A copy of the key at an offset. */
  keyBytes(key: number): Uint8Array {
    return this.memory.u8.slice(key, key + this.keySize)
  }

  /** Elements in one bucket. */
  bucketLength(bucket: number): number {
    const { i32 } = this.memory
    let count = 0
    for (let at = this.chainOf(bucket); at !== 0; at = i32[at >> 2]) count++
    return count
  }

  private chainOf(bucket: number): number {
    return this.memory.i32[(this.buckets + bucket * this.bucketBytes) >> 2]
  }

  /** Copies what a system call sees of a value: the batch commands' way out. */
  copyValueOut(value: number, into: Uint8Array): number {
    return this.copyOut(value, into)
  }

  /** Removes all elements. */
  protected clear(): void {
    for (let bucket = 0; bucket < this.bucketCount; bucket++)
      this.eachInBucket(bucket, (key) => this.remove(key - ELEMENT_KEY))
  }

  override destroy(): void {
    if (this.releaseFields !== undefined) this.clear()
    super.destroy()
  }
}
