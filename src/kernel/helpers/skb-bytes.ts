/**
 * Bytes of socket buffers and the checksums in them (linux v6.18 net/core/filter.c,
 * net/core/utils.c).
 */

import { BPF_CSUM_FLAG, BPF_CSUM_LEVEL, BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  type SkBuffer,
} from "../contexts/index.ts"
import * as sum from "./checksum.ts"
import { loadSkbBytes, onSkb, storeSkbBytes } from "./packet.ts"
import { answers, flagsArgument, type HelperMachine, type HelperTable } from "./support.ts"

const OFFSET_MAX = 0xffff
const BPF_HDR_START_MAC = 0
const BPF_HDR_START_NET = 1
/** What a UDP checksum of 0 is stored as. */
const CSUM_MANGLED_0 = 0xffff
/** SKB_MAX_CSUM_LEVEL. */
const CSUM_LEVEL_MAX = 3

function loadBytes(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const length = machine.low(4) >>> 0
  const target = machine.checkWrite(3, length)
  if (target < 0) return undefined
  if (machine.environment.program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_FLOW_DISSECTOR) {
    // A test run dissects bytes without a socket buffer around them.
    machine.space.u8.fill(0, target, target + length)
    return -ERRNO.EFAULT
  }
  return loadSkbBytes(machine, skb, { offset: machine.low(2) >>> 0, length, target })
}

/** long bpf_skb_load_bytes_relative(skb, offset, to, len, start_header) */
function loadBytesRelative(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const offset = machine.low(2) >>> 0
  const length = machine.low(4) >>> 0
  const target = machine.checkWrite(3, length)
  if (target < 0) return undefined
  const header = machine.low(5)
  const start =
    header === BPF_HDR_START_MAC
      ? skb.macHeader
      : header === BPF_HDR_START_NET
        ? skb.networkHeader
        : -1
  const { u8 } = machine.space
  const from = start + offset
  if (offset > OFFSET_MAX || start < 0 || from + length > skb.dataEnd) {
    u8.fill(0, target, target + length)
    return -ERRNO.EFAULT
  }
  u8.copyWithin(target, from, from + length)
  return 0
}

function storeBytes(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const length = machine.low(4) >>> 0
  const source = machine.checkRead(3, length)
  if (source < 0) return undefined
  const flags = flagsArgument(machine, 5)
  return storeSkbBytes(machine, skb, { offset: machine.low(2) >>> 0, length, source, flags })
}

/** Packets are linear and writable here; what Linux checks is that the bytes exist. */
function pullData(machine: HelperMachine, skb: SkBuffer): number {
  return machine.low(2) >>> 0 > skb.length ? -ERRNO.ENOMEM : 0
}

// ---- checksums in headers --------------------------------------------------------------------

/** The offset of the 16-bit checksum that r2 names, or -EFAULT. */
function checksumAt(machine: HelperMachine, skb: SkBuffer): number {
  const offset = machine.low(2) >>> 0
  if (offset > OFFSET_MAX || offset & 1 || offset + 2 > skb.length) return -ERRNO.EFAULT
  return skb.data + offset
}

/** long bpf_l3_csum_replace(skb, offset, from, to, flags) */
function l3Replace(machine: HelperMachine, skb: SkBuffer): number {
  const flags = flagsArgument(machine, 5)
  if (flags & ~BPF_CSUM_FLAG.BPF_F_HDR_FIELD_MASK) return -ERRNO.EINVAL
  const at = checksumAt(machine, skb)
  if (at < 0) return at
  const { view } = machine.space
  const old = view.getUint16(at, true)
  const from = machine.low(3)
  const to = machine.low(4)
  let checksum: number
  switch (flags) {
    case 0:
      if (from !== 0 || machine.high(3) !== 0) return -ERRNO.EINVAL
      checksum = sum.csumReplaceByDiff(old, to)
      break
    case 2:
      checksum = sum.csumReplace2(old, from, to)
      break
    case 4:
      checksum = sum.csumReplace4(old, from, to)
      break
    default:
      return -ERRNO.EINVAL
  }
  view.setUint16(at, checksum, true)
  return 0
}

const L4_FLAGS: number =
  BPF_CSUM_FLAG.BPF_F_MARK_MANGLED_0 |
  BPF_CSUM_FLAG.BPF_F_MARK_ENFORCE |
  BPF_CSUM_FLAG.BPF_F_PSEUDO_HDR |
  BPF_CSUM_FLAG.BPF_F_HDR_FIELD_MASK |
  BPF_CSUM_FLAG.BPF_F_IPV6

/** long bpf_l4_csum_replace(skb, offset, from, to, flags) */
function l4Replace(machine: HelperMachine, skb: SkBuffer): number {
  const flags = flagsArgument(machine, 5)
  if (flags & ~L4_FLAGS) return -ERRNO.EINVAL
  const at = checksumAt(machine, skb)
  if (at < 0) return at
  const { view } = machine.space
  const old = view.getUint16(at, true)
  const markZero = (flags & BPF_CSUM_FLAG.BPF_F_MARK_MANGLED_0) !== 0
  const enforce = (flags & BPF_CSUM_FLAG.BPF_F_MARK_ENFORCE) !== 0
  if (markZero && !enforce && old === 0) return 0
  const pseudo = (flags & BPF_CSUM_FLAG.BPF_F_PSEUDO_HDR) !== 0
  const from = machine.low(3)
  const to = machine.low(4)
  let checksum: number
  switch (flags & BPF_CSUM_FLAG.BPF_F_HDR_FIELD_MASK) {
    case 0: {
      if (from !== 0 || machine.high(3) !== 0) return -ERRNO.EINVAL
      const ipv6 = (flags & BPF_CSUM_FLAG.BPF_F_IPV6) !== 0
      checksum = replaceByDiff(skb, old, to, { pseudo, ipv6 })
      break
    }
    case 2:
      checksum = replace4(skb, old, { from: from & 0xffff, to: to & 0xffff, pseudo })
      break
    case 4:
      checksum = replace4(skb, old, { from, to, pseudo })
      break
    default:
      return -ERRNO.EINVAL
  }
  if (markZero && checksum === 0) checksum = CSUM_MANGLED_0
  view.setUint16(at, checksum, true)
  return 0
}

