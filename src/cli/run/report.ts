/** A run's report as text. */

import type { Context } from "../context.ts"
import { bar, count, percent, plural, table } from "../table.ts"
import { type Presented, presentedText } from "../values/present.ts"
import type { GlobalReport, MapEntry, MapReport } from "./dump-maps.ts"
import type { ProgramReport, RunReport } from "./execute.ts"
import type { RunOptions } from "./options.ts"
import type { Fate } from "./packets.ts"
import type { FaultReport } from "./recorder.ts"
import type { StreamReport } from "./streams.ts"

const BAR_WIDTH = 20
const VERDICTS_SHOWN = 12
const CHANGES_SHOWN = 8
const TRACE_SHOWN = 40

/** Prints everything that has something to say, from the frames to the trace. */
export function printReport(context: Context, report: RunReport, options: RunOptions): void {
  const sections = [
    framesSection(context, report),
    packetsSection(context, report),
    ...report.programs.filter(({ runs }) => runs > 0).map((one) => programSection(context, one)),
    idleSection(report),
    eventsSection(context, report),
    changesSection(context, report),
    ...report.faults.map((fault) => faultSection(context, fault)),
    ...report.maps.map((map) => mapSection(context, map, options.entriesShown)),
    globalsSection(context, report.globals),
    ...report.streams.map((stream) => streamSection(context, stream)),
    traceSection(context, report.trace),
  ]
  context.print(sections.filter((text) => text !== "").join("\n\n"))
}

function title(context: Context, text: string, detail: string): string {
  return detail === ""
    ? context.colors.bold(text)
    : `${context.colors.bold(text)}  ${context.colors.dim(detail)}`
}

const FATE_WORDS: Readonly<Record<Fate, string>> = {
  pass: "passed",
  drop: "dropped",
  tx: "sent back",
  redirect: "redirected",
  aborted: "aborted",
  refused: "refused by the kernel",
}

function framesSection(context: Context, { frames, devices }: RunReport): string {
  if (frames.count === 0) return ""
  const seconds = frames.milliseconds / 1000
  const rate = seconds > 0 ? Math.round(frames.count / seconds) : 0
  const time =
    frames.nanosecondsPerFrame !== null
      ? `${Math.round(frames.nanosecondsPerFrame)} ns a frame`
      : `${count(rate)} frames/s`
  const fates = (Object.entries(frames.fates) as [Fate, number][])
    .filter(([, number]) => number > 0)
    .map(([fate, number]) => `${count(number)} ${colored(context, fate, FATE_WORDS[fate])}`)
  const lines = [
    `${context.colors.bold(plural(frames.count, "frame"))}, ${plural(frames.bytes, "byte")}: ${fates.join(", ")}  ${context.colors.dim(time)}`,
  ]
  if (frames.refusal !== null) lines.push(`  refused: ${frames.refusal}`)
  // One device that only received says nothing new.
  const sent = devices.filter(({ counters }) => (counters as { txPackets: number }).txPackets > 0)
  for (const { name, counters } of sent) {
    const { txPackets, txBytes } = counters as { txPackets: number; txBytes: number }
    lines.push(`  ${name} sent ${plural(txPackets, "frame")}, ${plural(txBytes, "byte")}`)
  }
  return lines.join("\n")
}

function colored(context: Context, fate: Fate, text: string): string {
  const { green, red, yellow, cyan } = context.colors
  switch (fate) {
    case "pass":
      return green(text)
    case "drop":
    case "aborted":
      return red(text)
    case "refused":
      return yellow(text)
    default:
      return cyan(text)
  }
}

/** Packets given one by one: what became of each. */
function packetsSection(context: Context, { packets }: RunReport): string {
  return packets
    .map(({ fate, summary, before, after }) => {
      const line = `${colored(context, fate, FATE_WORDS[fate])}  ${summary}`
      const hex = [...after].map((byte) => byte.toString(16).padStart(2, "0")).join("")
      const same = before.length === after.length && before.every((byte, i) => byte === after[i])
      return same ? line : `${line}\n  now ${hex}`
    })
    .join("\n")
}

