/**
 * Targets of bpf_redirect_map: BPF_MAP_TYPE_DEVMAP, _DEVMAP_HASH and _CPUMAP (linux v6.18
 * kernel/bpf/devmap.c, cpumap.c).
 *
 *   data ──▶ value 0 │ value 1 │ …   8 bytes each: u32 ifindex (cpumap: queue size; 0: empty),
 *                                    u32 id of the program to run on the way, or 0
 *
 * A devmap hash uses elements as they come and finds them by a JavaScript Map from key to element.
 */

import { REGION_READ } from "../../interpreter/machine.ts"
import { BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { MAP_DATA, MAP_STRIDE } from "../../wasm/maps/layout.ts"
import { roundUpPowerOfTwo, zeroBytes } from "./bytes.ts"
import { MapBase, type MapSetup } from "./map-base.ts"

/** What a redirect finds. */
export interface RedirectTarget {
  /** Interface index, or (cpumap) queue size. */
  readonly first: number
  /** The program that runs on the way, as `resolveProgram` gave it. */
  readonly program: { readonly id: number } | undefined
}

/** How a redirect map reaches the kernel around it: see {@link RedirectMap.resolver}. */
export interface RedirectResolver {
  /** Whether a network device exists. */
  device(ifindex: number): boolean
  /** Takes a reference on the program behind a descriptor, or gives a negative errno. */
  program(fd: number, map: RedirectMap): { readonly id: number } | number
  /** Drops the reference. */
  releaseProgram(program: { readonly id: number }): void
}

const STRIDE = 8
const QUEUE_SIZE_MAX = 16_384

export class RedirectMap extends MapBase {
  readonly valueRegion: number
  /** Set by the kernel; without one every positive ifindex exists and there are no programs. */
  resolver: RedirectResolver | undefined
  private readonly data: number
  private readonly targets = new Map<number, RedirectTarget>()
  /** Devmap hash: key to element; the free elements are the others. */
  private readonly elements = new Map<number, number>()
  private readonly freeElements: number[] = []

  constructor(setup: MapSetup) {
    super(setup)
    this.data = this.storage.take(this.maxEntries * STRIDE)
    const end = this.data + this.maxEntries * STRIDE
    this.valueRegion = this.storage.region(this.data, end, REGION_READ)
  }

  override initialize(): void {
    super.initialize()
    this.describe(MAP_DATA, this.data)
    this.describe(MAP_STRIDE, STRIDE)
  }

  private get hashed(): boolean {
    return this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP_HASH
  }

  private get cpumap(): boolean {
    return this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_CPUMAP
  }

  /** What is under a u32 key, or undefined: the redirect goes nowhere. */
  target(key: number): RedirectTarget | undefined {
    return this.targets.get(key >>> 0)
  }

  /** Keys in use, in the order of iteration: for broadcast. */
  keys(): number[] {
    const keys = [...this.targets.keys()]
    return this.hashed ? this.byBucket(keys) : keys.sort((a, b) => a - b)
  }

  override lookup(key: number): number {
    if (!this.hashed) return this.engine.redirectLookup(this.address, key)
    return this.valueUnder(this.memory.view.getUint32(key, true))
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    const index = this.memory.i32[key >> 2] >>> 0
    const view = new DataView(value.buffer, value.byteOffset)
    const first = view.getUint32(0, true)
    const fd = this.valueSize > 4 ? view.getInt32(4, true) : 0
    if (flags > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    const error = this.hashed
      ? this.checkHashed(index, first, flags)
      : this.checkIndexed(index, first, flags)
    if (error !== 0) return error
    if (first === 0) return this.clearIndexed(index, fd)
    if (!this.cpumap && !(this.resolver?.device(first) ?? first <= 0x7fffffff)) return -ERRNO.EINVAL
    let program: { readonly id: number } | undefined
    if (fd > 0) {
      const found = this.resolver?.program(fd, this) ?? -ERRNO.EBADF
      // Devmaps answer every unusable program with -EINVAL.
      if (typeof found === "number") return this.cpumap ? found : -ERRNO.EINVAL
      program = found
    }
    return this.store(index, { first, program })
  }

  private checkIndexed(index: number, first: number, flags: number): number {
    if (index >= this.maxEntries) return -ERRNO.E2BIG
    if (flags === BPF_UPDATE_FLAG.BPF_NOEXIST) return -ERRNO.EEXIST
    if (!this.cpumap) return 0
    if (first > QUEUE_SIZE_MAX) return -ERRNO.EOVERFLOW
    return index >= this.host.cpus ? -ERRNO.ENODEV : 0
  }

  private checkHashed(key: number, first: number, flags: number): number {
    if (first === 0) return -ERRNO.EINVAL
    const exists = this.targets.has(key)
    return exists && flags === BPF_UPDATE_FLAG.BPF_NOEXIST ? -ERRNO.EEXIST : 0
  }

  /** An ifindex (or queue size) of 0 empties a slot of an array. */
  private clearIndexed(index: number, fd: number): number {
    if (!this.cpumap && fd > 0) return -ERRNO.EINVAL
    this.drop(index)
    return 0
  }

  private store(key: number, target: RedirectTarget): number {
    const old = this.targets.get(key)
    if (this.hashed && old === undefined && this.targets.size >= this.maxEntries) {
      if (target.program !== undefined) this.resolver?.releaseProgram(target.program)
      return -ERRNO.E2BIG
    }
    if (old?.program !== undefined) this.resolver?.releaseProgram(old.program)
    // Like a new element it comes first in its bucket.
    this.targets.delete(key)
    this.targets.set(key, target)
    const at = this.elementOf(key)
    this.memory.i32[at >> 2] = target.first
    this.memory.i32[(at + 4) >> 2] = target.program?.id ?? 0
    return 0
  }

  protected override sysDelete(key: number): number {
    const index = this.memory.i32[key >> 2] >>> 0
    if (this.hashed) return this.drop(index) ? 0 : -ERRNO.ENOENT
    if (index >= this.maxEntries) return -ERRNO.EINVAL
    this.drop(index)
    return 0
  }

  protected override nextKey(key: number): number {
    const next = this.hashed ? this.nextHashed(key) : this.nextIndex(key)
    if (next < 0) return next
    this.memory.i32[this.keyScratch >> 2] = next
    return this.keyScratch
  }

  private nextIndex(key: number): number {
    const index = key === 0 ? this.maxEntries : this.memory.i32[key >> 2] >>> 0
    if (index === this.maxEntries - 1) return -ERRNO.ENOENT
    return index >= this.maxEntries ? 0 : index + 1
  }

  /** By bucket (the key's low bits), the newest first; from the start when the key is not there. */
  private nextHashed(key: number): number {
    const keys = this.keys()
    const index = key === 0 ? -1 : keys.indexOf(this.memory.i32[key >> 2] >>> 0)
    return index + 1 < keys.length ? keys[index + 1] : -ERRNO.ENOENT
  }

  private byBucket(keys: readonly number[]): number[] {
    const mask = roundUpPowerOfTwo(this.maxEntries) - 1
    const bucket = (key: number): number => (key & mask) >>> 0
    return [...keys].reverse().sort((a, b) => bucket(a) - bucket(b))
  }

  private valueUnder(key: number): number {
    return this.targets.has(key) ? this.elementOf(key) : 0
  }

  /** Offset of the value that belongs to a key that is in use. */
  private elementOf(key: number): number {
    if (!this.hashed) return this.data + key * STRIDE
    let element = this.elements.get(key)
    if (element === undefined) {
      element = this.freeElements.pop() ?? this.elements.size
      this.elements.set(key, element)
    }
    return this.data + element * STRIDE
  }

  private drop(key: number): boolean {
    const target = this.targets.get(key)
    if (target === undefined) return false
    zeroBytes(this.memory, this.elementOf(key), STRIDE)
    this.targets.delete(key)
    const element = this.elements.get(key)
    if (element !== undefined) {
      this.elements.delete(key)
      this.freeElements.push(element)
    }
    if (target.program !== undefined) this.resolver?.releaseProgram(target.program)
    return true
  }

  override destroy(): void {
    for (const { program } of this.targets.values())
      if (program !== undefined) this.resolver?.releaseProgram(program)
    this.targets.clear()
    super.destroy()
  }
}
