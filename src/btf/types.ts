/**
 * What a BTF type is once decoded: one immutable object a type, told apart by `kind`. References
 * to other types stay ids (`type: 12`), so that decoding one type never decodes another. Ids,
 * offsets and sizes in here are range-checked by the decoder; that a reference makes sense (a
 * pointer chain ends, an array has an element size) is checked by whoever follows it.
 */

interface Common {
  /** This type's id: 0 is void, 1 the first type of the (base) BTF. */
  readonly id: number
  /** The C name without `struct`; empty for an anonymous type and for kinds without names. */
  readonly name: string
}

/** Id 0. */
export interface BtfVoid extends Common {
  readonly kind: "void"
}

export interface BtfInt extends Common {
  readonly kind: "int"
  /** Bytes. */
  readonly size: number
  /** Significant bits: `8 * size` except in old-style bit-fields. */
  readonly bits: number
  /** First significant bit, 0 except in old-style bit-fields. */
  readonly bitOffset: number
  readonly signed: boolean
  /** `char` as opposed to a small integer; compilers rarely set it. */
  readonly char: boolean
  readonly bool: boolean
}

export interface BtfPtr extends Common {
  readonly kind: "ptr"
  /** The type pointed to. */
  readonly type: number
}

export interface BtfArray extends Common {
  readonly kind: "array"
  /** The element type. */
  readonly type: number
  readonly indexType: number
  /** Number of elements; 0 also for a flexible array member. */
  readonly length: number
}

/** One field of a struct or union. */
export interface BtfMember {
  /** Empty for an anonymous struct or union member, and for unnamed bit-fields. */
  readonly name: string
  readonly type: number
  /**
   * Bits from the start of the struct to the field. In little-endian BTF a bit-field's first bit is
   * its least significant one, in big-endian BTF its most significant one.
   */
  readonly bitOffset: number
  /** Width of a bit-field; 0 for every other field. */
  readonly bitSize: number
}

interface Composite extends Common {
  /** Bytes. */
  readonly size: number
  readonly members: readonly BtfMember[]
  /** Whether member offsets carry bit-field widths. */
  readonly kindFlag: boolean
}

export interface BtfStruct extends Composite {
  readonly kind: "struct"
}

export interface BtfUnion extends Composite {
  readonly kind: "union"
}

export interface BtfEnum extends Common {
  readonly kind: "enum"
  /** Bytes: 1, 2, 4 or 8; 0 in a forward declaration. */
  readonly size: number
  readonly signed: boolean
  /** Enumerators in the order of the source; empty for a forward declaration. */
  readonly values: readonly { readonly name: string; readonly value: number }[]
}

export interface BtfEnum64 extends Common {
  readonly kind: "enum64"
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number
  readonly signed: boolean
  readonly values: readonly { readonly name: string; readonly value: bigint }[]
}

/** `struct name;` without a definition. */
export interface BtfFwd extends Common {
  readonly kind: "fwd"
  readonly of: "struct" | "union"
}

export interface BtfTypedef extends Common {
  readonly kind: "typedef"
  readonly type: number
}

/** A qualifier. */
export interface BtfQualifier extends Common {
  readonly kind: "const" | "volatile" | "restrict"
  readonly type: number
}

/** `__attribute__((btf_type_tag("name")))`, or with `attribute`, `__attribute__((name))`. */
export interface BtfTypeTag extends Common {
  readonly kind: "type_tag"
  readonly type: number
  /** Linux 6.15+: the tag is a general attribute and not a btf_type_tag. */
  readonly attribute: boolean
}

export interface BtfFunc extends Common {
  readonly kind: "func"
  /** Id of the func_proto. */
  readonly type: number
  readonly linkage: "static" | "global" | "extern"
}

export interface BtfParam {
  /** May be empty. */
  readonly name: string
  readonly type: number
}

export interface BtfFuncProto extends Common {
  readonly kind: "func_proto"
  readonly returnType: number
  /** Without the unnamed void parameter that marks `...`. */
  readonly params: readonly BtfParam[]
  /** Whether the list ends with `...`. */
  readonly variadic: boolean
}

export interface BtfVar extends Common {
  readonly kind: "var"
  readonly type: number
  readonly linkage: "static" | "global" | "extern"
}

/** One variable of a section. */
export interface BtfSectionVariable {
  /** Id of a `var` (or, for externs, `func`). */
  readonly type: number
  /** Bytes from the start of the section. */
  readonly offset: number
  readonly size: number
}

/** An ELF section with variables: `.bss`, `.rodata`, `.maps`, `license`, … */
export interface BtfDatasec extends Common {
  readonly kind: "datasec"
  /** Bytes; compilers write 0, which loaders replace with the size in the ELF file. */
  readonly size: number
  readonly variables: readonly BtfSectionVariable[]
}

export interface BtfFloat extends Common {
  readonly kind: "float"
  readonly size: number
}

/** `__attribute__((btf_decl_tag("name")))` on `type` or one of its members or parameters. */
export interface BtfDeclTag extends Common {
  readonly kind: "decl_tag"
  readonly type: number
  /** Index of the member or parameter; -1 for the type itself. */
  readonly componentIndex: number
  /** Linux 6.15+: the tag is a general attribute and not a btf_decl_tag. */
  readonly attribute: boolean
}

export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfPtr
  | BtfArray
  | BtfStruct
  | BtfUnion
  | BtfEnum
  | BtfEnum64
  | BtfFwd
  | BtfTypedef
  | BtfQualifier
  | BtfTypeTag
  | BtfFunc
  | BtfFuncProto
  | BtfVar
  | BtfDatasec
  | BtfFloat
  | BtfDeclTag

/** `"int"`, `"ptr"`, … */
export type BtfKind = BtfType["kind"]

/** The type of a given kind. */
export type BtfTypeOf<K extends BtfKind> = Extract<BtfType, { kind: K }>

/** Where ids become types: all that layout, naming and matching need of a BTF. */
export interface TypeSource {
  /** One more than the largest id. */
  readonly typeCount: number
  readonly littleEndian: boolean
  /** Bytes of a pointer. */
  readonly pointerSize: number
  type(id: number): BtfType
}