function programSection(context: Context, program: ProgramReport): string {
  const { name, section, runs, instructions, verdicts, faults } = program
  const perRun =
    instructions === null || runs === 0
      ? ""
      : `, ${Math.round(instructions / runs)} instructions a run`
  const rows = verdicts
    .slice(0, VERDICTS_SHOWN)
    .map(({ verdict, count: number }) => [
      verdict,
      count(number),
      percent(number, runs),
      context.colors.cyan(bar(number / runs, BAR_WIDTH)),
    ])
  const rest = verdicts.slice(VERDICTS_SHOWN)
  if (rest.length > 0) {
    const number = rest.reduce((total, one) => total + one.count, 0)
    rows.push([`${rest.length} other values`, count(number), percent(number, runs), ""])
  }
  if (faults > 0)
    rows.push([
      context.colors.red("fault"),
      count(faults),
      percent(faults, runs),
      context.colors.red(bar(faults / runs, BAR_WIDTH)),
    ])
  const head = title(context, name, `${section}: ${plural(runs, "run")}${perRun}`)
  const columns = [
    { title: "verdict" },
    { title: "runs", align: "right" },
    { title: "share", align: "right" },
    { title: "" },
  ] as const
  return `${head}\n${table(columns, rows, context.colors)}`
}

function idleSection({ programs, frames, events }: RunReport): string {
  const idle = programs.filter(({ runs }) => runs === 0)
  if (idle.length === 0) return ""
  const names = idle.map(({ name, section }) => `${name} (${section})`).join(", ")
  const none = programs.every(({ runs }) => runs === 0)
  const advice =
    none && frames.count === 0 && events.length === 0
      ? "\nGive them something to do: --pcap FILE, --packet HEX, or --event group:name field=value…"
      : ""
  return `loaded, and not run: ${names}${advice}`
}

function eventsSection(context: Context, { events }: RunReport): string {
  const rows = events
    .filter(({ programs, verdict }) => programs === 0 || verdict !== null)
    .map(({ name, programs, verdict }) => [
      name,
      programs === 0
        ? context.colors.yellow("no program is attached to it")
        : plural(programs, "program"),
      verdict === null
        ? ""
        : verdict === 0
          ? context.colors.green("allowed")
          : context.colors.red(`refused (${verdict})`),
    ])
  if (rows.length === 0) return ""
  return `${title(context, "events", "")}\n${table([{ title: "" }, { title: "" }, { title: "" }], rows, context.colors)}`
}

function changesSection(context: Context, { changes }: RunReport): string {
  if (changes.length === 0) return ""
  const total = changes.reduce((sum, one) => sum + one.count, 0)
  const lines = [title(context, "changed frames", plural(total, "frame"))]
  const sorted = [...changes].sort((a, b) => b.count - a.count)
  for (const { count: number, example } of sorted.slice(0, CHANGES_SHOWN)) {
    lines.push(
      `  ${count(number)} ×  ${context.colors.dim(`such as frame ${example.frame}: ${example.summary}`)}`,
    )
    for (const change of example.changes) lines.push(`      ${change}`)
  }
  const rest = sorted.slice(CHANGES_SHOWN)
  if (rest.length > 0) lines.push(`  and ${plural(rest.length, "other kind")} of change`)
  return lines.join("\n")
}

function faultSection(context: Context, fault: FaultReport): string {
  const { program, entry, kind, message, instruction, text, source, firstInput } = fault
  const via = entry === program ? "" : `, called from '${entry}'`
  const first = firstInput > 0 ? `, first at input ${firstInput}` : ""
  const lines = [
    `${context.colors.red(context.colors.bold("fault"))}  '${program}'${via}: ${plural(fault.count, "time")}${first}`,
    `  ${kind}: ${message}`,
  ]
  if (text !== null) lines.push(`  instruction ${instruction}: ${text}`)
  if (fault.address !== null)
    lines.push(`  address 0x${BigInt.asUintN(64, fault.address).toString(16)}`)
  if (source !== null)
    lines.push(`  ${source.file}:${source.line}:${source.column}: ${source.text}`)
  return lines.join("\n")
}

