/** The flow that a frame belongs to: protocol, addresses and ports, for grouping and for tables. */

import { dissect } from "./dissect.ts"
import type { Dissection } from "./header.ts"
import { ipProtocolName, LINKTYPE_ETHERNET } from "./protocol.ts"

export interface Flow {
  readonly family: 4 | 6
  /** The protocol after all IPv6 extension headers. */
  readonly protocol: number
  readonly src: string
  readonly dst: string
  /** `null` when the protocol has no ports, or a fragment or a cut frame does not show them. */
  readonly srcPort: number | null
  readonly dstPort: number | null
}

/** The flow of a frame's outermost IP header; `null` when it has none. */
export function flowOf(frame: Uint8Array, linkType: number = LINKTYPE_ETHERNET): Flow | null {
  return flowOfDissection(dissect(frame, linkType))
}

/** {@link flowOf} for a frame that is dissected already. */
export function flowOfDissection({ headers }: Dissection): Flow | null {
  const index = headers.findIndex(({ kind }) => kind === "ipv4" || kind === "ipv6")
  const ip = headers[index]
  if (ip === undefined || (ip.kind !== "ipv4" && ip.kind !== "ipv6")) return null
  const family = ip.kind === "ipv4" ? 4 : 6
  let protocol = ip.kind === "ipv4" ? ip.protocol : ip.nextHeader
  for (const header of headers.slice(index + 1)) {
    if (header.kind === "ipv6-extension" || header.kind === "ipv6-fragment") {
      protocol = header.nextHeader
    } else {
      if (header.kind !== "tcp" && header.kind !== "udp") break
      const { srcPort, dstPort } = header
      return { family, protocol, src: ip.src, dst: ip.dst, srcPort, dstPort }
    }
  }
  return { family, protocol, src: ip.src, dst: ip.dst, srcPort: null, dstPort: null }
}

/** The same flow in the other direction. */
export function reverseFlow(flow: Flow): Flow {
  const { src, dst, srcPort, dstPort } = flow
  return { ...flow, src: dst, dst: src, srcPort: dstPort, dstPort: srcPort }
}

function endpoint(family: 4 | 6, address: string, port: number | null): string {
  if (port === null) return address
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`
}

/** A map key that people can read: `tcp 10.0.0.1:1234 > 10.0.0.2:80`. */
export function flowKey(flow: Flow): string {
  const from = endpoint(flow.family, flow.src, flow.srcPort)
  const to = endpoint(flow.family, flow.dst, flow.dstPort)
  return `${ipProtocolName(flow.protocol)} ${from} > ${to}`
}

/** As {@link flowKey}, but the same for both directions: `udp 10.0.0.1:53 <> 10.0.0.2:5353`. */
export function conversationKey(flow: Flow): string {
  const ends = [
    endpoint(flow.family, flow.src, flow.srcPort),
    endpoint(flow.family, flow.dst, flow.dstPort),
  ].sort()
  return `${ipProtocolName(flow.protocol)} ${ends[0]} <> ${ends[1]}`
}
