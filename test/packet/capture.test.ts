import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { mixedSmall } from "../../scripts/make-captures.ts"
import { concatBytes, ObjectError } from "../../src/base/index.ts"
import {
  type Capture,
  type CapturedFrame,
  type FrameToWrite,
  openCapture,
  readCapture,
  writePcap,
  writePcapng,
} from "../../src/packet/index.ts"
import { describeWith, requirement, root, shared } from "../support/requirements.ts"
import { fuzzScale, Random, testSeed } from "./random.ts"

const frames: FrameToWrite[] = [
  { data: Uint8Array.of(1, 2, 3), timestampNs: 1_700_000_000_123_456_789n },
  { data: new Uint8Array(0), timestampNs: 0n },
  { data: Uint8Array.from({ length: 60 }, (_, i) => i), timestampNs: 7n, originalLength: 1500 },
]

/** What a frame is, as text that a failure message can show. */
function plain({ data, timestampNs, originalLength }: FrameToWrite): string {
  const hex = Buffer.from(data).toString("hex")
  return `${timestampNs} ${originalLength ?? data.length} ${hex}`
}

function u32(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length)
  const view = new DataView(bytes.buffer)
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true)
  return bytes
}

/** A little-endian pcapng block of this type and body. */
function block(type: number, ...body: Uint8Array[]): Uint8Array {
  const content = concatBytes(body)
  const length = content.length + 12
  return concatBytes([u32(type, length), content, u32(length)])
}

const sectionBlock = block(0x0a0d0d0a, u32(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff))
const interfaceBlock = block(1, u32(1, 262_144))

test("frames of a Buffer are plain byte arrays, windows into it", () => {
  const file = Buffer.from(writePcap(frames))
  const { data } = readCapture(file).frames[0]
  expect(data.constructor).toBe(Uint8Array)
  expect(data.buffer).toBe(file.buffer)
})

describe("captures that were written are read back", () => {
  const both = [true, false]
  for (const littleEndian of both) {
    const order = littleEndian ? "little" : "big"
    test(`pcap with nanoseconds, ${order}-endian`, () => {
      const bytes = writePcap(frames, { littleEndian, nanoseconds: true, linkType: 113 })
      const capture = readCapture(bytes)
      expect(capture.frames.map(plain)).toEqual(frames.map(plain))
      expect(capture).toMatchObject({ format: "pcap", linkType: 113, truncated: false })
    })

    test(`pcap with microseconds loses the digits below, ${order}-endian`, () => {
      const capture = readCapture(writePcap(frames, { littleEndian, snapLength: 96 }))
      expect(capture.frames[0].timestampNs).toBe(1_700_000_000_123_456_000n)
      expect(capture.interfaces).toEqual([{ linkType: 1, snapLength: 96, name: null }])
    })

    test(`pcapng with named interfaces, ${order}-endian`, () => {
      const interfaces = [{ name: "eth0" }, { name: "схема", linkType: 101, snapLength: 128 }]
      const several = frames.map((frame, index) => ({ ...frame, interface: index % 2 }))
      const capture = readCapture(writePcapng(several, { littleEndian, interfaces }))
      expect(capture.frames.map(plain)).toEqual(frames.map(plain))
      expect(capture.frames.map((frame) => frame.interface)).toEqual([0, 1, 0])
      expect(capture.interfaces).toMatchObject([
        { linkType: 1, snapLength: 0, name: "eth0" },
        { linkType: 101, snapLength: 128, name: "схема" },
      ])
    })
  }

  test("sections of different byte orders follow each other, their interfaces numbered on", () => {
    const parts = [
      writePcapng(frames, { interfaces: [{ name: "a" }, { name: "b" }] }),
      writePcapng(frames, { interfaces: [{ name: "c" }], littleEndian: false }),
    ]
    const capture = readCapture(concatBytes(parts))
    expect(capture.interfaces.map(({ name }) => name)).toEqual(["a", "b", "c"])
    expect(capture.frames.map((frame) => frame.interface)).toEqual([0, 0, 0, 2, 2, 2])
  })

  test("what does not fit in the format is refused with its number", () => {
    expect(() => writePcap([{ data: new Uint8Array(262_145) }])).toThrow(/frame 0 has 262145/)
    expect(() => writePcap([{ data: new Uint8Array(1), timestampNs: -1n }])).toThrow(RangeError)
    expect(() => writePcapng([{ data: new Uint8Array(1), interface: 1 }])).toThrow(/interface 1/)
  })
})

