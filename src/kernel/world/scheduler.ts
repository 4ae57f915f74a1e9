/**
 * Which task runs on which CPU, and what happens when that changes: sched_switch, sched_waking,
 * sched_wakeup, sched_migrate_task, with consistent times on one virtual clock
 * (linux kernel/sched/core.c). A scenario's task that does something is given a CPU at once;
 * tasks with a behaviour of their own take turns in {@link Scheduler.run}.
 */

import type { VirtualClock } from "../environment.ts"
import type { EmitOptions, EventFields } from "../events/index.ts"
import type { Task } from "../tasks/task.ts"

/** `__state` of a task (linux include/linux/sched.h). */
export const TASK_RUNNING = 0
export const TASK_INTERRUPTIBLE = 1
export const TASK_UNINTERRUPTIBLE = 2
export const TASK_DEAD = 0x80
/** `prev_state` of the tracepoint when the task was preempted (TASK_REPORT_MAX). */
const PREEMPTED = 0x100
/** How long a task may run while others wait: base_slice of a small machine. */
const SLICE_NS = 3_000_000n
/** From being woken to running, on an idle CPU. */
const WAKEUP_NS = 4_000n

/** What a task with a behaviour of its own does next; nanoseconds. */
export type Step = { readonly run: bigint } | { readonly sleep: bigint }

/** A task as the scheduler sees it. */
export interface Schedulable extends Task {
  state: number
  cpu?: number
}

export interface SchedulerHost {
  readonly cpus: number
  readonly clock: VirtualClock
  idleOf(cpu: number): Task
  fire(name: string, fields: EventFields, options: EmitOptions): void
  /** The task's state or CPU has changed. */
  changed(task: Task): void
  /** A task changed CPUs, or was switched to: software events count. */
  counted(event: "switch" | "migration", task: Task, cpu: number): void
}

interface Thread {
  readonly task: Schedulable
  readonly steps: Iterator<Step, void>
  /** CPU time that the current step still wants. */
  remaining: bigint
  wakesAt: bigint | null
  done: boolean
}

export class Scheduler {
  private readonly host: SchedulerHost
  private readonly running: (Schedulable | null)[]
  private readonly sliceEnds: bigint[]
  private readonly threads: Thread[] = []

  constructor(host: SchedulerHost) {
    this.host = host
    this.running = new Array<Schedulable | null>(host.cpus).fill(null)
    this.sliceEnds = new Array<bigint>(host.cpus).fill(0n)
  }

  /** The task on a CPU. */
  current(cpu: number): Task {
    return this.running[cpu] ?? this.host.idleOf(cpu)
  }

  /** Gives a task a CPU, taking it from another if need be. */
  become(task: Schedulable): void {
    if (task.cpu !== undefined && this.running[task.cpu] === task) return
    const cpu = this.place(task)
    if (task.state !== TASK_RUNNING) this.wake(task, cpu)
    if (task.cpu !== undefined && task.cpu !== cpu) this.migrate(task, cpu)
    this.switchTo(cpu, task, TASK_RUNNING)
  }

  /** Where a task goes: where it was if that is idle, any idle CPU, or back to where it was. */
  private place(task: Schedulable): number {
    const last = task.cpu
    if (last !== undefined && this.running[last] === null) return last
    const idle = this.running.indexOf(null)
    return idle >= 0 ? idle : (last ?? 0)
  }

  private migrate(task: Schedulable, cpu: number): void {
    const { host } = this
    const fields = {
      p: task,
      comm: task.comm,
      pid: task.pid,
      prio: PRIO,
      orig_cpu: task.cpu,
      dest_cpu: cpu,
    }
    host.fire("sched:sched_migrate_task", fields, { task: this.current(cpu), cpu })
    host.counted("migration", task, cpu)
    task.cpu = cpu
  }

  /** sched_waking and sched_wakeup, in the context of whatever runs on the CPU. */
  wake(task: Schedulable, cpu: number, isNew = false): void {
    const { host } = this
    const options = { task: this.current(cpu), cpu }
    const fields = { p: task, target_cpu: cpu }
    if (!isNew) host.fire("sched:sched_waking", fields, options)
    task.state = TASK_RUNNING
    host.changed(task)
    host.fire(isNew ? "sched:sched_wakeup_new" : "sched:sched_wakeup", fields, options)
    host.clock.advance(WAKEUP_NS)
  }

  /** sched_switch; `state` is what becomes of the task that has been running. */
  private switchTo(cpu: number, next: Schedulable | null, state: number): void {
    const { host } = this
    const prev = this.running[cpu]
    if (prev === next) return
    const prevTask = this.current(cpu)
    const nextTask = next ?? host.idleOf(cpu)
    const preempt = prev !== null && state === TASK_RUNNING
    const prev_state = preempt ? PREEMPTED : state
    const fields = { preempt, prev: prevTask, next: nextTask, prev_state }
    host.fire("sched:sched_switch", fields, { task: prevTask, cpu })
    host.counted("switch", prevTask, cpu)
    if (prev !== null) {
      prev.state = state
      host.changed(prev)
    }
    this.running[cpu] = next
    this.sliceEnds[cpu] = host.clock.now() + SLICE_NS
    if (next !== null) {
      next.cpu = cpu
      host.changed(next)
    }
  }

