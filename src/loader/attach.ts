/**
 * Attaching a loaded program where its section name says, through the kernel interface alone: raw
 * tracepoints and BTF-typed targets by RAW_TRACEPOINT_OPEN, everything else by LINK_CREATE. The
 * result is always a link: closing the last descriptor (and pin) of it detaches the program.
 *
 * Source: libbpf src/libbpf.c attach_tp, attach_raw_tp, attach_trace, attach_lsm, attach_iter.
 */

import { BpfError, NotSupportedError } from "../base/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_PROG_TYPE,
  type CommandName,
  type Commands,
  ERRNO,
  type Fd,
  type KernelInterface,
  type LinkCreateAttr,
  matchSection,
  type PerfEventAttr,
} from "../spec/index.ts"
import { openUserProbe, parseUserTarget, type UserTarget, uprobeMulti } from "./attach-user.ts"
import type { LoadedProgram } from "./options.ts"
import { refusal } from "./session.ts"

/** Where to attach, as far as the section name does not say. */
export interface AttachTarget {
  /** Network device: XDP, TCX, netkit. */
  readonly ifindex?: number
  /** Directory of a cgroup v2, opened: cgroup programs, sock_ops. */
  readonly cgroupFd?: Fd
  /** Network namespace, opened: sk_lookup, flow dissector. */
  readonly netnsFd?: Fd
  /** Sockmap or sockhash: sk_skb, sk_msg. */
  readonly mapFd?: Fd
  /** Perf event, opened: perf_event, kprobe, uprobe and tracepoint programs. */
  readonly perfEventFd?: Fd
  /** Place in an executable: uprobe and USDT programs, instead of that of the section. */
  readonly user?: UserTarget
  /** A clock or counter that is opened for a perf_event program. */
  readonly perfEvent?: PerfEventAttr
  /** Instead of the tracepoint, `group/name`, or raw tracepoint, `name`, of the section. */
  readonly name?: string
  /** Kernel functions of a kprobe.multi program, instead of the one of the section. */
  readonly symbols?: readonly string[]
  /** Instead of the attach type that the program was loaded with. */
  readonly attachType?: number
  readonly netfilter?: LinkCreateAttr["netfilter"]
  /** Iterators: `union bpf_iter_link_info`. */
  readonly iterInfo?: Uint8Array
  /** LINK_CREATE flags: XDP modes, BPF_F_BEFORE, BPF_F_AFTER… */
  readonly flags?: number
  readonly relative?: LinkCreateAttr["relative"]
  /** What bpf_get_attach_cookie returns to the program. */
  readonly cookie?: bigint
}

/** Attach types whose links have a network device as target. */
const DEVICE: ReadonlySet<number> = new Set([
  BPF_ATTACH_TYPE.BPF_XDP,
  BPF_ATTACH_TYPE.BPF_TCX_INGRESS,
  BPF_ATTACH_TYPE.BPF_TCX_EGRESS,
  BPF_ATTACH_TYPE.BPF_NETKIT_PRIMARY,
  BPF_ATTACH_TYPE.BPF_NETKIT_PEER,
])

const CGROUP: ReadonlySet<number> = new Set([
  BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCK,
  BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SYSCTL,
  BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_DEVICE,
  BPF_PROG_TYPE.BPF_PROG_TYPE_SOCK_OPS,
])

/**
 * Attaches a program and returns the link's descriptor, which the caller closes.
 *
 * @throws BpfError if the kernel refuses, or EINVAL if `target` lacks what the program's type needs;
 * NotSupportedError for types that cannot be attached by a link.
 * @example attachProgram(kernel, loaded.programs.get("firewall"), { ifindex: 2 })
 */
export function attachProgram(
  kernel: KernelInterface,
  program: LoadedProgram,
  target: AttachTarget = {},
): Fd {
  const { definition } = program
  switch (matchSection(definition.section)?.autoAttach ?? null) {
    case "raw_tp":
      return attachRawTracepoint(kernel, program, target, target.name ?? definition.attachTarget)
    case "trace":
    case "lsm":
      if (target.cookie !== undefined)
        return link(kernel, program, {
          attach_type: definition.attachType,
          tracing: { cookie: target.cookie },
        })
      return attachRawTracepoint(kernel, program, target, undefined)
    case "iter":
      return link(kernel, program, {
        attach_type: BPF_ATTACH_TYPE.BPF_TRACE_ITER,
        ...(target.iterInfo === undefined ? {} : { iter_info: target.iterInfo }),
      })
    case "tp":
      return attachTracepoint(kernel, program, target)
    case "kprobe":
    case "ksyscall":
      return attachKprobe(kernel, program, target)
    case "kprobe_multi":
    case "kprobe_session":
      return attachKprobes(kernel, program, target)
    case "uprobe":
    case "usdt":
      return attachUprobe(kernel, program, target)
    case "uprobe_multi":
      return link(kernel, program, {
        attach_type: definition.attachType,
        uprobe_multi: uprobeMulti(
          kernel,
          program,
          userTarget(program, target, false),
          target.cookie,
        ),
      })
    default:
      return attachByTarget(kernel, program, target)
  }
}

