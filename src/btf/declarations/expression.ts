/**
 * Integer constant expressions in array lengths, bit-field widths, enumerators and attributes:
 * C's operators on 64-bit values, enumerators and `sizeof`.
 */

import type { TokenStream } from "./tokens.ts"

/** Deepest nesting of parentheses and operators. */
const DEPTH_MAX = 64

/** Binary operators by precedence, the loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
]

/** What names mean in an expression. */
export interface ConstantScope {
  enumerator(name: string): bigint | undefined
  /** Parses the type name (or expression) after `sizeof (`, the `)` excluded. */
  sizeOfType(): bigint | undefined
}

/** Parses a conditional expression. */
export function constantExpression(tokens: TokenStream, scope: ConstantScope, depth = 0): bigint {
  if (depth > DEPTH_MAX) tokens.fail(`expression is nested more than ${DEPTH_MAX} deep`)
  const condition = binary(tokens, scope, 0, depth)
  if (!tokens.accept("?")) return condition
  const yes = constantExpression(tokens, scope, depth + 1)
  tokens.expect(":")
  const no = constantExpression(tokens, scope, depth + 1)
  return condition !== 0n ? yes : no
}

function binary(tokens: TokenStream, scope: ConstantScope, level: number, depth: number): bigint {
  if (level === LEVELS.length) return unary(tokens, scope, depth)
  let left = binary(tokens, scope, level + 1, depth)
  for (;;) {
    const operator = LEVELS[level].find((text) => tokens.at(text))
    if (operator === undefined) return left
    tokens.next()
    const right = binary(tokens, scope, level + 1, depth)
    left = apply(tokens, operator, left, right)
  }
}

function apply(tokens: TokenStream, operator: string, a: bigint, b: bigint): bigint {
  const truth = (value: boolean) => (value ? 1n : 0n)
  switch (operator) {
    case "||":
      return truth(a !== 0n || b !== 0n)
    case "&&":
      return truth(a !== 0n && b !== 0n)
    case "|":
      return a | b
    case "^":
      return a ^ b
    case "&":
      return a & b
    case "==":
      return truth(a === b)
    case "!=":
      return truth(a !== b)
    case "<":
      return truth(a < b)
    case ">":
      return truth(a > b)
    case "<=":
      return truth(a <= b)
    case ">=":
      return truth(a >= b)
    case "<<":
    case ">>":
      if (b < 0n || b > 63n) tokens.fail(`shift by ${b}, not 0 to 63`)
      return operator === "<<" ? a << b : a >> b
    case "+":
      return a + b
    case "-":
      return a - b
    case "*":
      return BigInt.asIntN(128, a * b)
    default:
      if (b === 0n) tokens.fail("division by zero")
      return operator === "/" ? a / b : a % b
  }
}

function unary(tokens: TokenStream, scope: ConstantScope, depth: number): bigint {
  if (depth > DEPTH_MAX) tokens.fail(`expression is nested more than ${DEPTH_MAX} deep`)
  if (tokens.accept("-")) return -unary(tokens, scope, depth + 1)
  if (tokens.accept("+")) return unary(tokens, scope, depth + 1)
  if (tokens.accept("~")) return ~unary(tokens, scope, depth + 1)
  if (tokens.accept("!")) return unary(tokens, scope, depth + 1) === 0n ? 1n : 0n
  if (tokens.accept("sizeof")) {
    tokens.expect("(")
    const size = scope.sizeOfType()
    if (size === undefined) tokens.fail("sizeof needs a type with a size")
    tokens.expect(")")
    return size
  }
  if (tokens.accept("(")) {
    const value = constantExpression(tokens, scope, depth + 1)
    tokens.expect(")")
    return value
  }
  const token = tokens.peek()
  if (token.kind === "number") return tokens.next().value
  if (token.kind === "name") {
    const value = scope.enumerator(token.text)
    if (value === undefined) tokens.fail(`'${token.text}' is not a known constant`)
    tokens.next()
    return value
  }
  return tokens.fail(`expected a constant before '${token.text}'`)
}
