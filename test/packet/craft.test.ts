import { spawnSync } from "node:child_process"
import { describe, expect, test } from "vitest"
import { concatBytes, formatHex } from "../../src/base/index.ts"
import {
  arp,
  destinationOptions,
  encodeLayer,
  ethernet,
  gre,
  hopByHop,
  icmp,
  icmpv6,
  ipv4,
  ipv4Fragments,
  ipv6,
  ipv6Fragment,
  type Layer,
  parseIpv6,
  routing,
  tcp,
  udp,
  verifyChecksums,
  vlan,
  vxlan,
  writePcap,
} from "../../src/packet/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"

const v4 = { src: "10.0.0.1", dst: "10.0.0.2" }
const v6 = { src: "2001:db8::1", dst: "2001:db8::2" }

describe("frames have the bytes of the RFCs", () => {
  test("a UDP datagram over IPv4 in Ethernet", () => {
    const frame = ethernet(
      { src: "02:00:00:00:00:01", dst: "ff:ff:ff:ff:ff:ff" },
      ipv4({ ...v4, id: 0x1234, tos: 0xb8 }, udp({ srcPort: 53, dstPort: 1024 }, "hi")),
    )
    const link = "ffffffffffff020000000001" + "0800"
    const ip = "45b8001e12340000" + "401153e1" + "0a0000010a000002"
    const datagram = "00350400000a" + "7f39" + "6869"
    expect(formatHex(frame)).toBe(link + ip + datagram)
  })

  test("an 802.1ad tag around an 802.1Q tag around ARP", () => {
    const request = arp({ senderIp: "10.0.0.1", targetIp: "10.0.0.2" })
    const inner = vlan({ id: 7, priority: 5, dropEligible: true }, request)
    const frame = ethernet({}, vlan({ id: 100, tpid: 0x88a8 }, inner))
    expect(formatHex(frame).slice(24, 44)).toBe("88a8" + "0064" + "8100" + "b007" + "0806")
    expect(frame.length).toBe(14 + 8 + 28)
  })

  test("fields that are given are left alone, right or wrong", () => {
    const wrong = { totalLength: 9, headerLength: 24, version: 5, checksum: 0xbad, protocol: 99 }
    const header = encodeLayer(ipv4({ ...v4, ...wrong }, new Uint8Array(4)))
    expect(formatHex(header).slice(0, 24)).toBe("560000090000000040630bad")
  })

  test("text, numbers and addresses out of range are refused by name", () => {
    const refused: [RegExp, () => unknown][] = [
      [/tcp source port 65536/, () => encodeLayer(tcp({ srcPort: 65_536, dstPort: 1 }))],
      [/ipv4 ttl 1.5/, () => encodeLayer(ipv4({ ...v4, ttl: 1.5 }))],
      [/vlan id 4096/, () => encodeLayer(vlan({ id: 4096 }, ""))],
      [/fragment offset \/ 8 0.5/, () => encodeLayer(ipv4({ ...v4, fragmentOffset: 4 }))],
      [/ipv4 total length 65556/, () => encodeLayer(ipv4(v4, new Uint8Array(65_536)))],
      [/'10.0.0' is not/, () => encodeLayer(ipv4({ ...v4, src: "10.0.0" }))],
      [
        /an IPv4 address has 4 bytes, not 16/,
        () => encodeLayer(ipv4({ ...v4, src: new Uint8Array(16) })),
      ],
      [
        /options of 44 bytes, the limit is 40/,
        () => encodeLayer(ipv4({ ...v4, options: new Uint8Array(41) })),
      ],
      [/MTU of 24/, () => ipv4Fragments(v4, "text", 24)],
    ]
    for (const [message, make] of refused) expect(make).toThrow(message)
  })
})

