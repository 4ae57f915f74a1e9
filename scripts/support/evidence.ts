/**
 * Which test speaks of a thing: test files with everything of test/ and examples/ that they import
 * (or whose C programs they run), searched for a word. A table's Evidence column comes from here, so
 * a row without a test shows it.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { kfuncCases } from "../../test/kernel/helpers/cases-kfuncs.ts"
import type { HelperCase } from "../../test/kernel/helpers/macros.ts"
import { expectedCases, helperCases } from "../../test/kernels/helper-cases.ts"

/** The root of the checkout. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), "../..")

/** Programs in C that a test runs without importing them, by folder. */
const PROGRAM_FOLDERS: Readonly<Record<string, string>> = {
  "test/kernels/compare.test.ts": "test/kernels/programs",
  "test/kernels/sockets/sockets.test.ts": "test/kernels/sockets",
}

/**
 * Tests that name things without running them (tables, calls with hostile arguments) prove
 * nothing about what they name.
 */
const NO_EVIDENCE = /^test\/(spec|docs|btf|isa|packet)\/|fuzz\.test\.ts$|\/tables\.test\.ts$/

/** Programs whose text a test puts together, so that the names in it are not in its source. */
const BUILT_PROGRAMS: Readonly<Record<string, readonly HelperCase[]>> = {
  "test/kernel/helpers/kfuncs.test.ts": kfuncCases,
  "test/kernels/helpers.test.ts": [
    ...Object.values(helperCases).flat(),
    ...expectedCases.map(([item]) => item),
  ],
}

/** Where several tests speak of a thing, those that compare with Linux come first. */
const PREFERRED: readonly RegExp[] = [
  /^test\/kernel\/testrun\//,
  /^test\/kernel\/(helpers|maps)\//,
  /^test\/kernels\//,
  /^test\/kernel\//,
  /^test\/loader\//,
  /^examples\//,
]

interface TestText {
  readonly path: string
  readonly text: string
}

/** Files of a folder and all below it, as paths from the root. */
function filesUnder(folder: string): string[] {
  const path = join(root, folder)
  if (!existsSync(path)) return []
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

function withImports(path: string, seen: Set<string>): string {
  if (seen.has(path) || !existsSync(join(root, path))) return ""
  seen.add(path)
  const own = readFileSync(join(root, path), "utf8")
  const imported = [...own.matchAll(/from "(\.{1,2}\/[^"]+)"/g)]
    .map((match) => relative(root, join(root, dirname(path), match[1])))
    .filter((file) => /^(test|examples)\//.test(file))
  return [own, ...imported.map((file) => withImports(file, seen))].join("\n")
}

function rank(path: string): number {
  const place = PREFERRED.findIndex((pattern) => pattern.test(path))
  return place < 0 ? PREFERRED.length : place
}

let texts: readonly TestText[] | null = null

function testTexts(): readonly TestText[] {
  texts ??= [...filesUnder("test"), ...filesUnder("examples")]
    .filter((path) => path.endsWith(".test.ts") && !NO_EVIDENCE.test(path))
    .map((path) => {
      const programs = path.startsWith("examples/")
        ? filesUnder(dirname(path))
        : filesUnder(PROGRAM_FOLDERS[path] ?? "no folder")
      const sources = programs
        .filter((file) => file.endsWith(".c"))
        .map((file) => readFileSync(join(root, file), "utf8"))
      const built = (BUILT_PROGRAMS[path] ?? []).map(({ program }) => program.text)
      return { path, text: [withImports(path, new Set()), ...sources, ...built].join("\n") }
    })
    .sort((a, b) => rank(a.path) - rank(b.path) || (a.path < b.path ? -1 : 1))
  return texts
}

/** The first test (of those at `where`) whose text matches, as a path from the root; null for none. */
export function evidenceFor(pattern: RegExp, where: RegExp = /^/): string | null {
  return testTexts().find(({ path, text }) => where.test(path) && pattern.test(text))?.path ?? null
}

/** A path of a test as the Evidence column has it. */
export function evidenceCell(path: string | null): string {
  return path === null ? "none" : `[${path}](../${path})`
}
