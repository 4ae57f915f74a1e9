/**
 * Which stack slots may still be read: found while exploring, and used to forget what nobody will
 * look at before states are compared.
 *
 * For each chain of calls (the call sites of its frames) and each instruction we collect the slots
 * that it may read, over all visits, and those that it overwrites on every visit. A backward data
 * flow over the subprogram then gives the slots that are live. What a callee reads of a caller's
 * stack is held to be read by the call.
 *
 * Invariants: a state whose continuations have all been explored was explored through instructions
 * whose reads are in here, so a slot that is not live is never read again; what is live only ever
 * grows (an instruction that was not visited yet counts as overwriting everything), so changes are
 * carried backwards from where they happened and nothing is computed twice.
 */

import type { Code } from "../program/code.ts"
import { edgesOf } from "../program/flow.ts"
import { findPredecessors, type Predecessors } from "../program/predecessors.ts"
import type { Explorer } from "./explorer.ts"
import { insnOfFrame } from "./loops.ts"

/** What is known of one frame of one chain of calls: two words (slots 0-31, 32-63) an instruction. */
interface Chain {
  readonly start: number
  readonly end: number
  readonly reads: Int32Array
  readonly writes: Int32Array
  readonly visited: Uint8Array
  readonly live: Int32Array
  /** Instructions whose reads or writes changed since the last flow. */
  changed: number[]
}

export class StackLiveness {
  private readonly code: Code
  private readonly chains = new Map<string, Chain>()
  /** Chains of the current path's frames; looked up again when the path changes. */
  private current: Chain[] = []
  private currentInsns: number[] = []
  private valid = false
  private sources: Predecessors | null = null
  /** What the current instruction did, by frame: read and write masks. */
  private readonly reads = new Int32Array(16)
  private readonly writes = new Int32Array(16)
  private touched = 0

  constructor(code: Code) {
    this.code = code
  }

  /** Frames were opened or closed, or another path is current. */
  pathChanged(): void {
    this.valid = false
  }

  read(frame: number, first: number, last: number): void {
    this.touched |= 1 << frame
    addMask(this.reads, frame * 2, first, last)
  }

  write(frame: number, first: number, last: number): void {
    this.touched |= 1 << frame
    addMask(this.writes, frame * 2, first, last)
  }

  /**
   * The current instruction is done. `mayWrite`: it is of a kind that writes to the stack, if not
   * on this visit.
   */
  commit(x: Explorer, insn: number, mayWrite: boolean): void {
    if (this.touched === 0 && !mayWrite) {
      this.visit(x, insn)
      return
    }
    if (!this.valid) this.lookUp(x)
    const { frames } = x.state
    for (let frame = 0; frame < frames; frame++) {
      const innermost = frame === frames - 1
      const chain = this.current[frame]
      if (chain === undefined) continue
      if (innermost) this.add(chain, insn, frame, true)
      else if (this.touched & (1 << frame)) this.add(chain, this.currentInsns[frame], frame, false)
    }
    this.reads.fill(0)
    this.writes.fill(0)
    this.touched = 0
  }

  /** Forgets what the current instruction did: a call that opened a frame writes nothing itself. */
  abandon(): void {
    this.reads.fill(0)
    this.writes.fill(0)
    this.touched = 0
  }

  private add(chain: Chain, insn: number, frame: number, own: boolean): void {
    const index = insn - chain.start
    const at = index * 2
    const { reads, writes } = chain
    const readLow = reads[at] | this.reads[frame * 2]
    const readHigh = reads[at + 1] | this.reads[frame * 2 + 1]
    let writeLow = writes[at]
    let writeHigh = writes[at + 1]
    if (own) {
      writeLow &= this.writes[frame * 2]
      writeHigh &= this.writes[frame * 2 + 1]
    } else if (chain.visited[index] === 0) {
      // A call that waits for its callee overwrites nothing.
      writeLow = 0
      writeHigh = 0
    }
    chain.visited[index] = 1
    if (
      readLow === reads[at] &&
      readHigh === reads[at + 1] &&
      writeLow === writes[at] &&
      writeHigh === writes[at + 1]
    )
      return
    reads[at] = readLow
    reads[at + 1] = readHigh
    writes[at] = writeLow
    writes[at + 1] = writeHigh
    chain.changed.push(insn)
  }

