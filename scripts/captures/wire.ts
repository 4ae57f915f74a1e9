/**
 * What the made captures are made with: a seeded random source, a wire on which frames are put
 * at given times in any order, and whole TCP connections.
 */

import {
  ethernet,
  type FrameToWrite,
  ipv4,
  ipv6,
  type Layer,
  parseIpv6,
  type TcpFields,
  type TcpOption,
  tcp,
} from "../../src/packet/index.ts"

/** 2025-06-02 08:00:00 UTC, a Monday morning. */
const START_NS = 1_748_851_200_000_000_000n
const SEED = 0x5e_ed_be_e5

/** The router, through which all outsiders come. */
export const ROUTER = "10.77.0.1"

/** The MAC address of a host of the network: its last address byte; outsiders come by the router. */
export function macOf(address: string): string {
  if (address.startsWith("10.42.")) return `02:42:00:00:00:${hex2(lastByte(address))}`
  if (address.startsWith("10.77.")) return `02:77:00:00:00:${hex2(lastByte(address))}`
  if (address.startsWith("2001:db8:77::")) return `02:77:00:00:00:${hex2(lastByte(address))}`
  return macOf(ROUTER)
}

export function lastByte(address: string): number {
  return address.includes(":") ? parseIpv6(address)[15] : Number(address.split(".")[3])
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, "0")
}

/** Mulberry32: small, seeded, good enough for port numbers. */
class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

/** Frames as they are put on the wire, in any order; times are microseconds from the start. */
export class Wire {
  readonly random: Random = new Random(SEED)
  private readonly sent: { timeUs: number; frame: FrameToWrite }[] = []
  private readonly ids = new Map<string, number>()

  raw(timeUs: number, data: Uint8Array, originalLength: number = data.length): void {
    const time = Math.round(timeUs)
    const timestampNs = START_NS + BigInt(time) * 1000n
    this.sent.push({ timeUs: time, frame: { data, timestampNs, originalLength } })
  }

  /** One packet between two addresses, of the family of `src`. */
  ip(timeUs: number, src: string, dst: string, payload: Layer, tos = 0, tag: Tag = untagged): void {
    const link = { src: macOf(src), dst: macOf(dst), padTo: 60 }
    const packet = src.includes(":")
      ? ipv6({ src, dst, trafficClass: tos }, payload)
      : ipv4({ src, dst, tos, id: this.nextId(src), dontFragment: true }, payload)
    this.raw(timeUs, ethernet(link, tag(packet)))
  }

  nextId(host: string): number {
    const id = ((this.ids.get(host) ?? lastByte(host) * 257) + 1) & 0xffff
    this.ids.set(host, id)
    return id
  }

  frames(): FrameToWrite[] {
    return this.sent.sort((a, b) => a.timeUs - b.timeUs).map(({ frame }) => frame)
  }
}

export type Tag = (packet: Layer) => Layer

const untagged: Tag = (packet) => packet

export interface Connection {
  readonly client: string
  readonly server: string
  readonly port: number
  readonly request: string
  readonly responseSize: number
  readonly rttUs: number
  readonly tag?: Tag
}

const SYN_OPTIONS: TcpOption[] = [
  { kind: "mss", value: 1460 },
  { kind: "sack-permitted" },
  { kind: "nop" },
  { kind: "window-scale", shift: 7 },
]

/** A whole TCP connection: handshake, one request, a response in segments, an orderly close. */
export function connection(wire: Wire, startUs: number, c: Connection): void {
  const port = 32_768 + wire.random.below(28_000)
  const sequence = { client: wire.random.below(2 ** 31), server: wire.random.below(2 ** 31) }
  let timeUs = startUs
  const send = (from: "client" | "server", fields: Partial<TcpFields>, payload = "") => {
    const to = from === "client" ? "server" : "client"
    const ports = from === "client" ? { srcPort: port, dstPort: c.port } : undefined
    const segment = tcp(
      {
        ...(ports ?? { srcPort: c.port, dstPort: port }),
        seq: sequence[from],
        ack: fields.options !== undefined && from === "client" ? 0 : sequence[to],
        ...fields,
      },
      payload,
    )
    wire.ip(timeUs, c[from], c[to], segment, 0, c.tag)
    const flags = fields.flags as readonly string[] | undefined
    sequence[from] += payload.length
    if (flags?.includes("syn") || flags?.includes("fin")) sequence[from] += 1
    timeUs += 15 + wire.random.below(40)
  }
  send("client", { flags: ["syn"], options: SYN_OPTIONS })
  timeUs += c.rttUs
  send("server", { flags: ["syn", "ack"], options: SYN_OPTIONS, window: 65_160 })
  timeUs += c.rttUs
  send("client", {})
  send("client", { flags: ["psh", "ack"] }, c.request)
  timeUs += c.rttUs
  send("server", {})
  const header = `HTTP/1.1 200 OK\r\nContent-Length: ${c.responseSize}\r\n\r\n`
  const body = header + "skep ".repeat(Math.ceil(c.responseSize / 5)).slice(0, c.responseSize)
  for (let at = 0, segment = 1; at < body.length; at += 1448, segment++) {
    const last = at + 1448 >= body.length
    const flags: TcpFields["flags"] = last ? ["psh", "ack"] : ["ack"]
    send("server", { flags }, body.slice(at, at + 1448))
    if (segment % 2 === 0 || last) send("client", {})
  }
  timeUs += c.rttUs
  send("client", { flags: ["fin", "ack"] })
  send("server", { flags: ["fin", "ack"] })
  send("client", {})
}
