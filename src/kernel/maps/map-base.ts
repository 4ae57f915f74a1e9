/**
 * What all maps have in common: the parameters, the descriptor in linear memory, and the system
 * call side's way to the elements (checks in the order of linux v6.18 kernel/bpf/syscall.c; a
 * buffer that is missing or too short answers -EFAULT where Linux copies from or to user space).
 *
 * Engines override the program side (`lookup`, `update`…, offsets of linear memory) and the four
 * `sys…` methods, which get the key as an offset too: system call keys are first copied to a
 * scratch area behind the descriptor. What an engine does not override answers as Linux does for a
 * map type without the operation.
 *
 * Descriptor, 64 bytes:
 *
 *    0 index in the kernel's table of maps    32 data: first value, bucket or slot
 *    4 map type                               36 bytes from one element to the next
 *    8 key size                               40 bytes from one CPU's copy to the next
 *   12 value size                             44 value region
 *   16 max entries                            48 engine's own (4 words)
 *   20 flags
 *   24 offset of the key scratch area
 *   28 possible CPUs
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import { copyBytes, copyIn, roundUp8 } from "./bytes.ts"
import type { BpfMap, MapHost, MapParameters } from "./map.ts"
import type { MapStorage } from "./storage.ts"

export const DESCRIPTOR_SIZE = 64

/** Byte offsets inside a descriptor. */
export const DESCRIPTOR = {
  INDEX: 0,
  TYPE: 4,
  KEY_SIZE: 8,
  VALUE_SIZE: 12,
  MAX_ENTRIES: 16,
  FLAGS: 20,
  KEY_SCRATCH: 24,
  CPUS: 28,
  DATA: 32,
  STRIDE: 36,
  CPU_STRIDE: 40,
  VALUE_REGION: 44,
  ENGINE: 48,
} as const

/**
 * A part of a value that the kernel owns (bpf_spin_lock, bpf_timer, kptr…): writes leave it alone
 * and system call reads see zeros. From the map's BTF.
 */
export interface ValueField {
  readonly kind: string
  readonly offset: number
  readonly size: number
}

/** What a map is made from, beside MAP_CREATE's attributes. */
export interface MapOptions {
  /** Index in the kernel's table of maps. */
  readonly index: number
  /** What `inner_map_fd` is: a map, or the negative errno of the failed look-up. */
  readonly inner?: BpfMap | number
  /** Kernel-owned fields of the value, by offset; one of kind "spin_lock" allows BPF_F_LOCK. */
  readonly fields?: readonly ValueField[]
  /** Called with the offset of a value whose fields go out of use (deleted, replaced, destroyed). */
  readonly release?: (value: number) => void
}

/** Everything that a map's constructor gets. */
export interface MapSetup extends MapOptions {
  readonly host: MapHost
  readonly parameters: MapParameters
  readonly storage: MapStorage
}

export const PERCPU_TYPES: ReadonlySet<number> = new Set([
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
])

/** REGION_ flags of a map's values. */
export function valueRegionFlags(flags: number): number {
  if (flags & BPF_MAP_FLAG.BPF_F_RDONLY_PROG) return REGION_READ
  if (flags & BPF_MAP_FLAG.BPF_F_WRONLY_PROG) return REGION_WRITE
  return REGION_READ | REGION_WRITE
}

export abstract class MapBase implements BpfMap {
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly mapExtra: bigint
  readonly name: string
  id = 0
  frozen = false
  readonly address: number
  readonly syscallValueSize: number
  /** Template of the maps inside (maps of maps). */
  readonly inner: BpfMap | undefined
  readonly fields: readonly ValueField[]
  protected readonly host: MapHost
  protected readonly memory: KernelMemory
  protected readonly storage: MapStorage
  protected readonly percpu: boolean
  /** Bytes of one copy of a value, padded to 8. */
  protected readonly copySize: number
  protected readonly keyScratch: number
  protected readonly releaseFields: ((value: number) => void) | undefined
  private readonly locked: boolean
  private readonly index: number
  abstract readonly valueRegion: number

