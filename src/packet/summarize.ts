/** One line of text about a frame, in the manner of `tcpdump -n -S`. */

import { ICMP_TYPES, ICMPV6_TYPES, type TcpOption } from "./craft-transport.ts"
import { dissect } from "./dissect.ts"
import { parseTcpOptions } from "./dissect-transport.ts"
import type { ArpHeader, Dissection, Header, IcmpHeader, TcpHeader } from "./header.ts"
import { ETH_P_802_3_MIN, ipProtocolName, LINKTYPE_ETHERNET, TCP_FLAGS } from "./protocol.ts"

/** tcpdump's letters, in its order. */
const FLAG_LETTERS = [
  [TCP_FLAGS.fin, "F"],
  [TCP_FLAGS.syn, "S"],
  [TCP_FLAGS.rst, "R"],
  [TCP_FLAGS.psh, "P"],
  [TCP_FLAGS.ack, "."],
  [TCP_FLAGS.urg, "U"],
  [TCP_FLAGS.ece, "E"],
  [TCP_FLAGS.cwr, "W"],
] as const

/**
 * What a frame is: `IP 10.0.0.1.1234 > 10.0.0.2.80: Flags [S], seq 1, win 64240, length 0`.
 * What is missing or wrong stands at the end in brackets. Never throws.
 */
export function summarize(frame: Uint8Array, linkType: number = LINKTYPE_ETHERNET): string {
  return summarizeDissection(dissect(frame, linkType), frame.length)
}

/** {@link summarize} for a frame of `frameLength` bytes that is dissected already. */
export function summarizeDissection(dissection: Dissection, frameLength: number): string {
  const parts: string[] = []
  for (const [index, header] of dissection.headers.entries()) {
    const text = describeHeader(dissection, header, index)
    if (text !== "") parts.push(text)
  }
  if (parts.length === 0) parts.push(describeUnknown(dissection, frameLength))
  for (const { kind, message } of dissection.problems) parts.push(`[${kind}: ${message}]`)
  return parts.join(" ")
}

function describeUnknown({ headers, problems }: Dissection, frameLength: number): string {
  const link = headers[0]
  if (link?.kind === "ethernet" || link?.kind === "cooked") {
    const type = `0x${link.type.toString(16).padStart(4, "0")}`
    if (problems.length > 0) return `ethertype ${type}, length ${frameLength}`
    return link.type < ETH_P_802_3_MIN
      ? `802.3, length ${frameLength}`
      : `ethertype Unknown (${type}), length ${frameLength}`
  }
  return `frame of ${frameLength} bytes`
}

/** Ports belong to the line of the IP header before them, so transport headers add the rest. */
function describeHeader(dissection: Dissection, header: Header, index: number): string {
  switch (header.kind) {
    case "ethernet":
      return index === 0 ? "" : "Ethernet"
    case "cooked":
    case "ipv6-extension":
      return ""
    case "vlan":
      return `vlan ${header.id}${header.priority === 0 ? "" : `, p ${header.priority}`},`
    case "arp":
      return describeArp(header, dissection.payloadLength)
    case "ipv4":
    case "ipv6":
      return describeIp(dissection, header, index)
    case "ipv6-fragment":
      return describeFragment(header.id, header)
    case "tcp":
      return describeTcp(header, segmentLength(dissection, header))
    case "udp": {
      const said = header.datagramLength - 8
      return `UDP, length ${said < 0 ? dissection.payloadLength : said}`
    }
    case "icmp":
    case "icmpv6":
      return describeIcmp(header, segmentLength(dissection, header))
    case "gre":
      return `GREv0${header.key === null ? "" : `, key=0x${header.key.toString(16)}`}:`
    case "vxlan":
      return `VXLAN, vni ${header.vni}:`
    case "geneve":
      return `Geneve, vni 0x${header.vni.toString(16)}:`
  }
}

