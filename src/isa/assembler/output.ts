/**
 * What the parsers of assembly text write to: instructions slot by slot, with references to labels
 * and names that are filled in when the whole text is known.
 *
 * Invariant: every number that reaches an instruction went through one of the range checks here,
 * so that nothing is ever truncated silently.
 */

import { SyntaxIssue } from "../../base/index.ts"
import type { Instruction } from "../instruction.ts"
import * as op from "../opcode.ts"
import type { Token } from "./tokens.ts"

/** Something that the text names and does not define. */
export interface SymbolReference {
  /**
   * `map`: the map itself; `value`: an address in its only value, plus `offset`; `symbol`: a bare
   * name in `r1 = name ll`, a 64-bit value; `function`: the operand of `call`.
   */
  readonly kind: "map" | "value" | "symbol" | "function"
  readonly name: string
  /** Bytes, for `value` and `symbol`. */
  readonly offset: number
}

/** How a reference is encoded: fields of the instruction, `next` is `imm` of the second slot. */
export interface ResolvedSymbol {
  readonly src: number
  readonly off?: number
  readonly imm: number
  readonly next?: number
}

/** A reference that nothing resolved, for whoever makes an object of the program. */
export interface AssemblyRelocation extends SymbolReference {
  readonly slot: number
  readonly line: number
  readonly column: number
}

/** What the surroundings know. */
export interface AssemblerNames {
  /** The number of a helper: 1 for `bpf_map_lookup_elem`. */
  readonly helperId?: (name: string) => number | undefined
  /** What a name stands for that is neither a label nor a helper. */
  readonly resolveSymbol?: (reference: SymbolReference) => ResolvedSymbol | undefined
  /** List unknown names in `relocations` instead of refusing them. */
  readonly allowUndefined?: boolean
  /** Named in errors. */
  readonly file?: string
}

/** A field that is known only when the whole text is. */
export type Reference =
  | { readonly kind: "label"; readonly token: Token; readonly field: "off" | "imm" }
  | { readonly kind: "function"; readonly token: Token }
  | {
      readonly kind: "map" | "value" | "symbol"
      readonly token: Token
      readonly offset: number
    }

/** What a parser made of one statement; fields that are left out are 0. */
export interface ParsedInstruction extends Partial<Instruction> {
  readonly opcode: number
  /** ld_imm64 only: `imm` of the second slot. */
  readonly next?: number
  readonly reference?: Reference
}

/** Collects a program. */
export class AssemblerOutput {
  readonly instructions: Instruction[] = []
  /** The source line of each slot. */
  readonly lines: number[] = []
  readonly labels: Map<string, number> = new Map()
  readonly relocations: AssemblyRelocation[] = []
  readonly names: AssemblerNames
  /** Slots of `1:`, ascending, by number. */
  readonly #numeric: Map<string, number[]> = new Map()
  /** The slot of the first `exit` instruction. */
  #firstExit: number | undefined
  readonly #references: (() => void)[] = []

  constructor(names: AssemblerNames) {
    this.names = names
  }

  /** The slot that the next instruction gets. */
  get slot(): number {
    return this.instructions.length
  }

  fail(message: string, at: { readonly line: number; readonly column: number }): never {
    throw new SyntaxIssue(message, { file: this.names.file, line: at.line, column: at.column })
  }

  /** Appends the slots of one instruction. */
  emit(parsed: ParsedInstruction, line: number): void {
    const { next, reference, ...fields } = parsed
    const slot = this.slot
    this.#append(fields, line)
    if (parsed.opcode === (op.BPF_JMP | op.BPF_EXIT)) this.#firstExit ??= slot
    if (parsed.opcode === op.BPF_LD_IMM64) this.#append({ opcode: 0, imm: next ?? 0 }, line)
    if (reference !== undefined) this.#references.push(() => this.#refer(slot, reference))
  }

