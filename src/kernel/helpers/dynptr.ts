/**
 * Dynamic pointers: a buffer with a size that is known at run time only (linux v6.18
 * kernel/bpf/helpers.c bpf_dynptr_*). The state itself: dynptr-state.ts.
 */

import { ERRNO } from "../../spec/index.ts"
import {
  checkDynptrSize,
  checkRange,
  DYNPTR_BYTES,
  DYNPTR_SKB,
  DYNPTR_XDP,
  type Dynptr,
  LOCAL_DYNPTR,
  readDynptr,
  setNullDynptr,
  writeDynptr,
} from "./dynptr-state.ts"
import { copyXdpBytes, loadSkbBytes, skbOf, storeSkbBytes, xdpOf } from "./packet.ts"
import {
  answers,
  faults,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  isReadable,
  isWritable,
} from "./support.ts"

/** long bpf_dynptr_from_mem(data, size, flags, dynptr) */
function fromMemory(machine: HelperMachine): number | undefined {
  const size = machine.low(2) >>> 0
  const at = machine.checkWrite(4, DYNPTR_BYTES)
  if (at < 0 || machine.checkRead(1, size) < 0) return undefined
  const error = checkDynptrSize(size) || (flagsArgument(machine, 3) !== 0 ? -ERRNO.EINVAL : 0)
  if (error < 0) {
    setNullDynptr(machine.space, at)
    return error
  }
  writeDynptr(machine.space, at, {
    low: machine.low(1),
    high: machine.high(1),
    type: LOCAL_DYNPTR,
    readOnly: false,
    size,
    offset: 0,
  })
  return 0
}

/** Copies `length` bytes from `offset` of what the dynptr stands for to linear memory. */
export function readFromDynptr(
  machine: HelperMachine,
  dynptr: Dynptr,
  range: { offset: number; length: number; target: number },
): number | undefined {
  const error = checkRange(dynptr, range.offset, range.length)
  if (error < 0) return error
  const offset = dynptr.offset + range.offset
  const { length, target } = range
  if (dynptr.type === DYNPTR_SKB) {
    const skb = skbOf(machine)
    return skb === undefined ? undefined : loadSkbBytes(machine, skb, { offset, length, target })
  }
  if (dynptr.type === DYNPTR_XDP) {
    const xdp = xdpOf(machine)
    if (xdp === undefined) return undefined
    return copyXdpBytes(machine, xdp, { offset, length, address: target, store: false })
  }
  const { space } = machine
  const low = dynptr.low + offset
  if (!isReadable(space, low, dynptr.high, length))
    return faults(machine, "the memory behind the dynptr is gone")
  space.u8.copyWithin(target, low, low + length)
  return 0
}

/** The other way. */
export function writeToDynptr(
  machine: HelperMachine,
  dynptr: Dynptr,
  range: { offset: number; length: number; source: number; flags: number },
): number | undefined {
  const error = checkRange(dynptr, range.offset, range.length)
  if (error < 0) return error
  const offset = dynptr.offset + range.offset
  const { length, source, flags } = range
  if (dynptr.type === DYNPTR_SKB) {
    const skb = skbOf(machine)
    if (skb === undefined) return undefined
    return storeSkbBytes(machine, skb, { offset, length, source, flags })
  }
  if (flags !== 0) return -ERRNO.EINVAL
  if (dynptr.type === DYNPTR_XDP) {
    const xdp = xdpOf(machine)
    if (xdp === undefined) return undefined
    return copyXdpBytes(machine, xdp, { offset, length, address: source, store: true })
  }
  const { space } = machine
  const low = dynptr.low + offset
  if (!isWritable(space, low, dynptr.high, length))
    return faults(machine, "the memory behind the dynptr is gone")
  space.u8.copyWithin(low, source, source + length)
  return 0
}

/** long bpf_dynptr_read(dst, len, src, offset, flags) */
function read(machine: HelperMachine): number | undefined {
  const length = machine.low(2) >>> 0
  const target = machine.checkWrite(1, length)
  const at = target < 0 ? -1 : machine.checkRead(3, DYNPTR_BYTES)
  if (at < 0) return undefined
  const dynptr = readDynptr(machine.space, at)
  if (dynptr === null || flagsArgument(machine, 5) !== 0) return -ERRNO.EINVAL
  return readFromDynptr(machine, dynptr, { offset: machine.low(4) >>> 0, length, target })
}

/** long bpf_dynptr_write(dst, offset, src, len, flags) */
function write(machine: HelperMachine): number | undefined {
  const length = machine.low(4) >>> 0
  const source = machine.checkRead(3, length)
  const at = source < 0 ? -1 : machine.checkRead(1, DYNPTR_BYTES)
  if (at < 0) return undefined
  const dynptr = readDynptr(machine.space, at)
  if (dynptr === null || dynptr.readOnly) return -ERRNO.EINVAL
  const offset = machine.low(2) >>> 0
  return writeToDynptr(machine, dynptr, {
    offset,
    length,
    source,
    flags: flagsArgument(machine, 5),
  })
}

/** void *bpf_dynptr_data(dynptr, offset, len): NULL for packets, whose bytes may not be in one piece. */
function data(machine: HelperMachine): void {
  const at = machine.checkRead(1, DYNPTR_BYTES)
  if (at < 0) return
  const dynptr = readDynptr(machine.space, at)
  const offset = machine.low(2) >>> 0
  const usable =
    dynptr !== null &&
    checkRange(dynptr, offset, machine.low(3) >>> 0) === 0 &&
    !dynptr.readOnly &&
    dynptr.type !== DYNPTR_SKB &&
    dynptr.type !== DYNPTR_XDP
  if (usable) machine.setResult64(dynptr.low + dynptr.offset + offset, dynptr.high)
  else machine.setResult64(0, 0)
}

export const dynptrHelpers: HelperTable = {
  dynptr_from_mem: answers(fromMemory),
  dynptr_read: answers(read),
  dynptr_write: answers(write),
  dynptr_data: data,
}
