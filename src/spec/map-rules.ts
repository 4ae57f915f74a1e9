/**
 * What each map type demands of MAP_CREATE, which commands work on it, and which helpers may be
 * given it: one row a type.
 *
 * Source: linux v6.18 kernel/bpf/*map.c, hashtab.c, local_storage.c, bpf_local_storage.c,
 * ringbuf.c, arena.c (map_alloc_check, map_alloc); kernel/bpf/syscall.c; kernel/bpf/verifier.c
 * check_map_func_compatibility.
 */

import { ERRNO } from "./errno.ts"
import type { HelperName } from "./helper-names.ts"
import type { CommandName } from "./kernel-interface.ts"
import { BPF_MAP_FLAG as F, type MapType, BPF_MAP_TYPE as MT } from "./map-types.ts"

/** Sizes that are allowed: any of `values`, or from `min` to `max` in steps. */
export interface SizeRule {
  readonly min: number
  /** Infinity: only memory limits it. */
  readonly max: number
  /** Allowed sizes are `min + n * step`. */
  readonly step: number
  /** The errno above `max`. */
  readonly tooLarge: number
}

export interface MapRule {
  readonly type: MapType
  /** First kernel version with it. */
  readonly since: string
  readonly key: SizeRule
  readonly value: SizeRule
  /** `max_entries`; ring buffers also want a power of two. */
  readonly entries: SizeRule
  readonly entriesPowerOfTwo: boolean
  /** Bits that `map_flags` may have (BPF_F_TOKEN_FD apart). */
  readonly flags: number
  /** Bits that it must have. */
  readonly requiredFlags: number
  /** One value a possible CPU, padded to 8 bytes each, in lookups and updates from user space. */
  readonly perCpu: boolean
  /** `inner_map_fd` is wanted. */
  readonly ofMaps: boolean
  /** BTF of key and value is wanted. */
  readonly needsBtf: boolean
  /** Commands on elements that work. */
  readonly commands: readonly CommandName[]
  /** errno of the others, where it is not ENOTSUPP. */
  readonly refusals: Readonly<Partial<Record<CommandName, number>>>
}

const PAGE = 4096
const PER_CPU_VALUE_MAX = 32768

function sizes(text: string): SizeRule {
  const [range, errno] = text.split("!")
  const tooLarge = errno === "E2BIG" ? ERRNO.E2BIG : ERRNO.EINVAL
  const [bounds, step] = range.split("/")
  const [min, max] = bounds.split("-")
  const top = max === undefined ? min : max === "" ? "Infinity" : max
  return { min: Number(min), max: Number(top), step: Number(step ?? 1), tooLarge }
}

const access = F.BPF_F_RDONLY | F.BPF_F_WRONLY
const programAccess = access | F.BPF_F_RDONLY_PROG | F.BPF_F_WRONLY_PROG
const numa = F.BPF_F_NUMA_NODE

const elements = "MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY"
const take = "MAP_LOOKUP_AND_DELETE_ELEM"
const batches = "MAP_LOOKUP_BATCH MAP_LOOKUP_AND_DELETE_BATCH MAP_UPDATE_BATCH MAP_DELETE_BATCH"
const { EINVAL, EOPNOTSUPP } = ERRNO

interface RuleText {
  readonly since: string
  readonly key: string
  readonly value: string
  readonly entries?: string
  readonly flags: number
  readonly requiredFlags?: number
  readonly commands: string
  readonly refusals?: Readonly<Partial<Record<CommandName, number>>>
  readonly is?: "perCpu" | "ofMaps" | "needsBtf"
}

function rule(type: MapType, text: RuleText): MapRule {
  return {
    type,
    since: text.since,
    key: sizes(text.key),
    value: sizes(text.value),
    entries: sizes(text.entries ?? "1-"),
    entriesPowerOfTwo: type === MT.BPF_MAP_TYPE_RINGBUF || type === MT.BPF_MAP_TYPE_USER_RINGBUF,
    flags: text.flags,
    requiredFlags: text.requiredFlags ?? 0,
    perCpu: text.is === "perCpu" || type === MT.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
    ofMaps: text.is === "ofMaps",
    needsBtf: text.is === "needsBtf",
    commands: text.commands.split(" ").filter((name) => name !== "") as CommandName[],
    refusals: text.refusals ?? {},
  }
}

const hashFlags = F.BPF_F_ZERO_SEED | programAccess
const hash = `${elements} ${take} ${batches}`
const array = "MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_GET_NEXT_KEY MAP_LOOKUP_BATCH MAP_UPDATE_BATCH"
const noDelete = { MAP_DELETE_ELEM: EINVAL } as const
const descriptors = "MAP_UPDATE_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY"
const perCpuValue = `1-${PER_CPU_VALUE_MAX}!E2BIG`

