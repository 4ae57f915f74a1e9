/**
 * Strings and numbers (linux v6.18 kernel/bpf/helpers.c bpf_strtol, bpf_strtoul, bpf_strncmp;
 * lib/kstrtox.c).
 */

import { ERRNO } from "../../spec/index.ts"
import { answers, type HelperMachine, type HelperTable, stringArgument, textAt } from "./support.ts"

const BASE_MASK = 0x1f
/** Bytes that are looked at: the kernel copies them to a buffer of 64 with a terminating zero. */
const DIGITS_MAX = 63
const U64_LIMIT = 1n << 64n
const S64_LIMIT = 1n << 63n

interface Parsed {
  readonly value: bigint
  readonly negative: boolean
  readonly consumed: number
}

/** __bpf_strtoull: the number at the start of the text, or a negative errno. */
export function parseNumber(text: string, base: number): Parsed | number {
  if (text.length === 0 || ![0, 8, 10, 16].includes(base)) return -ERRNO.EINVAL
  let at = 0
  while (at < text.length && /[ \t\n\v\f\r\xa0]/.test(text[at])) at++
  const negative = text[at] === "-"
  if (negative) at++
  if (at >= text.length) return -ERRNO.EINVAL
  const digits = text.slice(at, at + DIGITS_MAX)
  const radix = radixOf(digits, base)
  let used = radix.prefix
  let value = 0n
  let overflow = false
  for (; used < digits.length; used++) {
    const digit = Number.parseInt(digits[used], 16)
    if (Number.isNaN(digit) || digit >= radix.base) break
    value = value * BigInt(radix.base) + BigInt(digit)
    if (value >= U64_LIMIT) overflow = true
  }
  if (overflow) return -ERRNO.ERANGE
  if (used === radix.prefix) return -ERRNO.EINVAL
  return { value, negative, consumed: at + used }
}

/** _parse_integer_fixup_radix: `0x` before a hex digit, `0` for octal when the base is free. */
function radixOf(digits: string, base: number): { base: number; prefix: number } {
  const hexPrefix = /^0[xX]/.test(digits)
  let radix = base
  if (base === 0) radix = digits[0] === "0" ? (/^0[xX][0-9a-fA-F]/.test(digits) ? 16 : 8) : 10
  return { base: radix, prefix: radix === 16 && hexPrefix ? 2 : 0 }
}

/** long bpf_strtol/bpf_strtoul(buf, buf_len, flags, res): bytes used. */
function converts(signed: boolean) {
  return (machine: HelperMachine): number | undefined => {
    const size = machine.low(2) >>> 0
    const start = machine.checkRead(1, size)
    const target = start < 0 ? -1 : machine.checkWrite(4, 8)
    if (target < 0) return undefined
    const { view } = machine.space
    view.setBigUint64(target, 0n, true)
    if (size === 0) return -ERRNO.EINVAL
    const flags = machine.low(3)
    const base = flags & BASE_MASK
    if (![0, 8, 10, 16].includes(base)) return -ERRNO.EINVAL
    if ((flags & ~BASE_MASK) !== 0 || machine.high(3) !== 0) return -ERRNO.EINVAL
    const parsed = parseNumber(textAt(machine.space, start, size), base)
    if (typeof parsed === "number") return parsed
    const { value, negative, consumed } = parsed
    if (!signed && negative) return -ERRNO.EINVAL
    if (signed && value >= (negative ? S64_LIMIT + 1n : S64_LIMIT)) return -ERRNO.ERANGE
    view.setBigUint64(target, BigInt.asUintN(64, negative ? -value : value), true)
    return consumed
  }
}

/** long bpf_strncmp(s1, s1_size, s2): -1, 0 or 1. */
function compare(machine: HelperMachine): number | undefined {
  const size = machine.low(2) >>> 0
  const start = machine.checkRead(1, size)
  const other = start < 0 ? undefined : stringArgument(machine, 3)
  if (other === undefined) return undefined
  for (let i = 0; i < size; i++) {
    const a = machine.space.u8[start + i]
    const b = i < other.length ? other.charCodeAt(i) : 0
    if (a !== b) return a < b ? -1 : 1
    if (a === 0) break
  }
  return 0
}

export const stringHelpers: HelperTable = {
  strtol: answers(converts(true)),
  strtoul: answers(converts(false)),
  strncmp: answers(compare),
}
