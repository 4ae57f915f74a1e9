/**
 * Atomic read-modify-write (RFC 9669 §5.3): plain loads and stores while the memory belongs to one
 * thread, which is three times as fast, and WebAssembly's atomics when it is shared.
 */

import * as code from "../interpreter/code.ts"
import { REGION_READ, REGION_WRITE } from "../interpreter/machine.ts"
import { BPF_CMPXCHG, BPF_FETCH } from "../isa/index.ts"
import type { FunctionEmitter } from "./function.ts"
import { emitAddress, emitChecked } from "./memory.ts"
import { EMPTY_TYPE, I64, op } from "./opcodes.ts"

/** By operation without BPF_FETCH: plain 64-bit opcode, atomic opcodes of 64 and of 32 bits. */
const OPERATIONS: Readonly<Record<number, readonly [plain: number, wide: number, narrow: number]>> =
  {
    0: [op.i64_add, 0x1f, 0x24],
    64: [op.i64_or, 0x34, 0x39],
    80: [op.i64_and, 0x2d, 0x32],
    160: [op.i64_xor, 0x3b, 0x40],
    224: [0, 0x42, 0x47],
    240: [0, 0x49, 0x4e],
  }

export function emitAtomic(emitter: FunctionEmitter, slot: number): void {
  const { program } = emitter
  const { words } = program.code
  const at = slot * code.WORDS
  const wide = words[at + code.WORD_OP] === code.OP_ATOMIC64
  const size = wide ? 8 : 4
  const base = words[at + code.WORD_DST] >> 1
  emitChecked(emitter, slot, base, { size, way: REGION_READ | REGION_WRITE, aligned: true })
  if (program.options.shared === true) emitShared(emitter, at, wide)
  else emitPlain(emitter, at, wide)
}

function emitPlain(emitter: FunctionEmitter, at: number, wide: boolean): void {
  const { writer, program } = emitter
  const { words } = program.code
  const imm = words[at + code.WORD_IMM]
  const base = words[at + code.WORD_DST] >> 1
  const s = words[at + code.WORD_SRC]
  const off = words[at + code.WORD_OFF]
  const size = wide ? 8 : 4
  const load = wide ? op.i64_load : op.i64_load32_u
  const store = wide ? op.i64_store : op.i64_store32
  const fetch = (imm & BPF_FETCH) !== 0
  const old = fetch ? emitter.temporary(I64) : -1
  if (fetch) {
    writer.memory(load, emitAddress(emitter, base, off, size))
    writer.set(old)
  }
  if (imm === BPF_CMPXCHG) {
    writer.get(old)
    if (wide) emitter.get(0)
    else {
      emitter.getLow(0)
      writer.byte(op.i64_extend_i32_u)
    }
    writer.byte(op.i64_eq)
    writer.open(op.if, EMPTY_TYPE)
    const offset = emitAddress(emitter, base, off, size)
    emitter.operand(s, true)
    writer.memory(store, offset)
    writer.byte(op.end)
    writer.get(old)
    emitter.set(0)
    return
  }
  const [plain] = OPERATIONS[imm & ~BPF_FETCH]
  const offset = emitAddress(emitter, base, off, size)
  if (plain !== 0) {
    if (fetch) writer.get(old)
    else writer.memory(load, emitAddress(emitter, base, off, size))
  }
  emitter.operand(s, true)
  if (plain !== 0) writer.byte(plain)
  writer.memory(store, offset)
  if (!fetch) return
  writer.get(old)
  emitter.set(s >> 1)
}

function emitShared(emitter: FunctionEmitter, at: number, wide: boolean): void {
  const { writer, program } = emitter
  const { words } = program.code
  const imm = words[at + code.WORD_IMM]
  const s = words[at + code.WORD_SRC]
  const offset = emitAddress(
    emitter,
    words[at + code.WORD_DST] >> 1,
    words[at + code.WORD_OFF],
    wide ? 8 : 4,
  )
  if (imm === BPF_CMPXCHG) {
    if (wide) emitter.get(0)
    else {
      emitter.getLow(0)
      writer.byte(op.i64_extend_i32_u)
    }
  }
  emitter.operand(s, true)
  writer.byte(op.atomic)
  writer.u32(OPERATIONS[imm & ~BPF_FETCH][wide ? 1 : 2])
  writer.byte(wide ? 3 : 2)
  writer.u32(offset)
  if (imm === BPF_CMPXCHG) emitter.set(0)
  else if ((imm & BPF_FETCH) !== 0) emitter.set(s >> 1)
  else writer.byte(op.drop)
}
