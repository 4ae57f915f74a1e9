/**
 * The map commands: descriptors and access modes are checked here, semantics are the engines'
 * (linux v6.18 kernel/bpf/syscall.c map_create, map_lookup_elem, …).
 */

import {
  BPF_MAP_FLAG,
  BPF_MAP_TYPE,
  type Commands,
  ERRNO,
  type MapBatchAttr,
  type MapCreateAttr,
  type MapElemAttr,
} from "../../spec/index.ts"
import { releaseTimers } from "../helpers/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { validObjectName } from "../kernel-tables.ts"
import * as batch from "../maps/batch.ts"
import { createMap, RedirectMap } from "../maps/index.ts"
import { type AccessMode, READ_WRITE } from "../objects/fd-table.ts"
import { KernelObject, type MapEntry } from "../objects/kernel-object.ts"
import { valueFields } from "../types/value-fields.ts"
import { connectMap } from "./map-world.ts"
import {
  deleteReference,
  isReferenceMap,
  redirectResolver,
  releaseReferences,
  updateReference,
} from "./references.ts"

type Attr<C extends keyof Commands> = Commands[C]

/** `struct bpf_map` of a map type that needs one as a template. */
const MAP_IN_MAP: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS,
]

export function mapCreate(tables: KernelTables, attr: MapCreateAttr): number {
  const flags = attr.map_flags ?? 0
  const name = attr.map_name ?? ""
  if ((attr.btf_key_type_id || attr.btf_value_type_id) && !attr.btf_fd && attr.btf_fd !== 0)
    return -ERRNO.EINVAL
  if (flags & BPF_MAP_FLAG.BPF_F_RDONLY && flags & BPF_MAP_FLAG.BPF_F_WRONLY) return -ERRNO.EINVAL
  if (!validObjectName(name)) return -ERRNO.EINVAL
  // Linux looks at the other parameters before it looks at the template's descriptor.
  const template = MAP_IN_MAP.includes(attr.map_type)
    ? tables.fds.get(attr.inner_map_fd, "map")
    : undefined
  const inner = typeof template === "object" ? template.value.map : template
  let btf: KernelObject<"btf"> | null = null
  if (attr.btf_fd !== undefined && (attr.btf_key_type_id || attr.btf_value_type_id)) {
    const object = tables.fds.get(attr.btf_fd, "btf")
    if (typeof object === "number") return object
    btf = object
  }
  const slot = freeSlot(tables)
  const valueType = attr.btf_value_type_id ?? 0
  const fields = btf === null ? [] : valueFields(btf.value.btf, valueType)
  // A timer goes with the value that it is in.
  const release = fields.some((field) => field.kind === "timer")
    ? (value: number) => releaseTimers(tables.state, value, attr.value_size)
    : undefined
  const options = { index: slot, inner, fields, release }
  const map = createMap(tables.state, { ...attr, map_name: name }, options)
  if (typeof map === "number") return map
  btf?.get()
  const entry: MapEntry = {
    map,
    btf,
    keyTypeId: attr.btf_key_type_id ?? 0,
    valueTypeId: attr.btf_value_type_id ?? 0,
    userReferences: 0,
  }
  const object = new KernelObject("map", entry, () => {
    tables.maps.delete(map.id)
    tables.mapSlots[slot] = undefined
    releaseReferences(tables, map)
    disconnect()
    map.destroy()
    btf?.put()
  })
  map.id = tables.maps.add(object)
  const disconnect = connectMap(tables, map)
  if (map instanceof RedirectMap) map.resolver = redirectResolver(tables)
  tables.mapSlots[slot] = map
  if (isReferenceMap(map)) map.lastUserReferenceDropped = () => onLastUserReference(tables, entry)
  return tables.fds.open(object, accessMode(flags))
}

/** Prog arrays drop their programs with the last descriptor, or they would keep themselves alive. */
function onLastUserReference(tables: KernelTables, entry: MapEntry): void {
  if (entry.map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY) releaseReferences(tables, entry.map)
}

function freeSlot(tables: KernelTables): number {
  // Slot 0 stays empty, so that a zeroed descriptor never names a map.
  for (let slot = 1; ; slot++) if (tables.mapSlots[slot] === undefined) return slot
}

