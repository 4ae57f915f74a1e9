/**
 * Classic instructions in the notation of `tcpdump -d`: `(000) ldh      [12]`. The operands are
 * those of libpcap's bpf_image(), except that `ldx #pktlen`, which libpcap does not know, is
 * printed.
 */

import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_B,
  BPF_DIV,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MISC,
  BPF_MOD,
  BPF_MSH,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_W,
  BPF_X,
  BPF_XOR,
} from "../opcode.ts"
import {
  ancillaryOf,
  BPF_A,
  BPF_TAX,
  BPF_TXA,
  type ClassicInstruction,
  type ClassicProgram,
} from "./instruction.ts"

/** libpcap's names of the ancillary loads, by number / 4. */
const ANCILLARY_NAMES = [
  "proto",
  "type",
  "ifidx",
  "nla",
  "nlan",
  "mark",
  "queue",
  "hatype",
  "rxhash",
  "cpu",
  "xor_x",
  "vlan_tci",
  "vlanp",
  "poff",
  "random",
  "vlan_tpid",
]

type Operand = (insn: ClassicInstruction, index: number) => string

const none: Operand = () => ""
const x: Operand = () => "x"
const hex: Operand = ({ k }) => `#0x${k.toString(16)}`
const decimal: Operand = ({ k }) => `#${k | 0}`
const length: Operand = () => "#pktlen"
const scratch: Operand = ({ k }) => `M[${k | 0}]`
const indirect: Operand = ({ k }) => `[x + ${k | 0}]`
const absolute: Operand = (insn) => {
  const ancillary = ancillaryOf(insn)
  return `[${ancillary === undefined ? insn.k | 0 : ANCILLARY_NAMES[ancillary / 4]}]`
}

/** Mnemonic and operand of each code. */
const FORMS: ReadonlyMap<number, readonly [mnemonic: string, operand: Operand]> = new Map([
  [BPF_RET | BPF_K, ["ret", decimal]],
  [BPF_RET | BPF_A, ["ret", none]],
  [BPF_LD | BPF_W | BPF_ABS, ["ld", absolute]],
  [BPF_LD | BPF_H | BPF_ABS, ["ldh", absolute]],
  [BPF_LD | BPF_B | BPF_ABS, ["ldb", absolute]],
  [BPF_LD | BPF_W | BPF_IND, ["ld", indirect]],
  [BPF_LD | BPF_H | BPF_IND, ["ldh", indirect]],
  [BPF_LD | BPF_B | BPF_IND, ["ldb", indirect]],
  [BPF_LD | BPF_W | BPF_LEN, ["ld", length]],
  [BPF_LD | BPF_IMM, ["ld", hex]],
  [BPF_LD | BPF_MEM, ["ld", scratch]],
  [BPF_LDX | BPF_IMM, ["ldx", hex]],
  [BPF_LDX | BPF_MEM, ["ldx", scratch]],
  [BPF_LDX | BPF_W | BPF_LEN, ["ldx", length]],
  [BPF_LDX | BPF_B | BPF_MSH, ["ldxb", ({ k }: ClassicInstruction) => `4*([${k | 0}]&0xf)`]],
  [BPF_ST, ["st", scratch]],
  [BPF_STX, ["stx", scratch]],
  [
    BPF_JMP | BPF_JA,
    ["ja", ({ k }: ClassicInstruction, index: number) => `${(index + 1 + k) | 0}`],
  ],
  [BPF_JMP | BPF_JGT | BPF_K, ["jgt", hex]],
  [BPF_JMP | BPF_JGE | BPF_K, ["jge", hex]],
  [BPF_JMP | BPF_JEQ | BPF_K, ["jeq", hex]],
  [BPF_JMP | BPF_JSET | BPF_K, ["jset", hex]],
  [BPF_JMP | BPF_JGT | BPF_X, ["jgt", x]],
  [BPF_JMP | BPF_JGE | BPF_X, ["jge", x]],
  [BPF_JMP | BPF_JEQ | BPF_X, ["jeq", x]],
  [BPF_JMP | BPF_JSET | BPF_X, ["jset", x]],
  [BPF_ALU | BPF_ADD | BPF_X, ["add", x]],
  [BPF_ALU | BPF_SUB | BPF_X, ["sub", x]],
  [BPF_ALU | BPF_MUL | BPF_X, ["mul", x]],
  [BPF_ALU | BPF_DIV | BPF_X, ["div", x]],
  [BPF_ALU | BPF_MOD | BPF_X, ["mod", x]],
  [BPF_ALU | BPF_AND | BPF_X, ["and", x]],
  [BPF_ALU | BPF_OR | BPF_X, ["or", x]],
  [BPF_ALU | BPF_XOR | BPF_X, ["xor", x]],
  [BPF_ALU | BPF_LSH | BPF_X, ["lsh", x]],
  [BPF_ALU | BPF_RSH | BPF_X, ["rsh", x]],
  [BPF_ALU | BPF_ADD | BPF_K, ["add", decimal]],
  [BPF_ALU | BPF_SUB | BPF_K, ["sub", decimal]],
  [BPF_ALU | BPF_MUL | BPF_K, ["mul", decimal]],
  [BPF_ALU | BPF_DIV | BPF_K, ["div", decimal]],
  [BPF_ALU | BPF_MOD | BPF_K, ["mod", decimal]],
  [BPF_ALU | BPF_AND | BPF_K, ["and", hex]],
  [BPF_ALU | BPF_OR | BPF_K, ["or", hex]],
  [BPF_ALU | BPF_XOR | BPF_K, ["xor", hex]],
  [BPF_ALU | BPF_LSH | BPF_K, ["lsh", decimal]],
  [BPF_ALU | BPF_RSH | BPF_K, ["rsh", decimal]],
  [BPF_ALU | BPF_NEG, ["neg", none]],
  [BPF_MISC | BPF_TAX, ["tax", none]],
  [BPF_MISC | BPF_TXA, ["txa", none]],
])

/** One line without its end, for the instruction at `index`: jump targets are absolute. */
export function disassembleClassicInstruction(insn: ClassicInstruction, index: number): string {
  const form = FORMS.get(insn.code)
  const mnemonic = form === undefined ? "unimp" : form[0]
  const operand = form === undefined ? `0x${insn.code.toString(16)}` : form[1](insn, index)
  const start = `(${String(index).padStart(3, "0")}) ${mnemonic.padEnd(8)} `
  const conditional = (insn.code & 7) === BPF_JMP && (insn.code & 0xf0) !== BPF_JA
  if (!conditional) return start + operand
  return `${start}${operand.padEnd(16)} jt ${index + 1 + insn.jt}\tjf ${index + 1 + insn.jf}`
}

/** A whole program as `tcpdump -d` prints it, one instruction a line. */
export function disassembleClassic(program: ClassicProgram): string {
  return program.map((insn, index) => `${disassembleClassicInstruction(insn, index)}\n`).join("")
}
