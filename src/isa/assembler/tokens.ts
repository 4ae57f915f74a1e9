/**
 * Assembly text as statements of tokens. A line has any number of statements, separated by `;`.
 * Comments: `//` and `#` to the end of the line, C comments over lines, and a whole line that begins
 * with `;`, as the source lines of a bpftool dump do. `#` glued to the name of a called function
 * is no comment: `call bpf_map_lookup_elem#1`.
 *
 * Lines and columns count from 1; a column is a UTF-16 unit.
 */

import { SyntaxIssue } from "../../base/index.ts"
import { MAX_BPF_REG } from "../opcode.ts"

/** One token. `number` and `register` have a `value`; `opcode` is bpftool's `(b7)`. */
export interface Token {
  readonly kind: "name" | "number" | "register" | "operator" | "opcode" | "end"
  readonly text: string
  readonly value: bigint
  readonly line: number
  readonly column: number
}

/** The tokens of one statement, with an `end` token as the last. */
export type Statement = readonly Token[]

/** Digits of the longest number: more than 64 bits need in any base, so that none takes long. */
const NUMBER_DIGITS_MAX = 80

/** The longest name (linux v6.18 include/linux/kallsyms.h). */
const KSYM_NAME_LEN = 512

const NUMBER = /0x[0-9a-f]+|0b[01]+(?![0-9a-z])|[0-9]+/iy
// A reference to a numeric label: `1b` is the last one before, `1f` the next one after.
const LOCAL_REFERENCE = /[0-9]+[bf](?!\w)/y
const REGISTER = /%?([rw])([0-9]{1,9})(?![\w.$])/y
const NAME = /[A-Za-z_.$][\w.$]*/y
const OPCODE = /\(([0-9a-f]{2})\)/iy
const SIGNED_OPERATOR = /s>>=|s[/%]=|s[<>]=?/y
const OPERATOR = /s>>=|s[/%]=|s[<>]=?|<<=|>>=|[-+*/|&%^=!<>]=|[^\s]/y

/** The statements of `text` one by one, without the empty ones. */
export function* tokenize(text: string, file?: string): Generator<Statement> {
  const lines = blankBlockComments(text, file).split(/\r\n|\r|\n/)
  for (let index = 0; index < lines.length; index++)
    yield* tokenizeLine(lines[index], index + 1, file)
}

/** Replaces block comments by blanks, so that positions stay. */
function blankBlockComments(text: string, file: string | undefined): string {
  let result = ""
  let from = 0
  for (;;) {
    const start = text.indexOf("/*", from)
    if (start < 0) return result + text.slice(from)
    const end = text.indexOf("*/", start + 2)
    if (end < 0) {
      const before = text.slice(0, start).split(/\r\n|\r|\n/)
      const at = { file, line: before.length, column: before[before.length - 1].length + 1 }
      throw new SyntaxIssue("this comment has no end: `*/` is missing", at)
    }
    result += text.slice(from, start) + text.slice(start, end + 2).replace(/[^\r\n]/g, " ")
    from = end + 2
  }
}

function tokenizeLine(content: string, line: number, file: string | undefined): Statement[] {
  if (content.trimStart().startsWith(";")) return []
  const statements: Statement[] = []
  let tokens: Token[] = []
  const finish = (column: number) => {
    if (tokens.length === 0) return
    tokens.push({ kind: "end", text: "", value: 0n, line, column })
    statements.push(tokens)
    tokens = []
  }
  let at = 0
  while (at < content.length) {
    const character = content[at]
    if (character === " " || character === "\t") {
      at++
      continue
    }
    if (content.startsWith("//", at) || (character === "#" && !namesCallee(content, at, tokens)))
      break
    if (character === ";") {
      finish(at + 1)
      at++
      continue
    }
    const token = tokenAt(content, at, line, file)
    tokens.push(token)
    at += token.text.length
  }
  finish(content.trimEnd().length + 1)
  return statements
}

