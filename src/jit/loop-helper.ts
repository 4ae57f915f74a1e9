/**
 * bpf_loop written in place, when the callback is known: a loop that calls the function directly
 * (linux v6.18 kernel/bpf/verifier.c inline_bpf_loop).
 */

import { FUNCTION_TAG } from "../interpreter/machine.ts"
import { emitCalleeFrame } from "./calls.ts"
import type { FunctionEmitter } from "./function.ts"
import { EMPTY_TYPE, I32, I64, op } from "./opcodes.ts"

/** Largest count of bpf_loop, and the errno beyond it as Linux moves it: in 32 bits. */
const BPF_MAX_LOOPS = 8 * 1024 * 1024
const E2BIG = 7

/**
 * Writes bpf_loop(r1 rounds, r2 callback, r3 context, r4 flags); false, having written nothing,
 * when the callback or the flags are not constant.
 */
export function emitLoopHelper(emitter: FunctionEmitter, slot: number): boolean {
  const { writer, program, shared } = emitter
  const callback = emitter.values.constant(2)
  const flags = emitter.values.constant(4)
  if (callback === null || callback[1] !== FUNCTION_TAG || flags === null) return false
  if (flags[0] !== 0 || flags[1] !== 0 || !program.bySlot.has(callback[0])) return false
  const callee = program.functionAt(callback[0])
  const rounds = shared.local(I32)
  const round = shared.local(I32)
  const context = shared.local(I64)
  emitter.getLow(1)
  writer.set(rounds)
  emitter.get(3)
  writer.set(context)
  writer.i32(0)
  writer.set(round)
  writer.open(op.block, EMPTY_TYPE)
  writer.get(rounds)
  writer.i32(BPF_MAX_LOOPS)
  writer.byte(op.i32_gt_u)
  writer.open(op.if, EMPTY_TYPE)
  writer.i64(-E2BIG, 0)
  emitter.set(0)
  writer.branch(op.br, 1)
  writer.byte(op.end)
  writer.open(op.block, EMPTY_TYPE)
  writer.open(op.loop, EMPTY_TYPE)
  writer.get(round)
  writer.get(rounds)
  writer.byte(op.i32_ge_u)
  writer.branch(op.br_if, 1)
  if (shared.fuel >= 0) {
    // Depth counts from the outermost block; three more are open here.
    shared.nesting.depth += 3
    emitter.spend(1, slot)
    shared.nesting.depth -= 3
    emitter.spillFuel()
  }
  for (const register of callee.parameters) {
    if (register === 1) {
      writer.get(round)
      writer.byte(op.i64_extend_i32_u)
    } else if (register === 2) writer.get(context)
    else writer.i64(0)
  }
  emitCalleeFrame(emitter, slot)
  writer.call(callee.moduleIndex)
  emitter.reloadFuel()
  writer.get(round)
  writer.i32(1)
  writer.byte(op.i32_add)
  writer.set(round)
  writer.byte(op.i32_wrap_i64)
  writer.byte(op.i32_eqz)
  writer.branch(op.br_if, 0)
  writer.byte(op.end)
  writer.byte(op.end)
  writer.get(round)
  writer.byte(op.i64_extend_i32_u)
  emitter.set(0)
  writer.byte(op.end)
  return true
}
