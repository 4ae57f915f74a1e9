/**
 * BPF_MAP_TYPE_BLOOM_FILTER: a set that may answer "yes" for what was never added (linux v6.18
 * kernel/bpf/bloom_filter.c).
 *
 *   data ──▶ bits, u32 words, least significant bit first
 *
 * `map_extra` is the number of hash functions (5 when 0): the same hash with seeds one apart. With
 * BPF_F_ZERO_SEED the false positives are Linux's.
 */

import { BPF_MAP_FLAG, ERRNO } from "../../spec/index.ts"
import { copyBytes, copyIn, jhash, roundUp8, roundUpPowerOfTwo } from "./bytes.ts"
import { DESCRIPTOR, MapBase, type MapSetup } from "./map-base.ts"

const HASHES_DEFAULT = 5
const BITS_MIN = 64

/** Bits for a set of `entries`: entries × hashes / ln 2, as Linux approximates it. */
function bitCount(entries: number, hashes: number): number {
  const bits = Math.floor((entries * hashes) / 5) * 7
  if (entries * hashes > 0xffffffff || bits > 2 ** 31) return 2 ** 32
  return bits <= BITS_MIN ? BITS_MIN : roundUpPowerOfTwo(bits)
}

export class BloomFilter extends MapBase {
  readonly valueRegion: number
  private readonly bits: number
  private readonly mask: number
  private readonly hashes: number
  private readonly seed: number
  private readonly scratch: number

  constructor(setup: MapSetup) {
    super(setup)
    this.hashes = Number(this.mapExtra & 0xfn) || HASHES_DEFAULT
    const count = bitCount(this.maxEntries, this.hashes)
    this.mask = (count - 1) >>> 0
    this.seed = this.flags & BPF_MAP_FLAG.BPF_F_ZERO_SEED ? 0 : this.host.random32() | 0
    this.bits = this.storage.take(count / 8)
    this.scratch = this.storage.take(roundUp8(this.valueSize))
    this.valueRegion = this.storage.region(this.bits, this.bits, 0)
  }

  override initialize(): void {
    super.initialize()
    this.describe(DESCRIPTOR.DATA, this.bits)
    this.describe(DESCRIPTOR.ENGINE, this.mask)
    this.describe(DESCRIPTOR.ENGINE + 4, this.seed)
    this.describe(DESCRIPTOR.ENGINE + 8, this.hashes)
  }

  override push(value: number, flags: number): number {
    if (flags !== 0) return -ERRNO.EINVAL
    const aligned = this.aligned(value)
    for (let index = 0; index < this.hashes; index++) {
      const bit = this.bitOf(aligned, index)
      this.memory.i32[(this.bits >> 2) + (bit >>> 5)] |= 1 << (bit & 31)
    }
    return 0
  }

  override peek(value: number): number {
    const aligned = this.aligned(value)
    for (let index = 0; index < this.hashes; index++) {
      const bit = this.bitOf(aligned, index)
      if ((this.memory.i32[(this.bits >> 2) + (bit >>> 5)] & (1 << (bit & 31))) === 0)
        return -ERRNO.ENOENT
    }
    return 0
  }

  override delete(): number {
    return -ERRNO.EOPNOTSUPP
  }

  /** The value is the question. */
  protected override sysLookup(_key: number, value: Uint8Array): number {
    if (value.length < this.valueSize) return -ERRNO.EFAULT
    copyIn(this.memory, this.scratch, value, 0, this.valueSize)
    return this.peek(this.scratch)
  }

  protected override sysUpdate(_key: number, value: Uint8Array, flags: number): number {
    copyIn(this.memory, this.scratch, value, 0, this.valueSize)
    return this.push(this.scratch, flags)
  }

  protected override nextKey(): number {
    return -ERRNO.EOPNOTSUPP
  }

  private bitOf(value: number, index: number): number {
    return (jhash(this.memory, value, this.valueSize, (this.seed + index) | 0) & this.mask) >>> 0
  }

  private aligned(value: number): number {
    if ((value & 3) === 0) return value
    copyBytes(this.memory, this.scratch, value, this.valueSize)
    return this.scratch
  }
}
