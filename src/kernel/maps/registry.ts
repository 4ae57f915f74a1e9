/**
 * MAP_CREATE: from the attributes to the engine of the map type, with Linux's refusals in Linux's
 * order (linux v6.18 kernel/bpf/syscall.c map_create).
 */

import { BPF_MAP_FLAG, BPF_MAP_TYPE, ERRNO, type MapCreateAttr } from "../../spec/index.ts"
import { ArenaMap } from "./arena.ts"
import { ArrayMap } from "./array.ts"
import { BloomFilter } from "./bloom-filter.ts"
import { CgroupStorageMap } from "./cgroup-storage.ts"
import * as check from "./create-checks.ts"
import { HashMap } from "./hash.ts"
import { HashOfMaps } from "./hash-of-maps.ts"
import { LocalStorageMap } from "./local-storage.ts"
import { LpmTrie } from "./lpm-trie.ts"
import { LruHashMap, lruEntries } from "./lru-hash.ts"
import type { BpfMap, MapHost } from "./map.ts"
import type { MapBase, MapOptions, MapSetup } from "./map-base.ts"
import { PerfEventArray } from "./perf-event-array.ts"
import { QueueStack } from "./queue-stack.ts"
import { RedirectMap } from "./redirect-maps.ts"
import { type Identified, ReferenceArray } from "./reference-array.ts"
import { RingBufferMap } from "./ring-buffer.ts"
import { checkCgroupStorage, checkReuseportArray, checkSocketMap } from "./socket-checks.ts"
import { ReuseportArray, SocketMap } from "./socket-maps.ts"
import { StackTraceMap } from "./stack-trace.ts"
import { MapStorage } from "./storage.ts"
import { UserRingBufferMap } from "./user-ring-buffer.ts"

/** A map type: what it refuses, and how its map is made. */
interface Engine {
  readonly check: (request: check.CreateRequest) => number
  readonly create: (setup: MapSetup) => MapBase
  /** Flags that the kernel adds to what was asked for. */
  readonly impliedFlags?: number
  /** Entries that the map really gets. */
  readonly entries?: (maxEntries: number, flags: number, cpus: number) => number
  /** Takes a template of the maps inside. */
  readonly ofMaps?: boolean
}

const T = BPF_MAP_TYPE
const array = (setup: MapSetup): MapBase => new ArrayMap(setup)
const hash = (setup: MapSetup): MapBase => new HashMap(setup)
const lru = (setup: MapSetup): MapBase => new LruHashMap(setup)
const references = (setup: MapSetup): MapBase => new ReferenceArray<Identified>(setup)
const queue = (setup: MapSetup): MapBase => new QueueStack(setup)
const redirect = (setup: MapSetup): MapBase => new RedirectMap(setup)

const REFERENCE_ARRAY: Engine = { check: check.checkReferenceArray, create: references }
const ARRAY: Engine = { check: check.checkArray, create: array }
const HASH: Engine = { check: check.checkHash, create: hash }
const LRU: Engine = { check: check.checkHash, create: lru, entries: lruEntries }
const QUEUE: Engine = { check: check.checkQueue, create: queue }
const DEVMAP: Engine = {
  check: check.checkDevmap,
  create: redirect,
  impliedFlags: BPF_MAP_FLAG.BPF_F_RDONLY_PROG,
}

const SOCKETS: Engine = {
  check: checkSocketMap,
  create: (setup) => new SocketMap(setup),
}
const CGROUP_STORAGE: Engine = {
  check: checkCgroupStorage,
  create: (setup) => new CgroupStorageMap(setup),
}

const LOCAL_STORAGE: Engine = {
  check: check.checkLocalStorage,
  create: (setup) => new LocalStorageMap(setup),
}

