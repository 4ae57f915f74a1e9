/**
 * LINK_CREATE for the hooks of the network: cgroups, network namespaces, netfilter, netkit and
 * socket maps (linux v6.18 kernel/bpf/cgroup.c cgroup_bpf_link_attach, net_namespace.c,
 * net/netfilter/nf_bpf_link.c, drivers/net/netkit.c, net/core/sock_map.c).
 */

import {
  BPF_ATTACH_FLAG,
  BPF_ATTACH_TYPE,
  BPF_LINK_TYPE,
  BPF_PROG_TYPE,
  ERRNO,
  type LinkCreateAttr,
} from "../../spec/index.ts"
import { hookKey } from "../hooks/hooks.ts"
import type { Attachment, Link, LinkTarget } from "../hooks/link.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { SocketMap } from "../maps/socket-maps.ts"
import { NF_HOOKS, netfilterKey } from "../net/netfilter.ts"
import { AF_INET, AF_INET6 } from "../net/wire.ts"
import { KernelObject } from "../objects/kernel-object.ts"
import { attachRefusal, isCgroupProgram } from "./attach-rules.ts"
import { createCgroupStorages, relativeOf } from "./cgroups.ts"

const T = BPF_PROG_TYPE
const A = BPF_ATTACH_TYPE
const F = BPF_ATTACH_FLAG

const CGROUP_LINK_FLAGS: number =
  F.BPF_F_ID | F.BPF_F_BEFORE | F.BPF_F_AFTER | F.BPF_F_PREORDER | F.BPF_F_LINK
const BPF_F_NETFILTER_IP_DEFRAG = 1
const INT_MIN = -(2 ** 31)
const INT_MAX = 2 ** 31 - 1
const NF_IP_PRI_CONNTRACK_DEFRAG = -400

/** Whether {@link networkLinkCreate} answers for a program. */
export function isNetworkLink(type: number, attachType: number): boolean {
  if (type === T.BPF_PROG_TYPE_SCHED_CLS)
    return attachType === A.BPF_NETKIT_PRIMARY || attachType === A.BPF_NETKIT_PEER
  return (
    isCgroupProgram(type) ||
    type === T.BPF_PROG_TYPE_SK_LOOKUP ||
    type === T.BPF_PROG_TYPE_FLOW_DISSECTOR ||
    type === T.BPF_PROG_TYPE_NETFILTER ||
    type === T.BPF_PROG_TYPE_SK_MSG ||
    type === T.BPF_PROG_TYPE_SK_SKB
  )
}

export function networkLinkCreate(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  const refused = attachRefusal(program.value, attr.attach_type)
  if (refused !== 0) return refused
  switch (program.value.type) {
    case T.BPF_PROG_TYPE_SK_LOOKUP:
    case T.BPF_PROG_TYPE_FLOW_DISSECTOR:
      return netnsLink(tables, program, attr)
    case T.BPF_PROG_TYPE_NETFILTER:
      return netfilterLink(tables, program, attr)
    case T.BPF_PROG_TYPE_SK_MSG:
    case T.BPF_PROG_TYPE_SK_SKB:
      return socketMapLink(tables, program, attr)
    case T.BPF_PROG_TYPE_SCHED_CLS:
      return netkitLink(tables, program, attr)
    default:
      return cgroupLink(tables, program, attr)
  }
}

/** A link and its descriptor; `remove` takes the attachment out of its hook. */
function openLink(
  tables: KernelTables,
  parts: {
    readonly type: number
    readonly attachType: number
    readonly target: LinkTarget
    readonly attachment: Attachment
    readonly remove: () => void
    /** The hook keeps the program elsewhere than in the attachment. */
    readonly update?: (next: KernelObject<"program">) => void
  },
): number {
  const { attachment } = parts
  attachment.program.get()
  const detach = (link: Link): number => {
    if (!link.attached) return 0
    link.attached = false
    parts.remove()
    return 0
  }
  const link: Link = {
    id: 0,
    type: parts.type,
    attachType: parts.attachType,
    attachment,
    attached: true,
    target: parts.target,
    detach: () => detach(link),
    ...(parts.update && { onUpdate: parts.update }),
  }
  attachment.link = link
  const object = new KernelObject("link", link, () => {
    detach(link)
    tables.links.delete(link.id)
    attachment.program.put()
  })
  link.id = tables.links.add(object)
  return tables.fds.open(object)
}

function cgroupLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  const flags = attr.flags ?? 0
  if (flags & ~CGROUP_LINK_FLAGS) return -ERRNO.EINVAL
  const cgroup = tables.fds.get(attr.target_fd, "cgroup")
  if (typeof cgroup === "number") return -ERRNO.EBADF
  const relative = relativeOf(tables, flags, attr.relative ?? {})
  if (typeof relative === "number") return relative
  const { path } = cgroup.value
  const entry = tables.cgroups.attach(
    path,
    attr.attach_type,
    {
      program,
      flags: flags | F.BPF_F_ALLOW_MULTI,
      replace: null,
      relative,
      expectedRevision: attr.relative?.expected_revision ?? 0n,
      byLink: true,
    },
    () => undefined,
  )
  if (typeof entry === "number") return entry
  createCgroupStorages(tables, program.value, path, attr.attach_type)
  return openLink(tables, {
    type: BPF_LINK_TYPE.BPF_LINK_TYPE_CGROUP,
    attachType: attr.attach_type,
    target: { kind: "cgroup", cgroupId: tables.world.cgroupId(path) },
    attachment: entry,
    remove: () => tables.cgroups.remove(entry),
  })
}

