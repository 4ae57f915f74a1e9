/**
 * Records to user space: perf event arrays and ring buffers, and records from user space (linux
 * v6.18 kernel/trace/bpf_trace.c, net/core/filter.c bpf_skb_event_output,
 * bpf_xdp_event_output, kernel/bpf/ringbuf.c).
 */

import { concatBytes } from "../../base/index.ts"
import { REGION_TAG } from "../../interpreter/index.ts"
import { BPF_EVENT_FLAG, ERRNO } from "../../spec/index.ts"
import type { SkBuffer, XdpBuffer } from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import { PerfEventArray, RingBufferMap, UserRingBufferMap } from "../maps/index.ts"
import {
  checkDynptrSize,
  DYNPTR_BYTES,
  DYNPTR_RINGBUF,
  LOCAL_DYNPTR,
  readDynptr,
  setNullDynptr,
  writeDynptr,
} from "./dynptr-state.ts"
import {
  answers,
  faults,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  mapArgument,
  setAddress,
} from "./support.ts"

const BPF_RB_WAKEUP_FLAGS = 3
const U32_MAX = 0xffff_ffff

// ---- perf event arrays -------------------------------------------------------------------------

/** Bytes of the packet that `flags` ask to be appended (BPF_F_CTXLEN_MASK). */
function appendedBytes(machine: HelperMachine): number {
  return machine.high(3) & 0xfffff
}

/** long bpf_perf_event_output(ctx, map, flags, data, size) */
function perfEventOutput(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 2)
  if (map === undefined) return undefined
  const size = machine.number(5)
  const start = machine.checkRead(4, size)
  if (start < 0) return undefined
  if (!(map instanceof PerfEventArray)) return faults(machine, "the map is no perf event array")
  const { environment } = machine
  const { packet } = environment
  const appended = appendedBytes(machine)
  if ((machine.high(3) & ~(packet === null ? 0 : 0xfffff)) !== 0) return -ERRNO.EINVAL
  let data: Uint8Array = machine.space.u8.slice(start, start + size)
  if (appended > 0) {
    const bytes = packetBytes(packet as SkBuffer | XdpBuffer)
    if (appended > bytes.length) return -ERRNO.EFAULT
    data = concatBytes([data, bytes.subarray(0, appended)])
  }
  const wanted = machine.low(3) >>> 0
  const index = wanted === BPF_EVENT_FLAG.BPF_F_CURRENT_CPU ? environment.cpu : wanted
  const result = map.output(index, data)
  if (result === 0) environment.kernel.notify(map)
  return result
}

/** bpf_perf_event_read and its like: the rings of programs are no counters. */
function readCounter(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined) return undefined
  if (!(map instanceof PerfEventArray)) return faults(machine, "the map is no perf event array")
  if (machine.high(2) !== 0) return -ERRNO.EINVAL
  const wanted = machine.low(2) >>> 0
  const current = wanted === BPF_EVENT_FLAG.BPF_F_CURRENT_CPU
  const index = current ? machine.environment.cpu : wanted
  if (index >= map.maxEntries) return -ERRNO.E2BIG
  return map.reference(index) === undefined ? -ERRNO.ENOENT : -ERRNO.EINVAL
}

/** sizeof(struct bpf_perf_event_value). */
const COUNTER_BYTES = 24

/** long bpf_perf_event_read_value(map, flags, buf, size) */
function readCounterValue(machine: HelperMachine): number | undefined {
  const size = machine.low(4) >>> 0
  const target = machine.checkWrite(3, size)
  if (target < 0) return undefined
  const error = size === COUNTER_BYTES ? readCounter(machine) : -ERRNO.EINVAL
  machine.space.u8.fill(0, target, target + size)
  return error
}

function packetBytes(packet: SkBuffer | XdpBuffer): Uint8Array {
  return packet.kind === "xdp" ? packet.frame() : packet.bytes()
}

// ---- ring buffers --------------------------------------------------------------------------------

/** Records that were reserved and not yet committed, by offset, with their ring. */
const reservations = new WeakMap<KernelState, Map<number, RingBufferMap>>()

function reservationsOf(kernel: KernelState): Map<number, RingBufferMap> {
  let all = reservations.get(kernel)
  if (all === undefined) {
    all = new Map()
    reservations.set(kernel, all)
  }
  return all
}

function ringArgument(machine: HelperMachine, n: number): RingBufferMap | undefined {
  const map = mapArgument(machine, n)
  if (map === undefined || map instanceof RingBufferMap) return map
  return faults(machine, `argument ${n} is no ring buffer`)
}

/** long bpf_ringbuf_output(ringbuf, data, size, flags) */
function ringOutput(machine: HelperMachine): number | undefined {
  const ring = ringArgument(machine, 1)
  if (ring === undefined) return undefined
  const size = machine.number(3)
  const data = machine.checkRead(2, size)
  if (data < 0) return undefined
  const result = ring.output(data, size, flagsArgument(machine, 4))
  if (result <= 0) return result
  machine.environment.kernel.notify(ring)
  return 0
}

