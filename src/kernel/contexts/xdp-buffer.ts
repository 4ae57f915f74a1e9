/**
 * `struct xdp_buff` of the embedded kernel: one frame in linear memory with head and tail room,
 * and the `xdp_md` that the program sees.
 *
 * ```text
 * hardStart          dataMeta  data        dataEnd           hardEnd
 *    | xdp_frame | headroom | metadata | packet | tailroom | skb_shared_info |
 * ```
 *
 * The room is Linux's: 256 bytes before the packet (XDP_PACKET_HEADROOM), and at its end the 320
 * bytes of `skb_shared_info`, which programs cannot grow into. A frame that does not fit into
 * `frameSize` has its rest in fragments outside the packet's region, which only helpers reach.
 *
 * Source: linux v6.18 include/net/xdp.h, net/bpf/test_run.c bpf_prog_test_run_xdp.
 */

import { REGION_CONTEXT, REGION_READ, REGION_TAG, REGION_WRITE } from "../../interpreter/machine.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import { XDP_CONTEXT_BYTES, XDP_MD } from "./fields.ts"
import type { PacketBuffer } from "./packet-buffer.ts"

/** Bytes before the packet. */
export const XDP_PACKET_HEADROOM = 256
/** sizeof(struct xdp_frame): what bpf_xdp_adjust_head leaves untouched at the very start. */
export const XDP_FRAME_BYTES = 40
/** SKB_DATA_ALIGN(sizeof(struct skb_shared_info)) with 64-byte cache lines. */
export const SHARED_INFO_BYTES = 320
/** Bytes of a frame's buffer: one page. */
export const XDP_FRAME_SIZE = 4096
/** MAX_SKB_FRAGS: fragments of at most a page each. */
export const MAX_SKB_FRAGS = 17

export interface XdpLoad {
  /** Bytes at the start of the frame that are metadata, not packet; a multiple of 4. */
  readonly metaBytes?: number
  /** Bytes before metadata and packet; {@link XDP_PACKET_HEADROOM} less the metadata by default. */
  readonly headroom?: number
  /** Bytes (metadata included) that lie in the linear part; as many as fit by default. */
  readonly linearBytes?: number
  readonly ingressIfindex: number
  readonly queue?: number
  readonly egressIfindex?: number
}

/** A reusable buffer for one frame at a time and its context. */
export class XdpBuffer implements PacketBuffer {
  readonly kind = "xdp" as const
  readonly hardStart: number
  readonly hardEnd: number
  dataMeta = 0
  data = 0
  dataEnd = 0
  readonly region: number
  /** Offset of the `xdp_md` and its region. */
  readonly context: number
  readonly contextRegion: number
  /** What of the frame does not fit into the linear part, in order. */
  fragments: Uint8Array[] = []
  private readonly memory: KernelMemory

  constructor(memory: KernelMemory, frameSize: number = XDP_FRAME_SIZE) {
    this.memory = memory
    this.hardStart = memory.allocate(frameSize, 64)
    this.context = memory.allocate(XDP_CONTEXT_BYTES)
    if (this.hardStart === 0 || this.context === 0) {
      memory.free(this.hardStart)
      memory.free(this.context)
      throw new RangeError(`no kernel memory for a frame of ${frameSize} bytes`)
    }
    this.hardEnd = this.hardStart + frameSize
    this.region = memory.createRegion(0, 0, 0)
    this.contextRegion = memory.createRegion(
      this.context,
      this.context + XDP_CONTEXT_BYTES,
      REGION_READ | REGION_WRITE | REGION_CONTEXT,
    )
    const tag = REGION_TAG | this.region
    memory.setContextTags(
      this.contextRegion,
      new Map([
        [XDP_MD.data, tag],
        [XDP_MD.data_end, tag],
        [XDP_MD.data_meta, tag],
      ]),
    )
  }

  /** Bytes that the linear part can have after `headroom`. */
  static linearMax(headroom: number, frameSize: number = XDP_FRAME_SIZE): number {
    return frameSize - headroom - SHARED_INFO_BYTES
  }

  /** Puts a frame (metadata first) into the buffer and fills the context. */
  load(bytes: Uint8Array, options: XdpLoad): void {
    const meta = options.metaBytes ?? 0
    const headroom = options.headroom ?? XDP_PACKET_HEADROOM - meta
    const size = this.hardEnd - this.hardStart
    const linear = Math.min(
      options.linearBytes ?? bytes.length,
      bytes.length,
      XdpBuffer.linearMax(headroom, size),
    )
    const { memory } = this
    memory.u8.fill(0, this.hardStart, this.hardEnd)
    this.dataMeta = this.hardStart + headroom
    this.data = this.dataMeta + meta
    this.dataEnd = this.dataMeta + linear
    memory.u8.set(linear === bytes.length ? bytes : bytes.subarray(0, linear), this.dataMeta)
    this.fragments = []
    for (let at = linear; at < bytes.length; at += 4096)
      this.fragments.push(bytes.slice(at, at + 4096))
    const { view } = memory
    view.setUint32(this.context + XDP_MD.ingress_ifindex, options.ingressIfindex, true)
    view.setUint32(this.context + XDP_MD.rx_queue_index, options.queue ?? 0, true)
    view.setUint32(this.context + XDP_MD.egress_ifindex, options.egressIfindex ?? 0, true)
    this.syncContext()
  }

  syncContext(): void {
    const { view } = this.memory
    view.setUint32(this.context + XDP_MD.data, this.data, true)
    view.setUint32(this.context + XDP_MD.data_end, this.dataEnd, true)
    view.setUint32(this.context + XDP_MD.data_meta, this.dataMeta, true)
    this.memory.setRegion(this.region, this.dataMeta, this.dataEnd, REGION_READ | REGION_WRITE)
  }

  /** Index of the device that received the frame. */
  get ingressIfindex(): number {
    return this.memory.view.getUint32(this.context + XDP_MD.ingress_ifindex, true)
  }

  /** Bytes in fragments (`xdp_frags_size`). */
  get fragmentBytes(): number {
    let bytes = 0
    for (const fragment of this.fragments) bytes += fragment.length
    return bytes
  }

  /** Bytes of the packet without metadata, fragments included (bpf_xdp_get_buff_len). */
  get length(): number {
    return this.dataEnd - this.data + this.fragmentBytes
  }

  /** A copy of the frame, without metadata unless asked for. */
  frame(withMeta = false): Uint8Array {
    const start = withMeta ? this.dataMeta : this.data
    const linear = this.dataEnd - start
    const bytes = new Uint8Array(linear + this.fragmentBytes)
    bytes.set(this.memory.u8.subarray(start, this.dataEnd))
    let at = linear
    for (const fragment of this.fragments) {
      bytes.set(fragment, at)
      at += fragment.length
    }
    return bytes
  }

  /** Gives memory and regions back. */
  free(): void {
    this.memory.free(this.hardStart)
    this.memory.free(this.context)
    this.memory.destroyRegion(this.region)
    this.memory.destroyRegion(this.contextRegion)
  }
}
