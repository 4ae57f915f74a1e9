/**
 * Byte-level helpers without dependence on Node: hex, UTF-8, comparison, and a reader that checks
 * every access against the end of its buffer.
 */

import { ObjectError } from "./errors.ts"

const utf8Decoder = new TextDecoder()
const utf8Encoder = new TextEncoder()

/** Decodes UTF-8; malformed sequences become U+FFFD. */
export function utf8Text(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes)
}

/** Encodes a string as UTF-8, without a terminating zero. */
export function utf8Bytes(text: string): Uint8Array {
  return utf8Encoder.encode(text)
}

/** The text before the first zero byte at or after `start` (or before the end of `bytes`). */
export function cString(bytes: Uint8Array, start = 0): string {
  let end = start
  while (end < bytes.length && bytes[end] !== 0) end++
  return utf8Decoder.decode(bytes.subarray(start, end))
}

/** `de ad be ef` or `deadbeef`, depending on `separator`. */
export function formatHex(bytes: Uint8Array, separator = ""): string {
  let text = ""
  for (let i = 0; i < bytes.length; i++) {
    if (i > 0) text += separator
    text += bytes[i].toString(16).padStart(2, "0")
  }
  return text
}

/**
 * Reads hex digits, ignoring white space and `:`; an optional leading `0x` is accepted.
 *
 * @throws RangeError naming the first character that is not a hex digit, or an odd digit count.
 */
export function parseHex(text: string): Uint8Array {
  const digits = text.replace(/^\s*0x/i, "").replace(/[\s:]+/g, "")
  const bad = digits.search(/[^0-9a-fA-F]/)
  if (bad >= 0) throw new RangeError(`'${digits[bad]}' is not a hex digit`)
  if (digits.length % 2 !== 0)
    throw new RangeError(`hex text has ${digits.length} digits, an odd number`)
  const bytes = new Uint8Array(digits.length / 2)
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** Whether two byte strings are equal in length and content. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** One new array holding all `parts`, in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** A `DataView` over exactly the bytes of `bytes` (which may be a window into a larger buffer). */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Reads integers of one byte order from a byte string that may be hostile: an access outside it
 * throws an {@link ObjectError} with the name of what was read and where.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly littleEndian: boolean
  /** What the bytes are, for messages: a section name such as `.BTF`. */
  readonly section: string
  private readonly view: DataView

  constructor(bytes: Uint8Array, options: { littleEndian: boolean; section: string }) {
    this.bytes = bytes
    this.littleEndian = options.littleEndian
    this.section = options.section
    this.view = viewOf(bytes)
  }

  get length(): number {
    return this.bytes.length
  }

  u8(offset: number): number {
    this.check(offset, 1)
    return this.bytes[offset]
  }

  u16(offset: number): number {
    this.check(offset, 2)
    return this.view.getUint16(offset, this.littleEndian)
  }

  u32(offset: number): number {
    this.check(offset, 4)
    return this.view.getUint32(offset, this.littleEndian)
  }

  s32(offset: number): number {
    this.check(offset, 4)
    return this.view.getInt32(offset, this.littleEndian)
  }

  u64(offset: number): bigint {
    this.check(offset, 8)
    return this.view.getBigUint64(offset, this.littleEndian)
  }

  /** A 64-bit offset or size; one that no file in memory can have is refused. */
  size64(offset: number): number {
    const value = this.u64(offset)
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new ObjectError(`value 0x${value.toString(16)} is too large for an offset or size`, {
        section: this.section,
        offset,
      })
    return Number(value)
  }

  /** A window, without copying. */
  slice(offset: number, length: number): Uint8Array {
    this.check(offset, length)
    return this.bytes.subarray(offset, offset + length)
  }

  /** The zero-terminated string that starts at `offset`. */
  string(offset: number): string {
    this.check(offset, 1)
    const end = this.bytes.indexOf(0, offset)
    if (end < 0)
      throw new ObjectError("string without a terminating zero", { section: this.section, offset })
    return utf8Decoder.decode(this.bytes.subarray(offset, end))
  }

  private check(offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length > this.bytes.length)
      throw new ObjectError(
        `${length} bytes wanted at ${offset}, but only ${this.bytes.length} bytes are there`,
        { section: this.section, offset },
      )
  }
}
