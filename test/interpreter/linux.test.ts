import { afterAll, expect, it } from "vitest"
import {
  REGION_CONTEXT,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
} from "../../src/interpreter/index.ts"
import { encodeProgram, type Instruction } from "../../src/isa/index.ts"
import { addressOf, attr, bpf, close, progLoad } from "../support/linux.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import {
  generator,
  interesting,
  type Random,
  randomBody,
  SCRATCH_BYTES,
} from "./random-programs.ts"
import { createWorld, exit, insn, mov } from "./support.ts"

const BPF_PROG_TEST_RUN = 10
const BPF_PROG_TYPE_SCHED_CLS = 3
const BPF_PROG_TYPE_XDP = 6
const rounds = Number(process.env.SKEP_FUZZ ?? 1)

const REGISTER_BYTES = 80
const PACKET_BYTES = REGISTER_BYTES + SCRATCH_BYTES
/** Where the packet's address waits while all registers are in use. */
const PACKET_SLOT = -SCRATCH_BYTES - 8
/** Where the registers are put in the end, before they go into the packet. */
const SPILL = PACKET_SLOT - REGISTER_BYTES

/** An XDP program that takes its values from the packet, so no verifier knows them, and puts all back. */
function xdpProgram(random: Random, length: number): Instruction[] {
  const shape = { length, jumps: Math.min(8, length >> 3), calls: random(3) }
  const { body, subprogram, calls } = randomBody(random, shape)
  const program = [insn(0x61, 2, 1, 0), insn(0x61, 3, 1, 4), insn(0xbf, 4, 2)]
  program.push(insn(0x07, 4, 0, 0, PACKET_BYTES), insn(0xbd, 4, 3, 2), mov(0, 1), exit)
  program.push(insn(0x7b, 10, 2, PACKET_SLOT))
  for (let off = 0; off < SCRATCH_BYTES; off += 8)
    program.push(insn(0x79, 0, 2, REGISTER_BYTES + off), insn(0x7b, 10, 0, off - SCRATCH_BYTES))
  for (const register of [0, 1, 3, 4, 5, 6, 7, 8, 9, 2])
    program.push(insn(0x79, register, 2, 8 * register))
  const start = program.length
  program.push(...body)
  for (let register = 0; register < 10; register++)
    program.push(insn(0x7b, 10, register, SPILL + 8 * register))
  program.push(insn(0x79, 1, 10, PACKET_SLOT))
  for (let at = 0; at < REGISTER_BYTES; at += 8)
    program.push(insn(0x79, 2, 10, SPILL + at), insn(0x7b, 1, 2, at))
  for (let at = 0; at < SCRATCH_BYTES; at += 8)
    program.push(insn(0x79, 2, 10, at - SCRATCH_BYTES), insn(0x7b, 1, 2, REGISTER_BYTES + at))
  program.push(mov(0, 2), exit)
  for (const at of calls)
    program[start + at] = insn(0x85, 0, 1, 0, program.length - (start + at) - 1)
  // Without a call to it, the subprogram would be unreachable, which Linux refuses.
  if (calls.length > 0) program.push(...subprogram)
  return program
}

/** The packet after the program ran on Linux, or the verifier's log. */
function runOnLinux(program: Uint8Array, packet: Uint8Array): Uint8Array | string {
  const { fd, log } = progLoad(BPF_PROG_TYPE_XDP, program)
  if (fd < 0) return log
  const output = new Uint8Array(packet.length)
  const bytes = attr([
    [0, 4, fd],
    [8, 4, packet.length],
    [12, 4, output.length],
    [16, 8, addressOf(packet)],
    [24, 8, addressOf(output)],
    [32, 4, 1],
  ])
  const error = bpf(BPF_PROG_TEST_RUN, bytes)
  close(fd)
  if (error < 0) return `test run: errno ${-error}`
  return new DataView(bytes.buffer).getUint32(4, true) === 2 ? output : "wrong verdict"
}

