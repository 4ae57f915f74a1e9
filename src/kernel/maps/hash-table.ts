/**
 * Buckets and chains that all hash maps share (linux v6.18 kernel/bpf/hashtab.c).
 *
 *   data ──▶ bucket 0 │ bucket 1 │ …       u32 each: the newest element of the chain, or 0
 *
 *   element ──▶  0  next in the chain (in a free element: next free one)
 *                4  hash
 *                8  LRU only: previous, next, state, reserved (4 words, lru-list.ts)
 *   keyOffset ▶  key, padded to 8
 *   valueOffset▶ value, padded to 8; for per-CPU maps one copy after another
 *
 * As many buckets as `max_entries` rounded up to a power of two; the hash is Linux's with the
 * map's seed (0 with BPF_F_ZERO_SEED), and new elements go to the head of their chain, so a
 * zero-seeded map is walked in the order in which Linux walks it.
 */

import { BPF_MAP_FLAG, ERRNO } from "../../spec/index.ts"
import { copyBytes, jhash, roundUp8, roundUpPowerOfTwo, sameBytes } from "./bytes.ts"
import type { ElementPool } from "./element-pool.ts"
import { DESCRIPTOR, MapBase, type MapSetup } from "./map-base.ts"

/** Word of an element that holds its hash. */
export const ELEMENT_HASH = 4
/** Bytes before the key: of a plain element, and of one with LRU links. */
const HEADER_SIZE = 8
const LRU_HEADER_SIZE = 24

/** How an element is laid out: also for code that is generated for one map. */
export interface ElementLayout {
  readonly keyOffset: number
  readonly valueOffset: number
  readonly size: number
}

/** The layout of a hash map's elements. */
export function elementLayout(
  keySize: number,
  valueBytes: number,
  options: { lru: boolean },
): ElementLayout {
  const keyOffset = options.lru ? LRU_HEADER_SIZE : HEADER_SIZE
  const valueOffset = keyOffset + roundUp8(keySize)
  return { keyOffset, valueOffset, size: valueOffset + roundUp8(valueBytes) }
}

export abstract class HashTable extends MapBase {
  readonly bucketCount: number
  protected readonly layout: ElementLayout
  protected readonly buckets: number
  protected readonly keyOffset: number
  protected readonly valueOffset: number
  private readonly seed: number
  protected abstract readonly pool: ElementPool

  constructor(setup: MapSetup, options: { lru: boolean }) {
    super(setup)
    const valueBytes = this.percpu ? this.copySize * this.host.cpus : this.copySize
    this.layout = elementLayout(this.keySize, valueBytes, options)
    this.keyOffset = this.layout.keyOffset
    this.valueOffset = this.layout.valueOffset
    this.bucketCount = roundUpPowerOfTwo(this.maxEntries)
    this.buckets = this.storage.take(this.bucketCount * 4)
    this.seed = this.flags & BPF_MAP_FLAG.BPF_F_ZERO_SEED ? 0 : this.host.random32() | 0
  }

  override initialize(): void {
    super.initialize()
    this.describe(DESCRIPTOR.DATA, this.buckets)
    this.describe(DESCRIPTOR.STRIDE, this.layout.size)
    this.describe(DESCRIPTOR.ENGINE, this.bucketCount - 1)
    this.describe(DESCRIPTOR.ENGINE + 4, this.seed)
    this.describe(DESCRIPTOR.ENGINE + 8, this.keyOffset)
    this.describe(DESCRIPTOR.ENGINE + 12, this.valueOffset)
  }

  get valueRegion(): number {
    return this.pool.region
  }

  /** The hash of a key at a multiple of 4. */
  protected hashOf(key: number): number {
    return jhash(this.memory, key, this.keySize, this.seed)
  }

  private bucketAt(hash: number): number {
    return this.buckets + ((hash & (this.bucketCount - 1)) << 2)
  }

