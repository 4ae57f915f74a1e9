/** The kernel object behind a BTF file descriptor. */

import type { Btf } from "../../btf/index.ts"

export interface BtfObject {
  id: number
  readonly btf: Btf
  readonly bytes: Uint8Array
  /** Empty for BTF that user space loaded; `vmlinux` for the kernel's own. */
  readonly name: string
  readonly kernel: boolean
}
