/**
 * Second pass: the dominator tree (Lengauer and Tarjan 1979, the simple version with path
 * compression: O(edges × log blocks), without recursion), and intervals that answer "dominates"
 * in constant time.
 */

import { type FunctionGraph, successors } from "./cfg.ts"

export interface Dominators {
  /** Immediate dominator by block; the entry's is itself. */
  readonly parent: Int32Array
  /** Whether every path from the entry to `block` goes through `by`. */
  dominates(by: number, block: number): boolean
  /** Predecessors: those of `block` are `list[first[block]]` up to `list[first[block + 1]]`. */
  readonly predecessors: { readonly first: Int32Array; readonly list: Int32Array }
}

function collectPredecessors(graph: FunctionGraph): Dominators["predecessors"] {
  const first = new Int32Array(graph.count + 1)
  for (let block = 0; block < graph.count; block++)
    successors(graph, block, (successor) => {
      first[successor + 1]++
    })
  for (let block = 0; block < graph.count; block++) first[block + 1] += first[block]
  const list = new Int32Array(first[graph.count])
  const filled = first.slice()
  for (let block = 0; block < graph.count; block++)
    successors(graph, block, (successor) => {
      list[filled[successor]++] = block
    })
  return { first, list }
}

/** Depth-first preorder: `vertex` by number, `number` by block, `above` the number of the parent. */
function preorder(graph: FunctionGraph): {
  vertex: Int32Array
  number: Int32Array
  above: Int32Array
} {
  const { count } = graph
  const vertex = new Int32Array(count)
  const number = new Int32Array(count).fill(-1)
  const above = new Int32Array(count)
  const work: number[] = [0]
  const from: number[] = [0]
  let used = 0
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    const parent = from.pop() ?? 0
    if (number[block] >= 0) continue
    const own = used++
    number[block] = own
    vertex[own] = block
    above[own] = parent
    successors(graph, block, (successor) => {
      if (number[successor] >= 0) return
      work.push(successor)
      from.push(own)
    })
  }
  return { vertex, number, above }
}

export function findDominators(graph: FunctionGraph): Dominators {
  const { count } = graph
  const predecessors = collectPredecessors(graph)
  const { vertex, number, above } = preorder(graph)
  const semi = Int32Array.from({ length: count }, (_, index) => index)
  const label = semi.slice()
  const ancestor = new Int32Array(count).fill(-1)
  const dominator = new Int32Array(count)
  const bucketHead = new Int32Array(count).fill(-1)
  const bucketNext = new Int32Array(count).fill(-1)
  const path: number[] = []
  const evaluate = (node: number): number => {
    if (ancestor[node] < 0) return node
    let walk = node
    while (ancestor[ancestor[walk]] >= 0) {
      path.push(walk)
      walk = ancestor[walk]
    }
    for (let below = path.pop(); below !== undefined; below = path.pop()) {
      const up = ancestor[below]
      if (semi[label[up]] < semi[label[below]]) label[below] = label[up]
      ancestor[below] = ancestor[up]
    }
    return label[node]
  }
  for (let node = count - 1; node > 0; node--) {
    const block = vertex[node]
    for (let at = predecessors.first[block]; at < predecessors.first[block + 1]; at++) {
      const best = evaluate(number[predecessors.list[at]])
      if (semi[best] < semi[node]) semi[node] = semi[best]
    }
    bucketNext[node] = bucketHead[semi[node]]
    bucketHead[semi[node]] = node
    const parent = above[node]
    ancestor[node] = parent
    for (let one = bucketHead[parent]; one >= 0; one = bucketNext[one]) {
      const best = evaluate(one)
      dominator[one] = semi[best] < semi[one] ? best : parent
    }
    bucketHead[parent] = -1
  }
  const parent = new Int32Array(count)
  for (let node = 1; node < count; node++) {
    if (dominator[node] !== semi[node]) dominator[node] = dominator[dominator[node]]
    parent[vertex[node]] = vertex[dominator[node]]
  }
  return { parent, predecessors, dominates: intervals(parent) }
}

/** A block's dominator has a smaller number, so sizes add up from the end. */
function intervals(parent: Int32Array): (by: number, block: number) => boolean {
  const count = parent.length
  const size = new Int32Array(count).fill(1)
  for (let block = count - 1; block > 0; block--) size[parent[block]] += size[block]
  const first = new Int32Array(count)
  const next = new Int32Array(count)
  next[0] = 1
  for (let block = 1; block < count; block++) {
    first[block] = next[parent[block]]
    next[parent[block]] += size[block]
    next[block] = first[block] + 1
  }
  return (by, block) => first[block] >= first[by] && first[block] < first[by] + size[by]
}
