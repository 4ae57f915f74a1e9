/** `skep run`, from options to report. */

import { BpfError } from "../../base/index.ts"
import { LINKTYPE_ETHERNET, summarize, writePcap } from "../../packet/index.ts"
import { programTypeName } from "../../spec/index.ts"
import type { Context } from "../context.ts"
import { CliError } from "../errors.ts"
import { loadCapture, naming } from "../input.ts"
import { startProgress } from "../progress.ts"
import { dumpGlobals, dumpMaps, type GlobalReport, type MapReport } from "./dump-maps.ts"
import { EventSource, type FiredEvent, needsEmbedded } from "./events.ts"
import type { RunOptions } from "./options.ts"
import { type ChangeGroup, type Fate, type InputFrame, isKept, PacketRunner } from "./packets.ts"
import { type FaultReport, verdictLabel } from "./recorder.ts"
import { openSession, type Session } from "./session.ts"
import { type StreamReport, Streams } from "./streams.ts"

export interface ProgramReport {
  readonly name: string
  readonly type: string
  readonly section: string
  readonly runs: number
  /** Instructions executed in all runs; null where the kernel does not say. */
  readonly instructions: number | null
  readonly verdicts: readonly {
    readonly verdict: string
    readonly value: number
    readonly count: number
  }[]
  readonly faults: number
}

/** What became of a `--packet`. */
export interface PacketReport {
  readonly fate: Fate
  readonly summary: string
  readonly before: Uint8Array
  readonly after: Uint8Array
}

/** The whole result: what `--json` prints. */
export interface RunReport {
  readonly object: string
  readonly kernel: "embedded" | "linux"
  readonly mode: "device" | "test-run"
  readonly frames: {
    readonly count: number
    readonly bytes: number
    readonly fates: Readonly<Record<Fate, number>>
    /** The message of the first refusal. */
    readonly refusal: string | null
    /** Time that the run took, all in all. */
    readonly milliseconds: number
    /** Linux: what the kernel says the programs took, a frame. */
    readonly nanosecondsPerFrame: number | null
  }
  readonly programs: readonly ProgramReport[]
  readonly packets: readonly PacketReport[]
  readonly changes: readonly ChangeGroup[]
  readonly events: readonly FiredEvent[]
  readonly faults: readonly FaultReport[]
  readonly maps: readonly MapReport[]
  readonly globals: readonly GlobalReport[]
  readonly streams: readonly StreamReport[]
  readonly devices: readonly { readonly name: string; readonly counters: object }[]
  readonly trace: readonly string[]
  readonly warnings: readonly string[]
}

/** Lines of bpf_printk that are kept. */
const TRACE_MAX = 10_000

/** @throws CliError for inputs that are refused. */
export async function executeRun(context: Context, options: RunOptions): Promise<RunReport> {
  if (options.kernel === "linux" && options.events.length > 0) throw needsEmbedded("--event")
  const session = await openSession(context, options)
  try {
    checkWork(session)
    return runSession(context, session)
  } finally {
    session.close()
  }
}

function checkWork(session: Session): void {
  const { options, onDevice, byTestRun, tracing } = session
  const frames = options.pcap !== undefined || options.packets.length > 0
  if (frames && onDevice.length + byTestRun.length === 0)
    throw new CliError(`${options.file}: no program in it takes packets`, {
      hint:
        tracing.length > 0
          ? "Its programs run on events: --event group:name field=value…"
          : undefined,
    })
  if (options.out !== undefined && onDevice.length === 0 && byTestRun.length > 1)
    throw new CliError("--out: several programs see each frame by themselves", {
      hint: `Choose one with --prog: ${byTestRun.map(({ name }) => name).join(", ")}.`,
      exitCode: 2,
    })
}

function runSession(context: Context, session: Session): RunReport {
  const { options, recorder } = session
  const streams = new Streams(session)
  const runner = new PacketRunner(session)
  const trace: string[] = []
  const collect = (): void => {
    streams.drain()
    for (const line of session.embedded?.trace() ?? [])
      if (trace.length < TRACE_MAX) trace.push(line)
  }
  const start = performance.now()
  const packets = runPackets(session, runner, collect)
  runCapture(context, session, runner, collect)
  const events = fireEvents(session, collect)
  runSyscalls(session)
  collect()
  const milliseconds = performance.now() - start
  const { frames: count, bytes, fates, refusal, kernelNs } = runner
  return {
    object: options.file,
    kernel: options.kernel,
    mode: session.onDevice.length > 0 ? "device" : "test-run",
    frames: {
      ...{ count, bytes, fates, refusal, milliseconds },
      nanosecondsPerFrame: session.embedded === null && count > 0 ? kernelNs / count : null,
    },
    programs: programReports(session),
    packets,
    changes: runner.changes,
    events,
    faults: recorder.faults,
    maps: dumpMaps(session),
    globals: dumpGlobals(session),
    streams: streams.reports,
    devices: deviceReports(session),
    trace,
    warnings: session.warnings,
  }
}

