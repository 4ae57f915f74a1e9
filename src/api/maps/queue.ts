/** Queues (first in, first out) and stacks (last in, first out). */

import { ERRNO, type KernelInterface } from "../../spec/index.ts"
import { failure } from "../failure.ts"
import { MapHandle } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"
import { Conversion } from "./typed.ts"

export class Queue<V> extends MapHandle {
  private readonly convert: Conversion<Uint8Array, V>

  constructor(kernel: KernelInterface, fd: number, spec: MapSpec) {
    super(kernel, fd, spec)
    this.convert = new Conversion(spec, kernel.possibleCpus)
  }

  /** @throws BpfError E2BIG when it is full. */
  push(value: V): void {
    const result = this.raw.update(undefined, this.convert.encodeValue(value))
    if (result < 0) throw failure(result, "MAP_UPDATE_ELEM", this.describe())
  }

  /** The next value, removed; undefined when there is none. */
  pop(): V | undefined {
    const bytes = this.raw.take(undefined)
    return bytes === undefined ? undefined : this.convert.decodeValue(bytes)
  }

  /** The next value, left where it is. */
  peek(): V | undefined {
    const value = new Uint8Array(this.raw.valueSize)
    const result = this.kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: this.fd, value })
    if (result === -ERRNO.ENOENT) return undefined
    if (result < 0) throw failure(result, "MAP_LOOKUP_ELEM", this.describe())
    return this.convert.decodeValue(value)
  }
}
