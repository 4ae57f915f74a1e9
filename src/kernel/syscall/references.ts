/**
 * Maps whose values are kernel objects: the system call side gives file descriptors, the map holds
 * references (linux v6.18 bpf_fd_array_map_update_elem, bpf_fd_htab_map_update_elem,
 * map_in_map.c, devmap.c).
 */

import { BPF_ATTACH_TYPE, BPF_MAP_TYPE, BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import type { RedirectResolver } from "../maps/index.ts"
import type { BpfMap, ReferenceMap } from "../maps/map.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Program } from "../programs/program.ts"

type ProgramArray = ReferenceMap<KernelObject<"program">>
type MapOfMaps = ReferenceMap<BpfMap>
type CgroupArray = ReferenceMap<{ readonly id: bigint }>
type ReferencesMap = ProgramArray | MapOfMaps | CgroupArray

const MAPS_OF_MAPS: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS,
]

const isProgramArray = (map: BpfMap): map is ProgramArray =>
  map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY
const isCgroupArray = (map: BpfMap): map is CgroupArray =>
  map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_CGROUP_ARRAY
const isMapOfMaps = (map: BpfMap): map is MapOfMaps => MAPS_OF_MAPS.includes(map.type)

/** Whether the values are descriptors that this file turns into references. */
export function isReferenceMap(map: BpfMap): map is ReferencesMap {
  return isProgramArray(map) || isMapOfMaps(map) || isCgroupArray(map)
}

export function updateReference(
  tables: KernelTables,
  map: ReferencesMap,
  key: Uint8Array | undefined,
  value: Uint8Array,
  flags: bigint,
): number {
  if (key === undefined || key.length < map.keySize || value.length < 4) return -ERRNO.EFAULT
  const refused = map.checkReference(key, flags)
  if (refused !== 0) return refused
  const fd = new DataView(value.buffer, value.byteOffset).getInt32(0, true)
  if (isCgroupArray(map)) return updateCgroup(tables, map, key, fd, flags)
  return isProgramArray(map)
    ? updateProgram(tables, map, key, fd, flags)
    : updateInnerMap(tables, map as MapOfMaps, key, fd, flags)
}

function updateProgram(
  tables: KernelTables,
  map: ProgramArray,
  key: Uint8Array,
  fd: number,
  flags: bigint,
): number {
  if (flags !== 0n) return -ERRNO.EINVAL
  if (new DataView(key.buffer, key.byteOffset).getUint32(0, true) >= map.maxEntries)
    return -ERRNO.E2BIG
  const program = tables.fds.get(fd, "program")
  if (typeof program === "number") return program
  if (!compatible(map, program.value)) return -ERRNO.EINVAL
  program.get()
  const result = map.setReference(key, program, flags, (old) => old.put())
  if (result < 0) program.put()
  return result
}

/** The first program (or user) of a prog array fixes the type of all (bpf_prog_map_compatible). */
const ownerTypes = new WeakMap<BpfMap, number>()

/** Whether tail calls from and to `program` through `map` are type-correct; fixes the owner. */
export function compatible(map: BpfMap, program: Program): boolean {
  const owner = ownerTypes.get(map)
  if (owner === undefined) ownerTypes.set(map, program.type)
  return owner === undefined || owner === program.type
}

function updateInnerMap(
  tables: KernelTables,
  map: MapOfMaps,
  key: Uint8Array,
  fd: number,
  flags: bigint,
): number {
  const inner = tables.fds.get(fd, "map")
  if (typeof inner === "number") return inner
  inner.get()
  const result = map.setReference(key, inner.value.map, flags, (old) => {
    tables.mapObject(old).put()
  })
  if (result < 0) inner.put()
  return result
}

/** Cgroups live as long as the kernel: the array holds their ids. */
function updateCgroup(
  tables: KernelTables,
  map: CgroupArray,
  key: Uint8Array,
  fd: number,
  flags: bigint,
): number {
  const cgroup = tables.fds.get(fd, "cgroup")
  if (typeof cgroup === "number") return -ERRNO.EBADF
  const reference = { id: tables.world.cgroupId(cgroup.value.path) }
  return map.setReference(key, reference, flags, () => undefined)
}

export function deleteReference(
  tables: KernelTables,
  map: ReferencesMap,
  key: Uint8Array | undefined,
): number {
  if (key === undefined || key.length < map.keySize) return -ERRNO.EFAULT
  if (isProgramArray(map)) return map.deleteReference(key, (old) => old.put())
  if (isCgroupArray(map)) return map.deleteReference(key, () => undefined)
  return (map as MapOfMaps).deleteReference(key, (old) => tables.mapObject(old).put())
}

/** Drops everything the map refers to: it is being destroyed, or nobody can fill it any more. */
export function releaseReferences(tables: KernelTables, map: BpfMap): void {
  if (isProgramArray(map)) {
    const programs = [...map.references()]
    map.clearReferences()
    for (const program of programs) program.put()
  } else if (isMapOfMaps(map)) {
    const inners = [...map.references()]
    map.clearReferences()
    for (const inner of inners) tables.mapObject(inner).put()
  }
}

/** How devmaps and cpumaps find devices and programs by what user space writes into them. */
export function redirectResolver(tables: KernelTables): RedirectResolver {
  return {
    device: (ifindex) => tables.state.device(ifindex) !== undefined,
    program(fd, map) {
      const program = tables.fds.get(fd, "program")
      if (typeof program === "number") return program
      const wanted =
        map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_CPUMAP
          ? BPF_ATTACH_TYPE.BPF_XDP_CPUMAP
          : BPF_ATTACH_TYPE.BPF_XDP_DEVMAP
      const fits =
        program.value.type === BPF_PROG_TYPE.BPF_PROG_TYPE_XDP &&
        program.value.expectedAttachType === wanted
      if (!fits) return -ERRNO.EINVAL
      program.get()
      return program.value
    },
    releaseProgram: (program) => tables.programs.get(program.id)?.put(),
  }
}