describe("pcapng blocks", () => {
  test("a simple packet is cut to the interface's snap length and has no time", () => {
    const short = block(1, u32(1, 4))
    const bytes = concatBytes([sectionBlock, short, block(3, u32(100), Uint8Array.of(1, 2, 3, 4))])
    const [frame] = readCapture(bytes).frames
    expect(plain(frame)).toBe("0 100 01020304")
  })

  test("an obsolete packet block has a 16-bit interface number", () => {
    const packet = block(2, u32(0x0005_0000, 0, 1_500_000, 3, 3), Uint8Array.of(9, 8, 7, 0))
    const [frame] = readCapture(concatBytes([sectionBlock, interfaceBlock, packet])).frames
    expect(plain(frame)).toBe("1500000000 3 090807")
  })

  test("the clock is that of if_tsresol and if_tsoffset, unknown blocks and options are skipped", () => {
    const options = concatBytes([
      u32((3 << 16) | 0x0fff, 0x00aabbcc),
      u32((1 << 16) | 9, 0x8a),
      u32((8 << 16) | 14, 100, 0),
      u32(0, 0xdead_beef),
    ])
    const clocked = block(1, u32(1, 0), options)
    const packet = block(6, u32(0, 0, 1536, 0, 60))
    const unknown = block(0x0bad, u32(1, 2, 3))
    const { frames } = readCapture(concatBytes([sectionBlock, unknown, clocked, unknown, packet]))
    expect(frames[0].timestampNs).toBe(101_500_000_000n)
  })
})

describe("malformed captures", () => {
  const packet = block(6, u32(0, 0, 0, 4, 4), Uint8Array.of(1, 2, 3, 4))
  const modifiedSection = (word: number, value: number): Uint8Array => {
    const bytes = concatBytes([sectionBlock, interfaceBlock, packet])
    new DataView(bytes.buffer).setUint32(4 * word, value, true)
    return bytes
  }
  const longFrame = writePcap(frames)
  new DataView(longFrame.buffer).setUint32(32, 262_145, true)
  const cases: [name: string, bytes: Uint8Array, message: RegExp][] = [
    ["an empty file", new Uint8Array(0), /0 bytes/],
    ["another format", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2), /0x7f454c46/],
    ["half a pcap header", writePcap([]).subarray(0, 17), /24 bytes.*17/],
    ["pcap version 1", Uint8Array.from(writePcap([]), (b, i) => (i === 4 ? 1 : b)), /1\.4/],
    ["a pcap frame longer than the limit", longFrame, /262145.*byte 32/],
    ["a section of an unknown byte order", modifiedSection(2, 0x11223344), /byte-order magic/],
    ["pcapng version 2", modifiedSection(3, 2), /version 2\.0/],
    ["a block length below 12", modifiedSection(8, 8), /block length 8/],
    ["a block length of no whole words", modifiedSection(8, 21), /multiple of 4/],
    ["a block length of gigabytes", modifiedSection(8, 0xfffffffc), /4294967292/],
    ["a block with two lengths", modifiedSection(11, 24), /20 before and 24 after/],
    ["a packet before any interface", concatBytes([sectionBlock, packet]), /no interface/],
    ["a packet of an unknown interface", modifiedSection(14, 1), /interface 1.*describes 1/],
    ["a packet longer than its block", modifiedSection(17, 5), /5 bytes wanted at 20/],
    [
      "an option longer than its block",
      concatBytes([sectionBlock, block(1, u32(1, 0, 0x00640002))]),
      /100 bytes/,
    ],
    [
      "a clock of 10^-20 s",
      concatBytes([sectionBlock, block(1, u32(1, 0, 0x00010009, 20))]),
      /10\^-20/,
    ],
  ]
  test.each(cases)("%s throws ObjectError with the place", (_, bytes, message) => {
    expect(() => readCapture(bytes)).toThrow(ObjectError)
    expect(() => readCapture(bytes)).toThrow(message)
  })

  test("a file cut anywhere gives the frames before the cut and says so", () => {
    for (const whole of [writePcap(frames), writePcapng(frames)]) {
      const complete = readCapture(whole).frames.map(plain)
      for (let length = whole.length - 1; length >= 60; length--) {
        const capture = readCapture(whole.subarray(0, length))
        expect(capture.frames.map(plain)).toEqual(complete.slice(0, capture.frames.length))
        expect(capture.frames.length).toBeLessThan(complete.length)
      }
      expect(readCapture(whole.subarray(0, whole.length - 1)).truncated).toBe(true)
    }
  })

  test("frames before a fault can be had one by one", () => {
    const bytes = concatBytes([writePcap(frames), u32(0, 0, 0xffffffff, 4)])
    const seen: CapturedFrame[] = []
    expect(() => {
      for (const frame of openCapture(bytes).frames()) seen.push(frame)
    }).toThrow(ObjectError)
    expect(seen.length).toBe(3)
  })

  test("mutated files give frames or ObjectError, nothing else", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const seeds = [
      writePcap(frames),
      writePcap(frames, { littleEndian: false, nanoseconds: true }),
      writePcapng(frames, { interfaces: [{ name: "eth0" }] }),
      concatBytes([writePcapng(frames), writePcapng(frames, { littleEndian: false })]),
      concatBytes([sectionBlock, interfaceBlock, packet, block(3, u32(3), u32(1)), packet]),
    ]
    const outcomes = { whole: 0, truncated: 0, refused: 0 }
    const runs = 20_000 * fuzzScale
    for (let i = 0; i < runs; i++) {
      const bytes = random.mutate(random.pick(seeds))
      try {
        outcomes[readCapture(bytes).truncated ? "truncated" : "whole"]++
      } catch (error) {
        if (!(error instanceof ObjectError)) throw new Error(`seed ${seed}`, { cause: error })
        outcomes.refused++
      }
    }
    console.log(`capture fuzz: seed ${seed}, ${runs} runs, ${JSON.stringify(outcomes)}`)
    expect(outcomes.refused).toBeGreaterThan(0)
  })
})