  /** The element with a key (at a multiple of 4), or 0. */
  protected find(key: number, hash: number): number {
    const { i32 } = this.memory
    let element = i32[this.bucketAt(hash) >> 2]
    while (element !== 0) {
      if (
        i32[(element + ELEMENT_HASH) >> 2] === hash &&
        sameBytes(this.memory, element + this.keyOffset, key, this.keySize)
      )
        return element
      element = i32[element >> 2]
    }
    return 0
  }

  /** Writes hash and key and puts an element at the head of its chain. */
  protected link(element: number, key: number, hash: number): void {
    copyBytes(this.memory, element + this.keyOffset, key, this.keySize)
    const { i32 } = this.memory
    const bucket = this.bucketAt(hash) >> 2
    i32[(element + ELEMENT_HASH) >> 2] = hash
    i32[element >> 2] = i32[bucket]
    i32[bucket] = element
  }

  /** Takes an element out of its chain; false when it is in none. */
  protected unlink(element: number): boolean {
    const { i32 } = this.memory
    let slot = this.bucketAt(i32[(element + ELEMENT_HASH) >> 2]) >> 2
    for (let at = i32[slot]; at !== 0; at = i32[slot]) {
      if (at === element) {
        i32[slot] = i32[element >> 2]
        return true
      }
      slot = at >> 2
    }
    return false
  }

  /** The newest element of the first bucket from `bucket` on that has one, or 0. */
  private firstFrom(bucket: number): number {
    const { i32 } = this.memory
    const first = this.buckets >> 2
    for (let i = bucket; i < this.bucketCount; i++) if (i32[first + i] !== 0) return i32[first + i]
    return 0
  }

  /** The element after another one in the order of iteration, or 0. */
  private after(element: number): number {
    const { i32 } = this.memory
    const next = i32[element >> 2]
    if (next !== 0) return next
    return this.firstFrom((i32[(element + ELEMENT_HASH) >> 2] & (this.bucketCount - 1)) + 1)
  }

  protected override nextKey(key: number): number {
    const element = key === 0 ? 0 : this.find(key, this.hashOf(key))
    const next = element === 0 ? this.firstFrom(0) : this.after(element)
    return next === 0 ? -ERRNO.ENOENT : next + this.keyOffset
  }

  override forEach(callback: (key: number, value: number) => number): number {
    let visited = 0
    let element = this.firstFrom(0)
    while (element !== 0) {
      // The callback may delete the element: know the next one before.
      const next = this.after(element)
      visited++
      if (callback(element + this.keyOffset, this.programValue(element)) !== 0) break
      element = next
    }
    return visited
  }

  /** Offset of the value that a program on this CPU sees. */
  protected programValue(element: number): number {
    const value = element + this.valueOffset
    return this.percpu ? value + this.host.currentCpu() * this.copySize : value
  }

  /** Calls back for each element of one bucket with its offset. */
  eachInBucket(bucket: number, visit: (key: number, value: number) => void): void {
    let element = this.memory.i32[(this.buckets >> 2) + bucket]
    while (element !== 0) {
      const next = this.memory.i32[element >> 2]
      visit(element + this.keyOffset, element + this.valueOffset)
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
    for (let at = i32[(this.buckets >> 2) + bucket]; at !== 0; at = i32[at >> 2]) count++
    return count
  }

  /** Copies what a system call sees of a value: the batch commands' way out. */
  copyValueOut(value: number, into: Uint8Array): number {
    return this.copyOut(value, into)
  }

  protected releaseValue(element: number): void {
    if (this.releaseFields === undefined) return
    const copies = this.percpu ? this.host.cpus : 1
    for (let copy = 0; copy < copies; copy++)
      this.releaseFields(element + this.valueOffset + copy * this.copySize)
  }

  override destroy(): void {
    if (this.releaseFields !== undefined)
      for (let at = this.firstFrom(0); at !== 0; at = this.after(at)) this.releaseValue(at)
    super.destroy()
  }
}
