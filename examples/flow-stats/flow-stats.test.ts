import { readFileSync } from "node:fs"
import {
  ethernet,
  icmp,
  ipv4,
  ipv4Fragments,
  ipv6,
  parseIpv4,
  readCapture,
  type TcpFlag,
  tcp,
  testBench,
  udp,
} from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./flow-stats.bpf.o", import.meta.url))
const { frames } = readCapture(
  readFileSync(new URL("../captures/mixed-small.pcap", import.meta.url)),
)

const FLOW_BEGINS = 0
const FLOW_ENDS = 1
const BOOT_NS = 1_000_000_000n

const be32 = (address: string): number => new DataView(parseIpv4(address).buffer).getUint32(0, true)

interface Stats {
  packets: bigint
  bytes: bigint
  first_ns: bigint
  last_ns: bigint
}

const key = (src: string, sport: number, dst: string, dport: number, protocol: number): object => ({
  saddr: be32(src),
  daddr: be32(dst),
  sport,
  dport,
  protocol,
  unused: new Uint8Array(3),
})

const tcpFrame = (flags: TcpFlag[], payload = ""): Uint8Array =>
  ethernet(
    {},
    ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, tcp({ srcPort: 4000, dstPort: 80, flags }, payload)),
  )
const tcpKey = key("10.0.0.1", 4000, "10.0.0.2", 80, 6)

describe("a TCP connection", () => {
  test("is reported at its first packet and at its end, with totals and times", () => {
    using bench = testBench(object)
    const sent = [tcpFrame(["syn"]), tcpFrame(["ack"], "GET /"), tcpFrame(["fin", "ack"])]
    for (const frame of sent) {
      expect(bench.send(frame).verdict).toBe("pass")
      bench.kernel.clock.advance(1_000n)
    }
    const bytes = BigInt(sent.reduce((sum, frame) => sum + frame.length, 0))
    const stats = { packets: 3n, bytes, first_ns: BOOT_NS, last_ns: BOOT_NS + 2_000n }
    expect(bench.maps.flows.get(tcpKey)).toEqual(stats)
    expect([...bench.maps.events.drain()]).toEqual([
      {
        kind: FLOW_BEGINS,
        flow: tcpKey,
        stats: { packets: 0n, bytes: 0n, first_ns: BOOT_NS, last_ns: 0n },
      },
      { kind: FLOW_ENDS, flow: tcpKey, stats },
    ])
  })

  test("that is reset ends too", () => {
    using bench = testBench(object)
    bench.send(tcpFrame(["rst"]))
    const kinds = [...bench.maps.events.drain()].map((event) => event.kind)
    expect(kinds).toEqual([FLOW_BEGINS, FLOW_ENDS])
  })
})

test("the two directions of a conversation are two flows", () => {
  using bench = testBench(object)
  const one = ipv4({ src: "10.0.0.1", dst: "10.0.0.3" }, udp({ srcPort: 5000, dstPort: 53 }, "?"))
  const other = ipv4({ src: "10.0.0.3", dst: "10.0.0.1" }, udp({ srcPort: 53, dstPort: 5000 }, "!"))
  bench.send(ethernet({}, one))
  bench.send(ethernet({}, other))
  bench.send(ethernet({}, one))
  expect(bench.maps.flows.get(key("10.0.0.1", 5000, "10.0.0.3", 53, 17)).packets).toBe(2n)
  expect(bench.maps.flows.get(key("10.0.0.3", 53, "10.0.0.1", 5000, 17)).packets).toBe(1n)
})

test("of a fragmented datagram the first fragment counts", () => {
  using bench = testBench(object)
  const fragments = ipv4Fragments(
    { src: "10.0.0.1", dst: "10.0.0.2" },
    udp({ srcPort: 7, dstPort: 9 }, "x".repeat(3000)),
    1500,
  ).map((one) => ethernet({}, one))
  for (const frame of fragments) bench.send(frame)
  const seen = bench.maps.flows.get(key("10.0.0.1", 7, "10.0.0.2", 9, 17))
  expect(seen).toMatchObject({ packets: 1n, bytes: BigInt(fragments[0].length) })
})

test("ICMP, IPv6 and cut frames pass uncounted", () => {
  using bench = testBench(object)
  const others = [
    ethernet({}, ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, icmp({ type: "echo-request" }))),
    ethernet({}, ipv6({ src: "::1", dst: "::2" }, udp({ srcPort: 1, dstPort: 2 }))),
    tcpFrame(["syn"]).slice(0, 53),
    tcpFrame(["syn"]).slice(0, 20),
  ]
  for (const frame of others) expect(bench.send(frame).verdict).toBe("pass")
  expect(bench.maps.flows.count()).toBe(0)
})

test("events that the ring buffer has no room for are counted, and the totals stay right", () => {
  using bench = testBench(object)
  // A record is 56 bytes and its header 8: 4,096 fit into 256 KiB.
  const sent = 5_000
  for (let i = 0; i < sent; i++) {
    const packet = udp({ srcPort: 1024 + i, dstPort: 53 })
    bench.send(ethernet({}, ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, packet)))
  }
  const kept = [...bench.maps.events.drain()].length
  expect(kept).toBeGreaterThan(4_000)
  expect(bench.globals.lost_events).toBe(BigInt(sent - kept))
  expect(bench.maps.flows.count()).toBe(sent)
})

test("over the capture, flows and events are those of a count in TypeScript", () => {
  using bench = testBench(object)
  const start = frames[0].timestampNs
  const flows = new Map<string, Stats>()
  const events: string[] = []
  for (const { data, timestampNs } of frames) {
    const now = BOOT_NS + timestampNs - start
    bench.kernel.clock.advance(now - bench.kernel.clock.now())
    expect(bench.send(data).verdict).toBe("pass")
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    if (data.length < 34 || view.getUint16(12) !== 0x0800) continue
    const at = 14 + (data[14] & 15) * 4
    const protocol = data[23]
    const size = protocol === 6 ? 20 : protocol === 17 ? 8 : Number.POSITIVE_INFINITY
    if (at < 34 || view.getUint16(20) & 0x1fff || data.length < at + size) continue
    const [src, dst] = [data.subarray(26, 30).join("."), data.subarray(30, 34).join(".")]
    const flow = `${src} ${view.getUint16(at)} ${dst} ${view.getUint16(at + 2)} ${protocol}`
    let stats = flows.get(flow)
    if (stats === undefined) {
      flows.set(flow, (stats = { packets: 0n, bytes: 0n, first_ns: now, last_ns: 0n }))
      events.push(`${FLOW_BEGINS} ${flow} 0`)
    }
    stats.packets++
    stats.bytes += BigInt(data.length)
    stats.last_ns = now
    // FIN or RST
    if (protocol === 6 && data[at + 13] & 5) events.push(`${FLOW_ENDS} ${flow} ${stats.packets}`)
  }
  const address = (be: number): string =>
    [be & 255, (be >>> 8) & 255, (be >>> 16) & 255, be >>> 24].join(".")
  const text = (f: { [name: string]: number }): string =>
    `${address(f.saddr)} ${f.sport} ${address(f.daddr)} ${f.dport} ${f.protocol}`
  const counted = new Map(
    [...bench.maps.flows].map(([flow, stats]: [{ [name: string]: number }, Stats]) => [
      text(flow),
      stats,
    ]),
  )
  expect(counted).toEqual(flows)
  const reported = [...bench.maps.events.drain()].map(
    ({ kind, flow, stats }) => `${kind} ${text(flow)} ${stats.packets}`,
  )
  expect(reported).toEqual(events)
  expect(bench.globals.lost_events).toBe(0n)
})
