/**
 * Sockets in kernel memory: `struct bpf_sock` and `struct bpf_tcp_sock` for the pointers that
 * socket helpers return, and the kernel's own structures for those that carry BTF types. They are
 * written afresh whenever a program gets a pointer to them, and after helpers have changed the
 * socket. All lie in the kernel's region: programs may only read them.
 */

import { BPF_SOCK, fillSocket, SOCK_BYTES, type SocketFields } from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import { type FieldValue, ObjectWriter } from "../types/index.ts"
import type { Inet } from "./inet.ts"
import type { Socket } from "./socket.ts"
import { AF_INET6, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP, mapped } from "./wire.ts"

/** sizeof(struct bpf_tcp_sock). */
const TCP_SOCK_BYTES = 112

/** What `struct bpf_sock` says about a socket. */
export function socketFields(socket: Socket): SocketFields {
  const { options } = socket
  return {
    family: socket.family,
    type: socket.type,
    protocol: socket.protocol,
    source: socket.local,
    destination: socket.remote,
    sourcePort: socket.localPort,
    destinationPort: socket.remotePort,
    state: socket.state,
    mark: options.mark,
    priority: options.priority,
    boundDevice: options.boundDevice,
  }
}

/** Fills a `struct bpf_sock`; an IPv6 socket with IPv4 addresses shows them in both forms. */
export function writeSocket(kernel: KernelState, at: number, socket: Socket): void {
  const { memory } = kernel
  memory.u8.fill(0, at, at + SOCK_BYTES)
  fillSocket(memory, at, socketFields(socket))
  if (socket.family !== AF_INET6 || socket.local.length !== 4) return
  memory.u8.set(mapped(socket.local), at + BPF_SOCK.src_ip6)
  if (socket.remote.length === 4) memory.u8.set(mapped(socket.remote), at + BPF_SOCK.dst_ip6)
}

export class SocketMemory {
  private readonly kernel: KernelState
  private readonly inet: Inet
  /** By the offset of any of a socket's structures. */
  private readonly owners = new Map<number, Socket>()
  private writers = new WeakMap<Socket, ObjectWriter>()

  constructor(kernel: KernelState, inet: Inet) {
    this.kernel = kernel
    this.inet = inet
  }

  /** The socket that an address (its low half) stands for, or undefined. */
  socketAt(offset: number): Socket | undefined {
    return this.owners.get(offset)
  }

  /** Offset of the socket's `struct bpf_sock`, up to date; 0 when memory is exhausted. */
  view(socket: Socket): number {
    if (socket.view === 0) {
      socket.view = this.kernel.memory.allocate(SOCK_BYTES)
      if (socket.view === 0) return 0
      this.owners.set(socket.view, socket)
    }
    writeSocket(this.kernel, socket.view, socket)
    return socket.view
  }

  /** Brings the structures that programs may hold pointers to up to date. */
  refresh(socket: Socket): void {
    if (socket.view !== 0) writeSocket(this.kernel, socket.view, socket)
    if (socket.tcpView !== 0) this.writeTcp(socket)
    if (socket.kernelView !== 0) this.writeKernel(socket)
  }

  /** Offset of `struct bpf_tcp_sock`, or 0 for a socket without one. */
  tcpView(socket: Socket): number {
    if (socket.tcp === null) return 0
    if (socket.tcpView === 0) {
      socket.tcpView = this.kernel.memory.allocate(TCP_SOCK_BYTES)
      if (socket.tcpView === 0) return 0
      this.owners.set(socket.tcpView, socket)
    }
    this.writeTcp(socket)
    return socket.tcpView
  }

  /** Offset of the kernel's structure (`tcp_sock`, `udp_sock`, `sock`), or 0. */
  kernelView(socket: Socket): number {
    const { types } = this.kernel
    if (socket.kernelView === 0) {
      const id =
        types.findByName(structName(socket), "struct") ?? types.findByName("sock", "struct")
      if (id === undefined) return 0
      const writer = new ObjectWriter(this.kernel)
      this.writers.set(socket, writer)
      socket.kernelView = writer.allocate(types.sizeOf(id))
      this.owners.set(socket.kernelView, socket)
    }
    this.writeKernel(socket)
    return socket.kernelView
  }

  /** Gives the memory of a socket back. */
  release(socket: Socket): void {
    const { memory } = this.kernel
    for (const at of [socket.view, socket.tcpView, socket.kernelView]) this.owners.delete(at)
    memory.free(socket.view)
    memory.free(socket.tcpView)
    this.writers.get(socket)?.release()
    socket.view = 0
    socket.tcpView = 0
    socket.kernelView = 0
  }