/** The frames of `--packet`, each reported by itself. */
function runPackets(session: Session, runner: PacketRunner, collect: () => void): PacketReport[] {
  const reports: PacketReport[] = []
  for (let round = 0; round < session.options.repeat; round++)
    for (const data of session.options.packets) {
      const { fate, frame } = runner.run({ data, timestampNs: null, originalLength: data.length })
      if (round === 0)
        reports.push({ fate, summary: summarize(data), before: data, after: frame.slice() })
      collect()
    }
  return reports
}

function runCapture(
  context: Context,
  session: Session,
  runner: PacketRunner,
  collect: () => void,
): void {
  const { pcap, out, repeat } = session.options
  if (pcap === undefined) return
  const { frames } = readEthernet(context, pcap)
  const kept: { data: Uint8Array; timestampNs: bigint; originalLength: number }[] = []
  const progress = startProgress(context, "frames", frames.length * repeat)
  try {
    for (let round = 0; round < repeat; round++) {
      runner.rewind()
      for (const input of frames) {
        const outcome = runner.run(input)
        collect()
        progress.update(runner.frames)
        if (out !== undefined && round === 0 && isKept(outcome.fate))
          kept.push(outputFrame(input, outcome.frame))
      }
    }
  } finally {
    progress.end()
  }
  if (out !== undefined)
    naming(out, () => context.write(out, writePcap(kept, { nanoseconds: true })))
}

/** Programs see Ethernet frames; a capture of anything else would be misread. */
export function readEthernet(context: Context, file: string): { frames: readonly InputFrame[] } {
  const capture = loadCapture(context, file)
  const other = capture.interfaces.find(({ linkType }) => linkType !== LINKTYPE_ETHERNET)
  if (other !== undefined)
    throw new CliError(
      `${file}: its link type is ${other.linkType}, and programs see Ethernet frames (1)`,
      {
        hint: "Capture on one Ethernet device: tcpdump -i eth0 -w FILE (not -i any).",
      },
    )
  return capture
}

/** What the capture had cut off is still said to be there. */
function outputFrame(
  input: InputFrame,
  frame: Uint8Array,
): { data: Uint8Array; timestampNs: bigint; originalLength: number } {
  const cut = Math.max(0, input.originalLength - input.data.length)
  return {
    data: frame.slice(),
    timestampNs: input.timestampNs ?? 0n,
    originalLength: frame.length + cut,
  }
}

function fireEvents(session: Session, collect: () => void): FiredEvent[] {
  const { embedded, options, recorder } = session
  if (embedded === null || options.events.length === 0) return []
  const source = new EventSource(embedded)
  const fired: FiredEvent[] = []
  for (let round = 0; round < options.repeat; round++)
    for (const event of options.events) {
      recorder.input++
      const result = source.fire(event)
      if (round === 0) fired.push(result)
      collect()
    }
  return fired
}

/** Programs of type syscall are run by themselves: they have nothing to wait for. */
function runSyscalls(session: Session): void {
  const { syscalls, options, recorder, embedded } = session
  for (const program of syscalls)
    for (let round = 0; round < options.repeat; round++) {
      try {
        const { returned } = program.run(
          options.context === undefined ? {} : { context: options.context },
        )
        if (embedded === null) recorder.add(program.name, returned, 1)
      } catch (error) {
        // A fault that the recorder has seen.
        if (!(error instanceof BpfError && error.code === "EFAULT" && embedded !== null))
          throw error
        break
      }
    }
}

function programReports({ object, recorder, embedded }: Session): ProgramReport[] {
  const reports: ProgramReport[] = []
  for (const tally of recorder.tallies.values()) {
    const definition = object.programs.find(({ name }) => name === tally.name)
    const verdicts = [...tally.returned]
      .map(([value, count]) => ({ verdict: verdictLabel(tally.type, value), value, count }))
      .sort((a, b) => b.count - a.count)
    reports.push({
      name: tally.name,
      type: programTypeName(tally.type),
      section: definition?.section ?? "",
      runs: tally.runs,
      instructions: embedded === null ? null : tally.instructions,
      verdicts,
      faults: tally.faults,
    })
  }
  return reports
}

/** Devices on which something happened. */
function deviceReports({ embedded }: Session): RunReport["devices"] {
  if (embedded === null) return []
  return [...embedded.engine.network.devices.values()]
    .filter(({ counters }) => counters.rxPackets + counters.txPackets > 0)
    .map(({ name, counters }) => ({ name, counters }))
}
