/**
 * BPF_MAP_TYPE_RINGBUF: variable-size records from programs on all CPUs to one consumer, in the
 * order of reservation (linux v6.18 kernel/bpf/ringbuf.c). Layout: ring-memory.ts.
 *
 * A record is busy from reserve() to submit() or discard(); a busy record hides those behind it
 * from the consumer. When there is no room, the record is not written and the caller is told.
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { ERRNO, RINGBUF_MAX_RECORD_SZ, type RingView } from "../../spec/index.ts"
import { copyBytes } from "./bytes.ts"
import { DESCRIPTOR, MapBase, type MapSetup } from "./map-base.ts"
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
/** What query() can be asked. */
const BPF_RB_AVAIL_DATA = 0
const BPF_RB_RING_SIZE = 1
const BPF_RB_CONS_POS = 2
const BPF_RB_PROD_POS = 3
/** Pages of Linux's ring object before the data: its head, consumer and producer position. */
const PAGES_BEFORE_DATA = 3
const PAGE_SHIFT = 12

/** A map that has a ring to be read: what openRing() of the kernel hands out. */
export class RingBufferMap extends MapBase {
  readonly valueRegion: number
  private readonly ring: RingMemory
  /** Everything before this position is committed. */
  private pending = 0

  constructor(setup: MapSetup) {
    super(setup)
    this.ring = new RingMemory(this.storage, this.maxEntries)
    const { start, size } = this.ring
    this.valueRegion = this.storage.region(start, start + 2 * size, REGION_READ | REGION_WRITE)
  }

  override initialize(): void {
    super.initialize()
    this.describe(DESCRIPTOR.DATA, this.ring.start)
  }

  /** The consumer's side. */
  view(): RingView {
    return this.ring
  }

  /** Offset of `size` bytes in {@link valueRegion} to be filled and committed, or 0 (bpf_ringbuf_reserve). */
  reserve(size: number, flags: number): number {
    const { ring } = this
    if (flags !== 0 || size > RINGBUF_MAX_RECORD_SZ) return 0
    const bytes = recordSize(size)
    if (bytes > ring.size) return 0
    const end = ring.producer + bytes
    this.passCommitted()
    // One byte always stays free; neither unread nor uncommitted records may be overrun.
    if (end - ring.consumer > ring.size - 1 || end - this.pending > ring.size - 1) return 0
    const record = ring.at(ring.producer)
    const { i32 } = this.memory
    i32[record >> 2] = size | BPF_RINGBUF_BUSY_BIT
    i32[(record + 4) >> 2] = PAGES_BEFORE_DATA + ((record - ring.start) >> PAGE_SHIFT)
    ring.producer = end
    return record + BPF_RINGBUF_HDR_SZ
  }

  /** Publishes what reserve() gave; true when the consumer must be woken (bpf_ringbuf_submit). */
  submit(sample: number, flags: number): boolean {
    return this.commit(sample, flags, 0)
  }

  /** Gives back what reserve() gave, unread; true when the consumer must be woken. */
  discard(sample: number, flags: number): boolean {
    return this.commit(sample, flags, BPF_RINGBUF_DISCARD_BIT)
  }

  /**
   * bpf_ringbuf_output: copies `size` bytes at `data`; a negative errno, or 0, or 1 when the
   * consumer must be woken.
   */
  output(data: number, size: number, flags: number): number {
    if (flags & ~(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)) return -ERRNO.EINVAL
    const sample = this.reserve(size, 0)
    if (sample === 0) return -ERRNO.EAGAIN
    copyBytes(this.memory, sample, data, size)
    return this.submit(sample, flags) ? 1 : 0
  }

  /** bpf_ringbuf_query: 0 for a question that it does not know. */
  query(question: number): number {
    switch (question) {
      case BPF_RB_AVAIL_DATA:
        return this.ring.producer - this.ring.consumer
      case BPF_RB_RING_SIZE:
        return this.ring.size
      case BPF_RB_CONS_POS:
        return this.ring.consumer
      case BPF_RB_PROD_POS:
        return this.ring.producer
      default:
        return 0
    }
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
    for (let at = this.pending; at < ring.producer; ) {
      const record = ring.at(at)
      const length = this.memory.i32[record >> 2]
      if (record + BPF_RINGBUF_HDR_SZ === sample) return (length & BPF_RINGBUF_BUSY_BIT) !== 0
      at += recordSize(length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT))
    }
    return false
  }

  private commit(sample: number, flags: number, discard: number): boolean {
    const record = sample - BPF_RINGBUF_HDR_SZ
    const { i32 } = this.memory
    i32[record >> 2] = (i32[record >> 2] & ~BPF_RINGBUF_BUSY_BIT) | discard
    if (flags & BPF_RB_FORCE_WAKEUP) return true
    // A consumer that has read everything before this record waits for it.
    return this.ring.at(this.ring.consumer) === record && (flags & BPF_RB_NO_WAKEUP) === 0
  }

  private passCommitted(): void {
    const { ring } = this
    while (this.pending < ring.producer) {
      const length = this.memory.i32[ring.at(this.pending) >> 2]
      if (length & BPF_RINGBUF_BUSY_BIT) return
      this.pending += recordSize(length & ~BPF_RINGBUF_DISCARD_BIT)
    }
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
