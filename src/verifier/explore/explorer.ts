/**
 * The explorer: everything that rules and the parts of exploration share. It keeps the current
 * state, the states still to be explored, and what the log is to show; it decides nothing by
 * itself. The loop is in run.ts, pruning in prune.ts, backtracking in precision.ts.
 */

import type { Btf } from "../../btf/index.ts"
import { BPF_COMPLEXITY_LIMIT_JMP_SEQ, BPF_PROG_FLAG, ERRNO } from "../../spec/index.ts"
import type { Domain } from "../domain/domain.ts"
import { Recorder } from "../explain/provenance.ts"
import type { VerifierInput, VerifierMap } from "../input.ts"
import type { Log } from "../log/log.ts"
import { invariantViolation } from "../log/register.ts"
import { SourceLines } from "../log/source-lines.ts"
import { stateLine } from "../log/state-line.ts"
import type { Code, Subprogram } from "../program/code.ts"
import { subprogramContaining, subprogramStartingAt } from "../program/subprograms.ts"
import { Rejection, type RejectionDetails } from "../rejection.ts"
import {
  CURRENT_BASE,
  FRAME_ASYNC_ENTRY_CNT,
  FRAME_CALLBACK_DEPTH,
  FRAME_CALLSITE,
  FRAME_FLAGS,
  FRAME_FRAMENO,
  FRAME_IN_ASYNC_CALLBACK,
  FRAME_REGS,
  FRAME_RET_MAX,
  FRAME_RET_MIN,
  FRAME_SLOTS,
  FRAME_STRIDE,
  FRAME_SUBPROGNO,
  FRAMES_MAX,
  REG_FRAMENO,
  REG_SIZE,
  SCRATCH_BASE,
  SLOT_TYPES,
} from "../state/layout.ts"
import {
  NOT_INIT,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  SCALAR_VALUE,
  STACK_INVALID,
  STACK_SPILL,
} from "../state/register-types.ts"
import {
  baseTypeOf,
  isConstant,
  refObjIdOf,
  setOff,
  setPrecise,
  setSubregDef,
  setType,
  typeOf,
} from "../state/registers.ts"
import { type HistoryEntry, type Reference, State } from "../state/state.ts"
import { DST_OP, SRC_OP, type Verifier } from "../verifier.ts"
import { forEachRegisterOf, frameOf, registerAt, slotAt, slotCount } from "./frames.ts"
import { FRAME_SHIFT, MAIN_FUNC, SLOT_SHIFT, STACK_ACCESS } from "./history.ts"
import { mayCallUnderLock } from "./lock-calls.ts"
import { LoopVisits } from "./loops.ts"
import { markChainPrecision, markSlotPrecision } from "./precision.ts"
import type { ExploredState } from "./prune.ts"
import { StackLiveness } from "./stack-liveness.ts"

/** A path to be explored later. */
export interface Branch {
  readonly state: State
  readonly insn: number
  readonly previous: number
  /** Where the log stood: level 1 forgets what other paths wrote. */
  readonly logPosition: number
}

/** Figures of a verification, as the last line of the log has them. */
export interface Statistics {
  insnsProcessed: number
  maxStatesPerInsn: number
  totalStates: number
  peakStates: number
}

export class Explorer implements Verifier {
  readonly input: VerifierInput
  readonly code: Code
  readonly domain: Domain
  readonly log: Log
  readonly maps: VerifierMap[] = []
  readonly btfs: Btf[] = []
  readonly lines: SourceLines

  state: State = new State()
  insn = 0
  previousInsn = -1

  readonly allowPtrLeaks: boolean
  readonly allowUninitStack: boolean
  readonly bypassSpecV1: boolean
  readonly bypassSpecV4: boolean
  readonly bpfCapable: boolean
  readonly strictAlignment: boolean
  readonly testStateFrequency: boolean
  /** Log levels 1 or 2, and 2. */
  readonly logging: boolean
  readonly loggingAll: boolean

