/**
 * The memory of a ring buffer, in either direction: Linux's ring object, and in it positions and
 * records (layout: src/wasm/maps/ring-buffer.ts).
 *
 * Linux maps the pages of data twice; here the second half is memory of its own, which makes no
 * difference to anyone who, like libbpf, starts each record at `position & (size - 1)`.
 *
 * Positions count bytes since creation. In memory they have 64 bits, here they are numbers (exact
 * up to 2^53, or 104 days at 1 GB/s).
 */

import type { RingView } from "../../spec/index.ts"
import {
  PAGE_BYTES,
  RING_CONSUMER,
  RING_DATA,
  RING_DESCRIPTOR,
  RING_PENDING,
  RING_PRODUCER,
} from "../../wasm/maps/layout.ts"
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
  /** Offset of the ring object in linear memory. */
  readonly base: number
  /** Offset of the data area in linear memory. */
  readonly start: number
  private readonly memory: KernelMemory

  constructor(storage: MapStorage, size: number) {
    this.memory = storage.memory
    this.size = size
    this.base = storage.take(RING_DATA + size * 2, PAGE_BYTES)
    this.start = this.base + RING_DATA
  }

  /** The first writes: the map that the ring belongs to. */
  initialize(descriptor: number): void {
    this.memory.i32[(this.base + RING_DESCRIPTOR) >> 2] = descriptor
  }

  data(): Uint8Array {
    return this.memory.u8.subarray(this.start, this.start + 2 * this.size)
  }

  producerPosition(): number {
    return this.position(RING_PRODUCER)
  }

  setProducerPosition(position: number): void {
    this.setPosition(RING_PRODUCER, position)
  }

  consumerPosition(): number {
    return this.position(RING_CONSUMER)
  }

  setConsumerPosition(position: number): void {
    this.setPosition(RING_CONSUMER, position)
  }

  /** Everything before this position is committed, as far as the producer has looked. */
  pendingPosition(): number {
    return this.position(RING_PENDING)
  }

  /** Offset in linear memory of the record at a position. */
  at(position: number): number {
    return this.start + (position & (this.size - 1))
  }

  private position(field: number): number {
    const { i32 } = this.memory
    const word = (this.base + field) >> 2
    return (i32[word] >>> 0) + (i32[word + 1] >>> 0) * 2 ** 32
  }

  private setPosition(field: number, position: number): void {
    const { i32 } = this.memory
    const word = (this.base + field) >> 2
    i32[word] = position
    i32[word + 1] = Math.floor(position / 2 ** 32)
  }
}
