/**
 * Random legal programs, made from the table of forms. The same seed gives the same program; every
 * random test prints its seed.
 */

import type { Instruction, InstructionForm, RegisterRole } from "../../src/isa/index.ts"
import { INSTRUCTION_FORMS } from "../../src/isa/index.ts"

/** How often random tests run: 1, or what SKEP_FUZZ says. */
export const fuzzScale: number = Math.max(1, Number(process.env.SKEP_FUZZ ?? 1) || 1)

/** A generator of numbers from 0 up to 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A seed from the clock, or SKEP_SEED, printed. */
export function freshSeed(name: string): number {
  const seed = Number(process.env.SKEP_SEED ?? Date.now() % 0x7fffffff)
  console.info(`${name}: seed ${seed}`)
  return seed
}

export interface RandomProgramOptions {
  readonly random: () => number
  /** Instructions, about. */
  readonly count: number
  readonly forms?: readonly InstructionForm[]
  /** Put a jump around every goto and exit, so that Linux finds nothing unreachable. */
  readonly reachable?: boolean
  /** `imm` of a form with the role `call`. */
  readonly callee?: () => number
  /** `imm` of an ld_imm64 of a map: a file descriptor, for Linux. */
  readonly mapFd?: number
}

const INTERESTING = [0, 1, -1, 2, 7, 8, 16, 31, 32, 63, 64, 127, 255, 32767, -32768, 65535]

/** An integer that is often near an edge. */
export function randomInteger(random: () => number, bits: 16 | 32): number {
  const edge = bits === 16 ? 0x7fff : 0x7fffffff
  const kind = random()
  if (kind < 0.4) return bits === 16 ? small(random) : INTERESTING[pick(random, INTERESTING.length)]
  if (kind < 0.5) return edge
  if (kind < 0.6) return -edge - 1
  return Math.floor(random() * 2 * (edge + 1)) - edge - 1
}

function small(random: () => number): number {
  return pick(random, 33) - 16
}

function pick(random: () => number, count: number): number {
  return Math.floor(random() * count)
}

/**
 * The slots of a legal program: random instructions, an exit, and where it is called a subprogram of
 * two instructions.
 */
export function randomProgram(options: RandomProgramOptions): Instruction[] {
  const { random, count } = options
  const forms = options.forms ?? INSTRUCTION_FORMS
  const chosen = Array.from({ length: count }, () => forms[pick(random, forms.length)])
  const starts: number[] = []
  let slots = 0
  for (const form of chosen) {
    starts.push(slots)
    slots += (isWide(form) ? 2 : 1) + (guarded(form, options) ? 1 : 0)
  }
  const subprogram = slots + 2
  const program: Instruction[] = []
  for (const form of chosen) {
    if (guarded(form, options)) program.push(jump(0x15, 1))
    const slot = program.length
    const target = callsSubprogram(form) ? subprogram : starts[pick(random, starts.length)]
    program.push(randomInstruction(form, target - slot - 1, options))
    if (isWide(form)) program.push(secondSlot(form, random))
  }
  const end = [jump(0xb7, 0), jump(0x95, 0)]
  return [...program, ...end, ...(chosen.some(callsSubprogram) ? end : [])]
}

function callsSubprogram(form: InstructionForm): boolean {
  return form.name === "call_local" || form.name === "ld_func"
}

function isWide(form: InstructionForm): boolean {
  return form.next !== undefined
}

function guarded(form: InstructionForm, { reachable }: RandomProgramOptions): boolean {
  return reachable === true && ["ja", "ja32", "exit"].includes(form.name)
}

function jump(opcode: number, off: number): Instruction {
  return { opcode, dst: 0, src: 0, off, imm: 0 }
}

function secondSlot(form: InstructionForm, random: () => number): Instruction {
  const imm = form.next === "none" ? 0 : randomInteger(random, 32)
  return { opcode: 0, dst: 0, src: 0, off: 0, imm }
}

/** A random instruction of this form; `distance` is where a jump or local call goes. */
export function randomInstruction(
  form: InstructionForm,
  distance: number,
  options: Pick<RandomProgramOptions, "random" | "callee" | "mapFd">,
): Instruction {
  const { random } = options
  const register = (role: RegisterRole | number) => {
    if (typeof role === "number") return role
    if (role === "none") return 0
    return pick(random, role === "read" ? 11 : 10)
  }
  const off = () => {
    if (typeof form.off === "number") return form.off
    if (form.off === "none") return 0
    if (form.off === "jump") return distance
    return form.off === "module" ? pick(random, 4) : randomInteger(random, 16)
  }
  const imm = () => {
    if (typeof form.imm === "number") return form.imm
    if (form.imm === "none") return 0
    if (form.imm === "jump") return distance
    if (form.imm === "call" && options.callee !== undefined) return options.callee()
    if (form.name.startsWith("ld_map_fd") && options.mapFd !== undefined) return options.mapFd
    return randomInteger(random, 32)
  }
  const { opcode } = form
  return { opcode, dst: register(form.dst), src: register(form.src), off: off(), imm: imm() }
}
