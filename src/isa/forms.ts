/**
 * Every legal instruction as one row of a table: RFC 9669, the instructions that clang calls cpu
 * v1 to v4, and what Linux 6.18 adds. A row says what each field means, so that random programs,
 * reserved-field checks and coverage counts come from one place.
 *
 * Invariant: at most one row fits an instruction; an instruction that no row fits is one that
 * Linux 6.18 refuses (callx apart, which has a row although Linux refuses it)
 * (RFC 9669 §4, §5; linux v6.18 kernel/bpf/core.c bpf_opcode_in_insntable, verifier.c do_check).
 */

import type { Instruction } from "./instruction.ts"
import * as op from "./opcode.ts"
import { BPF_REG_FP, MAX_BPF_REG } from "./opcode.ts"

/** How an instruction uses a register field; `none` means that the field must be 0. */
export type RegisterRole = "none" | "read" | "write" | "update"

/** What `off` holds: nothing, a distance in slots, a displacement in bytes, a module index. */
export type OffsetRole = "none" | "jump" | "memory" | "module"

/**
 * What `imm` holds: nothing, a value, a distance in slots, the id of what is called, or (ld_imm64)
 * the lower half or file descriptor or index that `src` tells.
 */
export type ImmediateRole = "none" | "value" | "jump" | "call"

/** Conformance groups of RFC 9669 §2.4; `linux` has what only Linux defines, `callx` the rest. */
export type ConformanceGroup =
  | "base32"
  | "base64"
  | "atomic32"
  | "atomic64"
  | "divmul32"
  | "divmul64"
  | "packet"
  | "linux"
  | "callx"

/** One legal instruction. A number instead of a role is the only value that the field may have. */
export interface InstructionForm {
  /** `add64_reg`, `jslt32_imm`, `ldxsw`, `fetch_add32`, `ld_map_fd`… */
  readonly name: string
  readonly opcode: number
  readonly dst: RegisterRole
  readonly src: RegisterRole | number
  readonly off: OffsetRole | number
  readonly imm: ImmediateRole | number
  /** ld_imm64 only: `imm` of the second slot, `none` where it must be 0. */
  readonly next?: ImmediateRole
  readonly group: ConformanceGroup
  /** The lowest `clang -mcpu` that knows it: 1 to 4. */
  readonly cpu: 1 | 2 | 3 | 4
  /** The Linux release that first took it; null where none does, "" for those as old as eBPF. */
  readonly since: string | null
}

const OLD = { cpu: 1, since: "" } as const
const V4 = { cpu: 4, since: "6.6" } as const

const ALU_OPERATIONS = [
  { name: "add", operation: op.BPF_ADD },
  { name: "sub", operation: op.BPF_SUB },
  { name: "mul", operation: op.BPF_MUL, divides: true },
  { name: "div", operation: op.BPF_DIV, divides: true },
  { name: "sdiv", operation: op.BPF_DIV, divides: true, off: 1 },
  { name: "or", operation: op.BPF_OR },
  { name: "and", operation: op.BPF_AND },
  { name: "lsh", operation: op.BPF_LSH },
  { name: "rsh", operation: op.BPF_RSH },
  { name: "mod", operation: op.BPF_MOD, divides: true },
  { name: "smod", operation: op.BPF_MOD, divides: true, off: 1 },
  { name: "xor", operation: op.BPF_XOR },
  { name: "mov", operation: op.BPF_MOV },
  { name: "arsh", operation: op.BPF_ARSH },
]

const SIZES = [
  { suffix: "w", size: op.BPF_W },
  { suffix: "h", size: op.BPF_H },
  { suffix: "b", size: op.BPF_B },
  { suffix: "dw", size: op.BPF_DW },
]

