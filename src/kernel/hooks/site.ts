/**
 * One hook with the programs attached to it, in the order in which they run. Ordering relative to
 * another program or link follows linux v6.18 kernel/bpf/mprog.c.
 */

import { BPF_ATTACH_FLAG, BPF_MPROG_MAX, ERRNO } from "../../spec/index.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Attachment } from "./link.ts"

/** Where to insert: relative to what. Absent: at the end. */
export interface Position {
  readonly flags: number
  /** The program or link that `relative_fd` or `relative_id` names, or null when none is given. */
  readonly relative: KernelObject<"program"> | KernelObject<"link"> | null
  /** 0: any. */
  readonly expectedRevision: bigint
}

export const AT_END: Position = { flags: 0, relative: null, expectedRevision: 0n }

export class HookSite {
  readonly attachments: Attachment[] = []
  /** Counts changes, from 1. */
  revision = 1n

  /** Inserts; returns 0 or a negative errno. */
  insert(attachment: Attachment, position: Position = AT_END): number {
    if (position.expectedRevision !== 0n && position.expectedRevision !== this.revision)
      return -ERRNO.ESTALE
    if (this.attachments.some((one) => one.program.value === attachment.program.value))
      return -ERRNO.EEXIST
    if (this.attachments.length >= BPF_MPROG_MAX) return -ERRNO.ERANGE
    const before = (position.flags & BPF_ATTACH_FLAG.BPF_F_BEFORE) !== 0
    const after = (position.flags & BPF_ATTACH_FLAG.BPF_F_AFTER) !== 0
    let index = before && !after ? 0 : this.attachments.length
    if (position.relative !== null) {
      const at = this.find(position.relative)
      if (at < 0) return -ERRNO.ENOENT
      if (before && after) return -ERRNO.EINVAL
      index = before ? at : at + 1
    } else if (before && after && this.attachments.length > 0) {
      // Both flags: the place must be first and last at once.
      return -ERRNO.ERANGE
    }
    this.attachments.splice(index, 0, attachment)
    this.revision++
    return 0
  }

  /**
   * Puts an attachment in the place of that of `old` (BPF_F_REPLACE). Returns what was there, or a
   * negative errno; attachments by link cannot be replaced like this.
   */
  replace(
    attachment: Attachment,
    old: KernelObject<"program">,
    expectedRevision = 0n,
  ): Attachment | number {
    if (expectedRevision !== 0n && expectedRevision !== this.revision) return -ERRNO.ESTALE
    if (this.attachments.some((one) => one.program.value === attachment.program.value))
      return -ERRNO.EEXIST
    const index = this.attachments.findIndex((one) => one.program.value === old.value)
    if (index < 0) return -ERRNO.ENOENT
    const replaced = this.attachments[index]
    if (replaced.link !== null) return -ERRNO.EBUSY
    this.attachments[index] = attachment
    this.revision++
    return replaced
  }

  /** Adds at the end without the checks of ordered hooks: tracing takes a program any number of times. */
  append(attachment: Attachment): void {
    this.attachments.push(attachment)
    this.revision++
  }

  remove(attachment: Attachment): boolean {
    const index = this.attachments.indexOf(attachment)
    if (index < 0) return false
    this.attachments.splice(index, 1)
    this.revision++
    return true
  }

  private find(relative: KernelObject<"program"> | KernelObject<"link">): number {
    return this.attachments.findIndex((one) =>
      relative.kind === "link" ? one.link === relative.value : one.program.value === relative.value,
    )
  }
}
