/**
 * Classic programs as text: `tcpdump -ddd` (a count, then `code jt jf k` in decimal), the same on
 * one line with commas (`iptables -m bpf --bytecode`, `tc … bpf bytecode`), and `tcpdump -dd`
 * (C initialisers).
 */

import { SyntaxIssue } from "../../base/index.ts"
import { BPF_MAXINSNS, type ClassicInstruction, type ClassicProgram } from "./instruction.ts"

/** The fields of an instruction in order, with what they may be. */
const FIELDS = [
  ["code", 0xffff],
  ["jt", 0xff],
  ["jf", 0xff],
  ["k", 0xffffffff],
] as const

/** A line or comma-separated part of the input, with its place. */
interface Entry {
  readonly text: string
  readonly line: number
  /** Of the first character of `text`, from 1. */
  readonly column: number
}

/** Non-empty entries between separators. */
function entriesOf(input: string, separator: RegExp): Entry[] {
  const entries: Entry[] = []
  for (const [index, whole] of input.split("\n").entries()) {
    let column = 1
    for (const text of whole.split(separator)) {
      const indent = text.length - text.trimStart().length
      if (text.trim() !== "")
        entries.push({ text: text.trim(), line: index + 1, column: column + indent })
      column += text.length + 1
    }
  }
  return entries
}

function numberAt(digits: string, name: string, max: number, at: Entry, column: number): number {
  const place = { line: at.line, column }
  if (!/^(?:0x[0-9a-f]+|[0-9]+)$/i.test(digits))
    throw new SyntaxIssue(`'${digits.slice(0, 40)}' is not a number (${name})`, place)
  const value = Number(digits)
  if (value > max)
    throw new SyntaxIssue(`${name} ${digits.slice(0, 40)} is more than ${max}`, place)
  return value
}

/** The four numbers of an instruction. */
function instructionOf(numbers: readonly number[], at: Entry): ClassicInstruction {
  if (numbers.length !== FIELDS.length)
    throw new SyntaxIssue(`an instruction is 4 numbers, here are ${numbers.length}`, at)
  const [code, jt, jf, k] = numbers
  return { code, jt, jf, k }
}

/** An instruction written as words between white space. */
function instructionAt(entry: Entry): ClassicInstruction {
  const words = [...entry.text.matchAll(/\S+/g)]
  const numbers = words.slice(0, FIELDS.length).map(({ 0: digits, index }, field) => {
    const [name, max] = FIELDS[field]
    return numberAt(digits, name, max, entry, entry.column + index)
  })
  return instructionOf(words.length > FIELDS.length ? [...numbers, 0] : numbers, entry)
}

function checkCount(count: number, at: { line: number; column: number }): void {
  if (count < 1 || count > BPF_MAXINSNS)
    throw new SyntaxIssue(`${count} instructions, a program has 1 to ${BPF_MAXINSNS}`, at)
}

/**
 * Reads `tcpdump -ddd` output, or the same with commas between the instructions.
 *
 * @throws SyntaxIssue at a word that is no number or too large, and when the count in front is
 * not that of the instructions.
 */
export function parseClassicDecimal(input: string): ClassicInstruction[] {
  const [first, ...rest] = entriesOf(input, /,/)
  if (first === undefined)
    throw new SyntaxIssue("the number of instructions is missing", { line: 1, column: 1 })
  const count = numberAt(first.text, "count", 0xffffffff, first, first.column)
  checkCount(count, first)
  if (rest.length !== count)
    throw new SyntaxIssue(
      `${count} instructions are announced, ${rest.length} are there`,
      rest[count] ?? first,
    )
  return rest.map(instructionAt)
}

/** A word or a punctuation mark of C initialisers. */
function* tokensOf(input: string): Generator<Entry, void> {
  for (const [index, text] of input.split("\n").entries())
    for (const match of text.matchAll(/[{},;]|[^\s{},;]+/g))
      yield { text: match[0], line: index + 1, column: match.index + 1 }
}

/**
 * Reads `tcpdump -dd` output: `{ 0x28, 0, 0, 0x0000000c },` for each instruction. The whole may
 * stand in braces of its own.
 *
 * @throws SyntaxIssue at what is neither an initialiser nor a comma between two.
 */
export function parseClassicC(input: string): ClassicInstruction[] {
  const program: ClassicInstruction[] = []
  let depth = 0
  let fields: number[] = []
  let at: Entry = { text: "", line: 1, column: 1 }
  for (at of tokensOf(input)) {
    const { text } = at
    if (text === "{" && depth < 2 && fields.length === 0) {
      depth++
    } else if (text === "}" && depth > 0) {
      // The outer braces close with no numbers of their own.
      if (fields.length > 0) program.push(instructionOf(fields, at))
      fields = []
      depth--
    } else if (text !== "," && text !== ";") {
      if (depth === 0 || text === "{" || text === "}" || fields.length === FIELDS.length)
        throw new SyntaxIssue(`'${text.slice(0, 40)}' where no number can stand`, at)
      const [name, max] = FIELDS[fields.length]
      fields.push(numberAt(text, name, max, at, at.column))
    }
  }
  if (depth > 0) throw new SyntaxIssue("a brace is not closed", at)
  checkCount(program.length, { line: 1, column: 1 })
  return program
}

/** As `tcpdump -ddd` prints it, with a newline at the end. */
export function formatClassicDecimal(program: ClassicProgram): string {
  const lines = program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`)
  return `${[program.length, ...lines].join("\n")}\n`
}

/** As `tcpdump -dd` prints it, with a newline at the end. */
export function formatClassicC(program: ClassicProgram): string {
  return program
    .map(({ code, jt, jf, k }) => {
      const hex = k.toString(16).padStart(8, "0")
      return `{ 0x${code.toString(16)}, ${jt}, ${jf}, 0x${hex} },\n`
    })
    .join("")
}