const COMPARISONS = [
  { name: "jeq", operation: op.BPF_JEQ },
  { name: "jgt", operation: op.BPF_JGT },
  { name: "jge", operation: op.BPF_JGE },
  { name: "jset", operation: op.BPF_JSET },
  { name: "jne", operation: op.BPF_JNE },
  { name: "jsgt", operation: op.BPF_JSGT },
  { name: "jsge", operation: op.BPF_JSGE },
  { name: "jlt", operation: op.BPF_JLT, later: true },
  { name: "jle", operation: op.BPF_JLE, later: true },
  { name: "jslt", operation: op.BPF_JSLT, later: true },
  { name: "jsle", operation: op.BPF_JSLE, later: true },
]

/** All rows. */
export const INSTRUCTION_FORMS: readonly InstructionForm[] = [
  ...aluForms(),
  ...byteSwapForms(),
  ...memoryForms(),
  ...atomicForms(),
  ...wideForms(),
  ...jumpForms(),
  ...callForms(),
]

const formsByOpcode: readonly InstructionForm[][] = Array.from({ length: 256 }, () => [])
for (const form of INSTRUCTION_FORMS) formsByOpcode[form.opcode].push(form)

/** The rows with this opcode; none where the opcode is unknown. */
export function formsOfOpcode(opcode: number): readonly InstructionForm[] {
  return formsByOpcode[opcode & 0xff]
}

/**
 * The row that fits `instruction`, looking at its first slot only; undefined when a field that
 * must be 0 is not, a register does not exist or is r10 and written, or the opcode is unknown.
 */
export function instructionForm(instruction: Instruction): InstructionForm | undefined {
  return formsByOpcode[instruction.opcode].find((form) => fits(form, instruction))
}

function fits(form: InstructionForm, instruction: Instruction): boolean {
  const { dst, src, off, imm } = instruction
  return (
    registerFits(form.dst, dst) &&
    (typeof form.src === "number" ? src === form.src : registerFits(form.src, src)) &&
    valueFits(form.off, off) &&
    valueFits(form.imm, imm)
  )
}

function valueFits(role: OffsetRole | ImmediateRole | number, value: number): boolean {
  if (typeof role === "number") return value === role
  return role !== "none" || value === 0
}

function registerFits(role: RegisterRole, register: number): boolean {
  if (role === "none") return register === 0
  return register < (role === "read" ? MAX_BPF_REG : BPF_REG_FP)
}

function aluForms(): InstructionForm[] {
  const forms: InstructionForm[] = []
  for (const bits of [32, 64] as const) {
    const width = bits === 32 ? op.BPF_ALU : op.BPF_ALU64
    for (const { name, operation, divides, off } of ALU_OPERATIONS) {
      const shared = {
        dst: name === "mov" ? "write" : "update",
        off: off ?? "none",
        group: `${divides ? "divmul" : "base"}${bits}`,
        ...(off === undefined ? OLD : V4),
      } as const
      const opcode = width | operation
      forms.push(
        { ...shared, name: `${name}${bits}_imm`, opcode, src: "none", imm: "value" },
        {
          ...shared,
          name: `${name}${bits}_reg`,
          opcode: opcode | op.BPF_X,
          src: "read",
          imm: "none",
        },
      )
    }
    const group = `base${bits}` as const
    forms.push({
      ...{ name: `neg${bits}`, opcode: width | op.BPF_NEG, dst: "update", src: "none" },
      ...{ off: "none", imm: "none", group, ...OLD },
    })
    for (const from of bits === 32 ? [8, 16] : [8, 16, 32])
      forms.push({
        ...{ name: `movsx${from}${bits}`, opcode: width | op.BPF_MOV | op.BPF_X, dst: "write" },
        ...{ src: "read", off: from, imm: "none", group, ...V4 },
      })
  }
  for (const imm of [1, 1 << 16])
    forms.push({
      ...{ name: `addr_space_cast_${imm === 1 ? "0_1" : "1_0"}`, dst: "write", src: "read" },
      ...{ opcode: op.BPF_ALU64 | op.BPF_MOV | op.BPF_X, off: op.BPF_ADDR_SPACE_CAST, imm },
      ...{ group: "linux", cpu: 4, since: "6.9" },
    })
  return forms
}

