/**
 * BPF_MAP_TYPE_ARRAY and _PERCPU_ARRAY (linux v6.18 kernel/bpf/arraymap.c), and arrays of
 * references. Layout: src/kernel/maps/array.ts, reference-array.ts.
 */

import { BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST, E2BIG, EEXIST, EINVAL } from "./errno.ts"
import {
  FEATURE_LOCKED,
  FEATURE_PERCPU,
  MAP_CPU_STRIDE,
  MAP_CPUS,
  MAP_DATA,
  MAP_FEATURES,
  MAP_MAX_ENTRIES,
  MAP_STRIDE,
  MAP_VALUE_SIZE,
} from "./layout.ts"
import { cpuOffset, releaseValue, storeValue } from "./values.ts"

/** The value at the u32 index under `key`, or 0. */
// @inline
export function arrayLookup(map: u32, key: u32): u32 {
  const index = load<u32>(key)
  if (index >= load<u32>(map, MAP_MAX_ENTRIES)) return 0
  return load<u32>(map, MAP_DATA) + index * load<u32>(map, MAP_STRIDE)
}

/** This CPU's copy of the value at an index, or 0. */
export function percpuArrayLookup(map: u32, key: u32): u32 {
  const value = arrayLookup(map, key)
  return value === 0 ? 0 : value + cpuOffset(map)
}

/** A given CPU's copy, or 0. */
export function percpuArrayLookupCpu(map: u32, key: u32, cpu: u32): u32 {
  if (cpu >= load<u32>(map, MAP_CPUS)) return 0
  const value = arrayLookup(map, key)
  return value === 0 ? 0 : value + cpu * load<u32>(map, MAP_CPU_STRIDE)
}

/** Where an update with these flags writes (the first copy), or an errno. */
// @inline
export function arrayPlace(map: u32, key: u32, flags: u32): i32 {
  const mode = flags & ~BPF_F_LOCK
  if (mode > BPF_EXIST) return -EINVAL
  const value = arrayLookup(map, key)
  if (value === 0) return -E2BIG
  if (mode === BPF_NOEXIST) return -EEXIST
  if (flags & BPF_F_LOCK && !(load<u32>(map, MAP_FEATURES) & FEATURE_LOCKED)) return -EINVAL
  return value
}

/** A program's update: of its CPU's copy where there are several. */
export function arrayUpdate(map: u32, key: u32, from: u32, flags: u32): i32 {
  let value = arrayPlace(map, key, flags)
  if (value < 0) return value
  if (load<u32>(map, MAP_FEATURES) & FEATURE_PERCPU) value += cpuOffset(map)
  storeValue(map, value, from, load<u32>(map, MAP_VALUE_SIZE))
  releaseValue(map, value, 1)
  return 0
}

/** What a u32 slot holds: the descriptor of an inner map, the id of a program…, or 0. */
// @inline
export function slotLookup(map: u32, index: u32): u32 {
  if (index >= load<u32>(map, MAP_MAX_ENTRIES)) return 0
  return load<u32>(load<u32>(map, MAP_DATA) + (index << 2))
}

/** The descriptor of the inner map at the u32 index under `key`, or 0. */
export function arrayOfMapsLookup(map: u32, key: u32): u32 {
  return slotLookup(map, load<u32>(key))
}

/** The value of a devmap or cpumap at the u32 index under `key`, or 0 where the slot is empty. */
export function redirectLookup(map: u32, key: u32): u32 {
  const value = arrayLookup(map, key)
  return value !== 0 && load<u32>(value) !== 0 ? value : 0
}
