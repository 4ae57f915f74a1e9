/**
 * Codecs written by hand: `struct({ saddr: u32, ports: array(u16, 2), comm: chars(16) })` has the
 * layout that a C compiler gives the same declaration. All are little-endian, as every machine is
 * on which skep runs eBPF.
 */

import { utf8Bytes } from "../base/index.ts"
import {
  alignOfCodec,
  atPath,
  type Codec,
  checkRoom,
  type Decoded,
  rangeMisfit,
  showValue,
  typeMisfit,
} from "./codec.ts"
import { bool8, integer } from "./scalars.ts"

export const u8: Codec<number> = integer(1, false, true) as Codec<number>
export const u16: Codec<number> = integer(2, false, true) as Codec<number>
export const u32: Codec<number> = integer(4, false, true) as Codec<number>
export const s8: Codec<number> = integer(1, true, true) as Codec<number>
export const s16: Codec<number> = integer(2, true, true) as Codec<number>
export const s32: Codec<number> = integer(4, true, true) as Codec<number>
export const u64: Codec<bigint> = integer(8, false, true) as Codec<bigint>
export const s64: Codec<bigint> = integer(8, true, true) as Codec<bigint>
/** One byte; written as 0 or 1, read as true unless 0. */
export const bool: Codec<boolean> = bool8

const decoder = new TextDecoder()

/** The text before the first zero byte among `length` bytes at `offset`. */
function readText(view: DataView, offset: number, length: number): string {
  checkRoom(view, offset, length)
  // Most texts are short and ASCII; a decoder costs more to call than they take to copy.
  let text = ""
  for (let i = 0; i < length; i++) {
    const byte = view.getUint8(offset + i)
    if (byte === 0) return text
    if (byte > 0x7f || i >= ASCII_MAX) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, length)
      const end = bytes.indexOf(0, i)
      return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end))
    }
    text += String.fromCharCode(byte)
  }
  return text
}

/** Longest text that is copied byte by byte. */
const ASCII_MAX = 64

/** Writes a text and fills the rest of `length` bytes with zeros. */
function writeText(view: DataView, offset: number, length: number, value: unknown): void {
  if (typeof value !== "string") throw typeMisfit(value, "a string")
  checkRoom(view, offset, length)
  let at = 0
  if (value.length <= Math.min(length, ASCII_MAX))
    for (; at < value.length; at++) {
      const code = value.charCodeAt(at)
      if (code === 0 || code > 0x7f) break
      view.setUint8(offset + at, code)
    }
  const target = new Uint8Array(view.buffer, view.byteOffset + offset, length)
  if (at < value.length) {
    const bytes = utf8Bytes(value)
    if (bytes.length > length)
      throw rangeMisfit(`${showValue(value)} has ${bytes.length} bytes, more than char[${length}]`)
    if (bytes.indexOf(0) >= 0) throw rangeMisfit(`${showValue(value)} contains a zero character`)
    target.set(bytes)
    at = bytes.length
  }
  target.fill(0, at)
}

/**
 * `char[length]`: UTF-8 text, zero-terminated unless it fills the array (malformed sequences read
 * as U+FFFD).
 */
export function chars(length: number): Codec<string> {
  return {
    size: length,
    align: 1,
    read: (view, offset) => readText(view, offset, length),
    write: (view, offset, value) => writeText(view, offset, length, value),
  }
}

/** `unsigned char[length]`: a copy of the bytes; also writes an array of numbers of that length. */
export function bytes(length: number): Codec<Uint8Array> {
  return {
    size: length,
    align: 1,
    read(view, offset) {
      checkRoom(view, offset, length)
      return new Uint8Array(view.buffer, view.byteOffset + offset, length).slice()
    },
    write(view, offset, value) {
      const source = byteSource(value)
      if (source.length !== length)
        throw rangeMisfit(`${source.length} bytes given, exactly ${length} wanted`)
      checkRoom(view, offset, length)
      new Uint8Array(view.buffer, view.byteOffset + offset, length).set(source)
    },
  }
}

function byteSource(value: unknown): Uint8Array | number[] {
  if (value instanceof Uint8Array) return value
  if (!Array.isArray(value)) throw typeMisfit(value, "a Uint8Array")
  value.forEach((byte, index) => {
    if (!Number.isInteger(byte) || byte < 0 || byte > 255)
      throw atPath(rangeMisfit(`${showValue(byte)} is not in 0 to 255`), `[${index}]`)
  })
  return value
}

/** `T[length]`: exactly that many elements. */
export function array<T>(of: Codec<T>, length: number): Codec<T[]> {
  const stride = of.size
  const size = stride * length
  // An array of empty structs says nothing; a huge one must not cost time.
  const count = stride === 0 ? 0 : length
  return {
    size,
    align: alignOfCodec(of),
    read(view, offset) {
      checkRoom(view, offset, size)
      return readElements(of, view, offset, count)
    },
    write(view, offset, value) {
      if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw typeMisfit(value, "an array")
      if (value.length !== count)
        throw rangeMisfit(`${value.length} elements given, exactly ${count} wanted`)
      checkRoom(view, offset, size)
      writeElements(of, view, offset, value)
    },
  }
}

