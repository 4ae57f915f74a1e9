/**
 * Random programs for differential tests: arithmetic of every kind on r0 to r9, loads, stores and
 * atomics on an initialised scratch area under r10, forward jumps, and calls of one small
 * subprogram. Nothing in them is refused by Linux's verifier.
 */

import type { Instruction } from "../../src/isa/index.ts"
import { insn, loadImmediate } from "./support.ts"

/** Bytes under r10 that programs use; always a multiple of 8. */
export const SCRATCH_BYTES = 64

export type Random = (limit: number) => number

/** Seeded xorshift32: numbers in [0, limit). */
export function generator(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) | 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}

const EDGES = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0xffffffff00000000n,
  0xffffffff80000000n,
  0xfffffffffffffffen,
]

/** A 64-bit value, often one at an edge. */
export function interesting(random: Random): bigint {
  if (random(2) === 0) return EDGES[random(EDGES.length)]
  const value = (BigInt(random(0x100000000)) << 32n) | BigInt(random(0x100000000))
  return value >> BigInt(random(64))
}

function immediate(random: Random): number {
  return Number(BigInt.asIntN(32, interesting(random)))
}

/** Operations of ALU and ALU64 by their four bits, without NEG, END. */
const OPERATIONS = [0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x9, 0xa, 0xb, 0xc]
const JUMPS = [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd]
const ATOMICS = [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1]

function randomAlu(random: Random, registers: number): Instruction[] {
  const kind = random(2) === 0 ? 4 : 7
  const dst = random(registers)
  const src = random(registers)
  const choice = random(20)
  if (choice === 0) return [insn(0x80 | kind, dst)]
  if (choice === 1) {
    const width = [16, 32, 64][random(3)]
    return [insn(0xd0 | kind | (kind === 4 && random(2) === 0 ? 8 : 0), dst, 0, 0, width)]
  }
  if (choice === 2) {
    const width = [8, 16, 32][random(kind === 7 ? 3 : 2)]
    return [insn(0xb8 | kind, dst, src, width)]
  }
  if (choice === 3) return loadImmediate(dst, interesting(random))
  const operation = OPERATIONS[random(OPERATIONS.length)]
  const division = operation === 0x3 || operation === 0x9
  const shift = operation === 0x6 || operation === 0x7 || operation === 0xc
  const off = division ? random(2) : 0
  const opcode = (operation << 4) | kind
  if (random(2) === 0) return [insn(opcode | 8, dst, src, off)]
  let imm = immediate(random)
  if (shift) imm &= kind === 4 ? 31 : 63
  if (division && imm === 0) imm = 3
  return [insn(opcode, dst, 0, off, imm)]
}

function randomAccess(random: Random, registers: number): Instruction[] {
  const size = random(4)
  const bytes = [4, 2, 1, 8][size]
  const off = -bytes * (1 + random(SCRATCH_BYTES / bytes))
  const register = random(registers)
  switch (random(6)) {
    case 0:
      return [insn(0x61 | (size << 3), register, 10, off)]
    case 1:
      return size === 3 ? [] : [insn(0x81 | (size << 3), register, 10, off)]
    case 2:
      return [insn(0x63 | (size << 3), 10, register, off)]
    case 3:
      return [insn(0x62 | (size << 3), 10, 0, off, immediate(random))]
    case 4:
      // The order of bits 3 and 4 is W, H, B, DW: only W and DW have read-modify-write.
      if (bytes < 4) return []
      return [insn(0xc3 | (size << 3), 10, register, off, ATOMICS[random(ATOMICS.length)])]
    default: {
      const load = random(2) === 0
      const opcode = 0xc3 | (size << 3)
      return [
        load ? insn(opcode, register, 10, off, 0x100) : insn(opcode, 10, register, off, 0x110),
      ]
    }
  }
}

export interface Shape {
  readonly length: number
  /** Conditional forward jumps; each doubles the paths that a verifier may have to follow. */
  readonly jumps: number
  /** Calls of the subprogram that `randomBody` returns beside the body. */
  readonly calls: number
}

/**
 * A body that falls out at its end, a subprogram that computes r0 from r1 to r5, and where in the
 * body it is called: the caller places it, and fills in the `imm` of those calls.
 */
export function randomBody(
  random: Random,
  shape: Shape,
): { body: Instruction[]; subprogram: Instruction[]; calls: number[] } {
  const body: Instruction[] = []
  const calls: number[] = []
  const jumpsAt = new Set(Array.from({ length: shape.jumps }, () => random(shape.length)))
  const callsAt = new Set(Array.from({ length: shape.calls }, () => random(shape.length)))
  const pending: { at: number; over: number }[] = []
  for (let index = 0; index < shape.length; index++) {
    if (jumpsAt.has(index)) {
      const operation = JUMPS[random(JUMPS.length)]
      const fromRegister = random(2) * 8
      const opcode = (operation << 4) | (random(2) === 0 ? 5 : 6) | fromRegister
      const imm = fromRegister ? 0 : immediate(random)
      pending.push({ at: body.length, over: 1 + random(6) })
      body.push(insn(opcode, random(10), fromRegister ? random(10) : 0, 0, imm))
    }
    if (callsAt.has(index)) {
      calls.push(body.length)
      body.push(insn(0x85, 0, 1))
      // A verifier forgets r1 to r5 over a call, and so must we.
      for (let register = 1; register <= 5; register++)
        body.push(insn(0xbf, register, register === 1 ? 0 : 5 + register - 1))
    }
    body.push(...(random(5) === 0 ? randomAccess(random, 10) : randomAlu(random, 10)))
    for (const jump of pending) jump.over--
    for (const jump of pending.filter(({ over }) => over === 0))
      body[jump.at] = { ...body[jump.at], off: body.length - jump.at - 1 }
  }
  for (const { at, over } of pending)
    if (over > 0) body[at] = { ...body[at], off: body.length - at - 1 }
  const subprogram: Instruction[] = [insn(0xbf, 0, 1)]
  for (let register = 6; register <= 9; register++)
    subprogram.push(insn(0xbf, register, register - 4))
  while (subprogram.length < 12)
    subprogram.push(...randomAlu(random, 6).filter(({ opcode }) => opcode !== 0x18 && opcode !== 0))
  subprogram.push(insn(0x0f, 0, 6), insn(0xaf, 0, 9), insn(0x95))
  return { body, subprogram, calls }
}
