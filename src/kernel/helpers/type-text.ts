/**
 * An object of a kernel type as text, as bpf_snprintf_btf and bpf_seq_printf_btf write it
 * (linux v6.18 kernel/bpf/btf.c btf_type_show and below).
 *
 * ```text
 * (struct list_head){.next = (struct list_head *)0x00000000a7b3c4d5,}
 * ```
 *
 * Members that are zero are left out unless BTF_F_ZERO is given; the object itself never is.
 */

import type { Btf, BtfType } from "../../btf/index.ts"
import type { AddressSpace } from "../../interpreter/index.ts"

/** BTF_F_ of linux include/uapi/linux/bpf.h. */
export const BTF_F = { COMPACT: 1, NONAME: 2, PTR_RAW: 4, ZERO: 8 } as const

const ITERATIONS_MAX = 10
const BTF_INT_CHAR = 2

type Member = Extract<BtfType, { kind: "struct" }>["members"][number]

export interface TypeTextOptions {
  readonly flags: number
  /** Text of a pointer without BTF_F_PTR_RAW: Linux hashes it. */
  readonly hashedPointer: (address: bigint) => string
}

/** The text, or undefined when the object does not lie in memory as a whole. */
export function typeText(
  types: Btf,
  space: AddressSpace,
  typeId: number,
  offset: number,
  options: TypeTextOptions,
): string {
  const show = new Show(types, space, options)
  show.type(typeId, offset, 0)
  return show.text
}

class Show {
  text = ""
  private readonly types: Btf
  private readonly space: AddressSpace
  private readonly options: TypeTextOptions
  private depth = 0
  private member: Member | null = null
  private inArray = false
  private arrayEncoding = 0
  private arrayEnded = false
  private current: BtfType | null = null
  private currentId = 0
  /** Depth + 1 from which a first pass looks for values that are not zero; 0: no such pass. */
  private checkDepth = 0
  private deepest = 0

  constructor(types: Btf, space: AddressSpace, options: TypeTextOptions) {
    this.types = types
    this.space = space
    this.options = options
  }

  private has(flag: keyof typeof BTF_F): boolean {
    return (this.options.flags & BTF_F[flag]) !== 0
  }

  private write(text: string): void {
    if (this.checkDepth === 0) this.text += text
  }

  private get indent(): string {
    return this.has("COMPACT") ? "" : " ".repeat(this.depth)
  }

  private get newline(): string {
    return this.has("COMPACT") ? "" : "\n"
  }

  private get delimiter(): string {
    if (this.depth === 0) return ""
    return this.has("COMPACT") && this.current?.kind === "union" ? "|" : ","
  }

  /** `.member = (struct name *)[` or as much of it as applies. */
  private name(): string {
    if (this.inArray) return ""
    const { member } = this
    let id = member?.type ?? this.currentId
    let type: BtfType | null = this.skipQualifiers(id)
    let name = ""
    let [pointers, arrays, parens, prefix] = ["", "", "", ""]
    let isTypedef = false
    let rounds = 0
    for (; rounds < ITERATIONS_MAX && type !== null; rounds++) {
      if (type.kind === "typedef") {
        if (name === "") name = type.name
        isTypedef = true
        id = type.type
      } else if (type.kind === "array") {
        parens = "["
        arrays += "[]"
        id = type.type
      } else if (type.kind === "ptr") {
        pointers += "*"
        id = type.type
      } else break
      if (id === 0) {
        type = null
        break
      }
      type = this.skipQualifiers(id)
    }
    if (rounds === ITERATIONS_MAX) return ""
    if (name === "") name = type === null ? "void" : type.name
    if (type?.kind === "struct" || type?.kind === "union") {
      prefix = type.kind
      if (arrays === "") parens = "{"
    } else if (type?.kind === "enum" || type?.kind === "enum64") prefix = "enum"
    if (pointers !== "") parens = ""
    if (isTypedef) prefix = ""
    if (this.has("NONAME")) return parens
    const shown = member !== null && member.name !== "" ? `.${member.name} = ` : ""
    const space = prefix !== "" && name !== "" ? " " : ""
    const stars = pointers === "" ? "" : ` ${pointers}`
    return `${shown}(${prefix}${space}${name}${stars}${arrays})${parens}`
  }

  private skipQualifiers(id: number): BtfType {
    let type = this.types.type(id)
    while (
      type.kind === "const" ||
      type.kind === "volatile" ||
      type.kind === "restrict" ||
      type.kind === "type_tag"
    )
      type = this.types.type(type.type)
    return type
  }

  private value(text: string, isZero: boolean): void {
    if (isZero && !this.has("ZERO") && this.depth !== 0) return
    this.write(`${this.indent}${this.name()}${text}${this.delimiter}${this.newline}`)
    if (this.depth > this.deepest) this.deepest = this.depth
  }

