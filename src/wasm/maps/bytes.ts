/**
 * Copying, comparing and hashing of bytes. Short runs go word by word: memory.copy is a call into
 * the runtime. Nothing needs alignment.
 *
 * `jhash` is Bob Jenkins's lookup3 (public domain) in the form that Linux uses as jhash and jhash2,
 * so that a map with BPF_F_ZERO_SEED has the buckets, and therefore the order, that it has there
 * (linux v6.18 include/linux/jhash.h).
 */

const COPY_WORDWISE_MAX: u32 = 96

/** Copies `size` bytes; the runs are the same or do not overlap. */
// @inline
export function copy(to: u32, from: u32, size: u32): void {
  if (size === 8) store<u64>(to, load<u64>(from))
  else if (size === 4) store<u32>(to, load<u32>(from))
  else copyMany(to, from, size)
}

function copyMany(to: u32, from: u32, size: u32): void {
  if (size > COPY_WORDWISE_MAX) {
    memory.copy(to, from, size)
    return
  }
  while (size >= 8) {
    store<u64>(to, load<u64>(from))
    to += 8
    from += 8
    size -= 8
  }
  if (size & 4) {
    store<u32>(to, load<u32>(from))
    to += 4
    from += 4
  }
  if (size & 2) {
    store<u16>(to, load<u16>(from))
    to += 2
    from += 2
  }
  if (size & 1) store<u8>(to, load<u8>(from))
}

/** Fills with zeros. */
export function zero(at: u32, size: u32): void {
  if (size > COPY_WORDWISE_MAX) {
    memory.fill(at, 0, size)
    return
  }
  while (size >= 8) {
    store<u64>(at, 0)
    at += 8
    size -= 8
  }
  while (size > 0) {
    store<u8>(at, 0)
    at++
    size--
  }
}

/** Whether `size` bytes at two offsets are the same. */
export function same(a: u32, b: u32, size: u32): bool {
  while (size >= 8) {
    if (load<u64>(a) !== load<u64>(b)) return false
    a += 8
    b += 8
    size -= 8
  }
  if (size & 4) {
    if (load<u32>(a) !== load<u32>(b)) return false
    a += 4
    b += 4
  }
  if (size & 2) {
    if (load<u16>(a) !== load<u16>(b)) return false
    a += 2
    b += 2
  }
  return !(size & 1) || load<u8>(a) === load<u8>(b)
}

const JHASH_INITVAL: u32 = 0xdeadbeef

/** jhash2 when `size` is a multiple of 4, else jhash. */
export function jhash(at: u32, size: u32, seed: u32): u32 {
  let a: u32 = JHASH_INITVAL + size + seed
  let b = a
  let c = a
  // Whole blocks of three words, except that the last block is left for the final mix.
  while (size > 12) {
    a += load<u32>(at)
    b += load<u32>(at, 4)
    c += load<u32>(at, 8)
    at += 12
    size -= 12
    a = (a - c) ^ rotl<u32>(c, 4)
    c += b
    b = (b - a) ^ rotl<u32>(a, 6)
    a += c
    c = (c - b) ^ rotl<u32>(b, 8)
    b += a
    a = (a - c) ^ rotl<u32>(c, 16)
    c += b
    b = (b - a) ^ rotl<u32>(a, 19)
    a += c
    c = (c - b) ^ rotl<u32>(b, 4)
    b += a
  }
  if (size === 0) return c
  a += tailWord(at, size)
  if (size > 4) b += tailWord(at + 4, size - 4)
  if (size > 8) c += tailWord(at + 8, size - 8)
  c = (c ^ b) - rotl<u32>(b, 14)
  a = (a ^ c) - rotl<u32>(c, 11)
  b = (b ^ a) - rotl<u32>(a, 25)
  c = (c ^ b) - rotl<u32>(b, 16)
  a = (a ^ c) - rotl<u32>(c, 4)
  b = (b ^ a) - rotl<u32>(a, 14)
  c = (c ^ b) - rotl<u32>(b, 24)
  return c
}

function tailWord(at: u32, left: u32): u32 {
  if (left >= 4) return load<u32>(at)
  let value: u32 = load<u8>(at)
  if (left > 1) value |= (<u32>load<u8>(at, 1)) << 8
  if (left > 2) value |= (<u32>load<u8>(at, 2)) << 16
  return value
}
