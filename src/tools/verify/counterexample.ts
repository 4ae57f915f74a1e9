/**
 * Counterexamples: a rejected program is run, unverified, in the checked interpreter, on inputs
 * that are likely to break it, until it does what the rule forbids at the instruction that was
 * rejected. Nothing found proves nothing.
 *
 * What counts depends on the rule: an access outside of memory must fault there; a size, a NULL
 * argument or a return value must have the forbidden value; a rule about the path alone (leaks,
 * locks, calls that are not allowed) is broken when a run takes the verifier's very path.
 */

import { type Fault, REGION_READ } from "../../interpreter/index.ts"
import { BPF_CALL, BPF_JMP, decodeInstruction, INSN_SIZE } from "../../isa/index.ts"
import { EmbeddedKernel } from "../../kernel/index.ts"
import { loadObject } from "../../loader/index.ts"
import type { BpfObject } from "../../object/index.ts"
import { BPF_MAP_TYPE, BPF_PROG_TYPE } from "../../spec/index.ts"
import type { Counterexample, FindCounterexample, History } from "../../verifier/explain/index.ts"
import type { Rejection, VerifierInput } from "../../verifier/index.ts"

const BUDGET = 300_000
const WORLDS = 3
const CONTEXT_BYTES = 512
const TRACE_MAX = 1 << 12

/** Looks for inputs that break `program` of `object`. */
export function counterexampleFinder(object: BpfObject, program: string): FindCounterexample {
  return (input, rejection, history) => {
    for (let world = 0; world < WORLDS; world++) {
      const found = inWorld(object, program, { input, rejection, history, world })
      if (found !== undefined) return found
    }
    return null
  }
}

interface Search {
  readonly input: VerifierInput
  readonly rejection: Rejection
  readonly history: History
  readonly world: number
}

/** One run: what it was given in words, and how it is started. */
interface Trial {
  readonly words: string
  readonly detail: string
  readonly run: () => number
}

interface Observation {
  readonly slots: number[]
  /** R0 to R5 when the rejected instruction was reached, as unsigned numbers. */
  registers: readonly bigint[] | null
  fault: Fault | null
  result: number
  ended: boolean
}

function inWorld(object: BpfObject, program: string, search: Search): Counterexample | undefined {
  const kernel = new EmbeddedKernel({
    engine: "interpreter",
    verify: false,
    budget: BUDGET,
    seed: search.world + 1,
    bootTimeNs: 1_000_000_000n + BigInt(search.world),
  })
  try {
    const loaded = loadObject(kernel, object, { programs: [program], log: "off" })
    const fd = loaded.programs.get(program)?.fd
    if (fd === undefined) return undefined
    scriptRandom(kernel, search.world)
    if (search.world > 0) fillMaps(kernel, loaded.maps, search.world)
    const seen = observe(kernel, search.rejection.insn)
    for (const trial of trials(kernel, Number(fd), search)) {
      seen.begin()
      trial.run()
      const found = judge(seen.observation, search, trial)
      if (found !== null) return found
    }
  } catch {
    // What cannot be loaded or run here has no counterexample.
  }
  return undefined
}

/** Watches the runs of a kernel: which slots, which registers, which end. */
function observe(
  kernel: EmbeddedKernel,
  insn: number,
): { readonly observation: Observation; begin(): void } {
  const observation: Observation = {
    slots: [],
    registers: null,
    fault: null,
    result: 0,
    ended: false,
  }
  const { engines } = kernel.runner
  const original = engines.run.bind(engines)
  engines.run = (state, program, depth, run) => {
    const machine = (engines as unknown as Machines).interpreterAt(depth)
    const result = original(state, program, depth, {
      ...run,
      trace: (_, slot) => {
        if (observation.slots.length < TRACE_MAX) observation.slots.push(slot)
        if (slot === insn) observation.registers = words(machine.registers)
      },
    })
    observation.fault = result.fault
    observation.result = result.low
    observation.ended = true
    return result
  }
  return {
    observation,
    begin() {
      Object.assign(observation, { registers: null, fault: null, result: 0, ended: false })
      observation.slots.length = 0
    },
  }
}

/** The interpreters behind the engines: their registers are what a trace may look at. */
interface Machines {
  interpreterAt(depth: number): { readonly registers: Int32Array }
}

function words(registers: Int32Array): bigint[] {
  return Array.from(
    { length: 6 },
    (_, n) => (BigInt(registers[2 * n + 1] >>> 0) << 32n) | BigInt(registers[2 * n] >>> 0),
  )
}

