/**
 * BPF_MAP_TYPE_PERF_EVENT_ARRAY with the rings that user space opened: one per CPU, in the slot of
 * the CPU's number (linux v6.18 kernel/bpf/arraymap.c, kernel/trace/bpf_trace.c
 * bpf_perf_event_output, kernel/events/ring_buffer.c).
 *
 *   record ──▶  0  u32 type: PERF_RECORD_SAMPLE (9) or PERF_RECORD_LOST (2)
 *               4  u16 misc, u16 bytes of the whole record
 *               8  sample: u32 size, data, padded so that the record is a multiple of 8
 *                  lost: u64 event id, u64 records lost
 *
 * A record that does not fit is counted; the count goes out as a lost record before the next one
 * that fits. The data area is twice as long as the ring, so that a record is contiguous.
 */

import { ERRNO, type PerfRing } from "../../spec/index.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import { roundUp8 } from "./bytes.ts"
import { ReferenceArray } from "./reference-array.ts"

const PERF_RECORD_LOST = 2
const PERF_RECORD_SAMPLE = 9
const HEADER_SIZE = 8
const LOST_RECORD_SIZE = 24
/** A record's size is a u16. */
const RECORD_SIZE_MAX = 0xffff
const PAGE_SIZE = 4096

/** One CPU's ring, from both sides. */
export class PerfRingBuffer implements PerfRing {
  readonly cpu: number
  /** Records dropped since the last one that fitted. */
  lost = 0
  private readonly memory: KernelMemory
  private readonly start: number
  private readonly size: number
  private head = 0
  private tail = 0

  constructor(memory: KernelMemory, options: { cpu: number; start: number; size: number }) {
    this.memory = memory
    this.cpu = options.cpu
    this.start = options.start
    this.size = options.size
  }

  /** Appends a sample; 0 or -ENOSPC. */
  write(data: Uint8Array): number {
    const bytes = roundUp8(HEADER_SIZE + 4 + data.length)
    if (bytes > RECORD_SIZE_MAX) return -ERRNO.E2BIG
    const needed = bytes + (this.lost > 0 ? LOST_RECORD_SIZE : 0)
    // One byte always stays free, so that a full ring is not taken for an empty one.
    if (needed > this.size - 1 - (this.head - this.tail)) {
      this.lost++
      return -ERRNO.ENOSPC
    }
    if (this.lost > 0) this.writeLost()
    const at = this.header(PERF_RECORD_SAMPLE, bytes)
    const { i32, u8 } = this.memory
    i32[at >> 2] = bytes - HEADER_SIZE - 4
    u8.set(data, at + 4)
    u8.fill(0, at + 4 + data.length, at - HEADER_SIZE + bytes)
    return 0
  }

  drain(onSample: (data: Uint8Array) => void, onLost: (count: number) => void): void {
    while (this.tail < this.head) {
      const at = this.start + (this.tail & (this.size - 1))
      const { view, u8 } = this.memory
      const body = at + HEADER_SIZE
      if (view.getUint32(at, true) === PERF_RECORD_LOST)
        onLost(Number(view.getBigUint64(body + 8, true)))
      else onSample(u8.subarray(body + 4, body + 4 + view.getUint32(body, true)))
      this.tail += view.getUint16(at + 6, true)
    }
  }

  private writeLost(): void {
    const at = this.header(PERF_RECORD_LOST, LOST_RECORD_SIZE)
    this.memory.view.setBigUint64(at, 0n, true)
    this.memory.view.setBigUint64(at + 8, BigInt(this.lost), true)
    this.lost = 0
  }

  /** Writes a record's header; returns the offset behind it. */
  private header(type: number, bytes: number): number {
    const at = this.start + (this.head & (this.size - 1))
    this.memory.i32[at >> 2] = type
    this.memory.i32[(at + 4) >> 2] = bytes << 16
    this.head += bytes
    return at + HEADER_SIZE
  }
}

export class PerfEventArray extends ReferenceArray<PerfRingBuffer & { readonly id?: number }> {
  private readonly blocks = new Map<PerfRingBuffer, number>()

  /**
   * Opens a ring of `pages` pages (a power of two) for a CPU and puts it into the map: the ring, or
   * -EINVAL, -ENOMEM, -E2BIG (no such slot).
   */
  openRing(cpu: number, pages: number): PerfRingBuffer | number {
    if (pages < 1 || (pages & (pages - 1)) !== 0 || cpu < 0 || cpu >= this.host.cpus)
      return -ERRNO.EINVAL
    const size = pages * PAGE_SIZE
    const start = this.memory.allocate(2 * size)
    if (start === 0) return -ERRNO.ENOMEM
    const ring = new PerfRingBuffer(this.memory, { cpu, start, size })
    this.blocks.set(ring, start)
    const key = new Uint8Array(4)
    new DataView(key.buffer).setUint32(0, cpu, true)
    const error = this.setReference(key, ring, 0n, (old) => this.closeRing(old))
    if (error !== 0) this.closeRing(ring)
    return error !== 0 ? error : ring
  }

  /** Gives a ring's memory back; it must not be drained any more. */
  closeRing(ring: PerfRingBuffer): void {
    this.memory.free(this.blocks.get(ring) ?? 0)
    this.blocks.delete(ring)
  }

  /**
   * bpf_perf_event_output on the current CPU into the ring at `index`: 0, -E2BIG (no such index, or
   * too long), -ENOENT (no ring there), -EOPNOTSUPP (another CPU's ring), -ENOSPC (full).
   */
  output(index: number, data: Uint8Array): number {
    if (index >>> 0 >= this.maxEntries) return -ERRNO.E2BIG
    const ring = this.reference(index >>> 0)
    if (ring === undefined) return -ERRNO.ENOENT
    return ring.cpu === this.host.currentCpu() ? ring.write(data) : -ERRNO.EOPNOTSUPP
  }

  override destroy(): void {
    for (const block of this.blocks.values()) this.memory.free(block)
    this.blocks.clear()
    super.destroy()
  }
}
