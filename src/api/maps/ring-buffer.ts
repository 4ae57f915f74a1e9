/**
 * Ring buffers: records in order, one at a time, in batches, or as borrowed bytes. One consumer at
 * a time (linux v6.18 kernel/bpf/ringbuf.c: positions and record headers).
 */

import { viewOf } from "../../base/index.ts"
import type { KernelInterface, RingView } from "../../spec/index.ts"
import type { Codec } from "../codecs.ts"
import { failure } from "../failure.ts"
import { MapHandle } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"

const BUSY_BIT = 0x80000000
const DISCARD_BIT = 0x40000000
const HEADER_BYTES = 8

export interface ReadOptions {
  readonly signal?: AbortSignal
}

export class RingBuffer<T> extends MapHandle implements AsyncIterable<T> {
  private readonly ring: RingView
  private record: Codec<T> | null
  private wake: (() => void) | null = null
  private unwatch: (() => void) | null = null

  constructor(kernel: KernelInterface, fd: number, spec: MapSpec) {
    super(kernel, fd, spec)
    const ring = kernel.openRing(fd)
    if (typeof ring === "number") throw failure(ring, "mmap", this.describe())
    this.ring = ring
    this.record = spec.value as Codec<T> | null
  }

  /** The same map, whose records are decoded by `record` from now on: for maps without a type. */
  withRecord<U>(record: Codec<U>): RingBuffer<U> {
    const typed = this as unknown as RingBuffer<U>
    typed.record = record
    return typed
  }

  /**
   * Records in order. Ends when the map is closed; throws `signal.reason` on abort. Whoever leaves
   * the loop has taken the records that it saw, and no others.
   */
  async *read(options: ReadOptions = {}): AsyncIterableIterator<T> {
    for (;;) {
      options.signal?.throwIfAborted()
      if (this.closed) return
      let any = false
      for (const record of this.drain()) {
        any = true
        yield record
        // The loop's body may have taken its time.
        options.signal?.throwIfAborted()
        if (this.closed) return
      }
      if (!any) await this.nextWakeUp(options.signal)
    }
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this.read()
  }

  /** All records ready at each wake-up. */
  async *readBatches(options: ReadOptions = {}): AsyncIterableIterator<Iterable<T>> {
    for (;;) {
      options.signal?.throwIfAborted()
      if (this.closed) return
      const batch = [...this.drain()]
      if (batch.length > 0) yield batch
      else await this.nextWakeUp(options.signal)
    }
  }

  /** Borrowed bytes, valid until the next step. */
  async *readBytes(options: ReadOptions = {}): AsyncIterableIterator<Uint8Array> {
    for (;;) {
      options.signal?.throwIfAborted()
      if (this.closed) return
      let any = false
      for (const bytes of this.drainBytes()) {
        any = true
        yield bytes
      }
      if (!any) await this.nextWakeUp(options.signal)
    }
  }

  /** Whatever is there now, without waiting. */
  *drain(): IterableIterator<T> {
    for (const bytes of this.drainBytes()) yield this.decode(bytes)
  }

  /** Like {@link drain}, as borrowed bytes: each is valid until the next step. */
  *drainBytes(): IterableIterator<Uint8Array> {
    const { ring } = this
    let position = ring.consumerPosition()
    while (position < ring.producerPosition()) {
      const data = ring.data()
      const at = position % ring.size
      const header = viewOf(data).getUint32(at, true)
      // Reserved and not yet submitted: what comes after it has to wait.
      if (header & BUSY_BIT) return
      const length = header & ~(BUSY_BIT | DISCARD_BIT)
      position += (length + HEADER_BYTES + 7) & ~7
      try {
        if (!(header & DISCARD_BIT))
          yield data.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length)
      } finally {
        // A record is consumed when it has been seen, also by a loop that ends with it.
        if (!this.closed) ring.setConsumerPosition(position)
      }
      // Whoever closes the map while reading it leaves no memory to read.
      if (this.closed) return
    }
  }

  /** Bytes (headers included) that have not been read. */
  get pendingBytes(): number {
    return this.ring.producerPosition() - this.ring.consumerPosition()
  }

  private decode(bytes: Uint8Array): T {
    if (this.record === null || bytes.length < this.record.size)
      return bytes.slice() as unknown as T
    return this.record.read(viewOf(bytes), 0)
  }

  private nextWakeUp(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal?.removeEventListener("abort", done)
        this.wake = null
        resolve()
      }
      this.wake = done
      signal?.addEventListener("abort", done, { once: true })
      this.unwatch ??= this.kernel.watch(this.fd, () => this.wake?.())
      if (this.pendingBytes > 0 && this.kernel.kind === "embedded") queueMicrotask(done)
    })
  }

  protected override onClose(): void {
    this.unwatch?.()
    this.wake?.()
  }
}
