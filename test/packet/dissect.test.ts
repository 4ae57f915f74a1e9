import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import {
  conversationKey,
  dissect,
  ethernet,
  findHeader,
  flowKey,
  flowOf,
  gre,
  type Header,
  headerFields,
  ipv4,
  ipv4Fragments,
  ipv6,
  ipv6Fragment,
  LINKTYPE_RAW,
  openCapture,
  parseTcpOptions,
  readCapture,
  reverseFlow,
  summarize,
  tcp,
  udp,
  verifyChecksums,
  vlan,
  vxlan,
} from "../../src/packet/index.ts"
import { describeWith, requirement, root, shared } from "../support/requirements.ts"
import { fuzzScale, Random, testSeed } from "./random.ts"

const v4 = { src: "10.0.0.1", dst: "10.0.0.2" }
const segment = tcp({ srcPort: 1234, dstPort: 80, flags: ["syn"], seq: 7 }, "hello")

function kinds(headers: readonly Header[]): string {
  return headers.map(({ kind }) => kind).join(" ")
}

describe("headers are found with their places and fields", () => {
  test("of TCP over IPv4 in a VLAN", () => {
    const frame = ethernet(
      { padTo: 80 },
      vlan({ id: 9, priority: 3 }, ipv4({ ...v4, ttl: 5 }, segment)),
    )
    const dissection = dissect(frame)
    expect(dissection.headers).toMatchObject([
      { kind: "ethernet", offset: 0, length: 14, src: "02:00:00:00:00:01", type: 0x8100 },
      { kind: "vlan", offset: 14, length: 4, tpid: 0x8100, id: 9, priority: 3, type: 0x0800 },
      { kind: "ipv4", offset: 18, length: 20, ttl: 5, protocol: 6, totalLength: 45, ...v4 },
      { kind: "tcp", offset: 38, length: 20, srcPort: 1234, dstPort: 80, seq: 7, flags: 2 },
    ])
    expect(dissection).toMatchObject({ payloadOffset: 58, payloadLength: 5, problems: [] })
    expect(findHeader(dissection, "ipv4")?.ttl).toBe(5)
    expect(findHeader(dissection, "udp")).toBeUndefined()
  })

  test("through tunnels, to the innermost", () => {
    const inner = ethernet({}, ipv4(v4, segment))
    const overlay = ipv4(v4, udp({ srcPort: 1, dstPort: 4789 }, vxlan({ vni: 77 }, inner)))
    const frame = ethernet({}, ipv4(v4, gre({ key: 5 }, overlay)))
    const { headers } = dissect(frame)
    expect(kinds(headers)).toBe("ethernet ipv4 gre ipv4 udp vxlan ethernet ipv4 tcp")
  })

  test("but a later fragment has no transport header", () => {
    const [first, second] = ipv4Fragments(
      v4,
      udp({ srcPort: 1, dstPort: 2 }, "x".repeat(2000)),
      1500,
    )
    expect(kinds(dissect(ethernet({}, first)).headers)).toBe("ethernet ipv4 udp")
    expect(dissect(ethernet({}, first)).problems).toEqual([])
    expect(kinds(dissect(ethernet({}, second)).headers)).toBe("ethernet ipv4")
    const fragment = ipv6Fragment({ id: 1, fragmentOffset: 8, nextHeader: 6 }, "x".repeat(40))
    const { headers } = dissect(ethernet({}, ipv6({ src: "::1", dst: "::2" }, fragment)))
    expect(kinds(headers)).toBe("ethernet ipv6 ipv6-fragment")
  })

  test("nesting without end stops", () => {
    const tags = new Uint8Array(65_536)
    for (let i = 0; i < tags.length; i += 4) tags.set([0, 1, 0x81, 0x00], i)
    expect(dissect(ethernet({ type: 0x8100 }, tags)).headers.length).toBe(32)
  })
})

