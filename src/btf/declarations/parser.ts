/**
 * The grammar of C declarations (C11 §6.7, with GNU attributes), for types only: no initialisers,
 * no function bodies, no preprocessor, no old-style parameters. A declarator is read inside out: a
 * parenthesised inner one is skipped first and read again once the type around it is known.
 */

import { type ConstantScope, constantExpression } from "./expression.ts"
import { placeMembers, type UnplacedMember } from "./layout.ts"
import type { TokenStream } from "./tokens.ts"
import type { BasicName, TypeTable } from "./type-table.ts"

/** Deepest nesting of structs and declarators. */
const DEPTH_MAX = 64
/** Longest array, as BTF counts elements. */
const LENGTH_MAX = 0xffffffffn
/** Widest alignment attribute, in bytes. */
const ALIGN_MAX = 4096n

interface Attributes {
  packed: boolean
  /** Bytes; 0 without. */
  aligned: number
  readonly declTags: string[]
  readonly typeTags: string[]
}

type Storage = "typedef" | "extern" | "static" | null

interface Declarator {
  readonly name: string
  readonly type: number
  readonly attributes: Attributes
}

/** Qualifiers and tags that wait for their type. */
interface Qualifiers {
  const: boolean
  volatile: boolean
  restrict: boolean
}

const TYPE_WORDS = new Set(
  "void char short int long float double signed unsigned _Bool __int128 struct union enum const volatile restrict __restrict __restrict__ __const __volatile__ __signed__".split(
    " ",
  ),
)
const IGNORED_WORDS = new Set(
  "inline __inline __inline__ _Noreturn register auto __extension__".split(" "),
)

export class DeclarationParser {
  private readonly tokens: TokenStream
  private readonly table: TypeTable
  private readonly scope: ConstantScope
  private depth = 0

  constructor(tokens: TokenStream, table: TypeTable) {
    this.tokens = tokens
    this.table = table
    this.scope = {
      enumerator: (name) => table.enumerators.get(name),
      sizeOfType: () => {
        const { size } = table.info(this.typeName())
        return size === undefined ? undefined : BigInt(size)
      },
    }
  }

  /** All declarations up to the end of the text. */
  parse(): void {
    while (this.tokens.peek().kind !== "end") if (!this.tokens.accept(";")) this.declaration()
  }

  private declaration(): void {
    const { tokens } = this
    const attributes = newAttributes()
    const { type, storage } = this.specifiers(attributes)
    if (tokens.accept(";")) return
    do {
      const declarator = this.declarator(type, attributes)
      if (declarator.name === "") tokens.fail(`expected a name before '${tokens.peek().text}'`)
      this.declare(declarator, storage)
    } while (tokens.accept(","))
    if (tokens.at("=") || tokens.at("{"))
      tokens.fail(`only types are declared here: '${tokens.peek().text}'`)
    tokens.expect(";")
  }

  private declare({ name, type, attributes }: Declarator, storage: Storage): void {
    const { table } = this
    const { builder } = table
    let id: number
    if (storage === "typedef") {
      if (table.typedefs.has(name)) return
      id = table.typedef(name, type, attributes.aligned)
    } else {
      if (table.names.has(name)) return
      const linkage = storage ?? "global"
      id =
        table.info(type).what === "function"
          ? builder.func(name, type, linkage)
          : builder.var(name, type, linkage)
      table.names.set(name, id)
    }
    for (const tag of attributes.declTags) builder.declTag(tag, id)
  }

  /** A type name, as in `sizeof (…)`. */
  private typeName(): number {
    const attributes = newAttributes()
    const { type } = this.specifiers(attributes)
    const declarator = this.declarator(type, attributes)
    if (declarator.name !== "") this.tokens.fail(`unexpected name '${declarator.name}'`)
    return declarator.type
  }

  /** Declaration specifiers: storage, qualifiers and one type, in any order. */
  private specifiers(attributes: Attributes): { type: number; storage: Storage } {
    const { tokens, table } = this
    const qualifiers = { const: false, volatile: false, restrict: false }
    const words: string[] = []
    let storage: Storage = null
    let type: number | null = null
    for (;;) {
      const token = tokens.peek()
      if (token.kind !== "name") break
      const { text } = token
      if (text === "typedef" || text === "extern" || text === "static") {
        tokens.next()
        storage = text
      } else if (IGNORED_WORDS.has(text)) tokens.next()
      else if (this.attributes(attributes) || this.qualifier(qualifiers)) continue
      else if (text === "struct" || text === "union" || text === "enum") {
        if (type !== null || words.length > 0) tokens.fail(`unexpected '${text}'`)
        tokens.next()
        type = text === "enum" ? this.enumeration() : this.composite(text)
      } else if (TYPE_WORDS.has(text)) {
        if (type !== null) tokens.fail(`unexpected '${text}'`)
        words.push(tokens.next().text)
      } else {
        const known = table.typedefs.get(text)
        if (known === undefined || type !== null || words.length > 0) break
        tokens.next()
        type = known
      }
    }
    if (type === null) {
      const { text } = tokens.peek()
      if (words.length === 0) tokens.fail(`'${text}' is not a known type`)
      type = table.basic(this.basicName(words))
    }
    return { type: this.qualify(type, qualifiers, attributes), storage }
  }

