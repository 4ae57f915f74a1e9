/**
 * What all passes over one program share: the decoded code, options, functions, and the indices of
 * imports and functions in the module.
 */

import type { Code } from "../interpreter/code.ts"
import type { JitFacts } from "./facts.ts"
import type { ModuleBuilder } from "./module.ts"
import { I32, I64 } from "./opcodes.ts"
import type { CompileOptions } from "./options.ts"
import type { Structure } from "./structure.ts"
import type { BlockValues } from "./values.ts"

/** A function of the program, after analysis. */
export interface FunctionInfo {
  readonly index: number
  readonly slot: number
  readonly structure: Structure
  readonly values: BlockValues
  /** Mask of registers that it reads before it writes them. */
  readonly live: number
  /** Argument registers that are parameters, ascending; the frame address comes after them. */
  readonly parameters: readonly number[]
  readonly type: number
  /** Its body is written into its callers. */
  readonly inlined: boolean
  /** Index in the module; -1 when it has no body of its own. */
  moduleIndex: number
}

export class ProgramContext {
  readonly code: Code<never>
  readonly options: CompileOptions
  readonly facts: JitFacts | null
  readonly module: ModuleBuilder
  functions: FunctionInfo[] = []
  readonly bySlot: Map<number, number> = new Map()
  /** Packet addresses may be seen outside of registers (escapes.ts), so they need their tags. */
  tagsPackets = true
  /** Type of a main function, which tail calls go to: (r1, frame) → r0. */
  readonly mainType: number

  constructor(code: Code<never>, options: CompileOptions, module: ModuleBuilder) {
    this.code = code
    this.options = options
    this.facts = options.facts ?? null
    this.module = module
    this.mainType = module.type([I64, I32], [I64])
  }

  /** Index of an import from the host, which must have been declared before. */
  host(name: string): number {
    const signature = HOST_SIGNATURES[name]
    return this.module.import(name, signature[0], signature[1])
  }

  /** Index of the import for the helper at `index` of the code's list. */
  helper(index: number): number {
    return this.module.import(`h${index}`, [I32, I32], [])
  }

  functionAt(slot: number): FunctionInfo {
    const index = this.bySlot.get(slot)
    if (index === undefined) throw new Error(`no function starts at slot ${slot}`)
    return this.functions[index]
  }
}

const HOST_SIGNATURES: Readonly<
  Record<string, readonly [parameters: readonly number[], results: readonly number[]]>
> = {
  /** low, high, displacement, size | way << 8 | aligned << 16 | probing << 17, slot → 0, or 1: the load gives 0 */
  check: [[I32, I32, I32, I32, I32], [I32]],
  /** frame: it is now the lowest one in use */
  enter: [[I32], []],
  /** slot */
  exhausted: [[I32], []],
  /** slot, kind */
  fault: [[I32, I32], []],
  /** slot, frame → table index, -1 go on, -2 return r0 */
  tail: [[I32, I32], [I32]],
  /** low, high, slot, frame */
  callx: [[I32, I32, I32, I32], []],
  /** offset, size, slot, frame → 0, or 1: not there */
  packet: [[I32, I32, I32, I32], [I32]],
  /** address in the context → high half for what is loaded from there */
  tag: [[I32], [I32]],
  /** low, high, size → whether it can be read */
  probe: [[I32, I32, I32], [I32]],
}
