/**
 * Which registers may still be read before they are written, at each instruction: a backward data
 * flow within each subprogram. States are compared only in registers that are live.
 *
 * Invariant: `code.live[i]` is a superset of what any path from `i` reads before writing; bit n
 * stands for Rn, R0 to R9 (R10 never changes).
 *
 * Source: linux v6.18 kernel/bpf/verifier.c compute_live_registers (what each instruction reads
 * and writes, RFC 9669).
 */

import {
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_CMPXCHG,
  BPF_END,
  BPF_EXIT,
  BPF_FETCH,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JCOND,
  BPF_JMP,
  BPF_LD,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_MOV,
  BPF_NEG,
  BPF_ST,
  BPF_STORE_REL,
  BPF_STX,
  BPF_X,
} from "../../isa/index.ts"
import { type Code, SECOND_SLOT } from "./code.ts"
import { type CallEffects, edgesOf } from "./flow.ts"

const R0 = 1
/** R1 to R5, and with R0: what calls destroy. */
const ARGUMENTS = 0x3e
const CALLER_SAVED = 0x3f

/** Registers that one instruction reads, and those it writes. */
interface Use {
  use: number
  def: number
}

const result: Use = { use: 0, def: 0 }

function both(use: number, def: number): Use {
  result.use = use
  result.def = def
  return result
}

/** What `insn` reads and writes. `effects` tells the arguments of helpers and kfuncs. */
export function registersUsed(
  code: Code,
  insn: number,
  effects: (insn: number) => CallEffects | null,
): Use {
  const opcode = code.opcode[insn]
  const dst = 1 << code.dst[insn]
  const src = 1 << code.src[insn]
  switch (opcode & 7) {
    case BPF_LD:
      if ((opcode & 0xe0) === BPF_IMM) return both(0, dst)
      if ((opcode & 0xe0) === BPF_ABS) return both(1 << 6, CALLER_SAVED)
      if ((opcode & 0xe0) === BPF_IND) return both((1 << 6) | src, CALLER_SAVED)
      return both(0, 0)
    case BPF_LDX:
      return both(src, dst)
    case BPF_ST:
      return both(dst, 0)
    case BPF_STX:
      return (opcode & 0xe0) === BPF_ATOMIC ? atomic(code.imm[insn], dst, src) : both(dst | src, 0)
    case BPF_ALU:
    case BPF_ALU64:
      return alu(opcode, dst, src)
    default:
      return jump(code, insn, { dst, src }, effects)
  }
}

function atomic(imm: number, dst: number, src: number): Use {
  if (imm === BPF_CMPXCHG) return both(R0 | dst | src, R0)
  if (imm === BPF_LOAD_ACQ) return both(src, dst)
  if (imm === BPF_STORE_REL) return both(dst | src, 0)
  return both(dst | src, imm & BPF_FETCH ? src : 0)
}

function alu(opcode: number, dst: number, src: number): Use {
  const operation = opcode & 0xf0
  const fromRegister = (opcode & 0x08) === BPF_X
  if (operation === BPF_END || operation === BPF_NEG) return both(dst, dst)
  if (operation === BPF_MOV) return both(fromRegister ? src : 0, dst)
  return both(fromRegister ? dst | src : dst, dst)
}

function jump(
  code: Code,
  insn: number,
  { dst, src }: { dst: number; src: number },
  effects: (insn: number) => CallEffects | null,
): Use {
  const opcode = code.opcode[insn]
  switch (opcode & 0xf0) {
    case BPF_JA:
    case BPF_JCOND:
      return both(0, 0)
    case BPF_EXIT:
      return both(R0, 0)
    case BPF_CALL: {
      const called = (opcode & 7) === BPF_JMP ? effects(insn) : null
      const use = called === null ? ARGUMENTS : ((1 << called.parameters) - 1) << 1
      return both(use, CALLER_SAVED)
    }
    default:
      return both((opcode & 0x08) === BPF_X ? dst | src : dst, 0)
  }
}

/** Fills `code.live`. */
export function computeLiveRegisters(
  code: Code,
  effects: (insn: number) => CallEffects | null,
): void {
  const { length, live, marks } = code
  const use = new Uint16Array(length)
  const keep = new Uint16Array(length)
  const next = new Int32Array(length).fill(-1)
  const target = new Int32Array(length).fill(-1)
  for (let insn = 0; insn < length; insn++) {
    if (marks[insn] & SECOND_SLOT) continue
    const used = registersUsed(code, insn, effects)
    use[insn] = used.use
    keep[insn] = ~used.def
    const edges = edgesOf(code, insn)
    next[insn] = edges.next
    target[insn] = edges.target
  }
  // Backward through the program, until a pass changes nothing: loops take a few passes.
  for (let changed = true; changed; ) {
    changed = false
    for (let insn = length - 1; insn >= 0; insn--) {
      let out = 0
      if (next[insn] >= 0 && next[insn] < length) out |= live[next[insn]]
      if (target[insn] >= 0) out |= live[target[insn]]
      const before = (out & keep[insn]) | use[insn]
      if (before === live[insn]) continue
      live[insn] = before
      changed = true
    }
  }
}
