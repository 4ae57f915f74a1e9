/**
 * PROG_TEST_RUN of flow dissector programs: the packet goes in, `struct bpf_flow_keys` comes out
 * (linux v6.18 net/bpf/test_run.c bpf_prog_test_run_flow_dissector, net/core/flow_dissector.c
 * bpf_flow_dissect).
 */

import { REGION_READ, REGION_TAG, REGION_WRITE } from "../../interpreter/machine.ts"
import { CONTEXTS, ERRNO, type ProgTestRunAttr } from "../../spec/index.ts"
import { ETH_HLEN, SKB, SkBuffer } from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import type { Program } from "../programs/program.ts"
import { finishContext, finishData, rangeIsZero, runRounds, sizeOf, takeContext } from "./frame.ts"

const KEYS_BYTES: number = CONTEXTS.bpf_flow_keys.sizeBytes
const DATA_BYTES_MAX = 4096
/** Offsets in `struct bpf_flow_keys`. */
const NHOFF = 0
const THOFF = 2
const N_PROTO = 10
const FLAGS = 48
const U16_MAX = 0xffff

export function testRunFlowDissector(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
): number {
  if ((attr.flags ?? 0) !== 0 || (attr.cpu ?? 0) !== 0 || (attr.batch_size ?? 0) !== 0)
    return -ERRNO.EINVAL
  const frame = attr.data_in ?? new Uint8Array(0)
  if (sizeOf(frame) < ETH_HLEN || frame.length > DATA_BYTES_MAX) return -ERRNO.EINVAL
  const context = takeContext(attr, KEYS_BYTES)
  if (typeof context === "number") return context
  const outside = context !== null && !rangeIsZero(context, 0, FLAGS)
  if (outside || (context !== null && !rangeIsZero(context, FLAGS + 4, KEYS_BYTES)))
    return -ERRNO.EINVAL
  const flags = context === null ? 0 : new DataView(context.buffer).getUint32(FLAGS, true)

  const { memory } = kernel
  const keys = memory.allocate(KEYS_BYTES)
  if (keys === 0) return -ERRNO.ENOMEM
  const skb = new SkBuffer(memory)
  const region = memory.createRegion(keys, keys + KEYS_BYTES, REGION_READ | REGION_WRITE)
  try {
    skb.load(frame, { ifindex: 0 })
    memory.view.setUint32(skb.context + SKB.flow_keys, keys, true)
    memory.view.setInt32(skb.context + SKB.flow_keys + 4, REGION_TAG | region, true)
    memory.u8.set(frame.subarray(12, 14), keys + N_PROTO)
    memory.view.setUint16(keys + NHOFF, ETH_HLEN, true)
    memory.view.setUint16(keys + THOFF, ETH_HLEN, true)
    memory.view.setUint32(keys + FLAGS, flags, true)
    const input = { context: skb.context, contextRegion: skb.contextRegion, packet: skb }
    const rounds = runRounds(kernel, program, input, attr.repeat ?? 0)
    if (rounds.errno < 0) return rounds.errno
    clampOffsets(memory.view, keys, frame.length)
    const result = finishData(attr, memory.read(keys, KEYS_BYTES), rounds)
    return result < 0 ? result : finishContext(attr, context)
  } finally {
    skb.free()
    memory.destroyRegion(region)
    memory.free(keys)
  }
}

/** The offsets stay inside the packet, whatever the program has written. */
function clampOffsets(view: DataView, keys: number, length: number): void {
  const clamp = (value: number, low: number): number =>
    Math.min(Math.max(value, low), Math.min(length, U16_MAX))
  const nhoff = clamp(view.getUint16(keys + NHOFF, true), ETH_HLEN)
  view.setUint16(keys + NHOFF, nhoff, true)
  view.setUint16(keys + THOFF, clamp(view.getUint16(keys + THOFF, true), nhoff), true)
}
