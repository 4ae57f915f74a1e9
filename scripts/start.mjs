// The main job, in one command: the firewall example on a capture of a small office, in this
// process, with a table of verdicts and of the busiest sources. `npm start`
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import pc from "picocolors"
import { embeddedKernel } from "../dist/lib/embedded.js"
import { parseObject } from "../dist/lib/index.js"
import { openCapture } from "../dist/lib/testing.js"

const examples = join(dirname(fileURLToPath(import.meta.url)), "../examples")
const BAR = 24

/** Who is who in the capture; see examples/captures/README.md. */
const PEOPLE = {
  "10.77.0.1": "router",
  "10.77.0.2": "web server",
  "10.77.0.3": "DNS server",
  "10.77.0.4": "SIP proxy",
  "10.77.0.19": "a host that turns bad: UDP flood",
  "198.51.100.7": "outsider: tries to log in",
}
const BLOCKED = ["10.77.0.19", "198.51.100.7"]
const SCANNERS = "203.0.113."

const who = (address) =>
  PEOPLE[address] ?? (address.startsWith(SCANNERS) ? "outsider: scans ports" : "client")
const bytesOf = (address) => new Uint8Array(address.split(".").map(Number))
const number = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",")

const capture = openCapture(readFileSync(join(examples, "captures/mixed-small.pcap")))
const frames = [...capture.frames()]
const object = parseObject(readFileSync(join(examples, "firewall/firewall.bpf.o")), {
  name: "firewall",
})
const kernel = embeddedKernel({ cpus: 2 })
const loaded = await kernel.load(object)
const scanners = Array.from({ length: 255 }, (_, host) => `${SCANNERS}${host + 1}`)
for (const address of [...BLOCKED, ...scanners])
  loaded.maps.blocklist.raw.set(bytesOf(address), new Uint8Array(8))

const eth0 = kernel.interface("eth0")
loaded.programs.firewall.attach({ interface: "eth0" })
const verdicts = new Map()
const start = performance.now()
for (const { data } of frames) {
  const { verdict } = eth0.receive(data)
  verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
}
const milliseconds = performance.now() - start

console.log()
console.log(pc.bold("  skep: an XDP firewall, run in this process on a capture of a small office"))
console.log(
  pc.dim(
    `  examples/firewall/firewall.bpf.o, ${object.programs[0].instructions.length / 8} instructions, ` +
      `${number(frames.length)} frames in ${milliseconds.toFixed(0)} ms, no root, no VM\n`,
  ),
)
for (const [verdict, count] of [...verdicts].sort((a, b) => b[1] - a[1])) {
  const share = count / frames.length
  const colour = verdict === "drop" ? pc.red : pc.green
  const percent = `${(100 * share).toFixed(1)} %`
  console.log(
    `  ${colour(verdict.toUpperCase().padEnd(6))} ${number(count).padStart(6)}  ${percent.padStart(6)}  ` +
      colour("█".repeat(Math.max(1, Math.round(share * BAR)))),
  )
}

const sources = [...loaded.maps.sources.raw.entries()]
  .map(([key, value]) => {
    const words = new BigUint64Array(value.slice().buffer)
    const sum = (field) => {
      let total = 0n
      for (let at = field; at < words.length; at += 3) total += words[at]
      return Number(total)
    }
    return { address: formatAddress(key), packets: sum(0), bytes: sum(1), dropped: sum(2) }
  })
  .sort((a, b) => b.packets - a.packets)
const most = sources[0].packets
console.log(pc.bold(`\n  the busiest of ${sources.length} sources\n`))
console.log(pc.dim("  source            packets     bytes  dropped"))
for (const { address, packets, bytes, dropped } of sources.slice(0, 12)) {
  const kept = Math.round(((packets - dropped) / most) * BAR)
  const lost = Math.round((dropped / most) * BAR)
  const bar = pc.green("█".repeat(kept)) + pc.red("█".repeat(lost)) || pc.dim("▏")
  console.log(
    `  ${address.padEnd(16)} ${number(packets).padStart(8)} ${number(bytes).padStart(9)} ` +
      `${number(dropped).padStart(8)}  ${bar} ${pc.dim(who(address))}`,
  )
}
console.log(`
  ${pc.dim("What next:")}
    node dist/cli/main.js run examples/dscp/dscp.bpf.o --pcap examples/captures/mixed-small.pcap
    node dist/cli/main.js inspect examples/port-drop/port-drop.bpf.o
`)
loaded.close()
kernel.close()

function formatAddress(key) {
  return [...key].join(".")
}
