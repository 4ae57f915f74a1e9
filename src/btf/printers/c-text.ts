/**
 * C text of single declarations and definitions, in the style of `bpftool btf dump format c`:
 * tabs, `int *p`, `void * (*call)(int)`, explicit padding where a compiler would not put it by
 * itself, and `__attribute__((packed))` where nothing else explains the offsets.
 */

import { ObjectError } from "../../base/index.ts"
import type { Btf } from "../btf.ts"
import type { BtfEnum, BtfEnum64, BtfFuncProto, BtfStruct, BtfType, BtfUnion } from "../types.ts"
import type { CNames } from "./c-names.ts"

/** Longest chain of types in one declaration. */
const CHAIN_MAX = 64
/** Deepest nesting of anonymous structs. */
const LEVELS_MAX = 32
/** Most lines of members and enumerators: about 15 times those of a kernel. */
const LINES_MAX = 2_000_000

/** Most members that fill one gap. */
const PADDING_MAX = 16_384

/** What a padding bit-field may be made of, the widest first. */
const PAD_TYPES = [
  { name: "long", bits: 64 },
  { name: "int", bits: 32 },
  { name: "short", bits: 16 },
  { name: "char", bits: 8 },
] as const

export class CText {
  private readonly btf: Btf
  private readonly names: CNames
  private readonly alignments = new Map<number, number>()
  private lines = 0

  constructor(btf: Btf, names: CNames) {
    this.btf = btf
    this.names = names
  }

  /** `typedef int name` */
  typedef(type: Extract<BtfType, { kind: "typedef" }>): string {
    const name = this.names.typedef(type)
    // Old compilers' spelling of what only the compiler can define.
    if (type.type === 0 && name === "__gnuc_va_list")
      return "typedef __builtin_va_list __gnuc_va_list"
    return `typedef ${this.declare(type.type, name, 0)}`
  }

  /** A declaration of `name` (which may be empty) with a type; anonymous types are written out. */
  declare(id: number, name: string, level: number): string {
    // The chain of types from the name to the base: `[4]` of `*` to `const` of `int`.
    const chain: BtfType[] = []
    for (let at = id; ; ) {
      const type = this.btf.type(at)
      chain.push(type)
      if (chain.length > CHAIN_MAX)
        throw new ObjectError(`the declaration of type ${id} has more than ${CHAIN_MAX} parts`)
      if (type.kind === "func_proto") at = type.returnType
      else if (isLink(type)) at = type.type
      else break
    }
    return this.around(chain, chain.length - 1, name, level)
  }

  /** The text of `chain[0..last]` around a name: from the base (or the inside of parentheses) out. */
  private around(chain: readonly BtfType[], last: number, name: string, level: number): string {
    let text = ""
    let afterStar = true
    let qualifiers = ""
    for (let i = last; i >= 0; i--) {
      const type = chain[i]
      switch (type.kind) {
        case "ptr":
          text += afterStar ? "*" : " *"
          afterStar = true
          continue
        case "const":
        case "volatile":
        case "restrict":
          text += ` ${type.kind}`
          afterStar = false
          continue
        case "type_tag": {
          ;[qualifiers, i] = leadingQualifiers(chain, i)
          const attribute = type.attribute ? type.name : `btf_type_tag("${type.name}")`
          text += `${qualifiers} __attribute__((${attribute}))`
          afterStar = false
          continue
        }
        case "array": {
          const outer = skipQualifiers(chain, i - 1)
          const inner = this.around(chain, outer, name, level)
          if (outer < 0) return `${text}${gap(inner, afterStar)}${inner}[${type.length}]`
          const spaced = name !== "" && !afterStar ? " " : ""
          const nested = chain[outer].kind === "array" ? inner : `(${inner})`
          return `${text}${spaced}${nested}[${type.length}]`
        }
        case "func_proto": {
          const outer = skipQualifiers(chain, i - 1)
          const inner = this.around(chain, outer, name, level)
          const head = outer < 0 ? `${gap(name, afterStar)}${name}` : ` (${inner})`
          return `${text}${head}(${this.parameters(type, level)})`
        }
        default:
          ;[qualifiers, i] = leadingQualifiers(chain, i)
          text += qualifiers + this.base(type, level)
          afterStar = false
      }
    }
    return `${text}${gap(name, afterStar)}${name}`
  }

