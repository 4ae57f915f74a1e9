/**
 * BPF_MAP_TYPE_QUEUE and BPF_MAP_TYPE_STACK (linux v6.18 kernel/bpf/queue_stack_maps.c): values
 * without keys, in a ring of `max_entries + 1` slots. Engine: src/wasm/maps/queue-stack.ts.
 */

import { BPF_MAP_TYPE, ERRNO } from "../../spec/index.ts"
import { MAP_DATA, MAP_STRIDE } from "../../wasm/maps/layout.ts"
import { MapBase, type MapSetup, valueRegionFlags } from "./map-base.ts"

export class QueueStack extends MapBase {
  readonly valueRegion: number
  private readonly data: number
  private readonly stack: boolean

  constructor(setup: MapSetup) {
    super(setup)
    this.stack = this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_STACK
    const size = (this.maxEntries + 1) * this.copySize
    this.data = this.storage.take(size)
    this.valueRegion = this.storage.region(
      this.data,
      this.data + size,
      valueRegionFlags(this.flags),
    )
    this.takeValueScratch()
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.data)
    this.describe(MAP_STRIDE, this.copySize)
  }

  override push(value: number, flags: number): number {
    return this.engine.queuePush(this.address, value, flags)
  }

  override pop(value: number): number {
    return this.stack
      ? this.engine.stackPop(this.address, value)
      : this.engine.queuePop(this.address, value)
  }

  override peek(value: number): number {
    return this.stack
      ? this.engine.stackPeek(this.address, value)
      : this.engine.queuePeek(this.address, value)
  }

  protected override sysLookup(): number {
    return this.next(0) || -ERRNO.ENOENT
  }

  protected override sysUpdate(_key: number, value: Uint8Array, flags: number): number {
    return this.engine.queuePush(this.address, this.scratchValue(value), flags)
  }

  protected override sysLookupAndDelete(_key: number, value: Uint8Array, flags: number): number {
    if (flags !== 0) return -ERRNO.EINVAL
    const slot = this.next(1)
    return slot === 0 ? -ERRNO.ENOENT : this.copyOut(slot, value)
  }

  protected override nextKey(): number {
    return -ERRNO.EINVAL
  }

  /** Offset of the value that is next to go, or 0; it goes when `remove` is 1. */
  private next(remove: 0 | 1): number {
    return this.stack
      ? this.engine.stackTop(this.address, remove)
      : this.engine.queueFront(this.address, remove)
  }
}
