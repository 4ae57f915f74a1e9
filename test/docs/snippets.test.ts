/** Snippets of the documentation: all TypeScript is type-checked, what is marked `run` is run. */

import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { describeWith, requirement, root } from "../support/requirements.ts"
import { type Block, blockName, blocks } from "./pages.ts"

/** Beside the tests, so that `skep` and `vitest` are found as in any test; ignored by git. */
const folder = join(root, `test/docs/snippets.${process.pid}.tmp`)
const snippets = blocks.filter(({ language }) => language === "ts")
const isTest = (block: Block): boolean => /from "vitest"/.test(block.text)

/** `file=ports.bpf.c` → `ports.bpf.c` */
function fileMark(block: Block): string | undefined {
  return block.marks.find((mark) => mark.startsWith("file="))?.slice("file=".length)
}

function fileOf(block: Block): string {
  return fileMark(block) ?? `${blockName(block)}${isTest(block) ? ".test" : ""}.ts`
}

/** Programs that snippets of the same page load; compiled where there is clang. */
const programs = blocks.filter((block) => block.language === "c" && fileMark(block) !== undefined)
const objects = programs.map((block) => `./${fileMark(block)?.replace(/\.c$/, ".o")}`)
const usesProgram = (block: Block): boolean => objects.some((name) => block.text.includes(name))

const runnable = snippets.filter(({ marks }) => marks.includes("run"))
const onLinux = (block: Block): boolean => block.marks.includes("linux")

beforeAll(() => {
  mkdirSync(folder)
  for (const block of [...snippets, ...programs])
    writeFileSync(join(folder, fileOf(block)), `${block.text}\n`)
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

test("every TypeScript snippet has the types that it says", () => {
  const config = {
    extends: "../../../tsconfig.json",
    compilerOptions: { rootDir: "../../..", noEmit: true },
    include: ["*.ts"],
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const flags = ["scripts/tsc.mjs", "-p", join(folder, "tsconfig.json")]
  const { stdout, stderr } = spawnSync(process.execPath, flags, { cwd: root, encoding: "utf8" })
  const errors = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("snippets."))
  expect(errors).toEqual([])
})

/** What a snippet prints. */
function run(block: Block): string {
  const file = join(folder, fileOf(block))
  const command = isTest(block)
    ? ["node_modules/vitest/vitest.mjs", "run", "--reporter=default", file]
    : ["--import", "tsx", file]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, TSX_TSCONFIG_PATH: join(root, "tsconfig.json"), NO_COLOR: "1" },
  })
  if (status !== 0) expect.fail(`${block.page}:${block.line}\n${stdout}${stderr}`)
  return stdout
}

/** The `text output` block right below a snippet. */
function expectedOutput(block: Block): string | undefined {
  const next = blocks[blocks.indexOf(block) + 1]
  const belongs = next?.page === block.page && next.marks.includes("output")
  return belongs ? next.text.trim() : undefined
}

function runAndCompare(block: Block): void {
  const printed = run(block)
  const expected = expectedOutput(block)
  if (expected !== undefined) expect(printed.trim()).toBe(expected)
}

describe("snippets that run", () => {
  for (const block of runnable.filter((one) => !usesProgram(one) && !onLinux(one)))
    test(`${block.page}:${block.line}`, () => runAndCompare(block))
})

describeWith([requirement.linux()], "snippets that run on Linux", () => {
  for (const block of runnable.filter(onLinux))
    test(`${block.page}:${block.line}`, () => runAndCompare(block))
})

describeWith([requirement.clang()], "snippets that run a program in C", () => {
  beforeAll(() => {
    for (const program of programs) {
      const source = join(folder, fileOf(program))
      const flags = ["-target", "bpf", "-O2", "-g", "-I", join(root, "include"), "-c", source]
      const out = source.replace(/\.c$/, ".o")
      const { status, stderr } = spawnSync("clang", [...flags, "-o", out], { encoding: "utf8" })
      expect(stderr).toBe("")
      expect(status).toBe(0)
    }
  })

  for (const block of runnable.filter(usesProgram))
    test(`${block.page}:${block.line}`, () => runAndCompare(block))
})
