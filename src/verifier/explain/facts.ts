/**
 * What is known of a rejection, in a form that causes and fixes can ask: the instruction and its
 * source, the registers and where they come from, the maps, the path.
 */

import {
  BPF_ADD,
  BPF_ALU64,
  BPF_ARSH,
  BPF_CALL,
  BPF_JMP,
  BPF_LSH,
  BPF_MUL,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_RSH,
  BPF_X,
  disassembleInstruction,
} from "../../isa/index.ts"
import { BPF_PROG_TYPE, HELPERS } from "../../spec/index.ts"
import type { VerifierInput, VerifierMap } from "../input.ts"
import { SourceLines } from "../log/source-lines.ts"
import { Code } from "../program/code.ts"
import type { Rejection } from "../rejection.ts"
import {
  BASE_TYPE_MASK,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_STACK,
} from "../state/register-types.ts"
import type { Place } from "./explanation.ts"
import type { History, ProvenanceEvent, ValueSnapshot } from "./provenance.ts"

/** Helpers by name; kernel functions keep their ids: their types may be far away. */
const NAMES = {
  helperName: (id: number) => (HELPERS[id] === undefined ? undefined : `bpf_${HELPERS[id].name}`),
}

export class Facts {
  readonly input: VerifierInput
  readonly rejection: Rejection
  readonly history: History
  readonly code: Code
  readonly insn: number
  readonly message: string
  private readonly lines: SourceLines

  constructor(input: VerifierInput, rejection: Rejection, history: History) {
    this.input = input
    this.rejection = rejection
    this.history = history
    this.code = new Code(input.insns)
    this.message = rejection.message
    const last = history.path.at(-1) ?? 0
    this.insn = rejection.insn >= 0 && rejection.insn < this.code.length ? rejection.insn : last
    this.lines = new SourceLines(input.lineInfo, input.btf)
  }

  /** Register that the rule is about; -1 for none. */
  get register(): number {
    const named = /\bR(\d+)\b/.exec(this.message)
    return this.rejection.details.register ?? (named === null ? -1 : Number(named[1]))
  }

  /** Slots of frame pointer that a fix may use: below everything that the program uses. */
  spare(n: number): number {
    const { starts, stackDepths } = this.history
    let index = 0
    starts.forEach((start, at) => {
      if (start <= this.insn) index = at
    })
    return -(Math.ceil((stackDepths[index] ?? 0) / 8) * 8 + 8 * (n + 1))
  }

  place(insn: number): Place {
    let instruction = ""
    try {
      instruction = disassembleInstruction(this.input.insns, insn, NAMES)
    } catch {
      // What cannot be decoded is shown by number alone.
    }
    const index = this.lines.indexAt(insn)
    if (index < 0) return { insn, instruction }
    const { file, line, column, text } = this.lines.at(index)
    return { insn, instruction, file, line, column, text }
  }

  source(insn: number): string {
    return this.place(insn).text ?? ""
  }

  /** Events of a register, oldest first. */
  events(register: number): readonly ProvenanceEvent[] {
    return this.history.registers[register] ?? []
  }

  /** What a register is at the rejection; undefined when it was never written. */
  value(register: number): ValueSnapshot | undefined {
    return this.events(register).at(-1)?.value
  }

  base(register: number): number {
    return (this.value(register)?.type ?? 0) & BASE_TYPE_MASK
  }

  map(register: number): VerifierMap | undefined {
    const value = this.value(register)
    return value === undefined ? undefined : this.history.maps[value.a]
  }

  /** Whether register `n` may be read at or after `insn`. */
  isLive(insn: number, n: number): boolean {
    return (this.history.live[insn] & (1 << n)) !== 0
  }