const rules: readonly MapRule[] = [
  rule(MT.BPF_MAP_TYPE_HASH, {
    since: "3.19",
    key: "1-",
    value: "1-",
    flags: F.BPF_F_NO_PREALLOC | numa | hashFlags,
    commands: hash,
  }),
  rule(MT.BPF_MAP_TYPE_ARRAY, {
    since: "3.19",
    key: "4",
    value: "1-2147483647!E2BIG",
    flags: numa | programAccess | F.BPF_F_MMAPABLE | F.BPF_F_INNER_MAP,
    commands: array,
    refusals: noDelete,
  }),
  rule(MT.BPF_MAP_TYPE_PROG_ARRAY, {
    since: "4.2",
    key: "4",
    value: "4",
    flags: numa | access,
    commands: elements,
  }),
  rule(MT.BPF_MAP_TYPE_PERF_EVENT_ARRAY, {
    since: "4.3",
    key: "4",
    value: "4",
    flags: numa | access | F.BPF_F_PRESERVE_ELEMS,
    commands: descriptors,
  }),
  rule(MT.BPF_MAP_TYPE_PERCPU_HASH, {
    since: "4.6",
    key: "1-",
    value: perCpuValue,
    flags: F.BPF_F_NO_PREALLOC | hashFlags,
    commands: hash,
    is: "perCpu",
  }),
  rule(MT.BPF_MAP_TYPE_PERCPU_ARRAY, {
    since: "4.6",
    key: "4",
    value: perCpuValue,
    flags: programAccess,
    commands: array,
    refusals: noDelete,
    is: "perCpu",
  }),
  rule(MT.BPF_MAP_TYPE_STACK_TRACE, {
    since: "4.6",
    key: "4",
    // 8 bytes a frame, 32 with BPF_F_STACK_BUILD_ID; at most perf_event_max_stack frames.
    value: "8-1016/8",
    flags: numa | access | F.BPF_F_STACK_BUILD_ID,
    commands: `MAP_LOOKUP_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY ${take}`,
    refusals: { MAP_UPDATE_ELEM: EINVAL },
  }),
  rule(MT.BPF_MAP_TYPE_CGROUP_ARRAY, {
    since: "4.8",
    key: "4",
    value: "4",
    flags: numa | access,
    commands: descriptors,
  }),
  rule(MT.BPF_MAP_TYPE_LRU_HASH, {
    since: "4.10",
    key: "1-",
    value: "1-",
    flags: F.BPF_F_NO_COMMON_LRU | numa | hashFlags,
    commands: hash,
  }),
  rule(MT.BPF_MAP_TYPE_LRU_PERCPU_HASH, {
    since: "4.10",
    key: "1-",
    value: perCpuValue,
    flags: F.BPF_F_NO_COMMON_LRU | hashFlags,
    commands: hash,
    is: "perCpu",
  }),
  rule(MT.BPF_MAP_TYPE_LPM_TRIE, {
    since: "4.11",
    key: "5-260",
    value: "1-",
    flags: F.BPF_F_NO_PREALLOC | numa | programAccess,
    requiredFlags: F.BPF_F_NO_PREALLOC,
    commands: `${elements} MAP_LOOKUP_BATCH MAP_UPDATE_BATCH MAP_DELETE_BATCH`,
  }),
  rule(MT.BPF_MAP_TYPE_ARRAY_OF_MAPS, {
    since: "4.12",
    key: "4",
    value: "4",
    flags: numa | access,
    commands: `${elements} MAP_LOOKUP_BATCH MAP_UPDATE_BATCH`,
    is: "ofMaps",
  }),
  rule(MT.BPF_MAP_TYPE_HASH_OF_MAPS, {
    since: "4.12",
    key: "1-",
    value: "4",
    flags: F.BPF_F_NO_PREALLOC | numa | hashFlags,
    commands: `${elements} ${batches}`,
    is: "ofMaps",
  }),
  rule(MT.BPF_MAP_TYPE_DEVMAP, {
    since: "4.14",
    key: "4",
    value: "4-8/4",
    flags: numa | access,
    commands: elements,
  }),
  rule(MT.BPF_MAP_TYPE_SOCKMAP, {
    since: "4.14",
    key: "4",
    // Lookups from user space give socket cookies: only with 8 bytes, otherwise ENOSPC.
    value: "4-8/4",
    flags: numa | access,
    commands: elements,
  }),
  rule(MT.BPF_MAP_TYPE_CPUMAP, {
    since: "4.15",
    key: "4",
    value: "4-8/4",
    // At most the kernel's NR_CPUS, above E2BIG.
    flags: numa,
    commands: elements,
  }),
  rule(MT.BPF_MAP_TYPE_XSKMAP, {
    since: "4.18",
    key: "4",
    value: "4",
    flags: numa | access,
    commands: descriptors,
    refusals: { MAP_LOOKUP_ELEM: EOPNOTSUPP },
  }),
  rule(MT.BPF_MAP_TYPE_SOCKHASH, {
    since: "4.18",
    key: "1-512!E2BIG",
    value: "4-8/4",
    flags: numa | access,
    commands: elements,
  }),
  rule(MT.BPF_MAP_TYPE_CGROUP_STORAGE, {
    since: "4.19",
    // A cgroup id, or that and an attach type.
    key: "8-16/8",
    value: "1-",
    entries: "0",
    flags: numa | programAccess,
    commands: "MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_GET_NEXT_KEY",
    refusals: noDelete,
  }),
  rule(MT.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, {
    since: "4.19",
    key: "4",
    value: "4-8/4",
    flags: numa | programAccess,
    commands: elements,
  }),
  rule(MT.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, {
    since: "4.20",
    key: "8-16/8",
    value: perCpuValue,
    entries: "0",
    flags: numa | programAccess,
    commands: "MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_GET_NEXT_KEY",
    refusals: noDelete,
  }),
  ...([MT.BPF_MAP_TYPE_QUEUE, MT.BPF_MAP_TYPE_STACK] as const).map((type) =>
    rule(type, {
      since: "4.20",
      key: "0",
      value: "1-",
      flags: numa | programAccess,
      commands: `MAP_LOOKUP_ELEM MAP_UPDATE_ELEM ${take}`,
      refusals: { MAP_DELETE_ELEM: EINVAL, MAP_GET_NEXT_KEY: EINVAL },
    }),
  ),
  rule(MT.BPF_MAP_TYPE_SK_STORAGE, storage("5.2")),
  rule(MT.BPF_MAP_TYPE_DEVMAP_HASH, {
    since: "5.4",
    key: "4",
    value: "4-8/4",
    flags: numa | access,
    commands: elements,
  }),
  rule(MT.BPF_MAP_TYPE_STRUCT_OPS, {
    since: "5.6",
    key: "4",
    // The size of the kernel's `bpf_struct_ops_NAME`.
    value: "1-",
    entries: "1",
    flags: F.BPF_F_LINK | F.BPF_F_VTYPE_BTF_OBJ_FD,
    commands: elements,
    is: "needsBtf",
  }),
  ringBuffer(MT.BPF_MAP_TYPE_RINGBUF, "5.8"),
  rule(MT.BPF_MAP_TYPE_INODE_STORAGE, storage("5.10")),
  rule(MT.BPF_MAP_TYPE_TASK_STORAGE, storage("5.11")),
  rule(MT.BPF_MAP_TYPE_BLOOM_FILTER, {
    since: "5.16",
    key: "0",
    value: "1-",
    flags: numa | hashFlags,
    commands: "MAP_LOOKUP_ELEM MAP_UPDATE_ELEM",
    refusals: { MAP_DELETE_ELEM: EOPNOTSUPP, MAP_GET_NEXT_KEY: EOPNOTSUPP },
  }),
  ringBuffer(MT.BPF_MAP_TYPE_USER_RINGBUF, "6.1"),
  rule(MT.BPF_MAP_TYPE_CGRP_STORAGE, storage("6.2")),
  rule(MT.BPF_MAP_TYPE_ARENA, {
    since: "6.9",
    key: "0",
    value: "0",
    // Pages; 4 GiB at most.
    entries: "1-1048576!E2BIG",
    flags: F.BPF_F_MMAPABLE | F.BPF_F_SEGV_ON_FAULT | F.BPF_F_NO_USER_CONV,
    requiredFlags: F.BPF_F_MMAPABLE,
    commands: "",
    refusals: {
      MAP_LOOKUP_ELEM: EINVAL,
      MAP_UPDATE_ELEM: EOPNOTSUPP,
      MAP_DELETE_ELEM: EOPNOTSUPP,
      MAP_GET_NEXT_KEY: EOPNOTSUPP,
    },
  }),
]

