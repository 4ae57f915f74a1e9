/**
 * The C programs of the guides run here with the result that their text promises; a list is
 * printed. Without the guides beside the checkout only the comparison with their text is skipped.
 */

import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BpfError, parseObject, VerifierError } from "skep"
import { linuxKernel } from "skep/linux"
import { afterAll, describe, expect, test } from "vitest"
import { describeWith, requirement, root, shared } from "../support/requirements.ts"
import { CHECKS } from "./checks.ts"
import { type Guide, SEEDS } from "./guides.ts"

const programs = join(root, "test/seeds/programs")
const objectOf = (name: string): Uint8Array => readFileSync(join(programs, `${name}.bpf.o`))

describe("programs of the guides do here what the text promises", () => {
  const done: string[] = []

  test.each(SEEDS)("$program: $promise", (seed) => {
    CHECKS[seed.program](objectOf)
    done.push(`${seed.guides.join("+")} ${seed.program.padEnd(20)} ${seed.promise}`)
  })

  test("every one has a check, and every check a program", () => {
    expect(Object.keys(CHECKS).sort()).toEqual(SEEDS.map(({ program }) => program).sort())
  })

  afterAll(() => {
    console.log(`${done.length} of ${SEEDS.length} programs of the guides:\n${done.join("\n")}`)
  })
})

describeWith([requirement.shared()], "the guides beside the checkout", () => {
  const folder = join(shared, "seeds")
  const files = readdirSync(folder).filter((name) => name.endsWith(".txt"))
  const read = (guide: string): string => {
    const file = files.find((name) => name.startsWith(`${guide}_`))
    return file === undefined ? "" : readFileSync(join(folder, file), "utf8")
  }
  /** Guides differ in white space, and one draws boxes around its code. */
  const dense = (text: string): string => text.replace(/[\s│]+/g, "")

  test.each(SEEDS)("still have $program", ({ guides, snippet }) => {
    for (const guide of guides) expect(dense(read(guide))).toContain(dense(snippet))
  })

  test("have no function or map that is missing in the list", () => {
    const known = new Set(
      SEEDS.flatMap(({ guides, defines }) =>
        guides.flatMap((guide) => defines.map((name) => `${guide} ${name}`)),
      ),
    )
    const found = files.flatMap((file) => {
      const guide = file.slice(0, 3) as Guide
      const text = readFileSync(join(folder, file), "utf8")
      const functions = text.matchAll(
        /\bint\s+(\w+)\s*\(\s*(?:struct\s+\w+|void)\s*\*\s*\w+\s*\)\s*\{/g,
      )
      const maps = text.matchAll(
        /\}\s*(\w+)\s+SEC\("\.maps"\)|SEC\("maps"\)\s*(\w+)|BPF_HASH\((\w+)/g,
      )
      return [...functions, ...maps].map((one) => `${guide} ${one[1] ?? one[2] ?? one[3]}`)
    })
    expect(found.length).toBeGreaterThan(20)
    expect(found.filter((name) => !known.has(name))).toEqual([])
    // And every SEC("…") of a program is one of those functions.
    for (const file of files) {
      const text = readFileSync(join(folder, file), "utf8")
      for (const [, section, name] of text.matchAll(/SEC\("([\w/]+)"\)\s*(?:│\s*)*int (\w+)/g))
        expect(known, `SEC("${section}") ${name}`).toContain(`${file.slice(0, 3)} ${name}`)
    }
  })
})

describeWith([requirement.clang()], "the sources", () => {
  test("compile with the clang of this machine, without warnings", () => {
    const out = mkdtempSync(join(tmpdir(), "skep-seeds-"))
    try {
      for (const source of readdirSync(programs).filter((name) => name.endsWith(".bpf.c"))) {
        const flags = [
          "-O2",
          "-g",
          "-Wall",
          "-Werror",
          "-target",
          "bpf",
          "-I",
          join(root, "include"),
        ]
        const args = [...flags, "-c", join(programs, source), "-o", join(out, "object.o")]
        const { status, stderr } = spawnSync("clang", args, { encoding: "utf8" })
        expect(stderr).toBe("")
        expect(status).toBe(0)
        expect(parseObject(readFileSync(join(out, "object.o"))).warnings).toEqual(
          parseObject(objectOf(source.replace(/\.bpf\.c$/, ""))).warnings,
        )
      }
    } finally {
      rmSync(out, { recursive: true })
    }
  })
})

describeWith([requirement.linux()], "the running Linux", () => {
  test.each(SEEDS)("$linux $program", ({ program, linux }) => {
    const kernel = linuxKernel()
    const object = parseObject(objectOf(program))
    const fitting = linux === "huge" ? object.withMaps({ my_hash: { maxEntries: 10_000 } }) : object
    const load = (): void => kernel.loadSync(fitting).close()
    if (linux === "loads" || linux === "huge") return load()
    const error = failureOf(load)
    if (linux === "refuses") {
      expect(error).toBeInstanceOf(VerifierError)
      expect((error as VerifierError).reason).toMatch(/infinite loop/)
    } else if (error !== null) {
      // Some kernels let nobody load LSM programs, whatever is in them.
      expect(error).toBeInstanceOf(BpfError)
      expect((error as BpfError).code).toBe("EPERM")
      console.warn(`skipped: ${program} on Linux: this kernel lets nobody load LSM programs`)
    }
  })
})

function failureOf(action: () => void): unknown {
  try {
    action()
    return null
  } catch (error) {
    return error
  }
}
