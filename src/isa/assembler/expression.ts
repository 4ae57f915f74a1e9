/**
 * The kernel's and LLVM's notation: `r1 = *(u32 *)(r2 + 4)`, `if w1 s> 3 goto +2`, `call 1`. One
 * grammar takes both, as they differ in spacing, numbers and the names of atomics only. Register
 * widths must agree, as LLVM's assembler demands.
 */

import * as op from "../opcode.ts"
import { atomicResult, loadAcquire, lock, storeRelease } from "./atomic.ts"
import type { Context, MemoryOperand, Register } from "./operands.ts"
import {
  accessType,
  address,
  atNumber,
  checkDataWidth,
  immediate,
  number,
  pointer,
  register,
  registerLike,
  sameRegister,
  wideRegister,
} from "./operands.ts"
import type { AssemblerOutput, ParsedInstruction } from "./output.ts"
import type { TokenReader } from "./tokens.ts"
import { pseudoLoad, wideOperand } from "./wide.ts"

const ALU_OPERATIONS: Readonly<Record<string, number>> = {
  "+=": op.BPF_ADD,
  "-=": op.BPF_SUB,
  "*=": op.BPF_MUL,
  "/=": op.BPF_DIV,
  "s/=": op.BPF_DIV,
  "|=": op.BPF_OR,
  "&=": op.BPF_AND,
  "<<=": op.BPF_LSH,
  ">>=": op.BPF_RSH,
  "%=": op.BPF_MOD,
  "s%=": op.BPF_MOD,
  "^=": op.BPF_XOR,
  "s>>=": op.BPF_ARSH,
}

const COMPARISONS: Readonly<Record<string, number>> = {
  "==": op.BPF_JEQ,
  ">": op.BPF_JGT,
  ">=": op.BPF_JGE,
  "&": op.BPF_JSET,
  "!=": op.BPF_JNE,
  "s>": op.BPF_JSGT,
  "s>=": op.BPF_JSGE,
  "<": op.BPF_JLT,
  "<=": op.BPF_JLE,
  "s<": op.BPF_JSLT,
  "s<=": op.BPF_JSLE,
}

/** The words that begin a statement of this notation; registers and `*` do, too. */
export const EXPRESSION_WORDS: readonly string[] = [
  "if",
  "goto",
  "gotol",
  "may_goto",
  "call",
  "callx",
  "exit",
  "lock",
  "store_release",
  "ld_pseudo",
]

/** Parses one statement; `opcode` is the one that bpftool prints before it, if it is there. */
export function assembleExpression(
  reader: TokenReader,
  output: AssemblerOutput,
  opcode: number | undefined,
): ParsedInstruction {
  const context = { reader, output, opcode }
  const first = reader.peek()
  if (first.kind === "register") return assignment(context)
  switch (first.text) {
    case "*":
      return store(context)
    case "if":
      return conditionalJump(context)
    case "goto":
      return jump(context, op.BPF_JMP | op.BPF_JA, "off")
    case "gotol":
      return jump(context, op.BPF_JMP32 | op.BPF_JA, "imm")
    case "may_goto":
      return jump(context, op.BPF_JMP | op.BPF_JCOND, "off")
    case "call":
      return call(context)
    case "callx": {
      reader.next()
      const dst = wideRegister(context, "that holds the address to call").number
      return { opcode: op.BPF_JMP | op.BPF_CALL | op.BPF_X, dst }
    }
    case "exit":
      reader.next()
      return { opcode: op.BPF_JMP | op.BPF_EXIT }
    case "lock":
      return lock(context)
    case "store_release":
      return storeRelease(context)
    default:
      return pseudoLoad(context)
  }
}

// Assignments

function assignment(context: Context): ParsedInstruction {
  const { reader } = context
  const dst = register(context, "to assign to")
  const operator = reader.next()
  if (operator.text === "=") return rightHandSide(context, dst)
  const operation = ALU_OPERATIONS[operator.text]
  if (operation === undefined)
    reader.fail(`expected = or an operator such as += after ${dst.token.text}`, operator)
  const off = operator.text === "s/=" || operator.text === "s%=" ? 1 : 0
  return alu(context, dst, operation, off)
}

