/** Command lines of the documentation: every `skep …` names a command with options that it has. */

import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Command } from "commander"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { cliCommands, commandPath } from "../../scripts/support/commands.ts"
import { describeWith, requirement, root } from "../support/requirements.ts"
import { type Block, blocks } from "./pages.ts"

const CLI = join(root, "src/cli/main.ts")
const shells = blocks.filter(({ language }) => ["console", "sh"].includes(language))

/** A line as a shell splits it into words; commands end at `|`, `&&`, `;` and `>`. */
function commandsOf(line: string): string[][] {
  const commands: string[][] = [[]]
  for (const match of line.matchAll(/"([^"]*)"|'([^']*)'|(\||&&|;|>)|([^\s|&;>"']+)/g)) {
    if (match[3] !== undefined) commands.push([])
    else commands[commands.length - 1].push(match[1] ?? match[2] ?? match[4])
  }
  return commands.filter((words) => words.length > 0)
}

/** The `skep` commands of a block, without `npx` and `skep`. */
function skepCommands(block: Block): string[][] {
  const lines = block.text.replace(/\\\n\s*/g, " ").split("\n")
  return lines
    .map((line) => (block.language === "console" ? line.match(/^\$ (.*)$/)?.[1] : line))
    .filter((line) => line !== undefined)
    .flatMap((line) => commandsOf(line.replace(/\s#.*$/, "")))
    .map((words) => (words[0] === "npx" ? words.slice(1) : words))
    .filter((words) => words[0] === "skep")
    .map((words) => words.slice(1))
}

/** What is wrong with a command line, or null. */
function problem(words: readonly string[], commands: readonly Command[]): string | null {
  const known = ["--help", "-h", "--version", "-V"]
  if (words.every((word) => known.includes(word))) return null
  let command = commands.find((one) => one.name() === words[0])
  let rest = words.slice(1)
  while (command !== undefined && command.commands.length > 0) {
    const [name] = rest
    command = command.commands.find((one) => one.name() === name)
    rest = rest.slice(1)
  }
  if (command === undefined) return `there is no command 'skep ${words.join(" ")}'`
  const flags = command.options.flatMap(({ short, long }) => [short, long])
  for (const word of rest) {
    const flag = word.split("=")[0]
    if (word.startsWith("-") && word !== "-" && !flags.includes(flag) && !known.includes(flag))
      return `skep ${commandPath(command)} has no option ${word}`
  }
  return null
}

test("every command line is one that exists", async () => {
  const commands = await cliCommands()
  const problems = shells.flatMap((block) =>
    skepCommands(block)
      .map((words) => problem(words, commands))
      .filter((one) => one !== null)
      .map((one) => `${block.page}:${block.line}: ${one}`),
  )
  expect(problems).toEqual([])
})

/** Pairs of a command (`$ skep …` without the prompt) and the lines printed below it. */
function session(block: Block): [command: string, output: string][] {
  return block.text
    .replace(/\\\n\s*/g, " ")
    .split(/^\$ /m)
    .filter((part) => part !== "")
    .map((part) => {
      const [command, ...output] = part.split("\n")
      return [command, output.join("\n").trim()]
    })
}

/** The expected output as a pattern: a line that begins with `…` stands for any lines. */
function pattern(expected: string): RegExp {
  const lines = expected
    .split("\n")
    .map((line) =>
      line.startsWith("…")
        ? "(?:.*\\n)*?.*"
        : line.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, "\\$&"),
    )
  // Speed is the machine's.
  return new RegExp(`^${lines.join("\\n").replace(/ {2}[\d,]+ frames\/s/g, ".*")}$`)
}

const folder = mkdtempSync(join(tmpdir(), "skep-docs-"))
const programs = blocks.filter(({ language, marks }) => language === "c" && marks.length > 0)

/** The names of a page's own programs, as paths to where they were written. */
function placed(word: string): string {
  const own = programs.some(({ marks }) => marks.includes(`file=${word}`))
  return own ? join(folder, word) : word
}

function compare(block: Block): void {
  for (const [command, expected] of session(block)) {
    const [first, second] = commandsOf(command)
    const piped = first[0] === "echo"
    const words = (piped ? second : first).filter((word) => word !== "npx").map(placed)
    expect(words[0]).toBe("skep")
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["--import", "tsx", CLI, ...words.slice(1)],
      {
        cwd: root,
        encoding: "utf8",
        input: piped ? `${first[1]}\n` : "",
        env: { ...process.env, NO_COLOR: "1", COLUMNS: "100" },
      },
    )
    if (status !== 0) expect.fail(`${block.page}:${block.line}: ${command}\n${stderr}`)
    const printed = stdout
      .split("\n")
      .map((line) => line.trimEnd())
      .join("\n")
      .trim()
    if (expected !== "") expect(printed).toMatch(pattern(expected))
  }
}

beforeAll(() => {
  for (const { marks, text } of programs)
    for (const mark of marks)
      if (mark.startsWith("file=")) writeFileSync(join(folder, mark.slice(5)), `${text}\n`)
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const runnable = shells.filter(({ marks }) => marks.includes("run"))
const needsClang = ({ text }: Block): boolean => /\$.*\.c\b/.test(text)

describe("commands print what the documentation shows", () => {
  for (const block of runnable.filter((one) => !needsClang(one)))
    test(`${block.page}:${block.line}`, () => compare(block))
})

describeWith([requirement.clang()], "commands that compile print what is shown", () => {
  for (const block of runnable.filter(needsClang))
    test(`${block.page}:${block.line}`, () => compare(block))
})