describe("a frame cut anywhere says what is missing", () => {
  const whole = ethernet({}, ipv4(v4, segment))
  const cases: [length: number, found: string, message: string][] = [
    [0, "", "an ethernet header has 14 bytes, 0 are there"],
    [13, "", "an ethernet header has 14 bytes, 13 are there"],
    [33, "ethernet", "an ipv4 header has 20 bytes, 19 are there"],
    [50, "ethernet ipv4", "a tcp header has 20 bytes, 16 are there"],
    [57, "ethernet ipv4 tcp", "ipv4 says 45 bytes, 43 are there"],
  ]
  test.each(cases)("after %d bytes", (length, found, message) => {
    const cut = whole.subarray(0, length)
    const { headers, problems } = dissect(cut)
    expect(kinds(headers)).toBe(found)
    expect(problems.map((problem) => problem.message)).toContain(message)
    expect(summarize(cut)).toContain(`[truncated: ${message}]`)
  })
})

describe("flows", () => {
  test("have a key for each direction, and one for both", () => {
    const flow = flowOf(ethernet({}, ipv4(v4, segment)))
    if (flow === null) throw new Error("no flow")
    expect(flowKey(flow)).toBe("tcp 10.0.0.1:1234 > 10.0.0.2:80")
    expect(flowKey(reverseFlow(flow))).toBe("tcp 10.0.0.2:80 > 10.0.0.1:1234")
    expect(conversationKey(reverseFlow(flow))).toBe(conversationKey(flow))
  })

  test("see through IPv6 extension headers and stop at tunnels", () => {
    const fragment = ipv6Fragment({ id: 1, moreFragments: true }, udp({ srcPort: 1, dstPort: 2 }))
    const six = flowOf(ethernet({}, ipv6({ src: "::1", dst: "::2" }, fragment)))
    expect(six && flowKey(six)).toBe("udp [::1]:1 > [::2]:2")
    const tunnel = flowOf(ethernet({}, ipv4(v4, gre({}, ipv4(v4, segment)))))
    expect(tunnel && flowKey(tunnel)).toBe("gre 10.0.0.1 > 10.0.0.2")
    expect(flowOf(ethernet({ type: 0x88cc }, "lldp"))).toBe(null)
  })

  test("of the example capture are as many as its story tells", () => {
    const bytes = readFileSync(join(root, "examples/captures/mixed-small.pcap"))
    const counts = new Map<string, number>()
    for (const { data } of openCapture(bytes).frames()) {
      const flow = flowOf(data)
      if (flow !== null) counts.set(flow.src, (counts.get(flow.src) ?? 0) + 1)
    }
    expect(counts.get("10.77.0.19")).toBe(520)
    expect(counts.get("203.0.113.5")).toBeGreaterThan(15)
  })
})

test("TCP options that are malformed are told as they are", () => {
  const kindsOf = (...bytes: number[]): string =>
    parseTcpOptions(Uint8Array.from(bytes))
      .map(({ kind }) => kind)
      .join(" ")
  expect(kindsOf(1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2)).toBe("nop nop sack")
  expect(kindsOf(2, 4, 5, 180, 4, 2, 0, 9)).toBe("mss sack-permitted end")
  expect(kindsOf(8, 12, 0, 0)).toBe("raw")
  expect(kindsOf(1, 2)).toBe("nop raw")
  expect(kindsOf(2, 1, 1, 1)).toBe("raw")
  expect(kindsOf(5, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0)).toBe("raw")
})

