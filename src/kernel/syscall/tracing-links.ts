/**
 * LINK_CREATE of programs that trace: perf events (tracepoints, kprobes, uprobes, clocks), many
 * functions at once, iterators, and LSM programs of a cgroup
 * (linux v6.18 kernel/bpf/syscall.c link_create, kernel/trace/bpf_trace.c, kernel/bpf/bpf_iter.c).
 */

import { BPF_CALL, BPF_JMP, decodeInstruction, INSN_SIZE } from "../../isa/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_LINK_TYPE,
  BPF_MULTI_PROBE_FLAG,
  BPF_PROG_FLAG,
  BPF_PROG_TYPE,
  ERRNO,
  helperByName,
  type LinkCreateAttr,
} from "../../spec/index.ts"
import { hookKey } from "../hooks/hooks.ts"
import type { Attachment, Link, LinkTarget } from "../hooks/link.ts"
import type { HookSite } from "../hooks/site.ts"
import { checkIteratorTarget } from "../iterators/targets.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { KernelObject } from "../objects/kernel-object.ts"
import type { Program } from "../programs/program.ts"
import type { Task } from "../tasks/task.ts"
import { contextBytes } from "../testrun/context-size.ts"

const T = BPF_PROG_TYPE
const A = BPF_ATTACH_TYPE
const L = BPF_LINK_TYPE

/** BPF_TRACE_MAX_PROGS: programs on one perf event. */
const PROGRAMS_MAX = 64
/** MAX_KPROBE_MULTI_CNT, MAX_UPROBE_MULTI_CNT. */
const FUNCTIONS_MAX = 1 << 20
const MULTI: readonly number[] = [A.BPF_TRACE_KPROBE_MULTI, A.BPF_TRACE_KPROBE_SESSION]
const MULTI_USER: readonly number[] = [A.BPF_TRACE_UPROBE_MULTI, A.BPF_TRACE_UPROBE_SESSION]

/** One of the places of a link, and what bpf_get_attach_cookie answers there. */
interface Place {
  readonly key: string
  readonly cookie: bigint
  readonly applies?: (task: Task) => boolean
}

interface NewLink {
  readonly type: number
  readonly target: LinkTarget
  readonly places: readonly Place[]
  /** Called when the last reference is gone. */
  readonly onRelease?: () => void
}

/** The new link's descriptor, a negative errno, or null for programs that are none of these. */
export function tracingLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number | null {
  const { type, expectedAttachType } = program.value
  const attachType = attr.attach_type
  switch (type) {
    case T.BPF_PROG_TYPE_KPROBE: {
      const special = [...MULTI, ...MULTI_USER]
      if (special.includes(expectedAttachType) && attachType !== expectedAttachType)
        return -ERRNO.EINVAL
      if (attachType === A.BPF_PERF_EVENT) return perfEventLink(tables, program, attr)
      if (!special.includes(attachType) || attachType !== expectedAttachType) return -ERRNO.EINVAL
      return MULTI.includes(attachType)
        ? kprobeMultiLink(tables, program, attr)
        : uprobeMultiLink(tables, program, attr)
    }
    case T.BPF_PROG_TYPE_TRACEPOINT:
    case T.BPF_PROG_TYPE_PERF_EVENT:
      return attachType === A.BPF_PERF_EVENT ? perfEventLink(tables, program, attr) : -ERRNO.EINVAL
    case T.BPF_PROG_TYPE_TRACING:
      if (expectedAttachType !== A.BPF_TRACE_ITER) return null
      return attachType === A.BPF_TRACE_ITER ? iteratorLink(tables, program, attr) : -ERRNO.EINVAL
    case T.BPF_PROG_TYPE_LSM:
      if (expectedAttachType !== A.BPF_LSM_CGROUP) return null
      return attachType === A.BPF_LSM_CGROUP ? cgroupLsmLink(tables, program, attr) : -ERRNO.EINVAL
    default:
      return null
  }
}

