/** `skep run --dump jit`: what the embedded kernel's compiler makes of an object's programs. */

import type { Program } from "../../api/index.ts"
import type { Context } from "../context.ts"
import { CliError } from "../errors.ts"
import type { RunOptions } from "./options.ts"
import { openSession } from "./session.ts"

/** @throws CliError on the host kernel, and for what openSession refuses. */
export async function dumpCompiled(context: Context, options: RunOptions): Promise<void> {
  const session = await openSession(context, options)
  try {
    const { embedded, collection } = session
    if (embedded === null) throw new CliError("--dump jit needs the embedded kernel")
    for (const program of Object.values(collection.programs) as Program[]) {
      const text = embedded.engine.dumpCompiled(program.fd)
      if (typeof text === "string") context.print(text)
    }
  } finally {
    session.close()
  }
}
