/**
 * The command line as a whole: finds the command, loads its file, turns errors into messages and
 * exit codes. Nothing here knows what a command does.
 */

import { Command, CommanderError } from "commander"
import { Context } from "./context.ts"
import { explainError } from "./errors.ts"
import type { Io } from "./io.ts"
import { version } from "./version.ts"

/** What the file of a command exports. */
export interface CommandModule {
  /** Adds the command, its options and its action. */
  register(program: Command, context: Context): void
}

interface Entry {
  readonly summary: string
  readonly load: () => Promise<CommandModule>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  run: {
    summary: "run a program on packets and events, and show what it did",
    load: () => import("./commands/run.ts"),
  },
  inspect: {
    summary: "show programs, maps, globals, externs and relocations of an object",
    load: () => import("./commands/inspect.ts"),
  },
  asm: {
    summary: "assemble text to eBPF instructions",
    load: () => import("./commands/asm.ts"),
  },
  disasm: {
    summary: "disassemble the programs of an object",
    load: () => import("./commands/disasm.ts"),
  },
  btf: {
    summary: "print the types of an object or of the running kernel",
    load: () => import("./commands/btf.ts"),
  },
  verify: {
    summary: "verify the programs of an object as Linux would",
    load: () => import("./commands/verify.ts"),
  },
  compare: {
    summary: "run an object on the embedded kernel and on Linux, and list differences",
    load: () => import("./commands/compare.ts"),
  },
  gen: {
    summary: "generate TypeScript types for an object",
    load: () => import("./commands/gen.ts"),
  },
  pcap: {
    summary: "list and filter captures",
    load: () => import("./commands/pcap.ts"),
  },
}

const HELP_AFTER = `
Examples:
  $ skep run firewall.bpf.o --pcap traffic.pcap
  $ skep inspect firewall.bpf.o
  $ skep COMMAND --help

Exit codes:
  0  done
  1  an input was refused, or a program faulted
  2  the command line makes no sense

Environment:
  SKEP_CC     C compiler for .c files (clang or zig)
  SKEP_DEBUG  show stack traces
  NO_COLOR    no colours`

/** Runs one command line (without `node` and the script); returns the exit code. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const context = new Context(io)
  try {
    const program = createProgram(context)
    const entry = Object.hasOwn(COMMANDS, args[0] ?? "") ? COMMANDS[args[0]] : undefined
    if (entry !== undefined) (await entry.load()).register(program, context)
    else
      for (const [name, { summary }] of Object.entries(COMMANDS))
        program.command(name).summary(summary)
    if (args.length === 0) {
      program.outputHelp()
      return 2
    }
    configure(program, context)
    await program.parseAsync(args, { from: "user" })
    return context.exitCode
  } catch (error) {
    return report(error, context)
  }
}

function createProgram(context: Context): Command {
  const program = new Command("skep")
    .description("eBPF for TypeScript: runs eBPF programs in this process, or on Linux.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help, or that of a command")
    .addHelpText("after", HELP_AFTER)
  configure(program, context)
  return program
}

/** Output and errors of a command and all below it go through the context. */
function configure(command: Command, context: Context): void {
  const { io } = context
  command
    .exitOverride()
    .showHelpAfterError(`(${path(command)} --help shows what there is)`)
    .configureHelp({ helpWidth: Math.min(io.stdout.columns || 100, 100) })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, `${prefix(context)}`)),
    })
  for (const child of command.commands) configure(child, context)
}

function path(command: Command): string {
  return command.parent === null ? command.name() : `${path(command.parent)} ${command.name()}`
}

function prefix(context: Context): string {
  return context.errorColors.red("skep: ")
}

function report(error: unknown, context: Context): number {
  // Help and version end like this too, with code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const { message, details, exitCode } = explainError(error)
  context.io.stderr.write(`${prefix(context) + message}\n`)
  for (const line of details) context.io.stderr.write(`${line}\n`)
  if ((context.io.env["SKEP_DEBUG"] ?? "") !== "" && error instanceof Error)
    context.io.stderr.write(`${error.stack}\n`)
  return exitCode
}
