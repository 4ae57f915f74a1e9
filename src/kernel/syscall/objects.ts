/**
 * Commands on objects of any kind: pinning, ids, descriptors by id
 * (linux v6.18 kernel/bpf/syscall.c bpf_obj_pin … bpf_link_get_fd_by_id).
 */

import { ObjectError } from "../../base/index.ts"
import { readBtf, validateBtf } from "../../btf/index.ts"
import {
  BPF_MAP_FLAG,
  type BtfLoadAttr,
  ERRNO,
  type GetFdByIdAttr,
  type GetNextIdAttr,
  type ObjGetAttr,
  type ObjPinAttr,
} from "../../spec/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import type { BtfObject } from "../objects/btf-object.ts"
import type { IdTable } from "../objects/id-table.ts"
import { isKind, KernelObject, type ObjectKind } from "../objects/kernel-object.ts"
import { accessMode } from "./maps.ts"

const PINNABLE: readonly ObjectKind[] = ["map", "program", "link"]

export function objPin(tables: KernelTables, attr: ObjPinAttr): number {
  if (attr.file_flags) return -ERRNO.EINVAL
  const object = tables.fds.find(attr.bpf_fd)
  if (object === undefined || !PINNABLE.includes(object.kind)) return -ERRNO.EINVAL
  return tables.bpffs.pin(attr.pathname, object)
}

export function objGet(tables: KernelTables, attr: ObjGetAttr): number {
  const flags = attr.file_flags ?? 0
  if (flags & ~(BPF_MAP_FLAG.BPF_F_RDONLY | BPF_MAP_FLAG.BPF_F_WRONLY)) return -ERRNO.EINVAL
  if (flags & BPF_MAP_FLAG.BPF_F_RDONLY && flags & BPF_MAP_FLAG.BPF_F_WRONLY) return -ERRNO.EINVAL
  const object = tables.bpffs.lookup(attr.pathname)
  if (typeof object === "number") return object
  if (isKind(object, "link") && flags !== 0) return -ERRNO.EINVAL
  return tables.fds.open(object, accessMode(flags))
}

export function getNextId<T>(ids: IdTable<T>, attr: GetNextIdAttr): number {
  if (attr.start_id >= 0x7fffffff) return -ERRNO.EINVAL
  const next = ids.next(attr.start_id)
  if (next === undefined) return -ERRNO.ENOENT
  attr.next_id = next
  return 0
}

export function getFdById<K extends ObjectKind>(
  tables: KernelTables,
  ids: IdTable<KernelObject<K>>,
  attr: GetFdByIdAttr,
): number {
  const object = ids.get(attr.id)
  if (object === undefined) return -ERRNO.ENOENT
  return tables.fds.open(object as KernelObject, accessMode(attr.open_flags ?? 0))
}

export function btfLoad(tables: KernelTables, attr: BtfLoadAttr): number {
  const problem = btfProblem(attr.btf)
  if (problem !== null) {
    const text = new TextEncoder().encode(`${problem}\0`)
    attr.btf_log_true_size = text.length
    attr.btf_log_buf?.set(text.subarray(0, attr.btf_log_buf.length))
    return -ERRNO.EINVAL
  }
  const bytes = attr.btf.slice()
  const value: BtfObject = { id: 0, btf: readBtf(bytes), bytes, name: "", kernel: false }
  const object = new KernelObject("btf", value, () => tables.btfs.delete(value.id))
  value.id = tables.btfs.add(object)
  return tables.fds.open(object)
}

function btfProblem(bytes: Uint8Array): string | null {
  try {
    return validateBtf(bytes)
  } catch (error) {
    if (error instanceof ObjectError) return error.message
    throw error
  }
}

export function enableStats(tables: KernelTables, attr: { type: number }): number {
  if (attr.type !== 0) return -ERRNO.EINVAL
  tables.statsUsers++
  const object = new KernelObject("stats", { type: attr.type }, () => {
    tables.statsUsers--
  })
  return tables.fds.open(object)
}

export function progBindMap(
  tables: KernelTables,
  attr: { prog_fd: number; map_fd: number; flags?: number },
): number {
  if (attr.flags) return -ERRNO.EINVAL
  const program = tables.fds.get(attr.prog_fd, "program")
  if (typeof program === "number") return program
  const map = tables.fds.get(attr.map_fd, "map")
  if (typeof map === "number") return map
  const held = tables.heldMaps.get(program.value) ?? []
  if (!held.includes(map)) held.push(map.get())
  return 0
}
