/**
 * BTF → TypeScript types of the values that codecs read and write: an interface for each struct and
 * union, a table of constants for each enum. Anonymous structs are written in place, or under the
 * name of their typedef.
 */

import type { Btf } from "../btf.ts"
import { type EnumShape, type Field, type Shape, type StructShape, shapeOf } from "../shapes.ts"
import { propertyKey, TypeScriptNames } from "./ts-names.ts"

/**
 * Prints declarations for the given types (structs, unions, enums, sections, typedefs of these) and
 * those they contain.
 *
 * @throws ObjectError for a type without size or whose layout contradicts itself.
 */
export function printTypeScript(btf: Btf, ids: Iterable<number>): string {
  const types = new TypeScriptTypes(btf)
  for (const id of ids) types.typeOf(id)
  return types.declarations()
}

/** Collects declarations while types are asked for. */
export class TypeScriptTypes {
  readonly names: TypeScriptNames
  private readonly btf: Btf
  /** By name; reserved while a struct's members are looked at. */
  private readonly declared = new Map<string, string>()

  constructor(btf: Btf) {
    this.btf = btf
    this.names = new TypeScriptNames(btf)
  }

  /** The TypeScript type of a BTF type: `number`, `FlowKey`, `bigint[]`, … */
  typeOf(id: number): string {
    return this.ofShape(shapeOf(this.btf, id), id)
  }

  /** All declarations that {@link typeOf} has needed, in order of need. */
  declarations(): string {
    return [...this.declared.values()].join("\n")
  }

  private ofShape(shape: Shape, id: number): string {
    switch (shape.kind) {
      case "int":
        return shape.size > 4 ? "bigint" : "number"
      case "bits":
        return shape.wide ? "bigint" : "number"
      case "bool":
        return "boolean"
      case "float":
        return "number"
      case "text":
        return "string"
      case "bytes":
        return "Uint8Array"
      case "enum":
        return this.ofEnum(shape, id)
      case "array": {
        const element = this.ofShape(shape.of, this.elementOf(id))
        return `${element.includes(" ") ? `Array<${element}>` : `${element}[]`}`
      }
      case "struct":
        return this.ofStruct(shape, id)
    }
  }

  /** The element type behind an array's typedefs. */
  private elementOf(id: number): number {
    const type = this.btf.resolve(id)
    const target = type.kind === "var" ? this.btf.resolve(type.type) : type
    return target.kind === "array" ? target.type : id
  }

  private ofEnum(shape: EnumShape, id: number): string {
    const wide = shape.of.kind === "bits" ? shape.of.wide : shape.of.size > 4
    const type = wide ? "bigint" : "number"
    const name = this.names.of(id)
    if (name === undefined) return type
    if (!this.declared.has(name)) {
      const values = shape.type.values.map(
        (one) => `  ${propertyKey(one.name)}: ${one.value}${wide ? "n" : ""},\n`,
      )
      this.declared.set(
        name,
        `/** enum ${commentText(this.names.origin(id).name)} */\n` +
          `export const ${name} = {\n${values.join("")}} as const\nexport type ${name} = ${type}\n`,
      )
    }
    return name
  }

  private ofStruct(shape: StructShape, id: number): string {
    const name = this.names.of(id)
    if (name === undefined) {
      const members = [...this.members(shape)].map(([key, type]) => `${key}: ${type}`)
      return members.length === 0 ? "Record<string, never>" : `{ ${members.join("; ")} }`
    }
    if (!this.declared.has(name)) {
      this.declared.set(name, "")
      const { type, size, union } = shape
      const kind = type.kind === "datasec" ? "section" : type.kind
      const origin = commentText(this.names.origin(id).name)
      const note = union ? ": all views of the same bytes" : ""
      const members = [...this.members(shape)].map(([key, one]) => `  ${key}: ${one}\n`)
      // Deleted and set again, so that what a struct contains comes before it.
      this.declared.delete(name)
      this.declared.set(
        name,
        `/** ${kind} ${origin}, ${size} bytes${note} */\nexport interface ${name} {\n${members.join("")}}\n`,
      )
    }
    return name
  }

  /** Keys and types; of two members of one name (no C has that) the last. */
  private members(shape: StructShape): Map<string, string> {
    const members = new Map<string, string>()
    for (const { name, shape: inner, type } of fieldsOf(shape))
      members.set(propertyKey(name), this.ofShape(inner, type))
    return members
  }
}

/** A name that cannot end the comment it stands in. */
function commentText(name: string): string {
  return name.replace(/[^\x20-\x7e]|\*\//g, "?")
}

/** All fields of a struct, those of its anonymous members in place. */
export function* fieldsOf(shape: StructShape): IterableIterator<Field> {
  for (const part of shape.parts) {
    if (part.group !== null) yield* fieldsOf(part.group)
    else yield part.field
  }
}
