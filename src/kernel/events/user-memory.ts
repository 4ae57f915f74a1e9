/**
 * Memory of the virtual processes: where strings and buffers lie that system calls are given. One
 * arena, emptied when the outermost event is over.
 */

import { REGION_READ, REGION_TAG, REGION_WRITE } from "../../interpreter/index.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"

/** Bytes that the arguments of one event (and events nested in it) may take. */
const ARENA_BYTES = 1 << 18

export class UserMemory {
  readonly region: number
  private readonly memory: KernelMemory
  private readonly start: number
  private used = 0

  constructor(memory: KernelMemory) {
    this.memory = memory
    this.start = memory.allocate(ARENA_BYTES, 4096)
    if (this.start === 0) throw new RangeError("kernel memory is exhausted: no user memory")
    this.region = memory.createRegion(
      this.start,
      this.start + ARENA_BYTES,
      REGION_READ | REGION_WRITE,
    )
  }

  /** Copies bytes in; returns their address as a program sees it. */
  place(bytes: Uint8Array): bigint {
    // Strings are followed by zeros, so that a string read never runs into the next one.
    const size = (bytes.length + 8 + 7) & ~7
    if (this.used + size > ARENA_BYTES)
      throw new RangeError(`the arguments of an event take more than ${ARENA_BYTES} bytes`)
    const offset = this.start + this.used
    this.memory.u8.fill(0, offset, offset + size)
    this.memory.write(offset, bytes)
    this.used += size
    return (BigInt((REGION_TAG | this.region) >>> 0) << 32n) | BigInt(offset)
  }

  placeString(text: string): bigint {
    return this.place(new TextEncoder().encode(`${text}\0`))
  }

  mark(): number {
    return this.used
  }

  release(mark: number): void {
    this.used = mark
  }
}
