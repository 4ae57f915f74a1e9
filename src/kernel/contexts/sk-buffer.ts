/**
 * `struct sk_buff` of the embedded kernel: a linear packet in memory with room around it, the
 * `__sk_buff` that programs see (fields that programs may write live there and nowhere else), the
 * `bpf_sock` of the packet's socket, and the header offsets and checksum state that helpers keep.
 *
 * Invariants: `hardStart <= dataMeta <= data <= dataEnd <= hardEnd`; the packet's region spans
 * `[dataMeta, dataEnd)`; `len` in the context is `dataEnd - data`. Making room may move the
 * packet, so helpers hold no offset across `reserve`.
 *
 * Source: linux v6.18 include/linux/skbuff.h, net/core/filter.c bpf_convert_ctx_access.
 */

import { REGION_CONTEXT, REGION_READ, REGION_TAG, REGION_WRITE } from "../../interpreter/machine.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import { BPF_SOCK, SKB, SKB_CONTEXT_BYTES, SOCK_BYTES } from "./fields.ts"
import type { PacketBuffer } from "./packet-buffer.ts"

/** NET_SKB_PAD + NET_IP_ALIGN on x86-64. */
export const SKB_HEADROOM = 64
/** Bytes of an Ethernet header. */
export const ETH_HLEN = 14
const ETH_P_802_3_MIN = 0x600
const ETH_P_802_3 = 0x0001
const ETH_P_802_2 = 0x0004
const ETH_P_8021Q = 0x8100
const ETH_P_8021AD = 0x88a8
const VLAN_HLEN = 4

/** Packet classes of `pkt_type`. */
export const PACKET_HOST = 0
export const PACKET_BROADCAST = 1
export const PACKET_MULTICAST = 2
export const PACKET_OTHERHOST = 3

/** `ip_summed`. */
export const CHECKSUM_NONE = 0
export const CHECKSUM_UNNECESSARY = 1
export const CHECKSUM_COMPLETE = 2
export const CHECKSUM_PARTIAL = 3

/** The socket behind a packet, as `bpf_sock` shows it. Addresses are in network byte order. */
export interface SocketFields {
  readonly family: number
  readonly type?: number
  readonly protocol?: number
  readonly source?: Uint8Array
  readonly destination?: Uint8Array
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly state?: number
  readonly mark?: number
  readonly priority?: number
  readonly boundDevice?: number
}

export interface SkbLoad {
  /** The device: `ifindex`, and its address for `pkt_type`. */
  readonly ifindex: number
  readonly mac?: Uint8Array
  readonly ingressIfindex?: number
  /** `data` begins at the network header: sockets, cgroups, LWT. */
  readonly networkLayer?: boolean
  /** The outer VLAN tag is moved beside the packet, as reception does before tc programs run. */
  readonly untagVlan?: boolean
  /** Headroom before the packet; {@link SKB_HEADROOM} by default. */
  readonly headroom?: number
  readonly socket?: SocketFields | null
  readonly queue?: number
  readonly mark?: number
  readonly priority?: number
}

/** What bpf_skb_set_tunnel_key leaves beside a packet: `struct ip_tunnel_info`. */
export interface TunnelState {
  readonly id: number
  readonly tos: number
  readonly ttl: number
  readonly label: number
  readonly ipv6: boolean
  /** Addresses as in `struct bpf_tunnel_key` (IPv4 in host order), 16 bytes. */
  readonly source: Uint8Array
  readonly destination: Uint8Array
  /** IP_TUNNEL_ bits in network order, as BPF_F_TUNINFO_FLAGS shows them. */
  readonly flags: number
  options: Uint8Array
}

