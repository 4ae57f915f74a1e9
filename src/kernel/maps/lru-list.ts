/**
 * The replacement lists of LRU hash maps (linux v6.18 kernel/bpf/bpf_lru_list.c): an approximation
 * of least-recently-used with a reference bit and two lists, "active" and "inactive". A look-up
 * only sets the bit; elements move when somebody needs a free one.
 *
 * Every element carries four words (hash-table.ts), here called its node:
 *
 *    0 previous node   4 next node   8 state: list kind | reference bit << 8   12 CPU
 *
 * and every list is a ring closed by a head of two words, previous and next.
 *
 * With one set of lists for all CPUs (the default), each CPU has a stock of free nodes, refilled
 * by up to {@link LOCAL_FREE_TARGET} at a time, and a list of nodes that it handed out since
 * ("pending"), which go to the global lists with the next refill. So a map may evict elements
 * before it is full, as in Linux: each CPU may hold a stock of free nodes. With BPF_F_NO_COMMON_LRU
 * each CPU has a share of the elements and lists of its own.
 *
 * Invariant: each node is on exactly one list, the one its state names, except a node between
 * {@link LruList.take} and its return to the caller.
 */

import type { KernelMemory } from "../memory/kernel-memory.ts"
import type { MapStorage } from "./storage.ts"

/** Nodes that a CPU stocks up with, and that one pass over a list looks at. */
const LOCAL_FREE_TARGET = 128
/** The same for lists of one CPU. */
const PERCPU_FREE_TARGET = 4

const ACTIVE = 0
const INACTIVE = 1
const FREE = 2
const LOCAL_FREE = 3
const PENDING = 4

const PREVIOUS = 0
const NEXT = 4
const STATE = 8
const CPU = 12
const KIND_MASK = 0xff
const REFERENCED = 0x100

/** One set of lists: five heads, and the counts and the position of the inactive list's hand. */
const HEAD_SIZE = 8
const LIST_SET_SIZE = 64
const COUNT_ACTIVE = 40
const COUNT_INACTIVE = 44
const ROTATION = 48

export class LruList {
  private readonly memory: KernelMemory
  private readonly cpus: number
  private readonly common: boolean
  /** List sets: the common one, or one for each CPU. */
  private readonly sets: number
  /** Two heads for each CPU: stock of free nodes, pending nodes. */
  private readonly locals: number
  private readonly freeTarget: number
  private readonly scanMax: number
  private readonly steal: Uint32Array
  private readonly evict: (node: number) => boolean

  constructor(
    storage: MapStorage,
    options: {
      cpus: number
      elements: number
      /** One set of lists for all CPUs. */
      common: boolean
      /** Takes an element out of the table; false when it is not in it. */
      evict: (node: number) => boolean
    },
  ) {
    const { cpus, common } = options
    this.memory = storage.memory
    this.cpus = cpus
    this.common = common
    this.evict = options.evict
    this.steal = new Uint32Array(cpus)
    const share = Math.floor(options.elements / cpus / 2)
    this.freeTarget = common ? Math.min(Math.max(share, 1), LOCAL_FREE_TARGET) : PERCPU_FREE_TARGET
    this.scanMax = common ? LOCAL_FREE_TARGET : PERCPU_FREE_TARGET
    this.sets = storage.take(LIST_SET_SIZE * (common ? 1 : cpus))
    this.locals = storage.take(HEAD_SIZE * 2 * cpus)
  }

  /** Puts `count` nodes, `stride` bytes apart, on the free lists. */
  populate(first: number, stride: number, count: number): void {
    const sets = this.common ? 1 : this.cpus
    for (let set = 0; set < sets; set++) {
      const base = this.sets + set * LIST_SET_SIZE
      for (let kind = ACTIVE; kind <= FREE; kind++) this.clear(base + kind * HEAD_SIZE)
      this.memory.i32[(base + ROTATION) >> 2] = base + INACTIVE * HEAD_SIZE
    }
    for (let head = 0; head < 2 * this.cpus; head++) this.clear(this.locals + head * HEAD_SIZE)
    for (let cpu = 0; cpu < this.cpus; cpu++) this.steal[cpu] = cpu
    const share = this.common ? count : count / this.cpus
    for (let index = 0; index < count; index++) {
      const node = first + index * stride
      const cpu = this.common ? 0 : Math.floor(index / share)
      this.memory.i32[(node + STATE) >> 2] = FREE
      this.memory.i32[(node + CPU) >> 2] = cpu
      this.insert(node, this.setOf(cpu) + FREE * HEAD_SIZE)
    }
  }

  /** Marks a node as used. */
  reference(node: number): void {
    this.memory.i32[(node + STATE) >> 2] |= REFERENCED
  }

