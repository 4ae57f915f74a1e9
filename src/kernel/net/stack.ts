/**
 * The path of a frame through the virtual network:
 *
 * ```text
 * receive → XDP → TCX ingress → delivered (cgroup_skb ingress)
 *            │ tx, redirect      │ redirect
 *            ▼                   ▼
 * transmit → TCX egress → peer's receive, or `transmitted`
 * ```
 *
 * XDP_TX and XDP_REDIRECT leave the device without passing TCX egress, as in Linux
 * (linux v6.18 net/core/dev.c, net/core/filter.c xdp_do_redirect, drivers/net/veth.c).
 */

import { BPF_ATTACH_TYPE } from "../../spec/index.ts"
import { SkBuffer, XdpBuffer } from "../contexts/index.ts"
import type { KernelState, Redirect, RunOutcome } from "../environment.ts"
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
  private readonly kernel: KernelState
  private readonly hooks: Hooks
  /** Where the entry of a devmap points; undefined for none. */
  private readonly resolveTarget: (map: BpfMap, index: number) => RedirectTarget | undefined
  private readonly byName = new Map<string, NetworkDevice>()
  private nextIfindex = 1
  private depth = 0
  /** One buffer of each kind by nesting level. */
  private readonly xdpBuffers: XdpBuffer[] = []
  private readonly skBuffers: SkBuffer[] = []

  constructor(
    kernel: KernelState,
    hooks: Hooks,
    resolveTarget: (map: BpfMap, index: number) => RedirectTarget | undefined,
  ) {
    this.kernel = kernel
    this.hooks = hooks
    this.resolveTarget = resolveTarget
    this.add({ name: "lo", mtu: 65_536, mac: new Uint8Array(6) })
  }

  /** A new device without a peer: what it sends can be read from `transmitted`. */
  add(options: DeviceOptions): NetworkDevice {
    if (this.byName.has(options.name)) throw new RangeError(`device ${options.name} exists already`)
    const device = createDevice(this.nextIfindex++, options)
    this.devices.set(device.ifindex, device)
    this.byName.set(device.name, device)
    return device
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
    return this.byName.get(name)
  }

  /** Hands a frame to a device as if it had come in from the wire. */
  receive(device: NetworkDevice, frame: Uint8Array, options: ReceiveOptions = {}): Received {
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
      const result = this.ingress(device, afterXdp.frame, options)
      if (result.verdict === "drop") counters.rxDropped++
      return result
    } finally {
      this.depth--
    }
  }

  /** Sends a frame out of a device, through its egress programs. */
  transmit(device: NetworkDevice, frame: Uint8Array): void {
    if (!device.up || this.depth >= RECURSION_MAX) {
      device.counters.txDropped++
      return
    }
    this.depth++
    try {
      const result = this.runTcx(device, frame, BPF_ATTACH_TYPE.BPF_TCX_EGRESS, {})
      if (result.verdict === "drop") device.counters.txDropped++
      else if (result.verdict === "pass") this.wire(device, result.frame)
    } finally {
      this.depth--
    }
  }

  /** Puts a frame on the wire behind a device: no more programs of this device see it. */
  private wire(device: NetworkDevice, frame: Uint8Array): void {
    device.counters.txPackets++
    device.counters.txBytes += frame.length
    if (device.peer !== null) this.receive(device.peer, frame)
    else keep(device.transmitted, frame)
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

  private ingress(device: NetworkDevice, frame: Uint8Array, options: ReceiveOptions): Received {
    const result = this.runTcx(device, frame, BPF_ATTACH_TYPE.BPF_TCX_INGRESS, options)
    if (result.verdict === "pass") {
      if (!this.passesCgroups(device, result.frame)) return { ...result, verdict: "drop" }
      keep(device.delivered, result.frame)
    }
    return result
  }

  /** Runs the TCX programs of one direction until one of them decides. */
  private runTcx(
    device: NetworkDevice,
    frame: Uint8Array,
    attachType: number,
    options: ReceiveOptions,
  ): Received {
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
    })
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

  /** cgroup_skb ingress programs of the root cgroup, to which the virtual sockets belong. */
  private passesCgroups(device: NetworkDevice, frame: Uint8Array): boolean {
    return this.runCgroup("/", BPF_ATTACH_TYPE.BPF_CGROUP_INET_INGRESS, device, frame)
  }

  /** Runs the cgroup_skb programs of a cgroup and its ancestors; every one must say 1. */
  runCgroup(path: string, attachType: number, device: NetworkDevice, frame: Uint8Array): boolean {
    let allowed = true
    for (const ancestor of pathAndAncestors(path)) {
      const site = this.hooks.find(hookKey.cgroup(ancestor, attachType))
      for (const attachment of [...(site?.attachments ?? [])]) {
        const buffer = (this.skBuffers[this.depth] ??= new SkBuffer(this.kernel.memory))
        buffer.load(frame, { ifindex: device.ifindex, mac: device.mac, networkLayer: true })
        const outcome = this.kernel.run(attachment.program.value, {
          context: buffer.context,
          contextRegion: buffer.contextRegion,
          packet: buffer,
        })
        if (outcome.fault !== null || (outcome.low & 1) === 0) allowed = false
      }
    }
    return allowed
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

/** `/a/b` → `/a/b`, `/a`, `/`. */
function pathAndAncestors(path: string): string[] {
  const all: string[] = []
  for (let at = path; at !== "/" && at !== ""; at = at.slice(0, at.lastIndexOf("/"))) all.push(at)
  all.push("/")
  return all
}
