/** What all live maps have in common, and the byte-level view that the typed ones stand on. */

import { viewOf } from "../../base/index.ts"
import type { KernelInterface } from "../../spec/index.ts"
import { BPF_MAP_TYPE, ERRNO, mapTypeName } from "../../spec/index.ts"
import { check, failure } from "../failure.ts"
import { Handle } from "../handle.ts"
import type { MapSpec } from "./map-spec.ts"

/** `struct bpf_map_info`, as far as it matters here. */
export interface MapInfo {
  readonly id: number
  readonly name: string
  /** `hash`, `array`, `ringbuf`… */
  readonly type: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
}

const PER_CPU: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH,
]

/** Whether values of a map type have one copy a CPU. */
export function isPerCpu(type: number): boolean {
  return PER_CPU.includes(type)
}

/** A live map. Closing it gives up this descriptor; programs that use the map keep it alive. */
export class MapHandle extends Handle {
  readonly spec: MapSpec
  /** The map without decoding. */
  readonly raw: RawMap

  constructor(kernel: KernelInterface, fd: number, spec: MapSpec) {
    super(kernel, fd, `map '${spec.name}'`)
    this.spec = spec
    this.raw = new RawMap(kernel, fd, spec)
  }

  get id(): number {
    return this.info().id
  }

  info(): MapInfo {
    return readMapInfo(this.kernel, this.fd)
  }

  /** Makes the map read-only for user space, for good (MAP_FREEZE). */
  freeze(): void {
    check(this.kernel.bpf("MAP_FREEZE", { map_fd: this.fd }), "MAP_FREEZE", this.describe())
  }

  /** Gives the map a name in bpffs. */
  pin(path: string): void {
    const result = this.kernel.bpf("OBJ_PIN", { pathname: path, bpf_fd: this.fd })
    check(result, "OBJ_PIN", `${this.describe()} at ${path}`)
  }

  protected describe(): string {
    return `map '${this.spec.name}'`
  }
}

/** OBJ_GET_INFO_BY_FD of a map. */
export function readMapInfo(kernel: KernelInterface, fd: number): MapInfo {
  const info = new Uint8Array(88)
  check(kernel.bpf("OBJ_GET_INFO_BY_FD", { bpf_fd: fd, info }), "OBJ_GET_INFO_BY_FD", "map")
  const view = viewOf(info)
  const end = info.indexOf(0, 24)
  return {
    type: mapTypeName(view.getUint32(0, true)),
    id: view.getUint32(4, true),
    keySize: view.getUint32(8, true),
    valueSize: view.getUint32(12, true),
    maxEntries: view.getUint32(16, true),
    flags: view.getUint32(20, true),
    name: new TextDecoder().decode(info.subarray(24, Math.min(end < 0 ? 40 : end, 40))),
  }
}

/** Entries taken per batch command when a map is walked. */
const BATCH = 256

/** Keys and values as bytes. Per-CPU values: all CPUs' copies, each rounded up to 8 bytes. */
export class RawMap {
  readonly keySize: number
  /** Bytes of a value as user space sees it. */
  readonly valueSize: number
  private readonly kernel: KernelInterface
  private readonly fd: number
  private readonly name: string

  constructor(kernel: KernelInterface, fd: number, spec: MapSpec) {
    this.kernel = kernel
    this.fd = fd
    this.name = spec.name
    this.keySize = spec.keySize
    this.valueSize = isPerCpu(spec.type)
      ? ((spec.valueSize + 7) & ~7) * kernel.possibleCpus
      : spec.valueSize
  }

