/**
 * The map engines, compiled from src/wasm/maps: one instance for each kernel memory, shared by the
 * map objects here (system calls, interpreter) and by compiled programs, which call its exports
 * without entering JavaScript ({@link engineCall}).
 *
 * Every export takes and returns 32-bit integers: offsets into linear memory (a map is the offset
 * of its descriptor), sizes, flags, negative errno; what returns 64 bits is marked `u64` below.
 *
 * Operations on per-CPU and LRU maps go by the CPU number in the word at {@link MapEngines.cpuWord}:
 * whoever runs a program writes it there first.
 */

import { wasmModule } from "../../base/wasm.ts"
import {
  BPF_MAP_FLAG,
  BPF_MAP_TYPE,
  ERRNO,
  HELPER_NAMES,
  type HelperName,
} from "../../spec/index.ts"
import { CPU_WORD, CPU_WORD_BYTES, HASH_WORDS_MAX } from "../../wasm/maps/layout.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import { WASM_BASE64 } from "./engines.wasm.ts"
import { WASM_BASE64 as SHARED_BASE64 } from "./engines-shared.wasm.ts"
import type { BpfMap } from "./map.ts"

type F1 = (a: number) => number
type F2 = (a: number, b: number) => number
type F3 = (a: number, b: number, c: number) => number
type F4 = (a: number, b: number, c: number, d: number) => number

/** The exports. Documented where they are written, in src/wasm/maps. */
export interface EngineExports {
  readonly arrayLookup: F2
  readonly arrayOfMapsLookup: F2
  readonly arrayPlace: F3
  readonly arrayUpdate: F4
  readonly percpuArrayLookup: F2
  readonly percpuArrayLookupCpu: F3
  readonly redirectLookup: F2
  readonly slotLookup: F2
  readonly bloomPeek: F2
  readonly bloomPush: F3
  readonly mapDelete: F2
  readonly mapLookup: F2
  readonly mapLookupAddress: (map: number, key: number) => bigint
  readonly mapLookupCpuAddress: (map: number, key: number, cpu: number) => bigint
  readonly mapPeek: F2
  readonly mapPop: F2
  readonly mapPush: F3
  readonly mapUpdate: F4
  readonly compareText: F3
  readonly csumDiff: (
    from: number,
    fromSize: number,
    to: number,
    toSize: number,
    seed: number,
  ) => number
  readonly ktime: () => bigint
  readonly prandom: () => bigint
  readonly hashAfter: F2
  readonly hashDelete: F2
  readonly hashFind: F2
  readonly hashFirst: F2
  readonly hashLookup: F2
  readonly hashLookup4: F2
  readonly hashLookup8: F2
  readonly hashLookup16: F2
  readonly hashNextKey: F2
  readonly hashOfMapsLookup: F2
  readonly hashRemove: F2
  readonly hashSeed: F1
  readonly hashUpdate: F4
  readonly percpuHashLookup: F2
  readonly percpuHashLookupCpu: F3
  readonly percpuHashUpdate: F4
  readonly percpuHashUpdateAll: F4
  readonly lpmDelete: F2
  readonly lpmLookup: F2
  readonly lpmNextKey: F2
  readonly lpmReleaseAll: F1
  readonly lpmUpdate: F4
  readonly lruDelete: F2
  readonly lruLookup: F2
  readonly lruLookup4: F2
  readonly lruLookup8: F2
  readonly lruLookup16: F2
  readonly lruPercpuLookup: F2
  readonly lruPercpuLookupCpu: F3
  readonly lruPercpuUpdate: F4
  readonly lruPercpuUpdateAll: F4
  readonly lruPopulate: F1
  readonly lruRemove: F2
  readonly lruUpdate: F4
  readonly queueFront: F2
  readonly queuePeek: F2
  readonly queuePop: F2
  readonly queuePush: F3
  readonly stackPeek: F2
  readonly stackPop: F2
  readonly stackTop: F2
  readonly ringAbandon: F2
  readonly ringCommit: F2
  readonly ringDiscard: F2
  readonly ringOutput: F4
  readonly ringQuery: (map: number, question: number) => bigint
  readonly ringReserve: F3
  readonly ringSubmit: F2
  readonly ringWrite: F4
}

