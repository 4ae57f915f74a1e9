/**
 * Programs of control groups, run for sockets and for what tasks do: the arrays of effective
 * programs, each with its context, and how their verdicts add up (linux v6.18 kernel/bpf/cgroup.c
 * bpf_prog_run_array_cg and the __cgroup_bpf_run_filter functions).
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { BPF_ATTACH_TYPE as AT, ERRNO } from "../../spec/index.ts"
import { SOCK_BYTES } from "../contexts/index.ts"
import type { RunInput } from "../environment.ts"
import type { CgroupEntry, CgroupHooks } from "../hooks/cgroups.ts"
import type { Task } from "../tasks/task.ts"
import type { Inet } from "./inet.ts"
import type { NetNamespace } from "./namespace.ts"
import type { NetworkRun, SysctlRun } from "./network-run.ts"
import { networkPort, ProgramContext } from "./program-context.ts"
import type { Endpoint, Socket } from "./socket.ts"
import { writeSocket } from "./socket-memory.ts"
import { AF_INET, AF_INET6, AF_UNIX, mapped } from "./wire.ts"

const PAGE_SIZE = 4096
const MAX_ERRNO = 4095
/** Room for an option at least (BPF_SOCKOPT_KERN_BUF_SIZE). */
const SOCKOPT_ROOM_MIN = 32

/** What the programs of an array said together. */
export interface ArrayResult {
  /** 0, or a negative errno: -EPERM unless a program has set another. */
  readonly retval: number
  /** Bits of the verdicts above the first one, or'ed. */
  readonly flags: number
}

function isErrno(value: number): boolean {
  return value < 0 && value >= -MAX_ERRNO
}

/** The address that a sock_addr hook works on; programs may change all but `family`. */
export interface HookAddress {
  /** AF_ of the address. */
  readonly family: number
  address: Uint8Array
  port: number
  /** Source of a datagram (sendmsg hooks), or null. */
  source: Uint8Array | null
}

export class CgroupPrograms {
  private readonly inet: Inet
  private readonly hooks: CgroupHooks

  constructor(inet: Inet, hooks: CgroupHooks) {
    this.inet = inet
    this.hooks = hooks
  }

  has(path: string, attachType: number): boolean {
    return this.hooks.effective(path, attachType).length > 0
  }

  /** Runs all effective programs; `flagged` takes verdict bits above the first as flags. */
  run(
    entries: readonly CgroupEntry[],
    input: RunInput & { readonly network: NetworkRun },
    options: { readonly flagged?: boolean; readonly retval?: number } = {},
  ): ArrayResult {
    const { kernel } = this.inet
    const { context } = input.network
    const inContext = input.network.retvalInContext === true
    let retval = options.retval ?? 0
    let flags = 0
    for (const entry of entries) {
      const outcome = kernel.run(entry.program.value, {
        ...input,
        network: { ...input.network, cgroup: entry },
        returnValue: retval,
      })
      retval = outcome.returnValue ?? retval
      if (inContext && context !== undefined) retval = context.get("retval") | 0
      let verdict = outcome.fault === null ? outcome.low : 0
      if (options.flagged) {
        flags |= verdict >> 1
        verdict &= 1
      }
      if (verdict === 0 && !isErrno(retval)) {
        retval = -ERRNO.EPERM
        if (inContext) context?.set("retval", retval)
      }
    }
    return { retval, flags }
  }

  /** sock_create, sock_release, post_bind: `struct bpf_sock` is the socket itself. */
  sock(socket: Socket, attachType: number): number {
    const entries = this.hooks.effective(socket.cgroup, attachType)
    if (entries.length === 0) return 0
    const { kernel } = this.inet
    const context = new ProgramContext(kernel.memory, "bpf_sock")
    try {
      writeSocket(kernel, context.address, socket)
      const { retval } = this.run(entries, {
        context: context.address,
        contextRegion: context.region,
        task: socket.task,
        network: { namespace: socket.namespace, socket, context },
      })
      socket.options.mark = context.get("mark")
      socket.options.priority = context.get("priority")
      socket.options.boundDevice = context.get("bound_dev_if")
      return retval
    } finally {
      context.free()
    }
  }

