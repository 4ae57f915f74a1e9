/**
 * Runs generated programs on several engines and compares what they leave: r0, packet and maps.
 *
 *   npm run fuzz:engines -- [--runs N] [--seed S] [--linux N]
 *
 * The interpreter is the reference; compiled code with and without checks must agree with it, and
 * Linux (the first N programs) too, as far as its verifier takes the program. Prints the seed of
 * each program that differs; `--runs 1 --seed S` repeats it.
 */

import type { CompileOptions } from "../../src/jit/index.ts"
import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import { BPF_MAP_TYPE } from "../../src/spec/index.ts"
import { addressOf, attr, bpf, close, progLoad, trialLoad } from "../support/linux.ts"
import {
  type GeneratedProgram,
  generateProgram,
  MAP_ENTRIES,
  MAPS,
  PACKET_BYTES,
  Random,
  VALUE_BYTES,
} from "./generate.ts"

const XDP = 6

/** What a program leaves behind, as text. */
export interface Engine {
  readonly name: string
  /** Undefined: the engine does not take the program. */
  run(program: GeneratedProgram, packet: Uint8Array): string | undefined
  close(): void
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex")
}

/** The program that the first entry of the prog array has: it writes to the packet. */
function tailTarget(): Uint8Array {
  const random = new Random(4711)
  for (;;) {
    const { insns, mapSlots } = generateProgram(random)
    if (mapSlots.length === 0 && !hasCall(insns)) return insns
  }
}

function hasCall(insns: Uint8Array): boolean {
  for (let at = 0; at < insns.length; at += 8) if (insns[at] === 0x85) return true
  return false
}

function patched({ insns, mapSlots }: GeneratedProgram, fds: readonly number[]): Uint8Array {
  const bytes = insns.slice()
  const view = new DataView(bytes.buffer)
  for (const slot of mapSlots)
    view.setInt32(slot * 8 + 4, fds[view.getInt32(slot * 8 + 4, true)], true)
  return bytes
}

const TYPES = {
  array: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY,
  hash: BPF_MAP_TYPE.BPF_MAP_TYPE_HASH,
  percpu: BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY,
  programs: BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY,
} as const

/** The embedded kernel with one of its engines. */
export function embeddedEngine(
  name: string,
  engine: "interpreter" | "jit",
  trusted: boolean,
  compile: Partial<CompileOptions> = {},
): Engine {
  const kernel = createEmbeddedKernel({
    engine,
    trustPrograms: trusted,
    budget: 2_000_000,
    compile,
    onNotice: (text) => {
      throw new Error(text)
    },
  })
  const fds = MAPS.map((map) =>
    kernel.bpf("MAP_CREATE", {
      map_type: TYPES[map],
      key_size: 4,
      value_size: map === "programs" ? 4 : VALUE_BYTES,
      max_entries: MAP_ENTRIES,
    }),
  )
  const load = (insns: Uint8Array): number =>
    kernel.bpf("PROG_LOAD", { prog_type: XDP, insns, license: "GPL", prog_name: "generated" })
  const tail = load(tailTarget())
  const slot = new Uint8Array(4)
  const value = new Uint8Array(4)
  new DataView(value.buffer).setInt32(0, tail, true)
  kernel.bpf("MAP_UPDATE_ELEM", { map_fd: fds[3], key: slot, value, flags: 0n })
  const read = (): string =>
    Array.from({ length: 16 }, (_, index) => {
      const key = Uint8Array.of(index, 0, 0, 0)
      return fds.slice(0, 3).map((map_fd) => {
        const found = new Uint8Array(VALUE_BYTES)
        const error = kernel.bpf("MAP_LOOKUP_ELEM", { map_fd, key, value: found, flags: 0n })
        return error < 0 ? "-" : hex(found)
      })
    }).join()
  const reset = (): void => {
    for (let index = 0; index < 16; index++) {
      const key = Uint8Array.of(index, 0, 0, 0)
      const zero = new Uint8Array(VALUE_BYTES)
      kernel.bpf("MAP_UPDATE_ELEM", { map_fd: fds[0], key, value: zero, flags: 0n })
      kernel.bpf("MAP_UPDATE_ELEM", { map_fd: fds[2], key, value: zero, flags: 0n })
      kernel.bpf("MAP_DELETE_ELEM", { map_fd: fds[1], key })
    }
  }
  return {
    name,
    run(program, packet) {
      reset()
      const prog_fd = load(patched(program, fds))
      if (prog_fd < 0) return undefined
      const run = {
        prog_fd,
        data_in: packet,
        data_out: new Uint8Array(PACKET_BYTES),
        repeat: 1,
      } as { prog_fd: number; data_out: Uint8Array; retval?: number }
      const error = kernel.bpf("PROG_TEST_RUN", run)
      kernel.close(prog_fd)
      return `${error} r0=${run.retval} packet=${hex(run.data_out)} maps=${read()}`
    },
    close: () => kernel.dispose(),
  }
}

