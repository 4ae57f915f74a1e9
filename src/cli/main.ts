#!/usr/bin/env node
/**
 * The `skep` command. `--version` is answered here, before anything is loaded; everything else is
 * in chunks that are loaded when they are needed.
 */

import { version } from "./version.ts"

const args = process.argv.slice(2)

if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  process.stdout.write(`${version}\n`)
} else {
  const [{ runCli }, { processIo }] = await Promise.all([
    import("./program.ts"),
    import("./process-io.ts"),
  ])
  process.exitCode = await runCli(args, processIo())
}
