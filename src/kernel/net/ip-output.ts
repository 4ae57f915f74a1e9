/**
 * The way of a packet out of the host:
 *
 * ```text
 * route → LOCAL_OUT → lwt out → POST_ROUTING → cgroup egress → lwt xmit → neighbour → device
 * ```
 *
 * (linux v6.18 net/ipv4/ip_output.c ip_local_out, ip_output, ip_finish_output, net/ipv6/ip6_output.c,
 * net/core/lwt_bpf.c).
 */

import { ERRNO } from "../../spec/index.ts"
import type { Inet, Packet } from "./inet.ts"
import type { NetNamespace, Route } from "./namespace.ts"
import { NF } from "./netfilter.ts"
import type { Socket } from "./socket.ts"
import { AF_INET, type IpFields, isMulticast, readIp, writeIp } from "./wire.ts"

/** LWTUNNEL_XMIT_CONTINUE and the like, for us. */
const ETH_HLEN = 14

/** The route for a destination, or a negative errno. */
export function routeOutput(
  inet: Inet,
  namespace: NetNamespace,
  destination: Uint8Array,
  boundDevice: number,
): Route | number {
  const device = boundDevice === 0 ? undefined : inet.stack.devices.get(boundDevice)
  const route = namespace.lookup(destination, device === undefined ? {} : { device })
  if (route === undefined) return -ERRNO.ENETUNREACH
  switch (route.type) {
    case "blackhole":
      return -ERRNO.EINVAL
    case "unreachable":
      return -ERRNO.EHOSTUNREACH
    case "prohibit":
      return -ERRNO.EACCES
    default:
      return route
  }
}

/** Bytes that fit into one packet on a route. */
export function routeMtu(namespace: NetNamespace, route: Route): number {
  if (route.type === "local") return namespace.loopback?.mtu ?? 65_536
  return route.mtu || (route.device?.mtu ?? 1500)
}

/** Sends a payload of a socket; 0 or a negative errno. */
export function sendIp(
  inet: Inet,
  socket: Socket,
  fields: IpFields,
  payload: Uint8Array,
  namespace: NetNamespace = socket.namespace,
): number {
  const { options } = socket
  const family = fields.source.length === 4 ? AF_INET : 10
  const ttl = family === AF_INET ? options.ttl : options.unicastHops
  const bytes = writeIp(
    {
      tos: family === AF_INET ? options.tos : options.tclass,
      ttl: ttl > 0 ? ttl : Number(namespace.setting("net/ipv4/ip_default_ttl")) || 64,
      id: namespace.packetId(),
      ...fields,
    },
    payload,
  )
  const route = routeOutput(inet, namespace, fields.destination, options.boundDevice)
  if (typeof route === "number") return route
  return ipOutput(
    inet,
    {
      bytes,
      family,
      namespace,
      mark: options.mark,
      priority: options.priority,
      socket,
      input: null,
      output: outputDevice(namespace, route),
      link: null,
    },
    route,
  )
}

export function outputDevice(namespace: NetNamespace, route: Route): Packet["output"] {
  return route.type === "local" ? (namespace.loopback ?? null) : route.device
}

/** From LOCAL_OUT on; 0 or a negative errno. */
export function ipOutput(inet: Inet, packet: Packet, route: Route): number {
  const verdict = inet.programs.netfilter(packet, NF.LOCAL_OUT)
  if (verdict !== 0) return verdict
  return dstOutput(inet, packet, route)
}

/** dst_output: for our own packets, and those that are forwarded. */
export function dstOutput(inet: Inet, packet: Packet, route: Route): number {
  let current = route
  if (route.lwt?.out) {
    const result = inet.programs.lwt(packet, route.lwt.out)
    if (result.kind === "drop") return result.errno
    if (result.kind === "reroute") {
      const next = reroute(inet, packet)
      if (typeof next === "number") return next
      current = next
    }
  }
  const post = inet.programs.netfilter(packet, NF.POST_ROUTING)
  if (post !== 0) return post
  const egress = inet.programs.cgroupEgress(packet)
  if (egress !== 0) return egress
  return finishOutput(inet, packet, current)
}

/** Looks the route up again after a program has put another header before the packet. */
export function reroute(inet: Inet, packet: Packet): Route | number {
  const ip = readIp(packet.bytes)
  if (ip === null) return -ERRNO.EINVAL
  const route = routeOutput(inet, packet.namespace, ip.destination, 0)
  if (typeof route !== "number") packet.output = outputDevice(packet.namespace, route)
  return route
}

/** lwt xmit, the size, the neighbour, the device. */
function finishOutput(inet: Inet, packet: Packet, route: Route): number {
  if (route.lwt?.xmit) {
    const result = inet.programs.lwt(packet, route.lwt.xmit)
    if (result.kind === "drop") return result.errno
    if (result.kind === "done") return 0
    if (result.kind === "reroute") {
      const next = reroute(inet, packet)
      if (typeof next === "number") return next
      if (next.lwt !== route.lwt) return finishOutput(inet, packet, next)
      return xmit(inet, packet, next)
    }
  }
  return xmit(inet, packet, route)
}

function xmit(inet: Inet, packet: Packet, route: Route): number {
  const device = packet.output
  if (device === null) return -ERRNO.ENETUNREACH
  if (!device.up) return -ERRNO.ENETDOWN
  if (packet.bytes.length > routeMtu(packet.namespace, route)) return -ERRNO.EMSGSIZE
  const ip = readIp(packet.bytes)
  if (ip === null) return -ERRNO.EINVAL
  const mac = destinationMac(packet.namespace, device, route, ip.destination)
  if (mac === undefined) return -ERRNO.EHOSTUNREACH
  const frame = new Uint8Array(ETH_HLEN + packet.bytes.length)
  frame.set(mac)
  frame.set(device.mac, 6)
  frame.set(ip.family === AF_INET ? [0x08, 0x00] : [0x86, 0xdd], 12)
  frame.set(packet.bytes, ETH_HLEN)
  const { mark, priority, socket } = packet
  inet.stack.transmit(device, frame, { mark, priority, socket })
  return 0
}

function destinationMac(
  namespace: NetNamespace,
  device: NonNullable<Packet["output"]>,
  route: Route,
  destination: Uint8Array,
): Uint8Array | undefined {
  if (route.type === "broadcast") return new Uint8Array(6).fill(0xff)
  if (isMulticast(destination)) {
    return destination.length === 4
      ? Uint8Array.of(1, 0, 0x5e, destination[1] & 0x7f, destination[2], destination[3])
      : Uint8Array.of(0x33, 0x33, ...destination.subarray(12))
  }
  return namespace.neighbour(device, route.via ?? destination)
}