  /** `long unsigned int` and its permutations → `unsigned long`. */
  private basicName(words: readonly string[]): BasicName {
    const count = (word: string) => words.filter((one) => one === word).length
    const signed = count("signed") + count("__signed__")
    const unsigned = count("unsigned")
    const rest = words
      .filter((word) => !["signed", "__signed__", "unsigned", "int", "long"].includes(word))
      .sort()
    const longs = count("long")
    const key = [...rest, ...Array<string>(longs).fill("long")].join(" ")
    const known: Readonly<Record<string, string>> = {
      "": "int",
      char: "char",
      short: "short",
      long: "long",
      "long long": "long long",
      __int128: "__int128",
    }
    const fixed: readonly string[] = ["void", "_Bool", "float", "double"]
    if (signed + unsigned === 0) {
      if (fixed.includes(key) && count("int") === 0) return key as BasicName
      if (key === "double long") return "long double"
    }
    const base = known[key]
    if (base === undefined || signed + unsigned > 1 || count("int") > 1)
      this.tokens.fail(`'${words.join(" ")}' is not a type`)
    if (unsigned > 0) return `unsigned ${base}` as BasicName
    return (signed > 0 && base === "char" ? "signed char" : base) as BasicName
  }

  private qualifier(qualifiers: Qualifiers): boolean {
    const name = this.tokens.peek().text.replace(/^__|__$/g, "")
    if (name !== "const" && name !== "volatile" && name !== "restrict") return false
    this.tokens.next()
    qualifiers[name] = true
    return true
  }

  /** Wraps a type: tags outermost, as the kernel wants them before qualifiers. */
  private qualify(type: number, qualifiers: Qualifiers, attributes: Attributes): number {
    const { table } = this
    let id = type
    for (const kind of ["restrict", "volatile", "const"] as const)
      if (qualifiers[kind]) id = table.qualified(kind, id)
    for (const tag of attributes.typeTags.splice(0)) id = table.tagged(tag, id)
    return id
  }

  /** One `__attribute__((…))`, if there is one. What does not change types is ignored. */
  private attributes(into: Attributes): boolean {
    const { tokens } = this
    if (!tokens.accept("__attribute__") && !tokens.accept("__attribute")) return false
    tokens.expect("(")
    tokens.expect("(")
    while (!tokens.at(")")) {
      if (tokens.accept(",")) continue
      const name = tokens.expectName("an attribute").replace(/^__|__$/g, "")
      if (name === "packed") into.packed = true
      else if (name === "aligned") into.aligned = Math.max(into.aligned, this.alignment())
      else if (name === "btf_decl_tag") into.declTags.push(this.tagText())
      else if (name === "btf_type_tag") into.typeTags.push(this.tagText())
      else if (name === "mode" || name === "vector_size")
        tokens.fail(`attribute '${name}' is not supported`)
      else if (tokens.at("(")) tokens.skipParentheses()
    }
    tokens.expect(")")
    tokens.expect(")")
    return true
  }

  private alignment(): number {
    const { tokens } = this
    if (!tokens.accept("(")) return 16
    const value = constantExpression(tokens, this.scope)
    if (value < 1n || value > ALIGN_MAX || (value & (value - 1n)) !== 0n)
      tokens.fail(`alignment ${value} is not a power of two up to ${ALIGN_MAX}`)
    tokens.expect(")")
    return Number(value)
  }

  private tagText(): string {
    const { tokens } = this
    tokens.expect("(")
    if (tokens.peek().kind !== "string") tokens.fail("expected a string")
    const { text } = tokens.next()
    tokens.expect(")")
    return text
  }

  private enter(): void {
    if (++this.depth > DEPTH_MAX) this.tokens.fail(`types are nested more than ${DEPTH_MAX} deep`)
  }