/** bpf_perf_link_attach, perf_event_set_bpf_prog. */
function perfEventLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  if (attr.flags) return -ERRNO.EINVAL
  const event = tables.fds.get(attr.target_fd, "perf_event")
  if (typeof event === "number") return -ERRNO.EBADF
  const { value } = event
  const { type, flags } = program.value
  const wanted = {
    tracepoint: T.BPF_PROG_TYPE_TRACEPOINT,
    kprobe: T.BPF_PROG_TYPE_KPROBE,
    uprobe: T.BPF_PROG_TYPE_KPROBE,
    event: T.BPF_PROG_TYPE_PERF_EVENT,
  }
  if (type !== wanted[value.kind]) return -ERRNO.EINVAL
  const isSleepable = (flags & BPF_PROG_FLAG.BPF_F_SLEEPABLE) !== 0
  if (isSleepable && value.kind !== "uprobe") return -ERRNO.EINVAL
  if (overridesReturn(program.value) && (value.kind !== "kprobe" || !value.injectable))
    return -ERRNO.EINVAL
  if (value.contextBytes !== undefined && contextBytes(program.value.insns) > value.contextBytes)
    return -ERRNO.EACCES
  if (value.program !== null) return -ERRNO.EEXIST
  const site = tables.hooks.site(value.key)
  if (site.attachments.length >= PROGRAMS_MAX) return -ERRNO.E2BIG
  value.program = program.value
  value.start?.()
  event.get()
  return createLink(tables, program, attr.attach_type, {
    type: L.BPF_LINK_TYPE_PERF_EVENT,
    target: value.target,
    places: [{ key: value.key, cookie: attr.perf_event?.bpf_cookie ?? 0n, applies: value.applies }],
    onRelease: () => {
      value.program = null
      value.stop?.()
      event.put()
    },
  })
}

/** bpf_kprobe_multi_link_attach. */
function kprobeMultiLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  const { flags = 0, syms, addrs, cookies } = attr.kprobe_multi ?? {}
  if (program.value.flags & BPF_PROG_FLAG.BPF_F_SLEEPABLE) return -ERRNO.EINVAL
  if (attr.flags || flags & ~BPF_MULTI_PROBE_FLAG.BPF_F_KPROBE_MULTI_RETURN) return -ERRNO.EINVAL
  if ((syms === undefined) === (addrs === undefined)) return -ERRNO.EINVAL
  const count = syms?.length ?? addrs?.length ?? 0
  if (count === 0) return -ERRNO.EINVAL
  if (count > FUNCTIONS_MAX) return -ERRNO.E2BIG
  const isSession = attr.attach_type === A.BPF_TRACE_KPROBE_SESSION
  if (isSession && flags !== 0) return -ERRNO.EINVAL
  const names = syms ?? (addrs ?? []).map((address) => symbolNamed(tables, address))
  const { world } = tables
  if (names.some((name) => !world.hasFunction(name)))
    return syms === undefined ? -ERRNO.EINVAL : -ERRNO.ESRCH
  if (overridesReturn(program.value) && names.some((name) => !world.isInjectable(name)))
    return -ERRNO.EINVAL
  const group = isSession ? "kprobe_session" : flags !== 0 ? "kretprobe" : "kprobe"
  return createLink(tables, program, attr.attach_type, {
    type: L.BPF_LINK_TYPE_KPROBE_MULTI,
    target: { kind: "kprobe_multi", count, flags },
    places: names.map((name, index) => ({
      key: hookKey.tracepoint(group, name),
      cookie: cookies?.[index] ?? 0n,
    })),
  })
}

function symbolNamed(tables: KernelTables, address: bigint): string {
  const symbol = tables.state.symbolAt?.(address)
  return symbol?.offset === 0 ? symbol.name : ""
}

