/**
 * The loop over packets, in the program's own module, so that JavaScript is entered once for many
 * of them. The context is one for all; before each run its packet fields are set to the frame.
 *
 * ```text
 * frames    count × { u32 data, u32 length }
 * verdicts  count × u32            low half of r0
 * tallies   TALLIES × u32          how often r0 was 0, 1, … ; the last one counts all others
 * ```
 *
 * The word BATCH_AT of the area says which frame is in work: a fault ends the loop, and the caller
 * goes on with the next frame.
 */

import { AREA } from "./layout.ts"
import { functionBody } from "./module.ts"
import { EMPTY_TYPE, I32, I64, op } from "./opcodes.ts"
import { Writer } from "./writer.ts"

/** Results that are counted one by one, and one more for the others. */
export const TALLIES = 8

/** Offsets of the context's packet fields; meta may be absent. */
export interface PacketFields {
  readonly data: number
  readonly dataEnd: number
  readonly dataMeta: number
  /** Field with the length, or -1. */
  readonly length: number
}

/** Parameters of the export `batch`. */
export const BATCH_PARAMETERS: readonly number[] = [I32, I32, I32, I32, I32, I32, I32, I32, I32]

const FIRST = 0
const COUNT = 1
const FRAMES = 2
const VERDICTS = 3
const TALLY = 4
const CONTEXT_LOW = 5
const CONTEXT_HIGH = 6
const FRAME = 7
const FUEL = 8
const DATA = 9
const LENGTH = 10
const RESULT = 11

/**
 * batch(first, count, frames, verdicts, tallies, context low, context high, stack frame, fuel).
 */
export function batchBody(main: number, area: number, fields: PacketFields): Uint8Array {
  const writer = new Writer(256)
  const word = (address: () => void, value: () => void, offset: number): void => {
    address()
    value()
    writer.memory(op.i32_store, offset)
  }
  const zero = (): void => writer.i32(0)
  const context = (): void => writer.get(CONTEXT_LOW)
  writer.open(op.block, EMPTY_TYPE)
  writer.open(op.loop, EMPTY_TYPE)
  writer.get(FIRST)
  writer.get(COUNT)
  writer.byte(op.i32_ge_u)
  writer.branch(op.br_if, 1)
  word(zero, () => writer.get(FIRST), area + AREA.BATCH_AT)
  word(zero, () => writer.get(FUEL), area + AREA.FUEL)
  word(zero, zero, area + AREA.TAIL_CALLS)
  element(writer, FRAMES, 3)
  writer.tee(LENGTH)
  writer.memory(op.i32_load, 0)
  writer.set(DATA)
  writer.get(LENGTH)
  writer.memory(op.i32_load, 4)
  writer.set(LENGTH)
  word(context, () => writer.get(DATA), fields.data)
  word(context, () => writer.get(DATA), fields.dataMeta)
  const end = (): void => {
    writer.get(DATA)
    writer.get(LENGTH)
    writer.byte(op.i32_add)
  }
  word(context, end, fields.dataEnd)
  if (fields.length >= 0) word(context, () => writer.get(LENGTH), fields.length)
  callMain(writer, main)
  writer.byte(op.i32_wrap_i64)
  writer.set(RESULT)
  element(writer, VERDICTS, 2)
  writer.get(RESULT)
  writer.memory(op.i32_store, 0)
  tally(writer)
  writer.get(FIRST)
  writer.i32(1)
  writer.byte(op.i32_add)
  writer.set(FIRST)
  writer.branch(op.br, 0)
  writer.byte(op.end)
  writer.byte(op.end)
  writer.byte(op.end)
  return functionBody([I32, I32, I32], writer.finished())
}

/** Leaves the address of the current element of an array whose elements are 2^shift bytes. */
function element(writer: Writer, array: number, shift: number): void {
  writer.get(array)
  writer.get(FIRST)
  writer.i32(shift)
  writer.byte(op.i32_shl)
  writer.byte(op.i32_add)
}

function callMain(writer: Writer, main: number): void {
  writer.get(CONTEXT_HIGH)
  writer.byte(op.i64_extend_i32_u)
  writer.i64(32)
  writer.byte(op.i64_shl)
  writer.get(CONTEXT_LOW)
  writer.byte(op.i64_extend_i32_u)
  writer.byte(op.i64_or)
  writer.get(FRAME)
  writer.call(main)
}

/** tallies[min(result, TALLIES - 1)]++ */
function tally(writer: Writer): void {
  writer.get(TALLY)
  writer.get(RESULT)
  writer.i32(TALLIES - 1)
  writer.get(RESULT)
  writer.i32(TALLIES - 1)
  writer.byte(op.i32_lt_u)
  writer.byte(op.select)
  writer.i32(2)
  writer.byte(op.i32_shl)
  writer.byte(op.i32_add)
  writer.tee(DATA)
  writer.get(DATA)
  writer.memory(op.i32_load, 0)
  writer.i32(1)
  writer.byte(op.i32_add)
  writer.memory(op.i32_store, 0)
}

/**
 * repeat(count, context low, context high, stack frame, fuel) → low half of the last r0: the same
 * input again and again, as PROG_TEST_RUN's `repeat` does.
 */
export const REPEAT_PARAMETERS: readonly number[] = [I32, I32, I32, I32, I32]

export function repeatBody(main: number, area: number): Uint8Array {
  const writer = new Writer(128)
  writer.open(op.loop, EMPTY_TYPE)
  writer.i32(0)
  writer.get(4)
  writer.memory(op.i32_store, area + AREA.FUEL)
  writer.i32(0)
  writer.i32(0)
  writer.memory(op.i32_store, area + AREA.TAIL_CALLS)
  writer.get(2)
  writer.byte(op.i64_extend_i32_u)
  writer.i64(32)
  writer.byte(op.i64_shl)
  writer.get(1)
  writer.byte(op.i64_extend_i32_u)
  writer.byte(op.i64_or)
  writer.get(3)
  writer.call(main)
  writer.set(5)
  writer.get(0)
  writer.i32(1)
  writer.byte(op.i32_sub)
  writer.tee(0)
  writer.branch(op.br_if, 0)
  writer.byte(op.end)
  writer.get(5)
  writer.byte(op.i32_wrap_i64)
  writer.byte(op.end)
  return functionBody([I64], writer.finished())
}
