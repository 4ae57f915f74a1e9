/**
 * The virtual bpffs, mounted at /sys/fs/bpf: names for maps, programs and links that outlive their
 * descriptors (linux v6.18 kernel/bpf/inode.c). Directories exist implicitly once something was
 * pinned below them, or when made.
 */

import { ERRNO } from "../../spec/index.ts"
import { dropUserReference } from "./fd-table.ts"
import { isKind, type KernelObject } from "./kernel-object.ts"

/** Where the virtual bpffs is mounted. */
export const BPFFS_ROOT = "/sys/fs/bpf"
/** NAME_MAX and PATH_MAX of Linux. */
const NAME_MAX = 255
const PATH_MAX = 4096

export class Bpffs {
  private readonly pins = new Map<string, KernelObject>()
  private readonly directories = new Set<string>([BPFFS_ROOT])

  /** Makes a directory (and its parents, like `mkdir -p`); returns 0 or a negative errno. */
  makeDirectory(path: string): number {
    const parts = split(path)
    if (typeof parts === "number") return parts
    let directory = BPFFS_ROOT
    for (const part of parts) {
      directory += `/${part}`
      if (this.pins.has(directory)) return -ERRNO.ENOTDIR
      this.directories.add(directory)
    }
    return 0
  }

  pin(path: string, object: KernelObject): number {
    const parts = split(path)
    if (typeof parts === "number") return parts
    const name = parts[parts.length - 1]
    if (name === undefined) return -ERRNO.EEXIST
    // bpf_lookup() refuses names with a dot, which are reserved.
    if (name.includes(".")) return -ERRNO.EPERM
    const parent = [BPFFS_ROOT, ...parts.slice(0, -1)].join("/")
    if (!this.directories.has(parent)) return -ERRNO.ENOENT
    const full = `${parent}/${name}`
    if (this.pins.has(full) || this.directories.has(full)) return -ERRNO.EEXIST
    object.get()
    if (isKind(object, "map")) object.value.userReferences++
    this.pins.set(full, object)
    return 0
  }

  lookup(path: string): KernelObject | number {
    const parts = split(path)
    if (typeof parts === "number") return parts
    const object = this.pins.get([BPFFS_ROOT, ...parts].join("/"))
    if (object !== undefined) return object
    return this.directories.has([BPFFS_ROOT, ...parts].join("/")) ? -ERRNO.EACCES : -ERRNO.ENOENT
  }

  /** unlink(2). */
  unpin(path: string): number {
    const parts = split(path)
    if (typeof parts === "number") return parts
    const full = [BPFFS_ROOT, ...parts].join("/")
    const object = this.pins.get(full)
    if (object === undefined) return -ERRNO.ENOENT
    this.pins.delete(full)
    dropUserReference(object)
    object.put()
    return 0
  }

  /** All pins, by path. */
  entries(): IterableIterator<[string, KernelObject]> {
    return this.pins.entries()
  }

  clear(): void {
    for (const path of [...this.pins.keys()]) this.unpin(path)
  }
}

function split(path: string): string[] | number {
  if (path.length === 0) return -ERRNO.ENOENT
  if (path.length >= PATH_MAX) return -ERRNO.ENAMETOOLONG
  const parts = path.split("/").filter((part) => part !== "" && part !== ".")
  if (parts.some((part) => part.length > NAME_MAX)) return -ERRNO.ENAMETOOLONG
  if (`/${parts.slice(0, 3).join("/")}` !== BPFFS_ROOT) return -ERRNO.EPERM
  return parts.slice(3)
}
