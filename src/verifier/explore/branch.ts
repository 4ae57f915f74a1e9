/**
 * Conditional jumps: which ways can be taken, and what is known on each.
 *
 * Source: RFC 9669 §4.3; linux v6.18 Documentation/bpf/verifier.rst and the behaviour of its
 * check_cond_jmp_op.
 */

import {
  BPF_JCOND,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_X,
} from "../../isa/index.ts"
import { ERRNO } from "../../spec/index.ts"
import { LINKED_ENTRY_SIZE } from "../domain/domain.ts"
import {
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_PACKET_END,
  PTR_TO_STACK,
  SCALAR_VALUE,
} from "../state/register-types.ts"
import { aOf, baseTypeOf, constantHigh, constantLow, idOf, typeOf } from "../state/registers.ts"
import type { State } from "../state/state.ts"
import { SRC_OP } from "../verifier.ts"
import type { Explorer } from "./explorer.ts"
import { frameOf, registerAt, slotAt } from "./frames.ts"
import { DESTINATION_IS_STACK, SOURCE_IS_STACK } from "./history.ts"
import { insnOfFrame } from "./loops.ts"
import { markNotNull, markPointerOrNull, registerNotNull } from "./null-pointers.ts"
import { isPacketPointer, matchPacketPointers } from "./packet-ranges.ts"

/** Scratch registers of this file (rules have 0 to 15). */
const CONSTANT = 16
const CONSTANT_TAKEN = 17
/** Where linked registers are listed: behind the scratch registers. */
const LINKED_LIST = 24
/** Live registers by frame, a word each. */
const LIVE_MASKS = 26

export function conditionalJump(x: Explorer): void {
  const { code, domain, insn } = x
  const opcode = code.opcode[insn]
  const operation = opcode & 0xf0
  if (operation === BPF_JCOND) {
    mayGoto(x)
    return
  }
  const fromRegister = (opcode & 0x08) === BPF_X
  const is32 = (opcode & 7) === BPF_JMP32 ? 1 : 0
  const dstReg = code.dst[insn]
  const srcReg = code.src[insn]
  x.checkRegister(dstReg, SRC_OP)
  const dst = x.reg(dstReg)
  let src = x.scratch(CONSTANT)
  if (fromRegister) {
    x.checkRegister(srcReg, SRC_OP)
    src = x.reg(srcReg)
    const packets = isPacketPointer(domain, dst) && isPacketPointer(domain, src)
    if (!packets && x.isPointerValue(src)) rejectComparison(x, srcReg)
  } else {
    const { imm } = code
    domain.markKnown(src, imm[insn], imm[insn] >> 31)
  }
  noteStackPointers(x, dst, src)

  const taken = branchTaken(x, dst, src, operation, is32)
  if (taken >= 0) {
    if (typeOf(domain, dst) === SCALAR_VALUE) x.markPrecise(dstReg)
    if (fromRegister && typeOf(domain, src) === SCALAR_VALUE) x.markPrecise(srcReg)
    if (x.logging) x.printChanges()
    if (taken === 1) x.insn += code.off[insn]
    return
  }
  const linked = collectLinked(x, dst, fromRegister ? src : 0)
  const other = x.pushBranch(insn + code.off[insn] + 1, insn, false)
  const otherFrame = frameOf(domain, other, other.frames - 1)
  const otherDst = registerAt(otherFrame, dstReg)
  let otherSrc = x.scratch(CONSTANT_TAKEN)
  if (fromRegister) otherSrc = registerAt(otherFrame, srcReg)
  else domain.copyReg(otherSrc, src)

  if (typeOf(domain, dst) === SCALAR_VALUE && typeOf(domain, src) === SCALAR_VALUE) {
    const insane = domain.branchRefine(otherDst, otherSrc, dst, src, operation, is32)
    if (insane !== 0) {
      x.checkBounds(otherDst, "true_reg1")
      x.checkBounds(otherSrc, "true_reg2")
      x.checkBounds(dst, "false_reg1")
      x.checkBounds(src, "false_reg2")
    }
    shareWithLinked(x, { dst, src, otherDst, otherSrc, fromRegister, other, linked })
  }
  if (fromRegister && is32 === 0) comparePointers(x, { dst, src, otherDst, otherSrc, operation })

  const nullTest =
    is32 === 0 &&
    !fromRegister &&
    code.imm[insn] === 0 &&
    (operation === BPF_JEQ || operation === BPF_JNE) &&
    (typeOf(domain, dst) & PTR_MAYBE_NULL) !== 0
  if (nullTest) {
    markPointerOrNull(x, x.state, dstReg, operation === BPF_JNE)
    markPointerOrNull(x, other, dstReg, operation === BPF_JEQ)
  } else if (
    !matchPacketPointers(x, { dstReg, srcReg, operation, fromRegister, is32, other }) &&
    x.isPointerValue(dst)
  ) {
    rejectComparison(x, dstReg)
  }
  if (x.logging) x.printChanges()
}

