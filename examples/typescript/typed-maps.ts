/**
 * Maps and globals with the types of the C program: `skep gen types` wrote generated/firewall.bpf.ts,
 * and a wrong key, value or name is an error of the TypeScript compiler.
 */

import { readFileSync } from "node:fs"
import { embeddedKernel } from "skep/embedded"
import { formatIpv4, openCapture, parseIpv4 } from "skep/testing"
import { parseFirewall, type Traffic } from "./generated/firewall.bpf.ts"

const file = (path: string): Uint8Array => readFileSync(new URL(path, import.meta.url))

/** A __be32 in a register holds the address's bytes in memory order, so little-endian as a number. */
const be32 = (address: string): number => new DataView(parseIpv4(address).buffer).getUint32(0, true)
const address = (be32: number): string => formatIpv4(new Uint8Array(new Uint32Array([be32]).buffer))

using kernel = embeddedKernel({ cpus: 2 })
using loaded = await kernel.load(parseFirewall(file("../firewall/firewall.bpf.o")))
const { blocklist, sources } = loaded.maps

// A hash map is like a Map: keys are numbers here, 64-bit values are bigints.
blocklist.set(be32("10.77.0.19"), 0n).set(be32("203.0.113.1"), 0n)
console.log(`added again: ${blocklist.add(be32("10.77.0.19"), 0n)}`)

const eth0 = kernel.interface("eth0")
using _link = loaded.programs.firewall.attach({ interface: "eth0" })
for (const { data } of openCapture(file("../captures/mixed-small.pcap")).frames())
  eth0.receive(data)

console.log(`hits of 10.77.0.19: ${blocklist.get(be32("10.77.0.19"))}`)

// A per-CPU map has one value a CPU.
const total = (perCpu: Traffic[]): Traffic =>
  perCpu.reduce((sum, one) => ({
    packets: sum.packets + one.packets,
    bytes: sum.bytes + one.bytes,
    dropped: sum.dropped + one.dropped,
  }))
const busiest = [...sources]
  .map(([source, perCpu]) => ({ source: address(source), ...total(perCpu) }))
  .sort((a, b) => Number(b.packets - a.packets))
for (const { source, packets, bytes, dropped } of busiest.slice(0, 3))
  console.log(`${source}: ${packets} packets, ${bytes} bytes, ${dropped} dropped`)

// Globals are read where the program keeps them.
console.log(`not IPv4: ${loaded.globals.other_packets}`)
