/**
 * The path of a frame through the virtual network:
 *
 * ```text
 * receive → XDP → TCX ingress → delivered
 *            │ tx, redirect      │ redirect
 *            ▼                   ▼
 * transmit → (netkit) → TCX egress → peer's receive, or `transmitted`
 * ```
 *
 * What is delivered goes on in the protocols ({@link Inet}) when the outermost frame is done with.
 *
 * XDP_TX and XDP_REDIRECT leave the device without passing TCX egress, as in Linux
 * (linux v6.18 net/core/dev.c, net/core/filter.c xdp_do_redirect, drivers/net/veth.c).
 */

import { BPF_ATTACH_TYPE } from "../../spec/index.ts"
import { SkBuffer, XdpBuffer } from "../contexts/index.ts"
import type { KernelState, Redirect, RunOutcome } from "../environment.ts"
import type { CgroupHooks } from "../hooks/cgroups.ts"
import { type Hooks, hookKey } from "../hooks/hooks.ts"
import type { BpfMap } from "../maps/map.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import {
  createDevice,
  type DeviceOptions,
  KEPT_MAX,
  type NetworkDevice,
  type Received,
} from "./device.ts"
import { type FrameMeta, Inet, NO_META } from "./inet.ts"
import type { NetNamespace } from "./namespace.ts"
import { Socket } from "./socket.ts"
import { socketFields } from "./socket-memory.ts"

const XDP_DROP = 1
const XDP_PASS = 2
const XDP_TX = 3
const XDP_REDIRECT = 4
const TC_ACT_UNSPEC = -1
const TC_ACT_SHOT = 2
const TC_ACT_STOLEN = 4
const TC_ACT_QUEUED = 5
const TC_ACT_TRAP = 8
const TC_ACT_REDIRECT = 7
/** bpf_redirect: to the ingress of the device instead of its egress. */
const BPF_F_INGRESS = 1n
/** XMIT_RECURSION_LIMIT: redirects in a circle end here. */
const RECURSION_MAX = 8

export interface ReceiveOptions {
  /** Receive queue, 0 by default. */
  readonly queue?: number
  readonly cpu?: number
}

/** What the stack asks of the maps that redirects go through. */
export interface RedirectTarget {
  readonly ifindex: number
  /** A program to run on the frame first (devmap programs), or null. */
  readonly program: KernelObject<"program"> | null
}

export class NetworkStack {
  readonly devices: Map<number, NetworkDevice> = new Map()
  /** Namespaces, protocols and sockets. */
  readonly inet: Inet
  private readonly kernel: KernelState
  private readonly hooks: Hooks
  /** Where the entry of a devmap points; undefined for none. */
  private readonly resolveTarget: (map: BpfMap, index: number) => RedirectTarget | undefined
  private nextIfindex = 1
  private depth = 0
  /** What the programs of the last frame that passed left beside it. */
  private meta: FrameMeta = NO_META
  /** One buffer of each kind by nesting level. */
  private readonly xdpBuffers: XdpBuffer[] = []
  private readonly skBuffers: SkBuffer[] = []

  constructor(
    kernel: KernelState,
    hooks: Hooks,
    cgroups: CgroupHooks,
    resolveTarget: (map: BpfMap, index: number) => RedirectTarget | undefined,
  ) {
    this.kernel = kernel
    this.hooks = hooks
    this.resolveTarget = resolveTarget
    this.inet = new Inet(kernel, this, hooks, cgroups)
  }

  /** A new device without a peer: what it sends can be read from `transmitted`. */
  add(options: DeviceOptions): NetworkDevice {
    return this.addTo(this.inet.initial, options)
  }

  /** A new device in a namespace. */
  addTo(namespace: NetNamespace, options: DeviceOptions): NetworkDevice {
    if (namespace.device(options.name) !== undefined)
      throw new RangeError(`device ${options.name} exists already`)
    const device = createDevice(this.nextIfindex++, options, namespace)
    this.devices.set(device.ifindex, device)
    namespace.devices.push(device)
    return device
  }

  /** Moves a device to another namespace, where it has no addresses yet. */
  move(device: NetworkDevice, namespace: NetNamespace): void {
    const { devices } = device.namespace
    devices.splice(devices.indexOf(device), 1)
    device.addresses.length = 0
    device.namespace.routes
      .filter((route) => route.device === device)
      .forEach((route) => {
        device.namespace.removeRoute(route)
      })
    device.namespace = namespace
    namespace.devices.push(device)
  }

  /** Takes a device (and its peer) away; what redirects to it is dropped from now on. */
  remove(device: NetworkDevice): void {
    for (const one of device.peer === null ? [device] : [device, device.peer]) {
      one.up = false
      one.peer = null
      const { namespace } = one
      for (const route of namespace.routes.filter((each) => each.device === one))
        namespace.removeRoute(route)
      namespace.devices.splice(namespace.devices.indexOf(one), 1)
      this.devices.delete(one.ifindex)
    }
  }

