/**
 * One instruction in the notation of the verifier's log and of `bpftool prog dump xlated`:
 * `(61) r1 = *(u32 *)(r2 +4)`. Every legal instruction of `forms.ts` has a text, and so have the
 * internal ones that a dump of a loaded program may show (linux v6.18 kernel/bpf/disasm.c).
 */

import type { Instruction } from "./instruction.ts"
import * as op from "./opcode.ts"
import { accessBytes, isAlu, opcodeClass, opcodeMode, opcodeOperation } from "./predicates.ts"

/** Names that later layers know; each may answer undefined, and the number is printed. */
export interface NotationNames {
  /** `bpf_map_lookup_elem` for 1. */
  readonly helperName?: (id: number) => string | undefined
  /** The name of the kernel function with this BTF id, in the module with this fd_array index. */
  readonly kfuncName?: (id: number, module: number) => string | undefined
  /** What stands after `call pc`: `+3#name` instead of `+3`. */
  readonly localCall?: (instruction: Instruction) => string | undefined
  /** The operand of ld_imm64, instead of the ones described at `DisassembleOptions`. */
  readonly wideImmediate?: (instruction: Instruction, value: bigint) => string | undefined
}

export interface KernelNotationOptions extends NotationNames {
  readonly lossless: boolean
}

const ALU_SYMBOLS: Readonly<Record<number, string>> = {
  [op.BPF_ADD]: "+=",
  [op.BPF_SUB]: "-=",
  [op.BPF_MUL]: "*=",
  [op.BPF_DIV]: "/=",
  [op.BPF_OR]: "|=",
  [op.BPF_AND]: "&=",
  [op.BPF_LSH]: "<<=",
  [op.BPF_RSH]: ">>=",
  [op.BPF_MOD]: "%=",
  [op.BPF_XOR]: "^=",
  [op.BPF_MOV]: "=",
  [op.BPF_ARSH]: "s>>=",
}

const COMPARISON_SYMBOLS: Readonly<Record<number, string>> = {
  [op.BPF_JEQ]: "==",
  [op.BPF_JGT]: ">",
  [op.BPF_JGE]: ">=",
  [op.BPF_JSET]: "&",
  [op.BPF_JNE]: "!=",
  [op.BPF_JSGT]: "s>",
  [op.BPF_JSGE]: "s>=",
  [op.BPF_JLT]: "<",
  [op.BPF_JLE]: "<=",
  [op.BPF_JSLT]: "s<",
  [op.BPF_JSLE]: "s<=",
}

const ATOMIC_NAMES: Readonly<Record<number, string>> = {
  [op.BPF_ADD]: "add",
  [op.BPF_OR]: "or",
  [op.BPF_AND]: "and",
  [op.BPF_XOR]: "xor",
}

/** `+=`, `s/=`, `=`…; undefined for BPF_NEG, BPF_END and unknown operations. */
export function aluSymbol({ opcode, off }: Instruction): string | undefined {
  const operation = opcodeOperation(opcode)
  if (off === 1 && operation === op.BPF_DIV) return "s/="
  if (off === 1 && operation === op.BPF_MOD) return "s%="
  return ALU_SYMBOLS[operation]
}

/** `==`, `s<=`…; undefined for jumps without a comparison. */
export function comparisonSymbol({ opcode }: Instruction): string | undefined {
  return COMPARISON_SYMBOLS[opcodeOperation(opcode)]
}

/** `(s8)`, `(s16)`, `(s32)` for the sign-extending moves, otherwise empty. */
export function signExtension({ opcode, off }: Instruction): string {
  const moves = opcodeOperation(opcode) === op.BPF_MOV
  return moves && (off === 8 || off === 16 || off === 32) ? `(s${off})` : ""
}

/** `add`, `or`, `and`, `xor`: the operation of a read-modify-write; undefined for the others. */
export function atomicName({ imm }: Instruction): string | undefined {
  return ATOMIC_NAMES[imm & ~op.BPF_FETCH]
}

