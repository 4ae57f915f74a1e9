/** The inputs that several commands share: objects (compiled if need be) and captures. */

import { basename } from "node:path"
import { type BpfObject, ObjectError, parseObject } from "../api/index.ts"
import { type Capture, openCapture } from "../packet/index.ts"
import type { Context } from "./context.ts"
import { CliError, explainError } from "./errors.ts"

/** Runs `read` so that its errors name the file. */
export function naming<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof CliError) throw error
    const { message, details, exitCode } = explainError(error, file)
    if (message.startsWith("internal error")) throw error
    throw new CliError(message, {
      hint: details.length === 0 ? undefined : details.join("\n"),
      exitCode: exitCode === 2 ? 2 : 1,
      cause: error,
    })
  }
}

/** The bytes of an object: a file, standard input for `-`, or a C source that is compiled. */
export async function readObjectBytes(
  context: Context,
  file: string,
  compiler?: string,
): Promise<Uint8Array> {
  if (!file.endsWith(".c")) return naming(file, () => context.read(file))
  // The compiler's own message about a missing file says less.
  naming(file, () => context.read(file))
  const { compile } = await import("./compile.ts")
  return compile(context, file, compiler)
}

/**
 * Reads an object, compiling it first if it is C.
 *
 * @throws CliError naming the file for whatever is wrong with it.
 */
export async function loadObject(
  context: Context,
  file: string,
  compiler?: string,
): Promise<BpfObject> {
  const bytes = await readObjectBytes(context, file, compiler)
  const name = basename(file).replace(/\.(bpf\.)?[co]$/, "")
  return naming(file, () => {
    if (!isElf(bytes)) throw notElf(bytes)
    return parseObject(bytes, { name })
  })
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
}

function notElf(bytes: Uint8Array): ObjectError {
  const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"))
  const begins = start.length === 0 ? "is empty" : `begins with ${start.join(" ")}`
  return new ObjectError(
    `not an eBPF object: it ${begins}, an ELF file with 7f 45 4c 46 (give a .o or a .c file)`,
  )
}

/**
 * Reads a capture; of one that is cut inside a record the frames before it, with a warning.
 *
 * @throws CliError naming the file.
 */
export function loadCapture(context: Context, file: string): Capture {
  return naming(file, () => {
    const reader = openCapture(context.read(file))
    const frames = [...reader.frames()]
    const { format, linkType, interfaces, truncated } = reader
    if (truncated)
      context.warn(
        `${file}: the file ends inside a record; ${frames.length} whole frames are there`,
      )
    return { format, linkType, interfaces, frames, truncated }
  })
}
