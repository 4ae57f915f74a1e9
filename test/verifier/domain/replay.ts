/**
 * Follows a log of level 2 that Linux wrote for a program on scalars: each instruction is done by
 * our domain too, and each register that Linux prints must read the same. The log decides which
 * path is taken next and where Linux prunes; marks of precision are not the domain's and are
 * ignored, ids count as equal when they are shared by the same registers.
 */

import { type Domain, POINTER_VARIABLE } from "../../../src/verifier/domain/domain.ts"
import {
  invariantViolation,
  printRegister,
  type RegisterNames,
} from "../../../src/verifier/log/register.ts"
import {
  CURRENT_BASE,
  FRAME_REGS,
  FRAME_STRIDE,
  REG_FRAMENO,
  REG_ID,
  REG_OFF,
  REG_SIZE,
  REG_TYPE,
  REG_UMAX,
  SCRATCH_BASE,
} from "../../../src/verifier/state/layout.ts"
import {
  ID_MASK,
  PTR_TO_CTX,
  PTR_TO_PACKET,
  PTR_TO_STACK,
  SCALAR_VALUE,
} from "../../../src/verifier/state/register-types.ts"
import type { Instruction } from "./programs.ts"

/** The first difference; undefined when there is none. */
export interface Difference {
  readonly line: string
  readonly what: string
}

const [CONSTANT, TAKEN, TAKEN_SOURCE, FALSE_SOURCE, LIST, LIVE] = [0, 1, 2, 3, 4, 5].map(
  (n) => SCRATCH_BASE + n * REG_SIZE,
)

function reg(index: number): number {
  return CURRENT_BASE + FRAME_REGS + index * REG_SIZE
}

/** `R1=scalar(id=2+4,umin=1)` → register, text without precision and id, id, distance. */
const TOKEN = / (R(\d+)|fp-\d+)=(.*?)(?= R\d+=| fp-\d+=| refs=|$)/g

export class Replay {
  #ids = 0
  #first = 0
  #live: number[] = []
  /** Lines that Linux should print next. */
  #violations: string[] = []
  #pending: { from: number; to: number; bytes: Uint8Array }[] = []
  readonly #domain: Domain
  readonly #names: RegisterNames
  /** Registers compared so far. */
  compared = 0

  constructor(domain: Domain, maps: RegisterNames["maps"] = []) {
    this.#domain = domain
    this.#names = { domain, maps, btfs: [] }
  }

  /** Instructions before `first` are skipped; `start` then says what the registers are. */
  run(
    program: readonly Instruction[],
    log: string,
    first = 0,
    start: () => void = () => this.#entry(),
  ): Difference | undefined {
    this.#ids = 1000
    this.#pending = []
    this.#violations = []
    this.#live = liveBefore(program)
    this.#first = first
    start()
    for (const line of log.split("\n")) {
      const what = this.#line(program, line)
      if (what !== undefined) return { line, what }
    }
    if (this.#violations.length > 0) return { line: "", what: `not said: ${this.#violations[0]}` }
    return undefined
  }

  /** R1 is the context, R10 the frame. */
  #entry(): void {
    const d = this.#domain
    d.u8.fill(0, CURRENT_BASE, CURRENT_BASE + FRAME_STRIDE)
    for (let index = 0; index < 11; index++) d.markNotInit(reg(index))
    d.markKnownZero(reg(1))
    d.i32[(reg(1) + REG_TYPE) >> 2] = PTR_TO_CTX
    d.markKnownZero(reg(10))
    d.i32[(reg(10) + REG_TYPE) >> 2] = PTR_TO_STACK
    d.i32[(reg(10) + REG_FRAMENO) >> 2] = 0
  }

  #line(program: readonly Instruction[], line: string): string | undefined {
    const from = /^from (\d+) to (\d+):(.*)$/.exec(line)
    if (from !== null) {
      const saved = this.#pending.pop()
      if (saved === undefined) return "a path that we did not open"
      if (saved.from !== Number(from[1]) || saved.to !== Number(from[2]))
        return `our next path is from ${saved.from} to ${saved.to}`
      this.#domain.u8.set(saved.bytes, reg(0))
      return from[3] === " safe" ? undefined : this.#compare(from[3])
    }
    const instruction = /^(\d+): \(([0-9a-f]{2})\) (.*)$/.exec(line)
    if (instruction !== null) {
      const [text, state] = instruction[3].split(/\s+;(?= )/)
      const index = Number(instruction[1])
      if (index < this.#first) return undefined
      if (/ goto pc[+-]/.test(text)) this.#jump(program[index], index)
      else this.#execute(program[index], index)
      return state === undefined ? undefined : this.#compare(state)
    }
    const state = /^(\d+):( R.*)$/.exec(line)
    if (state !== null) return Number(state[1]) < this.#first ? undefined : this.#compare(state[2])
    if (line.includes("REG INVARIANTS VIOLATION")) {
      const ours = this.#violations.shift()
      return line === ours ? undefined : `ours: ${ours}`
    }
    return undefined
  }

