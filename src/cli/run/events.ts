/**
 * `--event NAME field=value…`: what is to happen in the embedded kernel. Names are tracepoints
 * (`group:name`), LSM hooks (`lsm:hook`) and functions (`kprobe:function`).
 */

import type { EmbeddedKernel, EventFields, Task } from "../../api/embedded.ts"
import { parseIp } from "../../packet/index.ts"
import { type CliError, usageError } from "../errors.ts"
import { naming } from "../input.ts"
import { isAddressName } from "../values/naming.ts"
import { looksLikeIp, parseWord } from "../values/parse.ts"

export interface EventRequest {
  readonly name: string
  readonly fields: ReadonlyMap<string, unknown>
  /** What follows `task.`: comm, pid, tgid, uid, gid, cgroup, cpu. */
  readonly task: ReadonlyMap<string, unknown>
}

const TASK_FIELDS = ["comm", "pid", "tgid", "uid", "gid", "cgroup", "cpu"]

/**
 * Cuts the words after `--event` (all of them, in order) into events: a word without `=` begins
 * the next one.
 *
 * @throws CliError (usage) for a field before any event, or a task field that does not exist.
 */
export function parseEvents(words: readonly string[]): EventRequest[] {
  const events: { name: string; fields: Map<string, unknown>; task: Map<string, unknown> }[] = []
  for (const word of words) {
    const equals = word.indexOf("=")
    if (equals < 0) {
      events.push({ name: word, fields: new Map(), task: new Map() })
      continue
    }
    const event = events.at(-1)
    const field = word.slice(0, equals)
    if (event === undefined)
      throw usageError(
        `--event ${word}: the event's name comes first`,
        "Example: --event sched:sched_process_exec filename=/bin/true",
      )
    const value = parseWord(word.slice(equals + 1))
    if (field.startsWith("task.")) {
      const name = field.slice(5)
      if (!TASK_FIELDS.includes(name))
        throw usageError(
          `--event ${event.name}: a task has no '${name}'`,
          `There are ${TASK_FIELDS.map((one) => `task.${one}`).join(", ")}.`,
        )
      event.task.set(name, value)
    } else event.fields.set(field, eventValue(field, value))
  }
  return events
}

/** Addresses become bytes where the name of the field says that it is one. */
function eventValue(field: string, value: unknown): unknown {
  if (typeof value === "string" && isAddressName(field) && looksLikeIp(value)) return parseIp(value)
  return value
}

/** Result of one event. */
export interface FiredEvent {
  readonly name: string
  /** Programs that ran on it. */
  readonly programs: number
  /** LSM: 0, or the negative errno that the hook got. */
  readonly verdict: number | null
}

/** Fires events in a kernel; tasks that look the same are the same one. */
export class EventSource {
  private readonly kernel: EmbeddedKernel
  private readonly tasks = new Map<string, Task>()

  constructor(kernel: EmbeddedKernel) {
    this.kernel = kernel
  }

  /** @throws CliError for an event or field that does not exist. */
  fire(event: EventRequest): FiredEvent {
    return naming(`--event ${event.name}`, () => this.fireNamed(event))
  }

  private fireNamed({ name, fields, task }: EventRequest): FiredEvent {
    const values = Object.fromEntries(fields) as EventFields
    const cpu = task.get("cpu")
    const options = {
      task: this.taskOf(task),
      cpu: cpu === undefined ? undefined : Number(cpu),
    }
    const [kind, target] = splitName(name)
    if (kind === "lsm") {
      let programs = 0
      const stop = this.kernel.observeRuns(() => programs++)
      try {
        return { name, verdict: this.kernel.lsm(target, values, options), programs }
      } finally {
        stop()
      }
    }
    if (kind === "function") {
      const { return: returned, ...args } = values
      const returns =
        typeof returned === "bigint" || typeof returned === "number" ? returned : undefined
      const { programs } = this.kernel.call(target, args, { ...options, returns })
      return { name, programs, verdict: null }
    }
    const { programs } = this.kernel.emit(target, values, options)
    return { name, programs, verdict: null }
  }

  private taskOf(fields: ReadonlyMap<string, unknown>): Task | undefined {
    if ([...fields.keys()].every((name) => name === "cpu")) return undefined
    const key = [...fields]
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join()
    let task = this.tasks.get(key)
    if (task === undefined) {
      const number = (name: string): number | undefined => {
        const value = fields.get(name)
        return value === undefined ? undefined : Number(value)
      }
      const text = (name: string): string | undefined => {
        const value = fields.get(name)
        return value === undefined ? undefined : String(value)
      }
      task = this.kernel.spawn({
        ...{ comm: text("comm"), pid: number("pid"), tgid: number("tgid") },
        ...{ uid: number("uid"), gid: number("gid"), cgroup: text("cgroup") },
      })
      this.tasks.set(key, task)
    }
    return task
  }
}

function splitName(name: string): ["lsm" | "function" | "tracepoint", string] {
  const [, prefix, rest] = /^([a-z_]+)[:/](.+)$/.exec(name) ?? []
  if (prefix === "lsm") return ["lsm", rest]
  if (prefix !== undefined && /^(kprobe|kretprobe|fentry|fexit)$/.test(prefix))
    return ["function", rest]
  return ["tracepoint", name]
}

/** That the kernel of the run takes events at all. */
export function needsEmbedded(what: string): CliError {
  return usageError(
    `${what} works on the embedded kernel only`,
    "Leave --kernel linux away, or use --pcap and --packet.",
  )
}
