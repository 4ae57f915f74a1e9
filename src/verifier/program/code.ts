/**
 * The program, decoded into columns, and what is known of each instruction: by analysis before
 * exploration (jump targets, live registers, loops) and by exploration itself.
 */

import { decodeInstruction, INSN_SIZE, type Instruction } from "../../isa/index.ts"

/** Bits of {@link Code.marks}. */
export const PRUNE_POINT = 1
export const JUMP_POINT = 2
/** A state is always kept here (iterators, may_goto, callbacks). */
export const FORCE_CHECKPOINT = 4
/** Calls a helper or kfunc that calls back. */
export const CALLS_CALLBACK = 8
/** Second slot of ld_imm64. */
export const SECOND_SLOT = 16
/** Was explored. */
export const SEEN = 32
/** May be reached on a mispredicted path only. */
export const NOSPEC = 64
/** In the pattern of a bpf_fastcall call: spill or fill around it. */
export const FASTCALL_PATTERN = 128

export interface Subprogram {
  /** First instruction, and one past the last. */
  start: number
  end: number
  /** Name in BTF, or empty. */
  name: string
  /** BTF id of its func, or 0. */
  typeId: number
  linkage: "static" | "global" | "extern"
  /** Bytes of stack that it was seen to use. */
  stackDepth: number
  hasTailCall: boolean
  tailCallReachable: boolean
  hasLdAbs: boolean
  isCallback: boolean
  isAsyncCallback: boolean
  isExceptionCallback: boolean
  /** It or what it calls: may move packet data, may sleep, may throw. */
  changesPacketData: boolean
  mightSleep: boolean
  mayThrow: boolean
  /** A global function that something reachable calls. */
  called: boolean
  keepFastcallStack: boolean
  fastcallStackOffset: number
}

export class Code {
  readonly bytes: Uint8Array
  readonly length: number
  readonly opcode: Uint8Array
  readonly dst: Uint8Array
  readonly src: Uint8Array
  readonly off: Int16Array
  readonly imm: Int32Array
  /** PRUNE_POINT… */
  readonly marks: Uint8Array
  /** Registers (bit n: Rn) that may be read at or after each instruction before being written. */
  readonly live: Uint16Array
  /** Strongly connected component of the control flow that the instruction is in; 0: no loop. */
  readonly scc: Int32Array
  /** Type of pointer that a load or store was made through; all paths must agree. */
  readonly pointerType: Int32Array
  /** Map that a ld_imm64 names, by index in the verifier's list; -1: none. */
  readonly mapIndex: Int32Array
  readonly subprograms: Subprogram[] = []

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    const length = bytes.length / INSN_SIZE
    this.length = length
    this.opcode = new Uint8Array(length)
    this.dst = new Uint8Array(length)
    this.src = new Uint8Array(length)
    this.off = new Int16Array(length)
    this.imm = new Int32Array(length)
    this.marks = new Uint8Array(length)
    this.live = new Uint16Array(length)
    this.scc = new Int32Array(length)
    this.pointerType = new Int32Array(length)
    this.mapIndex = new Int32Array(length).fill(-1)
    this.decode()
  }

  instruction(insn: number): Instruction {
    return decodeInstruction(this.bytes, insn)
  }

  private decode(): void {
    const { bytes } = this
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let insn = 0, at = 0; insn < this.length; insn++, at += INSN_SIZE) {
      this.opcode[insn] = bytes[at]
      this.dst[insn] = bytes[at + 1] & 15
      this.src[insn] = bytes[at + 1] >> 4
      this.off[insn] = view.getInt16(at + 2, true)
      this.imm[insn] = view.getInt32(at + 4, true)
    }
  }
}