/** What the engines ask of the map object behind a descriptor. */
export interface EngineOwner {
  /** More elements for the pool; false: none left. */
  refill(): boolean
  /** `size` zeroed bytes that belong to the map, or 0. */
  allocate(size: number): number
  /** A value goes out of use: its timers and references are to be dropped. */
  valueReleased(value: number): void
  /** The consumer of a ring buffer is to be woken. */
  readable(): void
  /** What programs do with a map that has no engine. */
  lookup(key: number): number
  update(key: number, value: number, flags: number): number
  delete(key: number): number
}

/** The engines over one kernel memory. */
export interface MapEngines {
  readonly exports: EngineExports
  /** Offset of the u32 with the number of the CPU that runs programs. */
  readonly cpuWord: number
  /** The memory is shared: maps take locks, and must have all their memory from the start. */
  readonly shared: boolean
  /** The maps that live, by descriptor. */
  readonly owners: Map<number, EngineOwner>
}

const compiled: { plain?: WebAssembly.Module; shared?: WebAssembly.Module } = {}
const instances = new WeakMap<WebAssembly.Memory, MapEngines>()

/** The module that threads which share a memory instantiate, each for itself. */
export function sharedEnginesModule(): WebAssembly.Module {
  return (compiled.shared ??= wasmModule(SHARED_BASE64))
}

/** Whether threads may share a memory. */
export function isShared(memory: WebAssembly.Memory): boolean {
  const { buffer } = memory
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer
}

/** What a thread that shares a memory says about itself. */
export interface EngineThread {
  /** The CPU that it stands for: each has a word of its own for its number. */
  readonly cpu: number
  /** It may wait for other threads: all but the main thread of a browser. */
  readonly mayWait: boolean
}

/**
 * The engines over a kernel memory as this thread sees it, made when they are first asked for. For
 * a shared memory they are those with locks, and other threads have instances of their own.
 *
 * @throws WebAssembly.CompileError where the host forbids compilation.
 */
export function mapEngines(
  { memory }: Pick<KernelMemory, "memory">,
  thread: EngineThread = { cpu: 0, mayWait: typeof document === "undefined" },
): MapEngines {
  const known = instances.get(memory)
  if (known !== undefined) return known
  const shared = isShared(memory)
  const kind = shared ? "shared" : "plain"
  const module = (compiled[kind] ??= wasmModule(shared ? SHARED_BASE64 : WASM_BASE64))
  const cpuWord = CPU_WORD + CPU_WORD_BYTES * thread.cpu
  new Int32Array(memory.buffer)[cpuWord >> 2] = thread.cpu
  const owners = new Map<number, EngineOwner>()
  const host = {
    cpuWord: new WebAssembly.Global({ value: "i32", mutable: false }, cpuWord),
    mayWait: new WebAssembly.Global({ value: "i32", mutable: false }, thread.mayWait ? 1 : 0),
    refill: (map: number): number => (owners.get(map)?.refill() ? 1 : 0),
    allocate: (map: number, size: number): number => owners.get(map)?.allocate(size) ?? 0,
    release: (map: number, value: number): void => owners.get(map)?.valueReleased(value),
    otherLookup: (map: number, key: number): number => owners.get(map)?.lookup(key) ?? 0,
    otherUpdate: (map: number, key: number, value: number, flags: number): number =>
      owners.get(map)?.update(key, value, flags) ?? -ERRNO.EINVAL,
    otherDelete: (map: number, key: number): number =>
      owners.get(map)?.delete(key) ?? -ERRNO.EINVAL,
    wake: (map: number): void => owners.get(map)?.readable(),
  }
  const instance = new WebAssembly.Instance(module, { env: { memory }, host })
  const engines: MapEngines = {
    exports: instance.exports as unknown as EngineExports,
    cpuWord,
    shared,
    owners,
  }
  instances.set(memory, engines)
  return engines
}

// ---- what compiled programs call ----------------------------------------------------------------------

/**
 * How an i32 parameter is made from a helper's argument (1 to 5): the low half; or, for flags, the
 * low half if the high half is 0, else -5, which no operation accepts; or, for sizes, the low half
 * if the high half is 0, else -1.
 */
export interface EngineParameter {
  readonly argument: 1 | 2 | 3 | 4 | 5
  readonly kind: "low" | "flags" | "size"
}

