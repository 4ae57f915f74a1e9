/**
 * Names in printed C. Tags (struct, union, enum) are one name space, typedefs and enumerators
 * another; in each, the second type of a name gets `___2`, the third `___3`, which CO-RE takes for
 * flavours of the first. Numbers are given in the order in which names are first printed.
 */

import type { BtfType } from "../types.ts"

export class CNames {
  private readonly chosen = new Map<number, string>()
  private readonly tags = new Map<string, number>()
  private readonly identifiers = new Map<string, number>()

  /** The tag of a struct, union, enum or forward declaration; empty if it is anonymous. */
  tag(type: BtfType): string {
    const undefinedEnum =
      (type.kind === "enum" || type.kind === "enum64") && type.values.length === 0
    if (type.name === "" || type.kind === "fwd" || undefinedEnum) return type.name
    return this.choose(type, this.tags)
  }

  /** The name of a typedef. */
  typedef(type: BtfType): string {
    return this.choose(type, this.identifiers)
  }

  /** The name of an enumerator, each time it is printed. */
  enumerator(name: string): string {
    return unique(this.identifiers, name)
  }

  private choose(type: BtfType, space: Map<string, number>): string {
    let name = this.chosen.get(type.id)
    if (name === undefined) this.chosen.set(type.id, (name = unique(space, type.name)))
    return name
  }
}

function unique(space: Map<string, number>, name: string): string {
  const count = (space.get(name) ?? 0) + 1
  space.set(name, count)
  return count === 1 ? name : `${name}___${count}`
}