  private parameters(proto: BtfFuncProto, level: number): string {
    if (proto.params.length === 0) return "void"
    const parts = proto.params.map((param) => this.declare(param.type, param.name, level))
    if (proto.variadic) parts.push("...")
    return parts.join(", ")
  }

  /** The type that a chain ends with; anonymous structs and enums with their bodies. */
  private base(type: BtfType, level: number): string {
    switch (type.kind) {
      case "void":
        return "void"
      case "int":
      case "float":
        return type.name
      case "typedef":
        return this.names.typedef(type)
      case "fwd":
        return `${type.of} ${type.name}`
      case "struct":
      case "union":
        return type.name === ""
          ? this.composite(type, level)
          : `${type.kind} ${this.names.tag(type)}`
      case "enum":
      case "enum64":
        return type.name === "" ? this.enumeration(type, level) : `enum ${this.names.tag(type)}`
      default:
        throw new ObjectError(`${type.kind} '${type.name}' (type ${type.id}) in a declaration`)
    }
  }

  private countLine(): void {
    if (++this.lines > LINES_MAX) throw new ObjectError(`more than ${LINES_MAX} lines of C`)
  }

  /** A struct or union with its members. */
  composite(type: BtfStruct | BtfUnion, level: number): string {
    if (level > LEVELS_MAX)
      throw new ObjectError(`structs are nested more than ${LEVELS_MAX} deep in type ${type.id}`)
    const packed = type.kind === "struct" && this.isPacked(type)
    const tag = this.names.tag(type)
    const indent = "\t".repeat(level + 1)
    const lines: string[] = []
    let end = 0
    let inBitFields = false
    for (const member of type.members) {
      this.countLine()
      const { bitOffset, bitSize } = member
      const align = packed ? 1 : this.alignOf(member.type)
      const inside = inBitFields && bitSize > 0
      for (const pad of padding({ from: end, to: bitOffset, align, inBitFields: inside }))
        lines.push(pad)
      const declaration = this.declare(member.type, member.name, level + 1)
      lines.push(bitSize > 0 ? `${declaration}: ${bitSize};` : `${declaration};`)
      end = bitOffset + (bitSize > 0 ? bitSize : 8 * this.sizeOf(member.type))
      inBitFields = bitSize > 0
    }
    if (type.kind === "struct") {
      const align = this.alignOf(type.id)
      for (const pad of padding({ from: end, to: 8 * type.size, align, inBitFields: false }))
        lines.push(pad)
    }
    const open = `${type.kind}${tag === "" ? "" : ` ${tag}`} {`
    const body = lines.map((line) => `\n${indent}${line}`).join("")
    const empty = type.members.length === 0 && type.size === 0
    const close = empty ? "}" : `\n${"\t".repeat(level)}}`
    return `${open}${body}${close}${packed ? " __attribute__((packed))" : ""}`
  }

  /** An enum with its enumerators. */
  enumeration(type: BtfEnum | BtfEnum64, level: number): string {
    const tag = this.names.tag(type)
    const head = tag === "" ? "enum" : `enum ${tag}`
    if (type.values.length === 0) return head
    const indent = "\t".repeat(level + 1)
    let body = ""
    for (const { name, value } of type.values) {
      this.countLine()
      const suffix = type.kind === "enum" ? "" : type.signed ? "LL" : "ULL"
      body += `\n${indent}${this.names.enumerator(name)} = ${value}${suffix},`
    }
    return `${head} {${body}\n${"\t".repeat(level)}}${modeAttribute(type)}`
  }

  /** Size for padding; what has none counts nothing. */
  private sizeOf(id: number): number {
    try {
      return this.btf.sizeOf(id)
    } catch {
      return 0
    }
  }

  /** Alignment by the printer's rules: no scalar is aligned more strictly than a pointer. */
  private alignOf(id: number): number {
    const known = this.alignments.get(id)
    if (known !== undefined) return known
    // A type that contains itself finds this while it is being computed.
    this.alignments.set(id, 1)
    const result = this.computeAlign(id)
    this.alignments.set(id, result)
    return result
  }

