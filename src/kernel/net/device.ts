/**
 * A virtual network device: frames come in, go through the programs attached to it, and are
 * passed, dropped, sent back or redirected; everything is counted.
 */

import type { NetNamespace } from "./namespace.ts"

export interface DeviceCounters {
  rxPackets: number
  rxBytes: number
  rxDropped: number
  txPackets: number
  txBytes: number
  txDropped: number
  /** XDP verdicts, by enum xdp_action. */
  readonly xdp: { aborted: number; drop: number; pass: number; tx: number; redirect: number }
}

/** What became of a received frame. */
export type Verdict = "pass" | "drop" | "tx" | "redirect" | "aborted"

export interface Received {
  readonly verdict: Verdict
  /** The frame after the programs have run, whatever its verdict. */
  readonly frame: Uint8Array
  /** Where a redirected frame went: a device's index, or 0. */
  readonly redirectedTo: number
}

/** What a device does with frames: see {@link DeviceOptions}. */
export type DeviceKind = "veth" | "loopback" | "netkit"

/** An address of a device and the length of its prefix. */
export interface DeviceAddress {
  readonly address: Uint8Array
  readonly length: number
}

export interface NetworkDevice {
  readonly ifindex: number
  readonly name: string
  readonly kind: DeviceKind
  /** A netkit device that programs are attached to from its own side. */
  readonly primary: boolean
  namespace: NetNamespace
  readonly addresses: DeviceAddress[]
  /** 6 bytes. */
  readonly mac: Uint8Array
  mtu: number
  readonly queues: number
  /** The other end of a veth pair, or null. */
  peer: NetworkDevice | null
  up: boolean
  readonly counters: DeviceCounters
  /** Frames sent out of a device without a peer, oldest first (at most {@link KEPT_MAX}). */
  readonly transmitted: Uint8Array[]
  /** Frames handed to the network stack, oldest first (at most {@link KEPT_MAX}). */
  readonly delivered: Uint8Array[]
}

/** Frames that a device keeps for whoever wants to look at them. */
export const KEPT_MAX = 65_536

export interface DeviceOptions {
  readonly name: string
  /** "veth" by default, also for a device without a peer. */
  readonly kind?: DeviceKind
  readonly primary?: boolean
  readonly mac?: Uint8Array
  readonly mtu?: number
  readonly queues?: number
}

/** IFNAMSIZ - 1 */
const NAME_MAX = 15
const MTU_MIN = 68
const MTU_MAX = 65_536

/** A device that is up, with counters at zero. */
export function createDevice(
  ifindex: number,
  options: DeviceOptions,
  namespace: NetNamespace,
): NetworkDevice {
  const { name, mtu = 1500, queues = 1 } = options
  if (!/^[^\s/:]+$/.test(name) || name.length > NAME_MAX)
    throw new RangeError(
      `'${name}' is no device name: 1 to ${NAME_MAX} characters without '/' or ':'`,
    )
  if (mtu < MTU_MIN || mtu > MTU_MAX)
    throw new RangeError(`MTU ${mtu} of ${name} is not in ${MTU_MIN} to ${MTU_MAX}`)
  return {
    ifindex,
    name,
    kind: options.kind ?? "veth",
    primary: options.primary ?? false,
    namespace,
    addresses: [],
    // Locally administered, and different for each device.
    mac: options.mac ?? new Uint8Array([0x02, 0x53, 0x4b, 0, ifindex >> 8, ifindex & 0xff]),
    mtu,
    queues,
    peer: null,
    up: true,
    counters: {
      rxPackets: 0,
      rxBytes: 0,
      rxDropped: 0,
      txPackets: 0,
      txBytes: 0,
      txDropped: 0,
      xdp: { aborted: 0, drop: 0, pass: 0, tx: 0, redirect: 0 },
    },
    transmitted: [],
    delivered: [],
  }
}
