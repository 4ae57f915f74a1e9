/**
 * Writes examples/captures/mixed-small.pcap: ten seconds of a small office network and what
 * comes at it from outside, told in examples/captures/README.md. The same bytes on every run.
 *
 *   node --import tsx scripts/make-captures.ts
 */

import { writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import {
  arp,
  ethernet,
  type FrameToWrite,
  hopByHop,
  icmp,
  icmpv6,
  ipv4,
  ipv4Fragments,
  ipv6,
  parseIpv6,
  tcp,
  udp,
  vlan,
  writePcap,
} from "../src/packet/index.ts"
import { connection, lastByte, macOf, ROUTER, type Tag, Wire } from "./captures/wire.ts"

const WEB = "10.77.0.2"
const DNS = "10.77.0.3"
const SIP = "10.77.0.4"
const FLOODER = "10.77.0.19"
const WEB6 = "2001:db8:77::2"

function httpRequest(path: string, host: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n`
}

/** Four clients load pages of the web server all the time; two of them over IPv6 as well. */
function webTraffic(wire: Wire): void {
  const paths = ["/", "/style.css", "/app.js", "/logo.png", "/api/status", "/health"]
  const load = (timeUs: number, client: string, server: string): void => {
    const path = paths[wire.random.below(paths.length)]
    const responseSize = 400 + wire.random.below(14_000)
    const request = httpRequest(path, "www.example.test")
    connection(wire, timeUs, { client, server, port: 80, request, responseSize, rttUs: 180 })
  }
  for (let i = 0; i < 26; i++)
    load(120_000 + i * 375_000 + wire.random.below(90_000), `10.77.0.${10 + (i % 4)}`, WEB)
  for (let i = 0; i < 5; i++) load(700_000 + i * 1_900_000, `2001:db8:77::${10 + (i % 2)}`, WEB6)
}

/** A query for an A record and its answer (RFC 1035 §4.1). */
function dnsMessage(id: number, name: string, answer: readonly number[] | null): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)])
  const question = [...labels, 0, 0, 1, 0, 1]
  const counts = [0, 1, 0, answer === null ? 0 : 1, 0, 0, 0, 0]
  const flags = answer === null ? [0x01, 0x00] : [0x81, 0x80]
  const record = answer === null ? [] : [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer]
  return Uint8Array.from([id >> 8, id & 255, ...flags, ...counts, ...question, ...record])
}

function dnsTraffic(wire: Wire): void {
  const names = ["www.example.test", "sip.example.test", "time.example.test", "cdn.example.test"]
  for (let i = 0; i < 44; i++) {
    const timeUs = 90_000 + i * 222_000 + wire.random.below(60_000)
    const client = `10.77.0.${10 + wire.random.below(6)}`
    const srcPort = 40_000 + wire.random.below(20_000)
    const id = wire.random.below(65_536)
    const name = names[i % names.length]
    wire.ip(timeUs, client, DNS, udp({ srcPort, dstPort: 53 }, dnsMessage(id, name, null)))
    const answer = dnsMessage(id, name, [10, 77, 0, 2 + (i % 3)])
    wire.ip(timeUs + 350, DNS, client, udp({ srcPort: 53, dstPort: srcPort }, answer))
  }
}

interface Call {
  readonly caller: string
  readonly callee: string
  readonly startUs: number
  readonly talkUs: number
  readonly ports: readonly [caller: number, callee: number]
}

function sipMessage(first: string, call: Call, method: string): string {
  const lines = [
    first,
    `Via: SIP/2.0/UDP ${call.caller}:5060;branch=z9hG4bK${call.startUs}`,
    `From: <sip:${lastByte(call.caller)}@example.test>;tag=${call.ports[0]}`,
    `To: <sip:${lastByte(call.callee)}@example.test>`,
    `Call-ID: ${call.startUs}@${call.caller}`,
    `CSeq: 1 ${method}`,
    "Content-Length: 0",
  ]
  return `${lines.join("\r\n")}\r\n\r\n`
}

/** RTP version 2 of payload type 0 (G.711): 20 ms of 160 bytes (RFC 3550 §5.1). */
function rtpPacket(sequence: number, source: number): Uint8Array {
  const packet = new Uint8Array(172).fill(0x7f ^ (sequence & 31), 12)
  const view = new DataView(packet.buffer)
  view.setUint16(0, 0x8000)
  view.setUint16(2, sequence)
  view.setUint32(4, sequence * 160)
  view.setUint32(8, source)
  return packet
}

/** A call is set up through the proxy, then both ends talk directly, marked "expedited" (EF). */
function phoneCall(wire: Wire, call: Call): void {
  const signal = (timeUs: number, src: string, dst: string, first: string, method: string) => {
    const message = sipMessage(first, call, method)
    wire.ip(timeUs, src, dst, udp({ srcPort: 5060, dstPort: 5060 }, message), 0x60)
  }
  const { caller, callee, startUs } = call
  const invite = `INVITE sip:${lastByte(callee)}@example.test SIP/2.0`
  const answered = startUs + 400_000
  const end = answered + call.talkUs
  signal(startUs, caller, SIP, invite, "INVITE")
  signal(startUs + 700, SIP, caller, "SIP/2.0 100 Trying", "INVITE")
  signal(startUs + 900, SIP, callee, invite, "INVITE")
  signal(startUs + 80_000, callee, SIP, "SIP/2.0 180 Ringing", "INVITE")
  signal(startUs + 80_600, SIP, caller, "SIP/2.0 180 Ringing", "INVITE")
  signal(answered, callee, SIP, "SIP/2.0 200 OK", "INVITE")
  signal(answered + 600, SIP, caller, "SIP/2.0 200 OK", "INVITE")
  signal(answered + 1500, caller, callee, `ACK sip:${lastByte(callee)}@example.test SIP/2.0`, "ACK")
  for (let timeUs = answered + 5000, sequence = 1; timeUs < end; timeUs += 20_000, sequence++) {
    const [a, b] = call.ports
    const jitterUs = wire.random.below(900)
    const there = udp({ srcPort: a, dstPort: b }, rtpPacket(sequence, 0x1000 + a))
    const back = udp({ srcPort: b, dstPort: a }, rtpPacket(sequence, 0x1000 + b))
    wire.ip(timeUs + jitterUs, caller, callee, there, 0xb8)
    wire.ip(timeUs + jitterUs + 7000, callee, caller, back, 0xb8)
  }
  signal(end, caller, callee, `BYE sip:${lastByte(callee)}@example.test SIP/2.0`, "BYE")
  signal(end + 800, callee, caller, "SIP/2.0 200 OK", "BYE")
}

function voiceTraffic(wire: Wire): void {
  const a = { caller: "10.77.0.14", callee: "10.77.0.15" }
  const b = { caller: "10.77.0.12", callee: "10.77.0.13" }
  phoneCall(wire, { ...a, startUs: 1_000_000, talkUs: 3_000_000, ports: [12_000, 14_020] })
  phoneCall(wire, { ...b, startUs: 6_100_000, talkUs: 2_400_000, ports: [16_384, 19_998] })
}

/** Address resolution, pings, and the chatter of IPv6. */
function housekeeping(wire: Wire): void {
  const broadcast = "ff:ff:ff:ff:ff:ff"
  for (let i = 0; i < 6; i++) {
    const senderIp = `10.77.0.${10 + i}`
    const targetIp = i % 2 === 0 ? ROUTER : WEB
    const senderMac = macOf(senderIp)
    const ask = arp({ senderMac, senderIp, targetIp })
    wire.raw(20_000 + i * 31_000, ethernet({ src: senderMac, dst: broadcast, padTo: 60 }, ask))
    const [src, dst] = [macOf(targetIp), senderMac]
    const reply = { senderMac: src, senderIp: targetIp, targetMac: dst, targetIp: senderIp }
    const answer = arp({ operation: "reply", ...reply })
    wire.raw(20_240 + i * 31_000, ethernet({ src, dst, padTo: 60 }, answer))
  }
  const data = Uint8Array.from({ length: 48 }, (_, i) => 0x10 + i)
  for (let seq = 1; seq <= 10; seq++) {
    const timeUs = 300_000 + seq * 900_000
    const id = 0x77
    wire.ip(timeUs, "10.77.0.11", ROUTER, icmp({ type: "echo-request", id, seq }, data))
    wire.ip(timeUs + 410, ROUTER, "10.77.0.11", icmp({ type: "echo-reply", id, seq }, data))
    const [here, there] = ["2001:db8:77::10", WEB6]
    wire.ip(timeUs + 2000, here, there, icmpv6({ type: "echo-request", id, seq }, data))
    wire.ip(timeUs + 2380, there, here, icmpv6({ type: "echo-reply", id, seq }, data))
  }
  neighbours(wire)
}

function neighbours(wire: Wire): void {
  for (const [i, client] of ["2001:db8:77::10", "2001:db8:77::11"].entries()) {
    const timeUs = 640_000 + i * 15_000
    const target = parseIpv6(WEB6)
    const solicited = "ff02::1:ff00:2"
    const ask = icmpv6({ type: "neighbor-solicitation" }, target)
    const link = { src: macOf(client), dst: "33:33:ff:00:00:02" }
    wire.raw(timeUs, ethernet(link, ipv6({ src: client, dst: solicited, hopLimit: 255 }, ask)))
    const answer = icmpv6({ type: "neighbor-advertisement", rest: 0x60000000 }, target)
    const back = { src: macOf(WEB6), dst: macOf(client) }
    wire.raw(timeUs + 200, ethernet(back, ipv6({ src: WEB6, dst: client, hopLimit: 255 }, answer)))
    const routerAlert = Uint8Array.of(5, 2, 0, 0)
    const report = icmpv6({ type: "listener-report" }, parseIpv6(solicited))
    const listener = ipv6(
      { src: client, dst: solicited, hopLimit: 1 },
      hopByHop({ options: routerAlert }, report),
    )
    wire.raw(timeUs + 3000, ethernet(link, listener))
  }
}

/** Sensors in VLAN 42 report to a broker; one customer's frames cross with two tags. */
function taggedTraffic(wire: Wire): void {
  const tag: Tag = (packet) => vlan({ id: 42, priority: 2 }, packet)
  for (let i = 0; i < 24; i++) {
    const reading = `{"sensor":${i % 6},"celsius":${(20 + wire.random.below(50) / 10).toFixed(1)}}`
    const timeUs = 400_000 + i * 390_000
    const report = udp({ srcPort: 5683, dstPort: 5683 }, reading)
    wire.ip(timeUs, `10.42.0.${20 + (i % 6)}`, "10.42.0.2", report, 0, tag)
  }
  const request = httpRequest("/firmware", "broker.example.test")
  const download = { client: "10.42.0.20", server: "10.42.0.2", port: 8080, request, rttUs: 900 }
  connection(wire, 3_300_000, { ...download, responseSize: 6000, tag })
  const twoTags: Tag = (packet) => vlan({ id: 100, tpid: 0x88a8 }, vlan({ id: 7 }, packet))
  for (let i = 0; i < 6; i++) {
    const message = udp({ srcPort: 7000, dstPort: 7001 }, `customer frame ${i}`)
    wire.ip(2_000_000 + i * 1_100_000, "10.42.0.7", "10.42.0.8", message, 0, twoTags)
  }
}

/** From 4.8 s to 5.6 s one host floods the web server with the smallest UDP packets there are. */
function flood(wire: Wire): void {
  for (let i = 0; i < 520; i++) {
    const srcPort = 1024 + wire.random.below(64_000)
    const dstPort = 1 + wire.random.below(65_000)
    const timeUs = 4_800_000 + i * 1540 + wire.random.below(300)
    wire.ip(timeUs, FLOODER, WEB, udp({ srcPort, dstPort }, "x"))
  }
}

/** Two prefixes that a firewall should know: a port scan, and a client that never gives up. */
function unwelcome(wire: Wire): void {
  const ports = [21, 22, 23, 25, 80, 110, 139, 443, 445, 1433, 3306, 3389, 5432, 6379, 8080, 9200]
  for (let i = 0; i < 64; i++) {
    const src = `203.0.113.${5 + (i % 4) * 60}`
    const timeUs = 2_300_000 + i * 71_000 + wire.random.below(9000)
    const dstPort = ports[i % ports.length]
    const srcPort = 50_000 + i
    const seq = wire.random.below(2 ** 32)
    wire.ip(timeUs, src, WEB, tcp({ srcPort, dstPort, seq, flags: ["syn"], window: 1024 }))
    if (dstPort === 80) {
      const open = { seq: 1, ack: (seq + 1) >>> 0, flags: ["syn", "ack"] } as const
      wire.ip(timeUs + 60, WEB, src, tcp({ srcPort: dstPort, dstPort: srcPort, ...open }))
      const reset = { seq: (seq + 1) >>> 0, flags: ["rst"], window: 0 } as const
      wire.ip(timeUs + 12_000, src, WEB, tcp({ srcPort, dstPort, ...reset }))
    } else {
      const closed = { ack: (seq + 1) >>> 0, flags: ["rst", "ack"], window: 0 } as const
      wire.ip(timeUs + 60, WEB, src, tcp({ srcPort: dstPort, dstPort: srcPort, ...closed }))
    }
  }
  const attacker = "198.51.100.7"
  for (let i = 0; i < 5; i++) {
    const request = httpRequest(`/admin/login?try=${i}`, "www.example.test")
    const attempt = { client: attacker, server: WEB, port: 80, request, responseSize: 180 }
    connection(wire, 1_500_000 + i * 1_600_000, { ...attempt, rttUs: 21_000 })
  }
  for (let i = 0; i < 12; i++)
    wire.ip(8_000_000 + i * 90_000, attacker, DNS, udp({ srcPort: 4444, dstPort: 53 }, "\0\x01?"))
}

/** Datagrams too long for one frame, and what an unreachable port answers. */
function fragments(wire: Wire): void {
  for (let i = 0; i < 4; i++) {
    const [src, dst] = ["10.77.0.13", WEB]
    const fields = { src, dst, id: wire.nextId(src) }
    const datagram = udp({ srcPort: 2049, dstPort: 2049 }, "backup ".repeat(560))
    ipv4Fragments(fields, datagram, 1500).forEach((fragment, part) => {
      const link = { src: macOf(src), dst: macOf(dst), padTo: 60 }
      wire.raw(2_600_000 + i * 1_500_000 + part * 30, ethernet(link, fragment))
    })
    const original = ipv4(fields, udp({ srcPort: 2049, dstPort: 2049, length: 3928 }, ""))
    const unreachable = icmp({ type: "unreachable", code: 3 }, original)
    wire.ip(2_600_400 + i * 1_500_000, dst, src, unreachable, 0xc0)
  }
}

/** A dozen frames that no correct sender makes, one each 0.7 s: parsers must survive them. */
function malformed(wire: Wire): void {
  const [src, dst] = ["203.0.113.66", WEB]
  const link = { src: macOf(src), dst: macOf(dst) }
  const syn = tcp({ srcPort: 666, dstPort: 80, flags: ["syn"] })
  const whole = ethernet(link, ipv4({ src, dst }, syn))
  const frames = [
    whole.subarray(0, 24),
    whole.subarray(0, 42),
    whole.subarray(0, 9),
    ethernet(link, ipv4({ src, dst, headerLength: 12 }, syn)),
    ethernet(link, ipv4({ src, dst, totalLength: 900 }, syn)),
    ethernet(link, ipv4({ src, dst, version: 5 }, syn)),
    ethernet(link, ipv4({ src, dst, checksum: 0xbad0 }, syn)),
    ethernet(link, ipv4({ src, dst }, tcp({ srcPort: 666, dstPort: 80, headerLength: 8 }))),
    ethernet(link, ipv4({ src, dst }, tcp({ srcPort: 666, dstPort: 80, flags: 0xff }))),
    ethernet(link, ipv4({ src, dst }, udp({ srcPort: 666, dstPort: 53, length: 4 }, "short"))),
    ethernet(link, ipv4({ src: dst, dst }, syn)),
    ethernet(link, vlan({ id: 42, type: 0x8100 }, new Uint8Array(2))),
  ]
  frames.forEach((frame, index) => {
    wire.raw(900_000 + index * 700_000, frame)
  })
  const ipv6Cut = ethernet(link, ipv6({ src: "2001:db8:bad::1", dst: WEB6 }, syn)).subarray(0, 53)
  wire.raw(9_400_000, ipv6Cut)
  // The last ones are sound, but the capture kept only their first 96 bytes.
  for (let i = 0; i < 4; i++) {
    const answer = tcp({ srcPort: 80, dstPort: 40_000, seq: 1 + i * 1448 }, "z".repeat(1448))
    const client = "10.77.0.12"
    const packet = ipv4({ src: WEB, dst: client }, answer)
    const cut = ethernet({ src: macOf(WEB), dst: macOf(client) }, packet)
    wire.raw(9_600_000 + i * 40_000, cut.subarray(0, 96), cut.length)
  }
}

/** The frames of mixed-small.pcap, in order of time. */
export function mixedSmall(): FrameToWrite[] {
  const wire = new Wire()
  const parts = [housekeeping, webTraffic, dnsTraffic, voiceTraffic, taggedTraffic]
  for (const part of [...parts, flood, unwelcome, fragments, malformed]) part(wire)
  return wire.frames()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..")
  const path = join(root, "examples/captures/mixed-small.pcap")
  const frames = mixedSmall()
  const bytes = writePcap(frames)
  writeFileSync(path, bytes)
  console.log(`${path}: ${frames.length} frames, ${bytes.length} bytes`)
}