/** inet_proto_csum_replace4 */
function replace4(
  skb: SkBuffer,
  old: number,
  change: { from: number; to: number; pseudo: boolean },
): number {
  const { from, to, pseudo } = change
  if (skb.ipSummed === CHECKSUM_PARTIAL)
    return pseudo ? ~sum.csumFold(sum.csumAdd(sum.csumSub(old, from), to)) & 0xffff : old
  if (skb.ipSummed === CHECKSUM_COMPLETE && pseudo)
    skb.csum = ~sum.csumAdd(sum.csumSub(~skb.csum, from), to) >>> 0
  return sum.csumReplace4(old, from, to)
}

/** inet_proto_csum_replace_by_diff */
function replaceByDiff(
  skb: SkBuffer,
  old: number,
  diff: number,
  how: { pseudo: boolean; ipv6: boolean },
): number {
  if (skb.ipSummed === CHECKSUM_PARTIAL)
    return how.pseudo ? ~sum.csumFold(sum.csumAdd(diff, old)) & 0xffff : old
  if (skb.ipSummed === CHECKSUM_COMPLETE && how.pseudo && !how.ipv6)
    skb.csum = ~sum.csumSub(diff, skb.csum) >>> 0
  return sum.csumReplaceByDiff(old, diff)
}

// ---- sums of buffers and of the packet ---------------------------------------------------------

/** s64 bpf_csum_diff(from, from_size, to, to_size, seed): folded to 16 bits since Linux 6.13. */
function csumDiff(machine: HelperMachine): number | undefined {
  const fromSize = machine.low(2) >>> 0
  const toSize = machine.low(4) >>> 0
  const from = machine.checkRead(1, fromSize)
  const to = from < 0 ? -1 : machine.checkRead(3, toSize)
  if (to < 0) return undefined
  if ((fromSize | toSize) & 3) return -ERRNO.EINVAL
  const { u8 } = machine.space
  const seed = machine.low(5)
  if (fromSize > 0 && toSize > 0) {
    const added = sum.csumPartial(u8, to, toSize, seed)
    return sum.csumFrom32To16(sum.csumSub(added, sum.csumPartial(u8, from, fromSize, 0)))
  }
  if (toSize > 0) return sum.csumFrom32To16(sum.csumPartial(u8, to, toSize, seed))
  if (fromSize > 0) return sum.csumFrom32To16(~sum.csumPartial(u8, from, fromSize, ~seed))
  return sum.csumFrom32To16(seed)
}

function csumUpdate(machine: HelperMachine): void {
  const { packet } = machine.environment
  const skb = packet as SkBuffer | null
  if (skb?.kind !== "skb" || skb.ipSummed !== CHECKSUM_COMPLETE) {
    machine.setResult(-ERRNO.ENOTSUPP)
    return
  }
  skb.csum = sum.csumAdd(skb.csum, machine.low(2))
  machine.setResult64(skb.csum | 0, 0)
}

/** long bpf_csum_level(skb, level): how many checksums the hardware has found right. */
function csumLevel(machine: HelperMachine, skb: SkBuffer): number {
  if (machine.high(2) !== 0) return -ERRNO.EINVAL
  switch (machine.low(2)) {
    case BPF_CSUM_LEVEL.BPF_CSUM_LEVEL_INC:
      if (skb.ipSummed === CHECKSUM_UNNECESSARY) {
        if (skb.csumLevel < CSUM_LEVEL_MAX) skb.csumLevel++
      } else if (skb.ipSummed === CHECKSUM_NONE) {
        skb.ipSummed = CHECKSUM_UNNECESSARY
        skb.csumLevel = 0
      }
      return 0
    case BPF_CSUM_LEVEL.BPF_CSUM_LEVEL_DEC:
      if (skb.ipSummed === CHECKSUM_UNNECESSARY) {
        if (skb.csumLevel === 0) skb.ipSummed = CHECKSUM_NONE
        else skb.csumLevel--
      }
      return 0
    case BPF_CSUM_LEVEL.BPF_CSUM_LEVEL_RESET:
      resetChecksumUnnecessary(skb)
      return 0
    case BPF_CSUM_LEVEL.BPF_CSUM_LEVEL_QUERY:
      return skb.ipSummed === CHECKSUM_UNNECESSARY ? skb.csumLevel : -ERRNO.EACCES
    default:
      return -ERRNO.EINVAL
  }
}

/** __skb_reset_checksum_unnecessary */
export function resetChecksumUnnecessary(skb: SkBuffer): void {
  if (skb.ipSummed !== CHECKSUM_UNNECESSARY) return
  skb.ipSummed = CHECKSUM_NONE
  skb.csumLevel = 0
}

export const skbByteHelpers: HelperTable = {
  skb_load_bytes: onSkb(loadBytes),
  skb_load_bytes_relative: onSkb(loadBytesRelative),
  skb_store_bytes: onSkb(storeBytes),
  skb_pull_data: onSkb(pullData),
  l3_csum_replace: onSkb(l3Replace),
  l4_csum_replace: onSkb(l4Replace),
  csum_diff: answers(csumDiff),
  csum_update: csumUpdate,
  csum_level: onSkb(csumLevel),
}
