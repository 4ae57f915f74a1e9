/**
 * What runs conformance vectors. An engine gets a vector and returns r0, or says why it would not
 * run it. Helper 5 returns its first argument, as the vectors want.
 */

import {
  createInterpreter,
  prepare,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
  STACK_BYTES,
} from "../../src/interpreter/index.ts"
import { encodeProgram, type Instruction } from "../../src/isa/index.ts"
import { AREA, compileProgram, JitHost, JitMachine } from "../../src/jit/index.ts"
import { createKernelMemory } from "../../src/kernel/memory/index.ts"
import { addressOf, attr, bpf, close, progLoad, trialLoad } from "../support/linux.ts"
import type { Vector } from "./vectors.ts"

export interface Engine {
  readonly name: string
  /** Why it cannot run here, or null. */
  readonly missing: string | null
  /** r0, unsigned, or why there is none. */
  run(vector: Vector): bigint | string
}

export interface Outcome {
  readonly passed: number
  /** Vectors whose result is wrong or missing: name and what happened. */
  readonly failed: readonly (readonly [name: string, reason: string])[]
}

/** Runs all vectors on one engine. */
export function runAll(engine: Engine, vectors: readonly Vector[]): Outcome {
  const failed: [string, string][] = []
  for (const vector of vectors) {
    const result = engine.run(vector)
    if (result === vector.expected) continue
    const wanted = `0x${vector.expected.toString(16)}`
    const reason =
      typeof result === "string" ? result : `r0 is 0x${result.toString(16)} instead of ${wanted}`
    failed.push([vector.name, reason])
  }
  return { passed: vectors.length - failed.length, failed }
}

/** skep's interpreter, alone. */
export function interpreterEngine(): Engine {
  const memory = createKernelMemory({ initialBytes: 2 ** 20 })
  const stackAddress = memory.allocate(STACK_BYTES)
  const stackRegion = memory.createRegion(0, 0, 0)
  const machine = createInterpreter<null>(memory, { stackAddress, stackRegion })
  return {
    name: "interpreter",
    missing: null,
    run({ name, program, mem }) {
      const { executable, problem } = prepare<null>({
        name,
        program,
        resolveCall: (kind, imm) =>
          kind === "helper" && imm === 5 ? (m) => m.setResult64(m.low(1), m.high(1)) : null,
      })
      if (problem !== null) return `slot ${problem.slot}: ${problem.message}`
      const at = mem.length > 0 ? memory.allocate(mem.length) : 0
      memory.write(at, mem)
      const region = memory.createRegion(at, at + mem.length, REGION_READ | REGION_WRITE)
      const address = [at, mem.length > 0 ? REGION_TAG | region : 0] as const
      const { fault, low, high } = machine.run(executable, {
        environment: null,
        arguments: [address, [mem.length, 0]],
      })
      memory.destroyRegion(region)
      memory.free(at)
      if (fault !== null) return `${fault.kind} fault in slot ${fault.slot}: ${fault.message}`
      return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
    },
  }
}

/** skep's compiler, alone: with a check of every access, or as for verified programs. */
export function jitEngine(checked: boolean): Engine {
  const memory = createKernelMemory({ initialBytes: 2 ** 20 })
  const area = memory.allocate(AREA.BYTES)
  const stackRegion = memory.createRegion(0, 0, 0)
  const host = new JitHost<null>(memory, {
    area,
    stackRegion,
    resolve: () => null,
    interpret: () => {},
  })
  const machine = new JitMachine(host, memory.allocate(STACK_BYTES, STACK_BYTES))
  const options = { area, stackTag: REGION_TAG | stackRegion, checked }
  return {
    name: checked ? "jit-checked" : "jit",
    missing: null,
    run({ name, program, mem }) {
      const { executable, problem } = prepare<null>({
        name,
        program,
        resolveCall: (kind, imm) =>
          kind === "helper" && imm === 5 ? (m) => m.setResult64(m.low(1), m.high(1)) : null,
      })
      if (problem !== null) return `slot ${problem.slot}: ${problem.message}`
      const compiled = compileProgram(executable, options)
      const bytes = compiled.bytes as BufferSource
      if (!WebAssembly.validate(bytes)) return "the module is not valid"
      const module = new WebAssembly.Module(bytes)
      const jitProgram = host.link(executable, compiled, module, options)
      const at = mem.length > 0 ? memory.allocate(mem.length) : 0
      memory.write(at, mem)
      const region = memory.createRegion(at, at + mem.length, REGION_READ | REGION_WRITE)
      const address = [at, mem.length > 0 ? REGION_TAG | region : 0] as const
      const { fault, low, high } = machine.run(jitProgram, {
        environment: null,
        arguments: [address, [mem.length, 0]],
      })
      host.unlink(jitProgram)
      memory.destroyRegion(region)
      memory.free(at)
      if (fault !== null) return `${fault.kind} fault in slot ${fault.slot}: ${fault.message}`
      return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
    },
  }
}

const BPF_PROG_TYPE_XDP = 6
const BPF_PROG_TEST_RUN = 10
/** The shortest frame that a test run takes. */
const PACKET_MIN = 14

/**
 * An XDP program that calls the vector's program with the packet as its memory, and leaves the
 * result in the first bytes of the packet.
 */
function wrapped(program: Uint8Array, memBytes: number): Uint8Array {
  const insn = (opcode: number, dst = 0, src = 0, off = 0, imm = 0): Instruction => ({
    opcode,
    dst,
    src,
    off,
    imm,
  })
  const packetBytes = Math.max(memBytes, PACKET_MIN)
  // r1 = data, if there are `packetBytes` of it; else a jump over `skip` slots, to the end.
  const data = (skip: number) => [
    insn(0x61, 1, 6, 0),
    insn(0x61, 2, 6, 4),
    insn(0xbf, 3, 1),
    insn(0x07, 3, 0, 0, packetBytes),
    insn(0x2d, 3, 2, skip),
  ]
  const before = [insn(0xbf, 6, 1), ...data(10), insn(0xb7, 2, 0, 0, memBytes)]
  // Without memory r1 is 0; with it, a jump to the next instruction keeps the length the same.
  before.push(memBytes === 0 ? insn(0xb7, 1) : insn(0x05))
  const after = [insn(0xbf, 7, 0), ...data(1), insn(0x7b, 1, 7), insn(0xb7), insn(0x95)]
  const call = insn(0x85, 0, 1, 0, after.length)
  const prologue = encodeProgram([...before, call, ...after])
  const whole = new Uint8Array(prologue.length + program.length)
  whole.set(prologue)
  whole.set(program, prologue.length)
  return whole
}

/** The kernel that this process runs on: its verifier and its own engine. */
export function linuxEngine(): Engine {
  const errno = trialLoad()
  return {
    name: "linux",
    missing: errno === 0 ? null : `bpf(2) refuses a trial load: errno ${errno}`,
    run({ program, mem }) {
      const { fd, log } = progLoad(BPF_PROG_TYPE_XDP, wrapped(program, mem.length))
      if (fd < 0) return `refused: ${log.trim().split("\n").at(-2) ?? `errno ${-fd}`}`
      const packet = new Uint8Array(Math.max(mem.length, PACKET_MIN))
      packet.set(mem)
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
      return new DataView(output.buffer).getBigUint64(0, true)
    },
  }
}
