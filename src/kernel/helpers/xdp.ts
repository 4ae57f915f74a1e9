/**
 * XDP frames: moving their borders, and bytes beyond the linear part (linux v6.18
 * net/core/filter.c bpf_xdp_adjust_head, _adjust_tail, _adjust_meta, _load_bytes, _store_bytes).
 */

import { ERRNO } from "../../spec/index.ts"
import { ETH_HLEN, SHARED_INFO_BYTES, XDP_FRAME_BYTES, type XdpBuffer } from "../contexts/index.ts"
import { copyXdpBytes, onXdp } from "./packet.ts"
import type { HelperMachine, HelperTable } from "./support.ts"

/** Metadata is at most 252 bytes, in words. */
const META_BYTES_MAX = 252
/** A fragment is a page. */
const FRAGMENT_BYTES_MAX = 4096

function adjustHead(machine: HelperMachine, xdp: XdpBuffer): number {
  const delta = machine.low(2)
  const meta = xdp.data - xdp.dataMeta
  const data = xdp.data + delta
  if (data < xdp.hardStart + XDP_FRAME_BYTES + meta || data > xdp.dataEnd - ETH_HLEN)
    return -ERRNO.EINVAL
  if (meta > 0) machine.space.u8.copyWithin(xdp.dataMeta + delta, xdp.dataMeta, xdp.data)
  xdp.dataMeta += delta
  xdp.data = data
  xdp.syncContext()
  return 0
}

function adjustMeta(machine: HelperMachine, xdp: XdpBuffer): number {
  const meta = xdp.dataMeta + machine.low(2)
  if (meta < xdp.hardStart + XDP_FRAME_BYTES || meta > xdp.data) return -ERRNO.EINVAL
  const length = xdp.data - meta
  if (length % 4 !== 0 || length > META_BYTES_MAX) return -ERRNO.EACCES
  xdp.dataMeta = meta
  xdp.syncContext()
  return 0
}

function adjustTail(machine: HelperMachine, xdp: XdpBuffer): number {
  const delta = machine.low(2)
  if (xdp.fragments.length > 0)
    return delta < 0 ? shrinkFragments(xdp, -delta) : growFragments(xdp, delta)
  const end = xdp.dataEnd + delta
  if (end > xdp.hardEnd - SHARED_INFO_BYTES || end < xdp.data + ETH_HLEN) return -ERRNO.EINVAL
  if (delta > 0) machine.space.u8.fill(0, xdp.dataEnd, end)
  xdp.dataEnd = end
  xdp.syncContext()
  return 0
}

function growFragments(xdp: XdpBuffer, bytes: number): number {
  const last = xdp.fragments[xdp.fragments.length - 1]
  if (bytes > FRAGMENT_BYTES_MAX - last.length) return -ERRNO.EINVAL
  const grown = new Uint8Array(last.length + bytes)
  grown.set(last)
  xdp.fragments[xdp.fragments.length - 1] = grown
  return 0
}

function shrinkFragments(xdp: XdpBuffer, bytes: number): number {
  if (bytes > xdp.length - ETH_HLEN) return -ERRNO.EINVAL
  let left = bytes
  while (left > 0) {
    const last = xdp.fragments.pop()
    if (last === undefined) break
    if (last.length > left) xdp.fragments.push(last.subarray(0, last.length - left))
    left -= Math.min(left, last.length)
  }
  if (xdp.fragments.length === 0) {
    xdp.dataEnd -= left
    xdp.syncContext()
  }
  return 0
}

/** bpf_xdp_load_bytes and bpf_xdp_store_bytes(xdp_md, offset, buf, len). */
function copies(store: boolean) {
  return (machine: HelperMachine, xdp: XdpBuffer): number | undefined => {
    const offset = machine.low(2) >>> 0
    const length = machine.low(4) >>> 0
    const address = store ? machine.checkRead(3, length) : machine.checkWrite(3, length)
    if (address < 0) return undefined
    return copyXdpBytes(machine, xdp, { offset, length, address, store })
  }
}

export const xdpHelpers: HelperTable = {
  xdp_adjust_head: onXdp(adjustHead),
  xdp_adjust_meta: onXdp(adjustMeta),
  xdp_adjust_tail: onXdp(adjustTail),
  xdp_load_bytes: onXdp(copies(false)),
  xdp_store_bytes: onXdp(copies(true)),
  xdp_get_buff_len: onXdp((_, xdp) => xdp.length),
}
