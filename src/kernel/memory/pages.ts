/**
 * Runs of 4 KiB pages of the linear memory: the lower half of the allocator. Free runs are kept in
 * bins by the power of two of their length and are joined with free neighbours when they come
 * back, so any sequence of frees ends in as few runs as possible.
 *
 * Invariants: no two free runs touch; `freeLength` is set at the first and last page of each free
 * run and zero at every other page; each free run is in exactly the bin of its length.
 */

/** Bytes of a page (of the allocator's, not of WebAssembly's). */
export const PAGE_SIZE = 4096
/** log2 of it. */
export const PAGE_SHIFT = 12

const BINS = 20
const NONE = -1

/** The bin of a run of `pages` pages: the position of its highest bit. */
function binOf(pages: number): number {
  return 31 - Math.clz32(pages)
}

function grown(table: Int32Array, length: number): Int32Array {
  const copy = new Int32Array(length)
  copy.set(table)
  return copy
}

/** The free pages of a memory. Page numbers are offsets divided by {@link PAGE_SIZE}. */
export class PageAllocator {
  /** Pages known so far, free or not. */
  count = 0
  /** Pages at or above this one were never handed out: they still hold zeros. */
  untouched = 0
  private freeLength: Int32Array = new Int32Array(0)
  private next: Int32Array = new Int32Array(0)
  private previous: Int32Array = new Int32Array(0)
  private readonly bins: Int32Array = new Int32Array(BINS).fill(NONE)

  /** Appends the pages `[count, end)`; those below `firstFree` are never handed out. */
  extend(end: number, firstFree = 0): void {
    const start = Math.max(this.count, firstFree)
    this.freeLength = grown(this.freeLength, end)
    this.next = grown(this.next, end)
    this.previous = grown(this.previous, end)
    this.count = end
    this.untouched = Math.max(this.untouched, firstFree)
    if (end > start) this.release(start, end - start)
  }

  /** The first page of a run of `pages` pages that starts at a multiple of `alignment`, or -1. */
  take(pages: number, alignment = 1): number {
    for (let bin = binOf(pages); bin < BINS; bin++) {
      for (let run = this.bins[bin]; run !== NONE; run = this.next[run]) {
        const start = Math.ceil(run / alignment) * alignment
        const length = this.freeLength[run]
        if (start + pages > run + length) continue
        this.remove(run, length)
        if (start > run) this.insert(run, start - run)
        if (start + pages < run + length) this.insert(start + pages, run + length - start - pages)
        return start
      }
    }
    return NONE
  }

  /** Gives a run back, joining it with free neighbours. */
  release(start: number, pages: number): void {
    let first = start
    let end = start + pages
    if (first > 0 && this.freeLength[first - 1] > 0) {
      const length = this.freeLength[first - 1]
      first -= length
      this.remove(first, length)
    }
    if (end < this.count && this.freeLength[end] > 0) {
      const length = this.freeLength[end]
      this.remove(end, length)
      end += length
    }
    this.insert(first, end - first)
  }

  /** Free pages at the very end of the memory, which growing would extend. */
  freeAtEnd(): number {
    return this.count > 0 ? this.freeLength[this.count - 1] : 0
  }

  /** Every free run in address order, as [first page, pages]; for tests and statistics. */
  *freeRuns(): IterableIterator<[start: number, pages: number]> {
    for (let page = 0; page < this.count; page++) {
      const length = this.freeLength[page]
      if (length === 0) continue
      yield [page, length]
      page += length - 1
    }
  }

  private insert(start: number, pages: number): void {
    const bin = binOf(pages)
    const head = this.bins[bin]
    this.freeLength[start] = pages
    this.freeLength[start + pages - 1] = pages
    this.next[start] = head
    this.previous[start] = NONE
    if (head !== NONE) this.previous[head] = start
    this.bins[bin] = start
  }

  private remove(start: number, pages: number): void {
    const { next, previous } = this
    if (previous[start] === NONE) this.bins[binOf(pages)] = next[start]
    else next[previous[start]] = next[start]
    if (next[start] !== NONE) previous[next[start]] = previous[start]
    this.freeLength[start] = 0
    this.freeLength[start + pages - 1] = 0
  }
}