  #append(fields: Partial<Instruction> & { readonly opcode: number }, line: number): void {
    this.instructions.push({ dst: 0, src: 0, off: 0, imm: 0, ...fields })
    this.lines.push(line)
  }

  defineLabel(token: Token): void {
    if (this.labels.has(token.text)) this.fail(`label \`${token.text}\` is defined twice`, token)
    this.labels.set(token.text, this.slot)
  }

  /** `1:` is a label that may be defined again; `1b` and `1f` refer to it. */
  defineNumericLabel(token: Token): void {
    const slots = this.#numeric.get(token.text)
    if (slots === undefined) this.#numeric.set(token.text, [this.slot])
    else slots.push(this.slot)
  }

  /** Fills in every reference. */
  finish(): void {
    for (const refer of this.#references) refer()
  }

  /** A 32-bit immediate, signed or unsigned: -2147483648 to 4294967295. */
  immediate(value: bigint, at: Token, advice = ""): number {
    if (value < -(1n << 31n) || value >= 1n << 32n)
      this.fail(`${value} does not fit an immediate of 32 bits${advice}`, at)
    return Number(BigInt.asIntN(32, value))
  }

  /** The halves of a 64-bit immediate, signed or unsigned. */
  wideImmediate(value: bigint, at: Token): { readonly low: number; readonly high: number } {
    if (value < -(1n << 63n) || value >= 1n << 64n) this.fail(`${value} does not fit 64 bits`, at)
    return {
      low: Number(BigInt.asIntN(32, value)),
      high: Number(BigInt.asIntN(32, value >> 32n)),
    }
  }

  /** A displacement in bytes or a distance in slots: -32768 to 32767. */
  offset(value: bigint, at: Token, advice = ""): number {
    if (value < -32768n || value > 32767n)
      this.fail(`offset ${value} does not fit 16 bits (-32768 to 32767)${advice}`, at)
    return Number(value)
  }

  #refer(slot: number, reference: Reference): void {
    const { kind, token } = reference
    const target = this.#label(token, slot)
    if (kind === "label") {
      if (target === undefined) this.fail(`there is no label \`${token.text}\``, token)
      this.#fillDistance(slot, target, reference.field, token)
    } else if (kind === "function") this.#referToFunction(slot, target, token)
    else this.#referToSymbol(slot, target, reference)
  }

  /** A call of a label, a helper or a symbol, whichever there is. */
  #referToFunction(slot: number, target: number | undefined, token: Token): void {
    if (target !== undefined) {
      this.#update(slot, { src: op.BPF_PSEUDO_CALL })
      this.#fillDistance(slot, target, "imm", token)
      return
    }
    const id = this.names.helperId?.(token.text)
    if (id !== undefined) {
      this.#update(slot, { imm: id })
      return
    }
    // An unresolved call has the form that clang gives it: local, to -1.
    const unresolved = { src: op.BPF_PSEUDO_CALL, imm: -1 }
    const reference = { kind: "function", name: token.text, offset: 0 } as const
    this.#update(slot, this.#resolve(reference, slot, token) ?? unresolved)
  }

  /** An ld_imm64 of a function of this text, or of a symbol. */
  #referToSymbol(
    slot: number,
    target: number | undefined,
    { kind, token, offset }: Reference & { kind: "map" | "value" | "symbol" },
  ): void {
    if (kind === "symbol" && target !== undefined) {
      this.#update(slot, { src: op.BPF_PSEUDO_FUNC })
      this.#fillDistance(slot, target, "imm", token)
      return
    }
    const unresolved = {
      map: { src: op.BPF_PSEUDO_MAP_FD, imm: 0, next: 0 },
      value: { src: op.BPF_PSEUDO_MAP_VALUE, imm: 0, next: offset },
      symbol: { src: 0, imm: offset, next: offset < 0 ? -1 : 0 },
    }[kind]
    const reference = { kind, name: token.text, offset }
    const { next, ...fields } = this.#resolve(reference, slot, token) ?? unresolved
    this.#update(slot, fields)
    this.#update(slot + 1, { imm: next ?? 0 })
  }

  #fillDistance(slot: number, target: number, field: "off" | "imm", at: Token): void {
    const distance = BigInt(target - slot - 1)
    if (field === "imm") this.#update(slot, { imm: this.immediate(distance, at) })
    else
      this.#update(slot, {
        off: this.offset(distance, at, ": `goto` reaches no further, use `gotol`"),
      })
  }

  #update(slot: number, fields: Partial<Instruction>): void {
    this.instructions[slot] = { ...this.instructions[slot], ...fields }
  }

  #label(token: Token, slot: number): number | undefined {
    const { text } = token
    const named = this.labels.get(text)
    if (named !== undefined) return named
    if (/^[0-9]+[bf]$/.test(text)) {
      const slots = this.#numeric.get(text.slice(0, -1)) ?? []
      const after = countUpTo(slots, slot)
      return text.endsWith("f") ? slots[after] : slots[after - 1]
    }
    // bpf_conformance: `exit` is the first exit instruction when no label has that name.
    return text === "exit" ? this.#firstExit : undefined
  }

  #resolve(reference: SymbolReference, slot: number, at: Token): ResolvedSymbol | undefined {
    const resolved = this.names.resolveSymbol?.(reference)
    if (resolved !== undefined) return resolved
    if (!this.names.allowUndefined) {
      const what = {
        map: "map",
        value: "map",
        symbol: "label or symbol",
        function: "label, helper or function",
      }[reference.kind]
      this.fail(`there is no ${what} \`${reference.name}\``, at)
    }
    this.relocations.push({ ...reference, slot, line: at.line, column: at.column })
    return undefined
  }
}

/** How many of the ascending `slots` are at or before `slot`. */
function countUpTo(slots: readonly number[], slot: number): number {
  let low = 0
  let high = slots.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (slots[middle] <= slot) low = middle + 1
    else high = middle
  }
  return low
}
