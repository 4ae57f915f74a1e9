/**
 * `struct bpf_flow_keys` around a frame, for flow dissector programs (linux v6.18
 * net/core/flow_dissector.c bpf_flow_dissect). The context is a `__sk_buff` with the packet and a
 * pointer to the keys.
 */

import { REGION_READ, REGION_TAG, REGION_WRITE } from "../../interpreter/machine.ts"
import { CONTEXTS } from "../../spec/index.ts"
import { ETH_HLEN, SKB, SkBuffer } from "../contexts/index.ts"
import type { KernelState, RunInput } from "../environment.ts"

export const KEYS_BYTES: number = CONTEXTS.bpf_flow_keys.sizeBytes
/** Offsets in the structure. */
const NHOFF = 0
const THOFF = 2
const N_PROTO = 10
const FLAGS = 48
const U16_MAX = 0xffff

export class FlowKeys {
  /** What the program is run with. */
  readonly input: RunInput
  private readonly kernel: KernelState
  private readonly at: number
  private readonly region: number
  private readonly skb: SkBuffer
  private readonly length: number

  /** @throws RangeError when kernel memory is exhausted. */
  constructor(kernel: KernelState, frame: Uint8Array, flags = 0) {
    const { memory } = kernel
    this.kernel = kernel
    this.length = frame.length
    this.at = memory.allocate(KEYS_BYTES)
    if (this.at === 0) throw new RangeError("kernel memory is exhausted: no flow keys")
    this.skb = new SkBuffer(memory)
    this.region = memory.createRegion(this.at, this.at + KEYS_BYTES, REGION_READ | REGION_WRITE)
    const { at, skb } = this
    skb.load(frame, { ifindex: 0 })
    memory.view.setUint32(skb.context + SKB.flow_keys, at, true)
    memory.view.setInt32(skb.context + SKB.flow_keys + 4, REGION_TAG | this.region, true)
    memory.u8.set(frame.subarray(12, 14), at + N_PROTO)
    memory.view.setUint16(at + NHOFF, ETH_HLEN, true)
    memory.view.setUint16(at + THOFF, ETH_HLEN, true)
    memory.view.setUint32(at + FLAGS, flags, true)
    this.input = { context: skb.context, contextRegion: skb.contextRegion, packet: skb }
  }

  /** The keys; offsets stay inside the packet, whatever the program has written. */
  finish(): Uint8Array {
    const { view } = this.kernel.memory
    const { at } = this
    const clamp = (value: number, low: number): number =>
      Math.min(Math.max(value, low), Math.min(this.length, U16_MAX))
    const nhoff = clamp(view.getUint16(at + NHOFF, true), ETH_HLEN)
    view.setUint16(at + NHOFF, nhoff, true)
    view.setUint16(at + THOFF, clamp(view.getUint16(at + THOFF, true), nhoff), true)
    return this.kernel.memory.read(at, KEYS_BYTES)
  }

  free(): void {
    this.skb.free()
    this.kernel.memory.destroyRegion(this.region)
    this.kernel.memory.free(this.at)
  }
}
