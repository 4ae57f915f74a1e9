/**
 * The allocator of kernel memory. Requests up to 2 KiB come from slabs (runs of pages cut into
 * objects of one size class); larger ones are runs of pages of their own. Everything the allocator
 * knows is kept beside the linear memory, except the lists of free objects, which are threaded
 * through the free objects themselves.
 *
 * Invariants: a slab is in its class's list exactly while it has a free object; a slab without
 * live objects gives its pages back at once; one bit per 16 bytes says where live objects start,
 * so a wrong `free` is found when it happens.
 */

import { PAGE_SHIFT, PAGE_SIZE, PageAllocator } from "./pages.ts"

/** Object sizes of the slabs: multiples of 16, at most an eighth to a quarter wasted. */
const CLASS_SIZES: readonly number[] = [
  16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024,
  1280, 1536, 1792, 2048,
]
const SMALL_MAX = 2048
/** Slabs of objects above this size take four pages, so that at least eight fit. */
const ONE_PAGE_MAX = 256
const GRANULE_SHIFT = 4
const NONE = -1

/** The class that a size belongs to, by (size + 15) / 16. */
const CLASS_OF_GRANULES: Uint8Array = (() => {
  const table = new Uint8Array((SMALL_MAX >> GRANULE_SHIFT) + 1)
  let sizeClass = 0
  for (let granules = 0; granules < table.length; granules++) {
    if (granules * 16 > CLASS_SIZES[sizeClass]) sizeClass++
    table[granules] = sizeClass
  }
  return table
})()

/** One slab: pages cut into objects of one size. */
interface Slab {
  readonly start: number
  readonly pages: number
  readonly sizeClass: number
  /** Offset of the first free object, or 0; each free object begins with the next one's offset. */
  free: number
  /** Objects from here to the end were never handed out and are in no list. */
  fresh: number
  live: number
  next: Slab | null
  previous: Slab | null
}

/** The memory under an allocator. */
export interface Backing {
  /** Views of the whole memory, replaced by `grow`. */
  u8: Uint8Array
  i32: Int32Array
  /** Adds at least `pages` pages (of {@link PAGE_SIZE}); false when that is impossible. */
  grow(pages: number): boolean
}

export class Allocator {
  readonly pages: PageAllocator = new PageAllocator()
  /** Bytes handed out, rounded up to size classes and pages. */
  allocatedBytes = 0
  private readonly backing: Backing
  /** By page: the slab it belongs to, the length in pages of the large run that starts there, or null. */
  private readonly owners: (Slab | number | null)[] = []
  private readonly partial: (Slab | null)[] = CLASS_SIZES.map(() => null)
  /** One bit per 16 bytes, set where a live object starts. */
  private live: Uint32Array = new Uint32Array(0)

  constructor(backing: Backing) {
    this.backing = backing
  }

  /** Makes the bytes below `end` available, except those below `firstFree`. Multiples of a page. */
  extend(end: number, firstFree = 0): void {
    this.pages.extend(end >>> PAGE_SHIFT, firstFree >>> PAGE_SHIFT)
    const live = new Uint32Array(end >>> (GRANULE_SHIFT + 5))
    live.set(this.live)
    this.live = live
    while (this.owners.length < end >>> PAGE_SHIFT) this.owners.push(null)
  }

  /** See KernelMemory.allocate. */
  allocate(size: number, alignment = 8): number {
    if (!(size >= 0) || alignment < 1 || (alignment & (alignment - 1)) !== 0)
      throw new RangeError(`cannot allocate ${size} bytes aligned to ${alignment}`)
    const rounded = alignment <= 16 ? size : Math.ceil(size / alignment) * alignment
    if (rounded <= SMALL_MAX && alignment <= SMALL_MAX) {
      let sizeClass = CLASS_OF_GRANULES[(Math.max(rounded, alignment, 1) + 15) >> GRANULE_SHIFT]
      // 2048 is a multiple of every alignment that comes here.
      while (alignment > 16 && CLASS_SIZES[sizeClass] % alignment !== 0) sizeClass++
      return this.allocateSmall(sizeClass)
    }
    return this.allocateRun(Math.ceil(size / PAGE_SIZE), alignment)
  }