  #compare(text: string): string | undefined {
    const d = this.#domain
    for (const [, place, index, printed] of text.matchAll(TOKEN)) {
      if (!place.startsWith("R")) continue
      const r = reg(Number(index))
      this.compared++
      const theirs = withoutId(printed.replace(/^P/, ""))
      const ours = withoutId(printRegister(this.#names, r).replace(/^P/, ""))
      if (ours.text !== theirs.text) return `${place}: Linux ${theirs.text}, ours ${ours.text}`
      // Linux forgets ids that only one register has, where it keeps a state.
      if (theirs.id === undefined && ours.id !== undefined) d.i32[(r + REG_ID) >> 2] = 0
      else if (theirs.id !== ours.id)
        return `${place}: Linux's distance is ${theirs.id}, ours ${ours.id}`
    }
    return undefined
  }

  #assignId(r: number): void {
    const d = this.#domain
    if (d.i32[(r + REG_TYPE) >> 2] !== SCALAR_VALUE) return
    const id = d.u32[(r + REG_ID) >> 2]
    if (id > ID_MASK) {
      d.u32[(r + REG_ID) >> 2] = 0
      d.u32[(r + REG_OFF) >> 2] = 0
    }
    if (d.u32[(r + REG_ID) >> 2] === 0 && !d.isConst(r)) d.u32[(r + REG_ID) >> 2] = ++this.#ids
  }

