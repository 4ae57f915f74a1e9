/**
 * Socket options: what setsockopt and getsockopt do, for system calls and for programs
 * (linux v6.18 net/core/sock.c sk_setsockopt, net/ipv4/ip_sockglue.c, net/ipv4/tcp.c
 * do_tcp_setsockopt; net/core/filter.c __bpf_setsockopt for what programs may set).
 *
 * Options that nothing in this network acts on are kept and come back as they were set.
 */

import { ERRNO } from "../../spec/index.ts"
import type { Inet } from "./inet.ts"
import { type Socket, TCP } from "./socket.ts"
import { AF_INET, AF_INET6, IPPROTO_TCP } from "./wire.ts"

export const SOL_SOCKET = 1
export const SOL_IP = 0
export const SOL_IPV6 = 41
export const SOL_TCP = 6

export const SO = {
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  PRIORITY: 12,
  LINGER: 13,
  REUSEPORT: 15,
  RCVLOWAT: 18,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  BINDTODEVICE: 25,
  DETACH_FILTER: 27,
  ACCEPTCONN: 30,
  MARK: 36,
  PROTOCOL: 38,
  DOMAIN: 39,
  MAX_PACING_RATE: 47,
  ATTACH_BPF: 50,
  ATTACH_REUSEPORT_EBPF: 52,
  COOKIE: 57,
  BINDTOIFINDEX: 62,
  DETACH_REUSEPORT_BPF: 68,
  NETNS_COOKIE: 71,
  TXREHASH: 74,
} as const

const IP_TOS = 1
const IP_TTL = 2
const IP_TRANSPARENT = 19
const IP_BIND_ADDRESS_NO_PORT = 24
const IPV6_UNICAST_HOPS = 16
const IPV6_V6ONLY = 26
const IPV6_TCLASS = 67
const IPV6_AUTOFLOWLABEL = 70

export const TCP_OPTION = {
  NODELAY: 1,
  MAXSEG: 2,
  CORK: 3,
  KEEPIDLE: 4,
  KEEPINTVL: 5,
  KEEPCNT: 6,
  SYNCNT: 7,
  LINGER2: 8,
  DEFER_ACCEPT: 9,
  WINDOW_CLAMP: 10,
  INFO: 11,
  QUICKACK: 12,
  CONGESTION: 13,
  THIN_LINEAR_TIMEOUTS: 16,
  THIN_DUPACK: 17,
  USER_TIMEOUT: 18,
  NOTSENT_LOWAT: 25,
  SAVE_SYN: 27,
  SAVED_SYN: 28,
  RTO_MAX_MS: 44,
  BPF_IW: 1001,
  BPF_SNDCWND_CLAMP: 1002,
  BPF_DELACK_MAX: 1003,
  BPF_RTO_MIN: 1004,
  BPF_SYN: 1005,
  BPF_SYN_IP: 1006,
  BPF_SYN_MAC: 1007,
  BPF_SOCK_OPS_CB_FLAGS: 1008,
} as const

/** Defaults of TCP options that are only kept, as Linux answers them. */
const TCP_DEFAULTS: ReadonlyMap<number, number> = new Map([
  [TCP_OPTION.NODELAY, 0],
  [TCP_OPTION.CORK, 0],
  [TCP_OPTION.KEEPIDLE, 7200],
  [TCP_OPTION.KEEPINTVL, 75],
  [TCP_OPTION.KEEPCNT, 9],
  [TCP_OPTION.SYNCNT, 6],
  [TCP_OPTION.LINGER2, 60],
  [TCP_OPTION.DEFER_ACCEPT, 0],
  [TCP_OPTION.WINDOW_CLAMP, 0],
  [TCP_OPTION.QUICKACK, 1],
  [TCP_OPTION.THIN_LINEAR_TIMEOUTS, 0],
  [TCP_OPTION.THIN_DUPACK, 0],
  [TCP_OPTION.USER_TIMEOUT, 0],
  [TCP_OPTION.NOTSENT_LOWAT, 0],
  [TCP_OPTION.RTO_MAX_MS, 120_000],
])

const SOCK_MIN_SNDBUF = 4608
const SOCK_MIN_RCVBUF = 2304
/** net.core.rmem_max and wmem_max. */
const BUFFER_MAX = 212_992
const MSS_MIN = 88
const MSS_MAX = 32_767

function int(value: number | boolean): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, Number(value) | 0, true)
  return bytes
}