function byteSwapForms(): InstructionForm[] {
  const swaps = [
    { name: "le", opcode: op.BPF_ALU | op.BPF_END | op.BPF_TO_LE, ...OLD },
    { name: "be", opcode: op.BPF_ALU | op.BPF_END | op.BPF_TO_BE, ...OLD },
    { name: "bswap", opcode: op.BPF_ALU64 | op.BPF_END, ...V4 },
  ] as const
  return swaps.flatMap(({ name, ...swap }) =>
    [16, 32, 64].map((bits): InstructionForm => {
      const group = bits === 64 || name === "bswap" ? "base64" : "base32"
      const fields = { dst: "update", src: "none", off: "none", imm: bits } as const
      return { name: `${name}${bits}`, ...swap, ...fields, group }
    }),
  )
}

function memoryForms(): InstructionForm[] {
  const forms: InstructionForm[] = []
  for (const { suffix, size } of SIZES) {
    const group = suffix === "dw" ? "base64" : "base32"
    const old = { off: "memory", group, ...OLD } as const
    const mode = op.BPF_MEM | size
    forms.push(
      {
        ...old,
        name: `ldx${suffix}`,
        opcode: op.BPF_LDX | mode,
        dst: "write",
        src: "read",
        imm: "none",
      },
      {
        ...old,
        name: `st${suffix}`,
        opcode: op.BPF_ST | mode,
        dst: "read",
        src: "none",
        imm: "value",
      },
      {
        ...old,
        name: `stx${suffix}`,
        opcode: op.BPF_STX | mode,
        dst: "read",
        src: "read",
        imm: "none",
      },
    )
    if (suffix === "dw") continue
    forms.push({
      ...{ name: `ldxs${suffix}`, opcode: op.BPF_LDX | op.BPF_MEMSX | size, dst: "write" },
      ...{ src: "read", off: "memory", imm: "none", group: "base64", ...V4 },
    })
    const packet = {
      dst: "none",
      off: "none",
      imm: "value",
      group: "packet",
      cpu: 1,
      since: "",
    } as const
    forms.push(
      { ...packet, name: `ldabs${suffix}`, opcode: op.BPF_LD | op.BPF_ABS | size, src: "none" },
      { ...packet, name: `ldind${suffix}`, opcode: op.BPF_LD | op.BPF_IND | size, src: "read" },
    )
  }
  return forms
}

function atomicForms(): InstructionForm[] {
  const forms: InstructionForm[] = []
  for (const bits of [32, 64] as const) {
    const opcode = op.BPF_STX | op.BPF_ATOMIC | (bits === 32 ? op.BPF_W : op.BPF_DW)
    const shared = { opcode, dst: "read", off: "memory", group: `atomic${bits}`, cpu: 3 } as const
    const operations = [
      { name: "add", imm: op.BPF_ADD },
      { name: "or", imm: op.BPF_OR },
      { name: "and", imm: op.BPF_AND },
      { name: "xor", imm: op.BPF_XOR },
    ]
    for (const { name, imm } of operations) {
      const first = name === "add" ? OLD : { since: "5.12" }
      forms.push(
        { ...shared, name: `lock_${name}${bits}`, src: "read", imm, ...first },
        { ...shared, name: `fetch_${name}${bits}`, src: "update", imm: imm | 1, since: "5.12" },
      )
    }
    forms.push(
      { ...shared, name: `xchg${bits}`, src: "update", imm: op.BPF_XCHG, since: "5.12" },
      { ...shared, name: `cmpxchg${bits}`, src: "read", imm: op.BPF_CMPXCHG, since: "5.12" },
    )
  }
  for (const { suffix, size } of SIZES) {
    const opcode = op.BPF_STX | op.BPF_ATOMIC | size
    const shared = {
      opcode,
      src: "read",
      off: "memory",
      group: "linux",
      cpu: 4,
      since: "6.15",
    } as const
    forms.push(
      { ...shared, name: `load_acquire_${suffix}`, dst: "write", imm: op.BPF_LOAD_ACQ },
      { ...shared, name: `store_release_${suffix}`, dst: "read", imm: op.BPF_STORE_REL },
    )
  }
  return forms
}