  /** See KernelMemory.free. @throws Error when nothing live starts at `offset`. */
  free(offset: number): void {
    if (offset === 0) return
    const word = offset >>> (GRANULE_SHIFT + 5)
    const bit = 1 << ((offset >>> GRANULE_SHIFT) & 31)
    if ((offset & 15) !== 0 || word >= this.live.length || (this.live[word] & bit) === 0)
      throw new Error(`free of ${offset}, where no allocation starts`)
    this.live[word] &= ~bit
    const page = offset >>> PAGE_SHIFT
    const owner = this.owners[page]
    if (owner === null) throw new Error(`page ${page} has a live object but no owner`)
    if (typeof owner === "number") {
      this.owners[page] = null
      this.allocatedBytes -= owner * PAGE_SIZE
      this.pages.release(page, owner)
    } else {
      this.freeSmall(owner, offset)
    }
  }

  private markLive(offset: number): void {
    this.live[offset >>> (GRANULE_SHIFT + 5)] |= 1 << ((offset >>> GRANULE_SHIFT) & 31)
  }

  private allocateSmall(sizeClass: number): number {
    const slab = this.partial[sizeClass] ?? this.createSlab(sizeClass)
    if (slab === null) return 0
    const size = CLASS_SIZES[sizeClass]
    let offset = slab.free
    if (offset !== 0) {
      slab.free = this.backing.i32[offset >>> 2]
    } else {
      offset = slab.fresh
      slab.fresh += size
    }
    slab.live++
    if (slab.free === 0 && slab.fresh + size > (slab.start + slab.pages) * PAGE_SIZE)
      this.unlink(slab)
    this.allocatedBytes += size
    this.markLive(offset)
    this.backing.u8.fill(0, offset, offset + size)
    return offset
  }

  private freeSmall(slab: Slab, offset: number): void {
    const size = CLASS_SIZES[slab.sizeClass]
    const wasFull = slab.free === 0 && slab.fresh + size > (slab.start + slab.pages) * PAGE_SIZE
    this.backing.i32[offset >>> 2] = slab.free
    slab.free = offset
    slab.live--
    this.allocatedBytes -= size
    if (slab.live > 0) {
      if (wasFull) this.link(slab)
      return
    }
    if (!wasFull) this.unlink(slab)
    for (let page = 0; page < slab.pages; page++) this.owners[slab.start + page] = null
    this.pages.release(slab.start, slab.pages)
  }

  private createSlab(sizeClass: number): Slab | null {
    const pages = CLASS_SIZES[sizeClass] <= ONE_PAGE_MAX ? 1 : 4
    const start = this.takePages(pages, 1)
    if (start === NONE) return null
    this.pages.untouched = Math.max(this.pages.untouched, start + pages)
    const fresh = start * PAGE_SIZE
    const slab = { start, pages, sizeClass, free: 0, fresh, live: 0, next: null, previous: null }
    for (let page = 0; page < pages; page++) this.owners[start + page] = slab
    this.link(slab)
    return slab
  }

  private allocateRun(pages: number, alignment: number): number {
    const count = Math.max(pages, 1)
    const start = this.takePages(count, Math.max(1, alignment >>> PAGE_SHIFT))
    if (start === NONE) return 0
    const offset = start * PAGE_SIZE
    // Pages never handed out are zero already; filling them would only make them resident.
    const dirty = Math.min(start + count, this.pages.untouched)
    if (dirty > start) this.backing.u8.fill(0, offset, dirty * PAGE_SIZE)
    this.pages.untouched = Math.max(this.pages.untouched, start + count)
    this.owners[start] = count
    this.allocatedBytes += count * PAGE_SIZE
    this.markLive(offset)
    return offset
  }

  private takePages(pages: number, alignment: number): number {
    const start = this.pages.take(pages, alignment)
    if (start !== NONE) return start
    const wanted = pages + alignment - 1
    if (!this.backing.grow(wanted - (alignment === 1 ? this.pages.freeAtEnd() : 0))) return NONE
    return this.pages.take(pages, alignment)
  }

  private link(slab: Slab): void {
    const head = this.partial[slab.sizeClass]
    slab.next = head
    slab.previous = null
    if (head !== null) head.previous = slab
    this.partial[slab.sizeClass] = slab
  }

  private unlink(slab: Slab): void {
    if (slab.previous === null) this.partial[slab.sizeClass] = slab.next
    else slab.previous.next = slab.next
    if (slab.next !== null) slab.next.previous = slab.previous
    slab.next = null
    slab.previous = null
  }
}