  /** bind, connect, sendmsg, recvmsg, getpeername, getsockname: programs may change the address. */
  sockAddr(
    socket: Socket,
    attachType: number,
    address: HookAddress,
    bind?: (local: Endpoint) => number,
  ): ArrayResult {
    const entries = this.hooks.effective(socket.cgroup, attachType)
    if (entries.length === 0) return { retval: 0, flags: 0 }
    const { kernel, memory } = this.inet
    const context = new ProgramContext(kernel.memory, "bpf_sock_addr")
    try {
      fillAddress(context, socket, address)
      context.setPointer("sk", memory.view(socket), kernel.kernelRegion)
      const flagged =
        attachType === AT.BPF_CGROUP_INET4_BIND || attachType === AT.BPF_CGROUP_INET6_BIND
      const result = this.run(
        entries,
        {
          context: context.address,
          contextRegion: context.region,
          task: socket.task,
          network: { namespace: socket.namespace, socket, context, bind },
        },
        { flagged },
      )
      takeAddress(context, address)
      return result
    } finally {
      context.free()
    }
  }

  /**
   * setsockopt: what the kernel is to do afterwards, which the programs may change; "done" when
   * they have done it themselves; or a negative errno.
   */
  setSockopt(
    socket: Socket,
    option: { readonly level: number; readonly name: number; readonly value: Uint8Array },
  ): { level: number; name: number; value: Uint8Array } | "done" | number {
    const entries = this.hooks.effective(socket.cgroup, AT.BPF_CGROUP_SETSOCKOPT)
    if (entries.length === 0) return { ...option }
    const room = Math.max(SOCKOPT_ROOM_MIN, Math.min(option.value.length, PAGE_SIZE))
    const context = this.sockoptContext(socket, option, room)
    try {
      context.set("optlen", option.value.length)
      const buffer = context.pointer("optval")
      this.inet.kernel.memory.write(buffer, option.value.subarray(0, room))
      const { retval } = this.runSockopt(socket, context, entries, 0)
      if (retval !== 0) return retval
      const length = context.get("optlen") | 0
      if (length === -1) return "done"
      if (length > room || length < -1)
        return option.value.length > PAGE_SIZE && length >= 0 ? { ...option } : -ERRNO.EFAULT
      const level = context.get("level") | 0
      const name = context.get("optname") | 0
      const value = length === 0 ? option.value : this.inet.kernel.memory.read(buffer, length)
      return { level, name, value }
    } finally {
      context.free()
    }
  }

  /** getsockopt, after the kernel has answered `retval` and `value`. */
  getSockopt(
    socket: Socket,
    option: {
      readonly level: number
      readonly name: number
      readonly value: Uint8Array
      readonly room: number
      readonly retval: number
    },
  ): { retval: number; value: Uint8Array } {
    const entries = this.hooks.effective(socket.cgroup, AT.BPF_CGROUP_GETSOCKOPT)
    const { retval: before, value } = option
    if (entries.length === 0) return { retval: before, value }
    const room = Math.max(SOCKOPT_ROOM_MIN, Math.min(option.room, PAGE_SIZE))
    const context = this.sockoptContext(socket, option, room)
    try {
      const { memory } = this.inet.kernel
      const original = before === 0 ? value.length : option.room
      context.set("optlen", original)
      if (before === 0) memory.write(context.pointer("optval"), value.subarray(0, room))
      const { retval } = this.runSockopt(socket, context, entries, before)
      if (retval < 0) return { retval, value }
      const length = context.get("optlen") | 0
      const limit = Math.min(option.room, PAGE_SIZE)
      if (length > Math.max(limit, 0) || length < 0) {
        if (original > PAGE_SIZE && length >= 0) return { retval: before, value }
        return { retval: -ERRNO.EFAULT, value }
      }
      if (length === 0) return { retval, value }
      return { retval, value: memory.read(context.pointer("optval"), length) }
    } finally {
      context.free()
    }
  }

  private sockoptContext(
    socket: Socket,
    option: { readonly level: number; readonly name: number },
    room: number,
  ): ProgramContext {
    const { kernel, memory } = this.inet
    const context = new ProgramContext(kernel.memory, "bpf_sockopt")
    context.setPointer("sk", memory.view(socket), kernel.kernelRegion)
    const buffer = context.block(room)
    const region = context.area(buffer, buffer + room, REGION_READ | REGION_WRITE)
    context.setPointer("optval", buffer, region)
    context.setPointer("optval_end", buffer + room, region)
    context.set("level", option.level)
    context.set("optname", option.name)
    return context
  }

  private runSockopt(
    socket: Socket,
    context: ProgramContext,
    entries: readonly CgroupEntry[],
    retval: number,
  ): ArrayResult {
    context.set("retval", retval)
    return this.run(
      entries,
      {
        context: context.address,
        contextRegion: context.region,
        task: socket.task,
        network: { namespace: socket.namespace, socket, context, retvalInContext: true },
      },
      { retval },
    )
  }

