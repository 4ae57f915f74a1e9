/**
 * BPF_MAP_TYPE_LPM_TRIE: longest prefix match on keys of up to 2,048 bits (linux v6.18
 * kernel/bpf/lpm_trie.c). A key is a u32 prefix length followed by the data, most significant bit
 * first.
 *
 *   node ──▶  0  child for a next bit of 0 (in a free node: next free one)
 *             4  child for a next bit of 1
 *             8  1 for an intermediate node, which only joins two children, else 0
 *            12  reserved
 *            16  prefix length ┐ the key, in the order of the system call;
 *            20  data          ┘ padded to 8
 *   valueOffset  value, padded to 8
 *
 * Invariants: a child's prefix is longer than its parent's and begins with it; an intermediate
 * node has two children. So there are fewer intermediate nodes than elements.
 */

import { BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { copyBytes, roundUp8 } from "./bytes.ts"
import { ElementPool } from "./element-pool.ts"
import { DESCRIPTOR, MapBase, type MapSetup, valueRegionFlags } from "./map-base.ts"

const CHILD_1 = 4
const INTERMEDIATE = 8
const KEY = 16
/** Bytes of the prefix length before a key's data. */
const DATA = 4

export class LpmTrie extends MapBase {
  private readonly pool: ElementPool
  private readonly valueOffset: number
  private readonly dataSize: number
  private readonly prefixMax: number
  /** The slot that holds the root node: a descriptor word. */
  private readonly root: number
  private count = 0

  constructor(setup: MapSetup) {
    super(setup)
    this.dataSize = this.keySize - DATA
    this.prefixMax = this.dataSize * 8
    this.valueOffset = KEY + roundUp8(this.keySize)
    this.root = this.address + DESCRIPTOR.DATA
    this.pool = new ElementPool(this.storage, {
      elementSize: this.valueOffset + this.copySize,
      // Elements, their intermediate nodes, and one to replace an element with.
      capacity: 2 * this.maxEntries + 1,
      preallocate: false,
      regionFlags: valueRegionFlags(this.flags),
    })
  }

  get valueRegion(): number {
    return this.pool.region
  }

  override initialize(): void {
    super.initialize()
    this.describe(DESCRIPTOR.STRIDE, this.valueOffset + this.copySize)
    this.describe(DESCRIPTOR.ENGINE, this.valueOffset)
    this.describe(DESCRIPTOR.ENGINE + 4, this.dataSize)
  }

  override lookup(key: number): number {
    const aligned = this.alignedKey(key)
    const { i32 } = this.memory
    if (i32[aligned >> 2] >>> 0 > this.prefixMax) return 0
    let found = 0
    let node = i32[this.root >> 2]
    while (node !== 0) {
      const matched = this.matchLength(node, aligned)
      if (matched === this.prefixMax) {
        found = node
        break
      }
      if (matched < this.prefixOf(node)) break
      if (i32[(node + INTERMEDIATE) >> 2] === 0) found = node
      node = i32[this.childSlot(node, aligned) >> 2]
    }
    return found === 0 ? 0 : found + this.valueOffset
  }

  override update(key: number, value: number, flags: number): number {
    return this.put(this.alignedKey(key), null, value, flags)
  }

  override delete(key: number): number {
    const aligned = this.alignedKey(key)
    const { i32 } = this.memory
    const prefix = i32[aligned >> 2] >>> 0
    if (prefix > this.prefixMax) return -ERRNO.EINVAL
    let slot = this.root
    let parentSlot = slot
    let parent = 0
    let node = i32[slot >> 2]
    let matched = 0
    while (node !== 0) {
      matched = this.matchLength(node, aligned)
      if (this.prefixOf(node) !== matched || this.prefixOf(node) === prefix) break
      parent = node
      parentSlot = slot
      slot = this.childSlot(node, aligned)
      node = i32[slot >> 2]
    }
    if (node === 0 || this.prefixOf(node) !== prefix || matched !== prefix) return -ERRNO.ENOENT
    if (i32[(node + INTERMEDIATE) >> 2] !== 0) return -ERRNO.ENOENT
    this.count--
    this.releaseFields?.(node + this.valueOffset)
    this.detach(node, slot, parent, parentSlot)
    return 0
  }

  /** Takes an element's node out of the tree, or makes it an intermediate one. */
  private detach(node: number, slot: number, parent: number, parentSlot: number): void {
    const { i32 } = this.memory
    const left = i32[node >> 2]
    const right = i32[(node + CHILD_1) >> 2]
    if (left !== 0 && right !== 0) {
      i32[(node + INTERMEDIATE) >> 2] = 1
      return
    }
    if (parent !== 0 && i32[(parent + INTERMEDIATE) >> 2] !== 0 && left === 0 && right === 0) {
      // The intermediate parent has no purpose any more: its other child takes its place.
      const first = i32[parent >> 2]
      i32[parentSlot >> 2] = first === node ? i32[(parent + CHILD_1) >> 2] : first
      this.pool.give(parent)
    } else {
      i32[slot >> 2] = left !== 0 ? left : right
    }
    this.pool.give(node)
  }

  private put(key: number, source: Uint8Array | null, from: number, flags: number): number {
    if (flags >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    const prefix = this.memory.i32[key >> 2] >>> 0
    if (prefix > this.prefixMax) return -ERRNO.EINVAL
    let slot = this.root
    let node = this.memory.i32[slot >> 2]
    let matched = 0
    while (node !== 0) {
      matched = this.matchLength(node, key)
      if (this.prefixOf(node) !== matched || this.prefixOf(node) === prefix) break
      slot = this.childSlot(node, key)
      node = this.memory.i32[slot >> 2]
    }
    const same = node !== 0 && this.prefixOf(node) === matched
    const exists = same && this.memory.i32[(node + INTERMEDIATE) >> 2] === 0
    if (exists) {
      if (flags === BPF_UPDATE_FLAG.BPF_NOEXIST) return -ERRNO.EEXIST
    } else {
      if (flags === BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.ENOENT
      if (this.count === this.maxEntries) return -ERRNO.ENOSPC
    }
    const fresh = this.newNode(key, 0)
    if (fresh === 0) return -ERRNO.ENOMEM
    if (node === 0) this.memory.i32[slot >> 2] = fresh
    else if (same) this.replace(node, fresh, slot)
    else if (!this.join(node, fresh, slot, matched)) return -ERRNO.ENOMEM
    this.clearFields(fresh + this.valueOffset)
    this.storeValue(fresh + this.valueOffset, source, from, this.valueSize)
    if (!exists) this.count++
    return 0
  }

  private replace(node: number, fresh: number, slot: number): void {
    const { i32 } = this.memory
    i32[fresh >> 2] = i32[node >> 2]
    i32[(fresh + CHILD_1) >> 2] = i32[(node + CHILD_1) >> 2]
    i32[slot >> 2] = fresh
    if (i32[(node + INTERMEDIATE) >> 2] === 0) this.releaseFields?.(node + this.valueOffset)
    this.pool.give(node)
  }

  /** Puts a new node above `node`, or beside it under an intermediate one of `matched` bits. */
  private join(node: number, fresh: number, slot: number, matched: number): boolean {
    if (matched === this.prefixOf(fresh)) {
      const child = fresh + 4 * this.bit(node + KEY, matched)
      this.memory.i32[child >> 2] = node
      this.memory.i32[slot >> 2] = fresh
      return true
    }
    const joint = this.newNode(node + KEY, 1)
    if (joint === 0) {
      this.pool.give(fresh)
      return false
    }
    const { i32 } = this.memory
    i32[(joint + KEY) >> 2] = matched
    const side = this.bit(fresh + KEY, matched)
    i32[(joint + 4 * side) >> 2] = fresh
    i32[(joint + 4 * (1 - side)) >> 2] = node
    i32[slot >> 2] = joint
    return true
  }

  private newNode(key: number, intermediate: number): number {
    const node = this.pool.take()
    if (node === 0) return 0
    const { i32 } = this.memory
    i32[node >> 2] = 0
    i32[(node + CHILD_1) >> 2] = 0
    i32[(node + INTERMEDIATE) >> 2] = intermediate
    copyBytes(this.memory, node + KEY, key, this.keySize)
    return node
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    return this.put(key, value, 0, flags)
  }

  /** Postorder: more specific prefixes before less specific ones. */
  protected override nextKey(key: number): number {
    const { i32 } = this.memory
    const root = i32[this.root >> 2]
    if (root === 0) return -ERRNO.ENOENT
    if (key === 0 || i32[key >> 2] >>> 0 > this.prefixMax) return this.leftmost(root) + KEY
    const path: number[] = []
    let node = root
    let matched = 0
    while (node !== 0) {
      path.push(node)
      matched = this.matchLength(node, key)
      if (this.prefixOf(node) !== matched || this.prefixOf(node) === i32[key >> 2]) break
      node = i32[this.childSlot(node, key) >> 2]
    }
    if (node === 0 || this.prefixOf(node) !== matched || i32[(node + INTERMEDIATE) >> 2] !== 0)
      return this.leftmost(root) + KEY
    for (let depth = path.length - 2; depth >= 0; depth--) {
      const parent = path[depth]
      if (i32[parent >> 2] === path[depth + 1]) {
        const sibling = i32[(parent + CHILD_1) >> 2]
        if (sibling !== 0) return this.leftmost(sibling) + KEY
      }
      if (i32[(parent + INTERMEDIATE) >> 2] === 0) return parent + KEY
    }
    return -ERRNO.ENOENT
  }

  /** The first element of a subtree in postorder. */
  private leftmost(root: number): number {
    const { i32 } = this.memory
    let node = root
    for (;;) {
      const left = i32[node >> 2]
      const next = left !== 0 ? left : i32[(node + CHILD_1) >> 2]
      if (next === 0) return node
      node = next
    }
  }

  private prefixOf(node: number): number {
    return this.memory.i32[(node + KEY) >> 2]
  }

  private childSlot(node: number, key: number): number {
    return node + 4 * this.bit(key, this.prefixOf(node))
  }

  /** Bit `index` of a key's data, from the most significant one of the first byte. */
  private bit(key: number, index: number): number {
    return (this.memory.u8[key + DATA + (index >> 3)] >> (7 - (index & 7))) & 1
  }

  /** Leading bits that a node and a key have in common, as far as both prefixes go. */
  private matchLength(node: number, key: number): number {
    const { i32 } = this.memory
    const nodeWord = (node + KEY) >> 2
    const keyWord = key >> 2
    const limit = Math.min(i32[nodeWord], i32[keyWord])
    for (let word = 1, bits = 0; bits < limit; word++, bits += 32) {
      // The last word may reach behind the data: those bits are beyond the limit.
      const difference = i32[nodeWord + word] ^ i32[keyWord + word]
      if (difference !== 0) return Math.min(limit, bits + Math.clz32(swapBytes(difference)))
    }
    return limit
  }

  override destroy(): void {
    if (this.releaseFields !== undefined) this.releaseTree(this.memory.i32[this.root >> 2])
    super.destroy()
  }

  private releaseTree(node: number): void {
    if (node === 0) return
    const { i32 } = this.memory
    this.releaseTree(i32[node >> 2])
    this.releaseTree(i32[(node + CHILD_1) >> 2])
    if (i32[(node + INTERMEDIATE) >> 2] === 0) this.releaseFields?.(node + this.valueOffset)
  }
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}
