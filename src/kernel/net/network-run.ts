/** What helpers find of the network in the run of a program on a socket, message or setting. */

import type { CgroupEntry } from "../hooks/cgroups.ts"
import type { NetNamespace } from "./namespace.ts"
import type { ProgramContext } from "./program-context.ts"
import type { ReuseportGroup } from "./reuseport.ts"
import type { Endpoint, Socket } from "./socket.ts"
import type { Tuple } from "./socket-table.ts"

/** State of a run on a TCP segment's options: sock_ops programs. */
export interface SockOpsRun {
  readonly op: number
  /** The TCP header with its options, or null. */
  header: Uint8Array | null
  /** Bytes of options that may still be reserved, or written. */
  room: number
  reserved: number
  readonly written: number[]
  /** The program may set callback flags, options… : not for half-open connections. */
  readonly full: boolean
}

/** A message on its way through a socket map: sk_msg programs. */
export interface MessageRun {
  /** Bytes from `start` to `end` (offsets of kernel memory); the helpers move them. */
  start: number
  end: number
  readonly region: number
  applyBytes: number
  corkBytes: number
  redirect: Socket | null
  redirectIngress: boolean
  /** Puts other bytes in place of the message's. */
  replace(bytes: Uint8Array): boolean
}

/** A setting that is read or written: cgroup sysctl programs. */
export interface SysctlRun {
  readonly name: string
  readonly write: boolean
  readonly current: string
  value: string
  updated: boolean
}

export interface NetworkRun {
  readonly namespace: NetNamespace
  /** The socket that the context is about. */
  readonly socket: Socket | null
  /** Where the program is attached: bpf_get_local_storage. */
  cgroup?: CgroupEntry
  readonly context?: ProgramContext
  readonly sockOps?: SockOpsRun
  readonly message?: MessageRun
  readonly sysctl?: SysctlRun
  /** sk_lookup: the packet's ends, and the choice so far. */
  readonly lookup?: { readonly tuple: Tuple; selected: Socket | null; noReuseport: boolean }
  /** sk_reuseport: the group, and the choice. */
  readonly reuseport?: {
    readonly group: ReuseportGroup
    readonly tuple: Tuple
    selected: Socket | null
  }
  /** sk_skb: where the data is to go. */
  readonly stream?: { redirect: Socket | null; ingress: boolean }
  /** connect hooks: bpf_bind. */
  readonly bind?: (local: Endpoint) => number
  /** The value of bpf_get_retval lies in the context (sockopt). */
  readonly retvalInContext?: boolean
}
