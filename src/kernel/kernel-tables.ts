/**
 * The embedded kernel's tables: objects, ids, descriptors, pins and hooks. Every command of the
 * kernel interface is a function over these and the {@link KernelState}.
 */

import type { KernelState } from "./environment.ts"
import type { Hooks } from "./hooks/hooks.ts"
import type { BpfMap } from "./maps/map.ts"
import type { Bpffs } from "./objects/bpffs.ts"
import type { FdTable } from "./objects/fd-table.ts"
import type { IdTable } from "./objects/id-table.ts"
import type { KernelObject } from "./objects/kernel-object.ts"

export interface KernelTables {
  readonly state: KernelState
  readonly fds: FdTable
  readonly maps: IdTable<KernelObject<"map">>
  readonly programs: IdTable<KernelObject<"program">>
  readonly btfs: IdTable<KernelObject<"btf">>
  readonly links: IdTable<KernelObject<"link">>
  readonly bpffs: Bpffs
  readonly hooks: Hooks
  /** The object of the kernel's own BTF, id 1. */
  readonly vmlinux: KernelObject<"btf">
  /** Maps by the index in the first u32 of their descriptor; holes are undefined. */
  readonly mapSlots: (BpfMap | undefined)[]
  /** Objects of maps, to take references when a program names them. */
  mapObject(map: BpfMap): KernelObject<"map">
  /** Holders of BPF_ENABLE_STATS descriptors: run times are counted while there is one. */
  statsUsers: number
}

/** BPF_OBJ_NAME: at most 15 characters of `[A-Za-z0-9_.]` (bpf_obj_name_cpy). */
export function validObjectName(name: string): boolean {
  return /^[A-Za-z0-9_.]{0,15}$/.test(name)
}
