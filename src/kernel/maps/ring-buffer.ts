/**
 * BPF_MAP_TYPE_RINGBUF: variable-size records from programs on all CPUs to one consumer, in the
 * order of reservation (linux v6.18 kernel/bpf/ringbuf.c). Engine: src/wasm/maps/ring-buffer.ts.
 *
 * A record is busy from reserve() to submit() or discard(); a busy record hides those behind it
 * from the consumer. When there is no room, the record is not written and the caller is told.
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { ERRNO, type RingView } from "../../spec/index.ts"
import { MAP_DATA, MAP_MASK, RING_BASE } from "../../wasm/maps/layout.ts"
import { MapBase, type MapSetup } from "./map-base.ts"
import {
  BPF_RINGBUF_BUSY_BIT,
  BPF_RINGBUF_DISCARD_BIT,
  BPF_RINGBUF_HDR_SZ,
  RingMemory,
  recordSize,
} from "./ring-memory.ts"

/** Flags of submit, discard and output. */
export const BPF_RB_NO_WAKEUP = 1
export const BPF_RB_FORCE_WAKEUP = 2
/** A map that has a ring to be read: what openRing() of the kernel hands out. */
export class RingBufferMap extends MapBase {
  readonly valueRegion: number
  private readonly ring: RingMemory

  constructor(setup: MapSetup) {
    super(setup)
    this.ring = new RingMemory(this.storage, this.maxEntries)
    const { start, size } = this.ring
    this.valueRegion = this.storage.region(start, start + 2 * size, REGION_READ | REGION_WRITE)
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.ring.start)
    this.describe(MAP_MASK, this.ring.size - 1)
    this.describe(RING_BASE, this.ring.base)
    this.ring.initialize(this.address)
  }

  /** The consumer's side. */
  view(): RingView {
    return this.ring
  }

  /** Offset of `size` bytes in {@link valueRegion} to be filled and committed, or 0 (bpf_ringbuf_reserve). */
  reserve(size: number, flags: number): number {
    return this.engine.ringReserve(this.address, size, flags)
  }

  /** Publishes what reserve() gave; true when the consumer must be woken (bpf_ringbuf_submit). */
  submit(sample: number, flags: number): boolean {
    return this.engine.ringCommit(sample, flags) !== 0
  }

  /** Gives back what reserve() gave, unread; true when the consumer must be woken. */
  discard(sample: number, flags: number): boolean {
    return this.engine.ringAbandon(sample, flags) !== 0
  }

  /**
   * bpf_ringbuf_output: copies `size` bytes at `data`; a negative errno, or 0, or 1 when the
   * consumer must be woken.
   */
  output(data: number, size: number, flags: number): number {
    return this.engine.ringWrite(this.address, data, size, flags)
  }

  /** bpf_ringbuf_query: 0 for a question that it does not know. */
  query(question: number): number {
    return Number(this.engine.ringQuery(this.address, question))
  }

  /** Bytes that a reservation holds. */
  sampleSize(sample: number): number {
    const length = this.memory.i32[(sample - BPF_RINGBUF_HDR_SZ) >> 2]
    return length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)
  }

  /** Whether `sample` is the start of a record that was reserved and not committed yet. */
  isReserved(sample: number): boolean {
    const { ring } = this
    if (sample < ring.start + BPF_RINGBUF_HDR_SZ || sample > ring.start + ring.size) return false
    for (let at = ring.pendingPosition(); at < ring.producerPosition(); ) {
      const record = ring.at(at)
      const length = this.memory.i32[record >> 2]
      if (record + BPF_RINGBUF_HDR_SZ === sample) return (length & BPF_RINGBUF_BUSY_BIT) !== 0
      at += recordSize(length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT))
    }
    return false
  }

  // ---- system calls: elements cannot be reached by key ---------------------------------------------

  override update(): number {
    return -ERRNO.ENOTSUPP
  }

  override delete(): number {
    return -ERRNO.ENOTSUPP
  }

  protected override sysLookup(): number {
    return -ERRNO.ENOTSUPP
  }

  protected override sysUpdate(): number {
    return -ERRNO.ENOTSUPP
  }

  protected override nextKey(): number {
    return -ERRNO.ENOTSUPP
  }
}
