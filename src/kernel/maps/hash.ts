/**
 * BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_PERCPU_HASH, preallocated or not (linux v6.18
 * kernel/bpf/hashtab.c). Engine: src/wasm/maps/hash.ts.
 *
 * A plain hash has as many spare elements as CPUs, because an update puts a new element in the
 * place of the old one, which becomes the spare of the next update.
 */

import { BPF_MAP_FLAG, BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { FEATURE_IN_PLACE } from "../../wasm/maps/layout.ts"
import { ElementPool } from "./element-pool.ts"
import { HashTable } from "./hash-table.ts"
import { type MapSetup, valueRegionFlags } from "./map-base.ts"

/** What BPF_NOEXIST and BPF_EXIST make of an element that is there or not: 0 or a negative errno. */
export function updateRefusal(exists: boolean, flags: number): number {
  const mode = flags & ~BPF_UPDATE_FLAG.BPF_F_LOCK
  if (exists) return mode === BPF_UPDATE_FLAG.BPF_NOEXIST ? -ERRNO.EEXIST : 0
  return mode === BPF_UPDATE_FLAG.BPF_EXIST ? -ERRNO.ENOENT : 0
}

export class HashMap extends HashTable {
  protected readonly pool: ElementPool

  constructor(setup: MapSetup) {
    super(setup, { lru: false })
    this.pool = new ElementPool(this.storage, {
      descriptor: this.address,
      threads: this.threads(),
      elementSize: this.elementSize,
      capacity: this.maxEntries + (this.percpu ? 0 : this.host.cpus),
      preallocate: (this.flags & BPF_MAP_FLAG.BPF_F_NO_PREALLOC) === 0,
      regionFlags: valueRegionFlags(this.flags),
    })
  }

  protected override features(): number {
    const inPlace = this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS
    return super.features() | (inPlace ? FEATURE_IN_PLACE : 0)
  }

  override lookup(key: number): number {
    if (!this.percpu) return this.engine.hashLookup(this.address, key)
    this.enterCpu()
    return this.engine.percpuHashLookup(this.address, key)
  }

  override lookupPercpu(key: number, cpu: number): number {
    return this.percpu ? this.engine.percpuHashLookupCpu(this.address, key, cpu) : 0
  }

  override update(key: number, value: number, flags: number): number {
    if (!this.percpu) return this.engine.hashUpdate(this.address, key, value, flags)
    this.enterCpu()
    return this.engine.percpuHashUpdate(this.address, key, value, flags)
  }

  override delete(key: number): number {
    return this.engine.hashDelete(this.address, key)
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    const from = this.scratchValue(value)
    return this.percpu
      ? this.engine.percpuHashUpdateAll(this.address, key, from, flags)
      : this.engine.hashUpdate(this.address, key, from, flags)
  }

  protected override remove(element: number): void {
    this.engine.hashRemove(this.address, element)
  }
}
