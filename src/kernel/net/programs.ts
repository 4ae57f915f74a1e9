/**
 * The programs of the network stack, by what the stack asks: one method a question. The stack
 * knows nothing of contexts and verdicts; what a hook's verdict means is decided here and in the
 * files that this one calls.
 */

import { REGION_READ, REGION_TAG } from "../../interpreter/machine.ts"
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, BPF_RET_CODE, ERRNO, SK_ACTION } from "../../spec/index.ts"
import { SKB, SkBuffer } from "../contexts/index.ts"
import type { RunInput } from "../environment.ts"
import type { CgroupHooks } from "../hooks/cgroups.ts"
import { type Hooks, hookKey } from "../hooks/hooks.ts"
import type { LocalStorageMap } from "../maps/index.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import { CgroupPrograms } from "./cgroup-programs.ts"
import { FlowKeys } from "./flow-keys.ts"
import type { Inet, Packet } from "./inet.ts"
import { type LwtResult, runLwt } from "./lwt.ts"
import type { NetNamespace } from "./namespace.ts"
import { runNetfilter } from "./netfilter.ts"
import { networkPort, ProgramContext } from "./program-context.ts"
import { dropPrograms, receiveThroughPsock } from "./psock.ts"
import type { ReuseportGroup } from "./reuseport.ts"
import { type OptionRequest, type SegmentInfo, SockOpsPrograms } from "./sock-ops.ts"
import type { Socket } from "./socket.ts"
import { socketFields } from "./socket-memory.ts"
import type { ReuseportChoice, Tuple } from "./socket-table.ts"
import { udpOutput } from "./udp.ts"
import { AF_INET, AF_INET6, IPPROTO_TCP, type IpHeader, readIp } from "./wire.ts"

/** A packet for a group of sockets. */
export interface ReuseportQuestion {
  readonly group: ReuseportGroup
  readonly socket: Socket
  readonly tuple: Tuple
  readonly packet: Packet | null
  readonly hash: number
}

/** A filter keeps whole packets when it says so, or when there is none. */
const WHOLE = 0xffff_ffff
const BPF_F_CLONE = 0x200
/** BPF_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL: what hashes ask for. */
const STOP_AT_FLOW_LABEL = 2

export class NetPrograms {
  readonly cgroup: CgroupPrograms
  private readonly inet: Inet
  private readonly hooks: Hooks
  private readonly cgroups: CgroupHooks
  private readonly ops: SockOpsPrograms
  /** Buffers by nesting level. */
  private readonly buffers: SkBuffer[] = []
  private depth = 0

  constructor(inet: Inet, hooks: Hooks, cgroups: CgroupHooks) {
    this.inet = inet
    this.hooks = hooks
    this.cgroups = cgroups
    this.cgroup = new CgroupPrograms(inet, cgroups)
    this.ops = new SockOpsPrograms(inet, cgroups)
  }

  // ---- packets ------------------------------------------------------------------------------------

  /** A packet in a buffer, from its network header on; {@link doneWith} gives the buffer back. */
  loadPacket(packet: Packet, socket: Socket | null): SkBuffer {
    const { memory } = this.inet.kernel
    const skb = (this.buffers[this.depth++] ??= new SkBuffer(memory))
    const frame = new Uint8Array(14 + packet.bytes.length)
    if (packet.link !== null) frame.set(packet.link)
    frame.set(packet.family === AF_INET ? [0x08, 0x00] : [0x86, 0xdd], 12)
    frame.set(packet.bytes, 14)
    const device = packet.output ?? packet.input
    skb.load(frame, {
      ifindex: device?.ifindex ?? 0,
      mac: packet.input?.mac ?? new Uint8Array(6),
      ingressIfindex: packet.input?.ifindex ?? 0,
      networkLayer: true,
      mark: packet.mark,
      priority: packet.priority,
      socket: socket === null ? null : socketFields(socket),
    })
    if (socket !== null) this.ownBy(skb, socket)
    const ip = readIp(packet.bytes)
    if (ip !== null) skb.transportHeader = skb.networkHeader + ip.headerBytes
    return skb
  }

  doneWith(): void {
    this.depth--
  }

  /** The context's socket is a real one, not the buffer's own copy. */
  ownBy(skb: SkBuffer, socket: Socket): void {
    const { memory, kernelRegion } = this.inet.kernel
    const view = this.inet.memory.view(socket)
    if (view === 0) return
    skb.socketOwner = socket
    memory.view.setUint32(skb.context + SKB.sk, view, true)
    memory.view.setInt32(skb.context + SKB.sk + 4, REGION_TAG | kernelRegion, true)
  }

  /** Netfilter: 0, or -EPERM for a packet that is dropped. */
  netfilter(packet: Packet, hook: number): number {
    return runNetfilter(this.inet, packet, hook) ? 0 : -ERRNO.EPERM
  }

  lwt(packet: Packet, program: KernelObject<"program">): LwtResult {
    return runLwt(this.inet, packet, program)
  }

