/**
 * Netfilter hooks of a namespace (linux v6.18 net/netfilter/nf_bpf_link.c, core.c). Programs run by
 * priority, the smallest first, until one drops the packet.
 */

import { REGION_TAG } from "../../interpreter/machine.ts"
import type { Attachment } from "../hooks/link.ts"
import { type FieldValue, ObjectWriter } from "../types/index.ts"
import type { Inet, Packet } from "./inet.ts"
import { ProgramContext } from "./program-context.ts"

/** enum nf_inet_hooks. */
export const NF = {
  PRE_ROUTING: 0,
  LOCAL_IN: 1,
  FORWARD: 2,
  LOCAL_OUT: 3,
  POST_ROUTING: 4,
} as const

/** NF_INET_NUMHOOKS */
export const NF_HOOKS = 5
const NF_ACCEPT = 1

export interface NetfilterHook extends Attachment {
  readonly priority: number
}

export function netfilterKey(family: number, hook: number): string {
  return `${family}/${hook}`
}

/** Whether all programs of a hook accept a packet. */
export function runNetfilter(inet: Inet, packet: Packet, hook: number): boolean {
  const hooks = packet.namespace.netfilter.get(netfilterKey(packet.family, hook))
  if (hooks === undefined || hooks.length === 0) return true
  const { kernel } = inet
  const context = new ProgramContext(kernel.memory, "bpf_nf_ctx")
  const writer = new ObjectWriter(kernel)
  const skb = inet.programs.loadPacket(packet, packet.socket)
  try {
    context.setPointer("state", stateOf(inet, writer, packet, hook), kernel.kernelRegion)
    context.setPointer("skb", skbOf(inet, writer, packet), kernel.kernelRegion)
    for (const { program } of [...hooks]) {
      const outcome = kernel.run(program.value, {
        context: context.address,
        contextRegion: context.region,
        packet: skb,
        network: { namespace: packet.namespace, socket: packet.socket, context },
      })
      if (outcome.fault !== null || outcome.low !== NF_ACCEPT) return false
    }
    packet.bytes = skb.bytes()
    return true
  } finally {
    inet.programs.doneWith()
    writer.release()
    context.free()
  }
}

/** `struct nf_hook_state`. */
function stateOf(inet: Inet, writer: ObjectWriter, packet: Packet, hook: number): number {
  const { types } = inet.kernel
  const id = types.findByName("nf_hook_state", "struct")
  if (id === undefined) return 0
  const { input, output } = packet
  const device = (one: Packet["input"]): FieldValue =>
    one === null ? 0 : { name: one.name, ifindex: one.ifindex, mtu: one.mtu }
  return writer.create(id, {
    hook,
    pf: packet.family,
    in: hook === NF.LOCAL_OUT || hook === NF.POST_ROUTING ? 0 : device(input),
    out: hook === NF.PRE_ROUTING || hook === NF.LOCAL_IN ? 0 : device(output),
  })
}

/** `struct sk_buff`, as far as programs read it through its type. */
function skbOf(inet: Inet, writer: ObjectWriter, packet: Packet): number {
  const { types, kernelRegion } = inet.kernel
  const id = types.findByName("sk_buff", "struct")
  if (id === undefined) return 0
  const bytes = writer.allocate(packet.bytes.length)
  inet.kernel.memory.write(bytes, packet.bytes)
  const address = (BigInt((REGION_TAG | kernelRegion) >>> 0) << 32n) | BigInt(bytes)
  const protocol = packet.family === 2 ? 0x0008 : 0xdd86
  return writer.create(id, {
    len: packet.bytes.length,
    mark: packet.mark,
    priority: packet.priority,
    protocol,
    skb_iif: packet.input?.ifindex ?? 0,
    head: address,
    data: address,
  })
}