/**
 * What the i32 result becomes in r0: an address in the map's value region (NULL for 0), an address
 * in the region of descriptors (NULL for 0), a sign-extended integer; `u64`: the result is an i64
 * as it stands; `none`: there is no result, and r0 becomes 0.
 */
export type EngineResult = "value" | "map" | "int" | "u64" | "none"

/** A helper call on a known map as a call of an export. */
export interface EngineCall {
  readonly name: keyof EngineExports
  readonly parameters: readonly EngineParameter[]
  readonly result: EngineResult
}

const T = BPF_MAP_TYPE
const low = (argument: EngineParameter["argument"]): EngineParameter => ({ argument, kind: "low" })
const flags = (argument: EngineParameter["argument"]): EngineParameter => ({
  argument,
  kind: "flags",
})
const size = (argument: EngineParameter["argument"]): EngineParameter => ({
  argument,
  kind: "size",
})

const KEY_PARAMETERS: readonly EngineParameter[] = [low(1), low(2)]
const lookup = (name: keyof EngineExports): EngineCall => ({
  name,
  parameters: KEY_PARAMETERS,
  result: "value",
})
const inner = (name: keyof EngineExports): EngineCall => ({ ...lookup(name), result: "map" })
const update = (name: keyof EngineExports): EngineCall => ({
  name,
  parameters: [low(1), low(2), low(3), flags(4)],
  result: "int",
})
const remove = (name: keyof EngineExports): EngineCall => ({
  name,
  parameters: KEY_PARAMETERS,
  result: "int",
})
const percpu = (name: keyof EngineExports): EngineCall => ({
  name,
  parameters: [low(1), low(2), low(3)],
  result: "value",
})
const push = (name: keyof EngineExports): EngineCall => ({
  name,
  parameters: [low(1), low(2), flags(3)],
  result: "int",
})
const take = remove

type Calls = { readonly [name in HelperName]?: EngineCall }

/** By map type: the helpers that an engine answers. */
const CALLS: ReadonlyMap<number, Calls> = new Map<number, Calls>([
  [
    T.BPF_MAP_TYPE_ARRAY,
    { map_lookup_elem: lookup("arrayLookup"), map_update_elem: update("arrayUpdate") },
  ],
  [
    T.BPF_MAP_TYPE_PERCPU_ARRAY,
    {
      map_lookup_elem: lookup("percpuArrayLookup"),
      map_lookup_percpu_elem: percpu("percpuArrayLookupCpu"),
      map_update_elem: update("arrayUpdate"),
    },
  ],
  [
    T.BPF_MAP_TYPE_HASH,
    {
      map_lookup_elem: lookup("hashLookup"),
      map_update_elem: update("hashUpdate"),
      map_delete_elem: remove("hashDelete"),
    },
  ],
  [
    T.BPF_MAP_TYPE_PERCPU_HASH,
    {
      map_lookup_elem: lookup("percpuHashLookup"),
      map_lookup_percpu_elem: percpu("percpuHashLookupCpu"),
      map_update_elem: update("percpuHashUpdate"),
      map_delete_elem: remove("hashDelete"),
    },
  ],
  [
    T.BPF_MAP_TYPE_LRU_HASH,
    {
      map_lookup_elem: lookup("lruLookup"),
      map_update_elem: update("lruUpdate"),
      map_delete_elem: remove("lruDelete"),
    },
  ],
  [
    T.BPF_MAP_TYPE_LRU_PERCPU_HASH,
    {
      map_lookup_elem: lookup("lruPercpuLookup"),
      map_lookup_percpu_elem: percpu("lruPercpuLookupCpu"),
      map_update_elem: update("lruPercpuUpdate"),
      map_delete_elem: remove("lruDelete"),
    },
  ],
  [
    T.BPF_MAP_TYPE_LPM_TRIE,
    {
      map_lookup_elem: lookup("lpmLookup"),
      map_update_elem: update("lpmUpdate"),
      map_delete_elem: remove("lpmDelete"),
    },
  ],
  [T.BPF_MAP_TYPE_ARRAY_OF_MAPS, { map_lookup_elem: inner("arrayOfMapsLookup") }],
  [T.BPF_MAP_TYPE_DEVMAP, { map_lookup_elem: lookup("redirectLookup") }],
  [T.BPF_MAP_TYPE_CPUMAP, { map_lookup_elem: lookup("redirectLookup") }],
  [T.BPF_MAP_TYPE_HASH_OF_MAPS, { map_lookup_elem: inner("hashOfMapsLookup") }],
  [
    T.BPF_MAP_TYPE_QUEUE,
    {
      map_push_elem: push("queuePush"),
      map_pop_elem: take("queuePop"),
      map_peek_elem: take("queuePeek"),
    },
  ],
  [
    T.BPF_MAP_TYPE_STACK,
    {
      map_push_elem: push("queuePush"),
      map_pop_elem: take("stackPop"),
      map_peek_elem: take("stackPeek"),
    },
  ],
  [
    T.BPF_MAP_TYPE_BLOOM_FILTER,
    { map_push_elem: push("bloomPush"), map_peek_elem: take("bloomPeek") },
  ],
  [
    T.BPF_MAP_TYPE_RINGBUF,
    {
      ringbuf_output: {
        name: "ringOutput",
        parameters: [low(1), low(2), size(3), flags(4)],
        result: "int",
      },
      ringbuf_reserve: {
        name: "ringReserve",
        parameters: [low(1), size(2), flags(3)],
        result: "value",
      },
      ringbuf_query: { name: "ringQuery", parameters: [low(1), size(2)], result: "u64" },
    },
  ],
])

