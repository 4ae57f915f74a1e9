/** A unit test of an XDP program with Node's own test runner: no Linux, no root, no device. */

import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { ethernet, ipv4, parseIpv4, testBench, udp, vlan } from "skep/testing"
import { parseFirewall } from "./generated/firewall.bpf.ts"

const object = parseFirewall(readFileSync(new URL("../firewall/firewall.bpf.o", import.meta.url)))
const key = (address: string): number => new DataView(parseIpv4(address).buffer).getUint32(0, true)

const packet = ipv4(
  { src: "203.0.113.5", dst: "192.0.2.1" },
  udp({ srcPort: 1000, dstPort: 53 }, "hello"),
)

test("passes what nobody has blocked", () => {
  using bench = testBench(object)
  assert.equal(bench.send(ethernet({}, packet)).verdict, "pass")
})

test("drops a blocked source, tagged or not, and counts it", () => {
  using bench = testBench(object)
  bench.maps.blocklist.set(key("203.0.113.5"), 0n)
  assert.equal(bench.send(ethernet({}, packet)).verdict, "drop")
  assert.equal(bench.send(ethernet({}, vlan({ id: 42 }, packet))).verdict, "drop")
  assert.equal(bench.maps.blocklist.get(key("203.0.113.5")), 2n)
  assert.equal(bench.device.counters.xdp.drop, 2)
})

test("passes a frame that ends within its IPv4 header, and counts it as something else", () => {
  using bench = testBench(object)
  assert.equal(bench.send(ethernet({}, packet).slice(0, 33)).verdict, "pass")
  assert.equal(bench.globals.other_packets, 1n)
})
