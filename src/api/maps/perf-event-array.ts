/**
 * Perf event arrays: one ring a CPU, with counts of what was lost. A record is bytes (with the
 * kernel's padding: its length and the 4 bytes before it are a multiple of 8) unless the map's value
 * type is a struct, or the reader says what records are.
 */

import { viewOf } from "../../base/index.ts"
import type { KernelInterface, PerfRing } from "../../spec/index.ts"
import type { Codec } from "../codecs.ts"
import { failure } from "../failure.ts"
import { MapHandle } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"

export interface PerfSample<T> {
  readonly cpu: number
  /** Records lost on this CPU before this one. */
  readonly lost: number
  readonly event: T
}

/** Pages of a CPU's ring when nothing else is said: 64 KiB. */
const PAGES_DEFAULT = 16

export class PerfEventArray<T> extends MapHandle implements AsyncIterable<PerfSample<T>> {
  private readonly rings: readonly PerfRing[]
  private record: Codec<T> | null
  private wake: (() => void) | null = null

  constructor(kernel: KernelInterface, fd: number, spec: MapSpec, pages: number = PAGES_DEFAULT) {
    super(kernel, fd, spec)
    this.record = spec.value as Codec<T> | null
    const rings: PerfRing[] = []
    for (let cpu = 0; cpu < Math.min(kernel.possibleCpus, spec.maxEntries); cpu++) {
      const ring = kernel.openPerfRing(fd, cpu, pages)
      if (typeof ring === "number") throw failure(ring, "perf_event_open", this.describe())
      rings.push(ring)
    }
    this.rings = rings
  }

  /** The same map, whose records are decoded by `record` from now on. */
  withRecord<U>(record: Codec<U>): PerfEventArray<U> {
    const typed = this as unknown as PerfEventArray<U>
    typed.record = record
    return typed
  }

  /** Whatever is there now, CPU by CPU. A record shorter than its type comes as bytes. */
  drain(): PerfSample<T>[] {
    const samples: PerfSample<T>[] = []
    for (const ring of this.rings) {
      let lost = 0
      ring.drain(
        (data) => {
          samples.push({ cpu: ring.cpu, lost, event: this.decode(data) })
          lost = 0
        },
        (count) => {
          lost += count
        },
      )
    }
    return samples
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<PerfSample<T>> {
    const unwatch = this.kernel.watch(this.fd, () => this.wake?.())
    try {
      while (!this.closed) {
        const samples = this.drain()
        if (samples.length > 0) yield* samples
        else
          await new Promise<void>((resolve) => {
            this.wake = resolve
          })
      }
    } finally {
      unwatch()
    }
  }

  private decode(bytes: Uint8Array): T {
    if (this.record === null || bytes.length < this.record.size)
      return bytes.slice() as unknown as T
    return this.record.read(viewOf(bytes), 0)
  }

  protected override onClose(): void {
    this.wake?.()
  }
}
