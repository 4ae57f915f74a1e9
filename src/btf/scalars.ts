/**
 * Codecs of single numbers in either byte order: integers of 1 to 16 bytes, bool, floats
 * and enums. Every write checks type and range first.
 */

import { type Codec, rangeMisfit, showValue, typeMisfit } from "./codec.ts"

/** Refuses what is not an integer from `min` to `max`. */
export function checkNumber(value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw typeMisfit(value, "a number")
  if (!Number.isInteger(value)) throw rangeMisfit(`${value} is not an integer`)
  if (value < min || value > max) throw rangeMisfit(`${value} is not in ${min} to ${max}`)
  return value
}

/** Refuses what is not a bigint of `bits` bits. */
export function checkBigint(value: unknown, bits: number, signed: boolean): bigint {
  if (typeof value !== "bigint")
    throw typeMisfit(value, "a bigint, as values of more than 32 bits are")
  const max = 1n << BigInt(signed ? bits - 1 : bits)
  if (value >= max || value < (signed ? -max : 0n))
    throw rangeMisfit(`${value} is not in ${signed ? -max : 0n} to ${max - 1n}`)
  return value
}

/**
 * An integer of 1, 2 or 4 bytes (number), or 8 or 16 bytes (bigint).
 *
 * @throws RangeError for another size.
 */
export function integer(
  size: number,
  signed: boolean,
  littleEndian: boolean,
): Codec<number> | Codec<bigint> {
  switch (size) {
    case 1:
    case 2:
    case 4:
      return narrowInteger(size, signed, littleEndian)
    case 8:
      return integer64(signed, littleEndian)
    case 16:
      return integer128(signed, littleEndian)
    default:
      throw new RangeError(`an integer has 1, 2, 4, 8 or 16 bytes, not ${size}`)
  }
}

function narrowInteger(size: 1 | 2 | 4, signed: boolean, littleEndian: boolean): Codec<number> {
  const max = 2 ** (8 * size - (signed ? 1 : 0)) - 1
  const min = signed ? -max - 1 : 0
  const codec = (read: Codec<number>["read"], set: Codec<number>["write"]): Codec<number> => ({
    size,
    align: size,
    read,
    write: (view, at, value) => set(view, at, checkNumber(value, min, max)),
  })
  switch (size) {
    case 1:
      return codec(
        signed ? (view, at) => view.getInt8(at) : (view, at) => view.getUint8(at),
        (view, at, value) => view.setUint8(at, value),
      )
    case 2:
      return codec(
        signed
          ? (view, at) => view.getInt16(at, littleEndian)
          : (view, at) => view.getUint16(at, littleEndian),
        (view, at, value) => view.setUint16(at, value, littleEndian),
      )
    default:
      return codec(
        signed
          ? (view, at) => view.getInt32(at, littleEndian)
          : (view, at) => view.getUint32(at, littleEndian),
        (view, at, value) => view.setUint32(at, value, littleEndian),
      )
  }
}

function integer64(signed: boolean, littleEndian: boolean): Codec<bigint> {
  return {
    size: 8,
    align: 8,
    read: signed
      ? (view, at) => view.getBigInt64(at, littleEndian)
      : (view, at) => view.getBigUint64(at, littleEndian),
    write: (view, at, value) =>
      view.setBigUint64(at, BigInt.asUintN(64, checkBigint(value, 64, signed)), littleEndian),
  }
}

function integer128(signed: boolean, littleEndian: boolean): Codec<bigint> {
  const lowAt = littleEndian ? 0 : 8
  return {
    size: 16,
    align: 16,
    read(view, at) {
      const low = view.getBigUint64(at + lowAt, littleEndian)
      const high = view.getBigUint64(at + 8 - lowAt, littleEndian)
      const value = (high << 64n) | low
      return signed ? BigInt.asIntN(128, value) : value
    },
    write(view, at, value) {
      const checked = BigInt.asUintN(128, checkBigint(value, 128, signed))
      view.setBigUint64(at + lowAt, BigInt.asUintN(64, checked), littleEndian)
      view.setBigUint64(at + 8 - lowAt, checked >> 64n, littleEndian)
    },
  }
}

/** A bool of one byte. */
export const bool8: Codec<boolean> = {
  size: 1,
  align: 1,
  read: (view, at) => view.getUint8(at) !== 0,
  write(view, at, value) {
    if (typeof value !== "boolean") throw typeMisfit(value, "a boolean")
    view.setUint8(at, value ? 1 : 0)
  },
}

/** IEEE 754 numbers of 4 or 8 bytes; a number is rounded to what 4 bytes can hold. */
export function float(size: 4 | 8, littleEndian: boolean): Codec<number> {
  const check = (value: unknown): number => {
    if (typeof value !== "number") throw typeMisfit(value, "a number")
    return value
  }
  return size === 4
    ? {
        size,
        align: 4,
        read: (view, at) => view.getFloat32(at, littleEndian),
        write: (view, at, value) => view.setFloat32(at, check(value), littleEndian),
      }
    : {
        size,
        align: 8,
        read: (view, at) => view.getFloat64(at, littleEndian),
        write: (view, at, value) => view.setFloat64(at, check(value), littleEndian),
      }
}

/** An enum: reads as its number, writes a number in range of the type or an enumerator's name. */
export function enumeration(
  of: Codec<number> | Codec<bigint>,
  typeName: string,
  values: ReadonlyMap<string, number | bigint>,
): Codec<unknown> {
  const { size, align } = of
  const codec = of as Codec<unknown>
  return {
    size,
    align,
    read: (view, at) => codec.read(view, at),
    write(view, at, value) {
      if (typeof value !== "string") {
        codec.write(view, at, value)
        return
      }
      const number = values.get(value)
      if (number === undefined)
        throw rangeMisfit(`${showValue(value)} is no enumerator of ${typeName}`)
      codec.write(view, at, number)
    },
  }
}

/** A bool of any width inside a struct: true unless all its bits are 0. */
export function boolField(of: Codec<number> | Codec<bigint>): Codec<boolean> {
  const { size, align } = of
  const codec = of as Codec<number | bigint>
  return {
    size,
    align,
    read: (view, at) => Number(codec.read(view, at)) !== 0,
    write(view, at, value) {
      if (typeof value !== "boolean") throw typeMisfit(value, "a boolean")
      const wide = typeof codec.read(view, at) === "bigint"
      codec.write(view, at, wide ? (value ? 1n : 0n) : value ? 1 : 0)
    },
  }
}
