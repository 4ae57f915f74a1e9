/**
 * BPF_MAP_TYPE_QUEUE and BPF_MAP_TYPE_STACK (linux v6.18 kernel/bpf/queue_stack_maps.c): values
 * without keys, in a ring of `max_entries + 1` slots.
 *
 *   data ──▶ slot 0 │ slot 1 │ …      value_size bytes each, padded to 8
 *            tail: the oldest value     head: where the next one goes     head = tail: empty
 */

import { BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { copyBytes, zeroBytes } from "./bytes.ts"
import { DESCRIPTOR, MapBase, type MapSetup, valueRegionFlags } from "./map-base.ts"

export class QueueStack extends MapBase {
  readonly valueRegion: number
  private readonly data: number
  private readonly slots: number
  private readonly stack: boolean
  private head = 0
  private tail = 0

  constructor(setup: MapSetup) {
    super(setup)
    this.stack = this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_STACK
    this.slots = this.maxEntries + 1
    const size = this.slots * this.copySize
    this.data = this.storage.take(size)
    this.valueRegion = this.storage.region(
      this.data,
      this.data + size,
      valueRegionFlags(this.flags),
    )
  }

  override initialize(): void {
    super.initialize()
    this.describe(DESCRIPTOR.DATA, this.data)
    this.describe(DESCRIPTOR.STRIDE, this.copySize)
  }

  override push(value: number, flags: number): number {
    return this.insert(null, value, flags)
  }

  override pop(value: number): number {
    return this.copyTo(value, this.takeSlot(true))
  }

  override peek(value: number): number {
    return this.copyTo(value, this.takeSlot(false))
  }

  protected override sysLookup(): number {
    return this.takeSlot(false) || -ERRNO.ENOENT
  }

  protected override sysUpdate(_key: number, value: Uint8Array, flags: number): number {
    return this.insert(value, 0, flags)
  }

  protected override sysLookupAndDelete(_key: number, value: Uint8Array, flags: number): number {
    if (flags !== 0) return -ERRNO.EINVAL
    const slot = this.takeSlot(true)
    return slot === 0 ? -ERRNO.ENOENT : this.copyOut(slot, value)
  }

  protected override nextKey(): number {
    return -ERRNO.EINVAL
  }

  private insert(source: Uint8Array | null, from: number, flags: number): number {
    const replace = (flags & BPF_UPDATE_FLAG.BPF_EXIST) !== 0
    if (flags & BPF_UPDATE_FLAG.BPF_NOEXIST || flags >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST)
      return -ERRNO.EINVAL
    const next = this.head + 1 === this.slots ? 0 : this.head + 1
    if (next === this.tail) {
      if (!replace) return -ERRNO.E2BIG
      this.tail = this.tail + 1 === this.slots ? 0 : this.tail + 1
    }
    this.storeValue(this.data + this.head * this.copySize, source, from, this.valueSize)
    this.head = next
    return 0
  }

  /** Offset of the oldest (stack: the newest) value, or 0. */
  private takeSlot(remove: boolean): number {
    if (this.head === this.tail) return 0
    const newest = this.head === 0 ? this.slots - 1 : this.head - 1
    const slot = this.stack ? newest : this.tail
    if (remove) {
      if (this.stack) this.head = newest
      else this.tail = this.tail + 1 === this.slots ? 0 : this.tail + 1
    }
    return this.data + slot * this.copySize
  }

  private copyTo(value: number, slot: number): number {
    if (slot === 0) {
      zeroBytes(this.memory, value, this.valueSize)
      return -ERRNO.ENOENT
    }
    copyBytes(this.memory, value, slot, this.valueSize)
    return 0
  }
}
