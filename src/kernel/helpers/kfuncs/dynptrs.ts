/**
 * kfuncs on dynptrs (linux v6.18 kernel/bpf/helpers.c, net/core/filter.c bpf_dynptr_from_skb).
 */

import { REGION_TAG } from "../../../interpreter/index.ts"
import { ERRNO } from "../../../spec/index.ts"
import { readFromDynptr, writeToDynptr } from "../dynptr.ts"
import {
  checkRange,
  DYNPTR_BYTES,
  DYNPTR_SKB,
  DYNPTR_XDP,
  readDynptr,
  setNullDynptr,
  writeDynptr,
} from "../dynptr-state.ts"
import { skbOf, xdpOf } from "../packet.ts"
import {
  answersInt,
  flagsArgument,
  type Helper,
  type HelperMachine,
  isNull,
  isReadable,
  type KfuncTable,
} from "../support.ts"

/** int bpf_dynptr_from_skb(skb, flags, dynptr); of xdp alike. */
function fromPacket(kind: "skb" | "xdp") {
  return (machine: HelperMachine): number | undefined => {
    const at = machine.checkWrite(3, DYNPTR_BYTES)
    const packet = at < 0 ? undefined : kind === "skb" ? skbOf(machine) : xdpOf(machine)
    if (packet === undefined) return undefined
    if (flagsArgument(machine, 2) !== 0) {
      setNullDynptr(machine.space, at)
      return -ERRNO.EINVAL
    }
    writeDynptr(machine.space, at, {
      low: packet.context,
      high: REGION_TAG | packet.contextRegion,
      type: kind === "skb" ? DYNPTR_SKB : DYNPTR_XDP,
      readOnly: false,
      size: packet.length,
      offset: 0,
    })
    return 0
  }
}

/**
 * void *bpf_dynptr_slice(dynptr, offset, buffer, size): the bytes where they lie, or copied to the
 * buffer when they are in fragments; NULL when there are too few, or a copy is needed without a
 * buffer.
 */
function slices(forWriting: boolean): Helper {
  return (machine) => {
    const at = machine.checkRead(1, DYNPTR_BYTES)
    if (at < 0) return
    const dynptr = readDynptr(machine.space, at)
    const length = machine.low(4) >>> 0
    const start = machine.low(2) >>> 0
    if (
      dynptr === null ||
      (forWriting && dynptr.readOnly) ||
      checkRange(dynptr, start, length) !== 0
    ) {
      machine.setResult64(0, 0)
      return
    }
    const offset = dynptr.offset + start
    if (dynptr.type === DYNPTR_SKB) {
      const skb = skbOf(machine)
      if (skb === undefined) return
      if (offset + length > skb.length) machine.setResult64(0, 0)
      else machine.setResult64(skb.data + offset, REGION_TAG | skb.region)
    } else if (dynptr.type === DYNPTR_XDP) {
      sliceFrame(machine, offset, length)
    } else machine.setResult64(dynptr.low + offset, dynptr.high)
  }
}

function sliceFrame(machine: HelperMachine, offset: number, length: number): void {
  const xdp = xdpOf(machine)
  if (xdp === undefined) return
  if (xdp.data + offset + length <= xdp.dataEnd) {
    machine.setResult64(xdp.data + offset, REGION_TAG | xdp.region)
    return
  }
  if (isNull(machine, 3)) {
    machine.setResult64(0, 0)
    return
  }
  const target = machine.checkWrite(3, length)
  if (target < 0) return
  const bytes = xdp.frame().subarray(offset, offset + length)
  machine.space.u8.set(bytes, target)
  if (bytes.length < length) machine.setResult64(0, 0)
  else machine.setResult64(machine.low(3), machine.high(3))
}

/** int bpf_dynptr_adjust(dynptr, start, end): narrows it to `[start, end)`. */
function adjust(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(1, DYNPTR_BYTES)
  if (at < 0) return undefined
  const dynptr = readDynptr(machine.space, at)
  const start = machine.low(2) >>> 0
  const end = machine.low(3) >>> 0
  if (dynptr === null || start > end) return -ERRNO.EINVAL
  if (start > dynptr.size || end > dynptr.size) return -ERRNO.ERANGE
  writeDynptr(machine.space, at, {
    ...dynptr,
    offset: dynptr.offset + start,
    size: end - start,
  })
  return 0
}

