/**
 * The objects that tests of `object` and `loader` read: C sources in `fixtures/`, compiled here by
 * every clang there is, and a few compiled objects committed beside them.
 */

import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of C sources and committed objects. */
export const fixtures: string = join(dirname(fileURLToPath(import.meta.url)), "fixtures")

const include = join(fixtures, "../../../include")

const cache = join(tmpdir(), `skep-objects-${process.getuid?.() ?? 0}`)

/** How to compile; the defaults are `-O2 -g`, little-endian. */
export interface CompileOptions {
  readonly flags?: readonly string[]
  readonly target?: "bpf" | "bpfeb"
}

/** Compiles a source of `fixtures/` (or any other path) and returns the object's path. */
export function compile(source: string, options: CompileOptions = {}): string {
  const { flags = ["-O2", "-g"], target = "bpf" } = options
  const path = source.includes("/") ? source : join(fixtures, source)
  const key = [target, ...flags, readFileSync(path, "utf8")].join("\0")
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.c$/, "")
  const hash = createHash("sha256").update(key).digest("hex").slice(0, 16)
  const out = join(cache, hash, `${name}.bpf.o`)
  if (existsSync(out)) return out
  mkdirSync(dirname(out), { recursive: true })
  const part = `${out}.${process.pid}`
  const { status, stderr } = spawnSync(
    "clang",
    ["-target", target, ...flags, "-I", include, "-w", "-c", path, "-o", part],
    { encoding: "utf8" },
  )
  if (status !== 0) throw new Error(`clang ${source}: ${stderr}`)
  renameSync(part, out)
  return out
}

/** Compiles (or, with `-x assembler`, assembles) a text. */
export function compileText(text: string, options: CompileOptions = {}): string {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 16)
  const path = join(cache, hash, "text.c")
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return compile(path, options)
}

/** An object of the corpus and a name for it in test titles. */
export interface CorpusObject {
  readonly label: string
  readonly path: string
}

/**
 * All objects of one source: compiled by this machine's clang in both byte orders, and as committed
 * (made by `scripts/build-fixtures.mjs` with other versions of clang).
 */
export function objectsOf(source: string): CorpusObject[] {
  const committed = readdirSync(fixtures).filter(
    (n) => n.startsWith(`${source}.`) && n.endsWith(".o"),
  )
  return [
    { label: `${source} (clang)`, path: compile(`${source}.c`) },
    { label: `${source} (clang, big-endian)`, path: compile(`${source}.c`, { target: "bpfeb" }) },
    ...committed.map((name) => ({ label: name, path: join(fixtures, name) })),
  ]
}

/** The bytes of an object, as a plain Uint8Array. */
export function objectBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path.includes("/") ? path : join(fixtures, path)))
}
