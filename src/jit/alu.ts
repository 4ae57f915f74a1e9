/**
 * Arithmetic: one eBPF operation as WebAssembly. Operands are i64 locals; operations on 32 bits
 * wrap both, and leave a zero-extended result (RFC 9669 §4).
 *
 * WebAssembly masks shift counts as eBPF does, and traps on division by zero and overflow, which
 * eBPF defines.
 */

import * as code from "../interpreter/code.ts"
import type { FunctionEmitter } from "./function.ts"
import { I32, I64, op } from "./opcodes.ts"

const WIDE: Readonly<Record<number, number>> = {
  0: op.i64_add,
  16: op.i64_sub,
  32: op.i64_mul,
  64: op.i64_or,
  80: op.i64_and,
  96: op.i64_shl,
  112: op.i64_shr_u,
  160: op.i64_xor,
  192: op.i64_shr_s,
}

const NARROW: Readonly<Record<number, number>> = {
  0: op.i32_add,
  16: op.i32_sub,
  32: op.i32_mul,
  64: op.i32_or,
  80: op.i32_and,
  96: op.i32_shl,
  112: op.i32_shr_u,
  160: op.i32_xor,
  192: op.i32_shr_s,
}

/** Classes ALU and ALU64, opcodes up to 0xff: `d` a register, `s` an operand. */
export function emitAlu(emitter: FunctionEmitter, operation: number, d: number, s: number): void {
  const { writer } = emitter
  const wide = (operation & 7) === 7
  const kind = operation & 0xf0
  if (kind === 0x30 || kind === 0x90) {
    emitDivision(emitter, { wide, signed: false, remainder: kind === 0x90 }, d, s)
    return
  }
  if (kind === 0x80) {
    if (wide) writer.i64(0)
    else writer.i32(0)
    emitter.operand(d * 2, wide)
    writer.byte(wide ? op.i64_sub : op.i32_sub)
  } else {
    if (kind !== 0xb0) emitter.operand(d * 2, wide)
    emitter.operand(s, wide)
    if (kind !== 0xb0) writer.byte((wide ? WIDE : NARROW)[kind])
  }
  if (!wide) writer.byte(op.i64_extend_i32_u)
  emitter.set(d)
}

interface Division {
  readonly wide: boolean
  readonly signed: boolean
  readonly remainder: boolean
}

/** Opcodes by width, then signedness, then quotient or remainder. */
const DIVIDE = [
  [
    [op.i32_div_u, op.i32_rem_u],
    [op.i32_div_s, op.i32_rem_s],
  ],
  [
    [op.i64_div_u, op.i64_rem_u],
    [op.i64_div_s, op.i64_rem_s],
  ],
] as const

function emitDivision(emitter: FunctionEmitter, how: Division, d: number, s: number): void {
  const { writer } = emitter
  const { wide, signed, remainder } = how
  const opcode = DIVIDE[wide ? 1 : 0][signed ? 1 : 0][remainder ? 1 : 0]
  const divisor = s >= code.REGISTER_WORDS ? emitter.constantOf(s) : null
  const finish = (): void => {
    if (!wide) writer.byte(op.i64_extend_i32_u)
    emitter.set(d)
  }
  const harmless =
    divisor !== null &&
    (divisor[0] !== 0 || (wide && divisor[1] !== 0)) &&
    !(signed && !remainder && divisor[0] === -1)
  if (harmless) {
    emitter.operand(d * 2, wide)
    emitter.operand(s, wide)
    writer.byte(opcode)
    finish()
    return
  }
  const type = wide ? I64 : I32
  const by = emitter.temporary(type)
  const zero = (): void => (wide ? writer.i64(0) : writer.i32(0))
  emitter.operand(s, wide)
  writer.tee(by)
  writer.byte(wide ? op.i64_eqz : op.i32_eqz)
  writer.open(op.if, type)
  if (remainder) emitter.operand(d * 2, wide)
  else zero()
  writer.byte(op.else)
  if (signed && !remainder) {
    // The most negative number by -1 is itself, where WebAssembly traps.
    writer.get(by)
    if (wide) writer.i64(-1)
    else writer.i32(-1)
    writer.byte(wide ? op.i64_eq : op.i32_eq)
    writer.open(op.if, type)
    zero()
    emitter.operand(d * 2, wide)
    writer.byte(wide ? op.i64_sub : op.i32_sub)
    writer.byte(op.else)
  }
  emitter.operand(d * 2, wide)
  writer.get(by)
  writer.byte(opcode)
  if (signed && !remainder) writer.byte(op.end)
  writer.byte(op.end)
  finish()
}

