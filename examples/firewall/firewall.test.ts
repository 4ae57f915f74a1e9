import { readFileSync } from "node:fs"
import {
  arp,
  ethernet,
  ipv4,
  ipv4Fragments,
  ipv6,
  parseIpv4,
  readCapture,
  type TestBench,
  tcp,
  testBench,
  udp,
  vlan,
} from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./firewall.bpf.o", import.meta.url))
const capture = readCapture(
  readFileSync(new URL("../captures/mixed-small.pcap", import.meta.url)),
).frames.map((frame) => frame.data)

const blocklist: { key: string; value: number }[] = JSON.parse(
  readFileSync(new URL("./blocklist.json", import.meta.url), "utf8"),
)

/** A map key: the four bytes of an address, as the program has them in a register. */
const key = (address: string): number => new DataView(parseIpv4(address).buffer).getUint32(0, true)

const from = (src: string): Uint8Array =>
  ethernet({}, ipv4({ src, dst: "192.0.2.1" }, udp({ srcPort: 1, dstPort: 2 }, "data")))

interface Traffic {
  packets: bigint
  bytes: bigint
  dropped: bigint
}

/** The sum over the CPUs of what the firewall has counted for a source. */
function traffic(bench: TestBench, address: string): Traffic | undefined {
  const perCpu = bench.maps.sources.get(key(address)) as Traffic[] | undefined
  return perCpu?.reduce((sum, one) => ({
    packets: sum.packets + one.packets,
    bytes: sum.bytes + one.bytes,
    dropped: sum.dropped + one.dropped,
  }))
}

/** Source address of an IPv4 frame with at most one VLAN tag, read from the bytes; else null. */
function sourceOf(frame: Uint8Array): string | null {
  const type = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0)
  const tagged = type(12) === 0x8100 || type(12) === 0x88a8
  const ip = tagged ? 18 : 14
  if (type(ip - 2) !== 0x0800 || frame.length < ip + 20) return null
  return frame.subarray(ip + 12, ip + 16).join(".")
}

describe("the firewall on single frames", () => {
  test("passes what is not on the blocklist and drops what is", () => {
    using bench = testBench(object)
    bench.maps.blocklist.set(key("203.0.113.5"), 0n)
    expect(bench.send(from("203.0.113.4")).verdict).toBe("pass")
    expect(bench.send(from("203.0.113.5")).verdict).toBe("drop")
    expect(bench.send(from("203.0.113.5")).verdict).toBe("drop")
    expect(bench.maps.blocklist.get(key("203.0.113.5"))).toBe(2n)
    expect(bench.device.counters.xdp).toMatchObject({ drop: 2, pass: 1 })
  })

  test("counts packets, bytes and drops of every source", () => {
    using bench = testBench(object)
    bench.maps.blocklist.set(key("203.0.113.5"), 0n)
    const frame = from("203.0.113.5")
    bench.send(frame)
    bench.send(from("203.0.113.4"))
    bench.maps.blocklist.delete(key("203.0.113.5"))
    bench.send(frame)
    const bytes = 2n * BigInt(frame.length)
    expect(traffic(bench, "203.0.113.5")).toEqual({ packets: 2n, bytes, dropped: 1n })
    expect(traffic(bench, "203.0.113.4")?.dropped).toBe(0n)
    expect(traffic(bench, "203.0.113.3")).toBeUndefined()
  })

  test("looks behind one VLAN tag, of either kind, and not behind two", () => {
    using bench = testBench(object)
    bench.maps.blocklist.set(key("203.0.113.5"), 0n)
    const packet = ipv4({ src: "203.0.113.5", dst: "192.0.2.1" }, tcp({ srcPort: 1, dstPort: 2 }))
    expect(bench.send(ethernet({}, vlan({ id: 42 }, packet))).verdict).toBe("drop")
    expect(bench.send(ethernet({}, vlan({ id: 42, tpid: 0x88a8 }, packet))).verdict).toBe("drop")
    const doubled = ethernet({}, vlan({ id: 100, tpid: 0x88a8 }, vlan({ id: 7 }, packet)))
    expect(bench.send(doubled).verdict).toBe("pass")
    expect(bench.globals.other_packets).toBe(1n)
  })

  test("drops every fragment, and packets with IP options", () => {
    using bench = testBench(object)
    bench.maps.blocklist.set(key("203.0.113.5"), 0n)
    const fields = { src: "203.0.113.5", dst: "192.0.2.1" }
    const fragments = ipv4Fragments(fields, udp({ srcPort: 1, dstPort: 2 }, "x".repeat(3000)), 1500)
    expect(fragments).toHaveLength(3)
    for (const one of fragments) expect(bench.send(ethernet({}, one)).verdict).toBe("drop")
    const options = new Uint8Array([7, 7, 4, 0, 0, 0, 0, 0])
    expect(bench.send(ethernet({}, ipv4({ ...fields, options }))).verdict).toBe("drop")
  })

  test("passes ARP, IPv6 and frames cut before the end of the IPv4 header", () => {
    using bench = testBench(object)
    bench.maps.blocklist.set(key("203.0.113.5"), 0n)
    const others = [
      ethernet({}, arp({ senderIp: "203.0.113.5", targetIp: "192.0.2.1" })),
      ethernet({}, ipv6({ src: "2001:db8::1", dst: "2001:db8::2" })),
      from("203.0.113.5").slice(0, 14 + 19),
      ethernet({}, vlan({ id: 1 }, new Uint8Array(0))).slice(0, 17),
    ]
    for (const frame of others) expect(bench.send(frame).verdict).toBe("pass")
    expect(bench.globals.other_packets).toBe(BigInt(others.length))
    expect(bench.maps.sources.count()).toBe(0)
  })
})

test("with the blocklist of the README, the capture shows what a plain count shows", () => {
  using bench = testBench(object, { cpus: 2 })
  const blocked = blocklist.map((entry) => entry.key)
  for (const address of blocked) bench.maps.blocklist.set(key(address), 0n)
  const expected = new Map<string, Traffic>()
  let others = 0n
  for (const frame of capture) {
    const source = sourceOf(frame)
    const dropped = source !== null && blocked.includes(source)
    expect(bench.send(frame).verdict).toBe(dropped ? "drop" : "pass")
    if (source === null) {
      others++
      continue
    }
    const seen = expected.get(source) ?? { packets: 0n, bytes: 0n, dropped: 0n }
    seen.packets++
    seen.bytes += BigInt(frame.length)
    if (dropped) seen.dropped++
    expected.set(source, seen)
  }
  expect(bench.globals.other_packets).toBe(others)
  expect(bench.maps.sources.count()).toBe(expected.size)
  for (const [source, counts] of expected) expect(traffic(bench, source)).toEqual(counts)
  for (const address of blocked)
    expect(bench.maps.blocklist.get(key(address))).toBe(expected.get(address)?.dropped ?? 0n)
})
