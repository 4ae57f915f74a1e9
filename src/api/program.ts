/** A loaded program: run it once (BPF_PROG_TEST_RUN), attach it, ask the kernel about it. */

import { viewOf } from "../base/index.ts"
import { printProgram } from "../isa/index.ts"
import { attachProgram, type LoadedProgram, type UserTarget } from "../loader/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_PROG_TYPE,
  HELPERS,
  type KernelInterface,
  type PerfEventAttr,
  programTypeName,
  verdictName,
} from "../spec/index.ts"
import { check } from "./failure.ts"
import { Handle } from "./handle.ts"
import { Link } from "./link.ts"

/** What PROG_TEST_RUN takes. */
export interface RunInput {
  /** The packet (from its Ethernet header), for packet programs. */
  readonly data?: Uint8Array
  /** The context, for programs that are given one. */
  readonly context?: Uint8Array
  readonly repeat?: number
  /** Only for raw tracepoints. */
  readonly cpu?: number
}

export interface RunResult {
  /** The program's return value, as the kernel reports it: unsigned 32 bits. */
  readonly returned: number
  /** Its name where the program type has names: `XDP_DROP`. */
  readonly verdict: string | null
  /** The packet afterwards. */
  readonly data: Uint8Array
  readonly context: Uint8Array
  /** Of one run, on average. */
  readonly nanoseconds: number
}

export interface ProgramInfo {
  readonly id: number
  readonly name: string
  /** `xdp`, `sched_cls`, `tracepoint`… */
  readonly type: string
  /** 16 hex digits. */
  readonly tag: string
  readonly mapIds: readonly number[]
  readonly runCount: bigint
  readonly runNanoseconds: bigint
}

/**
 * Where to attach: a device (`xdp`, `tc`), a cgroup, or nothing for programs whose section names
 * their target.
 */
export interface AttachTarget {
  /** Name or index of a network device. */
  readonly interface?: string | number
  /** tc: which way; from the section name when absent. */
  readonly direction?: "ingress" | "egress"
  /** Path of a cgroup v2 directory. */
  readonly cgroup?: string
  /** sk_lookup, flow dissector: `/run/netns/NAME`, or `/proc/self/ns/net` for our own namespace. */
  readonly namespace?: string
  /** sk_skb, sk_msg: the socket map whose sockets the program is for. */
  readonly map?: { readonly fd: number }
  /** netfilter: family (2 or 10), hook (0 PRE_ROUTING… 4 POST_ROUTING), priority. */
  readonly netfilter?: {
    readonly pf: number
    readonly hooknum: number
    readonly priority: number
    readonly flags?: number
  }
  /** LINK_CREATE flags: XDP modes, TCX order. */
  readonly flags?: number
  /**
   * Tracing: another function, tracepoint (`group/name`) or raw tracepoint than that of the section.
   */
  readonly function?: string
  /** kprobe.multi: the functions. */
  readonly functions?: readonly string[]
  /** Place in an executable, for uprobe and USDT programs. */
  readonly user?: UserTarget
  /** Clock or counter, for perf_event programs. */
  readonly perfEvent?: PerfEventAttr
  /** What an iterator goes through, where the section leaves a choice. */
  readonly iterate?: IteratorTarget
  /** What bpf_get_attach_cookie returns to the program. */
  readonly cookie?: bigint
}

/** `union bpf_iter_link_info`. */
export type IteratorTarget =
  | { readonly map: { readonly fd: number } }
  /** One thread, or the threads of one process. */
  | { readonly tid: number }
  | { readonly pid: number }
  /** A cgroup v2 directory with what is below it; the root when absent. */
  | { readonly cgroupId: bigint; readonly order?: "self" | "descendants" | "ancestors" }

/** Room for a program to grow a packet in a test run. */
const DATA_OUT_SLACK = 4096