  #clearId(r: number): void {
    this.#domain.u32[(r + REG_ID) >> 2] = 0
  }

  #constant(value: number): number {
    this.#domain.markKnown(CONSTANT, value, value >> 31)
    return CONSTANT
  }

  #execute({ opcode, dst, src, off, imm }: Instruction, index: number): void {
    const d = this.#domain
    const r = reg(dst)
    const kind = opcode & 7
    if (kind === 1) {
      const size = { 16: 1, 8: 2, 0: 4, 24: 8 }[opcode & 0x18]!
      if ((opcode & 0xe0) === 0x80) {
        d.markUnknown(r)
        d.coerceSext(r, size)
      } else d.unknownByLoad(r, size)
      return
    }
    if (kind !== 4 && kind !== 7) return
    const is64 = kind === 7 ? 1 : 0
    const op = opcode & 0xf0
    if (op === 0xb0) {
      this.#move(opcode, r, reg(src), off, imm)
      this.#forgetInsane(r, "alu")
      return
    }
    if (op === 0xd0) {
      d.byteOrder(r, imm, opcode === 0xd4 ? 0 : 1)
      this.#forgetInsane(r, "alu")
      return
    }
    if (op === 0x80) {
      d.alu(r, r, op, is64, 0)
      this.#forgetInsane(r, "alu")
      return
    }
    const source = (opcode & 8) !== 0 ? reg(src) : this.#constant(imm)
    if (this.#isPointer(r) || this.#isPointer(source)) {
      this.#movePointer(r, source, op)
      return
    }
    const fork = d.forkWidth(r, source, op)
    if (fork !== 0) {
      const kept = d.u8.slice(r, r + REG_SIZE)
      d.setFork(r, fork, 0)
      this.#pending.push({ from: index, to: index, bytes: d.u8.slice(reg(0), reg(11)) })
      d.u8.set(kept, r)
      d.setFork(r, fork, -1)
    }
    d.alu(r, source, op, is64, off)
    d.linkAfterAlu(r, source, op, is64)
    this.#forgetInsane(r, "alu")
  }

  #isPointer(r: number): boolean {
    return this.#domain.i32[(r + REG_TYPE) >> 2] > SCALAR_VALUE
  }

  #movePointer(r: number, source: number, op: number): void {
    const d = this.#domain
    if (this.#isPointer(r) && this.#isPointer(source)) {
      d.markUnknown(r)
      return
    }
    const pointer = this.#isPointer(r) ? r : source
    const variable = d.pointerAlu(r, pointer, pointer === r ? source : r, op === 0x10 ? 1 : 0)
    const packet = d.i32[(r + REG_TYPE) >> 2] === PTR_TO_PACKET
    if (variable === POINTER_VARIABLE && packet) d.u32[(r + REG_ID) >> 2] = ++this.#ids
    d.boundsSync(r)
    this.#forgetInsane(r, "alu")
  }

  #move(opcode: number, r: number, source: number, off: number, imm: number): void {
    const d = this.#domain
    const is64 = (opcode & 7) === 7
    if ((opcode & 8) === 0) {
      d.markKnown(r, imm, is64 ? imm >> 31 : 0)
      return
    }
    if (off === 0 ? is64 || d.width(source) <= 32 : this.#fits(source, off)) {
      this.#assignId(source)
      d.copyReg(r, source)
    } else {
      d.copyReg(r, source)
      this.#clearId(r)
    }
    if (is64) {
      if (off !== 0) d.coerceSext(r, off >> 3)
      return
    }
    if (off !== 0) d.coerceSubregSext(r, off >> 3)
    d.zext32(r)
    d.boundsSync(r)
  }

  /** umax < 2^(bits - 1): extending the sign changes nothing. */
  #fits(source: number, bits: number): boolean {
    return this.#domain.u64[(source + REG_UMAX) >> 3] < 1n << BigInt(bits - 1)
  }

  /** Both sides of a conditional jump: the one that falls through goes on, the other waits. */
  #jump({ opcode, dst, src, off, imm }: Instruction, index: number): void {
    const d = this.#domain
    const is32 = (opcode & 7) === 6 ? 1 : 0
    const op = opcode & 0xf0
    const r1 = reg(dst)
    const byRegister = (opcode & 8) !== 0
    const r2 = byRegister ? reg(src) : this.#constant(imm)
    if (d.branchTaken(r1, r2, op, is32) >= 0) return
    d.u32[LIVE >> 2] = this.#live[index]
    let linked = 0
    if (byRegister && this.#isLinked(r2)) linked = d.collectLinked(1, this.#id(r2), LIST, 0, LIVE)
    if (this.#isLinked(r1)) linked = d.collectLinked(1, this.#id(r1), LIST, linked, LIVE)
    d.copyReg(TAKEN, r1)
    d.copyReg(TAKEN_SOURCE, r2)
    if (!byRegister) d.copyReg(FALSE_SOURCE, r2)
    const f2 = byRegister ? r2 : FALSE_SOURCE
    const before = d.u8.slice(reg(0), reg(11))
    const t2 = r1 === r2 ? TAKEN : TAKEN_SOURCE
    d.branchRefine(TAKEN, t2, r1, f2, op, is32)
    this.#forgetInsane(TAKEN, "true_reg1")
    this.#forgetInsane(t2, "true_reg2")
    this.#forgetInsane(r1, "false_reg1")
    this.#forgetInsane(f2, "false_reg2")
    this.#sync(linked, r1, byRegister ? r2 : 0)
    const fallThrough = d.u8.slice(reg(0), reg(11))
    d.u8.set(before, reg(0))
    if (byRegister && r1 !== r2) d.copyReg(r2, TAKEN_SOURCE)
    d.copyReg(r1, TAKEN)
    this.#sync(linked, r1, byRegister ? r2 : 0)
    this.#pending.push({ from: index, to: index + off + 1, bytes: d.u8.slice(reg(0), reg(11)) })
    d.u8.set(fallThrough, reg(0))
  }

  #forgetInsane(r: number, context: string): void {
    const text = invariantViolation(this.#domain, r, context)
    if (text === "") return
    this.#violations.push(text)
    this.#domain.setUnbounded(r)
  }

  #id(r: number): number {
    return this.#domain.u32[(r + REG_ID) >> 2]
  }

  #isLinked(r: number): boolean {
    return this.#domain.i32[(r + REG_TYPE) >> 2] === SCALAR_VALUE && this.#id(r) !== 0
  }

  #sync(linked: number, r1: number, r2: number): void {
    const n = linked > 1 ? linked : 0
    if (r2 !== 0 && this.#isLinked(r2)) this.#domain.syncLinked(LIST, n, r2)
    if (this.#isLinked(r1)) this.#domain.syncLinked(LIST, n, r1)
  }
}

/** An id with its distance apart from the rest of a register's text. */
function withoutId(text: string): { text: string; id: string | undefined } {
  const match = /^(\w+)\(id=(\d+)([+-]\d+)?,?/.exec(text)
  if (match === null) return { text, id: undefined }
  return { text: `${match[1]}(${text.slice(match[0].length)}`, id: match[3] ?? "" }
}

/** By instruction: the registers (bit n: Rn) whose values may be read from there on. */
function liveBefore(program: readonly Instruction[]): number[] {
  const live = new Array<number>(program.length + 1).fill(0)
  // All jumps go forward.
  for (let index = program.length - 1; index >= 0; index--) {
    const { opcode, dst, src, off } = program[index]
    const kind = opcode & 7
    const op = opcode & 0xf0
    const bySource = (opcode & 8) !== 0 ? 1 << src : 0
    let next = live[index + 1]
    if (opcode === 0x95) next = 1
    else if (kind === 1) next = (next & ~(1 << dst)) | (1 << src)
    else if (kind === 5 || kind === 6) next |= live[index + off + 1] | (1 << dst) | bySource
    else if (op === 0xb0) next = (next & ~(1 << dst)) | bySource
    else next |= (1 << dst) | (op === 0x80 || op === 0xd0 ? 0 : bySource)
    live[index] = next
  }
  return live
}
