/**
 * PROG_ATTACH, PROG_DETACH and PROG_QUERY on cgroups (linux v6.18 kernel/bpf/cgroup.c
 * cgroup_bpf_prog_attach, cgroup_bpf_prog_detach, __cgroup_bpf_query).
 */

import {
  BPF_ATTACH_FLAG,
  ERRNO,
  type ProgAttachAttr,
  type ProgQueryAttr,
} from "../../spec/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { CgroupStorageMap } from "../maps/cgroup-storage.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Program } from "../programs/program.ts"

const F = BPF_ATTACH_FLAG
/** BPF_F_QUERY_EFFECTIVE */
const QUERY_EFFECTIVE = 1
const CGROUP_ATTACH_FLAGS: number =
  F.BPF_F_ALLOW_OVERRIDE |
  F.BPF_F_ALLOW_MULTI |
  F.BPF_F_REPLACE |
  F.BPF_F_PREORDER |
  F.BPF_F_BEFORE |
  F.BPF_F_AFTER |
  F.BPF_F_ID |
  F.BPF_F_LINK

/** What `relative_fd` or `relative_id` names: null for nothing, or a negative errno. */
export function relativeOf(
  tables: KernelTables,
  flags: number,
  relative: { readonly fd?: number; readonly id?: number },
): KernelObject<"program"> | KernelObject<"link"> | null | number {
  const byLink = (flags & F.BPF_F_LINK) !== 0
  if (flags & F.BPF_F_ID) {
    if (!relative.id) return -ERRNO.ENOENT
    const found = byLink ? tables.links.get(relative.id) : tables.programs.get(relative.id)
    return found ?? -ERRNO.ENOENT
  }
  if (!relative.fd) return byLink ? -ERRNO.EBADF : null
  return byLink ? tables.fds.get(relative.fd, "link") : tables.fds.get(relative.fd, "program")
}

export function cgroupAttach(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: ProgAttachAttr,
): number {
  const flags = attr.attach_flags ?? 0
  if (flags & ~CGROUP_ATTACH_FLAGS) return -ERRNO.EINVAL
  const cgroup = tables.fds.get(attr.target_fd, "cgroup")
  if (typeof cgroup === "number") return -ERRNO.EBADF
  let replace: KernelObject<"program"> | null = null
  if (flags & F.BPF_F_ALLOW_MULTI && flags & F.BPF_F_REPLACE) {
    const found = tables.fds.get(attr.replace_bpf_fd, "program")
    if (typeof found === "number") return found
    if (found.value.type !== program.value.type) return -ERRNO.EINVAL
    replace = found
  }
  const relative = relativeOf(tables, flags, { fd: attr.relative_fd, id: attr.relative_id })
  if (typeof relative === "number") return relative
  const { path } = cgroup.value
  const entry = tables.cgroups.attach(
    path,
    attr.attach_type,
    {
      program,
      flags,
      replace,
      relative,
      expectedRevision: attr.expected_revision ?? 0n,
      byLink: false,
    },
    (old) => old.put(),
  )
  if (typeof entry === "number") return entry
  createCgroupStorages(tables, program.value, path, attr.attach_type)
  program.get()
  return 0
}

/** The local storages of a program come into being when it is attached. */
export function createCgroupStorages(
  tables: KernelTables,
  program: Program,
  path: string,
  attachType: number,
): void {
  for (const map of program.maps)
    if (map instanceof CgroupStorageMap)
      map.create({ cgroupId: tables.world.cgroupId(path), attachType })
}

export function cgroupDetach(tables: KernelTables, attr: ProgAttachAttr): number {
  const cgroup = tables.fds.get(attr.target_fd, "cgroup")
  if (typeof cgroup === "number") return -ERRNO.EBADF
  const given = attr.attach_bpf_fd ? tables.fds.get(attr.attach_bpf_fd, "program") : null
  const program = typeof given === "number" ? null : given
  const entry = tables.cgroups.findDetached(cgroup.value.path, attr.attach_type, program)
  if (typeof entry === "number") return entry
  tables.cgroups.remove(entry)
  if (entry.link === null) entry.program.put()
  return 0
}

export function cgroupQuery(tables: KernelTables, attr: ProgQueryAttr): number {
  const queryFlags = attr.query_flags ?? 0
  if (queryFlags & ~QUERY_EFFECTIVE) return -ERRNO.EINVAL
  const cgroup = tables.fds.get(attr.target_fd, "cgroup")
  if (typeof cgroup === "number") return -ERRNO.EBADF
  const { path } = cgroup.value
  const list = tables.cgroups.own(path, attr.attach_type)
  const effective = (queryFlags & QUERY_EFFECTIVE) !== 0
  const entries = effective ? tables.cgroups.effective(path, attr.attach_type) : list.entries
  const wanted = attr.prog_ids === undefined ? 0 : (attr.prog_cnt ?? attr.prog_ids.length)
  const count = Math.min(wanted, entries.length, attr.prog_ids?.length ?? 0)
  for (let index = 0; index < count; index++) {
    if (attr.prog_ids) attr.prog_ids[index] = entries[index].program.value.id
    if (attr.prog_attach_flags && !effective) attr.prog_attach_flags[index] = list.flags
  }
  attr.prog_cnt = entries.length
  attr.attach_flags = effective ? 0 : list.flags
  attr.revision = list.revision
  return wanted > 0 && wanted < entries.length ? -ERRNO.ENOSPC : 0
}
