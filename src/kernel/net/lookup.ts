/**
 * Which socket a packet is for, with the programs that have a say: sk_lookup and sk_reuseport
 * (linux v6.18 net/ipv4/inet_hashtables.c __inet_lookup_listener, net/ipv4/udp.c
 * __udp4_lib_lookup).
 */

import type { Inet, Packet } from "./inet.ts"
import type { NetNamespace } from "./namespace.ts"
import { type Socket, TCP } from "./socket.ts"
import type { ReuseportChoice, Tuple } from "./socket-table.ts"
import { IPPROTO_TCP } from "./wire.ts"

/** Mixes the ends of a connection: stands for the kernel's keyed hash, the same in every run. */
export function tupleHash(tuple: Tuple): number {
  let hash = 0x811c9dc5
  const mix = (byte: number): void => {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  for (const { address, port } of [tuple.remote, tuple.local]) {
    for (const byte of address) mix(byte)
    mix(port & 255)
    mix(port >> 8)
  }
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 12
  return hash >>> 0
}

/** The socket without asking programs: errors of ICMP, and the look-up helpers. */
export function socketFor(namespace: NetNamespace, tuple: Tuple): Socket | undefined {
  const choose: ReuseportChoice = (group) => group.byHash(tupleHash(tuple))
  const { sockets } = namespace
  const found =
    tuple.protocol === IPPROTO_TCP
      ? (sockets.established(tuple) ?? sockets.listener(tuple, choose))
      : (sockets.datagram(tuple, true, choose) ?? sockets.datagram(tuple, false, choose))
  return found ?? undefined
}

/** The socket for a packet; null when there is none, or a program has refused it. */
export function receivingSocket(
  inet: Inet,
  namespace: NetNamespace,
  tuple: Tuple,
  packet: Packet | null,
): Socket | null {
  const { sockets } = namespace
  const choose: ReuseportChoice = (group, socket) =>
    inet.programs.reuseport({ group, socket, tuple, packet, hash: tupleHash(tuple) })
  if (tuple.protocol === IPPROTO_TCP) {
    const established = sockets.established(tuple)
    if (established !== undefined) return established
    const chosen = inet.programs.skLookup(namespace, tuple, choose)
    if (chosen !== undefined) return chosen
    return sockets.listener(tuple, choose) ?? null
  }
  const exact = sockets.datagram(tuple, true, choose)
  if (exact === null) return null
  if (exact?.state === TCP.ESTABLISHED) return exact
  const chosen = inet.programs.skLookup(namespace, tuple, choose)
  if (chosen !== undefined) return chosen
  return exact ?? sockets.datagram(tuple, false, choose) ?? null
}