function rejectComparison(x: Explorer, register: number): never {
  x.reject(ERRNO.EACCES, `R${register} pointer comparison prohibited`, {
    rule: "pointer-leak",
    register,
  })
}

/** may_goto: falling through is explored later, the jump now. */
function mayGoto(x: Explorer): void {
  const { code, insn } = x
  // The state kept at this very instruction, which is a checkpoint, is not the previous turn's.
  const previous = x.findPreviousEntry(insn, x.state.parent ?? x.state)
  const queued = x.pushBranch(insn + 1, insn, false)
  queued.mayGotoDepth++
  if (previous !== null) x.widenImprecise(previous, queued)
  x.insn += code.off[insn]
}

function noteStackPointers(x: Explorer, dst: number, src: number): void {
  const { domain } = x
  let flags = 0
  if (typeOf(domain, src) === PTR_TO_STACK) flags |= SOURCE_IS_STACK
  if (typeOf(domain, dst) === PTR_TO_STACK) flags |= DESTINATION_IS_STACK
  if (flags !== 0) x.pushHistory(flags, null)
}

const FLIPPED: Readonly<Record<number, number>> = {
  [BPF_JGT]: BPF_JLT,
  [BPF_JLT]: BPF_JGT,
  [BPF_JGE]: BPF_JLE,
  [BPF_JLE]: BPF_JGE,
  [BPF_JSGT]: BPF_JSLT,
  [BPF_JSLT]: BPF_JSGT,
  [BPF_JSGE]: BPF_JSLE,
  [BPF_JSLE]: BPF_JSGE,
}

/** 1 always taken, 0 never, -1 unknown. */
function branchTaken(
  x: Explorer,
  dst: number,
  src: number,
  operation: number,
  is32: number,
): number {
  const { domain } = x
  if (typeOf(domain, dst) === SCALAR_VALUE && typeOf(domain, src) === SCALAR_VALUE)
    return domain.branchTaken(dst, src, operation, is32)
  if (is32 === 0 && isPacketPointer(domain, dst) && isPacketPointer(domain, src))
    return packetBranchTaken(x, dst, src, operation)
  // A pointer against a constant: whether it is null may be known.
  const swapped = isScalarConstant(x, dst, is32)
  const pointer = swapped ? src : dst
  const constant = swapped ? dst : src
  if (!isScalarConstant(x, constant, is32)) return -1
  if (!registerNotNull(x, pointer)) return -1
  const zero =
    constantLow(domain, constant) === 0 && (is32 !== 0 || constantHigh(domain, constant) === 0)
  if (!zero) return -1
  if (operation === BPF_JEQ) return 0
  return operation === BPF_JNE ? 1 : -1
}

function isScalarConstant(x: Explorer, reg: number, is32: number): boolean {
  if (typeOf(x.domain, reg) !== SCALAR_VALUE) return false
  return (is32 ? x.domain.isConst32(reg) : x.domain.isConst(reg)) !== 0
}

/** The range says that the packet pointer is beyond the end (-1), or at it or beyond (-2). */
const BEYOND_PKT_END = -2
const AT_PKT_END = -1