  /** After `struct` or `union`: a tag, members, or both. */
  private composite(kind: "struct" | "union"): number {
    const { tokens, table } = this
    const attributes = newAttributes()
    while (this.attributes(attributes));
    const name = tokens.peek().kind === "name" ? tokens.next().text : ""
    while (this.attributes(attributes));
    if (!tokens.at("{")) {
      if (name === "") tokens.fail(`expected a name or '{' after '${kind}'`)
      return table.tag(kind, name)
    }
    if (name !== "") {
      if (table.isDefined(kind, name)) tokens.fail(`'${kind} ${name}' is defined twice`)
      table.tag(kind, name)
    }
    this.enter()
    tokens.next()
    const members: (UnplacedMember & { readonly declTags: readonly string[] })[] = []
    while (!tokens.accept("}")) this.memberDeclaration(kind, members)
    while (this.attributes(attributes));
    this.depth--
    const { packed, aligned } = attributes
    const placed = placeMembers(members, { union: kind === "union", packed, aligned })
    const id = table.define(
      { kind, name, size: placed.size, members: placed.members, kindFlag: false },
      placed.align,
    )
    for (const tag of attributes.declTags) table.builder.declTag(tag, id)
    const named = members.filter((member) => member.width === undefined || member.name !== "")
    named.forEach((member, index) => {
      for (const tag of member.declTags) table.builder.declTag(tag, id, index)
    })
    return id
  }

  private memberDeclaration(
    parent: "struct" | "union",
    members: (UnplacedMember & { readonly declTags: readonly string[] })[],
  ): void {
    const { table } = this
    const tokens: TokenStream = this.tokens
    const shared = newAttributes()
    const { type } = this.specifiers(shared)
    if (tokens.accept(";")) {
      const { what, size, align } = table.info(type)
      if (what !== "struct" && what !== "union") tokens.fail("a member needs a name")
      if (size === undefined) tokens.fail("an anonymous member needs its definition")
      members.push({ name: "", type, size, align, ...pick(shared) })
      return
    }
    do {
      const declarator = this.declarator(type, shared)
      const { name } = declarator
      const info = table.info(declarator.type)
      const { size } = info
      if (size === undefined) tokens.fail(`member '${name}' of ${parent} has no known size`)
      let width: number | undefined
      if (tokens.accept(":")) {
        const value = constantExpression(tokens, this.scope)
        if (info.what !== "int" && info.what !== "enum")
          tokens.fail(`bit-field '${name}' is not an integer`)
        if (value < 0n || value > BigInt(8 * size) || (value === 0n && name !== ""))
          tokens.fail(`bit-field '${name}' has ${value} bits, its type ${8 * size}`)
        width = Number(value)
      } else if (name === "") tokens.fail("a member needs a name")
      const attributes = declarator.attributes
      while (this.attributes(attributes));
      members.push({
        name,
        type: declarator.type,
        size,
        align: info.align,
        width,
        ...pick(attributes),
      })
    } while (tokens.accept(","))
    tokens.expect(";")
  }

  /** After `enum`. */
  private enumeration(): number {
    const { tokens, table } = this
    const attributes = newAttributes()
    while (this.attributes(attributes));
    const name = tokens.peek().kind === "name" ? tokens.next().text : ""
    if (!tokens.accept("{")) {
      if (name === "") tokens.fail("expected a name or '{' after 'enum'")
      return table.tag("enum", name)
    }
    if (name !== "" && table.isDefined("enum", name)) tokens.fail(`'enum ${name}' is defined twice`)
    const values: { name: string; value: bigint }[] = []
    let value = 0n
    while (!tokens.accept("}")) {
      const enumerator = tokens.expectName("an enumerator")
      if (tokens.accept("=")) value = constantExpression(tokens, this.scope)
      if (value < -(1n << 63n) || value >= 1n << 64n)
        tokens.fail(`enumerator '${enumerator}' does not fit 64 bits: ${value}`)
      values.push({ name: enumerator, value })
      table.enumerators.set(enumerator, value)
      value++
      if (!tokens.accept(",") && !tokens.at("}"))
        tokens.fail(`expected ',' or '}' before '${tokens.peek().text}'`)
    }
    while (this.attributes(attributes));
    return this.defineEnum(name, values, attributes)
  }

