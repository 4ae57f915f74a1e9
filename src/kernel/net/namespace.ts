/**
 * A network namespace: its devices with their addresses, routes, neighbours, settings and
 * sockets (linux v6.18 include/net/net_namespace.h, net/ipv4/fib_trie.c, net/core/neighbour.c).
 *
 * Embedded: interface indices are unique over all namespaces, so only the initial namespace's
 * `lo` has index 1.
 */

import { formatIp, inPrefix, type Prefix, parseIp, parsePrefix } from "../../packet/index.ts"
import type { NetworkDevice } from "./device.ts"
import type { LwtState } from "./lwt.ts"
import type { NetfilterHook } from "./netfilter.ts"
import type { Socket } from "./socket.ts"
import { SocketTable } from "./socket-table.ts"
import { addressKey, sameBytes } from "./wire.ts"

export type RouteType = "unicast" | "local" | "broadcast" | "blackhole" | "unreachable" | "prohibit"

export interface Route {
  readonly destination: Prefix
  readonly type: RouteType
  readonly device: NetworkDevice | null
  /** The gateway, or null when the destination is on the link. */
  readonly via: Uint8Array | null
  /** Preferred source address, or null: the first one of the device. */
  readonly source: Uint8Array | null
  /** 0: the device's. */
  readonly mtu: number
  readonly metric: number
  readonly table: number
  /** Programs of `encap bpf`, or null. */
  readonly lwt: LwtState | null
}

/** RT_TABLE_LOCAL and RT_TABLE_MAIN. */
export const TABLE_LOCAL = 255
export const TABLE_MAIN = 254

/** What a scenario says about a route; `default` is 0.0.0.0/0. */
export interface RouteOptions {
  readonly to: string
  readonly device?: string
  readonly via?: string
  readonly source?: string
  readonly type?: RouteType
  readonly mtu?: number
  readonly metric?: number
  readonly table?: number
}

/** Settings that every namespace starts with (path below /proc/sys). */
const SETTINGS: Readonly<Record<string, string>> = {
  "net/ipv4/ip_forward": "0",
  "net/ipv6/conf/all/forwarding": "0",
  "net/ipv4/ip_local_port_range": "32768\t60999",
  "net/ipv4/ip_unprivileged_port_start": "1024",
  "net/ipv4/ip_default_ttl": "64",
  "net/ipv4/tcp_syncookies": "1",
  "net/ipv4/tcp_timestamps": "1",
  "net/ipv4/tcp_syn_retries": "6",
  "net/ipv4/tcp_retries2": "15",
  "net/ipv4/tcp_rmem": "4096\t131072\t6291456",
  "net/ipv4/tcp_wmem": "4096\t16384\t4194304",
  "net/ipv4/tcp_mem": "22305\t29743\t44610",
  "net/ipv4/tcp_congestion_control": "cubic",
  "net/core/somaxconn": "4096",
}

/** PROC_NET_INIT_INO (linux include/uapi/linux/nsfs.h). */
const NET_INIT_INO = 0xeffffff9

export class NetNamespace {
  readonly id: number
  readonly name: string
  /** Inode number of its file in /proc/PID/ns. */
  readonly inode: number
  /** bpf_get_netns_cookie; the initial namespace's is 1. */
  readonly cookie: bigint
  readonly devices: NetworkDevice[] = []
  readonly routes: Route[] = []
  readonly sockets: SocketTable = new SocketTable()
  readonly settings: Map<string, string> = new Map(Object.entries(SETTINGS))
  /** Netfilter hooks by `family/hook`, by priority. */
  readonly netfilter: Map<string, NetfilterHook[]> = new Map()
  /** Listening AF_UNIX sockets by path. */
  readonly unixPaths: Map<string, Socket> = new Map()
  private readonly neighbours = new Map<string, Uint8Array>()
  private nextId = 1

  constructor(id: number, name: string) {
    this.id = id
    this.name = name
    this.cookie = BigInt(id)
    this.inode = NET_INIT_INO - 1 + id
  }

  /** The namespace's loopback device. */
  get loopback(): NetworkDevice | undefined {
    return this.devices.find((device) => device.kind === "loopback")
  }

  device(name: string): NetworkDevice | undefined {
    return this.devices.find((device) => device.name === name)
  }

  /** IPv4 identification of the next packet. */
  packetId(): number {
    this.nextId = (this.nextId + 1) & 0xffff
    return this.nextId
  }