  /** An instruction that neither reads nor writes the stack was visited. */
  visit(x: Explorer, insn: number): void {
    if (!this.valid) this.lookUp(x)
    const chain = this.current[x.state.frames - 1]
    const index = insn - chain.start
    if (chain.visited[index] !== 0) return
    chain.visited[index] = 1
    chain.writes[index * 2] = 0
    chain.writes[index * 2 + 1] = 0
    chain.changed.push(insn)
  }

  /** Live slots of a frame of a chain at `insn`: [slots 0-31, slots 32-63]. */
  liveAt(key: string, insn: number): readonly [low: number, high: number] {
    const chain = this.chains.get(key)
    if (chain === undefined || insn < chain.start || insn >= chain.end) return ALL
    if (chain.changed.length > 0) this.flow(chain)
    const at = (insn - chain.start) * 2
    return [chain.live[at], chain.live[at + 1]]
  }

  private lookUp(x: Explorer): void {
    this.current = []
    this.currentInsns = []
    let key = ""
    for (let frame = 0; frame < x.state.frames; frame++) {
      const insn = insnOfFrame(x, x.state, frame)
      this.current.push(this.chainAt(key, insn))
      this.currentInsns.push(insn)
      key = `${key}${insn},`
    }
    this.valid = true
  }

  private chainAt(callers: string, insn: number): Chain {
    const subprogram = this.code.subprograms.find(({ start, end }) => insn >= start && insn < end)!
    const key = `${callers}@${subprogram.start}`
    const known = this.chains.get(key)
    if (known !== undefined) return known
    const length = subprogram.end - subprogram.start
    const chain: Chain = {
      start: subprogram.start,
      end: subprogram.end,
      reads: new Int32Array(length * 2),
      writes: new Int32Array(length * 2).fill(-1),
      visited: new Uint8Array(length),
      live: new Int32Array(length * 2),
      changed: [],
    }
    this.chains.set(key, chain)
    return chain
  }

  private flow(chain: Chain): void {
    const { code } = this
    const { start, end, live, reads, writes, changed } = chain
    this.sources ??= findPredecessors(code)
    const from = this.sources
    // The last ones first: most changes travel backwards through the program.
    changed.sort((first, second) => first - second)
    for (let insn = changed.pop(); insn !== undefined; insn = changed.pop()) {
      const { next, target } = edgesOf(code, insn)
      let low = 0
      let high = 0
      if (next >= start && next < end) {
        low |= live[(next - start) * 2]
        high |= live[(next - start) * 2 + 1]
      }
      if (target >= start) {
        low |= live[(target - start) * 2]
        high |= live[(target - start) * 2 + 1]
      }
      const at = (insn - start) * 2
      low = (low & ~writes[at]) | reads[at]
      high = (high & ~writes[at + 1]) | reads[at + 1]
      if (low === live[at] && high === live[at + 1]) continue
      live[at] = low
      live[at + 1] = high
      for (let index = from.first[insn]; index < from.first[insn + 1]; index++)
        changed.push(from.insns[index])
    }
  }
}

const ALL: readonly [number, number] = [-1, -1]

/** The key of {@link StackLiveness.liveAt}: call sites of the outer frames, then the subprogram. */
export function chainKey(callsites: readonly number[], subprogramStart: number): string {
  return `${callsites.map((insn) => `${insn},`).join("")}@${subprogramStart}`
}

function addMask(words: Int32Array, at: number, first: number, last: number): void {
  for (let slot = first; slot <= last; slot++) words[at + (slot >> 5)] |= 1 << (slot & 31)
}
