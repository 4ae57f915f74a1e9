/**
 * Sending packets elsewhere (linux v6.18 net/core/filter.c bpf_redirect, bpf_xdp_redirect,
 * bpf_xdp_redirect_map, bpf_clone_redirect; include/linux/filter.h __bpf_xdp_redirect_map).
 *
 * The helpers only note where to; whoever ran the program acts on it when the verdict says so.
 */

import { ERRNO, TC_ACTION, XDP_ACTION } from "../../spec/index.ts"
import type { SkBuffer } from "../contexts/index.ts"
import type { Redirect } from "../environment.ts"
import { RedirectMap } from "../maps/index.ts"
import type { BpfMap, ReferenceMap } from "../maps/map.ts"
import { onSkb } from "./packet.ts"
import {
  answers,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  mapArgument,
} from "./support.ts"

const BPF_F_INGRESS = 1
/** Bits of redirect_map's flags that become the result when there is no target. */
const ACTION_MASK = 3
const BPF_F_BROADCAST = 8
const BPF_F_EXCLUDE_INGRESS = 16
/** sizeof(struct bpf_redir_neigh). */
const NEIGHBOUR_BYTES = 20

function note(machine: HelperMachine, redirect: Redirect): void {
  machine.environment.redirect = redirect
}

/** long bpf_redirect(ifindex, flags): of XDP (no flags) and of tc (BPF_F_INGRESS). */
function redirect(machine: HelperMachine): number {
  const xdp = machine.environment.packet?.kind === "xdp"
  const flags = flagsArgument(machine, 2)
  if (xdp ? flags !== 0 : (flags & ~BPF_F_INGRESS) !== 0)
    return xdp ? XDP_ACTION.XDP_ABORTED : TC_ACTION.TC_ACT_SHOT
  const ifindex = machine.low(1)
  note(machine, { kind: "device", ifindex, flags: BigInt(flags) })
  return xdp ? XDP_ACTION.XDP_REDIRECT : TC_ACTION.TC_ACT_REDIRECT
}

/** long bpf_redirect_peer(ifindex, flags): into the other end of a veth pair. */
function redirectPeer(machine: HelperMachine): number {
  if (flagsArgument(machine, 2) !== 0) return TC_ACTION.TC_ACT_SHOT
  note(machine, { kind: "peer", ifindex: machine.low(1), flags: 0n })
  return TC_ACTION.TC_ACT_REDIRECT
}

/** long bpf_redirect_neigh(ifindex, params, plen, flags): out of a device with a new link-layer header. */
function redirectNeighbour(machine: HelperMachine): number | undefined {
  const length = machine.low(3)
  if (length > 0 && machine.checkRead(2, length) < 0) return undefined
  if ((length !== 0 && length < NEIGHBOUR_BYTES) || flagsArgument(machine, 4) !== 0)
    return TC_ACTION.TC_ACT_SHOT
  note(machine, { kind: "neighbour", ifindex: machine.low(1), flags: 0n })
  return TC_ACTION.TC_ACT_REDIRECT
}

/** long bpf_redirect_map(map, key, flags) */
function redirectMap(machine: HelperMachine): number | undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined) return undefined
  const flags = flagsArgument(machine, 3)
  const broadcasts = map instanceof RedirectMap && map.keySize === 4
  const allowed = ACTION_MASK | (broadcasts ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0)
  if (flags & ~allowed) return XDP_ACTION.XDP_ABORTED
  const index = machine.low(2) >>> 0
  if ((flags & BPF_F_BROADCAST) === 0 && !hasTarget(map, index)) return flags & ACTION_MASK
  note(machine, { kind: "map", ifindex: 0, flags: BigInt(flags), map, index })
  return XDP_ACTION.XDP_REDIRECT
}

function hasTarget(map: BpfMap, index: number): boolean {
  if (map instanceof RedirectMap) return map.target(index) !== undefined
  const references = map as Partial<ReferenceMap<unknown>>
  return index < map.maxEntries && references.reference?.(index) !== undefined
}

/** long bpf_clone_redirect(skb, ifindex, flags): sends a copy at once. */
function cloneRedirect(machine: HelperMachine, skb: SkBuffer): number {
  const flags = flagsArgument(machine, 3)
  if (flags & ~BPF_F_INGRESS) return -ERRNO.EINVAL
  if (skb.get("gso_size") !== 0 && skb.gsoType === 0) return -ERRNO.EBADMSG
  const { kernel } = machine.environment
  const ifindex = machine.low(2)
  if (kernel.device(ifindex) === undefined) return -ERRNO.EINVAL
  if (skb.macHeader >= skb.networkHeader || skb.length === 0) return -ERRNO.ERANGE
  kernel.cloneRedirect(skb.frame(), ifindex, (flags & BPF_F_INGRESS) !== 0)
  return 0
}

export const redirectHelpers: HelperTable = {
  redirect: answers(redirect),
  redirect_peer: answers(redirectPeer),
  redirect_neigh: answers(redirectNeighbour),
  redirect_map: answers(redirectMap),
  clone_redirect: onSkb(cloneRedirect),
}