/** BPF_F_RDONLY and BPF_F_WRONLY limit what a descriptor may do. */
export function accessMode(flags: number): AccessMode {
  if (flags & BPF_MAP_FLAG.BPF_F_RDONLY) return { read: true, write: false }
  if (flags & BPF_MAP_FLAG.BPF_F_WRONLY) return { read: false, write: true }
  return READ_WRITE
}

/** The map behind `fd` if the descriptor allows the access; a negative errno otherwise. */
function usable(
  tables: KernelTables,
  fd: number,
  need: "read" | "write" | "both",
): KernelObject<"map"> | number {
  const object = tables.fds.get(fd, "map")
  if (typeof object === "number") return object
  const mode = tables.fds.mode(fd)
  const writable = mode.write && !object.value.map.frozen
  if (need !== "write" && !mode.read) return -ERRNO.EPERM
  if (need !== "read" && !writable) return -ERRNO.EPERM
  return object
}

export function mapLookupElem(tables: KernelTables, attr: MapElemAttr): number {
  const object = usable(tables, attr.map_fd, "read")
  if (typeof object === "number") return object
  return object.value.map.lookupElem(attr.key, attr.value ?? new Uint8Array(0), attr.flags ?? 0n)
}

export function mapUpdateElem(tables: KernelTables, attr: MapElemAttr): number {
  const object = usable(tables, attr.map_fd, "write")
  if (typeof object === "number") return object
  const { map } = object.value
  const value = attr.value ?? new Uint8Array(0)
  if (isReferenceMap(map)) return updateReference(tables, map, attr.key, value, attr.flags ?? 0n)
  return map.updateElem(attr.key, value, attr.flags ?? 0n)
}

export function mapDeleteElem(tables: KernelTables, attr: MapElemAttr): number {
  const object = usable(tables, attr.map_fd, "write")
  if (typeof object === "number") return object
  const { map } = object.value
  if (isReferenceMap(map)) return deleteReference(tables, map, attr.key)
  return map.deleteElem(attr.key)
}

export function mapLookupAndDeleteElem(tables: KernelTables, attr: MapElemAttr): number {
  const object = usable(tables, attr.map_fd, "both")
  if (typeof object === "number") return object
  return object.value.map.lookupAndDeleteElem(
    attr.key,
    attr.value ?? new Uint8Array(0),
    attr.flags ?? 0n,
  )
}

export function mapGetNextKey(tables: KernelTables, attr: Attr<"MAP_GET_NEXT_KEY">): number {
  const object = usable(tables, attr.map_fd, "read")
  if (typeof object === "number") return object
  return object.value.map.getNextKey(attr.key, attr.next_key)
}

export function mapFreeze(tables: KernelTables, attr: Attr<"MAP_FREEZE">): number {
  const object = tables.fds.get(attr.map_fd, "map")
  if (typeof object === "number") return object
  if (!tables.fds.mode(attr.map_fd).write) return -ERRNO.EPERM
  if (object.value.map.frozen) return -ERRNO.EPERM
  object.value.map.frozen = true
  return 0
}

/** The four batch commands. Maps of references take the element-wise road. */
export function mapBatch(
  tables: KernelTables,
  attr: MapBatchAttr,
  command: "lookup" | "lookupAndDelete" | "update" | "delete",
): number {
  const need = command === "lookup" ? "read" : command === "lookupAndDelete" ? "both" : "write"
  const object = usable(tables, attr.map_fd, need)
  if (typeof object === "number") return object
  const { map } = object.value
  switch (command) {
    case "lookup":
      return batch.lookupBatch(map, attr)
    case "lookupAndDelete":
      return batch.lookupAndDeleteBatch(map, attr)
    case "update":
      return batch.updateBatch(
        map,
        attr,
        isReferenceMap(map)
          ? (key, value, flags) => updateReference(tables, map, key, value, flags)
          : undefined,
      )
    case "delete":
      return batch.deleteBatch(
        map,
        attr,
        isReferenceMap(map) ? (key) => deleteReference(tables, map, key) : undefined,
      )
  }
}
