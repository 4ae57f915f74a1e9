/**
 * What MAP_CREATE refuses, by map type, in Linux's order: first what concerns every type, then the
 * type's own check (map_alloc_check, or the start of map_alloc), then the inner map. Names, BTF,
 * tokens and capabilities are the system call layer's.
 *
 * Source: linux v6.18 kernel/bpf/syscall.c map_create, and the map_alloc_check functions of
 * kernel/bpf/{arraymap,hashtab,lpm_trie,queue_stack_maps,bloom_filter,ringbuf,stackmap,devmap,
 * cpumap}.c and net/xdp/xskmap.c.
 */

import { BPF_MAP_FLAG, BPF_MAP_TYPE, ERRNO, PERF_MAX_STACK_DEPTH } from "../../spec/index.ts"
import type { BpfMap, MapParameters } from "./map.ts"

const FLAG = BPF_MAP_FLAG
const TYPE = BPF_MAP_TYPE

/** A map's parameters with the NUMA node that BPF_F_NUMA_NODE asks for. */
export interface CreateRequest extends MapParameters {
  readonly numaNode: number
  /** Types of key and value were given. */
  readonly typed: boolean
}

/** Largest kmalloc() with 4 KiB pages. */
const KMALLOC_MAX_SIZE = 4 * 2 ** 20
/** Bytes of a per-CPU value. include/linux/percpu.h */
const PCPU_MIN_UNIT_SIZE = 32_768
/** sizeof(struct htab_elem) and of struct lpm_trie_node, which count against the limit above. */
const HTAB_ELEM_SIZE = 48
const LPM_NODE_SIZE = 24
const LPM_DATA_SIZE_MAX = 256
/** U16_MAX less sizeof(struct bpf_local_storage_elem). */
const LOCAL_STORAGE_VALUE_SIZE_MAX = 65_535 - 128
const INT_MAX = 2 ** 31 - 1
/** Buckets of a hash map: 2^32 bytes of 16-byte buckets at most. */
const HASH_BUCKETS_MAX = Math.floor((2 ** 32 - 1) / 16)
const PAGE_SIZE = 4096
/** CONFIG_NR_CPUS of the distributions: entries of a cpumap. */
export const NR_CPUS = 8192
/** Nodes of the embedded kernel's NUMA topology. */
const NUMA_NODES = 1
const NUMA_NO_NODE = 0xffffffff

const ACCESS_MASK =
  FLAG.BPF_F_RDONLY | FLAG.BPF_F_WRONLY | FLAG.BPF_F_RDONLY_PROG | FLAG.BPF_F_WRONLY_PROG
const ARRAY_FLAGS =
  FLAG.BPF_F_NUMA_NODE |
  FLAG.BPF_F_MMAPABLE |
  FLAG.BPF_F_PRESERVE_ELEMS |
  FLAG.BPF_F_INNER_MAP |
  ACCESS_MASK
const HASH_FLAGS =
  FLAG.BPF_F_NO_PREALLOC |
  FLAG.BPF_F_NO_COMMON_LRU |
  FLAG.BPF_F_NUMA_NODE |
  FLAG.BPF_F_ZERO_SEED |
  ACCESS_MASK
const LPM_FLAGS = FLAG.BPF_F_NO_PREALLOC | FLAG.BPF_F_NUMA_NODE | ACCESS_MASK
const BLOOM_FLAGS = FLAG.BPF_F_NUMA_NODE | FLAG.BPF_F_ZERO_SEED | ACCESS_MASK
const QUEUE_FLAGS = FLAG.BPF_F_NUMA_NODE | ACCESS_MASK
const FD_FLAGS = FLAG.BPF_F_NUMA_NODE | FLAG.BPF_F_RDONLY | FLAG.BPF_F_WRONLY
const ARENA_FLAGS = FLAG.BPF_F_MMAPABLE | FLAG.BPF_F_SEGV_ON_FAULT | FLAG.BPF_F_NO_USER_CONV
const STACK_FLAGS = FD_FLAGS | FLAG.BPF_F_STACK_BUILD_ID

function roundUp8(size: number): number {
  return Math.ceil(size / 8) * 8
}

/** Not both read-only and write-only for programs. */
function accessAllowed(flags: number): boolean {
  const both = FLAG.BPF_F_RDONLY_PROG | FLAG.BPF_F_WRONLY_PROG
  return (flags & both) !== both
}

function hasNode(request: CreateRequest): boolean {
  return (request.flags & FLAG.BPF_F_NUMA_NODE) !== 0 && request.numaNode >>> 0 !== NUMA_NO_NODE
}

function unknownFlags(request: CreateRequest, known: number): boolean {
  return (request.flags & ~known) !== 0
}

/** What map_create checks before it looks at the type. */
export function checkCommon(request: CreateRequest): number {
  const { type, flags, mapExtra } = request
  if (
    mapExtra !== 0n &&
    type !== TYPE.BPF_MAP_TYPE_BLOOM_FILTER &&
    type !== TYPE.BPF_MAP_TYPE_ARENA
  )
    return -ERRNO.EINVAL
  if (flags & FLAG.BPF_F_RDONLY && flags & FLAG.BPF_F_WRONLY) return -ERRNO.EINVAL
  return hasNode(request) && request.numaNode >>> 0 >= NUMA_NODES ? -ERRNO.EINVAL : 0
}

