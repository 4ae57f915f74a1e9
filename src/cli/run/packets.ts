/**
 * Frames through a session's programs, by the device that they are attached to or by test runs,
 * and what became of each: dropped or kept, changed how.
 */

import type { Program, RunResult } from "../../api/index.ts"
import { BpfError, equalBytes } from "../../base/index.ts"
import { diffFrames, summarize } from "../../packet/index.ts"
import { BPF_PROG_TYPE as PT, TC_ACTION, XDP_ACTION } from "../../spec/index.ts"
import type { Session } from "./session.ts"

/** Where a frame ended. `refused`: the kernel does not take such a frame (too short, too long). */
export type Fate = "pass" | "drop" | "tx" | "redirect" | "aborted" | "refused"

/** A frame to be run. */
export interface InputFrame {
  readonly data: Uint8Array
  readonly timestampNs: bigint | null
  readonly originalLength: number
}

export interface FrameOutcome {
  readonly fate: Fate
  /** As the programs left it. */
  readonly frame: Uint8Array
}

/** Frames that a program changed in the same fields. */
export interface ChangeGroup {
  /** `ipv4.tos`, `ipv4.checksum`… */
  readonly fields: readonly string[]
  count: number
  /** The first of them. */
  readonly example: {
    /** Counted from 1. */
    readonly frame: number
    readonly summary: string
    readonly changes: readonly string[]
    readonly before: Uint8Array
    readonly after: Uint8Array
  }
}

/** Changes of so many kinds are told apart; further kinds are counted together. */
const GROUPS_MAX = 64

export class PacketRunner {
  readonly fates: Record<Fate, number> = {
    pass: 0,
    drop: 0,
    tx: 0,
    redirect: 0,
    aborted: 0,
    refused: 0,
  }
  frames = 0
  bytes = 0
  droppedBytes = 0
  /** Nanoseconds that the kernel says the test runs took (Linux). */
  kernelNs = 0
  /** The first refusal's message. */
  refusal: string | null = null
  readonly changes: ChangeGroup[] = []
  private readonly groups = new Map<string, ChangeGroup>()
  private readonly session: Session
  private lastTimestampNs: bigint | null = null

  constructor(session: Session) {
    this.session = session
  }

  /** Runs one frame; the virtual clock goes on by the time since the frame before it. */
  run(input: InputFrame): FrameOutcome {
    const { session } = this
    this.frames++
    this.bytes += input.data.length
    session.recorder.input = this.frames
    this.passTime(input.timestampNs)
    let outcome: FrameOutcome = { fate: "pass", frame: input.data }
    if (session.onDevice.length > 0)
      outcome = session.egress ? this.send(input.data) : this.receive(input.data)
    for (const program of session.byTestRun) {
      const tested = this.testRun(program, input.data)
      if (session.onDevice.length === 0 && outcome.fate === "pass") outcome = tested
    }
    this.fates[outcome.fate]++
    if (isKept(outcome.fate)) this.noteChanges(input.data, outcome.frame)
    else this.droppedBytes += input.data.length
    return outcome
  }

  /** The next frame follows the last one at once: a new round over the same capture begins. */
  rewind(): void {
    this.lastTimestampNs = null
  }

  private passTime(timestampNs: bigint | null): void {
    if (timestampNs === null) return
    const last = this.lastTimestampNs
    if (last === null || timestampNs > last) {
      if (last !== null) this.session.embedded?.clock.advance(timestampNs - last)
      this.lastTimestampNs = timestampNs
    }
  }

  private receive(data: Uint8Array): FrameOutcome {
    const { device } = this.session
    if (device === null) throw new Error("no device")
    const { verdict, frame } = device.receive(data)
    this.forgetFrames()
    return { fate: verdict, frame }
  }

  /** Sent out of the device: a frame that appears on the wire was let through. */
  private send(data: Uint8Array): FrameOutcome {
    const { device } = this.session
    if (device === null) throw new Error("no device")
    device.transmit(data)
    const [frame] = device.transmitted.slice(-1)
    const outcome: FrameOutcome =
      frame === undefined ? { fate: "drop", frame: data } : { fate: "pass", frame }
    this.forgetFrames()
    return outcome
  }

  /** Devices keep frames for tests to look at; a long capture would keep them all. */
  private forgetFrames(): void {
    for (const device of this.session.embedded?.engine.network.devices.values() ?? []) {
      device.transmitted.length = 0
      device.delivered.length = 0
    }
  }

  private testRun(program: Program, data: Uint8Array): FrameOutcome {
    const { session } = this
    let result: RunResult
    try {
      result = program.run({ data })
    } catch (error) {
      if (!(error instanceof BpfError)) throw error
      // The recorder has the fault.
      if (error.code === "EFAULT" && session.embedded !== null)
        return { fate: "aborted", frame: data }
      if (error.code !== "EINVAL") throw error
      this.refusal ??= error.message
      return { fate: "refused", frame: data }
    }
    if (session.embedded === null) {
      session.recorder.add(program.name, result.returned, 1)
      this.kernelNs += result.nanoseconds
    }
    return testRunOutcome(program.programType, result)
  }

  private noteChanges(before: Uint8Array, after: Uint8Array): void {
    if (equalBytes(before, after)) return
    const differences = diffFrames(before, after)
    const fields = differences.map(({ field }) => field)
    const key = fields.join()
    const known = this.groups.get(key)
    if (known !== undefined) {
      known.count++
      return
    }
    if (this.changes.length >= GROUPS_MAX) {
      this.changes[GROUPS_MAX - 1].count++
      return
    }
    const group: ChangeGroup = {
      fields,
      count: 1,
      example: {
        frame: this.frames,
        summary: summarize(before),
        changes: differences.map(({ text }) => text),
        before: before.slice(),
        after: after.slice(),
      },
    }
    this.groups.set(key, group)
    this.changes.push(group)
  }
}

/** Whether a frame with this fate goes on somewhere. */
export function isKept(fate: Fate): boolean {
  return fate === "pass" || fate === "tx" || fate === "redirect"
}

const TC_DROPS: readonly number[] = [
  TC_ACTION.TC_ACT_SHOT,
  TC_ACTION.TC_ACT_STOLEN,
  TC_ACTION.TC_ACT_QUEUED,
  TC_ACTION.TC_ACT_TRAP,
]

/** What a return value would do to the frame where the program is attached. */
function testRunOutcome(programType: number, { returned, data }: RunResult): FrameOutcome {
  const value = returned | 0
  switch (programType) {
    case PT.BPF_PROG_TYPE_XDP:
      if (value === XDP_ACTION.XDP_PASS) return { fate: "pass", frame: data }
      if (value === XDP_ACTION.XDP_TX) return { fate: "tx", frame: data }
      if (value === XDP_ACTION.XDP_REDIRECT) return { fate: "redirect", frame: data }
      return { fate: value === XDP_ACTION.XDP_DROP ? "drop" : "aborted", frame: data }
    case PT.BPF_PROG_TYPE_SCHED_CLS:
    case PT.BPF_PROG_TYPE_SCHED_ACT:
      if (value === TC_ACTION.TC_ACT_REDIRECT) return { fate: "redirect", frame: data }
      return { fate: TC_DROPS.includes(value) ? "drop" : "pass", frame: data }
    case PT.BPF_PROG_TYPE_SOCKET_FILTER:
      return { fate: returned === 0 ? "drop" : "pass", frame: data.subarray(0, returned) }
    case PT.BPF_PROG_TYPE_CGROUP_SKB:
      return { fate: (value & 1) === 0 ? "drop" : "pass", frame: data }
    default:
      return { fate: "pass", frame: data }
  }
}