/** setsockopt of the kernel proper; 0 or a negative errno. */
export function setOption(
  inet: Inet,
  socket: Socket,
  level: number,
  name: number,
  value: Uint8Array,
): number {
  const text = level === SOL_TCP && name === TCP_OPTION.CONGESTION
  const device = level === SOL_SOCKET && name === SO.BINDTODEVICE
  if (!text && !device && value.length < 4) {
    const byte = value.length >= 1 && (level === SOL_IP || level === SOL_IPV6)
    if (!byte) return -ERRNO.EINVAL
  }
  const number =
    value.length >= 4
      ? new DataView(value.buffer, value.byteOffset).getInt32(0, true)
      : (value[0] ?? 0)
  switch (level) {
    case SOL_SOCKET:
      return setSocketOption(inet, socket, name, value, number)
    case SOL_IP:
      return socket.family === AF_INET || socket.family === AF_INET6
        ? setIpOption(socket, name, number)
        : -ERRNO.ENOPROTOOPT
    case SOL_IPV6:
      return socket.family === AF_INET6 ? setIpv6Option(socket, name, number) : -ERRNO.ENOPROTOOPT
    case SOL_TCP:
      return socket.protocol === IPPROTO_TCP
        ? setTcpOption(socket, name, value, number)
        : -ERRNO.ENOPROTOOPT
    default:
      return -ERRNO.ENOPROTOOPT
  }
}

function setSocketOption(
  inet: Inet,
  socket: Socket,
  name: number,
  value: Uint8Array,
  number: number,
): number {
  const { options } = socket
  switch (name) {
    case SO.REUSEADDR:
      options.reuseAddress = number !== 0
      return 0
    case SO.REUSEPORT:
      options.reusePort = number !== 0
      return 0
    case SO.KEEPALIVE:
      options.keepalive = number !== 0
      return 0
    case SO.SNDBUF:
      options.sendBuffer = Math.max(2 * Math.min(number >>> 0, BUFFER_MAX), SOCK_MIN_SNDBUF)
      return 0
    case SO.RCVBUF:
      options.receiveBuffer = Math.max(2 * Math.min(number >>> 0, BUFFER_MAX), SOCK_MIN_RCVBUF)
      return 0
    case SO.PRIORITY:
      options.priority = number
      return 0
    case SO.RCVLOWAT:
      options.receiveLowWater = number < 0 ? 0x7fffffff : number || 1
      return 0
    case SO.MARK:
      options.mark = number >>> 0
      return 0
    case SO.MAX_PACING_RATE:
      options.maxPacingRate = number >>> 0
      return 0
    case SO.BINDTODEVICE:
      return bindToDevice(socket, value)
    case SO.BINDTOIFINDEX:
      if (number < 0) return -ERRNO.EINVAL
      if (number > 0 && inet.stack.devices.get(number) === undefined) return -ERRNO.ENODEV
      options.boundDevice = number
      return 0
    case SO.BROADCAST:
    case SO.LINGER:
    case SO.RCVTIMEO:
    case SO.SNDTIMEO:
    case SO.TXREHASH:
      socket.otherOptions.set(`${SOL_SOCKET}/${name}`, value.slice())
      return 0
    case SO.DETACH_FILTER:
      if (socket.filter === null) return -ERRNO.ENOENT
      socket.filter.put()
      socket.filter = null
      return 0
    case SO.TYPE:
    case SO.PROTOCOL:
    case SO.DOMAIN:
    case SO.ERROR:
      return -ERRNO.ENOPROTOOPT
    default:
      return -ERRNO.ENOPROTOOPT
  }
}

function bindToDevice(socket: Socket, value: Uint8Array): number {
  const end = value.indexOf(0)
  const name = new TextDecoder().decode(end < 0 ? value : value.subarray(0, end))
  if (name === "") {
    socket.options.boundDevice = 0
    return 0
  }
  const device = socket.namespace.device(name)
  if (device === undefined) return -ERRNO.ENODEV
  socket.options.boundDevice = device.ifindex
  return 0
}

function setIpOption(socket: Socket, name: number, number: number): number {
  const { options } = socket
  switch (name) {
    case IP_TOS:
      // The ECN bits of a stream are TCP's own.
      options.tos = socket.isTcp ? (number & 0xfc) | (options.tos & 3) : number & 0xff
      return 0
    case IP_TTL:
      if (number !== -1 && (number < 1 || number > 255)) return -ERRNO.EINVAL
      options.ttl = number
      return 0
    case IP_TRANSPARENT:
      options.transparent = number !== 0
      return 0
    case IP_BIND_ADDRESS_NO_PORT:
      options.bindAddressNoPort = number !== 0
      return 0
    default:
      return -ERRNO.ENOPROTOOPT
  }
}

