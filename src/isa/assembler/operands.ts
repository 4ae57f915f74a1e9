/**
 * The operands of the kernel's and LLVM's notation: registers, numbers, memory. Each function takes
 * its tokens from the reader or fails with the place and what was expected.
 */

import * as op from "../opcode.ts"
import type { AssemblerOutput } from "./output.ts"
import type { Token, TokenReader } from "./tokens.ts"

/** A register as it was written: `r1` or `w1`. */
export interface Register {
  readonly number: number
  readonly wide: boolean
  readonly token: Token
}

/** The state of parsing one statement. */
export interface Context {
  readonly reader: TokenReader
  readonly output: AssemblerOutput
  /** bpftool's `(18)` before the statement, which tells a wide constant from a move. */
  readonly opcode: number | undefined
}

const ACCESS_SIZES: Readonly<Record<string, number>> = {
  u8: op.BPF_B,
  u16: op.BPF_H,
  u32: op.BPF_W,
  u64: op.BPF_DW,
  s8: op.BPF_B,
  s16: op.BPF_H,
  s32: op.BPF_W,
}

/** A register; `role` ends the sentence "expected a register …". */
export function register({ reader }: Context, role: string): Register {
  const token = reader.peek()
  if (token.kind !== "register") reader.failAtNext(`a register ${role}`)
  reader.next()
  return { number: Number(token.value), wide: !/^%?w/.test(token.text), token }
}

/** A register of the same width as `like`. */
export function registerLike(context: Context, like: Register): Register {
  const other = register(context, "or a number")
  if (other.wide !== like.wide) {
    const prefix = like.wide ? "r" : "w"
    const advice = `write ${prefix}${other.number}, or use ${like.wide ? "w" : "r"}${like.number}`
    context.reader.fail(
      `${like.token.text} and ${other.token.text} have different widths: ${advice}`,
      other.token,
    )
  }
  return other
}

/** A register that must be 64 bits wide. */
export function wideRegister(context: Context, role: string): Register {
  const found = register(context, role)
  if (!found.wide)
    context.reader.fail(
      `the register ${role} must be 64 bits wide: write r${found.number}`,
      found.token,
    )
  return found
}

/** The register that an atomic or a swap reads and writes: it must be named twice. */
export function sameRegister(context: Context, first: Register): void {
  const second = register(context, `${first.token.text} again`)
  if (second.number !== first.number || second.wide !== first.wide)
    context.reader.fail(
      `this instruction reads and writes one register: ${second.token.text} must be ${first.token.text}`,
      second.token,
    )
}

/** Where a number may stand: a digit or a sign. */
export function atNumber({ reader }: Context): boolean {
  const token = reader.peek()
  if (token.kind === "number") return true
  return (token.text === "-" || token.text === "+") && reader.peek(1).kind === "number"
}

/** A number with an optional sign. */
export function number({ reader }: Context, what: string): bigint {
  const negative = reader.at("-")
  if (negative || reader.at("+")) reader.next()
  const token = reader.peek()
  if (token.kind !== "number") reader.failAtNext(what)
  reader.next()
  return negative ? -token.value : token.value
}

/** An immediate of 32 bits. */
export function immediate(context: Context): number {
  const at = context.reader.peek()
  return context.output.immediate(number(context, "a number"), at)
}

/** `r1 + 4`, `r1 -8`, `r1`. */
export function address(context: Context): { readonly base: number; readonly off: number } {
  const base = wideRegister(context, "that holds the address").number
  if (!context.reader.at("+") && !context.reader.at("-")) return { base, off: 0 }
  const at = context.reader.peek()
  return { base, off: context.output.offset(number(context, "a number of bytes"), at) }
}

/** A memory operand; `size` is `BPF_W`… and `type` the token that told it. */
export interface MemoryOperand {
  readonly base: number
  readonly off: number
  readonly size: number
  readonly signed: boolean
  readonly type: Token
}

/** `(u32 *)`. */
export function accessType({ reader }: Context): Pick<MemoryOperand, "size" | "signed" | "type"> {
  reader.expect("(", "before the type of the access")
  const type = reader.peek()
  if (!Object.hasOwn(ACCESS_SIZES, type.text))
    reader.failAtNext("a type: u8, u16, u32, u64, s8, s16 or s32")
  reader.next()
  reader.expect("*", "after the type")
  reader.expect(")", "after the type")
  return { size: ACCESS_SIZES[type.text], signed: type.text.startsWith("s"), type }
}

/** `(u32 *)(r1 + 4)`. */
export function pointer(context: Context): MemoryOperand {
  const access = accessType(context)
  context.reader.expect("(", "before the address")
  const at = address(context)
  context.reader.expect(")", "after the address")
  return { ...access, ...at }
}

/** Types with a sign are for loads; 64 bits need an `r` register. */
export function checkAccess(context: Context, memory: MemoryOperand, data: Register): void {
  const { reader } = context
  if (memory.signed)
    reader.fail(`only loads extend signs: write u${memory.type.text.slice(1)}`, memory.type)
  checkDataWidth(context, memory.size, data)
}

/** 64 bits need an `r` register. */
export function checkDataWidth({ reader }: Context, size: number, data: Register): void {
  if (size === op.BPF_DW && !data.wide)
    reader.fail(`64 bits do not fit ${data.token.text}: write r${data.number}`, data.token)
}