/** `+4`, `-8`, `+0`. */
export function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`
}

/** `u8` to `u64`, or `s8` to `s32` for the sign-extending loads. */
export function accessType(opcode: number): string {
  const extends_ = opcodeClass(opcode) === op.BPF_LDX && opcodeMode(opcode) === op.BPF_MEMSX
  return `${extends_ ? "s" : "u"}${accessBytes(opcode) * 8}`
}

/**
 * The text of one instruction; `next` is the second slot of ld_imm64. What no row of the table
 * fits still gets a text, in the kernel's way: `BUG_ld_38`, `unknown`.
 */
export function kernelNotation(
  instruction: Instruction,
  next: Instruction | undefined,
  options: KernelNotationOptions,
): string {
  const prefix = `(${instruction.opcode.toString(16).padStart(2, "0")}) `
  return prefix + body(instruction, next, options)
}

function body(
  instruction: Instruction,
  next: Instruction | undefined,
  options: KernelNotationOptions,
): string {
  const { opcode, dst, src, off, imm } = instruction
  if (isAlu(opcode)) return alu(instruction)
  switch (opcodeClass(opcode)) {
    case op.BPF_LD:
      return load(instruction, next, options)
    case op.BPF_LDX: {
      const mode = opcodeMode(opcode)
      if (mode !== op.BPF_MEM && mode !== op.BPF_MEMSX) return bug("_ldx", opcode)
      return `r${dst} = *(${accessType(opcode)} *)(r${src} ${signed(off)})`
    }
    case op.BPF_ST:
      // Mode 0xc0 is the kernel's own speculation barrier.
      if (opcodeMode(opcode) === op.BPF_ATOMIC) return "nospec"
      if (opcodeMode(opcode) !== op.BPF_MEM) return bug("_st", opcode)
      return `${memory(instruction)} = ${imm}`
    case op.BPF_STX:
      if (opcodeMode(opcode) === op.BPF_MEM) return `${memory(instruction)} = r${src}`
      if (opcodeMode(opcode) === op.BPF_ATOMIC) return atomic(instruction)
      return bug("", opcode)
    default:
      return jump(instruction, options)
  }
}

function alu(instruction: Instruction): string {
  const { opcode, dst, src, off, imm } = instruction
  const wide = opcodeClass(opcode) === op.BPF_ALU64
  const register = wide ? "r" : "w"
  const operation = opcodeOperation(opcode)
  const fromRegister = (opcode & op.BPF_X) !== 0
  if (operation === op.BPF_END) {
    const swap = wide ? "bswap" : fromRegister ? "be" : "le"
    return `r${dst} = ${swap}${imm} r${dst}`
  }
  if (operation === op.BPF_NEG) return `${register}${dst} = -${register}${dst}`
  if (opcode === (op.BPF_ALU64 | op.BPF_MOV | op.BPF_X)) {
    if (off === op.BPF_ADDR_SPACE_CAST)
      return `r${dst} = addr_space_cast(r${src}, ${imm >>> 16}, ${imm & 0xffff})`
    // The kernel's own address of a per-CPU variable.
    if (off === -1) return `r${dst} = &(void __percpu *)(r${src})`
  }
  const symbol = aluSymbol(instruction)
  if (symbol === undefined) return "unknown"
  const operand = fromRegister ? `${signExtension(instruction)}${register}${src}` : `${imm}`
  return `${register}${dst} ${symbol} ${operand}`
}

/** `*(u32 *)(r1 +4)`, where `dst` has the address. */
function memory({ opcode, dst, off }: Instruction): string {
  return `*(${accessType(opcode)} *)(r${dst} ${signed(off)})`
}

function atomic(instruction: Instruction): string {
  const { opcode, dst, src, off, imm } = instruction
  const type = accessType(opcode)
  const wide = accessBytes(opcode) === 8 ? "64" : ""
  const address = `(${type} *)(r${dst} ${signed(off)})`
  const name = atomicName(instruction)
  if (imm === op.BPF_CMPXCHG) return `r0 = atomic${wide}_cmpxchg(${address}, r0, r${src})`
  if (imm === op.BPF_XCHG) return `r${src} = atomic${wide}_xchg(${address}, r${src})`
  if (imm === op.BPF_LOAD_ACQ) return `r${dst} = load_acquire((${type} *)(r${src} ${signed(off)}))`
  if (imm === op.BPF_STORE_REL) return `store_release(${address}, r${src})`
  if (name === undefined) return bug("", opcode)
  if ((imm & op.BPF_FETCH) !== 0)
    return `r${src} = atomic${wide}_fetch_${name}(${address}, r${src})`
  return `lock *${address} ${ALU_SYMBOLS[imm]} r${src}`
}

function load(
  instruction: Instruction,
  next: Instruction | undefined,
  options: KernelNotationOptions,
): string {
  const { opcode, dst, src, imm } = instruction
  const type = accessType(opcode)
  if (opcodeMode(opcode) === op.BPF_ABS) return `r0 = *(${type} *)skb[${imm}]`
  if (opcodeMode(opcode) === op.BPF_IND) return `r0 = *(${type} *)skb[r${src} + ${imm}]`
  if (opcode !== op.BPF_LD_IMM64) return bug("_ld", opcode)
  return `r${dst} = ${wideOperand(instruction, next, options)}`
}

/** The operand of ld_imm64: a number, or what its pseudo `src` stands for. */
function wideOperand(
  instruction: Instruction,
  next: Instruction | undefined,
  options: KernelNotationOptions,
): string {
  const { src, imm } = instruction
  const high = next?.imm ?? 0
  const value = (BigInt(high >>> 0) << 32n) | BigInt(imm >>> 0)
  const named = options.wideImmediate?.(instruction, value)
  if (named !== undefined) return named
  return (options.lossless ? pseudoOperand(src, imm, high) : undefined) ?? `0x${value.toString(16)}`
}

/** What bpftool prints for maps and functions; undefined for a plain number (`src` 0, or unknown). */
export function pseudoOperand(src: number, imm: number, high: number): string | undefined {
  switch (src) {
    case op.BPF_PSEUDO_MAP_FD:
      return `map[id:${imm}]`
    case op.BPF_PSEUDO_MAP_VALUE:
      return `map[id:${imm}][0]${signed(high)}`
    case op.BPF_PSEUDO_BTF_ID:
      return `btf[id:${imm}]${high === 0 ? "" : signed(high)}`
    case op.BPF_PSEUDO_FUNC:
      return `subprog[${signed(imm)}]`
    case op.BPF_PSEUDO_MAP_IDX:
      return `map[idx:${imm}]`
    case op.BPF_PSEUDO_MAP_IDX_VALUE:
      return `map[idx:${imm}]${signed(high)}`
    default:
      return undefined
  }
}

function jump(instruction: Instruction, options: KernelNotationOptions): string {
  const { opcode, dst, src, off, imm } = instruction
  if (opcodeOperation(opcode) === op.BPF_CALL) return call(instruction, options)
  switch (opcode) {
    case op.BPF_JMP | op.BPF_JA:
      return `goto pc${signed(off)}`
    case op.BPF_JMP32 | op.BPF_JA:
      return `gotol pc${signed(imm)}`
    case op.BPF_JMP | op.BPF_JCOND:
      return `may_goto pc${signed(off)}`
    case op.BPF_JMP | op.BPF_EXIT:
      return "exit"
  }
  const symbol = comparisonSymbol(instruction)
  if (symbol === undefined) return "unknown"
  const register = opcodeClass(opcode) === op.BPF_JMP32 ? "w" : "r"
  const operand = (opcode & op.BPF_X) !== 0 ? `${register}${src}` : `0x${(imm >>> 0).toString(16)}`
  return `if ${register}${dst} ${symbol} ${operand} goto pc${signed(off)}`
}

function call(instruction: Instruction, options: KernelNotationOptions): string {
  const { opcode, dst, src, off, imm } = instruction
  if ((opcode & op.BPF_X) !== 0) return `callx r${dst}`
  if (src === op.BPF_PSEUDO_CALL) return `call pc${options.localCall?.(instruction) ?? signed(imm)}`
  if (src === op.BPF_PSEUDO_KFUNC_CALL) {
    const module = options.lossless && off !== 0 ? `@${off}` : ""
    return `call ${options.kfuncName?.(imm, off) ?? "kernel-function"}#${imm}${module}`
  }
  return `call ${options.helperName?.(imm) ?? "unknown"}#${imm}`
}

function bug(kind: string, opcode: number): string {
  return `BUG${kind}_${opcode.toString(16).padStart(2, "0")}`
}
