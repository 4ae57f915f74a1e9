export { ArenaMap } from "./arena.ts"
export { ArrayMap } from "./array.ts"
export {
  type DeleteElement,
  deleteBatch,
  lookupAndDeleteBatch,
  lookupBatch,
  type UpdateElement,
  updateBatch,
} from "./batch.ts"
export { BloomFilter } from "./bloom-filter.ts"
export { CgroupStorageMap } from "./cgroup-storage.ts"
export { NR_CPUS } from "./create-checks.ts"
export {
  type ArrayPlace,
  type EngineCall,
  type EngineExports,
  type EngineParameter,
  type EngineResult,
  engineCall,
  type MapEngines,
  mapEngines,
} from "./engines.ts"
export { HashMap } from "./hash.ts"
export { HashOfMaps } from "./hash-of-maps.ts"
export { HashTable } from "./hash-table.ts"
export { LocalStorageMap } from "./local-storage.ts"
export { LpmTrie } from "./lpm-trie.ts"
export { LruHashMap } from "./lru-hash.ts"
export type { BpfMap, MapHost, MapParameters, ReferenceMap } from "./map.ts"
export {
  clampFlags,
  DESCRIPTOR_SIZE,
  type MapOptions,
  type ValueField,
} from "./map-base.ts"
export { PerfEventArray, PerfRingBuffer } from "./perf-event-array.ts"
export { QueueStack } from "./queue-stack.ts"
export { RedirectMap, type RedirectResolver, type RedirectTarget } from "./redirect-maps.ts"
export { type Identified, idOf, innerMapRefusal, ReferenceArray } from "./reference-array.ts"
export { createMap, isMapTypeSupported } from "./registry.ts"
export { BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, RingBufferMap } from "./ring-buffer.ts"
export { RingMemory } from "./ring-memory.ts"
export { ReuseportArray, SocketMap, type SocketResolver } from "./socket-maps.ts"
export { StackTraceMap } from "./stack-trace.ts"
export { UserRingBufferMap } from "./user-ring-buffer.ts"
