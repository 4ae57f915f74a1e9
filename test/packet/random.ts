/** Seeded randomness for the tests of packets and filters: every test prints its seed. */

/** How often random tests run: 1, or what SKEP_FUZZ says. */
export const fuzzScale: number = Math.max(1, Number(process.env.SKEP_FUZZ ?? 1) || 1)

/** SKEP_SEED, or a seed of the day. */
export function testSeed(): number {
  return Number(process.env.SKEP_SEED ?? Date.now() % 1_000_000_007) >>> 0
}

/** Mulberry32. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  uint32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * limit)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }

  /** A copy of `bytes` with a few of them changed, cut off, repeated or removed. */
  mutate(bytes: Uint8Array): Uint8Array {
    let result = Uint8Array.from(bytes)
    const changes = 1 + this.below(8)
    for (let i = 0; i < changes && result.length > 0; i++) {
      const at = this.below(result.length)
      const kind = this.below(6)
      if (kind === 0) result[at] ^= 1 << this.below(8)
      else if (kind === 1) result[at] = this.pick([0, 1, 0x7f, 0x80, 0xff, 4, 12])
      else if (kind === 2) result = result.slice(0, at)
      else if (kind === 3) result.set(this.bytes(Math.min(4, result.length - at)), at)
      else if (kind === 4) result.copyWithin(at, this.below(result.length))
      else result.fill(0xff, at, at + 4)
    }
    return result
  }
}
