import { readFileSync } from "node:fs"
import {
  ethernet,
  icmp,
  ipv4,
  ipv4Fragments,
  ipv6,
  type Layer,
  readCapture,
  type TestBench,
  tcp,
  testBench,
  udp,
  vlan,
} from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./port-drop.bpf.o", import.meta.url))
const capture = readCapture(
  readFileSync(new URL("../captures/mixed-small.pcap", import.meta.url)),
).frames.map((frame) => frame.data)

const TCP = 6
const UDP = 17
const addresses = { src: "10.0.0.1", dst: "10.0.0.2" }

const port = (protocol: number, number: number): object => ({ number, protocol, unused: 0 })

/** A bench on which these ports are closed. */
function closing(...ports: [protocol: number, number: number][]): TestBench {
  const bench = testBench(object)
  for (const [protocol, number] of ports) bench.maps.closed_ports.set(port(protocol, number), 0n)
  return bench
}

const frame = (packet: Layer, fields = {}): Uint8Array =>
  ethernet({}, ipv4({ ...addresses, ...fields }, packet))
const segment = (dstPort: number): Layer => tcp({ srcPort: 443, dstPort }, "data")
const datagram = (dstPort: number): Layer => udp({ srcPort: 443, dstPort }, "data")

describe("closed ports", () => {
  test("are dropped for their protocol only, and each drop is counted", () => {
    using bench = closing([TCP, 23], [UDP, 53])
    expect(bench.send(frame(segment(23))).verdict).toBe("drop")
    expect(bench.send(frame(segment(53))).verdict).toBe("pass")
    expect(bench.send(frame(datagram(53))).verdict).toBe("drop")
    expect(bench.send(frame(datagram(23))).verdict).toBe("pass")
    expect(bench.send(frame(datagram(53))).verdict).toBe("drop")
    expect(bench.maps.closed_ports.get(port(TCP, 23))).toBe(1n)
    expect(bench.maps.closed_ports.get(port(UDP, 53))).toBe(2n)
  })

  test("are destination ports: answers from them pass", () => {
    using bench = closing([TCP, 443], [UDP, 443])
    expect(bench.send(frame(segment(50000))).verdict).toBe("pass")
    expect(bench.send(frame(datagram(50000))).verdict).toBe("pass")
  })

  test("are found behind IP options", () => {
    using bench = closing([TCP, 23])
    const options = new Uint8Array(40).fill(1)
    expect(bench.send(frame(segment(23), { options })).verdict).toBe("drop")
  })

  test("are seen in the first fragment only", () => {
    using bench = closing([UDP, 53])
    // Data that would read as port 53 in every fragment.
    const packet = udp(
      { srcPort: 53, dstPort: 53 },
      new Uint8Array(3000).map((_, i) => (i % 2) * 53),
    )
    const verdicts = ipv4Fragments(addresses, packet, 1500).map(
      (one) => bench.send(ethernet({}, one)).verdict,
    )
    expect(verdicts).toEqual(["drop", "pass", "pass"])
  })
})

describe("tail calls", () => {
  test("that find no parser return to the entry program, which passes", () => {
    using bench = closing([TCP, 23])
    expect(bench.send(frame(icmp({ type: "echo-request" }))).verdict).toBe("pass")
    bench.maps.parsers.delete(TCP)
    expect(bench.send(frame(segment(23))).verdict).toBe("pass")
    expect(bench.maps.closed_ports.get(port(TCP, 23))).toBe(0n)
  })

  test("go where the map says at that moment", () => {
    using bench = closing([UDP, 23])
    // TCP parsed as UDP: the ports lie at the same place, the protocol of the verdict differs.
    bench.maps.parsers.set(TCP, bench.programs.drop_udp)
    expect(bench.send(frame(segment(23))).verdict).toBe("drop")
  })
})

test("what cannot be judged passes: cut headers, IPv6, tags, header lengths below 20", () => {
  using bench = closing([TCP, 23], [UDP, 53])
  const whole = frame(segment(23))
  const others = [
    whole.slice(0, 33),
    whole.slice(0, 14 + 20 + 19),
    frame(datagram(53)).slice(0, 14 + 20 + 7),
    frame(segment(23), { headerLength: 16 }),
    ethernet({}, ipv6({ src: "2001:db8::1", dst: "2001:db8::2" }, segment(23))),
    ethernet({}, vlan({ id: 5 }, ipv4(addresses, segment(23)))),
  ]
  for (const one of others) expect(bench.send(one).verdict).toBe("pass")
  expect(bench.send(whole.slice(0, 14 + 20 + 20)).verdict).toBe("drop")
})

test("over the capture, drops are those of a parser written in TypeScript", () => {
  interface Entry {
    key: { number: number; protocol: number }
  }
  const closed: Entry[] = JSON.parse(
    readFileSync(new URL("./closed-ports.json", import.meta.url), "utf8"),
  )
  using bench = closing(...closed.map(({ key }): [number, number] => [key.protocol, key.number]))
  const drops = closed.map(() => 0n)
  for (const bytes of capture) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let found = -1
    if (bytes.length >= 34 && view.getUint16(12) === 0x0800) {
      const headerSize = (bytes[14] & 15) * 4
      const protocol = bytes[23]
      const size = protocol === TCP ? 20 : protocol === UDP ? 8 : Number.POSITIVE_INFINITY
      const laterFragment = (view.getUint16(20) & 0x1fff) !== 0
      if (headerSize >= 20 && !laterFragment && bytes.length >= 14 + headerSize + size) {
        const number = view.getUint16(14 + headerSize + 2)
        found = closed.findIndex(({ key }) => key.protocol === protocol && key.number === number)
      }
    }
    if (found >= 0) drops[found]++
    expect(bench.send(bytes).verdict).toBe(found >= 0 ? "drop" : "pass")
  }
  for (const [index, { key }] of closed.entries()) {
    expect(drops[index]).toBeGreaterThan(0n)
    expect(bench.maps.closed_ports.get(port(key.protocol, key.number))).toBe(drops[index])
  }
})
