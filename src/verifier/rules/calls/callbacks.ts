/**
 * Functions of the program that a helper or kfunc calls. One that runs before the call returns is
 * explored as a copy of the state with a frame more, and comes back to the call, which may run it
 * again; one that runs later starts with a state of its own.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c push_callback_call, set_*_callback_state.
 */

import { BPF_PSEUDO_KFUNC_CALL } from "../../../isa/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import {
  FRAME_ASYNC_ENTRY_CNT,
  FRAME_CALLBACK_DEPTH,
  FRAME_CALLSITE,
  FRAME_FLAGS,
  FRAME_IN_ASYNC_CALLBACK,
  FRAME_IN_CALLBACK_FN,
  FRAME_RET_MAX,
  FRAME_RET_MIN,
  FRAMES_MAX,
} from "../../state/layout.ts"
import {
  BPF_DYNPTR_TYPE_LOCAL,
  CONST_PTR_TO_MAP,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
} from "../../state/register-types.ts"
import { aOf, setA, setB, setType } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { markDynptrArgument } from "./dynptr.ts"
import { kfuncAt, kfuncCallsBack } from "./kfunc-table.ts"
import { kernelStruct } from "./register-match.ts"
import { noteCallbackArguments } from "./subprogram.ts"

/** How a call runs its callback. */
export interface CallbackCall {
  readonly subprogram: number
  /** Null: it runs before the call returns. */
  readonly later: { readonly sleepable: boolean } | null
  /** What it may return. */
  readonly min: number
  readonly max: number
  /**
   * Gives the callback's registers R1 to R5, NOT_INIT so far, their values: `to(n)` are their
   * addresses, `from(n)` those of the caller's registers (of a later callback: a copy of R1 to R5).
   */
  readonly pass: (from: (n: number) => number, to: (n: number) => number) => void
}

function enter(v: Verifier, call: CallbackCall, frame: number, flag: number): void {
  const { i32 } = v.domain
  i32[(frame + FRAME_FLAGS) >> 2] |= flag
  i32[(frame + FRAME_RET_MIN) >> 2] = call.min
  i32[(frame + FRAME_RET_MAX) >> 2] = call.max
}

function pushLater(v: Verifier, call: CallbackCall, sleepable: boolean): void {
  const { domain, code } = v
  code.subprograms[call.subprogram].isAsyncCallback = true
  const entries = domain.i32[(v.currentFrame() + FRAME_ASYNC_ENTRY_CNT) >> 2] + 1
  // The fresh state has none of the caller's registers: they wait in scratch registers 1 to 5.
  for (let n = 1; n <= 5; n++) domain.copyReg(v.scratch(n), v.reg(n))
  const { start } = code.subprograms[call.subprogram]
  const state = v.pushAsync(start, v.insn, call.subprogram, sleepable)
  v.within(state, () => {
    const frame = v.currentFrame()
    domain.i32[(frame + FRAME_ASYNC_ENTRY_CNT) >> 2] = entries
    call.pass(
      (n) => v.scratch(n),
      (n) => v.reg(n),
    )
    enter(v, call, frame, FRAME_IN_ASYNC_CALLBACK)
  })
}

function pushNow(v: Verifier, call: CallbackCall): void {
  const { domain, code } = v
  const callsite = v.insn
  const state = v.pushBranch(code.subprograms[call.subprogram].start, callsite, false)
  v.within(state, () => {
    const frames = v.state.frames
    if (frames >= FRAMES_MAX)
      v.reject(ERRNO.E2BIG, `the call stack of ${frames + 1} frames is too deep`)
    const frame = v.openFrame(callsite, call.subprogram)
    call.pass(
      (n) => v.regOf(frames - 1, n),
      (n) => v.regOf(frames, n),
    )
    enter(v, call, frame, FRAME_IN_CALLBACK_FN)
    domain.i32[(v.frame(frames - 1) + FRAME_CALLBACK_DEPTH) >> 2]++
  })
  state.callbackUnrollDepth++
  domain.i32[(v.currentFrame() + FRAME_CALLBACK_DEPTH) >> 2] = 0
}

/** The current call runs a function of the program. */
export function pushCallback(v: Verifier, call: CallbackCall): void {
  noteCallbackArguments(v, call.subprogram)
  v.code.subprograms[call.subprogram].isCallback = true
  if (call.later !== null) pushLater(v, call, call.later.sleepable)
  else pushNow(v, call)
}

