/** The objects that both verifiers are asked about: every one of the repository, or paths given. */

import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { type BpfObject, readObject } from "../../../src/object/index.ts"
import { root } from "../../support/requirements.ts"

/** Folders of the repository that have compiled programs. */
const FOLDERS = [
  "bench/programs",
  "examples",
  "test/kernels/programs",
  "test/object/fixtures",
  "test/seeds/programs",
]

/** Paths of all objects of the repository, sorted. */
export function repositoryObjects(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".o"))
      .map((file) => join(root, folder, file)),
  ).sort()
}

/** What a path is called in a report. */
export function shortName(path: string): string {
  const inside = relative(root, path)
  return inside.startsWith("..") ? path : inside
}

/** The object, or why it is none: fixtures are damaged on purpose. */
export function openObject(path: string): BpfObject | string {
  try {
    return readObject(new Uint8Array(readFileSync(path)), { name: path })
  } catch (problem) {
    return (problem as Error).message
  }
}
