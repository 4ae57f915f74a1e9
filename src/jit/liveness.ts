/**
 * Which registers a function reads before it writes them: a subprogram takes only the arguments
 * that it uses, and a call hands over only those.
 *
 * A backward data-flow over bit masks (bit n: rN). Functions are repeated until no call's needs
 * change, at most once for each level of calls.
 */

import * as code from "../interpreter/code.ts"
import { BPF_CMPXCHG, BPF_FETCH } from "../isa/index.ts"
import { END, type FunctionGraph, successors } from "./cfg.ts"

const ARGUMENTS = 0x3e
const CALLER_SAVED = 0x3f

/** The function as the passes after structuring know it. */
export interface LiveFunction {
  readonly graph: FunctionGraph
}

/** Arguments that the helper or kfunc called at `slot` reads. */
export type ArgumentCount = (slot: number) => number

/** By function: the mask of registers that are live at its start. */
export function liveAtStart(
  program: code.Code<never>,
  functions: readonly LiveFunction[],
  bySlot: ReadonlyMap<number, number>,
  argumentCount: ArgumentCount,
): Int32Array {
  const needs = new Int32Array(functions.length)
  const live = functions.map(({ graph }) => new Int32Array(graph.count))
  for (let changed = true; changed; ) {
    changed = false
    for (let index = functions.length - 1; index >= 0; index--) {
      solve(program, functions[index].graph, live[index], (slot) =>
        callNeeds(program, slot, bySlot, needs, argumentCount),
      )
      if (live[index][0] === needs[index]) continue
      needs[index] = live[index][0]
      changed = true
    }
  }
  return needs
}

function callNeeds(
  program: code.Code<never>,
  slot: number,
  bySlot: ReadonlyMap<number, number>,
  needs: Int32Array,
  argumentCount: ArgumentCount,
): number {
  const at = slot * code.WORDS
  if (program.words[at + code.WORD_OP] === code.OP_CALL_LOCAL) {
    const index = bySlot.get(program.words[at + code.WORD_OFF] >> code.WORDS_SHIFT)
    return index === undefined ? ARGUMENTS : needs[index] & ARGUMENTS
  }
  return ((2 << argumentCount(slot)) - 1) & ARGUMENTS
}

function solve(
  { words }: code.Code<never>,
  graph: FunctionGraph,
  live: Int32Array,
  needs: (slot: number) => number,
): void {
  for (let changed = true; changed; ) {
    changed = false
    for (let block = graph.count - 1; block >= 0; block--) {
      let mask = graph.kind[block] === END.exit ? 1 : 0
      successors(graph, block, (successor) => {
        mask |= live[successor]
      })
      if (graph.kind[block] === END.branch) mask |= operands(words, graph.end[block] * code.WORDS)
      for (let slot = graph.end[block] - 1; slot >= graph.start[block]; slot--) {
        if (words[slot * code.WORDS + code.WORD_OP] === code.OP_INVALID) continue
        mask = before(words, slot, mask, needs)
      }
      if (mask === live[block]) continue
      live[block] = mask
      changed = true
    }
  }
}

/** Registers among an instruction's two operands. */
function operands(words: Int32Array, at: number): number {
  return bit(words[at + code.WORD_DST]) | bit(words[at + code.WORD_SRC])
}

function bit(operand: number): number {
  return operand < code.REGISTER_WORDS ? 1 << (operand >> 1) : 0
}

/** What is live before an instruction when `mask` is live after it. */
function before(
  words: Int32Array,
  slot: number,
  mask: number,
  needs: (slot: number) => number,
): number {
  const at = slot * code.WORDS
  const operation = words[at + code.WORD_OP]
  const dst = bit(words[at + code.WORD_DST])
  const src = bit(words[at + code.WORD_SRC])
  switch (operation) {
    case 0x85:
      // r1 to r5 stay what they are: some helpers promise it (bpf_fastcall).
      return (mask & ~1) | needs(slot)
    case code.OP_CALL_LOCAL:
      return (mask & ~CALLER_SAVED) | needs(slot)
    case code.OP_CALL_REGISTER:
      return (mask & ~CALLER_SAVED) | ARGUMENTS | dst
    case 0x18:
      return mask & ~dst
    case code.OP_ATOMIC32:
    case code.OP_ATOMIC64: {
      const imm = words[at + code.WORD_IMM]
      return mask | dst | src | (imm === BPF_CMPXCHG || (imm & BPF_FETCH) === 0 ? 1 : 0)
    }
    case code.OP_STORE_RELEASE:
      return mask | dst | src
    case code.OP_LOAD_ACQUIRE:
      return (mask & ~dst) | src
    case 0xbf:
    case 0xbc:
    case code.OP_CAST_ADDRESS:
    case code.OP_MOVSX8_32:
    case code.OP_MOVSX16_32:
    case code.OP_MOVSX8_64:
    case code.OP_MOVSX16_64:
    case code.OP_MOVSX32_64:
      return (mask & ~dst) | src
    default:
      return other(operation, mask, dst, src)
  }
}

function other(operation: number, mask: number, dst: number, src: number): number {
  if (operation > 0xff) {
    const divides = operation >= code.OP_SDIV32 && operation <= code.OP_SMOD64
    return mask | dst | (divides ? src : 0)
  }
  switch (operation & 7) {
    case 0:
      // Packet loads: r0 is the result; the indirect ones read src.
      return (mask & ~1) | ((operation & 0xe0) === 0x40 ? src : 0)
    case 1:
      return (mask & ~dst) | src
    case 2:
    case 3:
      return mask | dst | src
    default:
      // Negation has no second operand; its src field reads as r0 or a constant.
      return mask | dst | ((operation & 0xf0) === 0x80 ? 0 : src)
  }
}
