/**
 * Software perf events: clocks that sample what runs on a CPU, and counters of context switches,
 * migrations and page faults (linux kernel/events/core.c).
 */

import { ERRNO, type PerfEventAttr } from "../../spec/index.ts"
import { PT_REGS } from "../events/index.ts"
import { hookKey } from "../hooks/hooks.ts"
import type { PerfEventHandle } from "../objects/perf-event.ts"
import type { Task } from "../tasks/task.ts"
import type { Process } from "./process.ts"
import type { World } from "./world.ts"

const PERF_TYPE_SOFTWARE = 1
/** PERF_COUNT_SW_ of linux include/uapi/linux/perf_event.h. */
const CPU_CLOCK = 0
const TASK_CLOCK = 1
const PAGE_FAULTS = 2
const CONTEXT_SWITCHES = 3
const CPU_MIGRATIONS = 4
const PAGE_FAULTS_MIN = 5
const DUMMY = 9
const BPF_OUTPUT = 10
const COUNTERS: Readonly<Record<string, readonly number[]>> = {
  switch: [CONTEXT_SWITCHES],
  migration: [CPU_MIGRATIONS],
  fault: [PAGE_FAULTS, PAGE_FAULTS_MIN],
}
const NANOSECONDS_PER_SECOND = 1_000_000_000n
/** struct bpf_perf_event_data: registers, sample_period, addr. */
const CONTEXT_BYTES = PT_REGS.size + 16
const SAMPLE_PERIOD_AT = PT_REGS.size

interface OpenEvent {
  readonly attr: PerfEventAttr
  readonly key: string
  count: bigint
  openedAt: bigint
  /** Events until the next sample, of counters. */
  left: bigint
}

export class PerfEvents {
  private readonly world: World
  private readonly counting = new Set<OpenEvent>()
  private nextId = 1

  constructor(world: World) {
    this.world = world
    world.counted = (event, task, cpu) => this.countEvent(event, task, cpu)
  }

  /** perf_event_open: what LINK_CREATE attaches to, or a negative errno. */
  open(attr: PerfEventAttr): PerfEventHandle | number {
    const { kernel } = this.world
    const { type, pid, cpu = -1, samplePeriod } = attr
    // Hardware counters: a virtual machine has none.
    if (type !== PERF_TYPE_SOFTWARE || attr.config > BigInt(BPF_OUTPUT)) return -ERRNO.ENOENT
    if (cpu < 0 && pid === undefined) return -ERRNO.EINVAL
    if (cpu >= kernel.cpus) return -ERRNO.ENODEV
    if (pid !== undefined && kernel.taskByPid(pid) === undefined) return -ERRNO.ESRCH
    if (attr.frequency === true && samplePeriod > 100_000n) return -ERRNO.EINVAL
    const key = hookKey.perfEvent(this.nextId++)
    const event: OpenEvent = {
      attr,
      key,
      count: 0n,
      openedAt: kernel.clock.now(),
      left: samplePeriod,
    }
    const config = Number(attr.config)
    const isClock = config === CPU_CLOCK || config === TASK_CLOCK
    let stop: (() => void) | null = null
    return {
      kind: "event",
      key,
      target: { kind: "event", type, config: attr.config },
      program: null,
      // A counter without a period never samples.
      start: () => {
        event.openedAt = kernel.clock.now()
        if (samplePeriod === 0n || config === DUMMY || config === BPF_OUTPUT) return
        if (isClock) stop = this.startClock(event)
        else this.counting.add(event)
      },
      stop: () => {
        stop?.()
        this.counting.delete(event)
      },
    }
  }

  private startClock(event: OpenEvent): () => void {
    const { clock } = this.world.kernel
    const { attr } = event
    const period =
      attr.frequency === true ? NANOSECONDS_PER_SECOND / attr.samplePeriod : attr.samplePeriod
    let cancel: () => void = () => {}
    const tick = (): void => {
      cancel = clock.schedule(clock.now() + period, tick)
      this.sample(event, period)
    }
    cancel = clock.schedule(clock.now() + period, tick)
    return () => cancel()
  }

  private sample(event: OpenEvent, period: bigint): void {
    const { scheduler, kernel } = this.world
    const { pid, cpu = -1, config } = event.attr
    for (let at = 0; at < kernel.cpus; at++) {
      if (cpu >= 0 && at !== cpu) continue
      const task = scheduler.current(at)
      // An event of a task runs with it; the task's clock does not run while it is idle.
      if (pid !== undefined && task.pid !== pid) continue
      if (Number(config) === TASK_CLOCK && task.pid === 0) continue
      event.count += period
      this.run(event, task, at, period)
    }
  }

  private countEvent(name: string, task: Task, cpu: number): void {
    for (const event of this.counting) {
      if (!COUNTERS[name]?.includes(Number(event.attr.config))) continue
      const { pid, cpu: wanted = -1, samplePeriod } = event.attr
      if ((pid !== undefined && task.pid !== pid) || (wanted >= 0 && wanted !== cpu)) continue
      event.count++
      event.left--
      if (event.left > 0n) continue
      event.left = samplePeriod
      this.run(event, task, cpu, samplePeriod)
    }
  }

  private run(event: OpenEvent, task: Task, cpu: number, period: bigint): void {
    const { firing } = this.world.events
    const { kernel } = this.world
    firing.scoped((writer) => {
      const context = writer.allocate(CONTEXT_BYTES)
      const { view } = kernel.memory
      const ip = instructionPointer(task as Process, kernel.kernelSymbol("default_idle") ?? 0n)
      view.setBigUint64(context + PT_REGS.ip, ip, true)
      view.setBigUint64(context + SAMPLE_PERIOD_AT, period, true)
      const enabled = kernel.clock.now() - event.openedAt
      const perf = { counter: event.count, enabled, running: enabled }
      firing.runAll(event.key, context, CONTEXT_BYTES, { task, cpu, perf }, [])
    })
  }
}

function instructionPointer(task: Process, idle: bigint): bigint {
  return task.pid === 0 ? idle : 0x5555_5555_5000n
}
