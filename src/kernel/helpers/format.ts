/**
 * The kernel's printf for programs: bpf_bprintf_prepare checks the format and fetches strings,
 * bstr_printf prints (linux v6.18 kernel/bpf/helpers.c, lib/vsprintf.c).
 *
 * ```text
 * %[0 +-]*[width]  d i u x X    32 bits    c   a character
 *                  ld … llX     64 bits    s   a string (pks, pus: said to be kernel's or user's)
 *                  p pK px      an address, hashed but for px and small values
 *                  ps pS pB     a symbol   pi4 pI4 pi6 pI6  an IP address in memory
 * ```
 *
 * Text is one byte a character here (bytes from 0x80 on pass through unchanged).
 */

import type { AddressSpace } from "../../interpreter/index.ts"
import { ERRNO } from "../../spec/index.ts"
import { isReadable } from "./support.ts"

/** A 64-bit argument as its halves. */
export type Word = readonly [low: number, high: number]

/** Bytes that fetched arguments may take (MAX_BPRINTF_BIN_ARGS). */
const BINARY_ARGUMENTS_MAX = 512
/** Bytes of the buffer that is printed into, terminating zero included (MAX_BPRINTF_BUF). */
export const PRINT_BUFFER_BYTES = 1024
/** Arguments that the v-forms and bpf_snprintf take (MAX_BPRINTF_VARARGS). */
export const PRINT_ARGUMENTS_MAX = 12

export interface FormatWorld {
  readonly space: AddressSpace
  /** High half of the addresses of user space. */
  readonly userTag: number
  /** `name+0x10/0x50` for an address, or undefined when no symbol is known there. */
  symbol?(address: bigint): { name: string; offset: number; size: number } | undefined
}

interface Spec {
  left: boolean
  plus: boolean
  blank: boolean
  zero: boolean
  width: number
}

/** The whole text, or a negative errno: -EINVAL for a format Linux refuses, -ENOSPC for too long arguments. */
export function formatText(
  world: FormatWorld,
  format: string,
  args: readonly Word[],
): string | number {
  return new Printer(world, format, args).print()
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 9 && code <= 13)
}

function isPunctuation(code: number): boolean {
  return (
    (code >= 0x21 && code <= 0x2f) ||
    (code >= 0x3a && code <= 0x40) ||
    (code >= 0x5b && code <= 0x60) ||
    (code >= 0x7b && code <= 0x7e)
  )
}

function isAlphanumeric(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a)
  )
}

class Printer {
  private readonly world: FormatWorld
  private readonly format: string
  private readonly args: readonly Word[]
  private at = 0
  private next = 0
  private used = 0
  private text = ""

  constructor(world: FormatWorld, format: string, args: readonly Word[]) {
    this.world = world
    this.format = format
    this.args = args
  }

  print(): string | number {
    const { format } = this
    for (this.at = 0; this.at < format.length; this.at++) {
      const code = format.charCodeAt(this.at)
      if (code < 0x80 && (code < 0x20 || code === 0x7f) && !isSpace(code)) return -ERRNO.EINVAL
      if (format[this.at] !== "%") {
        this.text += format[this.at]
        continue
      }
      if (format[this.at + 1] === "%") {
        this.text += "%"
        this.at++
        continue
      }
      if (this.next >= this.args.length) return -ERRNO.EINVAL
      this.at++
      const error = this.conversion(this.spec())
      if (error < 0) return error
    }
    return this.text
  }

  private code(ahead: number): number {
    const at = this.at + ahead
    return at < this.format.length ? this.format.charCodeAt(at) : 0
  }

  private spec(): Spec {
    const { format } = this
    const spec = { left: false, plus: false, blank: false, zero: false, width: 0 }
    for (; "0+- ".includes(format[this.at] ?? "x"); this.at++) {
      if (format[this.at] === "0") spec.zero = true
      else if (format[this.at] === "+") spec.plus = true
      else if (format[this.at] === "-") spec.left = true
      else spec.blank = true
    }
    const digits = /^[1-9][0-9]*/.exec(format.slice(this.at, this.at + 24))?.[0] ?? ""
    this.at += digits.length
    spec.width = Math.min(Number(digits), 32_767)
    return spec
  }

