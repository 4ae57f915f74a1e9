/**
 * Tristate numbers: a bit is known (mask 0, value its value) or not (mask 1, value 0).
 *
 * An operation leaves its result in `tv` (value) and `tm` (mask). Invariant: `tv & tm` is 0.
 *
 * Spec: "Sound, Precise, and Fast Abstract Interpretation with Tristate Numbers" (CGO 2022); Linux
 * v6.18's product is that of partial products joined bit by bit.
 */

/** Value of the last result. */
export let tv: u64 = 0
/** Mask of the last result. */
export let tm: u64 = 0

export function setTnum(value: u64, mask: u64): void {
  tv = value
  tm = mask
}

/** The mask of the bits below and at the highest set bit. */
export function fill(bits: u64): u64 {
  return bits === 0 ? 0 : ~(<u64>0) >> clz(bits)
}

/** The smallest tnum that holds min..max. */
export function tnumRange(min: u64, max: u64): void {
  const mask = fill(min ^ max)
  tv = min & ~mask
  tm = mask
}

export function tnumAdd(av: u64, am: u64, bv: u64, bm: u64): void {
  const low = av + bv
  // Bits that differ between the smallest and the largest sum depend on unknown carries.
  const unknown = ((low + am + bm) ^ low) | am | bm
  tv = low & ~unknown
  tm = unknown
}

export function tnumSub(av: u64, am: u64, bv: u64, bm: u64): void {
  const middle = av - bv
  const unknown = ((middle + am) ^ (middle - bm)) | am | bm
  tv = middle & ~unknown
  tm = unknown
}

export function tnumAnd(av: u64, am: u64, bv: u64, bm: u64): void {
  tv = av & bv
  tm = (av | am) & (bv | bm) & ~(av & bv)
}

export function tnumOr(av: u64, am: u64, bv: u64, bm: u64): void {
  tv = av | bv
  tm = (am | bm) & ~(av | bv)
}

export function tnumXor(av: u64, am: u64, bv: u64, bm: u64): void {
  tm = am | bm
  tv = (av ^ bv) & ~(am | bm)
}

/** Both hold: bits known on either side; on a contradiction, known on both sides, they are or-ed. */
export function tnumIntersect(av: u64, am: u64, bv: u64, bm: u64): void {
  tm = am & bm
  tv = (av | bv) & ~(am & bm)
}

/**
 * The product: for each bit of a, from the lowest, the sum so far and b shifted; a bit that is
 * unknown joins "added" with "not added".
 */
export function tnumMul(av: u64, am: u64, bv: u64, bm: u64): void {
  let value: u64 = 0
  let mask: u64 = 0
  if ((am | bm) === 0) {
    tv = av * bv
    tm = 0
    return
  }
  while ((av | am) !== 0) {
    // Bits of a that are surely 0 add nothing.
    const skip = ctz(av | am)
    av >>= skip
    am >>= skip
    bv <<= skip
    bm <<= skip
    tnumAdd(value, mask, bv, bm)
    if ((av & 1) !== 0) {
      value = tv
      mask = tm
    } else {
      const unknown = (value ^ tv) | mask | tm
      value = value & tv & ~unknown
      mask = unknown
    }
    av >>= 1
    am >>= 1
    bv <<= 1
    bm <<= 1
  }
  tv = value
  tm = mask
}

/** Every value of b is one of a. */
export function tnumContains(av: u64, am: u64, bv: u64, bm: u64): bool {
  return (bm & ~am) === 0 && av === (bv & ~am)
}

/** Some value is in both. */
export function tnumOverlap(av: u64, am: u64, bv: u64, bm: u64): bool {
  return ((av ^ bv) & ~(am | bm)) === 0
}

/** The smallest number of the tnum above `bound`; the largest, when there is none. */
export function tnumAbove(value: u64, mask: u64, bound: u64): u64 {
  const largest = value | mask
  if (bound >= largest) return largest
  if (bound < value) return value
  // The highest known bit in which the bound is no number of the tnum decides.
  const differ = (bound ^ value) & ~mask
  const below = fill(differ)
  if ((value & (below ^ (below >> 1))) !== 0) return value | (bound & mask & ~below)
  // Count the unknown bits above it up by one: all others are filled, so that the carry passes.
  return value | (((bound | below | ~mask) + 1) & mask)
}

/**
 * Whether the tnum and umin..umax have just one number in common: then it is in `tv`. Told also of
 * some ranges that are empty, as Linux does.
 */
export function tnumSingle(value: u64, mask: u64, umin: u64, umax: u64): bool {
  const next = tnumAbove(value, mask, umin)
  if ((umin & ~mask) === value) {
    tv = umin
    return next > umax
  }
  tv = next
  return next === (value | mask) || (next <= umax && tnumAbove(value, mask, next) > umax)
}
