/**
 * Helpers that programs call without leaving WebAssembly: written in place, or imported from the
 * instance that has the map engines. A helper that has no entry here, or whose entry declines, is
 * called through JavaScript.
 */

import type { FunctionEmitter } from "./function.ts"

/** What the compiler asks about helpers. */
export interface InlineHelpers {
  /**
   * Writes a call of the helper `imm` at `slot`: its arguments are in r1 to r5, and its result goes
   * to r0. Returns false, having written nothing, when it cannot.
   */
  emit(emitter: FunctionEmitter, imm: number, slot: number): boolean
  /**
   * Before a tail call through JavaScript: may write one that stays in WebAssembly, and goes on
   * behind itself when it cannot be made.
   */
  readonly tailCall?: (emitter: FunctionEmitter, slot: number) => void
  /** Whether what `emit` writes has loops, which need fuel. */
  readonly loops?: (imm: number) => boolean
  /** Declares the imports that `emit` may use for a call of `imm`. */
  readonly declare?: (
    imm: number,
    declare: (name: string, parameters: readonly number[], results: readonly number[]) => void,
  ) => void
  /** The imports themselves. */
  readonly imports?: Readonly<Record<string, WebAssembly.ExportValue>>
}
