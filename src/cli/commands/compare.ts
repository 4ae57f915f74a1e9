/** `skep compare`: the same object on the embedded kernel and on Linux. */

import type { Command } from "commander"
import { embeddedKernel } from "../../api/embedded.ts"
import type { BpfObject } from "../../api/index.ts"
import { parseHex } from "../../base/index.ts"
import {
  CONTEXT_TYPES,
  type Comparison,
  compareKernels,
  PACKET_TYPES,
} from "../../tools/compare/index.ts"
import type { Context } from "../context.ts"
import { CliError, usageError } from "../errors.ts"
import { loadObject, naming } from "../input.ts"
import { openLinux } from "../linux.ts"
import { CC_OPTION } from "../options.ts"
import { startProgress } from "../progress.ts"
import { readEthernet } from "../run/execute.ts"
import { fillMap } from "../run/fill-maps.ts"
import { count, plural } from "../table.ts"

interface Flags {
  readonly pcap?: string
  readonly context: string[]
  readonly prog: string[]
  readonly map: string[]
  readonly ignore: string[]
  readonly show: string
  readonly cc?: string
  readonly json?: boolean
}

const again = (value: string, previous: string[]): string[] => [...previous, value]

export function register(program: Command, context: Context): void {
  program
    .command("compare")
    .summary("run an object on the embedded kernel and on Linux, and list differences")
    .description(
      "Loads an object on the embedded kernel and on Linux, gives its packet programs every frame of a capture (and raw tracepoint and syscall programs every context) by PROG_TEST_RUN on each, and lists the differences in errno, return value, packet, context and map content. Exit code 1 when there is any.",
    )
    .argument("<file>", "object (.o) or C source (.c)")
    .option("--pcap <in>", "pcap or pcapng file with Ethernet frames")
    .option(
      "--context <hex>",
      "context of raw tracepoint and syscall programs; repeatable",
      again,
      [],
    )
    .option("--prog <name>", "compare only this program; repeatable", again, [])
    .option(
      "--map <name=file>",
      "initial content of a map, as for `skep run`; repeatable",
      again,
      [],
    )
    .option(
      "--ignore <field>",
      "a field of keys, values and records that may differ, such as a time stamp; repeatable",
      again,
      [],
    )
    .option("--show <n>", "differences to show", "20")
    .option(...CC_OPTION)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
Linux is reached with the optional package koffi, as root or with CAP_BPF. Both kernels run the
programs on CPU 0, so per-CPU values are compared as they lie; where this process may not use
CPU 0, by their sums.

Example:
  # skep compare firewall.bpf.o --pcap traffic.pcap --ignore last_ns`,
    )
    .action((file: string, flags: Flags) => run(context, file, flags))
}

async function run(context: Context, file: string, flags: Flags): Promise<void> {
  const shown = Number(flags.show)
  if (!Number.isInteger(shown) || shown < 0)
    throw usageError(`--show ${flags.show}: a whole number is needed`)
  const fills = flags.map.map((word): [string, string] => {
    const equals = word.indexOf("=")
    if (equals <= 0) throw usageError(`--map ${word}: it takes NAME=FILE`)
    return [word.slice(0, equals), word.slice(equals + 1)]
  })
  const object = await loadObject(context, file, flags.cc)
  checkPrograms(object, file, flags.prog)
  if (flags.pcap === undefined && flags.context.length === 0)
    throw usageError("compare needs --pcap or --context: what the programs are run on")
  const contexts = flags.context.map(contextBytes)
  const frames =
    flags.pcap === undefined ? [] : readEthernet(context, flags.pcap).frames.map(({ data }) => data)
  const linux = await openLinux()
  const embedded = embeddedKernel({ cpus: linux.cpus })
  const progress = startProgress(context, "runs", frames.length + contexts.length)
  const { pinToCpu } = await import("../../linux/index.ts")
  const unpin = pinToCpu(0)
  try {
    const comparison = naming(file, () =>
      compareKernels([embedded, linux], object, {
        frames,
        contexts,
        perCpu: unpin === null ? "sum" : "exact",
        programs: flags.prog.length === 0 ? undefined : flags.prog,
        ignore: flags.ignore,
        differencesMax: shown,
        setup: (collection, kernel) => {
          for (const [name, source] of fills)
            fillMap(context, {
              name,
              source,
              object,
              collection,
              embedded: kernel === embedded ? embedded : null,
            })
        },
        progress: (runs) => progress.update(runs),
      }),
    )
    progress.end()
    if (flags.json) context.printJson({ object: file, frames: frames.length, ...comparison })
    else print(context, file, frames.length, comparison)
    if (comparison.differenceCount > 0) context.exitCode = 1
  } finally {
    unpin?.()
    progress.end()
    embedded.close()
    linux.close()
  }
}

function checkPrograms(object: BpfObject, file: string, chosen: readonly string[]): void {
  for (const name of chosen)
    if (!object.programs.some((program) => program.name === name))
      throw new CliError(`${file}: there is no program '${name}'`, {
        hint: `The object has ${object.programs.map((one) => one.name).join(", ")}.`,
      })
  if (!object.programs.some(({ type }) => [...PACKET_TYPES, ...CONTEXT_TYPES].includes(type)))
    throw new CliError(
      `${file}: no program in it takes packets or contexts, so there is nothing to compare`,
    )
}

function contextBytes(text: string): Uint8Array {
  try {
    return parseHex(text)
  } catch (error) {
    throw usageError(`--context ${text}: ${error instanceof Error ? error.message : error}`)
  }
}

/** Bytes of a packet that a line has room for. */
const PACKET_CHARACTERS = 96

function print(context: Context, file: string, frames: number, comparison: Comparison): void {
  const { colors } = context
  const { programs, runs, refusedAlike, maps, differences, differenceCount } = comparison
  const refused = refusedAlike === 0 ? "" : ` (${count(refusedAlike)} refused alike)`
  context.print(
    `${colors.bold(file)}: ${programs.join(", ")}: ${plural(frames, "frame")}, ${plural(runs, "run")} on each kernel${refused}, ${plural(maps.length, "map")}`,
  )
  for (const { what, name, frame, first, second } of differences) {
    context.print(`${colors.red(what)}  ${name}${frame === null ? "" : `, frame ${frame}`}`)
    const cut = (text: string): string =>
      text.length > PACKET_CHARACTERS ? `${text.slice(0, PACKET_CHARACTERS)}…` : text
    const [a, b] =
      what === "packet" || what === "context"
        ? fromDifference(first, second).map(cut)
        : [first, second]
    context.print(`  embedded  ${a}`)
    context.print(`  linux     ${b}`)
  }
  if (differences.length < differenceCount)
    context.print(`… ${count(differenceCount - differences.length)} more`)
  context.print(
    differenceCount === 0
      ? colors.green("no differences")
      : colors.red(plural(differenceCount, "difference")),
  )
}

/** Both hex texts from the byte that differs. */
function fromDifference(first: string, second: string): [string, string] {
  let at = 0
  while (
    at < first.length &&
    at < second.length &&
    first.slice(at, at + 2) === second.slice(at, at + 2)
  )
    at += 2
  const from = (text: string): string =>
    `from byte ${at / 2}: ${text.slice(at) || "end"} (${text.length / 2} bytes)`
  return [from(first), from(second)]
}
