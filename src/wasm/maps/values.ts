/** Values in elements: kernel-owned fields, copies for each CPU, and the pool of elements. */

import { copy, zero } from "./bytes.ts"
import { cpuWord, refill, release } from "./host.ts"
import {
  FEATURE_RELEASE,
  MAP_CPU_STRIDE,
  MAP_CPUS,
  MAP_FEATURES,
  MAP_FIELDS,
  MAP_STRIDE,
  MAP_VALUE_SIZE,
  POOL_FRESH,
  POOL_FRESH_END,
} from "./layout.ts"
import { lockPool, popFree, pushFree, stealFree, unlockPool } from "./threads.ts"

/** Offset of this CPU's copy from the first one. */
// @inline
export function cpuOffset(map: u32): u32 {
  return load<u32>(cpuWord) * load<u32>(map, MAP_CPU_STRIDE)
}

/** Writes one copy of a value, leaving kernel-owned fields alone. */
// @inline
export function storeValue(map: u32, to: u32, from: u32, size: u32): void {
  const fields = load<u32>(map, MAP_FIELDS)
  if (fields === 0) copy(to, from, size)
  else storeAround(fields, to, from, size)
}

function storeAround(fields: u32, to: u32, from: u32, size: u32): void {
  let done: u32 = 0
  const end = fields + 4 + 8 * load<u32>(fields)
  for (let field = fields + 4; field < end; field += 8) {
    const start = load<u32>(field)
    copy(to + done, from + done, start - done)
    done = start + load<u32>(field, 4)
  }
  copy(to + done, from + done, size - done)
}

/** Zeroes the kernel-owned fields of a value that comes into use. */
// @inline
export function clearFields(map: u32, value: u32): void {
  const fields = load<u32>(map, MAP_FIELDS)
  if (fields !== 0) clearEach(fields, value)
}

function clearEach(fields: u32, value: u32): void {
  const end = fields + 4 + 8 * load<u32>(fields)
  for (let field = fields + 4; field < end; field += 8)
    zero(value + load<u32>(field), load<u32>(field, 4))
}

/** A program writes its CPU's copy. */
// @inline
export function storeOwnCopy(map: u32, value: u32, from: u32): void {
  storeValue(map, value + cpuOffset(map), from, load<u32>(map, MAP_VALUE_SIZE))
}

/** A system call writes all copies, with their padding. */
export function storeAllCopies(map: u32, value: u32, from: u32): void {
  const stride = load<u32>(map, MAP_CPU_STRIDE)
  const end = stride * load<u32>(map, MAP_CPUS)
  for (let at: u32 = 0; at < end; at += stride) storeValue(map, value + at, from + at, stride)
}

/** Tells the host of a value (`copies` of it) that goes out of use. */
// @inline
export function releaseValue(map: u32, value: u32, copies: u32): void {
  if (load<u32>(map, MAP_FEATURES) & FEATURE_RELEASE) releaseCopies(map, value, copies)
}

function releaseCopies(map: u32, value: u32, copies: u32): void {
  for (let copy: u32 = 0; copy < copies; copy++)
    release(map, value + copy * load<u32>(map, MAP_CPU_STRIDE))
}

// ---- elements of one size, free ones linked through their first word ------------------------------

/** An element with what its last user left in it (zeros at first), or 0: none left. */
// @inline
export function takeElement(map: u32): u32 {
  const element = popFree(map)
  return element !== 0 ? element : takeFresh(map)
}

function takeFresh(map: u32): u32 {
  lockPool(map)
  let element = load<u32>(map, POOL_FRESH)
  if (element === load<u32>(map, POOL_FRESH_END))
    element = refill(map) !== 0 ? load<u32>(map, POOL_FRESH) : 0
  if (element !== 0) store<u32>(map, element + load<u32>(map, MAP_STRIDE), POOL_FRESH)
  unlockPool(map)
  return element !== 0 ? element : stealFree(map)
}

// @inline
export function giveElement(map: u32, element: u32): void {
  pushFree(map, element)
}