  /** A setting is read or written; 0 or a negative errno. `run.value` may come back changed. */
  sysctl(task: Task, namespace: NetNamespace, run: SysctlRun, position: number): ArrayResult {
    const entries = this.hooks.effective(task.cgroupPath, AT.BPF_CGROUP_SYSCTL)
    if (entries.length === 0) return { retval: 0, flags: 0 }
    const context = new ProgramContext(this.inet.kernel.memory, "bpf_sysctl")
    try {
      context.set("write", run.write ? 1 : 0)
      context.set("file_pos", position)
      return this.run(entries, {
        context: context.address,
        contextRegion: context.region,
        task,
        network: { namespace, socket: null, context, sysctl: run },
      })
    } finally {
      context.free()
    }
  }

  /** Whether a task may open (or make) a device node: 0 or a negative errno. */
  device(
    task: Task,
    namespace: NetNamespace,
    device: {
      readonly type: "block" | "char"
      readonly major: number
      readonly minor: number
      /** BPF_DEVCG_ACC_MKNOD 1, READ 2, WRITE 4. */
      readonly access: number
    },
  ): number {
    const entries = this.hooks.effective(task.cgroupPath, AT.BPF_CGROUP_DEVICE)
    if (entries.length === 0) return 0
    const context = new ProgramContext(this.inet.kernel.memory, "bpf_cgroup_dev_ctx")
    try {
      context.set("access_type", (device.access << 16) | (device.type === "block" ? 1 : 2))
      context.set("major", device.major)
      context.set("minor", device.minor)
      return this.run(entries, {
        context: context.address,
        contextRegion: context.region,
        task,
        network: { namespace, socket: null, context },
      }).retval
    } finally {
      context.free()
    }
  }
}

function fillAddress(context: ProgramContext, socket: Socket, address: HookAddress): void {
  context.set("user_family", address.family)
  context.set("family", socket.family)
  context.set("type", socket.type)
  context.set("protocol", socket.protocol)
  if (address.family === AF_UNIX) return
  context.set("user_port", networkPort(address.port))
  const six = address.family === AF_INET6
  context.setBytes(six ? "user_ip6" : "user_ip4", six ? mapped(address.address) : address.address)
  if (address.source !== null)
    context.setBytes(
      six ? "msg_src_ip6" : "msg_src_ip4",
      six ? mapped(address.source) : address.source,
    )
}

function takeAddress(context: ProgramContext, address: HookAddress): void {
  if (address.family === AF_UNIX) return
  const six = address.family === AF_INET6
  address.address = context.bytes(six ? "user_ip6" : "user_ip4", six ? 16 : 4)
  address.port = networkPort(context.get("user_port") & 0xffff)
  if (address.source !== null)
    address.source = context.bytes(six ? "msg_src_ip6" : "msg_src_ip4", six ? 16 : 4)
}

/** The attach type of a hook for an address family; undefined for families without. */
export function addressHook(
  hook: "bind" | "connect" | "getpeername" | "getsockname" | "sendmsg" | "recvmsg" | "post_bind",
  family: number,
): number | undefined {
  const six = family === AF_INET6
  if (family === AF_UNIX) {
    const names = {
      bind: undefined,
      post_bind: undefined,
      connect: AT.BPF_CGROUP_UNIX_CONNECT,
      getpeername: AT.BPF_CGROUP_UNIX_GETPEERNAME,
      getsockname: AT.BPF_CGROUP_UNIX_GETSOCKNAME,
      sendmsg: AT.BPF_CGROUP_UNIX_SENDMSG,
      recvmsg: AT.BPF_CGROUP_UNIX_RECVMSG,
    }
    return names[hook]
  }
  if (family !== AF_INET && !six) return undefined
  const names = {
    bind: [AT.BPF_CGROUP_INET4_BIND, AT.BPF_CGROUP_INET6_BIND],
    post_bind: [AT.BPF_CGROUP_INET4_POST_BIND, AT.BPF_CGROUP_INET6_POST_BIND],
    connect: [AT.BPF_CGROUP_INET4_CONNECT, AT.BPF_CGROUP_INET6_CONNECT],
    getpeername: [AT.BPF_CGROUP_INET4_GETPEERNAME, AT.BPF_CGROUP_INET6_GETPEERNAME],
    getsockname: [AT.BPF_CGROUP_INET4_GETSOCKNAME, AT.BPF_CGROUP_INET6_GETSOCKNAME],
    sendmsg: [AT.BPF_CGROUP_UDP4_SENDMSG, AT.BPF_CGROUP_UDP6_SENDMSG],
    recvmsg: [AT.BPF_CGROUP_UDP4_RECVMSG, AT.BPF_CGROUP_UDP6_RECVMSG],
  } as const
  return names[hook][six ? 1 : 0]
}

/** sizeof(struct bpf_sock), for those who lay one out themselves. */
export const SOCK_CONTEXT_BYTES: number = SOCK_BYTES
