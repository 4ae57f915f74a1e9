/**
 * BPF_MAP_TYPE_USER_RINGBUF: records from user space to programs, which drain them with a callback
 * (linux v6.18 kernel/bpf/ringbuf.c). Layout: ring-memory.ts; here user space is the producer and
 * what it wrote is not trusted.
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { ERRNO } from "../../spec/index.ts"
import { MAP_DATA } from "../../wasm/maps/layout.ts"
import { MapBase, type MapSetup } from "./map-base.ts"
import {
  BPF_RINGBUF_BUSY_BIT,
  BPF_RINGBUF_DISCARD_BIT,
  BPF_RINGBUF_HDR_SZ,
  RingMemory,
  recordSize,
} from "./ring-memory.ts"

/** Records that one drain visits. include/linux/bpf.h */
const BPF_MAX_USER_RINGBUF_SAMPLES = 128 * 1024
/** Internal: a discarded record was passed. */
const DISCARDED = -ERRNO.EAGAIN

export class UserRingBufferMap extends MapBase {
  readonly valueRegion: number
  /** The ring: user space writes records and sets the producer's position. */
  readonly ring: RingMemory
  private busy = false
  private sample = 0
  private sampleLength = 0

  constructor(setup: MapSetup) {
    super(setup)
    this.ring = new RingMemory(this.storage, this.maxEntries)
    const { start, size } = this.ring
    this.valueRegion = this.storage.region(start, start + 2 * size, REGION_READ | REGION_WRITE)
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.ring.start)
    this.ring.initialize(this.address)
  }

  /**
   * Appends a record as libbpf's user_ring_buffer does; -ENOSPC when it does not fit now, -E2BIG
   * when it never will.
   */
  write(data: Uint8Array): number {
    const { ring } = this
    const bytes = recordSize(data.length)
    if (bytes > ring.size) return -ERRNO.E2BIG
    if (ring.producerPosition() + bytes - ring.consumerPosition() > ring.size) return -ERRNO.ENOSPC
    const record = ring.at(ring.producerPosition())
    this.memory.i32[record >> 2] = data.length
    this.memory.i32[(record + 4) >> 2] = 0
    this.memory.u8.set(data, record + BPF_RINGBUF_HDR_SZ)
    ring.setProducerPosition(ring.producerPosition() + bytes)
    return 0
  }

  /**
   * bpf_user_ringbuf_drain: calls back with offset and size of each record's data until there is
   * none, or until the callback returns non-zero. Returns the number of records handed over, or a
   * negative errno: -EBUSY inside a drain, -EINVAL and -E2BIG for positions and lengths that
   * cannot be.
   */
  drain(callback: (data: number, size: number) => number): number {
    if (this.busy) return -ERRNO.EBUSY
    this.busy = true
    try {
      let handled = 0
      for (let visited = 0; visited < BPF_MAX_USER_RINGBUF_SAMPLES; visited++) {
        const error = this.next()
        if (error === -ERRNO.ENODATA) break
        if (error === DISCARDED) continue
        if (error !== 0) return error
        const stop = callback(this.sample, this.sampleLength)
        this.pass(recordSize(this.sampleLength))
        handled++
        if (stop !== 0) break
      }
      return handled
    } finally {
      this.busy = false
    }
  }

  /** Finds the next record, or passes a discarded one. */
  private next(): number {
    const { ring } = this
    const producer = ring.producerPosition()
    const consumer = ring.consumerPosition()
    if (producer % 8 !== 0) return -ERRNO.EINVAL
    if (consumer >= producer) return -ERRNO.ENODATA
    const record = ring.at(consumer)
    const header = this.memory.i32[record >> 2]
    const length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)
    const bytes = recordSize(length)
    if (bytes > producer - consumer) return -ERRNO.EINVAL
    if (bytes > ring.size) return -ERRNO.E2BIG
    if (header & BPF_RINGBUF_DISCARD_BIT) {
      this.pass(bytes)
      return DISCARDED
    }
    if (header & BPF_RINGBUF_BUSY_BIT) return -ERRNO.ENODATA
    this.sample = record + BPF_RINGBUF_HDR_SZ
    this.sampleLength = length
    return 0
  }

  private pass(bytes: number): void {
    this.ring.setConsumerPosition(this.ring.consumerPosition() + bytes)
  }

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
