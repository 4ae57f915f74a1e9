/** Arrays and per-CPU arrays: fixed length, every element always there. */

import type { KernelInterface } from "../../spec/index.ts"
import { MapHandle } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"
import { Conversion } from "./typed.ts"

export class ArrayMap<V> extends MapHandle implements Iterable<V> {
  private readonly convert: Conversion<number, V>

  constructor(kernel: KernelInterface, fd: number, spec: MapSpec) {
    super(kernel, fd, spec)
    // The key is always a u32, whatever type BTF gives it (an enum, often).
    this.convert = new Conversion({ ...spec, key: null }, kernel.possibleCpus)
  }

  get length(): number {
    return this.spec.maxEntries
  }

  /** @throws RangeError outside of 0 to length - 1. */
  get(index: number): V {
    const bytes = this.raw.get(this.keyOf(index))
    if (bytes === undefined) throw this.outside(index)
    return this.convert.decodeValue(bytes)
  }

  set(index: number, value: V): this {
    this.raw.set(this.keyOf(index), this.convert.encodeValue(value))
    return this
  }

  *[Symbol.iterator](): IterableIterator<V> {
    for (let index = 0; index < this.length; index++) yield this.get(index)
  }

  *entries(): IterableIterator<[number, V]> {
    for (let index = 0; index < this.length; index++) yield [index, this.get(index)]
  }

  private keyOf(index: number): Uint8Array {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) throw this.outside(index)
    const key = new Uint8Array(4)
    new DataView(key.buffer).setUint32(0, index, true)
    return key
  }

  private outside(index: number): RangeError {
    return new RangeError(`${this.describe()}: index ${index} is not in 0 to ${this.length - 1}`)
  }
}
