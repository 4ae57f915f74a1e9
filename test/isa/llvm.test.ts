/**
 * LLVM's notation, compared with llvm-objdump: the one on the path, and every other version that
 * is installed as `llvm-objdump-16`…
 */

import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { DisassembleOptions, InstructionForm } from "../../src/isa/index.ts"
import { assemble, disassemble, encodeProgram, INSTRUCTION_FORMS } from "../../src/isa/index.ts"
import { describeWith, requirement, root } from "../support/requirements.ts"
import { freshSeed, fuzzScale, randomNumbers, randomProgram } from "./random.ts"

interface Objdump {
  readonly command: string
  readonly version: number
}

function objdumps(): Objdump[] {
  const suffixes = ["", ...Array.from({ length: 11 }, (_, index) => `-${index + 13}`)]
  const found = suffixes.flatMap((suffix) => {
    const command = `llvm-objdump${suffix}`
    const { error, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" })
    const version = error === undefined ? /LLVM version (\d+)/.exec(stdout)?.[1] : undefined
    return version === undefined ? [] : [{ command, version: Number(version) }]
  })
  const versions = found.map(({ version }) => version)
  return found.filter(({ version }, index) => versions.indexOf(version) === index)
}

const BUILDS = [
  ["bpfel", "v1", "-O2"],
  ["bpfel", "v3", "-O2"],
  ["bpfeb", "v3", "-O1"],
] as const

/** What llvm-objdump says of the text section of one object. */
interface Dump {
  readonly program: Uint8Array
  /** The instructions by slot. */
  readonly texts: ReadonlyMap<number, string>
  readonly symbols: ReadonlyMap<number, string>
}

function dump(command: string, objects: readonly string[], flags: readonly string[]): Dump[] {
  const args = ["-d", ...flags, ...objects]
  const output = execFileSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26 })
  return output.split("file format").slice(1).map(parseDump)
}

function parseDump(output: string): Dump {
  const bytes: number[] = []
  const texts = new Map<number, string>()
  const symbols = new Map<number, string>()
  for (const line of output.split("\n")) {
    const symbol = /^([0-9a-f]{16}) <(.+)>:$/.exec(line)
    if (symbol !== null) symbols.set(Number.parseInt(symbol[1], 16) / 8, symbol[2])
    const instruction = /^ *(\d+):\t((?:[0-9a-f]{2} ?)+)\t(.*)$/.exec(line)
    if (instruction === null) continue
    texts.set(Number(instruction[1]), instruction[3])
    for (const byte of instruction[2].trim().split(" ")) bytes.push(Number.parseInt(byte, 16))
  }
  return { program: Uint8Array.from(bytes), texts, symbols }
}

/** How this version prints. Before 20, alu32 had to be asked for. */
function optionsOf({ version }: Objdump, alu32: boolean): DisassembleOptions {
  const numbers = version < 16 ? "decimal" : "hexadecimal"
  return { style: "llvm", lossless: false, numbers, alu32: alu32 || version >= 20 }
}

/** The instructions that this version does not take for others. */
function knows({ version }: Objdump, { name, cpu }: InstructionForm, alu32: boolean): boolean {
  if (version < 20 && !alu32 && name === "fetch_add32") return false
  if (version < 18) return cpu < 4 && name !== "callx"
  return version >= 20 || !/^(load_acquire|store_release)/.test(name)
}

describeWith([requirement.clang(), requirement.llvmObjdump()], "LLVM's notation", () => {
  let folder = ""
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "skep-isa-"))
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  /** An object whose text is these bytes. */
  function objectOf(program: Uint8Array, littleEndian: boolean): string {
    const source = join(folder, "program.s")
    const object = join(folder, "program.o")
    const words = [...program].map((byte) => `.byte ${byte}`)
    writeFileSync(source, `.text\n.globl f\nf:\n${words.join("\n")}\n`)
    const triple = littleEndian ? "bpfel" : "bpfeb"
    execFileSync("clang", ["-target", triple, "-c", source, "-o", object])
    return object
  }

  const tools = objdumps()

  test.each(
    tools.flatMap((tool, index) => [
      { tool, littleEndian: true, alu32: true },
      ...(index > 0 ? [] : [{ tool, littleEndian: true, alu32: false }]),
      ...(index > 0 ? [] : [{ tool, littleEndian: false, alu32: true }]),
    ]),
  )(
    "$tool.command $tool.version: random instructions, little-endian $littleEndian, alu32 $alu32",
    ({ tool, littleEndian, alu32 }) => {
      const seed = freshSeed(tool.command)
      const random = randomNumbers(seed)
      const forms = INSTRUCTION_FORMS.filter((form) => knows(tool, form, alu32))
      const instructions = randomProgram({ random, count: 3000 * fuzzScale, forms })
      const program = encodeProgram(instructions, littleEndian)
      const flags = alu32 && tool.version < 20 ? ["--mattr=+alu32"] : []
      const [{ texts }] = dump(tool.command, [objectOf(program, littleEndian)], flags)
      const symbols = new Map([[0, "f"]])
      const options = { ...optionsOf(tool, alu32), littleEndian, symbols }
      let compared = 0
      for (const { slot, text } of disassemble(program, options)) {
        const theirs = texts.get(slot)
        // LLVM 14 takes an address in a map of descriptor 0 for its own pseudo-instruction.
        if (theirs === "<unknown>" || theirs?.startsWith("lea\t")) continue
        expect(text, `seed ${seed} slot ${slot}`).toBe(theirs)
        compared++
      }
      console.info(`${tool.command}: ${compared} of ${instructions.length} slots compared`)
      expect(compared).toBeGreaterThan(instructions.length / 2)
    },
  )

  test("compiled C reads as llvm-objdump prints it, and its text assembles back", () => {
    const sources = join(root, "test/isa/programs")
    const files = readdirSync(sources).filter((file) => file.endsWith(".c"))
    const objects = files.map((file) => join(folder, file.replace(/c$/, "o")))
    let compared = 0
    for (const [endian, cpu, level] of BUILDS) {
      const flags = ["-target", endian, `-mcpu=${cpu}`, level, ...(cpu === "v3" ? ["-DV3"] : [])]
      const inputs = files.map((file) => join(sources, file))
      execFileSync("clang", [...flags, "-c", ...inputs], { cwd: folder })
      const alu32 = cpu === "v3"
      for (const each of dump(tools[0].command, objects, alu32 ? ["--mattr=+alu32"] : []))
        compared += compareObject(each, { littleEndian: endian === "bpfel", alu32 })
    }
    const count = BUILDS.length * files.length
    console.info(`llvm-objdump: ${compared} instructions of ${count} compiled objects compared`)
    expect(compared).toBeGreaterThan(900)
  })

  function compareObject(
    { program, texts, symbols }: Dump,
    how: { littleEndian: boolean; alu32: boolean },
  ): number {
    const lines = disassemble(program, { ...optionsOf(tools[0], how.alu32), ...how, symbols })
    for (const { slot, text } of lines) {
      // LLVM 14 has no `%=` and no jset for its own output.
      if (texts.get(slot) !== "<unknown>") expect(text).toBe(texts.get(slot))
    }
    // Its text drops the source of calls and with it what kind they are.
    if (lines.every(({ instruction }) => instruction.opcode !== 0x85 || instruction.src === 0)) {
      const text = lines.map(({ slot, text }) => {
        const theirs = texts.get(slot)
        return `${slot}:\t${theirs === "<unknown>" ? text : theirs}`
      })
      expect(assemble(text.join("\n"), how).bytes).toEqual(program)
    }
    return lines.length
  }
})