/** Linux, through bpf(2); null where it does not let us. */
export function linuxEngine(): Engine | null {
  if (trialLoad() !== 0) return null
  const cpus = onlineCopies()
  const create = (map: (typeof MAPS)[number]): number =>
    bpf(
      0,
      attr([
        [0, 4, TYPES[map]],
        [4, 4, 4],
        [8, 4, map === "programs" ? 4 : VALUE_BYTES],
        [12, 4, MAP_ENTRIES],
      ]),
    )
  const fds = MAPS.map(create)
  const element = (command: number, map: number, key: Uint8Array, value?: Uint8Array): number =>
    bpf(
      command,
      attr([
        [0, 4, map],
        [8, 8, addressOf(key)],
        [16, 8, value === undefined ? 0 : addressOf(value)],
      ]),
    )
  const tail = progLoad(XDP, tailTarget(), { logLevel: 0 }).fd
  const target = new Uint8Array(4)
  new DataView(target.buffer).setInt32(0, tail, true)
  element(2, fds[3], new Uint8Array(4), target)
  const buffer = new Uint8Array(VALUE_BYTES * cpus)
  const read = (): string =>
    Array.from({ length: 16 }, (_, index) => {
      const key = Uint8Array.of(index, 0, 0, 0)
      return fds.slice(0, 3).map((fd, map) => {
        const error = element(1, fd, key, buffer)
        if (error < 0) return "-"
        // Of a per-CPU value, the copy of the CPU that ran the program: the others are zero.
        let found = buffer.subarray(0, VALUE_BYTES)
        if (map === 2)
          for (let cpu = 0; cpu < cpus; cpu++) {
            const copy = buffer.subarray(cpu * VALUE_BYTES, (cpu + 1) * VALUE_BYTES)
            if (copy.some((byte) => byte !== 0)) found = copy
          }
        return hex(found)
      })
    }).join()
  const reset = (): void => {
    buffer.fill(0)
    for (let index = 0; index < 16; index++) {
      const key = Uint8Array.of(index, 0, 0, 0)
      element(2, fds[0], key, buffer)
      element(2, fds[2], key, buffer)
      element(3, fds[1], key)
    }
  }
  return {
    name: "linux",
    run(program, packet) {
      reset()
      const { fd } = progLoad(XDP, patched(program, fds), { logLevel: 0 })
      if (fd < 0) return undefined
      const output = new Uint8Array(PACKET_BYTES)
      const bytes = attr([
        [0, 4, fd],
        [8, 4, packet.length],
        [12, 4, output.length],
        [16, 8, addressOf(packet)],
        [24, 8, addressOf(output)],
        [32, 4, 1],
      ])
      const error = bpf(10, bytes)
      close(fd)
      const r0 = new DataView(bytes.buffer).getUint32(4, true)
      return `${error} r0=${r0} packet=${hex(output)} maps=${read()}`
    },
    close() {
      for (const fd of [...fds, tail]) close(fd)
    },
  }
}

/** Copies of a per-CPU value: possible CPUs. */
function onlineCopies(): number {
  const text = process
    .getBuiltinModule("node:fs")
    .readFileSync("/sys/devices/system/cpu/possible", "utf8")
  return Number(text.trim().split("-").at(-1)) + 1
}

export interface FuzzResult {
  readonly programs: number
  readonly onLinux: number
  readonly refusedByLinux: number
  /** Seeds of programs on which an engine differs from the interpreter, with what each left. */
  readonly differences: readonly { readonly seed: number; readonly what: readonly string[] }[]
}

/** Where two texts part, and a little of both. */
function difference(expected: string, found: string): string {
  let at = 0
  while (at < expected.length && expected[at] === found[at]) at++
  const from = Math.max(0, at - 8)
  return `at ${at}: ${found.slice(from, at + 24)} instead of ${expected.slice(from, at + 24)}`
}

/** Compares engines on the programs of `runs` consecutive seeds. */
export function fuzzEngines(options: {
  readonly runs: number
  readonly seed: number
  readonly linux: number
}): FuzzResult {
  const reference = embeddedEngine("interpreter", "interpreter", false)
  const engines = [
    embeddedEngine("jit", "jit", true, { fuel: false }),
    embeddedEngine("jit-checked", "jit", false),
    embeddedEngine("jit-chunks", "jit", true, { chunkSlots: 12 }),
  ]
  const linux = options.linux > 0 ? linuxEngine() : null
  const differences: { seed: number; what: string[] }[] = []
  let onLinux = 0
  let refusedByLinux = 0
  for (let index = 0; index < options.runs && differences.length < 20; index++) {
    const seed = (options.seed + index) >>> 0
    const random = new Random(seed)
    const program = generateProgram(random)
    const packet = Uint8Array.from({ length: PACKET_BYTES }, () => random.below(256))
    const expected = reference.run(program, packet)
    const results: [string, string | undefined][] = engines.map((engine) => [
      engine.name,
      engine.run(program, packet),
    ])
    if (linux !== null && index < options.linux) {
      const result = linux.run(program, packet)
      if (result === undefined) refusedByLinux++
      else {
        onLinux++
        results.push(["linux", result])
      }
    }
    const wrong = results.filter(([, result]) => result !== expected)
    if (wrong.length === 0) continue
    const what = wrong.map(([name, text]) => `${name}: ${difference(expected ?? "", text ?? "")}`)
    differences.push({ seed, what })
  }
  for (const engine of [reference, ...engines]) engine.close()
  linux?.close()
  return { programs: options.runs, onLinux, refusedByLinux, differences }
}