/** Operations that the decoder has given numbers above 0xff: false when it is none of these. */
export function emitExtendedAlu(
  emitter: FunctionEmitter,
  operation: number,
  d: number,
  s: number,
): boolean {
  const { writer } = emitter
  switch (operation) {
    case code.OP_SDIV32:
    case code.OP_SMOD32:
    case code.OP_SDIV64:
    case code.OP_SMOD64: {
      const wide = operation >= code.OP_SDIV64
      const remainder = operation === code.OP_SMOD32 || operation === code.OP_SMOD64
      emitDivision(emitter, { wide, signed: true, remainder }, d, s)
      return true
    }
    case code.OP_MOVSX8_32:
    case code.OP_MOVSX16_32:
      emitter.operand(s, false)
      writer.byte(operation === code.OP_MOVSX8_32 ? op.i32_extend8_s : op.i32_extend16_s)
      writer.byte(op.i64_extend_i32_u)
      break
    case code.OP_MOVSX8_64:
    case code.OP_MOVSX16_64:
    case code.OP_MOVSX32_64:
      emitter.operand(s, true)
      writer.byte(
        operation === code.OP_MOVSX8_64
          ? op.i64_extend8_s
          : operation === code.OP_MOVSX16_64
            ? op.i64_extend16_s
            : op.i64_extend32_s,
      )
      break
    case code.OP_LE16:
      emitter.operand(d * 2, true)
      writer.i64(0xffff)
      writer.byte(op.i64_and)
      break
    case code.OP_LE32:
      emitter.operand(d * 2, false)
      writer.byte(op.i64_extend_i32_u)
      break
    case code.OP_LE64:
      return true
    case code.OP_SWAP16:
    case code.OP_SWAP32:
    case code.OP_SWAP64:
      emitSwap(emitter, operation, d)
      break
    default:
      return false
  }
  emitter.set(d)
  return true
}

/** Leaves the register's bytes in reverse order. */
function emitSwap(emitter: FunctionEmitter, operation: number, d: number): void {
  if (operation === code.OP_SWAP64) emitSwap64(emitter, d)
  else if (operation === code.OP_SWAP32) emitSwap32(emitter, d)
  else emitSwap16(emitter, d)
}

function emitSwap16(emitter: FunctionEmitter, d: number): void {
  const { writer } = emitter
  emitter.operand(d * 2, false)
  writer.i32(8)
  writer.byte(op.i32_shl)
  writer.i32(0xff00)
  writer.byte(op.i32_and)
  emitter.operand(d * 2, false)
  writer.i32(8)
  writer.byte(op.i32_shr_u)
  writer.i32(0xff)
  writer.byte(op.i32_and)
  writer.byte(op.i32_or)
  writer.byte(op.i64_extend_i32_u)
}

function emitSwap32(emitter: FunctionEmitter, d: number): void {
  const { writer } = emitter
  emitter.operand(d * 2, false)
  writer.i32(8)
  writer.byte(op.i32_rotl)
  writer.i32(0x00ff00ff)
  writer.byte(op.i32_and)
  emitter.operand(d * 2, false)
  writer.i32(8)
  writer.byte(op.i32_rotr)
  writer.i32(0xff00ff00 | 0)
  writer.byte(op.i32_and)
  writer.byte(op.i32_or)
  writer.byte(op.i64_extend_i32_u)
}

/** Bytes within halves of 16 bits, those within halves of 32, and the two words. */
function emitSwap64(emitter: FunctionEmitter, d: number): void {
  const { writer } = emitter
  const half = emitter.temporary(I64)
  const exchange = (bits: number, mask: number): void => {
    writer.i64(bits)
    writer.byte(op.i64_shl)
    writer.i64(~mask, ~mask)
    writer.byte(op.i64_and)
  }
  const back = (bits: number, mask: number): void => {
    writer.i64(bits)
    writer.byte(op.i64_shr_u)
    writer.i64(mask, mask)
    writer.byte(op.i64_and)
    writer.byte(op.i64_or)
  }
  emitter.operand(d * 2, true)
  exchange(8, 0x00ff00ff)
  emitter.operand(d * 2, true)
  back(8, 0x00ff00ff)
  writer.tee(half)
  exchange(16, 0x0000ffff)
  writer.get(half)
  back(16, 0x0000ffff)
  writer.i64(32)
  writer.byte(op.i64_rotl)
}

/** Comparisons by operation, of 64 and of 32 bits. */
const COMPARE: Readonly<Record<number, readonly [wide: number, narrow: number]>> = {
  16: [op.i64_eq, op.i32_eq],
  32: [op.i64_gt_u, op.i32_gt_u],
  48: [op.i64_ge_u, op.i32_ge_u],
  80: [op.i64_ne, op.i32_ne],
  96: [op.i64_gt_s, op.i32_gt_s],
  112: [op.i64_ge_s, op.i32_ge_s],
  160: [op.i64_lt_u, op.i32_lt_u],
  176: [op.i64_le_u, op.i32_le_u],
  192: [op.i64_lt_s, op.i32_lt_s],
  208: [op.i64_le_s, op.i32_le_s],
}

/** Leaves an i32: whether the jump is taken. */
export function emitCompare(
  emitter: FunctionEmitter,
  operation: number,
  d: number,
  s: number,
): void {
  const { writer } = emitter
  const wide = (operation & 7) === 5
  const kind = operation & 0xf0
  emitter.operand(d * 2, wide)
  emitter.operand(s, wide)
  if (kind !== 0x40) {
    writer.byte(COMPARE[kind][wide ? 0 : 1])
    return
  }
  writer.byte(wide ? op.i64_and : op.i32_and)
  if (!wide) return
  writer.i64(0)
  writer.byte(op.i64_ne)
}
