/** Loads an object into a kernel inside this process, attaches it to a device and sends a capture through. */

import { readFileSync } from "node:fs"
import { parseObject } from "skep"
import { embeddedKernel } from "skep/embedded"
import { openCapture, summarize } from "skep/testing"

const file = (path: string): Uint8Array => readFileSync(new URL(path, import.meta.url))

const object = parseObject(file("../port-drop/port-drop.bpf.o"), { name: "port-drop" })
using kernel = embeddedKernel({ seed: 1 })
using loaded = await kernel.load(object)
// What the program needs to know: port in host byte order, protocol, one byte of padding.
const DNS = { number: 53, protocol: 17, unused: 0 }
loaded.maps.closed_ports.set(DNS, 0n)

const eth0 = kernel.interface("eth0")
using _link = loaded.programs.port_drop.attach({ interface: "eth0" })
const verdicts = new Map<string, number>()
const dropped: string[] = []
for (const { data } of openCapture(file("../captures/mixed-small.pcap")).frames()) {
  const { verdict } = eth0.receive(data)
  verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
  if (verdict === "drop" && dropped.length < 3) dropped.push(summarize(data))
}
for (const [verdict, frames] of verdicts) console.log(`${verdict}: ${frames} frames`)
for (const line of dropped) console.log(`dropped: ${line}`)
console.log(`counted by the program: ${loaded.maps.closed_ports.get(DNS)}`)