  /** Adds an address such as `10.0.0.1/24`, with the routes that follow from it. */
  addAddress(device: NetworkDevice, text: string): void {
    const slash = text.indexOf("/")
    const address = parseIp(slash < 0 ? text : text.slice(0, slash))
    const prefix = parsePrefix(text)
    device.addresses.push({ address, length: prefix.length })
    const bits = address.length * 8
    const base = { device, via: null, source: address, mtu: 0, lwt: null }
    const local = device.kind === "loopback" && prefix.length < bits ? prefix : undefined
    this.insert({
      ...base,
      destination: local ?? { address, length: bits },
      type: "local",
      metric: 0,
      table: TABLE_LOCAL,
    })
    if (local !== undefined || prefix.length === bits) return
    const metric = bits === 32 ? 0 : 256
    this.insert({ ...base, destination: prefix, type: "unicast", metric, table: TABLE_MAIN })
    if (bits !== 32 || prefix.length > 30) return
    const broadcast = prefix.address.slice()
    for (let bit = prefix.length; bit < 32; bit++) broadcast[bit >> 3] |= 0x80 >> (bit & 7)
    this.insert({
      ...base,
      destination: { address: broadcast, length: 32 },
      type: "broadcast",
      metric: 0,
      table: TABLE_LOCAL,
    })
  }

  /** @throws RangeError for a device or address that does not exist. */
  addRoute(options: RouteOptions, lwt: LwtState | null = null): Route {
    const six = options.to.includes(":") || (options.via?.includes(":") ?? false)
    const destination =
      options.to === "default" ? parsePrefix(six ? "::/0" : "0.0.0.0/0") : parsePrefix(options.to)
    const via = options.via === undefined ? null : parseIp(options.via)
    const named = options.device === undefined ? undefined : this.device(options.device)
    if (options.device !== undefined && named === undefined)
      throw new RangeError(`route to ${options.to}: there is no device ${options.device}`)
    const towards = via === null ? null : this.lookup(via)
    const type = options.type ?? "unicast"
    const device = named ?? towards?.device ?? null
    if (device === null && type === "unicast")
      throw new RangeError(`route to ${options.to}: no device, and no route to the gateway`)
    const route: Route = {
      destination,
      type,
      device,
      via,
      source: options.source === undefined ? null : parseIp(options.source),
      mtu: options.mtu ?? 0,
      metric: options.metric ?? 0,
      table: options.table ?? TABLE_MAIN,
      lwt,
    }
    this.insert(route)
    return route
  }

  removeRoute(route: Route): void {
    const index = this.routes.indexOf(route)
    if (index >= 0) this.routes.splice(index, 1)
  }

  /** Longest prefix first, then the local table, then the smallest metric. */
  private insert(route: Route): void {
    this.routes.push(route)
    this.routes.sort(
      (a, b) =>
        b.table - a.table || b.destination.length - a.destination.length || a.metric - b.metric,
    )
  }

  /** The route to an address; `device` limits it to those through one, `table` to one table. */
  lookup(
    destination: Uint8Array,
    options: { readonly device?: NetworkDevice; readonly table?: number } = {},
  ): Route | undefined {
    const { device, table } = options
    return this.routes.find(
      (route) =>
        inPrefix(destination, route.destination) &&
        (table === undefined
          ? route.table === TABLE_LOCAL || route.table === TABLE_MAIN
          : route.table === table) &&
        (device === undefined || route.device === device || route.type === "local") &&
        (route.device?.up ?? true),
    )
  }

  isLocal(address: Uint8Array): boolean {
    const route = this.lookup(address, { table: TABLE_LOCAL })
    return route?.type === "local"
  }

  /** The source address that packets on a route get. */
  sourceFor(route: Route, destination: Uint8Array): Uint8Array | undefined {
    if (
      route.type === "local" &&
      !(route.source?.length === 4 && route.device?.kind === "loopback")
    )
      return route.source ?? destination
    if (route.source !== null) return route.source
    const size = destination.length
    const own = route.device?.addresses.filter(({ address }) => address.length === size) ?? []
    const near = own.find(({ address, length }) =>
      inPrefix(route.via ?? destination, parsePrefix(`${formatIp(address)}/${length}`)),
    )
    if (near !== undefined || own.length > 0) return (near ?? own[0]).address
    for (const device of this.devices)
      if (device.kind !== "loopback")
        for (const { address } of device.addresses) if (address.length === size) return address
    return undefined
  }

  addNeighbour(device: NetworkDevice, address: Uint8Array, mac: Uint8Array): void {
    this.neighbours.set(`${device.ifindex}/${addressKey(address)}`, mac)
  }

  /**
   * The link-layer address of a neighbour: what was configured or learnt, or what the device at
   * the other end of a pair has.
   */
  neighbour(device: NetworkDevice, address: Uint8Array): Uint8Array | undefined {
    const known = this.neighbours.get(`${device.ifindex}/${addressKey(address)}`)
    if (known !== undefined) return known
    if (device.kind === "loopback" || device.mac.every((byte) => byte === 0))
      return new Uint8Array(6)
    const { peer } = device
    return peer?.addresses.some((one) => sameBytes(one.address, address)) ? peer.mac : undefined
  }

  setting(path: string): string {
    return this.settings.get(path) ?? "0"
  }
}