/** Local storage: the key is a file descriptor of the owner. */
function storage(since: string): RuleText {
  return {
    since,
    key: "4",
    // What kmalloc and a BTF-described value allow.
    value: "1-65392!E2BIG",
    entries: "0",
    flags: F.BPF_F_NO_PREALLOC | F.BPF_F_CLONE,
    requiredFlags: F.BPF_F_NO_PREALLOC,
    commands: "MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_DELETE_ELEM",
    is: "needsBtf",
  }
}

/** `max_entries` is the size in bytes: a power of two and a multiple of the page. */
function ringBuffer(type: MapType, since: string): MapRule {
  const entries = `${PAGE}-/${PAGE}`
  return rule(type, { since, key: "0", value: "0", entries, flags: numa, commands: "" })
}

const byType = new Map<number, MapRule>(rules.map((known) => [known.type, known]))

/** The rule of a map type; `undefined` for a number of no type. */
export function mapRule(type: number): MapRule | undefined {
  return byType.get(type)
}

/** Whether a size is one that a rule allows. */
export function sizeAllowed(size: number, { min, max, step }: SizeRule): boolean {
  return size >= min && size <= max && (size - min) % step === 0
}

/** Only these helpers may be given a map of the type. */
const helpersOfMap: Readonly<Record<number, string>> = {
  [MT.BPF_MAP_TYPE_PROG_ARRAY]: "tail_call",
  [MT.BPF_MAP_TYPE_PERF_EVENT_ARRAY]:
    "perf_event_read perf_event_read_value perf_event_output skb_output xdp_output",
  [MT.BPF_MAP_TYPE_RINGBUF]: `ringbuf_output ringbuf_reserve ringbuf_query ringbuf_reserve_dynptr
    ringbuf_submit_dynptr ringbuf_discard_dynptr`,
  [MT.BPF_MAP_TYPE_USER_RINGBUF]: "user_ringbuf_drain",
  [MT.BPF_MAP_TYPE_STACK_TRACE]: "get_stackid",
  [MT.BPF_MAP_TYPE_CGROUP_ARRAY]: "skb_under_cgroup current_task_under_cgroup",
  [MT.BPF_MAP_TYPE_CGROUP_STORAGE]: "get_local_storage",
  [MT.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE]: "get_local_storage",
  [MT.BPF_MAP_TYPE_DEVMAP]: "redirect_map map_lookup_elem",
  [MT.BPF_MAP_TYPE_DEVMAP_HASH]: "redirect_map map_lookup_elem",
  [MT.BPF_MAP_TYPE_CPUMAP]: "redirect_map",
  [MT.BPF_MAP_TYPE_XSKMAP]: "redirect_map map_lookup_elem",
  [MT.BPF_MAP_TYPE_ARRAY_OF_MAPS]: "map_lookup_elem",
  [MT.BPF_MAP_TYPE_HASH_OF_MAPS]: "map_lookup_elem",
  [MT.BPF_MAP_TYPE_SOCKMAP]: `sk_redirect_map sock_map_update map_delete_elem msg_redirect_map
    sk_select_reuseport map_lookup_elem map_update_elem`,
  [MT.BPF_MAP_TYPE_SOCKHASH]: `sk_redirect_hash sock_hash_update map_delete_elem
    msg_redirect_hash sk_select_reuseport map_lookup_elem map_update_elem`,
  [MT.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY]: "sk_select_reuseport",
  [MT.BPF_MAP_TYPE_QUEUE]: "map_peek_elem map_pop_elem map_push_elem",
  [MT.BPF_MAP_TYPE_STACK]: "map_peek_elem map_pop_elem map_push_elem",
  [MT.BPF_MAP_TYPE_SK_STORAGE]: "sk_storage_get sk_storage_delete kptr_xchg",
  [MT.BPF_MAP_TYPE_INODE_STORAGE]: "inode_storage_get inode_storage_delete kptr_xchg",
  [MT.BPF_MAP_TYPE_TASK_STORAGE]: "task_storage_get task_storage_delete kptr_xchg",
  [MT.BPF_MAP_TYPE_CGRP_STORAGE]: "cgrp_storage_get cgrp_storage_delete kptr_xchg",
  [MT.BPF_MAP_TYPE_BLOOM_FILTER]: "map_peek_elem map_push_elem",
}

const everywhere = "map_lookup_elem map_update_elem map_delete_elem kptr_xchg"

/** Helpers that take only maps of certain types: the table above read the other way. */
function typesOfHelper(name: HelperName): number[] {
  if (everywhere.includes(name)) return []
  const types = Object.entries(helpersOfMap)
    .filter(([, names]) => names.split(/\s+/).includes(name))
    .map(([type]) => Number(type))
  if (name === "map_lookup_percpu_elem")
    types.push(
      MT.BPF_MAP_TYPE_PERCPU_ARRAY,
      MT.BPF_MAP_TYPE_PERCPU_HASH,
      MT.BPF_MAP_TYPE_LRU_PERCPU_HASH,
    )
  return types
}

/**
 * Whether a helper may be given a map of this type ("cannot pass map_type N into func NAME").
 * Updates and deletes of sock maps by other than a few program types are the verifier's to refuse.
 */
export function mapHelperAllowed(type: number, name: HelperName): boolean {
  const only = helpersOfMap[type]
  if (only !== undefined && !only.split(/\s+/).includes(name)) return false
  const types = typesOfHelper(name)
  return types.length === 0 || types.includes(type)
}
