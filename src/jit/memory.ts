/**
 * Loads and stores. An address is its low half: WebAssembly traps outside of the memory, and what
 * lies inside was settled by the verifier, or is checked here when there was none.
 *
 * Two kinds of loads need care in either case: 32-bit loads of context fields that hold packet
 * addresses, which get their tag, and loads of kernel objects, which give 0 where they fault.
 */

import { accessSize } from "../interpreter/access.ts"
import * as code from "../interpreter/code.ts"
import { REGION_READ, REGION_WRITE } from "../interpreter/machine.ts"
import type { FunctionEmitter } from "./function.ts"
import { AREA } from "./layout.ts"
import { EMPTY_TYPE, I32, I64, op } from "./opcodes.ts"
import { HOST_IMPORTS } from "./options.ts"
import { CONTEXT, UNKNOWN } from "./values.ts"

const MODE_MEMSX = 0x80
const MODE_PROBE_MEM = 0x20
const MODE_PROBE_MEMSX = 0x40

const LOAD: Readonly<Record<number, number>> = {
  1: op.i64_load8_u,
  2: op.i64_load16_u,
  4: op.i64_load32_u,
  8: op.i64_load,
}
const LOAD_SIGNED: Readonly<Record<number, number>> = {
  1: op.i64_load8_s,
  2: op.i64_load16_s,
  4: op.i64_load32_s,
}
export const STORE: Readonly<Record<number, number>> = {
  1: op.i64_store8,
  2: op.i64_store16,
  4: op.i64_store32,
  8: op.i64_store,
}

/** Leaves the i32 part of `register + displacement`; returns what the access has to add. */
export function emitAddress(
  emitter: FunctionEmitter,
  register: number,
  displacement: number,
  size: number,
): number {
  const { writer } = emitter
  const place = emitter.stackPlace(register, displacement, size)
  if (place >= 0) {
    writer.get(emitter.frame)
    return place
  }
  emitter.getLow(register)
  if (displacement >= 0 && !emitter.program.options.checked) return displacement
  if (displacement !== 0) {
    writer.i32(displacement)
    writer.byte(op.i32_add)
  }
  return 0
}

/** What an access needs of its region. */
interface Access {
  readonly size: number
  readonly way: number
  readonly aligned?: boolean
  /** A load that gives 0 where it faults. */
  readonly probing?: boolean
}

/** Leaves the result of the import `check` for an access. */
function emitCheck(emitter: FunctionEmitter, slot: number, base: number, access: Access): void {
  const { writer, program } = emitter
  const off = program.code.words[slot * code.WORDS + code.WORD_OFF]
  emitter.getLow(base)
  emitter.getHigh(base)
  writer.i32(off)
  const flags = (access.aligned === true ? 1 << 16 : 0) | (access.probing === true ? 1 << 17 : 0)
  writer.i32(access.size | (access.way << 8) | flags)
  writer.i32(slot)
  writer.call(program.host(HOST_IMPORTS.check))
}

/** A check whose answer is of no interest, for stores and atomics. */
export function emitChecked(
  emitter: FunctionEmitter,
  slot: number,
  base: number,
  access: Access,
): void {
  const { program } = emitter
  if (!program.options.checked) return
  const off = program.code.words[slot * code.WORDS + code.WORD_OFF]
  const place = emitter.stackPlace(base, off, access.size)
  if (place >= 0 && (access.aligned !== true || place % access.size === 0)) return
  emitCheck(emitter, slot, base, access)
  emitter.writer.byte(op.drop)
}

/** LDX in all modes. */
export function emitLoad(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const { words } = program.code
  const at = slot * code.WORDS
  const wire = words[at + code.WORD_WIRE]
  const base = words[at + code.WORD_SRC] >> 1
  const d = words[at + code.WORD_DST] >> 1
  const off = words[at + code.WORD_OFF]
  const size = accessSize(wire)
  const mode = wire & 0xe0
  const signed = mode === MODE_MEMSX || mode === MODE_PROBE_MEMSX
  const load = (signed ? LOAD_SIGNED : LOAD)[size]
  if (emitter.stackPlace(base, off, size) >= 0) {
    writer.memory(load, emitAddress(emitter, base, off, size))
  } else if (program.options.checked) {
    emitCheckedLoad(emitter, slot, base, load)
  } else if (
    mode === MODE_PROBE_MEM ||
    mode === MODE_PROBE_MEMSX ||
    mayFault(emitter, slot, base)
  ) {
    emitProbe(emitter, base, off, size, load)
  } else {
    emitPlainLoad(emitter, slot, base, off, load)
  }
  emitter.set(d)
}

function emitCheckedLoad(emitter: FunctionEmitter, slot: number, base: number, load: number): void {
  const { writer, program } = emitter
  const at = slot * code.WORDS
  const off = program.code.words[at + code.WORD_OFF]
  const wire = program.code.words[at + code.WORD_WIRE]
  const size = accessSize(wire)
  const mode = wire & 0xe0
  const probing = mode === MODE_PROBE_MEM || mode === MODE_PROBE_MEMSX
  emitCheck(emitter, slot, base, { size, way: REGION_READ, probing })
  writer.open(op.if, I64)
  writer.i64(0)
  writer.byte(op.else)
  writer.memory(load, emitAddress(emitter, base, off, size))
  if (load === op.i64_load32_u) {
    writer.i32(0)
    writer.memory(op.i64_load, program.options.area + AREA.SCRATCH)
    writer.byte(op.i64_or)
  }
  writer.byte(op.end)
}