  readonly branches: Branch[] = []
  readonly statistics: Statistics = {
    insnsProcessed: 0,
    maxStatesPerInsn: 0,
    totalStates: 0,
    peakStates: 0,
  }
  /** Explored states by hash of instruction and call site; newest first. */
  explored: (ExploredState | null)[] = []
  exploredCount = 0
  freeListCount = 0
  jumpsProcessed = 0
  previousJumpsProcessed = 0
  previousInsnsProcessed = 0
  /** Record of the current instruction in the history, if it has one already. */
  historyEntry: HistoryEntry | null = null
  readonly liveness: StackLiveness
  readonly loops: LoopVisits
  /** Records where values come from; null unless the input asks for it. */
  readonly recorder: Recorder | null
  /** Told of each instruction before it is explored; states are compared by all they say then. */
  observe: ((x: Explorer, insn: number) => void) | null = null
  scratchedRegisters = 0
  /** Which list entry a kept state belongs to. */
  readonly keptBy: Map<State, ExploredState> = new Map()
  /** Global functions that were explored on their own. */
  readonly verified: Set<number> = new Set()
  /** Where the last instruction's line began and ended, to append the changes to it. */
  linePosition = 0
  lineLength = 0
  private readonly innerMaps = new Map<number, number>()
  private scratchedLow = 0
  private scratchedHigh = 0
  private ids = 0
  private lastLine = -1
  private asyncEntries = 0

  constructor(input: VerifierInput, code: Code, domain: Domain, log: Log) {
    this.input = input
    this.code = code
    this.domain = domain
    this.log = log
    this.lines = new SourceLines(input.lineInfo, input.btf)
    const bpf = input.privileges?.bpf ?? true
    const perfmon = input.privileges?.perfmon ?? true
    this.bpfCapable = bpf
    this.allowPtrLeaks = perfmon
    this.allowUninitStack = perfmon
    this.bypassSpecV1 = perfmon
    this.bypassSpecV4 = perfmon
    this.strictAlignment = (input.flags & BPF_PROG_FLAG.BPF_F_STRICT_ALIGNMENT) !== 0
    this.testStateFrequency = (input.flags & BPF_PROG_FLAG.BPF_F_TEST_STATE_FREQ) !== 0 && bpf
    this.logging = (input.logLevel & 3) !== 0
    this.loggingAll = (input.logLevel & 2) !== 0
    // The kernel's types take a while to make, and many programs never ask for them.
    Object.defineProperty(this.btfs, 0, { get: () => input.kernelBtf(), enumerable: true })
    this.liveness = new StackLiveness(code)
    this.loops = new LoopVisits(this)
    this.recorder = input.provenance === true ? new Recorder(code.length) : null
  }

  // ---- places ---------------------------------------------------------------------------

  frame(n: number): number {
    return CURRENT_BASE + n * FRAME_STRIDE
  }

  currentFrame(): number {
    return CURRENT_BASE + (this.state.frames - 1) * FRAME_STRIDE
  }

  get currentFrameNumber(): number {
    return this.state.frames - 1
  }

  reg(n: number): number {
    return this.currentFrame() + FRAME_REGS + n * REG_SIZE
  }

  regOf(frame: number, n: number): number {
    return registerAt(this.frameAddress(frame), n)
  }

  slot(frame: number, spi: number): number {
    return slotAt(this.frameAddress(frame), spi)
  }

  slotType(frame: number, spi: number, byte: number): number {
    return this.domain.u8[slotAt(this.frameAddress(frame), spi) + SLOT_TYPES + byte]
  }

  setSlotType(frame: number, spi: number, byte: number, type: number): void {
    this.domain.u8[slotAt(this.frameAddress(frame), spi) + SLOT_TYPES + byte] = type
  }

  slots(frame: number): number {
    return slotCount(this.domain, this.frameAddress(frame))
  }

  growStack(frame: number, bytes: number): void {
    const address = this.frameAddress(frame)
    const slots = (bytes + 7) >> 3
    if (slotCount(this.domain, address) < slots) this.domain.growStack(address, slots)
    const subprogram = this.code.subprograms[this.domain.i32[(address + FRAME_SUBPROGNO) >> 2]]
    if (subprogram.stackDepth < bytes) subprogram.stackDepth = bytes
  }

