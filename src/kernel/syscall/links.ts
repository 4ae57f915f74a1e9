/**
 * LINK_CREATE, RAW_TRACEPOINT_OPEN, LINK_UPDATE, LINK_DETACH, PROG_ATTACH, PROG_DETACH and
 * PROG_QUERY: from program type and attach type to a hook
 * (linux v6.18 kernel/bpf/syscall.c link_create, bpf_prog_attach; kernel/bpf/{tcx,cgroup}.c).
 */

import {
  BPF_ATTACH_FLAG,
  BPF_ATTACH_TYPE,
  BPF_LINK_TYPE,
  BPF_PROG_TYPE,
  ERRNO,
  type LinkCreateAttr,
  type LinkUpdateAttr,
  type RawTracepointOpenAttr,
} from "../../spec/index.ts"
import { hookKey } from "../hooks/hooks.ts"
import type { Attachment, Link, LinkTarget } from "../hooks/link.ts"
import { AT_END, type HookSite, type Position } from "../hooks/site.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { KernelObject } from "../objects/kernel-object.ts"
import type { Program } from "../programs/program.ts"
import { isNetworkLink, networkLinkCreate } from "./network-links.ts"
import { tracingLink } from "./tracing-links.ts"

const T = BPF_PROG_TYPE
const A = BPF_ATTACH_TYPE
const L = BPF_LINK_TYPE

/** Where a program of this type goes for this attach type. */
interface Place {
  readonly linkType: number
  readonly key: string
  readonly target: LinkTarget
  /** Only one program at a time (XDP). */
  readonly exclusive?: boolean
  /** Linux's link of this kind has no detach operation. */
  readonly undetachable?: boolean
  /** Several links of one program are fine (tracing); mprog hooks refuse them. */
  readonly repeatable?: boolean
}

export function linkCreate(tables: KernelTables, attr: LinkCreateAttr): number {
  const program = tables.fds.get(attr.prog_fd, "program")
  if (typeof program === "number") return program
  if (isNetworkLink(program.value.type, attr.attach_type))
    return networkLinkCreate(tables, program, attr)
  const traced = tracingLink(tables, program, attr)
  if (traced !== null) return traced
  const place = placeOf(tables, program.value, attr)
  if (typeof place === "number") return place
  const position = positionOf(tables, attr)
  if (typeof position === "number") return position
  const cookie = attr.tracing?.cookie ?? 0n
  return attach(tables, program, attr.attach_type, place, { position, cookie })
}

export function rawTracepointOpen(tables: KernelTables, attr: RawTracepointOpenAttr): number {
  const program = tables.fds.get(attr.prog_fd, "program")
  if (typeof program === "number") return program
  const { type, attachTarget, expectedAttachType } = program.value
  let place: Place | number
  if (type === T.BPF_PROG_TYPE_TRACING || type === T.BPF_PROG_TYPE_LSM) {
    // The target was fixed at load; a name would contradict it.
    if (attr.name !== undefined) return -ERRNO.EINVAL
    place = attachTarget === null ? -ERRNO.EINVAL : tracingPlace(program.value, attachTarget)
  } else if (
    type === T.BPF_PROG_TYPE_RAW_TRACEPOINT ||
    type === T.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE
  ) {
    if (attr.name === undefined) return -ERRNO.EFAULT
    if (!tables.world.hasRawTracepoint(attr.name)) return -ERRNO.ENOENT
    place = {
      linkType: L.BPF_LINK_TYPE_RAW_TRACEPOINT,
      key: hookKey.rawTracepoint(attr.name),
      target: { kind: "raw_tracepoint", name: attr.name },
      repeatable: true,
      undetachable: true,
    }
  } else return -ERRNO.EINVAL
  if (typeof place === "number") return place
  return attach(tables, program, expectedAttachType, place, {
    position: AT_END,
    cookie: attr.cookie ?? 0n,
  })
}

function placeOf(tables: KernelTables, program: Program, attr: LinkCreateAttr): Place | number {
  const attachType = attr.attach_type
  switch (program.type) {
    case T.BPF_PROG_TYPE_XDP:
      return attachType === A.BPF_XDP
        ? devicePlace(tables, attr, L.BPF_LINK_TYPE_XDP)
        : -ERRNO.EINVAL
    case T.BPF_PROG_TYPE_SCHED_CLS:
      if (attachType === A.BPF_TCX_INGRESS || attachType === A.BPF_TCX_EGRESS)
        return devicePlace(tables, attr, L.BPF_LINK_TYPE_TCX)
      return -ERRNO.EINVAL
    case T.BPF_PROG_TYPE_TRACING:
    case T.BPF_PROG_TYPE_LSM:
      if (attachType !== program.expectedAttachType || program.attachTarget === null)
        return -ERRNO.EINVAL
      return tracingPlace(program, program.attachTarget)
    default:
      return -ERRNO.EINVAL
  }
}

