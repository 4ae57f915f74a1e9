/**
 * SYN cookies (linux v6.18 net/ipv4/syncookies.c, net/ipv6/syncookies.c, net/core/filter.c
 * bpf_tcp_gen_syncookie, bpf_tcp_raw_gen_syncookie_ipv4…): a sequence number that carries the
 * minute, the segment size and a keyed hash of the connection's ends, so that a server keeps
 * nothing between SYN and ACK. The key is the kernel's own, as everywhere.
 */

import { ERRNO } from "../../spec/index.ts"
import { type Socket, TCP } from "../net/socket.ts"
import { AF_INET6, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../net/wire.ts"
import { socketArgument } from "./sockets.ts"
import { answers, type HelperMachine, type HelperTable } from "./support.ts"

const TCP_HEADER_BYTES = 20
const IP4_HEADER_BYTES = 20
const IP6_HEADER_BYTES = 40
const TCP_MSS_DEFAULT = 536
/** Segment sizes that a cookie can stand for. */
const MSS4: readonly number[] = [536, 1300, 1440, 1460]
const MSS6: readonly number[] = [1220, 1420, 1440, 8940]
const COOKIE_BITS = 24
const COOKIE_MASK = 0xff_ffff
/** Minutes for which a cookie is good. */
const MAX_SYNCOOKIE_AGE = 2
const MINUTE_NS = 60_000_000_000n

/** The ends of a connection: addresses and ports as they are in the headers. */
interface Ends {
  readonly bytes: Uint8Array
  readonly six: boolean
}

function endsOf(u8: Uint8Array, ip: number, tcp: number, six: boolean): Ends {
  const addresses = six ? u8.slice(ip + 8, ip + 40) : u8.slice(ip + 12, ip + 20)
  return { bytes: Uint8Array.from([...addresses, ...u8.subarray(tcp, tcp + 4)]), six }
}

function keyed(ends: Ends, count: number, key: number): number {
  let hash = 0x9e3779b9 ^ key
  const mix = (word: number): void => {
    hash = Math.imul(hash ^ word, 0x85ebca6b)
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  for (const byte of ends.bytes) mix(byte)
  mix(count)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 13)) >>> 0
}

function minutes(machine: HelperMachine): number {
  return Number((machine.environment.kernel.clock.now() / MINUTE_NS) & 0xffffffffn)
}

/** secure_tcp_syn_cookie */
function cookieFor(machine: HelperMachine, ends: Ends, sequence: number, data: number): number {
  const count = minutes(machine)
  const low = (keyed(ends, count, 1) + data) & COOKIE_MASK
  return (keyed(ends, 0, 0) + sequence + (count << COOKIE_BITS) + low) >>> 0
}

/** check_tcp_syn_cookie: the data in a cookie, or -1 when it is none of ours, or too old. */
function dataIn(machine: HelperMachine, ends: Ends, sequence: number, cookie: number): number {
  const count = minutes(machine)
  const bare = (cookie - keyed(ends, 0, 0) - sequence) >>> 0
  const age = (count - (bare >>> COOKIE_BITS)) & (0xffffffff >>> COOKIE_BITS)
  if (age >= MAX_SYNCOOKIE_AGE) return -1
  return (bare - keyed(ends, count - age, 1)) & COOKIE_MASK
}

/** The MSS option of a SYN, or 0 (tcp_parse_mss_option). */
function mssOption(u8: Uint8Array, tcp: number, size: number): number {
  for (let at = tcp + TCP_HEADER_BYTES; at < tcp + size; ) {
    const kind = u8[at]
    if (kind === 0) return 0
    if (kind === 1) {
      at++
      continue
    }
    const length = u8[at + 1]
    if (length < 2 || at + length > tcp + size) return 0
    if (kind === 2 && length === 4) return (u8[at + 2] << 8) | u8[at + 3]
    at += length
  }
  return 0
}

/** The cookie, and the segment size it stands for in the upper half. */
function generate(machine: HelperMachine, ends: Ends, tcp: number, mss: number): void {
  const table = ends.six ? MSS6 : MSS4
  let index = table.length - 1
  while (index > 0 && mss < table[index]) index--
  const sequence = machine.space.view.getUint32(tcp + 4)
  machine.setResult64(cookieFor(machine, ends, sequence, index) | 0, table[index])
}

/** Whether the segment acknowledges one of our cookies. */
function acknowledges(machine: HelperMachine, ends: Ends, tcp: number): boolean {
  const { view } = machine.space
  const cookie = (view.getUint32(tcp + 8) - 1) >>> 0
  const sequence = (view.getUint32(tcp + 4) - 1) >>> 0
  const index = dataIn(machine, ends, sequence, cookie)
  return index >= 0 && index < 4
}

// ---- without a socket ---------------------------------------------------------------------------------

/** s64 bpf_tcp_raw_gen_syncookie_ipv4(iph, th, th_len); of IPv6 alike. */
function rawGenerate(six: boolean) {
  return (machine: HelperMachine): number | undefined => {
    const size = machine.low(3) >>> 0
    const ip = machine.checkRead(1, six ? IP6_HEADER_BYTES : IP4_HEADER_BYTES)
    const tcp = ip < 0 ? -1 : machine.checkRead(2, size)
    if (tcp < 0) return undefined
    const { u8 } = machine.space
    if (size < TCP_HEADER_BYTES || size !== (u8[tcp + 12] >> 4) * 4) return -ERRNO.EINVAL
    const mss = mssOption(u8, tcp, size) || (six ? MSS6[0] : TCP_MSS_DEFAULT)
    generate(machine, endsOf(u8, ip, tcp, six), tcp, mss)
    return undefined
  }
}