function setIpv6Option(socket: Socket, name: number, number: number): number {
  const { options } = socket
  switch (name) {
    case IPV6_V6ONLY:
      if (socket.localPort !== 0) return -ERRNO.EINVAL
      options.v6only = number !== 0
      return 0
    case IPV6_TCLASS:
      if (number < -1 || number > 0xff) return -ERRNO.EINVAL
      options.tclass = number === -1 ? 0 : socket.isTcp ? number & 0xfc : number
      return 0
    case IPV6_UNICAST_HOPS:
      if (number < -1 || number > 255) return -ERRNO.EINVAL
      options.unicastHops = number
      return 0
    case IPV6_AUTOFLOWLABEL:
      options.autoFlowLabel = number !== 0
      return 0
    default:
      return -ERRNO.ENOPROTOOPT
  }
}

function setTcpOption(socket: Socket, name: number, value: Uint8Array, number: number): number {
  const { tcp } = socket
  const keep = (): number => {
    socket.otherOptions.set(`${SOL_TCP}/${name}`, value.slice(0, 4))
    return 0
  }
  switch (name) {
    case TCP_OPTION.CONGESTION:
      return setCongestion(socket, value)
    case TCP_OPTION.MAXSEG:
      if (number !== 0 && (number < MSS_MIN || number > MSS_MAX)) return -ERRNO.EINVAL
      return keep()
    case TCP_OPTION.SAVE_SYN:
      if (number < 0 || number > 2) return -ERRNO.EINVAL
      if (tcp !== null) tcp.saveSyn = number
      return 0
    case TCP_OPTION.KEEPIDLE:
      return number < 1 || number > 32_767 ? -ERRNO.EINVAL : keep()
    case TCP_OPTION.KEEPINTVL:
      return number < 1 || number > 32_767 ? -ERRNO.EINVAL : keep()
    case TCP_OPTION.KEEPCNT:
    case TCP_OPTION.SYNCNT:
      return number < 1 || number > 127 ? -ERRNO.EINVAL : keep()
    case TCP_OPTION.USER_TIMEOUT:
      return number < 0 ? -ERRNO.EINVAL : keep()
    default:
      return TCP_DEFAULTS.has(name) ? keep() : -ERRNO.ENOPROTOOPT
  }
}

/** Algorithms that there are (nothing here controls congestion). */
const CONGESTION: readonly string[] = ["cubic", "reno"]

function setCongestion(socket: Socket, value: Uint8Array): number {
  const end = value.indexOf(0)
  const name = new TextDecoder().decode(end < 0 ? value : value.subarray(0, end)).slice(0, 15)
  if (name === "") return -ERRNO.EINVAL
  if (!CONGESTION.includes(name)) return -ERRNO.ENOENT
  socket.otherOptions.set(`${SOL_TCP}/${TCP_OPTION.CONGESTION}`, new TextEncoder().encode(name))
  return 0
}

/** getsockopt of the kernel proper: the value, or a negative errno. */
export function getOption(
  inet: Inet,
  socket: Socket,
  level: number,
  name: number,
): Uint8Array | number {
  switch (level) {
    case SOL_SOCKET:
      return getSocketOption(inet, socket, name)
    case SOL_IP:
      return getIpOption(socket, name)
    case SOL_IPV6:
      return socket.family === AF_INET6 ? getIpv6Option(socket, name) : foreignLevel(socket)
    case SOL_TCP:
      return socket.protocol === IPPROTO_TCP ? getTcpOption(socket, name) : foreignLevel(socket)
    default:
      return foreignLevel(socket)
  }
}

/** ip_getsockopt says it in another way than ipv6_getsockopt. */
function foreignLevel(socket: Socket): number {
  return socket.family === AF_INET ? -ERRNO.EOPNOTSUPP : -ERRNO.ENOPROTOOPT
}