  /** Two devices, each receiving what the other sends. */
  addPair(one: DeviceOptions, other: DeviceOptions): [NetworkDevice, NetworkDevice] {
    const a = this.add(one)
    const b = this.add(other)
    a.peer = b
    b.peer = a
    return [a, b]
  }

  find(name: string): NetworkDevice | undefined {
    return this.inet.initial.device(name)
  }

  /** Hands a frame to a device as if it had come in from the wire. */
  receive(
    device: NetworkDevice,
    frame: Uint8Array,
    options: ReceiveOptions = {},
    meta: FrameMeta = NO_META,
  ): Received {
    const { counters } = device
    if (!device.up || this.depth >= RECURSION_MAX) {
      counters.rxDropped++
      return { verdict: "drop", frame, redirectedTo: 0 }
    }
    counters.rxPackets++
    counters.rxBytes += frame.length
    this.depth++
    try {
      const afterXdp = this.runXdp(device, frame, options)
      if (afterXdp.verdict !== "pass") {
        if (afterXdp.verdict === "drop" || afterXdp.verdict === "aborted") counters.rxDropped++
        return afterXdp
      }
      const result = this.ingress(device, afterXdp.frame, options, meta)
      if (result.verdict === "drop") counters.rxDropped++
      return result
    } finally {
      this.depth--
      if (this.depth === 0) this.inet.drain()
    }
  }

  /** Sends a frame out of a device, through its egress programs. */
  transmit(device: NetworkDevice, frame: Uint8Array, meta: FrameMeta = NO_META): void {
    if (!device.up || this.depth >= RECURSION_MAX) {
      device.counters.txDropped++
      return
    }
    this.depth++
    try {
      let result = this.runTcx(device, frame, BPF_ATTACH_TYPE.BPF_TCX_EGRESS, {}, meta)
      if (result.verdict === "pass" && device.kind === "netkit") {
        const side = device.primary
          ? BPF_ATTACH_TYPE.BPF_NETKIT_PRIMARY
          : BPF_ATTACH_TYPE.BPF_NETKIT_PEER
        result = this.runTcx(device, result.frame, side, {}, this.meta)
      }
      if (result.verdict === "drop") device.counters.txDropped++
      else if (result.verdict === "pass") this.wire(device, result.frame, this.meta)
    } finally {
      this.depth--
      if (this.depth === 0) this.inet.drain()
    }
  }

  /** Puts a frame on the wire behind a device: no more programs of this device see it. */
  private wire(device: NetworkDevice, frame: Uint8Array, meta: FrameMeta = NO_META): void {
    device.counters.txPackets++
    device.counters.txBytes += frame.length
    const { peer } = device
    if (device.kind === "loopback") this.receive(device, frame, {}, { ...meta, socket: null })
    else if (peer === null) keep(device.transmitted, frame)
    else {
      // Another namespace does not see marks (skb_scrub_packet).
      const same = peer.namespace === device.namespace
      this.receive(peer, frame, {}, same ? { ...meta, socket: null } : NO_META)
    }
  }

  private runXdp(device: NetworkDevice, frame: Uint8Array, options: ReceiveOptions): Received {
    const site = this.hooks.find(hookKey.device(device.ifindex, BPF_ATTACH_TYPE.BPF_XDP))
    const attachment = site?.attachments[0]
    if (attachment === undefined) return { verdict: "pass", frame, redirectedTo: 0 }
    const buffer = (this.xdpBuffers[this.depth] ??= new XdpBuffer(this.kernel.memory))
    buffer.load(frame, { ingressIfindex: device.ifindex, queue: options.queue ?? 0 })
    const outcome = this.kernel.run(attachment.program.value, {
      context: buffer.context,
      contextRegion: buffer.contextRegion,
      packet: buffer,
      cpu: options.cpu,
    })
    return this.xdpVerdict(device, outcome, buffer.frame())
  }

  private xdpVerdict(device: NetworkDevice, outcome: RunOutcome, frame: Uint8Array): Received {
    const { xdp } = device.counters
    switch (outcome.fault === null ? outcome.low : 0) {
      case XDP_DROP:
        xdp.drop++
        return { verdict: "drop", frame, redirectedTo: 0 }
      case XDP_PASS:
        xdp.pass++
        return { verdict: "pass", frame, redirectedTo: 0 }
      case XDP_TX:
        xdp.tx++
        this.wire(device, frame)
        return { verdict: "tx", frame, redirectedTo: device.ifindex }
      case XDP_REDIRECT: {
        const target = this.redirectXdp(outcome.redirect, frame)
        if (target !== 0) {
          xdp.redirect++
          return { verdict: "redirect", frame, redirectedTo: target }
        }
        // xdp_do_redirect failed: the driver drops the frame.
        xdp.aborted++
        return { verdict: "aborted", frame, redirectedTo: 0 }
      }
      default:
        xdp.aborted++
        return { verdict: "aborted", frame, redirectedTo: 0 }
    }
  }