const CONTEXT_IN_PLACE: readonly number[] = [
  BPF_PROG_TYPE.BPF_PROG_TYPE_SYSCALL,
  BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT,
]

export class Program extends Handle {
  readonly name: string
  /** enum bpf_prog_type. */
  readonly programType: number
  private readonly loaded: LoadedProgram
  private scratch = new Uint8Array(0)

  constructor(kernel: KernelInterface, loaded: LoadedProgram) {
    super(kernel, loaded.fd, `program '${loaded.definition.name}'`)
    this.loaded = loaded
    this.name = loaded.definition.name
    this.programType = loaded.definition.type
  }

  /** `xdp`, `sched_cls`… */
  get type(): string {
    return programTypeName(this.programType)
  }

  get id(): number {
    return this.info().id
  }

  /** The verifier's log, if it was asked for. */
  get log(): readonly string[] {
    return this.loaded.log
  }

  /**
   * BPF_PROG_TEST_RUN.
   *
   * @throws BpfError EINVAL for input the kernel refuses (packets below 14 bytes…), ENOTSUPP for
   * program types that cannot be run like this.
   */
  run(input: RunInput = {}): RunResult {
    const out = input.data === undefined ? undefined : this.room(input.data.length + DATA_OUT_SLACK)
    // Syscall programs write their context in place; raw tracepoints have none to give back.
    const contextIn = input.context?.slice()
    const contextOut = CONTEXT_IN_PLACE.includes(this.programType)
      ? undefined
      : input.context?.slice()
    const attr = {
      prog_fd: this.fd,
      data_in: input.data,
      data_out: out,
      ctx_in: contextIn,
      ctx_out: contextOut,
      repeat: input.repeat ?? 0,
      flags: input.cpu === undefined ? 0 : 1,
      cpu: input.cpu ?? 0,
      retval: 0,
      data_size_out: 0,
      ctx_size_out: 0,
      duration: 0,
    }
    check(this.kernel.bpf("PROG_TEST_RUN", attr), "PROG_TEST_RUN", `program '${this.name}'`)
    return {
      returned: attr.retval,
      verdict: verdictName(this.programType, attr.retval) ?? null,
      data: out?.slice(0, attr.data_size_out) ?? new Uint8Array(0),
      context: contextOut?.slice(0, attr.ctx_size_out) ?? contextIn ?? new Uint8Array(0),
      nanoseconds: attr.duration,
    }
  }

  /** Room for an outcome, reused from run to run: fresh pages cost more than a short program. */
  private room(size: number): Uint8Array {
    if (this.scratch.length < size) this.scratch = new Uint8Array(2 * size)
    return this.scratch.subarray(0, size)
  }

  /**
   * Attaches the program. The target is needed for devices and cgroups; tracing programs know
   * theirs from the section name.
   *
   * @throws RangeError for a device that does not exist, BpfError for what the kernel refuses.
   */
  attach(target: AttachTarget = {}): Link {
    const { kernel } = this
    const cgroupFd = target.cgroup === undefined ? undefined : kernel.openCgroup(target.cgroup)
    if (cgroupFd !== undefined) check(cgroupFd, "open", `cgroup ${target.cgroup}`)
    const netnsFd =
      target.namespace === undefined ? undefined : kernel.openNetns?.(target.namespace)
    if (netnsFd !== undefined) check(netnsFd, "open", `namespace ${target.namespace}`)
    try {
      const fd = attachProgram(kernel, this.loaded, {
        ifindex: target.interface === undefined ? undefined : this.deviceIndex(target.interface),
        attachType: this.attachTypeFor(target.direction),
        cgroupFd,
        netnsFd,
        mapFd: target.map?.fd,
        netfilter: target.netfilter,
        flags: target.flags,
        name: target.function,
        symbols: target.functions,
        user: target.user,
        perfEvent: target.perfEvent,
        iterInfo: target.iterate === undefined ? undefined : iteratorInfo(target.iterate),
        cookie: target.cookie,
      })
      return new Link(kernel, fd)
    } finally {
      if (cgroupFd !== undefined) kernel.close(cgroupFd)
      if (netnsFd !== undefined) kernel.close(netnsFd)
    }
  }