test("mutated and random frames of every link type never make dissection throw", () => {
  const seed = testSeed()
  const random = new Random(seed)
  const bytes = readFileSync(join(root, "examples/captures/mixed-small.pcap"))
  const frames = readCapture(bytes).frames.map(({ data }) => data)
  const inner = ethernet({}, ipv4(v4, segment))
  frames.push(ethernet({}, ipv4(v4, udp({ srcPort: 1, dstPort: 4789 }, vxlan({ vni: 7 }, inner)))))
  frames.push(ethernet({}, ipv4(v4, gre({ key: 5 }, ipv6({ src: "::1", dst: "::2" }, segment)))))
  const linkTypes = [1, 1, 1, 1, 0, LINKTYPE_RAW, 108, 113, 276, 228, 9999]
  const runs = 20_000 * fuzzScale
  let problems = 0
  for (let i = 0; i < runs; i++) {
    const frame =
      random.below(8) === 0 ? random.bytes(random.below(120)) : random.mutate(random.pick(frames))
    const linkType = random.pick(linkTypes)
    const dissection = dissect(frame, linkType)
    problems += dissection.problems.length > 0 ? 1 : 0
    let end = 0
    for (const header of dissection.headers) {
      expect(header.offset, `seed ${seed} run ${i}`).toBe(end)
      end = header.offset + header.length
      headerFields(header)
    }
    expect(dissection.payloadOffset + dissection.payloadLength).toBeLessThanOrEqual(frame.length)
    expect(summarize(frame, linkType)).not.toMatch(/undefined|NaN/)
    flowOf(frame, linkType)
    verifyChecksums(frame, linkType)
  }
  console.log(`dissection fuzz: seed ${seed}, ${runs} runs, ${problems} with problems`)
})

describeWith([requirement.tcpdump(), requirement.shared()], "tcpdump -n -S says the same", () => {
  /** Lines of tcpdump that go into protocols which we leave as payload. */
  const deeper =
    /^(IP6? .*(mptcp|exp-tfo|cookie|DHCP|dhcp6|NTPv|UDP, bad| UDP, length 0$|\d+[+*-]))/
  const folder = join(shared, "pcap")
  const files = ["mixed.pcap", "dns_tcp.pcap", "resp_1_benchmark.pcap", "tfo-5c1fa7f9ae91.pcap"]

  const tcpdumpLines = (path: string): string[] => {
    const args = ["-nSt", "-r", path]
    const { stdout } = spawnSync("tcpdump", args, { encoding: "utf8", maxBuffer: 2 ** 26 })
    // Continuation lines are indented; the text of messages is.
    return stdout.split("\n").filter((line) => /^[A-Z0-9]/.test(line))
  }

  test.each(files.filter((name) => existsSync(join(folder, name))))("about %s", (name) => {
    const path = join(folder, name)
    const capture = readCapture(readFileSync(path))
    const theirs = tcpdumpLines(path)
    expect(theirs.length).toBe(capture.frames.length)
    let compared = 0
    for (const [index, { data }] of capture.frames.entries()) {
      const line = theirs[index]
      const ours = summarize(data, capture.linkType)
      const comparable = /Flags|ICMP6?,? echo|^ARP, Re|UDP, length/.test(line)
      if (!comparable || deeper.test(line)) continue
      compared++
      expect(line.startsWith(ours), `${line}\n${ours}`).toBe(true)
    }
    console.log(`${name}: ${compared} of ${theirs.length} lines are tcpdump's`)
    if (name === "mixed.pcap") expect(compared).toBeGreaterThan(8000)
  })

  test("all checksums that tcpdump calls wrong are found wrong, and no others", () => {
    const names = existsSync(folder) ? readdirSync(folder) : []
    for (const name of names.filter((n) =>
      /^(dns|icmpv6|ntp|dhcp|ipv4_tcp|IGMP|tfo|mptcp-v0)/.test(n),
    )) {
      const path = join(folder, name)
      const capture = readCapture(readFileSync(path))
      const args = ["-nvvt", "-r", path]
      const { stdout } = spawnSync("tcpdump", args, { encoding: "utf8", maxBuffer: 2 ** 26 })
      const wrong =
        stdout.match(/\(incorrect|bad udp cksum|bad icmp6 cksum|bad cksum/g)?.length ?? 0
      const ours = capture.frames.flatMap(({ data }) =>
        verifyChecksums(data, capture.linkType).filter(({ valid }) => !valid),
      )
      expect(ours.length, name).toBe(wrong)
    }
  })
})