  scratch(n: number): number {
    return SCRATCH_BASE + n * REG_SIZE
  }

  forEachRegister(visit: (reg: number) => void): void {
    const { domain } = this
    forEachRegisterOf(domain, this.state, (reg) => {
      if (typeOf(domain, reg) !== NOT_INIT) visit(reg)
    })
  }

  /** Frames are named by number or by address. */
  private frameAddress(frame: number): number {
    return frame < FRAMES_MAX ? this.frame(frame) : frame
  }

  // ---- registers ------------------------------------------------------------------------

  checkRegister(n: number, use: number): void {
    if (n > 10) this.reject(ERRNO.EINVAL, `R${n} is invalid`, { rule: "encoding", register: n })
    this.scratchedRegisters |= 1 << n
    const reg = this.reg(n)
    if (use === SRC_OP) {
      if (typeOf(this.domain, reg) === NOT_INIT)
        this.reject(ERRNO.EACCES, `R${n} !read_ok`, {
          rule: "uninitialised-register",
          register: n,
        })
      return
    }
    if (n === 10)
      this.reject(ERRNO.EACCES, "frame pointer is read only", {
        rule: "frame-pointer",
        register: n,
      })
    setSubregDef(this.domain, reg, 0)
    if (use === DST_OP) this.markUnknown(n)
  }

  markUnknown(n: number): void {
    this.scratchedRegisters |= 1 << n
    const reg = this.reg(n)
    this.domain.markUnknown(reg)
    if (!this.bpfCapable) setPrecise(this.domain, reg, true)
  }

  markPrecise(n: number): void {
    markChainPrecision(this, n)
  }

  markSlotPrecise(n: number, spi: number): void {
    markSlotPrecision(this, n, spi)
  }

  newId(): number {
    return ++this.ids
  }

  /** The last id that was given. */
  get lastId(): number {
    return this.ids
  }

  scratchRegister(n: number): void {
    this.scratchedRegisters |= 1 << n
  }

  scratchSlot(spi: number): void {
    if (spi < 32) this.scratchedLow |= 1 << spi
    else this.scratchedHigh |= 1 << (spi - 32)
  }

  isSlotScratched(spi: number): boolean {
    return ((spi < 32 ? this.scratchedLow >>> spi : this.scratchedHigh >>> (spi - 32)) & 1) !== 0
  }

  get anythingScratched(): boolean {
    return (this.scratchedRegisters | this.scratchedLow | this.scratchedHigh) !== 0
  }

  scratchEverything(): void {
    this.scratchedRegisters = -1
    this.scratchedLow = -1
    this.scratchedHigh = -1
  }

  forgetScratched(): void {
    this.scratchedRegisters = 0
    this.scratchedLow = 0
    this.scratchedHigh = 0
  }

  isNull(reg: number): boolean {
    return this.domain.isNull(reg) !== 0
  }

  /** A register that unprivileged programs may not leak: anything but a scalar. */
  isPointerValue(reg: number): boolean {
    return !this.allowPtrLeaks && typeOf(this.domain, reg) !== SCALAR_VALUE
  }

  // ---- stack liveness and history ---------------------------------------------------------

  noteStackRead(n: number, first: number, last: number): void {
    this.liveness.read(n, first, last)
  }

  noteStackWrite(n: number, first: number, last: number): void {
    this.liveness.write(n, first, last)
  }

  noteStackAccess(n: number, spi: number): void {
    this.pushHistory(STACK_ACCESS | (n << FRAME_SHIFT) | (spi << SLOT_SHIFT), null)
  }

  /** Notes the current instruction in the path's history; once, however often it is called. */
  pushHistory(flags: number, linked: readonly number[] | null): void {
    if (this.historyEntry !== null) {
      this.historyEntry.flags |= flags
      this.historyEntry.linked = linked
      return
    }
    this.historyEntry = { insn: this.insn, previous: this.previousInsn, flags, linked }
    this.state.history.push(this.historyEntry)
  }