/** array_map_alloc_check */
export function checkArray(request: CreateRequest): number {
  const { type, flags, valueSize } = request
  const percpu = type === TYPE.BPF_MAP_TYPE_PERCPU_ARRAY
  if (
    request.maxEntries === 0 ||
    request.keySize !== 4 ||
    valueSize === 0 ||
    unknownFlags(request, ARRAY_FLAGS) ||
    !accessAllowed(flags) ||
    (percpu && hasNode(request))
  )
    return -ERRNO.EINVAL
  const arrayOnly = FLAG.BPF_F_MMAPABLE | FLAG.BPF_F_INNER_MAP
  if (type !== TYPE.BPF_MAP_TYPE_ARRAY && flags & arrayOnly) return -ERRNO.EINVAL
  if (type !== TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY && flags & FLAG.BPF_F_PRESERVE_ELEMS)
    return -ERRNO.EINVAL
  if (valueSize > INT_MAX) return -ERRNO.E2BIG
  return percpu && roundUp8(valueSize) > PCPU_MIN_UNIT_SIZE ? -ERRNO.E2BIG : 0
}

/** fd_array_map_alloc_check: arrays of programs, maps, perf events, cgroups. */
export function checkReferenceArray(request: CreateRequest): number {
  if (request.valueSize !== 4) return -ERRNO.EINVAL
  if (request.flags & (FLAG.BPF_F_RDONLY_PROG | FLAG.BPF_F_WRONLY_PROG)) return -ERRNO.EINVAL
  return checkArray(request)
}

/** htab_map_alloc_check, and the limits of htab_map_alloc. */
export function checkHash(request: CreateRequest): number {
  const { type, flags, keySize, valueSize, maxEntries } = request
  const lru = type === TYPE.BPF_MAP_TYPE_LRU_HASH || type === TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH
  const percpu =
    type === TYPE.BPF_MAP_TYPE_PERCPU_HASH || type === TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH
  const ownLists = (flags & FLAG.BPF_F_NO_COMMON_LRU) !== 0
  if (unknownFlags(request, HASH_FLAGS) || !accessAllowed(flags)) return -ERRNO.EINVAL
  if (!lru && ownLists) return -ERRNO.EINVAL
  if (lru && flags & FLAG.BPF_F_NO_PREALLOC) return -ERRNO.ENOTSUPP
  if (hasNode(request) && (percpu || ownLists)) return -ERRNO.EINVAL
  if (maxEntries === 0 || keySize === 0 || valueSize === 0) return -ERRNO.EINVAL
  if (keySize + valueSize >= KMALLOC_MAX_SIZE - HTAB_ELEM_SIZE) return -ERRNO.E2BIG
  if (percpu && roundUp8(valueSize) > PCPU_MIN_UNIT_SIZE) return -ERRNO.E2BIG
  return maxEntries > HASH_BUCKETS_MAX ? -ERRNO.E2BIG : 0
}

/** fd_htab_map_alloc_check */
export function checkHashOfMaps(request: CreateRequest): number {
  return request.valueSize !== 4 ? -ERRNO.EINVAL : checkHash(request)
}

/** trie_alloc */
export function checkLpm(request: CreateRequest): number {
  const { keySize, valueSize, flags } = request
  const refused =
    request.maxEntries === 0 ||
    !(flags & FLAG.BPF_F_NO_PREALLOC) ||
    unknownFlags(request, LPM_FLAGS) ||
    !accessAllowed(flags) ||
    keySize < 5 ||
    keySize > 4 + LPM_DATA_SIZE_MAX ||
    valueSize < 1 ||
    valueSize > KMALLOC_MAX_SIZE - LPM_DATA_SIZE_MAX - LPM_NODE_SIZE
  return refused ? -ERRNO.EINVAL : 0
}

/** queue_stack_map_alloc_check */
export function checkQueue(request: CreateRequest): number {
  const refused =
    request.maxEntries === 0 ||
    request.keySize !== 0 ||
    request.valueSize === 0 ||
    unknownFlags(request, QUEUE_FLAGS) ||
    !accessAllowed(request.flags)
  if (refused) return -ERRNO.EINVAL
  return request.valueSize > KMALLOC_MAX_SIZE ? -ERRNO.E2BIG : 0
}

/** bloom_map_alloc_check, bloom_map_alloc */
export function checkBloom(request: CreateRequest): number {
  if (request.valueSize > KMALLOC_MAX_SIZE) return -ERRNO.E2BIG
  const refused =
    request.keySize !== 0 ||
    request.valueSize === 0 ||
    request.maxEntries === 0 ||
    unknownFlags(request, BLOOM_FLAGS) ||
    !accessAllowed(request.flags) ||
    (request.mapExtra & ~0xfn) !== 0n
  return refused ? -ERRNO.EINVAL : 0
}

