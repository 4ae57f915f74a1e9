export {
  arrayLookup,
  arrayOfMapsLookup,
  arrayPlace,
  arrayUpdate,
  percpuArrayLookup,
  percpuArrayLookupCpu,
  redirectLookup,
  slotLookup,
} from "./array.ts"
export { bloomPeek, bloomPush } from "./bloom-filter.ts"
export {
  mapDelete,
  mapLookup,
  mapLookupAddress,
  mapLookupCpuAddress,
  mapPeek,
  mapPop,
  mapPush,
  mapUpdate,
} from "./dispatch.ts"
export {
  hashDelete,
  hashLookup,
  hashLookup4,
  hashLookup8,
  hashLookup16,
  hashOfMapsLookup,
  hashRemove,
  hashUpdate,
  percpuHashLookup,
  percpuHashLookupCpu,
  percpuHashUpdate,
  percpuHashUpdateAll,
} from "./hash.ts"
export { hashAfter, hashFind, hashFirst, hashNextKey, hashSeed } from "./hash-table.ts"
export { compareText, csumDiff, ktime, prandom } from "./helpers.ts"
export { lpmLookup } from "./lpm-index.ts"
export { lpmDelete, lpmNextKey, lpmReleaseAll, lpmUpdate } from "./lpm-trie.ts"
export {
  lruDelete,
  lruLookup,
  lruLookup4,
  lruLookup8,
  lruLookup16,
  lruPercpuLookup,
  lruPercpuLookupCpu,
  lruPercpuUpdate,
  lruPercpuUpdateAll,
  lruRemove,
  lruUpdate,
} from "./lru-hash.ts"
export { lruPopulate } from "./lru-list.ts"
export {
  queueFront,
  queuePeek,
  queuePop,
  queuePush,
  stackPeek,
  stackPop,
  stackTop,
} from "./queue-stack.ts"
export {
  ringAbandon,
  ringCommit,
  ringDiscard,
  ringOutput,
  ringQuery,
  ringReserve,
  ringSubmit,
  ringWrite,
} from "./ring-buffer.ts"