  constructor(setup: MapSetup) {
    const { host, parameters, storage, index, fields = [] } = setup
    this.type = parameters.type
    this.keySize = parameters.keySize
    this.valueSize = parameters.valueSize
    this.maxEntries = parameters.maxEntries
    this.flags = parameters.flags
    this.mapExtra = parameters.mapExtra
    this.name = parameters.name
    this.host = host
    this.memory = host.memory
    this.storage = storage
    this.index = index
    this.inner = typeof setup.inner === "number" ? undefined : setup.inner
    this.fields = fields
    this.releaseFields = setup.release
    this.locked = fields.some((field) => field.kind === "spin_lock")
    this.percpu = PERCPU_TYPES.has(this.type)
    this.copySize = roundUp8(this.valueSize)
    this.syscallValueSize = this.percpu ? this.copySize * host.cpus : this.valueSize
    this.address = storage.take(DESCRIPTOR_SIZE + roundUp8(this.keySize))
    this.keyScratch = this.address + DESCRIPTOR_SIZE
  }

  /** Second step of creation, when all memory was had: the first writes. */
  initialize(): void {
    this.describe(DESCRIPTOR.INDEX, this.index)
    this.describe(DESCRIPTOR.TYPE, this.type)
    this.describe(DESCRIPTOR.KEY_SIZE, this.keySize)
    this.describe(DESCRIPTOR.VALUE_SIZE, this.valueSize)
    this.describe(DESCRIPTOR.MAX_ENTRIES, this.maxEntries)
    this.describe(DESCRIPTOR.FLAGS, this.flags)
    this.describe(DESCRIPTOR.KEY_SCRATCH, this.keyScratch)
    this.describe(DESCRIPTOR.CPUS, this.host.cpus)
    this.describe(DESCRIPTOR.CPU_STRIDE, this.copySize)
    this.describe(DESCRIPTOR.VALUE_REGION, this.valueRegion)
  }

  protected describe(field: number, value: number): void {
    this.memory.i32[(this.address + field) >> 2] = value
  }

  // ---- program side: what a type without the operation answers ---------------------------------

  lookup(_key: number): number {
    return 0
  }

  lookupPercpu(_key: number, _cpu: number): number {
    return 0
  }

  update(_key: number, _value: number, _flags: number): number {
    return -ERRNO.EINVAL
  }

  delete(_key: number): number {
    return -ERRNO.EINVAL
  }

  push(_value: number, _flags: number): number {
    return -ERRNO.EOPNOTSUPP
  }

  pop(_value: number): number {
    return -ERRNO.EOPNOTSUPP
  }

  peek(_value: number): number {
    return -ERRNO.EOPNOTSUPP
  }

  forEach(_callback: (key: number, value: number) => number): number {
    return -ERRNO.EINVAL
  }

  // ---- engine side of the system calls ----------------------------------------------------------

  /** Offset of the value as the system call sees it (all copies of a per-CPU one), or an errno. */
  protected sysLookup(key: number, _value: Uint8Array): number {
    return this.lookup(key) || -ERRNO.ENOENT
  }

  protected abstract sysUpdate(key: number, value: Uint8Array, flags: number): number

  protected sysDelete(key: number): number {
    return this.delete(key)
  }

  /** Copies the value out (when there is one) and deletes the element. */
  protected sysLookupAndDelete(_key: number, _value: Uint8Array, _flags: number): number {
    return -ERRNO.ENOTSUPP
  }

  /** Offset of the key after `key` (0: of the first key), or a negative errno. */
  protected abstract nextKey(key: number): number

  // ---- the system calls ---------------------------------------------------------------------------

  lookupElem(key: Uint8Array | undefined, value: Uint8Array, flags: bigint): number {
    const error = this.lockFlag(flags, true) || this.takeKey(key)
    if (error !== 0) return error
    const found = this.sysLookup(this.keyScratch, value)
    return found <= 0 ? found : this.copyOut(found, value)
  }

  updateElem(key: Uint8Array | undefined, value: Uint8Array, flags: bigint): number {
    if (this.frozen) return -ERRNO.EPERM
    const error = this.lockFlag(flags, false) || this.takeKey(key)
    if (error !== 0) return error
    if (value.length < this.syscallValueSize) return -ERRNO.EFAULT
    return this.sysUpdate(this.keyScratch, value, clampFlags(flags))
  }

  deleteElem(key: Uint8Array | undefined): number {
    if (this.frozen) return -ERRNO.EPERM
    return this.takeKey(key) || this.sysDelete(this.keyScratch)
  }