function readElements<T>(of: Codec<T>, view: DataView, offset: number, count: number): T[] {
  const elements: T[] = []
  for (let i = 0, at = offset; i < count; i++, at += of.size) elements.push(of.read(view, at))
  return elements
}

function writeElements<T>(
  of: Codec<T>,
  view: DataView,
  offset: number,
  elements: ArrayLike<T>,
): void {
  let i = 0
  try {
    for (let at = offset; i < elements.length; i++, at += of.size) of.write(view, at, elements[i])
  } catch (error) {
    throw atPath(error, `[${i}]`)
  }
}

/**
 * `T[]`, a flexible array as the last member of a struct: as many elements as fit between `offset`
 * and the end of the view. Its `size` is 0.
 */
export function flexible<T>(of: Codec<T>): Codec<T[]> {
  return {
    size: 0,
    align: alignOfCodec(of),
    sizeFor: (value) => value.length * of.size,
    read(view, offset) {
      const room = Math.max(0, view.byteLength - offset)
      return readElements(of, view, offset, of.size === 0 ? 0 : Math.floor(room / of.size))
    },
    write(view, offset, value) {
      if (!Array.isArray(value)) throw typeMisfit(value, "an array")
      checkRoom(view, offset, value.length * of.size)
      writeElements(of, view, offset, value)
    },
  }
}

/** `char[]` at the end of a struct: text up to the first zero or the end of the view. */
export const flexibleChars: Codec<string> = {
  size: 0,
  align: 1,
  sizeFor: (value) => utf8Bytes(value).length + 1,
  read: (view, offset) => readText(view, offset, Math.max(0, view.byteLength - offset)),
  write: (view, offset, value) =>
    writeText(view, offset, Math.max(0, view.byteLength - offset), value),
}

/** `unsigned char[]` at the end of a struct: all bytes up to the end of the view. */
export const flexibleBytes: Codec<Uint8Array> = {
  size: 0,
  align: 1,
  sizeFor: (value) => value.length,
  read(view, offset) {
    const start = Math.min(offset, view.byteLength)
    return new Uint8Array(view.buffer, view.byteOffset + start, view.byteLength - start).slice()
  },
  write(view, offset, value) {
    const source = byteSource(value)
    checkRoom(view, offset, source.length)
    new Uint8Array(view.buffer, view.byteOffset + offset, source.length).set(source)
  },
}

/** Fields of {@link struct} by name. */
export type Fields = Readonly<Record<string, Codec<unknown>>>

/**
 * A struct with C layout: each field on its alignment (1 with `packed`), padding between and after.
 */
export function struct<F extends Fields>(
  fields: F,
  options: { readonly packed?: boolean } = {},
): Codec<{ [N in keyof F]: Decoded<F[N]> }> {
  const placed: PlacedField[] = []
  let size = 0
  let align = 1
  for (const [name, codec] of Object.entries(fields)) {
    const own = options.packed ? 1 : alignOfCodec(codec)
    size = Math.ceil(size / own) * own
    align = Math.max(align, own)
    placed.push({ name, codec, offset: size })
    size += codec.size
  }
  size = Math.ceil(size / align) * align
  return structAt(placed, size, align) as Codec<{ [N in keyof F]: Decoded<F[N]> }>
}

/** A field whose place is given. */
export interface PlacedField {
  readonly name: string
  readonly codec: Codec<unknown>
  /** Bytes from the start of the struct. */
  readonly offset: number
}

/** A struct whose layout is given; only the last field may be flexible. */
export function structAt(
  fields: readonly PlacedField[],
  size: number,
  align: number,
): Codec<Record<string, unknown>> {
  const last = fields.at(-1)
  const tail = last?.codec.sizeFor === undefined ? undefined : last
  const covered = fields.reduce((sum, field) => sum + field.codec.size, 0)
  return {
    size,
    align,
    read(view, offset) {
      checkRoom(view, offset, size)
      const value: Record<string, unknown> = {}
      for (const field of fields)
        setField(value, field.name, field.codec.read(view, offset + field.offset))
      return value
    },
    write(view, offset, value) {
      if (typeof value !== "object" || value === null) throw typeMisfit(value, "an object")
      checkRoom(view, offset, size)
      if (covered !== size) zero(view, offset, size)
      for (const field of fields) writeField(field, view, offset, value)
    },
    sizeFor:
      tail === undefined
        ? undefined
        : (value) => Math.max(size, tail.offset + (tail.codec.sizeFor?.(value[tail.name]) ?? 0)),
  }
}

/** Writes one field of `value`, locating errors. */
export function writeField(
  field: PlacedField,
  view: DataView,
  offset: number,
  value: Record<string, unknown>,
): void {
  try {
    field.codec.write(view, offset + field.offset, value[field.name])
  } catch (error) {
    throw atPath(error, field.name)
  }
}

/** Sets an own property, also when a hostile type calls a field `__proto__`. */
export function setField(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__")
    Object.defineProperty(target, name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  else target[name] = value
}

/** Zeroes `size` bytes that lie inside the view. */
export function zero(view: DataView, offset: number, size: number): void {
  new Uint8Array(view.buffer, view.byteOffset + offset, size).fill(0)
}
