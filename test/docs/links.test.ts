/** Links between pages, to files and to headings of pages lead somewhere. */

import { existsSync, readdirSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { expect, test } from "vitest"
import { root } from "../support/requirements.ts"
import { pages, readPage } from "./pages.ts"

/** Text without code, in which brackets are no links. */
function prose(page: string): string {
  return readPage(page)
    .replace(/^```[\s\S]*?^```/gm, "")
    .replace(/`[^`\n]*`/g, "`code`")
}

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")
}

function anchorsOf(page: string): string[] {
  const text = readPage(page).replace(/^```[\s\S]*?^```/gm, "")
  return [...text.matchAll(/^#+ (.*)$/gm)].map((match) => anchor(match[1]))
}

test("every link of the documentation leads to a file or heading that exists", () => {
  const broken: string[] = []
  for (const page of pages()) {
    const targets = [
      ...prose(page).matchAll(/\]\(([^)\s]+)\)/g),
      ...prose(page).matchAll(/<(?:img|a)[^>]*(?:src|href)="([^"]+)"/g),
    ].map((match) => match[1])
    for (const target of targets) {
      if (/^[a-z]+:/.test(target)) continue
      const [file, heading] = target.split("#")
      const path = file === "" ? page : normalize(join(dirname(page), file))
      if (!existsSync(join(root, path))) broken.push(`${page}: ${target}: no such file`)
      else if (heading !== undefined && !anchorsOf(path).includes(heading))
        broken.push(`${page}: ${target}: no such heading`)
    }
  }
  expect(broken).toEqual([])
})

test("every source folder has its internals page", () => {
  const folders = readdirSync(join(root, "src"))
  const missing = folders.filter((name) => !existsSync(join(root, `docs/internals/${name}.md`)))
  expect(missing).toEqual([])
})