  /** The value, copied into `into` if given; undefined when there is none. */
  get(key: Uint8Array, into?: Uint8Array): Uint8Array | undefined {
    const value = into ?? new Uint8Array(this.valueSize)
    const result = this.kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: this.fd, key, value })
    if (result === -ERRNO.ENOENT) return undefined
    this.check(result, "MAP_LOOKUP_ELEM")
    return value
  }

  /** `flags`: BPF_ANY 0, BPF_NOEXIST 1, BPF_EXIST 2. */
  set(key: Uint8Array, value: Uint8Array, flags = 0n): void {
    this.check(this.update(key, value, flags), "MAP_UPDATE_ELEM")
  }

  /** Like {@link set}, but returns the negative errno. */
  update(key: Uint8Array | undefined, value: Uint8Array, flags = 0n): number {
    return this.kernel.bpf("MAP_UPDATE_ELEM", { map_fd: this.fd, key, value, flags })
  }

  /** False when there was nothing to delete. */
  delete(key: Uint8Array): boolean {
    const result = this.kernel.bpf("MAP_DELETE_ELEM", { map_fd: this.fd, key })
    if (result === -ERRNO.ENOENT) return false
    this.check(result, "MAP_DELETE_ELEM")
    return true
  }

  /** Looks up and removes in one step. */
  take(key: Uint8Array | undefined): Uint8Array | undefined {
    const value = new Uint8Array(this.valueSize)
    const result = this.kernel.bpf("MAP_LOOKUP_AND_DELETE_ELEM", { map_fd: this.fd, key, value })
    if (result === -ERRNO.ENOENT) return undefined
    this.check(result, "MAP_LOOKUP_AND_DELETE_ELEM")
    return value
  }

  /** The key after `key` (the first one for null), or undefined at the end. */
  nextKey(key: Uint8Array | null): Uint8Array | undefined {
    const next = new Uint8Array(this.keySize)
    const attr = { map_fd: this.fd, key: key ?? undefined, next_key: next }
    const result = this.kernel.bpf("MAP_GET_NEXT_KEY", attr)
    if (result === -ERRNO.ENOENT) return undefined
    this.check(result, "MAP_GET_NEXT_KEY")
    return next
  }

  /**
   * All entries, each once if the map does not change meanwhile; entries that come or go during
   * the walk may or may not be seen. By batches where the kernel has them, else key by key.
   */
  *entries(): IterableIterator<[Uint8Array, Uint8Array]> {
    let capacity = BATCH
    let position: Uint8Array | undefined
    for (;;) {
      const keys = new Uint8Array(this.keySize * capacity)
      const values = new Uint8Array(this.valueSize * capacity)
      const next = new Uint8Array(Math.max(4, this.keySize))
      const attr = {
        map_fd: this.fd,
        in_batch: position,
        out_batch: next,
        keys,
        values,
        count: capacity,
      }
      const result = this.kernel.bpf("MAP_LOOKUP_BATCH", attr)
      if (result === -ERRNO.ENOTSUPP || result === -ERRNO.EINVAL) {
        yield* this.entriesByKey()
        return
      }
      // A bucket did not fit: more room, from the same place.
      if (result === -ERRNO.ENOSPC) {
        capacity *= 2
        continue
      }
      if (result < 0 && result !== -ERRNO.ENOENT) this.check(result, "MAP_LOOKUP_BATCH")
      for (let i = 0; i < attr.count; i++)
        yield [
          keys.slice(i * this.keySize, (i + 1) * this.keySize),
          values.slice(i * this.valueSize, (i + 1) * this.valueSize),
        ]
      if (result === -ERRNO.ENOENT) return
      position = next
    }
  }

  private *entriesByKey(): IterableIterator<[Uint8Array, Uint8Array]> {
    const seen = new Set<string>()
    for (let key = this.nextKey(null); key !== undefined; key = this.nextKey(key)) {
      // A key that was deleted under the walk sends it back to the start: stop at the second round.
      const text = key.join()
      if (seen.has(text)) return
      seen.add(text)
      const value = this.get(key)
      if (value !== undefined) yield [key, value]
    }
  }

  private check(result: number, command: string): void {
    if (result < 0) throw failure(result, command, `map '${this.name}'`)
  }
}
