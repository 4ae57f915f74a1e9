/**
 * BPF_MAP_TYPE_HASH_OF_MAPS: a hash map whose values are maps (linux v6.18 kernel/bpf/hashtab.c
 * htab_of_maps_map_ops, map_in_map.c). The u32 value in an element is the address of the inner
 * map's descriptor; system calls read its id.
 */

import { ERRNO } from "../../spec/index.ts"
import { HashMap } from "./hash.ts"
import type { BpfMap, ReferenceMap } from "./map.ts"
import type { MapSetup } from "./map-base.ts"
import { innerMapRefusal } from "./reference-array.ts"

export class HashOfMaps extends HashMap implements ReferenceMap<BpfMap> {
  lastUserReferenceDropped?: () => void
  /** The inner maps by address, with the number of elements that hold each. */
  private readonly inners = new Map<number, { readonly map: BpfMap; uses: number }>()
  private readonly scratch: number
  private readonly addressBytes = new Uint8Array(4)
  /** An update comes from setReference: its value is an address, not a file descriptor. */
  private storing = false

  constructor(setup: MapSetup) {
    super(setup)
    this.scratch = this.storage.take(8)
  }

  override lookup(key: number): number {
    const value = super.lookup(key)
    return value === 0 ? 0 : this.memory.i32[value >> 2]
  }

  override update(): number {
    return -ERRNO.EINVAL
  }

  override delete(): number {
    return -ERRNO.EINVAL
  }

  override forEach(): number {
    return -ERRNO.EINVAL
  }

  reference(key: number): BpfMap | undefined {
    return this.inners.get(this.lookup(key))?.map
  }

  *references(): Iterable<BpfMap> {
    for (const { map, uses } of this.inners.values()) for (let use = 0; use < uses; use++) yield map
  }

  clearReferences(): void {
    this.inners.clear()
    this.clear()
  }

  /** The descriptor is looked at before anything else: nothing to check in advance. */
  checkReference(): number {
    return this.frozen ? -ERRNO.EPERM : 0
  }

  setReference(
    key: Uint8Array,
    map: BpfMap,
    flags: bigint,
    replaced: (map: BpfMap) => void,
  ): number {
    const refusal = innerMapRefusal(this.inner, map)
    if (refusal !== 0) return refusal
    const old = this.addressUnder(key)
    new DataView(this.addressBytes.buffer).setUint32(0, map.address, true)
    this.storing = true
    const error = this.updateElem(key, this.addressBytes, flags)
    this.storing = false
    if (error !== 0) return error
    const entry = this.inners.get(map.address) ?? { map, uses: 0 }
    entry.uses++
    this.inners.set(map.address, entry)
    this.dropAddress(old, replaced)
    return 0
  }

  deleteReference(key: Uint8Array, removed: (map: BpfMap) => void): number {
    const old = this.addressUnder(key)
    const error = this.deleteElem(key)
    if (error === 0) this.dropAddress(old, removed)
    return error
  }

  private addressUnder(key: Uint8Array): number {
    if (key.length < this.keySize) return 0
    this.memory.u8.set(key.subarray(0, this.keySize), this.keyScratch)
    return this.lookup(this.keyScratch)
  }

  private dropAddress(address: number, dropped: (map: BpfMap) => void): void {
    const entry = this.inners.get(address)
    if (entry === undefined) return
    if (--entry.uses === 0) this.inners.delete(address)
    dropped(entry.map)
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    return this.storing ? super.sysUpdate(key, value, flags) : -ERRNO.EBADF
  }

  protected override sysDelete(key: number): number {
    return super.delete(key)
  }

  protected override sysLookup(key: number): number {
    const value = super.sysLookup(key)
    return value < 0 ? value : this.idAt(value)
  }

  protected override sysLookupAndDelete(): number {
    return -ERRNO.ENOTSUPP
  }

  override copyValueOut(value: number, into: Uint8Array): number {
    return this.copyOut(this.idAt(value), into)
  }

  /** Offset of the id of the map whose address is at `value`. */
  private idAt(value: number): number {
    const inner = this.inners.get(this.memory.i32[value >> 2])
    this.memory.i32[this.scratch >> 2] = inner?.map.id ?? 0
    return this.scratch
  }
}
