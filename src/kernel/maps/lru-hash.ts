/**
 * BPF_MAP_TYPE_LRU_HASH and BPF_MAP_TYPE_LRU_PERCPU_HASH: hash maps that make room by dropping an
 * element that was not used lately (linux v6.18 kernel/bpf/hashtab.c, bpf_lru_list.c). Layout:
 * hash-table.ts; replacement: lru-list.ts.
 *
 * Only look-ups and updates by programs count as use; system calls that walk the map do not. As in
 * Linux an update takes its node before it looks for the key, so updating an existing key of a full
 * map may drop another element, and so does an update that is then refused.
 */

import { BPF_MAP_FLAG, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { zeroBytes } from "./bytes.ts"
import { ElementPool } from "./element-pool.ts"
import { updateRefusal } from "./hash.ts"
import { HashTable } from "./hash-table.ts"
import { LruList } from "./lru-list.ts"
import { type MapSetup, valueRegionFlags } from "./map-base.ts"

/** Offset of the list node in an element. */
const NODE = 8

/** With BPF_F_NO_COMMON_LRU every CPU gets the same share. */
export function lruEntries(maxEntries: number, flags: number, cpus: number): number {
  if ((flags & BPF_MAP_FLAG.BPF_F_NO_COMMON_LRU) === 0) return maxEntries
  const up = Math.ceil(maxEntries / cpus) * cpus
  return up > 0xffffffff ? up - cpus : up
}

export class LruHashMap extends HashTable {
  protected readonly pool: ElementPool
  private readonly lru: LruList
  private first = 0

  constructor(setup: MapSetup) {
    super(setup, { lru: true })
    this.pool = new ElementPool(this.storage, {
      elementSize: this.layout.size,
      capacity: this.maxEntries,
      preallocate: true,
      regionFlags: valueRegionFlags(this.flags),
    })
    this.lru = new LruList(this.storage, {
      cpus: this.host.cpus,
      elements: this.maxEntries,
      common: (this.flags & BPF_MAP_FLAG.BPF_F_NO_COMMON_LRU) === 0,
      evict: (node) => this.evict(node - NODE),
    })
  }

  override initialize(): void {
    super.initialize()
    this.first = this.pool.take()
    this.lru.populate(this.first + NODE, this.layout.size, this.maxEntries)
  }

  override lookup(key: number): number {
    const element = this.findForProgram(key)
    if (element === 0) return 0
    this.lru.reference(element + NODE)
    return this.programValue(element)
  }

  override lookupPercpu(key: number, cpu: number): number {
    if (!this.percpu || cpu >= this.host.cpus) return 0
    const element = this.findForProgram(key)
    if (element === 0) return 0
    this.lru.reference(element + NODE)
    return element + this.valueOffset + cpu * this.copySize
  }

  override update(key: number, value: number, flags: number): number {
    const aligned = this.alignedKey(key)
    return this.percpu
      ? this.putPercpu(aligned, null, value, flags)
      : this.put(aligned, null, value, flags)
  }

  override delete(key: number): number {
    const element = this.findForProgram(key)
    if (element === 0) return -ERRNO.ENOENT
    this.drop(element)
    return 0
  }

  protected override sysLookup(key: number): number {
    const element = this.find(key, this.hashOf(key))
    return element === 0 ? -ERRNO.ENOENT : element + this.valueOffset
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    return this.percpu ? this.putPercpu(key, value, 0, flags) : this.put(key, value, 0, flags)
  }

  protected override sysLookupAndDelete(key: number, value: Uint8Array): number {
    const element = this.find(key, this.hashOf(key))
    if (element === 0) return -ERRNO.ENOENT
    const error = this.copyOut(element + this.valueOffset, value)
    this.drop(element)
    return error
  }

  private findForProgram(key: number): number {
    const aligned = this.alignedKey(key)
    return this.find(aligned, this.hashOf(aligned))
  }

  private evict(element: number): boolean {
    if (!this.unlink(element)) return false
    this.releaseValue(element)
    return true
  }

  private drop(element: number): void {
    this.unlink(element)
    this.releaseValue(element)
    this.lru.give(element + NODE)
  }

  private take(): number {
    const node = this.lru.take(this.host.currentCpu())
    return node === 0 ? 0 : node - NODE
  }

  private put(key: number, source: Uint8Array | null, from: number, flags: number): number {
    if (flags >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    const element = this.take()
    if (element === 0) return -ERRNO.ENOMEM
    const hash = this.hashOf(key)
    const old = this.find(key, hash)
    const error = updateRefusal(old !== 0, flags)
    if (error !== 0) {
      this.lru.give(element + NODE)
      return error
    }
    this.clearFields(element + this.valueOffset)
    this.storeValue(element + this.valueOffset, source, from, this.valueSize)
    this.link(element, key, hash)
    if (old !== 0) {
      this.lru.reference(element + NODE)
      this.drop(old)
    }
    return 0
  }

  private putPercpu(key: number, source: Uint8Array | null, from: number, flags: number): number {
    if (flags >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    let spare = 0
    if (flags !== BPF_UPDATE_FLAG.BPF_EXIST) {
      spare = this.take()
      if (spare === 0) return -ERRNO.ENOMEM
    }
    const hash = this.hashOf(key)
    let element = this.find(key, hash)
    const error = updateRefusal(element !== 0, flags)
    if (error === 0) {
      if (element !== 0) this.lru.reference(element + NODE)
      else {
        element = spare
        spare = 0
        zeroBytes(this.memory, element + this.valueOffset, this.copySize * this.host.cpus)
        this.link(element, key, hash)
      }
      this.storePercpu(element + this.valueOffset, source, from)
    }
    if (spare !== 0) this.lru.give(spare + NODE)
    return error
  }
}
