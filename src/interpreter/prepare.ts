/**
 * Turns the bytes of a program into {@link Code}: decodes each slot, resolves jump targets, finds
 * the functions in it, and binds the calls of helpers. What can be known to be malformed without
 * running it is refused here, once: opcodes that do not exist, registers above r10, writes to r10,
 * jumps outside the program or into the second half of `ld_imm64`, unknown helpers.
 *
 * RFC 9669, and linux v6.18 kernel/bpf/core.c (___bpf_prog_run, BPF_PROBE_MEM).
 */

import * as isa from "../isa/index.ts"
import * as code from "./code.ts"
import { type Executable, FUNCTION_TAG, type HelperFunction } from "./machine.ts"

export interface PrepareOptions<E> {
  readonly name: string
  /**
   * Little-endian instructions. The immediates of `ld_imm64` are final addresses already, except
   * those of BPF_PSEUDO_FUNC, which are resolved here. Loads rewritten by the kernel to
   * BPF_PROBE_MEM and BPF_PROBE_MEMSX are understood.
   */
  readonly program: Uint8Array
  readonly resolveCall: code.ResolveCall<E>
  /** High half of the addresses of the program's arena, for addr_space_cast. */
  readonly arenaTag?: number
}

/** What is wrong with a program, and in which slot. */
export interface ProgramProblem {
  readonly kind: "size" | "opcode" | "register" | "jump" | "call"
  readonly slot: number
  /** One sentence. */
  readonly message: string
}

export type PrepareResult<E> =
  | { readonly executable: Executable<E>; readonly problem: null }
  | { readonly executable: null; readonly problem: ProgramProblem }

/** Modes of loads that the kernel's own rewriting makes (include/linux/filter.h). */
const BPF_PROBE_MEM = 0x20
const BPF_PROBE_MEMSX = 0x40

/** Bytes of a frame: MAX_BPF_STACK of include/linux/filter.h. */
export const MAX_BPF_STACK = 512

class Problem extends Error {
  readonly found: ProgramProblem
  constructor(found: ProgramProblem) {
    super(found.message)
    this.found = found
  }
}

function refuse(kind: ProgramProblem["kind"], slot: number, message: string): never {
  throw new Problem({ kind, slot, message })
}

/** Decodes and binds a program. */
export function prepare<E>(options: PrepareOptions<E>): PrepareResult<E> {
  try {
    return { executable: new Decoder(options).decode(), problem: null }
  } catch (error) {
    if (error instanceof Problem) return { executable: null, problem: error.found }
    throw error
  }
}

class Decoder<E> {
  private readonly options: PrepareOptions<E>
  private readonly length: number
  private readonly words: Int32Array
  private readonly constants: number[] = []
  private readonly constantIndex: Map<string, number> = new Map()
  private readonly helpers: HelperFunction<E>[] = []
  private readonly helperIndex: Map<HelperFunction<E>, number> = new Map()
  /** Slots where a function starts. */
  private readonly functions: Set<number> = new Set([0])

  constructor(options: PrepareOptions<E>) {
    this.options = options
    const { length } = options.program
    if (length === 0 || length % isa.INSN_SIZE !== 0)
      refuse("size", 0, `a program of ${length} bytes is not a sequence of 8-byte instructions`)
    this.length = length / isa.INSN_SIZE
    if (this.length > isa.BPF_MAXINSNS_PRIVILEGED)
      refuse("size", 0, `${this.length} instructions, more than ${isa.BPF_MAXINSNS_PRIVILEGED}`)
    this.words = new Int32Array((this.length + 1) * code.WORDS)
    for (let slot = 0; slot <= this.length; slot++) {
      this.words[slot * code.WORDS + code.WORD_OP] = code.OP_INVALID
      this.words[slot * code.WORDS + code.WORD_FRAME] = -1
    }
  }