  /** cgroup egress: 0, or -EPERM. Half-open connections count for their listening socket. */
  cgroupEgress(packet: Packet): number {
    const { socket } = packet
    if (socket === null || !socket.isFull) return 0
    return this.cgroupSkb(packet, socket, BPF_ATTACH_TYPE.BPF_CGROUP_INET_EGRESS) ? 0 : -ERRNO.EPERM
  }

  /** cgroup ingress, then the socket's own filter: the bytes (from the transport header) it keeps. */
  socketFilter(socket: Socket, packet: Packet, ip: IpHeader): number {
    if (!this.cgroupSkb(packet, socket, BPF_ATTACH_TYPE.BPF_CGROUP_INET_INGRESS)) return 0
    if (socket.filter === null) return WHOLE
    const skb = this.loadPacket(packet, socket)
    try {
      skb.data = skb.networkHeader + ip.headerBytes
      skb.dataMeta = skb.data
      skb.syncContext()
      const outcome = this.inet.kernel.run(socket.filter.value, this.onSkb(skb, packet, socket))
      return outcome.fault === null ? outcome.low >>> 0 : 0
    } finally {
      this.doneWith()
    }
  }

  private onSkb(skb: SkBuffer, packet: Packet, socket: Socket | null): RunInput {
    return {
      context: skb.context,
      contextRegion: skb.contextRegion,
      packet: skb,
      network: { namespace: packet.namespace, socket },
    }
  }

  private cgroupSkb(packet: Packet, socket: Socket, attachType: number): boolean {
    const entries = this.cgroups.effective(socket.cgroup, attachType)
    if (entries.length === 0) return true
    const skb = this.loadPacket(packet, socket)
    try {
      const input = this.onSkb(skb, packet, socket)
      const network = { namespace: packet.namespace, socket }
      const { retval } = this.cgroup.run(entries, { ...input, network }, { flagged: true })
      packet.mark = skb.get("mark")
      packet.priority = skb.get("priority")
      return retval === 0
    } finally {
      this.doneWith()
    }
  }

  // ---- choosing sockets ------------------------------------------------------------------------------

  /** sk_lookup: a socket, null when the packet is refused, undefined when programs do not choose. */
  skLookup(
    namespace: NetNamespace,
    tuple: Tuple,
    choose: ReuseportChoice,
  ): Socket | null | undefined {
    const site = this.hooks.find(hookKey.netns(BPF_ATTACH_TYPE.BPF_SK_LOOKUP, namespace.id))
    if (site === undefined || site.attachments.length === 0) return undefined
    const { kernel, memory } = this.inet
    const context = new ProgramContext(kernel.memory, "bpf_sk_lookup")
    const lookup = { tuple, selected: null as Socket | null, noReuseport: false }
    let allPass = true
    let selected = null as Socket | null
    let noReuseport = false
    try {
      fillLookup(context, tuple)
      for (const { program } of [...site.attachments]) {
        lookup.selected = selected
        lookup.noReuseport = noReuseport
        const view = selected === null ? 0 : memory.view(selected)
        context.setPointer("sk", view, kernel.kernelRegion)
        const outcome = kernel.run(program.value, {
          context: context.address,
          contextRegion: context.region,
          network: { namespace, socket: null, context, lookup },
        })
        const passed = outcome.fault === null && outcome.low === SK_ACTION.SK_PASS
        if (passed && lookup.selected !== null) {
          selected = lookup.selected
          noReuseport = lookup.noReuseport
        } else if (!passed) allPass = false
      }
    } finally {
      context.free()
    }
    if (selected === null) return allPass ? undefined : null
    return noReuseport ? selected : memberOf(selected, choose)
  }

  /** The member of a group that gets a packet; null when a program refuses it. */
  reuseport(question: ReuseportQuestion): Socket | null | undefined {
    const { group, hash } = question
    const { program } = group
    if (program === null) return group.byHash(hash)
    if (program.value.type === BPF_PROG_TYPE.BPF_PROG_TYPE_SK_REUSEPORT)
      return this.selectReuseport(question, program)
    const { packet } = question
    if (packet === null) return group.byHash(hash)
    const skb = this.loadPacket(packet, null)
    try {
      const ip = readIp(packet.bytes)
      skb.data = Math.min(
        skb.networkHeader + (ip?.headerBytes ?? 0) + payloadOffset(packet, ip),
        skb.dataEnd,
      )
      skb.syncContext()
      const outcome = this.inet.kernel.run(program.value, this.onSkb(skb, packet, null))
      return group.sockets[outcome.low >>> 0] ?? group.byHash(hash)
    } finally {
      this.doneWith()
    }
  }

