/**
 * Helpers that compiled programs call without JavaScript: map operations on a known map, as exports
 * of the map engines or, for arrays, written in place; the number of the CPU; bpf_loop.
 *
 * Only code that was compiled without checks uses them: the engines trust the addresses of keys
 * and values.
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import {
  emitLoopHelper,
  type FunctionEmitter,
  I32,
  I64,
  type InlineHelpers,
  op,
} from "../../jit/index.ts"
import { BPF_MAP_TYPE, helperByName } from "../../spec/index.ts"
import { ArrayMap } from "../maps/array.ts"
import { type EngineCall, engineCall, type MapEngines } from "../maps/engines.ts"
import type { BpfMap } from "../maps/map.ts"

/** What the helpers need of the kernel. */
export interface InlineWorld {
  readonly engines: MapEngines
  readonly descriptorRegion: number
  readonly mapAt: (address: number) => BpfMap | undefined
}

function idOf(name: string): number {
  const helper = helperByName(name)
  if (helper === undefined) throw new Error(`no helper of Linux is called ${name}`)
  return helper.id
}

const LOOKUP = idOf("map_lookup_elem")
const CPU = idOf("get_smp_processor_id")
const LOOP = idOf("loop")

/** For a program that names these maps. */
export function inlineHelpers(world: InlineWorld, maps: readonly BpfMap[]): InlineHelpers {
  const callsOf = (imm: number): EngineCall[] =>
    [undefined, ...maps].flatMap((map) => engineCall(imm, map) ?? [])
  return {
    emit(emitter, imm, slot) {
      if (imm === LOOP) return emitLoopHelper(emitter, slot)
      if (imm === CPU) {
        loadCpu(emitter, world.engines.cpuWord)
        emitter.writer.byte(op.i64_extend_i32_u)
        emitter.set(0)
        return true
      }
      const map = knownMap(emitter, world, slot)
      if (imm === LOOKUP && map instanceof ArrayMap && isPlainArray(map)) {
        emitArrayLookup(emitter, map, world.engines.cpuWord)
        return true
      }
      const call = engineCall(imm, map) ?? engineCall(imm, undefined)
      if (call === undefined) return false
      emitEngineCall(emitter, call, map, world)
      return true
    },
    loops: (imm) => imm === LOOP,
    declare(imm, declare) {
      for (const call of callsOf(imm))
        declare(call.name, parameterTypes(call), call.result === "none" ? [] : resultTypes(call))
    },
    imports: world.engines.exports as unknown as Record<string, WebAssembly.ExportValue>,
  }
}

function parameterTypes(call: EngineCall): number[] {
  return call.parameters.map(() => I32)
}

function resultTypes(call: EngineCall): number[] {
  return [call.result === "u64" ? I64 : I32]
}

/** The map in r1, when it is the same on all paths. */
function knownMap(emitter: FunctionEmitter, world: InlineWorld, slot: number): BpfMap | undefined {
  const constant = emitter.values.constant(1)
  const address =
    constant !== null && constant[1] === (REGION_TAG | world.descriptorRegion)
      ? constant[0]
      : emitter.program.facts?.calls?.get(slot)?.map
  if (address === undefined) return undefined
  const map = world.mapAt(address)
  return map?.address === address ? map : undefined
}

function isPlainArray(map: ArrayMap): boolean {
  return (
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY ||
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY
  )
}

function loadCpu(emitter: FunctionEmitter, cpuWord: number): void {
  emitter.writer.i32(0)
  emitter.writer.memory(op.i32_load, cpuWord)
}

/** r0 = the address of an element, or NULL: no call, and no memory but the key's is read. */
function emitArrayLookup(emitter: FunctionEmitter, map: ArrayMap, cpuWord: number): void {
  const { writer } = emitter
  const { data, stride, maxEntries, cpuStride } = map.place()
  const tag = REGION_TAG | map.valueRegion
  const key = emitter.constantKey(2)
  if (key !== null && key >>> 0 >= maxEntries) {
    writer.i64(0)
    emitter.set(0)
    return
  }
  if (key !== null) {
    if (cpuStride === 0) writer.i64((data + key * stride) | 0, tag)
    else {
      emitCpuOffset(emitter, cpuWord, cpuStride)
      writer.i32((data + key * stride) | 0)
      writer.byte(op.i32_add)
      emitTagged(emitter, tag)
    }
    emitter.set(0)
    return
  }
  const index = emitter.temporary(I32)
  emitter.loadKey32(2)
  writer.tee(index)
  writer.i32(maxEntries)
  writer.byte(op.i32_lt_u)
  writer.open(op.if, I64)
  writer.get(index)
  writer.i32(stride)
  writer.byte(op.i32_mul)
  writer.i32(data)
  writer.byte(op.i32_add)
  if (cpuStride !== 0) {
    emitCpuOffset(emitter, cpuWord, cpuStride)
    writer.byte(op.i32_add)
  }
  emitTagged(emitter, tag)
  writer.byte(op.else)
  writer.i64(0)
  writer.byte(op.end)
  emitter.set(0)
}

function emitCpuOffset(emitter: FunctionEmitter, cpuWord: number, cpuStride: number): void {
  loadCpu(emitter, cpuWord)
  emitter.writer.i32(cpuStride)
  emitter.writer.byte(op.i32_mul)
}

/** An i32 offset becomes an address. */
function emitTagged(emitter: FunctionEmitter, tag: number): void {
  emitter.writer.byte(op.i64_extend_i32_u)
  emitter.writer.i64(0, tag)
  emitter.writer.byte(op.i64_or)
}

function emitEngineCall(
  emitter: FunctionEmitter,
  call: EngineCall,
  map: BpfMap | undefined,
  world: InlineWorld,
): void {
  const { writer, program } = emitter
  for (const { argument, kind } of call.parameters) {
    emitter.getLow(argument)
    if (kind === "low") continue
    writer.i32(kind === "flags" ? -5 : -1)
    emitter.getHigh(argument)
    writer.byte(op.i32_eqz)
    writer.byte(op.select)
  }
  const results = call.result === "none" ? [] : resultTypes(call)
  writer.call(program.module.import(call.name, parameterTypes(call), results))
  if (call.result === "none") writer.i64(0)
  else if (call.result === "int") writer.byte(op.i64_extend_i32_s)
  else if (call.result === "value" || call.result === "map")
    emitNullable(emitter, call.result === "map" ? world.descriptorRegion : (map?.valueRegion ?? 0))
  emitter.set(0)
}

/** An i32 offset becomes an address, 0 becomes NULL. */
function emitNullable(emitter: FunctionEmitter, region: number): void {
  const { writer } = emitter
  const offset = emitter.temporary(I32)
  writer.tee(offset)
  writer.byte(op.i64_extend_i32_u)
  writer.i64(0, REGION_TAG | region)
  writer.byte(op.i64_or)
  writer.i64(0)
  writer.get(offset)
  writer.byte(op.select)
}
