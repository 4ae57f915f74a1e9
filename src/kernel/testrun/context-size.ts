/**
 * How many bytes of its context a program accesses (`max_ctx_offset`): PROG_TEST_RUN of raw
 * tracepoint and syscall programs refuses a shorter context.
 *
 * Linux's verifier finds this on every path; here registers that hold the context are followed in
 * the order of the instructions, which sees what compilers emit (R1, and the register it is saved
 * in). What this misses is caught by the engine's own bounds check.
 */

import {
  BPF_ALU64,
  BPF_CALL,
  BPF_DW,
  BPF_EXIT,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD_IMM64,
  BPF_LDX,
  BPF_MOV,
  BPF_ST,
  BPF_STX,
  BPF_X,
  decodeInstruction,
  INSN_SIZE,
} from "../../isa/index.ts"

/** Bytes by the size bits of an opcode: word, half word, byte, double word. */
const SIZES: readonly number[] = [4, 2, 1, 8]
const CALLER_SAVED: readonly number[] = [0, 1, 2, 3, 4, 5]

/** End of the furthest access through the context pointer, in bytes. */
export function contextBytes(insns: Uint8Array): number {
  const holders = new Set([1])
  let end = 0
  for (let slot = 0; slot < insns.length / INSN_SIZE; slot++) {
    const { opcode, dst, src, off, imm } = decodeInstruction(insns, slot)
    const kind = opcode & 7
    const size = SIZES[(opcode & BPF_DW) >> 3]
    if (opcode === BPF_LD_IMM64) {
      holders.delete(dst)
      slot++
    } else if (kind === BPF_LDX) {
      if (holders.has(src)) end = Math.max(end, off + size)
      holders.delete(dst)
    } else if (kind === BPF_ST || kind === BPF_STX) {
      if (holders.has(dst)) end = Math.max(end, off + size)
    } else if (kind === BPF_JMP || kind === BPF_JMP32) {
      const operation = opcode & 0xf0
      if (operation === BPF_CALL) for (const register of CALLER_SAVED) holders.delete(register)
      // What follows is another path or function, on which saved registers may hold it still.
      if (operation === BPF_EXIT && holders.size === 0) break
    } else if (opcode === (BPF_ALU64 | BPF_MOV | BPF_X) && off === 0 && holders.has(src)) {
      holders.add(dst)
    } else if (imm !== 0 || (opcode & BPF_X) !== 0 || (opcode & 0xf0) === BPF_MOV) {
      holders.delete(dst)
    }
  }
  return end
}
