/**
 * BPF_PROG_TEST_RUN on either kernel: nothing but the line that makes the kernel differs. With
 * `--linux` (root or CAP_BPF, and the optional package koffi) the same frames run on both, and what
 * they answer is compared.
 */

import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import type { Kernel } from "skep"
import { embeddedKernel } from "skep/embedded"
import { ethernet, ipv4, parseIpv4, tcp, udp } from "skep/testing"
import { parseFirewall } from "./generated/firewall.bpf.ts"

const object = parseFirewall(readFileSync(new URL("../firewall/firewall.bpf.o", import.meta.url)))
const key = (address: string): number => new DataView(parseIpv4(address).buffer).getUint32(0, true)

const to = { dst: "192.0.2.1" }
const frames = [
  ethernet({}, ipv4({ src: "203.0.113.5", ...to }, udp({ srcPort: 1, dstPort: 53 }, "query"))),
  ethernet({}, ipv4({ src: "203.0.113.6", ...to }, tcp({ srcPort: 2, dstPort: 443 }))),
]

/** What a kernel says to each frame, and what the program has counted then. */
async function answers(kernel: Kernel): Promise<string[]> {
  using loaded = await kernel.load(object)
  const { blocklist } = loaded.maps
  blocklist.set(key("203.0.113.5"), 0n)
  const verdicts = frames.map((data) => {
    const { verdict, returned, data: out } = loaded.programs.firewall.run({ data })
    return `${verdict} (${returned}), ${out.length} bytes`
  })
  return [...verdicts, `hits ${blocklist.get(key("203.0.113.5"))}`]
}

using embedded = embeddedKernel()
const here = await answers(embedded)
for (const line of here) console.log(line)

if (process.argv.includes("--linux")) {
  const { linuxKernel } = await import("skep/linux")
  using linux = linuxKernel()
  assert.deepEqual(await answers(linux), here)
  console.log("Linux says the same")
}