type Maps = ReadonlyMap<
  string,
  {
    readonly fd: unknown
    readonly definition: {
      readonly type: number
      readonly keySize: number
      readonly valueSize: number
    }
  }
>

/** Numbers that programs ask for at random: small ones in one world, negative ones in another. */
const RANDOM: readonly (readonly number[])[] = [
  [],
  [3, 17, 40, 100, 199, 255, 1000, 65535],
  [-1, -100, -65536, -0x80000000, 0x7fffffff],
]

function scriptRandom(kernel: EmbeddedKernel, world: number): void {
  const numbers = RANDOM[world]
  if (numbers.length === 0) return
  let next = 0
  Object.assign(kernel.state, { random32: () => numbers[next++ % numbers.length] })
}

/** Array elements get bytes that are not zero: what a program finds there may be anything. */
function fillMaps(kernel: EmbeddedKernel, maps: Maps, world: number): void {
  for (const { fd, definition } of maps.values()) {
    if (definition.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY) continue
    kernel.bpf("MAP_UPDATE_ELEM", {
      map_fd: Number(fd),
      key: new Uint8Array(4),
      value: new Uint8Array(definition.valueSize).fill(world === 1 ? 1 : 0xa5),
      flags: 0n,
    })
  }
}

const T = BPF_PROG_TYPE
const PACKET_TYPES: ReadonlySet<number> = new Set([
  T.BPF_PROG_TYPE_XDP,
  T.BPF_PROG_TYPE_SCHED_CLS,
  T.BPF_PROG_TYPE_SCHED_ACT,
  T.BPF_PROG_TYPE_SOCKET_FILTER,
  T.BPF_PROG_TYPE_CGROUP_SKB,
])

function* trials(kernel: EmbeddedKernel, fd: number, search: Search): Generator<Trial> {
  if (PACKET_TYPES.has(search.input.type)) {
    for (const { words: said, bytes } of packets(search.world))
      yield {
        words: `with ${said}`,
        detail: hex(bytes),
        run: () => kernel.bpf("PROG_TEST_RUN", { prog_fd: fd, data_in: bytes, repeat: 1 }),
      }
    return
  }
  const program = kernel.tables.fds.get(fd, "program")
  if (typeof program === "number") return
  const { memory } = kernel.state
  const context = memory.allocate(CONTEXT_BYTES)
  const region = memory.createRegion(context, context + CONTEXT_BYTES, REGION_READ)
  const rounds = usesRingBuffer(search.input) ? RING_ROUNDS : 1
  for (const { words: said, fill } of contexts(search.world)) {
    const bytes = new Uint8Array(CONTEXT_BYTES)
    fill(new DataView(bytes.buffer))
    memory.write(context, bytes)
    for (let round = 0; round < rounds; round++)
      yield {
        words: round === 0 ? `with ${said}` : `after ${round} runs with ${said}`,
        detail: hex(bytes.subarray(0, 64)),
        run: () => {
          kernel.runner.run(kernel.state, program.value, { context, contextRegion: region })
          return 0
        },
      }
  }
}

/** Runs after which a small ring buffer that nobody reads is full. */
const RING_ROUNDS = 300

function usesRingBuffer({ insns }: VerifierInput): boolean {
  for (let slot = 0; slot < insns.length / INSN_SIZE; slot++) {
    const { opcode, src, imm } = decodeInstruction(insns, slot)
    if (opcode === (BPF_JMP | BPF_CALL) && src === 0 && imm === 131) return true
  }
  return false
}

/** Contexts of events: arguments of all kinds. */
function contexts(world: number): { words: string; fill: (view: DataView) => void }[] {
  const every = (value: bigint) => (view: DataView) => {
    for (let at = 0; at < view.byteLength; at += 8) view.setBigUint64(at, value, true)
  }
  const values = [0n, 1n, 0xffffffffffffffffn, 0x80000000n, 0x7fffffffn, 0xffff888000001000n]
  return [
    ...values.map((value) => ({
      words: `arguments that are all ${BigInt.asIntN(64, value)}`,
      fill: every(value),
    })),
    {
      words: "arguments chosen at random",
      fill: (view: DataView) => {
        let state = 0x9e3779b9 + world
        for (let at = 0; at < view.byteLength; at += 4) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0
          view.setUint32(at, state, true)
        }
      },
    },
  ]
}

const LENGTHS = [14, 15, 20, 33, 34, 35, 53, 54, 64, 80, 128, 1000]