function alu(context: Context, dst: Register, operation: number, off: number): ParsedInstruction {
  const opcode = (dst.wide ? op.BPF_ALU64 : op.BPF_ALU) | operation
  if (atNumber(context)) {
    const imm = immediate(context)
    return { opcode, dst: dst.number, off, imm }
  }
  const src = registerLike(context, dst).number
  return { opcode: opcode | op.BPF_X, dst: dst.number, src, off }
}

function rightHandSide(context: Context, dst: Register): ParsedInstruction {
  const { reader } = context
  const token = reader.peek()
  if (atNumber(context)) return constant(context, dst)
  if (token.kind === "register") return alu(context, dst, op.BPF_MOV, 0)
  switch (token.text) {
    case "-": {
      reader.next()
      sameRegister(context, dst)
      const opcode = (dst.wide ? op.BPF_ALU64 : op.BPF_ALU) | op.BPF_NEG
      return { opcode, dst: dst.number }
    }
    case "(":
      return signExtend(context, dst)
    case "*":
      return load(context, dst)
    case "addr_space_cast":
      return addressSpaceCast(context, dst)
    case "load_acquire":
      return loadAcquire(context, dst)
  }
  if (token.kind !== "name") reader.failAtNext("a value")
  const swap = /^(le|be|bswap)(16|32|64)$/.exec(token.text)
  if (swap !== null) return byteSwap(context, dst, swap[1], Number(swap[2]))
  if (reader.peek(1).text === "(") return atomicResult(context, dst)
  return wideOperand(context, dst)
}

/** A move of 32 bits, or with `ll` (or after bpftool's `(18)`) an ld_imm64. */
function constant(context: Context, dst: Register): ParsedInstruction {
  const { reader, output } = context
  const at = reader.peek()
  const value = number(context, "a number")
  if (reader.accept("ll") || context.opcode === op.BPF_LD_IMM64) {
    checkDataWidth(context, op.BPF_DW, dst)
    const { low, high } = output.wideImmediate(value, at)
    return { opcode: op.BPF_LD_IMM64, dst: dst.number, imm: low, next: high }
  }
  const advice = dst.wide ? ": write `ll` after it for 64 bits" : ""
  const imm = output.immediate(value, at, advice)
  const opcode = (dst.wide ? op.BPF_ALU64 : op.BPF_ALU) | op.BPF_MOV
  return { opcode, dst: dst.number, imm }
}

function signExtend(context: Context, dst: Register): ParsedInstruction {
  const { reader } = context
  reader.expect("(", "before the type")
  const type = reader.next()
  if (!["s8", "s16", "s32"].includes(type.text))
    reader.fail(`expected s8, s16 or s32, found \`${type.text}\``, type)
  reader.expect(")", "after the type")
  const src = registerLike(context, dst)
  if (type.text === "s32" && !dst.wide)
    reader.fail(`(s32) extends to 64 bits: write r${dst.number} = (s32)r${src.number}`, type)
  const opcode = (dst.wide ? op.BPF_ALU64 : op.BPF_ALU) | op.BPF_MOV | op.BPF_X
  const off = Number(type.text.slice(1))
  return { opcode, dst: dst.number, src: src.number, off }
}

function byteSwap(context: Context, dst: Register, name: string, bits: number): ParsedInstruction {
  context.reader.next()
  sameRegister(context, dst)
  if (!dst.wide)
    context.reader.fail(`byte swaps work on 64-bit registers: write r${dst.number}`, dst.token)
  const opcode =
    name === "bswap"
      ? op.BPF_ALU64 | op.BPF_END
      : op.BPF_ALU | op.BPF_END | (name === "be" ? op.BPF_TO_BE : op.BPF_TO_LE)
  return { opcode, dst: dst.number, imm: bits }
}