  lookupAndDeleteElem(key: Uint8Array | undefined, value: Uint8Array, flags: bigint): number {
    if ((flags & ~BigInt(BPF_UPDATE_FLAG.BPF_F_LOCK)) !== 0n) return -ERRNO.EINVAL
    if (this.frozen) return -ERRNO.EPERM
    const error = this.lockFlag(flags, true) || this.takeKey(key)
    if (error !== 0) return error
    return this.sysLookupAndDelete(this.keyScratch, value, clampFlags(flags))
  }

  getNextKey(key: Uint8Array | undefined, nextKey: Uint8Array): number {
    const error = key === undefined ? 0 : this.takeKey(key)
    if (error !== 0) return error
    const next = this.nextKey(key === undefined ? 0 : this.keyScratch)
    if (next < 0) return next
    if (nextKey.length < this.keySize) return -ERRNO.EFAULT
    nextKey.set(this.memory.u8.subarray(next, next + this.keySize))
    return 0
  }

  destroy(): void {
    this.storage.release()
  }

  // ---- for the engines --------------------------------------------------------------------------

  /** BPF_F_LOCK wants a bpf_spin_lock in the value; look-ups know no other flag. */
  protected lockFlag(flags: bigint, only: boolean): number {
    const lock = BigInt(BPF_UPDATE_FLAG.BPF_F_LOCK)
    if (only && (flags & ~lock) !== 0n) return -ERRNO.EINVAL
    return (flags & lock) !== 0n && !this.locked ? -ERRNO.EINVAL : 0
  }

  /** The same check for a flags argument of a program. */
  protected lockRefused(flags: number): boolean {
    return (flags & BPF_UPDATE_FLAG.BPF_F_LOCK) !== 0 && !this.locked
  }

  /** Copies a key to the scratch area; 0 or a negative errno. */
  private takeKey(key: Uint8Array | undefined): number {
    if (this.keySize === 0) return key === undefined ? 0 : -ERRNO.EINVAL
    if (key === undefined || key.length < this.keySize) return -ERRNO.EFAULT
    copyIn(this.memory, this.keyScratch, key, 0, this.keySize)
    return 0
  }

  /** A key of a program at a multiple of 4, by way of the scratch area if need be. */
  protected alignedKey(key: number): number {
    if ((key & 3) === 0) return key
    copyBytes(this.memory, this.keyScratch, key, this.keySize)
    return this.keyScratch
  }

  /** Copies a value (all copies of it) out to a system call's buffer. */
  protected copyOut(from: number, value: Uint8Array): number {
    const size = this.syscallValueSize
    if (value.length < size) return -ERRNO.EFAULT
    value.set(this.memory.u8.subarray(from, from + size))
    for (const field of this.fields)
      for (let copy = 0; copy < size; copy += this.copySize)
        value.fill(0, copy + field.offset, copy + field.offset + field.size)
    return 0
  }

  /** Writes one copy of a value, leaving kernel-owned fields alone. `source` null: linear memory. */
  protected storeValue(to: number, source: Uint8Array | null, from: number, size: number): void {
    if (this.fields.length === 0) {
      this.storeBytes(to, source, from, size)
      return
    }
    let done = 0
    for (const field of this.fields) {
      this.storeBytes(to + done, source, from + done, field.offset - done)
      done = field.offset + field.size
    }
    this.storeBytes(to + done, source, from + done, size - done)
  }

  /** A program (`source` null) writes its CPU's copy, a system call all of them with their padding. */
  protected storePercpu(value: number, source: Uint8Array | null, from: number): void {
    if (source === null) {
      this.storeValue(value + this.host.currentCpu() * this.copySize, null, from, this.valueSize)
      return
    }
    for (let copy = 0; copy < this.syscallValueSize; copy += this.copySize)
      this.storeValue(value + copy, source, from + copy, this.copySize)
  }

  private storeBytes(to: number, source: Uint8Array | null, from: number, size: number): void {
    if (source === null) copyBytes(this.memory, to, from, size)
    else copyIn(this.memory, to, source, from, size)
  }

  /** Zeroes the kernel-owned fields of a value that comes into use. */
  protected clearFields(value: number): void {
    for (const field of this.fields)
      this.memory.u8.fill(0, value + field.offset, value + field.offset + field.size)
  }
}

/** Update flags as a u32; anything above 32 bits becomes flags that no map knows. */
export function clampFlags(flags: bigint): number {
  return flags >> 32n === 0n ? Number(flags) : 0xfffffffb
}
