/**
 * The constants of ld_imm64 that mean something: maps, their values, kernel variables, functions,
 * symbols (linux v6.18 include/uapi/linux/bpf.h BPF_PSEUDO_*). Plain numbers are in
 * `expression.ts`.
 */

import * as op from "../opcode.ts"
import type { Context, Register } from "./operands.ts"
import { atNumber, checkDataWidth, immediate, number, wideRegister } from "./operands.ts"
import type { ParsedInstruction } from "./output.ts"

/** The source and the halves of the immediate, or a reference that gives them. */
type WideOperand = Pick<ParsedInstruction, "src" | "imm" | "next" | "reference">

/**
 * `map[id:5]`, `map[id:5][0]+8`, `map[idx:1]`, `map[idx:1]+8`, `map[name]`, `map[name][0]+8`,
 * `btf[id:7]+3`, `subprog[+3]`, `subprog[name]`, `name`, `name+8`; an `ll` may follow each.
 */
export function wideOperand(context: Context, dst: Register): ParsedInstruction {
  checkDataWidth(context, op.BPF_DW, dst)
  const operand = symbolicOperand(context)
  context.reader.accept("ll")
  return { opcode: op.BPF_LD_IMM64, dst: dst.number, ...operand }
}

function symbolicOperand(context: Context): WideOperand {
  const { reader } = context
  const token = reader.next()
  if (!reader.accept("["))
    return { reference: { kind: "symbol", token, offset: displacement(context) } }
  switch (token.text) {
    case "map":
      return mapOperand(context)
    case "btf":
      return kernelVariable(context)
    case "subprog":
      return subprogram(context)
    default:
      return reader.fail(`expected map[…], btf[…] or subprog[…], found \`${token.text}[\``, token)
  }
}

function displacement(context: Context): number {
  return atNumber(context) ? immediate(context) : 0
}

function mapOperand(context: Context): WideOperand {
  const { reader } = context
  const token = reader.next()
  const numbered = reader.accept(":")
  if (!numbered && token.kind !== "name") reader.fail("expected the name of a map", token)
  if (numbered && !["id", "fd", "idx"].includes(token.text))
    reader.fail(`expected id, fd or idx, found \`${token.text}\``, token)
  const imm = numbered ? immediate(context) : 0
  reader.expect("]", "after the map")
  const indexed = reader.accept("[")
  if (indexed) {
    if (number(context, "0") !== 0n) reader.fail("only the value at index 0 has an address", token)
    reader.expect("]", "after the index")
  }
  const value = indexed || atNumber(context)
  const offset = displacement(context)
  if (!numbered) return { reference: { kind: value ? "value" : "map", token, offset } }
  const [alone, inside] =
    token.text === "idx"
      ? [op.BPF_PSEUDO_MAP_IDX, op.BPF_PSEUDO_MAP_IDX_VALUE]
      : [op.BPF_PSEUDO_MAP_FD, op.BPF_PSEUDO_MAP_VALUE]
  return { src: value ? inside : alone, imm, next: offset }
}

/** `[id:7]+3`: a BTF id, and the descriptor of its module's BTF. */
function kernelVariable(context: Context): WideOperand {
  const { reader } = context
  reader.expect("id", "and a number")
  reader.expect(":", "after id")
  const imm = immediate(context)
  reader.expect("]", "after the id")
  return { src: op.BPF_PSEUDO_BTF_ID, imm, next: displacement(context) }
}

function subprogram(context: Context): WideOperand {
  const { reader } = context
  const token = reader.peek()
  let operand: WideOperand
  if (atNumber(context)) operand = { src: op.BPF_PSEUDO_FUNC, imm: immediate(context) }
  else {
    if (token.kind !== "name") reader.failAtNext("a label or a distance")
    reader.next()
    operand = { reference: { kind: "symbol", token, offset: 0 } }
  }
  reader.expect("]", "after the subprogram")
  return operand
}

/** LLVM's `ld_pseudo r1, 1, 5`: destination, pseudo source, 64-bit immediate. */
export function pseudoLoad(context: Context): ParsedInstruction {
  const { reader, output } = context
  reader.next()
  const dst = wideRegister(context, "to load").number
  reader.expect(",", "before the kind")
  const kindAt = reader.peek()
  const src = number(context, "a kind: 1 to 6")
  if (src < 0n || src > 15n) output.fail(`pseudo source ${src} is not 0 to 15`, kindAt)
  reader.expect(",", "before the value")
  const at = reader.peek()
  const { low, high } = output.wideImmediate(number(context, "a number"), at)
  return { opcode: op.BPF_LD_IMM64, dst, src: Number(src), imm: low, next: high }
}
