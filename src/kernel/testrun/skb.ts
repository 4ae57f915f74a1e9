/**
 * PROG_TEST_RUN of programs on socket buffers: tc, socket filter, cgroup skb and LWT (linux v6.18
 * net/bpf/test_run.c bpf_prog_test_run_skb).
 *
 * The frame passes through eth_type_trans; tc programs get the Ethernet header back, the others
 * begin at the network header and find 14 zero bytes put before the packet in `data_out`.
 */

import { BPF_PROG_TYPE, BPF_TEST_RUN_FLAG, ERRNO, type ProgTestRunAttr } from "../../spec/index.ts"
import {
  CHECKSUM_COMPLETE,
  ETH_HLEN,
  etherType,
  SHARED_INFO_BYTES,
  SKB,
  SKB_CONTEXT_BYTES,
  SKB_HEADROOM,
  SkBuffer,
  type SocketFields,
} from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import { csumFold, csumPartial } from "../helpers/checksum.ts"
import { LocalStorageMap } from "../maps/index.ts"
import type { Program } from "../programs/program.ts"
import { finishContext, finishData, rangeIsZero, runRounds, takeContext } from "./frame.ts"

const DATA_BYTES_MAX = 4096 - SKB_HEADROOM - SHARED_INFO_BYTES
const LOOPBACK_IFINDEX = 1
const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd
const AF_INET = 2
const AF_INET6 = 10
const GSO_LEGACY_MAX_SIZE = 65_536
const GSO_MAX_SEGS = 65_535
/** The fields that `ctx_in` may set, in order: `[from, to)` of what lies between must be zero. */
const SETTABLE: readonly (readonly [field: string, bytes: number])[] = [
  ["mark", 4],
  ["priority", 4],
  ["ingress_ifindex", 4],
  ["ifindex", 4],
  ["cb", 20],
  ["tstamp", 8],
  ["wire_len", 4],
  ["gso_segs", 4],
  ["gso_size", 4],
  ["hwtstamp", 8],
]

export function testRunSkb(kernel: KernelState, program: Program, attr: ProgTestRunAttr): number {
  const flags = attr.flags ?? 0
  const checksum = BPF_TEST_RUN_FLAG.BPF_F_TEST_SKB_CHECKSUM_COMPLETE
  if (flags & ~checksum || (attr.cpu ?? 0) !== 0 || (attr.batch_size ?? 0) !== 0)
    return -ERRNO.EINVAL
  const frame = attr.data_in ?? new Uint8Array(0)
  if (frame.length < ETH_HLEN || frame.length > DATA_BYTES_MAX) return -ERRNO.EINVAL
  const context = takeContext(attr, SKB_CONTEXT_BYTES)
  if (typeof context === "number") return context
  const view = context === null ? null : new DataView(context.buffer)
  const wanted = view?.getUint32(SKB.ifindex, true) ?? 0
  const ifindex = Math.max(wanted, LOOPBACK_IFINDEX)
  const device = kernel.device(ifindex)
  if (wanted > LOOPBACK_IFINDEX && device === undefined) return -ERRNO.ENODEV
  const socket = socketOf(frame)
  if (typeof socket === "number") return socket

  const linkLayer = isLinkLayer(program.type)
  const skb = new SkBuffer(kernel.memory)
  try {
    skb.load(frame, { ifindex, mac: device?.mac, networkLayer: !linkLayer, socket })
    // Without a context the length on the wire is never set.
    if (context === null) skb.set("wire_len", 0)
    else {
      const refused = applyContext(skb, context)
      if (refused < 0) return refused
    }
    if (flags & checksum) {
      skb.ipSummed = CHECKSUM_COMPLETE
      skb.csum = networkSum(kernel, skb)
    }
    const rounds = runRounds(
      kernel,
      program,
      { context: skb.context, contextRegion: skb.contextRegion, packet: skb },
      attr.repeat ?? 0,
    )
    if (rounds.errno < 0) return rounds.errno
    if (!linkLayer) pushZeroHeader(kernel, skb)
    if (flags & checksum && csumFold(skb.csum) !== csumFold(networkSum(kernel, skb)))
      return -ERRNO.EBADMSG
    if (context !== null) returnContext(kernel, skb, context)
    const result = finishData(attr, skb.bytes(), rounds)
    return result < 0 ? result : finishContext(attr, context)
  } finally {
    // The dummy socket ends here, and what programs have stored with it.
    for (const map of program.maps) if (map instanceof LocalStorageMap) map.remove(skb.socketOwner)
    skb.free()
  }
}

