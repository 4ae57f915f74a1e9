/**
 * C spelling of types: `const struct task_struct *`, `int (*)(void *, ...)`, `char[16]`. A C
 * declaration is read from the name outwards, so the text grows around a declarator while the
 * chain of types is followed: pointers are put before it, arrays and parameters after it.
 */

import { MAX_RESOLVE_DEPTH } from "./constants.ts"
import type { BtfFuncProto, TypeSource } from "./types.ts"

/**
 * Declares `declarator` (a name, or empty for the bare type) with the type `id`. Structs, unions
 * and enums appear by name, anonymous ones as `struct {…}`; what is nested too deeply, as `…`.
 */
export function spellType(source: TypeSource, id: number, declarator = ""): string {
  return spell(source, id, declarator, 0)
}

function spell(source: TypeSource, id: number, declarator: string, depth: number): string {
  let text = declarator
  let at = id
  // Qualifiers that were met and belong to the type that comes next.
  let qualifiers = ""
  for (let step = depth; step <= MAX_RESOLVE_DEPTH; step++) {
    const type = source.type(at)
    switch (type.kind) {
      case "ptr": {
        text = `*${qualifiers === "" ? "" : `${qualifiers.trimEnd()}${text === "" ? "" : " "}`}${text}`
        qualifiers = ""
        at = type.type
        const pointee = source.type(at).kind
        if (pointee === "array" || pointee === "func_proto") text = `(${text})`
        continue
      }
      case "array":
        text = `${text}[${type.length === 0 ? "" : type.length}]`
        at = type.type
        continue
      case "func_proto":
        text = `${text === "" ? "()" : text}(${parameters(source, type, step + 1)})`
        at = type.returnType
        continue
      case "const":
      case "volatile":
      case "restrict":
        qualifiers += `${type.kind} `
        at = type.type
        continue
      case "type_tag":
      case "decl_tag":
        at = type.type
        continue
      case "func":
      case "var":
        if (text === "") text = type.name
        at = type.type
        continue
      default:
        return join(`${qualifiers}${baseName(type)}`, text)
    }
  }
  return join("…", text)
}

function baseName(type: { kind: string; name: string; of?: string }): string {
  switch (type.kind) {
    case "struct":
    case "union":
      return `${type.kind} ${type.name === "" ? "{…}" : type.name}`
    case "enum":
    case "enum64":
      return `enum ${type.name === "" ? "{…}" : type.name}`
    case "fwd":
      return `${type.of} ${type.name}`
    case "void":
      return "void"
    default:
      return type.name
  }
}

function parameters(source: TypeSource, proto: BtfFuncProto, depth: number): string {
  const parts = proto.params.map((param) => spell(source, param.type, param.name, depth))
  if (proto.variadic) parts.push("...")
  return parts.length === 0 ? "void" : parts.join(", ")
}

function join(base: string, declarator: string): string {
  return declarator === "" || declarator.startsWith("[")
    ? base + declarator
    : `${base} ${declarator}`
}
