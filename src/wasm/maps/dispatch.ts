/**
 * Operations on a map of which only the descriptor is known: one inside of another, or one that a
 * program has chosen. The numbers are BPF_MAP_TYPE_; types without an engine are the host's.
 */

import {
  arrayLookup,
  arrayOfMapsLookup,
  arrayUpdate,
  percpuArrayLookup,
  percpuArrayLookupCpu,
  redirectLookup,
} from "./array.ts"
import { bloomPeek, bloomPush } from "./bloom-filter.ts"
import { EOPNOTSUPP } from "./errno.ts"
import {
  hashDelete,
  hashLookup,
  hashOfMapsLookup,
  hashUpdate,
  percpuHashLookup,
  percpuHashLookupCpu,
  percpuHashUpdate,
} from "./hash.ts"
import { otherDelete, otherLookup, otherUpdate } from "./host.ts"
import { ADDRESS_TAG, MAP_RESULT_REGION, MAP_TYPE } from "./layout.ts"
import { lpmLookup } from "./lpm-index.ts"
import { lpmDelete, lpmUpdate } from "./lpm-trie.ts"
import {
  lruDelete,
  lruLookup,
  lruPercpuLookup,
  lruPercpuLookupCpu,
  lruPercpuUpdate,
  lruUpdate,
} from "./lru-hash.ts"
import { queuePeek, queuePop, queuePush, stackPeek, stackPop } from "./queue-stack.ts"

/** bpf_map_lookup_elem */
export function mapLookup(map: u32, key: u32): u32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case 1:
      return hashLookup(map, key)
    case 2:
      return arrayLookup(map, key)
    case 5:
      return percpuHashLookup(map, key)
    case 6:
      return percpuArrayLookup(map, key)
    case 9:
      return lruLookup(map, key)
    case 10:
      return lruPercpuLookup(map, key)
    case 11:
      return lpmLookup(map, key)
    case 12:
      return arrayOfMapsLookup(map, key)
    case 13:
      return hashOfMapsLookup(map, key)
    case 14:
    case 16:
      return redirectLookup(map, key)
    default:
      return otherLookup(map, key)
  }
}

/** The same as a whole address. */
export function mapLookupAddress(map: u32, key: u32): u64 {
  return addressIn(map, mapLookup(map, key))
}

function addressIn(map: u32, offset: u32): u64 {
  if (offset === 0) return 0
  const tag: u64 = ADDRESS_TAG | load<u32>(map, MAP_RESULT_REGION)
  return (tag << 32) | offset
}

/** bpf_map_lookup_percpu_elem, as a whole address. */
export function mapLookupCpuAddress(map: u32, key: u32, cpu: u32): u64 {
  switch (load<u32>(map, MAP_TYPE)) {
    case 5:
      return addressIn(map, percpuHashLookupCpu(map, key, cpu))
    case 6:
      return addressIn(map, percpuArrayLookupCpu(map, key, cpu))
    case 10:
      return addressIn(map, lruPercpuLookupCpu(map, key, cpu))
    default:
      return 0
  }
}

/** bpf_map_update_elem */
export function mapUpdate(map: u32, key: u32, value: u32, flags: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case 1:
      return hashUpdate(map, key, value, flags)
    case 2:
    case 6:
      return arrayUpdate(map, key, value, flags)
    case 5:
      return percpuHashUpdate(map, key, value, flags)
    case 9:
      return lruUpdate(map, key, value, flags)
    case 10:
      return lruPercpuUpdate(map, key, value, flags)
    case 11:
      return lpmUpdate(map, key, value, flags)
    default:
      return otherUpdate(map, key, value, flags)
  }
}

/** bpf_map_delete_elem */
export function mapDelete(map: u32, key: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case 1:
    case 5:
      return hashDelete(map, key)
    case 9:
    case 10:
      return lruDelete(map, key)
    case 11:
      return lpmDelete(map, key)
    default:
      return otherDelete(map, key)
  }
}

/** bpf_map_push_elem */
export function mapPush(map: u32, value: u32, flags: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case 22:
    case 23:
      return queuePush(map, value, flags)
    case 30:
      return bloomPush(map, value, flags)
    default:
      return -EOPNOTSUPP
  }
}

/** bpf_map_pop_elem */
export function mapPop(map: u32, value: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case 22:
      return queuePop(map, value)
    case 23:
      return stackPop(map, value)
    default:
      return -EOPNOTSUPP
  }
}

/** bpf_map_peek_elem */
export function mapPeek(map: u32, value: u32): i32 {
  switch (load<u32>(map, MAP_TYPE)) {
    case 22:
      return queuePeek(map, value)
    case 23:
      return stackPeek(map, value)
    case 30:
      return bloomPeek(map, value)
    default:
      return -EOPNOTSUPP
  }
}