  type(id: number, offset: number, bits: number): void {
    const resolved = this.types.resolve(id)
    this.current = resolved
    this.currentId = id
    switch (resolved.kind) {
      case "int":
        this.integer(resolved, offset, bits)
        break
      case "enum":
      case "enum64":
        this.enumeration(resolved, offset)
        break
      case "ptr":
        this.pointer(offset)
        break
      case "struct":
      case "union":
        this.aggregate(() => this.members(resolved.members, offset), "}")
        break
      case "array":
        this.array(resolved, offset)
        break
      default:
        this.write(`<unsupported kind:${KIND_NUMBERS[resolved.kind] ?? 0}>`)
    }
  }

  /** A first pass finds whether anything in a nested aggregate is worth showing. */
  private aggregate(body: () => void, closing: string): void {
    const { member, current, currentId, inArray } = this
    const pass = (): void => {
      this.member = member
      this.current = current
      this.currentId = currentId
      this.inArray = inArray
      this.write(`${this.indent}${this.name()}${this.newline}`)
      this.depth++
      this.inArray = false
      body()
      this.depth--
      // Linux has forgotten the type by now: what closes a union is followed by a comma.
      this.current = null
      this.inArray = inArray
      this.write(`${this.indent}${closing}${this.delimiter}${this.newline}`)
    }
    if (this.depth > 0 && !this.has("ZERO")) {
      if (this.checkDepth === 0) {
        this.checkDepth = this.depth + 1
        this.deepest = 0
      }
      pass()
      if (this.checkDepth !== this.depth + 1) return
      this.checkDepth = 0
      if (this.deepest <= this.depth) {
        this.member = member
        return
      }
    }
    pass()
    this.member = member
  }

  private members(members: readonly Member[], offset: number): void {
    for (const member of members) {
      this.member = member
      const at = offset + (member.bitOffset >> 3)
      const bits = member.bitOffset & 7
      if (member.bitSize > 0) {
        this.current = this.types.resolve(member.type)
        this.currentId = member.type
        const value = this.bitField(at, bits, member.bitSize)
        this.value(`0x${value.toString(16)}`, value === 0n)
      } else this.type(member.type, at, bits)
      this.member = null
    }
  }

  private bitField(at: number, shift: number, size: number): bigint {
    const bytes = (shift + size + 7) >> 3
    let value = 0n
    for (let i = 0; i < bytes; i++) value |= BigInt(this.space.u8[at + i]) << BigInt(8 * i)
    return BigInt.asUintN(size, value >> BigInt(shift))
  }

  private array(type: Extract<BtfType, { kind: "array" }>, offset: number): void {
    const element = this.types.resolve(type.type)
    const size = this.types.sizeOf(type.type)
    const isByte = element.kind === "int" && size === 1
    this.aggregate(() => {
      this.arrayEncoding = isByte ? BTF_INT_CHAR : 0
      this.arrayEnded = false
      this.member = null
      for (let i = 0; i < type.length && !this.arrayEnded; i++) {
        this.inArray = true
        this.type(type.type, offset + i * size, 0)
        this.inArray = false
      }
      this.arrayEncoding = 0
      this.arrayEnded = false
    }, "]")
  }

  private integer(type: Extract<BtfType, { kind: "int" }>, offset: number, bits: number): void {
    const isOdd = bits !== 0 || (type.bits & 7) !== 0 || type.bitOffset !== 0 || type.size > 8
    const raw = this.bitField(offset, bits, isOdd ? type.bits : 8 * type.size)
    if (isOdd) this.value(`0x${raw.toString(16)}`, raw === 0n)
    else if (type.size === 1 && this.arrayEncoding === BTF_INT_CHAR && raw === 0n)
      this.arrayEnded = true
    else if (this.arrayEncoding === BTF_INT_CHAR && raw >= 0x20n && raw < 0x7fn)
      this.value(`'${String.fromCharCode(Number(raw))}'`, false)
    else this.value(String(type.signed ? BigInt.asIntN(8 * type.size, raw) : raw), raw === 0n)
  }

  private enumeration(type: Extract<BtfType, { kind: "enum" | "enum64" }>, offset: number): void {
    const raw = this.bitField(offset, 0, 8 * type.size)
    const value = type.signed ? BigInt.asIntN(8 * type.size, raw) : raw
    const known = type.values.find((one) => BigInt(one.value) === value)
    if (known !== undefined) this.value(known.name, false)
    else this.value(String(BigInt.asIntN(8 * type.size, value)), value === 0n)
  }

  private pointer(offset: number): void {
    const value = this.space.view.getBigUint64(offset, true)
    const text = this.has("PTR_RAW")
      ? value.toString(16).padStart(16, "0")
      : this.options.hashedPointer(value)
    this.value(`0x${text}`, value === 0n)
  }
}

/** BTF_KIND_ numbers of kinds that have no text. */
const KIND_NUMBERS: Readonly<Record<string, number>> = {
  fwd: 7,
  func: 12,
  func_proto: 13,
  float: 16,
}