function nameOf({ definition }: LoadedProgram): string {
  return `program '${definition.name}' (section '${definition.section}')`
}

/** What is missing in `target`. */
function needs(program: LoadedProgram, what: string): BpfError {
  return new BpfError(`${nameOf(program)} needs a target: ${what}`, {
    code: "EINVAL",
    errno: ERRNO.EINVAL,
    command: "LINK_CREATE",
  })
}

function must<C extends CommandName>(
  kernel: KernelInterface,
  program: LoadedProgram,
  command: C,
  attr: Commands[C],
): Fd {
  const result = kernel.bpf(command, attr)
  if (result < 0) throw refusal(command, result, nameOf(program))
  return result
}

function link(
  kernel: KernelInterface,
  program: LoadedProgram,
  attr: Omit<LinkCreateAttr, "prog_fd">,
): Fd {
  return must(kernel, program, "LINK_CREATE", { prog_fd: program.fd, ...attr })
}

function attachRawTracepoint(
  kernel: KernelInterface,
  program: LoadedProgram,
  target: AttachTarget,
  name: string | null | undefined,
): Fd {
  if (name === null) throw needs(program, "{ name: 'sched_switch' }, a raw tracepoint")
  return must(kernel, program, "RAW_TRACEPOINT_OPEN", {
    prog_fd: program.fd,
    ...(name === undefined ? {} : { name }),
    ...(target.cookie === undefined ? {} : { cookie: target.cookie }),
  })
}

function attachTracepoint(
  kernel: KernelInterface,
  program: LoadedProgram,
  target: AttachTarget,
): Fd {
  if (target.perfEventFd !== undefined)
    return attachPerf(kernel, program, target.perfEventFd, target)
  const name = target.name ?? program.definition.attachTarget ?? ""
  const slash = name.indexOf("/")
  if (slash <= 0 || slash === name.length - 1)
    throw needs(program, "{ name: 'sched/sched_switch' }, a tracepoint's group and name")
  const event = kernel.openTracepoint(name.slice(0, slash), name.slice(slash + 1))
  if (event < 0)
    throw refusal(
      "LINK_CREATE",
      event,
      nameOf(program),
      event === -ERRNO.ENOENT
        ? `the kernel has no tracepoint '${name}'`
        : event === -ERRNO.ENODEV
          ? "tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing"
          : undefined,
    )
  try {
    return attachPerf(kernel, program, event, target)
  } finally {
    // The link keeps the event.
    kernel.close(event)
  }
}

function attachPerf(
  kernel: KernelInterface,
  program: LoadedProgram,
  event: Fd,
  target: AttachTarget,
): Fd {
  return link(kernel, program, {
    target_fd: event,
    attach_type: BPF_ATTACH_TYPE.BPF_PERF_EVENT,
    ...(target.cookie === undefined ? {} : { perf_event: { bpf_cookie: target.cookie } }),
  })
}

/** One kernel function, by its name (or a system call's), without an offset. */
function attachKprobe(kernel: KernelInterface, program: LoadedProgram, target: AttachTarget): Fd {
  if (target.perfEventFd !== undefined)
    return attachPerf(kernel, program, target.perfEventFd, target)
  const { section, attachTarget } = program.definition
  const name = target.name ?? attachTarget
  if (name === null) throw needs(program, "{ name: 'tcp_connect' }, a kernel function")
  const isSyscall = /^\??k(ret)?syscall\b/.test(section)
  const symbol = isSyscall ? syscallSymbol(kernel, name) : name
  const onReturn = /^\??kret/.test(section)
  const event = kernel.openKprobe(symbol, onReturn)
  if (event < 0) throw refusal("LINK_CREATE", event, `${nameOf(program)}, function '${symbol}'`)
  try {
    return attachPerf(kernel, program, event, target)
  } finally {
    kernel.close(event)
  }
}

/** A place in an executable, of the section or of the target. */
function userTarget(program: LoadedProgram, target: AttachTarget, isUsdt: boolean): UserTarget {
  if (target.user !== undefined) return target.user
  const { attachTarget } = program.definition
  if (attachTarget === null)
    throw needs(program, "{ user: { path: '/bin/bash', symbol: 'readline' } }, a place in a file")
  return parseUserTarget(attachTarget, isUsdt)
}

function attachUprobe(kernel: KernelInterface, program: LoadedProgram, target: AttachTarget): Fd {
  if (target.perfEventFd !== undefined)
    return attachPerf(kernel, program, target.perfEventFd, target)
  const isUsdt = matchSection(program.definition.section)?.autoAttach === "usdt"
  const place = userTarget(program, target, isUsdt)
  const event = openUserProbe(kernel, program, place, isUsdt)
  if (event < 0) throw refusal("LINK_CREATE", event, `${nameOf(program)}, file '${place.path}'`)
  try {
    return attachPerf(kernel, program, event, target)
  } finally {
    kernel.close(event)
  }
}