  // ---- references and locks -----------------------------------------------------------------

  acquireReference(insn: number, kind: Reference["kind"] = "ptr", owner = 0): number {
    const id = this.newId()
    this.state.refs = [...this.state.refs, { kind, id, insn, owner }]
    return id
  }

  releaseReference(id: number): boolean {
    const { refs } = this.state
    const index = refs.findIndex((reference) => reference.kind === "ptr" && reference.id === id)
    if (index < 0) return false
    // As an array whose last element fills the gap.
    const rest = refs.slice()
    const last = rest.pop()!
    if (index < rest.length) rest[index] = last
    this.state.refs = rest
    return true
  }

  invalidateReference(refObjId: number): void {
    const { domain } = this
    this.forEachRegister((reg) => {
      if (refObjIdOf(domain, reg) === refObjId) this.invalidate(reg)
    })
  }

  /** A value that may not be used any more: unknown, or not even readable. */
  invalidate(reg: number): void {
    if (this.allowPtrLeaks) this.domain.markUnknown(reg)
    else this.domain.markNotInit(reg)
  }

  clearPacketPointers(): void {
    const { domain } = this
    this.forEachRegister((reg) => {
      const type = baseTypeOf(domain, reg)
      if (type === PTR_TO_PACKET || type === PTR_TO_PACKET_META || type === PTR_TO_PACKET_END)
        this.invalidate(reg)
    })
  }

  // ---- paths -------------------------------------------------------------------------------

  pushBranch(insn: number, previous: number, speculative: boolean): State {
    const saved = this.copyCurrent()
    saved.speculative ||= speculative
    saved.history = this.state.history.slice()
    this.branches.push({ state: saved, insn, previous, logPosition: this.log.position })
    // Linux means E2BIG, and gives EFAULT.
    if (this.branches.length > BPF_COMPLEXITY_LIMIT_JMP_SEQ)
      this.reject(ERRNO.EFAULT, `The sequence of ${this.branches.length} jumps is too complex.`, {
        rule: "complexity",
      })
    if (saved.parent !== null) saved.parent.branches++
    return saved
  }

  pushAsync(insn: number, previous: number, subprog: number, sleepable: boolean): State {
    const state = new State()
    state.inSleepable = sleepable
    state.branches = 1
    this.branches.push({ state, insn, previous, logPosition: this.log.position })
    if (this.branches.length > BPF_COMPLEXITY_LIMIT_JMP_SEQ)
      this.reject(
        ERRNO.E2BIG,
        `The sequence of ${this.branches.length} jumps is too complex for async cb.`,
        { rule: "complexity" },
      )
    this.within(state, () => {
      this.state.frames = 0
      const frame = this.openFrame(MAIN_FUNC, subprog)
      this.domain.i32[(frame + FRAME_FLAGS) >> 2] = FRAME_IN_ASYNC_CALLBACK
      this.domain.i32[(frame + FRAME_ASYNC_ENTRY_CNT) >> 2] = ++this.asyncEntries
    })
    return state
  }

  within(state: State, body: () => void): void {
    const { domain } = this
    const current = this.state
    const kept = domain.saveFrames(current.frames)
    if (state.block !== 0) {
      domain.restoreFrames(state.block, state.frames)
      domain.free(state.block, state.blockBytes)
      state.block = 0
    }
    this.state = state
    try {
      body()
    } finally {
      this.storeCurrent(state)
      this.state = current
      domain.restoreFrames(kept, current.frames)
      domain.freeFrames(kept, current.frames)
    }
  }

  /** A copy of the current state, its frames saved; history, parent and branches as a new path's. */
  copyCurrent(): State {
    const { state } = this
    const copy = new State()
    copy.copyConditionsFrom(state)
    copy.insn = state.insn
    copy.firstInsn = state.firstInsn
    copy.lastInsn = state.lastInsn
    copy.parent = state.parent
    copy.branches = state.branches
    this.storeCurrent(copy)
    return copy
  }

