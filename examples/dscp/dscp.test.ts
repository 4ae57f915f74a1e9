import { readFileSync } from "node:fs"
import {
  dissect,
  ethernet,
  findHeader,
  ipv4,
  ipv4Fragments,
  ipv6,
  type Layer,
  readCapture,
  tcp,
  testBench,
  udp,
  verifyChecksums,
  vlan,
} from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./dscp.bpf.o", import.meta.url))
const capture = readCapture(
  readFileSync(new URL("../captures/mixed-small.pcap", import.meta.url)),
).frames.map((frame) => frame.data)

/** DSCP 46, the ECN bits zero. */
const EF = 46 << 2
const addresses = { src: "10.0.0.1", dst: "10.0.0.2" }
const datagram = (srcPort: number, dstPort: number): Layer => udp({ srcPort, dstPort }, "payload")

function tos(frame: Uint8Array): number | undefined {
  return findHeader(dissect(frame), "ipv4")?.tos
}

/** The tos that a packet between these ports leaves with. */
function tosAfter(srcPort: number, dstPort: number, globals: Record<string, number> = {}): number {
  using bench = testBench(object, { globals })
  const { verdict, frame } = bench.send(ethernet({}, ipv4(addresses, datagram(srcPort, dstPort))))
  expect(verdict).toBe("pass")
  expect(verifyChecksums(frame).every(({ valid }) => valid)).toBe(true)
  return tos(frame) ?? -1
}

describe("which packets are voice", () => {
  test.each([
    [5060, EF],
    [5059, 0],
    [5061, 0],
    [9999, 0],
    [10000, EF],
    [15000, EF],
    [20000, EF],
    [20001, 0],
  ])("port %i, as destination or as source, leaves with tos %i", (port, expected) => {
    expect(tosAfter(40000, port)).toBe(expected)
    expect(tosAfter(port, 40000)).toBe(expected)
  })

  test("the range of RTP is set before loading", () => {
    const globals = { rtp_first: 30000, rtp_last: 30001 }
    expect([10000, 30000, 30001, 30002].map((port) => tosAfter(1, port, globals))).toEqual([
      0,
      EF,
      EF,
      0,
    ])
  })

  test("TCP and IPv6 are not marked", () => {
    using bench = testBench(object)
    const others = [
      ethernet({}, ipv4(addresses, tcp({ srcPort: 5060, dstPort: 5060 }))),
      ethernet({}, ipv6({ src: "2001:db8::1", dst: "2001:db8::2" }, datagram(5060, 5060))),
    ]
    for (const frame of others) expect(bench.send(frame).frame).toEqual(frame)
    expect(bench.globals.marked).toBe(0n)
  })
})

describe("what happens to the header", () => {
  test("every tos becomes EF with its own ECN bits, and the checksum is right", () => {
    using bench = testBench(object)
    let marked = 0n
    for (let old = 0; old < 256; old++) {
      const frame = ethernet({}, ipv4({ ...addresses, tos: old, id: old * 257 }, datagram(1, 5060)))
      const expected = ethernet(
        {},
        ipv4({ ...addresses, tos: EF | (old & 3), id: old * 257 }, datagram(1, 5060)),
      )
      expect(bench.send(frame).frame).toEqual(expected)
      if (old >> 2 !== 46) marked++
    }
    expect(bench.globals.marked).toBe(marked)
  })

  test("IP options are stepped over", () => {
    using bench = testBench(object)
    const options = new Uint8Array([1, 1, 1, 1, 1, 1, 1, 0])
    const { frame } = bench.send(ethernet({}, ipv4({ ...addresses, options }, datagram(1, 5060))))
    expect(tos(frame)).toBe(EF)
    expect(verifyChecksums(frame).map(({ valid }) => valid)).toEqual([true, true])
  })

  test("of a fragmented packet only the first fragment, which has the ports, is marked", () => {
    using bench = testBench(object)
    // In the later fragments the data looks like the ports of SIP.
    const data = new Uint8Array(3000).map((_, index) => [0x13, 0xc4][index % 2])
    const packet = udp({ srcPort: 5060, dstPort: 5060 }, data)
    const marks = ipv4Fragments(addresses, packet, 1500).map((one) =>
      tos(bench.send(ethernet({}, one)).frame),
    )
    expect(marks).toEqual([EF, 0, 0])
  })

  test("frames cut in the IPv4 or UDP header, and header lengths below 20, pass as they are", () => {
    using bench = testBench(object)
    const whole = ethernet({}, ipv4(addresses, datagram(1, 5060)))
    const short = ethernet({}, ipv4({ ...addresses, headerLength: 16 }, datagram(1, 5060)))
    for (const frame of [whole.slice(0, 33), whole.slice(0, 41), short])
      expect(bench.send(frame)).toMatchObject({ verdict: "pass", frame })
    expect(tos(bench.send(whole.slice(0, 42)).frame)).toBe(EF)
  })

  test("a VLAN tag is no obstacle: Linux takes it off before tc programs run", () => {
    using bench = testBench(object)
    const tagged = (fields: { tos: number }): Uint8Array =>
      ethernet({}, vlan({ id: 42 }, ipv4({ ...addresses, ...fields }, datagram(1, 5060))))
    expect(bench.send(tagged({ tos: 0 })).frame).toEqual(tagged({ tos: EF }))
    const doubled = ethernet(
      {},
      vlan({ id: 1, tpid: 0x88a8 }, vlan({ id: 42 }, ipv4(addresses, datagram(1, 5060)))),
    )
    expect(bench.send(doubled).frame).toEqual(doubled)
  })
})

test("in the capture, exactly the voice packets change, and only in tos and checksum", () => {
  using bench = testBench(object)
  let marked = 0n
  for (const frame of capture) {
    const after = bench.send(frame).frame
    const { headers } = dissect(frame)
    const tags = headers.filter(({ kind }) => kind === "vlan").length
    const ip = headers.find(({ kind }) => kind === "ipv4")
    const udpHeader = headers.find(({ kind }) => kind === "udp")
    const ports = udpHeader?.kind === "udp" ? [udpHeader.srcPort, udpHeader.dstPort] : []
    const voice = ports.some((port) => port === 5060 || (port >= 10000 && port <= 20000))
    if (ip?.kind !== "ipv4" || tags > 1 || !voice || ip.tos >> 2 === 46) {
      expect(after).toEqual(frame)
      continue
    }
    marked++
    const expected = frame.slice()
    expected[ip.offset + 1] = EF | (ip.tos & 3)
    expected.set(after.subarray(ip.offset + 10, ip.offset + 12), ip.offset + 10)
    expect(after).toEqual(expected)
    expect(verifyChecksums(after)[0].valid).toBe(verifyChecksums(frame)[0].valid)
  }
  expect(bench.globals.marked).toBe(marked)
  expect(marked).toBeGreaterThan(0n)
})
