/** `skep pcap`: look into captures, and filter them by a program. */

import type { Command } from "commander"
import { embeddedKernel } from "../../api/embedded.ts"
import { type Program, parseObject } from "../../api/index.ts"
import { parseHex } from "../../base/index.ts"
import {
  type ClassicInstruction,
  checkClassic,
  decodeClassic,
  interpretClassic,
  parseClassicDecimal,
} from "../../isa/classic/index.ts"
import { type CapturedFrame, summarize, writePcap } from "../../packet/index.ts"
import type { Context } from "../context.ts"
import { CliError } from "../errors.ts"
import { isElf, loadCapture, naming } from "../input.ts"
import { count, plural } from "../table.ts"

/** XDP_DROP and XDP_ABORTED. */
const XDP_KEEP_MIN = 2

export function register(program: Command, context: Context): void {
  const pcap = program
    .command("pcap")
    .summary("list and filter captures")
    .description("Lists and filters captures (pcap and pcapng).")
  pcap
    .command("list")
    .description("Prints one line a frame.")
    .argument("<file>", "capture, or - for standard input")
    .option("-n, --count <n>", "at most so many frames", Number)
    .option("--json", "print the frames as JSON")
    .addHelpText("after", "\nExample:\n  $ skep pcap list traffic.pcap -n 20")
    .action((file: string, options: { count?: number; json?: boolean }) =>
      list(context, file, options),
    )
  pcap
    .command("filter")
    .description(
      "Keeps the frames that a program accepts: a classic filter (the output of tcpdump -ddd, or its instructions as hex) that returns more than 0, a socket filter likewise, or an XDP program that does not drop.",
    )
    .argument("<file>", "capture, or - for standard input")
    .requiredOption("-p, --program <file>", "tcpdump -ddd text, hex, or an object (.o)")
    .option("-o, --out <file>", "write the frames that are kept; without it they are listed")
    .option("--json", "print counts as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ tcpdump -ddd udp port 53 > dns.txt && skep pcap filter all.pcap -p dns.txt -o dns.pcap",
    )
    .action((file: string, options: FilterOptions) => filter(context, file, options))
}

function list(context: Context, file: string, options: { count?: number; json?: boolean }): void {
  if (options.count !== undefined && !(options.count >= 0))
    throw new CliError("--count wants a number", { exitCode: 2 })
  const { frames } = loadCapture(context, file)
  const shown = frames.slice(0, options.count ?? frames.length)
  const start = frames[0]?.timestampNs ?? 0n
  const rows = shown.map((frame, index) => ({
    frame: index + 1,
    seconds: Number(frame.timestampNs - start) / 1e9,
    bytes: frame.originalLength,
    summary: summarize(frame.data),
  }))
  if (options.json) context.printJson(rows)
  else
    for (const row of rows)
      context.print(
        `${String(row.frame).padStart(6)}  ${context.colors.dim(row.seconds.toFixed(6).padStart(12))}  ${row.summary}`,
      )
}

interface FilterOptions {
  readonly program: string
  readonly out?: string
  readonly json?: boolean
}

function filter(context: Context, file: string, options: FilterOptions): void {
  const capture = loadCapture(context, file)
  const accepts = naming(options.program, () => readFilter(context.read(options.program)))
  const kept = capture.frames.filter((frame) => accepts(frame))
  if (options.out !== undefined)
    context.write(options.out, writePcap(kept, { linkType: capture.linkType }))
  if (options.json) context.printJson({ frames: capture.frames.length, kept: kept.length })
  else {
    if (options.out === undefined) for (const frame of kept) context.print(summarize(frame.data))
    const whole = plural(capture.frames.length, "frame")
    context.io.stderr.write(`${count(kept.length)} of ${whole} kept\n`)
  }
}

/** A predicate on frames from the bytes of a program in one of the three forms. */
function readFilter(bytes: Uint8Array): (frame: CapturedFrame) => boolean {
  if (isElf(bytes)) return objectFilter(bytes)
  const text = new TextDecoder().decode(bytes)
  const program: ClassicInstruction[] = /^\s*\d+\s*$/m.test(text.split("\n")[0])
    ? [...parseClassicDecimal(text)]
    : [...decodeClassic(parseHex(text))]
  checkClassic(program)
  return (frame) => interpretClassic(program, frame.data, { length: frame.originalLength }) !== 0
}

function objectFilter(bytes: Uint8Array): (frame: CapturedFrame) => boolean {
  const object = parseObject(bytes)
  const entry = object.entryPrograms.find((one) => one.type === 1 || one.type === 6)
  if (entry === undefined)
    throw new RangeError("it holds neither a socket filter nor an XDP program")
  const collection = embeddedKernel().loadSync(object)
  const program = collection.programs[entry.name] as Program
  return (frame) => {
    const { returned } = program.run({ data: frame.data })
    return entry.type === 6 ? returned >= XDP_KEEP_MIN : returned !== 0
  }
}