function load(context: Context, dst: Register): ParsedInstruction {
  const { reader } = context
  reader.expect("*", "before the type")
  const access = accessType(context)
  if (reader.accept("skb")) return packetLoad(context, dst, access)
  reader.expect("(", "before the address")
  const { base, off } = address(context)
  reader.expect(")", "after the address")
  checkDataWidth(context, access.size, dst)
  if (access.signed && !dst.wide)
    reader.fail(`a load of ${access.type.text} extends to 64 bits: write r${dst.number}`, dst.token)
  const mode = access.signed ? op.BPF_MEMSX : op.BPF_MEM
  const opcode = op.BPF_LDX | mode | access.size
  return { opcode, dst: dst.number, src: base, off }
}

/** `r0 = *(u8 *)skb[14]`, `r0 = *(u16 *)skb[r6 + 4]`. */
function packetLoad(
  context: Context,
  dst: Register,
  { size, signed, type }: Pick<MemoryOperand, "size" | "signed" | "type">,
): ParsedInstruction {
  const { reader } = context
  if (dst.number !== 0 || !dst.wide) reader.fail("packet loads go to r0", dst.token)
  if (signed || size === op.BPF_DW) reader.fail("packet loads are u8, u16 or u32", type)
  reader.expect("[", "after skb")
  let opcode = op.BPF_LD | op.BPF_ABS | size
  let src = 0
  let imm = 0
  if (reader.peek().kind === "register") {
    opcode = op.BPF_LD | op.BPF_IND | size
    src = wideRegister(context, "that holds the offset").number
    // The kernel prints `r6 + -4`.
    if (reader.at("+") && reader.peek(1).text === "-") reader.next()
    if (!reader.at("]")) imm = immediate(context)
  } else imm = immediate(context)
  reader.expect("]", "after the offset")
  return { opcode, src, imm }
}

function addressSpaceCast(context: Context, dst: Register): ParsedInstruction {
  const { reader, output } = context
  reader.next()
  checkDataWidth(context, op.BPF_DW, dst)
  reader.expect("(", "after addr_space_cast")
  const src = wideRegister(context, "to cast").number
  const spaces = [0, 0].map(() => {
    reader.expect(",", "before the address space")
    const at = reader.peek()
    const space = number(context, "an address space")
    if (space < 0n || space > 0xffffn) output.fail(`address space ${space} is not 0 to 65535`, at)
    return Number(space)
  })
  reader.expect(")", "after the address spaces")
  const opcode = op.BPF_ALU64 | op.BPF_MOV | op.BPF_X
  const imm = (spaces[0] << 16) | spaces[1]
  return { opcode, dst: dst.number, src, off: op.BPF_ADDR_SPACE_CAST, imm }
}

// Stores

function store(context: Context): ParsedInstruction {
  const { reader } = context
  reader.next()
  const memory = pointer(context)
  reader.expect("=", "after the address")
  const { base: dst, off, size, signed, type } = memory
  if (signed) reader.fail(`only loads extend signs: write u${type.text.slice(1)}`, type)
  if (atNumber(context)) {
    const imm = immediate(context)
    return { opcode: op.BPF_ST | op.BPF_MEM | size, dst, off, imm }
  }
  const data = register(context, "or a number to store")
  checkDataWidth(context, size, data)
  return { opcode: op.BPF_STX | op.BPF_MEM | size, dst, src: data.number, off }
}

// Jumps and calls

/** Where a jump goes: `+2`, `pc-3`, or a label. */
function jumpTo(context: Context, field: "off" | "imm"): Partial<ParsedInstruction> {
  const { reader, output } = context
  if (reader.at("pc") && /^[+-]$/.test(reader.peek(1).text)) reader.next()
  const token = reader.peek()
  let target: Partial<ParsedInstruction>
  if (atNumber(context)) {
    const value = number(context, "a distance")
    target =
      field === "imm"
        ? { imm: output.immediate(value, token) }
        : { off: output.offset(value, token, ": use gotol") }
  } else {
    if (token.kind !== "name") reader.failAtNext("a label or a distance such as +2")
    reader.next()
    target = { reference: { kind: "label", token, field } }
  }
  // llvm-objdump names the target again: `goto +2 <LBB0_3>`.
  if (reader.at("<")) reader.skipRest()
  return target
}