/** A reusable buffer for one packet at a time and its context. */
export class SkBuffer implements PacketBuffer {
  readonly kind = "skb" as const
  hardStart = 0
  hardEnd = 0
  dataMeta = 0
  data = 0
  dataEnd = 0
  /** Offsets of the headers; the transport header is -1 until something has set it. */
  macHeader = 0
  networkHeader = 0
  transportHeader = -1
  ipSummed: number = CHECKSUM_NONE
  /** Unfolded sum of everything from the network header on, when `ipSummed` is CHECKSUM_COMPLETE. */
  csum = 0
  csumLevel = 0
  /** SKB_GSO_ bits; 0 when the packet is no super-packet. */
  gsoType = 0
  encapsulation = false
  l4Hash = false
  /** VLAN tag that lies beside the packet (hardware acceleration), or null. Protocol as on the wire. */
  vlan: { protocol: number; tci: number } | null = null
  tunnel: TunnelState | null = null
  readonly region: number
  /** Offset of the `__sk_buff` and its region. */
  readonly context: number
  readonly contextRegion: number
  /** Offset of the `bpf_sock`, its region, and whether the packet has a socket. */
  readonly socket: number
  readonly socketRegion: number
  hasSocket = false
  /** Stands for the socket, which is another one in each packet: the key of its local storage. */
  socketOwner: object = {}
  /** The socket that bpf_sk_assign has given the packet to, or null. */
  assigned: object | null = null
  private readonly memory: KernelMemory

  constructor(memory: KernelMemory) {
    this.memory = memory
    this.context = memory.allocate(SKB_CONTEXT_BYTES)
    this.socket = memory.allocate(SOCK_BYTES)
    if (this.context === 0 || this.socket === 0) {
      memory.free(this.context)
      memory.free(this.socket)
      throw new RangeError("no kernel memory for a socket buffer")
    }
    this.region = memory.createRegion(0, 0, 0)
    this.socketRegion = memory.createRegion(this.socket, this.socket + SOCK_BYTES, REGION_READ)
    this.contextRegion = memory.createRegion(
      this.context,
      this.context + SKB_CONTEXT_BYTES,
      REGION_READ | REGION_WRITE | REGION_CONTEXT,
    )
    const tag = REGION_TAG | this.region
    memory.setContextTags(
      this.contextRegion,
      new Map([
        [SKB.data, tag],
        [SKB.data_end, tag],
        [SKB.data_meta, tag],
      ]),
    )
  }

  /** Puts an Ethernet frame into the buffer, as eth_type_trans leaves it, and fills the context. */
  load(received: Uint8Array, options: SkbLoad): void {
    const { memory } = this
    const vlan = options.untagVlan === true ? outerTag(received) : null
    const frame = vlan === null ? received : withoutTag(received)
    const headroom = options.headroom ?? SKB_HEADROOM
    this.makeBuffer(headroom + frame.length + 320)
    memory.u8.fill(0, this.hardStart, this.hardEnd)
    this.data = this.hardStart + headroom
    this.dataEnd = this.data + frame.length
    memory.u8.set(frame, this.data)
    this.macHeader = this.data
    this.networkHeader = Math.min(this.data + ETH_HLEN, this.dataEnd)
    this.transportHeader = -1
    if (options.networkLayer === true) this.data = this.networkHeader
    this.dataMeta = this.data
    this.ipSummed = CHECKSUM_NONE
    this.csum = 0
    this.csumLevel = 0
    this.gsoType = 0
    this.encapsulation = false
    this.l4Hash = false
    this.assigned = null
    this.vlan = vlan
    this.tunnel = null
    memory.u8.fill(0, this.context, this.context + SKB_CONTEXT_BYTES)
    this.set("pkt_type", packetType(frame, options.mac))
    this.set("mark", options.mark ?? 0)
    this.set("priority", options.priority ?? 0)
    this.set("queue_mapping", options.queue ?? 0)
    this.protocol = etherType(frame)
    this.set("ingress_ifindex", options.ingressIfindex ?? 0)
    this.set("ifindex", options.ifindex)
    this.set("wire_len", this.dataEnd - this.data)
    this.setSocket(options.socket ?? null)
    this.syncContext()
  }

  /** A field of the context, as an unsigned 32-bit number. */
  get(field: string): number {
    return this.memory.view.getUint32(this.context + SKB[field], true)
  }

  set(field: string, value: number): void {
    this.memory.view.setUint32(this.context + SKB[field], value, true)
  }

  setBytes(field: string, bytes: Uint8Array): void {
    this.memory.u8.set(bytes, this.context + SKB[field])
  }

  /** EtherType of the payload, in host order (0x0800 for IPv4). */
  get protocol(): number {
    const stored = this.get("protocol")
    return ((stored & 0xff) << 8) | (stored >>> 8)
  }

