/**
 * BPF_MAP_TYPE_ARRAY and BPF_MAP_TYPE_PERCPU_ARRAY (linux v6.18 kernel/bpf/arraymap.c): all
 * elements exist from the start, zeroed, and none can be deleted.
 *
 *   data ──▶ ┌─────────┬─────────┬─────┬──────────────────┐
 *            │ value 0 │ value 1 │  …  │ u32 index, u32 0 │  the last 8 bytes: the key that
 *            └─────────┴─────────┴─────┴──────────────────┘  forEach() shows to its callback
 *            ◀ stride ▶
 *
 * A value is padded to 8 bytes; a per-CPU element is one such copy after another for each CPU. The
 * value region spans all of it.
 */

import { BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { MAP_DATA, MAP_STRIDE } from "../../wasm/maps/layout.ts"
import type { ArrayPlace } from "./engines.ts"
import { MapBase, type MapSetup, valueRegionFlags } from "./map-base.ts"

/** Bytes behind the values for the key that callbacks see. */
const CALLBACK_KEY_SIZE = 8

export class ArrayMap extends MapBase {
  readonly valueRegion: number
  private readonly data: number
  private readonly stride: number

  constructor(setup: MapSetup) {
    super(setup)
    this.stride = this.percpu ? this.copySize * this.host.cpus : this.copySize
    const size = this.stride * this.maxEntries
    this.data = this.storage.take(size + CALLBACK_KEY_SIZE)
    const end = this.data + size + CALLBACK_KEY_SIZE
    this.valueRegion = this.storage.region(this.data, end, valueRegionFlags(this.flags))
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.data)
    this.describe(MAP_STRIDE, this.stride)
  }

  /** Offset of the value at an index (this CPU's copy), or 0: for direct value addresses too. */
  valueAt(index: number): number {
    if (index >= this.maxEntries) return 0
    const value = this.data + index * this.stride
    return this.percpu ? value + this.host.currentCpu() * this.copySize : value
  }

  override lookup(key: number): number {
    if (!this.percpu) return this.engine.arrayLookup(this.address, key)
    this.enterCpu()
    return this.engine.percpuArrayLookup(this.address, key)
  }

  override lookupPercpu(key: number, cpu: number): number {
    return this.percpu ? this.engine.percpuArrayLookupCpu(this.address, key, cpu) : 0
  }

  override update(key: number, value: number, flags: number): number {
    if (this.percpu) this.enterCpu()
    return this.engine.arrayUpdate(this.address, key, value, flags)
  }

  /** Where compiled programs find the values. */
  place(): ArrayPlace {
    const { data, stride, maxEntries } = this
    return { data, stride, maxEntries, cpuStride: this.percpu ? this.copySize : 0 }
  }

  override forEach(callback: (key: number, value: number) => number): number {
    const key = this.data + this.stride * this.maxEntries
    for (let index = 0; index < this.maxEntries; index++) {
      this.memory.i32[key >> 2] = index
      if (callback(key, this.valueAt(index)) !== 0) return index + 1
    }
    return this.maxEntries
  }

  protected override sysLookup(key: number): number {
    return this.engine.arrayLookup(this.address, key) || -ERRNO.ENOENT
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    if (this.percpu && flags > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    const place = this.engine.arrayPlace(this.address, key, flags)
    if (place < 0) return place
    if (this.percpu) this.storePercpu(place, value)
    else {
      this.storeValue(place, value, 0, this.valueSize)
      this.releaseFields?.(place)
    }
    return 0
  }

  protected override nextKey(key: number): number {
    const index = key === 0 ? this.maxEntries : this.indexAt(key)
    if (index === this.maxEntries - 1) return -ERRNO.ENOENT
    this.memory.i32[this.keyScratch >> 2] = index >= this.maxEntries ? 0 : index + 1
    return this.keyScratch
  }

  private indexAt(key: number): number {
    if ((key & 3) === 0) return this.memory.i32[key >> 2] >>> 0
    return this.memory.view.getUint32(key, true)
  }

  override destroy(): void {
    if (this.releaseFields !== undefined)
      for (let at = 0; at < this.stride * this.maxEntries; at += this.copySize)
        this.releaseFields(this.data + at)
    super.destroy()
  }
}
