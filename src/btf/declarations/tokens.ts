/**
 * Tokens of C declarations: names, integers, character constants, strings and punctuation. There is
 * no preprocessor: a `#` is an error.
 */

import { SyntaxIssue } from "../../base/index.ts"

export interface Token {
  readonly kind: "name" | "number" | "string" | "punctuation" | "end"
  /** As written; of a string, what it means. */
  readonly text: string
  /** Of a number or character constant. */
  readonly value: bigint
  /** Counted from 1. */
  readonly line: number
  readonly column: number
}

const SPACE = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y
const NAME = /[A-Za-z_$][A-Za-z0-9_$]*/y
const NUMBER = /(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)([uUlL]*)/y
const CHARACTER = /'(?:[^'\\\n]|\\(?:[0-7]{1,3}|x[0-9a-fA-F]+|.))'/y
const STRING = /"(?:[^"\\\n]|\\.)*"/y
const PUNCTUATION = /\.\.\.|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>=?:;,.(){}[\]]/y

const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  a: 7,
  b: 8,
  f: 12,
  v: 11,
}

/**
 * All tokens of a text, the last of kind `end`.
 *
 * @throws SyntaxIssue at a character that begins no token.
 */
export function tokenize(text: string, file: string): Token[] {
  const tokens: Token[] = []
  let line = 1
  let lineStart = 0
  let at = 0
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    return found === null ? null : found[0]
  }
  const push = (kind: Token["kind"], raw: string, content: string, value: bigint): void => {
    tokens.push({ kind, text: content, value, line, column: at - lineStart + 1 })
    at += raw.length
  }
  while (at < text.length) {
    const space = match(SPACE)
    if (space !== null) {
      for (let i = 0; i < space.length; i++)
        if (space[i] === "\n") {
          line++
          lineStart = at + i + 1
        }
      at += space.length
      continue
    }
    if (text.startsWith("/*", at))
      throw new SyntaxIssue("comment without end", { file, line, column: at - lineStart + 1 })
    let raw: string | null
    if ((raw = match(NAME)) !== null) push("name", raw, raw, 0n)
    else if ((raw = match(NUMBER)) !== null) push("number", raw, raw, numberValue(raw))
    else if ((raw = match(CHARACTER)) !== null) push("number", raw, raw, characterValue(raw))
    else if ((raw = match(STRING)) !== null)
      push("string", raw, raw.slice(1, -1).replace(/\\(.)/g, "$1"), 0n)
    else if ((raw = match(PUNCTUATION)) !== null) push("punctuation", raw, raw, 0n)
    else
      throw new SyntaxIssue(
        text[at] === "#" ? "no preprocessor here: '#'" : `unexpected character '${text[at]}'`,
        { file, line, column: at - lineStart + 1 },
      )
  }
  push("end", "", "end of text", 0n)
  return tokens
}

function numberValue(raw: string): bigint {
  const digits = raw.replace(/[uUlL]+$/, "")
  return BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
}

function characterValue(raw: string): bigint {
  const body = raw.slice(1, -1)
  if (body[0] !== "\\") return BigInt(body.codePointAt(0) ?? 0)
  if (body[1] === "x") return BigInt(`0x${body.slice(2)}`)
  if (/[0-7]/.test(body[1])) return BigInt(Number.parseInt(body.slice(1), 8))
  return BigInt(ESCAPES[body[1]] ?? body.charCodeAt(1))
}

/** The tokens with a position: what a parser looks at and consumes. */
export class TokenStream {
  readonly file: string
  private readonly tokens: readonly Token[]
  private index = 0

  constructor(text: string, file: string) {
    this.file = file
    this.tokens = tokenize(text, file)
  }

  /** The token `ahead` of the current one. */
  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.index + ahead, this.tokens.length - 1)]
  }

  next(): Token {
    const token = this.peek()
    if (this.index < this.tokens.length - 1) this.index++
    return token
  }

  /** Whether the current token is this name or punctuation. */
  at(text: string): boolean {
    const token = this.peek()
    return token.text === text && (token.kind === "name" || token.kind === "punctuation")
  }

  /** Consumes the token if it is this name or punctuation. */
  accept(text: string): boolean {
    if (!this.at(text)) return false
    this.next()
    return true
  }

  expect(text: string): void {
    if (!this.accept(text)) this.fail(`expected '${text}' before '${this.peek().text}'`)
  }

  expectName(what: string): string {
    if (this.peek().kind !== "name") this.fail(`expected ${what} before '${this.peek().text}'`)
    return this.next().text
  }

  /** The position, to come back to with {@link rewind}. */
  mark(): number {
    return this.index
  }

  rewind(mark: number): void {
    this.index = mark
  }

  /** Skips from an opening parenthesis (the current token) to after its closing one. */
  skipParentheses(): void {
    let depth = 0
    do {
      if (this.at("(")) depth++
      else if (this.at(")")) depth--
      else if (this.peek().kind === "end") this.fail("unbalanced '('")
      this.next()
    } while (depth > 0)
  }

  fail(message: string): never {
    const { line, column } = this.peek()
    throw new SyntaxIssue(message, { file: this.file, line, column })
  }
}
