/**
 * The conformance vectors of bpf_conformance (`.data` files): a program in mnemonics or raw words,
 * the memory it gets in r1 and r2, and the r0 it must leave. The 313 files of the project lie
 * beside the checkout; `data/` has some of our own for a checkout alone.
 *
 * Format: directives are lines with `--`, recognised by what they contain; `#` begins a comment;
 * `raw` (64-bit little-endian words) wins over `asm`; the last line of `result` counts, hex when
 * it has `0x`.
 */

import { readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assemble } from "../../src/isa/index.ts"

/** One vector. */
export interface Vector {
  /** The file's name without `.data`. */
  readonly name: string
  /** 8 bytes a slot, little-endian. */
  readonly program: Uint8Array
  /** What r1 points at and r2 is the length of; empty means that both are 0. */
  readonly mem: Uint8Array
  /** r0 at exit, 64 bits unsigned. */
  readonly expected: bigint
}

// Not from test/support, which needs vitest: this file is also used by scripts.
const here = dirname(fileURLToPath(import.meta.url))

/** Where the 313 vectors of bpf_conformance are, when they are there. */
export const sharedVectors: string = join(here, "../../../shared/conformance")
/** Where our own are. */
export const ownVectors: string = join(here, "data")

/** All vectors of a folder, by name. */
export function readVectors(folder: string = sharedVectors): Vector[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".data"))
    .sort()
    .map((file) => parseVector(basename(file, ".data"), readFileSync(join(folder, file), "utf8")))
}

/** The order in which a directive line is searched, as bpf_conformance does. */
const DIRECTIVES = ["asm", "result", "mem", "raw", "no register offset", " c", "error"] as const
type Section = (typeof DIRECTIVES)[number]

/** Parses the text of one file. */
export function parseVector(name: string, text: string): Vector {
  const sections = splitSections(name, text)
  const result = sections.get("result")?.at(-1)?.trim()
  if (result === undefined) throw new Error(`${name}: there is no result`)
  const raw = sections.get("raw")
  const asm = sections.get("asm")
  if (raw === undefined && asm === undefined) throw new Error(`${name}: there is no program`)
  const program = raw === undefined ? assembleLines(name, asm ?? []) : rawWords(raw)
  const mem = (sections.get("mem") ?? []).join(" ").split(/\s+/).filter(Boolean)
  return {
    name,
    program,
    mem: Uint8Array.from(mem, (byte) => Number.parseInt(byte, 16)),
    expected: BigInt.asUintN(64, BigInt(result)),
  }
}

/** The program that the `asm` section gives, also where `raw` is there: undefined without one. */
export function assembledProgram(name: string, text: string): Uint8Array | undefined {
  const asm = splitSections(name, text).get("asm")
  return asm === undefined ? undefined : assembleLines(name, asm)
}

function splitSections(name: string, text: string): Map<Section, string[]> {
  const sections = new Map<Section, string[]>()
  let section: Section | undefined
  for (const line of text.split("\n")) {
    const content = line.replace(/\r$/, "").replace(/#.*/, "")
    if (content.includes("--")) {
      section = DIRECTIVES.find((directive) => content.includes(directive))
      if (section === undefined) throw new Error(`${name}: unknown directive ${content}`)
      sections.set(section, [])
    } else if (content.trim() !== "" && section !== undefined) sections.get(section)?.push(content)
  }
  return sections
}

function assembleLines(name: string, lines: readonly string[]): Uint8Array {
  return assemble(lines.join("\n"), { file: `${name}.data` }).bytes
}

function rawWords(lines: readonly string[]): Uint8Array {
  const words = lines.join(" ").split(/\s+/).filter(Boolean)
  const bytes = new Uint8Array(words.length * 8)
  const view = new DataView(bytes.buffer)
  words.forEach((word, index) => {
    view.setBigUint64(index * 8, BigInt(word), true)
  })
  return bytes
}
