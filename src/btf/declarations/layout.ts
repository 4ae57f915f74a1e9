/**
 * Where C puts the members of a struct or union: the rules of the System V ABI for x86-64, which
 * are clang's for eBPF too. A bit-field does not straddle two units of its type (unless packed), a
 * bit-field of width 0 ends the unit, unnamed bit-fields do not align the struct.
 */

import type { BtfMember } from "../types.ts"

/** A member before it has a place. */
export interface UnplacedMember {
  readonly name: string
  readonly type: number
  /** Bytes of its type; 0 for a flexible array. */
  readonly size: number
  /** Alignment of its type in bytes. */
  readonly align: number
  /** Width in bits, if it is a bit-field. */
  readonly width?: number
  /** `__attribute__((packed))` on the member itself. */
  readonly packed: boolean
  /** `__attribute__((aligned(n)))` on the member itself; 0 without. */
  readonly aligned: number
}

export interface PlacedStruct {
  readonly members: readonly BtfMember[]
  readonly size: number
  readonly align: number
}

/** Lays out a struct or union. `aligned` is the attribute of the whole, 0 without. */
export function placeMembers(
  members: readonly UnplacedMember[],
  options: { readonly union: boolean; readonly packed: boolean; readonly aligned: number },
): PlacedStruct {
  const placed: BtfMember[] = []
  let align = Math.max(1, options.aligned)
  let bits = 0
  let largest = 0
  for (const member of members) {
    if (options.union) bits = 0
    const packed = options.packed || member.packed
    const own = Math.max(packed ? 1 : member.align, member.aligned)
    const { width } = member
    let start: number
    if (width === undefined) {
      start = roundUp(bits, 8 * own)
      bits = start + 8 * member.size
    } else {
      start = bitFieldStart(bits, member, width, packed)
      bits = start + width
    }
    // An unnamed bit-field takes room but aligns nothing and is no member.
    if (width === undefined || member.name !== "") {
      if (own > align) align = own
      placed.push({
        name: member.name,
        type: member.type,
        bitOffset: start,
        bitSize: width ?? 0,
      })
    }
    if (bits > largest) largest = bits
  }
  const size = roundUp(Math.ceil(largest / 8), align)
  return { members: placed, size, align }
}

function bitFieldStart(
  bits: number,
  member: UnplacedMember,
  width: number,
  packed: boolean,
): number {
  const alignBits = 8 * Math.max(packed ? 0 : member.align, member.aligned)
  if (width === 0) return roundUp(bits, 8 * member.align)
  if (member.aligned > 0) return roundUp(bits, alignBits)
  if (packed) return bits
  const unit = 8 * member.size
  return (bits % alignBits) + width > unit ? roundUp(bits, alignBits) : bits
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to
}