/** Packets, short ones first: empty, IPv4 with and without options, IPv6. */
function* packets(world: number): Generator<{ words: string; bytes: Uint8Array }> {
  for (const length of LENGTHS)
    for (const [kind, header] of HEADERS) {
      const bytes = new Uint8Array(length).fill(world === 2 ? 0xff : 0)
      bytes.set(header.slice(0, length))
      yield { words: `a packet of ${length} bytes (${kind})`, bytes }
    }
}

const ETHERNET = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
const HEADERS: readonly (readonly [string, readonly number[]])[] = [
  ["no protocol", [...ETHERNET, 0, 0]],
  ["IPv4, UDP", [...ETHERNET, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17]],
  ["IPv4, TCP, header length 60", [...ETHERNET, 8, 0, 0x4f, 0, 0, 40, 0, 0, 0, 0, 64, 6]],
  ["IPv6, UDP", [...ETHERNET, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 17, 64]],
]

/** Rules that are about a value or an access: reaching the place is not enough. */
const ABOUT_VALUES =
  /invalid mem access|outside of|invalid access|unbounded|min value is|zero-sized|math between|out of bounds|_or_null|Possibly NULL|variable-offset/

function judge(seen: Observation, search: Search, trial: Trial): Counterexample | null {
  const { rejection, history } = search
  const { message, insn } = rejection
  const { fault, slots } = seen
  const say = (kind: Counterexample["kind"], outcome: string): Counterexample => ({
    text: `${trial.words}, ${outcome}`,
    input: trial.detail,
    outcome,
    kind,
  })
  if (fault !== null && fault.kind === "budget")
    return /loop|too large|complex/.test(message)
      ? say(
          "endless",
          `the program is still running after ${BUDGET.toLocaleString("en")} instructions`,
        )
      : null
  // Arithmetic that goes astray shows when its result is used.
  const later = /math between|makes .* out of bounds/.test(message)
  if (
    fault !== null &&
    (fault.slot === insn || (later && fault.slot > insn)) &&
    fault.kind !== "instruction"
  )
    return say("fault", fault.message)
  const value = forbiddenValue(seen, message, rejection)
  if (value !== null) return say("return", value)
  const died = /'scalar'/.test(message) && wasInvalidated(history, rejection)
  const fixed = isFixed(history, rejection)
  if (ABOUT_VALUES.test(message) && !died && !fixed) return null
  if (/should have been in/.test(message) || !follows(slots, history.path)) return null
  return say("reached", "the program takes this very path")
}

/** A size, an argument or a result that is what the rule forbids. */
function forbiddenValue(seen: Observation, message: string, rejection: Rejection): string | null {
  const range = /should have been in \[(-?\d+), (-?\d+)\]/.exec(message)
  if (range !== null && seen.ended && seen.fault === null)
    return seen.result < Number(range[1]) || seen.result > Number(range[2])
      ? `the program returns ${seen.result}`
      : null
  const { registers } = seen
  const register = rejection.details.register ?? Number(/R(\d+)/.exec(message)?.[1] ?? -1)
  if (registers === null || register < 0 || register > 5) return null
  const value = registers[register]
  if (/zero-sized/.test(message)) return value === 0n ? `the size (R${register}) is 0` : null
  if (/unbounded memory access, use|min value is negative, either use unsigned or/.test(message))
    return value > 0x1fffffffn ? `the size (R${register}) is ${BigInt.asIntN(64, value)}` : null
  if (/_or_null|Possibly NULL/.test(message) && !/invalid mem access/.test(message))
    return value === 0n ? `the argument (R${register}) is NULL` : null
  return null
}

function wasInvalidated(history: History, rejection: Rejection): boolean {
  const register = Number(/R(\d+)/.exec(rejection.message)?.[1] ?? -1)
  return history.registers[register]?.some(({ kind }) => kind === "invalidated") ?? false
}

/** An access at a constant offset of something of known size: every run breaks the rule. */
function isFixed(history: History, rejection: Rejection): boolean {
  const register = Number(/R(\d+)/.exec(rejection.message)?.[1] ?? -1)
  const value = history.registers[register]?.at(-1)?.value
  return /map_value\(/.test(value?.text ?? "") && value?.mask === 0n
}

/** Whether a run began with the verifier's path. */
function follows(slots: readonly number[], path: readonly number[]): boolean {
  const length = Math.min(path.length, TRACE_MAX)
  return slots.length >= length && path.every((insn, at) => at >= length || slots[at] === insn)
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
