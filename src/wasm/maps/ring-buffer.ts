/**
 * BPF_MAP_TYPE_RINGBUF: variable-size records from programs to one consumer, in the order of
 * reservation (linux v6.18 kernel/bpf/ringbuf.c).
 *
 *   ring object ──▶ page 0: descriptor of the map, pending position
 *                   page 1: consumer position    page 2: producer position
 *                   page 3: data, `max_entries` bytes, then as many again, so that a record that
 *                           begins in the first half is contiguous
 *
 *   record ──▶  0  u32 length, bit 31 busy, bit 30 discarded
 *               4  u32 page offset from the start of the ring object
 *               8  data, padded to 8
 *
 * A record is busy from reserve to submit or discard; a busy record hides those behind it from the
 * consumer. Everything before the pending position is committed. When there is no room, the record
 * is not written and the caller is told.
 */

import { copy } from "./bytes.ts"
import { EAGAIN, EINVAL } from "./errno.ts"
import { wake } from "./host.ts"
import {
  MAP_MASK,
  PAGE_BYTES,
  RING_BASE,
  RING_CONSUMER,
  RING_DATA,
  RING_DESCRIPTOR,
  RING_PENDING,
  RING_PRODUCER,
  RING_RECORD_MAX,
} from "./layout.ts"
import { loadShared, loadWide, lockMap, storeShared, storeWide, unlockMap } from "./threads.ts"

const BUSY: u32 = 0x80000000
const DISCARDED: u32 = 0x40000000
const HEADER: u32 = 8
const NO_WAKEUP: u32 = 1
const FORCE_WAKEUP: u32 = 2

/** Bytes that a record of `length` bytes of data takes. */
// @inline
function recordBytes(length: u32): u32 {
  return (length + HEADER + 7) & ~7
}

/** Address of `size` bytes to be filled and committed, or 0 (bpf_ringbuf_reserve). */
export function ringReserve(map: u32, size: u32, flags: u32): u32 {
  if (flags !== 0 || size > <u32>RING_RECORD_MAX) return 0
  const ring = load<u32>(map, RING_BASE)
  const mask = load<u32>(map, MAP_MASK)
  const bytes = recordBytes(size)
  if (bytes > mask + 1) return 0
  lockMap(map)
  const sample = reserveIn(ring, mask, size, bytes)
  unlockMap(map)
  return sample
}

// @inline
function reserveIn(ring: u32, mask: u32, size: u32, bytes: u32): u32 {
  const producer = load<u64>(ring, RING_PRODUCER)
  const end = producer + bytes
  let pending = load<u64>(ring, RING_PENDING)
  while (pending < producer) {
    const length = loadShared(ring + RING_DATA + (<u32>pending & mask))
    if (length & BUSY) break
    pending += recordBytes(length & ~DISCARDED)
  }
  store<u64>(ring, pending, RING_PENDING)
  // One byte always stays free; neither unread nor uncommitted records may be overrun.
  if (end - loadWide(ring + RING_CONSUMER) > mask || end - pending > mask) return 0
  const offset = <u32>producer & mask
  const record = ring + RING_DATA + offset
  store<u32>(record, size | BUSY)
  store<u32>(record, (offset + RING_DATA) / PAGE_BYTES, 4)
  storeWide(ring + RING_PRODUCER, end)
  return record + HEADER
}

/** The ring object that a record belongs to. */
// @inline
function ringOf(record: u32): u32 {
  return (record & ~(PAGE_BYTES - 1)) - load<u32>(record, 4) * PAGE_BYTES
}

/** Ends a reservation; 1 when the consumer must be woken. */
// @inline
function commit(sample: u32, flags: u32, discard: u32): u32 {
  const record = sample - HEADER
  storeShared(record, (load<u32>(record) & ~BUSY) | discard)
  if (flags & (NO_WAKEUP | FORCE_WAKEUP)) return flags & FORCE_WAKEUP ? 1 : 0
  // A consumer that has read everything before this record waits for it.
  const ring = ringOf(record)
  const position = record - ring - RING_DATA
  const mask = load<u32>(load<u32>(ring, RING_DESCRIPTOR), MAP_MASK)
  return (<u32>loadWide(ring + RING_CONSUMER) & mask) === position ? 1 : 0
}

/** Publishes what ringReserve() gave; 1 when the consumer must be woken. */
export function ringCommit(sample: u32, flags: u32): u32 {
  return commit(sample, flags, 0)
}

/** Gives back what ringReserve() gave, unread; 1 when the consumer must be woken. */
export function ringAbandon(sample: u32, flags: u32): u32 {
  return commit(sample, flags, DISCARDED)
}

function wakeReader(sample: u32): void {
  wake(load<u32>(ringOf(sample - HEADER), RING_DESCRIPTOR))
}

/** bpf_ringbuf_submit: the host wakes the consumer. */
export function ringSubmit(sample: u32, flags: u32): void {
  if (commit(sample, flags, 0)) wakeReader(sample)
}

/** bpf_ringbuf_discard: the host wakes the consumer. */
export function ringDiscard(sample: u32, flags: u32): void {
  if (commit(sample, flags, DISCARDED)) wakeReader(sample)
}

/** Copies a record; an errno, or 0, or 1 when the consumer must be woken. */
export function ringWrite(map: u32, data: u32, size: u32, flags: u32): i32 {
  if (flags & ~(NO_WAKEUP | FORCE_WAKEUP)) return -EINVAL
  const sample = ringReserve(map, size, 0)
  if (sample === 0) return -EAGAIN
  copy(sample, data, size)
  return commit(sample, flags, 0)
}

/** bpf_ringbuf_output: the host wakes the consumer. */
export function ringOutput(map: u32, data: u32, size: u32, flags: u32): i32 {
  const result = ringWrite(map, data, size, flags)
  if (result <= 0) return result
  wake(map)
  return 0
}

/** bpf_ringbuf_query: 0 for a question that it does not know. */
export function ringQuery(map: u32, question: u32): u64 {
  const ring = load<u32>(map, RING_BASE)
  switch (question) {
    case 0:
      return load<u64>(ring, RING_PRODUCER) - load<u64>(ring, RING_CONSUMER)
    case 1:
      return <u64>load<u32>(map, MAP_MASK) + 1
    case 2:
      return load<u64>(ring, RING_CONSUMER)
    case 3:
      return load<u64>(ring, RING_PRODUCER)
    default:
      return 0
  }
}
