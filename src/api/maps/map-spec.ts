/**
 * What a map is before it exists: parameters and the codecs of its keys and values. Objects give
 * them from BTF; `map.hash({…})` and its like make them by hand.
 */

import { BPF_MAP_TYPE, mapTypeName } from "../../spec/index.ts"
import { type Codec, codecs as c, type Decoded } from "../codecs.ts"
import type { ArrayMap } from "./array-map.ts"
import type { HashMap } from "./hash-map.ts"
import type { MapHandle } from "./map-handle.ts"
import type { PerfEventArray } from "./perf-event-array.ts"
import type { Queue } from "./queue.ts"
import type { RingBuffer } from "./ring-buffer.ts"

/** Parameters of MAP_CREATE, and how keys and values look. */
export interface MapSpec<M extends MapHandle = MapHandle> {
  readonly name: string
  /** enum bpf_map_type. */
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  /** Null: bytes. */
  readonly key: Codec<unknown> | null
  readonly value: Codec<unknown> | null
  readonly inner: MapSpec | null
  /** Phantom: the live map this spec creates. */
  readonly "~map"?: M
}

interface Common {
  /** At most 15 characters of `[A-Za-z0-9_.]`. */
  readonly name?: string
  readonly flags?: number
}

function spec<M extends MapHandle>(
  type: number,
  o: Common & {
    readonly key: Codec<unknown> | null
    readonly value: Codec<unknown> | null
    readonly maxEntries: number
    readonly keySize?: number
    readonly valueSize?: number
  },
): MapSpec<M> {
  return {
    name: o.name ?? mapTypeName(type).slice(0, 15),
    type,
    keySize: o.keySize ?? o.key?.size ?? 0,
    valueSize: o.valueSize ?? o.value?.size ?? 0,
    maxEntries: o.maxEntries,
    flags: o.flags ?? 0,
    key: o.key,
    value: o.value,
    inner: null,
  }
}

type KeyValue<K, V> = Common & {
  readonly key: Codec<K>
  readonly value: Codec<V>
  readonly maxEntries: number
}

/** Makers of map specs, by type. `kernel.createMap(map.hash({ key: u32, value: u64, maxEntries: 16 }))`. */
export const map = {
  hash: <K, V>(o: KeyValue<K, V>): MapSpec<HashMap<K, V>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_HASH, o),
  lruHash: <K, V>(o: KeyValue<K, V>): MapSpec<HashMap<K, V>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_HASH, o),
  percpuHash: <K, V>(o: KeyValue<K, V>): MapSpec<HashMap<K, V[]>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH, o),
  array: <V>(o: Common & { value: Codec<V>; length: number }): MapSpec<ArrayMap<V>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, { ...o, key: c.u32, maxEntries: o.length }),
  percpuArray: <V>(o: Common & { value: Codec<V>; length: number }): MapSpec<ArrayMap<V[]>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY, { ...o, key: c.u32, maxEntries: o.length }),
  /** Keys are `{ prefixLength, address }`; `addressBytes` is 4 for IPv4, 16 for IPv6. */
  lpmTrie: <V>(
    o: Common & { addressBytes: number; value: Codec<V>; maxEntries: number },
  ): MapSpec<HashMap<{ prefixLength: number; address: Uint8Array }, V>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_LPM_TRIE, {
      ...o,
      // BPF_F_NO_PREALLOC is mandatory for tries.
      flags: (o.flags ?? 0) | 1,
      key: c.struct({ prefixLength: c.u32, address: c.bytes(o.addressBytes) }),
    }),
  queue: <V>(o: Common & { value: Codec<V>; maxEntries: number }): MapSpec<Queue<V>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_QUEUE, { ...o, key: null }),
  stack: <V>(o: Common & { value: Codec<V>; maxEntries: number }): MapSpec<Queue<V>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_STACK, { ...o, key: null }),
  /** `bytes`: size of the ring, a power of two and a multiple of 4096. */
  ringbuf: <T>(o: Common & { record: Codec<T>; bytes: number }): MapSpec<RingBuffer<T>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_RINGBUF, {
      ...o,
      key: null,
      value: o.record,
      valueSize: 0,
      maxEntries: o.bytes,
    }),
  /** One ring a CPU; without `record`, records are bytes. `cpus`: those of the kernel. */
  perfEventArray: <T = Uint8Array>(
    o: Common & { record?: Codec<T>; cpus: number },
  ): MapSpec<PerfEventArray<T>> =>
    spec(BPF_MAP_TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY, {
      ...o,
      key: null,
      value: o.record ?? null,
      keySize: 4,
      valueSize: 4,
      maxEntries: o.cpus,
    }),
} as const

export type { Decoded }
