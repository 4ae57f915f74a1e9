/** Command lines in this process, with what they print captured. */

import { join } from "node:path"
import type { Io, Output } from "../../src/cli/io.ts"
import { runCli } from "../../src/cli/program.ts"
import { root } from "../support/requirements.ts"

export { root }

export interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly stdin?: string | Uint8Array
}

/** Runs `skep ARGS` from the root of the checkout. */
export async function skep(args: readonly string[], around: Surroundings = {}): Promise<Result> {
  let out = ""
  let err = ""
  const output = (write: (text: string) => void): Output => ({ write, isTty: false, columns: 100 })
  const { stdin = "" } = around
  const io: Io = {
    stdout: output((text) => {
      out += text
    }),
    stderr: output((text) => {
      err += text
    }),
    env: around.env ?? process.env,
    cwd: root,
    readStdin: () => (typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin),
  }
  const code = await runCli(args, io)
  return { code, out, err }
}

/** The JSON that a command prints; the command must succeed. */
export async function skepJson<T>(args: readonly string[]): Promise<T> {
  const { out, err, code } = await skep([...args, "--json"])
  if (code !== 0) throw new Error(`skep ${args.join(" ")} ended with ${code}: ${err}`)
  return JSON.parse(out) as T
}

/** A file of examples/. */
export const example = (path: string): string => join("examples", path)
export const CAPTURE: string = example("captures/mixed-small.pcap")
export const FIREWALL: string = example("firewall/firewall.bpf.o")