  /** A free node for this CPU, by eviction if need be; 0 when there is none. */
  take(cpu: number): number {
    return this.common ? this.takeCommon(cpu) : this.takeOwn(cpu)
  }

  /** Takes a node back that {@link take} gave. */
  give(node: number): void {
    const { i32 } = this.memory
    const kind = i32[(node + STATE) >> 2] & KIND_MASK
    const cpu = i32[(node + CPU) >> 2]
    if (kind === PENDING) {
      i32[(node + STATE) >> 2] = LOCAL_FREE
      this.move(node, this.stock(cpu))
    } else if (kind !== FREE && kind !== LOCAL_FREE) {
      this.relist(this.setOf(cpu), node, FREE)
    }
  }

  // ---- common lists -----------------------------------------------------------------------------

  private takeCommon(cpu: number): number {
    let node = this.popStock(cpu)
    if (node === 0) {
      this.refill(cpu)
      node = this.popStock(cpu)
    }
    if (node === 0) node = this.stealFor(cpu)
    if (node === 0) return 0
    const { i32 } = this.memory
    i32[(node + STATE) >> 2] = PENDING
    i32[(node + CPU) >> 2] = cpu
    this.insert(node, this.pending(cpu))
    return node
  }

  private popStock(cpu: number): number {
    const head = this.stock(cpu)
    const node = this.next(head)
    if (node === head) return 0
    this.remove(node)
    return node
  }

  /** Fills a CPU's stock from the free list, then by shrinking the inactive list. */
  private refill(cpu: number): void {
    const set = this.sets
    this.flushPending(cpu)
    this.rotate(set)
    const free = set + FREE * HEAD_SIZE
    let got = 0
    while (got < this.freeTarget) {
      const node = this.next(free)
      if (node === free) break
      this.moveToFree(set, node, this.stock(cpu), LOCAL_FREE)
      got++
    }
    if (got < this.freeTarget) this.shrink(set, this.freeTarget - got, this.stock(cpu), LOCAL_FREE)
  }

  /** Moves pending nodes to the global lists, the oldest first. */
  private flushPending(cpu: number): void {
    const head = this.pending(cpu)
    const { i32 } = this.memory
    let node = this.previous(head)
    while (node !== head) {
      const before = this.previous(node)
      const kind = this.isReferenced(node) ? ACTIVE : INACTIVE
      this.count(this.sets, kind, 1)
      i32[(node + STATE) >> 2] = kind
      this.move(node, this.sets + kind * HEAD_SIZE)
      node = before
    }
  }

  /** Takes from other CPUs' stocks, or evicts what they have pending, round robin. */
  private stealFor(cpu: number): number {
    const first = this.steal[cpu]
    let victim = first
    let node = 0
    do {
      node =
        this.popStock(victim) || this.popPending(victim, false) || this.popPending(victim, true)
      victim = (victim + 1) % this.cpus
    } while (node === 0 && victim !== first)
    this.steal[cpu] = victim
    return node
  }

  private popPending(cpu: number, evenReferenced: boolean): number {
    const head = this.pending(cpu)
    for (let node = this.previous(head); node !== head; node = this.previous(node)) {
      if ((evenReferenced || !this.isReferenced(node)) && this.evict(node)) {
        this.remove(node)
        return node
      }
    }
    return 0
  }

  // ---- lists of one CPU ---------------------------------------------------------------------------

  private takeOwn(cpu: number): number {
    const set = this.setOf(cpu)
    this.rotate(set)
    const free = set + FREE * HEAD_SIZE
    if (this.next(free) === free) this.shrink(set, PERCPU_FREE_TARGET, free, FREE)
    const node = this.next(free)
    if (node === free) return 0
    this.relist(set, node, INACTIVE)
    return node
  }

  // ---- active, inactive, free -----------------------------------------------------------------------

  /** Keeps the active list no longer than the inactive one, and the inactive list's hand moving. */
  private rotate(set: number): void {
    const { i32 } = this.memory
    if (i32[(set + COUNT_INACTIVE) >> 2] < i32[(set + COUNT_ACTIVE) >> 2]) this.rotateActive(set)
    this.rotateInactive(set)
  }

  /** Referenced nodes at the active list's end go to its front, others to the inactive list. */
  private rotateActive(set: number): void {
    const head = set + ACTIVE * HEAD_SIZE
    const first = this.next(head)
    let node = this.previous(head)
    for (let scanned = 1; node !== head; scanned++) {
      const before = this.previous(node)
      this.relist(set, node, this.isReferenced(node) ? ACTIVE : INACTIVE)
      if (scanned === this.scanMax || node === first) break
      node = before
    }
  }

