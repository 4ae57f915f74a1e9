/**
 * 64-bit arithmetic on register halves where plain 32-bit operations do not do: multiplication,
 * division and remainder. Registers are pairs of words in an Int32Array, low half first.
 */

/** Upper 32 bits of the product of two unsigned 32-bit numbers. */
export function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) | 0
}

/** Numbers below this divide exactly as doubles: floor(a / b) cannot round up to the next integer. */
const EXACT = 2 ** 21

/**
 * r[d] = r[d] / b, or r[d] % b, unsigned. Division by zero gives 0, remainder by zero leaves r[d]
 * (RFC 9669 §4.1).
 */
export function divide64(
  r: Int32Array,
  d: number,
  bLow: number,
  bHigh: number,
  remainder: boolean,
): void {
  const low = r[d] >>> 0
  const high = r[d + 1] >>> 0
  if (bLow === 0 && bHigh === 0) {
    if (!remainder) r[d] = r[d + 1] = 0
    return
  }
  if (high < EXACT && bHigh >>> 0 < EXACT) {
    const a = high * 2 ** 32 + low
    const b = (bHigh >>> 0) * 2 ** 32 + (bLow >>> 0)
    const quotient = Math.floor(a / b)
    const result = remainder ? a - quotient * b : quotient
    r[d] = result | 0
    r[d + 1] = (result / 2 ** 32) | 0
    return
  }
  const a = (BigInt(high) << 32n) | BigInt(low)
  const b = (BigInt(bHigh >>> 0) << 32n) | BigInt(bLow >>> 0)
  store(r, d, remainder ? a % b : a / b)
}

/** The same, signed, truncating towards zero; the most negative number divided by -1 is itself. */
export function signedDivide64(
  r: Int32Array,
  d: number,
  bLow: number,
  bHigh: number,
  remainder: boolean,
): void {
  if (bLow === 0 && bHigh === 0) {
    if (!remainder) r[d] = r[d + 1] = 0
    return
  }
  const a = (BigInt(r[d + 1]) << 32n) | BigInt(r[d] >>> 0)
  const b = (BigInt(bHigh) << 32n) | BigInt(bLow >>> 0)
  store(r, d, remainder ? a % b : a / b)
}

/** Signed 32-bit division and remainder, with the same rules. */
export function signedDivide32(a: number, b: number, remainder: boolean): number {
  if (remainder) return b === 0 ? a : (a % b) | 0
  return b === 0 ? 0 : (a / b) | 0
}

/** A 64-bit value into a pair of words. */
export function store(r: Int32Array, d: number, value: bigint): void {
  r[d] = Number(BigInt.asIntN(32, value))
  r[d + 1] = Number(BigInt.asIntN(32, value >> 32n))
}

/** The bytes of a 32-bit number in reverse order. */
export function swap32(x: number): number {
  return ((x & 0xff) << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)
}