  /**
   * Runs an iterator over what it goes through and gives the text that it wrote.
   *
   * @throws BpfError for a program that is no iterator, and for what reading answers.
   * @example collection.programs.dump_tasks.iterate({ pid: process.pid })
   */
  iterate(target?: IteratorTarget): string {
    const link = this.attach(target === undefined ? {} : { iterate: target })
    try {
      return link.text()
    } finally {
      link.close()
    }
  }

  /** tc programs whose section does not say a direction are attached where the target says. */
  private attachTypeFor(direction: AttachTarget["direction"]): number | undefined {
    if (direction === undefined) return undefined
    return direction === "egress" ? BPF_ATTACH_TYPE.BPF_TCX_EGRESS : BPF_ATTACH_TYPE.BPF_TCX_INGRESS
  }

  private deviceIndex(device: string | number): number {
    const ifindex = typeof device === "number" ? device : this.kernel.interfaceIndex(device)
    if (ifindex === 0) throw new RangeError(`there is no network device '${device}'`)
    return ifindex
  }

  info(): ProgramInfo {
    return readProgramInfo(this.kernel, this.fd)
  }

  /** The instructions as the kernel runs them, in its own notation. */
  disassemble(): string {
    const size = viewOf(programInfoBytes(this.kernel, this.fd)).getUint32(20, true)
    const insns = new Uint8Array(size)
    programInfoBytes(this.kernel, this.fd, { xlated_prog_insns: insns })
    return printProgram(insns, {
      helperName: (id) => (HELPERS[id] === undefined ? undefined : `bpf_${HELPERS[id].name}`),
    })
  }

  pin(path: string): void {
    const attr = { pathname: path, bpf_fd: this.fd }
    check(this.kernel.bpf("OBJ_PIN", attr), "OBJ_PIN", `program '${this.name}' at ${path}`)
  }
}

function programInfoBytes(
  kernel: KernelInterface,
  fd: number,
  arrays: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  const info = new Uint8Array(232)
  const attr = { bpf_fd: fd, info, arrays }
  check(kernel.bpf("OBJ_GET_INFO_BY_FD", attr), "OBJ_GET_INFO_BY_FD", "program")
  return info
}

/** OBJ_GET_INFO_BY_FD of a program. */
export function readProgramInfo(kernel: KernelInterface, fd: number): ProgramInfo {
  const count = viewOf(programInfoBytes(kernel, fd)).getUint32(52, true)
  const ids = new Uint8Array(4 * count)
  const info = programInfoBytes(kernel, fd, { map_ids: ids })
  const view = viewOf(info)
  const end = info.indexOf(0, 64)
  return {
    type: programTypeName(view.getUint32(0, true)),
    id: view.getUint32(4, true),
    tag: [...info.subarray(8, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    mapIds: [...new Uint32Array(ids.buffer)],
    name: new TextDecoder().decode(info.subarray(64, Math.min(end < 0 ? 80 : end, 80))),
    runNanoseconds: view.getBigUint64(192, true),
    runCount: view.getBigUint64(200, true),
  }
}

const CGROUP_ORDER = { self: 1, descendants: 2, ancestors: 4 } as const

function iteratorInfo(target: IteratorTarget): Uint8Array {
  const info = new Uint8Array(16)
  const view = viewOf(info)
  if ("map" in target) view.setUint32(0, target.map.fd, true)
  else if ("tid" in target) view.setUint32(0, target.tid, true)
  else if ("pid" in target) view.setUint32(4, target.pid, true)
  else {
    view.setUint32(0, CGROUP_ORDER[target.order ?? "descendants"], true)
    view.setBigUint64(8, target.cgroupId, true)
  }
  return info
}
