/**
 * A second reading of RFC 9669 §4 and §5, with BigInt registers and one case per operation, for
 * differential tests. It knows nothing of the interpreter: no code is shared but the opcode
 * numbers. Memory is one scratch area that instructions address through r10.
 */

import type { Instruction } from "../../src/isa/index.ts"

const u64 = (x: bigint) => BigInt.asUintN(64, x)
const s64 = (x: bigint) => BigInt.asIntN(64, x)
const bits = { 4: 32, 7: 64 } as const

function alu(width: 32 | 64, operation: number, off: number, a: bigint, b: bigint): bigint {
  const unsigned = (x: bigint) => BigInt.asUintN(width, x)
  const signed = (x: bigint) => BigInt.asIntN(width, x)
  const shift = unsigned(b) & BigInt(width - 1)
  switch (operation) {
    case 0x0:
      return a + b
    case 0x1:
      return a - b
    case 0x2:
      return a * b
    case 0x3:
      if (unsigned(b) === 0n) return 0n
      return off === 1 ? signed(a) / signed(b) : unsigned(a) / unsigned(b)
    case 0x4:
      return a | b
    case 0x5:
      return a & b
    case 0x6:
      return a << shift
    case 0x7:
      return unsigned(a) >> shift
    case 0x8:
      return -a
    case 0x9:
      if (unsigned(b) === 0n) return a
      return off === 1 ? signed(a) % signed(b) : unsigned(a) % unsigned(b)
    case 0xa:
      return a ^ b
    case 0xb:
      return off === 0 ? b : BigInt.asIntN(off, b)
    case 0xc:
      return signed(a) >> shift
    default:
      throw new Error(`operation ${operation}`)
  }
}

function byteSwap(value: bigint, width: number): bigint {
  let result = 0n
  for (let bit = 0; bit < width; bit += 8)
    result = (result << 8n) | ((value >> BigInt(bit)) & 0xffn)
  return result
}

function jumps(width: 32 | 64, operation: number, a: bigint, b: bigint): boolean {
  const [ua, ub] = [BigInt.asUintN(width, a), BigInt.asUintN(width, b)]
  const [sa, sb] = [BigInt.asIntN(width, a), BigInt.asIntN(width, b)]
  const table: Record<number, boolean> = {
    0: true,
    1: ua === ub,
    2: ua > ub,
    3: ua >= ub,
    4: (ua & ub) !== 0n,
    5: ua !== ub,
    6: sa > sb,
    7: sa >= sb,
    10: ua < ub,
    11: ua <= ub,
    12: sa < sb,
    13: sa <= sb,
  }
  return table[operation]
}

/** Little-endian memory below r10: `[r10 - size, r10)`. */
class Scratch {
  readonly bytes: Uint8Array
  private readonly top: number
  constructor(size: number) {
    this.bytes = new Uint8Array(size)
    this.top = size
  }
  load(off: number, size: number): bigint {
    let value = 0n
    for (let i = size - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(this.bytes[this.top + off + i])
    return value
  }
  store(off: number, size: number, value: bigint): void {
    for (let i = 0; i < size; i++)
      this.bytes[this.top + off + i] = Number((value >> BigInt(8 * i)) & 0xffn)
  }
}

function atomic(r: bigint[], scratch: Scratch, insn: Instruction, size: number): void {
  const old = scratch.load(insn.off, size)
  const operand = r[insn.src]
  const compared = BigInt.asUintN(8 * size, r[0])
  const updated: Record<number, bigint> = {
    0: old + operand,
    64: old | operand,
    80: old & operand,
    160: old ^ operand,
    224: operand,
    240: old === compared ? operand : old,
  }
  if (insn.imm === 0x100) {
    r[insn.dst] = scratch.load(insn.off, size)
    return
  }
  if (insn.imm === 0x110) {
    scratch.store(insn.off, size, operand)
    return
  }
  scratch.store(insn.off, size, updated[insn.imm & 0xf0])
  if (insn.imm & 1) r[insn.imm === 0xf1 ? 0 : insn.src] = old
}

const sizes = [4, 2, 1, 8]

/**
 * Runs instructions from the first one until `exit`, or until they end. Registers are changed in
 * place and unsigned. Local calls work as RFC 9669 §4.3.1 says, on one shared scratch area that
 * callees do not touch.
 */
export function runModel(
  program: readonly Instruction[],
  r: bigint[],
  scratchBytes = 512,
): Uint8Array {
  const scratch = new Scratch(scratchBytes)
  const frames: { back: number; saved: bigint[] }[] = []
  let pc = 0
  while (pc < program.length) {
    const insn = program[pc++]
    const { opcode, dst, src, off, imm } = insn
    const kind = opcode & 7
    const wide = BigInt(imm)
    if (opcode === 0x95) {
      const frame = frames.pop()
      if (frame === undefined) break
      pc = frame.back
      r.splice(6, 4, ...frame.saved)
    } else if (opcode === 0x85) {
      frames.push({ back: pc, saved: r.slice(6, 10) })
      pc += imm
    } else if (opcode === 0x18) {
      r[dst] = u64((BigInt(program[pc++].imm) << 32n) | BigInt(imm >>> 0))
    } else if ((kind === 4 || kind === 7) && opcode >> 4 === 0xd) {
      const truncated = BigInt.asUintN(imm, r[dst])
      r[dst] = kind === 4 && (opcode & 8) === 0 ? truncated : byteSwap(truncated, imm)
    } else if (kind === 4 || kind === 7) {
      const width = bits[kind]
      const result = alu(width, opcode >> 4, off, r[dst], opcode & 8 ? r[src] : wide)
      r[dst] = BigInt.asUintN(width, result)
    } else if (kind === 5 || kind === 6) {
      const width = kind === 5 ? 64 : 32
      const other = opcode & 8 ? r[src] : u64(wide)
      if (jumps(width, opcode >> 4, r[dst], other)) pc += opcode === 0x06 ? imm : off
    } else {
      const size = sizes[(opcode >> 3) & 3]
      const mode = opcode >> 5
      if (kind === 1) {
        const value = scratch.load(off, size)
        r[dst] = mode === 4 ? u64(BigInt.asIntN(8 * size, value)) : value
      } else if (mode === 6) atomic(r, scratch, insn, size)
      else scratch.store(off, size, kind === 3 ? r[src] : s64(wide))
    }
  }
  return scratch.bytes
}
