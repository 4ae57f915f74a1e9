import { describe, expect, test } from "vitest"
import { equalBytes } from "../../src/base/index.ts"
import {
  diffFrames,
  ethernet,
  ipv4,
  ipv6,
  type Layer,
  tcp,
  udp,
  vlan,
  vxlan,
} from "../../src/packet/index.ts"
import { fuzzScale, Random, testSeed } from "./random.ts"

const v4 = { src: "10.0.0.1", dst: "10.0.0.2" }
const segment = tcp({ srcPort: 1234, dstPort: 80 }, "hello")
const before = ethernet({}, ipv4(v4, segment))

function texts(after: Uint8Array, from: Uint8Array = before): string[] {
  return diffFrames(from, after).map(({ text }) => text)
}

describe("differences are named by field", () => {
  test("equal frames have none", () => {
    expect(texts(Uint8Array.from(before))).toEqual([])
  })

  test("a type of service, and the checksum that follows it", () => {
    const after = ethernet({}, ipv4({ ...v4, tos: 0xb8 }, segment))
    expect(texts(after)).toEqual(["ipv4.tos 0x00 → 0xb8", "ipv4.checksum 0x66c9 → 0x6611"])
  })

  test("ports, flags and payload of TCP", () => {
    const changed = tcp(
      { srcPort: 1234, dstPort: 8080, flags: ["ack", "psh"], checksum: 1 },
      "hallo",
    )
    expect(texts(ethernet({}, ipv4(v4, changed)))).toEqual([
      "tcp.dstPort 80 → 8080",
      "tcp.flags ack → psh,ack",
      expect.stringMatching(/^tcp\.checksum 0x[0-9a-f]{4} → 0x0001$/),
      "payload from byte 1: 65 6c 6c 6f → 61 6c 6c 6f",
    ])
  })

  test("a tag pushed and popped", () => {
    const after = ethernet({}, vlan({ id: 5 }, ipv4(v4, segment)))
    expect(texts(after)).toEqual([
      "length 59 → 63",
      "ethernet.type 0x0800 → 0x8100",
      "vlan pushed (id 5)",
    ])
    expect(texts(before, after)).toEqual([
      "length 63 → 59",
      "ethernet.type 0x8100 → 0x0800",
      "vlan popped (id 5)",
    ])
  })

  test("an outer IP header is what was pushed, not the inner one", () => {
    const outer = { src: "192.0.2.1", dst: "192.0.2.2" }
    const after = ethernet({}, ipv4(outer, ipv4(v4, segment)))
    expect(texts(after)).toEqual(["length 59 → 79", "ipv4 pushed (192.0.2.1 > 192.0.2.2)"])
    expect(texts(before, after)[1]).toBe("ipv4 popped (192.0.2.1 > 192.0.2.2)")
  })

  test("a second header of a kind has a number", () => {
    const nested = (ttl: number): Layer => ipv4(v4, ipv4({ ...v4, ttl, checksum: 0 }, segment))
    expect(texts(ethernet({}, nested(9)), ethernet({}, nested(64)))).toEqual(["ipv4#2.ttl 64 → 9"])
  })

  test("a whole overlay", () => {
    const overlay = udp({ srcPort: 1, dstPort: 4789 }, vxlan({ vni: 7 }, before))
    const after = ethernet({}, ipv6({ src: "::1", dst: "::2" }, overlay))
    const list = texts(after)
    expect(list).toContain("ipv6 pushed (::1 > ::2)")
    expect(list).toContain("vxlan pushed (vni 7)")
    expect(list.filter((text) => /popped|payload/.test(text))).toEqual([])
  })

  test("another protocol, bytes appended, bytes cut", () => {
    const other = ethernet({}, ipv4(v4, udp({ srcPort: 1234, dstPort: 80 }, "hello")))
    expect(texts(other)).toContain("tcp popped (1234 > 80)")
    expect(texts(Uint8Array.of(...before, 1, 2))).toEqual([
      "length 59 → 61",
      "payload from byte 5: end → 01 02 (5 → 7 bytes)",
    ])
    expect(texts(before.subarray(0, 20))).toContain("ipv4 popped (10.0.0.1 > 10.0.0.2)")
  })
})

test("frames that differ always give something, frames that do not give nothing", () => {
  const seed = testSeed()
  const random = new Random(seed)
  const frames = [before, ethernet({}, vlan({ id: 5 }, ipv6({ src: "::1", dst: "::2" }, segment)))]
  const runs = 4000 * fuzzScale
  for (let i = 0; i < runs; i++) {
    const frame = random.pick(frames)
    const after = random.mutate(frame)
    const changes = diffFrames(frame, after)
    expect(changes.length > 0, `seed ${seed} run ${i}`).toBe(!equalBytes(frame, after))
    for (const { text } of changes) expect(text).not.toMatch(/undefined|NaN|object/)
  }
  console.log(`frame differences: seed ${seed}, ${runs} runs`)
})
