/** Names for C types and their members in TypeScript: `struct flow_key` → `FlowKey`. */

import type { Btf } from "../btf.ts"
import { MAX_RESOLVE_DEPTH } from "../constants.ts"
import { isModifier } from "../layout.ts"

/** Names that generated code itself uses, or that no type may have. */
const TAKEN = [
  "Array",
  "ArrayBuffer",
  "ArrayLike",
  "BigInt",
  "Codec",
  "DataView",
  "Error",
  "Math",
  "Number",
  "Object",
  "RangeError",
  "String",
  "TextDecoder",
  "TextEncoder",
  "TypeError",
  "Uint8Array",
]

/** Unique type names, one for each BTF type that gets one. */
export class TypeScriptNames {
  private readonly btf: Btf
  private readonly chosen = new Map<number, string>()
  private readonly used = new Set<string>(TAKEN)

  constructor(btf: Btf) {
    this.btf = btf
  }

  /**
   * The name of the type behind `id`'s typedefs and qualifiers: its own, or if it is anonymous, that
   * of the typedef next to it. `undefined` if there is neither.
   */
  of(id: number): string | undefined {
    const { target, name } = this.origin(id)
    if (name === "") return undefined
    let chosen = this.chosen.get(target)
    if (chosen === undefined) this.chosen.set(target, (chosen = this.unique(pascalCase(name))))
    return chosen
  }

  /** The C name that {@link of} starts from, and the type that has it. */
  origin(id: number): { target: number; name: string } {
    let name = ""
    let at = id
    for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
      const type = this.btf.type(at)
      if (!isModifier(type) && type.kind !== "var")
        return { target: at, name: type.name === "" ? name : type.name }
      if (type.kind === "typedef") name = type.name
      at = type.type
    }
    return { target: at, name: "" }
  }

  /** A name that nothing else has yet. */
  unique(wanted: string): string {
    let name = wanted
    for (let count = 2; this.used.has(name); count++) name = `${wanted}${count}`
    this.used.add(name)
    return name
  }
}

/** `flow_key` → `FlowKey`, `.bss` → `Bss`, `8ball` → `_8ball`. */
export function pascalCase(name: string): string {
  const text = name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("")
  return /^[A-Za-z]/.test(text) ? text : `_${text}`
}

/** `FlowKey` → `flowKey`. */
export function camelCase(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1)
}

/** A member name as an object literal's key. */
export function propertyKey(name: string): string {
  if (name === "__proto__") return '["__proto__"]'
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) ? name : JSON.stringify(name)
}

/** Access to a member of `object`. */
export function propertyOf(object: string, name: string): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name)
    ? `${object}.${name}`
    : `${object}[${JSON.stringify(name)}]`
}