const ENGINES: ReadonlyMap<number, Engine> = new Map<number, Engine>([
  [T.BPF_MAP_TYPE_ARENA, { check: check.checkArena, create: (setup) => new ArenaMap(setup) }],
  [T.BPF_MAP_TYPE_ARRAY, ARRAY],
  [T.BPF_MAP_TYPE_PERCPU_ARRAY, ARRAY],
  [T.BPF_MAP_TYPE_HASH, HASH],
  [T.BPF_MAP_TYPE_PERCPU_HASH, HASH],
  [T.BPF_MAP_TYPE_LRU_HASH, LRU],
  [T.BPF_MAP_TYPE_LRU_PERCPU_HASH, LRU],
  [T.BPF_MAP_TYPE_LPM_TRIE, { check: check.checkLpm, create: (setup) => new LpmTrie(setup) }],
  [T.BPF_MAP_TYPE_PROG_ARRAY, REFERENCE_ARRAY],
  [T.BPF_MAP_TYPE_CGROUP_ARRAY, REFERENCE_ARRAY],
  [T.BPF_MAP_TYPE_XSKMAP, { check: check.checkXskmap, create: references }],
  [T.BPF_MAP_TYPE_ARRAY_OF_MAPS, { ...REFERENCE_ARRAY, ofMaps: true }],
  [
    T.BPF_MAP_TYPE_HASH_OF_MAPS,
    { check: check.checkHashOfMaps, create: (setup) => new HashOfMaps(setup), ofMaps: true },
  ],
  [
    T.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
    { check: check.checkReferenceArray, create: (setup) => new PerfEventArray(setup) },
  ],
  [T.BPF_MAP_TYPE_RINGBUF, { check: check.checkRing, create: (setup) => new RingBufferMap(setup) }],
  [
    T.BPF_MAP_TYPE_USER_RINGBUF,
    { check: check.checkRing, create: (setup) => new UserRingBufferMap(setup) },
  ],
  [T.BPF_MAP_TYPE_DEVMAP, DEVMAP],
  [T.BPF_MAP_TYPE_DEVMAP_HASH, DEVMAP],
  [T.BPF_MAP_TYPE_CPUMAP, { check: check.checkCpumap, create: redirect }],
  [T.BPF_MAP_TYPE_TASK_STORAGE, LOCAL_STORAGE],
  [T.BPF_MAP_TYPE_SK_STORAGE, LOCAL_STORAGE],
  [T.BPF_MAP_TYPE_INODE_STORAGE, LOCAL_STORAGE],
  [T.BPF_MAP_TYPE_CGRP_STORAGE, LOCAL_STORAGE],
  [T.BPF_MAP_TYPE_SOCKMAP, SOCKETS],
  [T.BPF_MAP_TYPE_SOCKHASH, SOCKETS],
  [
    T.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
    { check: checkReuseportArray, create: (setup) => new ReuseportArray(setup) },
  ],
  [T.BPF_MAP_TYPE_CGROUP_STORAGE, CGROUP_STORAGE],
  [T.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, CGROUP_STORAGE],
  [T.BPF_MAP_TYPE_QUEUE, QUEUE],
  [T.BPF_MAP_TYPE_STACK, QUEUE],
  [
    T.BPF_MAP_TYPE_BLOOM_FILTER,
    { check: check.checkBloom, create: (setup) => new BloomFilter(setup) },
  ],
  [
    T.BPF_MAP_TYPE_STACK_TRACE,
    { check: check.checkStackTrace, create: (setup) => new StackTraceMap(setup) },
  ],
])

/** Whether {@link createMap} knows a map type. */
export function isMapTypeSupported(type: number): boolean {
  return ENGINES.has(type)
}

/**
 * A new map, or a negative errno. The caller has checked what concerns names, BTF, tokens and
 * capabilities, and has resolved `inner_map_fd` (`options.inner`).
 */
export function createMap(
  host: MapHost,
  attr: MapCreateAttr,
  options: MapOptions,
): BpfMap | number {
  const flags = (attr.map_flags ?? 0) & ~BPF_MAP_FLAG.BPF_F_TOKEN_FD
  const request: check.CreateRequest = {
    type: attr.map_type >>> 0,
    keySize: attr.key_size >>> 0,
    valueSize: attr.value_size >>> 0,
    maxEntries: attr.max_entries >>> 0,
    flags: flags >>> 0,
    mapExtra: BigInt.asUintN(64, attr.map_extra ?? 0n),
    name: attr.map_name ?? "",
    numaNode: attr.numa_node ?? 0,
    typed: (attr.btf_key_type_id ?? 0) !== 0 && (attr.btf_value_type_id ?? 0) !== 0,
  }
  const common = check.checkCommon(request)
  if (common !== 0) return common
  const engine = ENGINES.get(request.type)
  if (engine === undefined) return -ERRNO.EINVAL
  const refused = engine.check(request)
  if (refused !== 0) return refused
  if (engine.ofMaps) {
    const nested = typeof options.inner === "object" && ENGINES.get(options.inner.type)?.ofMaps
    const error = check.checkInner(options.inner, nested === true)
    if (error !== 0) return error
  }
  const storage = new MapStorage(host.memory)
  const { maxEntries } = request
  const parameters = {
    ...request,
    flags: (request.flags | (engine.impliedFlags ?? 0)) >>> 0,
    maxEntries: engine.entries?.(maxEntries, request.flags, host.cpus) ?? maxEntries,
  }
  const map = engine.create({ ...options, host, parameters, storage })
  if (storage.exhausted) {
    storage.release()
    return -ERRNO.ENOMEM
  }
  map.initialize()
  return map
}
