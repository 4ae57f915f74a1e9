/**
 * Helpers that compiled programs call without JavaScript: map operations on a known map, as exports
 * of the map engines or, for arrays, written in place; the number of the CPU; bpf_loop.
 *
 * Only code that was compiled without checks uses them: the engines trust the addresses of keys
 * and values.
 */

import { MAX_TAIL_CALL_CNT, REGION_TAG } from "../../interpreter/index.ts"
import {
  AREA,
  EMPTY_TYPE,
  emitJump,
  emitLoopHelper,
  type FunctionEmitter,
  I32,
  I64,
  type InlineHelpers,
  op,
} from "../../jit/index.ts"
import { BPF_MAP_TYPE, helperByName } from "../../spec/index.ts"
import { MAP_DATA } from "../../wasm/maps/layout.ts"
import { ArrayMap } from "../maps/array.ts"
import { type EngineCall, engineCall, type MapEngines, multiplyShift } from "../maps/engines.ts"
import type { BpfMap } from "../maps/map.ts"
import { emitHashLookup } from "./jit-hash.ts"

/** What the helpers need of the kernel. */
export interface InlineWorld {
  readonly engines: MapEngines
  readonly descriptorRegion: number
  readonly mapAt: (address: number) => BpfMap | undefined
  readonly view: () => DataView
  /** Offset of {@link TAIL_TARGETS} words: by program id, its index in the table plus 1, or 0. */
  readonly tailTargets: number
}

/** Ids of programs that are tail-called without JavaScript. */
export const TAIL_TARGETS = 4096

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
      if (imm === LOOKUP && map !== undefined && isWordHash(map)) {
        const stride = (map.valueSize + 7) & ~7
        const addCpu = (): void => {
          emitCpuOffset(emitter, world.engines.cpuWord, stride)
          emitter.writer.byte(op.i32_add)
        }
        const percpu = map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH
        emitHashLookup(emitter, world.view(), map, percpu ? addCpu : null)
        return true
      }
      const call = engineCall(imm, map) ?? engineCall(imm, undefined)
      if (call === undefined) return false
      emitEngineCall(emitter, call, map, world)
      return true
    },
    tailCall(emitter, slot) {
      emitTailCall(emitter, world, slot)
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

/** The map in a register, when it is the same on all paths. */
function knownMap(
  emitter: FunctionEmitter,
  world: InlineWorld,
  slot: number,
  register = 1,
): BpfMap | undefined {
  const constant = emitter.values.constant(register)
  const address =
    constant !== null && constant[1] === (REGION_TAG | world.descriptorRegion)
      ? constant[0]
      : register === 1
        ? emitter.program.facts?.calls?.get(slot)?.map
        : undefined
  if (address === undefined) return undefined
  const map = world.mapAt(address)
  return map?.address === address ? map : undefined
}

/** A hash whose keys are hashed by words, and whose look-up needs no more than that. */
function isWordHash(map: BpfMap): boolean {
  const plain =
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_HASH ||
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH
  return plain && [4, 8, 16].includes(map.keySize) && multiplyShift(map.keySize, map.flags)
}

/** bpf_tail_call(ctx, map, index) through a known map, while everything is in order. */
function emitTailCall(emitter: FunctionEmitter, world: InlineWorld, slot: number): void {
  const { writer, program } = emitter
  const map = knownMap(emitter, world, slot, 2)
  if (map?.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY) return
  const counter = program.options.area + AREA.TAIL_CALLS
  const next = emitter.local(I32)
  const made = emitter.local(I32)
  const unless = (limit: number): void => {
    writer.i32(limit)
    writer.byte(op.i32_ge_u)
    writer.branch(op.br_if, 0)
  }
  const word = (address: number): void => {
    writer.get(next)
    writer.i32(2)
    writer.byte(op.i32_shl)
    writer.memory(op.i32_load, address)
    writer.tee(next)
  }
  writer.open(op.block, EMPTY_TYPE)
  emitter.getLow(3)
  writer.tee(next)
  unless(map.maxEntries)
  word(world.view().getUint32(map.address + MAP_DATA, true))
  unless(TAIL_TARGETS)
  word(world.tailTargets)
  writer.byte(op.i32_eqz)
  writer.branch(op.br_if, 0)
  writer.i32(0)
  writer.memory(op.i32_load, counter)
  writer.tee(made)
  unless(MAX_TAIL_CALL_CNT)
  writer.i32(0)
  writer.get(made)
  writer.i32(1)
  writer.byte(op.i32_add)
  writer.memory(op.i32_store, counter)
  emitter.spillFuel()
  writer.get(next)
  writer.i32(1)
  writer.byte(op.i32_sub)
  writer.set(next)
  emitJump(emitter, next)
  writer.byte(op.end)
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
  const key = emitter.constantWord(2, 0)
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
  emitter.loadWord(2, 0)
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