function wideForms(): InstructionForm[] {
  const kinds = [
    { name: "ld_imm64", src: 0, next: "value", since: "" },
    { name: "ld_map_fd", src: op.BPF_PSEUDO_MAP_FD, next: "none", since: "" },
    { name: "ld_map_value", src: op.BPF_PSEUDO_MAP_VALUE, next: "value", since: "5.2" },
    { name: "ld_btf_id", src: op.BPF_PSEUDO_BTF_ID, next: "value", since: "5.10" },
    { name: "ld_func", src: op.BPF_PSEUDO_FUNC, next: "none", since: "5.13" },
    { name: "ld_map_idx", src: op.BPF_PSEUDO_MAP_IDX, next: "none", since: "5.14" },
    { name: "ld_map_idx_value", src: op.BPF_PSEUDO_MAP_IDX_VALUE, next: "value", since: "5.14" },
  ] as const
  return kinds.map((kind) => ({
    ...{ ...kind, opcode: op.BPF_LD_IMM64, dst: "write", off: "none", group: "base64", cpu: 1 },
    imm: kind.src === op.BPF_PSEUDO_FUNC ? "jump" : "value",
  }))
}

function jumpForms(): InstructionForm[] {
  const none = { dst: "none", src: "none" } as const
  const forms: InstructionForm[] = [
    {
      ...{ name: "ja", opcode: op.BPF_JMP | op.BPF_JA, ...none, off: "jump", imm: "none" },
      ...{ group: "base32", ...OLD },
    },
    {
      ...{ name: "ja32", opcode: op.BPF_JMP32 | op.BPF_JA, ...none, off: "none", imm: "jump" },
      ...{ group: "base32", ...V4 },
    },
    {
      ...{ name: "may_goto", opcode: op.BPF_JMP | op.BPF_JCOND, dst: "none", off: "jump" },
      ...{ src: op.BPF_MAY_GOTO, imm: "none", group: "linux", cpu: 4, since: "6.9" },
    },
  ]
  for (const bits of [32, 64] as const)
    for (const { name, operation, later } of COMPARISONS) {
      const opcode = (bits === 32 ? op.BPF_JMP32 : op.BPF_JMP) | operation
      const first = later ? ({ cpu: 2, since: "4.14" } as const) : OLD
      const age = bits === 32 ? ({ cpu: 3, since: "5.1" } as const) : first
      const shared = { dst: "read", off: "jump", group: `base${bits}`, ...age } as const
      forms.push(
        { ...shared, name: `${name}${bits}_imm`, opcode, src: "none", imm: "value" },
        {
          ...shared,
          name: `${name}${bits}_reg`,
          opcode: opcode | op.BPF_X,
          src: "read",
          imm: "none",
        },
      )
    }
  return forms
}

function callForms(): InstructionForm[] {
  const opcode = op.BPF_JMP | op.BPF_CALL
  const shared = { opcode, dst: "none", group: "base32", cpu: 1 } as const
  return [
    { ...shared, name: "call_helper", src: 0, off: "none", imm: "call", since: "" },
    {
      ...shared,
      name: "call_local",
      src: op.BPF_PSEUDO_CALL,
      off: "none",
      imm: "jump",
      since: "4.16",
    },
    {
      ...shared,
      name: "call_kfunc",
      src: op.BPF_PSEUDO_KFUNC_CALL,
      off: "module",
      imm: "call",
      since: "5.13",
    },
    {
      ...{ name: "callx", opcode: opcode | op.BPF_X, dst: "read", src: "none", off: "none" },
      ...{ imm: "none", group: "callx", cpu: 1, since: null },
    },
    {
      ...{ name: "exit", opcode: op.BPF_JMP | op.BPF_EXIT, dst: "none", src: "none", off: "none" },
      ...{ imm: "none", group: "base32", ...OLD },
    },
  ]
}
