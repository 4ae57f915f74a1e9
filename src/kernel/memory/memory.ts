/**
 * {@link KernelMemory} over one 32-bit WebAssembly.Memory. Offsets stay below 2 GiB, so that an
 * offset is never negative as an int; the first 64 KiB are never handed out, so that 0 is no
 * offset and no access with a 16-bit displacement can wrap around.
 */

import { Allocator, type Backing } from "./allocator.ts"
import type { KernelMemory } from "./kernel-memory.ts"
import { PAGE_SIZE } from "./pages.ts"
import { RegionTable } from "./regions.ts"

const WASM_PAGE_SIZE = 65_536
/** Bytes at the start that are never handed out. */
const RESERVED_BYTES = 65_536
/** Largest memory: offsets and sizes are non-negative 32-bit integers. */
export const MEMORY_MAX: number = 2 ** 31 - WASM_PAGE_SIZE
// Below the 64 MiB outside its heap at which V8 collects garbage at once.
const INITIAL_BYTES_DEFAULT = 48 * 2 ** 20
const MAXIMUM_BYTES_DEFAULT = 2 ** 30
/** Memory grows by this or by an eighth, whichever is more, or by what is needed. */
const GROWTH_MIN_BYTES = 2 ** 20

export interface KernelMemoryOptions {
  /** Size at the start, 48 MiB by default; untouched pages cost nothing. Growing is rarer, and
   * slows typed-array access of the whole process a little, so start large. */
  readonly initialBytes?: number
  /** Where `allocate` gives up; 1 GiB by default, at most 2 GiB - 64 KiB. */
  readonly maximumBytes?: number
  /** A memory that several threads can share. */
  readonly shared?: boolean
}

class LinearMemory implements KernelMemory, Backing {
  readonly memory: WebAssembly.Memory
  u8: Uint8Array
  i32: Int32Array
  view: DataView
  regionStart: Uint32Array
  regionEnd: Uint32Array
  regionFlags: Uint8Array
  private readonly maximumBytes: number
  private readonly allocator: Allocator
  private readonly regions: RegionTable = new RegionTable()
  /** Regions that reach beyond what memory there is: their end moves when memory grows. */
  private readonly openRegions = new Set<number>()

  constructor(options: KernelMemoryOptions) {
    const pagesOf = (bytes: number) => Math.ceil(bytes / WASM_PAGE_SIZE)
    const maximum = pagesOf(Math.min(options.maximumBytes ?? MAXIMUM_BYTES_DEFAULT, MEMORY_MAX))
    const initial = Math.min(pagesOf(options.initialBytes ?? INITIAL_BYTES_DEFAULT), maximum)
    this.memory = new WebAssembly.Memory({ initial, maximum, shared: options.shared ?? false })
    this.maximumBytes = maximum * WASM_PAGE_SIZE
    this.u8 = new Uint8Array(this.memory.buffer)
    this.i32 = new Int32Array(this.memory.buffer)
    this.view = new DataView(this.memory.buffer)
    this.allocator = new Allocator(this)
    this.allocator.extend(this.u8.length, RESERVED_BYTES)
    this.regionStart = this.regions.start
    this.regionEnd = this.regions.end
    this.regionFlags = this.regions.flags
  }

  get allocatedBytes(): number {
    return this.allocator.allocatedBytes
  }

  allocate(size: number, alignment = 8): number {
    return this.allocator.allocate(size, alignment)
  }

  free(offset: number): void {
    this.allocator.free(offset)
  }

  grow(pages: number): boolean {
    const size = this.u8.length
    const needed = Math.ceil((pages * PAGE_SIZE) / WASM_PAGE_SIZE) * WASM_PAGE_SIZE
    if (size + needed > this.maximumBytes) return false
    const eighth = Math.floor(size / 8 / WASM_PAGE_SIZE) * WASM_PAGE_SIZE
    const added = Math.min(Math.max(needed, eighth, GROWTH_MIN_BYTES), this.maximumBytes - size)
    try {
      this.memory.grow(added / WASM_PAGE_SIZE)
    } catch {
      return false
    }
    this.u8 = new Uint8Array(this.memory.buffer)
    this.i32 = new Int32Array(this.memory.buffer)
    this.view = new DataView(this.memory.buffer)
    this.allocator.extend(this.u8.length)
    for (const region of this.openRegions) this.regionEnd[region] = this.u8.length
    return true
  }

  createRegion(start: number, end: number, flags: number): number {
    const open = end > this.u8.length
    const region = this.regions.create(start, open ? this.u8.length : end, flags)
    if (open) this.openRegions.add(region)
    this.regionStart = this.regions.start
    this.regionEnd = this.regions.end
    this.regionFlags = this.regions.flags
    return region
  }

  setRegion(region: number, start: number, end: number, flags: number): void {
    this.regions.set(region, start, end, flags)
  }

  destroyRegion(region: number): void {
    this.openRegions.delete(region)
    this.regions.destroy(region)
  }

  setContextTags(region: number, tags: ReadonlyMap<number, number>): void {
    this.regions.setTags(region, tags)
  }

  contextTag(region: number, offset: number): number {
    return this.regions.tag(region, offset)
  }

  read(offset: number, size: number): Uint8Array {
    return new Uint8Array(this.u8.subarray(offset, offset + size))
  }

  write(offset: number, bytes: Uint8Array): void {
    this.u8.set(bytes, offset)
  }
}

/**
 * A new, empty kernel memory.
 *
 * @throws RangeError when the engine cannot reserve the address space.
 */
export function createKernelMemory(options: KernelMemoryOptions = {}): KernelMemory {
  return new LinearMemory(options)
}
