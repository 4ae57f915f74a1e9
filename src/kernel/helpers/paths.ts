/**
 * Names of `struct path` objects in kernel memory: the dentries from the file up to the root
 * (linux v6.18 fs/d_path.c).
 */

import { memberOffset } from "./members.ts"
import { type HelperMachine, isReadable, textAt } from "./support.ts"

/** Components of a path that are followed (PATH_MAX / 2). */
const DEPTH_MAX = 2048
const NAME_BYTES_MAX = 256

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
