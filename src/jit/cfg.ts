/**
 * First pass: the control-flow graph of each function of a decoded program.
 *
 * Invariants of what it gives: blocks are numbered in reverse post order from 0, the entry, and
 * all are reachable; an edge to a block with a number that is not larger goes back; a block ends
 * before the next leader or after its terminator; time is linear in the slots that are reached.
 */

import * as code from "../interpreter/code.ts"
import type { JitFacts } from "./facts.ts"

/** How a block ends. */
export const END = {
  /** Goes on at `next`. */
  fall: 0,
  /** Compares: `taken` or `next`. */
  branch: 1,
  /** may_goto: `next` until the rounds are used up, then `taken`. */
  mayGoto: 2,
  exit: 3,
  /** Runs past the end of the program, or into half an instruction: a fault. */
  invalid: 4,
  /** Made by the structuring pass: goes where the function's label says. */
  dispatch: 5,
  /** Made when a function is cut: goes on in another chunk, at `nextLabel`. */
  leave: 6,
} as const

/** A longer block is cut, so that a large function can be (chunks.ts). */
const BLOCK_SLOTS_MAX = 8192

/** Blocks of one function. All arrays are indexed by block. */
export interface FunctionGraph {
  /** First slot of the function. */
  readonly slot: number
  readonly count: number
  /** Slots of the body: from `start` up to `end`, without the terminator. */
  readonly start: Int32Array
  readonly end: Int32Array
  /** An END_ number. */
  readonly kind: Uint8Array
  /** Blocks, or -1. */
  readonly taken: Int32Array
  readonly next: Int32Array
  /** What the edge sets the function's label to, or -1: only edges to dispatch blocks do. */
  readonly takenLabel: Int32Array
  readonly nextLabel: Int32Array
  /** Targets of dispatch blocks, by label. */
  readonly targets: ReadonlyMap<number, Int32Array>
}

/** A graph in the making, in any order of blocks. */
export interface RawGraph {
  readonly slot: number
  readonly start: number[]
  readonly end: number[]
  readonly kind: number[]
  readonly taken: number[]
  readonly next: number[]
  readonly takenLabel: number[]
  readonly nextLabel: number[]
  readonly targets: Map<number, number[]>
}

/** Slots where functions start, ascending. */
export function functionStarts(program: code.Code<never>): number[] {
  const starts: number[] = []
  for (let slot = 0; slot < program.length; slot++)
    if (program.words[slot * code.WORDS + code.WORD_FRAME] >= 0) starts.push(slot)
  return starts
}

/** Whether the decoded operation compares and jumps. */
export function isConditional(operation: number): boolean {
  if (operation > 0xff) return false
  const kind = operation & 7
  return (
    (kind === 5 || kind === 6) && operation !== 0x85 && operation !== 0x95 && operation !== 0x05
  )
}

function isTerminator(operation: number): boolean {
  return (
    operation === 0x05 ||
    operation === 0x95 ||
    operation === code.OP_INVALID ||
    operation === code.OP_MAY_GOTO ||
    isConditional(operation)
  )
}

/** Marks the slots where blocks start, of all functions. */
export function findLeaders(program: code.Code<never>): Uint8Array {
  const { words, length } = program
  const leaders = new Uint8Array(length + 1)
  for (let slot = 0; slot < length; slot++) {
    const at = slot * code.WORDS
    if (words[at + code.WORD_FRAME] >= 0) leaders[slot] = 1
    const operation = words[at + code.WORD_OP]
    if (!isTerminator(operation)) continue
    leaders[slot + 1] = 1
    if (operation !== 0x95 && operation !== code.OP_INVALID)
      leaders[words[at + code.WORD_OFF] >> code.WORDS_SHIFT] = 1
  }
  return leaders
}

/** Collects the blocks that are reached from `entry`. `blockAt` is scratch: -1 everywhere. */
export function collectBlocks(
  program: code.Code<never>,
  entry: number,
  leaders: Uint8Array,
  blockAt: Int32Array,
  facts: JitFacts | null,
): RawGraph {
  const raw: RawGraph = {
    slot: entry,
    start: [],
    end: [],
    kind: [],
    taken: [],
    next: [],
    takenLabel: [],
    nextLabel: [],
    targets: new Map(),
  }
  const work: number[] = []
  const blockOf = (slot: number): number => {
    if (blockAt[slot] >= 0) return blockAt[slot]
    const block = raw.start.length
    blockAt[slot] = block
    raw.start.push(slot)
    raw.end.push(slot)
    raw.kind.push(END.fall)
    raw.taken.push(-1)
    raw.next.push(-1)
    raw.takenLabel.push(-1)
    raw.nextLabel.push(-1)
    work.push(block)
    return block
  }
  blockOf(entry)
  for (let block = work.pop(); block !== undefined; block = work.pop())
    scanBlock(program, raw, block, leaders, blockOf, facts)
  for (const slot of raw.start) blockAt[slot] = -1
  return raw
}