  private writeTcp(socket: Socket): void {
    const { tcp } = socket
    if (tcp === null) return
    const { view } = this.kernel.memory
    const at = socket.tcpView
    const words = [
      tcp.sndCwnd,
      tcp.srttUs,
      tcp.rttMinUs,
      tcp.ssthresh,
      tcp.rcvNxt,
      tcp.sndNxt,
      tcp.sndUna,
      tcp.mss,
      0,
      0,
      0,
      packetsOut(socket),
      0,
      tcp.totalRetrans,
      tcp.segsIn,
      tcp.dataSegsIn,
      tcp.segsOut,
      tcp.dataSegsOut,
      0,
      0,
    ]
    words.forEach((word, index) => {
      view.setUint32(at + 4 * index, word, true)
    })
    view.setBigUint64(at + 80, tcp.bytesReceived, true)
    view.setBigUint64(at + 88, tcp.bytesAcked, true)
    view.setUint32(at + 100, tcp.delivered, true)
    view.setUint32(at + 108, tcp.retransmits, true)
  }

  private writeKernel(socket: Socket): void {
    const { types } = this.kernel
    const name = structName(socket)
    const id = types.findByName(name, "struct")
    const writer = this.writers.get(socket)
    if (id === undefined || writer === undefined) return
    writer.write(id, socket.kernelView, kernelFields(socket, this.inet.cookieOf(socket)), name)
  }
}

/** Segments that wait for an acknowledgment. */
export function packetsOut(socket: Socket): number {
  const { tcp } = socket
  if (tcp === null) return 0
  const fin = tcp.finSent && tcp.sndUna !== tcp.sndNxt ? 1 : 0
  return Math.ceil(tcp.unacked.length / Math.max(tcp.mss, 1)) + fin
}

function structName(socket: Socket): string {
  if (socket.protocol === IPPROTO_TCP && socket.isFull) return "tcp_sock"
  if (socket.protocol === IPPROTO_UDP) return "udp_sock"
  return socket.family === AF_UNIX ? "unix_sock" : "sock"
}

function wordOf(address: Uint8Array): number {
  return address.length === 4
    ? new DataView(address.buffer, address.byteOffset).getUint32(0, true)
    : 0
}

function kernelFields(
  socket: Socket,
  cookie: bigint,
): { readonly [field: string]: FieldValue | undefined } {
  const six = socket.family === AF_INET6
  const port = ((socket.remotePort & 0xff) << 8) | (socket.remotePort >> 8)
  const sourcePort = ((socket.localPort & 0xff) << 8) | (socket.localPort >> 8)
  const sock = {
    __sk_common: {
      skc_daddr: wordOf(socket.remote),
      skc_rcv_saddr: wordOf(socket.local),
      skc_dport: port,
      skc_num: socket.localPort,
      skc_family: socket.family,
      skc_state: socket.state,
      skc_reuse: socket.options.reuseAddress ? 1 : 0,
      skc_reuseport: socket.options.reusePort ? 1 : 0,
      skc_ipv6only: socket.options.v6only ? 1 : 0,
      skc_bound_dev_if: socket.options.boundDevice,
      ...(six && {
        skc_v6_daddr: { in6_u: { u6_addr8: mapped(socket.remote) } },
        skc_v6_rcv_saddr: { in6_u: { u6_addr8: mapped(socket.local) } },
      }),
      skc_cookie: { counter: cookie },
    },
    sk_mark: socket.options.mark,
    sk_priority: socket.options.priority,
    sk_type: socket.type,
    sk_protocol: socket.protocol,
    sk_uid: { val: socket.task.credentials.uid },
    sk_rcvbuf: socket.options.receiveBuffer,
    sk_sndbuf: socket.options.sendBuffer,
    sk_err: socket.error,
    sk_ack_backlog: socket.acceptQueue.length,
    sk_max_ack_backlog: socket.backlog,
  }
  const inet = { sk: sock, inet_saddr: wordOf(socket.local), inet_sport: sourcePort }
  const { tcp } = socket
  switch (structName(socket)) {
    case "tcp_sock":
      return {
        inet_conn: { icsk_inet: inet, icsk_rto: tcp?.rtoMs ?? 0, icsk_retransmits: 0 },
        ...(tcp !== null && {
          rcv_nxt: tcp.rcvNxt,
          snd_nxt: tcp.sndNxt,
          snd_una: tcp.sndUna,
          srtt_us: tcp.srttUs,
          snd_cwnd: tcp.sndCwnd,
          snd_ssthresh: tcp.ssthresh,
          total_retrans: tcp.totalRetrans,
          bytes_acked: tcp.bytesAcked,
          bytes_received: tcp.bytesReceived,
          bytes_sent: tcp.bytesSent,
          segs_in: tcp.segsIn,
          segs_out: tcp.segsOut,
          data_segs_in: tcp.dataSegsIn,
          data_segs_out: tcp.dataSegsOut,
          delivered: tcp.delivered,
          packets_out: packetsOut(socket),
          advmss: tcp.advertisedMss,
        }),
      }
    case "udp_sock":
      return { inet }
    case "unix_sock":
      return { sk: sock }
    default:
      return sock
  }
}
