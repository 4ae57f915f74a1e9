/**
 * What the kernel interface offers to trace with: perf events for tracepoints, functions of the
 * kernel and of executables, clocks; iterators; and what LINK_CREATE asks about them.
 */

import { ERRNO, type PerfEventAttr, type UprobeTarget } from "../spec/index.ts"
import { findTracepoint } from "./events/index.ts"
import { hookKey } from "./hooks/hooks.ts"
import { BpfIterator } from "./iterators/iterator.ts"
import { iteratorSource } from "./iterators/targets.ts"
import type { KernelTables } from "./kernel-tables.ts"
import { KernelObject } from "./objects/kernel-object.ts"
import type { PerfEventHandle } from "./objects/perf-event.ts"
import type { Task } from "./tasks/task.ts"
import type { Tasks } from "./tasks/tasks.ts"
import { PerfEvents } from "./world/perf-events.ts"
import type { Symbols } from "./world/symbols.ts"
import type { World } from "./world/world.ts"

/** The part of the world that commands ask about for tracing. */
export interface TracingWorld {
  /** Whether a kprobe can be set on the function. */
  hasFunction(name: string): boolean
  /** Whether its result may be overridden. */
  isInjectable(name: string): boolean
  /** All functions with their addresses. */
  functions(): readonly (readonly [string, bigint])[]
  /** What a path names; undefined: nothing. */
  fileKind(path: string): "regular" | "other" | undefined
  /** All tasks by rising pid. */
  tasks(): readonly Task[]
  /** Cgroup directories with their ids. */
  cgroups(): ReadonlyMap<string, bigint>
  cgroupAddress(path: string): bigint
  /** The number of the next iterator's session. */
  nextSession(): bigint
}

/** Answers for {@link TracingWorld} out of a kernel that may not be put together yet. */
export function tracingWorld(kernel: {
  readonly tasks: Tasks
  readonly world: World
  readonly symbols: Symbols
}): TracingWorld {
  let sessions = 0n
  return {
    hasFunction: (name) => kernel.symbols.has(name),
    isInjectable: (name) => kernel.symbols.isInjectable(name),
    functions: () => kernel.symbols.list(),
    fileKind(path) {
      const inode = kernel.world.files.find(path)?.dentry.inode
      return inode ? (inode.isRegular ? "regular" : "other") : undefined
    },
    tasks: () => kernel.tasks.list(),
    cgroups: () => kernel.tasks.knownCgroups(),
    cgroupAddress: (path) => kernel.tasks.cgroupAddress(path),
    nextSession: () => ++sessions,
  }
}

export class Tracing {
  private readonly tables: KernelTables
  private readonly perfEvents: PerfEvents

  constructor(tables: KernelTables, world: World) {
    this.tables = tables
    this.perfEvents = new PerfEvents(world)
  }

  openTracepoint(group: string, name: string): number {
    const definition = findTracepoint(group, name)
    if (definition === undefined) return -ERRNO.ENOENT
    const { types } = this.tables.state
    const id = types.findByName(`trace_event_raw_${definition.record}`, "struct")
    return this.open({
      kind: "tracepoint",
      key: hookKey.tracepoint(group, name),
      target: { kind: "tracepoint", name },
      contextBytes: id === undefined ? undefined : types.sizeOf(id),
      program: null,
    })
  }

  openKprobe(symbol: string, onReturn: boolean): number {
    if (!/^[A-Za-z_][\w.]*$/.test(symbol)) return -ERRNO.EINVAL
    if (!this.tables.world.hasFunction(symbol)) return -ERRNO.ENOENT
    return this.open({
      kind: "kprobe",
      key: hookKey.tracepoint(onReturn ? "kretprobe" : "kprobe", symbol),
      target: { kind: "kprobe", name: symbol, onReturn },
      injectable: !onReturn && this.tables.world.isInjectable(symbol),
      program: null,
    })
  }

  openUprobe(target: UprobeTarget): number {
    const { path, offset, onReturn, pid } = target
    const file = this.tables.world.fileKind(path)
    if (file === undefined) return -ERRNO.ENOENT
    if (file !== "regular") return -ERRNO.EINVAL
    if (pid !== undefined && this.tables.state.taskByPid(pid) === undefined) return -ERRNO.ESRCH
    return this.open({
      kind: "uprobe",
      key: hookKey.uprobe(onReturn ? "uretprobe" : "uprobe", path, offset),
      target: { kind: "uprobe", path, offset, onReturn },
      applies: pid === undefined ? undefined : (task) => task.tgid === pid,
      program: null,
    })
  }

  openPerfEvent(attr: PerfEventAttr): number {
    const event = this.perfEvents.open(attr)
    return typeof event === "number" ? event : this.open(event)
  }

  private open(handle: PerfEventHandle): number {
    return this.tables.fds.open(new KernelObject("perf_event", handle, () => handle.stop?.()))
  }

  /** Text of an iterator's descriptor. */
  read(fd: number, into: Uint8Array): number {
    const iterator = this.tables.fds.get(fd, "iter")
    return typeof iterator === "number" ? iterator : iterator.value.read(into)
  }
}

/** ITER_CREATE (linux kernel/bpf/bpf_iter.c bpf_iter_new_fd). */
export function iterCreate(
  tables: KernelTables,
  attr: { link_fd: number; flags?: number },
): number {
  if (attr.flags) return -ERRNO.EINVAL
  const link = tables.fds.get(attr.link_fd, "link")
  if (typeof link === "number") return link
  const { target, attachment } = link.value
  if (target.kind !== "iter") return -ERRNO.EINVAL
  // The iterator goes on with the program it started with, and keeps it.
  const program = attachment.program.get()
  link.get()
  const iterator = new BpfIterator(tables.state, {
    program: () => program,
    source: iteratorSource(tables, target.name, target.info, target.map),
    sessionId: tables.world.nextSession(),
  })
  const object = new KernelObject("iter", iterator, () => {
    iterator.close()
    program.put()
    link.put()
  })
  return tables.fds.open(object)
}
