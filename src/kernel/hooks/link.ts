/**
 * A link: the kernel object that keeps a program attached. When its last reference goes, the
 * program is detached.
 */

import type { BpfMap } from "../maps/map.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Task } from "../tasks/task.ts"

/** One program at one hook, attached by a link or by PROG_ATTACH (then `link` is null). */
export interface Attachment {
  program: KernelObject<"program">
  link: Link | null
  readonly cookie: bigint
  /** Absent: every task. A perf event of one process, a uprobe of one process. */
  readonly applies?: (task: Task) => boolean
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
  /** LINK_UPDATE has put another program into the attachment. */
  readonly onUpdate?: (next: KernelObject<"program">) => void
  /** What `struct bpf_link_info` says beyond type, id and program: the union at byte 16. */
  readonly target: LinkTarget
}

export type LinkTarget =
  | { readonly kind: "device"; readonly ifindex: number }
  | { readonly kind: "cgroup"; readonly cgroupId: bigint }
  | { readonly kind: "raw_tracepoint"; readonly name: string }
  | { readonly kind: "tracing"; readonly objectId: number; readonly btfId: number }
  | { readonly kind: "tracepoint"; readonly name: string }
  | { readonly kind: "netns"; readonly inode: number }
  | {
      readonly kind: "netfilter"
      readonly pf: number
      readonly hook: number
      readonly priority: number
      readonly flags: number
    }
  | { readonly kind: "sockmap"; readonly mapId: number }
  | {
      readonly kind: "iter"
      readonly name: string
      readonly info: Uint8Array
      readonly map: BpfMap | null
    }
  | { readonly kind: "kprobe_multi"; readonly count: number; readonly flags: number }
  | {
      readonly kind: "uprobe_multi"
      readonly count: number
      readonly flags: number
      readonly pid: number
    }
  | {
      readonly kind: "uprobe"
      readonly path: string
      readonly offset: bigint
      readonly onReturn: boolean
    }
  | { readonly kind: "kprobe"; readonly name: string; readonly onReturn: boolean }
  | { readonly kind: "event"; readonly type: number; readonly config: bigint }