function size(machine: HelperMachine): number | undefined {
  const at = machine.checkRead(1, DYNPTR_BYTES)
  if (at < 0) return undefined
  return readDynptr(machine.space, at)?.size ?? -ERRNO.EINVAL
}

/** int bpf_dynptr_clone(dynptr, clone) */
function clone(machine: HelperMachine): number | undefined {
  const at = machine.checkRead(1, DYNPTR_BYTES)
  const target = at < 0 ? -1 : machine.checkWrite(2, DYNPTR_BYTES)
  if (target < 0) return undefined
  machine.space.u8.copyWithin(target, at, at + DYNPTR_BYTES)
  return readDynptr(machine.space, at) === null ? -ERRNO.EINVAL : 0
}

/** int bpf_dynptr_copy(dst, dst_offset, src, src_offset, size) */
function copy(machine: HelperMachine): number | undefined {
  const to = machine.checkRead(1, DYNPTR_BYTES)
  const from = to < 0 ? -1 : machine.checkRead(3, DYNPTR_BYTES)
  if (from < 0) return undefined
  const target = readDynptr(machine.space, to)
  const source = readDynptr(machine.space, from)
  if (target === null || source === null || target.readOnly) return -ERRNO.EINVAL
  const length = machine.low(5) >>> 0
  const { memory } = machine.environment.kernel
  const scratch = memory.allocate(Math.max(length, 8))
  if (scratch === 0) return -ERRNO.ENOMEM
  const offset = machine.low(4) >>> 0
  const result =
    readFromDynptr(machine, source, { offset, length, target: scratch }) ||
    writeToDynptr(machine, target, {
      offset: machine.low(2) >>> 0,
      length,
      source: scratch,
      flags: 0,
    })
  memory.free(scratch)
  return result
}

/** int bpf_dynptr_memset(dynptr, offset, size, value) */
function fill(machine: HelperMachine): number | undefined {
  const at = machine.checkRead(1, DYNPTR_BYTES)
  if (at < 0) return undefined
  const dynptr = readDynptr(machine.space, at)
  if (dynptr === null || dynptr.readOnly) return -ERRNO.EINVAL
  const length = machine.low(3) >>> 0
  const { memory } = machine.environment.kernel
  const scratch = memory.allocate(Math.max(length, 8))
  if (scratch === 0) return -ERRNO.ENOMEM
  memory.u8.fill(machine.low(4), scratch, scratch + length)
  const offset = machine.low(2) >>> 0
  const range = { offset, length, source: scratch, flags: 0 }
  const result = writeToDynptr(machine, dynptr, range)
  memory.free(scratch)
  return result
}

/** void *bpf_rdonly_cast(obj, btf_id): kernel objects are read with checks anyway. */
const readOnlyCast: Helper = (machine) => {
  const { low, high } = { low: machine.low(1), high: machine.high(1) }
  const known = isReadable(machine.space, low, high, 1)
  const { kernelRegion } = machine.environment.kernel
  machine.setResult64(low, known ? REGION_TAG | kernelRegion : high)
}

export const dynptrKfuncs: KfuncTable = {
  bpf_dynptr_from_skb: answersInt(fromPacket("skb")),
  bpf_dynptr_from_xdp: answersInt(fromPacket("xdp")),
  bpf_dynptr_slice: slices(false),
  bpf_dynptr_slice_rdwr: slices(true),
  bpf_dynptr_adjust: answersInt(adjust),
  bpf_dynptr_size: answersInt(size),
  bpf_dynptr_clone: answersInt(clone),
  bpf_dynptr_copy: answersInt(copy),
  bpf_dynptr_memset: answersInt(fill),
  bpf_dynptr_is_null: answersInt((machine) => {
    const at = machine.checkRead(1, DYNPTR_BYTES)
    return at < 0 ? undefined : readDynptr(machine.space, at) === null ? 1 : 0
  }),
  bpf_dynptr_is_rdonly: answersInt((machine) => {
    const at = machine.checkRead(1, DYNPTR_BYTES)
    return at < 0 ? undefined : readDynptr(machine.space, at)?.readOnly === true ? 1 : 0
  }),
  bpf_rdonly_cast: readOnlyCast,
}