/** Whether a load has to be told apart from the plain ones because it may fault. */
function mayFault(emitter: FunctionEmitter, slot: number, base: number): boolean {
  const { program, values } = emitter
  const known = program.facts?.access?.get(slot)
  if (known !== undefined) return known === "probe"
  return program.options.probes === true && values.kind[base] !== CONTEXT
}

/** In the region of kernel objects, which spans all of memory, a load is in order as it is. */
function emitProbe(
  emitter: FunctionEmitter,
  base: number,
  off: number,
  size: number,
  load: number,
): void {
  const { writer, program } = emitter
  const address = emitter.temporary(I32)
  emitter.getLow(base)
  writer.i32(off)
  writer.byte(op.i32_add)
  writer.tee(address)
  writer.byte(op.memory_size)
  writer.byte(0)
  writer.i32(16)
  writer.byte(op.i32_shl)
  writer.i32(size)
  writer.byte(op.i32_sub)
  writer.byte(op.i32_le_u)
  emitter.getHigh(base)
  writer.i32(program.options.probeTag ?? 0)
  writer.byte(op.i32_eq)
  writer.byte(op.i32_and)
  writer.open(op.if, I32)
  writer.i32(1)
  writer.byte(op.else)
  writer.get(address)
  emitter.getHigh(base)
  writer.i32(size)
  writer.call(program.host(HOST_IMPORTS.probe))
  writer.byte(op.end)
  writer.open(op.if, I64)
  writer.get(address)
  writer.memory(load, 0)
  writer.byte(op.else)
  writer.i64(0)
  writer.byte(op.end)
}

function emitPlainLoad(
  emitter: FunctionEmitter,
  slot: number,
  base: number,
  off: number,
  load: number,
): void {
  const { writer, program, values } = emitter
  writer.memory(load, emitAddress(emitter, base, off, 4))
  const fields = program.options.contextFields ?? []
  if (load !== op.i64_load32_u || fields.length === 0 || !program.tagsPackets) return
  const fact = program.facts?.contextLoads?.get(slot)
  if (fact === false) return
  if (values.kind[base] === CONTEXT) {
    const field = fields.indexOf(values.payload[base] + off)
    if (field < 0) return
    writer.i32(0)
    writer.memory(op.i64_load, program.options.area + AREA.TAGS + 8 * field)
    writer.byte(op.i64_or)
  } else if (fact === true || (values.kind[base] === UNKNOWN && mayBeContext(emitter, slot))) {
    emitTag(emitter, base, off)
  }
}

function mayBeContext(emitter: FunctionEmitter, slot: number): boolean {
  const known = emitter.program.facts?.access?.get(slot)
  return known === undefined || known === "context"
}

/** The loaded value is on the stack; gives it its tag if the base points into the context. */
function emitTag(emitter: FunctionEmitter, base: number, off: number): void {
  const { writer, program } = emitter
  const value = emitter.temporary(I64)
  writer.set(value)
  emitter.getHigh(base)
  writer.i32(0)
  writer.memory(op.i32_load, program.options.area + AREA.CONTEXT_HIGH)
  writer.byte(op.i32_eq)
  writer.open(op.if, EMPTY_TYPE)
  emitter.getLow(base)
  writer.i32(off)
  writer.byte(op.i32_add)
  writer.call(program.host(HOST_IMPORTS.tag))
  writer.byte(op.i64_extend_i32_u)
  writer.i64(32)
  writer.byte(op.i64_shl)
  writer.get(value)
  writer.byte(op.i64_or)
  writer.set(value)
  writer.byte(op.end)
  writer.get(value)
}

/** ST and STX. */
export function emitStore(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const { words } = program.code
  const at = slot * code.WORDS
  const size = accessSize(words[at + code.WORD_WIRE])
  const base = words[at + code.WORD_DST] >> 1
  emitChecked(emitter, slot, base, { size, way: REGION_WRITE })
  const offset = emitAddress(emitter, base, words[at + code.WORD_OFF], size)
  emitter.operand(words[at + code.WORD_SRC], true)
  if (base === 10 && words[at + code.WORD_SRC] < code.REGISTER_WORDS) emitter.keepStored(slot)
  writer.memory(STORE[size], offset)
}

/** Load-acquire: loads are in order here, but must be aligned. */
export function emitLoadAcquire(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const { words } = program.code
  const at = slot * code.WORDS
  const size = accessSize(words[at + code.WORD_WIRE])
  const base = words[at + code.WORD_SRC] >> 1
  emitChecked(emitter, slot, base, { size, way: REGION_READ, aligned: true })
  writer.memory(LOAD[size], emitAddress(emitter, base, words[at + code.WORD_OFF], size))
  emitter.set(words[at + code.WORD_DST] >> 1)
}

/** Store-release. */
export function emitStoreRelease(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const { words } = program.code
  const at = slot * code.WORDS
  const size = accessSize(words[at + code.WORD_WIRE])
  const base = words[at + code.WORD_DST] >> 1
  emitChecked(emitter, slot, base, { size, way: REGION_WRITE, aligned: true })
  const offset = emitAddress(emitter, base, words[at + code.WORD_OFF], size)
  emitter.operand(words[at + code.WORD_SRC], true)
  writer.memory(STORE[size], offset)
}