function describeIp(
  dissection: Dissection,
  header: Extract<Header, { kind: "ipv4" | "ipv6" }>,
  index: number,
): string {
  const rest = dissection.headers.slice(index + 1)
  const inner = rest.find((h) => h.kind !== "ipv6-extension" && h.kind !== "ipv6-fragment")
  const ports = inner?.kind === "tcp" || inner?.kind === "udp" ? inner : null
  const [from, to] = ports === null ? ["", ""] : [`.${ports.srcPort}`, `.${ports.dstPort}`]
  const name = header.kind === "ipv4" ? "IP" : "IP6"
  const line = `${name} ${header.src}${from} > ${header.dst}${to}:`
  if (header.kind === "ipv4" && (header.moreFragments || header.fragmentOffset > 0))
    return `${line} ${describeFragment(header.id, header)}`
  if (inner !== undefined) return line
  const last = rest.at(-1)
  const protocol =
    last?.kind === "ipv6-extension" || last?.kind === "ipv6-fragment"
      ? last.nextHeader
      : header.kind === "ipv4"
        ? header.protocol
        : header.nextHeader
  return `${line} ${ipProtocolName(protocol)}, length ${dissection.payloadLength}`
}

/** Bytes after a transport header, as the IP header around it says; those that are there if not. */
function segmentLength({ headers, payloadLength }: Dissection, header: Header): number {
  const ip = headers
    .slice(0, headers.indexOf(header))
    .findLast(({ kind }) => kind === "ipv4" || kind === "ipv6")
  const used = header.offset + header.length - (ip?.offset ?? 0)
  if (ip?.kind === "ipv4" && ip.totalLength >= used) return ip.totalLength - used
  if (ip?.kind === "ipv6" && ip.payloadLength + 40 >= used) return ip.payloadLength + 40 - used
  return payloadLength
}

function describeFragment(
  id: number,
  header: { fragmentOffset: number; moreFragments: boolean },
): string {
  const more = header.moreFragments ? "+" : ""
  return `(frag ${id}@${header.fragmentOffset}${more})`
}

function describeTcp(header: TcpHeader, payloadLength: number): string {
  const { flags, seq, ack } = header
  const letters = FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter)
  const parts = [`Flags [${letters.length === 0 ? "none" : letters.join("")}]`]
  if (payloadLength > 0) parts.push(`seq ${seq}:${(seq + payloadLength) >>> 0}`)
  else if ((flags & (TCP_FLAGS.syn | TCP_FLAGS.fin | TCP_FLAGS.rst)) !== 0) parts.push(`seq ${seq}`)
  if ((flags & TCP_FLAGS.ack) !== 0) parts.push(`ack ${ack}`)
  parts.push(`win ${header.window}`)
  if ((flags & TCP_FLAGS.urg) !== 0) parts.push(`urg ${header.urgentPointer}`)
  const options = parseTcpOptions(header.options)
  if (options.length > 0) parts.push(`options [${options.map(describeTcpOption).join(",")}]`)
  parts.push(`length ${payloadLength}`)
  return parts.join(", ")
}

function describeTcpOption(option: TcpOption): string {
  switch (option.kind) {
    case "end":
      return "eol"
    case "nop":
      return "nop"
    case "sack-permitted":
      return "sackOK"
    case "mss":
      return `mss ${option.value}`
    case "window-scale":
      return `wscale ${option.shift}`
    case "timestamps":
      return `TS val ${option.value} ecr ${option.echo}`
    case "sack":
      return `sack ${option.blocks.length} ${option.blocks.map(([l, r]) => `{${l}:${r}}`).join("")}`
    case "raw":
      return `option ${option.bytes[0]}`
  }
}

function nameOfType(types: Readonly<Record<string, number>>, type: number): string {
  const found = Object.entries(types).find(([, value]) => value === type)
  return found === undefined ? `type ${type}` : found[0].replace("-", " ")
}

function describeIcmp(header: IcmpHeader, payloadLength: number): string {
  const six = header.kind === "icmpv6"
  const name = nameOfType(six ? ICMPV6_TYPES : ICMP_TYPES, header.type)
  const echo = name.startsWith("echo")
  const detail = echo
    ? `, id ${header.rest >>> 16}, seq ${header.rest & 0xffff}`
    : header.code === 0
      ? ""
      : ` code ${header.code}`
  return `${six ? "ICMP6," : "ICMP"} ${name}${detail}, length ${payloadLength + header.length}`
}

function describeArp(header: ArpHeader, paddingLength: number): string {
  const length = `length ${header.length + paddingLength}`
  const { operation, senderIp, targetIp, senderMac } = header
  if (operation === 1 && senderIp !== null)
    return `ARP, Request who-has ${targetIp} tell ${senderIp}, ${length}`
  if (operation === 2 && senderIp !== null)
    return `ARP, Reply ${senderIp} is-at ${senderMac}, ${length}`
  return `ARP, operation ${operation}, ${length}`
}