  private storeCurrent(into: State): void {
    into.blockBytes = this.domain.currentBytes(into.frames)
    into.block = this.domain.saveFrames(into.frames)
  }

  /** Gives a saved state's memory back. */
  freeState(state: State): void {
    if (state.block === 0) return
    this.domain.free(state.block, state.blockBytes)
    state.block = 0
  }

  openFrame(callsite: number, subprog: number): number {
    const { domain, state } = this
    const n = state.frames++
    const frame = this.frame(n)
    const at = frame >> 2
    domain.i32[at + (FRAME_CALLSITE >> 2)] = callsite
    domain.i32[at + (FRAME_FRAMENO >> 2)] = n
    domain.i32[at + (FRAME_SUBPROGNO >> 2)] = subprog
    domain.i32[at + (FRAME_ASYNC_ENTRY_CNT >> 2)] = 0
    domain.i32[at + (FRAME_RET_MIN >> 2)] = 0
    domain.i32[at + (FRAME_RET_MAX >> 2)] = 0
    domain.i32[at + (FRAME_FLAGS >> 2)] = 0
    domain.i32[at + (FRAME_CALLBACK_DEPTH >> 2)] = 0
    domain.i32[at + (FRAME_SLOTS >> 2)] = 0
    for (let index = 0; index < 10; index++) domain.markNotInit(registerAt(frame, index))
    for (let index = 0; index < 10; index++) setSubregDef(domain, registerAt(frame, index), 0)
    const pointer = registerAt(frame, 10)
    domain.markKnownZero(pointer)
    setType(domain, pointer, PTR_TO_STACK)
    setOff(domain, pointer, 0)
    setSubregDef(domain, pointer, 0)
    domain.i32[(pointer + REG_FRAMENO) >> 2] = n
    this.scratchEverything()
    this.liveness.pathChanged()
    return frame
  }

  closeFrame(): void {
    this.state.frames--
    this.liveness.pathChanged()
  }

  findPreviousEntry(insn: number, from: State): State | null {
    const { domain } = this
    const callsite = domain.i32[(frameOf(domain, from, from.frames - 1) + FRAME_CALLSITE) >> 2]
    for (let kept = from.parent; kept !== null; kept = kept.parent) {
      if (kept.insn !== insn || kept.frames !== from.frames) continue
      const frame = frameOf(domain, kept, kept.frames - 1)
      if (domain.i32[(frame + FRAME_CALLSITE) >> 2] === callsite && this.sameCallsites(kept, from))
        return kept
    }
    return null
  }

  /** Both states' frames were called from the same instructions. */
  sameCallsites(first: State, second: State): boolean {
    const { domain } = this
    if (first.frames !== second.frames) return false
    for (let n = first.frames - 1; n >= 0; n--) {
      const at = FRAME_CALLSITE
      if (
        domain.i32[(frameOf(domain, first, n) + at) >> 2] !==
        domain.i32[(frameOf(domain, second, n) + at) >> 2]
      )
        return false
    }
    return true
  }

  widenImprecise(previous: State, state: State): void {
    this.domain.idmapReset(this.ids)
    for (let n = state.frames - 1; n >= 0; n--)
      this.domain.widenImprecise(frameOf(this.domain, previous, n), frameOf(this.domain, state, n))
  }

  subprogramAt(insn: number): Subprogram | undefined {
    const index = subprogramStartingAt(this.code, insn)
    return index < 0 ? undefined : this.code.subprograms[index]
  }

  subprogramIndex(insn: number): number {
    return subprogramContaining(this.code, insn)
  }

  /** BPF_F_SLEEPABLE. */
  get isSleepable(): boolean {
    return (this.input.flags & BPF_PROG_FLAG.BPF_F_SLEEPABLE) !== 0
  }

  /** While a lock is held, only what unlocks (and works on graphs) may be called. */
  checkCallUnderLock(): void {
    if (this.state.activeLocks > 0 && !mayCallUnderLock(this))
      this.reject(ERRNO.EINVAL, "function calls are not allowed while holding a lock", {
        rule: "lock-held",
      })
  }