/** Programs that see the Ethernet header. */
function isLinkLayer(type: number): boolean {
  return (
    type === BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS || type === BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_ACT
  )
}

/** The dummy socket gets the packet's addresses; IP packets without a whole header are refused. */
function socketOf(frame: Uint8Array): SocketFields | number {
  const type = etherType(frame)
  if (type === ETH_P_IP) {
    if (frame.length < ETH_HLEN + 20) return -ERRNO.EINVAL
    return { family: AF_INET, source: frame.slice(26, 30), destination: frame.slice(30, 34) }
  }
  if (type === ETH_P_IPV6) {
    if (frame.length < ETH_HLEN + 40) return -ERRNO.EINVAL
    return { family: AF_INET6, source: frame.slice(22, 38), destination: frame.slice(38, 54) }
  }
  return { family: 0 }
}

/** convert___skb_to_skb: 0 or -EINVAL. */
function applyContext(skb: SkBuffer, context: Uint8Array): number {
  let end = 0
  for (const [field, bytes] of SETTABLE) {
    if (!rangeIsZero(context, end, SKB[field])) return -ERRNO.EINVAL
    end = SKB[field] + bytes
  }
  if (!rangeIsZero(context, end, context.length)) return -ERRNO.EINVAL
  const view = new DataView(context.buffer)
  const u32 = (field: string): number => view.getUint32(SKB[field], true)
  const wireLength = u32("wire_len")
  if (wireLength !== 0 && (wireLength < skb.length || wireLength > GSO_LEGACY_MAX_SIZE))
    return -ERRNO.EINVAL
  if (u32("gso_segs") > GSO_MAX_SEGS) return -ERRNO.EINVAL
  for (const field of ["mark", "priority", "ingress_ifindex", "gso_segs"])
    skb.set(field, u32(field))
  skb.set("gso_size", u32("gso_size") & 0xffff)
  skb.set("wire_len", wireLength === 0 ? skb.length : wireLength)
  skb.setBytes("cb", context.subarray(SKB.cb, SKB.cb + 20))
  skb.setBytes("tstamp", context.subarray(SKB.tstamp, SKB.tstamp + 8))
  skb.setBytes("hwtstamp", context.subarray(SKB.hwtstamp, SKB.hwtstamp + 8))
  return 0
}

/** convert_skb_to___skb: the fields that come back. */
function returnContext(kernel: KernelState, skb: SkBuffer, context: Uint8Array): void {
  const copy = (field: string, bytes: number): void => {
    const at = skb.context + SKB[field]
    context.set(kernel.memory.u8.subarray(at, at + bytes), SKB[field])
  }
  for (const [field, bytes] of SETTABLE) if (field !== "gso_size") copy(field, bytes)
}

/** The Ethernet header that network-layer programs never saw comes back as zeros. */
function pushZeroHeader(kernel: KernelState, skb: SkBuffer): void {
  if (!skb.reserve(ETH_HLEN, 0)) return
  skb.data -= ETH_HLEN
  if (skb.dataMeta > skb.data) skb.dataMeta = skb.data
  kernel.memory.u8.fill(0, skb.data, skb.data + ETH_HLEN)
}

function networkSum(kernel: KernelState, skb: SkBuffer): number {
  const length = skb.dataEnd - skb.networkHeader
  return csumPartial(kernel.memory.u8, skb.networkHeader, length, 0)
}