  /** One conversion; `at` is left on its last character. Returns 0 or a negative errno. */
  private conversion(spec: Spec): number {
    const { format } = this
    const letter = format[this.at]
    if (letter === "p") return this.pointer(spec)
    if (letter === "s") return this.string(spec, "s")
    if (letter === "c") {
      if (this.used >= BINARY_ARGUMENTS_MAX) return -ERRNO.ENOSPC
      this.used++
      const character = String.fromCharCode(this.args[this.next++][0] & 0xff)
      this.text += pad(character, spec)
      return 0
    }
    let long = 0
    while (long < 2 && format[this.at] === "l") {
      long++
      this.at++
    }
    const kind = format[this.at]
    if (kind === undefined || !"diuxX".includes(kind)) return -ERRNO.EINVAL
    if (!this.take(long > 0 ? 8 : 4)) return -ERRNO.ENOSPC
    const [low, high] = this.args[this.next++]
    const signed = kind === "d" || kind === "i"
    let value = BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n)
    if (long === 0) value = signed ? BigInt.asIntN(32, value) : BigInt.asUintN(32, value)
    else if (signed) value = BigInt.asIntN(64, value)
    this.text += number(value, kind, signed, spec)
    return 0
  }

  private pointer(spec: Spec): number {
    const { format } = this
    const following = this.code(1)
    if (following === 0 || isSpace(following) || isPunctuation(following))
      return this.address(spec, "p")
    const kind = format[this.at + 1]
    if ((kind === "k" || kind === "u") && format[this.at + 2] === "s") {
      this.at += 2
      return this.string(spec, kind)
    }
    if (kind === "K" || kind === "x" || kind === "s" || kind === "S") {
      this.at++
      return this.address(spec, kind)
    }
    if (kind === "B") {
      this.at++
      const text = this.symbolText(this.args[this.next++], "B")
      this.used += text.length + 1
      this.text += text
      this.skipAlphanumerics()
      return 0
    }
    const family = format[this.at + 2]
    if ((kind !== "i" && kind !== "I") || (family !== "4" && family !== "6")) return -ERRNO.EINVAL
    this.at += 2
    const size = family === "4" ? 4 : 16
    if (BINARY_ARGUMENTS_MAX - this.used < size) return -ERRNO.ENOSPC
    const text = ipText(this.bytesAt(this.args[this.next++], size), kind === "I")
    this.used += text.length + 1
    this.text += text
    this.skipAlphanumerics()
    return 0
  }

  /** bstr_printf skips letters and digits after a pointer's conversion. */
  private skipAlphanumerics(): void {
    while (isAlphanumeric(this.code(1))) this.at++
  }

  private address(spec: Spec, kind: string): number {
    if (!this.take(8)) return -ERRNO.ENOSPC
    const word = this.args[this.next++]
    const value = BigInt(word[0] >>> 0) | (BigInt(word[1] >>> 0) << 32n)
    if (kind === "s" || kind === "S") {
      this.text += pad(this.symbolText(word, kind), spec)
    } else {
      const plain = kind === "x" || value === 0n || value > 0xffff_ffff_ffff_f000n
      const shown = plain ? value : hashAddress(value)
      const wide = spec.width === 0 ? { ...spec, width: 16, zero: true } : spec
      this.text += number(shown, "x", false, wide)
    }
    if (kind !== "p") this.skipAlphanumerics()
    return 0
  }

  private symbolText(word: Word, kind: string): string {
    const value = BigInt(word[0] >>> 0) | (BigInt(word[1] >>> 0) << 32n)
    // %pB is for return addresses: the call before it counts.
    const symbol = this.world.symbol?.(kind === "B" ? value - 1n : value)
    if (symbol === undefined) return `0x${value.toString(16)}`
    if (kind === "s") return symbol.name
    const offset = symbol.offset + (kind === "B" ? 1 : 0)
    return `${symbol.name}+0x${offset.toString(16)}/0x${symbol.size.toString(16)}`
  }

  private string(spec: Spec, kind: "s" | "k" | "u"): number {
    const following = this.code(1)
    if (following !== 0 && !isSpace(following) && !isPunctuation(following)) return -ERRNO.EINVAL
    const room = BINARY_ARGUMENTS_MAX - this.used
    if (room <= 0) return -ERRNO.ENOSPC
    const word = this.args[this.next++]
    const inUser = word[1] === this.world.userTag
    const reachable = kind === "s" || inUser === (kind === "u")
    const text = reachable ? this.textAt(word, room - 1) : ""
    this.used += text.length + 1
    this.text += kind === "s" ? pad(text, spec) : text
    return 0
  }

  /** Room for a number among the fetched arguments, aligned to 4. */
  private take(size: number): boolean {
    this.used = (this.used + 3) & ~3
    if (BINARY_ARGUMENTS_MAX - this.used < size) return false
    this.used += size
    return true
  }

  /** A string from memory; one that cannot be read is empty. */
  private textAt([low, high]: Word, max: number): string {
    const { space } = this.world
    let text = ""
    for (let i = 0; i < max; i++) {
      if (!isReadable(space, low + i, high, 1)) return ""
      const byte = space.u8[low + i]
      if (byte === 0) return text
      text += String.fromCharCode(byte)
    }
    return text
  }

  private bytesAt([low, high]: Word, size: number): Uint8Array {
    const { space } = this.world
    return isReadable(space, low, high, size)
      ? space.u8.slice(low, low + size)
      : new Uint8Array(size)
  }
}

function pad(text: string, spec: Spec): string {
  return spec.left ? text.padEnd(spec.width, " ") : text.padStart(spec.width, " ")
}

function number(value: bigint, kind: string, signed: boolean, spec: Spec): string {
  const negative = signed && value < 0n
  const sign = negative ? "-" : signed && spec.plus ? "+" : signed && spec.blank ? " " : ""
  const magnitude = negative ? -value : value
  const hex = kind === "x" || kind === "X"
  let digits = magnitude.toString(hex ? 16 : 10)
  if (kind === "X") digits = digits.toUpperCase()
  if (spec.left) return (sign + digits).padEnd(spec.width, " ")
  if (spec.zero) return sign + digits.padStart(spec.width - sign.length, "0")
  return (sign + digits).padStart(spec.width, " ")
}

/** Addresses are printed as 32 bits that say only whether two are equal (ptr_to_id). */
/** Stands for an address in what `%p` prints. */
export function hashAddress(address: bigint): bigint {
  let z = BigInt.asUintN(64, address + 0x9e37_79b9_7f4a_7c15n)
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n)
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn)
  return (z ^ (z >> 31n)) & 0xffff_ffffn
}

/** %pI4 `10.0.0.1`, %pi4 `010.000.000.001`, %pI6 with colons, %pi6 without. */
function ipText(bytes: Uint8Array, plain: boolean): string {
  if (bytes.length === 4)
    return [...bytes].map((byte) => String(byte).padStart(plain ? 1 : 3, "0")).join(".")
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2)
    groups.push(((bytes[i] << 8) | bytes[i + 1]).toString(16).padStart(4, "0"))
  return groups.join(plain ? ":" : "")
}