function jump(context: Context, opcode: number, field: "off" | "imm"): ParsedInstruction {
  context.reader.next()
  return { opcode, ...jumpTo(context, field) }
}

/** `if r1 s> 3 goto +2`. */
function conditionalJump(context: Context): ParsedInstruction {
  const { reader } = context
  reader.next()
  const dst = register(context, "to compare")
  const operator = reader.next()
  const operation = COMPARISONS[operator.text]
  if (operation === undefined)
    reader.fail(
      `expected a comparison (== != > >= < <= s> s>= s< s<= &), found \`${operator.text}\``,
      operator,
    )
  const opcode = (dst.wide ? op.BPF_JMP : op.BPF_JMP32) | operation
  const fields = atNumber(context)
    ? { opcode, dst: dst.number, imm: immediate(context) }
    : { opcode: opcode | op.BPF_X, dst: dst.number, src: registerLike(context, dst).number }
  reader.expect("goto", "after the comparison")
  return { ...fields, ...jumpTo(context, "off") }
}

/**
 * `call 1`, `call bpf_map_lookup_elem`, `call bpf_map_lookup_elem#1`, `call label`,
 * `call local label`, `call pc+3`, `call kernel-function#7@1`, and bpf_conformance's
 * `call helper 1`, `call runtime 7`, `call %r2`.
 */
function call(context: Context): ParsedInstruction {
  const { reader } = context
  reader.next()
  const opcode = op.BPF_JMP | op.BPF_CALL
  const token = reader.peek()
  if (atNumber(context)) return { opcode, imm: immediate(context) }
  if (token.kind === "register") {
    const dst = wideRegister(context, "that holds the address to call").number
    return { opcode: opcode | op.BPF_X, dst }
  }
  if (token.kind !== "name") reader.failAtNext("a function")
  reader.next()
  const follows = reader.peek()
  if (token.text === "pc" && /^[+-]$/.test(follows.text)) {
    const imm = immediate(context)
    // bpftool names the subprogram: `call pc+3#bpf_prog_6deef7357e7b4530_F`.
    if (reader.at("#")) reader.skipRest()
    return { opcode, src: op.BPF_PSEUDO_CALL, imm }
  }
  if (token.text === "local") return { opcode, src: op.BPF_PSEUDO_CALL, ...jumpTo(context, "imm") }
  if (follows.kind === "number" && (token.text === "helper" || token.text === "runtime")) {
    const src = token.text === "helper" ? 0 : op.BPF_PSEUDO_KFUNC_CALL
    return { opcode, src, imm: immediate(context) }
  }
  if (token.text === "kernel" && reader.accept("-")) {
    reader.expect("function", "after kernel-")
    return numberedCall(context, "kernel-function")
  }
  if (reader.at("#")) return numberedCall(context, token.text)
  return { opcode, reference: { kind: "function", token } }
}

/**
 * `#1` or `#7@1` after the name of a call. The name wins when it is a helper's, as bpftool prints
 * an address after it; `unknown` is a helper without a name. Where helpers can be looked up, other
 * names are kernel functions.
 */
function numberedCall(context: Context, name: string): ParsedInstruction {
  const { reader, output } = context
  reader.expect("#", "after the name")
  const imm = immediate(context)
  const opcode = op.BPF_JMP | op.BPF_CALL
  const at = reader.peek()
  const module = reader.accept("@")
  const off = module ? output.offset(number(context, "the index of a module"), at) : 0
  const lookUp = name === "unknown" ? undefined : output.names.helperId
  const id = lookUp === undefined ? imm : lookUp(name)
  if (module || name === "kernel-function" || id === undefined)
    return { opcode, src: op.BPF_PSEUDO_KFUNC_CALL, off, imm }
  return { opcode, imm: id }
}