/** Helpers that need no map, or find it in what they are given: any map will do. */
const ANY_MAP: Calls = {
  map_lookup_elem: { name: "mapLookupAddress", parameters: KEY_PARAMETERS, result: "u64" },
  map_lookup_percpu_elem: {
    name: "mapLookupCpuAddress",
    parameters: [low(1), low(2), low(3)],
    result: "u64",
  },
  map_update_elem: update("mapUpdate"),
  map_delete_elem: remove("mapDelete"),
  map_push_elem: push("mapPush"),
  map_pop_elem: take("mapPop"),
  map_peek_elem: take("mapPeek"),
  ringbuf_submit: { name: "ringSubmit", parameters: [low(1), flags(2)], result: "none" },
  ringbuf_discard: { name: "ringDiscard", parameters: [low(1), flags(2)], result: "none" },
  csum_diff: {
    name: "csumDiff",
    parameters: [low(1), low(2), low(3), low(4), low(5)],
    result: "int",
  },
  ktime_get_ns: { name: "ktime", parameters: [], result: "u64" },
  ktime_get_boot_ns: { name: "ktime", parameters: [], result: "u64" },
  get_prandom_u32: { name: "prandom", parameters: [], result: "u64" },
  strncmp: { name: "compareText", parameters: [low(1), low(2), low(3)], result: "int" },
}

/** Key sizes with a look-up of their own in multiply-shift tables. */
const BY_KEY_SIZE: { readonly [size: number]: "4" | "8" | "16" } = { 4: "4", 8: "8", 16: "16" }

/**
 * The export that answers a helper (by its number): undefined when there is none, and the helper is
 * called by way of the host. `map` is what is known of the helper's first argument; undefined
 * stands for any map, or for none. Only for verified programs: pointers are not checked.
 */
export function engineCall(helper: number, map: BpfMap | undefined): EngineCall | undefined {
  const name: HelperName | undefined = HELPER_NAMES[helper]
  if (name === undefined) return undefined
  if (map === undefined) return ANY_MAP[name]
  const call = CALLS.get(map.type)?.[name]
  const suffix = multiplyShift(map.keySize, map.flags) ? BY_KEY_SIZE[map.keySize] : undefined
  if (suffix === undefined) return call
  if (call?.name === "hashLookup") return lookup(`hashLookup${suffix}`)
  if (call?.name === "lruLookup") return lookup(`lruLookup${suffix}`)
  return call
}

/** Whether a hash map's keys are hashed by multiply-shift: only where the order is nobody's business. */
export function multiplyShift(keySize: number, flags: number): boolean {
  return (
    (flags & BPF_MAP_FLAG.BPF_F_ZERO_SEED) === 0 &&
    keySize % 4 === 0 &&
    keySize <= 4 * HASH_WORDS_MAX
  )
}

/** Where the values of an array lie, for code that computes the address itself. */
export interface ArrayPlace {
  /** Offset of the first value. */
  readonly data: number
  readonly stride: number
  readonly maxEntries: number
  /** Bytes from one CPU's copy to the next; 0 for an array without copies. */
  readonly cpuStride: number
}
