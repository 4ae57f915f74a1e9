/**
 * Helpers on maps (linux v6.18 kernel/bpf/helpers.c bpf_map_*_elem, kernel/bpf/core.c,
 * kernel/bpf/syscall.c; bpf_for_each_map_elem).
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { BPF_MAP_TYPE, ERRNO } from "../../spec/index.ts"
import type { BpfMap } from "../maps/map.ts"
import {
  answers,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  isNull,
  mapArgument,
  setAddress,
} from "./support.ts"

/** Region of what `lookup` of the map returns: values, or descriptors of the maps inside. */
function resultRegion(machine: HelperMachine, map: BpfMap): number {
  return map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS ||
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS
    ? machine.environment.kernel.descriptorRegion
    : map.valueRegion
}

function lookup(machine: HelperMachine): void {
  const map = mapArgument(machine, 1)
  if (map === undefined) return
  const key = machine.checkRead(2, map.keySize)
  if (key < 0) return
  setAddress(machine, map.lookup(key), resultRegion(machine, map))
}

function lookupPercpu(machine: HelperMachine): void {
  const map = mapArgument(machine, 1)
  if (map === undefined) return
  const key = machine.checkRead(2, map.keySize)
  if (key < 0) return
  const cpu = machine.low(3) >>> 0
  const value = cpu < machine.environment.kernel.cpus ? map.lookupPercpu(key, cpu) : 0
  setAddress(machine, value, map.valueRegion)
}

function update(machine: HelperMachine): void {
  const map = mapArgument(machine, 1)
  if (map === undefined) return
  const key = machine.checkRead(2, map.keySize)
  if (key < 0) return
  const value = machine.checkRead(3, map.valueSize)
  if (value < 0) return
  machine.setResult(map.update(key, value, flagsArgument(machine, 4)))
}

function remove(machine: HelperMachine): void {
  const map = mapArgument(machine, 1)
  if (map === undefined) return
  const key = machine.checkRead(2, map.keySize)
  if (key < 0) return
  machine.setResult(map.delete(key))
}

function push(machine: HelperMachine): void {
  const map = mapArgument(machine, 1)
  if (map === undefined) return
  const value = machine.checkRead(2, map.valueSize)
  if (value < 0) return
  machine.setResult(map.push(value, flagsArgument(machine, 3)))
}

/** bpf_map_pop_elem and bpf_map_peek_elem; for a bloom filter, peek reads the value it asks for. */
function takes(operation: "pop" | "peek"): (machine: HelperMachine) => void {
  return (machine) => {
    const map = mapArgument(machine, 1)
    if (map === undefined) return
    const value =
      map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_BLOOM_FILTER
        ? machine.checkRead(2, map.valueSize)
        : machine.checkWrite(2, map.valueSize)
    if (value < 0) return
    machine.setResult(operation === "pop" ? map.pop(value) : map.peek(value))
  }
}

/**
 * long bpf_for_each_map_elem(map, callback, ctx, flags): the callback gets (map, key, value, ctx)
 * and stops the walk by returning 1.
 */
function forEach(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined) return undefined
  if (machine.low(4) !== 0 || machine.high(4) !== 0) return -ERRNO.EINVAL
  const callback = machine.low(2)
  const mapPointer = [machine.low(1), machine.high(1)] as const
  const context = [machine.low(3), machine.high(3)] as const
  // Keys lie where the map keeps them, and may only be read.
  const keyTag = REGION_TAG | machine.environment.kernel.kernelRegion
  const valueTag = REGION_TAG | map.valueRegion
  let faulted = false
  const visit = (key: number, value: number): number => {
    const args = [mapPointer, [key, keyTag], [value, valueTag], context] as const
    const result = machine.callback(callback, args)
    faulted = result === undefined
    return result ?? 1
  }
  const visited = map.forEach(visit)
  return faulted ? undefined : visited
}

/** void *bpf_kptr_xchg(map_value, ptr): swaps the pointer stored in a map value. */
function kptrExchange(machine: HelperMachine): void {
  const at = machine.checkWrite(1, 8)
  if (at < 0) return
  const { view } = machine.space
  const low = view.getInt32(at, true)
  const high = view.getInt32(at + 4, true)
  view.setInt32(at, isNull(machine, 2) ? 0 : machine.low(2), true)
  view.setInt32(at + 4, isNull(machine, 2) ? 0 : machine.high(2), true)
  machine.setResult64(low, high)
}

export const mapHelpers: HelperTable = {
  map_lookup_elem: lookup,
  map_lookup_percpu_elem: lookupPercpu,
  map_update_elem: update,
  map_delete_elem: remove,
  map_push_elem: push,
  map_pop_elem: takes("pop"),
  map_peek_elem: takes("peek"),
  for_each_map_elem: answers(forEach),
  kptr_xchg: kptrExchange,
}