  decode(): code.Code<E> {
    const { name, program, resolveCall, arenaTag } = this.options
    const jumps: number[] = []
    for (let slot = 0; slot < this.length; slot++) {
      const instruction = isa.decodeInstruction(program, slot)
      const op = this.operation(slot, instruction)
      const at = slot * code.WORDS
      this.words[at + code.WORD_OP] = op
      this.words[at + code.WORD_DST] = instruction.dst * 2
      this.words[at + code.WORD_SRC] = instruction.src * 2
      this.words[at + code.WORD_OFF] = instruction.off
      this.words[at + code.WORD_IMM] = instruction.imm
      this.words[at + code.WORD_WIRE] = instruction.opcode
      if (hasImmediateOperand(instruction))
        this.words[at + code.WORD_SRC] = this.constant(instruction.imm, instruction.imm >> 31)
      if (instruction.opcode === isa.BPF_LD_IMM64) this.loadImmediate(slot++, instruction)
      else if (isJump(instruction)) jumps.push(slot)
      else if (op === 0x85) this.bindCall(slot, instruction)
    }
    for (const slot of jumps) this.resolveJump(slot)
    for (const slot of this.functions) {
      if (this.words[slot * code.WORDS + code.WORD_OP] === code.OP_INVALID)
        refuse("jump", slot, `a function cannot start at slot ${slot}`)
      this.words[slot * code.WORDS + code.WORD_FRAME] = 0
    }
    this.measureFrames()
    return new code.Code({
      name,
      words: this.words,
      constants: Int32Array.from(this.constants),
      helpers: this.helpers,
      resolveCall,
      arenaTag: arenaTag ?? 0,
    })
  }

  /** The operand index of a 64-bit constant. */
  private constant(low: number, high: number): number {
    const key = `${low} ${high}`
    let index = this.constantIndex.get(key)
    if (index === undefined) {
      index = code.REGISTER_WORDS + this.constants.length
      this.constants.push(low, high)
      this.constantIndex.set(key, index)
    }
    return index
  }

  /** The operation of an instruction, after checking its opcode and registers. */
  private operation(slot: number, instruction: isa.Instruction): number {
    const { opcode, dst, src } = instruction
    const op = operationOf(instruction)
    if (op === code.OP_INVALID)
      refuse("opcode", slot, `${describe(instruction)} is not an instruction`)
    const callClass = (opcode & 0xf7) === (isa.BPF_JMP | isa.BPF_CALL)
    if (dst >= isa.MAX_BPF_REG || (src >= isa.MAX_BPF_REG && !callClass))
      refuse("register", slot, `${describe(instruction)} names a register above r10`)
    if (dst === isa.BPF_REG_FP && writesDst(instruction))
      refuse("register", slot, "r10, the frame pointer, is read-only")
    return op
  }

  private loadImmediate(slot: number, instruction: isa.Instruction): void {
    if (slot + 1 >= this.length) refuse("opcode", slot, "ld_imm64 has no second half")
    const second = isa.decodeInstruction(this.options.program, slot + 1)
    if (second.opcode !== 0)
      refuse("opcode", slot + 1, `second half of ld_imm64 has opcode ${hex(second.opcode)}`)
    const operand = slot * code.WORDS + code.WORD_SRC
    if (instruction.src !== isa.BPF_PSEUDO_FUNC) {
      this.words[operand] = this.constant(instruction.imm, second.imm)
      return
    }
    const target = slot + 1 + instruction.imm
    this.checkTarget(slot, target)
    this.functions.add(target)
    this.words[operand] = this.constant(target, FUNCTION_TAG)
  }

  private bindCall(slot: number, instruction: isa.Instruction): void {
    const { src, imm, off } = instruction
    const at = slot * code.WORDS
    if (src === isa.BPF_PSEUDO_CALL) {
      const target = slot + 1 + imm
      this.checkTarget(slot, target)
      this.functions.add(target)
      this.words[at + code.WORD_OP] = code.OP_CALL_LOCAL
      this.words[at + code.WORD_OFF] = target * code.WORDS
      return
    }
    if (src !== 0 && src !== isa.BPF_PSEUDO_KFUNC_CALL)
      refuse("call", slot, `a call cannot have ${src} as its source register`)
    const kind = src === 0 ? "helper" : "kfunc"
    const helper = this.options.resolveCall(kind, imm, off)
    if (helper === null) refuse("call", slot, `there is no ${kind} ${imm}`)
    let index = this.helperIndex.get(helper)
    if (index === undefined) {
      index = this.helpers.push(helper) - 1
      this.helperIndex.set(helper, index)
    }
    this.words[at + code.WORD_HELPER] = index
  }