function packetBranchTaken(x: Explorer, dst: number, src: number, operation: number): number {
  const { domain } = x
  let packet = dst
  let compared = operation
  if (baseTypeOf(domain, src) !== PTR_TO_PACKET_END) {
    if (baseTypeOf(domain, dst) !== PTR_TO_PACKET_END) return -1
    packet = src
    compared = FLIPPED[operation] ?? operation
  }
  const range = aOf(domain, packet)
  if (range >= 0) return -1
  if (compared === BPF_JLE || compared === BPF_JGT) {
    if (range === BEYOND_PKT_END) return compared === BPF_JGT ? 1 : 0
  } else if (compared === BPF_JLT || compared === BPF_JGE) {
    if (range === BEYOND_PKT_END || range === AT_PKT_END) return compared === BPF_JGE ? 1 : 0
  }
  return -1
}

const NONE: number[] = []

/** A scalar that may share its id with others. */
function isLinked({ domain }: Explorer, reg: number): boolean {
  return typeOf(domain, reg) === SCALAR_VALUE && idOf(domain, reg) !== 0
}

/** Scalars that share an id with an operand, as places; noted in the history when there are others. */
function collectLinked(x: Explorer, dst: number, src: number): number[] {
  const { domain, state } = x
  const list = x.scratch(LINKED_LIST)
  const sources = src !== 0 && isLinked(x, src)
  if (!sources && !isLinked(x, dst)) return NONE
  // Only registers that are still needed are looked at, in each frame where it stands.
  const live = x.scratch(LIVE_MASKS)
  for (let n = 0; n < state.frames; n++)
    domain.i32[(live >> 2) + n] = x.code.live[insnOfFrame(x, state, n)]
  let count = 0
  if (sources) count = domain.collectLinked(state.frames, idOf(domain, src), list, count, live)
  if (isLinked(x, dst))
    count = domain.collectLinked(state.frames, idOf(domain, dst), list, count, live)
  if (count < 2) return NONE
  const places: number[] = []
  for (let index = 0; index < count; index++)
    places.push(domain.i32[(list + index * LINKED_ENTRY_SIZE + 4) >> 2])
  x.pushHistory(0, places)
  return places
}

interface Sides {
  readonly dst: number
  readonly src: number
  readonly otherDst: number
  readonly otherSrc: number
}

function shareWithLinked(
  x: Explorer,
  sides: Sides & {
    readonly fromRegister: boolean
    readonly other: State
    readonly linked: readonly number[]
  },
): void {
  const { linked, other } = sides
  if (linked.length === 0) return
  if (sides.fromRegister && isLinked(x, sides.src)) {
    syncPlaces(x, x.state, sides.src, linked)
    syncPlaces(x, other, sides.otherSrc, linked)
  }
  if (isLinked(x, sides.dst)) {
    syncPlaces(x, x.state, sides.dst, linked)
    syncPlaces(x, other, sides.otherDst, linked)
  }
}

/** Gives the linked registers of a state what was learnt of one of them. */
function syncPlaces(x: Explorer, state: State, known: number, linked: readonly number[]): void {
  const { domain } = x
  for (const place of linked) {
    const frame = frameOf(domain, state, place & 0xff)
    const index = (place >> 8) & 0xff
    const spilled = (place & 0x10000) !== 0
    const reg = spilled ? slotAt(frame, index) : registerAt(frame, index)
    if (reg === known) continue
    domain.syncRegister(reg, known)
  }
}

/** A pointer that may be null and equals one that is not, is not null either. */
function comparePointers(x: Explorer, sides: Sides & { readonly operation: number }): void {
  const { domain } = x
  const { dst, src, operation } = sides
  const dstType = typeOf(domain, dst)
  const srcType = typeOf(domain, src)
  if (dstType === SCALAR_VALUE || srcType === SCALAR_VALUE) return
  if ((dstType & PTR_MAYBE_NULL) === (srcType & PTR_MAYBE_NULL)) return
  if (baseTypeOf(domain, dst) === PTR_TO_BTF_ID || baseTypeOf(domain, src) === PTR_TO_BTF_ID) return
  const taken = operation === BPF_JEQ
  if (!taken && operation !== BPF_JNE) return
  if (srcType & PTR_MAYBE_NULL) markNotNull(x, taken ? sides.otherSrc : src)
  else markNotNull(x, taken ? sides.otherDst : dst)
}
