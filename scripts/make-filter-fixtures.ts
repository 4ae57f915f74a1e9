/**
 * Writes test/isa/classic/fixtures/filters.json: what tcpdump compiles some expressions to, and
 * which frames of examples/captures/mixed-small.pcap they match, so that machines without tcpdump
 * test something.
 *
 *   node --import tsx scripts/make-filter-fixtures.ts
 */

import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { readCapture, writePcap } from "../src/packet/index.ts"

const expressions = [
  "arp",
  "vlan 42 and udp port 5683",
  "ip6 and tcp port 80",
  "ip6 and (icmp6 or ip6[6] = 0)",
  "host 10.77.0.19",
  "src net 203.0.113.0/24 or src host 198.51.100.7",
  "udp portrange 10000-20000",
  "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
  "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
  "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
  "ip[6:2] & 0x1fff != 0",
  "ip[2:2] / ip[8] = 1 or ip[4:2] % 3 = 1 and less 64",
  "not ip and not ip6 and not arp",
  "ether[300] = 0x65",
]

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const frames = readCapture(readFileSync(join(root, "examples/captures/mixed-small.pcap"))).frames
// A frame's index is its time in microseconds.
const input = writePcap(
  frames.map((frame, index) => ({ ...frame, timestampNs: BigInt(index) * 1000n })),
)

function tcpdump(...args: string[]): Buffer {
  const { stdout, stderr, status } = spawnSync("tcpdump", ["-r", "-", ...args], { input })
  if (status !== 0) throw new Error(`tcpdump ${args.join(" ")}: ${stderr}`)
  return stdout
}

const filters = expressions.map((expression) => ({
  expression,
  program: tcpdump("-ddd", expression).toString(),
  initialisers: tcpdump("-dd", expression).toString(),
  text: tcpdump("-d", expression).toString(),
  matches: readCapture(tcpdump("-w", "-", expression)).frames.map(({ timestampNs }) =>
    Number(timestampNs / 1000n),
  ),
}))
const version = spawnSync("tcpdump", ["--version"], { encoding: "utf8" })
const madeBy = (version.stdout + version.stderr).split("\n").slice(0, 2).join(", ")
const folder = join(root, "test/isa/classic/fixtures")
mkdirSync(folder, { recursive: true })
const text = JSON.stringify(
  { madeBy, capture: "examples/captures/mixed-small.pcap", filters },
  null,
  1,
)
// Lists of numbers on one line each.
const compact = text.replace(/\[[\s\d,]+\]/g, (list) => list.replace(/\s+/g, " "))
writeFileSync(join(folder, "filters.json"), `${compact}\n`)
console.log(filters.map(({ expression, matches }) => `${matches.length} ${expression}`).join("\n"))
