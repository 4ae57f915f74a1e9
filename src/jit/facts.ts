/**
 * What may be known about a program beforehand, from the verifier. Everything is optional, and
 * the compiler is correct without any of it; but a program that no verifier has accepted must be
 * compiled with checks (see {@link CompileOptions}).
 *
 * Slots are those of the program as it runs, counting both halves of ld_imm64.
 */

/** To what the base register of a load or store points, on all paths. */
export type AccessClass =
  | "stack"
  | "context"
  | "packet"
  | "map_value"
  /** Kernel objects whose loads may fault, and then give 0. */
  | "probe"
  | "other"

/** A call of a helper. */
export interface CallFacts {
  /** Low half of the address of the map in r1, the same on all paths. */
  readonly map?: number
  /** The first four bytes of the key in r2, when they are always the same. */
  readonly key?: number
}

export interface JitFacts {
  /** By slot of a load or store. */
  readonly access?: ReadonlyMap<number, AccessClass>
  /** By slot of a 32-bit load of a context: true when the field holds an address. */
  readonly contextLoads?: ReadonlyMap<number, boolean>
  /** By slot of a call of a helper. */
  readonly calls?: ReadonlyMap<number, CallFacts>
  /** By slot of a conditional jump: where it always goes. */
  readonly branches?: ReadonlyMap<number, "taken" | "next">
  /** Slots that no path reaches. */
  readonly dead?: ReadonlySet<number>
  /** Whether a function may read bytes of its stack that it has not written; by first slot. */
  readonly readsFreshStack?: ReadonlySet<number>
}
