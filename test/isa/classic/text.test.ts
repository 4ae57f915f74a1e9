import { describe, expect, test } from "vitest"
import { SyntaxIssue } from "../../../src/base/index.ts"
import {
  type ClassicInstruction,
  decodeClassic,
  disassembleClassic,
  encodeClassic,
  formatClassicC,
  formatClassicDecimal,
  parseClassicC,
  parseClassicDecimal,
} from "../../../src/isa/classic/index.ts"
import { fuzzScale, Random, testSeed } from "../../packet/random.ts"
import { describeWith } from "../../support/requirements.ts"
import filters from "./fixtures/filters.json" with { type: "json" }
import { openLibpcap, randomProgram } from "./support.ts"

const ip: ClassicInstruction[] = [
  { code: 0x28, jt: 0, jf: 0, k: 12 },
  { code: 0x15, jt: 0, jf: 1, k: 0x800 },
  { code: 0x06, jt: 0, jf: 0, k: 262_144 },
  { code: 0x06, jt: 0, jf: 0, k: 0 },
]

describe("programs are read in every form that tools write", () => {
  test("struct sock_filter of both byte orders", () => {
    expect([...encodeClassic(ip).subarray(0, 16)]).toEqual([
      0x28, 0, 0, 0, 12, 0, 0, 0, 0x15, 0, 0, 1, 0, 8, 0, 0,
    ])
    expect(decodeClassic(encodeClassic(ip, false), false)).toEqual(ip)
    expect(() => decodeClassic(new Uint8Array(12))).toThrow(/12 is no multiple/)
  })

  test("lines of decimal numbers, and the same with commas", () => {
    const lines = "4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n"
    expect(parseClassicDecimal(lines)).toEqual(ip)
    expect(formatClassicDecimal(ip)).toBe(lines)
    expect(parseClassicDecimal(lines.trim().replaceAll("\n", ","))).toEqual(ip)
    expect(parseClassicDecimal("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0,")).toEqual(ip)
  })

  test("C initialisers, alone or as an array", () => {
    const text = "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000800 },\n"
    expect(parseClassicC(text)).toEqual(ip.slice(0, 2))
    expect(formatClassicC(ip.slice(0, 2))).toBe(text)
    expect(parseClassicC(`{\n${text}};`)).toEqual(ip.slice(0, 2))
    expect(parseClassicC("{{40,0,0,12},{21,0,1,2048}}")).toEqual(ip.slice(0, 2))
  })

  const wrong: [read: (text: string) => unknown, text: string, message: RegExp][] = [
    [parseClassicDecimal, "", /1:1: the number of instructions/],
    [parseClassicDecimal, "x", /1:1: 'x' is not a number/],
    [parseClassicDecimal, "0", /1:1: 0 instructions, a program has 1 to 4096/],
    [parseClassicDecimal, "4097", /4097 instructions/],
    [parseClassicDecimal, "2\n6 0 0 0\n", /1:1: 2 instructions are announced, 1 are there/],
    [parseClassicDecimal, "1\n6 0 0 0\n6 0 0 0\n", /3:1: 1 instructions are announced, 2/],
    [parseClassicDecimal, "1\n6 0 0", /2:1: an instruction is 4 numbers, here are 3/],
    [parseClassicDecimal, "1\n 6 0 256 0", /2:6: jf 256 is more than 255/],
    [parseClassicDecimal, "1\n6 0 0 -1", /2:7: '-1' is not a number/],
    [parseClassicDecimal, "1,6 0 0 4294967296", /1:9: k 4294967296 is more than/],
    [parseClassicC, "", /0 instructions/],
    [parseClassicC, "{ 6, 0, 0 }", /1:11: an instruction is 4 numbers, here are 3/],
    [parseClassicC, "{ 6, 0, 0, 0, 0 }", /1:15: '0' where no number can stand/],
    [parseClassicC, "{ 6, 0, 0, 0 },\n7", /2:1: '7' where no number can stand/],
    [parseClassicC, "{ 6, 0, 0, 0", /not closed/],
    [parseClassicC, "{{{ 6, 0, 0, 0", /1:3: '\{' where/],
    [parseClassicC, "{ BPF_RET, 0, 0, 0 }", /1:3: 'BPF_RET' is not a number \(code\)/],
  ]
  test.each(wrong)("and refused with line and column (%#)", (read, text, message) => {
    expect(() => read(text)).toThrow(SyntaxIssue)
    expect(() => read(text)).toThrow(message)
  })

  test("mutated text gives a program or SyntaxIssue", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const runs = 5000 * fuzzScale
    const texts = [formatClassicDecimal(ip), formatClassicC(ip), "{{40,0,0,12},{21,0,1,2048}}"]
    let refused = 0
    for (let i = 0; i < runs; i++) {
      const bytes = random.mutate(new TextEncoder().encode(random.pick(texts)))
      const text = new TextDecoder("latin1").decode(bytes)
      for (const read of [parseClassicDecimal, parseClassicC])
        try {
          read(text)
        } catch (error) {
          if (!(error instanceof SyntaxIssue)) throw new Error(`seed ${seed}`, { cause: error })
          refused++
        }
    }
    console.log(`classic text: seed ${seed}, ${runs} runs, ${refused} refusals`)
  })
})

test.each(filters.filters)("tcpdump's three forms of '$expression' are one program", (filter) => {
  const program = parseClassicDecimal(filter.program)
  expect(parseClassicC(filter.initialisers)).toEqual(program)
  expect(formatClassicC(program)).toBe(filter.initialisers)
  expect(formatClassicDecimal(program)).toBe(filter.program)
  expect(disassembleClassic(program)).toBe(filter.text)
})

const libpcap = openLibpcap()
const needsLibpcap = {
  name: "libpcap",
  available: libpcap !== null,
  reason: "libpcap.so.0.8 is not installed",
}

describeWith([needsLibpcap], "libpcap's bpf_image prints the same", () => {
  const same = (insn: ClassicInstruction, index: number): void => {
    const ours = disassembleClassic([...new Array(index).fill(insn), insn]).split("\n")[index]
    expect(ours).toBe(libpcap?.image(insn, index))
  }

  test("for every code up to 0x1ff but 'ldx #pktlen', which it does not know", () => {
    for (let code = 0; code < 0x200; code++)
      for (const k of [0, 7, 0x7fffffff, 0x80000005, 0xffffffff])
        if (code !== 0x81) same({ code, jt: 3, jf: 200, k }, 2)
  })

  test("for every offset about SKF_AD_OFF", () => {
    for (let k = 0xffffeff0; k < 0xfffff050; k++)
      for (const code of [0x20, 0x28, 0x30, 0x40]) same({ code, jt: 0, jf: 0, k }, 0)
  })

  test("for random programs", () => {
    const random = new Random(testSeed())
    for (let i = 0; i < 200; i++) {
      const program = randomProgram(random, 100).filter(({ code }) => code !== 0x81)
      const theirs = program.map((insn, index) => `${libpcap?.image(insn, index)}\n`).join("")
      expect(disassembleClassic(program)).toBe(theirs)
    }
  })
})