/** sk_lookup takes any number of programs, the flow dissector one. */
function netnsLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  if (attr.flags) return -ERRNO.EINVAL
  const object = tables.fds.get(attr.target_fd, "netns")
  if (typeof object === "number") return object
  const { namespace } = object.value
  const site = tables.hooks.site(hookKey.netns(attr.attach_type, namespace.id))
  if (attr.attach_type === A.BPF_FLOW_DISSECTOR && site.attachments.length > 0)
    return site.attachments[0].link === null ? -ERRNO.EEXIST : -ERRNO.E2BIG
  if (site.attachments.length >= 64) return -ERRNO.E2BIG
  const attachment: Attachment = { program, link: null, cookie: 0n }
  site.append(attachment)
  return openLink(tables, {
    type: BPF_LINK_TYPE.BPF_LINK_TYPE_NETNS,
    attachType: attr.attach_type,
    target: { kind: "netns", inode: namespace.inode },
    attachment,
    remove: () => site.remove(attachment),
  })
}

/** bpf_nf_link_attach */
function netfilterLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  if (attr.flags) return -ERRNO.EINVAL
  const { pf, hooknum, priority, flags = 0 } = attr.netfilter ?? { pf: 0, hooknum: 0, priority: 0 }
  if (pf !== AF_INET && pf !== AF_INET6) return -ERRNO.EAFNOSUPPORT
  if (hooknum >= NF_HOOKS) return -ERRNO.EPROTO
  if (flags & ~BPF_F_NETFILTER_IP_DEFRAG) return -ERRNO.EOPNOTSUPP
  if (priority === INT_MIN || priority === INT_MAX) return -ERRNO.ERANGE
  if (flags !== 0 && priority <= NF_IP_PRI_CONNTRACK_DEFRAG) return -ERRNO.ERANGE
  const { netfilter } = tables.state.net.initial
  const key = netfilterKey(pf, hooknum)
  const hooks = netfilter.get(key) ?? []
  netfilter.set(key, hooks)
  if (hooks.some((one) => one.priority === priority)) return -ERRNO.EBUSY
  const attachment = { program, link: null, cookie: 0n, priority }
  hooks.push(attachment)
  hooks.sort((a, b) => a.priority - b.priority)
  return openLink(tables, {
    type: BPF_LINK_TYPE.BPF_LINK_TYPE_NETFILTER,
    attachType: attr.attach_type,
    target: { kind: "netfilter", pf, hook: hooknum, priority, flags },
    attachment,
    remove: () => hooks.splice(hooks.indexOf(attachment), 1),
  })
}

/** netkit_link_attach: both sides are attached to by the primary device. */
function netkitLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  const device = tables.state.device(attr.target_ifindex ?? 0)
  if (device === undefined) return -ERRNO.ENODEV
  if (device.kind !== "netkit") return -ERRNO.ENXIO
  if (!device.primary) return -ERRNO.EACCES
  const side = attr.attach_type === A.BPF_NETKIT_PRIMARY ? device : device.peer
  if (side === null) return -ERRNO.ENODEV
  const site = tables.hooks.site(hookKey.device(side.ifindex, attr.attach_type))
  const attachment: Attachment = { program, link: null, cookie: 0n }
  const relative = relativeOf(tables, attr.flags ?? 0, attr.relative ?? {})
  if (typeof relative === "number") return relative
  const result = site.insert(attachment, {
    flags: attr.flags ?? 0,
    relative,
    expectedRevision: attr.relative?.expected_revision ?? 0n,
  })
  if (result < 0) return result
  return openLink(tables, {
    type: BPF_LINK_TYPE.BPF_LINK_TYPE_NETKIT,
    attachType: attr.attach_type,
    target: { kind: "device", ifindex: device.ifindex },
    attachment,
    remove: () => site.remove(attachment),
  })
}

/** sock_map_link_create */
function socketMapLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  if (attr.flags) return -ERRNO.EINVAL
  const object = tables.fds.get(attr.target_fd, "map")
  if (typeof object === "number") return object
  const { map } = object.value
  if (!(map instanceof SocketMap)) return -ERRNO.EINVAL
  const attachment: Attachment = { program, link: null, cookie: 0n }
  const result = map.setProgram(attr.attach_type, program, { old: null, exclusive: true })
  if (result < 0) return result
  return openLink(tables, {
    type: BPF_LINK_TYPE.BPF_LINK_TYPE_SOCKMAP,
    attachType: attr.attach_type,
    target: { kind: "sockmap", mapId: map.id },
    attachment,
    update: (next) => map.setProgram(attr.attach_type, next, { old: null, exclusive: false }),
    remove: () => map.clearProgram(attr.attach_type, attachment.program),
  })
}