function scanBlock(
  program: code.Code<never>,
  raw: RawGraph,
  block: number,
  leaders: Uint8Array,
  blockOf: (slot: number) => number,
  facts: JitFacts | null,
): void {
  const { words } = program
  let slot = raw.start[block]
  for (;;) {
    const at = slot * code.WORDS
    const operation = words[at + code.WORD_OP]
    if (isTerminator(operation)) {
      raw.end[block] = slot
      terminate(raw, block, slot, words, blockOf, facts)
      return
    }
    slot += operation === 0x18 ? 2 : 1
    if (leaders[slot] === 1 || slot - raw.start[block] >= BLOCK_SLOTS_MAX) break
  }
  raw.end[block] = slot
  raw.next[block] = blockOf(slot)
}

function terminate(
  raw: RawGraph,
  block: number,
  slot: number,
  words: Int32Array,
  blockOf: (slot: number) => number,
  facts: JitFacts | null,
): void {
  const operation = words[slot * code.WORDS + code.WORD_OP]
  const target = words[slot * code.WORDS + code.WORD_OFF] >> code.WORDS_SHIFT
  if (operation === 0x95) raw.kind[block] = END.exit
  else if (operation === code.OP_INVALID) raw.kind[block] = END.invalid
  else if (operation === 0x05) raw.next[block] = blockOf(target)
  else {
    const only = facts?.branches?.get(slot)
    if (only === "taken") raw.next[block] = blockOf(target)
    else if (only === "next" || target === slot + 1) raw.next[block] = blockOf(slot + 1)
    else {
      raw.kind[block] = operation === code.OP_MAY_GOTO ? END.mayGoto : END.branch
      raw.next[block] = blockOf(slot + 1)
      raw.taken[block] = blockOf(target)
    }
  }
}

/** Calls `visit` for each successor of a block. */
export function successors(
  graph: {
    readonly taken: ArrayLike<number>
    readonly next: ArrayLike<number>
    readonly targets: ReadonlyMap<number, ArrayLike<number>>
  },
  block: number,
  visit: (successor: number) => void,
): void {
  if (graph.taken[block] >= 0) visit(graph.taken[block])
  if (graph.next[block] >= 0) visit(graph.next[block])
  const targets = graph.targets.get(block)
  if (targets !== undefined) for (let i = 0; i < targets.length; i++) visit(targets[i])
}

/** Numbers the blocks in reverse post order. Block 0 is the entry. */
export function orderBlocks(raw: RawGraph): FunctionGraph {
  const total = raw.start.length
  const lists: number[][] = []
  const seen = new Uint8Array(total)
  const post: number[] = []
  const path: number[] = [0]
  const position: number[] = [0]
  const edges = (block: number): number[] => {
    const list: number[] = []
    successors(raw, block, (successor) => list.push(successor))
    // The last one visited comes first in the order: that of `taken`, then `next`.
    return list.reverse()
  }
  seen[0] = 1
  lists.push(edges(0))
  while (path.length > 0) {
    const top = path.length - 1
    const list = lists[top]
    if (position[top] < list.length) {
      const successor = list[position[top]++]
      if (seen[successor] === 1) continue
      seen[successor] = 1
      path.push(successor)
      position.push(0)
      lists.push(edges(successor))
    } else {
      post.push(path[top])
      path.pop()
      position.pop()
      lists.pop()
    }
  }
  return renumber(raw, post.reverse(), total)
}

function renumber(raw: RawGraph, order: readonly number[], total: number): FunctionGraph {
  const number = new Int32Array(total).fill(-1)
  order.forEach((block, index) => {
    number[block] = index
  })
  const pick = (from: readonly number[]): Int32Array =>
    Int32Array.from(order, (block) => from[block])
  const pickBlocks = (from: readonly number[]): Int32Array =>
    Int32Array.from(order, (block) => (from[block] < 0 ? -1 : number[from[block]]))
  const targets = new Map<number, Int32Array>()
  for (const [block, list] of raw.targets)
    if (number[block] >= 0)
      targets.set(
        number[block],
        Int32Array.from(list, (target) => number[target]),
      )
  return {
    slot: raw.slot,
    count: order.length,
    start: pick(raw.start),
    end: pick(raw.end),
    kind: Uint8Array.from(order, (block) => raw.kind[block]),
    taken: pickBlocks(raw.taken),
    next: pickBlocks(raw.next),
    takenLabel: pick(raw.takenLabel),
    nextLabel: pick(raw.nextLabel),
    targets,
  }
}
