/**
 * Patterns of several instructions that become something better than their parts.
 */

import type { FunctionEmitter } from "./function.ts"

export class Peepholes {
  private readonly emitter: FunctionEmitter

  constructor(emitter: FunctionEmitter) {
    this.emitter = emitter
  }

  startBlock(_start: number, _end: number): void {}

  /** Writes the instruction at `slot` if a pattern covers it; false: it is still to be written. */
  take(_slot: number): boolean {
    return this.emitter === null
  }

  /** The same for the terminator. */
  takeCondition(_slot: number): boolean {
    return false
  }
}
