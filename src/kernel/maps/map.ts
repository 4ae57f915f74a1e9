/**
 * A map of the embedded kernel, seen from its two sides. Programs pass offsets into linear memory
 * and get offsets back (the engines move into WebAssembly later, on the same layout); the system
 * call side passes byte strings. Results are 0 (or a count, or an offset) or a negative errno.
 *
 * Semantics: linux v6.18 kernel/bpf/{arraymap,hashtab,lpm_trie,queue_stack_maps,ringbuf,…}.c and
 * the map commands of kernel/bpf/syscall.c.
 */

import type { KernelMemory } from "../memory/kernel-memory.ts"

/** What every engine may ask of the kernel it lives in. */
export interface MapHost {
  readonly memory: KernelMemory
  /** Possible CPUs: copies that a per-CPU value has. */
  readonly cpus: number
  /** The CPU that runs the current program (0 outside of programs). */
  currentCpu(): number
  /** Region of map descriptors: what look-ups in maps of maps point to. */
  readonly descriptorRegion?: number
  /** Tells readers of a ring buffer that there are records. */
  notify?(map: BpfMap): void
  /** Seeded random 32 bits. */
  random32(): number
}

/** The parameters of MAP_CREATE that stay with the map. */
export interface MapParameters {
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly mapExtra: bigint
  readonly name: string
}

/** The kernel object behind a map file descriptor. */
export interface BpfMap extends MapParameters {
  /** Given by the kernel when the map gets its id. */
  id: number
  /**
   * Offset of the map's descriptor in linear memory: the low half of a map pointer in a program.
   * Its first u32 is the map's index in the kernel's table of maps.
   */
  readonly address: number
  /** Region in which the values lie: the high half of a value's address is REGION_TAG | this. */
  readonly valueRegion: number
  /** Set by MAP_FREEZE: the system call side may not write any more. */
  frozen: boolean

  // ---- from programs: offsets of key and value bytes in linear memory -----------------------

  /** Offset of the value (this CPU's copy), or 0. For maps of maps: `address` of the inner map. */
  lookup(key: number): number
  /** Value of a given CPU (bpf_map_lookup_percpu_elem), or 0. */
  lookupPercpu(key: number, cpu: number): number
  update(key: number, value: number, flags: number): number
  delete(key: number): number
  push(value: number, flags: number): number
  pop(value: number): number
  peek(value: number): number
  /**
   * Calls back for each element with the offsets of key and value until the callback returns
   * non-zero; returns the number of elements visited, or a negative errno.
   */
  forEach(callback: (key: number, value: number) => number): number

  // ---- from the system call: byte strings -----------------------------------------------------

  /** `value`: all CPUs' copies, each rounded up to 8 bytes, for per-CPU maps. */
  lookupElem(key: Uint8Array | undefined, value: Uint8Array, flags: bigint): number
  updateElem(key: Uint8Array | undefined, value: Uint8Array, flags: bigint): number
  deleteElem(key: Uint8Array | undefined): number
  lookupAndDeleteElem(key: Uint8Array | undefined, value: Uint8Array, flags: bigint): number
  getNextKey(key: Uint8Array | undefined, nextKey: Uint8Array): number
  /** Bytes of a value as the system call sees it. */
  readonly syscallValueSize: number

  /** The last descriptor or pin is gone, references from programs may remain: prog arrays empty themselves. */
  lastUserReferenceDropped?(): void
  /** Gives all memory back; the kernel calls it when the last reference is gone. */
  destroy(): void
}

/**
 * A map whose values are kernel objects given as file descriptors: prog arrays, maps of maps,
 * devmaps… The system call layer turns the descriptor into the object and takes a reference.
 */
export interface ReferenceMap<T> extends BpfMap {
  /** What Linux refuses before it looks at the descriptor: 0 or a negative errno. */
  checkReference(key: Uint8Array, flags: bigint): number
  /** Stores a reference; returns 0 or a negative errno. `replaced` is called with what was there. */
  setReference(key: Uint8Array, object: T, flags: bigint, replaced: (object: T) => void): number
  deleteReference(key: Uint8Array, removed: (object: T) => void): number
  /** From programs: what is at a u32 index (or under a key's offset), or undefined. */
  reference(key: number): T | undefined
  /** All references, for tearing down. */
  references(): Iterable<T>
  /** Forgets all references (the caller has put them). */
  clearReferences(): void
}
