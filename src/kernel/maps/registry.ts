/**
 * MAP_CREATE: from the attributes to the engine of the map type, with Linux's refusals in Linux's
 * order (linux v6.18 kernel/bpf/syscall.c map_create).
 */

import { BPF_MAP_FLAG, BPF_MAP_TYPE, ERRNO, type MapCreateAttr } from "../../spec/index.ts"
import { ArrayMap } from "./array.ts"
import * as check from "./create-checks.ts"
import { HashMap } from "./hash.ts"
import type { BpfMap, MapHost } from "./map.ts"
import type { MapBase, MapOptions, MapSetup } from "./map-base.ts"
import { MapStorage } from "./storage.ts"

/** A map type: what it refuses, and how its map is made. */
interface Engine {
  readonly check: (request: check.CreateRequest) => number
  readonly create: (setup: MapSetup) => MapBase
  /** Flags that the kernel adds to what was asked for. */
  readonly impliedFlags?: number
  /** Takes a template of the maps inside. */
  readonly ofMaps?: boolean
}

const array = (setup: MapSetup): MapBase => new ArrayMap(setup)
const hash = (setup: MapSetup): MapBase => new HashMap(setup)

const ENGINES: ReadonlyMap<number, Engine> = new Map<number, Engine>([
  [BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, { check: check.checkArray, create: array }],
  [BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY, { check: check.checkArray, create: array }],
  [BPF_MAP_TYPE.BPF_MAP_TYPE_HASH, { check: check.checkHash, create: hash }],
  [BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH, { check: check.checkHash, create: hash }],
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
  const parameters = { ...request, flags: request.flags | (engine.impliedFlags ?? 0) }
  const map = engine.create({ ...options, host, parameters, storage })
  if (storage.exhausted) {
    storage.release()
    return -ERRNO.ENOMEM
  }
  map.initialize()
  return map
}
