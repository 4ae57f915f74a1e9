/** `skep verify`: the verifier's verdict on every program of an object. */

import type { Command } from "commander"
import { embeddedKernel } from "../../api/embedded.ts"
import type { BpfObject } from "../../object/index.ts"
import { errnoName } from "../../spec/index.ts"
import {
  type Answer,
  compareVerdicts,
  type ExplainedProgram,
  explainObject,
  lastMessage,
  profileObject,
  type Verified,
  verifyObject,
} from "../../tools/verify/index.ts"
import { renderGithub, renderSarif, renderText } from "../../verifier/explain/index.ts"
import type { Context } from "../context.ts"
import { CliError, usageError } from "../errors.ts"
import { loadObject } from "../input.ts"
import { openLinux } from "../linux.ts"
import { CC_OPTION } from "../options.ts"
import { count, table } from "../table.ts"

interface Flags {
  readonly prog: string[]
  readonly log?: string
  readonly compare?: boolean
  readonly explain?: boolean
  readonly format?: string
  readonly profile?: boolean
  readonly cc?: string
  readonly json?: boolean
}

const again = (value: string, previous: string[]): string[] => [...previous, value]

export function register(program: Command, context: Context): void {
  program
    .command("verify")
    .summary("verify the programs of an object as Linux would")
    .description(
      "Verifies every program of an object with our own verifier, which gives the verdicts of Linux 6.18: no kernel and no root are needed. Prints the verdict, the instructions processed, the states kept, the stack used and the time for each; for a refused program, why. Exit code 1 when a program is refused, or when --compare finds a difference.",
    )
    .argument("<file>", "object (.o) or C source (.c)")
    .option("--prog <name>", "verify only this program; repeatable", again, [])
    .option("--log <level>", "print the log as the kernel would: 1, 2 (every state) or 4 (figures)")
    .option("--compare", "also ask the running Linux kernel, and show both")
    .option(
      "--explain",
      "say why a program is refused: the source, what led there, repairs that were verified, inputs that break it",
    )
    .option("--format <format>", "of --explain: text (the default), json, sarif or github")
    .option("--profile", "show the source lines that cost the verifier most")
    .option(...CC_OPTION)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
Example:
  $ skep verify firewall.bpf.o
  $ skep verify firewall.bpf.o --prog xdp_firewall --log 2
  $ skep verify firewall.bpf.c --explain`,
    )
    .action((file: string, flags: Flags) => run(context, file, flags))
}

async function run(context: Context, file: string, flags: Flags): Promise<void> {
  const logLevel = flags.log === undefined ? 0 : Number(flags.log)
  if (!Number.isInteger(logLevel) || logLevel < 0 || logLevel > 7)
    throw usageError(`--log ${flags.log}: the level is 1, 2 or 4, or a sum of these`)
  const format = flags.format ?? (flags.json ? "json" : "text")
  if (!FORMATS.includes(format))
    throw usageError(`--format ${format}: the formats are ${FORMATS.join(", ")}`)
  const object = await loadObject(context, file, flags.cc)
  const programs = chosen(object.model, file, flags.prog)
  const work = { object: object.model, programs, logLevel, flags }
  if (flags.explain || flags.format !== undefined) explainAll(context, file, work, format)
  else if (flags.profile) profile(context, file, work)
  else if (flags.compare) await compare(context, file, work)
  else verifyAlone(context, file, work)
}

const FORMATS: readonly string[] = ["text", "json", "sarif", "github"]

interface Work {
  readonly object: BpfObject
  readonly programs: readonly string[]
  readonly logLevel: number
  readonly flags: Flags
}

function chosen(object: BpfObject, file: string, names: readonly string[]): readonly string[] {
  const known = object.programs.map(({ name }) => name)
  for (const name of names)
    if (!known.includes(name))
      throw new CliError(`${file}: there is no program '${name}'`, {
        hint: `The object has ${known.join(", ")}.`,
      })
  return names.length === 0 ? known : names
}

function explainAll(context: Context, file: string, work: Work, format: string): void {
  const kernel = embeddedKernel()
  try {
    const { object, programs, logLevel } = work
    const results = explainObject(kernel.bpf2, object, { programs, logLevel })
    const explanations = results.flatMap(({ explanation }) => explanation ?? [])
    if (format === "json")
      context.printJson({
        object: file,
        programs: results.map((result) => ({ ...asJson(result), explanation: result.explanation })),
      })
    else if (format === "sarif") context.printJson(renderSarif(explanations, file))
    else if (format === "github") {
      if (explanations.length > 0) context.print(renderGithub(explanations, file))
    } else printExplanations(context, results, logLevel)
    if (explanations.length > 0) context.exitCode = 1
  } finally {
    kernel.close()
  }
}

function printExplanations(
  context: Context,
  results: readonly ExplainedProgram[],
  logLevel: number,
): void {
  const { colors } = context
  const paint = { ...colors, blue: (text: string) => colors.blue(text) }
  const texts = results.map(({ program, verdict, explanation }) => {
    const log = logLevel > 0 ? `\n${verdict.log.trimEnd()}` : ""
    if (explanation === null) return `${colors.bold(program)}: ${colors.green("accepted")}${log}`
    return `${colors.bold(program)}:\n${renderText(explanation, paint)}${log}`
  })
  context.print(texts.join("\n\n"))
}

/** Lines that a profile shows of each program. */
const PROFILE_LINES = 20

function profile(context: Context, file: string, work: Work): void {
  const kernel = embeddedKernel()
  try {
    const { object, programs, flags } = work
    const results = profileObject(kernel.bpf2, object, { programs })
    if (flags.json) {
      context.printJson({
        object: file,
        programs: results.map((result) => ({ ...asJson(result), lines: result.lines })),
      })
      return
    }
    const columns = [
      { title: "processed", align: "right" as const },
      { title: "line" },
      { title: "source" },
    ]
    for (const { program, lines } of results) {
      const rows = lines
        .slice(0, PROFILE_LINES)
        .map(({ processed, line, text }) => [count(processed), String(line), text])
      context.print(`${context.colors.bold(program)}\n${table(columns, rows, context.colors)}`)
    }
  } finally {
    kernel.close()
  }
}

function verifyAlone(context: Context, file: string, work: Work): void {
  const kernel = embeddedKernel()
  try {
    const { object, programs, logLevel, flags } = work
    const results = verifyObject(kernel.bpf2, object, { programs, logLevel })
    if (flags.json) context.printJson({ object: file, programs: results.map(asJson) })
    else printResults(context, results, logLevel)
    if (results.some(({ verdict }) => verdict.rejection !== null)) context.exitCode = 1
  } finally {
    kernel.close()
  }
}

function asJson({ program, verdict }: Verified): object {
  const { rejection, statistics, milliseconds, stateBytes, stackDepths, log } = verdict
  return {
    program,
    accepted: rejection === null,
    ...(rejection === null
      ? {}
      : {
          error: {
            errno: errnoName(-rejection.errno),
            message: rejection.message,
            instruction: rejection.insn,
            ...rejection.details,
          },
        }),
    ...statistics,
    stackDepths,
    milliseconds,
    stateBytes,
    ...(log === "" ? {} : { log }),
  }
}

function printResults(context: Context, results: readonly Verified[], logLevel: number): void {
  const { colors } = context
  const columns = [
    { title: "program" },
    { title: "verdict" },
    { title: "instructions", align: "right" as const },
    { title: "states", align: "right" as const },
    { title: "stack", align: "right" as const },
    { title: "ms", align: "right" as const },
  ]
  const rows = results.map(({ program, verdict }) => [
    program,
    verdict.rejection === null
      ? colors.green("accepted")
      : colors.red(errnoName(-verdict.rejection.errno)),
    count(verdict.statistics.insnsProcessed),
    count(verdict.statistics.totalStates),
    verdict.stackDepths.join("+"),
    verdict.milliseconds.toFixed(2),
  ])
  context.print(table(columns, rows, colors))
  for (const { program, verdict } of results) {
    if (verdict.rejection !== null)
      context.print(
        `\n${colors.bold(program)}: instruction ${verdict.rejection.insn}: ${colors.red(verdict.rejection.message)}`,
      )
    if (logLevel > 0) context.print(`\n${verdict.log.trimEnd()}`)
  }
}

async function compare(context: Context, file: string, work: Work): Promise<void> {
  const { object, programs, logLevel, flags } = work
  const linux = await openLinux()
  try {
    const answers = compareVerdicts(linux.bpf2, object, { programs, logLevel })
    if (flags.json) context.printJson({ object: file, programs: answers.map(answerJson) })
    else printAnswers(context, answers)
    if (answers.some((answer) => !agrees(answer))) context.exitCode = 1
  } finally {
    linux.close()
  }
}

function agrees({ ours, errno }: Answer): boolean {
  return (ours.rejection?.errno ?? 0) === errno
}

function answerJson(answer: Answer): object {
  return {
    ...asJson({ program: answer.program, verdict: answer.ours }),
    agrees: agrees(answer),
    linux: {
      accepted: answer.errno === 0,
      ...(answer.errno === 0
        ? {}
        : { errno: errnoName(-answer.errno), message: lastMessage(answer.log) }),
      insnsProcessed: answer.processed[1],
      microseconds: answer.microseconds[1],
    },
  }
}

function printAnswers(context: Context, answers: readonly Answer[]): void {
  const { colors } = context
  const word = (errno: number) =>
    errno === 0 ? colors.green("accepted") : colors.red(errnoName(-errno))
  const columns = [
    { title: "program" },
    { title: "skep" },
    { title: "linux" },
    { title: "instructions", align: "right" as const },
    { title: "linux", align: "right" as const },
    { title: "µs", align: "right" as const },
    { title: "linux", align: "right" as const },
  ]
  const rows = answers.map(({ program, ours, errno, processed, microseconds }) => [
    program,
    word(ours.rejection?.errno ?? 0),
    word(errno),
    count(processed[0]),
    count(processed[1]),
    microseconds[0].toFixed(0),
    String(microseconds[1]),
  ])
  context.print(table(columns, rows, colors))
  for (const answer of answers) {
    const { rejection } = answer.ours
    const theirs = answer.errno === 0 ? null : lastMessage(answer.log)
    if (rejection === null && theirs === null) continue
    context.print(`\n${colors.bold(answer.program)}`)
    if (rejection !== null) context.print(`  skep   ${rejection.message}`)
    if (theirs !== null) context.print(`  linux  ${theirs}`)
  }
}