  /** Moves referenced nodes up, starting where the last pass stopped. */
  private rotateInactive(set: number): void {
    const { i32 } = this.memory
    const head = set + INACTIVE * HEAD_SIZE
    if (this.next(head) === head) return
    let node = i32[(set + ROTATION) >> 2]
    let last = this.next(node)
    if (last === head) last = this.next(last)
    let before = head
    for (let scanned = 0; scanned < this.scanMax; ) {
      if (node === head) {
        node = this.previous(node)
        continue
      }
      before = this.previous(node)
      if (this.isReferenced(node)) this.relist(set, node, ACTIVE)
      if (node === last) break
      node = before
      scanned++
    }
    i32[(set + ROTATION) >> 2] = before
  }

  /** Evicts up to `target` nodes to a free list; when all are in use, one regardless of its bit. */
  private shrink(set: number, target: number, free: number, kind: number): void {
    if (this.shrinkInactive(set, target, free, kind) > 0) return
    const inactive = set + INACTIVE * HEAD_SIZE
    const head = this.next(inactive) !== inactive ? inactive : set + ACTIVE * HEAD_SIZE
    for (let node = this.previous(head); node !== head; node = this.previous(node)) {
      if (this.evict(node)) {
        this.moveToFree(set, node, free, kind)
        return
      }
    }
  }

  private shrinkInactive(set: number, target: number, free: number, kind: number): number {
    const head = set + INACTIVE * HEAD_SIZE
    let evicted = 0
    let node = this.previous(head)
    for (let scanned = 1; node !== head; scanned++) {
      const before = this.previous(node)
      if (this.isReferenced(node)) this.relist(set, node, ACTIVE)
      else if (this.evict(node)) {
        this.moveToFree(set, node, free, kind)
        if (++evicted === target) break
      }
      if (scanned === this.scanMax) break
      node = before
    }
    return evicted
  }

  /** Moves a node to the front of one of a set's lists and clears its reference bit. */
  private relist(set: number, node: number, kind: number): void {
    const { i32 } = this.memory
    const from = i32[(node + STATE) >> 2] & KIND_MASK
    if (from !== kind) {
      this.count(set, from, -1)
      this.count(set, kind, 1)
    }
    i32[(node + STATE) >> 2] = kind
    this.passHand(set, node)
    this.move(node, set + kind * HEAD_SIZE)
  }

  private moveToFree(set: number, node: number, free: number, kind: number): void {
    const { i32 } = this.memory
    this.passHand(set, node)
    this.count(set, i32[(node + STATE) >> 2] & KIND_MASK, -1)
    i32[(node + STATE) >> 2] = kind | (i32[(node + STATE) >> 2] & REFERENCED)
    this.move(node, free)
  }

  /** The inactive list's hand must not point at a node that leaves. */
  private passHand(set: number, node: number): void {
    const { i32 } = this.memory
    if (i32[(set + ROTATION) >> 2] === node) i32[(set + ROTATION) >> 2] = this.previous(node)
  }

  private count(set: number, kind: number, by: number): void {
    if (kind === ACTIVE) this.memory.i32[(set + COUNT_ACTIVE) >> 2] += by
    else if (kind === INACTIVE) this.memory.i32[(set + COUNT_INACTIVE) >> 2] += by
  }

  // ---- rings ------------------------------------------------------------------------------------------

  private setOf(cpu: number): number {
    return this.common ? this.sets : this.sets + cpu * LIST_SET_SIZE
  }

  private stock(cpu: number): number {
    return this.locals + cpu * 2 * HEAD_SIZE
  }

  private pending(cpu: number): number {
    return this.locals + (cpu * 2 + 1) * HEAD_SIZE
  }

  private isReferenced(node: number): boolean {
    return (this.memory.i32[(node + STATE) >> 2] & REFERENCED) !== 0
  }

  private next(node: number): number {
    return this.memory.i32[(node + NEXT) >> 2]
  }

  private previous(node: number): number {
    return this.memory.i32[(node + PREVIOUS) >> 2]
  }

  private clear(head: number): void {
    this.memory.i32[(head + PREVIOUS) >> 2] = head
    this.memory.i32[(head + NEXT) >> 2] = head
  }

  private insert(node: number, head: number): void {
    const { i32 } = this.memory
    const first = i32[(head + NEXT) >> 2]
    i32[(node + PREVIOUS) >> 2] = head
    i32[(node + NEXT) >> 2] = first
    i32[(first + PREVIOUS) >> 2] = node
    i32[(head + NEXT) >> 2] = node
  }

  private remove(node: number): void {
    const { i32 } = this.memory
    const before = i32[(node + PREVIOUS) >> 2]
    const after = i32[(node + NEXT) >> 2]
    i32[(before + NEXT) >> 2] = after
    i32[(after + PREVIOUS) >> 2] = before
  }

  private move(node: number, head: number): void {
    this.remove(node)
    this.insert(node, head)
  }
}
