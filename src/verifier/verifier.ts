/**
 * The verifier at work on one program: what all rules share. Rules are functions in rules/ that
 * take a {@link Verifier}; they read and write the current state's registers in linear memory,
 * and throw a Rejection (by {@link Verifier.reject}) when the program breaks one.
 *
 * The names of methods follow the kernel's where they do the same.
 */

import type { Btf } from "../btf/index.ts"
import type { Domain } from "./domain/domain.ts"
import type { VerifierInput, VerifierMap } from "./input.ts"
import type { Log } from "./log/log.ts"
import type { Code, Subprogram } from "./program/code.ts"
import type { RejectionDetails } from "./rejection.ts"
import type { Reference, State } from "./state/state.ts"

/** How {@link Verifier.checkRegister} uses a register. */
export const SRC_OP = 0
export const DST_OP = 1
/** As a destination, but what it holds stays. */
export const DST_OP_NO_MARK = 2

/** The shared part of a verification. Implemented in explore/explorer.ts. */
export interface Verifier {
  readonly input: VerifierInput
  readonly code: Code
  readonly domain: Domain
  readonly log: Log
  /** Maps that the program names, by index; maps of maps append their inner maps. */
  readonly maps: VerifierMap[]
  /** BTFs that types come from, by index: 0 the kernel's, then the program's, then maps'. */
  readonly btfs: Btf[]

  /** The state being explored, its instruction, and the one before it on this path. */
  readonly state: State
  insn: number
  previousInsn: number

  /** Privileges, as the kernel derives them from capabilities. */
  readonly allowPtrLeaks: boolean
  readonly allowUninitStack: boolean
  readonly bypassSpecV1: boolean
  readonly bypassSpecV4: boolean
  readonly bpfCapable: boolean
  readonly strictAlignment: boolean

  // ---- places ---------------------------------------------------------------------------

  /** Address of frame `n` of the current state. */
  frame(n: number): number
  /** Address of the innermost frame, and its number. */
  currentFrame(): number
  readonly currentFrameNumber: number
  /** Address of register `n` of the innermost frame. */
  reg(n: number): number
  /** Address of register `n` of a frame. */
  regOf(frame: number, n: number): number
  /** Address of stack slot `spi` (0 nearest to the frame pointer) of a frame; its spilled register. */
  slot(frame: number, spi: number): number
  /** Type of a stack byte: `byte` 0 to 7 of slot `spi`. */
  slotType(frame: number, spi: number, byte: number): number
  setSlotType(frame: number, spi: number, byte: number, type: number): void
  /** Slots in use; {@link growStack} makes room for offset `-size`, new slots are STACK_INVALID. */
  slots(frame: number): number
  growStack(frame: number, bytes: number): void
  /** Scratch register `n` (0 to 15 are for rules), not initialised. */
  scratch(n: number): number
  /** Calls back with each initialised register and spilled register of all frames. */
  forEachRegister(visit: (reg: number) => void): void

  // ---- registers ------------------------------------------------------------------------

  /** "R%d !read_ok", "frame pointer is read only": whether an instruction may use register `n`. */
  checkRegister(n: number, use: number): void
  /** Marks a register as an unknown scalar (and scratched, for the log). */
  markUnknown(n: number): void
  /** The register's value matters exactly: backtracks to what it was made from. */
  markPrecise(n: number): void
  /** As {@link markPrecise}, for the scalar spilled in slot `spi` of frame `n`. */
  markSlotPrecise(n: number, spi: number): void
  /** A fresh id for pointers and scalars. */
  newId(): number
  /** Log: print this register (slot) with the next instruction. */
  scratchRegister(n: number): void
  scratchSlot(spi: number): void
  /** Bounds of a pointer's offset that comes from variables: "R%d min value is…" rules use them. */
  isNull(reg: number): boolean

  // ---- stack liveness and history ---------------------------------------------------------

  /** The current instruction reads, or surely overwrites, slots `first` to `last` of frame `n`. */
  noteStackRead(n: number, first: number, last: number): void
  noteStackWrite(n: number, first: number, last: number): void
  /** The current instruction spills to or fills from slot `spi` of frame `n`: for backtracking. */
  noteStackAccess(n: number, spi: number): void

  // ---- references and locks -----------------------------------------------------------------

  acquireReference(insn: number, kind?: Reference["kind"], owner?: number): number
  /** False when no such reference is held. */
  releaseReference(id: number): boolean
  /** Registers and slots that hold `refObjId` become unknown (or invalid). */
  invalidateReference(refObjId: number): void
  clearPacketPointers(): void

  // ---- paths -------------------------------------------------------------------------------

  /** Explore `insn` later with a copy of the current state, which is returned for changes. */
  pushBranch(insn: number, previous: number, speculative: boolean): State
  /** As above for an asynchronous callback: a fresh state that runs subprogram `subprog` alone. */
  pushAsync(insn: number, previous: number, subprog: number, sleepable: boolean): State
  /** Runs `body` on a saved state as if it were the current one. */
  within(state: State, body: () => void): void
  /** Opens frame number `state.frames`, all registers NOT_INIT but R10; returns its address. */
  openFrame(callsite: number, subprog: number): number
  /** Drops the innermost frame. */
  closeFrame(): void
  /**
   * The nearest state kept at `insn` on the path to `from` with the same call sites, further up
   * than `from` itself: the previous turn of a loop (find_prev_entry); null for none.
   */
  findPreviousEntry(insn: number, from: State): State | null
  /**
   * Scalars of `state` (the current one or one of {@link pushBranch}) that were not precise and
   * differ from `previous` become unknown, so that the loop converges.
   */
  widenImprecise(previous: State, state: State): void
  subprogramAt(insn: number): Subprogram | undefined
  subprogramIndex(insn: number): number

  // ---- speaking ------------------------------------------------------------------------------

  /** Writes all of frame `n`'s registers and stack as one line (print_verifier_state). */
  printFrame(n: number): void
  /** Writes the source line of an instruction, unless it was the last one written (verbose_linfo). */
  printLine(insn: number): void
  /** Text for the log (levels 1 and 2), as it is. */
  verbose(text: string): void
  /** Logs `message` and a newline, and throws. */
  reject(errno: number, message: string, details?: RejectionDetails): never
  /** As {@link reject}, but Linux says nothing (more): `message` is not logged. */
  rejectQuietly(errno: number, message: string, details?: RejectionDetails): never
}
