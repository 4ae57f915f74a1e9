/**
 * Elements of one size, handed out one by one, for maps whose elements come and go.
 *
 * Memory is taken in chunks: one for all elements when the map preallocates, else chunks that
 * double from 4 KiB on. Free elements are linked through their first word. Chunks are given back
 * with the map, not before; the value region spans from the first chunk to the last.
 *
 * Invariant: `live` elements are out; free list and untouched rest of the newest chunk hold the
 * others.
 */

import type { KernelMemory } from "../memory/kernel-memory.ts"
import type { MapStorage } from "./storage.ts"

const FIRST_CHUNK_BYTES = 4096
const CHUNK_BYTES_MAX = 1 << 20

export class ElementPool {
  readonly elementSize: number
  readonly region: number
  /** Elements handed out. */
  live = 0
  private readonly memory: KernelMemory
  private readonly storage: MapStorage
  private readonly regionFlags: number
  private readonly capacity: number
  private free = 0
  /** Untouched part of the newest chunk. */
  private fresh = 0
  private freshEnd = 0
  private reserved = 0
  private regionStart = 0
  private regionEnd = 0
  private chunkBytes = FIRST_CHUNK_BYTES

  constructor(
    storage: MapStorage,
    options: {
      elementSize: number
      /** Elements that can be out at a time. */
      capacity: number
      preallocate: boolean
      regionFlags: number
    },
  ) {
    this.storage = storage
    this.memory = storage.memory
    this.elementSize = options.elementSize
    this.capacity = options.capacity
    this.regionFlags = options.regionFlags
    if (options.preallocate) {
      this.reserved = this.capacity
      this.fresh = storage.take(this.capacity * this.elementSize)
      this.freshEnd = this.fresh + this.capacity * this.elementSize
      this.regionStart = this.fresh
      this.regionEnd = this.freshEnd
    }
    this.region = storage.region(this.regionStart, this.regionEnd, this.regionFlags)
  }

  /** Offset of an element with what its last user left in it (zeros at first), or 0: none left. */
  take(): number {
    let element = this.free
    if (element !== 0) {
      this.free = this.memory.i32[element >> 2]
    } else {
      if (this.fresh === this.freshEnd && !this.grow()) return 0
      element = this.fresh
      this.fresh += this.elementSize
    }
    this.live++
    return element
  }

  give(element: number): void {
    this.memory.i32[element >> 2] = this.free
    this.free = element
    this.live--
  }

  private grow(): boolean {
    const count = Math.min(
      this.capacity - this.reserved,
      Math.max(1, Math.floor(this.chunkBytes / this.elementSize)),
    )
    if (count === 0) return false
    const bytes = count * this.elementSize
    const chunk = this.storage.tryTake(bytes)
    if (chunk === 0) return false
    this.chunkBytes = Math.min(this.chunkBytes * 2, CHUNK_BYTES_MAX)
    this.reserved += count
    this.fresh = chunk
    this.freshEnd = chunk + bytes
    this.regionStart = this.regionEnd === 0 ? chunk : Math.min(this.regionStart, chunk)
    this.regionEnd = Math.max(this.regionEnd, chunk + bytes)
    this.memory.setRegion(this.region, this.regionStart, this.regionEnd, this.regionFlags)
    return true
  }
}