/** A pointer of `type` to (a key or value of) map `mapIndex`, without offset. */
function markMapPointer(v: Verifier, reg: number, type: number, mapIndex: number): void {
  v.domain.markKnownZero(reg)
  setType(v.domain, reg, type)
  setA(v.domain, reg, mapIndex)
}

const iterable: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY,
]

/** bpf_for_each_map_elem(): map, key, value, context. */
export function pushMapCallback(v: Verifier, subprogram: number, mapIndex: number): void {
  noteCallbackArguments(v, subprogram)
  if (!iterable.includes(v.maps[mapIndex].type))
    v.reject(ERRNO.ENOTSUPP, "callback function not allowed for map", { map: mapIndex })
  const pass: CallbackCall["pass"] = (from, to) => {
    v.domain.copyReg(to(1), from(1))
    markMapPointer(v, to(2), PTR_TO_MAP_KEY, mapIndex)
    markMapPointer(v, to(3), PTR_TO_MAP_VALUE, mapIndex)
    v.domain.copyReg(to(4), from(3))
  }
  pushCallback(v, { subprogram, later: null, min: 0, max: 1, pass })
}

/** bpf_loop(): index, context. */
export function pushLoopCallback(v: Verifier, subprogram: number): void {
  const pass: CallbackCall["pass"] = (from, to) => {
    v.domain.markUnknown(to(1))
    v.domain.copyReg(to(2), from(3))
  }
  pushCallback(v, { subprogram, later: null, min: 0, max: 1, pass })
}

/** bpf_find_vma(): task, area, context. */
export function pushVmaCallback(v: Verifier, subprogram: number): void {
  const pass: CallbackCall["pass"] = (from, to) => {
    v.domain.copyReg(to(1), from(1))
    v.domain.markKnownZero(to(2))
    setType(v.domain, to(2), PTR_TO_BTF_ID)
    setA(v.domain, to(2), kernelStruct(v, "vm_area_struct"))
    setB(v.domain, to(2), 0)
    v.domain.copyReg(to(3), from(4))
  }
  pushCallback(v, { subprogram, later: null, min: 0, max: 1, pass })
}

/** bpf_user_ringbuf_drain(): dynptr, context. */
export function pushRingCallback(v: Verifier, subprogram: number): void {
  const pass: CallbackCall["pass"] = (from, to) => {
    markDynptrArgument(v, to(1), BPF_DYNPTR_TYPE_LOCAL)
    v.domain.copyReg(to(2), from(3))
  }
  pushCallback(v, { subprogram, later: null, min: 0, max: 1, pass })
}

/** What runs later for an element: timers, workqueues, task work: map, key, value. */
export interface LaterCallback {
  readonly subprogram: number
  /** Register that points into the element. */
  readonly element: number
  readonly sleepable: boolean
  readonly min: number
  readonly max: number
}

export function pushElementCallback(v: Verifier, callback: LaterCallback): void {
  const pass: CallbackCall["pass"] = (from, to) => {
    const mapIndex = aOf(v.domain, from(callback.element))
    markMapPointer(v, to(1), CONST_PTR_TO_MAP, mapIndex)
    markMapPointer(v, to(2), PTR_TO_MAP_KEY, mapIndex)
    markMapPointer(v, to(3), PTR_TO_MAP_VALUE, mapIndex)
  }
  const { subprogram, sleepable, min, max } = callback
  pushCallback(v, { subprogram, later: { sleepable }, min, max, pass })
}

/** The innermost frame is the comparison of a tree, which runs under the tree's lock. */
export function inTreeCallback(v: Verifier): boolean {
  if (v.currentFrameNumber === 0) return false
  const { i32 } = v.domain
  const frame = v.currentFrame()
  if ((i32[(frame + FRAME_FLAGS) >> 2] & FRAME_IN_CALLBACK_FN) === 0) return false
  const callsite = i32[(frame + FRAME_CALLSITE) >> 2]
  if (v.code.src[callsite] !== BPF_PSEUDO_KFUNC_CALL) return false
  const kfunc = kfuncAt(v, callsite)
  return kfunc !== null && kfuncCallsBack(kfunc.name)
}