  /** Registers R0 to R9 that nobody reads at or after `insn`. */
  free(insn: number): number[] {
    return [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((n) => !this.isLive(insn, n))
  }

  /** First instruction of the function that `insn` is in. */
  functionStart(insn: number = this.insn): number {
    return this.history.starts.filter((start) => start <= insn).at(-1) ?? 0
  }

  /** Bytes of the memory behind a pointer, from where it points; -1 when not known. */
  room(register: number): number {
    const value = this.value(register)
    if (value === undefined) return -1
    switch (value.type & BASE_TYPE_MASK) {
      case PTR_TO_MAP_VALUE:
        return (this.history.maps[value.a]?.valueSize ?? -1) - value.offset
      case PTR_TO_MEM:
        return value.a - value.offset
      case PTR_TO_STACK: {
        const match = /fp(-\d+)/.exec(value.text)
        return match === null ? -value.offset : -Number(match[1])
      }
      default:
        return -1
    }
  }

  /** The instruction that added a variable to a pointer last: `rP += rS`. */
  variableAdd(register: number): { insn: number; pointer: number; scalar: number } | null {
    const { opcode, dst, src } = this.code
    for (const { insn } of [...this.events(register)].reverse())
      if (opcode[insn] === (BPF_ALU64 | BPF_ADD | BPF_X)) {
        const scalar = src[insn]
        return { insn, pointer: dst[insn], scalar }
      }
    return null
  }

  /** By how much a scalar was scaled before `insn` on the path: bytes per element. */
  scale(register: number, insn: number): number {
    const { opcode, dst, imm } = this.code
    for (let at = insn - 1; at >= Math.max(0, insn - 8); at--) {
      if (dst[at] !== register) continue
      const operation = opcode[at] & 0xf8
      if ((opcode[at] & 6) !== 4) continue
      if (operation === BPF_LSH && imm[at] < 16) return 1 << imm[at]
      if (operation === BPF_MUL) return imm[at]
      // A signed 32-bit index is widened and scaled by one pair of shifts: << 32, >> 30.
      const shiftsBack = operation === BPF_ARSH || operation === BPF_RSH
      if (shiftsBack && imm[at] > 16 && imm[at] < 32) return 1 << (32 - imm[at])
    }
    return 1
  }

  /** Name of what a call instruction calls. */
  called(insn: number): string {
    const { opcode, src, imm } = this.code
    if (opcode[insn] !== (BPF_JMP | BPF_CALL)) return ""
    if (src[insn] === 0) return `bpf_${HELPERS[imm[insn]]?.name ?? `helper ${imm[insn]}`}`
    if (src[insn] !== BPF_PSEUDO_KFUNC_CALL) return "a function of the program"
    try {
      return this.input.kernelBtf().type(imm[insn]).name
    } catch {
      return "a kernel function"
    }
  }

  /** The variable that a line assigns, or that it goes through: for words, never for proofs. */
  variable(insn: number, fallback: string): string {
    const text = this.source(insn)
    const assigned = /(?:^|[\s*;({])(\w+)\s*=[^=]/.exec(text)
    if (assigned !== null) return assigned[1]
    const through = /(\w+)\s*->/.exec(text) ?? /\*\s*(\w+)/.exec(text)
    return through?.[1] ?? fallback
  }

  /** The C that leaves the program quietly, and the value of R0 for it. */
  get leave(): { readonly text: string; readonly value: number } {
    const { type } = this.input
    const T = BPF_PROG_TYPE
    if (this.functionStart() !== 0) return { text: "return 0;", value: 0 }
    if (type === T.BPF_PROG_TYPE_XDP) return { text: "return XDP_PASS;", value: 2 }
    if (LET_PASS.has(type)) return { text: "return 1;", value: 1 }
    return { text: "return 0;", value: 0 }
  }
}

const T = BPF_PROG_TYPE
/** Program types whose 0 means "refuse". */
const LET_PASS: ReadonlySet<number> = new Set([
  T.BPF_PROG_TYPE_CGROUP_SKB,
  T.BPF_PROG_TYPE_CGROUP_SOCK,
  T.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  T.BPF_PROG_TYPE_CGROUP_DEVICE,
  T.BPF_PROG_TYPE_CGROUP_SYSCTL,
  T.BPF_PROG_TYPE_CGROUP_SOCKOPT,
])
