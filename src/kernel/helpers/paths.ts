/**
 * Names of `struct path` objects in kernel memory: the dentries from the file up to the root
 * (linux v6.18 fs/d_path.c).
 */

import type { Btf } from "../../btf/index.ts"
import { type HelperMachine, isReadable, textAt } from "./support.ts"

/** Components of a path that are followed (PATH_MAX / 2). */
const DEPTH_MAX = 2048
const NAME_BYTES_MAX = 256

/** Byte offset of a member of a struct, with members of members separated by dots. */
function memberOffset(types: Btf, struct: string, path: string): number | undefined {
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

/** The name of the `struct path` that register `n` points to; undefined when it is none. */
export function pathText(machine: HelperMachine, n: number): string | undefined {
  const { space, environment } = machine
  const { types } = environment.kernel
  const dentryOffset = memberOffset(types, "path", "dentry")
  const parentOffset = memberOffset(types, "dentry", "d_parent")
  const nameOffset = memberOffset(types, "dentry", "d_name.name")
  if (dentryOffset === undefined || parentOffset === undefined || nameOffset === undefined)
    return undefined
  const pointer = (low: number, high: number): readonly [number, number] | undefined =>
    isReadable(space, low, high, 8)
      ? [space.view.getInt32(low, true), space.view.getInt32(low + 4, true)]
      : undefined
  let dentry = pointer(machine.low(n) + dentryOffset, machine.high(n))
  let text = ""
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    if (dentry === undefined || dentry[0] === 0) break
    const [low, high] = dentry
    const name = pointer(low + nameOffset, high)
    const parent = pointer(low + parentOffset, high)
    if (name === undefined || !isReadable(space, name[0], name[1], 1)) break
    const part = textAt(space, name[0], NAME_BYTES_MAX)
    if (part !== "/") text = `/${part}${text}`
    if (parent === undefined || (parent[0] === low && parent[1] === high)) break
    dentry = parent
  }
  return text === "" ? "/" : text
}
