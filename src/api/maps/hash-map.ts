/** Hash maps, LRU maps, LPM tries, per-CPU hash maps: like a JavaScript `Map`. */

import { ERRNO, type KernelInterface } from "../../spec/index.ts"
import { failure } from "../failure.ts"
import { MapHandle } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"
import { Conversion } from "./typed.ts"

const BPF_NOEXIST = 1n
const BPF_EXIST = 2n

export class HashMap<K, V> extends MapHandle implements Iterable<[K, V]> {
  private readonly convert: Conversion<K, V>

  constructor(kernel: KernelInterface, fd: number, spec: MapSpec) {
    super(kernel, fd, spec)
    this.convert = new Conversion(spec, kernel.possibleCpus)
  }

  get(key: K): V | undefined {
    const bytes = this.raw.get(this.convert.encodeKey(key))
    return bytes === undefined ? undefined : this.convert.decodeValue(bytes)
  }

  has(key: K): boolean {
    return this.raw.get(this.convert.encodeKey(key)) !== undefined
  }

  /** @throws BpfError E2BIG when the map is full. */
  set(key: K, value: V): this {
    this.raw.set(this.convert.encodeKey(key), this.convert.encodeValue(value))
    return this
  }

  /** Inserts; false if the key exists (BPF_NOEXIST). */
  add(key: K, value: V): boolean {
    return this.conditional(key, value, BPF_NOEXIST, ERRNO.EEXIST)
  }

  /** Overwrites; false if the key does not exist (BPF_EXIST). */
  replace(key: K, value: V): boolean {
    return this.conditional(key, value, BPF_EXIST, ERRNO.ENOENT)
  }

  private conditional(key: K, value: V, flags: bigint, refusal: number): boolean {
    const result = this.raw.update(
      this.convert.encodeKey(key),
      this.convert.encodeValue(value),
      flags,
    )
    if (result === -refusal) return false
    if (result < 0) throw failure(result, "MAP_UPDATE_ELEM", this.describe())
    return true
  }

  /** False when there was nothing to delete. */
  delete(key: K): boolean {
    return this.raw.delete(this.convert.encodeKey(key))
  }

  /** Reads and deletes in one step. */
  take(key: K): V | undefined {
    const bytes = this.raw.take(this.convert.encodeKey(key))
    return bytes === undefined ? undefined : this.convert.decodeValue(bytes)
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this.raw.entries()) yield this.convert.decodeKey(key)
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.raw.entries()) yield this.convert.decodeValue(value)
  }

  /** Every entry once, if the map does not change meanwhile. */
  *entries(): IterableIterator<[K, V]> {
    for (const [key, value] of this.raw.entries())
      yield [this.convert.decodeKey(key), this.convert.decodeValue(value)]
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries()
  }

  /** The number of entries, by counting them. */
  count(): number {
    let count = 0
    for (const _ of this.raw.entries()) count++
    return count
  }

  setMany(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.set(key, value)
  }

  /** Returns how many of the keys were there. */
  deleteMany(keys: Iterable<K>): number {
    let deleted = 0
    for (const key of keys) if (this.delete(key)) deleted++
    return deleted
  }

  /** Removes each entry as it is yielded. */
  *drain(): IterableIterator<[K, V]> {
    for (const [key] of [...this.raw.entries()]) {
      const value = this.raw.take(key)
      if (value !== undefined) yield [this.convert.decodeKey(key), this.convert.decodeValue(value)]
    }
  }

  clear(): void {
    for (const [key] of [...this.raw.entries()]) this.raw.delete(key)
  }
}