function getSocketOption(inet: Inet, socket: Socket, name: number): Uint8Array | number {
  const { options } = socket
  switch (name) {
    case SO.REUSEADDR:
      return int(options.reuseAddress)
    case SO.REUSEPORT:
      return int(options.reusePort)
    case SO.KEEPALIVE:
      return int(options.keepalive)
    case SO.TYPE:
      return int(socket.type)
    case SO.PROTOCOL:
      return int(socket.protocol)
    case SO.DOMAIN:
      return int(socket.family)
    case SO.ERROR: {
      const { error } = socket
      socket.error = 0
      return int(error)
    }
    case SO.SNDBUF:
      return int(options.sendBuffer)
    case SO.RCVBUF:
      return int(options.receiveBuffer)
    case SO.PRIORITY:
      return int(options.priority)
    case SO.RCVLOWAT:
      return int(options.receiveLowWater)
    case SO.MARK:
      return int(options.mark)
    case SO.MAX_PACING_RATE:
      return int(options.maxPacingRate)
    case SO.BINDTOIFINDEX:
      return int(options.boundDevice)
    case SO.BINDTODEVICE: {
      const device = inet.stack.devices.get(options.boundDevice)
      return new TextEncoder().encode(device === undefined ? "" : `${device.name}\0`)
    }
    case SO.ACCEPTCONN:
      return int(socket.state === TCP.LISTEN)
    case SO.COOKIE:
      return long(inet.cookieOf(socket))
    case SO.NETNS_COOKIE:
      return long(socket.namespace.cookie)
    case SO.TXREHASH:
      return socket.otherOptions.get(`${SOL_SOCKET}/${name}`) ?? int(1)
    case SO.BROADCAST:
      return socket.otherOptions.get(`${SOL_SOCKET}/${name}`) ?? int(0)
    default:
      return socket.otherOptions.get(`${SOL_SOCKET}/${name}`) ?? -ERRNO.ENOPROTOOPT
  }
}

function long(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}

function getIpOption(socket: Socket, name: number): Uint8Array | number {
  const { options } = socket
  switch (name) {
    case IP_TOS:
      return int(options.tos)
    case IP_TTL:
      return int(options.ttl === -1 ? 64 : options.ttl)
    case IP_TRANSPARENT:
      return int(options.transparent)
    case IP_BIND_ADDRESS_NO_PORT:
      return int(options.bindAddressNoPort)
    default:
      return -ERRNO.ENOPROTOOPT
  }
}

function getIpv6Option(socket: Socket, name: number): Uint8Array | number {
  const { options } = socket
  switch (name) {
    case IPV6_V6ONLY:
      return int(options.v6only)
    case IPV6_TCLASS:
      return int(options.tclass)
    case IPV6_UNICAST_HOPS:
      return int(options.unicastHops === -1 ? 64 : options.unicastHops)
    case IPV6_AUTOFLOWLABEL:
      return int(options.autoFlowLabel)
    default:
      return -ERRNO.ENOPROTOOPT
  }
}

function getTcpOption(socket: Socket, name: number): Uint8Array | number {
  const { tcp } = socket
  const kept = socket.otherOptions.get(`${SOL_TCP}/${name}`)
  switch (name) {
    case TCP_OPTION.MAXSEG:
      return int(socket.state === TCP.CLOSE || tcp === null ? 536 : tcp.mss)
    case TCP_OPTION.CONGESTION: {
      const text = new Uint8Array(16)
      text.set(kept ?? new TextEncoder().encode("cubic"))
      return text
    }
    case TCP_OPTION.SAVE_SYN:
      return int(tcp?.saveSyn ?? 0)
    case TCP_OPTION.SAVED_SYN: {
      const syn = tcp?.savedSyn ?? new Uint8Array(0)
      if (tcp !== null) tcp.savedSyn = null
      return syn
    }
    case TCP_OPTION.INFO: {
      const info = new Uint8Array(248)
      info[0] = socket.state
      return info
    }
    default: {
      const initial = TCP_DEFAULTS.get(name)
      return kept ?? (initial === undefined ? -ERRNO.ENOPROTOOPT : int(initial))
    }
  }
}

// ---- from programs ----------------------------------------------------------------------------------

const BPF_SOCKET: readonly number[] = [
  SO.SNDBUF,
  SO.RCVBUF,
  SO.KEEPALIVE,
  SO.PRIORITY,
  SO.REUSEPORT,
  SO.RCVLOWAT,
  SO.MARK,
  SO.MAX_PACING_RATE,
  SO.BINDTOIFINDEX,
  SO.TXREHASH,
]
const BPF_TCP: readonly number[] = [
  TCP_OPTION.NODELAY,
  TCP_OPTION.MAXSEG,
  TCP_OPTION.KEEPIDLE,
  TCP_OPTION.KEEPINTVL,
  TCP_OPTION.KEEPCNT,
  TCP_OPTION.SYNCNT,
  TCP_OPTION.WINDOW_CLAMP,
  TCP_OPTION.THIN_LINEAR_TIMEOUTS,
  TCP_OPTION.USER_TIMEOUT,
  TCP_OPTION.NOTSENT_LOWAT,
  TCP_OPTION.SAVE_SYN,
  TCP_OPTION.RTO_MAX_MS,
]