const syn = tcp({
  srcPort: 1234,
  dstPort: 80,
  seq: 1000,
  flags: ["syn", "ece", "cwr"],
  options: [
    { kind: "mss", value: 1460 },
    { kind: "sack-permitted" },
    { kind: "timestamps", value: 0xfffffff0, echo: 5 },
    { kind: "nop" },
    { kind: "window-scale", shift: 7 },
  ],
})
const sack = tcp(
  {
    srcPort: 80,
    dstPort: 1234,
    options: [
      { kind: "nop" },
      { kind: "nop" },
      {
        kind: "sack",
        blocks: [
          [1, 9],
          [20, 30],
        ],
      },
    ],
  },
  "some data",
)
const ping = icmp({ type: "echo-request", id: 7, seq: 1 }, "ping!")
const dns = udp({ srcPort: 5000, dstPort: 5001 }, "twelve bytes")
const echo6 = icmpv6({ type: "echo-reply", id: 7, seq: 2 }, "odd")
const layers: [name: string, layer: Layer, text: RegExp][] = [
  [
    "tcp options",
    ipv4(v4, syn),
    /Flags \[SEW\], cksum 0x\w+ \(correct\), seq 1000, win 64240, options \[mss 1460,sackOK,TS val 4294967280 ecr 5,nop,wscale 7\], length 0/,
  ],
  [
    "tcp data and sack",
    ipv4(v4, sack),
    /cksum 0x\w+ \(correct\).*\[nop,nop,sack 2 \{1:9\}\{20:30\}\], length 9/,
  ],
  ["icmp", ipv4({ ...v4, ttl: 3 }, ping), /ttl 3.*ICMP echo request, id 7, seq 1, length 13/],
  ["udp", ipv4(v4, dns), /\[udp sum ok\] UDP, length 12/],
  [
    "ipv4 options",
    ipv4({ ...v4, options: Uint8Array.of(1, 1, 1, 148, 4, 0, 0) }, dns),
    /options \(NOP,NOP,NOP,RA/,
  ],
  [
    "udp over ipv6",
    ipv6({ ...v6, flowLabel: 0xabcde, hopLimit: 9 }, dns),
    /flowlabel 0xabcde, hlim 9.*\[udp sum ok\]/,
  ],
  ["icmpv6", ipv6(v6, echo6), /\[icmp6 sum ok\] ICMP6, echo reply, id 7, seq 2/],
  [
    "hop-by-hop",
    ipv6(v6, hopByHop({ options: Uint8Array.of(5, 2, 0, 0) }, echo6)),
    /HBH \(rtalert: 0x0000\).*\[icmp6 sum ok\]/,
  ],
  [
    "destination options",
    ipv6(v6, destinationOptions({}, syn)),
    /DSTOPT \(padn\).*cksum 0x\w+ \(correct\)/,
  ],
  [
    "routing",
    ipv6(v6, routing({ type: 0, data: concatBytes([new Uint8Array(4), parseIpv6(v6.dst)]) }, dns)),
    /RT6 \(len=2, type=0 \[Deprecated\], segleft=0.*udp sum ok/,
  ],
  [
    "ipv6 fragment",
    ipv6(v6, ipv6Fragment({ id: 0x99, moreFragments: true }, dns)),
    /frag \(0x00000099:0\|20\)/,
  ],
  [
    "ip in ip",
    ipv4(v4, ipv4({ src: "192.0.2.1", dst: "192.0.2.2" }, ping)),
    /192.0.2.1 > 192.0.2.2: ICMP echo request/,
  ],
  ["6in4", ipv4(v4, ipv6(v6, echo6)), /\[icmp6 sum ok\] ICMP6, echo reply/],
  [
    "gre with a key",
    ipv4(v4, gre({ key: 0x55, seq: 3 }, ipv4(v4, dns))),
    /GREv0, Flags \[key present, sequence# present\], key=0x55, seq 3.*udp sum ok/,
  ],
  [
    "vxlan",
    ipv4(
      v4,
      udp({ srcPort: 9999, dstPort: 4789 }, vxlan({ vni: 42 }, ethernet({}, ipv4(v4, ping)))),
    ),
    /VXLAN, flags \[I\] \(0x08\), vni 42.*ICMP echo request/,
  ],
  [
    "arp reply",
    arp({ operation: "reply", senderIp: "10.0.0.1", targetIp: "10.0.0.2" }),
    /ARP, Ethernet \(len 6\), IPv4 \(len 4\), Reply 10.0.0.1 is-at 02:00:00:00:00:01/,
  ],
]

describeWith([requirement.tcpdump()], "tcpdump finds crafted frames correct", () => {
  const tcpdump = (frames: Uint8Array[]): string => {
    const input = writePcap(frames.map((data) => ({ data })))
    const args = ["-nvvS", "-t", "-r", "-"]
    return spawnSync("tcpdump", args, { input, encoding: "utf8" }).stdout.replace(/\s+/g, " ")
  }

  test.each(layers)("%s", (_, layer, expected) => {
    const text = tcpdump([ethernet({}, layer)])
    expect(text).toMatch(expected)
    expect(text).not.toMatch(/incorrect|bad|\[\|/)
  })

  test("and puts fragments together", () => {
    const fragments = ipv4Fragments(
      { ...v4, id: 77 },
      udp({ srcPort: 1, dstPort: 2 }, "x".repeat(3000)),
      1500,
    )
    expect(fragments.map((fragment) => encodeLayer(fragment).length)).toEqual([1500, 1500, 68])
    const text = tcpdump(fragments.map((fragment) => ethernet({}, fragment)))
    expect(text).toMatch(
      /offset 0, flags \[\+\].*offset 1480, flags \[\+\].*offset 2960, flags \[none\]/,
    )
  })
})

test("every checksum that is crafted is verified, and one that is changed is not", () => {
  for (const [name, layer] of layers) {
    const frame = ethernet({}, layer)
    const reports = verifyChecksums(frame)
    expect(
      reports.every(({ valid }) => valid),
      name,
    ).toBe(true)
    for (const { offset, header, stored, expected } of reports) {
      expect(expected, name).toBe(stored)
      const broken = Uint8Array.from(frame)
      broken[offset + 1] ^= header === "ipv4" ? 4 : 1
      const again = verifyChecksums(broken).find((report) => report.offset === offset)
      expect(again?.valid, `${name} ${header}`).toBe(false)
    }
  }
})

test("a pseudo header's sum in place of a checksum is recognised as offload", () => {
  const frame = ethernet({}, ipv4(v4, tcp({ srcPort: 1, dstPort: 2 })))
  const [, { expected }] = verifyChecksums(frame)
  // The pseudo header: two addresses, protocol 6, 20 bytes.
  const partial = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 6 + 20
  const offloaded = ethernet({}, ipv4(v4, tcp({ srcPort: 1, dstPort: 2, checksum: partial })))
  expect(verifyChecksums(offloaded)[1]).toMatchObject({ valid: false, partial: true, expected })
})