/** The value that a traffic classifier (whose packets start at the link header) returns on Linux. */
function classifyOnLinux(program: Uint8Array, packet: Uint8Array): number | string {
  const { fd, log } = progLoad(BPF_PROG_TYPE_SCHED_CLS, program)
  if (fd < 0) return log
  const bytes = attr([
    [0, 4, fd],
    [8, 4, packet.length],
    [16, 8, addressOf(packet)],
    [32, 4, 1],
  ])
  const error = bpf(BPF_PROG_TEST_RUN, bytes)
  close(fd)
  return error < 0 ? `errno ${-error}` : new DataView(bytes.buffer).getUint32(4, true)
}

describeWith([requirement.linux()], "LD_ABS and LD_IND", () => {
  it("give what Linux gives inside of the packet and around its end", () => {
    const packet = new Uint8Array(40).map((_, index) => 200 - 3 * index)
    const view = new DataView(packet.buffer)
    const world = createWorld({
      loadPacket: (_machine, offset, size) => {
        if (offset < 0 || offset + size > packet.length) return null
        if (size === 1) return view.getUint8(offset)
        return size === 2 ? view.getUint16(offset) : view.getUint32(offset)
      },
    })
    for (const size of [0x00, 0x08, 0x10]) {
      for (const offset of [0, 1, 13, 30, 35, 36, 37, 38, 39, 40, 41, 1000]) {
        for (const base of [null, 0, 3, -1, -30]) {
          const load =
            base === null
              ? [insn(0x20 | size, 0, 0, 0, offset)]
              : [mov(7, base), insn(0x40 | size, 0, 7, 0, offset)]
          const program = [insn(0xbf, 6, 1), mov(0, 77), ...load, insn(0x07, 0, 0, 0, 5), exit]
          const expected = classifyOnLinux(encodeProgram(program), packet)
          const { low, fault } = world.run(program)
          expect(fault).toBeNull()
          expect(low >>> 0, `size ${size} offset ${offset} base ${base}`).toBe(expected)
        }
      }
    }
  })
})

describeWith([requirement.linux()], "the interpreter and Linux", () => {
  const world = createWorld()
  const { memory } = world
  const packet = world.region(PACKET_BYTES, REGION_READ | REGION_WRITE)
  const context = world.region(24, REGION_READ | REGION_CONTEXT)
  memory.view.setUint32(context.offset, packet.offset, true)
  memory.view.setUint32(context.offset + 4, packet.offset + PACKET_BYTES, true)
  const tag = REGION_TAG | packet.region
  memory.setContextTags(context.region, new Map([0, 4].map((offset) => [offset, tag])))
  let instructions = 0
  let refused = 0

  afterAll(() => {
    console.log(`${instructions} instructions compared with Linux; it refused ${refused} programs`)
  })

  it("agree on every register and byte after random programs", () => {
    const seed = Number(process.env.SKEP_SEED ?? 424_242)
    console.log(`seed ${seed}`)
    const random = generator(seed)
    const total = 80 * rounds
    for (let round = 0; round < total; round++) {
      const program = xdpProgram(random, 10 + random(60))
      const input = new Uint8Array(PACKET_BYTES)
      const view = new DataView(input.buffer)
      for (let at = 0; at < PACKET_BYTES; at += 8) view.setBigUint64(at, interesting(random), true)
      const expected = runOnLinux(encodeProgram(program), input)
      if (typeof expected === "string") {
        if (refused++ === 0) console.log(`round ${round}: ${expected.slice(-300)}`)
        continue
      }
      memory.write(packet.offset, input)
      const { fault, low, steps } = world.run(program, { arguments: [context.address] })
      expect(fault).toBeNull()
      expect(low).toBe(2)
      instructions += steps
      expect(memory.read(packet.offset, PACKET_BYTES), `seed ${seed}, round ${round}`).toEqual(
        expected,
      )
    }
    expect(refused).toBeLessThan(total / 4)
  })
})
