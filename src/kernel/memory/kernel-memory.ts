/**
 * Kernel memory as the rest of the embedded kernel uses it: an {@link AddressSpace} with an
 * allocator and a region table. Stacks, contexts, packets, map values and kernel objects all live
 * in it.
 */

import type { AddressSpace } from "../../interpreter/machine.ts"

export interface KernelMemory extends AddressSpace {
  /**
   * `size` zeroed bytes, aligned to `alignment` (a power of two, at least 8); returns the offset,
   * or 0 when memory is exhausted (callers answer -ENOMEM). May replace the views.
   */
  allocate(size: number, alignment?: number): number
  /** Returns what `allocate` gave. Freeing 0 does nothing; freeing anything else twice throws. */
  free(offset: number): void
  /** Bytes handed out and not yet freed. */
  readonly allocatedBytes: number

  /**
   * A new region over `[start, end)`; returns its index, or 0 when all are in use (callers answer
   * -ENOMEM). `REGION_TAG | index` is its tag. May replace the region arrays.
   */
  createRegion(start: number, end: number, flags: number): number
  setRegion(region: number, start: number, end: number, flags: number): void
  /** The index may be reused: no address of the region may be in use any more. */
  destroyRegion(region: number): void
  /** For context regions: 32-bit fields that hold addresses, as (byte offset → high half). */
  setContextTags(region: number, tags: ReadonlyMap<number, number>): void

  /** Copies out of, or into, linear memory. */
  read(offset: number, size: number): Uint8Array
  write(offset: number, bytes: Uint8Array): void
}
