/** Explanations as text (as compilers print them), SARIF and annotations of a code review. */

import type { Explanation, Note, Place } from "./explanation.ts"

/** Colours of the text; identity functions by default. */
export interface Paint {
  readonly bold: (text: string) => string
  readonly red: (text: string) => string
  readonly blue: (text: string) => string
  readonly green: (text: string) => string
  readonly dim: (text: string) => string
}

const plain = (text: string): string => text
const NO_PAINT: Paint = { bold: plain, red: plain, blue: plain, green: plain, dim: plain }

/** The last part of a path. */
function shortFile(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1)
}

function where(place: Place): string {
  const insn = `instruction ${place.insn}`
  if (place.file === undefined) return `${insn}: ${place.instruction ?? ""}`
  return `${shortFile(place.file)}:${place.line}:${place.column}  (${insn}: ${place.instruction})`
}

/** Text in the manner of rustc: the rule, the lines with carets, the notes, the fixes. */
export function renderText(e: Explanation, paint: Paint = NO_PAINT): string {
  const out = [
    `${paint.red(paint.bold(`error[${e.code}]`))}${paint.bold(`: ${e.title}`)}`,
    `  ${paint.blue("-->")} ${where(e.place)}`,
    ...snippet(e, paint),
  ]
  const equals = paint.blue("   =")
  out.push(`${equals} kernel: ${e.message.replaceAll("\n", "\n     ")}`)
  out.push(`${equals} help: ${e.help}`)
  e.fixes.forEach((fix, index) => {
    const line = fix.place.line === undefined ? "" : ` ${wordFor(fix.where)} line ${fix.place.line}`
    out.push(
      `${equals} ${paint.green(`fix (verified, ${index + 1} of ${e.fixes.length})`)}: ${fix.title}${line}`,
    )
    for (const text of fix.edit.split("\n")) out.push(`     ${paint.green(`+ ${text}`)}`)
  })
  if (e.fixes.length === 0)
    out.push(
      `${equals} fix: ${e.fixesTried === 0 ? "none is known" : `none of ${e.fixesTried} repairs that were tried loads`}`,
    )
  if (e.counterexample) out.push(`${equals} counterexample: ${e.counterexample.text}`)
  else if (e.counterexampleNote !== undefined)
    out.push(`${equals} counterexample: ${e.counterexampleNote}`)
  out.push(`${equals} applies to: ${e.appliesTo}`)
  return out.join("\n")
}

function wordFor(place: string): string {
  return place === "declaration" || place === "program" ? "for" : place === "replace" ? "in" : place
}

/** Lines of the source that take part, each once, in their order. */
function snippet(e: Explanation, paint: Paint): string[] {
  const { place } = e
  if (place.line === undefined) {
    const notes = e.notes.map(
      ({ place: at, text }) =>
        `   ${paint.blue("|")} ${at.insn}: ${at.instruction}   ${paint.dim(text)}`,
    )
    const last = `   ${paint.blue("|")} ${place.insn}: ${place.instruction}   ${paint.red(e.label)}`
    return [...notes, last.trimEnd()]
  }
  const width = String(Math.max(place.line, ...e.notes.map(({ place: at }) => at.line ?? 0))).length
  const gutter = (line: string): string => paint.blue(`${line.padStart(width)} |`)
  const out = [gutter("")]
  const failing: Note = { place, text: e.label || "rejected here" }
  for (const [index, note] of [...e.notes, failing].entries()) {
    const at = note.place
    if (at.line === undefined) continue
    const isLast = index === e.notes.length
    const text = (at.text ?? "").replaceAll("\t", " ")
    out.push(`${gutter(String(at.line))} ${text}`)
    const column = Math.max((at.column ?? 1) - 1, text.length - text.trimStart().length)
    const mark = (isLast ? "^" : "-").repeat(Math.max(1, wordLength(text, column)))
    const color = isLast ? paint.red : paint.blue
    out.push(
      `${gutter("")} ${" ".repeat(Math.min(column, text.length))}${color(`${mark} ${note.text}`)}`,
    )
  }
  out.push(gutter(""))
  return out
}

/** Length of the expression that starts at a column: a word with what is called or reached by it. */
function wordLength(text: string, column: number): number {
  return /^(?:[\w.[\]]|->|\()+/.exec(text.slice(column))?.[0].replace(/\($/, "").length ?? 1
}

/** Path of a place for tools that show it in files. */
function uriOf(place: Place, fallback: string): string {
  return (place.file ?? fallback).replace(/^\.\//, "")
}

/** SARIF 2.1.0 of any number of explanations. */
export function renderSarif(explanations: readonly Explanation[], file: string): object {
  const location = (place: Place, text?: string) => ({
    physicalLocation: {
      artifactLocation: { uri: uriOf(place, file) },
      region: { startLine: place.line ?? 1, startColumn: Math.max(place.column ?? 1, 1) },
    },
    ...(text === undefined ? {} : { message: { text } }),
  })
  const rules = new Map(explanations.map((e) => [e.code, e]))
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "skep verify",
            rules: [...rules.values()].map(({ code, cause, help }) => ({
              id: code,
              name: cause,
              shortDescription: { text: cause.replaceAll("-", " ") },
              help: { text: help },
            })),
          },
        },
        results: explanations.map((e) => ({
          ruleId: e.code,
          level: "error",
          message: { text: messageOf(e) },
          locations: [location(e.place)],
          relatedLocations: e.notes.map(({ place, text }) => location(place, text)),
        })),
      },
    ],
  }
}

function messageOf(e: Explanation): string {
  const fixes = e.fixes.map(({ title, edit }) => `Fix (verified): ${title}: ${edit}`)
  return [`${e.program}: ${e.title}`, `Kernel: ${e.message}`, ...fixes].join("\n")
}

/** Workflow commands of GitHub Actions, one for each explanation. */
export function renderGithub(explanations: readonly Explanation[], file: string): string {
  const escaped = (text: string): string =>
    text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")
  const property = (text: string): string =>
    escaped(text).replaceAll(":", "%3A").replaceAll(",", "%2C")
  return explanations
    .map((e) => {
      const { place } = e
      const title = property(`${e.code} ${e.cause}`)
      return `::error file=${property(uriOf(place, file))},line=${place.line ?? 1},col=${Math.max(place.column ?? 1, 1)},title=${title}::${escaped(messageOf(e))}`
    })
    .join("\n")
}
