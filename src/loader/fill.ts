/**
 * A program's instructions with every relocation filled in: CO-RE first, then addresses of maps,
 * values, functions and externs, in the encoding of PROG_LOAD (RFC 9669 §5.4; linux v6.18
 * include/uapi/linux/bpf.h BPF_PSEUDO_*).
 */

import { RelocationError } from "../base/index.ts"
import { type CoreCache, type CoreResult, coreKindName, relocateCore } from "../btf/core/index.ts"
import type { Btf } from "../btf/index.ts"
import { decodeInstruction, encodeInstruction, INSN_SIZE } from "../isa/instruction.ts"
import {
  BPF_CALL,
  BPF_JMP,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
} from "../isa/opcode.ts"
import type { ProgramDefinition, Relocation } from "../object/index.ts"
import type { Fd } from "../spec/index.ts"
import type { ResolvedExtern } from "./externs.ts"

/** Calls of a weak kernel function that is missing: a helper number that does not exist (libbpf's). */
const POISON_KFUNC_HELPER = 2_002_000_000

/** A CO-RE relocation that found nothing: the verifier refuses its instruction if it is reached. */
export interface Poisoned {
  readonly slot: number
  readonly kind: string
  readonly reason: string
  readonly local: string
  readonly candidates: readonly string[]
}

export interface FilledProgram {
  readonly instructions: Uint8Array
  readonly poisoned: readonly Poisoned[]
}

export interface FillContext {
  readonly objectTypes: Btf | null
  /** Types to relocate CO-RE accesses to. */
  readonly targets: () => readonly Btf[]
  readonly cache: CoreCache
  readonly mapFd: (name: string) => Fd | undefined
  readonly externs: ReadonlyMap<string, ResolvedExtern>
}

/**
 * Fills in a copy of the program.
 *
 * @throws RelocationError for a CO-RE relocation that cannot be applied, or a call or address of
 * something that is not in the object.
 */
export function fillProgram(program: ProgramDefinition, context: FillContext): FilledProgram {
  const [missing] = program.unresolved
  if (missing !== undefined)
    throw problem(program, missing.slot, "call", missing.symbol, "is not in the object file")
  const instructions = program.instructions.slice()
  const poisoned = applyCore(program, instructions, context)
  for (const relocation of program.relocations) fillOne(program, instructions, relocation, context)
  return { instructions, poisoned }
}

function problem(
  program: ProgramDefinition,
  slot: number,
  kind: string,
  symbol: string,
  what: string,
): RelocationError {
  const caller = program.subprograms.findLast((fn) => fn.slot <= slot)
  const place = caller === undefined || caller.slot === 0 ? "" : ` (in '${caller.name}')`
  return new RelocationError(
    `program '${program.name}', instruction ${slot}${place}: '${symbol}' ${what}`,
    { program: program.name, instruction: slot, kind, local: symbol },
  )
}

function applyCore(
  program: ProgramDefinition,
  instructions: Uint8Array,
  context: FillContext,
): Poisoned[] {
  const poisoned: Poisoned[] = []
  const { objectTypes } = context
  if (program.coreRelocations.length === 0 || objectTypes === null) return poisoned
  const targets = context.targets()
  for (const { slot, typeId, accessString, kind } of program.coreRelocations) {
    const result: CoreResult = relocateCore({
      program: instructions,
      slot,
      relocation: { offset: slot * INSN_SIZE, type: typeId, access: accessString, kind },
      local: objectTypes,
      targets,
      programName: program.name,
      cache: context.cache,
    })
    if (result.status === "poisoned")
      poisoned.push({
        slot,
        kind: coreKindName(kind),
        reason: result.reason,
        local: result.spec,
        candidates: [],
      })
  }
  return poisoned
}

function fillOne(
  program: ProgramDefinition,
  instructions: Uint8Array,
  relocation: Relocation,
  context: FillContext,
): void {
  const { slot } = relocation
  const wide = (src: number, low: number, high: number): void => {
    const first = decodeInstruction(instructions, slot)
    encodeInstruction(instructions, slot, { ...first, src, off: 0, imm: low | 0 })
    const second = { opcode: 0, dst: 0, src: 0, off: 0, imm: high | 0 }
    encodeInstruction(instructions, slot + 1, second)
  }
  const fdOf = (map: string): Fd => {
    const fd = context.mapFd(map)
    if (fd === undefined) throw problem(program, slot, "map", map, "is no map of the object")
    return fd
  }
  switch (relocation.kind) {
    case "map":
      wide(BPF_PSEUDO_MAP_FD, fdOf(relocation.map), 0)
      break
    case "map-value":
      wide(BPF_PSEUDO_MAP_VALUE, fdOf(relocation.map), relocation.offset)
      break
    case "function":
      wide(BPF_PSEUDO_FUNC, relocation.target - slot - 1, 0)
      break
    case "extern": {
      const extern = context.externs.get(relocation.extern)
      if (extern === undefined)
        throw problem(program, slot, "extern", relocation.extern, "is no known extern")
      const call = instructions[slot * INSN_SIZE] === (BPF_JMP | BPF_CALL)
      if (call) fillCall(instructions, slot, extern)
      else if (extern.kind === "kconfig")
        wide(BPF_PSEUDO_MAP_VALUE, fdOf(extern.map), extern.offset)
      else if (extern.kind === "btf") wide(BPF_PSEUDO_BTF_ID, extern.id, 0)
      else wide(0, Number(extern.address & 0xffff_ffffn), Number(extern.address >> 32n))
    }
  }
}

function fillCall(instructions: Uint8Array, slot: number, extern: ResolvedExtern): void {
  const insn = decodeInstruction(instructions, slot)
  if (extern.kind === "btf")
    encodeInstruction(instructions, slot, {
      ...insn,
      src: BPF_PSEUDO_KFUNC_CALL,
      off: 0,
      imm: extern.id,
    })
  else
    encodeInstruction(instructions, slot, {
      ...insn,
      dst: 0,
      src: 0,
      off: 0,
      imm: POISON_KFUNC_HELPER + (extern.kind === "address" ? extern.index : 0),
    })
}
