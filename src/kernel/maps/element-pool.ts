/**
 * Memory for elements of one size, for maps whose elements come and go.
 *
 * Memory is taken in chunks: one for all elements when the map preallocates, else chunks that
 * double from 4 KiB on. The engines hand elements out and link free ones (src/wasm/maps/values.ts)
 * by way of words of the map's descriptor: first free element, and the part of the newest chunk
 * that was never handed out; where threads share memory, each CPU has a list of its own. Chunks are given back with the map, not before; the value
 * region spans from the first chunk to the last.
 */

import {
  FREE_LIST_BYTES,
  POOL_FREE,
  POOL_FREE_LISTS,
  POOL_FRESH,
  POOL_FRESH_END,
} from "../../wasm/maps/layout.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import type { MapStorage } from "./storage.ts"

const FIRST_CHUNK_BYTES = 4096
const CHUNK_BYTES_MAX = 1 << 20

export interface ElementPoolOptions {
  /** Offset of the map's descriptor; absent: no engine knows the pool. */
  readonly descriptor?: number
  readonly elementSize: number
  /** Elements that can be out at a time. */
  readonly capacity: number
  readonly preallocate: boolean
  readonly regionFlags: number
  /** CPUs whose threads share the pool: each gets a free list, and all memory is had at once. */
  readonly threads?: number
}

export class ElementPool {
  readonly region: number
  private readonly memory: KernelMemory
  private readonly storage: MapStorage
  private readonly options: ElementPoolOptions
  private readonly first: number
  private readonly descriptor: number
  private readonly lists: number
  private readonly whole: boolean
  private reserved = 0
  private regionStart = 0
  private regionEnd = 0
  private chunkBytes = FIRST_CHUNK_BYTES

  constructor(storage: MapStorage, options: ElementPoolOptions) {
    this.storage = storage
    this.memory = storage.memory
    this.options = options
    this.descriptor = options.descriptor ?? storage.take(POOL_FRESH_END + 4)
    this.first = 0
    const { threads = 0 } = options
    this.lists = threads === 0 ? 0 : storage.take(FREE_LIST_BYTES * threads, FREE_LIST_BYTES)
    this.whole = options.preallocate || threads > 0
    if (this.whole) {
      this.reserved = options.capacity
      this.first = storage.take(options.capacity * options.elementSize)
      this.regionStart = this.first
      this.regionEnd = this.first + options.capacity * options.elementSize
    }
    this.region = storage.region(this.regionStart, this.regionEnd, options.regionFlags)
  }

  /** The first writes, when the map has all its memory. */
  initialize(): void {
    if (this.lists !== 0) this.setWord(POOL_FREE_LISTS, this.lists)
    if (this.whole) this.offer(this.first, this.regionEnd)
  }

  /** A new chunk behind POOL_FRESH; false when there is none. */
  grow(): boolean {
    const { capacity, elementSize, regionFlags } = this.options
    const count = Math.min(
      capacity - this.reserved,
      Math.max(1, Math.floor(this.chunkBytes / elementSize)),
    )
    if (count === 0) return false
    const bytes = count * elementSize
    const chunk = this.storage.tryTake(bytes)
    if (chunk === 0) return false
    this.chunkBytes = Math.min(this.chunkBytes * 2, CHUNK_BYTES_MAX)
    this.reserved += count
    this.regionStart = this.regionEnd === 0 ? chunk : Math.min(this.regionStart, chunk)
    this.regionEnd = Math.max(this.regionEnd, chunk + bytes)
    this.memory.setRegion(this.region, this.regionStart, this.regionEnd, regionFlags)
    this.offer(chunk, chunk + bytes)
    return true
  }

  /** An element with what its last user left in it (zeros at first), or 0: none left. */
  take(): number {
    const free = this.word(POOL_FREE)
    if (free !== 0) {
      this.setWord(POOL_FREE, this.memory.i32[free >> 2])
      return free
    }
    if (this.word(POOL_FRESH) === this.word(POOL_FRESH_END) && !this.grow()) return 0
    const element = this.word(POOL_FRESH)
    this.setWord(POOL_FRESH, element + this.options.elementSize)
    return element
  }

  give(element: number): void {
    this.memory.i32[element >> 2] = this.word(POOL_FREE)
    this.setWord(POOL_FREE, element)
  }

  private offer(start: number, end: number): void {
    this.setWord(POOL_FRESH, start)
    this.setWord(POOL_FRESH_END, end)
  }

  private word(field: number): number {
    return this.memory.i32[(this.descriptor + field) >> 2]
  }

  private setWord(field: number, value: number): void {
    this.memory.i32[(this.descriptor + field) >> 2] = value
  }
}