/** bpf_uprobe_multi_link_attach. */
function uprobeMultiLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  const { path, offsets = [], cookies, flags = 0, pid = 0 } = attr.uprobe_multi ?? {}
  if (attr.flags || flags & ~BPF_MULTI_PROBE_FLAG.BPF_F_UPROBE_MULTI_RETURN) return -ERRNO.EINVAL
  if (path === undefined || offsets.length === 0) return -ERRNO.EINVAL
  if (offsets.length > FUNCTIONS_MAX) return -ERRNO.E2BIG
  const file = tables.world.fileKind(path)
  if (file === undefined) return -ERRNO.ENOENT
  if (file !== "regular") return -ERRNO.EBADF
  if (pid !== 0 && tables.state.taskByPid(pid) === undefined) return -ERRNO.ESRCH
  if (offsets.some((offset) => offset < 0n)) return -ERRNO.EINVAL
  const isSession = attr.attach_type === A.BPF_TRACE_UPROBE_SESSION
  const kind = isSession ? "uprobe_session" : flags !== 0 ? "uretprobe" : "uprobe"
  return createLink(tables, program, attr.attach_type, {
    type: L.BPF_LINK_TYPE_UPROBE_MULTI,
    target: { kind: "uprobe_multi", count: offsets.length, flags, pid },
    places: offsets.map((offset, index) => ({
      key: hookKey.uprobe(kind, path, offset),
      cookie: cookies?.[index] ?? 0n,
      applies: pid === 0 ? undefined : (task) => task.tgid === pid,
    })),
  })
}

/** bpf_iter_link_attach. */
function iteratorLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  if (attr.target_fd || attr.flags) return -ERRNO.EINVAL
  const name = program.value.attachTarget ?? ""
  const info = attr.iter_info?.slice() ?? new Uint8Array(0)
  const held = checkIteratorTarget(tables, name, info)
  if (typeof held === "number") return held
  return createLink(tables, program, attr.attach_type, {
    type: L.BPF_LINK_TYPE_ITER,
    target: { kind: "iter", name, info, map: held?.value.map ?? null },
    places: [],
    onRelease: () => held?.put(),
  })
}

function cgroupLsmLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attr: LinkCreateAttr,
): number {
  if (attr.flags) return -ERRNO.EINVAL
  const cgroup = tables.fds.get(attr.target_fd, "cgroup")
  if (typeof cgroup === "number") return cgroup
  const { path } = cgroup.value
  return createLink(tables, program, attr.attach_type, {
    type: L.BPF_LINK_TYPE_CGROUP,
    target: { kind: "cgroup", cgroupId: tables.world.cgroupId(path) },
    places: [{ key: hookKey.lsmCgroup(path, program.value.attachTarget ?? ""), cookie: 0n }],
  })
}

function createLink(
  tables: KernelTables,
  program: KernelObject<"program">,
  attachType: number,
  made: NewLink,
): number {
  const attached: (readonly [HookSite, Attachment])[] = made.places.map((place) => {
    const { cookie, applies } = place
    const attachment: Attachment = { program, link: null, cookie, applies }
    return [tables.hooks.site(place.key), attachment]
  })
  for (const [site, attachment] of attached) site.append(attachment)
  program.get()
  const attachment: Attachment = attached[0]?.[1] ?? { program, link: null, cookie: 0n }
  const release = (): void => {
    if (!link.attached) return
    link.attached = false
    for (const [site, one] of attached) site.remove(one)
  }
  const canDetach = made.type === L.BPF_LINK_TYPE_CGROUP
  const link: Link = {
    id: 0,
    type: made.type,
    attachType,
    attachment,
    attached: true,
    target: made.target,
    detach: () => {
      if (!canDetach) return -ERRNO.EOPNOTSUPP
      release()
      return 0
    },
  }
  for (const [, one] of attached) one.link = link
  const object = new KernelObject("link", link, () => {
    release()
    tables.links.delete(link.id)
    link.attachment.program.put()
    made.onRelease?.()
  })
  link.id = tables.links.add(object)
  return tables.fds.open(object)
}

/** Whether a program calls bpf_override_return (`kprobe_override`). */
function overridesReturn(program: Program): boolean {
  const { insns } = program
  for (let slot = 0; slot < insns.length / INSN_SIZE; slot++) {
    const { opcode, src, imm } = decodeInstruction(insns, slot)
    if (opcode === (BPF_JMP | BPF_CALL) && src === 0 && imm === OVERRIDE_RETURN) return true
  }
  return false
}

const OVERRIDE_RETURN: number = helperByName("override_return")?.id ?? 0
