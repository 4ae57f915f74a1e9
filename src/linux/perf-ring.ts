/**
 * One CPU's perf ring for bpf_perf_event_output: the event's attributes and the reading side of
 * the mapped pages (linux v6.18 include/uapi/linux/perf_event.h struct perf_event_mmap_page).
 */

import type { PerfRing } from "../spec/index.ts"

const PERF_TYPE_SOFTWARE = 1
const PERF_COUNT_SW_BPF_OUTPUT = 10
const PERF_SAMPLE_RAW = 0x400
const ATTR_BYTES = 136
export const PERF_FLAG_FD_CLOEXEC = 8
export const PERF_EVENT_IOC_ENABLE = 0x2400

const PERF_RECORD_LOST = 2
const PERF_RECORD_SAMPLE = 9
/** Index of data_head and data_tail among the u64 of the first page. */
const DATA_HEAD = 1024 / 8
const DATA_TAIL = 1032 / 8
const PAGE_SIZE = 4096

/** `struct perf_event_attr` of an event that programs write into. */
export function bpfOutputEvent(): Uint8Array {
  const attr = new Uint8Array(ATTR_BYTES)
  const view = new DataView(attr.buffer)
  view.setUint32(0, PERF_TYPE_SOFTWARE, true)
  view.setUint32(4, ATTR_BYTES, true)
  view.setBigUint64(8, BigInt(PERF_COUNT_SW_BPF_OUTPUT), true)
  view.setBigUint64(16, 1n, true) // sample_period
  view.setBigUint64(24, BigInt(PERF_SAMPLE_RAW), true)
  view.setUint32(48, 1, true) // wakeup_events
  return attr
}

/** The consumer of mapped pages: a control page, then `size` bytes of records. */
export function createPerfRing(memory: ArrayBuffer, cpu: number, size: number): PerfRing {
  const control = new BigUint64Array(memory, 0, DATA_TAIL + 1)
  const data = new Uint8Array(memory, PAGE_SIZE, size)
  /** Records wrap around at the end of the ring: this one does not. */
  const copy = (position: number, length: number): Uint8Array => {
    const start = position % size
    const bytes = data.slice(start, start + length)
    if (bytes.length === length) return bytes
    const whole = new Uint8Array(length)
    whole.set(bytes)
    whole.set(data.subarray(0, length - bytes.length), bytes.length)
    return whole
  }
  return {
    cpu,
    drain(onSample, onLost) {
      const head = Number(Atomics.load(control, DATA_HEAD))
      let tail = Number(Atomics.load(control, DATA_TAIL))
      while (tail < head) {
        const header = new DataView(copy(tail, 8).buffer)
        const length = header.getUint16(6, true)
        const record = copy(tail, length)
        const view = new DataView(record.buffer)
        if (header.getUint32(0, true) === PERF_RECORD_SAMPLE)
          onSample(record.subarray(12, 12 + view.getUint32(8, true)))
        else if (header.getUint32(0, true) === PERF_RECORD_LOST)
          onLost(Number(view.getBigUint64(16, true)))
        tail += length
        Atomics.store(control, DATA_TAIL, BigInt(tail))
      }
    },
  }
}
