/**
 * What the parts of the network stack share: namespaces, the queue of received packets, and the
 * hooks that programs hang on. One per kernel.
 *
 * Packets that a device has delivered wait in a queue until the outermost operation is over, as
 * they would for the softirq, so that no protocol is entered twice and no program runs inside
 * another one for a packet that it caused.
 */

import type { KernelState } from "../environment.ts"
import type { CgroupHooks } from "../hooks/cgroups.ts"
import type { Hooks } from "../hooks/hooks.ts"
import type { NetworkDevice } from "./device.ts"
import { ipInput } from "./ip-input.ts"
import { NetNamespace } from "./namespace.ts"
import { NetPrograms } from "./programs.ts"
import { Socket } from "./socket.ts"
import { SocketMemory } from "./socket-memory.ts"
import type { NetworkStack } from "./stack.ts"
import { AF_INET, IPPROTO_TCP, SOCK_RAW } from "./wire.ts"

/** What travels with a packet beside its bytes. */
export interface FrameMeta {
  readonly mark: number
  readonly priority: number
  /** The socket that sent it, or that bpf_sk_assign gave it to. */
  readonly socket: Socket | null
}

export const NO_META: FrameMeta = { mark: 0, priority: 0, socket: null }

/** A packet from its IP header on. Programs may change everything but the family. */
export interface Packet {
  bytes: Uint8Array
  readonly family: number
  readonly namespace: NetNamespace
  mark: number
  priority: number
  socket: Socket | null
  /** Where it came in, or null for our own. */
  readonly input: NetworkDevice | null
  /** Where it goes out. */
  output: NetworkDevice | null
  /** The link-layer header that it came with. */
  readonly link: Uint8Array | null
}

interface Waiting {
  readonly device: NetworkDevice
  readonly frame: Uint8Array
  readonly meta: FrameMeta
}

/** Packets that one operation may set going: a loop of routes ends here. */
const PACKETS_MAX = 1_000_000

export class Inet {
  readonly kernel: KernelState
  readonly stack: NetworkStack
  readonly namespaces: Map<string, NetNamespace> = new Map()
  readonly initial: NetNamespace
  readonly programs: NetPrograms
  readonly memory: SocketMemory
  private readonly waiting: Waiting[] = []
  private draining = false
  private nextNamespace = 1
  private nextCookie = 1n
  /** Kernel sockets that resets and ICMP messages are sent from. */
  private readonly controls = new Map<NetNamespace, Socket>()
  /** Sequence numbers begin here and move on with each connection. */
  private nextSequence = 0x1000_0000

  constructor(kernel: KernelState, stack: NetworkStack, hooks: Hooks, cgroups: CgroupHooks) {
    this.kernel = kernel
    this.stack = stack
    this.memory = new SocketMemory(kernel, this)
    this.programs = new NetPrograms(this, hooks, cgroups)
    this.initial = this.createNamespace("")
  }

  /** A new namespace, with a loopback device that is up. */
  createNamespace(name: string): NetNamespace {
    if (this.namespaces.has(name)) throw new RangeError(`namespace '${name}' exists already`)
    const namespace = new NetNamespace(this.nextNamespace++, name)
    this.namespaces.set(name, namespace)
    const lo = this.stack.addTo(namespace, {
      name: "lo",
      mtu: 65_536,
      mac: new Uint8Array(6),
      kind: "loopback",
    })
    namespace.addAddress(lo, "127.0.0.1/8")
    namespace.addAddress(lo, "::1/128")
    return namespace
  }

  /** Takes a frame that a device delivers to the stack. */
  deliver(device: NetworkDevice, frame: Uint8Array, meta: FrameMeta): void {
    this.waiting.push({ device, frame, meta })
  }

  /** Works on what has been delivered; called when no device is busy. */
  drain(): void {
    if (this.draining) return
    this.draining = true
    try {
      for (let count = 0; count < PACKETS_MAX; count++) {
        const next = this.waiting.shift()
        if (next === undefined) return
        ipInput(this, next.device, next.frame, next.meta)
      }
      this.waiting.length = 0
    } finally {
      this.draining = false
    }
  }

  /** bpf_get_socket_cookie: numbers from 1, in the order in which somebody asks. */
  cookieOf(socket: Socket): bigint {
    if (socket.cookie === 0n) socket.cookie = this.nextCookie++
    return socket.cookie
  }

  sequence(): number {
    this.nextSequence = (this.nextSequence + 0x1_0001) >>> 0
    return this.nextSequence
  }

  control(namespace: NetNamespace): Socket {
    let socket = this.controls.get(namespace)
    if (socket === undefined) {
      socket = new Socket({
        namespace,
        family: AF_INET,
        type: SOCK_RAW,
        protocol: IPPROTO_TCP,
        task: this.kernel.idleTask,
        cgroup: "/",
      })
      this.controls.set(namespace, socket)
    }
    return socket
  }

  /** Milliseconds of the virtual clock, 32 bits: TCP timestamps. */
  milliseconds(): number {
    return Number((this.kernel.clock.now() / 1_000_000n) & 0xffffffffn)
  }
}
