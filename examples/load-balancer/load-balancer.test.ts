import { readFileSync } from "node:fs"
import {
  diffFrames,
  ethernet,
  ipv4,
  parseIpv4,
  parseMac,
  type TestBench,
  tcp,
  testBench,
  udp,
  verifyChecksums,
} from "skep/testing"
import { expect, test } from "vitest"

const object = readFileSync(new URL("./load-balancer.bpf.o", import.meta.url))

const VIRTUAL = "192.0.2.80"
const ROUTER = "02:00:00:00:00:01"
const US = "02:00:00:00:00:99"
const BACKENDS = [
  { address: "10.0.0.1", mac: "02:00:00:00:01:01" },
  { address: "10.0.0.2", mac: "02:00:00:00:01:02" },
]

/** Two backends on every second slot, and the services tcp/80 and udp/53. */
function balancer(): TestBench {
  const bench = testBench(object)
  const { services, backends, ring } = bench.maps
  const service = (port: number, protocol: number): Uint8Array =>
    new Uint8Array([...parseIpv4(VIRTUAL), port >> 8, port & 255, protocol, 0])
  services.raw.set(service(80, 6), new Uint8Array(4))
  services.raw.set(service(53, 17), new Uint8Array(4))
  for (const [index, { address, mac }] of BACKENDS.entries()) {
    const value = new Uint8Array(backends.raw.valueSize)
    value.set(parseIpv4(address))
    value.set(parseMac(mac), 4)
    backends.raw.set(new Uint8Array([index, 0, 0, 0]), value)
  }
  for (let slot = 0; slot < ring.length; slot++) ring.set(slot, slot % 2)
  return bench
}

const request = (srcPort: number, l4: "tcp" | "udp" = "tcp"): Uint8Array =>
  ethernet(
    { src: ROUTER, dst: US },
    ipv4(
      { src: "198.51.100.9", dst: VIRTUAL },
      l4 === "tcp"
        ? tcp({ srcPort, dstPort: 80, flags: ["syn"] }, "request")
        : udp({ srcPort, dstPort: 53 }, "query"),
    ),
  )

/** The frame as it should leave for a backend, crafted anew with checksums of its own. */
const forwarded = (srcPort: number, l4: "tcp" | "udp", index: number): Uint8Array =>
  ethernet(
    { src: US, dst: BACKENDS[index].mac },
    ipv4(
      { src: "198.51.100.9", dst: BACKENDS[index].address },
      l4 === "tcp"
        ? tcp({ srcPort, dstPort: 80, flags: ["syn"] }, "request")
        : udp({ srcPort, dstPort: 53 }, "query"),
    ),
  )

for (const l4 of ["tcp", "udp"] as const)
  test(`${l4}: requests leave rewritten for one of the backends, checksums included`, () => {
    using bench = balancer()
    const seen = new Set<number>()
    for (let port = 2000; port < 2060; port++) {
      const { verdict, frame } = bench.send(request(port, l4))
      expect(verdict).toBe("tx")
      const index = BACKENDS.findIndex(({ address }) =>
        parseIpv4(address).every((byte, i) => frame[30 + i] === byte),
      )
      seen.add(index)
      expect(diffFrames(forwarded(port, l4, index), frame)).toEqual([])
    }
    expect([...seen].sort()).toEqual([0, 1])
  })

test("a connection stays with its backend", () => {
  using bench = balancer()
  const first = bench.send(request(4321)).frame
  for (let i = 0; i < 5; i++) expect(bench.send(request(4321)).frame).toEqual(first)
})

test("an answer goes back to the client from the virtual address", () => {
  using bench = balancer()
  const sent = bench.send(request(4321)).frame
  const index = sent[33] - 1
  const { address, mac } = BACKENDS[index]
  const answer = (src: string, macs: { src: string; dst: string }): Uint8Array =>
    ethernet(
      macs,
      ipv4(
        { src, dst: "198.51.100.9" },
        tcp({ srcPort: 80, dstPort: 4321, flags: ["syn", "ack"] }, "answer"),
      ),
    )
  const { verdict, frame } = bench.send(answer(address, { src: mac, dst: US }))
  expect(verdict).toBe("tx")
  expect(diffFrames(answer(VIRTUAL, { src: US, dst: ROUTER }), frame)).toEqual([])
  // Another port of that backend is nobody's answer.
  const stranger = bench.send(
    ethernet(
      { src: mac, dst: US },
      ipv4({ src: address, dst: "198.51.100.9" }, udp({ srcPort: 1, dstPort: 2 })),
    ),
  )
  expect(stranger.verdict).toBe("pass")
})

test("UDP without checksum stays without one", () => {
  using bench = balancer()
  const frame = request(2001, "udp")
  frame.set([0, 0], 14 + 20 + 6)
  const out = bench.send(frame).frame
  expect([...out.subarray(40, 42)]).toEqual([0, 0])
  expect(verifyChecksums(out).filter((one) => !one.valid)).toEqual([])
})

test("other ports, fragments and short frames pass; a service without backends drops", () => {
  using bench = balancer()
  const fragment = request(2002)
  fragment[20] |= 0x20
  expect(bench.send(fragment).verdict).toBe("pass")
  expect(bench.send(request(2002).subarray(0, 40)).verdict).toBe("pass")
  const other = ethernet(
    {},
    ipv4({ src: "198.51.100.9", dst: VIRTUAL }, tcp({ srcPort: 2004, dstPort: 81 })),
  )
  expect(bench.send(other).verdict).toBe("pass")
  for (const index of [0, 1])
    bench.maps.backends.raw.set(new Uint8Array([index, 0, 0, 0]), new Uint8Array(32))
  expect(bench.send(request(2003)).verdict).toBe("drop")
})
