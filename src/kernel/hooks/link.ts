/**
 * A link: the kernel object that keeps a program attached. When its last reference goes, the
 * program is detached.
 */

import type { KernelObject } from "../objects/kernel-object.ts"

/** One program at one hook, attached by a link or by PROG_ATTACH (then `link` is null). */
export interface Attachment {
  program: KernelObject<"program">
  link: Link | null
  readonly cookie: bigint
}

export interface Link {
  id: number
  /** enum bpf_link_type. */
  readonly type: number
  /** enum bpf_attach_type. */
  readonly attachType: number
  readonly attachment: Attachment
  /** False once detached: the link lives on without a target, as in Linux. */
  attached: boolean
  /** Takes the attachment out of its hook. Returns 0, or -EOPNOTSUPP for kinds Linux cannot detach. */
  detach(): number
  /** What `struct bpf_link_info` says beyond type, id and program: the union at byte 16. */
  readonly target: LinkTarget
}

export type LinkTarget =
  | { readonly kind: "device"; readonly ifindex: number }
  | { readonly kind: "cgroup"; readonly cgroupId: bigint }
  | { readonly kind: "raw_tracepoint"; readonly name: string }
  | { readonly kind: "tracing"; readonly objectId: number; readonly btfId: number }
  | { readonly kind: "tracepoint"; readonly name: string }
  | { readonly kind: "netns" }
