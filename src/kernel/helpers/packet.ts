/**
 * The packet of a run, for the helpers on it; and bytes of it, wherever they lie (linux v6.18
 * net/core/filter.c bpf_skb_load_bytes, bpf_skb_store_bytes, bpf_xdp_load_bytes,
 * bpf_xdp_store_bytes).
 */

import { BPF_SKB_STORE_FLAG, ERRNO } from "../../spec/index.ts"
import { CHECKSUM_COMPLETE, type SkBuffer, type XdpBuffer } from "../contexts/index.ts"
import { csumBlockAdd, csumBlockSub, csumPartial } from "./checksum.ts"
import { answers, type Helper, type HelperMachine } from "./support.ts"

const INT_MAX = 0x7fff_ffff
/** Largest offset and length of the XDP helpers. */
const XDP_RANGE_MAX = 0xffff

/** The socket buffer that register 1 stands for; raises a fault when the run has none. */
export function skbOf(machine: HelperMachine): SkBuffer | undefined {
  const { packet } = machine.environment
  if (packet?.kind === "skb") return packet as SkBuffer
  machine.fail("this helper works on socket buffers, and the run has none")
  return undefined
}

/** The XDP frame that register 1 stands for; raises a fault when the run has none. */
export function xdpOf(machine: HelperMachine): XdpBuffer | undefined {
  const { packet } = machine.environment
  if (packet?.kind === "xdp") return packet as XdpBuffer
  machine.fail("this helper works on XDP frames, and the run has none")
  return undefined
}

/** A helper on a socket buffer from a function that returns its result. */
export function onSkb(body: (machine: HelperMachine, skb: SkBuffer) => number | undefined): Helper {
  return answers((machine) => {
    const skb = skbOf(machine)
    return skb === undefined ? undefined : body(machine, skb)
  })
}

/** A helper on an XDP frame from a function that returns its result. */
export function onXdp(
  body: (machine: HelperMachine, xdp: XdpBuffer) => number | undefined,
): Helper {
  return answers((machine) => {
    const xdp = xdpOf(machine)
    return xdp === undefined ? undefined : body(machine, xdp)
  })
}

/** Copies packet bytes to `target` (an offset); -EFAULT and zeros when they are not all there. */
export function loadSkbBytes(
  machine: HelperMachine,
  skb: SkBuffer,
  range: { offset: number; length: number; target: number },
): number {
  const { offset, length, target } = range
  const { u8 } = machine.space
  if (offset > INT_MAX || offset + length > skb.length) {
    u8.fill(0, target, target + length)
    return -ERRNO.EFAULT
  }
  u8.copyWithin(target, skb.data + offset, skb.data + offset + length)
  return 0
}

/** Copies bytes at `source` (an offset) into the packet; flags of bpf_skb_store_bytes. */
export function storeSkbBytes(
  machine: HelperMachine,
  skb: SkBuffer,
  range: { offset: number; length: number; source: number; flags: number },
): number {
  const { offset, length, source, flags } = range
  const { BPF_F_INVALIDATE_HASH, BPF_F_RECOMPUTE_CSUM } = BPF_SKB_STORE_FLAG
  if (flags & ~(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH)) return -ERRNO.EINVAL
  if (offset > INT_MAX || offset + length > skb.length) return -ERRNO.EFAULT
  const { u8 } = machine.space
  const at = skb.data + offset
  const recompute = (flags & BPF_F_RECOMPUTE_CSUM) !== 0 && skb.ipSummed === CHECKSUM_COMPLETE
  if (recompute) skb.csum = csumBlockSub(skb.csum, csumPartial(u8, at, length, 0), offset)
  u8.copyWithin(at, source, source + length)
  if (recompute) skb.csum = csumBlockAdd(skb.csum, csumPartial(u8, at, length, 0), offset)
  if (flags & BPF_F_INVALIDATE_HASH) {
    skb.set("hash", 0)
    skb.l4Hash = false
  }
  return 0
}

/**
 * Copies bytes of a frame, fragments included, to or from `address` (an offset): 0, -EFAULT beyond
 * 64 KiB, -EINVAL beyond the frame.
 */
export function copyXdpBytes(
  machine: HelperMachine,
  xdp: XdpBuffer,
  range: { offset: number; length: number; address: number; store: boolean },
): number {
  const { offset, length, address, store } = range
  if (offset > XDP_RANGE_MAX || length > XDP_RANGE_MAX) return -ERRNO.EFAULT
  if (offset + length > xdp.length) return -ERRNO.EINVAL
  const { u8 } = machine.space
  const linear = u8.subarray(xdp.data, xdp.dataEnd)
  let start = 0
  for (const part of [linear, ...xdp.fragments]) {
    const from = Math.max(offset, start)
    const to = Math.min(offset + length, start + part.length)
    if (from < to) {
      const inPart = part.subarray(from - start, to - start)
      const inBuffer = u8.subarray(address + from - offset, address + to - offset)
      if (store) inPart.set(inBuffer)
      else inBuffer.set(inPart)
    }
    start += part.length
  }
  return 0
}