/** Whether programs may use an option at all, with a value of `size` bytes: 0 or a negative errno. */
function programRefusal(socket: Socket, level: number, name: number, size: number): number {
  const integer = size === 4 ? 0 : -ERRNO.EINVAL
  switch (level) {
    case SOL_SOCKET:
      if (name === SO.BINDTODEVICE) return 0
      return BPF_SOCKET.includes(name) ? integer : -ERRNO.EINVAL
    case SOL_IP:
      return socket.family === AF_INET && name === IP_TOS ? integer : -ERRNO.EINVAL
    case SOL_IPV6: {
      const known = name === IPV6_TCLASS || name === IPV6_AUTOFLOWLABEL
      return socket.family === AF_INET6 && known ? integer : -ERRNO.EINVAL
    }
    case SOL_TCP:
      if (!socket.isTcp) return -ERRNO.EINVAL
      if (name === TCP_OPTION.CONGESTION) return size < 2 ? -ERRNO.EINVAL : 0
      return BPF_TCP.includes(name) ? integer : -ERRNO.EINVAL
    default:
      return -ERRNO.EINVAL
  }
}

/** bpf_setsockopt; 0 or a negative errno. */
export function setOptionFromProgram(
  inet: Inet,
  socket: Socket,
  level: number,
  name: number,
  value: Uint8Array,
): number {
  if (!socket.isFull) return -ERRNO.EINVAL
  if (level === SOL_TCP && name >= TCP_OPTION.BPF_IW) return setBpfOption(socket, name, value)
  const refused = programRefusal(socket, level, name, value.length)
  if (refused !== 0) return refused
  return setOption(inet, socket, level, name, value)
}

function setBpfOption(socket: Socket, name: number, value: Uint8Array): number {
  const { tcp } = socket
  if (tcp === null || value.length !== 4) return -ERRNO.EINVAL
  const number = new DataView(value.buffer, value.byteOffset).getInt32(0, true)
  switch (name) {
    case TCP_OPTION.BPF_IW:
      if (number <= 0 || tcp.dataSegsOut > 0) return -ERRNO.EINVAL
      tcp.sndCwnd = number
      return 0
    case TCP_OPTION.BPF_SNDCWND_CLAMP:
      if (number <= 0) return -ERRNO.EINVAL
      tcp.ssthresh = number
      return 0
    case TCP_OPTION.BPF_DELACK_MAX:
    case TCP_OPTION.BPF_RTO_MIN:
      if (number <= 0 || number > 2 ** 31 - 1) return -ERRNO.EINVAL
      if (name === TCP_OPTION.BPF_RTO_MIN) tcp.rtoMinMs = Math.max(1, Math.floor(number / 1000))
      return 0
    case TCP_OPTION.BPF_SOCK_OPS_CB_FLAGS:
      if (number & ~0x7f) return -ERRNO.EINVAL
      tcp.cbFlags = number
      return 0
    default:
      return -ERRNO.EINVAL
  }
}

/** bpf_getsockopt: the value (as long as asked for), or a negative errno. */
export function getOptionFromProgram(
  inet: Inet,
  socket: Socket,
  level: number,
  name: number,
  size: number,
): Uint8Array | number {
  if (!socket.isFull) return -ERRNO.EINVAL
  if (level === SOL_TCP && name >= TCP_OPTION.BPF_IW) return getBpfOption(socket, name, size)
  if (level === SOL_TCP && name === TCP_OPTION.SAVED_SYN && socket.isTcp) {
    if (size < 1) return -ERRNO.EINVAL
    const syn = socket.tcp?.savedSyn
    if (!syn || syn.length > size) return -ERRNO.EINVAL
    return syn
  }
  const refused = programRefusal(socket, level, name, size)
  if (refused !== 0) return refused
  const value = getOption(inet, socket, level, name)
  if (typeof value === "number") return value
  const text = level === SOL_TCP && name === TCP_OPTION.CONGESTION
  if (!text) return value
  // The last byte is always zero.
  const result = new Uint8Array(size)
  result.set(value.subarray(0, Math.min(value.length, size)))
  result[size - 1] = 0
  return result
}

function getBpfOption(socket: Socket, name: number, size: number): Uint8Array | number {
  const { tcp } = socket
  if (tcp === null) return -ERRNO.EINVAL
  if (name === TCP_OPTION.BPF_SOCK_OPS_CB_FLAGS)
    return size === 4 ? int(tcp.cbFlags) : -ERRNO.EINVAL
  return -ERRNO.EINVAL
}
