/** The commands of `skep` as their own files declare them: names, options, summaries. */

import { readdirSync } from "node:fs"
import { join } from "node:path"
import { Command } from "commander"
import { Context } from "../../src/cli/context.ts"
import type { Io } from "../../src/cli/io.ts"
import { root } from "./evidence.ts"

const silent = { write: () => {}, isTty: false, columns: 100 }
const io: Io = {
  stdout: silent,
  stderr: silent,
  env: {},
  cwd: root,
  readStdin: () => new Uint8Array(0),
}

/** A program with every command registered; subcommands are commands of their command. */
export async function cliCommands(): Promise<readonly Command[]> {
  const folder = join(root, "src/cli/commands")
  const program = new Command("skep")
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .sort()) {
    const module = await import(join(folder, file))
    if (typeof module.register === "function") module.register(program, new Context(io))
  }
  return program.commands
}

/** `gen types`: a command's name with those above it, without `skep`. */
export function commandPath(command: Command): string {
  const above =
    command.parent === null || command.parent.name() === "skep"
      ? ""
      : `${commandPath(command.parent)} `
  return above + command.name()
}

/** The commands that can be run: leaves of the tree, and those that have an action beside subcommands. */
export function leafCommands(commands: readonly Command[]): Command[] {
  return commands.flatMap((command) =>
    command.commands.length === 0 ? [command] : leafCommands(command.commands),
  )
}
