import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import {
  checkClassic,
  disassembleClassic,
  interpretClassic,
  parseClassicDecimal,
} from "../../../src/isa/classic/index.ts"
import {
  type CapturedFrame,
  LINKTYPE_ETHERNET,
  LINKTYPE_LINUX_SLL,
  readCapture,
  writePcap,
} from "../../../src/packet/index.ts"
import { fuzzScale, Random, testSeed } from "../../packet/random.ts"
import { describeWith, requirement, root, shared } from "../../support/requirements.ts"
import { cookedExpressions, expressions, loopingExpressions } from "./expressions.ts"
import filters from "./fixtures/filters.json" with { type: "json" }
import { askTcpdump, compileWithTcpdump, openLibpcap, randomProgram } from "./support.ts"

const example = readCapture(readFileSync(join(root, filters.capture))).frames

describe("filters match the frames that tcpdump matched when the fixtures were made", () => {
  test.each(filters.filters)("$expression", ({ program, matches }) => {
    const filter = parseClassicDecimal(program)
    const ours = [...example.keys()].filter((index) => {
      const { data, originalLength } = example[index]
      return interpretClassic(filter, data, { length: originalLength }) !== 0
    })
    expect(ours).toEqual(matches)
  })
})

describeWith(
  [requirement.tcpdump(), requirement.shared()],
  "tcpdump matches the same frames",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "skep-filters-"))
    afterAll(() => rmSync(folder, { recursive: true }))

    /** Frames of a link type from all captures; of the large one, every twentieth. */
    function gather(linkType: number): CapturedFrame[] {
      const frames: CapturedFrame[] = linkType === LINKTYPE_ETHERNET ? [...example] : []
      for (const name of readdirSync(join(shared, "pcap"))) {
        if (!/\.pcap(ng)?$/.test(name)) continue
        const capture = readCapture(readFileSync(join(shared, "pcap", name)))
        if (capture.linkType !== linkType) continue
        const step = name === "mixed.pcap" ? 20 : 1
        frames.push(...capture.frames.filter((_, index) => index % step === 0))
      }
      return frames
    }

    function compare(linkType: number, list: readonly string[]): void {
      const frames = gather(linkType)
      const path = join(folder, `${linkType}.pcap`)
      // A frame's index is its time in microseconds.
      const timed = frames.map((frame, index) => ({ ...frame, timestampNs: BigInt(index) * 1000n }))
      writeFileSync(path, writePcap(timed, { linkType }))
      let empty = 0
      const results = askTcpdump(path, folder, list)
      for (const [index, expression] of list.entries()) {
        const program = parseClassicDecimal(results.program(index))
        checkClassic(program)
        const theirs = readCapture(results.matches(index)).frames.map(({ timestampNs }) =>
          Number(timestampNs / 1000n),
        )
        const ours = [...frames.keys()].filter((index) => {
          const { data, originalLength } = frames[index]
          return interpretClassic(program, data, { length: originalLength }) !== 0
        })
        expect(ours, expression).toEqual(theirs)
        if (ours.length === 0) empty++
      }
      console.log(
        `link type ${linkType}: ${list.length} expressions on ${frames.length} frames, ${empty} without a match`,
      )
      expect(empty).toBeLessThan(list.length / 4)
    }

    test("but programs that loop are refused, as Linux refuses them", () => {
      const path = join(root, filters.capture)
      for (const expression of loopingExpressions)
        expect(() => checkClassic(compileWithTcpdump(path, expression))).toThrow(
          /instruction \d+ '\(\d+\) ja .* jump to 4294967\d+/,
        )
    })

    // Hundreds of processes are started, so a busy machine may take its time.
    test("of Ethernet", () => compare(LINKTYPE_ETHERNET, expressions), 300_000)
    test("of Linux cooked captures", () => compare(LINKTYPE_LINUX_SLL, cookedExpressions))
  },
)

const libpcap = openLibpcap()
const needsLibpcap = {
  name: "libpcap",
  available: libpcap !== null,
  reason: "libpcap.so.0.8 is not installed",
}

describeWith([needsLibpcap], "libpcap's bpf_filter", () => {
  // libpcap does not know 'ldx #pktlen', leaves shifts by 32 and more to the machine, and refuses
  // X + k above 32 bits where Linux wraps.
  const differing = new Map([
    [0x81, 0x07],
    [0x6c, 0x07],
    [0x7c, 0x07],
    [0x40, 0xb1],
    [0x48, 0xb1],
    [0x50, 0xb1],
  ])

  test("returns the same for random programs on frames", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const runs = 3000 * fuzzScale
    for (let i = 0; i < runs; i++) {
      const program = randomProgram(random, 100).map((insn) => ({
        ...insn,
        code: differing.get(insn.code) ?? insn.code,
      }))
      const { data, originalLength } = random.pick(example)
      const ours = interpretClassic(program, data, { length: originalLength })
      const theirs = libpcap?.filter(program, data, originalLength)
      expect(ours, `seed ${seed} run ${i}\n${disassembleClassic(program)}`).toBe(theirs)
    }
    console.log(`libpcap: seed ${seed}, ${runs} programs`)
  })
})
