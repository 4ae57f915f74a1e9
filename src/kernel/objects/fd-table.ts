/**
 * File descriptors of the embedded kernel. Numbers are the smallest free one, from 3, as a
 * process sees them; each holds a reference to its object.
 */

import { ERRNO } from "../../spec/index.ts"
import { isKind, type KernelObject, type ObjectKind } from "./kernel-object.ts"

/** How a descriptor may be used: FMODE_CAN_READ and FMODE_CAN_WRITE of maps. */
export interface AccessMode {
  readonly read: boolean
  readonly write: boolean
}

export const READ_WRITE: AccessMode = { read: true, write: true }

/** RLIMIT_NOFILE of the virtual process: MAP_CREATE and its like answer -EMFILE beyond it. */
const FDS_MAX = 1_048_576

interface OpenFile {
  readonly object: KernelObject
  readonly mode: AccessMode
}

export class FdTable {
  private readonly files = new Map<number, OpenFile>()
  private lowestFree = 3

  /** Takes a reference; returns the descriptor or -EMFILE. */
  open(object: KernelObject, mode: AccessMode = READ_WRITE): number {
    if (this.files.size >= FDS_MAX) return -ERRNO.EMFILE
    let fd = this.lowestFree
    while (this.files.has(fd)) fd++
    this.lowestFree = fd + 1
    object.get()
    if (isKind(object, "map")) object.value.userReferences++
    this.files.set(fd, { object, mode })
    return fd
  }

  /** The object behind `fd` if it is of that kind; -EBADF for no file, -EINVAL for another kind. */
  get<K extends ObjectKind>(fd: number | undefined, kind: K): KernelObject<K> | number {
    const file = fd === undefined ? undefined : this.files.get(fd)
    if (file === undefined) return -ERRNO.EBADF
    return isKind(file.object, kind) ? file.object : -ERRNO.EINVAL
  }

  /** Whatever is behind `fd`, or undefined. */
  find(fd: number): KernelObject | undefined {
    return this.files.get(fd)?.object
  }

  mode(fd: number): AccessMode {
    return this.files.get(fd)?.mode ?? READ_WRITE
  }

  /** Returns 0 or -EBADF. */
  close(fd: number): number {
    const file = this.files.get(fd)
    if (file === undefined) return -ERRNO.EBADF
    this.files.delete(fd)
    if (fd < this.lowestFree) this.lowestFree = fd
    dropUserReference(file.object)
    file.object.put()
    return 0
  }

  closeAll(): void {
    for (const fd of [...this.files.keys()]) this.close(fd)
  }

  get size(): number {
    return this.files.size
  }
}

/** A descriptor or pin of a map has gone: see {@link MapEntry.userReferences}. */
export function dropUserReference(object: KernelObject): void {
  if (!isKind(object, "map")) return
  object.value.userReferences--
  if (object.value.userReferences === 0) object.value.map.lastUserReferenceDropped?.()
}
