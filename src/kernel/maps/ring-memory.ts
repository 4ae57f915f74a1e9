/**
 * The memory of a ring buffer, in either direction: two positions and a data area.
 *
 *   data ──▶ ┌───────────────┬───────────────┐
 *            │ size bytes    │ size bytes    │   twice as long as the ring, so that a record
 *            └───────────────┴───────────────┘   that begins in the first half is contiguous
 *
 *   record ──▶  0  u32 length, bit 31 busy, bit 30 discarded
 *               4  u32 page offset from the start of Linux's ring object
 *               8  data, padded to 8
 *
 * Linux maps the same pages twice; here the second half is memory of its own, which makes no
 * difference to anyone who, like libbpf, starts each record at `position & (size - 1)`.
 *
 * Positions count bytes since creation. They are kept as JavaScript numbers (exact up to 2^53, or
 * 104 days at 1 GB/s).
 */

import type { RingView } from "../../spec/index.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import type { MapStorage } from "./storage.ts"

export const BPF_RINGBUF_BUSY_BIT: number = 0x80000000 | 0
export const BPF_RINGBUF_DISCARD_BIT = 0x40000000
export const BPF_RINGBUF_HDR_SZ = 8

/** Bytes that a record of `length` bytes of data takes in the ring. */
export function recordSize(length: number): number {
  return Math.ceil((length + BPF_RINGBUF_HDR_SZ) / 8) * 8
}

export class RingMemory implements RingView {
  readonly size: number
  /** Offset of the data area in linear memory. */
  readonly start: number
  producer = 0
  consumer = 0
  private readonly memory: KernelMemory

  constructor(storage: MapStorage, size: number) {
    this.memory = storage.memory
    this.size = size
    this.start = storage.take(size * 2, 4096)
  }

  data(): Uint8Array {
    return this.memory.u8.subarray(this.start, this.start + 2 * this.size)
  }

  producerPosition(): number {
    return this.producer
  }

  consumerPosition(): number {
    return this.consumer
  }

  setConsumerPosition(position: number): void {
    this.consumer = position
  }

  /** Offset in linear memory of the record at a position. */
  at(position: number): number {
    return this.start + (position & (this.size - 1))
  }
}
