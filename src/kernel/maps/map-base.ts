/**
 * What all maps have in common: the parameters, the descriptor in linear memory, and the system
 * call side's way to the elements (checks in the order of linux v6.18 kernel/bpf/syscall.c; a
 * buffer that is missing or too short answers -EFAULT where Linux copies from or to user space).
 *
 * Map classes override the program side (`lookup`, `update`…, offsets of linear memory) and the four
 * `sys…` methods, which get the key as an offset too: system call keys are first copied to a
 * scratch area behind the descriptor. Most of them are thin: the work is done by the engines in
 * WebAssembly (engines.ts), on the descriptor whose layout src/wasm/maps/layout.ts draws. What a
 * class does not override answers as Linux does for a map type without the operation.
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import {
  DESCRIPTOR_BYTES,
  FEATURE_LOCKED,
  FEATURE_PERCPU,
  FEATURE_RELEASE,
  MAP_CPU_STRIDE,
  MAP_CPUS,
  MAP_DATA,
  MAP_FEATURES,
  MAP_FIELDS,
  MAP_FLAGS,
  MAP_INDEX,
  MAP_KEY_SCRATCH,
  MAP_KEY_SIZE,
  MAP_MAX_ENTRIES,
  MAP_RESULT_REGION,
  MAP_STRIDE,
  MAP_TYPE,
  MAP_VALUE_REGION,
  MAP_VALUE_SCRATCH,
  MAP_VALUE_SIZE,
} from "../../wasm/maps/layout.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"
import { copyBytes, copyIn, roundUp8 } from "./bytes.ts"
import { type EngineExports, type EngineOwner, type MapEngines, mapEngines } from "./engines.ts"
import type { BpfMap, MapHost, MapParameters } from "./map.ts"
import type { MapStorage } from "./storage.ts"

export const DESCRIPTOR_SIZE: number = DESCRIPTOR_BYTES

/** Byte offsets inside a descriptor, of the fields that classes of maps set. */
export const DESCRIPTOR: Readonly<Record<"DATA" | "STRIDE" | "VALUE_REGION", number>> = {
  DATA: MAP_DATA,
  STRIDE: MAP_STRIDE,
  VALUE_REGION: MAP_VALUE_REGION,
}

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

export abstract class MapBase implements BpfMap, EngineOwner {
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
  /** What the engines do, on descriptors. */
  protected readonly engine: EngineExports
  protected readonly engines: MapEngines
  private readonly locked: boolean
  private readonly index: number
  private readonly fieldTable: number
  private valueScratchSize = 0
  private valueScratch = 0
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
    this.fieldTable = fields.length === 0 ? 0 : storage.take(4 + 8 * fields.length)
    this.engines = mapEngines(host.memory)
    this.engine = this.engines.exports
  }

  /** Second step of creation, when all memory was had: the first writes. */
  initialize(): void {
    this.describe(MAP_INDEX, this.index)
    this.describe(MAP_TYPE, this.type)
    this.describe(MAP_KEY_SIZE, this.keySize)
    this.describe(MAP_VALUE_SIZE, this.valueSize)
    this.describe(MAP_MAX_ENTRIES, this.maxEntries)
    this.describe(MAP_FLAGS, this.flags)
    this.describe(MAP_KEY_SCRATCH, this.keyScratch)
    this.describe(MAP_CPUS, this.host.cpus)
    this.describe(MAP_CPU_STRIDE, this.copySize)
    this.describe(MAP_VALUE_REGION, this.valueRegion)
    this.describe(
      MAP_RESULT_REGION,
      this.inner === undefined ? this.valueRegion : (this.host.descriptorRegion ?? 0),
    )
    this.describe(MAP_FEATURES, this.features())
    this.describe(MAP_FIELDS, this.fieldTable)
    this.describe(MAP_VALUE_SCRATCH, this.valueScratch)
    if (this.fieldTable !== 0) {
      const words = [this.fields.length]
      for (const { offset, size } of this.fields) words.push(offset, size)
      this.memory.i32.set(words, this.fieldTable >> 2)
    }
    this.engines.owners.set(this.address, this)
  }

  /** FEATURE_ bits of the descriptor. */
  protected features(): number {
    let features = this.locked ? FEATURE_LOCKED : 0
    if (this.releaseFields !== undefined) features |= FEATURE_RELEASE
    return this.percpu ? features | FEATURE_PERCPU : features
  }

  /** In a constructor: an area for the values that system calls write, which engines read. */
  protected takeValueScratch(): void {
    this.valueScratchSize = this.syscallValueSize
    this.valueScratch = this.storage.take(this.valueScratchSize)
  }

  /** Copies a system call's value to the scratch area; its offset. */
  protected scratchValue(value: Uint8Array): number {
    copyIn(this.memory, this.valueScratch, value, 0, this.valueScratchSize)
    return this.valueScratch
  }

  /** Tells the engines on which CPU the operation to come happens. */
  protected enterCpu(): void {
    this.memory.i32[this.engines.cpuWord >> 2] = this.host.currentCpu()
  }

  /** CPUs whose threads share this memory, or 0. */
  protected threads(): number {
    return this.engines.shared ? this.host.cpus : 0
  }

  // ---- what the engines ask for -------------------------------------------------------------------

  refill(): boolean {
    return false
  }

  allocate(size: number): number {
    return this.storage.tryTake(size)
  }

  readable(): void {
    this.host.notify?.(this)
  }

  valueReleased(value: number): void {
    this.releaseFields?.(value)
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

  // ---- the map type's part of the system calls ----------------------------------------------------------

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
    this.engines.owners.delete(this.address)
    this.storage.release()
  }

  // ---- for the map classes ----------------------------------------------------------------------

  /** BPF_F_LOCK wants a bpf_spin_lock in the value; look-ups know no other flag. */
  protected lockFlag(flags: bigint, only: boolean): number {
    const lock = BigInt(BPF_UPDATE_FLAG.BPF_F_LOCK)
    if (only && (flags & ~lock) !== 0n) return -ERRNO.EINVAL
    return (flags & lock) !== 0n && !this.locked ? -ERRNO.EINVAL : 0
  }

  /** Copies a key to the scratch area; 0 or a negative errno. */
  private takeKey(key: Uint8Array | undefined): number {
    if (this.keySize === 0) return key === undefined ? 0 : -ERRNO.EINVAL
    if (key === undefined || key.length < this.keySize) return -ERRNO.EFAULT
    copyIn(this.memory, this.keyScratch, key, 0, this.keySize)
    return 0
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

  /** Writes all copies of a per-CPU value, with their padding. */
  protected storePercpu(to: number, source: Uint8Array): void {
    for (let copy = 0; copy < this.syscallValueSize; copy += this.copySize)
      this.storeValue(to + copy, source, copy, this.copySize)
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
