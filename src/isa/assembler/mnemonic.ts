/**
 * The mnemonics of bpf_conformance (and of uBPF and rbpf): `mov32 %r0, 1`, `ldxw %r1, [%r2+4]`,
 * `jslt %r1, -1, fail`, `lock fetch add [%r1], %r2`
 * (the grammar is that of bpf_conformance lib/src/bpf_assembler.cc).
 */

import * as op from "../opcode.ts"
import type { AssemblerOutput, ParsedInstruction } from "./output.ts"
import type { TokenReader } from "./tokens.ts"

const ALU: Readonly<Record<string, { readonly operation: number; readonly off?: number }>> = {
  add: { operation: op.BPF_ADD },
  sub: { operation: op.BPF_SUB },
  mul: { operation: op.BPF_MUL },
  div: { operation: op.BPF_DIV },
  sdiv: { operation: op.BPF_DIV, off: 1 },
  or: { operation: op.BPF_OR },
  and: { operation: op.BPF_AND },
  lsh: { operation: op.BPF_LSH },
  rsh: { operation: op.BPF_RSH },
  mod: { operation: op.BPF_MOD },
  smod: { operation: op.BPF_MOD, off: 1 },
  xor: { operation: op.BPF_XOR },
  mov: { operation: op.BPF_MOV },
  arsh: { operation: op.BPF_ARSH },
}

const JUMPS: Readonly<Record<string, number>> = {
  jeq: op.BPF_JEQ,
  jgt: op.BPF_JGT,
  jge: op.BPF_JGE,
  jset: op.BPF_JSET,
  jne: op.BPF_JNE,
  jsgt: op.BPF_JSGT,
  jsge: op.BPF_JSGE,
  jlt: op.BPF_JLT,
  jle: op.BPF_JLE,
  jslt: op.BPF_JSLT,
  jsle: op.BPF_JSLE,
}

const SIZES: Readonly<Record<string, number>> = {
  b: op.BPF_B,
  h: op.BPF_H,
  w: op.BPF_W,
  dw: op.BPF_DW,
}

const ATOMICS: Readonly<Record<string, number>> = {
  add: op.BPF_ADD,
  and: op.BPF_AND,
  or: op.BPF_OR,
  xor: op.BPF_XOR,
  xchg: op.BPF_XCHG,
  cmpxchg: op.BPF_CMPXCHG,
}

type Parser = (reader: TokenReader, output: AssemblerOutput) => ParsedInstruction

const parsers: ReadonlyMap<string, Parser> = buildParsers()

/** All mnemonics, and `lock`. */
export const MNEMONICS: readonly string[] = [...parsers.keys()]

/** Whether a statement that begins with this word is one of mnemonics. */
export function isMnemonic(word: string): boolean {
  return parsers.has(word)
}

/** Parses one statement that begins with a mnemonic. */
export function assembleMnemonic(reader: TokenReader, output: AssemblerOutput): ParsedInstruction {
  const mnemonic = reader.next()
  const parse = parsers.get(mnemonic.text)
  if (parse === undefined) reader.fail(`there is no mnemonic \`${mnemonic.text}\``, mnemonic)
  return parse(reader, output)
}

function buildParsers(): Map<string, Parser> {
  const table = new Map<string, Parser>()
  for (const suffix of ["", "32", "64"]) {
    const width = suffix === "32" ? op.BPF_ALU : op.BPF_ALU64
    for (const [name, { operation, off }] of Object.entries(ALU))
      table.set(name + suffix, alu(width | operation, off ?? 0))
    table.set(`neg${suffix}`, unary(width | op.BPF_NEG, 0))
  }
  for (const [from, to] of ["8 32", "16 32", "8 64", "16 64", "32 64"].map((pair) =>
    pair.split(" "),
  ))
    table.set(
      `movsx${from}${to}`,
      signExtend(to === "32" ? op.BPF_ALU : op.BPF_ALU64, Number(from)),
    )
  for (const bits of [16, 32, 64]) {
    table.set(`le${bits}`, unary(op.BPF_ALU | op.BPF_END | op.BPF_TO_LE, bits))
    table.set(`be${bits}`, unary(op.BPF_ALU | op.BPF_END | op.BPF_TO_BE, bits))
    table.set(`swap${bits}`, unary(op.BPF_ALU64 | op.BPF_END, bits))
    table.set(`bswap${bits}`, unary(op.BPF_ALU64 | op.BPF_END, bits))
  }
  for (const [name, operation] of Object.entries(JUMPS)) {
    table.set(name, compareAndJump(op.BPF_JMP | operation))
    table.set(`${name}32`, compareAndJump(op.BPF_JMP32 | operation))
  }
  table.set("ja", jumpAlways(op.BPF_JMP | op.BPF_JA, "off"))
  table.set("ja32", jumpAlways(op.BPF_JMP32 | op.BPF_JA, "imm"))
  table.set("lddw", loadWide)
  for (const [suffix, size] of Object.entries(SIZES)) {
    table.set(`ldx${suffix}`, load(op.BPF_LDX | op.BPF_MEM | size))
    if (suffix !== "dw") table.set(`ldxs${suffix}`, load(op.BPF_LDX | op.BPF_MEMSX | size))
    table.set(`st${suffix}`, storeImmediate(op.BPF_ST | op.BPF_MEM | size))
    table.set(`stx${suffix}`, storeRegister(op.BPF_STX | op.BPF_MEM | size))
  }
  table.set("lock", atomic)
  return table
}

