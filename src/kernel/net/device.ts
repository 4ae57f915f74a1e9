/**
 * A virtual network device: frames come in, go through the programs attached to it, and are
 * passed, dropped, sent back or redirected; everything is counted.
 */

export interface DeviceCounters {
  rxPackets: number
  rxBytes: number
  rxDropped: number
  txPackets: number
  txBytes: number
  txDropped: number
  /** XDP verdicts, by enum xdp_action. */
  xdp: [aborted: number, drop: number, pass: number, tx: number, redirect: number]
}

export interface NetworkDevice {
  readonly ifindex: number
  readonly name: string
  readonly mac: Uint8Array
  readonly mtu: number
  /** The other end of a veth pair, or null. */
  readonly peer: NetworkDevice | null
  readonly queues: number
  up: boolean
  readonly counters: DeviceCounters
  /** Sends a frame out of the device: through egress hooks, to the peer or to `transmitted`. */
  transmit(frame: Uint8Array): void
}
