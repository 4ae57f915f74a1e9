/**
 * What the declarations so far have made: the BTF ids of tags, typedefs and enumerators, the size
 * and alignment of each id, and equal derived types once each. One table goes with one builder, so
 * that a later text sees what earlier ones declared.
 */

import type { BtfBuilder } from "../builder.ts"
import type { BtfTypeInput } from "../encode.ts"

/** What a type's layout contributes to the struct around it. */
export interface TypeInfo {
  /** Bytes; `undefined` for void, functions, and structs that are not defined (yet). */
  readonly size?: number
  readonly align: number
  /** Of an array: the id of its elements' type. */
  readonly element?: number
  readonly what:
    | "void"
    | "int"
    | "enum"
    | "pointer"
    | "array"
    | "struct"
    | "union"
    | "function"
    | "float"
}

/** A struct, union or enum that has been mentioned. */
interface Tag {
  readonly id: number
  defined: boolean
}

const INTS = {
  _Bool: [1, "bool"],
  char: [1, "signed"],
  "signed char": [1, "signed"],
  "unsigned char": [1, undefined],
  short: [2, "signed"],
  "unsigned short": [2, undefined],
  int: [4, "signed"],
  "unsigned int": [4, undefined],
  long: [8, "signed"],
  "unsigned long": [8, undefined],
  "long long": [8, "signed"],
  "unsigned long long": [8, undefined],
  __int128: [16, "signed"],
  "unsigned __int128": [16, undefined],
} as const

/** `long double` is a double for eBPF. */
const FLOATS = { float: 4, double: 8, "long double": 8 } as const

/** The name of a C type that needs no declaration. */
export type BasicName = keyof typeof INTS | keyof typeof FLOATS | "void"

export class TypeTable {
  readonly builder: BtfBuilder
  readonly typedefs: Map<string, number> = new Map()
  readonly enumerators: Map<string, bigint> = new Map()
  /** Ids by C name: `struct s`, `name_t`, `function`. */
  readonly names: Map<string, number> = new Map()
  private readonly tags = new Map<string, Tag>()
  private readonly infos = new Map<number, TypeInfo>([[0, { what: "void", align: 1 }]])
  private readonly interned = new Map<string, number>()

  constructor(builder: BtfBuilder) {
    this.builder = builder
  }

  info(id: number): TypeInfo {
    const info = this.infos.get(id)
    if (info === undefined) throw new RangeError(`type ${id} was not made by a declaration`)
    return info
  }

  basic(name: BasicName): number {
    if (name === "void") return 0
    if (name in FLOATS) {
      const size = FLOATS[name as keyof typeof FLOATS]
      return this.intern(name, { what: "float", size, align: size }, () =>
        this.builder.float(name, size),
      )
    }
    const [size, encoding] = INTS[name as keyof typeof INTS]
    return this.intern(name, { what: "int", size, align: size }, () =>
      this.builder.int(name, size, encoding),
    )
  }

  pointer(to: number): number {
    return this.intern(`*${to}`, { what: "pointer", size: 8, align: 8 }, () => this.builder.ptr(to))
  }

  array(of: number, length: number): number {
    const { size, align } = this.info(of)
    const index = this.intern("__ARRAY_SIZE_TYPE__", { what: "int", size: 4, align: 4 }, () =>
      this.builder.int("__ARRAY_SIZE_TYPE__", 4),
    )
    const total = size === undefined ? undefined : size * length
    return this.intern(`[${length}]${of}`, { what: "array", size: total, align, element: of }, () =>
      this.builder.array(of, length, index),
    )
  }

  /** A qualified type. */
  qualified(kind: "const" | "volatile" | "restrict", of: number): number {
    return this.intern(`${kind} ${of}`, this.info(of), () => this.builder[kind](of))
  }

  /** A type with `__attribute__((btf_type_tag(text)))`. */
  tagged(text: string, of: number): number {
    return this.intern(`tag ${of} ${text}`, this.info(of), () => this.builder.typeTag(text, of))
  }

  prototype(
    returnType: number,
    params: readonly { readonly name: string; readonly type: number }[],
    variadic: boolean,
  ): number {
    const list = params.map((param) => `${param.type} ${param.name}`).join(",")
    return this.intern(
      `(${list}${variadic ? "..." : ""})${returnType}`,
      { what: "function", align: 1 },
      () => this.builder.funcProto(returnType, params, variadic),
    )
  }

  /** Declares a name for a type; `aligned` is its attribute, 0 without. */
  typedef(name: string, of: number, aligned: number): number {
    const info = this.info(of)
    const id = this.builder.typedef(name, of)
    this.infos.set(id, aligned === 0 ? info : { ...info, align: aligned })
    this.typedefs.set(name, id)
    this.names.set(name, id)
    return id
  }

  /** The id of `struct name`, which may get its definition later. */
  tag(kind: "struct" | "union" | "enum", name: string): number {
    const key = `${kind} ${name}`
    let tag = this.tags.get(key)
    if (tag === undefined) {
      tag = { id: this.builder.reserve(), defined: false }
      this.tags.set(key, tag)
      this.names.set(key, tag.id)
      this.infos.set(tag.id, { what: kind, align: 1 })
      // Stays so if no definition comes.
      this.builder.define(
        tag.id,
        kind === "enum"
          ? { kind, name, size: 4, signed: false, values: [] }
          : { kind: "fwd", name, of: kind },
      )
      if (kind === "enum") this.infos.set(tag.id, { what: kind, size: 4, align: 4 })
    }
    return tag.id
  }

  isDefined(kind: "struct" | "union" | "enum", name: string): boolean {
    return this.tags.get(`${kind} ${name}`)?.defined === true
  }

  /** Defines a struct, union or enum; an anonymous one gets a new id unless one is given. */
  define(
    type: Extract<BtfTypeInput, { kind: "struct" | "union" | "enum" | "enum64" }>,
    align: number,
  ): number {
    const kind = type.kind === "enum64" ? "enum" : type.kind
    let id: number
    if (type.name === "") {
      id = this.builder.add(type)
    } else {
      id = this.tag(kind, type.name)
      this.builder.define(id, type)
      this.tags.get(`${kind} ${type.name}`)!.defined = true
    }
    this.infos.set(id, { what: kind, size: type.size, align })
    return id
  }

  private intern(key: string, info: TypeInfo, make: () => number): number {
    let id = this.interned.get(key)
    if (id === undefined) {
      id = make()
      this.interned.set(key, id)
      this.infos.set(id, info)
    }
    return id
  }
}
