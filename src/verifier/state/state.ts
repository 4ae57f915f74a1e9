/**
 * A verifier state: the registers and stacks of up to eight frames, which lie in linear memory
 * (layout.ts), and what goes with them: references held, locks, and the state's place in the tree
 * of explored states.
 *
 * The current state's frames are at `CURRENT_BASE + n * FRAME_STRIDE`, each with room for all its
 * slots; a saved state's are packed one after another in a block of its own.
 *
 * Invariant: `refs` is never changed in place, so that copies can share it.
 */

/** What must be given back before the program ends. */
export interface Reference {
  readonly kind: "ptr" | "irq" | "lock" | "res_lock" | "res_lock_irq"
  readonly id: number
  /** Instruction that took it. */
  readonly insn: number
  /** What a lock belongs to: a map's index, or `-1 - id` of an allocated object; 0 otherwise. */
  readonly owner: number
}

/** One step of how a state came about, for backtracking: kept at jumps and at stack accesses. */
export interface HistoryEntry {
  readonly insn: number
  readonly previous: number
  /** INSN_F_… bits, with frame number and stack slot. */
  flags: number
  /** Registers that were linked by id when bounds of one were found: see linked-registers.ts. */
  linked: readonly number[] | null
}

export class State {
  /** Frames in use; the innermost is `frames - 1`. */
  frames = 1
  /** Where the packed frames of a saved state lie, and how many bytes; 0 for the current state. */
  block = 0
  blockBytes = 0

  refs: readonly Reference[] = []
  activeLocks = 0
  /** Id and owner of the last lock taken. */
  activeLockId = 0
  activeLockOwner = 0
  activePreemptLocks = 0
  /** Id of the saved IRQ flags that must be restored next; 0 when interrupts are on. */
  activeIrqId = 0
  activeRcuLocks = 0
  speculative = false
  inSleepable = false

  insn = 0
  firstInsn = 0
  lastInsn = 0
  /** States explored before this one on its path; branches still to be explored below it. */
  parent: State | null = null
  branches = 0
  dfsDepth = 0
  callbackUnrollDepth = 0
  mayGotoDepth = 0
  history: HistoryEntry[] = []
  /** Dead registers and slots are cleared already. */
  cleaned = false
  /** The state that this one was found to be in a loop with, and the like: prune.ts. */
  equalState: State | null = null

  /** Everything but the frames, the tree and the history: what a branch starts with. */
  copyConditionsFrom(other: State): void {
    this.frames = other.frames
    this.refs = other.refs
    this.activeLocks = other.activeLocks
    this.activeLockId = other.activeLockId
    this.activeLockOwner = other.activeLockOwner
    this.activePreemptLocks = other.activePreemptLocks
    this.activeIrqId = other.activeIrqId
    this.activeRcuLocks = other.activeRcuLocks
    this.speculative = other.speculative
    this.inSleepable = other.inSleepable
    this.dfsDepth = other.dfsDepth
    this.callbackUnrollDepth = other.callbackUnrollDepth
    this.mayGotoDepth = other.mayGotoDepth
  }
}
