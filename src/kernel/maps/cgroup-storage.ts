/**
 * BPF_MAP_TYPE_CGROUP_STORAGE and _PERCPU_CGROUP_STORAGE: a value for each cgroup and attach type
 * (or for each cgroup, when the key is 8 bytes) that a program with the map is attached to (linux
 * v6.18 kernel/bpf/local_storage.c).
 *
 *   element ──▶ value, padded to 8, once or once per CPU
 */

import { BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { roundUp8 } from "./bytes.ts"
import { ElementPool } from "./element-pool.ts"
import { MapBase, type MapSetup, valueRegionFlags } from "./map-base.ts"

/** Whose value it is: `struct bpf_cgroup_storage_key`. */
export interface CgroupStorageKey {
  readonly cgroupId: bigint
  readonly attachType: number
}

const ELEMENTS_MAX = 2 ** 20

export class CgroupStorageMap extends MapBase {
  private readonly pool: ElementPool
  /** By key, as text; in the order in which they came into being. */
  private readonly elements = new Map<string, { readonly key: CgroupStorageKey; value: number }>()

  constructor(setup: MapSetup) {
    super(setup)
    this.pool = new ElementPool(this.storage, {
      elementSize: roundUp8(this.valueSize) * (this.percpu ? this.host.cpus : 1),
      capacity: ELEMENTS_MAX,
      preallocate: false,
      regionFlags: valueRegionFlags(this.flags),
    })
  }

  get valueRegion(): number {
    return this.pool.region
  }

  private textOf(key: CgroupStorageKey): string {
    return this.keySize === 8 ? `${key.cgroupId}` : `${key.cgroupId}/${key.attachType}`
  }

  /** Makes the value for an attachment, unless it is there from an earlier one. */
  create(key: CgroupStorageKey): void {
    const text = this.textOf(key)
    if (this.elements.has(text)) return
    const value = this.pool.take()
    if (value === 0) return
    const size = this.copySize * (this.percpu ? this.host.cpus : 1)
    this.memory.u8.fill(0, value, value + size)
    this.elements.set(text, { key, value })
  }

  /** Offset of the value (this CPU's) of an attachment, or 0: bpf_get_local_storage. */
  forAttachment(key: CgroupStorageKey): number {
    const element = this.elements.get(this.textOf(key))
    if (element === undefined) return 0
    return element.value + (this.percpu ? this.host.currentCpu() * this.copySize : 0)
  }

  private at(key: number): { readonly value: number } | undefined {
    const { view } = this.memory
    const attachType = this.keySize === 8 ? 0 : view.getUint32(key + 8, true)
    return this.elements.get(this.textOf({ cgroupId: view.getBigUint64(key, true), attachType }))
  }

  protected override sysLookup(key: number): number {
    return this.at(key)?.value ?? -ERRNO.ENOENT
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    const { BPF_F_LOCK, BPF_EXIST } = BPF_UPDATE_FLAG
    if (flags & ~(BPF_F_LOCK | BPF_EXIST)) return -ERRNO.EINVAL
    const element = this.at(key)
    if (element === undefined) return -ERRNO.ENOENT
    this.memory.u8.set(value.subarray(0, this.syscallValueSize), element.value)
    return 0
  }

  protected override sysDelete(): number {
    return -ERRNO.EINVAL
  }

  protected override nextKey(key: number): number {
    const all = [...this.elements.values()]
    const current = key === 0 ? undefined : this.at(key)
    const index = all.findIndex((one) => one.value === current?.value)
    if (key !== 0 && index < 0) return -ERRNO.ENOENT
    const next = all[index + 1]
    if (next === undefined) return -ERRNO.ENOENT
    const { view } = this.memory
    view.setBigUint64(this.keyScratch, next.key.cgroupId, true)
    if (this.keySize !== 8) {
      view.setUint32(this.keyScratch + 8, next.key.attachType, true)
      view.setUint32(this.keyScratch + 12, 0, true)
    }
    return this.keyScratch
  }
}