describe("the capture of the examples", () => {
  const path = join(root, "examples/captures/mixed-small.pcap")

  test("is what its script makes", () => {
    expect(readFileSync(path).equals(writePcap(mixedSmall()))).toBe(true)
  })

  test("has about 2,000 frames over ten seconds, in order of time", () => {
    const { frames } = readCapture(readFileSync(path))
    const times = frames.map((frame) => frame.timestampNs)
    expect(frames.length).toBe(2009)
    expect(times.every((time, i) => i === 0 || time >= times[i - 1])).toBe(true)
    expect(Number(times[times.length - 1] - times[0]) / 1e9).toBeCloseTo(9.7, 0)
  })
})

describeWith([requirement.tcpdump(), requirement.shared()], "tcpdump reads the same", () => {
  const folder = join(shared, "pcap")
  const files = existsSync(folder) ? readdirSync(folder).filter((n) => /\.pcap(ng)?$/.test(n)) : []

  /** What tcpdump reads from `input`, written again as nanosecond pcap. */
  function throughTcpdump(input: Uint8Array): Capture {
    const args = ["-r", "-", "-w", "-", "--time-stamp-precision=nano"]
    const { stdout, stderr } = spawnSync("tcpdump", args, { input, maxBuffer: 2 ** 26 })
    if (stdout.length === 0) throw new Error(`tcpdump: ${stderr}`)
    return readCapture(stdout)
  }

  test.each(files)("%s", (name) => {
    const bytes = readFileSync(join(folder, name))
    const ours = readCapture(bytes)
    const theirs = throughTcpdump(bytes)
    expect(ours.linkType).toBe(theirs.linkType)
    expect(ours.frames.map(plain)).toEqual(theirs.frames.map(plain))
  })

  test("and what we write, of both formats and byte orders", () => {
    for (const littleEndian of [true, false]) {
      const written = [
        writePcap(frames, { littleEndian, nanoseconds: true }),
        writePcapng(frames, { littleEndian, interfaces: [{ name: "eth0" }] }),
      ]
      for (const bytes of written)
        expect(throughTcpdump(bytes).frames.map(plain)).toEqual(frames.map(plain))
    }
  })
})
