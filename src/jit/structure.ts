/**
 * Third pass: from a control-flow graph to nested blocks and loops, along the dominator tree
 * (Ramsey, "Beyond Relooper", 2022).
 *
 * Invariants: every edge to a block with several forward predecessors leaves the `block` that ends
 * where that one begins; every edge back repeats the `loop` of its target; a graph that cannot be
 * nested so is first given dispatch blocks, which are the only entries of their regions. Nothing
 * here recurses.
 */

import { END, type FunctionGraph, orderBlocks, type RawGraph, successors } from "./cfg.ts"
import { type Dominators, findDominators } from "./dominators.ts"
import { EMPTY_TYPE, op } from "./opcodes.ts"
import type { Writer } from "./writer.ts"

/** A graph that can be nested, and how. */
export interface Structure {
  readonly graph: FunctionGraph
  readonly dominators: Dominators
  /** 1 for targets of edges that go back. */
  readonly isLoop: Uint8Array
  /** 1 for blocks that are reached by leaving a `block`. */
  readonly isMerge: Uint8Array
  /** Merge blocks below a block in the tree, those that come last first: a linked list. */
  readonly firstMerge: Int32Array
  readonly nextMerge: Int32Array
  /** Dispatch blocks that had to be added. */
  readonly dispatches: number
}

/** Rounds of adding dispatch blocks, and regions in a round, before all blocks get one dispatch. */
const ROUNDS_MAX = 16
const REGIONS_MAX = 64

/** Makes the graph reducible, if it is not, and finds out how to nest it. */
export function structureGraph(raw: RawGraph): Structure {
  let graph = orderBlocks(raw)
  let dispatches = 0
  for (let round = 0; ; round++) {
    const dominators = findDominators(graph)
    const bad = irreducibleTargets(graph, dominators)
    if (bad.length === 0) return { ...nest(graph, dominators), dispatches }
    const regions =
      round >= ROUNDS_MAX || bad.length > REGIONS_MAX
        ? [Array.from({ length: graph.count - 1 }, (_, index) => index + 1)]
        : findRegions(graph, dominators, bad)
    dispatches += regions.length
    graph = orderBlocks(addDispatches(graph, regions))
  }
}

function irreducibleTargets(graph: FunctionGraph, dominators: Dominators): number[] {
  const bad = new Set<number>()
  for (let block = 0; block < graph.count; block++)
    successors(graph, block, (target) => {
      if (target <= block && !dominators.dominates(target, block)) bad.add(target)
    })
  return [...bad]
}

/** For each cycle with several entries: its entries. Disjoint. */
function findRegions(
  graph: FunctionGraph,
  dominators: Dominators,
  bad: readonly number[],
): number[][] {
  const { first, list } = dominators.predecessors
  const taken = new Set<number>()
  const regions: number[][] = []
  for (const target of bad) {
    if (taken.has(target)) continue
    const above = dominators.parent[target]
    const inside = (block: number): boolean => block !== above && dominators.dominates(above, block)
    const forward = reach(target, inside, (block, visit) => successors(graph, block, visit))
    const backward = reach(target, inside, (block, visit) => {
      for (let at = first[block]; at < first[block + 1]; at++) visit(list[at])
    })
    const entries: number[] = []
    for (const block of forward) {
      if (!backward.has(block)) continue
      let entry = block === target
      for (let at = first[block]; at < first[block + 1]; at++)
        if (!(forward.has(list[at]) && backward.has(list[at]))) entry = true
      if (entry && !taken.has(block)) entries.push(block)
    }
    for (const block of forward) if (backward.has(block)) taken.add(block)
    regions.push(entries)
  }
  return regions
}

function reach(
  from: number,
  inside: (block: number) => boolean,
  edges: (block: number, visit: (to: number) => void) => void,
): Set<number> {
  const found = new Set([from])
  const work = [from]
  for (let block = work.pop(); block !== undefined; block = work.pop())
    edges(block, (to) => {
      if (found.has(to) || !inside(to)) return
      found.add(to)
      work.push(to)
    })
  return found
}

