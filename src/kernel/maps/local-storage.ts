/**
 * BPF_MAP_TYPE_TASK_STORAGE, _SK_STORAGE, _INODE_STORAGE and _CGRP_STORAGE: one value per owner (a
 * task, socket, inode or cgroup), made when a program asks for it (linux v6.18
 * kernel/bpf/bpf_local_storage.c).
 *
 *   element ──▶ value, padded to 8
 *
 * Programs name owners by address; the helpers turn that into the kernel's object, which is the key
 * here. System calls name them by a file descriptor: see {@link LocalStorageMap.resolveOwner}.
 */

import { BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { zeroBytes } from "./bytes.ts"
import { ElementPool } from "./element-pool.ts"
import { updateRefusal } from "./hash.ts"
import { MapBase, type MapSetup, valueRegionFlags } from "./map-base.ts"

/** Elements that the pool may grow to: bounded by memory, not by the map. */
const ELEMENTS_MAX = 2 ** 24

export class LocalStorageMap extends MapBase {
  /** Set by the kernel: the owner behind a file descriptor, or a negative errno. */
  resolveOwner: ((fd: number) => object | number) | undefined
  private readonly pool: ElementPool
  private readonly elements = new Map<object, number>()

  constructor(setup: MapSetup) {
    super(setup)
    this.pool = new ElementPool(this.storage, {
      descriptor: this.address,
      elementSize: this.copySize,
      capacity: ELEMENTS_MAX,
      preallocate: false,
      regionFlags: valueRegionFlags(this.flags),
    })
  }

  get valueRegion(): number {
    return this.pool.region
  }

  /** Offset of an owner's value, or 0. */
  get(owner: object): number {
    return this.elements.get(owner) ?? 0
  }

  /**
   * Offset of an owner's value, made from the bytes at `initial` (0: zeros) if there was none; 0
   * when memory is exhausted (bpf_task_storage_get with BPF_LOCAL_STORAGE_GET_F_CREATE).
   */
  getOrCreate(owner: object, initial: number): number {
    const old = this.get(owner)
    if (old !== 0) return old
    const element = this.create(owner)
    if (element !== 0 && initial !== 0) this.storeValue(element, null, initial, this.valueSize)
    return element
  }

  /** Drops an owner's value, also when the owner ceases to be; 0 or -ENOENT. */
  remove(owner: object): number {
    const element = this.elements.get(owner)
    if (element === undefined) return -ERRNO.ENOENT
    this.elements.delete(owner)
    this.releaseFields?.(element)
    this.pool.give(element)
    return 0
  }

  /** Owners with a value. */
  owners(): Iterable<object> {
    return this.elements.keys()
  }

  override delete(): number {
    return -ERRNO.EINVAL
  }

  protected override sysLookup(key: number): number {
    const owner = this.ownerAt(key)
    if (typeof owner === "number") return owner
    return this.get(owner) || -ERRNO.ENOENT
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    const owner = this.ownerAt(key)
    if (typeof owner === "number") return owner
    const mode = flags & ~BPF_UPDATE_FLAG.BPF_F_LOCK
    if (mode >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    const old = this.get(owner)
    const error = updateRefusal(old !== 0, flags)
    if (error !== 0) return error
    // Like a hash element, a value is replaced by a new one, unless its lock is taken for it.
    const inPlace = old !== 0 && (flags & BPF_UPDATE_FLAG.BPF_F_LOCK) !== 0
    const element = inPlace ? old : this.create(owner)
    if (element === 0) return -ERRNO.ENOMEM
    this.storeValue(element, value, 0, this.valueSize)
    if (old !== 0 && !inPlace) {
      this.releaseFields?.(old)
      this.pool.give(old)
    }
    return 0
  }

  protected override sysDelete(key: number): number {
    const owner = this.ownerAt(key)
    return typeof owner === "number" ? owner : this.remove(owner)
  }

  protected override nextKey(): number {
    return -ERRNO.ENOTSUPP
  }

  private create(owner: object): number {
    const element = this.pool.take()
    if (element === 0) return 0
    zeroBytes(this.memory, element, this.copySize)
    this.elements.set(owner, element)
    return element
  }

  private ownerAt(key: number): object | number {
    return this.resolveOwner?.(this.memory.i32[key >> 2]) ?? -ERRNO.EBADF
  }

  override destroy(): void {
    for (const element of this.elements.values()) this.releaseFields?.(element)
    this.elements.clear()
    super.destroy()
  }
}
