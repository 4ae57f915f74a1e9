/**
 * BTF → a C header that compiles: every named struct, union, enum and typedef after those whose
 * size it needs, forward declarations where only a pointer is needed, and clang's attribute that
 * makes accesses relocatable. The text of each definition is that of `bpftool btf dump format c`.
 */

import { ObjectError } from "../../base/index.ts"
import type { Btf } from "../btf.ts"
import type { BtfType } from "../types.ts"
import { CNames } from "./c-names.ts"
import { CText } from "./c-text.ts"

/** Longest chain of definitions that need each other. */
const DEPTH_MAX = 256

/** Most mentions of types by types: about 10 times those of a kernel. */
const MENTIONS_MAX = 5_000_000

/** How much of a header to print. */
export interface PrintCOptions {
  /** Include guard and attribute around the definitions; on unless `false`. */
  readonly frame?: boolean
}

const HEAD = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`

const TAIL = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`

/**
 * Prints types as C definitions, with all others that these need.
 *
 * @param ids which types; all of the BTF unless given.
 * @throws ObjectError for types that no C declaration can have.
 */
export function printC(btf: Btf, ids?: Iterable<number>, options: PrintCOptions = {}): string {
  const body = new CDefinitions(btf).print(ids ?? everyId(btf))
  return options.frame === false ? body : HEAD + body + TAIL
}

function* everyId(btf: Btf): IterableIterator<number> {
  for (let id = btf.firstId; id < btf.typeCount; id++) yield id
}

/** GCC's names of types that headers use as if they were built in. */
const ALIASES: Readonly<Record<string, string>> = {
  __Poly8_t: "unsigned char",
  __Poly16_t: "unsigned short",
  __Poly64_t: "unsigned long long",
  __Poly128_t: "unsigned __int128",
}

class CDefinitions {
  private readonly btf: Btf
  private readonly text: CText
  private readonly names = new CNames()
  private readonly blocks: string[] = []
  /** Types whose definition is printed. */
  private readonly defined = new Set<number>()
  /** Types whose definition waits for its parts. */
  private readonly open = new Set<number>()
  /** Structs with a forward declaration. */
  private readonly forward = new Set<number>()
  private readonly referenced: ReadonlySet<number>
  private mentions = 0

  constructor(btf: Btf) {
    this.btf = btf
    this.text = new CText(btf, this.names)
    this.referenced = referencedEnums(btf)
  }

  print(ids: Iterable<number>): string {
    for (const id of ids) this.define(id, 0)
    return this.blocks.join("")
  }

  private emit(text: string): void {
    this.blocks.push(`${text};\n\n`)
  }

  /** Prints the definition of a type that has one of its own. */
  private define(id: number, depth: number): void {
    if (this.defined.has(id)) return
    const type = this.btf.type(id)
    if (this.open.has(id) || depth > DEPTH_MAX)
      throw new ObjectError(`${type.kind} '${type.name}' (type ${id}) contains itself`)
    switch (type.kind) {
      case "struct":
      case "union":
        if (type.name === "") return
        this.open.add(id)
        for (const member of type.members) this.need(member.type, false, id, depth + 1)
        this.open.delete(id)
        this.defined.add(id)
        this.emit(this.text.composite(type, 0))
        return
      case "enum":
      case "enum64":
        if (type.name === "" && this.referenced.has(id)) return
        this.defined.add(id)
        this.emit(this.text.enumeration(type, 0))
        return
      case "fwd":
        this.defined.add(id)
        this.emit(`${type.of} ${type.name}`)
        return
      case "typedef":
        this.defineTypedef(type, depth)
        return
      case "int":
        this.defineAlias(type)
        return
      default:
        return
    }
  }

  private defineTypedef(type: Extract<BtfType, { kind: "typedef" }>, depth: number): void {
    this.defined.add(type.id)
    if (type.name === "__builtin_va_list") return
    this.need(type.type, true, 0, depth + 1)
    this.emit(this.text.typedef(type))
  }

  private defineAlias(type: BtfType): void {
    const alias = ALIASES[type.name]
    this.defined.add(type.id)
    if (alias !== undefined) this.emit(`typedef ${alias} ${type.name}`)
  }

  /**
   * Sees to it that a type can be mentioned.
   *
   * @param weak whether a declaration is enough: the type is behind a pointer or a typedef.
   * @param container the struct that is going to be printed next, which may mention itself.
   */
  private need(id: number, weak: boolean, container: number, depth: number): void {
    const type = this.btf.type(id)
    // Anonymous structs are walked at each mention, which hostile BTF can make many.
    if (++this.mentions > MENTIONS_MAX)
      throw new ObjectError(`more than ${MENTIONS_MAX} mentions of types`)
    if (depth > DEPTH_MAX)
      throw new ObjectError(
        `definitions need each other more than ${DEPTH_MAX} deep, at type ${id}`,
      )
    switch (type.kind) {
      case "ptr":
        this.need(type.type, true, container, depth + 1)
        return
      case "array":
        this.need(type.type, false, container, depth + 1)
        return
      case "const":
      case "volatile":
      case "restrict":
      case "type_tag":
        this.need(type.type, weak, container, depth + 1)
        return
      case "func_proto":
        this.need(type.returnType, true, container, depth + 1)
        for (const param of type.params) this.need(param.type, true, container, depth + 1)
        return
      case "typedef":
        this.define(id, depth + 1)
        if (!weak) this.needBehind(type.type, container, depth + 1)
        return
      case "struct":
      case "union":
        if (type.name === "") {
          for (const member of type.members) this.need(member.type, false, container, depth + 1)
        } else if (weak) {
          this.declareForward(type, container)
        } else {
          this.define(id, depth + 1)
        }
        return
      case "enum":
      case "enum64":
        if (type.name !== "") this.define(id, depth + 1)
        return
      default:
        this.define(id, depth + 1)
    }
  }

  /** What a typedef stands for must be complete where a value of it is needed. */
  private needBehind(id: number, container: number, depth: number): void {
    const type = this.btf.type(id)
    const anonymous = (type.kind === "struct" || type.kind === "union") && type.name === ""
    if (!anonymous) this.need(id, false, container, depth)
  }

  private declareForward(type: BtfType, container: number): void {
    if (type.id === container || this.defined.has(type.id) || this.forward.has(type.id)) return
    this.forward.add(type.id)
    this.emit(`${type.kind} ${this.names.tag(type)}`)
  }
}

/** Anonymous enums that are the type of something, and so are printed inside it. */
function referencedEnums(btf: Btf): ReadonlySet<number> {
  const referenced = new Set<number>()
  for (let id = btf.base?.firstId ?? btf.firstId; id < btf.typeCount; id++) {
    const type = btf.type(id)
    switch (type.kind) {
      case "struct":
      case "union":
        for (const member of type.members) referenced.add(member.type)
        break
      case "func_proto":
        referenced.add(type.returnType)
        for (const param of type.params) referenced.add(param.type)
        break
      case "datasec":
        for (const variable of type.variables) referenced.add(variable.type)
        break
      default:
        if ("type" in type) referenced.add(type.type)
    }
  }
  return referenced
}