  private computeAlign(id: number): number {
    const type = this.btf.type(id)
    const { pointerSize } = this.btf
    switch (type.kind) {
      case "int":
      case "float":
      case "enum":
      case "enum64":
        return Math.min(pointerSize, type.size)
      case "ptr":
        return pointerSize
      case "struct":
      case "union": {
        let largest = 1
        for (const member of type.members) {
          const align = this.alignOf(member.type)
          if (align === 0) return 0
          if (member.bitSize === 0 && member.bitOffset % (8 * align) !== 0) return 1
          largest = Math.max(largest, align)
        }
        return type.size % largest === 0 ? largest : 1
      }
      default:
        return isLink(type) || type.kind === "typedef" ? this.alignOf(type.type) : 0
    }
  }

  /** Whether the offsets or the size are not those of natural alignment. */
  private isPacked(type: BtfStruct): boolean {
    let largest = 1
    for (const { type: id, bitOffset, bitSize } of type.members) {
      const align = this.alignOf(id)
      if (align > 0 && bitSize === 0 && bitOffset % (8 * align) !== 0) return true
      largest = Math.max(largest, align)
    }
    return type.size % largest !== 0
  }
}

type Link = Extract<
  BtfType,
  { kind: "ptr" | "array" | "const" | "volatile" | "restrict" | "type_tag" }
>

function isLink(type: BtfType): type is Link {
  switch (type.kind) {
    case "ptr":
    case "array":
    case "const":
    case "volatile":
    case "restrict":
    case "type_tag":
      return true
    default:
      return false
  }
}

function isQualifier(type: BtfType): boolean {
  return type.kind === "const" || type.kind === "volatile" || type.kind === "restrict"
}

/** Qualifiers of the base come before it: the text, and the index of the last one. */
function leadingQualifiers(chain: readonly BtfType[], base: number): [string, number] {
  let text = ""
  let i = base
  while (i > 0 && isQualifier(chain[i - 1])) text += `${chain[--i].kind} `
  return [text, i]
}

/** Qualifiers of arrays and functions mean nothing in C: the index of what comes after them. */
function skipQualifiers(chain: readonly BtfType[], from: number): number {
  let i = from
  while (i >= 0 && isQualifier(chain[i])) i--
  return i
}

function gap(name: string, afterStar: boolean): string {
  return name !== "" && !afterStar ? " " : ""
}

/** Enums of unusual sizes. */
function modeAttribute(type: BtfEnum | BtfEnum64): string {
  if (type.size === 1) return " __attribute__((mode(byte)))"
  if (type.size !== 8) return ""
  // A compiler makes an enum 8 bytes wide by itself if a value needs more than 32 bits.
  const wide =
    type.kind === "enum64" &&
    type.values.some(({ value }) => BigInt.asUintN(64, value) >> 32n !== 0n)
  return wide ? "" : " __attribute__((mode(word)))"
}

/**
 * Unnamed bit-fields that move the next member from where it would come to where it is. As much as
 * possible is left to natural alignment: `long: 0` or the next member's own.
 */
function padding(place: {
  readonly from: number
  readonly to: number
  /** Of the next member, in bytes. */
  readonly align: number
  readonly inBitFields: boolean
}): string[] {
  const { from, to, align, inBitFields } = place
  if (from >= to) return []
  const lines: string[] = []
  const roundUp = (bits: number) => Math.ceil(from / bits) * bits
  const unit = PAD_TYPES.find(({ bits }) => roundUp(bits) <= to) ?? PAD_TYPES[3]
  let at = from
  const boundary = roundUp(unit.bits)
  if (boundary > from && boundary <= to) {
    const next = Math.ceil(from / (8 * align)) * 8 * align
    // The compiler gets to the boundary by itself, unless the next member is aligned less, or the
    // filling after the boundary would fit before it.
    const needed = boundary === to ? next !== boundary : to - boundary <= boundary - from
    if (inBitFields) lines.push(`${unit.name}: ${boundary - from};`)
    else if (needed) lines.push(`${unit.name}: 0;`)
    at = boundary
  }
  if (to - at > PADDING_MAX * unit.bits)
    throw new ObjectError(`a gap of ${(to - at) / 8} bytes is too long to be written as members`)
  for (; to - at >= unit.bits; at += unit.bits) lines.push(`${unit.name}: ${unit.bits};`)
  if (at < to) {
    const rest = to - at
    const smallest = PAD_TYPES.findLast(({ bits }) => bits >= rest) ?? PAD_TYPES[0]
    lines.push(`${smallest.name}: ${rest};`)
  }
  return lines
}
