/**
 * The assembler. It takes, statement by statement, the kernel's notation (verifier log, bpftool),
 * LLVM's (llvm-objdump, inline assembly) and the mnemonics of bpf_conformance, also mixed in one
 * text; whatever `disassemble` prints of a legal program assembles back to the same bytes.
 *
 * A statement may have before it what the tools print there: a slot number or llvm-objdump's
 * address with a name (`5:`, `0000000000000038 <LBB0_2>:`), any number of labels, bpftool's opcode
 * in parentheses. Numbers of slots are not checked; opcodes are.
 */

import { encodeProgram } from "../instruction.ts"
import { assembleExpression, EXPRESSION_WORDS } from "./expression.ts"
import { assembleMnemonic, isMnemonic, MNEMONICS } from "./mnemonic.ts"
import type { AssemblerNames, AssemblyRelocation, ParsedInstruction } from "./output.ts"
import { AssemblerOutput } from "./output.ts"
import type { Statement, Token } from "./tokens.ts"
import { TokenReader, tokenize } from "./tokens.ts"

/** How to assemble. */
export interface AssembleOptions extends AssemblerNames {
  /** Byte order of the result; little-endian by default. */
  readonly littleEndian?: boolean
}

/** An assembled program. */
export interface Assembly {
  /** 8 bytes a slot. */
  readonly bytes: Uint8Array
  /** The slot of each label. */
  readonly labels: ReadonlyMap<string, number>
  /** The source line of each slot, counted from 1. */
  readonly lines: readonly number[]
  /** With `allowUndefined`: what the surroundings must fill in. */
  readonly relocations: readonly AssemblyRelocation[]
}

/**
 * Assembles `text`. The result is not checked as a program: see `validateProgram`.
 *
 * @throws SyntaxIssue with line and column at the first thing that is not understood, does not fit
 * its field, or is named and not defined.
 *
 * @example
 * assemble("r0 = 2; exit").bytes
 */
export function assemble(text: string, options: AssembleOptions = {}): Assembly {
  const output = new AssemblerOutput(options)
  for (const statement of tokenize(text, options.file)) assembleStatement(statement, output)
  output.finish()
  return {
    bytes: encodeProgram(output.instructions, options.littleEndian ?? true),
    labels: output.labels,
    lines: output.lines,
    relocations: output.relocations,
  }
}

function assembleStatement(statement: Statement, output: AssemblerOutput): void {
  const reader = new TokenReader(statement, output.names.file)
  while (takeLabel(reader, output));
  const opcodeToken = reader.peek().kind === "opcode" ? reader.next() : undefined
  const opcode = opcodeToken === undefined ? undefined : Number(opcodeToken.value)
  const first = reader.peek()
  if (first.kind === "end") {
    if (opcodeToken !== undefined) reader.failAtNext(`an instruction after ${opcodeToken.text}`)
    return
  }
  const parsed = parse(reader, output, opcode)
  const rest = reader.peek()
  if (rest.kind !== "end") reader.fail(`unexpected \`${rest.text}\` after the instruction`, rest)
  if (opcodeToken !== undefined && parsed.opcode !== opcode)
    reader.fail(`the text is opcode ${hex(parsed.opcode)}, not ${opcodeToken.text}`, opcodeToken)
  output.emit(parsed, first.line)
}

function parse(
  reader: TokenReader,
  output: AssemblerOutput,
  opcode: number | undefined,
): ParsedInstruction {
  const first = reader.peek()
  if (isExpression(reader)) return assembleExpression(reader, output, opcode)
  if (isMnemonic(first.text)) return assembleMnemonic(reader, output)
  return reader.fail(unknownInstruction(first), first)
}

/** Takes one label, or a slot number, or llvm-objdump's `0000000000000038 <LBB0_2>:`. */
function takeLabel(reader: TokenReader, output: AssemblerOutput): boolean {
  const token = reader.peek()
  const plain = reader.peek(1).text === ":"
  if (token.kind === "name" && plain) output.defineLabel(token)
  else if (token.kind === "number" && plain) output.defineNumericLabel(token)
  else if (token.kind === "number" && reader.peek(1).text === "<" && reader.peek(4).text === ":") {
    output.defineLabel(reader.peek(2))
    for (let skipped = 0; skipped < 3; skipped++) reader.next()
  } else return false
  reader.next()
  reader.next()
  return true
}

/** `lock` is common to both notations, and tells itself by what follows. */
function isExpression(reader: TokenReader): boolean {
  const first = reader.peek()
  if (first.kind === "register" || first.text === "*") return true
  if (first.text === "lock") return reader.peek(1).text === "*"
  return first.kind === "name" && EXPRESSION_WORDS.includes(first.text)
}

function unknownInstruction(first: Token): string {
  const known = [...EXPRESSION_WORDS, ...MNEMONICS]
  const near = known.filter((word) => isNear(first.text.toLowerCase(), word))
  const advice = near.length === 0 ? "" : `, did you mean \`${near[0]}\`?`
  if (first.text.startsWith("."))
    return `\`${first.text}\` is a directive: this assembler takes instructions and labels only`
  return `there is no instruction \`${first.text}\`${advice}`
}

/** Whether one change of a letter, or two letters swapped, leads from one word to the other. */
function isNear(word: string, known: string): boolean {
  if (word === known) return true
  if (Math.abs(word.length - known.length) > 1) return false
  let start = 0
  while (start < word.length && word[start] === known[start]) start++
  const [rest, knownRest] = [word.slice(start), known.slice(start)]
  return (
    rest.slice(1) === knownRest.slice(1) ||
    rest.slice(1) === knownRest ||
    rest === knownRest.slice(1) ||
    (rest[0] === knownRest[1] && rest[1] === knownRest[0] && rest.slice(2) === knownRest.slice(2))
  )
}

function hex(opcode: number): string {
  return opcode.toString(16).padStart(2, "0")
}
