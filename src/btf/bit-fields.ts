/**
 * Codecs of bit-fields: up to 64 bits at any bit position, in either byte order. Reading takes the
 * field's bits out of the bytes that hold them; writing leaves the other bits of those bytes alone
 * (the struct around them has zeroed them). The codecs' `size` is 0: the bytes belong to the struct.
 */

import { type Codec, checkRoom } from "./codec.ts"
import { checkBigint, checkNumber } from "./scalars.ts"

/** Where one bit-field lies and what it holds. */
export interface BitField {
  /** First bit from the codec's offset, counted as BTF counts (BtfMember.bitOffset). */
  readonly bitOffset: number
  /** 1 to 64. */
  readonly bitSize: number
  readonly signed: boolean
  /** Whether values are bigint: those of a type of more than 32 bits. */
  readonly wide: boolean
  readonly littleEndian: boolean
}

/** The codec of a bit-field. */
export function bitField(field: BitField): Codec<number> | Codec<bigint> {
  const { bitSize, signed, wide } = field
  const bits = rawBits(field)
  if (wide)
    return {
      ...bits,
      write: (view, at, value) => bits.write(view, at, checkBigint(value, bitSize, signed)),
    } satisfies Codec<bigint>
  const { bitOffset, littleEndian } = field
  const length = ((bitOffset + bitSize + 7) >>> 3) - (bitOffset >>> 3)
  const fast = littleEndian && length <= 4 && (bitOffset & 7) + bitSize < 32
  const max = 2 ** (bitSize - (signed ? 1 : 0)) - 1
  const min = signed ? -max - 1 : 0
  return {
    size: 0,
    align: 1,
    read: fast ? narrowRead(field, length) : (view, at) => Number(bits.read(view, at)),
    write: (view, at, value) => bits.write(view, at, BigInt(checkNumber(value, min, max))),
  } satisfies Codec<number>
}

/** Reads a little-endian bit-field within 31 bits of at most 4 bytes without bigint. */
function narrowRead(field: BitField, length: number): Codec<number>["read"] {
  const { bitOffset, bitSize, signed } = field
  const start = bitOffset >>> 3
  const first = bitOffset & 7
  const mask = 2 ** bitSize - 1
  const up = 32 - bitSize
  return (view, at) => {
    checkRoom(view, at + start, length)
    let bits = 0
    for (let i = length - 1; i >= 0; i--) bits = (bits << 8) | view.getUint8(at + start + i)
    const raw = (bits >>> first) & mask
    return signed ? (raw << up) >> up : raw
  }
}

/** The bit-field as a bigint, unchecked on write. */
function rawBits(field: BitField): Codec<bigint> {
  const { bitOffset, bitSize, signed, littleEndian } = field
  const start = bitOffset >>> 3
  const length = ((bitOffset + bitSize + 7) >>> 3) - start
  const first = bitOffset & 7
  // Distance of the field's least significant bit from that of the joined bytes.
  const shift = BigInt(littleEndian ? first : 8 * length - first - bitSize)
  const mask = (1n << BigInt(bitSize)) - 1n
  const join = (view: DataView, at: number): bigint => {
    checkRoom(view, at + start, length)
    let bits = 0n
    for (let i = 0; i < length; i++) {
      const index = littleEndian ? length - 1 - i : i
      bits = (bits << 8n) | BigInt(view.getUint8(at + start + index))
    }
    return bits
  }
  return {
    size: 0,
    align: 1,
    read(view, at) {
      const raw = (join(view, at) >> shift) & mask
      return signed ? BigInt.asIntN(bitSize, raw) : raw
    },
    write(view, at, value) {
      let bits = (join(view, at) & ~(mask << shift)) | ((value & mask) << shift)
      for (let i = 0; i < length; i++, bits >>= 8n)
        view.setUint8(at + start + (littleEndian ? i : length - 1 - i), Number(bits & 0xffn))
    },
  }
}
