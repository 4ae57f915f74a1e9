/**
 * Names of `struct path` objects in kernel memory: the dentries from the file up to the root
 * (linux v6.18 fs/d_path.c).
 */

import type { Btf } from "../../btf/index.ts"
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
  let mount = pointer(machine.low(n) + (memberOffset(types, "path", "mnt") ?? 0), machine.high(n))
  const inMount = mountOffsets(types)
  let text = ""
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    if (dentry === undefined || dentry[0] === 0) break
    const [low, high] = dentry
    if (inMount !== undefined && mount !== undefined && mount[0] !== 0) {
      const root = pointer(mount[0] + inMount.root, mount[1])
      if (root?.[0] === low) {
        // The root of a mount: on to what it is mounted on, unless it is the first of all.
        const outer = pointer(mount[0] - inMount.mnt + inMount.parent, mount[1])
        const point = pointer(mount[0] - inMount.mnt + inMount.point, mount[1])
        if (outer === undefined || point === undefined || outer[0] === mount[0] - inMount.mnt) break
        mount = [outer[0] + inMount.mnt, outer[1]]
        dentry = point
        continue
      }
    }
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

/** Where `struct mount` has what a walk upwards needs; undefined when these types do not have it. */
function mountOffsets(
  types: Btf,
): { mnt: number; parent: number; point: number; root: number } | undefined {
  const [mnt, parent, point, root] = [
    memberOffset(types, "mount", "mnt"),
    memberOffset(types, "mount", "mnt_parent"),
    memberOffset(types, "mount", "mnt_mountpoint"),
    memberOffset(types, "vfsmount", "mnt_root"),
  ]
  if (mnt === undefined || parent === undefined || point === undefined || root === undefined)
    return undefined
  return { mnt, parent, point, root }
}