  set protocol(etherType: number) {
    this.set("protocol", ((etherType & 0xff) << 8) | (etherType >>> 8))
  }

  get length(): number {
    return this.dataEnd - this.data
  }

  get headroom(): number {
    return this.data - this.hardStart
  }

  syncContext(): void {
    const { vlan } = this
    this.set("len", this.dataEnd - this.data)
    this.set("data", this.data)
    this.set("data_end", this.dataEnd)
    this.set("data_meta", this.dataMeta)
    this.set("vlan_present", vlan === null ? 0 : 1)
    this.set("vlan_tci", vlan?.tci ?? 0)
    const proto = vlan?.protocol ?? 0
    this.set("vlan_proto", ((proto & 0xff) << 8) | (proto >>> 8))
    this.memory.setRegion(this.region, this.dataMeta, this.dataEnd, REGION_READ | REGION_WRITE)
  }

  /**
   * Makes room for `head` bytes before `data` and `tail` bytes after `dataEnd`, moving the packet
   * if need be (skb_cow, pskb_expand_head: headroom grows in steps of NET_SKB_PAD). Returns false
   * when memory is exhausted.
   */
  reserve(head: number, tail: number): boolean {
    if (this.data - this.hardStart >= head && this.hardEnd - this.dataEnd >= tail) return true
    const { memory } = this
    const oldStart = this.hardStart
    const used = this.dataEnd - oldStart
    const missing = Math.max(0, head - (this.data - oldStart))
    const shift = (missing + SKB_HEADROOM - 1) & -SKB_HEADROOM
    const size = roundUp(used + shift + Math.max(tail, 320))
    const start = memory.allocate(size, 64)
    if (start === 0) return false
    memory.u8.copyWithin(start + shift, oldStart, oldStart + used)
    memory.free(oldStart)
    this.hardStart = start
    this.hardEnd = start + size
    const moved = start + shift - oldStart
    this.dataMeta += moved
    this.data += moved
    this.dataEnd += moved
    this.macHeader += moved
    this.networkHeader += moved
    // Linux adds the shift to "unset" (0xffff) as well, in 16 bits, and then takes it for set.
    if (this.transportHeader >= 0) this.transportHeader += moved
    else if (shift > 0) this.transportHeader = start + shift - 1
    return true
  }

  /** A copy of `[data, dataEnd)`. */
  bytes(): Uint8Array {
    return this.memory.read(this.data, this.dataEnd - this.data)
  }

  /** The whole frame from its link-layer header, with an accelerated VLAN tag put in its place. */
  frame(): Uint8Array {
    const { memory } = this
    const start = Math.min(this.macHeader, this.data)
    const bytes = memory.read(start, this.dataEnd - start)
    if (this.vlan === null || bytes.length < ETH_HLEN) return bytes
    const tagged = new Uint8Array(bytes.length + 4)
    tagged.set(bytes.subarray(0, 12))
    const view = new DataView(tagged.buffer)
    view.setUint16(12, this.vlan.protocol)
    view.setUint16(14, this.vlan.tci)
    tagged.set(bytes.subarray(12), 16)
    return tagged
  }

  /** Sets the socket of the packet and the context fields that come from it. */
  setSocket(socket: SocketFields | null): void {
    const { memory } = this
    const { view } = memory
    this.hasSocket = socket !== null
    this.socketOwner = {}
    memory.u8.fill(0, this.socket, this.socket + SOCK_BYTES)
    view.setUint32(this.context + SKB.sk, socket === null ? 0 : this.socket, true)
    view.setInt32(
      this.context + SKB.sk + 4,
      socket === null ? 0 : REGION_TAG | this.socketRegion,
      true,
    )
    if (socket === null) return
    fillSocket(memory, this.socket, socket)
    this.set("family", socket.family)
    const local = socket.source
    const remote = socket.destination
    if (local !== undefined)
      memory.u8.set(local, this.context + (local.length === 4 ? SKB.local_ip4 : SKB.local_ip6))
    if (remote !== undefined)
      memory.u8.set(remote, this.context + (remote.length === 4 ? SKB.remote_ip4 : SKB.remote_ip6))
    this.set("local_port", socket.sourcePort ?? 0)
    const port = socket.destinationPort ?? 0
    // remote_port is in network byte order, in the upper half of the word (sk_dport << 16).
    this.set("remote_port", (((port & 0xff) << 8) | (port >>> 8)) << 16)
  }

