/**
 * The objects that tests of `object` and `loader` read: C sources in `fixtures/`, compiled here by
 * every clang there is, and a few compiled objects committed beside them.
 */

import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of C sources and committed objects. */
export const fixtures: string = join(dirname(fileURLToPath(import.meta.url)), "fixtures")

/** Compilers on PATH, `clang` first: `clang`, `clang-14`, `clang-19`. */
export const compilers: readonly string[] = [
  "clang",
  ...Array.from({ length: 14 }, (_, index) => `clang-${13 + index}`),
].filter((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0)

const cache = join(tmpdir(), `skep-objects-${process.getuid?.() ?? 0}`)

/** How to compile; the defaults are `clang`, `-O2 -g`, little-endian. */
export interface CompileOptions {
  readonly compiler?: string
  readonly flags?: readonly string[]
  readonly target?: "bpf" | "bpfeb"
}

/** Compiles a source of `fixtures/` (or any other path) and returns the object's path. */
export function compile(source: string, options: CompileOptions = {}): string {
  const { compiler = "clang", flags = ["-O2", "-g"], target = "bpf" } = options
  const path = source.includes("/") ? source : join(fixtures, source)
  const key = [compiler, target, ...flags, readFileSync(path, "utf8")].join("\0")
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.c$/, "")
  const hash = createHash("sha256").update(key).digest("hex").slice(0, 16)
  const out = join(cache, hash, `${name}.bpf.o`)
  if (existsSync(out)) return out
  mkdirSync(dirname(out), { recursive: true })
  const part = `${out}.${process.pid}`
  const { status, stderr } = spawnSync(
    compiler,
    ["-target", target, ...flags, ...multiarch(), "-w", "-c", path, "-o", part],
    { encoding: "utf8" },
  )
  if (status !== 0) throw new Error(`${compiler} ${source}: ${stderr}`)
  renameSync(part, out)
  return out
}

/** Debian's kernel headers are partly below the machine's triplet. */
function multiarch(): string[] {
  const triplet = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`
  return existsSync(`/usr/include/${triplet}/asm`) ? ["-idirafter", `/usr/include/${triplet}`] : []
}

/** Names of the committed objects: `basic.clang14.o`. */
export function committedObjects(): string[] {
  return readdirSync(fixtures).filter((name) => name.endsWith(".o"))
}

/** The bytes of an object, as a plain Uint8Array. */
export function objectBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path.includes("/") ? path : join(fixtures, path)))
}
