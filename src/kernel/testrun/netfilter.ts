/**
 * PROG_TEST_RUN of netfilter programs: a packet (a frame, but for LOCAL_OUT) and, as `ctx_in`,
 * `struct nf_hook_state` with family and hook (linux v6.18 net/bpf/test_run.c
 * bpf_prog_test_run_nf).
 */

import { BPF_TEST_RUN_FLAG, ERRNO, type ProgTestRunAttr } from "../../spec/index.ts"
import {
  ETH_HLEN,
  etherType,
  SHARED_INFO_BYTES,
  SKB_HEADROOM,
  SkBuffer,
} from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import { NF } from "../net/netfilter.ts"
import { ProgramContext } from "../net/program-context.ts"
import { AF_INET, AF_INET6, ETH_P_IP, ETH_P_IPV6 } from "../net/wire.ts"
import type { Program } from "../programs/program.ts"
import { ObjectWriter } from "../types/index.ts"
import { finishData, rangeIsZero, runRounds, sizeOf, takeContext } from "./frame.ts"

/** sizeof(struct nf_hook_state). */
const STATE_BYTES = 48
const IP4_HEADER_BYTES = 20
const IP6_HEADER_BYTES = 40
const DATA_BYTES_MAX = 4096 - SKB_HEADROOM - SHARED_INFO_BYTES

interface HookState {
  readonly hook: number
  readonly pf: number
}

export function testRunNetfilter(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
): number {
  const flags = (attr.flags ?? 0) & ~BPF_TEST_RUN_FLAG.BPF_F_TEST_RUN_ON_CPU
  if (flags !== 0 || attr.flags || attr.cpu || attr.batch_size) return -ERRNO.EINVAL
  const size = sizeOf(attr.data_in)
  if (size < IP4_HEADER_BYTES || size > DATA_BYTES_MAX) return -ERRNO.EINVAL
  const given = takeContext(attr, STATE_BYTES)
  if (typeof given === "number") return given
  const state = hookState(given)
  if (typeof state === "number") return state
  const data = attr.data_in ?? new Uint8Array(0)
  const frame = state.hook === NF.LOCAL_OUT ? withHeader(data, state.pf) : data
  if (state.hook !== NF.LOCAL_OUT) {
    const refused = frameRefusal(data, state.pf)
    if (refused !== 0) return refused
  }
  return run(kernel, program, attr, { state, frame })
}

/** What the caller's state says: family and hook alone; LOCAL_OUT of IPv4 without one. */
function hookState(given: Uint8Array | null): HookState | number {
  if (given === null) return { hook: NF.LOCAL_OUT, pf: AF_INET }
  if (!rangeIsZero(given, 8, STATE_BYTES)) return -ERRNO.EINVAL
  const [hook, pf] = given
  return pf === AF_INET || pf === AF_INET6 ? { hook, pf } : -ERRNO.EINVAL
}

function frameRefusal(frame: Uint8Array, pf: number): number {
  if (frame.length < ETH_HLEN + IP4_HEADER_BYTES) return -ERRNO.EINVAL
  switch (etherType(frame)) {
    case ETH_P_IP:
      return pf === AF_INET ? 0 : -ERRNO.EINVAL
    case ETH_P_IPV6:
      if (frame.length < ETH_HLEN + IP6_HEADER_BYTES) return -ERRNO.EINVAL
      return pf === AF_INET6 ? 0 : -ERRNO.EINVAL
    default:
      return -ERRNO.EPROTO
  }
}

/** A packet of our own has no link-layer header yet. */
function withHeader(packet: Uint8Array, pf: number): Uint8Array {
  const frame = new Uint8Array(ETH_HLEN + packet.length)
  frame.set(pf === AF_INET ? [0x08, 0x00] : [0x86, 0xdd], 12)
  frame.set(packet, ETH_HLEN)
  return frame
}

function run(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
  { state, frame }: { readonly state: HookState; readonly frame: Uint8Array },
): number {
  const { types, kernelRegion, net } = kernel
  const context = new ProgramContext(kernel.memory, "bpf_nf_ctx")
  const writer = new ObjectWriter(kernel)
  const skb = new SkBuffer(kernel.memory)
  try {
    skb.load(frame, { ifindex: 1, networkLayer: true })
    const stateId = types.findByName("nf_hook_state", "struct")
    const skbId = types.findByName("sk_buff", "struct")
    if (stateId !== undefined)
      context.setPointer("state", writer.create(stateId, { ...state }), kernelRegion)
    if (skbId !== undefined)
      context.setPointer("skb", writer.create(skbId, { len: skb.length }), kernelRegion)
    const rounds = runRounds(
      kernel,
      program,
      {
        context: context.address,
        contextRegion: context.region,
        packet: skb,
        network: { namespace: net.initial, socket: null, context },
      },
      attr.repeat ?? 0,
    )
    if (rounds.errno < 0) return rounds.errno
    return finishData(attr, new Uint8Array(0), rounds)
  } finally {
    skb.free()
    writer.release()
    context.free()
  }
}