/** void *bpf_ringbuf_reserve(ringbuf, size, flags) */
function ringReserve(machine: HelperMachine): void {
  const ring = ringArgument(machine, 1)
  if (ring === undefined) return
  const sample = reserve(machine, ring, machine.number(2), flagsArgument(machine, 3))
  setAddress(machine, sample, ring.valueRegion)
}

function reserve(machine: HelperMachine, ring: RingBufferMap, size: number, flags: number): number {
  const sample = size > U32_MAX ? 0 : ring.reserve(size, flags)
  if (sample !== 0) reservationsOf(machine.environment.kernel).set(sample, ring)
  return sample
}

/** Ends a reservation; undefined after raising a fault when there is none. */
function commit(
  machine: HelperMachine,
  sample: number,
  flags: number,
  keep: boolean,
): 0 | undefined {
  const { kernel } = machine.environment
  const all = reservationsOf(kernel)
  const ring = all.get(sample)
  if (ring === undefined)
    return faults(machine, "the record was not reserved, or is committed already")
  all.delete(sample)
  if (keep ? ring.submit(sample, flags) : ring.discard(sample, flags)) kernel.notify(ring)
  return 0
}

function commits(keep: boolean) {
  return (machine: HelperMachine): number | undefined => {
    const sample = machine.checkRead(1, 1)
    return sample < 0 ? undefined : commit(machine, machine.low(1), machine.low(2), keep)
  }
}

/** u64 bpf_ringbuf_query(ringbuf, flags) */
function ringQuery(machine: HelperMachine): void {
  const ring = ringArgument(machine, 1)
  if (ring !== undefined) machine.setResultBig(BigInt(ring.query(machine.number(2))))
}

/** long bpf_ringbuf_reserve_dynptr(ringbuf, size, flags, dynptr) */
function ringReserveDynptr(machine: HelperMachine): number | undefined {
  const ring = ringArgument(machine, 1)
  const at = ring === undefined ? -1 : machine.checkWrite(4, DYNPTR_BYTES)
  if (ring === undefined || at < 0) return undefined
  const size = machine.low(2) >>> 0
  setNullDynptr(machine.space, at)
  if (machine.low(3) !== 0 || machine.high(3) !== 0) return -ERRNO.EINVAL
  const error = checkDynptrSize(size)
  if (error < 0) return error
  const sample = reserve(machine, ring, size, 0)
  if (sample === 0) return -ERRNO.EINVAL
  writeDynptr(machine.space, at, {
    low: sample,
    high: REGION_TAG | ring.valueRegion,
    type: DYNPTR_RINGBUF,
    readOnly: false,
    size,
    offset: 0,
  })
  return 0
}

function commitsDynptr(keep: boolean) {
  return (machine: HelperMachine): number | undefined => {
    const at = machine.checkWrite(1, DYNPTR_BYTES)
    if (at < 0) return undefined
    const dynptr = readDynptr(machine.space, at)
    if (dynptr === null) return 0
    setNullDynptr(machine.space, at)
    return commit(machine, dynptr.low, machine.low(2), keep)
  }
}

// ---- user ring buffers ---------------------------------------------------------------------------

/** long bpf_user_ringbuf_drain(map, callback, ctx, flags): the callback gets (dynptr, ctx). */
function userRingDrain(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined) return undefined
  if (!(map instanceof UserRingBufferMap)) return faults(machine, "the map is no user ring buffer")
  if (flagsArgument(machine, 4) & ~BPF_RB_WAKEUP_FLAGS) return -ERRNO.EINVAL
  const callback = machine.low(2)
  const context = [machine.low(3), machine.high(3)] as const
  const { kernel } = machine.environment
  const { memory } = kernel
  const scratch = memory.allocate(DYNPTR_BYTES)
  if (scratch === 0) return -ERRNO.ENOMEM
  let faulted = false
  const result = map.drain((data, size) => {
    const high = REGION_TAG | map.valueRegion
    const dynptr = { low: data, high, type: LOCAL_DYNPTR, readOnly: false, size, offset: 0 }
    writeDynptr(machine.space, scratch, dynptr)
    const args = [[scratch, REGION_TAG | kernel.kernelRegion], context] as const
    const stop = machine.callback(callback, args)
    faulted = stop === undefined
    return stop ?? 1
  })
  memory.free(scratch)
  return faulted ? undefined : result
}

export const ringHelpers: HelperTable = {
  perf_event_output: answers(perfEventOutput),
  perf_event_read: answers(readCounter),
  perf_event_read_value: answers(readCounterValue),
  skb_output: answers(perfEventOutput),
  xdp_output: answers(perfEventOutput),
  ringbuf_output: answers(ringOutput),
  ringbuf_reserve: ringReserve,
  ringbuf_submit: answers(commits(true)),
  ringbuf_discard: answers(commits(false)),
  ringbuf_query: ringQuery,
  ringbuf_reserve_dynptr: answers(ringReserveDynptr),
  ringbuf_submit_dynptr: answers(commitsDynptr(true)),
  ringbuf_discard_dynptr: answers(commitsDynptr(false)),
  user_ringbuf_drain: answers(userRingDrain),
}
