/**
 * The documentation as the tests see it: pages, and in them fenced blocks. The line that opens a
 * block may say more than its language:
 *
 * - `ts run`: a snippet that is executed, not only type-checked;
 * - `text output`: right after a `ts run`, what it prints;
 * - `c file=NAME.bpf.c`: a program that the page's snippets use as `./NAME.bpf.o`;
 * - `console run`: each `$ skep …` line is run and prints what stands below it (`…` at the start of
 *   a line stands for any lines).
 */

import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { root } from "../support/requirements.ts"

export interface Block {
  readonly page: string
  /** Of the line that opens the block, from 1. */
  readonly line: number
  readonly language: string
  /** The words after the language. */
  readonly marks: readonly string[]
  readonly text: string
}

/** All pages, as paths from the root. */
export function pages(): string[] {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
    .sort()
  const top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
  return [...top.filter((name) => existsSync(join(root, name))), ...docs]
}

/** The text of a page. */
export function readPage(page: string): string {
  return readFileSync(join(root, page), "utf8")
}

/** Fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  let open: { line: number; info: string; text: string[] } | null = null
  for (const [index, line] of readPage(page).split("\n").entries()) {
    if (!line.startsWith("```")) open?.text.push(line)
    else if (open === null) open = { line: index + 1, info: line.slice(3).trim(), text: [] }
    else {
      const [language, ...marks] = open.info.split(/\s+/)
      blocks.push({ page, line: open.line, language, marks, text: open.text.join("\n") })
      open = null
    }
  }
  if (open !== null) throw new Error(`${page}:${open.line}: a block is never closed`)
  return blocks
}

/** Blocks of every page. */
export const blocks: readonly Block[] = pages().flatMap(blocksOf)

/** `docs-guide-cli-12`: a name for files made from a block. */
export function blockName({ page, line }: Block): string {
  return `${relative(".", page).replace(/\.md$/, "").replace(/\W+/g, "-").toLowerCase()}-${line}`
}