  private resolveJump(slot: number): void {
    const at = slot * code.WORDS
    const byImmediate = this.words[at + code.WORD_WIRE] === (isa.BPF_JMP32 | isa.BPF_JA)
    const distance = this.words[at + (byImmediate ? code.WORD_IMM : code.WORD_OFF)]
    const target = slot + 1 + distance
    this.checkTarget(slot, target)
    if (this.words[target * code.WORDS + code.WORD_OP] === code.OP_INVALID)
      refuse("jump", slot, `jump to slot ${target}, the second half of ld_imm64`)
    this.words[at + code.WORD_OFF] = target * code.WORDS
  }

  private checkTarget(slot: number, target: number): void {
    if (target < 0 || target >= this.length)
      refuse("jump", slot, `slot ${target} is outside the program of ${this.length} slots`)
  }

  /**
   * How much of its frame each function must find cleared. A function that only ever uses r10 as
   * the base of an access needs the bytes down to the lowest displacement; one that computes with
   * r10, or passes it on, needs all. A function ends where the next one starts.
   */
  private measureFrames(): void {
    const starts = [...this.functions].sort((a, b) => a - b)
    const frame = isa.BPF_REG_FP * 2
    starts.forEach((start, index) => {
      const end = starts[index + 1] ?? this.length
      let bytes = 0
      for (let slot = start; slot < end && bytes < MAX_BPF_STACK; slot++) {
        const at = slot * code.WORDS
        const wire = this.words[at + code.WORD_WIRE]
        const base = baseRegister(wire)
        const dst = this.words[at + code.WORD_DST]
        const src = this.words[at + code.WORD_SRC]
        if (base !== null && this.words[at + base] === frame)
          bytes = Math.max(bytes, -this.words[at + code.WORD_OFF])
        const other = base === code.WORD_SRC ? dst : base === code.WORD_DST ? src : -1
        if (base === null ? dst === frame || src === frame : other === frame) bytes = MAX_BPF_STACK
      }
      this.words[start * code.WORDS + code.WORD_FRAME] = Math.min(bytes, MAX_BPF_STACK)
    })
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`
}

function describe({ opcode, dst, src, off, imm }: isa.Instruction): string {
  return `opcode ${hex(opcode)} dst ${dst} src ${src} off ${off} imm ${imm}`
}

/** The word that names the base register of an access, or null when the opcode is no access. */
function baseRegister(opcode: number): number | null {
  const kind = opcode & 7
  if (kind === isa.BPF_LDX) return code.WORD_SRC
  return kind === isa.BPF_ST || kind === isa.BPF_STX ? code.WORD_DST : null
}

/** Whether WORD_OFF is a jump's target. */
function isJump({ opcode }: isa.Instruction): boolean {
  const kind = opcode & 7
  if (kind !== isa.BPF_JMP && kind !== isa.BPF_JMP32) return false
  const operation = opcode & 0xf0
  return operation !== isa.BPF_CALL && operation !== isa.BPF_EXIT
}

/** Whether the second operand is `imm`, sign-extended. */
function hasImmediateOperand({ opcode }: isa.Instruction): boolean {
  const kind = opcode & 7
  if (kind === isa.BPF_ST) return true
  return kind >= isa.BPF_ALU && (opcode & isa.BPF_X) === 0
}

function writesDst({ opcode, imm }: isa.Instruction): boolean {
  const kind = opcode & 7
  if (kind === isa.BPF_ALU || kind === isa.BPF_ALU64 || kind === isa.BPF_LDX) return true
  if (opcode === isa.BPF_LD_IMM64) return true
  const atomic = kind === isa.BPF_STX && (opcode & 0xe0) === isa.BPF_ATOMIC
  return atomic && imm === isa.BPF_LOAD_ACQ
}

/** The operation that an instruction stands for (code.ts), or OP_INVALID. */
function operationOf(instruction: isa.Instruction): number {
  const { opcode } = instruction
  switch (opcode & 7) {
    case isa.BPF_ALU:
    case isa.BPF_ALU64:
      return aluOperation(instruction)
    case isa.BPF_JMP:
    case isa.BPF_JMP32:
      return jumpOperation(instruction)
    case isa.BPF_LD:
      return loadOperation(opcode)
    case isa.BPF_LDX:
      return indirectLoadOperation(opcode)
    case isa.BPF_ST:
      return (opcode & 0xe0) === isa.BPF_MEM ? opcode | isa.BPF_STX : code.OP_INVALID
    default:
      if ((opcode & 0xe0) === isa.BPF_MEM) return opcode
      return (opcode & 0xe0) === isa.BPF_ATOMIC ? atomicOperation(instruction) : code.OP_INVALID
  }
}

function loadOperation(opcode: number): number {
  if (opcode === isa.BPF_LD_IMM64) return opcode
  const mode = opcode & 0xe0
  const packet = mode === isa.BPF_ABS || mode === isa.BPF_IND
  return packet && (opcode & 0x18) !== isa.BPF_DW ? opcode : code.OP_INVALID
}

function indirectLoadOperation(opcode: number): number {
  const mode = opcode & 0xe0
  const wide = (opcode & 0x18) === isa.BPF_DW
  if (mode === isa.BPF_MEM || mode === BPF_PROBE_MEM) return opcode
  return (mode === isa.BPF_MEMSX || mode === BPF_PROBE_MEMSX) && !wide ? opcode : code.OP_INVALID
}

function aluOperation({ opcode, off, imm }: isa.Instruction): number {
  const wide = (opcode & 7) === isa.BPF_ALU64
  const fromRegister = (opcode & isa.BPF_X) !== 0
  const operation = opcode & 0xf0
  if (operation === isa.BPF_END) return endOperation(wide, fromRegister, imm)
  if (operation === isa.BPF_MOV && off !== 0) {
    if (!fromRegister) return code.OP_INVALID
    if (wide && off === isa.BPF_ADDR_SPACE_CAST) return code.OP_CAST_ADDRESS
    if (off === 8) return wide ? code.OP_MOVSX8_64 : code.OP_MOVSX8_32
    if (off === 16) return wide ? code.OP_MOVSX16_64 : code.OP_MOVSX16_32
    return off === 32 && wide ? code.OP_MOVSX32_64 : code.OP_INVALID
  }
  if (operation === isa.BPF_DIV || operation === isa.BPF_MOD) {
    if (off === 0) return opcode | isa.BPF_X
    if (off !== 1) return code.OP_INVALID
    const first = wide ? code.OP_SDIV64 : code.OP_SDIV32
    return first + (operation === isa.BPF_MOD ? 1 : 0)
  }
  if (off !== 0 || operation > isa.BPF_END) return code.OP_INVALID
  if (operation !== isa.BPF_NEG) return opcode | isa.BPF_X
  return fromRegister ? code.OP_INVALID : opcode
}

function endOperation(wide: boolean, big: boolean, imm: number): number {
  if ((wide && big) || (imm !== 16 && imm !== 32 && imm !== 64)) return code.OP_INVALID
  const first = wide || big ? code.OP_SWAP16 : code.OP_LE16
  return first + (imm === 16 ? 0 : imm === 32 ? 1 : 2)
}

function jumpOperation({ opcode, src }: isa.Instruction): number {
  const wide = (opcode & 7) === isa.BPF_JMP
  const fromRegister = (opcode & isa.BPF_X) !== 0
  const operation = opcode & 0xf0
  switch (operation) {
    case isa.BPF_JA:
      return fromRegister ? code.OP_INVALID : isa.BPF_JMP | isa.BPF_JA
    case isa.BPF_CALL:
      if (!wide) return code.OP_INVALID
      return fromRegister ? code.OP_CALL_REGISTER : opcode
    case isa.BPF_EXIT:
      return wide && !fromRegister ? opcode : code.OP_INVALID
    case isa.BPF_JCOND:
      return wide && !fromRegister && src === isa.BPF_MAY_GOTO ? code.OP_MAY_GOTO : code.OP_INVALID
    default:
      return operation > isa.BPF_JCOND ? code.OP_INVALID : opcode | isa.BPF_X
  }
}

const READ_MODIFY_WRITE: ReadonlySet<number> = new Set([
  ...[isa.BPF_ADD, isa.BPF_AND, isa.BPF_OR, isa.BPF_XOR].flatMap((operation) => [
    operation,
    operation | isa.BPF_FETCH,
  ]),
  isa.BPF_XCHG,
  isa.BPF_CMPXCHG,
])

function atomicOperation({ opcode, imm }: isa.Instruction): number {
  if (imm === isa.BPF_LOAD_ACQ) return code.OP_LOAD_ACQUIRE
  if (imm === isa.BPF_STORE_REL) return code.OP_STORE_RELEASE
  if (!READ_MODIFY_WRITE.has(imm)) return code.OP_INVALID
  const size = opcode & 0x18
  if (size === isa.BPF_DW) return code.OP_ATOMIC64
  return size === isa.BPF_W ? code.OP_ATOMIC32 : code.OP_INVALID
}