  /** Returns the index of the device that took the frame, or 0. */
  private redirectXdp(redirect: Redirect | null, frame: Uint8Array): number {
    if (redirect === null) return 0
    let ifindex = redirect.ifindex
    let program: KernelObject<"program"> | null = null
    if (redirect.kind === "map" && redirect.map !== undefined) {
      const target = this.resolveTarget(redirect.map, redirect.index ?? 0)
      if (target === undefined) return 0
      ifindex = target.ifindex
      program = target.program
    }
    const device = this.devices.get(ifindex)
    if (device === undefined || !device.up) return 0
    let sent = frame
    if (program !== null) {
      const buffer = new XdpBuffer(this.kernel.memory)
      buffer.load(frame, { ingressIfindex: 0, egressIfindex: ifindex })
      const outcome = this.kernel.run(program.value, {
        context: buffer.context,
        contextRegion: buffer.contextRegion,
        packet: buffer,
      })
      sent = buffer.frame()
      buffer.free()
      if (outcome.fault !== null || outcome.low !== XDP_PASS) return ifindex
    }
    this.wire(device, sent)
    return ifindex
  }

  private ingress(
    device: NetworkDevice,
    frame: Uint8Array,
    options: ReceiveOptions,
    meta: FrameMeta,
  ): Received {
    const result = this.runTcx(device, frame, BPF_ATTACH_TYPE.BPF_TCX_INGRESS, options, meta)
    if (result.verdict === "pass") {
      keep(device.delivered, result.frame)
      this.inet.deliver(device, result.frame, this.meta)
    }
    return result
  }

  /** Runs the TCX programs of one direction until one of them decides. */
  private runTcx(
    device: NetworkDevice,
    frame: Uint8Array,
    attachType: number,
    options: ReceiveOptions,
    meta: FrameMeta,
  ): Received {
    this.meta = meta
    const site = this.hooks.find(hookKey.device(device.ifindex, attachType))
    if (site === undefined || site.attachments.length === 0)
      return { verdict: "pass", frame, redirectedTo: 0 }
    const ingress = attachType === BPF_ATTACH_TYPE.BPF_TCX_INGRESS
    const buffer = (this.skBuffers[this.depth] ??= new SkBuffer(this.kernel.memory))
    buffer.load(frame, {
      ifindex: device.ifindex,
      mac: device.mac,
      ingressIfindex: ingress ? device.ifindex : 0,
      queue: options.queue,
      untagVlan: ingress,
      mark: meta.mark,
      priority: meta.priority,
      socket: meta.socket === null ? null : socketFields(meta.socket),
    })
    if (meta.socket !== null) this.inet.programs.ownBy(buffer, meta.socket)
    // Only what bpf_sk_assign gives survives reception.
    if (ingress) buffer.assigned = meta.socket
    let code = TC_ACT_UNSPEC
    let redirect: Redirect | null = null
    for (const attachment of [...site.attachments]) {
      const outcome = this.kernel.run(attachment.program.value, {
        context: buffer.context,
        contextRegion: buffer.contextRegion,
        packet: buffer,
        cpu: options.cpu,
      })
      code = outcome.fault === null ? outcome.low : TC_ACT_SHOT
      redirect = outcome.redirect
      if (code !== TC_ACT_UNSPEC) break
    }
    const out = buffer.frame()
    const { assigned } = buffer
    this.meta = {
      mark: buffer.get("mark"),
      priority: buffer.get("priority"),
      socket: assigned instanceof Socket ? assigned : ingress ? null : meta.socket,
    }
    switch (code) {
      case TC_ACT_SHOT:
      case TC_ACT_STOLEN:
      case TC_ACT_QUEUED:
      case TC_ACT_TRAP:
        return { verdict: "drop", frame: out, redirectedTo: 0 }
      case TC_ACT_REDIRECT:
        return this.redirectSkb(redirect, out)
      default:
        return { verdict: "pass", frame: out, redirectedTo: 0 }
    }
  }

  private redirectSkb(redirect: Redirect | null, frame: Uint8Array): Received {
    const device = redirect === null ? undefined : this.devices.get(redirect.ifindex)
    if (redirect === null || device === undefined)
      return { verdict: "drop", frame, redirectedTo: 0 }
    if (redirect.kind === "peer") {
      if (device.peer === null) return { verdict: "drop", frame, redirectedTo: 0 }
      this.receive(device.peer, frame)
    } else if (redirect.flags & BPF_F_INGRESS) this.receive(device, frame)
    else this.transmit(device, frame)
    return { verdict: "redirect", frame, redirectedTo: device.ifindex }
  }

  /** bpf_clone_redirect: a copy leaves now, the original goes on. */
  cloneRedirect(frame: Uint8Array, ifindex: number, ingress: boolean): boolean {
    const device = this.devices.get(ifindex)
    if (device === undefined) return false
    if (ingress) this.receive(device, frame)
    else this.transmit(device, frame)
    return true
  }
}

function keep(frames: Uint8Array[], frame: Uint8Array): void {
  if (frames.length >= KEPT_MAX) frames.shift()
  frames.push(frame)
}
