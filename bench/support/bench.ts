/**
 * What a benchmark file exports, and the ways to time and print that all share.
 */

import { cpus, loadavg } from "node:os"

export interface BenchOptions {
  /** Multiplies the time spent measuring; 1 by default, less for a quick look. */
  readonly effort: number
}

export type Row = Record<string, unknown>

export interface BenchResult {
  readonly rows: Row[]
  readonly notes?: string[]
  /** Means over the rows, by what they compare with; null: something was missing. */
  readonly geomean?: Readonly<Record<string, number | null>>
}

/** A file of this folder exports one of these as `bench`. */
export interface Bench {
  readonly name: string
  /** What the numbers answer, in one sentence that ends with a question mark. */
  readonly question: string
  run(options: BenchOptions): Promise<BenchResult>
}

/** Best and median nanoseconds per call. */
export interface Timing {
  readonly bestNs: number
  readonly medianNs: number
}

const WINDOW_NS = 100_000_000
/** Windows of warm-up: at least and at most. */
const WINDOWS_MIN = 3
const WINDOWS_MAX = 30
/** A window that is faster than the one before by more than this shows that V8 is not done yet. */
const SETTLED = 0.9
const SAMPLES = 21
const SAMPLE_NS = 10_000_000

/** Calls `action` for `nanoseconds` (at least three times); returns the time of one call. */
function timeWindow(action: () => void, nanoseconds: number): number {
  const start = process.hrtime.bigint()
  let calls = 0
  let elapsed = 0
  while (elapsed < nanoseconds || calls < 3) {
    action()
    calls++
    elapsed = Number(process.hrtime.bigint() - start)
  }
  return elapsed / calls
}

/**
 * Times `action`: windows of 0.1 s until they get no faster, then 21 samples of about 10 ms each;
 * `effort` scales both.
 */
export function time(action: () => void, { effort }: BenchOptions): Timing {
  let previous = Number.POSITIVE_INFINITY
  let callNs = timeWindow(action, WINDOW_NS * effort)
  for (let window = 1; window < WINDOWS_MAX; window++) {
    if (window >= WINDOWS_MIN && callNs > previous * SETTLED) break
    previous = callNs
    callNs = timeWindow(action, WINDOW_NS * effort)
  }
  const count = Math.max(1, Math.round((SAMPLE_NS * effort) / callNs))
  const samples: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) {
    const before = process.hrtime.bigint()
    for (let call = 0; call < count; call++) action()
    samples.push(Number(process.hrtime.bigint() - before) / count)
  }
  samples.sort((a, b) => a - b)
  return { bestNs: samples[0], medianNs: samples[SAMPLES >> 1] }
}

/** The n-th root of the product. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

/** Processor, Node and load: what a number means depends on it. */
export function machineLine(): string {
  const [processor] = cpus()
  const load = loadavg()[0].toFixed(1)
  return `${processor?.model.trim() ?? "unknown processor"} × ${cpus().length}, load ${load}, node ${process.version}, ${process.platform} ${process.arch}`
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "-"
  if (typeof value !== "number" || Number.isInteger(value)) return String(value)
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(digits)
}

/** Rows as aligned text: numbers to the right, a rule under the head. */
export function formatTable(rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const right = columns.map((column) =>
    rows.every((row) => row[column] === undefined || typeof row[column] === "number"),
  )
  const cells = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index].length)))
  const lines = cells.map((row) =>
    row
      .map((text, index) =>
        right[index] ? text.padStart(widths[index]) : text.padEnd(widths[index]),
      )
      .join("  ")
      .trimEnd(),
  )
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "))
  return lines.join("\n")
}
