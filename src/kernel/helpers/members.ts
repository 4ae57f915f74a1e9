/** Members of kernel structures, found by name in the kernel's own types. */

import type { Btf } from "../../btf/index.ts"

/** Byte offset of a member of a struct, with members of members separated by dots. */
export function memberOffset(types: Btf, struct: string, path: string): number | undefined {
  let id = types.findByName(struct, "struct")
  let offset = 0
  for (const name of path.split(".")) {
    if (id === undefined) return undefined
    const type = types.resolve(id)
    if (type.kind !== "struct" && type.kind !== "union") return undefined
    const direct = type.members.find((member) => member.name === name)
    const member = direct ?? type.members.find((one) => one.name === "")
    if (member === undefined) return undefined
    offset += member.bitOffset / 8
    id = member.type
    // The name is one level down, in an anonymous union.
    if (direct === undefined) {
      const inner = types.resolve(id)
      if (inner.kind !== "struct" && inner.kind !== "union") return undefined
      const found = inner.members.find((one) => one.name === name)
      if (found === undefined) return undefined
      offset += found.bitOffset / 8
      id = found.type
    }
  }
  return offset
}
