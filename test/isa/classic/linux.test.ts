import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import {
  type ClassicInstruction,
  type ClassicProgram,
  disassembleClassic,
  findClassicFault,
  interpretClassic,
  SKF_AD_OFF,
  SKF_LL_OFF,
  SKF_NET_OFF,
  translateClassic,
} from "../../../src/isa/classic/index.ts"
import { readCapture } from "../../../src/packet/index.ts"
import { fuzzScale, Random, testSeed } from "../../packet/random.ts"
import { close, progLoad } from "../../support/linux.ts"
import { describeWith, type Requirement, requirement, root } from "../../support/requirements.ts"
import {
  FilteredSocket,
  LONGEST,
  longProgram,
  mutateProgram,
  randomProgram,
  testRun,
} from "./support.ts"

const BPF_PROG_TYPE_SOCKET_FILTER = 1
const BPF_PROG_TYPE_SCHED_CLS = 3

const linux: Requirement = requirement.linux()

const insn = (code: number, k = 0, jt = 0, jf = 0): ClassicInstruction => ({
  code,
  jt,
  jf,
  k: k >>> 0,
})

/** Bytes with something of everything, 1,500 of them. */
function sampleData(random: Random): Uint8Array {
  const data = random.bytes(1500)
  data.fill(0, 20, 40)
  return data
}

describeWith([linux], "Linux's own classic filters", () => {
  const socket = linux.available ? new FilteredSocket() : null
  afterAll(() => socket?.close())
  const attach = (program: ClassicProgram): number => (socket as FilteredSocket).attach(program)

  test("are legal where ours are, mutated programs included", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const runs = 3000 * fuzzScale
    const verdicts = { accepted: 0, refused: 0 }
    for (let i = 0; i < runs; i++) {
      const whole = randomProgram(random, 60)
      const program = random.below(8) === 0 ? whole : mutateProgram(random, whole)
      const errno = attach(program)
      const fault = findClassicFault(program)
      if ((errno !== 0) !== (fault !== null))
        expect.fail(
          `seed ${seed} run ${i}: Linux says ${errno}, we ${fault?.reason} at ${fault?.instruction}\n${disassembleClassic(program)}`,
        )
      verdicts[errno === 0 ? "accepted" : "refused"]++
    }
    console.log(`classic check: seed ${seed}, ${runs} programs, ${JSON.stringify(verdicts)}`)
    expect(Math.min(verdicts.accepted, verdicts.refused)).toBeGreaterThan(runs / 20)
  })

  test("have the same limits", () => {
    const cases: [ClassicProgram, boolean][] = [
      [[], false],
      [longProgram(LONGEST), true],
      [longProgram(LONGEST + 1), false],
      [[insn(0x06, 1)], true],
      [[insn(0x0e)], false],
      [[insn(0x60, 3), insn(0x06)], false],
      [[insn(0x02, 3), insn(0x60, 3), insn(0x06)], true],
      [[insn(0x15, 0, 1, 0), insn(0x02, 3), insn(0x60, 3), insn(0x06)], false],
      [[insn(0x06), insn(0x60, 3), insn(0x06)], false],
      [[insn(0x05, 0xffffffff), insn(0x06)], false],
      [[insn(0x05, 0), insn(0x06)], true],
      [[insn(0x20, SKF_AD_OFF + 64), insn(0x06)], false],
      [[insn(0x40, SKF_AD_OFF + 64), insn(0x06)], true],
      [[insn(0x20, SKF_NET_OFF), insn(0x06)], true],
      [[insn(0x64, 31), insn(0x06)], true],
      [[insn(0x64, 32), insn(0x06)], false],
      [[insn(0x34, 0), insn(0x06)], false],
    ]
    for (const [program, legal] of cases) {
      expect(findClassicFault(program) === null, disassembleClassic(program)).toBe(legal)
      expect(attach(program) === 0, disassembleClassic(program)).toBe(legal)
    }
  })

  test("compute what ours do, in random programs on random data", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const runs = 3000 * fuzzScale
    let early = 0
    for (let i = 0; i < runs; i++) {
      const data = sampleData(random)
      // A verdict of 1 to 1024 shows in the bytes that pass; so `ret a` returns ten bits of A.
      const shift = random.pick([0, 10, 20])
      const whole = randomProgram(random, 120).slice(0, -1)
      const tail = [insn(0x74, shift), insn(0x54, 0x3ff), insn(0x04, 1), insn(0x16)]
      const program = [...whole, ...tail]
      const errno = attach(program)
      if (errno !== 0) expect.fail(`seed ${seed} run ${i}: errno ${errno}`)
      const ours = Math.min(interpretClassic(program, data), data.length)
      const theirs = (socket as FilteredSocket).passes(data)
      if (ours !== theirs)
        expect.fail(
          `seed ${seed} run ${i}: Linux ${theirs}, we ${ours}\n${disassembleClassic(program)}`,
        )
      if (ours === 0) early++
    }
    console.log(`classic semantics: seed ${seed}, ${runs} programs, ${early} returned 0`)
  })

  test("end with A when they ask for the device of a packet that has none", () => {
    const data = new Uint8Array(100)
    for (const number of [8, 28]) {
      const load = insn(0x20, SKF_AD_OFF + number)
      const program = [insn(0x00, 77), load, insn(0x06, 5)]
      expect(attach(program)).toBe(0)
      expect((socket as FilteredSocket).passes(data)).toBe(77)
      expect(interpretClassic(program, data, { ifindex: null })).toBe(77)
    }
  })

  test("find netlink attributes where ours do", () => {
    const data = new Uint8Array(200)
    // Two attributes, the second with two nested ones: length, type.
    data.set([9, 0, 5, 0, 1, 1, 1, 1, 1], 20)
    data.set([24, 0, 7, 0x80, 8, 0, 1, 0, 9, 9, 9, 9, 8, 0, 2, 0, 9, 9, 9, 9], 32)
    for (const number of [12, 16])
      for (let start = 0; start <= 60; start += 2)
        for (const type of [0, 1, 2, 5, 7]) {
          const load = insn(0x20, SKF_AD_OFF + number)
          const program = [insn(0x01, type), insn(0x00, start), load, insn(0x04, 1), insn(0x16)]
          expect(attach(program)).toBe(0)
          const theirs = (socket as FilteredSocket).passes(data)
          expect(interpretClassic(program, data), `${number} ${start} ${type}`).toBe(theirs)
        }
  })
})

