/** What the compiler is told, and what it gives back. */

import type { PacketFields } from "./batch.ts"
import type { JitFacts } from "./facts.ts"
import type { InlineHelpers } from "./helpers.ts"

export interface CompileOptions {
  /** Address of the engine's area ({@link AREA}) in linear memory. */
  readonly area: number
  /** High half of stack addresses. */
  readonly stackTag: number
  /**
   * Every access is checked against its region, and frames are cleared: for programs that no
   * verifier has accepted.
   */
  readonly checked: boolean
  /** Offsets of the 32-bit context fields that hold packet addresses; at most 8. */
  readonly contextFields?: readonly number[]
  /**
   * Loops count what they spend, so that an endless one ends with a fault: true by default. A
   * verifier has shown that the loops of its programs end.
   */
  readonly fuel?: boolean
  /** Where a context has its packet: the module gets the export `batch`. */
  readonly packetFields?: PacketFields | null
  /** High half of addresses of kernel objects, whose loads give 0 when they fault; 0: none. */
  readonly probeTag?: number
  /** Loads through registers of which nothing is known may fault (tracing programs). */
  readonly probes?: boolean
  /** Arguments of a helper or kfunc; 5 by default. */
  readonly argumentCount?: (kind: "helper" | "kfunc", imm: number) => number
  readonly facts?: JitFacts | null
  /** Helpers that are written in place or called in WebAssembly. */
  readonly inline?: InlineHelpers | null
  /** The memory is shared with other threads: real atomics. */
  readonly shared?: boolean
  /** Pages of a shared memory at most. */
  readonly memoryPagesMax?: number
  /** Slots of a function that is not cut into chunks (chunks.ts): small for tests. */
  readonly chunkSlots?: number
  /** Whether the host knows `return_call_indirect`; true by default. */
  readonly tailCalls?: boolean
}

/** A compiled program, before it is instantiated. */
export interface CompiledModule {
  readonly bytes: Uint8Array
  /** Names of the imports from `e`, beside `memory` and `table`. */
  readonly imports: readonly string[]
  /** Slots of the functions that can be entered from outside, as exports `f<slot>`. */
  readonly entries: readonly number[]
  /** Dispatch blocks that irreducible graphs needed. */
  readonly dispatches: number
}

/** Imports that are no helpers: what each one does is in machine.ts. */
export const HOST_IMPORTS = {
  check: "check",
  enter: "enter",
  exhausted: "exhausted",
  fault: "fault",
  tail: "tail",
  callx: "callx",
  packet: "packet",
  tag: "tag",
  probe: "probe",
} as const

/** Second argument of the import `fault`. */
export const FAULT = { end: 0, depth: 1 } as const
