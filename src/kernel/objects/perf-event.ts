/** What perf_event_open opens: something that one program can be attached to by LINK_CREATE. */

import type { LinkTarget } from "../hooks/link.ts"
import type { Program } from "../programs/program.ts"
import type { Task } from "../tasks/task.ts"

export interface PerfEventHandle {
  readonly kind: "tracepoint" | "kprobe" | "uprobe" | "event"
  /** The hook at which its program runs. */
  readonly key: string
  readonly target: LinkTarget
  /** Absent: every task. */
  readonly applies?: (task: Task) => boolean
  /** Tracepoints: bytes of the record; programs that look beyond are refused. */
  readonly contextBytes?: number
  /** Functions whose result may be overridden. */
  readonly injectable?: boolean
  /** The program that is attached. */
  program: Program | null
  start?(): void
  stop?(): void
}
