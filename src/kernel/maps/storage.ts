/**
 * What a map takes out of kernel memory: every block and region is remembered, so that a map whose
 * creation fails half-way, or that is destroyed, gives everything back.
 *
 * Invariant: nothing is written into a block before {@link MapStorage.exhausted} was found false.
 */

import type { KernelMemory } from "../memory/kernel-memory.ts"

/** Largest block: an offset is a non-negative 32-bit integer. */
const BLOCK_MAX = 2 ** 31 - 65_536

export class MapStorage {
  readonly memory: KernelMemory
  /** A block or region could not be had: the map must not be used (-ENOMEM). */
  exhausted = false
  private readonly blocks: number[] = []
  private readonly regions: number[] = []

  constructor(memory: KernelMemory) {
    this.memory = memory
  }

  /** `size` zeroed bytes, or 0 (and `exhausted` is set). */
  take(size: number, alignment = 8): number {
    const block = size <= BLOCK_MAX ? this.memory.allocate(Math.max(size, 8), alignment) : 0
    if (block === 0) this.exhausted = true
    else this.blocks.push(block)
    return block
  }

  /** Like {@link take} for a map that is in use: running out does not spoil it. */
  tryTake(size: number): number {
    const block = size <= BLOCK_MAX ? this.memory.allocate(size) : 0
    if (block !== 0) this.blocks.push(block)
    return block
  }

  /** A region of the address space over `[start, end)`. */
  region(start: number, end: number, flags: number): number {
    if (this.exhausted) return 0
    const region = this.memory.createRegion(start, end, flags)
    if (region === 0) this.exhausted = true
    else this.regions.push(region)
    return region
  }

  /** Gives everything back. */
  release(): void {
    for (const region of this.regions) this.memory.destroyRegion(region)
    for (const block of this.blocks) this.memory.free(block)
    this.regions.length = 0
    this.blocks.length = 0
  }
}