  /** Gives memory and regions back. */
  free(): void {
    const { memory } = this
    memory.free(this.hardStart)
    memory.free(this.context)
    memory.free(this.socket)
    memory.destroyRegion(this.region)
    memory.destroyRegion(this.contextRegion)
    memory.destroyRegion(this.socketRegion)
  }

  private makeBuffer(size: number): void {
    if (this.hardEnd - this.hardStart >= size) return
    const { memory } = this
    const whole = roundUp(size)
    const start = memory.allocate(whole, 64)
    if (start === 0) throw new RangeError(`no kernel memory for a packet of ${size} bytes`)
    memory.free(this.hardStart)
    this.hardStart = start
    this.hardEnd = start + whole
  }
}

/** Fills a `struct bpf_sock` at `at`. */
export function fillSocket(memory: KernelMemory, at: number, socket: SocketFields): void {
  const { view } = memory
  const put = (field: string, value: number): void =>
    view.setUint32(at + BPF_SOCK[field], value, true)
  put("bound_dev_if", socket.boundDevice ?? 0)
  put("family", socket.family)
  put("type", socket.type ?? 0)
  put("protocol", socket.protocol ?? 0)
  put("mark", socket.mark ?? 0)
  put("priority", socket.priority ?? 0)
  put("state", socket.state ?? 0)
  const { source, destination } = socket
  if (source !== undefined)
    memory.u8.set(source, at + (source.length === 4 ? BPF_SOCK.src_ip4 : BPF_SOCK.src_ip6))
  if (destination !== undefined)
    memory.u8.set(
      destination,
      at + (destination.length === 4 ? BPF_SOCK.dst_ip4 : BPF_SOCK.dst_ip6),
    )
  put("src_port", socket.sourcePort ?? 0)
  view.setUint16(at + BPF_SOCK.dst_port, socket.destinationPort ?? 0, false)
  view.setInt32(at + BPF_SOCK.rx_queue_mapping, -1, true)
}

/** What eth_type_trans makes of the frame's type field: the EtherType, or 802.3 or 802.2. */
export function etherType(frame: Uint8Array): number {
  const type = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0)
  if (type >= ETH_P_802_3_MIN) return type
  return frame.length >= ETH_HLEN + 2 && frame[14] === 0xff && frame[15] === 0xff
    ? ETH_P_802_3
    : ETH_P_802_2
}

/** What skb_vlan_untag takes off: a tag that at least a type and two more bytes follow. */
function outerTag(frame: Uint8Array): SkBuffer["vlan"] {
  const protocol = etherType(frame)
  if (protocol !== ETH_P_8021Q && protocol !== ETH_P_8021AD) return null
  if (frame.length < ETH_HLEN + VLAN_HLEN + 2) return null
  return { protocol, tci: (frame[14] << 8) | frame[15] }
}

/** The frame without the tag after its addresses. */
function withoutTag(frame: Uint8Array): Uint8Array {
  const untagged = new Uint8Array(frame.length - VLAN_HLEN)
  untagged.set(frame.subarray(0, 12))
  untagged.set(frame.subarray(12 + VLAN_HLEN), 12)
  return untagged
}

/** Loopback devices have neither an address nor one for broadcast: both are zeros. */
function packetType(frame: Uint8Array, mac: Uint8Array | undefined): number {
  let equal = true
  let broadcast = mac?.some((byte) => byte !== 0) ?? false
  for (let i = 0; i < 6; i++) {
    if (frame[i] !== (mac?.[i] ?? 0)) equal = false
    if (frame[i] !== 0xff) broadcast = false
  }
  if (equal) return PACKET_HOST
  if ((frame[0] & 1) === 0) return PACKET_OTHERHOST
  return broadcast ? PACKET_BROADCAST : PACKET_MULTICAST
}

function roundUp(size: number): number {
  return Math.max(2048, (size + 63) & ~63)
}