/** long bpf_tcp_raw_check_syncookie_ipv4(iph, th) */
function rawCheck(six: boolean) {
  return (machine: HelperMachine): number | undefined => {
    const ip = machine.checkRead(1, six ? IP6_HEADER_BYTES : IP4_HEADER_BYTES)
    const tcp = ip < 0 ? -1 : machine.checkRead(2, TCP_HEADER_BYTES)
    if (tcp < 0) return undefined
    const ends = endsOf(machine.space.u8, ip, tcp, six)
    return acknowledges(machine, ends, tcp) ? 0 : -ERRNO.EACCES
  }
}

// ---- for a listening socket -------------------------------------------------------------------------------

interface Headers {
  readonly ip: number
  readonly ipBytes: number
  readonly tcp: number
  readonly tcpBytes: number
}

function headerArguments(machine: HelperMachine): Headers | undefined {
  const [ipBytes, tcpBytes] = [machine.low(3) >>> 0, machine.low(5) >>> 0]
  const ip = machine.checkRead(2, ipBytes)
  const tcp = ip < 0 ? -1 : machine.checkRead(4, tcpBytes)
  return tcp < 0 ? undefined : { ip, ipBytes, tcp, tcpBytes }
}

/** 4 or 6 for an IP header that goes with the socket, or a negative errno. */
function versionFor(machine: HelperMachine, socket: Socket, { ip, ipBytes }: Headers): number {
  if (ipBytes < IP4_HEADER_BYTES) return -ERRNO.EINVAL
  const version = machine.space.u8[ip] >> 4
  if (version === 4) return socket.isV6only ? -ERRNO.EINVAL : 4
  if (version !== 6) return -ERRNO.EPROTONOSUPPORT
  if (ipBytes < IP6_HEADER_BYTES || socket.family !== AF_INET6) return -ERRNO.EINVAL
  return 6
}

/** s64 bpf_tcp_gen_syncookie(sk, iph, iph_len, th, th_len) */
function generateFor(machine: HelperMachine): number | undefined {
  const headers = headerArguments(machine)
  if (headers === undefined) return undefined
  const { tcp, tcpBytes, ip } = headers
  const { u8 } = machine.space
  if (tcpBytes < TCP_HEADER_BYTES || tcpBytes !== (u8[tcp + 12] >> 4) * 4) return -ERRNO.EINVAL
  const socket = socketArgument(machine, 1)
  if (!socket?.isTcp || socket.state !== TCP.LISTEN) return -ERRNO.EINVAL
  const mode = socket.namespace.setting("net/ipv4/tcp_syncookies")
  if (mode === "0") return -ERRNO.ENOENT
  if ((u8[tcp + 13] & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) !== TCP_SYN) return -ERRNO.EINVAL
  const version = versionFor(machine, socket, headers)
  if (version < 0) return version
  // Cookies are for a full queue, unless they are always wanted.
  if (mode !== "2" && socket.requests.size <= socket.backlog) return -ERRNO.ENOENT
  const six = version === 6
  const mss = mssOption(u8, tcp, tcpBytes) || TCP_MSS_DEFAULT
  overflowed.set(socket, machine.environment.kernel.clock.now())
  generate(machine, endsOf(u8, ip, tcp, six), tcp, mss)
  return undefined
}

/** When sockets last sent cookies: only then their acknowledgments are looked at. */
const overflowed = new WeakMap<Socket, bigint>()

/** long bpf_tcp_check_syncookie(sk, iph, iph_len, th, th_len) */
function checkFor(machine: HelperMachine): number | undefined {
  const headers = headerArguments(machine)
  if (headers === undefined) return undefined
  const { tcp, tcpBytes, ip } = headers
  const { u8 } = machine.space
  if (tcpBytes < TCP_HEADER_BYTES) return -ERRNO.EINVAL
  const socket = socketArgument(machine, 1)
  if (!socket?.isTcp || socket.state !== TCP.LISTEN) return -ERRNO.EINVAL
  if (socket.namespace.setting("net/ipv4/tcp_syncookies") === "0") return -ERRNO.EINVAL
  if ((u8[tcp + 13] & (TCP_ACK | TCP_RST | TCP_SYN)) !== TCP_ACK) return -ERRNO.ENOENT
  if (headers.ipBytes < IP4_HEADER_BYTES) return -ERRNO.EINVAL
  const since = overflowed.get(socket)
  const limit = BigInt(MAX_SYNCOOKIE_AGE) * MINUTE_NS
  if (since === undefined || machine.environment.kernel.clock.now() - since > limit)
    return -ERRNO.ENOENT
  const version = versionFor(machine, socket, headers)
  if (version < 0) return version
  return acknowledges(machine, endsOf(u8, ip, tcp, version === 6), tcp) ? 0 : -ERRNO.ENOENT
}

export const syncookieHelpers: HelperTable = {
  tcp_gen_syncookie: answers(generateFor),
  tcp_check_syncookie: answers(checkFor),
  tcp_raw_gen_syncookie_ipv4: answers(rawGenerate(false)),
  tcp_raw_gen_syncookie_ipv6: answers(rawGenerate(true)),
  tcp_raw_check_syncookie_ipv4: answers(rawCheck(false)),
  tcp_raw_check_syncookie_ipv6: answers(rawCheck(true)),
}
