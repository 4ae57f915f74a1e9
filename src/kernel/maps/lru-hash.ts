/**
 * BPF_MAP_TYPE_LRU_HASH and BPF_MAP_TYPE_LRU_PERCPU_HASH: hash maps that make room by dropping an
 * element that was not used lately (linux v6.18 kernel/bpf/hashtab.c, bpf_lru_list.c). Engine:
 * src/wasm/maps/lru-hash.ts and lru-list.ts.
 */

import { BPF_MAP_FLAG } from "../../spec/index.ts"
import {
  FEATURE_COMMON_LRU,
  LRU_FREE_TARGET,
  LRU_LOCAL_BYTES,
  LRU_LOCALS,
  LRU_SCAN_MAX,
  LRU_SET_BYTES,
  LRU_SETS,
  LRU_STEAL,
} from "../../wasm/maps/layout.ts"
import { ElementPool } from "./element-pool.ts"
import { HashTable } from "./hash-table.ts"
import { type MapSetup, valueRegionFlags } from "./map-base.ts"

/** Nodes that a CPU stocks up with, and that one pass over a list looks at. */
const LOCAL_FREE_TARGET = 128
/** The same for lists of one CPU. */
const PERCPU_FREE_TARGET = 4

/** With BPF_F_NO_COMMON_LRU every CPU gets the same share. */
export function lruEntries(maxEntries: number, flags: number, cpus: number): number {
  if ((flags & BPF_MAP_FLAG.BPF_F_NO_COMMON_LRU) === 0) return maxEntries
  const up = Math.ceil(maxEntries / cpus) * cpus
  return up > 0xffffffff ? up - cpus : up
}

export class LruHashMap extends HashTable {
  protected readonly pool: ElementPool
  private readonly common: boolean
  private readonly sets: number
  private readonly locals: number
  private readonly steal: number

  constructor(setup: MapSetup) {
    super(setup, { lru: true })
    const { cpus } = this.host
    this.common = (this.flags & BPF_MAP_FLAG.BPF_F_NO_COMMON_LRU) === 0
    this.pool = new ElementPool(this.storage, {
      descriptor: this.address,
      threads: this.threads(),
      elementSize: this.elementSize,
      capacity: this.maxEntries,
      preallocate: true,
      regionFlags: valueRegionFlags(this.flags),
    })
    this.sets = this.storage.take(LRU_SET_BYTES * (this.common ? 1 : cpus))
    this.locals = this.storage.take(LRU_LOCAL_BYTES * cpus)
    this.steal = this.storage.take(4 * cpus)
  }

  override initialize(): void {
    super.initialize()
    const share = Math.floor(this.maxEntries / this.host.cpus / 2)
    const target = Math.min(Math.max(share, 1), LOCAL_FREE_TARGET)
    this.describe(LRU_SETS, this.sets)
    this.describe(LRU_LOCALS, this.locals)
    this.describe(LRU_STEAL, this.steal)
    this.describe(LRU_FREE_TARGET, this.common ? target : PERCPU_FREE_TARGET)
    this.describe(LRU_SCAN_MAX, this.common ? LOCAL_FREE_TARGET : PERCPU_FREE_TARGET)
    this.engine.lruPopulate(this.address)
  }

  protected override features(): number {
    return super.features() | (this.common ? FEATURE_COMMON_LRU : 0)
  }

  override refill(): boolean {
    return false
  }

  override lookup(key: number): number {
    if (!this.percpu) return this.engine.lruLookup(this.address, key)
    this.enterCpu()
    return this.engine.lruPercpuLookup(this.address, key)
  }

  override lookupPercpu(key: number, cpu: number): number {
    return this.percpu ? this.engine.lruPercpuLookupCpu(this.address, key, cpu) : 0
  }

  override update(key: number, value: number, flags: number): number {
    this.enterCpu()
    return this.percpu
      ? this.engine.lruPercpuUpdate(this.address, key, value, flags)
      : this.engine.lruUpdate(this.address, key, value, flags)
  }

  override delete(key: number): number {
    return this.engine.lruDelete(this.address, key)
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    this.enterCpu()
    const from = this.scratchValue(value)
    return this.percpu
      ? this.engine.lruPercpuUpdateAll(this.address, key, from, flags)
      : this.engine.lruUpdate(this.address, key, from, flags)
  }

  protected override remove(element: number): void {
    this.engine.lruRemove(this.address, element)
  }
}
