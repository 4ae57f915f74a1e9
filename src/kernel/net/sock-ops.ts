/**
 * sock_ops programs: called at the turns of a TCP connection's life, and to reserve, write and
 * parse options of its headers (linux v6.18 include/net/tcp.h tcp_call_bpf, net/ipv4/tcp_output.c
 * bpf_skops_hdr_opt_len, bpf_skops_write_hdr_opt, tcp_input.c bpf_skops_parse_hdr,
 * bpf_skops_established).
 */

import { REGION_READ } from "../../interpreter/machine.ts"
import { BPF_ATTACH_TYPE, BPF_SOCK_OPS, BPF_SOCK_OPS_FLAG } from "../../spec/index.ts"
import type { CgroupHooks } from "../hooks/cgroups.ts"
import type { Inet, Packet } from "./inet.ts"
import type { SockOpsRun } from "./network-run.ts"
import { networkPort, ProgramContext } from "./program-context.ts"
import type { Socket } from "./socket.ts"
import { packetsOut } from "./socket-memory.ts"
import { type IpHeader, mapped, TCP_ACK, TCP_SYN, type TcpSegment } from "./wire.ts"

/** A received segment that a callback is about. */
export interface SegmentInfo {
  readonly segment: TcpSegment
  readonly ip: IpHeader
  readonly packet: Packet
}

/** A segment that is about to be sent, as far as its options go. */
export interface OptionRequest {
  readonly standard: Uint8Array
  /** Bytes that options may still take. */
  readonly room: number
  readonly flags: number
  readonly sequence: number
}

const TCP_HEADER_BYTES = 20
const TCPOPT_NOP = 1
/** Option kinds that the kernel knows: no end, MSS, window scale, SACK, timestamps. */
const KNOWN_OPTIONS: readonly number[] = [0, 1, 2, 3, 4, 5, 8]

interface Call {
  readonly op: number
  readonly args: readonly number[]
  /** TCP header with options for load_hdr_opt and `skb_data`. */
  readonly header: Uint8Array | null
  readonly skbBytes?: number
  readonly skbFlags?: number
  readonly room?: number
}

export class SockOpsPrograms {
  private readonly inet: Inet
  private readonly cgroups: CgroupHooks

  constructor(inet: Inet, cgroups: CgroupHooks) {
    this.inet = inet
    this.cgroups = cgroups
  }

  /** Calls the programs; their reply, or -1 when there are none or one has refused. */
  call(socket: Socket, op: number, args: readonly number[], info: SegmentInfo | null): number {
    const header = info === null ? null : headerOf(info)
    return this.run(socket, {
      op,
      args,
      header,
      ...(info !== null && {
        skbBytes: info.ip.totalBytes - info.ip.headerBytes,
        skbFlags: info.segment.flags,
      }),
    }).reply
  }

  /** Options of a segment: the standard ones, and those that programs add. */
  headerOptions(socket: Socket, request: OptionRequest): Uint8Array {
    const { standard, room } = request
    const flags = socket.tcp?.cbFlags ?? 0
    if (!(flags & BPF_SOCK_OPS_FLAG.BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG) || room === 0)
      return standard
    const header = fakeHeader(socket, request)
    const asked = this.run(socket, {
      op: BPF_SOCK_OPS.BPF_SOCK_OPS_HDR_OPT_LEN_CB,
      args: [0],
      header: null,
      room,
      skbFlags: request.flags,
    })
    const reserved = (asked.state.reserved + 3) & ~3
    if (asked.reply < 0 || reserved === 0) return standard
    const wrote = this.run(socket, {
      op: BPF_SOCK_OPS.BPF_SOCK_OPS_WRITE_HDR_OPT_CB,
      args: [0],
      header,
      room: reserved,
      skbFlags: request.flags,
    })
    const options = new Uint8Array(standard.length + reserved).fill(TCPOPT_NOP)
    options.set(standard)
    options.set(wrote.state.written, standard.length)
    return options
  }

  /** Asks the programs that parse the options of received segments. */
  parseHeader(socket: Socket, info: SegmentInfo): void {
    const flags = socket.tcp?.cbFlags ?? 0
    const all = BPF_SOCK_OPS_FLAG.BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG
    const unknown = BPF_SOCK_OPS_FLAG.BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG
    if (!(flags & (all | unknown))) return
    if (!(flags & all) && !hasUnknownOption(info.segment.options)) return
    this.call(socket, BPF_SOCK_OPS.BPF_SOCK_OPS_PARSE_HDR_OPT_CB, [], info)
  }

