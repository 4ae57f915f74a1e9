/**
 * The engine's own words in linear memory, at an address that is compiled into the code. One area
 * serves all machines of a kernel: a nested run saves it and puts it back.
 *
 * ```text
 *   0  r0 … r10      arguments and result of everything that is called out to
 *  88  fuel          i32: instructions that the run may still spend in loops
 *  92  context high  i32: high half of the run's context address
 *  96  scratch       i64: the tag of a checked context load, in its high half
 * 104  cpu           i32
 * 112  tags          8 × i64: the tag of each context field, in its high half
 * 176  batch at      i32: the frame in work
 * 180  tail calls    i32: made in this run
 * ```
 */

export const AREA = {
  REGISTERS: 0,
  FUEL: 88,
  CONTEXT_HIGH: 92,
  SCRATCH: 96,
  CPU: 104,
  TAGS: 112,
  BATCH_AT: 176,
  TAIL_CALLS: 180,
  BYTES: 192,
} as const

/** Context fields with a tag. */
export const TAGS_MAX = 8
