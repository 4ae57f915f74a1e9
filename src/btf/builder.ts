/**
 * Makes BTF. Types are collected as values and encoded when `build` is called, so a type may refer
 * to one that comes later: `reserve` an id first, `define` it when its parts are known. Strings are
 * stored once each.
 *
 * What comes out is what BTF_LOAD accepts if the types obey its rules (see validate.ts); the
 * builder itself checks only what the format cannot express.
 */

import { concatBytes, utf8Bytes } from "../base/index.ts"
import type { Btf } from "./btf.ts"
import { BTF_HEADER_SIZE, BTF_MAGIC, BTF_VERSION } from "./constants.ts"
import { type BtfTypeInput, encodeType } from "./encode.ts"
import type { BtfMember, BtfParam, BtfSectionVariable } from "./types.ts"

/** What a BTF stands on. */
export interface BtfBuilderOptions {
  /** Continue this BTF's ids and strings: the result is a split BTF. */
  readonly base?: Btf
  /** Byte order; little-endian unless given (a base's order if there is one). */
  readonly littleEndian?: boolean
}

/** Collects types, then writes them. Methods that add a type return its id. */
export class BtfBuilder {
  readonly littleEndian: boolean
  private readonly firstId: number
  private readonly types: (BtfTypeInput | null)[] = []
  private readonly offsets = new Map<string, number>()
  private readonly strings: Uint8Array[] = []
  private stringsEnd: number

  constructor(options: BtfBuilderOptions = {}) {
    const { base } = options
    this.littleEndian = options.littleEndian ?? base?.littleEndian ?? true
    this.firstId = base?.typeCount ?? 1
    this.stringsEnd = base?.stringsEnd ?? 1
    this.offsets.set("", 0)
    if (base === undefined) this.strings.push(new Uint8Array(1))
  }

  /** The id that the next type will get. */
  get nextId(): number {
    return this.firstId + this.types.length
  }

  /** The offset of a text in the (joint) string section, where it is put if it is new. */
  string(text: string): number {
    const known = this.offsets.get(text)
    if (known !== undefined) return known
    const bytes = utf8Bytes(`${text}\0`)
    if (bytes.indexOf(0) !== bytes.length - 1)
      throw new RangeError(`string ${JSON.stringify(text)} contains a zero character`)
    const offset = this.stringsEnd
    this.strings.push(bytes)
    this.stringsEnd += bytes.length
    this.offsets.set(text, offset)
    return offset
  }

  add(type: BtfTypeInput): number {
    this.types.push(type)
    return this.nextId - 1
  }

  /** An id to refer to before its type is known. */
  reserve(): number {
    this.types.push(null)
    return this.nextId - 1
  }

  /** Gives (or changes) the type of an id that this builder handed out. */
  define(id: number, type: BtfTypeInput): void {
    if (!(id >= this.firstId && id < this.nextId))
      throw new RangeError(`type id ${id} is not in ${this.firstId} to ${this.nextId - 1}`)
    this.types[id - this.firstId] = type
  }

  /** An integer of `size` bytes. */
  int(name: string, size: number, encoding?: "signed" | "bool" | "char"): number {
    return this.add({
      kind: "int",
      name,
      size,
      bits: encoding === "bool" ? 8 : 8 * size,
      bitOffset: 0,
      signed: encoding === "signed",
      char: encoding === "char",
      bool: encoding === "bool",
    })
  }

  float(name: string, size: number): number {
    return this.add({ kind: "float", name, size })
  }

  ptr(type: number): number {
    return this.add({ kind: "ptr", name: "", type })
  }

  /** @param indexType an integer type, which the kernel insists on. */
  array(type: number, length: number, indexType: number): number {
    return this.add({ kind: "array", name: "", type, indexType, length })
  }

  struct(name: string, size: number, members: readonly BtfMember[]): number {
    return this.add({ kind: "struct", name, size, members, kindFlag: false })
  }

  union(name: string, size: number, members: readonly BtfMember[]): number {
    return this.add({ kind: "union", name, size, members, kindFlag: false })
  }

  /** An enum of 4 bytes, signed if any value is negative. */
  enum(name: string, values: Readonly<Record<string, number>>): number {
    const list = Object.entries(values).map(([key, value]) => ({ name: key, value }))
    const signed = list.some(({ value }) => value < 0)
    return this.add({ kind: "enum", name, size: 4, signed, values: list })
  }

  /** An enum of 8 bytes, signed if any value is negative. */
  enum64(name: string, values: Readonly<Record<string, bigint>>): number {
    const list = Object.entries(values).map(([key, value]) => ({ name: key, value }))
    const signed = list.some(({ value }) => value < 0n)
    return this.add({ kind: "enum64", name, size: 8, signed, values: list })
  }

  fwd(name: string, of: "struct" | "union"): number {
    return this.add({ kind: "fwd", name, of })
  }

  typedef(name: string, type: number): number {
    return this.add({ kind: "typedef", name, type })
  }

  const(type: number): number {
    return this.add({ kind: "const", name: "", type })
  }

  volatile(type: number): number {
    return this.add({ kind: "volatile", name: "", type })
  }

  restrict(type: number): number {
    return this.add({ kind: "restrict", name: "", type })
  }

  typeTag(text: string, type: number): number {
    return this.add({ kind: "type_tag", name: text, type, attribute: false })
  }

  /** @param componentIndex member or parameter; -1 for the type itself. */
  declTag(text: string, type: number, componentIndex = -1): number {
    return this.add({ kind: "decl_tag", name: text, type, componentIndex, attribute: false })
  }

  funcProto(returnType: number, params: readonly BtfParam[], variadic = false): number {
    return this.add({ kind: "func_proto", name: "", returnType, params, variadic })
  }

  func(name: string, proto: number, linkage: "static" | "global" | "extern" = "global"): number {
    return this.add({ kind: "func", name, type: proto, linkage })
  }

  var(name: string, type: number, linkage: "static" | "global" | "extern" = "global"): number {
    return this.add({ kind: "var", name, type, linkage })
  }

  datasec(name: string, size: number, variables: readonly BtfSectionVariable[]): number {
    return this.add({ kind: "datasec", name, size, variables })
  }

  /**
   * The BTF with all types so far.
   *
   * @throws RangeError if a reserved id was not defined, or a type does not fit the format.
   */
  build(): Uint8Array {
    const words: number[] = []
    this.types.forEach((type, index) => {
      if (type === null) throw new RangeError(`type id ${this.firstId + index} was not defined`)
      for (const word of encodeType(type, (text) => this.string(text))) words.push(word)
    })
    const strings = concatBytes(this.strings)
    const head = new Uint8Array(BTF_HEADER_SIZE + 4 * words.length)
    const view = new DataView(head.buffer)
    const typesSize = 4 * words.length
    view.setUint16(0, BTF_MAGIC, this.littleEndian)
    head[2] = BTF_VERSION
    const header = [BTF_HEADER_SIZE, 0, typesSize, typesSize, strings.length]
    ;[...header, ...words].forEach((word, index) => {
      view.setUint32(4 + 4 * index, word, this.littleEndian)
    })
    return concatBytes([head, strings])
  }
}