/** Sends all edges to the entries of a region through one new block. */
function addDispatches(graph: FunctionGraph, regions: readonly (readonly number[])[]): RawGraph {
  const raw: RawGraph = {
    slot: graph.slot,
    start: [...graph.start],
    end: [...graph.end],
    kind: [...graph.kind],
    taken: [...graph.taken],
    next: [...graph.next],
    takenLabel: [...graph.takenLabel],
    nextLabel: [...graph.nextLabel],
    targets: new Map([...graph.targets].map(([block, list]) => [block, [...list]])),
  }
  const via = new Map<number, { readonly dispatch: number; readonly label: number }>()
  for (const entries of regions) {
    const dispatch = raw.start.length
    addBlock(raw, graph.start[entries[0]], END.dispatch, -1, -1)
    raw.targets.set(dispatch, [...entries])
    entries.forEach((entry, label) => {
      via.set(entry, { dispatch, label })
    })
  }
  for (let block = 0; block < graph.count; block++) {
    const taken = via.get(raw.taken[block])
    if (taken !== undefined) {
      raw.taken[block] = taken.dispatch
      raw.takenLabel[block] = taken.label
    }
    const next = via.get(raw.next[block])
    if (next !== undefined) {
      raw.next[block] = next.dispatch
      raw.nextLabel[block] = next.label
    }
    // A dispatch cannot set a label on its way: an empty block in between does.
    raw.targets.get(block)?.forEach((target, index, list) => {
      const hop = via.get(target)
      if (hop === undefined) return
      list[index] = raw.start.length
      addBlock(raw, graph.start[target], END.fall, hop.dispatch, hop.label)
    })
  }
  return raw
}

function addBlock(raw: RawGraph, slot: number, kind: number, next: number, label: number): void {
  raw.start.push(slot)
  raw.end.push(slot)
  raw.kind.push(kind)
  raw.taken.push(-1)
  raw.next.push(next)
  raw.takenLabel.push(-1)
  raw.nextLabel.push(label)
}

function nest(graph: FunctionGraph, dominators: Dominators): Omit<Structure, "dispatches"> {
  const { count } = graph
  const isLoop = new Uint8Array(count)
  const forward = new Int32Array(count)
  const isMerge = new Uint8Array(count)
  for (let block = 0; block < count; block++) {
    successors(graph, block, (target) => {
      if (target <= block) isLoop[target] = 1
      else forward[target]++
    })
    graph.targets.get(block)?.forEach((target) => {
      if (target > block) isMerge[target] = 1
    })
  }
  const firstMerge = new Int32Array(count).fill(-1)
  const nextMerge = new Int32Array(count).fill(-1)
  for (let block = 1; block < count; block++) {
    if (forward[block] > 1) isMerge[block] = 1
    if (isMerge[block] === 0) continue
    const parent = dominators.parent[block]
    nextMerge[block] = firstMerge[parent]
    firstMerge[parent] = block
  }
  return { graph, dominators, isLoop, isMerge, firstMerge, nextMerge }
}

/** What the blocks themselves are made of. */
export interface BlockEmitter {
  /** At the start of a loop. */
  loop(block: number): void
  /** The instructions before the terminator. */
  body(block: number): void
  /** Leaves an i32 that is not 0 when the edge `taken` is to be taken. */
  condition(block: number): void
  exit(block: number): void
  invalid(block: number): void
  /** Goes on at a place outside of the graph. */
  leaveChunk(where: number): void
  /** The local that dispatch blocks read. */
  labelLocal(): number
}

/** Depth of nesting around what is being written; shared by functions that are inlined. */
export interface Nesting {
  depth: number
}

const TREE = 0
const BODY = 1
const END_BLOCK = 2
const ELSE = 3
const EDGE = 4

/** Writes the function's blocks; control never falls out of the end. */
export function emitStructured(
  writer: Writer,
  structure: Structure,
  emitter: BlockEmitter,
  nesting: Nesting,
): void {
  new Nester(writer, structure, emitter, nesting).run()
}

class Nester {
  private readonly writer: Writer
  private readonly structure: Structure
  private readonly emitter: BlockEmitter
  private readonly nesting: Nesting
  /** Triples (what, block, argument), in reverse order. */
  private readonly work: number[] = []
  private readonly loopDepth: Int32Array
  private readonly mergeDepth: Int32Array

