/** {@link Io} of this process. */

import { readFileSync } from "node:fs"
import type { Io, Output } from "./io.ts"

function output(stream: NodeJS.WriteStream): Output {
  // A reader that has seen enough (`| head`) is no error.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0)
    throw error
  })
  return {
    write: (text) => {
      stream.write(text)
    },
    isTty: stream.isTTY === true,
    columns: stream.columns ?? 0,
  }
}

export function processIo(): Io {
  return {
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    readStdin: () => readFileSync(0),
  }
}
