/**
 * Programs of routes: `ip route add … encap bpf in … out … xmit …` (linux v6.18
 * net/core/lwt_bpf.c run_lwt_bpf).
 */

import { BPF_RET_CODE, ERRNO } from "../../spec/index.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Inet, Packet } from "./inet.ts"

export interface LwtState {
  readonly in: KernelObject<"program"> | null
  readonly out: KernelObject<"program"> | null
  readonly xmit: KernelObject<"program"> | null
}

/** What becomes of the packet; `errno` is negative when it is dropped. */
export interface LwtResult {
  readonly kind: "ok" | "drop" | "reroute" | "done"
  readonly errno: number
}

/** Runs the program of one direction. Only xmit may redirect. */
export function runLwt(inet: Inet, packet: Packet, program: KernelObject<"program">): LwtResult {
  const skb = inet.programs.loadPacket(packet, packet.socket)
  try {
    const outcome = inet.kernel.run(program.value, {
      context: skb.context,
      contextRegion: skb.contextRegion,
      packet: skb,
      network: { namespace: packet.namespace, socket: packet.socket },
    })
    if (outcome.fault !== null) return { kind: "drop", errno: -ERRNO.EINVAL }
    packet.bytes = skb.bytes()
    packet.mark = skb.get("mark")
    packet.priority = skb.get("priority")
    switch (outcome.low) {
      case BPF_RET_CODE.BPF_OK:
        return { kind: "ok", errno: 0 }
      case BPF_RET_CODE.BPF_LWT_REROUTE:
        return { kind: "reroute", errno: 0 }
      case BPF_RET_CODE.BPF_REDIRECT:
        return redirect(inet, program, outcome.redirect?.ifindex ?? 0, skb.frame())
      case BPF_RET_CODE.BPF_DROP:
        return { kind: "drop", errno: -ERRNO.EPERM }
      default:
        return { kind: "drop", errno: -ERRNO.EINVAL }
    }
  } finally {
    inet.programs.doneWith()
  }
}

/** BPF_PROG_TYPE_LWT_XMIT: in and out answer BPF_OK instead. */
const LWT_XMIT = 12

function redirect(
  inet: Inet,
  program: KernelObject<"program">,
  ifindex: number,
  frame: Uint8Array,
): LwtResult {
  if (program.value.type !== LWT_XMIT) return { kind: "ok", errno: 0 }
  const device = inet.stack.devices.get(ifindex)
  if (device === undefined) return { kind: "drop", errno: -ERRNO.EINVAL }
  inet.stack.transmit(device, frame)
  return { kind: "done", errno: 0 }
}
