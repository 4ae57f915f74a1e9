/**
 * Packets: bytes that a comparison with the end has proven to exist, from the pointer's base on.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_packet_access, may_access_direct_pkt_data.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import { aOf, sminNumber } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import type { MemoryMeta } from "./meta.ts"
import { describe, inside, rejectNegative } from "./region.ts"

/** `off` includes the pointer's fixed offset. */
export function checkPacketAccess(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  zeroAllowed: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  // The range proven is counted from after the variable part, so only the fixed part matters.
  if (sminNumber(d, reg) < 0) rejectNegative(v, regno)
  const range = aOf(d, reg)
  if (range >= 0 && inside(off, size, range, zeroAllowed)) return
  if (range >= 0) describe(v, regno, off, size, range)
  v.reject(range < 0 ? ERRNO.EINVAL : ERRNO.EACCES, `R${regno} offset is outside of the packet`, {
    rule: "packet-bounds",
    register: regno,
    offset: off,
    size,
  })
}

/** Whether the program may touch packets itself, or give them to a helper (`meta`). */
export function mayAccessPacket(v: Verifier, meta: MemoryMeta | null, write: boolean): boolean {
  switch (programType(v)) {
    case PT.BPF_PROG_TYPE_LWT_IN:
    case PT.BPF_PROG_TYPE_LWT_OUT:
    case PT.BPF_PROG_TYPE_LWT_SEG6LOCAL:
    case PT.BPF_PROG_TYPE_SK_REUSEPORT:
    case PT.BPF_PROG_TYPE_FLOW_DISSECTOR:
    case PT.BPF_PROG_TYPE_CGROUP_SKB:
      return !write && (meta === null || meta.packetAccess)
    case PT.BPF_PROG_TYPE_SCHED_CLS:
    case PT.BPF_PROG_TYPE_SCHED_ACT:
    case PT.BPF_PROG_TYPE_XDP:
    case PT.BPF_PROG_TYPE_LWT_XMIT:
    case PT.BPF_PROG_TYPE_SK_SKB:
    case PT.BPF_PROG_TYPE_SK_MSG:
      return meta === null || meta.packetAccess
    case PT.BPF_PROG_TYPE_CGROUP_SOCKOPT:
      return true
    default:
      return false
  }
}

/** The program's type; of a replacement (ext) the type that it replaces, where that is known. */
export function programType(v: Verifier): number {
  return v.input.type
}
