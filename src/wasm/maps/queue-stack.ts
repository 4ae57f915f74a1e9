/**
 * BPF_MAP_TYPE_QUEUE and BPF_MAP_TYPE_STACK (linux v6.18 kernel/bpf/queue_stack_maps.c): values
 * without keys, in a ring of `max_entries + 1` slots.
 *
 *   data ──▶ slot 0 │ slot 1 │ …      value_size bytes each, padded to 8
 *            tail: the oldest value     head: where the next one goes     head = tail: empty
 */

import { copy, zero } from "./bytes.ts"
import { BPF_EXIST, BPF_NOEXIST, E2BIG, EINVAL, ENOENT } from "./errno.ts"
import {
  MAP_DATA,
  MAP_MAX_ENTRIES,
  MAP_STRIDE,
  MAP_VALUE_SIZE,
  QUEUE_HEAD,
  QUEUE_TAIL,
} from "./layout.ts"
import { lockMap, unlockMap } from "./threads.ts"
import { storeValue } from "./values.ts"

// @inline
function after(map: u32, slot: u32): u32 {
  return slot === load<u32>(map, MAP_MAX_ENTRIES) ? 0 : slot + 1
}

// @inline
function slotAddress(map: u32, slot: u32): u32 {
  return load<u32>(map, MAP_DATA) + slot * load<u32>(map, MAP_STRIDE)
}

/** Appends; BPF_EXIST makes room by dropping the oldest value. */
export function queuePush(map: u32, from: u32, flags: u32): i32 {
  if (flags & BPF_NOEXIST || flags > BPF_EXIST) return -EINVAL
  lockMap(map)
  const result = pushIn(map, from, flags)
  unlockMap(map)
  return result
}

// @inline
function pushIn(map: u32, from: u32, flags: u32): i32 {
  const head = load<u32>(map, QUEUE_HEAD)
  const tail = load<u32>(map, QUEUE_TAIL)
  const next = after(map, head)
  if (next === tail) {
    if (!(flags & BPF_EXIST)) return -E2BIG
    store<u32>(map, after(map, tail), QUEUE_TAIL)
  }
  storeValue(map, slotAddress(map, head), from, load<u32>(map, MAP_VALUE_SIZE))
  store<u32>(map, next, QUEUE_HEAD)
  return 0
}

/** Address of the oldest value, or 0; it is taken out when `remove` is not 0. */
// @inline
export function queueFront(map: u32, remove: u32): u32 {
  const tail = load<u32>(map, QUEUE_TAIL)
  if (tail === load<u32>(map, QUEUE_HEAD)) return 0
  if (remove !== 0) store<u32>(map, after(map, tail), QUEUE_TAIL)
  return slotAddress(map, tail)
}

/** Address of the newest value, or 0; it is taken out when `remove` is not 0. */
// @inline
export function stackTop(map: u32, remove: u32): u32 {
  const head = load<u32>(map, QUEUE_HEAD)
  if (load<u32>(map, QUEUE_TAIL) === head) return 0
  const newest = head === 0 ? load<u32>(map, MAP_MAX_ENTRIES) : head - 1
  if (remove !== 0) store<u32>(map, newest, QUEUE_HEAD)
  return slotAddress(map, newest)
}

// @inline
function copyTo(map: u32, to: u32, slot: u32): i32 {
  const size = load<u32>(map, MAP_VALUE_SIZE)
  if (slot === 0) {
    zero(to, size)
    return -ENOENT
  }
  copy(to, slot, size)
  return 0
}

export function queuePop(map: u32, to: u32): i32 {
  lockMap(map)
  const result = copyTo(map, to, queueFront(map, 1))
  unlockMap(map)
  return result
}

export function queuePeek(map: u32, to: u32): i32 {
  lockMap(map)
  const result = copyTo(map, to, queueFront(map, 0))
  unlockMap(map)
  return result
}

export function stackPop(map: u32, to: u32): i32 {
  lockMap(map)
  const result = copyTo(map, to, stackTop(map, 1))
  unlockMap(map)
  return result
}

export function stackPeek(map: u32, to: u32): i32 {
  lockMap(map)
  const result = copyTo(map, to, stackTop(map, 0))
  unlockMap(map)
  return result
}