describeWith([linux], "translated programs on Linux", () => {
  const fds: number[] = []
  afterAll(() => {
    for (const fd of fds) close(fd)
  })

  function load(program: ClassicProgram, type: number): number {
    const translated = translateClassic(program)
    const { fd } = progLoad(type, translated, { logLevel: 0 })
    const log = fd < 0 ? progLoad(type, translated).log.slice(-2000) : ""
    if (fd < 0) expect.fail(`errno ${-fd}\n${log}\n${disassembleClassic(program)}`)
    fds.push(fd)
    return fd
  }

  test("are accepted by the verifier and give the same verdicts, random programs on frames", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const bytes = readFileSync(join(root, "examples/captures/mixed-small.pcap"))
    const frames = readCapture(bytes).frames.map(({ data }) => data)
    // Test runs refuse (EINVAL) frames whose IP header is cut.
    const usable = frames.filter(({ length }) => length >= 54)
    const runs = 150 * fuzzScale
    let verdicts = 0
    for (let i = 0; i < runs; i++) {
      const program = randomProgram(random, 80)
      const socketFilter = load(program, BPF_PROG_TYPE_SOCKET_FILTER)
      const classifier = load(program, BPF_PROG_TYPE_SCHED_CLS)
      for (let n = 0; n < 10; n++) {
        const frame = random.pick(usable)
        const ours = interpretClassic(program, frame)
        // A socket filter's test run takes the Ethernet header off: put one in front.
        const wrapped = new Uint8Array(frame.length + 14)
        wrapped.set(frame, 14)
        const theirs = [testRun(socketFilter, wrapped), testRun(classifier, frame)]
        if (theirs.some((verdict) => verdict !== ours))
          expect.fail(
            `seed ${seed} run ${i}: Linux ${theirs}, we ${ours}\n${disassembleClassic(program)}`,
          )
        verdicts++
      }
      close(fds.pop() as number)
      close(fds.pop() as number)
    }
    console.log(`classic translation: seed ${seed}, ${runs} programs, ${verdicts} verdicts`)
  })

  test("load relative to the link and the network header", () => {
    const frame = Uint8Array.from({ length: 80 }, (_, i) => (i === 12 ? 8 : i === 13 ? 0 : i + 1))
    for (const base of [SKF_LL_OFF, SKF_NET_OFF])
      for (const at of [0, 1, 13, 40, 62, 63, 64, 65, 66, 76, 77, 100, 0xfefff])
        for (const code of [0x20, 0x28, 0x30, 0x40, 0x48, 0x50]) {
          const program = [insn(0x01, 1), insn(code, base + at), insn(0x16)]
          const verdict = testRun(load(program, BPF_PROG_TYPE_SCHED_CLS), frame)
          expect(interpretClassic(program, frame), `${base} ${at} ${code}`).toBe(verdict)
          close(fds.pop() as number)
        }
  })

  test("read the data about the packet that struct __sk_buff has", () => {
    const frame = new Uint8Array(64).fill(1)
    frame.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0)
    frame.set([0x86, 0xdd, 0x60], 12)
    const context = new Uint8Array(192)
    new DataView(context.buffer).setUint32(8, 0xdead0001, true)
    // A test run's packet is on the loopback device, where only zeros are a broadcast address.
    const metadata = { mark: 0xdead0001, packetType: 2, ifindex: 1 }
    for (const number of [0, 4, 8, 20, 24, 32, 40, 44, 48, 60]) {
      const program = [insn(0x01, 0x55), insn(0x20, SKF_AD_OFF + number), insn(0x16)]
      const verdict = testRun(load(program, BPF_PROG_TYPE_SCHED_CLS), frame, context)
      expect(interpretClassic(program, frame, metadata), `SKF_AD ${number}`).toBe(verdict)
    }
    const random = [insn(0x20, SKF_AD_OFF + 56), insn(0x16)]
    const cpu = [insn(0x20, SKF_AD_OFF + 36), insn(0x16)]
    const drawn = load(random, BPF_PROG_TYPE_SOCKET_FILTER)
    expect(testRun(drawn, frame)).not.toBe(testRun(drawn, frame))
    expect(testRun(load(cpu, BPF_PROG_TYPE_SOCKET_FILTER), frame)).toBeLessThan(1024)
  })

  test("may be as long as a classic program can be", () => {
    // 'div x' is four slots, so the jump at 2 crosses 16,000 of them.
    const program = new Array<ClassicInstruction>(LONGEST).fill(insn(0x3c))
    program.splice(0, 3, insn(0x81), insn(0x15, 1, 1, 0), insn(0x05, LONGEST - 4))
    program[LONGEST - 1] = insn(0x16)
    const fd = load(program, BPF_PROG_TYPE_SOCKET_FILTER)
    expect(testRun(fd, new Uint8Array(64))).toBe(interpretClassic(program, new Uint8Array(50)))
  })
})

describe("translation", () => {
  test("leaves out what no path reaches", () => {
    const program = [insn(0x05, 1), insn(0x00, 7), insn(0x06, 3), insn(0x06, 4)]
    // Three slots of prologue, the jump, the return.
    expect(translateClassic(program).length / 8).toBe(3 + 1 + 2)
  })

  test("refuses what struct __sk_buff does not have, by name", () => {
    for (const [number, name] of [
      [12, "nla"],
      [16, "nlan"],
      [28, "hatype"],
      [52, "poff"],
    ] as const)
      expect(() => translateClassic([insn(0x20, SKF_AD_OFF + number), insn(0x16)])).toThrow(name)
    expect(() => translateClassic([insn(0x60, 3), insn(0x16)])).toThrow(/instruction 0.*word 3/)
  })
})
