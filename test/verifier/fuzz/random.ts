/** Seeded random numbers, with a taste for edges. */

const EDGES = [0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 4095, 0x7fff, 0xffff]
const SIGNED_EDGES = [-1, -2, -8, -4095, 0x7fffffff, -0x80000000]

export class Random {
  private state: number

  constructor(seed: number) {
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1
    for (let turn = 0; turn < 4; turn++) this.next()
  }

  /** 32 random bits (xorshift). */
  next(): number {
    let { state } = this
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.state = state
    return state >>> 0
  }

  /** In [0, limit). */
  below(limit: number): number {
    return this.next() % limit
  }

  /** True in so many of 100 cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }

  /** An immediate: small, at an edge, or anything. */
  immediate(): number {
    const kind = this.below(10)
    if (kind < 4) return this.pick(EDGES)
    if (kind < 6) return this.pick(SIGNED_EDGES)
    if (kind < 8) return this.below(4096) - 512
    return this.next() | 0
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    const kind = this.below(3)
    for (let index = 0; index < length; index++)
      bytes[index] = kind === 0 ? this.next() : this.chance(30) ? this.next() : this.pick([0, 255])
    return bytes
  }
}
