#!/usr/bin/env node
/**
 * The `skep` command. `--version` is answered here, before anything is loaded; everything else is
 * in chunks that are loaded when they are needed.
 */

import * as nodeModule from "node:module"
import { version } from "./version.ts"

const args = process.argv.slice(2)

if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  process.stdout.write(`${version}\n`)
} else {
  // From Node 22.1 on: the second start and all later ones compile nothing. NODE_DISABLE_COMPILE_CACHE=1
  // turns it off.
  const { enableCompileCache } = nodeModule as { enableCompileCache?: () => unknown }
  enableCompileCache?.()
  const [{ runCli }, { processIo }] = await Promise.all([
    import("./program.ts"),
    import("./process-io.ts"),
  ])
  process.exitCode = await runCli(args, processIo())
}