/** Whether the `#` at `at` belongs to `call name#1` or `call pc+3#name`. */
function namesCallee(content: string, at: number, tokens: readonly Token[]): boolean {
  const glued = at > 0 && /\w/.test(content[at - 1])
  const followed = /^#(?:\w|-\d)/.test(content.slice(at, at + 3))
  return glued && followed && tokens.some(({ text }) => text === "call")
}

function tokenAt(content: string, at: number, line: number, file: string | undefined): Token {
  const position = { line, column: at + 1 }
  const first = content.charCodeAt(at)
  if (isDigit(first)) return numberAt(content, at, position, file)
  if (content[at] === "(") {
    const opcode = match(OPCODE, content, at)
    if (opcode !== null)
      return { kind: "opcode", text: opcode[0], value: BigInt(`0x${opcode[1]}`), ...position }
  } else {
    const register = match(REGISTER, content, at)
    if (register !== null) {
      const value = BigInt(register[2])
      if (value >= MAX_BPF_REG)
        throw new SyntaxIssue(
          `there is no register ${register[1]}${value}: registers are ${register[1]}0 to ${register[1]}${MAX_BPF_REG - 1}`,
          { file, ...position },
        )
      return { kind: "register", text: register[0], value, ...position }
    }
    const name = match(SIGNED_OPERATOR, content, at) === null ? match(NAME, content, at) : null
    if (name !== null) {
      if (name[0].length > KSYM_NAME_LEN)
        throw new SyntaxIssue(
          `a name of ${name[0].length} characters is too long (at most ${KSYM_NAME_LEN})`,
          { file, ...position },
        )
      return { kind: "name", text: name[0], value: 0n, ...position }
    }
  }
  const operator = match(OPERATOR, content, at)
  return { kind: "operator", text: operator?.[0] ?? content[at], value: 0n, ...position }
}

function numberAt(
  content: string,
  at: number,
  position: { readonly line: number; readonly column: number },
  file: string | undefined,
): Token {
  const reference = match(LOCAL_REFERENCE, content, at)
  if (reference !== null) return { kind: "name", text: reference[0], value: 0n, ...position }
  const text = match(NUMBER, content, at)?.[0] ?? content[at]
  if (text.length > NUMBER_DIGITS_MAX)
    throw new SyntaxIssue(
      `a number of ${text.length} digits does not fit 64 bits (at most ${NUMBER_DIGITS_MAX} digits)`,
      { file, ...position },
    )
  return { kind: "number", text, value: BigInt(text), ...position }
}

function match(pattern: RegExp, content: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(content)
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** Reads the tokens of one statement from left to right. */
export class TokenReader {
  readonly #tokens: Statement
  readonly #file: string | undefined
  #next = 0

  constructor(tokens: Statement, file?: string) {
    this.#tokens = tokens
    this.#file = file
  }

  /** The next token, or the one `ahead` of it; the `end` token from the end on. */
  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)]
  }

  /** Takes the next token. */
  next(): Token {
    const token = this.peek()
    this.#next++
    return token
  }

  /** Whether the next token is this operator or name. */
  at(text: string): boolean {
    const token = this.peek()
    return token.text === text && token.kind !== "end"
  }

  /** Takes the next token if it is this operator or name. */
  accept(text: string): boolean {
    const found = this.at(text)
    if (found) this.#next++
    return found
  }

  /** Takes this operator or name, or fails. `where` continues the sentence. */
  expect(text: string, where: string): void {
    if (!this.accept(text)) this.failAtNext(`\`${text}\` ${where}`)
  }

  /** Takes all that is left. */
  skipRest(): void {
    this.#next = this.#tokens.length - 1
  }

  /** Fails because the next token is not what is `expected`. */
  failAtNext(expected: string): never {
    const token = this.peek()
    const found = token.kind === "end" ? "the statement ends" : `found \`${token.text}\``
    return this.fail(`expected ${expected}, ${found}`, token)
  }

  fail(message: string, at: Token): never {
    throw new SyntaxIssue(message, { file: this.#file, line: at.line, column: at.column })
  }
}