  private selectReuseport(
    question: ReuseportQuestion,
    program: KernelObject<"program">,
  ): Socket | null | undefined {
    const { group, tuple, packet, hash } = question
    const { kernel, memory } = this.inet
    const context = new ProgramContext(kernel.memory, "sk_reuseport_md")
    const skb = packet === null ? null : this.loadPacket(packet, null)
    const reuseport = { group, tuple, selected: null as Socket | null }
    try {
      if (skb !== null && packet !== null) {
        skb.data = skb.networkHeader + (readIp(packet.bytes)?.headerBytes ?? 0)
        skb.syncContext()
        const region = context.area(skb.data, skb.dataEnd, REGION_READ)
        context.setPointer("data", skb.data, region)
        context.setPointer("data_end", skb.dataEnd, region)
        context.set("len", skb.length)
      }
      context.set("eth_protocol", tuple.family === AF_INET ? 0x0008 : 0xdd86)
      context.set("ip_protocol", tuple.protocol)
      context.set("bind_inany", group.bindAny ? 1 : 0)
      context.set("hash", hash)
      context.setPointer("sk", memory.view(question.socket), kernel.kernelRegion)
      const outcome = kernel.run(program.value, {
        context: context.address,
        contextRegion: context.region,
        packet: skb,
        network: {
          namespace: question.socket.namespace,
          socket: question.socket,
          context,
          reuseport,
        },
      })
      if (outcome.fault !== null || outcome.low !== SK_ACTION.SK_PASS) return null
      return reuseport.selected ?? group.byHash(hash)
    } finally {
      if (skb !== null) this.doneWith()
      context.free()
    }
  }

  /**
   * The flow dissector of a namespace on a packet: its `struct bpf_flow_keys`, or null when there is
   * none, or it has left the packet to the kernel.
   */
  dissect(namespace: NetNamespace, frame: Uint8Array): Uint8Array | null {
    const key = hookKey.netns(BPF_ATTACH_TYPE.BPF_FLOW_DISSECTOR, namespace.id)
    const attachment = this.hooks.find(key)?.attachments[0]
    if (attachment === undefined) return null
    const { kernel } = this.inet
    const keys = new FlowKeys(kernel, frame, STOP_AT_FLOW_LABEL)
    try {
      const outcome = kernel.run(attachment.program.value, {
        ...keys.input,
        network: { namespace, socket: null },
      })
      const declined = outcome.low === BPF_RET_CODE.BPF_FLOW_DISSECTOR_CONTINUE
      if (outcome.fault !== null || declined) return null
      return keys.finish()
    } finally {
      keys.free()
    }
  }

  // ---- connections ------------------------------------------------------------------------------------

  /** Calls sock_ops programs; their reply, or -1. */
  sockOps(
    socket: Socket,
    op: number,
    args: readonly number[],
    info: SegmentInfo | null = null,
  ): number {
    return this.ops.call(socket, op, args, info)
  }

  headerOptions(socket: Socket, request: OptionRequest): Uint8Array {
    return this.ops.headerOptions(socket, request)
  }

  parseHeader(socket: Socket, info: SegmentInfo): void {
    this.ops.parseHeader(socket, info)
  }

  /** A new connection gets copies of its listener's storages that ask for it (BPF_F_CLONE). */
  inheritStorage(listener: Socket, child: Socket): void {
    for (const map of this.storages) {
      if (!(map.flags & BPF_F_CLONE)) continue
      const value = map.get(listener)
      if (value !== 0) map.getOrCreate(child, value)
    }
  }

  /** Socket storages there are: the kernel adds and removes them. */
  readonly storages: Set<LocalStorageMap> = new Set()

  /** Data for a socket in a socket map: whether programs have taken it. */
  streamInput(socket: Socket, data: Uint8Array): boolean {
    return receiveThroughPsock(this.inet, socket, data)
  }

  /** The connection is over: it leaves its socket maps. */
  stopPsock(socket: Socket): void {
    const { psock } = socket
    if (psock === null) return
    for (const forget of [...socket.onRelease]) forget()
    dropPrograms(psock)
    socket.psock = null
  }

  /** Sends from a connected datagram socket. */
  sendDatagram(socket: Socket, data: Uint8Array): number {
    const destination = { address: socket.remote, port: socket.remotePort }
    return udpOutput(this.inet, socket, socket.local, destination, data)
  }
}

function memberOf(socket: Socket, choose: ReuseportChoice): Socket | null {
  if (socket.reuseport === null) return socket
  const choice = choose(socket.reuseport, socket)
  return choice === undefined ? socket : choice
}

function fillLookup(context: ProgramContext, tuple: Tuple): void {
  context.set("family", tuple.family)
  context.set("protocol", tuple.protocol)
  const six = tuple.family === AF_INET6
  context.setBytes(six ? "remote_ip6" : "remote_ip4", tuple.remote.address)
  context.setBytes(six ? "local_ip6" : "local_ip4", tuple.local.address)
  context.set("remote_port", networkPort(tuple.remote.port))
  context.set("local_port", tuple.local.port)
  context.set("ingress_ifindex", tuple.ifindex)
}

function payloadOffset(packet: Packet, ip: IpHeader | null): number {
  if (ip === null) return 0
  return ip.protocol === IPPROTO_TCP ? (packet.bytes[ip.headerBytes + 12] >> 4) * 4 : 8
}
