/**
 * Look-ups in hash maps with keys of one, two or four words, written in place: the search of
 * src/wasm/maps/hash-table.ts (find4, find8, find16), with everything that is fixed when the map is
 * made as a constant.
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { EMPTY_TYPE, type FunctionEmitter, I32, I64, op } from "../../jit/index.ts"
import {
  ELEMENT_KEY,
  HASH_ADDEND,
  HASH_FACTOR_0,
  MAP_DATA,
  MAP_MASK,
} from "../../wasm/maps/layout.ts"
import type { BpfMap } from "../maps/map.ts"

/** Writes r0 = the value's address, or NULL; `addCpu` adds this CPU's copy to an i32 on the stack. */
export function emitHashLookup(
  emitter: FunctionEmitter,
  view: DataView,
  map: BpfMap,
  addCpu: (() => void) | null,
): void {
  const { writer } = emitter
  const words = map.keySize / 4
  const keys = Array.from({ length: words }, (_, word) => {
    const local = emitter.local(I64)
    emitter.loadWordWide(2, 4 * word)
    writer.set(local)
    return local
  })
  const element = emitter.local(I32)
  emitBucket(emitter, view, map.address, keys)
  writer.memory(op.i32_load, view.getUint32(map.address + MAP_DATA, true))
  writer.set(element)
  const halves = words === 1 ? keys : pairs(emitter, keys)
  writer.open(op.block, EMPTY_TYPE)
  writer.open(op.loop, EMPTY_TYPE)
  writer.get(element)
  writer.byte(op.i32_eqz)
  writer.branch(op.br_if, 1)
  halves.forEach((half, index) => {
    writer.get(element)
    writer.memory(words === 1 ? op.i64_load32_u : op.i64_load, ELEMENT_KEY + 8 * index)
    writer.get(half)
    writer.byte(op.i64_eq)
    if (index > 0) writer.byte(op.i32_and)
  })
  writer.branch(op.br_if, 1)
  writer.get(element)
  writer.memory(op.i32_load, 0)
  writer.set(element)
  writer.branch(op.br, 0)
  writer.byte(op.end)
  writer.byte(op.end)
  emitValue(emitter, element, ELEMENT_KEY + ((map.keySize + 7) & ~7), map, addCpu)
}

/** Leaves the offset of the key's bucket from the first one. */
function emitBucket(
  emitter: FunctionEmitter,
  view: DataView,
  address: number,
  keys: readonly number[],
): void {
  const { writer } = emitter
  keys.forEach((key, index) => {
    const factor = address + HASH_FACTOR_0 + 8 * index
    writer.get(key)
    writer.i64(view.getInt32(factor, true), view.getInt32(factor + 4, true))
    writer.byte(op.i64_mul)
    if (index > 0) writer.byte(op.i64_add)
  })
  const addend = address + HASH_ADDEND
  writer.i64(view.getInt32(addend, true), view.getInt32(addend + 4, true))
  writer.byte(op.i64_add)
  // (sum >> 32 & mask) << 2, in one shift.
  const mask = view.getUint32(address + MAP_MASK, true)
  writer.i64(30)
  writer.byte(op.i64_shr_u)
  writer.byte(op.i32_wrap_i64)
  writer.i32((mask << 2) | 0)
  writer.byte(op.i32_and)
}

/** Joins pairs of words to numbers of 64 bits. */
function pairs(emitter: FunctionEmitter, keys: readonly number[]): number[] {
  const { writer } = emitter
  const halves: number[] = []
  for (let index = 0; index < keys.length; index += 2) {
    const half = emitter.local(I64)
    writer.get(keys[index])
    writer.get(keys[index + 1])
    writer.i64(32)
    writer.byte(op.i64_shl)
    writer.byte(op.i64_or)
    writer.set(half)
    halves.push(half)
  }
  return halves
}

function emitValue(
  emitter: FunctionEmitter,
  element: number,
  offset: number,
  map: BpfMap,
  addCpu: (() => void) | null,
): void {
  const { writer } = emitter
  writer.get(element)
  writer.i32(offset)
  writer.byte(op.i32_add)
  addCpu?.()
  writer.byte(op.i64_extend_i32_u)
  writer.i64(0, REGION_TAG | map.valueRegion)
  writer.byte(op.i64_or)
  writer.i64(0)
  writer.get(element)
  writer.byte(op.select)
  emitter.set(0)
}
