/**
 * BPF_MAP_TYPE_ARENA: pages that programs and user space share under the same addresses (linux
 * v6.18 kernel/bpf/arena.c).
 *
 *   data ──▶ page 0 │ page 1 │ …       `max_entries` pages of 4 KiB
 *
 * An arena address is an offset in linear memory with the tag of the map's region; casting it
 * between address spaces only restores the tag. Pages that were not allocated, or were freed, read
 * as zeros.
 *
 * Departure from Linux: what is written to a page that is not allocated stays there until the page
 * is freed; Linux drops it.
 */

import { REGION_PROBE, REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { ERRNO } from "../../spec/index.ts"
import { MAP_DATA, MAP_STRIDE, PAGE_BYTES } from "../../wasm/maps/layout.ts"
import { MapBase, type MapSetup } from "./map-base.ts"

const PAGE_MASK = PAGE_BYTES - 1

export class ArenaMap extends MapBase {
  readonly valueRegion: number
  private readonly data: number
  /** By page: 1 when it is allocated or reserved. */
  private readonly taken: Uint8Array

  constructor(setup: MapSetup) {
    super(setup)
    const size = this.maxEntries * PAGE_BYTES
    this.data = this.storage.take(size, PAGE_BYTES)
    const flags = REGION_READ | REGION_WRITE | REGION_PROBE
    this.valueRegion = this.storage.region(this.data, this.data + size, flags)
    this.taken = new Uint8Array(this.storage.exhausted ? 0 : this.maxEntries)
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.data)
    this.describe(MAP_STRIDE, PAGE_BYTES)
  }

  /** Offset of a byte of the arena for direct value addresses, or -ERANGE. */
  byteAt(offset: number): number {
    return offset < this.maxEntries * PAGE_BYTES ? this.data + offset : -ERRNO.ERANGE
  }

  /** bpf_arena_alloc_pages: the first page's offset in linear memory, or 0; `at` 0: anywhere. */
  allocatePages(at: number, count: number): number {
    if (count === 0 || count > this.maxEntries) return 0
    let page = at === 0 ? this.smallestHole(count) : this.pageOf(at)
    if (at !== 0 && ((at - this.data) & PAGE_MASK || !this.isFree(page, count))) page = -1
    if (page < 0) return 0
    this.taken.fill(1, page, page + count)
    return this.data + page * PAGE_BYTES
  }

  /** bpf_arena_free_pages: pages beyond the arena's end are left out. */
  freePages(at: number, count: number): void {
    const page = this.pageOf(at & ~PAGE_MASK)
    if (page < 0 || page >= this.maxEntries) return
    const end = Math.min(page + count, this.maxEntries)
    this.taken.fill(0, page, end)
    this.memory.u8.fill(0, this.data + page * PAGE_BYTES, this.data + end * PAGE_BYTES)
  }

  /** bpf_arena_reserve_pages: keeps free pages from being allocated; 0, -EINVAL or -EBUSY. */
  reservePages(at: number, count: number): number {
    if (count === 0 || (at - this.data) & PAGE_MASK) return 0
    const page = this.pageOf(at)
    if (page < 0 || page + count > this.maxEntries) return -ERRNO.EINVAL
    if (!this.isFree(page, count)) return -ERRNO.EBUSY
    this.taken.fill(1, page, page + count)
    return 0
  }

  private pageOf(at: number): number {
    return Math.floor((at - this.data) / PAGE_BYTES)
  }

  private isFree(page: number, count: number): boolean {
    if (page < 0 || page + count > this.maxEntries) return false
    for (let one = page; one < page + count; one++) if (this.taken[one] !== 0) return false
    return true
  }

  /** The first page of the smallest run of free pages that is long enough, or -1. */
  private smallestHole(count: number): number {
    let best = -1
    let bestLength = Number.POSITIVE_INFINITY
    for (let page = 0; page < this.maxEntries; ) {
      if (this.taken[page] !== 0) {
        page++
        continue
      }
      const start = page
      while (page < this.maxEntries && this.taken[page] === 0) page++
      const length = page - start
      if (length >= count && length < bestLength) {
        best = start
        bestLength = length
      }
    }
    return best
  }

  override update(): number {
    return -ERRNO.EOPNOTSUPP
  }

  override delete(): number {
    return -ERRNO.EOPNOTSUPP
  }

  protected override sysLookup(): number {
    return -ERRNO.EINVAL
  }

  protected override sysUpdate(): number {
    return -ERRNO.EOPNOTSUPP
  }

  protected override nextKey(): number {
    return -ERRNO.EOPNOTSUPP
  }
}
