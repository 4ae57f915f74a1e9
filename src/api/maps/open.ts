/** From a spec and a descriptor to the class that fits the map's type. */

import { BPF_MAP_TYPE, type KernelInterface } from "../../spec/index.ts"
import { check } from "../failure.ts"
import { ArrayMap } from "./array-map.ts"
import { HashMap } from "./hash-map.ts"
import { MapHandle } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"
import { PerfEventArray } from "./perf-event-array.ts"
import { Queue } from "./queue.ts"
import { DeviceMap, MapOfMaps, ProgramArray } from "./reference-maps.ts"
import { RingBuffer } from "./ring-buffer.ts"

const T = BPF_MAP_TYPE

/** A live map of the right class over a descriptor that it then owns. */
export function openMapHandle(kernel: KernelInterface, fd: number, spec: MapSpec): MapHandle {
  switch (spec.type) {
    case T.BPF_MAP_TYPE_HASH:
    case T.BPF_MAP_TYPE_PERCPU_HASH:
    case T.BPF_MAP_TYPE_LRU_HASH:
    case T.BPF_MAP_TYPE_LRU_PERCPU_HASH:
    case T.BPF_MAP_TYPE_LPM_TRIE:
      return new HashMap(kernel, fd, spec)
    case T.BPF_MAP_TYPE_ARRAY:
    case T.BPF_MAP_TYPE_PERCPU_ARRAY:
      return new ArrayMap(kernel, fd, spec)
    case T.BPF_MAP_TYPE_QUEUE:
    case T.BPF_MAP_TYPE_STACK:
      return new Queue(kernel, fd, spec)
    case T.BPF_MAP_TYPE_RINGBUF:
      return new RingBuffer(kernel, fd, spec)
    case T.BPF_MAP_TYPE_PERF_EVENT_ARRAY:
      return new PerfEventArray(kernel, fd, spec)
    case T.BPF_MAP_TYPE_PROG_ARRAY:
      return new ProgramArray(kernel, fd, spec)
    case T.BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case T.BPF_MAP_TYPE_HASH_OF_MAPS:
      return new MapOfMaps(kernel, fd, spec, (inner) => createMapHandle(kernel, inner))
    case T.BPF_MAP_TYPE_DEVMAP:
    case T.BPF_MAP_TYPE_DEVMAP_HASH:
    case T.BPF_MAP_TYPE_CPUMAP:
      return new DeviceMap(kernel, fd, spec)
    default:
      return new MapHandle(kernel, fd, spec)
  }
}

/**
 * MAP_CREATE.
 *
 * @throws BpfError what the kernel says: EINVAL for parameters it refuses, ENOMEM…
 */
export function createMapHandle(kernel: KernelInterface, spec: MapSpec): MapHandle {
  const inner = spec.inner === null ? null : createMapHandle(kernel, spec.inner)
  try {
    const fd = kernel.bpf("MAP_CREATE", {
      map_type: spec.type,
      key_size: spec.keySize,
      value_size: spec.valueSize,
      max_entries: spec.maxEntries,
      map_flags: spec.flags,
      map_name: spec.name,
      inner_map_fd: inner?.fd,
    })
    check(fd, "MAP_CREATE", `map '${spec.name}'`)
    return openMapHandle(kernel, fd, spec)
  } finally {
    inner?.close()
  }
}