  private run(socket: Socket, call: Call): { reply: number; state: SockOpsRun } {
    const state: SockOpsRun = {
      op: call.op,
      header: call.header,
      room: call.room ?? 0,
      reserved: 0,
      written: [],
      full: socket.isFull,
    }
    const owner = socket.isRequest ? (socket.listener ?? socket) : socket
    const entries = this.cgroups.effective(owner.cgroup, BPF_ATTACH_TYPE.BPF_CGROUP_SOCK_OPS)
    if (entries.length === 0) return { reply: -1, state }
    const { kernel, memory } = this.inet
    const context = new ProgramContext(kernel.memory, "bpf_sock_ops")
    try {
      fillSockOps(context, socket, call)
      context.setPointer("sk", memory.view(socket), kernel.kernelRegion)
      if (call.header !== null) {
        const at = context.block(call.header.length)
        kernel.memory.write(at, call.header)
        const region = context.area(at, at + call.header.length, REGION_READ)
        context.setPointer("skb_data", at, region)
        context.setPointer("skb_data_end", at + call.header.length, region)
      }
      const { namespace } = socket
      const network = { namespace, socket, context, sockOps: state }
      const { retval } = this.inet.programs.cgroup.run(entries, {
        context: context.address,
        contextRegion: context.region,
        network,
      })
      return { reply: retval === 0 ? context.get("reply") | 0 : -1, state }
    } finally {
      context.free()
    }
  }
}

function fillSockOps(context: ProgramContext, socket: Socket, call: Call): void {
  const { tcp } = socket
  context.set("op", call.op)
  const args = new Uint8Array(16)
  const view = new DataView(args.buffer)
  call.args.forEach((arg, index) => {
    view.setUint32(4 * index, arg, true)
  })
  context.setBytes("args", args)
  context.set("family", socket.family)
  if (socket.local.length === 4) {
    context.setBytes("local_ip4", socket.local)
    context.setBytes("remote_ip4", socket.remote.subarray(0, 4))
  }
  if (socket.family === 10) {
    context.setBytes("local_ip6", mapped(socket.local))
    context.setBytes("remote_ip6", mapped(socket.remote))
  }
  context.set("remote_port", networkPort(socket.remotePort) << 16)
  context.set("local_port", socket.localPort)
  context.set("skb_len", call.skbBytes ?? 0)
  context.set("skb_tcp_flags", call.skbFlags ?? 0)
  context.set("state", socket.state)
  if (tcp === null || !socket.isFull) return
  context.set("is_fullsock", 1)
  context.set("snd_cwnd", tcp.sndCwnd)
  context.set("srtt_us", tcp.srttUs)
  context.set("bpf_sock_ops_cb_flags", tcp.cbFlags)
  context.set("rtt_min", tcp.rttMinUs)
  context.set("snd_ssthresh", tcp.ssthresh)
  context.set("rcv_nxt", tcp.rcvNxt)
  context.set("snd_nxt", tcp.sndNxt)
  context.set("snd_una", tcp.sndUna)
  context.set("mss_cache", tcp.mss)
  context.set("packets_out", packetsOut(socket))
  context.set("total_retrans", tcp.totalRetrans)
  context.set("segs_in", tcp.segsIn)
  context.set("data_segs_in", tcp.dataSegsIn)
  context.set("segs_out", tcp.segsOut)
  context.set("data_segs_out", tcp.dataSegsOut)
  context.set64("bytes_received", tcp.bytesReceived)
  context.set64("bytes_acked", tcp.bytesAcked)
}

/** The TCP header of a received segment, as it came. */
function headerOf({ segment, ip, packet }: SegmentInfo): Uint8Array {
  const size = TCP_HEADER_BYTES + segment.options.length
  return packet.bytes.slice(ip.headerBytes, ip.headerBytes + size)
}

/** The header of a segment that is not built yet: what programs can read of it. */
function fakeHeader(socket: Socket, request: OptionRequest): Uint8Array {
  const header = new Uint8Array(TCP_HEADER_BYTES + request.standard.length)
  const view = new DataView(header.buffer)
  view.setUint16(0, socket.localPort)
  view.setUint16(2, socket.remotePort)
  view.setUint32(4, request.sequence)
  if (request.flags & TCP_ACK) view.setUint32(8, socket.tcp?.rcvNxt ?? 0)
  header[12] = (header.length / 4) << 4
  header[13] = request.flags | (request.flags & TCP_SYN ? 0 : 0)
  header.set(request.standard, TCP_HEADER_BYTES)
  return header
}

function hasUnknownOption(options: Uint8Array): boolean {
  for (let at = 0; at < options.length; ) {
    const kind = options[at]
    if (kind === 0) return false
    if (!KNOWN_OPTIONS.includes(kind)) return true
    at += kind === 1 ? 1 : Math.max(2, options[at + 1] ?? 2)
  }
  return false
}