function alu(opcode: number, off: number): Parser {
  return (reader, output) => {
    const dst = register(reader)
    reader.expect(",", "before the operand")
    if (reader.peek().kind === "register")
      return { opcode: opcode | op.BPF_X, dst, src: register(reader), off }
    return { opcode, dst, off, imm: immediate(reader, output) }
  }
}

function unary(opcode: number, imm: number): Parser {
  return (reader) => ({ opcode, dst: register(reader), imm })
}

function signExtend(width: number, off: number): Parser {
  return (reader) => {
    const dst = register(reader)
    reader.expect(",", "before the source")
    const opcode = width | op.BPF_MOV | op.BPF_X
    return { opcode, dst, src: register(reader), off }
  }
}

function compareAndJump(opcode: number): Parser {
  return (reader, output) => {
    const dst = register(reader)
    reader.expect(",", "before the operand")
    const fields =
      reader.peek().kind === "register"
        ? { opcode: opcode | op.BPF_X, dst, src: register(reader) }
        : { opcode, dst, imm: immediate(reader, output) }
    reader.expect(",", "before the target")
    return { ...fields, ...target(reader, output, "off") }
  }
}

function jumpAlways(opcode: number, field: "off" | "imm"): Parser {
  return (reader, output) => ({ opcode, ...target(reader, output, field) })
}

/** A label, `+2` or `-3`. */
function target(
  reader: TokenReader,
  output: AssemblerOutput,
  field: "off" | "imm",
): Partial<ParsedInstruction> {
  const token = reader.peek()
  if (token.kind === "name") {
    reader.next()
    return { reference: { kind: "label", token, field } }
  }
  const value = number(reader)
  if (field === "imm") return { imm: output.immediate(value, token) }
  return { off: output.offset(value, token, ": use ja32") }
}

function loadWide(reader: TokenReader, output: AssemblerOutput): ParsedInstruction {
  const dst = register(reader)
  reader.expect(",", "before the value")
  const at = reader.peek()
  const { low, high } = output.wideImmediate(number(reader), at)
  return { opcode: op.BPF_LD_IMM64, dst, imm: low, next: high }
}

function load(opcode: number): Parser {
  return (reader, output) => {
    const dst = register(reader)
    reader.expect(",", "before the address")
    const { base: src, off } = memory(reader, output)
    return { opcode, dst, src, off }
  }
}

function storeImmediate(opcode: number): Parser {
  return (reader, output) => {
    const { base: dst, off } = memory(reader, output)
    reader.expect(",", "before the value")
    return { opcode, dst, off, imm: immediate(reader, output) }
  }
}

function storeRegister(opcode: number): Parser {
  return (reader, output) => {
    const { base: dst, off } = memory(reader, output)
    reader.expect(",", "before the register")
    return { opcode, dst, src: register(reader), off }
  }
}

/** `lock add [%r1], %r2`, `lock fetch add32 [%r1+4], %r2`, `lock xchg`, `lock cmpxchg`. */
function atomic(reader: TokenReader, output: AssemblerOutput): ParsedInstruction {
  const fetch = reader.accept("fetch")
  const operation = reader.next()
  const name = operation.text.replace(/(32|64)$/, "")
  if (!Object.hasOwn(ATOMICS, name))
    reader.fail(
      `expected ${Object.keys(ATOMICS).join(", ")} after lock, found \`${operation.text}\``,
      operation,
    )
  const size = operation.text.endsWith("32") ? op.BPF_W : op.BPF_DW
  const { base: dst, off } = memory(reader, output)
  reader.expect(",", "before the register")
  const imm = ATOMICS[name] | (fetch ? op.BPF_FETCH : 0)
  const opcode = op.BPF_STX | op.BPF_ATOMIC | size
  return { opcode, dst, src: register(reader), off, imm }
}

function register(reader: TokenReader): number {
  const token = reader.peek()
  if (token.kind !== "register" || /^%?w/.test(token.text))
    reader.failAtNext("a register %r0 to %r10")
  reader.next()
  return Number(token.value)
}

function number(reader: TokenReader): bigint {
  const negative = reader.at("-")
  if (negative || reader.at("+")) reader.next()
  const token = reader.peek()
  if (token.kind !== "number") reader.failAtNext("a number")
  reader.next()
  return negative ? -token.value : token.value
}

function immediate(reader: TokenReader, output: AssemblerOutput): number {
  const at = reader.peek()
  return output.immediate(number(reader), at, ": lddw loads 64 bits")
}

/** `[%r1]`, `[%r1+8]`, `[%r1-8]`. */
function memory(
  reader: TokenReader,
  output: AssemblerOutput,
): { readonly base: number; readonly off: number } {
  reader.expect("[", "before the address")
  const base = register(reader)
  const at = reader.peek()
  const off = reader.at("]") ? 0 : output.offset(number(reader), at)
  reader.expect("]", "after the address")
  return { base, off }
}
