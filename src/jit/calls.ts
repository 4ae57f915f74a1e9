/**
 * Calls: of helpers (written in place, in WebAssembly, or through JavaScript), of subprograms, of
 * what a register says, and tail calls.
 *
 * A helper in JavaScript finds its arguments in the engine's area and leaves its result there. A
 * subprogram gets its arguments as parameters, and the address of its frame, 512 bytes below the
 * caller's. A tail call asks the host which program comes next, and jumps there through the table
 * with the frame as it is.
 */

import * as code from "../interpreter/code.ts"
import { MAX_BPF_STACK } from "../interpreter/prepare.ts"
import { STACK_BYTES } from "../interpreter/state.ts"
import { BPF_PSEUDO_KFUNC_CALL } from "../isa/index.ts"
import type { FunctionEmitter } from "./function.ts"
import { EMPTY_TYPE, I32, I64, op } from "./opcodes.ts"
import { FAULT, HOST_IMPORTS } from "./options.ts"
import type { FunctionInfo } from "./program.ts"

/** bpf_tail_call. */
export const TAIL_CALL = 12

export function emitCall(emitter: FunctionEmitter, slot: number): void {
  const { words } = emitter.program.code
  const at = slot * code.WORDS
  switch (words[at + code.WORD_OP]) {
    case code.OP_CALL_LOCAL:
      emitLocalCall(emitter, slot)
      return
    case code.OP_CALL_REGISTER:
      emitCallRegister(emitter, slot)
      return
    default:
      emitHelperCall(emitter, slot)
  }
}

function emitHelperCall(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const { words } = program.code
  const at = slot * code.WORDS
  const imm = words[at + code.WORD_IMM]
  const isKfunc = words[at + code.WORD_SRC] >> 1 === BPF_PSEUDO_KFUNC_CALL
  if (!isKfunc && imm === TAIL_CALL) {
    emitTailCall(emitter, slot)
    return
  }
  if (!isKfunc && program.options.inline?.emit(emitter, imm, slot) === true) return
  emitter.storeArguments(program.options.argumentCount?.(isKfunc ? "kfunc" : "helper", imm) ?? 5)
  emitter.spillFuel()
  writer.i32(slot)
  writer.get(emitter.frame)
  writer.call(program.helper(words[at + code.WORD_HELPER]))
  emitter.reloadFuel()
  emitter.loadResult()
}

/** Leaves the address of the frame of a function that is called from here. */
export function emitCalleeFrame(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  if (program.options.checked) {
    writer.get(emitter.frame)
    writer.i32(STACK_BYTES - 1)
    writer.byte(op.i32_and)
    writer.byte(op.i32_eqz)
    writer.open(op.if, EMPTY_TYPE)
    emitter.fault(slot, FAULT.depth)
    writer.byte(op.end)
  }
  writer.get(emitter.frame)
  writer.i32(MAX_BPF_STACK)
  writer.byte(op.i32_sub)
}

function emitLocalCall(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const target = program.code.words[slot * code.WORDS + code.WORD_OFF] >> code.WORDS_SHIFT
  const callee = program.functionAt(target)
  if (callee.inlined) {
    emitInlined(emitter, callee, slot)
    return
  }
  emitter.spillFuel()
  if (callee.slot === 0) emitter.storeArguments(5)
  for (const register of callee.parameters) emitter.get(register)
  emitCalleeFrame(emitter, slot)
  writer.call(callee.moduleIndex)
  emitter.set(0)
  emitter.reloadFuel()
  emitEntered(emitter)
}

/** After a call: the frames in use end with this one again. */
function emitEntered(emitter: FunctionEmitter): void {
  const { writer, program } = emitter
  if (!program.options.checked) return
  writer.get(emitter.frame)
  writer.call(program.host(HOST_IMPORTS.enter))
}

/** Writes a small function in place: its registers are locals of their own. */
function emitInlined(emitter: FunctionEmitter, callee: FunctionInfo, slot: number): void {
  const { writer, shared } = emitter
  const registers = new Int32Array(10)
  for (let register = 0; register < 10; register++) registers[register] = shared.local(I64)
  const frame = shared.local(I32)
  const result = shared.local(I64)
  for (const register of callee.parameters) {
    emitter.get(register)
    writer.set(registers[register])
  }
  emitCalleeFrame(emitter, slot)
  writer.set(frame)
  writer.open(op.block, EMPTY_TYPE)
  const depth = shared.nesting.depth++
  emitter.inlined(callee, registers, frame, { result, depth }).emit()
  writer.byte(op.unreachable)
  writer.byte(op.end)
  shared.nesting.depth--
  writer.get(result)
  emitter.set(0)
  emitEntered(emitter)
}

/** callx: the host finds out what it is. */
function emitCallRegister(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const register = program.code.words[slot * code.WORDS + code.WORD_DST] >> 1
  emitter.storeArguments(5)
  emitter.spillFuel()
  emitter.getLow(register)
  emitter.getHigh(register)
  writer.i32(slot)
  writer.get(emitter.frame)
  writer.call(program.host(HOST_IMPORTS.callx))
  emitter.reloadFuel()
  emitter.loadResult()
}

function emitTailCall(emitter: FunctionEmitter, slot: number): void {
  const { writer, program } = emitter
  const next = emitter.temporary(I32)
  program.options.inline?.tailCall?.(emitter, slot)
  emitter.storeArguments(5)
  emitter.spillFuel()
  writer.i32(slot)
  writer.get(emitter.frame)
  writer.call(program.host(HOST_IMPORTS.tail))
  writer.tee(next)
  writer.i32(-1)
  writer.byte(op.i32_ne)
  writer.open(op.if, EMPTY_TYPE)
  writer.get(next)
  writer.i32(-2)
  writer.byte(op.i32_eq)
  writer.open(op.if, EMPTY_TYPE)
  emitter.shared.nesting.depth += 2
  emitter.reloadFuel()
  emitter.loadResult()
  emitter.leave()
  emitter.shared.nesting.depth -= 2
  writer.byte(op.end)
  emitJump(emitter, next)
  writer.byte(op.end)
  emitter.reloadFuel()
  emitter.loadResult()
}

/** The frame goes on in the program at the table index in a local. */
export function emitJump(emitter: FunctionEmitter, index: number): void {
  const { writer, program } = emitter
  emitter.get(1)
  writer.get(emitter.frame)
  writer.get(index)
  // A chunk's results are not those of a program, so it cannot hand its frame on.
  const direct = program.options.tailCalls !== false && !emitter.isChunk
  writer.byte(direct ? op.return_call_indirect : op.call_indirect)
  writer.u32(program.mainType)
  writer.u32(0)
  if (direct) return
  emitter.set(0)
  emitter.reloadFuel()
  emitter.leave()
}