  /** The current task waits: it leaves its CPU for `nanoseconds`, then is woken and comes back. */
  block(task: Schedulable, state: number, nanoseconds: bigint, atWake?: () => void): void {
    this.become(task)
    const cpu = task.cpu ?? 0
    const threads = this.threads.find((one) => one.task !== task && this.isWaiting(one, cpu))
    this.switchTo(cpu, threads?.task ?? null, state)
    this.host.clock.advance(nanoseconds)
    atWake?.()
    this.wake(task, cpu)
    this.switchTo(cpu, task, TASK_RUNNING)
  }

  /** A task goes to sleep without end (it waits for something), or dies. */
  leave(task: Schedulable, state: number): void {
    task.state = state
    const cpu = task.cpu
    if (cpu !== undefined && this.running[cpu] === task) this.switchTo(cpu, null, state)
    const thread = this.threads.findIndex((one) => one.task === task)
    if (state === TASK_DEAD && thread >= 0) this.threads.splice(thread, 1)
  }

  /** Gives a task a behaviour of its own, which {@link run} lets happen. */
  start(task: Schedulable, steps: Iterator<Step, void>): void {
    this.threads.push({ task, steps, remaining: 0n, wakesAt: null, done: false })
  }

  /** Lets virtual time pass while the started tasks run, sleep and take turns. */
  run(nanoseconds: bigint): void {
    const { clock } = this.host
    const end = clock.now() + nanoseconds
    for (;;) {
      this.fillCpus()
      const next = this.nextMoment(end)
      const passed = next - clock.now()
      const busy = this.threads.filter((one) => this.isRunning(one))
      if (passed > 0n) clock.advance(passed)
      for (const thread of busy) thread.remaining -= passed > 0n ? passed : 0n
      if (next >= end) return
      this.wakeSleepers()
      for (const thread of busy) this.continueThread(thread)
      this.endSlices()
    }
  }

  private isRunning(thread: Thread): boolean {
    return (
      !thread.done && thread.task.cpu !== undefined && this.running[thread.task.cpu] === thread.task
    )
  }

  private isWaiting(thread: Thread, cpu?: number): boolean {
    if (thread.done || thread.wakesAt !== null || this.isRunning(thread)) return false
    return cpu === undefined || thread.task.cpu === undefined || thread.task.cpu === cpu
  }

  private fillCpus(): void {
    for (let cpu = 0; cpu < this.running.length; cpu++) {
      if (this.running[cpu] !== null) continue
      const waiting =
        this.threads.find((one) => this.isWaiting(one, cpu)) ??
        this.threads.find((one) => this.isWaiting(one))
      if (waiting === undefined) continue
      const { task } = waiting
      if (task.cpu !== undefined && task.cpu !== cpu) this.migrate(task, cpu)
      if (task.state !== TASK_RUNNING) this.wake(task, cpu)
      this.switchTo(cpu, task, TASK_RUNNING)
      if (waiting.remaining <= 0n) this.continueThread(waiting)
    }
  }

  /** When something happens next: a step is over, a slice is over, somebody wakes up. */
  private nextMoment(end: bigint): bigint {
    const now = this.host.clock.now()
    let next = end
    const crowded = this.threads.some((one) => this.isWaiting(one))
    for (const thread of this.threads) {
      let at: bigint | null = thread.wakesAt
      if (this.isRunning(thread)) {
        at = now + (thread.remaining > 0n ? thread.remaining : 0n)
        const slice = this.sliceEnds[thread.task.cpu ?? 0]
        if (crowded && slice < at) at = slice
      }
      if (at !== null && !thread.done && at < next) next = at
    }
    // Something is due already: time stands still for it.
    if (next < now) return now
    return next
  }

  private wakeSleepers(): void {
    const now = this.host.clock.now()
    for (const thread of this.threads) {
      if (thread.wakesAt === null || thread.wakesAt > now) continue
      thread.wakesAt = null
      this.wake(thread.task, thread.task.cpu ?? 0)
    }
  }

  /** Asks the task for its next step once it has done the last. */
  private continueThread(thread: Thread): void {
    while (thread.remaining <= 0n && this.isRunning(thread)) {
      const { value, done } = thread.steps.next()
      if (done || value === undefined) {
        thread.done = true
        const index = this.threads.indexOf(thread)
        if (index >= 0) this.threads.splice(index, 1)
        if (this.running[thread.task.cpu ?? 0] === thread.task)
          this.leave(thread.task, TASK_INTERRUPTIBLE)
        return
      }
      if ("run" in value) thread.remaining = value.run
      else {
        thread.wakesAt = this.host.clock.now() + value.sleep
        this.switchTo(thread.task.cpu ?? 0, null, TASK_INTERRUPTIBLE)
        return
      }
    }
  }

  private endSlices(): void {
    const now = this.host.clock.now()
    for (let cpu = 0; cpu < this.running.length; cpu++) {
      if (this.running[cpu] === null || this.sliceEnds[cpu] > now) continue
      const index = this.threads.findIndex((one) => this.isWaiting(one, cpu))
      if (index < 0) {
        this.sliceEnds[cpu] = now + SLICE_NS
        continue
      }
      const [waiting] = this.threads.splice(index, 1)
      // Whoever is preempted waits behind the others.
      this.threads.unshift(waiting)
      const preempted = this.threads.findIndex((one) => one.task === this.running[cpu])
      if (preempted >= 0) this.threads.push(...this.threads.splice(preempted, 1))
      this.switchTo(cpu, waiting.task, TASK_RUNNING)
      if (waiting.remaining <= 0n) this.continueThread(waiting)
    }
  }
}

const PRIO = 120