  /** Marks every scalar of the current state as not precise: what a kept state begins with. */
  forgetPrecision(): void {
    const { domain } = this
    this.forEachRegister((reg) => {
      if (typeOf(domain, reg) === SCALAR_VALUE) setPrecise(domain, reg, false)
    })
  }

  /** Index in {@link maps} of the template of the maps inside map `index`. */
  innerMapIndex(index: number): number {
    const known = this.innerMaps.get(index)
    if (known !== undefined) return known
    const inner = this.maps[index].inner
    if (inner === null) return index
    // Linux keeps no name for the template.
    this.maps.push({ ...inner, name: "" })
    this.innerMaps.set(index, this.maps.length - 1)
    return this.maps.length - 1
  }

  // ---- speaking ------------------------------------------------------------------------------

  printFrame(n: number): void {
    this.log.write(stateLine(this, this.state, n, true))
  }

  printState(state: State, n: number, all: boolean): void {
    this.log.write(stateLine(this, state, n, all))
  }

  /** Appends what changed to the line of the instruction that changed it (print_insn_state). */
  printChanges(): void {
    const { log } = this
    if (this.linePosition !== 0 && this.linePosition === log.position) {
      log.reset(log.position - 1)
      const wide = Math.max(this.lineLength + 4, 40)
      log.write(`${" ".repeat(Math.ceil(wide / 8) * 8 - this.lineLength - 2)} ;`)
    } else {
      log.write(`${this.insn}:`)
    }
    log.write(stateLine(this, this.state, this.state.frames - 1, false))
  }

  /** Throws without a line in the log, which has one already. */
  rejectQuietly(errno: number, message: string, details: RejectionDetails = {}): never {
    throw new Rejection(errno, this.insn, message, { frame: this.state.frames - 1, ...details })
  }

  verbose(text: string): void {
    if (this.input.logLevel !== 0) this.log.write(text)
  }

  /**
   * Ranges that contradict each other, on paths that cannot be taken, are forgotten; Linux says
   * so. `context` is where it happened.
   */
  checkBounds(reg: number, context: string): void {
    if (this.domain.boundsInsane(reg) === 0) return
    this.verbose(`${invariantViolation(this.domain, reg, context)}\n`)
    this.domain.setUnbounded(reg)
  }

  /** The source line of an instruction, if it is another than the last one printed. */
  printLine(insn: number): void {
    const index = this.lines.indexAt(insn)
    if (index < 0 || index === this.lastLine) return
    const line = this.lines.at(index)
    if (this.lastLine >= 0) {
      const last = this.lines.at(this.lastLine)
      if (last.line === line.line && last.text === line.text && last.file === line.file) return
    }
    const file = line.file.slice(line.file.lastIndexOf("/") + 1)
    this.log.write(`; ${line.text.trimStart()} @ ${file}:${line.line}\n`)
    this.lastLine = index
  }

  reject(errno: number, message: string, details: RejectionDetails = {}): never {
    this.verbose(`${message}\n`)
    throw new Rejection(errno, this.insn, message, {
      frame: this.state.frames - 1,
      ...details,
    })
  }

  /** Whether a register is a scalar constant, or a stack byte that could be read as one. */
  isConstantScalar(reg: number): boolean {
    return typeOf(this.domain, reg) === SCALAR_VALUE && isConstant(this.domain, reg)
  }
}

/** Marks all eight bytes of a slot. */
export function fillSlot(domain: Domain, slot: number, type: number): void {
  domain.u8.fill(type, slot + SLOT_TYPES, slot + SLOT_TYPES + 8)
}

/** A slot that nothing is known of. */
export function clearSlot(domain: Domain, slot: number): void {
  domain.markNotInit(slot)
  fillSlot(domain, slot, STACK_INVALID)
}

/** Whether the slot holds a spilled register of all 8 or fewer bytes. */
export function holdsSpill(domain: Domain, slot: number): boolean {
  return domain.u8[slot + SLOT_TYPES + 7] === STACK_SPILL
}
