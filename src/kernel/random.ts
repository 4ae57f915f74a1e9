/** Seeded random numbers: xoshiro128** (Blackman and Vigna), seeded by splitmix32. */

/** Where a generator keeps its four words: also in linear memory, for compiled programs. */
export interface RandomState {
  words(): Int32Array
  /** Index of the first one. */
  readonly at: number
}

function ownState(): RandomState {
  const state = new Int32Array(4)
  return { words: () => state, at: 0 }
}

/** A generator of unsigned 32-bit integers. */
export function createRandom(seed: number, state: RandomState = ownState()): () => number {
  let next = seed >>> 0
  const splitmix = (): number => {
    next = (next + 0x9e3779b9) >>> 0
    let z = next
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  const { at } = state
  for (let word = 0; word < 4; word++) state.words()[at + word] = splitmix()
  return () => {
    const words = state.words()
    const a = words[at]
    const b = words[at + 1]
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const c = words[at + 2] ^ a
    const d = words[at + 3] ^ b
    words[at] = a ^ d
    words[at + 1] = b ^ c
    words[at + 2] = c ^ (b << 9)
    words[at + 3] = (d << 11) | (d >>> 21)
    return result
  }
}
