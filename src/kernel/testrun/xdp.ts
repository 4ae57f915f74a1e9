/**
 * PROG_TEST_RUN of XDP programs (linux v6.18 net/bpf/test_run.c bpf_prog_test_run_xdp).
 *
 * `ctx_in` is an `xdp_md` whose `data` says how many bytes of the input are metadata, whose
 * `data_end` says how many lie in the linear part (the rest goes into fragments), and whose
 * `ingress_ifindex` and `rx_queue_index` name the receiving queue; the others must be 0.
 */

import {
  BPF_ATTACH_TYPE,
  BPF_TEST_RUN_FLAG,
  ERRNO,
  type ProgTestRunAttr,
} from "../../spec/index.ts"
import {
  ETH_HLEN,
  MAX_SKB_FRAGS,
  XDP_CONTEXT_BYTES,
  XDP_FRAME_BYTES,
  XDP_MD,
  XDP_PACKET_HEADROOM,
  XdpBuffer,
} from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import type { Program } from "../programs/program.ts"
import { finishContext, finishData, runRounds, sizeOf, takeContext } from "./frame.ts"

const PAGE_SIZE = 4096
/** Largest metadata: what xdp_metalen_invalid allows. */
const META_BYTES_MAX = 252
const LOOPBACK_IFINDEX = 1

interface Layout {
  readonly metaBytes: number
  readonly linearBytes: number
  readonly ingressIfindex: number
  readonly queue: number
}

export function testRunXdp(kernel: KernelState, program: Program, attr: ProgTestRunAttr): number {
  const early = checkAttributes(program, attr)
  if (early < 0) return early
  const context = takeContext(attr, XDP_CONTEXT_BYTES)
  if (typeof context === "number") return context
  const layout = layoutOf(kernel, context, sizeOf(attr.data_in))
  if (typeof layout === "number") return layout
  const xdp = new XdpBuffer(kernel.memory)
  try {
    xdp.load(attr.data_in ?? new Uint8Array(0), layout)
    const rounds = runRounds(
      kernel,
      program,
      { context: xdp.context, contextRegion: xdp.contextRegion, packet: xdp },
      attr.repeat ?? 0,
    )
    if (rounds.errno < 0) return rounds.errno
    if (context !== null) {
      const view = new DataView(context.buffer)
      view.setUint32(XDP_MD.data, xdp.data - xdp.dataMeta, true)
      view.setUint32(XDP_MD.data_end, xdp.dataEnd - xdp.dataMeta, true)
    }
    const { retval, duration } = rounds
    const { fragmentBytes } = xdp
    const result = finishData(attr, xdp.frame(true), { retval, duration, fragmentBytes })
    return result < 0 ? result : finishContext(attr, context)
  } finally {
    xdp.free()
  }
}

function checkAttributes(program: Program, attr: ProgTestRunAttr): number {
  const attachType = program.expectedAttachType
  const { BPF_XDP_CPUMAP, BPF_XDP_DEVMAP } = BPF_ATTACH_TYPE
  if (attachType === BPF_XDP_DEVMAP || attachType === BPF_XDP_CPUMAP) return -ERRNO.EINVAL
  const flags = attr.flags ?? 0
  if (flags & ~BPF_TEST_RUN_FLAG.BPF_F_TEST_XDP_LIVE_FRAMES) return -ERRNO.EINVAL
  // Live frames need a page pool; a Linux without CONFIG_PAGE_POOL's test support says this too.
  if (flags !== 0) return -ERRNO.EOPNOTSUPP
  return (attr.batch_size ?? 0) !== 0 ? -ERRNO.EINVAL : 0
}

function layoutOf(kernel: KernelState, context: Uint8Array | null, size: number): Layout | number {
  const view = context === null ? null : new DataView(context.buffer)
  const field = (offset: number): number => view?.getUint32(offset, true) ?? 0
  let metaBytes = 0
  let linear = size
  if (view !== null) {
    const data = field(XDP_MD.data)
    const dataEnd = field(XDP_MD.data_end)
    if (field(XDP_MD.data_meta) !== 0 || dataEnd > size || data > dataEnd) return -ERRNO.EINVAL
    if (data % 4 !== 0 || data > META_BYTES_MAX) return -ERRNO.EINVAL
    if (data > XDP_PACKET_HEADROOM - XDP_FRAME_BYTES) return -ERRNO.EINVAL
    metaBytes = data
    linear = dataEnd
  }
  linear = Math.min(linear, XdpBuffer.linearMax(XDP_PACKET_HEADROOM - metaBytes))
  if (size - metaBytes < ETH_HLEN) return -ERRNO.EINVAL
  const ingressIfindex = field(XDP_MD.ingress_ifindex)
  const queue = field(XDP_MD.rx_queue_index)
  if (field(XDP_MD.egress_ifindex) !== 0) return -ERRNO.EINVAL
  if (ingressIfindex === 0 && queue !== 0) return -ERRNO.EINVAL
  if (ingressIfindex !== 0) {
    const device = kernel.device(ingressIfindex)
    if (device === undefined) return -ERRNO.ENODEV
    if (queue >= device.queues) return -ERRNO.EINVAL
  }
  if (Math.ceil((size - linear) / PAGE_SIZE) > MAX_SKB_FRAGS) return -ERRNO.ENOMEM
  return {
    metaBytes,
    linearBytes: linear,
    ingressIfindex: ingressIfindex === 0 ? LOOPBACK_IFINDEX : ingressIfindex,
    queue,
  }
}
