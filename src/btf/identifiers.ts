/**
 * Which names the kernel accepts. Its character classes are those of Latin-1, byte by byte
 * (linux v6.18 lib/ctype.c, kernel/bpf/btf.c __btf_name_valid).
 */

import { KSYM_NAME_LEN } from "./constants.ts"

function isLetter(byte: number): boolean {
  if (byte >= 0xc0) return byte !== 0xd7 && byte !== 0xf7
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
}

/** Letters, digits, `_` and `.`, at least one and not beginning with a digit. */
export function isIdentifier(name: Uint8Array): boolean {
  if (name.length === 0 || name.length >= KSYM_NAME_LEN) return false
  return name.every((byte, index) => {
    if (isLetter(byte) || byte === 0x5f || byte === 0x2e) return true
    return index > 0 && byte >= 0x30 && byte <= 0x39
  })
}

/** Printable characters, at least one. */
export function isSectionName(name: Uint8Array): boolean {
  if (name.length === 0 || name.length >= KSYM_NAME_LEN) return false
  return name.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte >= 0xa0)
}
