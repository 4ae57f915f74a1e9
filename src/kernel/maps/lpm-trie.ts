/**
 * BPF_MAP_TYPE_LPM_TRIE: longest prefix match on keys of up to 2,048 bits (linux v6.18
 * kernel/bpf/lpm_trie.c). Engine: src/wasm/maps/lpm-trie.ts, with an index for look-ups beside the
 * trie (lpm-index.ts).
 */

import { ERRNO } from "../../spec/index.ts"
import {
  LPM_DATA_SIZE,
  LPM_INDEX,
  LPM_KEY,
  LPM_PROBE,
  LPM_TABLE_BYTES,
  MAP_STRIDE,
  MAP_VALUE_OFFSET,
} from "../../wasm/maps/layout.ts"
import { roundUp8 } from "./bytes.ts"
import { ElementPool } from "./element-pool.ts"
import { MapBase, type MapSetup, valueRegionFlags } from "./map-base.ts"

/** Bytes of the prefix length before a key's data. */
const PREFIX_LENGTH_BYTES = 4

export class LpmTrie extends MapBase {
  private readonly pool: ElementPool
  private readonly valueOffset: number
  private readonly table: number
  private readonly probe: number

  constructor(setup: MapSetup) {
    super(setup)
    this.valueOffset = LPM_KEY + roundUp8(this.keySize)
    this.pool = new ElementPool(this.storage, {
      descriptor: this.address,
      threads: this.threads(),
      elementSize: this.valueOffset + this.copySize,
      // Elements, their intermediate nodes, and one to replace an element with.
      capacity: 2 * this.maxEntries + 1,
      preallocate: false,
      regionFlags: valueRegionFlags(this.flags),
    })
    this.table = this.storage.take(LPM_TABLE_BYTES)
    this.probe = this.storage.take(roundUp8(this.keySize))
    this.takeValueScratch()
  }

  get valueRegion(): number {
    return this.pool.region
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_STRIDE, this.valueOffset + this.copySize)
    this.describe(MAP_VALUE_OFFSET, this.valueOffset)
    this.describe(LPM_DATA_SIZE, this.keySize - PREFIX_LENGTH_BYTES)
    this.describe(LPM_INDEX, this.table)
    this.describe(LPM_PROBE, this.probe)
    this.pool.initialize()
  }

  override refill(): boolean {
    return this.pool.grow()
  }

  override lookup(key: number): number {
    return this.engine.lpmLookup(this.address, key)
  }

  override update(key: number, value: number, flags: number): number {
    return this.engine.lpmUpdate(this.address, key, value, flags)
  }

  override delete(key: number): number {
    return this.engine.lpmDelete(this.address, key)
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    return this.engine.lpmUpdate(this.address, key, this.scratchValue(value), flags)
  }

  /** Postorder: more specific prefixes before less specific ones. */
  protected override nextKey(key: number): number {
    return this.engine.lpmNextKey(this.address, key) || -ERRNO.ENOENT
  }

  override destroy(): void {
    if (this.releaseFields !== undefined) this.engine.lpmReleaseAll(this.address)
    super.destroy()
  }
}
