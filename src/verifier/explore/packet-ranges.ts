/**
 * Packet bounds: a comparison of a packet pointer with the end of the packet (or of the metadata
 * with its start) proves bytes, on one of its two ways, for all pointers that share its id.
 *
 * Source: linux v6.18 Documentation/bpf/verifier.rst ("Direct packet access").
 */

import { BPF_JGE, BPF_JGT, BPF_JLE, BPF_JLT } from "../../isa/index.ts"
import type { Domain } from "../domain/domain.ts"
import { PTR_TO_PACKET, PTR_TO_PACKET_END, PTR_TO_PACKET_META } from "../state/register-types.ts"
import {
  aOf,
  baseTypeOf,
  constantHigh,
  constantLow,
  idOf,
  isConstant,
  offOf,
  setA,
  typeOf,
  umaxNumber,
} from "../state/registers.ts"
import type { State } from "../state/state.ts"
import type { Explorer } from "./explorer.ts"
import { forEachRegisterOf, frameOf, registerAt } from "./frames.ts"

/** Largest offset into a packet that can be proven. */
const MAX_PACKET_OFF = 0xffff
const BEYOND_PKT_END = -2
const AT_PKT_END = -1

/** Packet, metadata or end. */
export function isPacketPointer(d: Domain, reg: number): boolean {
  const type = typeOf(d, reg)
  return type === PTR_TO_PACKET || type === PTR_TO_PACKET_META || type === PTR_TO_PACKET_END
}

/** A pointer to the very start of the packet. */
function isStart(d: Domain, reg: number): boolean {
  return (
    typeOf(d, reg) === PTR_TO_PACKET &&
    offOf(d, reg) === 0 &&
    idOf(d, reg) === 0 &&
    isConstant(d, reg) &&
    constantLow(d, reg) === 0 &&
    constantHigh(d, reg) === 0
  )
}

/** Whether `low` is a packet pointer and `high` what bounds it from above. */
function bounds(d: Domain, low: number, high: number): boolean {
  const type = typeOf(d, low)
  if (type === PTR_TO_PACKET) return baseTypeOf(d, high) === PTR_TO_PACKET_END
  return type === PTR_TO_PACKET_META && isStart(d, high)
}

interface Comparison {
  readonly dstReg: number
  readonly srcReg: number
  readonly operation: number
  readonly fromRegister: boolean
  readonly is32: number
  /** The state where the jump is taken; the current one is where it is not. */
  readonly other: State
}

/**
 * By operation, when the destination is the packet pointer: whether the bytes below it are proven
 * where the jump is taken (`taken`), and whether equality counts there (`strict`: the pointer is
 * below the end by at least one byte).
 */
const RULES: Readonly<Record<number, { readonly taken: boolean; readonly strict: boolean }>> = {
  [BPF_JGT]: { taken: false, strict: false },
  [BPF_JLT]: { taken: true, strict: true },
  [BPF_JGE]: { taken: false, strict: true },
  [BPF_JLE]: { taken: true, strict: false },
}
const FLIPPED: Readonly<Record<number, number>> = {
  [BPF_JGT]: BPF_JLT,
  [BPF_JLT]: BPF_JGT,
  [BPF_JGE]: BPF_JLE,
  [BPF_JLE]: BPF_JGE,
}

/** True when the comparison was one of packet bounds. */
export function matchPacketPointers(x: Explorer, comparison: Comparison): boolean {
  const { dstReg, srcReg, operation, fromRegister, is32, other } = comparison
  if (!fromRegister || is32 !== 0 || RULES[operation] === undefined) return false
  const { domain } = x
  const dst = x.reg(dstReg)
  const src = x.reg(srcReg)
  let pointer = dstReg
  let rule = RULES[operation]
  if (!bounds(domain, dst, src)) {
    if (!bounds(domain, src, dst)) return false
    pointer = srcReg
    rule = RULES[FLIPPED[operation]]
  }
  const proven = rule.taken ? other : x.state
  const beyond = rule.taken ? x.state : other
  const packet = x.reg(pointer)
  proveBytes(domain, proven, packet, rule.strict)
  markBeyond(domain, beyond, pointer, rule.strict ? AT_PKT_END : BEYOND_PKT_END)
  return true
}

/** In `state`, bytes up to the pointer (and one more if `strict`) are there. */
function proveBytes(d: Domain, state: State, pointer: number, strict: boolean): void {
  const off = offOf(d, pointer)
  // A pointer before the start proves nothing, nor does one at the start that is not below the end.
  if (off < 0 || (off === 0 && strict)) return
  const most = umaxNumber(d, pointer)
  if (most > MAX_PACKET_OFF || most + off > MAX_PACKET_OFF) return
  const range = off + (strict ? 1 : 0)
  const type = typeOf(d, pointer)
  const id = idOf(d, pointer)
  forEachRegisterOf(d, state, (reg) => {
    if (typeOf(d, reg) !== type || idOf(d, reg) !== id) return
    if (aOf(d, reg) < range) setA(d, reg, range)
  })
}

/** In `state`, the pointer is at the end of the packet or beyond. */
function markBeyond(d: Domain, state: State, regno: number, range: number): void {
  const reg = registerAt(frameOf(d, state, state.frames - 1), regno)
  if (typeOf(d, reg) === PTR_TO_PACKET) setA(d, reg, range)
}
