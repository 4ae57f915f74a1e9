/**
 * Recordings of a scenario: every event with its fields as a line of JSON, and their replay into a
 * kernel in which nothing else happens. Programs attached there see the same events at the same
 * times, by tasks of the same names.
 *
 * ```text
 * {"time":"1000000150","cpu":0,"task":{"pid":1000,…},"name":"syscalls:sys_enter_openat","fields":{"filename":"/etc/passwd",…}}
 * ```
 *
 * Values that JSON does not have are objects with one member: `{"bigint":"1"}`, `{"bytes":"00ff"}`,
 * `{"task":{"pid":1000,…}}`. Objects of the kernel are kept as the path that they have, if they have one.
 */

import type { VirtualClock } from "../environment.ts"
import type { EmitOptions, EventFields, Events } from "../events/index.ts"
import { isReference, isTask } from "../events/index.ts"
import type { Task } from "../tasks/task.ts"
import type { Tasks } from "../tasks/tasks.ts"

/** Who an event happened to. */
export interface RecordedTask {
  readonly pid: number
  readonly tgid: number
  readonly comm: string
  readonly uid: number
  readonly gid: number
  readonly cgroup: string
}

export interface RecordedEvent {
  /** Nanoseconds since boot. */
  readonly time: bigint
  readonly cpu: number
  readonly task: RecordedTask | null
  /** `syscalls:sys_enter_openat`, `sched:sched_switch`, `lsm:file_open`, `kprobe:vfs_read`, `kretprobe:vfs_read`. */
  readonly name: string
  readonly fields: { readonly [name: string]: unknown }
}

/** What recording and replaying need of a kernel. */
export interface RecordingHost {
  readonly clock: VirtualClock
  readonly events: Events
  readonly tasks: Tasks
}

/** Collects events until it is stopped. One recording at a time. */
export class Recording {
  readonly events: RecordedEvent[] = []
  private readonly host: RecordingHost

  constructor(host: RecordingHost) {
    this.host = host
    host.events.firing.observer = (name, fields, options) => {
      this.events.push({
        time: host.clock.now(),
        cpu: options.cpu ?? 0,
        task: options.task === undefined ? null : describeTask(options.task),
        name,
        fields: Object.fromEntries(
          Object.entries(fields)
            .map(([field, value]) => [field, freeze(value)] as const)
            .filter(([, value]) => value !== undefined),
        ),
      })
    }
  }

  /** Ends the recording; its events stay. */
  stop(): void {
    this.host.events.firing.observer = null
  }

  /** One JSON object a line. */
  toLines(): string {
    return this.events
      .map((event) => `${JSON.stringify({ ...event, time: String(event.time) })}\n`)
      .join("")
  }
}

function describeTask(task: Task): RecordedTask {
  const { pid, tgid, comm, credentials, cgroupPath } = task
  return { pid, tgid, comm, uid: credentials.uid, gid: credentials.gid, cgroup: cgroupPath }
}

/** A value as JSON can keep it; undefined for objects of the kernel that have no name. */
function freeze(value: unknown): unknown {
  if (typeof value === "bigint") return { bigint: String(value) }
  if (value instanceof Uint8Array) return { bytes: hex(value) }
  if (isTask(value)) return { task: describeTask(value) }
  if (isReference(value)) return value.describe?.()
  if (Array.isArray(value)) return value.map(freeze)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, freeze(inner)] as const)
      .filter(([, inner]) => inner !== undefined),
  )
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/**
 * Reads a recording; empty lines are passed over.
 *
 * @throws SyntaxError with the number of a line that is no event.
 */
export function readRecording(lines: string): RecordedEvent[] {
  return lines.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return []
    let event: unknown
    try {
      event = JSON.parse(line)
    } catch (cause) {
      throw new SyntaxError(`line ${index + 1} of the recording is no JSON`, { cause })
    }
    if (!isEvent(event)) throw new SyntaxError(`line ${index + 1} of the recording is no event`)
    return [{ ...event, time: BigInt(event.time) }]
  })
}

function isEvent(value: unknown): value is Omit<RecordedEvent, "time"> & { time: string } {
  if (typeof value !== "object" || value === null) return false
  const { time, name, fields, cpu } = value as { [key: string]: unknown }
  return (
    typeof time === "string" &&
    /^\d+$/.test(time) &&
    typeof name === "string" &&
    typeof fields === "object" &&
    fields !== null &&
    typeof cpu === "number"
  )
}

/** Lets everything happen again, at the times of the recording counted from now. */
export function replay(host: RecordingHost, events: Iterable<RecordedEvent>): number {
  let count = 0
  let shift: bigint | null = null
  for (const event of events) {
    shift ??= host.clock.now() > event.time ? host.clock.now() - event.time : 0n
    const ahead = event.time + shift - host.clock.now()
    if (ahead > 0n) host.clock.advance(ahead)
    const task = event.task === null ? undefined : taskOf(host.tasks, event.task)
    happen(host, event, { task, cpu: event.cpu })
    count++
  }
  return count
}

function happen(host: RecordingHost, event: RecordedEvent, options: EmitOptions): void {
  const { events } = host
  const fields = Object.fromEntries(
    Object.entries(event.fields).map(([name, value]) => [name, thaw(host.tasks, value)]),
  ) as EventFields
  const [, kind, name] = /^(lsm|kprobe|kretprobe):(.+)$/.exec(event.name) ?? []
  if (kind === "lsm") events.lsm(name, fields, options)
  else if (kind === "kprobe") events.call(name, fields, options)
  else if (kind === "kretprobe") {
    const { return: returned, ...args } = fields
    events.functions.returned(name, args, options, BigInt((returned as bigint | number) ?? 0))
  } else events.emit(event.name, fields, options)
}

function thaw(tasks: Tasks, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => thaw(tasks, one))
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value)
  if (entries.length === 1) {
    const [kind, inner] = entries[0]
    if (kind === "bigint") return BigInt(String(inner))
    if (kind === "task") return taskOf(tasks, inner as RecordedTask)
    if (kind === "bytes")
      return Uint8Array.from(String(inner).match(/../g) ?? [], (digits) =>
        Number.parseInt(digits, 16),
      )
  }
  return Object.fromEntries(entries.map(([name, inner]) => [name, thaw(tasks, inner)]))
}

/** The task of the recording, made or brought up to date. */
function taskOf(tasks: Tasks, recorded: RecordedTask): Task {
  if (recorded.pid === 0) return tasks.idle
  const { pid, tgid, comm, uid, gid, cgroup } = recorded
  const task = tasks.find(pid) ?? tasks.spawn({ pid, tgid, comm, uid, gid, cgroup })
  if (task.comm !== comm || task.credentials.uid !== uid) {
    task.comm = comm
    task.credentials = { uid, gid, euid: uid, egid: gid }
    tasks.refresh(task)
  }
  return task
}