/** ringbuf_map_alloc, for both directions. */
export function checkRing(request: CreateRequest): number {
  const { maxEntries } = request
  if (unknownFlags(request, FLAG.BPF_F_NUMA_NODE)) return -ERRNO.EINVAL
  const powerOfTwo = maxEntries !== 0 && (maxEntries & (maxEntries - 1)) === 0
  const refused =
    request.keySize !== 0 || request.valueSize !== 0 || !powerOfTwo || maxEntries % PAGE_SIZE !== 0
  return refused ? -ERRNO.EINVAL : 0
}

/** stack_map_alloc */
export function checkStackTrace(request: CreateRequest): number {
  const { valueSize, maxEntries } = request
  if (unknownFlags(request, STACK_FLAGS)) return -ERRNO.EINVAL
  if (maxEntries === 0 || request.keySize !== 4 || valueSize < 8 || valueSize % 8 !== 0)
    return -ERRNO.EINVAL
  const frameSize = request.flags & FLAG.BPF_F_STACK_BUILD_ID ? 32 : 8
  if (valueSize % frameSize !== 0 || valueSize / frameSize > PERF_MAX_STACK_DEPTH)
    return -ERRNO.EINVAL
  return maxEntries > 2 ** 31 ? -ERRNO.E2BIG : 0
}

/** dev_map_alloc_check */
export function checkDevmap(request: CreateRequest): number {
  const { valueSize, maxEntries } = request
  const refused =
    maxEntries === 0 ||
    request.keySize !== 4 ||
    (valueSize !== 4 && valueSize !== 8) ||
    unknownFlags(request, FD_FLAGS)
  if (refused) return -ERRNO.EINVAL
  const hashed = request.type === TYPE.BPF_MAP_TYPE_DEVMAP_HASH
  return hashed && maxEntries > 2 ** 31 ? -ERRNO.EINVAL : 0
}

/** cpu_map_alloc */
export function checkCpumap(request: CreateRequest): number {
  const { valueSize, maxEntries } = request
  const refused =
    maxEntries === 0 ||
    request.keySize !== 4 ||
    (valueSize !== 4 && valueSize !== 8) ||
    unknownFlags(request, FLAG.BPF_F_NUMA_NODE)
  if (refused) return -ERRNO.EINVAL
  return maxEntries > NR_CPUS ? -ERRNO.E2BIG : 0
}

/** xsk_map_alloc */
export function checkXskmap(request: CreateRequest): number {
  const refused =
    request.maxEntries === 0 ||
    request.keySize !== 4 ||
    request.valueSize !== 4 ||
    unknownFlags(request, FD_FLAGS)
  return refused ? -ERRNO.EINVAL : 0
}

/** arena_map_alloc */
export function checkArena(request: CreateRequest): number {
  const { maxEntries, flags, mapExtra } = request
  const refused =
    request.keySize !== 0 ||
    request.valueSize !== 0 ||
    maxEntries === 0 ||
    (flags & FLAG.BPF_F_MMAPABLE) === 0 ||
    unknownFlags(request, ARENA_FLAGS) ||
    (mapExtra & BigInt(PAGE_SIZE - 1)) !== 0n
  if (refused) return -ERRNO.EINVAL
  const bytes = BigInt(maxEntries) * BigInt(PAGE_SIZE)
  if (bytes > 1n << 32n) return -ERRNO.E2BIG
  // User space's mapping must not cross a border of 4 GiB.
  const end = BigInt.asUintN(64, mapExtra + bytes - 1n)
  return mapExtra >> 32n === end >> 32n ? 0 : -ERRNO.ERANGE
}

/** bpf_local_storage_map_alloc_check */
export function checkLocalStorage(request: CreateRequest): number {
  const refused =
    unknownFlags(request, FLAG.BPF_F_NO_PREALLOC | FLAG.BPF_F_CLONE) ||
    !(request.flags & FLAG.BPF_F_NO_PREALLOC) ||
    request.maxEntries !== 0 ||
    request.keySize !== 4 ||
    request.valueSize === 0 ||
    !request.typed
  if (refused) return -ERRNO.EINVAL
  return request.valueSize > LOCAL_STORAGE_VALUE_SIZE_MAX ? -ERRNO.E2BIG : 0
}

/** Map types that Linux does not allow inside another map: map_meta_equal is not implemented. */
const NEVER_INNER: ReadonlySet<number> = new Set([
  TYPE.BPF_MAP_TYPE_PROG_ARRAY,
  TYPE.BPF_MAP_TYPE_STRUCT_OPS,
  TYPE.BPF_MAP_TYPE_CGROUP_STORAGE,
  TYPE.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
])

/** bpf_map_meta_alloc: may a map be the template of a map of maps? */
export function checkInner(inner: BpfMap | number | undefined, nested: boolean): number {
  if (inner === undefined) return -ERRNO.EBADF
  if (typeof inner === "number") return inner
  if (nested) return -ERRNO.EINVAL
  return NEVER_INNER.has(inner.type) ? -ERRNO.ENOTSUPP : 0
}
