/**
 * BPF_MAP_TYPE_STACK_TRACE: stack traces by an id that is their hash (linux v6.18
 * kernel/bpf/stackmap.c).
 *
 *   data ──▶ bucket 0 │ bucket 1 │ …      as many as `max_entries` rounded up to a power of two
 *   bucket ──▶  0  frames (0: empty)   4  hash   8  frames: u64 addresses, or 32-byte build ids
 *
 * The id is the bucket's index. A system call reads a trace padded with zeros to the value size.
 */

import { BPF_MAP_FLAG, BPF_STACK_FLAG, ERRNO } from "../../spec/index.ts"
import { MAP_DATA, MAP_STRIDE } from "../../wasm/maps/layout.ts"
import { jhash, roundUpPowerOfTwo, sameBytes } from "./bytes.ts"
import { MapBase, type MapSetup } from "./map-base.ts"

const FRAMES = 8
const ADDRESS_SIZE = 8
/** struct bpf_stack_build_id */
const BUILD_ID_SIZE = 32

export class StackTraceMap extends MapBase {
  readonly valueRegion: number
  /** Bytes of one frame. */
  readonly frameSize: number
  readonly bucketCount: number
  private readonly data: number
  private readonly stride: number
  private readonly scratch: number

  constructor(setup: MapSetup) {
    super(setup)
    const buildIds = (this.flags & BPF_MAP_FLAG.BPF_F_STACK_BUILD_ID) !== 0
    this.frameSize = buildIds ? BUILD_ID_SIZE : ADDRESS_SIZE
    this.bucketCount = roundUpPowerOfTwo(this.maxEntries)
    this.stride = FRAMES + this.valueSize
    this.data = this.storage.take(this.bucketCount * this.stride)
    this.scratch = this.storage.take(this.valueSize)
    this.valueRegion = this.storage.region(this.data, this.data, 0)
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.data)
    this.describe(MAP_STRIDE, this.stride)
  }

  /**
   * bpf_get_stackid, without the walk: the id of a trace given as bytes (`frameSize` a frame), or
   * -EEXIST when another trace has the bucket and BPF_F_REUSE_STACKID is not set, or -EFAULT when
   * there are no frames. Frames beyond the value size are left out.
   */
  store(trace: Uint8Array, flags: number): number {
    const size = Math.min(trace.length, this.valueSize)
    const count = Math.floor(size / this.frameSize)
    if (count === 0) return -ERRNO.EFAULT
    const bytes = count * this.frameSize
    this.memory.u8.set(trace.subarray(0, bytes), this.scratch)
    const hash = jhash(this.memory, this.scratch, bytes, 0)
    const id = hash & (this.bucketCount - 1)
    const bucket = this.data + id * this.stride
    const { i32 } = this.memory
    const used = i32[bucket >> 2]
    const sameHash = used !== 0 && i32[(bucket + 4) >> 2] === hash
    if (sameHash && flags & BPF_STACK_FLAG.BPF_F_FAST_STACK_CMP) return id
    if (sameHash && used === count && sameBytes(this.memory, bucket + FRAMES, this.scratch, bytes))
      return id
    if (used !== 0 && (flags & BPF_STACK_FLAG.BPF_F_REUSE_STACKID) === 0) return -ERRNO.EEXIST
    i32[bucket >> 2] = count
    i32[(bucket + 4) >> 2] = hash
    this.memory.u8.fill(0, bucket + FRAMES, bucket + this.stride)
    this.memory.u8.copyWithin(bucket + FRAMES, this.scratch, this.scratch + bytes)
    return id
  }

  override delete(key: number): number {
    const id = this.memory.view.getUint32(key, true)
    if (id >= this.bucketCount) return -ERRNO.E2BIG
    if (!this.isUsed(id)) return -ERRNO.ENOENT
    this.memory.i32[(this.data + id * this.stride) >> 2] = 0
    return 0
  }

  protected override sysLookup(key: number): number {
    const id = this.memory.i32[key >> 2] >>> 0
    if (id >= this.bucketCount || !this.isUsed(id)) return -ERRNO.ENOENT
    return this.data + id * this.stride + FRAMES
  }

  protected override sysLookupAndDelete(key: number, value: Uint8Array): number {
    const found = this.sysLookup(key)
    if (found < 0) return found
    this.delete(key)
    return this.copyOut(found, value)
  }

  protected override sysUpdate(): number {
    return -ERRNO.EINVAL
  }

  protected override nextKey(key: number): number {
    let id = key === 0 ? 0 : this.memory.i32[key >> 2] >>> 0
    if (key !== 0) id = id < this.bucketCount && this.isUsed(id) ? id + 1 : 0
    while (id < this.bucketCount && !this.isUsed(id)) id++
    if (id >= this.bucketCount) return -ERRNO.ENOENT
    this.memory.i32[this.keyScratch >> 2] = id
    return this.keyScratch
  }

  private isUsed(id: number): boolean {
    return this.memory.i32[(this.data + id * this.stride) >> 2] !== 0
  }
}