function devicePlace(tables: KernelTables, attr: LinkCreateAttr, linkType: number): Place | number {
  const ifindex = attr.target_ifindex ?? 0
  if (tables.state.device(ifindex) === undefined)
    return linkType === L.BPF_LINK_TYPE_XDP ? -ERRNO.EINVAL : -ERRNO.ENODEV
  return {
    linkType,
    key: hookKey.device(ifindex, attr.attach_type),
    target: { kind: "device", ifindex },
    exclusive: linkType === L.BPF_LINK_TYPE_XDP,
  }
}

function tracingPlace(program: Program, name: string): Place {
  const key =
    program.type === T.BPF_PROG_TYPE_LSM
      ? hookKey.lsm(name)
      : program.expectedAttachType === A.BPF_TRACE_RAW_TP
        ? hookKey.rawTracepoint(name)
        : hookKey.trampoline(name, program.expectedAttachType)
  return {
    linkType:
      program.expectedAttachType === A.BPF_TRACE_RAW_TP
        ? L.BPF_LINK_TYPE_RAW_TRACEPOINT
        : L.BPF_LINK_TYPE_TRACING,
    key,
    target: { kind: "tracing", objectId: 1, btfId: program.attachBtfId },
    undetachable: true,
  }
}

function positionOf(tables: KernelTables, attr: LinkCreateAttr): Position | number {
  const flags = attr.flags ?? 0
  const relative = attr.relative
  if (relative?.fd === undefined && relative?.id === undefined)
    return { flags, relative: null, expectedRevision: relative?.expected_revision ?? 0n }
  const byLink = (flags & BPF_ATTACH_FLAG.BPF_F_LINK) !== 0
  const expectedRevision = relative.expected_revision ?? 0n
  if (flags & BPF_ATTACH_FLAG.BPF_F_ID) {
    const found = byLink
      ? tables.links.get(relative.id ?? 0)
      : tables.programs.get(relative.id ?? 0)
    if (found === undefined) return -ERRNO.ENOENT
    return { flags, relative: found as Position["relative"], expectedRevision }
  }
  const found = tables.fds.get(relative.fd, byLink ? "link" : "program")
  if (typeof found === "number") return found
  return { flags, relative: found as Position["relative"], expectedRevision }
}

function attach(
  tables: KernelTables,
  program: KernelObject<"program">,
  attachType: number,
  place: Place,
  options: { readonly position: Position; readonly cookie: bigint },
): number {
  const site = tables.hooks.site(place.key)
  if (place.exclusive && site.attachments.length > 0) return -ERRNO.EBUSY
  const attachment: Attachment = { program, link: null, cookie: options.cookie }
  if (place.repeatable) site.append(attachment)
  else {
    const result = site.insert(attachment, options.position)
    if (result < 0) return result
  }
  program.get()
  const link: Link = {
    id: 0,
    type: place.linkType,
    attachType,
    attachment,
    attached: true,
    target: place.target,
    detach: () => (place.undetachable ? -ERRNO.EOPNOTSUPP : detachLink(site, link)),
  }
  attachment.link = link
  const object = new KernelObject("link", link, () => {
    detachLink(site, link)
    tables.links.delete(link.id)
    attachment.program.put()
  })
  link.id = tables.links.add(object)
  return tables.fds.open(object)
}

function detachLink(site: HookSite, link: Link): number {
  if (!link.attached) return 0
  link.attached = false
  site.remove(link.attachment)
  return 0
}

/** Links whose programs Linux does not let be replaced. */
const NOT_UPDATABLE: readonly LinkTarget["kind"][] = [
  "tracing",
  "raw_tracepoint",
  "kprobe_multi",
  "uprobe_multi",
]

export function linkUpdate(tables: KernelTables, attr: LinkUpdateAttr): number {
  const flags = attr.flags ?? 0
  if (flags & ~BPF_ATTACH_FLAG.BPF_F_REPLACE) return -ERRNO.EINVAL
  const object = tables.fds.get(attr.link_fd, "link")
  if (typeof object === "number") return object
  const next = tables.fds.get(attr.new_prog_fd, "program")
  if (typeof next === "number") return next
  const link = object.value
  if (NOT_UPDATABLE.includes(link.target.kind)) return -ERRNO.EINVAL
  const { attachment } = link
  let old: KernelObject<"program"> | null = null
  if (flags & BPF_ATTACH_FLAG.BPF_F_REPLACE) {
    const named = tables.fds.get(attr.old_prog_fd, "program")
    if (typeof named === "number") return named
    old = named
  } else if (attr.old_prog_fd) return -ERRNO.EINVAL
  if (link.target.kind === "netfilter") return -ERRNO.EOPNOTSUPP
  if (old !== null && old !== attachment.program) return -ERRNO.EPERM
  if (!link.attached) return -ERRNO.ENOLINK
  if (next.value.type !== attachment.program.value.type) return -ERRNO.EINVAL
  next.get()
  attachment.program.put()
  attachment.program = next
  link.onUpdate?.(next)
  return 0
}

export function linkDetach(tables: KernelTables, attr: { link_fd: number }): number {
  const object = tables.fds.get(attr.link_fd, "link")
  return typeof object === "number" ? object : object.value.detach()
}
