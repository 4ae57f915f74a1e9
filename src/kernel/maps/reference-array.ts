/**
 * Arrays of kernel objects: BPF_MAP_TYPE_PROG_ARRAY, _CGROUP_ARRAY, _ARRAY_OF_MAPS and _XSKMAP
 * (linux v6.18 kernel/bpf/arraymap.c fd_array_map_ops, map_in_map.c, net/xdp/xskmap.c).
 *
 *   data ──▶ u32 slot 0 │ u32 slot 1 │ …    0: empty; else the address of an inner map's
 *                                            descriptor, or the id of another object
 *
 * The objects themselves are JavaScript references beside it. The layer above turns file
 * descriptors into objects and counts references; checkReference() lets it ask first for what
 * Linux checks before it looks at the descriptor.
 */

import { BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { MAP_DATA, MAP_STRIDE } from "../../wasm/maps/layout.ts"
import type { BpfMap, ReferenceMap } from "./map.ts"
import { clampFlags, MapBase, type MapSetup } from "./map-base.ts"

/** An object with an id, or a counted reference to one. */
export type Identified =
  | { readonly id?: number | bigint }
  | { readonly value: { readonly id?: number } }

/** The id of an object that a map refers to (0 when it has none). */
export function idOf(object: Identified): number {
  return Number(("value" in object ? object.value.id : object.id) ?? 0)
}

/** What a map looks like from a map of maps: 0, or -EINVAL (bpf_map_meta_equal, array_map_meta_equal). */
export function innerMapRefusal(template: BpfMap | undefined, map: BpfMap): number {
  if (template === undefined) return -ERRNO.EINVAL
  const same =
    template.type === map.type &&
    template.keySize === map.keySize &&
    template.valueSize === map.valueSize &&
    template.flags === map.flags
  if (!same) return -ERRNO.EINVAL
  // An array's size is part of the code that programs inline, unless it has BPF_F_INNER_MAP.
  const anySize = (map.flags & 0x1000) !== 0
  if (map.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY || anySize) return 0
  return template.maxEntries === map.maxEntries ? 0 : -ERRNO.EINVAL
}

export class ReferenceArray<T extends Identified> extends MapBase implements ReferenceMap<T> {
  readonly valueRegion: number
  lastUserReferenceDropped?: () => void
  private readonly data: number
  private readonly scratch: number
  private readonly objects = new Map<number, T>()

  constructor(setup: MapSetup) {
    super(setup)
    const size = this.maxEntries * 4
    this.data = this.storage.take(size)
    this.scratch = this.storage.take(8)
    // Programs never see the slots themselves.
    this.valueRegion = this.storage.region(this.data, this.data, 0)
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.data)
    this.describe(MAP_STRIDE, 4)
  }

  private get xsk(): boolean {
    return this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_XSKMAP
  }

  private get ofMaps(): boolean {
    return this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS
  }

  /** Maps of maps: `address` of the inner map. Other arrays give programs nothing. */
  override lookup(key: number): number {
    const index = this.memory.view.getUint32(key, true)
    if (!this.ofMaps || index >= this.maxEntries) return 0
    return this.memory.i32[(this.data >> 2) + index]
  }

  reference(index: number): T | undefined {
    return this.objects.get(index)
  }

  references(): Iterable<T> {
    return this.objects.values()
  }

  clearReferences(): void {
    this.objects.clear()
    this.memory.u8.fill(0, this.data, this.data + this.maxEntries * 4)
  }

  /** What Linux refuses before it looks at the file descriptor given: 0 or a negative errno. */
  checkReference(key: Uint8Array, flags: bigint): number {
    if (this.frozen) return -ERRNO.EPERM
    const bits = clampFlags(flags)
    if (bits > (this.xsk ? BPF_UPDATE_FLAG.BPF_EXIST : BPF_UPDATE_FLAG.BPF_ANY))
      return -ERRNO.EINVAL
    if (key.length < 4) return -ERRNO.EFAULT
    return indexOf(key) >= this.maxEntries ? -ERRNO.E2BIG : 0
  }

  setReference(key: Uint8Array, object: T, flags: bigint, replaced: (object: T) => void): number {
    const error = this.checkReference(key, flags)
    if (error !== 0) return error
    if (this.ofMaps) {
      const refusal = innerMapRefusal(this.inner, object as unknown as BpfMap)
      if (refusal !== 0) return refusal
    }
    const index = indexOf(key)
    const old = this.objects.get(index)
    if (this.xsk) {
      if (old === object) {
        replaced(old)
        return 0
      }
      if (old !== undefined && flags === 1n) return -ERRNO.EEXIST
      if (old === undefined && flags === 2n) return -ERRNO.ENOENT
    }
    this.objects.set(index, object)
    const token = this.ofMaps ? (object as unknown as BpfMap).address : idOf(object)
    this.memory.i32[(this.data >> 2) + index] = token
    if (old !== undefined) replaced(old)
    return 0
  }

  deleteReference(key: Uint8Array, removed: (object: T) => void): number {
    if (this.frozen) return -ERRNO.EPERM
    if (key.length < 4) return -ERRNO.EFAULT
    const index = indexOf(key)
    if (index >= this.maxEntries) return this.xsk ? -ERRNO.EINVAL : -ERRNO.E2BIG
    const old = this.objects.get(index)
    if (old === undefined) return this.xsk ? 0 : -ERRNO.ENOENT
    this.objects.delete(index)
    this.memory.i32[(this.data >> 2) + index] = 0
    removed(old)
    return 0
  }

  /** System calls read the id of the program or inner map; of other objects nothing. */
  protected override sysLookup(key: number): number {
    if (this.xsk) return -ERRNO.EOPNOTSUPP
    const readable = this.ofMaps || this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY
    if (!readable) return -ERRNO.ENOTSUPP
    const object = this.objects.get(this.memory.i32[key >> 2] >>> 0)
    if (object === undefined) return -ERRNO.ENOENT
    this.memory.i32[this.scratch >> 2] = idOf(object)
    return this.scratch
  }

  /** The value is a file descriptor, which means nothing here: see setReference. */
  protected override sysUpdate(_key: number, _value: Uint8Array, flags: number): number {
    const key = this.memory.u8.subarray(this.keyScratch, this.keyScratch + 4)
    return this.checkReference(key, BigInt(flags)) || -ERRNO.EBADF
  }

  protected override sysDelete(): number {
    const key = this.memory.u8.subarray(this.keyScratch, this.keyScratch + 4)
    return this.deleteReference(key, () => undefined)
  }

  protected override nextKey(key: number): number {
    const index = key === 0 ? this.maxEntries : this.memory.i32[key >> 2] >>> 0
    if (index === this.maxEntries - 1) return -ERRNO.ENOENT
    this.memory.i32[this.keyScratch >> 2] = index >= this.maxEntries ? 0 : index + 1
    return this.keyScratch
  }
}

function indexOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0, true)
}
