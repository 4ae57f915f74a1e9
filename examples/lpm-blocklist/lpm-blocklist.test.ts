import { readFileSync } from "node:fs"
import {
  ethernet,
  hopByHop,
  inPrefix,
  ipv4,
  ipv4Fragments,
  ipv6,
  parseIp,
  parsePrefix,
  readCapture,
  type TestBench,
  tcp,
  testBench,
  udp,
  vlan,
} from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./lpm-blocklist.bpf.o", import.meta.url))
const capture = readCapture(
  readFileSync(new URL("../captures/mixed-small.pcap", import.meta.url)),
).frames.map((frame) => frame.data)

const ALLOW = 0
const DENY = 1

/** Adds a rule to the trie of its family. */
function rule(bench: TestBench, prefix: string, verdict: number): void {
  const { address, length } = parsePrefix(prefix)
  const map = address.length === 4 ? bench.maps.ipv4_rules : bench.maps.ipv6_rules
  map.set({ prefix_length: length, address }, { verdict, hits: 0 })
}

function hits(bench: TestBench, prefix: string): number {
  const { address, length } = parsePrefix(prefix)
  const map = address.length === 4 ? bench.maps.ipv4_rules : bench.maps.ipv6_rules
  // A lookup finds the longest prefix of the key: with its own length, the entry itself.
  return map.get({ prefix_length: length, address }).hits
}

const packet = udp({ srcPort: 1, dstPort: 2 }, "data")
const from = (src: string): Uint8Array =>
  src.includes(":")
    ? ethernet({}, ipv6({ src, dst: "2001:db8:ffff::1" }, packet))
    : ethernet({}, ipv4({ src, dst: "192.0.2.1" }, packet))

describe("rules", () => {
  test("without rules everything passes", () => {
    using bench = testBench(object)
    expect(bench.send(from("10.1.2.3")).verdict).toBe("pass")
    expect(bench.send(from("2001:db8::1")).verdict).toBe("pass")
  })

  test("a network is blocked up to its last address and no further", () => {
    using bench = testBench(object)
    rule(bench, "10.1.0.0/19", DENY)
    expect(bench.send(from("10.1.0.0")).verdict).toBe("drop")
    expect(bench.send(from("10.1.31.255")).verdict).toBe("drop")
    expect(bench.send(from("10.1.32.0")).verdict).toBe("pass")
    expect(bench.send(from("10.0.255.255")).verdict).toBe("pass")
    expect(hits(bench, "10.1.0.0/19")).toBe(2)
  })

  test("a longer prefix makes an exception, whatever the order of the rules", () => {
    for (const prefixes of [
      ["10.0.0.0/8", "10.7.0.0/16", "10.7.0.9"],
      ["10.7.0.9", "10.7.0.0/16", "10.0.0.0/8"],
    ]) {
      using bench = testBench(object)
      for (const prefix of prefixes) rule(bench, prefix, prefix === "10.7.0.0/16" ? ALLOW : DENY)
      expect(bench.send(from("10.8.0.1")).verdict).toBe("drop")
      expect(bench.send(from("10.7.0.1")).verdict).toBe("pass")
      expect(bench.send(from("10.7.0.9")).verdict).toBe("drop")
      expect(prefixes.map((prefix) => hits(bench, prefix))).toEqual([1, 1, 1])
    }
  })

  test("IPv6 has rules of its own, and 0.0.0.0/0 says nothing about it", () => {
    using bench = testBench(object)
    rule(bench, "0.0.0.0/0", DENY)
    rule(bench, "2001:db8:77::/48", DENY)
    rule(bench, "2001:db8:77::10", ALLOW)
    expect(bench.send(from("2001:db8:76::1")).verdict).toBe("pass")
    expect(bench.send(from("2001:db8:77::11")).verdict).toBe("drop")
    expect(bench.send(from("2001:db8:77::10")).verdict).toBe("pass")
    expect(bench.send(from("192.0.2.200")).verdict).toBe("drop")
  })

  test("a removed rule counts no more", () => {
    using bench = testBench(object)
    rule(bench, "10.0.0.0/8", DENY)
    expect(bench.send(from("10.1.1.1")).verdict).toBe("drop")
    bench.maps.ipv4_rules.delete({ prefix_length: 8, address: parseIp("10.0.0.0") })
    expect(bench.send(from("10.1.1.1")).verdict).toBe("pass")
  })
})

test("the source decides in fragments and behind extension headers too", () => {
  using bench = testBench(object)
  rule(bench, "10.0.0.0/8", DENY)
  rule(bench, "2001:db8::/32", DENY)
  for (const one of ipv4Fragments({ src: "10.1.1.1", dst: "192.0.2.1" }, "x".repeat(2000), 1500))
    expect(bench.send(ethernet({}, one)).verdict).toBe("drop")
  const extended = ipv6(
    { src: "2001:db8::1", dst: "2001:db8::2" },
    hopByHop({}, tcp({ srcPort: 1, dstPort: 2 })),
  )
  expect(bench.send(ethernet({}, extended)).verdict).toBe("drop")
})

test("tagged frames and cut headers are none of its business", () => {
  using bench = testBench(object)
  rule(bench, "0.0.0.0/0", DENY)
  rule(bench, "::/0", DENY)
  const tagged = ethernet({}, vlan({ id: 5 }, ipv4({ src: "10.1.1.1", dst: "10.1.1.2" })))
  expect(bench.send(tagged).verdict).toBe("pass")
  expect(bench.send(from("10.1.1.1").slice(0, 33)).verdict).toBe("pass")
  expect(bench.send(from("10.1.1.1").slice(0, 34)).verdict).toBe("drop")
  expect(bench.send(from("2001:db8::1").slice(0, 53)).verdict).toBe("pass")
  expect(bench.send(from("2001:db8::1").slice(0, 54)).verdict).toBe("drop")
})

test("over the capture it agrees with a longest-prefix search written in TypeScript", () => {
  using bench = testBench(object)
  const read = (file: string): { key: string; value: { verdict: string } }[] =>
    JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"))
  const rules = [...read("./ipv4-rules.json"), ...read("./ipv6-rules.json")].map((entry) => {
    const deny = entry.value.verdict === "DENY"
    return { text: entry.key, prefix: parsePrefix(entry.key), deny, hits: 0 }
  })
  for (const { text, deny } of rules) rule(bench, text, deny ? DENY : ALLOW)
  for (const frame of capture) {
    const type = frame.length < 14 ? 0 : (frame[12] << 8) | frame[13]
    let source: Uint8Array | null = null
    if (type === 0x0800 && frame.length >= 34) source = frame.subarray(26, 30)
    if (type === 0x86dd && frame.length >= 54) source = frame.subarray(22, 38)
    const best = rules
      .filter(({ prefix }) => source !== null && inPrefix(source, prefix))
      .sort((a, b) => b.prefix.length - a.prefix.length)[0]
    if (best !== undefined) best.hits++
    expect(bench.send(frame).verdict).toBe(best?.deny ? "drop" : "pass")
  }
  for (const { text, hits: expected } of rules) {
    expect(expected).toBeGreaterThan(0)
    expect(hits(bench, text)).toBe(expected)
  }
})
