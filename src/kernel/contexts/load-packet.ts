/**
 * LD_ABS and LD_IND: packet bytes at an offset, in network byte order. Offsets below 0 count from
 * the network header (SKF_NET_OFF) or the link-layer header (SKF_LL_OFF)
 * (linux v6.18 net/core/filter.c bpf_skb_load_helper_32, bpf_internal_load_pointer_neg_helper).
 */

import type { Machine } from "../../interpreter/machine.ts"
import type { Environment } from "../environment.ts"
import { SkBuffer } from "./sk-buffer.ts"

const SKF_NET_OFF = -0x100000
const SKF_LL_OFF = -0x200000

/** The number at `offset`, or null when the packet does not have it: the program ends with 0. */
export function loadPacket(
  machine: Machine<Environment>,
  offset: number,
  size: number,
): number | null {
  const { packet, kernel } = machine.environment
  if (!(packet instanceof SkBuffer)) return null
  let at: number
  if (offset >= 0) at = packet.data + offset
  else if (offset >= SKF_NET_OFF) at = packet.networkHeader + offset - SKF_NET_OFF
  else if (offset >= SKF_LL_OFF) at = packet.macHeader + offset - SKF_LL_OFF
  else return null
  if (at < packet.hardStart || at + size > packet.dataEnd) return null
  const { view } = kernel.memory
  if (size === 1) return view.getUint8(at)
  return size === 2 ? view.getUint16(at) : view.getUint32(at)
}
