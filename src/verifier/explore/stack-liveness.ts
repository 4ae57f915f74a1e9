/**
 * Which stack slots may still be read: found while exploring, and used to forget what nobody will
 * look at before states are compared.
 *
 * For each chain of calls (the call sites of its frames) and each instruction we collect the slots
 * that it may read, over all visits, and those that it overwrites on every visit. A backward data
 * flow over the subprogram then gives the slots that are live. What a callee reads of a caller's
 * stack is held to be read by the call.
 *
 * Invariant: a state whose continuations have all been explored was explored through instructions
 * whose reads are in here, so a slot that is not live is never read again.
 */

import type { Code } from "../program/code.ts"
import { SECOND_SLOT } from "../program/code.ts"
import { edgesOf } from "../program/flow.ts"

/** What is known of one frame of one chain of calls: two words (slots 0-31, 32-63) an instruction. */
interface Chain {
  readonly start: number
  readonly end: number
  readonly reads: Int32Array
  readonly writes: Int32Array
  readonly visited: Uint8Array
  readonly live: Int32Array
  stale: boolean
}

export class StackLiveness {
  private readonly code: Code
  private readonly chains = new Map<string, Chain>()
  /** Chains of the current path's frames; looked up again when the path changes. */
  private current: Chain[] = []
  private currentInsns: number[] = []
  private valid = false
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
   * The current instruction is done: `callsites` gives the instruction that each outer frame is
   * at. `mayWrite`: it is of a kind that writes to the stack, if not on this visit.
   */
  commit(
    frames: number,
    callsites: (frame: number) => number,
    insn: number,
    mayWrite: boolean,
  ): void {
    if (this.touched === 0 && !mayWrite) return
    if (!this.valid) this.lookUp(frames, callsites)
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
    const at = (insn - chain.start) * 2
    for (let half = 0; half < 2; half++) {
      const read = this.reads[frame * 2 + half]
      if ((chain.reads[at + half] | read) !== chain.reads[at + half]) {
        chain.reads[at + half] |= read
        chain.stale = true
      }
      if (!own) continue
      const write = this.writes[frame * 2 + half]
      const before = chain.writes[at + half]
      const after = chain.visited[insn - chain.start] ? before & write : write
      if (after !== before) {
        chain.writes[at + half] = after
        chain.stale = true
      }
    }
    if (own && chain.visited[insn - chain.start] === 0) {
      chain.visited[insn - chain.start] = 1
      chain.stale = true
    }
  }

  /** Live slots of a frame of a chain at `insn`: [slots 0-31, slots 32-63]. */
  liveAt(key: string, insn: number): readonly [low: number, high: number] {
    const chain = this.chains.get(key)
    if (chain === undefined || insn < chain.start || insn >= chain.end) return ALL
    if (chain.stale) this.flow(chain)
    const at = (insn - chain.start) * 2
    return [chain.live[at], chain.live[at + 1]]
  }

  private lookUp(frames: number, callsites: (frame: number) => number): void {
    this.current = []
    this.currentInsns = []
    let key = ""
    for (let frame = 0; frame < frames; frame++) {
      const insn = callsites(frame)
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
      writes: new Int32Array(length * 2),
      visited: new Uint8Array(length),
      live: new Int32Array(length * 2),
      stale: true,
    }
    this.chains.set(key, chain)
    return chain
  }

  private flow(chain: Chain): void {
    const { code } = this
    const { start, end, live, reads, writes } = chain
    live.fill(0)
    for (let changed = true; changed; ) {
      changed = false
      for (let insn = end - 1; insn >= start; insn--) {
        if (code.marks[insn] & SECOND_SLOT) continue
        const { next, target } = edgesOf(code, insn)
        const at = (insn - start) * 2
        for (let half = 0; half < 2; half++) {
          let out = 0
          if (next >= start && next < end) out |= live[(next - start) * 2 + half]
          if (target >= start) out |= live[(target - start) * 2 + half]
          const before = (out & ~writes[at + half]) | reads[at + half]
          if (before === live[at + half]) continue
          live[at + half] = before
          changed = true
        }
      }
    }
    chain.stale = false
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
