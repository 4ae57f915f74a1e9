/**
 * The way of a frame into the host:
 *
 * ```text
 * frame → PRE_ROUTING → route ┬ local → LOCAL_IN → TCP, UDP, ICMP
 *                             └ other → (lwt in) → FORWARD → lwt out … device
 * ```
 *
 * (linux v6.18 net/ipv4/ip_input.c, ip_forward.c, arp.c, net/ipv6/ip6_input.c).
 */

import type { NetworkDevice } from "./device.ts"
import { icmpInput, sendUnreachable } from "./icmp.ts"
import type { FrameMeta, Inet, Packet } from "./inet.ts"
import { dstOutput, outputDevice, reroute, routeMtu } from "./ip-output.ts"
import type { Route } from "./namespace.ts"
import { NF } from "./netfilter.ts"
import { tcpInput } from "./tcp-input.ts"
import { udpInput } from "./udp.ts"
import {
  AF_INET,
  AF_INET6,
  decrementTtl,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type IpHeader,
  isMulticast,
  readIp,
  sameBytes,
} from "./wire.ts"

const ETH_HLEN = 14
const ARP_BYTES = 28
const ARPOP_REQUEST = 1
const ARPOP_REPLY = 2

/** A frame that a device has delivered. */
export function ipInput(
  inet: Inet,
  device: NetworkDevice,
  frame: Uint8Array,
  meta: FrameMeta,
): void {
  if (frame.length < ETH_HLEN) return
  const group = (frame[0] & 1) !== 0
  if (!group && !sameBytes(frame.subarray(0, 6), device.mac)) return
  const type = (frame[12] << 8) | frame[13]
  const bytes = frame.slice(ETH_HLEN)
  if (type === ETH_P_ARP) arpInput(inet, device, bytes)
  if (type !== ETH_P_IP && type !== ETH_P_IPV6) return
  const family = type === ETH_P_IP ? AF_INET : AF_INET6
  const packet: Packet = {
    bytes,
    family,
    namespace: device.namespace,
    mark: meta.mark,
    priority: meta.priority,
    socket: meta.socket,
    input: device,
    output: null,
    link: frame.slice(0, ETH_HLEN),
  }
  const ip = readIp(bytes)
  if (ip === null || ip.family !== family) return
  // What lies behind the packet is padding of the link.
  packet.bytes = bytes.slice(0, ip.totalBytes)
  if (!group && device.peer === null && device.kind !== "loopback")
    learn(device, ip.source, frame.slice(6, 12))
  if (inet.programs.netfilter(packet, NF.PRE_ROUTING) !== 0) return
  routeInput(inet, packet)
}

/** Whoever sends to a device without a peer can be answered. */
function learn(device: NetworkDevice, address: Uint8Array, mac: Uint8Array): void {
  if (device.namespace.neighbour(device, address) === undefined)
    device.namespace.addNeighbour(device, address, mac)
}

function arpInput(inet: Inet, device: NetworkDevice, arp: Uint8Array): void {
  if (arp.length < ARP_BYTES || ((arp[2] << 8) | arp[3]) !== ETH_P_IP) return
  const operation = (arp[6] << 8) | arp[7]
  const sender = { mac: arp.slice(8, 14), address: arp.slice(14, 18) }
  const target = arp.slice(24, 28)
  if (operation === ARPOP_REPLY || device.namespace.isLocal(target))
    device.namespace.addNeighbour(device, sender.address, sender.mac)
  if (operation !== ARPOP_REQUEST || !device.namespace.isLocal(target)) return
  const reply = new Uint8Array(ETH_HLEN + ARP_BYTES)
  reply.set(sender.mac)
  reply.set(device.mac, 6)
  reply.set([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, ARPOP_REPLY], 12)
  reply.set(device.mac, 22)
  reply.set(target, 28)
  reply.set(sender.mac, 32)
  reply.set(sender.address, 38)
  inet.stack.transmit(device, reply)
}

function routeInput(inet: Inet, packet: Packet): void {
  const ip = readIp(packet.bytes)
  if (ip === null) return
  const { namespace } = packet
  const route = namespace.lookup(ip.destination)
  if (route?.type === "local" || route?.type === "broadcast" || isMulticast(ip.destination)) {
    if (route?.lwt?.in && inet.programs.lwt(packet, route.lwt.in).kind === "drop") return
    localDeliver(inet, packet)
    return
  }
  if (route === undefined || packet.input?.kind === "loopback") return
  const setting = packet.family === AF_INET ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding"
  if (namespace.setting(setting) !== "1") return
  if (route.type === "blackhole") return
  if (route.type !== "unicast") {
    sendUnreachable(inet, packet, route.type === "prohibit" ? "prohibited" : "host")
    return
  }
  forward(inet, packet, route)
}

/** ip_forward. */
function forward(inet: Inet, packet: Packet, found: Route): void {
  let route = found
  if (route.lwt?.in) {
    const result = inet.programs.lwt(packet, route.lwt.in)
    if (result.kind === "drop" || result.kind === "done") return
    if (result.kind === "reroute") {
      const next = reroute(inet, packet)
      if (typeof next === "number") return
      if (next.type === "local") {
        localDeliver(inet, packet)
        return
      }
      route = next
    }
  }
  packet.output = outputDevice(packet.namespace, route)
  packet.bytes = packet.bytes.slice()
  if (!decrementTtl(packet.bytes)) {
    sendUnreachable(inet, packet, "ttl")
    return
  }
  if (packet.bytes.length > routeMtu(packet.namespace, route)) {
    sendUnreachable(inet, packet, "size", routeMtu(packet.namespace, route))
    return
  }
  packet.socket = null
  if (inet.programs.netfilter(packet, NF.FORWARD) !== 0) return
  dstOutput(inet, packet, route)
}

function localDeliver(inet: Inet, packet: Packet): void {
  if (inet.programs.netfilter(packet, NF.LOCAL_IN) !== 0) return
  const ip = readIp(packet.bytes)
  if (ip === null || ip.fragment) return
  transportInput(inet, packet, ip)
}

function transportInput(inet: Inet, packet: Packet, ip: IpHeader): void {
  switch (ip.protocol) {
    case IPPROTO_TCP:
      tcpInput(inet, packet, ip)
      return
    case IPPROTO_UDP:
      udpInput(inet, packet, ip)
      return
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      icmpInput(inet, packet, ip)
      return
    default:
      sendUnreachable(inet, packet, "protocol")
  }
}
