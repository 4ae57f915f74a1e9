/**
 * BPF_MAP_TYPE_BLOOM_FILTER: a set that may answer "yes" for what was never added (linux v6.18
 * kernel/bpf/bloom_filter.c). Engine: src/wasm/maps/bloom-filter.ts.
 *
 * `map_extra` is the number of hash functions (5 when 0).
 */

import { BPF_MAP_FLAG, ERRNO } from "../../spec/index.ts"
import {
  BLOOM_HASHES,
  MAP_DATA,
  MAP_KEY_WORDS,
  MAP_MASK,
  MAP_SEED,
} from "../../wasm/maps/layout.ts"
import { roundUpPowerOfTwo } from "./bytes.ts"
import { multiplyShift } from "./engines.ts"
import { MapBase, type MapSetup } from "./map-base.ts"

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

  constructor(setup: MapSetup) {
    super(setup)
    this.hashes = Number(this.mapExtra & 0xfn) || HASHES_DEFAULT
    const count = bitCount(this.maxEntries, this.hashes)
    this.mask = (count - 1) >>> 0
    this.seed = this.flags & BPF_MAP_FLAG.BPF_F_ZERO_SEED ? 0 : this.host.random32() | 0
    this.bits = this.storage.take(count / 8)
    this.takeValueScratch()
    this.valueRegion = this.storage.region(this.bits, this.bits, 0)
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.bits)
    this.describe(MAP_MASK, this.mask)
    this.describe(MAP_SEED, this.seed)
    this.describe(BLOOM_HASHES, this.hashes)
    if (multiplyShift(this.valueSize, this.flags)) {
      this.describe(MAP_KEY_WORDS, this.valueSize / 4)
      this.engine.hashSeed(this.address)
    }
  }

  override push(value: number, flags: number): number {
    return this.engine.bloomPush(this.address, value, flags)
  }

  override peek(value: number): number {
    return this.engine.bloomPeek(this.address, value)
  }

  override delete(): number {
    return -ERRNO.EOPNOTSUPP
  }

  /** The value is the question. */
  protected override sysLookup(_key: number, value: Uint8Array): number {
    if (value.length < this.valueSize) return -ERRNO.EFAULT
    return this.peek(this.scratchValue(value))
  }

  protected override sysUpdate(_key: number, value: Uint8Array, flags: number): number {
    return this.push(this.scratchValue(value), flags)
  }

  protected override nextKey(): number {
    return -ERRNO.EOPNOTSUPP
  }
}
