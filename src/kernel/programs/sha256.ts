/** SHA-256 (FIPS 180-4), synchronous: program tags are computed inside PROG_LOAD. */

const K = new Uint32Array(64)
const INITIAL = new Uint32Array(8)
fillConstants()

/** First 32 bits of the fractional parts of the cube and square roots of the first primes. */
function fillConstants(): void {
  let count = 0
  for (let candidate = 2; count < 64; candidate++) {
    let prime = true
    for (let d = 2; d * d <= candidate; d++) if (candidate % d === 0) prime = false
    if (!prime) continue
    if (count < 8) INITIAL[count] = fraction(candidate, 2)
    K[count++] = fraction(candidate, 3)
  }
}

/** floor(frac(n^(1/root)) * 2^32), by integer search so that rounding of doubles cannot matter. */
function fraction(n: number, root: 2 | 3): number {
  const target = BigInt(n) << BigInt(32 * root)
  // A double is right to a few units here; the search makes it exact.
  const guess = BigInt(Math.floor(n ** (1 / root) * 2 ** 32))
  let low = guess - 4n
  let high = guess + 4n
  while (low < high) {
    const middle = (low + high + 1n) / 2n
    if (middle ** BigInt(root) <= target) low = middle
    else high = middle - 1n
  }
  return Number(low & 0xffffffffn)
}

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n))

/** The 32-byte digest of `message`. */
export function sha256(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(((message.length + 8) >> 6) * 64 + 64)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x20000000))
  view.setUint32(padded.length - 4, message.length << 3)
  const state = INITIAL.slice()
  const w = new Uint32Array(64)
  for (let block = 0; block < padded.length; block += 64) compress(state, view, block, w)
  const digest = new Uint8Array(32)
  const out = new DataView(digest.buffer)
  state.forEach((word, index) => {
    out.setUint32(4 * index, word)
  })
  return digest
}

function compress(state: Uint32Array, view: DataView, block: number, w: Uint32Array): void {
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(block + 4 * i)
  for (let i = 16; i < 64; i++) {
    const s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3)
    const s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10)
    w[i] = w[i - 16] + s0 + w[i - 7] + s1
  }
  let [a, b, c, d, e, f, g, h] = state
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  ;[a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index] += word
  })
}
