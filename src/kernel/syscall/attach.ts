/**
 * PROG_ATTACH, PROG_DETACH and PROG_QUERY: attaching without a link, to cgroups and TCX
 * (linux v6.18 kernel/bpf/syscall.c, kernel/bpf/cgroup.c, kernel/bpf/tcx.c).
 */

import {
  BPF_ATTACH_FLAG,
  BPF_ATTACH_TYPE,
  BPF_PROG_TYPE,
  ERRNO,
  type ProgAttachAttr,
  type ProgQueryAttr,
} from "../../spec/index.ts"
import { hookKey } from "../hooks/hooks.ts"
import type { Attachment } from "../hooks/link.ts"
import { AT_END, type HookSite } from "../hooks/site.ts"
import type { KernelTables } from "../kernel-tables.ts"

const A = BPF_ATTACH_TYPE

const CGROUP_ATTACH_TYPES = new Set<number>([
  A.BPF_CGROUP_INET_INGRESS,
  A.BPF_CGROUP_INET_EGRESS,
  A.BPF_CGROUP_INET_SOCK_CREATE,
  A.BPF_CGROUP_SOCK_OPS,
  A.BPF_CGROUP_DEVICE,
  A.BPF_CGROUP_SYSCTL,
  A.BPF_CGROUP_GETSOCKOPT,
  A.BPF_CGROUP_SETSOCKOPT,
  A.BPF_CGROUP_INET4_BIND,
  A.BPF_CGROUP_INET6_BIND,
  A.BPF_CGROUP_INET4_CONNECT,
  A.BPF_CGROUP_INET6_CONNECT,
])

/** The program type that an attach type wants (attach_type_to_prog_type). */
function programTypeFor(attachType: number): number {
  if (attachType === A.BPF_TCX_INGRESS || attachType === A.BPF_TCX_EGRESS)
    return BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS
  if (attachType <= A.BPF_CGROUP_INET_EGRESS) return BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SKB
  return 0
}

function siteOf(
  tables: KernelTables,
  attr: { target_fd?: number; target_ifindex?: number; attach_type: number },
): HookSite | number {
  const { attach_type: type } = attr
  if (type === A.BPF_TCX_INGRESS || type === A.BPF_TCX_EGRESS) {
    const ifindex = attr.target_ifindex ?? attr.target_fd ?? 0
    if (tables.state.device(ifindex) === undefined) return -ERRNO.ENODEV
    return tables.hooks.site(hookKey.device(ifindex, type))
  }
  if (!CGROUP_ATTACH_TYPES.has(type)) return -ERRNO.EINVAL
  const cgroup = tables.fds.get(attr.target_fd, "cgroup")
  if (typeof cgroup === "number") return cgroup
  return tables.hooks.site(hookKey.cgroup(cgroup.value.path, type))
}

export function progAttach(tables: KernelTables, attr: ProgAttachAttr): number {
  const program = tables.fds.get(attr.attach_bpf_fd, "program")
  if (typeof program === "number") return program
  const wanted = programTypeFor(attr.attach_type)
  if (wanted !== 0 && program.value.type !== wanted) return -ERRNO.EINVAL
  const site = siteOf(tables, attr)
  if (typeof site === "number") return site
  const flags = attr.attach_flags ?? 0
  const cgroup = CGROUP_ATTACH_TYPES.has(attr.attach_type)
  // Without BPF_F_ALLOW_MULTI a cgroup hook holds one program: attaching replaces it.
  if (cgroup && !(flags & BPF_ATTACH_FLAG.BPF_F_ALLOW_MULTI)) {
    for (const old of [...site.attachments]) {
      if (old.link !== null) return -ERRNO.EPERM
      removeDirect(site, old)
    }
  }
  const attachment: Attachment = { program, link: null, cookie: 0n }
  const result = site.insert(attachment, {
    ...AT_END,
    flags,
    expectedRevision: attr.expected_revision ?? 0n,
  })
  if (result < 0) return result === -ERRNO.EEXIST && cgroup ? -ERRNO.EINVAL : result
  program.get()
  return 0
}

function removeDirect(site: HookSite, attachment: Attachment): void {
  site.remove(attachment)
  attachment.program.put()
}

export function progDetach(tables: KernelTables, attr: ProgAttachAttr): number {
  const site = siteOf(tables, attr)
  if (typeof site === "number") return site
  const program =
    attr.attach_bpf_fd === undefined ? null : tables.fds.get(attr.attach_bpf_fd, "program")
  if (typeof program === "number") return program
  const direct = site.attachments.filter((one) => one.link === null)
  const found =
    program === null ? direct[direct.length - 1] : direct.find((one) => one.program === program)
  if (found === undefined) return -ERRNO.ENOENT
  removeDirect(site, found)
  return 0
}

export function progQuery(tables: KernelTables, attr: ProgQueryAttr): number {
  const site = siteOf(tables, attr)
  if (typeof site === "number") return site
  const { attachments } = site
  const capacity = Math.min(attr.prog_ids?.length ?? 0, attachments.length)
  for (let index = 0; index < capacity; index++) {
    if (attr.prog_ids) attr.prog_ids[index] = attachments[index].program.value.id
    if (attr.link_ids) attr.link_ids[index] = attachments[index].link?.id ?? 0
  }
  const wantsIds = attr.prog_ids !== undefined && (attr.prog_cnt ?? attr.prog_ids.length) > 0
  attr.prog_cnt = attachments.length
  attr.attach_flags = 0
  attr.revision = site.revision
  return wantsIds && capacity < attachments.length ? -ERRNO.ENOSPC : 0
}