  constructor(writer: Writer, structure: Structure, emitter: BlockEmitter, nesting: Nesting) {
    this.writer = writer
    this.structure = structure
    this.emitter = emitter
    this.nesting = nesting
    this.loopDepth = new Int32Array(structure.graph.count).fill(-1)
    this.mergeDepth = new Int32Array(structure.graph.count).fill(-1)
  }

  run(): void {
    const { work, writer, nesting } = this
    this.push(TREE, 0, 0)
    while (work.length > 0) {
      const argument = work.pop() as number
      const block = work.pop() as number
      switch (work.pop()) {
        case TREE:
          this.tree(block)
          break
        case BODY:
          this.body(block)
          break
        case END_BLOCK:
          writer.byte(op.end)
          nesting.depth--
          break
        case ELSE:
          writer.byte(op.else)
          break
        default:
          this.edge(block, argument === 1)
      }
    }
  }

  private push(what: number, block: number, argument: number): void {
    this.work.push(what, block, argument)
  }

  private tree(block: number): void {
    const { structure, writer, nesting } = this
    if (structure.isLoop[block] === 1) {
      writer.open(op.loop, EMPTY_TYPE)
      this.loopDepth[block] = nesting.depth++
      this.emitter.loop(block)
      this.push(END_BLOCK, 0, 0)
    }
    // The work is a stack: what is pushed first comes last, as the outermost block ends last.
    for (let merge = structure.firstMerge[block]; merge >= 0; merge = structure.nextMerge[merge]) {
      writer.open(op.block, EMPTY_TYPE)
      this.mergeDepth[merge] = nesting.depth++
      this.push(TREE, merge, 0)
      this.push(END_BLOCK, 0, 0)
    }
    this.push(BODY, block, 0)
  }

  private body(block: number): void {
    const { emitter } = this
    const { graph } = this.structure
    emitter.body(block)
    switch (graph.kind[block]) {
      case END.fall:
        this.edge(block, false)
        break
      case END.exit:
        emitter.exit(block)
        break
      case END.invalid:
        emitter.invalid(block)
        break
      case END.dispatch:
        this.dispatch(block)
        break
      case END.leave:
        emitter.leaveChunk(graph.nextLabel[block])
        break
      default:
        this.branch(block)
    }
  }

  /** The depth to branch to for an edge, or -1 when the target is written in place. */
  private label(from: number, to: number): number {
    const at =
      to <= from ? this.loopDepth[to] : this.structure.isMerge[to] === 1 ? this.mergeDepth[to] : -1
    return at < 0 ? -1 : this.nesting.depth - 1 - at
  }

  private edge(block: number, taken: boolean): void {
    const { graph } = this.structure
    const { writer } = this
    const to = taken ? graph.taken[block] : graph.next[block]
    const label = taken ? graph.takenLabel[block] : graph.nextLabel[block]
    if (label >= 0) {
      writer.i32(label)
      writer.set(this.emitter.labelLocal())
    }
    const depth = this.label(block, to)
    if (depth >= 0) writer.branch(op.br, depth)
    else this.push(TREE, to, 0)
  }

  private branch(block: number): void {
    const { graph } = this.structure
    const { writer } = this
    this.emitter.condition(block)
    const taken = graph.takenLabel[block] < 0 ? this.label(block, graph.taken[block]) : -1
    if (taken >= 0) {
      writer.branch(op.br_if, taken)
      this.edge(block, false)
      return
    }
    const next = graph.nextLabel[block] < 0 ? this.label(block, graph.next[block]) : -1
    if (next >= 0) {
      writer.byte(op.i32_eqz)
      writer.branch(op.br_if, next)
      this.edge(block, true)
      return
    }
    writer.open(op.if, EMPTY_TYPE)
    this.nesting.depth++
    this.push(END_BLOCK, 0, 0)
    this.push(EDGE, block, 0)
    this.push(ELSE, 0, 0)
    this.push(EDGE, block, 1)
  }

  private dispatch(block: number): void {
    const { writer } = this
    const targets = this.structure.graph.targets.get(block) ?? []
    writer.get(this.emitter.labelLocal())
    writer.byte(op.br_table)
    writer.u32(targets.length - 1)
    for (const target of targets) writer.u32(this.label(block, target))
  }
}