/** A clock or counter of its own for a perf_event program. */
function attachPerfEvent(
  kernel: KernelInterface,
  program: LoadedProgram,
  target: AttachTarget,
): Fd {
  if (target.perfEventFd !== undefined)
    return attachPerf(kernel, program, target.perfEventFd, target)
  if (target.perfEvent === undefined || kernel.openPerfEvent === undefined)
    throw needs(
      program,
      "{ perfEvent: { type: 1, config: 0n, samplePeriod, cpu: 0 } }, a perf event",
    )
  const event = kernel.openPerfEvent(target.perfEvent)
  if (event < 0) throw refusal("LINK_CREATE", event, `${nameOf(program)}, perf event`)
  try {
    return attachPerf(kernel, program, event, target)
  } finally {
    kernel.close(event)
  }
}

/** The function behind a system call: its name carries the architecture. */
function syscallSymbol(kernel: KernelInterface, name: string): string {
  const candidates = [`__x64_sys_${name}`, `__arm64_sys_${name}`, `__se_sys_${name}`, `sys_${name}`]
  return candidates.find((one) => kernel.kernelSymbol(one) !== undefined) ?? candidates[0]
}

function attachKprobes(kernel: KernelInterface, program: LoadedProgram, target: AttachTarget): Fd {
  const { attachTarget, section, attachType } = program.definition
  const symbols = target.symbols ?? (attachTarget === null ? [] : [attachTarget])
  if (symbols.length === 0 || symbols.some((symbol) => /[*?]/.test(symbol)))
    throw needs(program, "{ symbols: ['tcp_connect'] }, the functions by name, without patterns")
  // KPROBE_MULTI_RETURN of linux include/uapi/linux/bpf.h.
  const flags = section.replace(/^\?/, "").startsWith("kretprobe") ? 1 : 0
  const cookies = symbols.map(() => target.cookie ?? 0n)
  return link(kernel, program, {
    attach_type: attachType,
    kprobe_multi: {
      flags,
      syms: symbols,
      ...(target.cookie === undefined ? {} : { cookies }),
    },
  })
}

/** Programs whose section says what they are but not where they go. */
function attachByTarget(kernel: KernelInterface, program: LoadedProgram, target: AttachTarget): Fd {
  const { type } = program.definition
  const attachType = target.attachType ?? defaultAttachType(program)
  const common = {
    attach_type: attachType,
    ...(target.flags === undefined ? {} : { flags: target.flags }),
    ...(target.relative === undefined ? {} : { relative: target.relative }),
  }
  if (DEVICE.has(attachType)) {
    if (target.ifindex === undefined) throw needs(program, "{ ifindex: 2 }, a network device")
    return link(kernel, program, { ...common, target_ifindex: target.ifindex })
  }
  const to = (fd: Fd | undefined, what: string): Fd => {
    if (fd === undefined) throw needs(program, what)
    return link(kernel, program, { ...common, target_fd: fd })
  }
  if (CGROUP.has(type) || attachType === BPF_ATTACH_TYPE.BPF_LSM_CGROUP)
    return to(target.cgroupFd, "{ cgroupFd }, an opened cgroup directory")
  switch (type) {
    case BPF_PROG_TYPE.BPF_PROG_TYPE_SK_LOOKUP:
    case BPF_PROG_TYPE.BPF_PROG_TYPE_FLOW_DISSECTOR:
      return to(target.netnsFd, "{ netnsFd }, an opened network namespace")
    case BPF_PROG_TYPE.BPF_PROG_TYPE_SK_SKB:
    case BPF_PROG_TYPE.BPF_PROG_TYPE_SK_MSG:
      return to(target.mapFd, "{ mapFd }, a sockmap or sockhash")
    case BPF_PROG_TYPE.BPF_PROG_TYPE_PERF_EVENT:
      return attachPerfEvent(kernel, program, target)
    case BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE:
      if (target.perfEventFd === undefined)
        throw needs(program, "{ perfEventFd }, an opened perf event")
      return attachPerf(kernel, program, target.perfEventFd, target)
    case BPF_PROG_TYPE.BPF_PROG_TYPE_NETFILTER:
      if (target.netfilter === undefined)
        throw needs(program, "{ netfilter: { pf, hooknum, priority } }")
      return link(kernel, program, { ...common, netfilter: target.netfilter })
    default:
      throw new NotSupportedError(`${nameOf(program)}: its type ${type} has no link to attach by`, {
        feature: `attach program type ${type}`,
        command: "LINK_CREATE",
      })
  }
}

/** A tc program that was loaded without attach type goes to the ingress of TCX. */
function defaultAttachType({ definition }: LoadedProgram): number {
  if (definition.type === BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS && definition.attachType === 0)
    return BPF_ATTACH_TYPE.BPF_TCX_INGRESS
  return definition.attachType
}
