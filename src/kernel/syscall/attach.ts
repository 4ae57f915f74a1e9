/**
 * PROG_ATTACH, PROG_DETACH and PROG_QUERY: attaching without a link, to cgroups, devices, network
 * namespaces and socket maps (linux v6.18 kernel/bpf/syscall.c bpf_prog_attach, bpf_prog_detach,
 * bpf_prog_query; kernel/bpf/tcx.c, net_namespace.c, net/core/sock_map.c).
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
import { SocketMap } from "../maps/socket-maps.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import { attachRefusal, isCgroupProgram, programTypeFor } from "./attach-rules.ts"
import { cgroupAttach, cgroupDetach, cgroupQuery, relativeOf } from "./cgroups.ts"

const A = BPF_ATTACH_TYPE
const T = BPF_PROG_TYPE

interface Target {
  readonly target_fd?: number
  readonly target_ifindex?: number
  readonly attach_type: number
}

/** The site of a device or namespace hook, or a negative errno. */
function siteOf(tables: KernelTables, attr: Target): HookSite | number {
  const { attach_type: type } = attr
  if (type === A.BPF_FLOW_DISSECTOR)
    return tables.hooks.site(hookKey.netns(type, tables.state.net.initial.id))
  if (programTypeFor(type) !== T.BPF_PROG_TYPE_SCHED_CLS) return -ERRNO.EINVAL
  const device = tables.state.device(attr.target_ifindex ?? attr.target_fd ?? 0)
  if (device === undefined) return -ERRNO.ENODEV
  if (type === A.BPF_TCX_INGRESS || type === A.BPF_TCX_EGRESS)
    return tables.hooks.site(hookKey.device(device.ifindex, type))
  if (device.kind !== "netkit") return -ERRNO.ENXIO
  if (!device.primary) return -ERRNO.EACCES
  const side = type === A.BPF_NETKIT_PRIMARY ? device : device.peer
  return tables.hooks.site(hookKey.device(side?.ifindex ?? 0, type))
}

export function progAttach(tables: KernelTables, attr: ProgAttachAttr): number {
  const wanted = programTypeFor(attr.attach_type)
  if (wanted === 0 || wanted === T.BPF_PROG_TYPE_XDP) return -ERRNO.EINVAL
  const program = tables.fds.get(attr.attach_bpf_fd, "program")
  if (typeof program === "number") return program
  if (program.value.type !== wanted) return -ERRNO.EINVAL
  const refused = attachRefusal(program.value, attr.attach_type)
  if (refused !== 0) return refused
  if (isCgroupProgram(wanted)) return cgroupAttach(tables, program, attr)
  switch (wanted) {
    case T.BPF_PROG_TYPE_SK_SKB:
    case T.BPF_PROG_TYPE_SK_MSG:
      return socketMapProgram(tables, program, attr)
    case T.BPF_PROG_TYPE_FLOW_DISSECTOR:
      return attachDissector(tables, program, attr)
    case T.BPF_PROG_TYPE_SCHED_CLS:
      return attachOrdered(tables, program, attr)
    default:
      return -ERRNO.EINVAL
  }
}

function attachOrdered(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: ProgAttachAttr,
): number {
  const site = siteOf(tables, attr)
  if (typeof site === "number") return site
  const flags = attr.attach_flags ?? 0
  const relative = relativeOf(tables, flags, { fd: attr.relative_fd, id: attr.relative_id })
  if (typeof relative === "number") return relative
  const attachment: Attachment = { program, link: null, cookie: 0n }
  const expectedRevision = attr.expected_revision ?? 0n
  if (flags & BPF_ATTACH_FLAG.BPF_F_REPLACE) {
    const old = tables.fds.get(attr.replace_bpf_fd, "program")
    if (typeof old === "number") return old
    const replaced = site.replace(attachment, old, expectedRevision)
    if (typeof replaced === "number") return replaced
    replaced.program.put()
  } else {
    const result = site.insert(attachment, { ...AT_END, flags, relative, expectedRevision })
    if (result < 0) return result
  }
  program.get()
  return 0
}

/** netns_bpf_prog_attach: one program, which the next one replaces. */
function attachDissector(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: ProgAttachAttr,
): number {
  if (attr.target_fd || attr.attach_flags || attr.replace_bpf_fd) return -ERRNO.EINVAL
  const site = siteOf(tables, attr)
  if (typeof site === "number") return site
  const [old] = site.attachments
  if (old !== undefined) {
    if (old.link !== null) return -ERRNO.EEXIST
    if (old.program === program) return -ERRNO.EINVAL
    removeDirect(site, old)
  }
  site.append({ program, link: null, cookie: 0n })
  program.get()
  return 0
}

/** sock_map_get_from_fd */
function socketMapProgram(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: ProgAttachAttr,
): number {
  if (attr.attach_flags || attr.replace_bpf_fd) return -ERRNO.EINVAL
  const object = tables.fds.get(attr.target_fd, "map")
  if (typeof object === "number") return object
  const { map } = object.value
  if (!(map instanceof SocketMap)) return -ERRNO.EOPNOTSUPP
  return map.setProgram(attr.attach_type, program, { old: null, exclusive: false })
}

function removeDirect(site: HookSite, attachment: Attachment): void {
  site.remove(attachment)
  attachment.program.put()
}

export function progDetach(tables: KernelTables, attr: ProgAttachAttr): number {
  const wanted = programTypeFor(attr.attach_type)
  if (wanted === 0) return -ERRNO.EINVAL
  if (isCgroupProgram(wanted)) return cgroupDetach(tables, attr)
  if (wanted === T.BPF_PROG_TYPE_SK_SKB || wanted === T.BPF_PROG_TYPE_SK_MSG)
    return detachFromSocketMap(tables, attr)
  const site = siteOf(tables, attr)
  if (typeof site === "number") return site
  const program = attr.attach_bpf_fd ? tables.fds.get(attr.attach_bpf_fd, "program") : null
  if (typeof program === "number") return program
  const direct = site.attachments.filter((one) => one.link === null)
  const found =
    program === null ? direct[direct.length - 1] : direct.find((one) => one.program === program)
  if (found === undefined) return -ERRNO.ENOENT
  removeDirect(site, found)
  return 0
}

function detachFromSocketMap(tables: KernelTables, attr: ProgAttachAttr): number {
  if (attr.attach_flags || attr.replace_bpf_fd) return -ERRNO.EINVAL
  const object = tables.fds.get(attr.target_fd, "map")
  if (typeof object === "number") return object
  const program = tables.fds.get(attr.attach_bpf_fd, "program")
  if (typeof program === "number") return program
  const { map } = object.value
  if (!(map instanceof SocketMap)) return -ERRNO.EOPNOTSUPP
  if (program.value.type !== programTypeFor(attr.attach_type)) return -ERRNO.EINVAL
  return map.setProgram(attr.attach_type, null, { old: program, exclusive: false })
}

export function progQuery(tables: KernelTables, attr: ProgQueryAttr): number {
  const wanted = programTypeFor(attr.attach_type)
  if (isCgroupProgram(wanted)) return cgroupQuery(tables, attr)
  const site = querySite(tables, attr)
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

/** Namespaces are named by a descriptor when they are asked. */
function querySite(tables: KernelTables, attr: ProgQueryAttr): HookSite | number {
  const type = attr.attach_type
  if (type !== A.BPF_SK_LOOKUP && type !== A.BPF_FLOW_DISSECTOR) return siteOf(tables, attr)
  const object = tables.fds.get(attr.target_fd, "netns")
  if (typeof object === "number") return object
  return tables.hooks.site(hookKey.netns(type, object.value.namespace.id))
}
