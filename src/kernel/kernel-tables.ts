/**
 * The embedded kernel's tables: objects, ids, descriptors, pins and hooks. Every command of the
 * kernel interface is a function over these and the {@link KernelState}.
 */

import type { KernelState } from "./environment.ts"
import type { CgroupHooks } from "./hooks/cgroups.ts"
import type { Hooks } from "./hooks/hooks.ts"
import type { BpfMap } from "./maps/map.ts"
import type { Bpffs } from "./objects/bpffs.ts"
import type { FdTable } from "./objects/fd-table.ts"
import type { IdTable } from "./objects/id-table.ts"
import type { KernelObject } from "./objects/kernel-object.ts"
import type { Program } from "./programs/program.ts"
import type { TracingWorld } from "./tracing.ts"

/** What the commands ask of the world around the programs. */
export interface World extends TracingWorld {
  /** Whether a tracepoint of this bare name exists (`sched_switch`). */
  hasRawTracepoint(name: string): boolean
  hasTracepoint(group: string, name: string): boolean
  /** The id of a cgroup v2 directory. */
  cgroupId(path: string): bigint
}

export interface KernelTables {
  readonly state: KernelState
  readonly world: World
  readonly fds: FdTable
  /** Programs must pass the verifier. */
  readonly verifies: boolean
  readonly maps: IdTable<KernelObject<"map">>
  readonly programs: IdTable<KernelObject<"program">>
  readonly btfs: IdTable<KernelObject<"btf">>
  readonly links: IdTable<KernelObject<"link">>
  readonly bpffs: Bpffs
  readonly hooks: Hooks
  readonly cgroups: CgroupHooks
  /** The object of the kernel's own BTF, id 1. */
  readonly vmlinux: KernelObject<"btf">
  /** Maps by the index in the first u32 of their descriptor; holes are undefined. */
  readonly mapSlots: (BpfMap | undefined)[]
  /** Region of the map descriptors: programs hold their addresses but may not look inside. */
  readonly descriptorRegion: number
  /** Offset of 512 zero bytes, a key of 0 for every map. */
  readonly zeroKey: number
  /** Objects of maps, to take references when a program names them. */
  mapObject(map: BpfMap): KernelObject<"map">
  /** Holders of BPF_ENABLE_STATS descriptors: run times are counted while there is one. */
  statsUsers: number
  /** The map references that each program holds (PROG_BIND_MAP adds to them). */
  readonly heldMaps: WeakMap<Program, KernelObject<"map">[]>
}

/** BPF_OBJ_NAME: at most 15 characters of `[A-Za-z0-9_.]` (bpf_obj_name_cpy). */
export function validObjectName(name: string): boolean {
  return /^[A-Za-z0-9_.]{0,15}$/.test(name)
}
