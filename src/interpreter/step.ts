/**
 * The instructions that the dispatch loop leaves to others: calls of helpers, signed division,
 * atomics, accesses that need a check, packet loads, may_goto. Each returns the word at which to
 * go on, or -1 when the dispatch ends.
 */

import { load, loadAcquire, store, storeRelease } from "./access.ts"
import { atomic32, atomic64 } from "./atomics.ts"
import * as code from "./code.ts"
import { FUNCTION_TAG, type HelperFunction, type Machine } from "./machine.ts"
import type { State } from "./state.ts"
import { signedDivide32, signedDivide64 } from "./wide.ts"

const END = -1

/** What an engine needs from outside for a step: the helpers' view of the machine, and packets. */
export interface StepHost<E> {
  readonly machine: Machine<E>
  /** See InterpreterOptions. */
  readonly loadPacket: ((machine: Machine<E>, offset: number, size: number) => number | null) | null
}

/** Does the instruction at word `pc` of the running program. */
export function step<E>(state: State<E>, pc: number, host: StepHost<E>): number {
  state.at(pc)
  const { words } = state.code
  const op = words[pc + code.WORD_OP]
  const next = pc + code.WORDS
  switch (op) {
    case 0x85:
      return callHelper(state, next, state.code.helpers[words[pc + code.WORD_HELPER]], host)
    case code.OP_CALL_REGISTER:
      return callRegister(state, pc, host)
    case code.OP_MAY_GOTO:
      if (state.loops[state.depth]-- > 0) return next
      state.loops[state.depth] = 0
      return words[pc + code.WORD_OFF]
    case code.OP_CAST_ADDRESS:
      castAddress(state, pc)
      return next
    case code.OP_ATOMIC32:
      return atomic32(state, pc) ? next : END
    case code.OP_ATOMIC64:
      return atomic64(state, pc) ? next : END
    case code.OP_LOAD_ACQUIRE:
      return loadAcquire(state, pc) ? next : END
    case code.OP_STORE_RELEASE:
      return storeRelease(state, pc) ? next : END
    case code.OP_INVALID:
      state.raise("instruction", "ran past the end of the program")
      return END
    default:
      return other(state, pc, op, host)
  }
}

/** What is told apart by class: accesses and signed division. */
function other<E>(state: State<E>, pc: number, op: number, host: StepHost<E>): number {
  const next = pc + code.WORDS
  if (op >= code.OP_SDIV32 && op <= code.OP_SMOD64) {
    signedDivision(state, pc, op)
    return next
  }
  switch (op & 7) {
    case 0:
      return loadPacket(state, pc, op, host)
    case 1:
      return load(state, pc) ? next : END
    default:
      return store(state, pc) ? next : END
  }
}

function signedDivision<E>(state: State<E>, pc: number, op: number): void {
  const { registers: r } = state
  const { words } = state.code
  const d = words[pc + code.WORD_DST]
  const s = words[pc + code.WORD_SRC]
  const remainder = op === code.OP_SMOD32 || op === code.OP_SMOD64
  if (op >= code.OP_SDIV64) {
    signedDivide64(r, d, r[s], r[s + 1], remainder)
    return
  }
  r[d] = signedDivide32(r[d], r[s], remainder)
  r[d + 1] = 0
}

/** Calls out, and goes on in this program, in the one it tail-called, or nowhere after a fault. */
function callHelper<E>(
  state: State<E>,
  next: number,
  helper: HelperFunction<E>,
  host: StepHost<E>,
): number {
  helper(host.machine)
  if (state.fault !== null) return END
  const tail = state.pendingTail
  if (tail !== null) {
    state.pendingTail = null
    state.setCode(tail)
    state.forgetRegions()
    state.openFrame(0)
    return 0
  }
  state.forgetRegions()
  return next
}

/**
 * callx: the register holds the address of a function of this program, or the id of a helper
 * (as bpf_conformance has it; Linux knows no such call).
 */
function callRegister<E>(state: State<E>, pc: number, host: StepHost<E>): number {
  const { registers: r } = state
  const d = state.code.words[pc + code.WORD_DST]
  const next = pc + code.WORDS
  if (r[d + 1] === FUNCTION_TAG) {
    if (state.isFunction(r[d]))
      return state.enter(r[d] * code.WORDS, next) ? r[d] * code.WORDS : END
  } else if (r[d + 1] === 0) {
    const helper = state.code.resolveCall("helper", r[d], 0)
    if (helper !== null) return callHelper(state, next, helper, host)
  }
  const value = (BigInt(r[d + 1] >>> 0) << 32n) | BigInt(r[d] >>> 0)
  state.raise("instruction", `call of 0x${value.toString(16)}, which is no function`)
  return END
}

/**
 * Arena pointers have the arena's tag in programs and for user space alike, so both casts only
 * restore the tag, which arithmetic on 32 bits has dropped; NULL stays NULL.
 */
function castAddress<E>(state: State<E>, pc: number): void {
  const { registers: r } = state
  const { words } = state.code
  const d = words[pc + code.WORD_DST]
  const s = words[pc + code.WORD_SRC]
  r[d] = r[s]
  r[d + 1] = r[s] === 0 ? 0 : state.code.arenaTag
}

/**
 * LD_ABS and LD_IND: a big-endian number from the packet into r0; outside of the packet, the
 * function returns 0 (RFC 9669 §5.5; linux v6.18 net/core/filter.c bpf_gen_ld_abs).
 */
function loadPacket<E>(state: State<E>, pc: number, op: number, host: StepHost<E>): number {
  const { registers: r } = state
  const { words } = state.code
  const indirect = (op & 0xe0) === 0x40
  const base = indirect ? r[words[pc + code.WORD_SRC]] : 0
  const size = (op & 0x18) === 0 ? 4 : (op & 0x18) === 8 ? 2 : 1
  const offset = (base + words[pc + code.WORD_IMM]) | 0
  const value = host.loadPacket === null ? null : host.loadPacket(host.machine, offset, size)
  if (state.fault !== null) return END
  state.forgetRegions()
  r[0] = value ?? 0
  r[1] = 0
  if (value !== null) return pc + code.WORDS
  return state.depth === state.bottom ? END : state.leave()
}
