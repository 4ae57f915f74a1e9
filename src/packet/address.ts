/**
 * MAC, IPv4 and IPv6 addresses between text and bytes. Bytes are always in network order.
 * IPv6 text is written in the canonical form of RFC 5952; any form of RFC 4291 §2.2 is read.
 */

/** An address as text, or as its bytes in network order. */
export type AddressLike = string | Uint8Array

/** An address and how many of its leading bits count: `10.0.0.0/8`. */
export interface Prefix {
  /** 4 or 16 bytes. Bits beyond `length` are zero. */
  readonly address: Uint8Array
  /** 0 to 32, or 0 to 128. */
  readonly length: number
}

function quoted(text: string): string {
  return `'${text.length > 60 ? `${text.slice(0, 60)}…` : text}'`
}

/**
 * Reads six bytes in hex, separated by `:` or `-`.
 *
 * @throws RangeError when the text is anything else.
 */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{1,2}(?:([:-])[0-9a-f]{1,2})(?:\1[0-9a-f]{1,2}){4}$/i.test(text))
    throw new RangeError(`${quoted(text)} is not a MAC address (six hex bytes separated by ':')`)
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16))
}

/** `02:00:00:00:00:01`. The six bytes begin at `offset`; the caller checks that they are there. */
export function formatMac(bytes: Uint8Array, offset = 0): string {
  let text = ""
  for (let i = 0; i < 6; i++)
    text += (i > 0 ? ":" : "") + bytes[offset + i].toString(16).padStart(2, "0")
  return text
}

/**
 * Reads a dotted quad. Octal, hex and short forms are refused, as inet_pton(3) refuses them.
 *
 * @throws RangeError when the text is anything else.
 */
export function parseIpv4(text: string): Uint8Array {
  const parts = text.split(".")
  const valid =
    parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
  if (!valid) throw new RangeError(`${quoted(text)} is not an IPv4 address (four numbers 0 to 255)`)
  return Uint8Array.from(parts, Number)
}

/** `10.0.0.1`. The four bytes begin at `offset`; the caller checks that they are there. */
export function formatIpv4(bytes: Uint8Array, offset = 0): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`
}

/**
 * Reads an IPv6 address in any form of RFC 4291 §2.2 (`::` once, the last 32 bits as a dotted
 * quad). Zone indices (`%eth0`) are refused.
 *
 * @throws RangeError when the text is anything else.
 */
export function parseIpv6(text: string): Uint8Array {
  const refuse = (why: string): RangeError =>
    new RangeError(`${quoted(text)} is not an IPv6 address (${why})`)
  const halves = text.split("::")
  if (halves.length > 2) throw refuse("'::' stands twice")
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")))
  const groups = [...head, ...(tail ?? [])]
  const last = groups.at(-1)
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && last?.includes(".")) {
      bytes.push(...parseIpv4(group))
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) throw refuse(`${quoted(group)} is not a group of it`)
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 255)
    }
  }
  if (tail === undefined) {
    if (bytes.length !== 16) throw refuse(`${bytes.length} bytes of 16`)
    return Uint8Array.from(bytes)
  }
  if (bytes.length > 14) throw refuse("'::' stands for nothing")
  if (head.at(-1)?.includes(".")) throw refuse("the dotted quad is not last")
  const result = new Uint8Array(16)
  result.set(bytes.slice(0, head.length * 2), 0)
  result.set(bytes.slice(head.length * 2), 16 - (bytes.length - head.length * 2))
  return result
}

/**
 * Canonical text of RFC 5952: lower case, no leading zeros, the first longest run of two or more
 * zero groups as `::`, IPv4-mapped addresses as `::ffff:10.0.0.1`. The 16 bytes begin at
 * `offset`; the caller checks that they are there.
 */
export function formatIpv6(bytes: Uint8Array, offset = 0): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((bytes[offset + i] << 8) | bytes[offset + i + 1])
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (mapped) return `::ffff:${formatIpv4(bytes, offset + 12)}`
  let runStart = -1
  let runLength = 1
  for (let start = 0; start < 8; start++) {
    let end = start
    while (end < 8 && groups[end] === 0) end++
    if (end - start > runLength) {
      runStart = start
      runLength = end - start
    }
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(":")
  if (runStart < 0) return hex(groups)
  return `${hex(groups.slice(0, runStart))}::${hex(groups.slice(runStart + runLength))}`
}

/** Reads an address of either family: 4 or 16 bytes. @throws RangeError when it is neither. */
export function parseIp(text: string): Uint8Array {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text)
}

/** Formats 4 or 16 bytes. @throws RangeError for any other length. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return formatIpv4(bytes)
  if (bytes.length === 16) return formatIpv6(bytes)
  throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`)
}

/**
 * Reads `10.0.0.0/8` or `2001:db8::/32`; an address alone is a prefix of all its bits. Bits
 * beyond the length are cleared.
 *
 * @throws RangeError when the address or the length is not valid.
 */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf("/")
  const address = parseIp(slash < 0 ? text : text.slice(0, slash))
  const bits = address.length * 8
  const lengthText = slash < 0 ? String(bits) : text.slice(slash + 1)
  const length = /^[0-9]{1,3}$/.test(lengthText) ? Number(lengthText) : -1
  if (length < 0 || length > bits)
    throw new RangeError(`prefix length ${quoted(lengthText)} is not 0 to ${bits}`)
  for (let i = 0; i < address.length; i++) {
    const kept = Math.min(8, Math.max(0, length - i * 8))
    address[i] &= 0xff00 >> kept
  }
  return { address, length }
}

/** Whether `address` (4 or 16 bytes) begins with the bits of `prefix`. Families never mix. */
export function inPrefix(address: Uint8Array, prefix: Prefix): boolean {
  if (address.length !== prefix.address.length) return false
  for (let i = 0; i * 8 < prefix.length; i++) {
    const mask = 0xff00 >> Math.min(8, prefix.length - i * 8)
    if (((address[i] ^ prefix.address[i]) & mask & 0xff) !== 0) return false
  }
  return true
}

/** The six bytes of a MAC address given either way. @throws RangeError for another length. */
export function macBytes(address: AddressLike): Uint8Array {
  return sized(typeof address === "string" ? parseMac(address) : address, 6, "a MAC address")
}

/** The four bytes of an IPv4 address given either way. @throws RangeError for another length. */
export function ipv4Bytes(address: AddressLike): Uint8Array {
  return sized(typeof address === "string" ? parseIpv4(address) : address, 4, "an IPv4 address")
}

/** The 16 bytes of an IPv6 address given either way. @throws RangeError for another length. */
export function ipv6Bytes(address: AddressLike): Uint8Array {
  return sized(typeof address === "string" ? parseIpv6(address) : address, 16, "an IPv6 address")
}

function sized(bytes: Uint8Array, length: number, what: string): Uint8Array {
  if (bytes.length !== length)
    throw new RangeError(`${what} has ${length} bytes, not ${bytes.length}`)
  return bytes
}