function mapSection(context: Context, map: MapReport, shown: number): string {
  const { name, type, maxEntries, entries } = map
  const isArray = /array/.test(type)
  const size = isArray
    ? `${count(entries.length)} of ${count(maxEntries)} not zero`
    : `${count(entries.length)} of ${count(maxEntries)}`
  const head = title(context, name, `${type}, ${size}`)
  if (entries.length === 0) return head
  const ordered = isArray ? entries : largestFirst(entries)
  const visible = shown === 0 ? ordered : ordered.slice(0, shown)
  const lines = [head, entryTable(context, visible)]
  if (visible.length < ordered.length)
    lines.push(`  … ${count(ordered.length - visible.length)} more (--entries 0 shows all)`)
  return lines.join("\n")
}

/** Keys and values that are structs get a column for each field. */
function entryTable(context: Context, entries: readonly MapEntry[]): string {
  const keyFields = fieldsOf(entries.map(({ key }) => key))
  const valueFields = fieldsOf(entries.map(({ value }) => value))
  const cells = (value: Presented, fields: readonly string[] | null): string[] =>
    fields === null
      ? [cell(value)]
      : fields.map((field) => cell((value as Readonly<Record<string, Presented>>)[field] ?? null))
  const rows = entries.flatMap(({ key, value, perCpu }) => [
    [...cells(key, keyFields), ...cells(value, valueFields)],
    ...(perCpu ?? []).map((one, cpu) => [
      ...cells(`  cpu ${cpu}`, null),
      ...(keyFields ?? [""]).slice(1).map(() => ""),
      ...cells(one, valueFields),
    ]),
  ])
  const numbers = (values: readonly Presented[], field: string | null): boolean =>
    values.every((value) => {
      const one = field === null ? value : (value as Readonly<Record<string, Presented>>)[field]
      return typeof one === "number" || typeof one === "bigint"
    })
  const columns = [
    ...(keyFields ?? ["key"]).map((field) => ({ title: field, align: "left" as const })),
    ...(valueFields ?? ["value"]).map((field) => ({
      title: field,
      align: numbers(
        entries.map(({ value }) => value),
        valueFields === null ? null : field,
      )
        ? ("right" as const)
        : ("left" as const),
    })),
  ]
  return table(columns, rows, context.colors)
}

function cell(value: Presented): string {
  if (typeof value === "number" || typeof value === "bigint") return count(value)
  return presentedText(value)
}

/** The fields that all values have, when all are structs; null otherwise. */
function fieldsOf(values: readonly Presented[]): string[] | null {
  const [first] = values
  if (typeof first !== "object" || first === null || Array.isArray(first)) return null
  return Object.keys(first)
}

function largestFirst(entries: readonly MapEntry[]): MapEntry[] {
  const weight = (value: Presented): number => {
    if (typeof value === "number" || typeof value === "bigint") return Number(value)
    if (typeof value === "object" && value !== null)
      for (const one of Object.values(value)) {
        const number = weight(one as Presented)
        if (number > 0) return number
      }
    return 0
  }
  return [...entries].sort((a, b) => weight(b.value) - weight(a.value))
}

function globalsSection(context: Context, globals: readonly GlobalReport[]): string {
  const shown = globals.filter(({ readonly }) => !readonly)
  if (shown.length === 0) return ""
  const rows = shown.map(({ name, value, changed }) => [
    name,
    changed ? cell(value) : context.colors.dim(cell(value)),
  ])
  return `${title(context, "globals", "")}\n${table([{ title: "" }, { title: "" }], rows, context.colors)}`
}

function streamSection(context: Context, stream: StreamReport): string {
  const { map, type, recordType, count: number, lost, records } = stream
  const lostText = lost > 0 ? `, ${count(lost)} lost` : ""
  const head = title(
    context,
    map,
    `${type}, ${plural(number, "record")}${lostText}${recordType === null ? "" : ` of ${recordType}`}`,
  )
  const lines = [head, ...records.map((record) => `  ${presentedText(record)}`)]
  if (number > records.length)
    lines.push(`  … ${count(number - records.length)} more (--events N shows more)`)
  return lines.join("\n")
}

function traceSection(context: Context, trace: readonly string[]): string {
  if (trace.length === 0) return ""
  const lines = [title(context, "trace", plural(trace.length, "line"))]
  for (const line of trace.slice(0, TRACE_SHOWN)) lines.push(`  ${line}`)
  if (trace.length > TRACE_SHOWN) lines.push(`  … ${count(trace.length - TRACE_SHOWN)} more`)
  return lines.join("\n")
}
