/**
 * Bytes of a WebAssembly module in the making: a growing array, LEB128 integers, and the
 * instructions with immediates. Constants of 64 bits come as halves; nothing here is a bigint.
 */

import { op } from "./opcodes.ts"

export class Writer {
  bytes: Uint8Array
  length = 0

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity)
  }

  private room(size: number): void {
    if (this.length + size <= this.bytes.length) return
    const bytes = new Uint8Array(Math.max(this.bytes.length * 2, this.length + size))
    bytes.set(this.bytes.subarray(0, this.length))
    this.bytes = bytes
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.room(1)
    this.bytes[this.length++] = value
  }

  append(bytes: Uint8Array): void {
    this.room(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** What was written. */
  finished(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  /** Unsigned LEB128 of a 32-bit number. */
  u32(value: number): void {
    this.room(5)
    let rest = value >>> 0
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.bytes[this.length++] = rest
  }

  /** Signed LEB128 of a 32-bit number. */
  s32(value: number): void {
    this.room(5)
    let rest = value | 0
    while (rest < -0x40 || rest > 0x3f) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80
      rest >>= 7
    }
    this.bytes[this.length++] = rest & 0x7f
  }

  /** Signed LEB128 of a 64-bit number given as halves. */
  s64(low: number, high: number): void {
    if (low >> 31 === high) {
      this.s32(low)
      return
    }
    this.room(10)
    let l = low | 0
    let h = high | 0
    while (!(h === l >> 31 && l >= -0x40 && l <= 0x3f)) {
      this.bytes[this.length++] = (l & 0x7f) | 0x80
      l = (l >>> 7) | (h << 25)
      h >>= 7
    }
    this.bytes[this.length++] = l & 0x7f
  }

  /** A name: length and UTF-8 bytes (names here are ASCII). */
  name(text: string): void {
    this.u32(text.length)
    for (let index = 0; index < text.length; index++) this.byte(text.charCodeAt(index))
  }

  get(local: number): void {
    this.byte(op.local_get)
    this.u32(local)
  }

  set(local: number): void {
    this.byte(op.local_set)
    this.u32(local)
  }

  tee(local: number): void {
    this.byte(op.local_tee)
    this.u32(local)
  }

  i32(value: number): void {
    this.byte(op.i32_const)
    this.s32(value)
  }

  i64(low: number, high: number = low >> 31): void {
    this.byte(op.i64_const)
    this.s64(low, high)
  }

  call(index: number): void {
    this.byte(op.call)
    this.u32(index)
  }

  /** A load or store; alignment is a hint only, so 0 (one byte) always does. */
  memory(code: number, offset: number): void {
    this.byte(code)
    this.byte(0)
    this.u32(offset)
  }

  branch(code: number, depth: number): void {
    this.byte(code)
    this.u32(depth)
  }

  /** block, loop or if with a result type. */
  open(code: number, type: number): void {
    this.byte(code)
    this.byte(type)
  }
}