  /** An enum is 4 bytes, 8 if its values need them, the fewest that do with `packed`. */
  private defineEnum(
    name: string,
    values: readonly { name: string; value: bigint }[],
    attributes: Attributes,
  ): number {
    const signed = values.some((one) => one.value < 0n)
    const fits = (bits: bigint) =>
      values.every(({ value }) =>
        signed ? value >= -(1n << (bits - 1n)) && value < 1n << (bits - 1n) : value < 1n << bits,
      )
    const sizes = attributes.packed ? [1, 2, 4, 8] : [4, 8]
    const size = sizes.find((bytes) => fits(BigInt(8 * bytes))) ?? 8
    const align = Math.max(size, attributes.aligned)
    if (size === 8) return this.table.define({ kind: "enum64", name, size, signed, values }, align)
    const small = values.map((one) => ({ name: one.name, value: Number(one.value) }))
    return this.table.define({ kind: "enum", name, size, signed, values: small }, align)
  }

  /** A declarator around `base`: pointers, then a name or a parenthesised declarator, then suffixes. */
  private declarator(base: number, shared: Attributes): Declarator {
    this.enter()
    const { tokens, table } = this
    const attributes = copyAttributes(shared)
    let type = base
    while (this.attributes(attributes));
    while (tokens.accept("*")) {
      type = table.pointer(type)
      const qualifiers = { const: false, volatile: false, restrict: false }
      while (this.attributes(attributes) || this.qualifier(qualifiers));
      type = this.qualify(type, qualifiers, attributes)
    }
    let result: Declarator
    if (tokens.at("(") && this.isInnerDeclarator()) {
      const inner = tokens.mark() + 1
      tokens.skipParentheses()
      type = this.suffixes(type)
      const after = tokens.mark()
      tokens.rewind(inner)
      result = this.declarator(type, attributes)
      tokens.expect(")")
      tokens.rewind(after)
    } else {
      const name = tokens.peek().kind === "name" && !this.startsType() ? tokens.next().text : ""
      type = this.suffixes(type)
      result = { name, type, attributes }
    }
    while (this.attributes(result.attributes));
    this.depth--
    return result
  }

  /** Whether `(` begins a declarator in parentheses and not a parameter list. */
  private isInnerDeclarator(): boolean {
    const next = this.tokens.peek(1)
    if (next.text === "*" || next.text === "(" || next.text === "__attribute__") return true
    return next.kind === "name" && !TYPE_WORDS.has(next.text) && !this.table.typedefs.has(next.text)
  }

  private startsType(): boolean {
    const { text } = this.tokens.peek()
    return TYPE_WORDS.has(text) || text === "__attribute__"
  }

  private suffixes(base: number): number {
    const { tokens, table } = this
    if (tokens.accept("[")) {
      let length = 0n
      while (tokens.at("static") || tokens.at("const") || tokens.at("restrict")) tokens.next()
      if (!tokens.at("]")) length = constantExpression(tokens, this.scope)
      tokens.expect("]")
      if (length < 0n || length > LENGTH_MAX)
        tokens.fail(`array length ${length} is not in 0 to ${LENGTH_MAX}`)
      this.enter()
      const element = this.suffixes(base)
      this.depth--
      if (table.info(element).size === undefined) tokens.fail("array of elements without size")
      return table.array(element, Number(length))
    }
    if (tokens.accept("(")) {
      const { params, variadic } = this.parameters()
      return table.prototype(base, params, variadic)
    }
    return base
  }

  private parameters(): { params: { name: string; type: number }[]; variadic: boolean } {
    const { tokens, table } = this
    const params: { name: string; type: number }[] = []
    if (tokens.accept(")")) return { params, variadic: false }
    if (tokens.at("void") && tokens.peek(1).text === ")") {
      tokens.next()
      tokens.next()
      return { params, variadic: false }
    }
    do {
      if (tokens.accept("...")) {
        tokens.expect(")")
        return { params, variadic: true }
      }
      const attributes = newAttributes()
      const { type } = this.specifiers(attributes)
      const declarator = this.declarator(type, attributes)
      params.push({ name: declarator.name, type: this.decay(declarator.type) })
    } while (tokens.accept(","))
    tokens.expect(")")
    for (const param of params)
      if (table.info(param.type).what === "void") tokens.fail("a parameter of type void")
    return { params, variadic: false }
  }

  /** Parameters that are arrays or functions are pointers. */
  private decay(type: number): number {
    const { table } = this
    const { what, element } = table.info(type)
    if (what === "function") return table.pointer(type)
    return element === undefined ? type : table.pointer(element)
  }
}

function newAttributes(): Attributes {
  return { packed: false, aligned: 0, declTags: [], typeTags: [] }
}

function copyAttributes(from: Attributes): Attributes {
  return { ...from, declTags: [...from.declTags], typeTags: [...from.typeTags] }
}

function pick(attributes: Attributes): {
  packed: boolean
  aligned: number
  declTags: readonly string[]
} {
  const { packed, aligned, declTags } = attributes
  return { packed, aligned, declTags }
}
